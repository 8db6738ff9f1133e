"""V23 over bundles: an honest draw of releases for a second read, and one for each way of being wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.draw import COMMITTED, OPENED, SAMPLED, Case, Rates, is_drawn
from attending.ledger.verify import Report, Status

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]

RATES = Rates({"p": 100})
SEED = bytes(range(32))
STREAM = "oversight/draw"


def committed(log: LogBuilder, name: str = "drw_1", **more: Any) -> None:
    sealed = log.payload("draw_seed", SEED)
    log.append(COMMITTED, STREAM, {"draw": name, "rates": RATES.to_json(), **more}, payloads=[sealed])


def released(log: LogBuilder, count: int = 24) -> list[str]:
    """Releases of every severity; those that the seed draws."""
    drawn = []
    for number in range(count):
        stream, rank = f"inf_{number}", number % 5
        log.request(stream)
        text = log.payload("output_final", stream.encode())
        severity = ("info", "minor", "moderate", "major", "contraindicated")[rank]
        log.append(
            "inference.generated", stream, {"findings": {"by_severity": {severity: 1}}}, payloads=[text]
        )
        log.release(stream, text, "policy")
        if is_drawn(SEED, Case(stream, "p", rank), RATES):
            drawn.append(stream)
    return drawn


def opened(log: LogBuilder, name: str = "drw_1", **changes: str) -> int:
    salt = next(one.salt for one in log.openings.values() if one.kind == "draw_seed")
    body = {"draw": name, "seed": SEED.hex(), "salt": salt.hex(), **changes}
    return log.append(OPENED, STREAM, body).index


def sampled(log: LogBuilder, stream: str, name: str = "drw_1") -> int:
    return log.append(SAMPLED, stream, {"draw": name}).index


def test_who_is_drawn_follows_from_the_seed(log: LogBuilder, failed: Failed, tmp_path: Path) -> None:
    committed(log)
    drawn = released(log)
    assert 1 < len(drawn) < 20
    opened(log)
    for stream in drawn:
        sampled(log, stream)
    assert log.verify(log.full(tmp_path / "a.attending")).verdict is Status.PASSED
    other = next(f"inf_{number}" for number in range(24) if f"inf_{number}" not in drawn)
    wrong = sampled(log, other)
    twice = sampled(log, drawn[0])
    assert failed(log.verify(log.full(tmp_path / "b.attending")))["V23"] == {wrong, twice}


def test_a_severity_that_is_lower_draws_fewer(log: LogBuilder, failed: Failed, tmp_path: Path) -> None:
    """Each text that only a higher weight than its own would draw is not drawn."""
    committed(log)
    drawn = released(log)
    more = [
        f"inf_{number}"
        for number in range(24)
        if is_drawn(SEED, Case(f"inf_{number}", "p", 4, raised=True), RATES) and f"inf_{number}" not in drawn
    ]
    assert more
    opened(log)
    wrong = {sampled(log, stream) for stream in more}
    assert failed(log.verify(log.full(tmp_path / "a.attending")))["V23"] == wrong


@pytest.mark.parametrize(
    "changes", [{"seed": "00" * 32}, {"salt": "00" * 32}, {"seed": "00"}, {"draw": "drw_2"}]
)
def test_a_seed_that_does_not_open_its_draw_fails(
    log: LogBuilder, failed: Failed, tmp_path: Path, changes: dict[str, str]
) -> None:
    committed(log)
    released(log)
    index = opened(log, **changes)
    assert failed(log.verify(log.full(tmp_path / "a.attending")))["V23"] == {index}


def test_the_next_opening_fails_for_what_was_never_sampled(
    log: LogBuilder, failed: Failed, tmp_path: Path
) -> None:
    committed(log)
    released(log)
    opened(log)
    committed(log, "drw_2")
    index = opened(log, "drw_2", salt=list(log.openings.values())[-1].salt.hex())
    assert failed(log.verify(log.full(tmp_path / "a.attending")))["V23"] == {index}


@pytest.mark.parametrize("rates", [None, {}, {"permille": {"p": 1001}, "by_severity": [1] * 5, "raised": 1}])
def test_rates_that_are_none_fail(log: LogBuilder, failed: Failed, tmp_path: Path, rates: object) -> None:
    committed(log, rates=rates)
    assert failed(log.verify(log.full(tmp_path / "a.attending")))["V23"] == {0}


def test_one_draw_runs_at_a_time_and_its_seed_is_not_pruned(
    log: LogBuilder, failed: Failed, tmp_path: Path
) -> None:
    committed(log)
    body = {"entries": [[0, 1]], "minimum": 1, "records": {"draw_seed": 1}, "rules_hash": "ab" * 32}
    pruned = log.append("payload.pruned", "retention", {**body, "approved_by": None}).index
    committed(log, "drw_2")
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert found["V23"] == {pruned, pruned + 1}
