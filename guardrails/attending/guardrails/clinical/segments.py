"""Clauses: a sentence cut where a new predicate, condition or contrast begins."""

from __future__ import annotations

from dataclasses import dataclass

from attending.guardrails.clinical.chain import PREDICATES
from attending.guardrails.clinical.predicate import Predicate, predicates
from attending.guardrails.clinical.words import Cat, Form, Token

_LOOKAHEAD = 48
_CONDITION = 4
"""Words of a condition, its conjunction included, before its main clause may begin without a comma."""
_GIVERS = frozenset(
    {
        "they",
        "you",
        "parents",
        "carers",
        "staff",
        "nurses",
        "mum",
        "mother",
        "family",
        "school",
        "teachers",
        "he",
        "she",
    }
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Tokens `start:end` of a sentence; `opener` is the conjunction, comma or relative that begins it, if any."""

    start: int
    end: int
    opener: Token | None
    predicates: tuple[Predicate, ...]

    @property
    def subordinate(self) -> bool:
        """Whether a condition, time or reason opens it."""
        return self.opener is not None and self.opener.cat is Cat.SUBORD


def split_clauses(tokens: list[Token]) -> list[Clause]:
    """The clauses of a sentence; every token is in one, the opener belongs to the clause it opens."""
    cuts: list[tuple[int, Token | None]] = [
        (0, tokens[0] if tokens[0].cat in (Cat.SUBORD, Cat.RELATIVE, Cat.HARD) else None)
    ]
    subordinate = tokens[0].cat is Cat.SUBORD
    seen_mention = seen_predicate = False
    for i, token in enumerate(tokens):
        if token.cat is Cat.MENTION:
            seen_mention = True
        if token.cat in PREDICATES and not _nominal(tokens, i):
            seen_predicate = True
        if i == 0:
            continue
        cut: Token | None = None
        if (
            token.cat in (Cat.SUBORD, Cat.HARD)
            or token.word == ";"
            or (token.cat is Cat.RELATIVE and not (token.word == "that" and _complements(tokens, i)))
            or (
                token.word in (",", "and", "or", "so", "then", "-", ":", "(", ")", "&", "plus")
                and (
                    (subordinate and token.word == "," and _main_follows(tokens, i + 1))
                    or (
                        (seen_mention or (seen_predicate and token.word in (",", "-", "(", ":")))
                        and _predicate_follows(tokens, i + 1, seen_predicate or token.word == "(")
                    )
                )
            )
        ):
            cut = token
        elif subordinate and (
            (seen_mention and seen_predicate and _main_begins(tokens, i))
            or _told_by_us(tokens, i)
            or (not seen_mention and i - cuts[-1][0] >= _CONDITION and _given_then(tokens, i))
        ):
            if cuts[-1][0] != i:
                cuts.append((i, None))
                subordinate = seen_mention = seen_predicate = False
        elif tokens[i - 1].word == ")" and cuts[-1][1] is not None and cuts[-1][1].word == "(":
            cut = tokens[i - 1]
        if cut is not None and cuts[-1][0] != i:
            cuts.append((i, cut))
            subordinate = cut.cat is Cat.SUBORD
            seen_mention = seen_predicate = False
    clauses: list[Clause] = []
    for k, (start, opener) in enumerate(cuts):
        end = cuts[k + 1][0] if k + 1 < len(cuts) else len(tokens)
        if end > start:
            clauses.append(Clause(start, end, opener, tuple(predicates(tokens, start, end))))
    return clauses


def _nominal(tokens: list[Token], i: int) -> bool:
    """Whether the word is a noun or gerund phrase that something may still be said of ("taking X and Y is ...")."""
    token = tokens[i]
    if token.form is Form.NOUN:
        return True
    return token.form is Form.GERUND and not any(
        t.cat in (Cat.BE, Cat.HAVE, *PREDICATES) for t in tokens[max(0, i - 4) : i]
    )


def _complements(tokens: list[Token], i: int) -> bool:
    return any(t.cat in (Cat.ADVISE, Cat.GOOD, Cat.BAD) for t in tokens[max(0, i - 3) : i])


def _main_follows(tokens: list[Token], i: int) -> bool:
    """Whether what follows the comma after a condition is the main clause and not one more item of its list."""
    for token in tokens[i : i + _LOOKAHEAD]:
        if token.cat in PREDICATES or token.cat in (Cat.MODAL, Cat.DO):
            return True
        if token.cat in (Cat.SUBORD, Cat.HARD):
            return False
    return True


def _main_begins(tokens: list[Token], i: int) -> bool:
    """Whether the main clause begins at `i` without a comma: "While you take A do not use B", "... avoid B"."""
    token, before = tokens[i], tokens[i - 1]
    if before.cat in (Cat.COORD, Cat.TO, Cat.MODAL, Cat.NOT, Cat.DO, Cat.PUNCT):
        return False
    if token.word in ("do", "don't", "dont", "please", "never"):
        return True
    return (
        token.cat in (Cat.AVOID, Cat.STOP) and token.form is Form.BASE and token.word not in ("hold", "drop")
    )


def _given_then(tokens: list[Token], i: int) -> bool:
    """Whether the order of a condition begins at `i` without a comma: "If a fit goes on beyond five minutes give X",
    "... they are to give X"."""
    token, before = tokens[i], tokens[i - 1]
    if before.cat in (Cat.SUBORD, Cat.COORD, Cat.RELATIVE, Cat.TO, Cat.MODAL, Cat.NOT, Cat.DO, Cat.PRONOUN):
        return False
    if token.word in ("give", "administer", "insert", "inject"):
        return token.form is Form.BASE and before.word not in _GIVERS
    if token.word not in _GIVERS or i + 1 >= len(tokens):
        return False
    after = tokens[i + 1]
    return (after.cat is Cat.MODAL and after.word in ("should", "must", "can", "may", "will")) or (
        after.word in ("are", "is") and i + 2 < len(tokens) and tokens[i + 2].cat is Cat.TO
    )


def _told_by_us(tokens: list[Token], i: int) -> bool:
    """Whether the writer's act begins at `i`: "Since you have never had a clot I've prescribed X"."""
    token, before = tokens[i], tokens[i - 1]
    if before.cat in (Cat.SUBORD, Cat.COORD, Cat.RELATIVE, Cat.PUNCT, Cat.TO):
        return False
    if token.word in ("i've", "we've", "i'll", "we'll"):
        return True
    return (
        token.word in ("i", "we")
        and i + 1 < len(tokens)
        and (tokens[i + 1].cat in (Cat.HAVE, Cat.MODAL) or tokens[i + 1].word in ("'ve", "'ll"))
    )


def _predicate_follows(tokens: list[Token], i: int, seen_predicate: bool) -> bool:
    """Whether a new clause begins at `i`: a verb group first, or names and then something said of them."""
    named = False
    for k in range(i, min(len(tokens), i + _LOOKAHEAD)):
        token = tokens[k]
        if token.cat is Cat.MENTION:
            named = True
        elif token.cat in PREDICATES:
            if token.cat is Cat.EXCEED:
                return not named
            if not named:
                return token.cat not in (Cat.GOOD, Cat.BAD) or k > i
            return _said_of(tokens, k, i) and seen_predicate
        elif (
            token.word in (";", ".")
            or token.cat
            in (
                Cat.SUBORD,
                Cat.HARD,
                Cat.RELATIVE,
                Cat.EXCEPT,
                Cat.INSTEAD,
            )
            or (token.word in (")", ":") and k > i)
        ):
            return False
    return False


def _said_of(tokens: list[Token], k: int, start: int) -> bool:
    """Whether the predicate at `k` is finite and follows its subject."""
    token = tokens[k]
    near = tokens[max(start, k - 5) : k]
    if any(t.cat in (Cat.BE, Cat.MODAL) or (t.cat is Cat.NOT and t.word.endswith("t")) for t in near):
        return True
    if token.cat in (Cat.DESCRIBE, Cat.CHANGE) and token.form is Form.THIRD:
        return True
    return token.form in (Form.PARTICIPLE, Form.PAST) and token.cat in (
        Cat.STOP,
        Cat.CONTINUE,
        Cat.AVOID,
        Cat.START,
    )
