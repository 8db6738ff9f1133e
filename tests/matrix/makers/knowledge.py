"""KnowledgeService. A fact of the pack is nobody's; each call attests another one. Its caller is not the
pharmacist, whose calls are on record for the emergency access that another maker opens."""

from __future__ import annotations

from itertools import count

from attending.guardrails.knowledge import load
from attending.v1 import knowledge_pb2

from tests.matrix.making import Things, key, maker

_next = count()
_digests: list[bytes] = []


@maker("KnowledgeService/AttestFact", "safety_officer", own=True)
def attest(_things: Things) -> knowledge_pb2.AttestFactRequest:
    if not _digests:
        facts = load.Pack.read(load.DEFAULT).facts()
        _digests.extend(bytes.fromhex(digest) for _, digest, row in facts if row["basis"] == "curated")
    return knowledge_pb2.AttestFactRequest(idempotency_key=key(), digest=_digests[next(_next)])
