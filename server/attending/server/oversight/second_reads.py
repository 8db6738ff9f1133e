"""Second reads: released texts that were drawn, read once more by somebody who did not sign them, without their word.

A second read changes nothing of the release. Who sees harm takes the text back (RecallService).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.guardrails.patient import Document
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed, PayloadPruned, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, InvalidRequest, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.entries import Result, load_request
from attending.server.phi.access import Permit, PhiAccess
from attending.server.replay.reducers import rows_of_append
from attending.server.review.item import REJECT_CODES
from attending.server.review.note import note_payload, note_violations
from sqlalchemy import RowMapping, literal, not_, select

_READS, _INFERENCES = projections.second_read, projections.inference
ANSWERS: Final = ("approved", "approved_with_edits", "rejected")
NOT_KEPT: Final = "not_kept"
"""Stands for an answer where the text is gone: nobody can read it a second time."""
_GONE: Final = {SubjectErased.reason: "erased", PayloadPruned.reason: "pruned"}


@dataclass(frozen=True, slots=True)
class Again:
    """What the first reader had before them."""

    row: RowMapping
    output: str
    prompt: str
    documents: tuple[Document, ...]
    patient: dict[str, Any]
    result: Result


class SecondReads:
    """One instance a server."""

    def __init__(self, ledger: Ledger, phi: PhiAccess, owner: str, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._phi = phi
        self._owner = owner
        self._now = now

    async def waiting(self, who: Principal, limit: int) -> list[RowMapping]:
        """Those that wait and that `who` did not sign, the one that was drawn first in front."""
        names = literal(",") + _READS.c.signers + literal(",")
        rows = await self._ledger.query(
            select(_READS)
            .where(
                _READS.c.log_id == who.tenant,
                _READS.c.answer.is_(None),
                not_(names.contains(f",{who.name},", autoescape=True)),
            )
            .order_by(_READS.c.sampled_at, _READS.c.read_id)
            .limit(limit)
        )
        return [row._mapping for row in rows]

    async def view(self, permit: Permit, read_id: str) -> Again:
        """One of them. The look is an entry before anything is shown. Refused as `decide` is.

        SubjectErased, PayloadPruned: the text is not kept any more, which ends the read with that reason.
        """
        who = permit.principal
        row = await self._row(who.tenant, read_id)
        self._require(row, who)
        [inference] = await self._ledger.query(
            select(_INFERENCES).where(
                _INFERENCES.c.log_id == who.tenant, _INFERENCES.c.inference_id == row["inference_id"]
            )
        )
        facts = inference._mapping
        generated = await self._generated(who.tenant, row["inference_id"])
        try:
            [asked, judged, text] = [
                await self._ledger.open_payload(who.tenant, record)
                for record in (facts["request_record"], generated["result_record"], generated["text_record"])
            ]
        except (SubjectErased, PayloadPruned) as err:
            await self._end(who.tenant, row, facts["subject"], _GONE[err.reason])
            raise
        request, result, output = load_request(asked), Result.from_bytes(judged), text.decode("utf-8")
        about = {"read": read_id, "inference": row["inference_id"]}
        await self._phi.record(permit, "access.viewed", "second_read", subject=facts["subject"], about=about)
        return Again(row, output, request.prompt, request.documents, request.patient, result)

    async def decide(
        self, who: Principal, read_id: str, answer: str, reason_code: str, note: str, once: Once
    ) -> int:
        """Takes the word of a second reader; the index of its entry.

        PermissionDenied: ROLE_NOT_PERMITTED, LICENCE_EXPIRED, COMPETENCY_EXPIRED. FailedPrecondition:
        SIGNER_SIGNED_BEFORE (they signed it first), READ_BEFORE (somebody has read it). NotFound: UNKNOWN_SECOND_READ.
        """
        wrong = note_violations(note)
        if answer not in ANSWERS:
            wrong.append(("answer", "is required"))
        if reason_code not in REJECT_CODES and (reason_code or answer != "approved"):
            wrong.append(("reason_code", "must be one of " + ", ".join(sorted(REJECT_CODES))))
        if wrong:
            raise InvalidRequest(wrong)
        tenant = who.tenant
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return done[0]
        inference = (await self._row(tenant, read_id))["inference_id"]
        version = await self._ledger.stream_version(tenant, inference)
        # INVARIANT: read after the version, so that a word that came first is seen or makes the append fail.
        row = await self._row(tenant, read_id)
        self._require(row, who)
        [about] = await self._ledger.query(
            select(_INFERENCES.c.subject).where(
                _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == inference
            )
        )
        entry = self._word(who.actor, row, about[0], answer, reason_code or None, *note_payload(note))
        append = self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(inference, version)],
            claim=once.claim(inference),
            rows=rows_of_append([entry]),
        )
        return await index_of(self._ledger, tenant, once, append, Aborted("ITEM_CHANGED"))

    async def _end(self, tenant: str, row: RowMapping, subject: str | None, reason: str) -> None:
        """Ends a read whose text is gone, unless something came first."""
        version = await self._ledger.stream_version(tenant, row["inference_id"])
        if (await self._row(tenant, row["read_id"]))["answer"] is not None:
            return
        entry = self._word(f"system:{self._owner}", row, subject, NOT_KEPT, reason)
        with suppress(ExpectationFailed):
            await self._ledger.append(
                tenant,
                [entry],
                expect=[Expectation(row["inference_id"], version)],
                rows=rows_of_append([entry]),
            )

    def _word(
        self,
        actor: str,
        row: RowMapping,
        subject: str | None,
        answer: str,
        reason_code: str | None,
        *note: Payload,
    ) -> PendingEntry:
        return PendingEntry(
            type="review.second_read",
            stream=row["inference_id"],
            actor=actor,
            subject=subject,
            body={
                "read": row["read_id"],
                "draw": row["draw_id"],
                "answer": answer,
                "reason_code": reason_code,
                "tag": "peer_review",
            },
            payloads=note,
            occurred_at=self._now(),
        )

    def _require(self, row: RowMapping, who: Principal) -> None:
        if who.kind != "human" or not who.roles & {"clinician", "pharmacist"}:
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        if not who.licence_valid(self._now()):
            raise PermissionDenied("LICENCE_EXPIRED")
        if not who.competency_valid(self._now()):
            raise PermissionDenied("COMPETENCY_EXPIRED")
        if who.name in row["signers"].split(","):
            raise FailedPrecondition("SIGNER_SIGNED_BEFORE")
        if row["answer"] is not None:
            raise FailedPrecondition("READ_BEFORE")

    async def _row(self, tenant: str, read_id: str) -> RowMapping:
        rows = await self._ledger.query(
            select(_READS).where(_READS.c.log_id == tenant, _READS.c.read_id == read_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_SECOND_READ")
        return rows[0]._mapping

    async def _generated(self, tenant: str, inference_id: str) -> dict[str, Any]:
        for entry in await self._ledger.stream_entries(tenant, inference_id, 1, 1):
            if entry.type == "inference.generated":
                return dict(entry.body)
        raise NotFound("UNKNOWN_SECOND_READ")
