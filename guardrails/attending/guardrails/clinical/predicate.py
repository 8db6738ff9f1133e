"""What a verb group does to a drug: the chain of verbs, negations and modals read into one scope.

"Do not forget to take", "should never have been started", "is not unsafe to combine": each is a chain of operators
over an innermost act. The chain is evaluated from the inside out, so that phrasings nobody listed still come out right.
"""

from __future__ import annotations

from dataclasses import dataclass

from attending.guardrails.clinical.chain import PREDICATES, Operator, evaluate, is_predicate, read_chain
from attending.guardrails.clinical.words import Cat, Form, Token
from attending.guardrails.finding import Scope

_DIRECT = frozenset(
    {
        "should",
        "must",
        "may",
        "can",
        "shall",
        "will",
        "'ll",
        "ought",
        "let's",
        "cannot",
        "shouldn't",
        "mustn't",
        "can't",
        "won't",
        "needn't",
        "shouldnt",
        "mustnt",
        "cant",
        "wont",
    }
)
_UNREAL = frozenset({"would", "could", "might", "'d", "wouldn't", "couldn't", "wouldnt", "couldnt"})
_DONE_BY_US = frozenset({"gave", "applied", "placed", "injected"})
_FIRST_PERSON = frozenset({"i", "we", "i'd", "we'd"})
_NOW = frozenset({"currently", "already", "now", "still", "presently"})
_SAYS = frozenset(
    {"reports", "reported", "endorses", "endorsed", "admits", "states", "describes", "acknowledges"}
)
_NOT_CHOSEN = frozenset(
    {"used", "given", "prescribed", "chosen", "selected", "ordered", "offered", "administered"}
)
_SECOND_OR_THIRD = frozenset({"you", "he", "she", "they", "who", "patient", "patients", "people", "i"})


@dataclass(frozen=True, slots=True)
class Predicate:
    """A verb group at tokens `start:end`, read.

    `backward` when it speaks of the mentions before it (passives, adjectives, descriptions); `weak` when it is only
    a gerund or noun phrase that may itself be the subject of another predicate ("taking X with Y is dangerous");
    `fact` when it reports what is, not what should be; `pair` when it joins drugs.
    """

    start: int
    end: int
    cat: Cat
    scope: Scope
    started: bool = False
    backward: bool = False
    weak: bool = False
    fact: bool = False
    pair: bool = False
    unreal: bool = False
    negated: bool = False


_BLOCKS_TEXT = (
    "nerve field ring plexus the a this regional dental facet ankle wrist axillary interscalene femoral intercostal "
    "paravertebral penile caudal tap iliaca scalp bier bier's ilioinguinal alveolar brachial sciatic digital rectus "
    "epidural spinal"
)
_BLOCKS = frozenset(_BLOCKS_TEXT.split())
"""What stands before "block" where it is an act of an anesthetist."""


_ANEW = frozenset({"so", "please", "therefore", "but", ";"})


def predicates(tokens: list[Token], start: int, end: int) -> list[Predicate]:
    """The verb groups of the clause `tokens[start:end]`, in order."""
    found: list[Predicate] = []
    boundary = start
    named = inverted = False
    i = start
    while i < end:
        token = tokens[i]
        if token.cat is Cat.MENTION:
            if not named and not found:
                inverted = _inverted(tokens, start, i)
            named = True
            boundary = i + 1
            i += 1
            continue
        if token.cat not in PREDICATES or not is_predicate(tokens, i, start, end):
            i += 1
            continue
        chain, stop = read_chain(tokens, i, boundary, end)
        if inverted and chain[0].passive:
            first = chain[0]
            chain[0] = Operator(first.index, first.token, first.negations + 1, first.passive)
            inverted = False
        predicate = _read(tokens, chain, boundary, stop, after_mention=named)
        if predicate is not None:
            found.append(predicate)
            boundary = stop
        i = max(stop, i + 1)
    return found


def _is_noun_or_sum(tokens: list[Token], i: int) -> bool:
    """ "a field block with bupivacaine" is done to somebody; "the amoxicillin comes to 7 mL" tells how much it is."""
    before = tokens[i - 1].word if i else ""
    after = tokens[i + 1].word if i + 1 < len(tokens) else ""
    if tokens[i].word in ("block", "blocks"):
        return before in _BLOCKS
    return tokens[i].word in ("come", "comes", "came") and after in ("to", "out", "in", "as", "with")


