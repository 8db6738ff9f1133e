"""Calls about oversight: figures of review, draws, second reads."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import common_pb2, oversight_pb2, oversight_pb2_grpc

PAGE = 200


class OversightClient(Calls):
    """Calls of an officer, the medical director or a second reader; close it, or use it in a `with`."""

    def __init__(
        self,
        connection: Connection,
        *,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_QUALITY,
    ) -> None:
        """`purpose` says why a text is looked at; it is recorded with each look."""
        super().__init__(connection)
        self._purpose = purpose
        self._stub = oversight_pb2_grpc.OversightServiceStub(self._channel)

    @translated
    def summary(self, days: int = 30) -> oversight_pb2.GetSummaryResponse:
        """Figures of all reviewers together."""
        return self._stub.GetSummary(oversight_pb2.GetSummaryRequest(days=days), timeout=TIMEOUT_SECONDS)

    @translated
    def flagged(self, days: int = 30) -> list[oversight_pb2.ReviewerFigures]:
        """Reviewers who stand out, by name."""
        request = oversight_pb2.ListFlaggedReviewersRequest(days=days)
        return list(self._stub.ListFlaggedReviewers(request, timeout=TIMEOUT_SECONDS).reviewers)

    @translated
    def reviewer(self, name: str, days: int = 30) -> oversight_pb2.GetReviewerResponse:
        """One reviewer's own figures."""
        request = oversight_pb2.GetReviewerRequest(name=name, days=days)
        return self._stub.GetReviewer(request, timeout=TIMEOUT_SECONDS)

    @translated
    def draws(self) -> list[oversight_pb2.Draw]:
        """The last draws, newest first."""
        request = oversight_pb2.ListDrawsRequest(page_size=PAGE)
        return list(self._stub.ListDraws(request, timeout=TIMEOUT_SECONDS).draws)

    @translated
    def open_draw(self, key: str | None = None) -> oversight_pb2.OpenDrawResponse:
        """Ends the period of the running draw now."""
        request = oversight_pb2.OpenDrawRequest(idempotency_key=key or uuid.uuid4().hex)
        answered = self._stub.OpenDraw(request, timeout=TIMEOUT_SECONDS)
        done = "opened" if answered.opened else "committed"
        self._check([answered.receipt], f"oversight.draw_{done}")
        return answered

    @translated
    def second_reads(self) -> list[oversight_pb2.SecondRead]:
        """What waits for a second read by the caller, oldest first."""
        request = oversight_pb2.ListSecondReadsRequest(page_size=PAGE)
        return list(self._stub.ListSecondReads(request, timeout=TIMEOUT_SECONDS).reads)

    @translated
    def second_read(self, read_id: str) -> oversight_pb2.GetSecondReadResponse:
        """What the first reader had before them."""
        request = oversight_pb2.GetSecondReadRequest(read_id=read_id, purpose_of_use=self._purpose)
        return self._stub.GetSecondRead(request, timeout=TIMEOUT_SECONDS)

    @translated
    def decide(
        self,
        read_id: str,
        answer: oversight_pb2.SecondReadAnswer.ValueType,
        *,
        reason_code: str = "",
        note: str = "",
        key: str | None = None,
    ) -> oversight_pb2.DecideSecondReadResponse:
        """Gives the second reader's word."""
        request = oversight_pb2.DecideSecondReadRequest(
            idempotency_key=key or uuid.uuid4().hex,
            read_id=read_id,
            answer=answer,
            reason_code=reason_code,
            note=note,
        )
        answered = self._stub.DecideSecondRead(request, timeout=TIMEOUT_SECONDS)
        self._check([answered.receipt], "review.second_read")
        return answered
