"""The draw of released texts for a second read: who is drawn follows from a seed that was committed to before.

A draw is committed by an entry that seals a random seed in the vault, so that its commitment stands in the log before
any text of the period is released; it is opened by the entry that ends the period and shows seed and salt. The period
is what stands between the two. A released inference is drawn when

    first 8 bytes, big-endian, of HMAC-SHA256(seed, "attending-draw/1\\n" || inference id)

are below its rate, in thousandths, of 2^64. The rates stand in the committing entry: a rate of the policy, times the
weight of the worst finding, times a weight where a signature on the text was marked `raised`. Anybody with the entries
recomputes it; standard library only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.errors import VerificationError

DRAW_STREAM: Final = "oversight/draw"
COMMITTED: Final = "oversight.draw_committed"
OPENED: Final = "oversight.draw_opened"
SAMPLED: Final = "review.sampled"
SEED_KIND: Final = "draw_seed"
SEED_BYTES: Final = 32
TAG: Final = b"attending-draw/1\n"
SEVERITIES: Final = ("info", "minor", "moderate", "major", "contraindicated")
_ALL: Final = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """In thousandths a policy; weights by the rank of the worst finding; the weight of a raised signature."""

    permille: Mapping[str, int]
    by_severity: tuple[int, ...] = (1, 1, 2, 3, 4)
    raised: int = 4

    def of(self, case: Case) -> int:
        """Thousandths at which this one is drawn, at most 1000; 0 for a policy that draws nothing."""
        rate = self.permille.get(case.policy, 0) * self.by_severity[case.severity_rank]
        return min(_ALL, rate * (self.raised if case.raised else 1))

    @property
    def most(self) -> int:
        """The highest that anything is drawn at."""
        return min(_ALL, max(self.permille.values(), default=0) * max(self.by_severity) * self.raised)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the committing entry."""
        return {
            "permille": dict(sorted(self.permille.items())),
            "by_severity": list(self.by_severity),
            "raised": self.raised,
        }


@dataclass(frozen=True, slots=True)
class Case:
    """One released inference, as its entries up to the release tell."""

    inference: str
    policy: str
    severity_rank: int
    raised: bool = False


def parse_rates(value: object) -> Rates:
    """The rates of a committing entry; VerificationError (DRAW_FORMAT) for anything else."""
    match value:
        case {"permille": dict(permille), "by_severity": list(weights), "raised": raised}:
            numbers = [*permille.values(), *weights, raised]
            names = all(type(name) is str for name in permille)
            counts = all(type(number) is int and 0 <= number <= _ALL for number in numbers)
            if names and counts and len(weights) == len(SEVERITIES) and type(raised) is int:
                return Rates(dict(permille), tuple(weights), raised)
    raise VerificationError("rates of a draw are not well formed", reason="DRAW_FORMAT")


def is_drawn(seed: bytes, case: Case, rates: Rates) -> bool:
    """Whether the seed draws this one."""
    return value_of(seed, case.inference) * _ALL < rates.of(case) * 2**64


def may_be_drawn(seed: bytes, inference: str, rates: Rates) -> bool:
    """Whether the seed could draw it at any rate: a quick answer before its case is looked up."""
    return value_of(seed, inference) * _ALL < rates.most * 2**64


def value_of(seed: bytes, inference: str) -> int:
    """0 to 2^64 - 1, spread evenly."""
    digest = hmac.new(seed, TAG + inference.encode("utf-8"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big")


def worst_rank(by_severity: object) -> int:
    """The rank of the worst among counts by severity, as `inference.generated` has them; 0 for none or unknown ones."""
    names: Iterable[object] = by_severity if isinstance(by_severity, Mapping) else ()
    return max((SEVERITIES.index(name) for name in names if name in SEVERITIES), default=0)
