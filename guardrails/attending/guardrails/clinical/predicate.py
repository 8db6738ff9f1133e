"""What a verb group does to a drug: the chain of verbs, negations and modals read into one scope.

"Do not forget to take", "should never have been started", "is not unsafe to combine": each is a chain of operators
over an innermost act. The chain is evaluated from the inside out, so that phrasings nobody listed still come out right.
"""

from __future__ import annotations

from dataclasses import dataclass

from attending.guardrails.clinical.words import Cat, Form, Token
from attending.guardrails.finding import Scope

PREDICATES = frozenset(
    {
        Cat.TAKE,
        Cat.START,
        Cat.CHANGE,
        Cat.CONTINUE,
        Cat.STOP,
        Cat.AVOID,
        Cat.SKIP,
        Cat.EXCEED,
        Cat.ADVISE,
        Cat.ORDER,
        Cat.COMBINE,
        Cat.SWITCH,
        Cat.REPLACE,
        Cat.DESCRIBE,
        Cat.ASK,
        Cat.ON,
        Cat.OFF,
        Cat.GOOD,
        Cat.BAD,
    }
)
_MATRIX = frozenset(
    {
        Cat.ADVISE,
        Cat.AVOID,
        Cat.STOP,
        Cat.CONTINUE,
        Cat.START,
        Cat.SKIP,
        Cat.GOOD,
        Cat.BAD,
        Cat.ASK,
        Cat.ORDER,
    }
)
TRANSPARENT = frozenset(
    {Cat.FILLER, Cat.TO, Cat.PRONOUN, Cat.BE, Cat.HAVE, Cat.MODAL, Cat.DO, Cat.NOT, Cat.GENERIC}
)
_TRANSITIVE = frozenset({Cat.TAKE, Cat.START, Cat.CONTINUE, Cat.CHANGE, Cat.SWITCH, Cat.ORDER, Cat.AVOID})
_MAX_OTHER = 3
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
_FIRST_PERSON = frozenset({"i", "we", "i'd", "we'd"})
_NOW = frozenset({"currently", "already", "now", "still", "presently"})
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


@dataclass(frozen=True, slots=True)
class _Operator:
    index: int
    token: Token
    negations: int
    passive: bool


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
        if token.cat not in PREDICATES or not _is_predicate(tokens, i, start, end):
            i += 1
            continue
        chain, stop = _chain(tokens, i, boundary, end)
        if inverted and chain[0].passive:
            first = chain[0]
            chain[0] = _Operator(first.index, first.token, first.negations + 1, first.passive)
            inverted = False
        predicate = _read(tokens, chain, boundary, stop, after_mention=named)
        if predicate is not None:
            found.append(predicate)
            boundary = stop
        i = max(stop, i + 1)
    return found


def _inverted(tokens: list[Token], start: int, mention: int) -> bool:
    """Whether a negation with inverted word order opens the clause ("under no circumstances should X be taken")."""
    for k in range(max(start, mention - 8), mention - 1):
        if tokens[k].cat is Cat.NOT and tokens[k].word != "not only":
            return tokens[k + 1].cat in (Cat.MODAL, Cat.DO, Cat.BE)
    return False


def _is_predicate(tokens: list[Token], i: int, start: int, end: int) -> bool:
    """Whether the word at `i` acts as a predicate and not as a noun, an adjective before a noun or a filler."""
    token = tokens[i]
    before = tokens[i - 1] if i > start else None
    after = tokens[i + 1] if i + 1 < end else None
    if token.cat in (Cat.GOOD, Cat.BAD):
        if " " in token.word:
            return True
        recent = tokens[max(start, i - 4) : i]
        return any(
            t.cat in (Cat.BE, Cat.NOT)
            or t.word in ("remain", "remains", "considered", "seem", "seems", "deemed", "ok", "okay")
            for t in recent
        ) or (after is not None and after.cat is Cat.TO)
    if token.cat in (Cat.ON, Cat.OFF):
        for k in range(i - 1, max(start, i - 5) - 1, -1):
            if tokens[k].cat in _TRANSITIVE:
                # "start the patient on X": the verb governs already
                return False
            if tokens[k].cat not in (Cat.FILLER, Cat.PRONOUN, Cat.GENERIC):
                break
        for later in tokens[i + 1 : min(end, i + 5)]:
            if later.cat is Cat.MENTION:
                return True
            if later.cat not in (Cat.FILLER, Cat.PRONOUN, Cat.OTHER, Cat.AMOUNT, Cat.RHYTHM):
                return False
        return False
    noun_before = before is not None and (
        before.word
        in (
            "the",
            "a",
            "an",
            "of",
            "your",
            "his",
            "her",
            "their",
            "its",
            "this",
            "that",
            "no",
            "daily",
            "concomitant",
            "concurrent",
            "combined",
            "for",
            "any",
            "every",
            "per",
            "each",
            "next",
            "first",
            "last",
            "missed",
            "prior",
            "chronic",
            "further",
            "with",
            "in",
        )
    )
    if token.form is Form.NOUN or (
        noun_before and token.form in (Form.BASE, Form.THIRD) and token.cat is not Cat.DESCRIBE
    ):
        if token.cat is Cat.EXCEED:
            return True
        return after is not None and (
            after.word in ("of", "with", "to", "between") or after.cat is Cat.MENTION
        )
    return True


