"""Signs of an emergency: conjunctions of concepts that stand close together in a text (signs.tsv).

Sources: NHS and CDC public lists of when to call an ambulance; AHA warning signs of stroke and heart attack; ACOG
Practice Bulletin 222 (severe features of pre-eclampsia); NICE NG51 (sepsis), NG143 (fever under five).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from attending.guardrails.clinical.statement import Span
from attending.guardrails.emergency.concepts import Tokens, Told, lexicon, tokens_of
from attending.guardrails.emergency.measures import NAMES, measured
from attending.guardrails.emergency.presence import Spoken, how_spoken, is_so

Kind = Literal["acute", "local", "thinned"]
_MILDER: Final = ("said", "supposed", "watched")
_REACH: Final = 45
"""Words over which the findings of one sign may be spread: three sentences, or the S and O lines of a note."""
_CLOSE: Final = 7
"""Words between two findings that belong together, as "pain ... chest"."""
_TRIED: Final = 3
"""Findings of a group that are tried beside those of the others."""
_LONGEST: Final = 16
"""Words of the longest phrase, gaps among them."""


@dataclass(frozen=True, slots=True)
class Sign:
    """`acute`: to be judged in letters and notes too; `local`: only where it is itself answered with delay;
    `thinned`: an acute one for who takes an anticoagulant."""

    id: str
    groups: tuple[tuple[tuple[str, ...], ...], ...]
    kind: Kind
    treated: str | None = None
    """The concept whose presence tells that the emergency is being treated."""


@dataclass(frozen=True, slots=True)
class Found:
    """A sign in a text. `spoken`: said to be there, supposed ("if your face droops"), or one to watch for."""

    sign: Sign
    span: Span
    spoken: Spoken


@cache
def signs() -> tuple[Sign, ...]:
    """The rows of signs.tsv. ValueError for a concept that no lexicon has."""
    rows = []
    for line in (files(__package__) / "signs.tsv").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        id_, findings, kind, *treated = line.split("\t")
        if kind not in ("acute", "local", "thinned"):
            raise ValueError(f"signs.tsv: {id_}: no kind: {kind!r}")
        groups = tuple(
            tuple(tuple(finding.strip().split("~")) for finding in group.split("|"))
            for group in findings.split("+")
        )
        rows.append(Sign(id_, groups, kind, treated[0] if treated else None))  # type: ignore[arg-type]
    known = lexicon("lexicon.tsv").concepts | NAMES
    for sign in rows:
        if sign.treated is not None and sign.treated not in known:
            raise ValueError(f"signs.tsv: {sign.id}: no such concept: {sign.treated}")
        for group in sign.groups:
            for finding in group:
                if not set(finding) <= known:
                    raise ValueError(f"signs.tsv: {sign.id}: no such concept: {set(finding) - known}")
    return tuple(rows)


@cache
def _asked() -> tuple[dict[str, int], tuple[tuple[Sign, tuple[int, ...]], ...]]:
    """A bit for each concept, and each sign with the concepts of each of its groups."""
    bits = {
        concept: 1 << place for place, concept in enumerate(sorted(lexicon("lexicon.tsv").concepts | NAMES))
    }
    masks = (
        (
            sign,
            tuple(sum(bits[c] for c in {c for finding in group for c in finding}) for group in sign.groups),
        )
        for sign in signs()
    )
    return bits, tuple(masks)


def _likely(told: Iterable[str]) -> Iterator[Sign]:
    """The signs of whose every group a concept is told; of most texts none is."""
    bits, asked = _asked()
    held = 0
    for concept in told:
        held |= bits[concept]
    for sign, masks in asked:
        for mask in masks:
            if not mask & held:
                break
        else:
            yield sign


def find_signs(text: str) -> Iterator[Found]:
    """The signs of a text, none that is denied, past or another's. Linear in the text."""
    tokens = tokens_of(text)
    told: dict[str, list[Told]] = {}
    for one in (*lexicon("lexicon.tsv").tell(tokens), *measured(text, tokens)):
        told.setdefault(one.concept, []).append(one)
    so: dict[tuple[int, int], bool] = {}

    def present(one: Told) -> bool:
        key = (one.token, one.last)
        if key not in so:
            so[key] = is_so(text, tokens, one)
        return so[key]

    for sign in _likely(told):
        if any(present(one) for one in told.get(sign.treated or "", ())):
            continue
        if not all(any(all(c in told for c in finding) for finding in group) for group in sign.groups):
            continue
        first, *others = (
            sorted(_findings(group, told, present), key=lambda f: f.token) for group in sign.groups
        )
        best: Found | None = None
        for one in first:
            chosen = _together(one, others, tokens)
            if chosen is None:
                continue
            span = Span(min(c.span.start for c in chosen), max(c.span.end for c in chosen))
            spoken = max((how_spoken(text, tokens, c) for c in chosen), key=_MILDER.index)
            if best is None or _MILDER.index(spoken) < _MILDER.index(best.spoken):
                best = Found(sign, span, spoken)
            if spoken == "said":
                break
        if best is not None:
            yield best


def _together(one: Told, others: list[list[Told]], tokens: Tokens) -> list[Told] | None:
    """One finding of each other group, the nearest in the same paragraph; None where a group has none in reach."""
    near = [
        sorted(
            (f for f in _around(group, one, _REACH) if tokens.part(f.token) == tokens.part(one.token)),
            key=lambda f: abs(f.token - one.token),
        )
        for group in others
    ]
    return _apart(near, [one]) if all(near) else None


def _apart(near: list[list[Told]], chosen: list[Told]) -> list[Told] | None:
    """One of each list, none in two of them; the first `_TRIED` that are still free are tried."""
    if not near:
        return chosen
    for one in [f for f in near[0] if not any(_same(f, c) for c in chosen)][:_TRIED]:
        found = _apart(near[1:], [*chosen, one])
        if found is not None:
            return found
    return None


def _same(one: Told, other: Told) -> bool:
    """The same words, or the same concept in words that overlap ("mouth ulcers", "ulcers")."""
    if one.concept != other.concept:
        return (one.token, one.last) == (other.token, other.last)
    return one.token <= other.last and other.token <= one.last


def _findings(
    group: tuple[tuple[str, ...], ...], told: dict[str, list[Told]], present: Callable[[Told], bool]
) -> Iterator[Told]:
    for finding in group:
        if len(finding) == 1:
            yield from (one for one in told.get(finding[0], ()) if present(one))
            continue
        left, right = finding
        for one in told.get(left, ()):
            for other in _around(told.get(right, []), one, _CLOSE + _LONGEST):
                apart = max(other.token - one.last, one.token - other.last)
                if (0 < apart <= _CLOSE or _within(one, other)) and present(one) and present(other):
                    start, end = min(one.token, other.token), max(one.last, other.last)
                    span = Span(min(one.span.start, other.span.start), max(one.span.end, other.span.end))
                    yield Told(f"{left}~{right}", start, end, span)
                    break


def _within(one: Told, other: Told) -> bool:
    """One stands inside the other, as "perianal" in "reduced perianal sensation"."""
    return (one.token < other.token and other.last < one.last) or (
        other.token < one.token and one.last < other.last
    )


def _around(found: list[Told], one: Told, reach: int) -> list[Told]:
    """Those of a list in text order that begin at most `reach` words before or after."""
    low = bisect_left(found, one.token - reach, key=lambda f: f.token)
    high = bisect_right(found, one.token + reach, lo=low, key=lambda f: f.token)
    return found[low:high]
