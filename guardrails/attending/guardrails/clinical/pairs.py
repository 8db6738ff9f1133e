"""Combinations a text warns of: "do not take A with B", "A interacts with B", "avoid A while on B"."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from attending.guardrails.clinical.modality import CONDITION, REASON, WHILE
from attending.guardrails.clinical.segments import Clause
from attending.guardrails.clinical.words import Cat, Token
from attending.guardrails.finding import Scope

_MAX_NAMES = 16
"""Names of one clause that are paired with each other; a longer list is an enumeration."""
_PRONOUNS = frozenset({"it", "this", "them", "these", "that"})
_BOTH = frozenset({"them", "these", "both", "they", "two"})
_OPENERS = (WHILE | CONDITION | REASON) - {"unless", "whether"}


def warned_pairs(
    tokens: list[Token], clauses: list[Clause], scopes: dict[int, Scope], earlier: list[int]
) -> Iterator[tuple[int, int]]:
    """Pairs of mention indices, in no order; `scopes` gives the scope of each mention of the sentence, `earlier`
    are the mentions that a pronoun may stand for, in text order."""
    before = list(earlier)
    for k, clause in enumerate(clauses):
        here = [t.index for t in tokens[clause.start : clause.end] if t.cat is Cat.MENTION]
        if not here and len(before) > 1 and _warns_of_both(tokens, clause):
            yield from combinations(before[-3:], 2)
        before = [*before, *here][-2 * _MAX_NAMES :]
        comment = clauses[k + 1].predicates if k + 1 < len(clauses) and not clause.predicates else ()
        yield from _within(
            tokens, clause, scopes, earlier[-1] if earlier else None, any(p.pair for p in comment)
        )
    avoided: list[int] = []
    conditional: list[int] = []
    for clause in clauses:
        opener = clause.opener
        given = opener is not None and (opener.word in _OPENERS or opener.cat is Cat.RELATIVE)
        for token in tokens[clause.start : clause.end]:
            if token.cat is not Cat.MENTION:
                continue
            scope = scopes[token.index]
            if scope is Scope.AVOID:
                avoided.append(token.index)
            elif given and scope in (Scope.HYPOTHETICAL, Scope.CONTINUE):
                conditional.append(token.index)
    yield from product(avoided[:_MAX_NAMES], conditional[:_MAX_NAMES])


def _warns_of_both(tokens: list[Token], clause: Clause) -> bool:
    """Whether a clause without names forbids the two named last together: "never combine them"."""
    inside = tokens[clause.start : clause.end]
    if not any(t.word in _BOTH for t in inside):
        return False
    together = any(t.cat is Cat.TOGETHER for t in inside)
    return any(p.scope is Scope.AVOID and (p.pair or together) for p in clause.predicates)


def _within(
    tokens: list[Token], clause: Clause, scopes: dict[int, Scope], earlier: int | None, paired: bool
) -> Iterator[tuple[int, int]]:
    inside = tokens[clause.start : clause.end]
    warned = [
        t for t in inside if t.cat is Cat.MENTION and scopes[t.index] in (Scope.AVOID, Scope.HYPOTHETICAL)
    ][: 2 * _MAX_NAMES]
    describes = any(p.cat is Cat.DESCRIBE and not p.negated for p in clause.predicates)
    if not warned or not (describes or any(scopes[t.index] is Scope.AVOID for t in warned)):
        return
    joined = (
        paired
        or any(p.pair for p in clause.predicates)
        or any(t.cat is Cat.TOGETHER for t in inside)
        or any(t.cat is Cat.DESCRIBE and "interact" in t.word for t in inside)
    )
    link = next((t for t in inside if t.cat in (Cat.WITH, Cat.TOGETHER)), None)
    if link is None:
        if joined:
            yield from combinations([t.index for t in warned[:_MAX_NAMES]], 2)
        return
    left = [t.index for t in warned if t.start < link.start][:_MAX_NAMES]
    right = [t.index for t in warned if t.start > link.start][:_MAX_NAMES]
    pronoun_left = any(t.word in _PRONOUNS for t in inside if t.start < link.start)
    pronoun_right = any(t.word in _PRONOUNS for t in inside if t.start > link.start)
    if left and right:
        yield from product(left, right)
    elif right and earlier is not None and pronoun_left:
        yield from ((earlier, b) for b in right if b != earlier)
    elif len(warned) >= 2 and joined:
        yield from combinations([t.index for t in warned[:_MAX_NAMES]], 2)
    elif left and earlier is not None and pronoun_right:
        yield from ((earlier, a) for a in left if a != earlier)
