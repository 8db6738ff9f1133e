"""Outputs as they stand on record, opened to be judged again: read only, beside a running server or without one.

What was judged is what `inference.generated` names, so the text before any edit; of one that was edited and released
the released text is read too. Texts stay in this process: nothing of them is in what the rest of a simulation says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from attending.guardrails.patient import Judged
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import CorruptLog, LedgerError, PayloadPruned, VerificationError
from attending.ledger.keys import TENANT_SUBJECT, KeyFolder
from attending.ledger.store.read_only import ReadOnlyStore
from attending.ledger.vault import unseal_under
from attending.server import clock
from attending.server.inference.entries import load_request
from attending.server.inference.states import State
from attending.server.simulation.period import Period

_PAGE: Final = 100
_STREAM: Final = 1_000
_ROWS: Final = (
    "SELECT inference_id, requested_index, policy, recipient, state, text_record FROM inference"
    " WHERE log_id = ? AND requested_at >= ? AND requested_at < ? AND requested_index > ?"
    " ORDER BY requested_index LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """One inference without an output to judge. `reason`: NO_OUTPUT, GONE (erased or pruned), UNREADABLE, PRACTICE (a
    text that nobody asked for).
    """

    inference_id: str
    index: int
    reason: Literal["NO_OUTPUT", "GONE", "UNREADABLE", "PRACTICE"]


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
    released: Literal["policy", "signature"] | None
    review_minutes: float | None
    """From the last claim to the signature or rejection; None where nobody has decided."""
    judged: Judged = field(repr=False)
    edited: Judged | None = field(repr=False)
    """With the released text, where a reviewer changed it."""


class Recording:
    """The recorded outputs of one log. Used by one thread."""

    def __init__(self, store: ReadOnlyStore, keys: KeyFolder, log_id: str) -> None:
        self._store = store
        self._keys = keys
        self._log_id = log_id

    def outputs(
        self, over: Period, *, policy: str | None = None, after: int = -1
    ) -> Iterator[Recorded | Skipped]:
        """Inferences that began in the period, in the order of the log, after entry `after`; of one policy, or all.

        Memory is that of one page. Raises StoreFault and CorruptLog; what one inference lacks is a Skipped.
        """
        since, until = clock.stamp(over.since), clock.stamp(over.until)
        while True:
            rows = self._store.rows(_ROWS, self._log_id, since, until, after, _PAGE)
            for row in rows:
                inference_id, after, of_policy = str(row[0]), int(row[1]), str(row[2])
                if policy is None or of_policy == policy:
                    yield self._read(inference_id, after, of_policy, str(row[3]), str(row[4]), row[5])
            if len(rows) < _PAGE:
                return

    def _read(
        self, inference_id: str, index: int, policy: str, recipient: str, state: str, text_record: Any
    ) -> Recorded | Skipped:
        entries = [
            parse_entry(data) for data in self._store.stream_entries(self._log_id, inference_id, 0, _STREAM)
        ]
        requested = next((entry for entry in entries if entry.type == "inference.requested"), None)
        generated = next((entry for entry in entries if entry.type == "inference.generated"), None)
        if requested is None or generated is None:
            return Skipped(inference_id, index, "NO_OUTPUT")
        try:
            request = load_request(self._payload(requested, "request"))
            if request.practice is not None:
                return Skipped(inference_id, index, "PRACTICE")
            text = self._payload(generated, "output_final").decode("utf-8")
            judged = Judged(text, request.prompt, request.context, request.documents)
            release = _released(entries, state)
            edited = None
            if release is not None and text_record and text_record != generated.body["text_record"]:
                left = next(
                    entry
                    for entry in entries
                    if any(item.record == text_record for item in entry.commitments)
                )
                final = self._open(left, str(text_record)).decode("utf-8")
                edited = Judged(final, request.prompt, request.context, request.documents)
        except (CorruptLog, VerificationError):
            return Skipped(inference_id, index, "UNREADABLE")
        except LedgerError:
            return Skipped(inference_id, index, "GONE")
        except (ValueError, KeyError, TypeError, StopIteration):
            return Skipped(inference_id, index, "UNREADABLE")
        return Recorded(
            inference_id=inference_id,
            index=index,
            policy=policy,
            recipient=recipient,
            was=str(generated.body["disposition"]),
            codes=frozenset(generated.body["findings"]["by_code"]),
            released=release,
            review_minutes=_minutes(entries),
            judged=judged,
            edited=edited,
        )

    def _payload(self, entry: Entry, kind: str) -> bytes:
        record = next(item.record for item in entry.commitments if item.kind == kind)
        return self._open(entry, record)

    def _open(self, entry: Entry, record: str) -> bytes:
        """As `Ledger.open_payload`: checked against the commitment in its entry. Raises LedgerError."""
        row = self._store.payload(self._log_id, record)
        if row is None:
            raise PayloadPruned("the payload is gone")
        commitment = next(item for item in entry.commitments if item.record == record)
        subject = entry.subject or TENANT_SUBJECT
        _salt, content = unseal_under(
            self._keys.generations(self._log_id, subject),
            origin=entry.origin,
            subject=subject,
            commitment=commitment,
            sealed=row.sealed,
            wrapped_key=row.wrapped_key,
        )
        return content


def _released(entries: Sequence[Entry], state: str) -> Literal["policy", "signature"] | None:
    if state != State.RELEASED.value:
        return None
    release = next((entry for entry in reversed(entries) if entry.type == "inference.released"), None)
    if release is None:
        return None
    return "policy" if release.body.get("basis") == "policy" else "signature"


def _minutes(entries: Sequence[Entry]) -> float | None:
    claimed: datetime | None = None
    for entry in entries:
        if entry.type == "review.claimed":
            claimed = clock.parse(entry.time)
        elif entry.type in ("review.signed", "review.rejected") and claimed is not None:
            return (clock.parse(entry.time) - claimed).total_seconds() / 60
    return None