def _chain(tokens: list[Token], i: int, boundary: int, end: int) -> tuple[list[_Operator], int]:
    """The operators from `i` on (outermost first), and where the group ends."""
    chain = [_operator(tokens, i, boundary)]
    last = i
    others = 0
    j = i + 1
    while j < end:
        token = tokens[j]
        if token.cat in PREDICATES and (
            token.cat not in (Cat.ON, Cat.OFF) or _is_predicate(tokens, j, boundary, end)
        ):
            outer = chain[-1].token
            coordinated = j > last + 1 and tokens[j - 1].cat is Cat.COORD and outer.form is not Form.NOUN
            if token.cat is Cat.EXCEED and outer.cat in (Cat.TAKE, Cat.ADVISE, Cat.CHANGE, Cat.EXCEED):
                chain.append(_operator(tokens, j, last + 1))
            elif coordinated and others == 0:
                # "do not take or use X": the operators outside govern both
                operator = _operator(tokens, j, last + 1)
                chain[-1] = _Operator(j, token, chain[-1].negations + operator.negations, operator.passive)
            elif outer.cat not in _MATRIX or not _is_complement(tokens, last, j):
                break
            else:
                chain.append(_operator(tokens, j, last + 1))
            last = j
            others = 0
        elif token.cat is Cat.OTHER and not token.word[0].isdigit():
            others += 1
            if others > _MAX_OTHER:
                break
        elif (
            (token.word == "that" and chain[-1].token.cat in _MATRIX)
            or (token.cat is Cat.COORD and j + 1 < end and tokens[j + 1].cat in PREDICATES and others == 0)
            or (
                token.word == ","
                and others == 0
                and j + 1 < end
                and (tokens[j + 1].cat in PREDICATES or tokens[j + 1].cat is Cat.COORD)
                and tokens[j - 1].cat in PREDICATES
            )
        ):
            pass
        elif token.cat not in TRANSPARENT and token.cat not in (Cat.ON, Cat.OFF):
            break
        j += 1
    return chain, last + 1


def _is_complement(tokens: list[Token], last: int, j: int) -> bool:
    """Whether the verb at `j` is what the verb at `last` is about."""
    token = tokens[j]
    between = tokens[last + 1 : j]
    if token.form is Form.GERUND or token.form is Form.NOUN:
        return True
    if any(t.cat is Cat.TO for t in between) or tokens[last].word.endswith(" to"):
        return True
    if any(
        t.cat in (Cat.MODAL, Cat.NOT) or t.word in ("that", "you", "she", "he", "they", "patient", "be")
        for t in between
    ):
        return True
    return j == last + 1 and tokens[last].cat in (Cat.ADVISE, Cat.ORDER)


def _operator(tokens: list[Token], i: int, boundary: int) -> _Operator:
    """The operator at `i` with the negations and the passive that stand before it."""
    negations = 0
    passive = False
    for k in range(i - 1, max(boundary, i - 12) - 1, -1):
        token = tokens[k]
        if token.cat is Cat.NOT and token.word != "not only":
            if token.word == "no" and k + 1 != i and not any(t.cat is Cat.TO for t in tokens[k + 1 : i]):
                continue
            negations += 1
        elif token.cat is Cat.BE or token.word in ("get", "gets", "got", "getting"):
            passive = True
        elif token.cat in (Cat.PUNCT, Cat.COORD) and token.word not in ("'", '"', "("):
            break
    if any(
        t.word in ("isn't", "aren't", "wasn't", "weren't", "isnt", "arent")
        for t in tokens[max(boundary, i - 5) : i]
    ):
        passive = True
    return _Operator(i, tokens[i], negations, passive)


