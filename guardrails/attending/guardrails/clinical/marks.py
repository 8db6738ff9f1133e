"""Small words that turn the drugs after them: except, instead of, without, not, than, from ... to."""

from __future__ import annotations

from attending.guardrails.clinical.chain import flip
from attending.guardrails.clinical.predicate import Predicate
from attending.guardrails.clinical.segments import Clause
from attending.guardrails.clinical.words import Cat, Token
from attending.guardrails.finding import Scope

_REACH = 40
_BENEFIT = (
    "help", "reliev", "improv", "prevent", "eas", "protect", "control", "fight", "fought", "kill", "work", "thin",
    "slow", "mak", "stop", "halt", "settl", "calm", "cur", "reduc", "lower", "keep",
)  # fmt: skip
"""Stems of the describing verbs that say why a drug is given; the others ("causes", "worsens") warn of it."""
_TICKS = frozenset("\u2713\u2714\u2705\u2611\U0001f44d")
CROSSES = frozenset("\u2716\u2717\u2718\u274c\u26d4\u2715\U0001f6ab")
"""Signs that say no: crosses, no entry."""
_CIRCUMSTANCE = frozenset({"because of", "due to", "owing to", "for", "in", "during", "after", "at", "given"})


def special(tokens: list[Token], i: int, clause: Clause, mark: str | None) -> str | None:
    """Marks that turn what follows until the next comma or predicate: except, instead of, without, not, than."""
    token = tokens[i]
    if token.word in CROSSES and _names_drug(tokens, i + 1, clause.end):
        return "cross"
    if token.cat is Cat.EXCEPT:
        return "except"
    if token.cat is Cat.INSTEAD:
        return "instead"
    if token.cat is Cat.WITHOUT:
        return "without"
    if token.cat is Cat.THAN or (token.word == "over" and _preferred(tokens, clause.start, i)):
        return "than"
    if (
        token.cat is Cat.NOT
        and token.word in ("not", "no", "nor", "neither", "never")
        and _names_drug(tokens, i + 1, clause.end)
    ):
        return "not"
    if token.word in (",", ")", ";", ":") and mark is not None and mark != "not":
        # "except A, B and C": the list goes on as long as names follow
        return (
            mark
            if _names_drug(tokens, i + 1, clause.end) and mark in ("except", "without", "cross")
            else None
        )
    if token.word == "," and mark == "not" and not _names_drug(tokens, i + 1, clause.end):
        return None
    return mark


def crossed_out(tokens: list[Token], index: int, end: int) -> bool:
    """Whether a cross follows the item and belongs to nothing after it: "ibuprofen \u274c", a cell of a table."""
    for k in range(index + 1, min(end, index + 8)):
        token = tokens[k]
        if token.word in CROSSES:
            return not _names_drug(tokens, k + 1, end)
        if token.cat is Cat.MENTION or token.word in _TICKS or token.word in (".", ";"):
            return False
    return False


def _preferred(tokens: list[Token], start: int, i: int) -> bool:
    """Whether a choice stands before "over": "preferred in lactation over X"."""
    return any(t.word.startswith(("prefer", "chosen", "favo")) for t in tokens[max(start, i - 8) : i])


def _names_drug(tokens: list[Token], i: int, end: int) -> bool:
    for token in tokens[i : min(end, i + 4)]:
        if token.cat is Cat.MENTION:
            return True
        if token.cat not in (Cat.FILLER, Cat.PRONOUN, Cat.OTHER, Cat.COORD, Cat.AMOUNT):
            return False
    return False


def marked(mark: str, scope: Scope, started: bool, chosen: Predicate | None) -> tuple[Scope, bool]:
    """The scope under `mark`; a negation of a report ("takes X, not Y") says only that it is not so."""
    if mark == "cross":
        return (scope if scope in (Scope.STOP, Scope.HISTORY, Scope.FAMILY) else Scope.AVOID), False
    if mark == "than":
        return (Scope.LIMIT if scope is Scope.LIMIT else Scope.HYPOTHETICAL), False
    if mark in ("instead", "without"):
        return Scope.AVOID, False
    if scope in (Scope.RECOMMEND, Scope.MENTION) or (mark == "not" and scope is Scope.CONTINUE):
        return (Scope.HISTORY if chosen is not None and chosen.fact else Scope.AVOID), False
    if scope is Scope.AVOID and mark == "except":
        return Scope.RECOMMEND, False
    if scope is Scope.AVOID:
        return (Scope.RECOMMEND, False) if chosen is not None and not chosen.negated else (Scope.AVOID, False)
    return flip(scope), False


