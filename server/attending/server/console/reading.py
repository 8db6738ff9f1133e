"""How long somebody has read an item, as their page tells it while they read.

A page counts the seconds in which it is in front, has the focus, and its reader did something lately; it sends those
since it last sent. They are added up here for one person and one item, in memory: after a restart, or at another
process, less is known, so that somebody is at worst asked why they were so quick. What they are worth is decided at the
desk, by the server's own clock.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from attending.server.auth.principal import Principal
from attending.server.console.gate import Visit
from attending.server.errors import InvalidRequest
from starlette.responses import JSONResponse, Response

MOST_AT_ONCE_SECONDS: Final = 3_600
MOST_ITEMS: Final = 10_000


class Readings:
    """One instance a server."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._told: dict[tuple[str, str], str] = {}

    def add(self, who: Principal, ticket: str, seconds: float, step: str = "") -> float:
        """Adds what a page says, and returns the sum. What was told longest ago gives way. `step` names the step that
        says it: one that is sent again says nothing new.
        """
        slot = (who.key, ticket)
        again = bool(step) and self._told.get(slot) == step
        total = self._seconds.pop(slot, 0.0) + (0.0 if again else seconds)
        if step:
            self._told[slot] = step
        self._seconds[slot] = total
        if len(self._seconds) > MOST_ITEMS:
            oldest, _seconds = self._seconds.popitem(last=False)
            self._told.pop(oldest, None)
        return total

    async def told(self, visit: Visit) -> Response:
        """A page that is left, or was read for a while."""
        fields = await visit.fields()
        self.add(visit.principal, str(visit.request.path_params["ticket"]), seconds_of(fields))
        return JSONResponse({})


def seconds_of(fields: dict[str, Any]) -> float:
    """Seconds that a page tells; InvalidRequest for anything else than a number of them."""
    value = fields.get("read_seconds", 0)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= MOST_AT_ONCE_SECONDS:
        raise InvalidRequest([("read_seconds", f"must be 0 to {MOST_AT_ONCE_SECONDS}")])
    return float(value)
