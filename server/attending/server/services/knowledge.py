"""KnowledgeService: two people of a tenant attest a curated fact of the pack that the server judges by.

Each attestation is an entry on the stream of the fact's digest, appended on condition that the stream has not moved: of
two at once one is first and the other second. A crash leaves the first, the two, or none. What counts for the checks
is the table of the pack, which is written from here (docs/knowledge.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import grpc
from attending.guardrails.knowledge import attestation, load
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, index_of
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.receipts import receipt_message
from attending.v1 import knowledge_pb2, knowledge_pb2_grpc

ATTESTED: Final = "knowledge.attested"
PHARMACIST: Final = "pharmacist"
_ROLES: Final = (PHARMACIST, "safety_officer")
_DIGEST_BYTES: Final = 32


def stream_of(digest: str) -> str:
    """The stream of a fact's attestations; `digest` in hex."""
    return f"attestation:{digest}"


class KnowledgeService(knowledge_pb2_grpc.KnowledgeServiceServicer):
    """One instance a server. `facts` is digest (hex) -> rule id of every curated row; `pack` their pack's hash."""

    def __init__(
        self, ledger: Ledger, facts: Mapping[str, str], pack: str, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._facts = facts
        self._pack = pack
        self._now = now

    async def AttestFact(  # noqa: N802
        self, request: knowledge_pb2.AttestFactRequest, context: Context
    ) -> knowledge_pb2.AttestFactResponse:
        principal = current_principal()
        v = begun(request)
        v.check(len(request.digest) == _DIGEST_BYTES, "digest", f"must be {_DIGEST_BYTES} bytes")
        v.raise_if_any()
        digest = request.digest.hex()
        if digest not in self._facts:
            raise NotFound("UNKNOWN_FACT")
        call = await once_of(self._ledger, principal, request)
        earlier = await answered(self._ledger, principal.tenant, call)
        index = await self._record(principal, digest, call) if earlier is None else earlier[0]
        return await self._standing(principal.tenant, digest, index)

    async def _record(self, principal: Principal, digest: str, call: Once) -> int:
        tenant, stream = principal.tenant, stream_of(digest)
        before = await self._ledger.stream_entries(tenant, stream)
        mine = next((entry for entry in before if entry.actor == principal.actor), None)
        if mine is not None and len(before) == 1:
            # Cedar lets either role in; that the second person is another is decided here, where the first is known.
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        if mine is not None:
            return mine.index  # For whoever has lost the answer, and must write it into a pack.
        if len(before) > 1:
            raise FailedPrecondition("FACT_ATTESTED")
        role = next(role for role in _ROLES if role in principal.roles)
        if before and PHARMACIST not in (role, before[0].body["role"]):
            raise FailedPrecondition("PHARMACIST_REQUIRED")
        pending = PendingEntry(
            type=ATTESTED,
            stream=stream,
            actor=principal.actor,
            subject=None,
            body={
                "digest": digest,
                "rule": self._facts[digest],
                "pack": self._pack,
                "role": role,
                "count": len(before) + 1,
            },
            payloads=(),
            occurred_at=self._now(),
        )
        append = self._ledger.append(
            tenant, [pending], expect=[Expectation(stream, len(before))], claim=call.claim(stream)
        )
        return await index_of(self._ledger, tenant, call, append, Aborted("LOST_RACE"))

    async def _standing(self, tenant: str, digest: str, index: int) -> knowledge_pb2.AttestFactResponse:
        entries = await self._ledger.stream_entries(tenant, stream_of(digest))
        pharmacist, second = _people(entries)
        answer = knowledge_pb2.AttestFactResponse(
            rule_id=self._facts[digest],
            attested=len(entries) == 2,
            pharmacist=pharmacist,
            second=second,
            log_origin=self._ledger.origin(tenant),
            receipt=await receipt_message(self._ledger, tenant, index),
        )
        answer.attested_at.FromDatetime(clock.parse(entries[-1].time))
        return answer


def _people(entries: Sequence[Entry]) -> tuple[str, str]:
    """(pharmacist, the other one) of a fact's entries; the first pharmacist where both are."""
    chosen = next((entry.actor for entry in entries if entry.body["role"] == PHARMACIST), "")
    return chosen, next((entry.actor for entry in entries if entry.actor != chosen), "")


class KnowledgeComponent(Component):
    """KnowledgeService."""

    services = (knowledge_pb2.DESCRIPTOR.services_by_name["KnowledgeService"].full_name,)

    def __init__(self, service: KnowledgeService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        knowledge_pb2_grpc.add_KnowledgeServiceServicer_to_server(self._service, server)


async def build(app: App) -> KnowledgeComponent:
    """Reads the pack that the check processes read. Raises OSError and PackError."""
    pack = load.Pack.read(app.config.knowledge.folder or load.DEFAULT)
    facts = {digest: row["rule_id"] for _, digest, row in pack.facts() if row["basis"] == attestation.CURATED}
    return KnowledgeComponent(KnowledgeService(app.ledger, facts, pack.hash, app.now))