def under(outer: Predicate, inner: Predicate | None) -> tuple[Scope, bool]:
    """The scope of a mention with `outer` said of it, inside the noun phrase `inner` ("stopping X is dangerous")."""
    if inner is None:
        return outer.scope, outer.started
    if outer.cat in (Cat.GOOD, Cat.ADVISE, Cat.NEED) or (
        outer.cat in (Cat.TAKE, Cat.CONTINUE, Cat.START) and not outer.negated
    ):
        if outer.scope.prescriptive:
            return inner.scope, inner.started
        return flip(inner.scope), False
    if outer.scope is Scope.AVOID:
        return (flip(inner.scope) if inner.scope is not Scope.AVOID else Scope.CONTINUE), False
    if outer.scope is Scope.HYPOTHETICAL:
        return (Scope.HYPOTHETICAL if inner.scope.prescriptive else inner.scope), False
    if outer.scope is Scope.STOP and inner.scope.prescriptive:
        return Scope.STOP, False
    return outer.scope, outer.started


def objectless(tokens: list[Token], predicate: Predicate, end: int) -> bool:
    """Whether the predicate, up to token `end`, names nothing of its own, so that it speaks of the topic before it.

    What withholds must stand alone ("Ibuprofen: do not take"): "stop smoking" and "do not take with food" speak of
    something else.
    """
    if predicate.cat in (Cat.DESCRIBE, Cat.ASK):
        return False
    if not predicate.scope.prescriptive and _comes_later(tokens, predicate.start):
        return False
    rest = tokens[predicate.end : end]
    reason = next((k for k, t in enumerate(rest) if t.word in _CIRCUMSTANCE), None)
    if reason is not None and not predicate.scope.prescriptive:
        # "avoid because of your kidneys": the circumstance is no object
        rest = rest[:reason]
    if any(t.cat is Cat.MENTION for t in rest):
        return False
    if predicate.scope.prescriptive or predicate.scope is Scope.LIMIT:
        return True
    return all(
        t.cat in (Cat.PRONOUN, Cat.PUNCT, Cat.RHYTHM, Cat.AMOUNT, Cat.COORD, Cat.DO)
        or (t.cat is Cat.FILLER and not t.word.startswith(("with", "on an")))
        for t in rest
    )


def _comes_later(tokens: list[Token], start: int) -> bool:
    """Whether the predicate is a later step ("40 mg for 3 days, then stop") and no comment on the topic."""
    for k in range(start - 1, max(-1, start - 4), -1):
        if tokens[k].word in (",", "then", "and"):
            return True
        if tokens[k].cat not in (Cat.FILLER, Cat.DO, Cat.PRONOUN, Cat.MODAL):
            return False
    return False


def exchange(
    tokens: list[Token], index: int, clause: Clause, chosen: Predicate, scope: Scope, started: bool
) -> tuple[Scope, bool]:
    """Which of two exchanged drugs goes and which comes: "switch from A to B", "replace A with B"."""
    if chosen.cat is Cat.CHANGE and not any(
        t.word.startswith(("chang", "alter")) for t in tokens[chosen.start : chosen.end]
    ):
        # a dose is raised or lowered, and no drug is given up for another
        return scope, started
    before = index - 1
    while (
        before >= clause.start
        and tokens[before].cat in (Cat.FILLER, Cat.PRONOUN, Cat.AMOUNT, Cat.OTHER, Cat.RHYTHM)
        and tokens[before].word not in ("from", "for", "by")
    ):
        before -= 1
    word = tokens[before].word if before >= clause.start else ""
    later = tokens[index + 1 : min(clause.end, index + _REACH)]
    other_after = any(
        t.cat in (Cat.TO, Cat.WITH) or t.word in ("by", "for")
        for t in later[: next((k for k, t in enumerate(later) if t.cat is Cat.MENTION), 0)]
    )
    if chosen.negated:
        # "do not switch from A to B": A is kept
        comes = word in ("to", "with", "by")
        return (Scope.AVOID, False) if comes and chosen.cat is not Cat.CHANGE else (Scope.CONTINUE, False)
    if word == "from":
        return Scope.STOP, False
    substitute = tokens[chosen.start].word.startswith("substitut")
    if substitute:
        return (Scope.STOP, False) if word == "for" else (Scope.RECOMMEND, True)
    if word in ("to", "with", "by"):
        return Scope.RECOMMEND, True
    if index < chosen.start or other_after:
        passive_change = chosen.cat is Cat.CHANGE and not any(
            t.cat is Cat.MENTION for t in tokens[chosen.end : clause.end]
        )
        if passive_change:
            return scope, started
        return Scope.STOP, False
    if chosen.cat is Cat.REPLACE and index > chosen.start:
        return Scope.STOP, False
    return scope, started


def praised(tokens: list[Token], start: int, index: int, described: Predicate) -> bool:
    """Whether a described drug stands there with its amount and how often: "X 300 mg each morning will help you" is a
    regimen with its reason. A bare name or a warned amount is only spoken about."""
    if described.cat is not Cat.DESCRIBE or described.negated:
        return False
    if not any(t.word.startswith(_BENEFIT) for t in tokens[described.start : described.end]):
        return False
    named = next((k for k in range(index, start - 1, -1) if tokens[k].cat is Cat.MENTION), None)
    if named is None:
        return False
    kinds = {t.cat for t in tokens[max(named, described.start - _REACH) : described.start]}
    return {Cat.AMOUNT, Cat.RHYTHM} <= kinds
