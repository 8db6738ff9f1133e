"""Outputs as they stand on record, opened to be judged again: read only, by the server or beside it.

What was judged is what `inference.generated` names, so the text before any edit; of one that was edited and released
the released text is read too. Texts stay in this process: nothing of them is in what the rest of a simulation says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from attending.guardrails.finding import Severity
from attending.guardrails.patient import Judged
from attending.ledger.entry import Commitment, Entry, parse_entry
from attending.ledger.errors import CorruptLog, NotFound, PayloadPruned, SubjectErased, VerificationError
from attending.ledger.keys import TENANT_SUBJECT, KeyFolder
from attending.ledger.ledger import Ledger
from attending.ledger.store.read_only import ReadOnlyStore
from attending.ledger.vault import unseal_under
from attending.server import clock, projections
from attending.server.inference.entries import load_request
from attending.server.inference.states import State
from attending.server.simulation.period import Period
from sqlalchemy import select

_PAGE: Final = 100
_STREAM: Final = 1_000
_COLUMNS: Final = ("inference_id", "requested_index", "policy", "recipient", "state", "text_record")
_ROWS: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM inference"  # noqa: S608 - our own names
    " WHERE log_id = ? AND requested_at >= ? AND requested_at < ? AND requested_index > ?"
    " ORDER BY requested_index LIMIT ?"
)

SkipReason = Literal["NO_OUTPUT", "GONE", "UNREADABLE", "PRACTICE"]


class Record(Protocol):
    """One log, for reading."""

    async def page(self, since: str, until: str, after: int) -> Sequence[Mapping[str, Any]]:
        """At most `_PAGE` rows of inferences that began in the time, by `requested_index`, which is above `after`."""

    async def stream(self, inference_id: str) -> Sequence[Entry]:
        """The entries of one inference, in order."""

    async def payload(self, entry: Entry, record: str) -> bytes:
        """The content of one of the entry's payloads, checked against its commitment. Raises LedgerError."""


class StoredRecord:
    """The record in a store that a server may be writing to; its calls block."""

    def __init__(self, store: ReadOnlyStore, keys: KeyFolder, log_id: str) -> None:
        self._store = store
        self._keys = keys
        self._log_id = log_id

    async def page(self, since: str, until: str, after: int) -> Sequence[Mapping[str, Any]]:
        rows = self._store.rows(_ROWS, self._log_id, since, until, after, _PAGE)
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    async def stream(self, inference_id: str) -> Sequence[Entry]:
        found = self._store.stream_entries(self._log_id, inference_id, 0, _STREAM)
        return [parse_entry(data) for data in found]

    async def payload(self, entry: Entry, record: str) -> bytes:
        row = self._store.payload(self._log_id, record)
        if row is None:
            raise PayloadPruned("the payload is gone")
        subject = entry.subject or TENANT_SUBJECT
        _salt, content = unseal_under(
            self._keys.generations(self._log_id, subject),
            origin=entry.origin,
            subject=subject,
            commitment=_commitments(entry, "record")[record],
            sealed=row.sealed,
            wrapped_key=row.wrapped_key,
        )
        return content


class LedgerRecord:
    """The record in the server's own ledger."""

    def __init__(
        self, ledger: Ledger, log_id: str, *, policy: str | None = None, only_released: bool = False
    ) -> None:
        """Of one policy, where one is given: others fill no page that a bound of the caller does not see."""
        self._ledger = ledger
        self._log_id = log_id
        self._policy = policy
        self._only_released = only_released

    async def page(self, since: str, until: str, after: int) -> Sequence[Mapping[str, Any]]:
        columns = projections.inference.c
        chosen = [
            columns.log_id == self._log_id,
            columns.requested_at >= since,
            columns.requested_at < until,
            columns.requested_index > after,
        ]
        if self._policy is not None:
            chosen.append(columns.policy == self._policy)
        if self._only_released:
            chosen.append(columns.state == State.RELEASED.value)
        rows = await self._ledger.query(
            select(*(columns[name] for name in _COLUMNS))
            .where(*chosen)
            .order_by(columns.requested_index)
            .limit(_PAGE)
        )
        return [dict(row._mapping) for row in rows]

    async def stream(self, inference_id: str) -> Sequence[Entry]:
        return await self._ledger.stream_entries(self._log_id, inference_id, 0, _STREAM)

    async def payload(self, entry: Entry, record: str) -> bytes:
        return await self._ledger.open_payload(self._log_id, record)


