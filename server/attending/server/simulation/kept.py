"""A run's state in a file, so that one that was cut short goes on where it was.

The state says what the run is over; another run does not go on from it. A crash leaves the one before, or the new one.
The worklist is durable before the state that knows its length, and is cut back to it: no line is lost or twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attending.ledger.files import write_durably
from attending.server import clock
from attending.server.simulation.period import Period
from attending.server.simulation.tally import Tally

FORMAT: Final = "attending-simulation/2"


class StateError(ValueError):
    """A state file that this run cannot go on from."""


def load_state(path: Path, over: Mapping[str, Any], given: Period) -> tuple[Tally, int, Period]:
    """The tally so far, the length of the worklist in bytes, and the period that the run began with; what is `given`
    and a fresh tally where there is no file. So "the last 30 days" stay those of the first run.

    Raises StateError for the state of another run, or what is none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Tally(), 0, given
    except (OSError, ValueError):
        raise StateError("is no state of a simulation") from None
    try:
        if value["format"] != FORMAT:
            raise StateError("is no state of a simulation")
        if value["over"] != dict(over):
            raise StateError("is the state of another simulation")
        since, until = (clock.parse(moment) for moment in value["period"])
        return Tally.from_json(value["tally"]), int(value["worklist_bytes"]), Period(since, until)
    except (KeyError, TypeError, ValueError) as err:
        if isinstance(err, StateError):
            raise
        raise StateError("is no state of a simulation") from None


def save_state(
    path: Path, over: Mapping[str, Any], period: Period, tally: Tally, worklist_bytes: int
) -> None:
    """Writes the state whole. Raises OSError."""
    value = {
        "format": FORMAT,
        "over": dict(over),
        "period": [clock.stamp(period.since), clock.stamp(period.until)],
        "tally": tally.to_json(),
        "worklist_bytes": worklist_bytes,
    }
    write_durably(path, json.dumps(value).encode())
