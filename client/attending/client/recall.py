"""Calls about recalls: withdraw what was released, take notice, list."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import common_pb2, recall_pb2, recall_pb2_grpc

PAGE = 200


class RecallClient(Calls):
    """Calls of a clinical role, a safety officer or an application; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = recall_pb2_grpc.RecallServiceStub(self._channel)

    @translated
    def withdraw(
        self,
        inference_id: str,
        reason: recall_pb2.RecallReason.ValueType,
        *,
        note: str = "",
        key: str | None = None,
    ) -> recall_pb2.Recall:
        """Takes a released text back: from now on it is given to nobody."""
        request = recall_pb2.WithdrawRequest(
            idempotency_key=key or uuid.uuid4().hex, inference_id=inference_id, reason=reason, note=note
        )
        answer = self._stub.Withdraw(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "inference.withdrawn")
        return answer.recall

    @translated
    def acknowledge(
        self, inference_id: str, target: str = "app", *, key: str | None = None
    ) -> recall_pb2.Recall:
        """Says that `target` took notice: `app` that the application shows the text no more."""
        request = recall_pb2.AckRecallRequest(
            idempotency_key=key or uuid.uuid4().hex, inference_id=inference_id, target=target
        )
        answer = self._stub.AckRecall(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "recall.acknowledged")
        return answer.recall

    @translated
    def worklist(
        self, *, only_open: bool = True, size: int = PAGE, token: str = ""
    ) -> recall_pb2.ListCandidatesResponse:
        """One page of released texts that may have to be taken back, with the counts of all."""
        request = recall_pb2.ListCandidatesRequest(open=only_open, page_size=size, page_token=token)
        return self._stub.ListCandidates(request, timeout=TIMEOUT_SECONDS)

    @translated
    def candidate(
        self,
        inference_id: str,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_TREATMENT,
    ) -> recall_pb2.GetCandidateResponse:
        """One text of the worklist; the look is recorded with its `purpose`."""
        request = recall_pb2.GetCandidateRequest(inference_id=inference_id, purpose_of_use=purpose)
        return self._stub.GetCandidate(request, timeout=TIMEOUT_SECONDS)

    @translated
    def dismiss(
        self,
        inference_id: str,
        reason: recall_pb2.NoRecallReason.ValueType,
        *,
        note: str = "",
        key: str | None = None,
    ) -> recall_pb2.Candidate:
        """Says that a text of the worklist needs no recall."""
        request = recall_pb2.DismissCandidateRequest(
            idempotency_key=key or uuid.uuid4().hex, inference_id=inference_id, reason=reason, note=note
        )
        answer = self._stub.DismissCandidate(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "recall.dismissed")
        return answer.candidate

    @translated
    def recalls(self, *, only_open: bool = False) -> list[recall_pb2.Recall]:
        """Recalls, newest first, all pages; an application gets those of its own inferences."""
        found: list[recall_pb2.Recall] = []
        request = recall_pb2.ListRecallsRequest(open=only_open, page_size=PAGE)
        while True:
            page = self._stub.ListRecalls(request, timeout=TIMEOUT_SECONDS)
            found += page.recalls
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found
