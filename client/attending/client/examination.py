"""An officer's calls: the exceptions of the log, what is made of them, and the signed examination."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import ReceiptError, translated
from attending.client.review import SigningKey, signed_with
from attending.ledger.canonical import parse_canonical
from attending.ledger.errors import VerificationError
from attending.ledger.examination import ExaminationStatement, parse_examination
from attending.v1 import examination_pb2, examination_pb2_grpc

PAGE = 1_000


class ExaminationClient(Calls):
    """Calls of a privacy or safety officer, or an auditor's looks; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = examination_pb2_grpc.ExaminationServiceStub(self._channel)

    @translated
    def exceptions(
        self, office: examination_pb2.ExaminationOffice.ValueType, *, only_open: bool = False
    ) -> tuple[examination_pb2.ExaminationPeriod, list[examination_pb2.ExceptionLine]]:
        """The running period and its exceptions, all pages."""
        lines: list[examination_pb2.ExceptionLine] = []
        request = examination_pb2.ListExceptionsRequest(office=office, open=only_open, page_size=PAGE)
        while True:
            page = self._stub.ListExceptions(request, timeout=TIMEOUT_SECONDS)
            lines += page.lines
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return page.period, lines

    @translated
    def dispose(
        self,
        office: examination_pb2.ExaminationOffice.ValueType,
        lines: Sequence[tuple[str, int]],
        disposition: examination_pb2.ExceptionDisposition.ValueType,
        *,
        note: str = "",
        key: str | None = None,
    ) -> list[int]:
        """Says what is made of exceptions, by class and entry; indexes of the entries that record it."""
        request = examination_pb2.DisposeExceptionsRequest(
            idempotency_key=key or uuid.uuid4().hex,
            office=office,
            lines=[examination_pb2.ExceptionLine(kind=kind, entry_index=index) for kind, index in lines],
            disposition=disposition,
            note=note,
        )
        answer = self._stub.DisposeExceptions(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, *["examination.disposed"] * len(lines))
        return [receipt.index for receipt in answer.receipts]

    @translated
    def prepare(
        self, office: examination_pb2.ExaminationOffice.ValueType, key_id: str
    ) -> tuple[str, ExaminationStatement]:
        """(preparation, statement to sign). ReceiptError when the statement is none, or another key's."""
        answer = self._stub.PrepareExamination(
            examination_pb2.PrepareExaminationRequest(office=office, key_id=key_id), timeout=TIMEOUT_SECONDS
        )
        try:
            statement = parse_examination(parse_canonical(answer.statement))
        except VerificationError as err:
            raise ReceiptError(f"statement to sign: {err.detail}") from err
        if statement.key_id != key_id:
            raise ReceiptError("statement to sign names another key")
        return answer.preparation_id, statement

    @translated
    def sign(
        self, preparation_id: str, statement: ExaminationStatement, key: SigningKey
    ) -> examination_pb2.Examination:
        """Signs the statement here, and closes the period."""
        signature = signed_with(key, statement.message())
        answer = self._stub.SignExamination(
            examination_pb2.SignExaminationRequest(
                idempotency_key=uuid.uuid4().hex, preparation_id=preparation_id, signature=signature
            ),
            timeout=TIMEOUT_SECONDS,
        )
        self._check([answer.receipt], "examination.signed")
        return answer.examination

    @translated
    def examinations(
        self, office: examination_pb2.ExaminationOffice.ValueType
    ) -> examination_pb2.ListExaminationsResponse:
        """Signed examinations, newest first, and the period that runs."""
        return self._stub.ListExaminations(
            examination_pb2.ListExaminationsRequest(office=office), timeout=TIMEOUT_SECONDS
        )
