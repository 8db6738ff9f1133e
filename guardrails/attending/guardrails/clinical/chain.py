"""Chains of verbs: "do not forget to take" as operators, outermost first, and their value.

Evaluated from the inside out, so that phrasings nobody listed still come out right.
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
_DETERMINERS = frozenset(
    {"the", "your", "his", "her", "their", "its", "all", "any", "this", "such", "further", "my"}
)


@dataclass(frozen=True, slots=True)
class Operator:
    index: int
    token: Token
    negations: int
    passive: bool


_PURPOSES = frozenset({"control", "work", "damage", "harm", "upset", "result"})
"""Describing verbs that are nouns too: "for rate control"."""


def _purpose(tokens: list[Token], i: int, start: int) -> bool:
    """Whether the noun at `i` ends a phrase opened by "for" or "of" with at most three words before it."""
    if tokens[i].word not in _PURPOSES:
        return False
    for k in range(i - 1, max(start, i - 5) - 1, -1):
        if tokens[k].word in ("for", "of"):
            return True
        if tokens[k].cat not in (Cat.OTHER, Cat.FILLER, Cat.PRONOUN):
            return False
    return False


def _aim_first(tokens: list[Token], i: int, start: int) -> bool:
    """Whether the verb is the aim with which a sentence opens: "To help her back on her feet, we gave X"."""
    return tokens[i].form is Form.BASE and i - 1 == start and tokens[start].cat is Cat.TO


_BEFORE_ADJECTIVE = frozenset({"the", "a", "an", "your", "his", "her", "their", "my", "for", "of"})


def _adjective(tokens: list[Token], i: int, start: int, end: int) -> bool:
    """Whether the participle stands before its noun: "for her blocked nose"."""
    if tokens[i].form not in (Form.PARTICIPLE, Form.PAST) or not start < i < end - 1:
        return False
    return tokens[i - 1].word in _BEFORE_ADJECTIVE and tokens[i + 1].cat is Cat.OTHER


def is_predicate(tokens: list[Token], i: int, start: int, end: int) -> bool:
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
    if (
        token.word in ("held", "holds", "holding")
        and after is not None
        and (
            after.word in ("him", "her", "them", "you", "me", "steady", "well", "good")
            or after.word.startswith("his")
        )
        and not any(t.cat is Cat.MENTION for t in tokens[i + 2 : i + 4])
    ):
        # "20 mg daily held her for years": it kept her well
        return False
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
    if token.cat is Cat.DESCRIBE and token.form is Form.BASE and _purpose(tokens, i, start):
        return False
    if token.cat is Cat.DESCRIBE and (_aim_first(tokens, i, start) or _adjective(tokens, i, start, end)):
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


def read_chain(tokens: list[Token], i: int, boundary: int, end: int) -> tuple[list[Operator], int]:
    """The operators from `i` on (outermost first), and where the group ends."""
    chain = [_operator(tokens, i, boundary)]
    last = i
    others = 0
    j = i + 1
    while j < end:
        token = tokens[j]
        if token.cat in PREDICATES and (
            token.cat not in (Cat.ON, Cat.OFF) or is_predicate(tokens, j, boundary, end)
        ):
            outer = chain[-1].token
            coordinated = j > last + 1 and tokens[j - 1].cat is Cat.COORD and outer.form is not Form.NOUN
            if token.cat is Cat.EXCEED and outer.cat in (Cat.TAKE, Cat.ADVISE, Cat.CHANGE, Cat.EXCEED):
                chain.append(_operator(tokens, j, last + 1))
            elif coordinated and others == 0:
                # "do not take or use X": the operators outside govern both
                operator = _operator(tokens, j, last + 1)
                chain[-1] = Operator(j, token, chain[-1].negations + operator.negations, operator.passive)
            elif (
                outer.cat not in _MATRIX
                or not _is_complement(tokens, last, j)
                # "can drop the pressure to a dangerous level": the adjective describes no act
                or (outer.cat is Cat.STOP and token.cat in (Cat.GOOD, Cat.BAD))
            ):
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
    if between and between[-1].word in _DETERMINERS and j + 1 < len(tokens) and tokens[j + 1].word == "of":
        # "discontinue the use of X"
        return True
    if any(
        t.cat in (Cat.MODAL, Cat.NOT) or t.word in ("that", "you", "she", "he", "they", "patient", "be")
        for t in between
    ):
        return True
    return j == last + 1 and tokens[last].cat in (Cat.ADVISE, Cat.ORDER)


def _operator(tokens: list[Token], i: int, boundary: int) -> Operator:
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
    return Operator(i, tokens[i], negations, passive)


def _base(operator: Operator, outermost: bool) -> tuple[Scope, bool, bool]:
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


def evaluate(chain: list[Operator]) -> tuple[Scope, bool]:
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
