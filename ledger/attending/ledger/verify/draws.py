"""V23: what was drawn for a second read is what the opened seeds draw, each seed committed to before its period.

The period of a draw is what stands between the entry that commits to its seed and the one that opens it; what it draws
has to be sampled before the next one is opened. Only a bundle that holds a whole log from its beginning tells who was
drawn; any bundle tells whether a seed opens its commitment, and whether the seed could have drawn what was sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attending.ledger.draw import (
    COMMITTED,
    OPENED,
    SEED_BYTES,
    SEED_KIND,
    Case,
    Rates,
    is_drawn,
    may_be_drawn,
    parse_rates,
)
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.vault import payload_commitment
from attending.ledger.verify.report import Findings


@dataclass(slots=True)
class _Draw:
    index: int
    rates: Rates
    commitment: str | None
    cases: list[Case] = field(default_factory=list)
    seed: bytes = b""
    drawn: set[str] = field(default_factory=set)
    sampled: set[str] = field(default_factory=set)


class Draws:
    """Visits entries in log order and reports into `findings`. `whole`: no entry of the log can be missing."""

    def __init__(self, findings: Findings, *, whole: bool) -> None:
        self._findings = findings
        self._whole = whole
        self._draws: dict[str, _Draw] = {}
        self._running: str | None = None
        self._opened: str | None = None
        self._count = 0

    def visit(self, entry: Entry) -> None:
        """A commitment, an opening, or a prune that may have taken a seed."""
        try:
            if entry.type == COMMITTED:
                self._commit(entry)
            elif entry.type == OPENED:
                self._open(entry)
            elif entry.type == "payload.pruned":
                self._prune(entry)
        except VerificationError:
            self._findings.fail("V23", "draw is not well formed", entry.index)

    def released(self, case: Case) -> None:
        """A release, in the period of the draw that runs."""
        if self._running is not None:
            self._draws[self._running].cases.append(case)

    def sampled(self, entry: Entry) -> None:
        """A released text that is said to have been drawn."""
        draw = self._draws.get(_text(entry.body, "draw"))
        if draw is None or not draw.seed:
            if self._whole:
                self._findings.fail("V23", "sampled for a draw that is not opened", entry.index)
            return
        known = (
            entry.stream in draw.drawn if self._whole else may_be_drawn(draw.seed, entry.stream, draw.rates)
        )
        if not known:
            self._findings.fail("V23", "sampled, and not drawn by the seed", entry.index)
        elif entry.stream in draw.sampled:
            self._findings.fail("V23", "sampled twice for one draw", entry.index)
        draw.sampled.add(entry.stream)

    def finish(self) -> None:
        """Says what holds where nothing was reported."""
        if self._count:
            last = self._draws[self._opened] if self._opened is not None else None
            left = len(last.drawn - last.sampled) if self._whole and last is not None else 0
            # The next opening would fail the log for them; until then they may be on their way.
            waiting = f"; {left} of the last one are not sampled yet" if left else ""
            self._findings.passed(
                "V23", f"{self._count} draws are those of seeds committed to before{waiting}"
            )
        else:
            self._findings.not_applicable("V23", "no draw was opened in the bundle")

    def _commit(self, entry: Entry) -> None:
        if self._whole and self._running is not None:
            self._findings.fail("V23", "a draw was committed to while another ran", entry.index)
        commitment = next((one.commitment for one in entry.commitments if one.kind == SEED_KIND), None)
        draw = _Draw(entry.index, parse_rates(entry.body.get("rates")), commitment)
        self._running = _text(entry.body, "draw")
        self._draws[self._running] = draw

    def _open(self, entry: Entry) -> None:
        name = _text(entry.body, "draw")
        draw = self._draws.get(name)
        if draw is None or draw.seed:
            if self._whole:
                self._findings.fail("V23", "opened without a commitment, or twice", entry.index)
            return
        self._count += 1
        seed, salt = _bytes(entry.body, "seed"), _bytes(entry.body, "salt")
        if draw.commitment != payload_commitment(SEED_KIND, salt, seed).hex():
            self._findings.fail("V23", "seed is not the one that was committed to", entry.index)
        if self._whole and name != self._running:
            self._findings.fail("V23", "opened out of turn", entry.index)
        draw.seed, self._running = seed, None
        draw.drawn = {case.inference for case in draw.cases if is_drawn(seed, case, draw.rates)}
        draw.cases.clear()
        if self._whole and self._opened is not None:
            before = self._draws[self._opened]
            if missing := len(before.drawn - before.sampled):
                self._findings.fail("V23", f"{missing} of the draw before were never sampled", entry.index)
        self._opened = name

    def _prune(self, entry: Entry) -> None:
        """Fails for the seed of a draw that is not open: nobody will ever know what it draws."""
        running = self._draws.get(self._running or "")
        ranges = entry.body.get("entries")
        if running is None or type(ranges) is not list:
            return
        for one in ranges:
            match one:
                case [int(first), int(end)] if first <= running.index < end:
                    self._findings.fail("V23", "seed was pruned before its draw was opened", entry.index)


def _text(body: Any, name: str) -> str:
    value = body.get(name)
    return value if type(value) is str else ""


def _bytes(body: Any, name: str) -> bytes:
    try:
        value = bytes.fromhex(_text(body, name))
    except ValueError:
        value = b""
    if len(value) != SEED_BYTES:
        raise VerificationError(f"`{name}` is not {SEED_BYTES} bytes", reason="DRAW_FORMAT")
    return value