def _base(operator: _Operator, outermost: bool) -> tuple[Scope, bool, bool]:
    """(scope, flipped, started) of the innermost act."""
    cat = operator.token.cat
    if cat in (Cat.TAKE, Cat.COMBINE, Cat.GOOD):
        return Scope.RECOMMEND, False, False
    if cat is Cat.ADVISE:
        return Scope.RECOMMEND, False, True
    if cat in (Cat.START, Cat.CHANGE, Cat.ORDER, Cat.SWITCH, Cat.REPLACE):
        return Scope.RECOMMEND, False, True
    if cat in (Cat.CONTINUE, Cat.ON):
        return Scope.CONTINUE, False, False
    if cat is Cat.STOP:
        return Scope.STOP, False, False
    if cat in (Cat.AVOID, Cat.BAD):
        return Scope.AVOID, False, False
    if cat is Cat.SKIP:
        return Scope.STOP, False, False
    if cat is Cat.OFF:
        return Scope.HISTORY, False, False
    if cat is Cat.EXCEED:
        return Scope.LIMIT, False, False
    return Scope.HYPOTHETICAL, False, False


_FLIP = {
    Scope.RECOMMEND: Scope.AVOID,
    Scope.CONTINUE: Scope.STOP,
    Scope.STOP: Scope.CONTINUE,
    Scope.AVOID: Scope.CONTINUE,
}


def flip(scope: Scope) -> Scope:
    """The scope under a negation; what neither gives nor withholds stays."""
    return _FLIP.get(scope, scope)


def _evaluate(chain: list[_Operator]) -> tuple[Scope, bool]:
    """Applies the operators from the inside out; returns the scope and whether it starts or changes the drug."""
    scope, flipped, started = _base(chain[-1], len(chain) == 1)
    flipped ^= chain[-1].negations % 2 == 1
    if scope is Scope.LIMIT:
        return (Scope.LIMIT, False)
    for operator in reversed(chain[:-1]):
        cat = operator.token.cat
        if scope is Scope.LIMIT:
            break
        if cat in (Cat.AVOID, Cat.BAD, Cat.SKIP):
            flipped = not flipped
        elif cat is Cat.STOP:
            scope = flip(scope) if flipped else scope
            scope, flipped = (Scope.STOP if scope.prescriptive else flip(scope)), False
        elif cat is Cat.CONTINUE and scope is Scope.RECOMMEND:
            scope = flip(scope) if flipped else Scope.CONTINUE
            flipped, started = False, False
        elif cat is Cat.START and scope is Scope.RECOMMEND:
            started = True
        elif cat is Cat.ASK:
            scope, flipped = Scope.HYPOTHETICAL, False
        flipped ^= operator.negations % 2 == 1
    if flipped:
        # what must not be changed is kept
        changes = len(chain) == 1 and chain[-1].token.cat is Cat.CHANGE
        scope = Scope.CONTINUE if changes else flip(scope)
    return scope, started and scope is Scope.RECOMMEND


def _read(
    tokens: list[Token], chain: list[_Operator], boundary: int, stop: int, *, after_mention: bool
) -> Predicate | None:
    first, last = chain[0], chain[-1]
    head, token = first.token, last.token
    before = tokens[boundary : first.index]
    words = {t.word for t in before}
    scope, started = _evaluate(chain)
    passive = first.passive and head.form in (Form.PARTICIPLE, Form.PAST)
    negated = any(o.negations % 2 for o in chain)
    cat = token.cat
    modal = bool(words & _DIRECT)
    unreal = (bool(words & _UNREAL) and not (words & _FIRST_PERSON)) or ({"would", "have"} <= words)
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

    if cat is Cat.DESCRIBE:
        infinitive = bool(before) and before[-1].cat is Cat.TO
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
        cat is Cat.CHANGE
        and single
        and after_mention
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
        elif single and cat is Cat.TAKE and not negated and words & _NOW:
            fact, scope = True, Scope.CONTINUE
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
            return None
        if after_mention:
            backward = True
        if cat in (Cat.TAKE, Cat.COMBINE) or token.word == "tried":
            scope = Scope.CONTINUE if words & {"has", "have"} and token.word != "tried" else Scope.HISTORY
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