@dataclass(frozen=True, slots=True)
class Skipped:
    """One inference without an output to judge. `reason`: NO_OUTPUT, GONE (erased or pruned), UNREADABLE, PRACTICE (a
    text that nobody asked for).
    """

    inference_id: str
    index: int
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Recorded:
    """One output. `released` says how it left, None where it did not or was recalled."""

    inference_id: str
    index: int
    policy: str
    recipient: str
    was: str
    """The disposition on record: release, hold or block."""
    codes: frozenset[str]
    """Codes on record, those of severity info included."""
    worst: Severity | None
    """The worst severity on record."""
    released: Literal["policy", "signature"] | None
    review_minutes: float | None
    """From the last claim to the signature or rejection; None where nobody has decided."""
    subject: str | None
    """Pseudonym of the patient."""
    deliveries: int
    """How often its delivery is on record."""
    judged: Judged = field(repr=False)
    edited: Judged | None = field(repr=False)
    """With the released text, where a reviewer changed it."""


class Recording:
    """The recorded outputs of one log."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def outputs(
        self, over: Period, *, policy: str | None = None, after: int = -1
    ) -> AsyncIterator[Recorded | Skipped]:
        """Inferences that began in the period, in the order of the log, after entry `after`; of one policy, or all.

        Memory is that of one page. What one inference lacks is a Skipped; a store or key store that does not answer is
        raised (StoreFault, LedgerError), lest all that it holds be taken for gone.
        """
        since, until = clock.stamp(over.since), clock.stamp(over.until)
        while True:
            rows = await self._record.page(since, until, after)
            for row in rows:
                after = int(row["requested_index"])
                if policy is None or row["policy"] == policy:
                    yield await self._read(row)
            if len(rows) < _PAGE:
                return

    async def _read(self, row: Mapping[str, Any]) -> Recorded | Skipped:
        inference_id, index = str(row["inference_id"]), int(row["requested_index"])
        entries = await self._record.stream(inference_id)
        requested = next((entry for entry in entries if entry.type == "inference.requested"), None)
        generated = next((entry for entry in entries if entry.type == "inference.generated"), None)
        if requested is None or generated is None:
            return Skipped(inference_id, index, "NO_OUTPUT")
        try:
            request = load_request(await self._payload(requested, "request"))
            if request.practice is not None:
                return Skipped(inference_id, index, "PRACTICE")
            text = (await self._payload(generated, "output_final")).decode("utf-8")
            judged = Judged(text, request.prompt, request.context, request.documents)
            release = _released(entries, str(row["state"]))
            edited, text_record = None, row["text_record"]
            if release is not None and text_record and text_record != generated.body["text_record"]:
                [left] = [entry for entry in entries if text_record in _commitments(entry, "record")]
                final = (await self._record.payload(left, str(text_record))).decode("utf-8")
                edited = Judged(final, request.prompt, request.context, request.documents)
            return Recorded(
                inference_id=inference_id,
                index=index,
                policy=str(row["policy"]),
                recipient=str(row["recipient"]),
                was=str(generated.body["disposition"]),
                codes=frozenset(generated.body["findings"]["by_code"]),
                worst=worst_of(generated.body["findings"]["by_severity"]),
                released=release,
                review_minutes=minutes_of(entries),
                subject=requested.subject,
                deliveries=sum(entry.type == "inference.delivered" for entry in entries),
                judged=judged,
                edited=edited,
            )
        except (SubjectErased, PayloadPruned, NotFound):
            return Skipped(inference_id, index, "GONE")
        except (CorruptLog, VerificationError, ValueError, KeyError, TypeError):
            return Skipped(inference_id, index, "UNREADABLE")

    async def _payload(self, entry: Entry, kind: str) -> bytes:
        return await self._record.payload(entry, _commitments(entry, "kind")[kind].record)


def _commitments(entry: Entry, by: Literal["record", "kind"]) -> dict[str, Commitment]:
    return {getattr(item, by): item for item in entry.commitments}


def worst_of(by_severity: Mapping[str, int]) -> Severity | None:
    """The worst severity of an entry's counts, None where nothing was found."""
    found = [Severity(name) for name, number in by_severity.items() if number]
    return max(found, key=lambda severity: severity.rank, default=None)


def _released(entries: Sequence[Entry], state: str) -> Literal["policy", "signature"] | None:
    if state != State.RELEASED.value:
        return None
    release = next((entry for entry in reversed(entries) if entry.type == "inference.released"), None)
    if release is None:
        return None
    return "policy" if release.body.get("basis") == "policy" else "signature"


def minutes_of(entries: Sequence[Entry]) -> float | None:
    """Minutes from the last claim to the signature or rejection; None where nobody has decided."""
    claimed: datetime | None = None
    for entry in entries:
        if entry.type == "review.claimed":
            claimed = clock.parse(entry.time)
        elif entry.type in ("review.signed", "review.rejected") and claimed is not None:
            return (clock.parse(entry.time) - claimed).total_seconds() / 60
    return None
