"""The oversight pages: figures of all reviewers together; for the medical director who stands out, and one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from attending.server import clock
from attending.server.console.gate import Visit
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.services.oversight import OversightService
from attending.v1 import oversight_pb2
from starlette.responses import Response

PERIODS: Final = (7, 30, 90, 366)
SHOWN_DRAWS: Final = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as it is drawn: a point with its interval, in thousandths of the width."""

    point: int
    low: int
    high: int


class OversightPages:
    """One instance a server. Every figure is the rpc's, rounded there."""

    def __init__(self, service: OversightService, pages: Pages) -> None:
        self._service = service
        self._pages = pages

    async def summary(self, visit: Visit) -> Response:
        """All reviewers together."""
        days = _days(visit)
        found = await self._service.GetSummary(oversight_pb2.GetSummaryRequest(days=days))
        draws = await self._service.ListDraws(oversight_pb2.ListDrawsRequest(page_size=SHOWN_DRAWS))
        return self._page("oversight.html", visit, days, found=found, draws=draws.draws)

    async def reviewers(self, visit: Visit) -> Response:
        """Who stands out. The look is on record before anything is shown."""
        days = _days(visit)
        request = oversight_pb2.ListFlaggedReviewersRequest(days=days)
        found = await self._service.ListFlaggedReviewers(request)
        return self._page("reviewers.html", visit, days, reviewers=found.reviewers)

    async def reviewer(self, visit: Visit) -> Response:
        """One of them."""
        days, name = _days(visit), str(visit.request.path_params["name"])
        found = await self._service.GetReviewer(oversight_pb2.GetReviewerRequest(name=name, days=days))
        readings = [(clock.stamp(one.signed_at.ToDatetime(UTC)), one) for one in found.readings]
        return self._page("reviewer.html", visit, days, found=found, one=found.figures, readings=readings)

    def _page(self, template: str, visit: Visit, days: int, **values: Any) -> Response:
        return self._pages.page(
            template,
            visit=visit,
            days=days,
            periods=PERIODS,
            bar=bar,
            flag=oversight_pb2.ReviewerFlag.Name,
            **values,
        )


def bar(share: oversight_pb2.ReviewShare) -> Bar | None:
    """How a share is drawn; None of no case."""
    if not share.HasField("permille"):
        return None
    return Bar(share.permille, share.low_permille, share.high_permille)


def _days(visit: Visit) -> int:
    asked = visit.request.query_params.get("days", "30")
    if asked not in {str(period) for period in PERIODS}:
        raise InvalidRequest([("days", "must be one of " + ", ".join(map(str, PERIODS)))])
    return int(asked)
