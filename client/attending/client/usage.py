"""An auditor's comparison of a provider's records of use with the log."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from attending.client.calls import Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.client.usage_export import UsageFileError, Use, read_usage
from attending.v1 import report_pb2, report_pb2_grpc

RECONCILED: Final = "usage.reconciled"
RECONCILE_SECONDS: Final = 3_600.0
"""Millions of records, and as many entries, take minutes."""
RECORDS_A_MESSAGE: Final = 1_000
_Request = report_pb2.ReconcileUsageRequest


class UsageClient(Calls):
    """Calls about records of use; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = report_pb2_grpc.ReportServiceStub(self._channel)

    @translated
    def reconcile(
        self,
        path: Path,
        provider: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        key: str | None = None,
    ) -> report_pb2.ReconcileUsageResponse:
        """Compares the records of the file at `path` with the calls of the log. Without times, the period is that from
        its first record to its last. Of the file only ids, models, times and numbers of tokens are sent.

        Raises UsageFileError before anything is on record where the file does not read, and OSError.
        """
        count, first, last = _bounds(path)
        digest = _digest(path)
        opening = _Request.Open(
            idempotency_key=key or uuid.uuid4().hex, provider=provider, file_sha256=digest, records=count
        )
        getattr(opening, "from").FromDatetime(since or first)
        opening.to.FromDatetime(until or last + timedelta(microseconds=1))
        wrong: list[UsageFileError] = []

        def messages() -> Iterator[report_pb2.ReconcileUsageRequest]:
            yield _Request(open=opening)
            uses = read_usage(path)
            try:
                while some := [*islice(uses, RECORDS_A_MESSAGE)]:
                    yield _Request(records=_Request.Records(records=map(_record, some)))
                if _digest(path) != digest:
                    raise UsageFileError("the file changed while it was read")
            except UsageFileError as err:
                # The call is ended without its last word, so that nothing of it is on record.
                wrong.append(err)
                raise

        try:
            answer = self._stub.ReconcileUsage(messages(), timeout=RECONCILE_SECONDS)
        except Exception:
            if wrong:
                raise wrong[0] from None
            raise
        self._check([answer.receipt], RECONCILED)
        return answer


def _bounds(path: Path) -> tuple[int, datetime, datetime]:
    """Number of records, and the earliest and latest time."""
    count, first, last = 0, None, None
    for count, use in enumerate(read_usage(path), 1):  # noqa: B007 - the last one is wanted
        first = use.time if first is None else min(first, use.time)
        last = use.time if last is None else max(last, use.time)
    assert first is not None
    assert last is not None
    return count, first, last


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _record(use: Use) -> report_pb2.UsageRecord:
    made = report_pb2.UsageRecord(
        row=use.row,
        ids=use.ids,
        model=use.model,
        input_tokens=use.input_tokens,
        output_tokens=use.output_tokens,
    )
    made.time.FromDatetime(use.time)
    return made
