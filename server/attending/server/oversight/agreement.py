"""How far two raters agree beyond chance: Cohen's kappa and Gwet's AC1 with intervals, and Wilson's of a share. Pure.

Kappa: J. Cohen, Educational and Psychological Measurement 20 (1960), with the large-sample variance of J. L. Fleiss,
J. Cohen and B. S. Everitt, Psychological Bulletin 72 (1969). AC1 and its variance: K. L. Gwet, British Journal of
Mathematical and Statistical Psychology 61 (2008). Kappa falls where one answer is nearly always given, however well
two agree; AC1 does not, which is why both are shown. Share: E. B. Wilson, JASA 22 (1927).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

Z_95: Final = 1.959963984540054
"""Of the standard normal: two-sided 95 %."""

Pair = tuple[str, str]
"""What the first and the second rater said of one thing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A coefficient with its 95 % interval; None where it is not defined, never shown as 0."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED: Final = Estimate(None, None, None)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `pairs` rated things `agreed` were rated alike. `categories` are those that either rater used."""

    pairs: int
    agreed: int
    categories: tuple[str, ...]
    kappa: Estimate
    ac1: Estimate


def agreement(pairs: Sequence[Pair], categories: Sequence[str] = ()) -> Agreement:
    """The agreement of two raters. `categories` are all that they could have said: AC1 counts them, also unused ones;
    those used are taken where none are given.

    With no pair both are undefined. With one category used by both throughout kappa is undefined (agreement by chance
    is certain), and AC1 is 1 where another could have been said.
    """
    used = sorted({answer for pair in pairs for answer in pair})
    names = tuple(sorted({*categories, *used}))
    agreed = sum(1 for one, two in pairs if one == two)
    table = {(one, two): 0 for one in names for two in names}
    for pair in pairs:
        table[pair] += 1
    return Agreement(
        pairs=len(pairs),
        agreed=agreed,
        categories=names,
        kappa=cohens_kappa(table, names),
        ac1=gwets_ac1(table, names),
    )


def cohens_kappa(table: Mapping[Pair, int], names: Sequence[str]) -> Estimate:
    """Kappa of a square table of counts; undefined for an empty one, and where chance agreement is certain."""
    n = sum(table.values())
    if n == 0:
        return UNDEFINED
    p = {pair: count / n for pair, count in table.items()}
    row = {k: sum(p[k, j] for j in names) for k in names}
    column = {k: sum(p[i, k] for i in names) for k in names}
    observed = sum(p[k, k] for k in names)
    chance = sum(row[k] * column[k] for k in names)
    # Exactly 1 when one category was used by both; a sum of floats is not trusted to say so.
    if sum(1 for k in names if row[k] and column[k]) == 1 and observed > 1 - 1e-12:
        return UNDEFINED
    kappa = (observed - chance) / (1 - chance)
    diagonal = sum(p[k, k] * ((1 - chance) - (row[k] + column[k]) * (1 - observed)) ** 2 for k in names)
    off = (1 - observed) ** 2 * sum(
        p[i, j] * (column[i] + row[j]) ** 2 for i in names for j in names if i != j
    )
    last = (observed * chance - 2 * chance + observed) ** 2
    variance = max(0.0, (diagonal + off - last) / (n * (1 - chance) ** 4))
    return _interval(kappa, variance)


def gwets_ac1(table: Mapping[Pair, int], names: Sequence[str]) -> Estimate:
    """AC1 of a square table of counts; undefined for an empty one, and with a single category."""
    n, q = sum(table.values()), len(names)
    if n == 0 or q < 2:
        return UNDEFINED
    p = {pair: count / n for pair, count in table.items()}
    share = {k: (sum(p[k, j] for j in names) + sum(p[i, k] for i in names)) / 2 for k in names}
    observed = sum(p[k, k] for k in names)
    chance = sum(share[k] * (1 - share[k]) for k in names) / (q - 1)
    ac1 = (observed - chance) / (1 - chance)
    if n == 1:
        return Estimate(ac1, None, None)
    # Linearised, a thing at a time (Gwet 2008, section 4), for an unlimited population.
    total = 0.0
    for (one, two), count in table.items():
        agrees = 1.0 if one == two else 0.0
        own = (agrees - chance) / (1 - chance)
        by_chance = ((1 - share[one]) + (1 - share[two])) / (2 * (q - 1))
        total += count * (own - 2 * (1 - ac1) * (by_chance - chance) / (1 - chance) - ac1) ** 2
    return _interval(ac1, total / (n * (n - 1)))


def wilson(hits: int, of: int) -> Estimate:
    """A share with its interval; undefined of nothing. ValueError unless 0 <= hits <= of."""
    if not 0 <= hits <= of:
        raise ValueError("hits are not among all")
    if of == 0:
        return UNDEFINED
    share, z2 = hits / of, Z_95 * Z_95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return Estimate(share, low, high)


def _interval(value: float, variance: float) -> Estimate:
    half = Z_95 * sqrt(variance)
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))