def _inverted(tokens: list[Token], start: int, mention: int) -> bool:
    """Whether a negation with inverted word order opens the clause ("under no circumstances should X be taken")."""
    for k in range(max(start, mention - 8), mention - 1):
        if tokens[k].cat is Cat.NOT and tokens[k].word != "not only":
            return tokens[k + 1].cat in (Cat.MODAL, Cat.DO, Cat.BE)
    return False


def _read(
    tokens: list[Token], chain: list[Operator], boundary: int, stop: int, *, after_mention: bool
) -> Predicate | None:
    first, last = chain[0], chain[-1]
    head, token = first.token, last.token
    before = tokens[boundary : first.index]
    words = {t.word for t in before}
    scope, started = evaluate(chain)
    passive = first.passive and head.form in (Form.PARTICIPLE, Form.PAST)
    negated = any(o.negations % 2 for o in chain)
    cat = token.cat
    modal = bool(words & _DIRECT)
    # "a flare would harm you, so please change nothing: X 5 mg": the request is none of the "would"
    cut = max((k for k, t in enumerate(before) if t.word in _ANEW), default=-1)
    asked = {t.word for t in before[cut + 1 :]}
    unreal = (bool(asked & _UNREAL) and not (words & _FIRST_PERSON)) or ({"would", "have"} <= asked)
    have = any(t.cat is Cat.HAVE for t in before)
    was = bool(words & {"was", "were", "wasn't", "weren't"})
    present_be = bool(words & {"is", "are", "am", "been", "being"}) or any(
        t.word.endswith(("'re", "'m", "'s")) for t in before
    )
    subject = after_mention or any(
        t.word in _SECOND_OR_THIRD or t.cat in (Cat.FAMILY, Cat.GENERIC, Cat.RELATIVE) or t.word == "it"
        for t in before
    )
    pair = any(o.token.cat is Cat.COMBINE for o in chain)
    fact = False
    weak = False
    backward = passive and scope is not Scope.LIMIT
    single = len(chain) == 1
    # "it would be a mistake to stop" advises; "X would be given" does not
    unreal = unreal and (single or passive)

    if (
        token.word in ("dissolved", "infused", "chewed", "inhaled", "repeated")
        and single
        and not (words & (_SECOND_OR_THIRD | _FIRST_PERSON | {"was", "were", "has", "had"}))
    ):
        # "half a tablet dissolved in water": how it is taken, and not that it was
        return None
    if cat is Cat.DESCRIBE and _is_noun_or_sum(tokens, first.index):
        return None
    if cat is Cat.DESCRIBE:
        infinitive = bool(before) and before[-1].cat is Cat.TO
        if token.word in ("carries", "carry", "carrying") and words & _SECOND_OR_THIRD and not negated:
            return Predicate(first.index, stop, Cat.TAKE, Scope.CONTINUE, fact=True)
        # "does not interact with" reassures, so what it names is judged
        reassures = negated and "interact" in token.word
        return Predicate(
            first.index,
            stop,
            cat,
            Scope.MENTION if reassures else Scope.HYPOTHETICAL,
            backward=after_mention and not infinitive,
            weak=token.form is Form.NOUN and not after_mention,
            fact=True,
            negated=negated,
        )
    if (
        cat in (Cat.CHANGE, Cat.STOP)
        and single
        and after_mention
        and not any(t.cat is Cat.PUNCT for t in before)
        and not passive
        and (head.form is Form.THIRD or words & {"can", "may", "might", "could", "to", "will"})
    ):
        return Predicate(
            first.index, stop, Cat.DESCRIBE, Scope.HYPOTHETICAL, backward="to" not in words, fact=True
        )
    if cat in (Cat.GOOD, Cat.BAD) and single:
        return Predicate(first.index, stop, cat, scope, backward=True, unreal=unreal, negated=negated)
    if cat is Cat.ON and single:
        if modal or words & {"be"}:
            return Predicate(
                first.index, stop, cat, Scope.AVOID if negated else Scope.RECOMMEND, started=not negated
            )
        if was or "had" in words:
            return Predicate(first.index, stop, cat, Scope.HISTORY, fact=True)
        return Predicate(first.index, stop, cat, Scope.HISTORY if negated else Scope.CONTINUE, fact=True)
    if cat is Cat.OFF:
        return Predicate(first.index, stop, cat, scope, fact=True)
    if "no longer" in words and single and not modal and cat in (Cat.TAKE, Cat.ADVISE, Cat.CONTINUE):
        return Predicate(first.index, stop, cat, Scope.HISTORY, backward=passive, fact=True)

    if (head.form in (Form.GERUND, Form.NOUN) and single) or (
        head.form is Form.GERUND and not present_be and not have and not was
    ):
        if head.form is Form.GERUND and (present_be or have) and not modal:
            fact = True
            if cat is Cat.TAKE and single:
                scope = Scope.HISTORY if negated else Scope.CONTINUE
        elif head.form is Form.GERUND and was:
            fact, scope = True, (Scope.HISTORY if scope is Scope.RECOMMEND else scope)
        elif single and cat is Cat.TAKE and not negated and words & (_NOW | _SAYS):
            fact, scope = True, Scope.CONTINUE
        elif single and token.word == "trying" and "after" in words:
            fact, scope = True, Scope.HISTORY
        else:
            weak = True
    elif passive:
        if was and not modal and not unreal:
            fact = True
            if token.word == "tried" or (cat in (Cat.TAKE, Cat.COMBINE) and single):
                scope = Scope.HISTORY
    elif single and not modal and head.form in (Form.PAST, Form.PARTICIPLE):
        fact = True
        if after_mention and cat in (Cat.TAKE, Cat.ORDER, Cat.ADVISE, Cat.COMBINE):
            if negated and token.word in _NOT_CHOSEN:
                # "DOACs not used at this clearance"
                return Predicate(
                    first.index, stop, cat, Scope.HISTORY, backward=True, fact=True, negated=True
                )
            return None
        if after_mention:
            backward = True
        # "I gave her X, one every six hours" is an order told by who gave it
        ours = token.word in _DONE_BY_US and bool(words & _FIRST_PERSON)
        ours = ours or (
            token.word == "gave" and any(t.word in ("now", "stat") for t in tokens[stop : stop + 16])
        )
        if (cat in (Cat.TAKE, Cat.COMBINE) and not ours) or token.word == "tried":
            told = bool(words & {"has", "have"}) and token.word != "tried" and not negated
            scope = Scope.CONTINUE if told else Scope.HISTORY
        if "would" in words and "have" in words and cat in (Cat.TAKE, Cat.START, Cat.ORDER):
            # "I would have used X": it was not
            scope, started = Scope.HYPOTHETICAL, False
    elif single and cat in (Cat.TAKE, Cat.ADVISE) and not modal and not unreal:
        third = head.form is Form.THIRD
        plain_subject = (
            subject
            and not after_mention
            and not any(t.cat is Cat.DO for t in before)
            and not any(t.cat is Cat.TO for t in before)
        )
        generic = any(t.word in ("people", "adults", "children", "patients", "women", "men") for t in before)
        if cat is Cat.TAKE and not generic and not (words & _FIRST_PERSON) and (third or plain_subject):
            fact = True
            scope = Scope.HISTORY if negated else Scope.CONTINUE
        elif cat is Cat.TAKE and third is False and negated and words & {"does", "doesn't", "doesnt"}:
            fact, scope = True, Scope.HISTORY
    if negated and scope is Scope.AVOID and _more_than(tokens, first.index, stop):
        # "don't take more X than 3 g a day"
        return Predicate(first.index, stop, cat, Scope.LIMIT, negated=True)
    return Predicate(
        first.index,
        stop,
        cat,
        scope,
        started and scope is Scope.RECOMMEND,
        backward,
        weak,
        fact,
        pair,
        unreal,
        negated,
    )


def _more_than(tokens: list[Token], start: int, stop: int) -> bool:
    """Whether "more ... than" follows the verb."""
    near = tokens[start : stop + 8]
    more = next((k for k, t in enumerate(near) if t.word in ("more", "higher", "greater")), None)
    return more is not None and any(t.cat is Cat.THAN for t in near[more + 1 :])
