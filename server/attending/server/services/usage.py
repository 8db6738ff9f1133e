"""The half of ReportService that compares providers' records of use with the log."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.usage import COUNTS
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.services.begun import begun, once_of
from attending.server.services.receipts import receipt_message
from attending.server.usage.comparison import SKEW, Difference, UsageRecord
from attending.server.usage.desk import Order, UsageDesk
from attending.server.wire.violations import Violations
from attending.v1 import report_pb2

MAX_RECORDS: Final = 1_000
"""Of one message."""
MAX_IDS: Final = 4
MAX_TOKENS: Final = 2**31 - 1
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}", re.ASCII)
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}", re.ASCII)
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", re.ASCII)
_KINDS: Final = {
    "bypassed": report_pb2.USAGE_DIFFERENCE_KIND_BYPASSED,
    "missing": report_pb2.USAGE_DIFFERENCE_KIND_MISSING,
    "tokens": report_pb2.USAGE_DIFFERENCE_KIND_TOKENS,
}


class UsageComparisons:
    """What ReportService answers with."""

    def __init__(self, ledger: Ledger, desk: UsageDesk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def reconcile(
        self, requests: AsyncIterator[report_pb2.ReconcileUsageRequest]
    ) -> report_pb2.ReconcileUsageResponse:
        """What `ReconcileUsage` answers."""
        principal = current_principal()
        opening = await anext(requests, None)
        if opening is None or not opening.HasField("open"):
            raise InvalidRequest([("open", "is required as the first message")])
        order = _order(opening.open, self._desk.now())
        once = await once_of(self._ledger, principal, opening.open)
        entry, differences = await self._desk.reconcile(principal, order, _records(requests), once)
        return report_pb2.ReconcileUsageResponse(
            reconciliation=_reconciliation(entry),
            differences=map(_difference, differences),
            receipt=await receipt_message(self._ledger, principal.tenant, entry.index),
        )


def _order(asked: report_pb2.ReconcileUsageRequest.Open, now: datetime) -> Order:
    v = Violations()
    for field, expected in begun(asked).found:
        v.add(f"open.{field}", expected)
    v.check(bool(_PROVIDER.fullmatch(asked.provider)), "open.provider", "must name a provider of this server")
    v.check(len(asked.file_sha256) == 32, "open.file_sha256", "must be 32 bytes")
    v.check(asked.records >= 1, "open.records", "must be at least 1")
    since, until = _moment(asked, "from", "open.from", v), _moment(asked, "to", "open.to", v)
    if since is not None and until is not None:
        v.check(since < until, "open.to", "must be after `from`")
        # No file holds the calls of a time to come, and a report would take the comparison to cover them.
        v.check(until <= now + SKEW, "open.to", "must not be to come")
    v.raise_if_any()
    assert since is not None
    assert until is not None
    return Order(asked.provider, since, until, asked.file_sha256.hex(), asked.records)


async def _records(
    requests: AsyncIterator[report_pb2.ReconcileUsageRequest],
) -> AsyncIterator[list[UsageRecord]]:
    """Those of each message. Raises InvalidRequest for the first message that breaks a rule."""
    last = 0
    async for message in requests:
        v = Violations()
        given = message.records.records
        v.check(1 <= len(given) <= MAX_RECORDS, "records", f"must be 1 to {MAX_RECORDS}")
        v.raise_if_any()
        found = []
        for number, one in enumerate(given):
            where = f"records[{number}]"
            v.check(one.row > last, f"{where}.row", "must be higher than the one before")
            v.check(one.row < 2**62, f"{where}.row", "is out of range")
            v.check(len(one.ids) <= MAX_IDS and all(map(_ID.fullmatch, one.ids)), f"{where}.ids", _IDS_ARE)
            v.check(len(set(one.ids)) == len(one.ids), f"{where}.ids", "must name each id once")
            v.check(bool(_MODEL.fullmatch(one.model)), f"{where}.model", "must name a model")
            tokens = [_tokens(one, name, where, v) for name in ("input_tokens", "output_tokens")]
            v.check(bool(one.ids) or None not in tokens, where, "must have an id, or both numbers of tokens")
            time = _moment(one, "time", f"{where}.time", v)
            v.raise_if_any()
            assert time is not None
            last = one.row
            found.append(UsageRecord(one.row, tuple(one.ids), one.model, time, *tokens))
        yield found


_IDS_ARE: Final = f"must be at most {MAX_IDS}, each 1 to 128 letters, digits and ._:/+=-"


def _tokens(one: report_pb2.UsageRecord, name: Any, where: str, v: Violations) -> int | None:
    if not one.HasField(name):
        return None
    value: int = getattr(one, name)
    v.check(value <= MAX_TOKENS, f"{where}.{name}", f"must be at most {MAX_TOKENS}")
    return value


def _moment(message: Any, field: str, path: str, v: Violations) -> datetime | None:
    if not message.HasField(field):
        v.add(path, "is required")
        return None
    try:
        found: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        v.add(path, "is out of range")
        return None
    v.check(1970 <= found.year <= 9998, path, "is out of range")
    return found


def _reconciliation(entry: Entry) -> report_pb2.UsageReconciliation:
    body = entry.body
    made = report_pb2.UsageReconciliation(
        provider=body["provider"],
        file_sha256=bytes.fromhex(body["file_sha256"]),
        **{name: body[name] for name in COUNTS},
    )
    getattr(made, "from").FromDatetime(clock.parse(body["from"]))
    made.to.FromDatetime(clock.parse(body["to"]))
    return made


def _difference(one: Difference) -> report_pb2.UsageDifference:
    made = report_pb2.UsageDifference(
        kind=_KINDS[one.kind], row=one.row, inference_id=one.inference, model=one.model
    )
    made.time.FromDatetime(one.time)
    return made
