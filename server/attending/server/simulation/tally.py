"""What a simulation counts: how decisions change, what reviewers would have to do, and examples by inference id.

It holds counts and ids only, so that it can be shown, kept and taken up again, and stays small however long the record
is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from attending.guardrails.finding import Severity

RANK: Final = {"release": 0, "hold": 1, "block": 2}
MAX_EXAMPLES: Final = 10
MAX_MINUTES: Final = 10_000
"""Reviews whose length is remembered: of more, the median is that of the first ten thousand."""
LEAST_REVIEWS: Final = 5
SIDES: Final = ("on_record", "now")
SEVERITIES: Final = (*(severity.value for severity in Severity), "none")


@dataclass(slots=True)
class Tally:
    """Counts of one run; `last` is the entry index of the last inference that is counted."""

    last: int = -1
    judged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(on record, now) to outputs."""
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(side, code) to outputs in which it is reported; sides are those of SIDES."""
    worst: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(side, severity) to outputs of which it is the worst; `none` where nothing is reported."""
    new_codes: Counter[str] = field(default_factory=Counter)
    gone_codes: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    recalls: int = 0
    minutes: list[float] = field(default_factory=list)

    def add(
        self,
        id_: str,
        was: str,
        now: str,
        codes_was: Iterable[str],
        codes_now: Iterable[str],
        worst: tuple[Severity | None, Severity | None] = (None, None),
    ) -> None:
        """One output that was judged both times."""
        self.judged += 1
        self.confusion[was, now] += 1
        before, after = set(codes_was), set(codes_now)
        for side, codes, severity in zip(SIDES, (before, after), worst, strict=True):
            self.codes.update((side, code) for code in codes)
            self.worst[side, "none" if severity is None else severity.value] += 1
        self.new_codes.update(after - before)
        self.gone_codes.update(before - after)
        if was != now:
            kept = self.examples.setdefault((was, now), [])
            if len(kept) < MAX_EXAMPLES:
                kept.append(id_)

    def reviewed(self, minutes: float | None) -> None:
        """How long a reviewer took over one output."""
        if minutes is not None and len(self.minutes) < MAX_MINUTES:
            self.minutes.append(minutes)

    @property
    def stricter(self) -> int:
        return sum(n for (was, now), n in self.confusion.items() if RANK[now] > RANK[was])

    @property
    def milder(self) -> int:
        return sum(n for (was, now), n in self.confusion.items() if RANK[now] < RANK[was])

    def report(self, days: float | None, minutes_per_review: float | None) -> dict[str, Any]:
        """The figures. `days` is the length of the period, None where there is none. `minutes_per_review` is the
        caller's; without it the median of the reviews on record counts, and None is said where there are too few.
        """
        minutes, source = minutes_per_review, "given"
        if minutes is None and len(self.minutes) >= LEAST_REVIEWS:
            minutes, source = median(self.minutes), f"median of {len(self.minutes)} reviews on record"
        hours: dict[str, float | None] = {"on_record": None, "now": None}
        if minutes is not None and days:
            for place, side in enumerate(SIDES):
                held = sum(n for pair, n in self.confusion.items() if pair[place] == "hold")
                hours[side] = round(held * minutes / 60 / days, 2)
        return {
            "outputs": self.judged,
            "skipped": dict(sorted(self.skipped.items())),
            "changed": self.stricter + self.milder,
            "stricter": self.stricter,
            "milder": self.milder,
            "alerts_per_100": {"on_record": self._alerts(0), "now": self._alerts(1)},
            "reviewer_hours_a_day": hours,
            "minutes_per_review": None if minutes is None else {"minutes": round(minutes, 2), "from": source},
            "confusion": {was: {now: self.confusion[was, now] for now in RANK} for was in RANK},
            "codes": self._both(self.codes, sorted({code for _side, code in self.codes})),
            "worst": self._both(self.worst, SEVERITIES),
            "codes_more": dict(sorted(self.new_codes.items())),
            "codes_less": dict(sorted(self.gone_codes.items())),
            "examples": [
                {"was": was, "now": now, "ids": ids} for (was, now), ids in sorted(self.examples.items())
            ],
            "recall": self.recalls,
        }

    def _alerts(self, place: int) -> float | None:
        """Outputs held or blocked, of a hundred."""
        if not self.judged:
            return None
        alerts = sum(n for pair, n in self.confusion.items() if pair[place] != "release")
        return round(100 * alerts / self.judged, 1)

    @staticmethod
    def _both(counts: Counter[tuple[str, str]], names: Iterable[str]) -> dict[str, dict[str, int]]:
        return {name: {side: counts[side, name] for side in SIDES} for name in names}

    def to_json(self) -> dict[str, Any]:
        """All of it, for `from_json`."""
        return {
            "last": self.last,
            "judged": self.judged,
            "skipped": dict(self.skipped),
            "confusion": [[*pair, n] for pair, n in self.confusion.items()],
            "codes": [[*pair, n] for pair, n in self.codes.items()],
            "worst": [[*pair, n] for pair, n in self.worst.items()],
            "new_codes": dict(self.new_codes),
            "gone_codes": dict(self.gone_codes),
            "examples": [[*pair, ids] for pair, ids in self.examples.items()],
            "recalls": self.recalls,
            "minutes": self.minutes,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not make."""
        return cls(
            last=int(value["last"]),
            judged=int(value["judged"]),
            skipped=Counter(value["skipped"]),
            confusion=Counter({(was, now): int(n) for was, now, n in value["confusion"]}),
            codes=Counter({(side, code): int(n) for side, code, n in value["codes"]}),
            worst=Counter({(side, name): int(n) for side, name, n in value["worst"]}),
            new_codes=Counter(value["new_codes"]),
            gone_codes=Counter(value["gone_codes"]),
            examples={(was, now): list(ids) for was, now, ids in value["examples"]},
            recalls=int(value["recalls"]),
            minutes=[float(one) for one in value["minutes"]],
        )
