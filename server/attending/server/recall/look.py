"""One text of the recall worklist, shown to somebody who decides on it. The look is an entry before anything is given.

Whoever may take a text off the list may read it for that: reviewers to treat, the safety officer for patient safety
(45 CFR 164.501: patient safety activities are health care operations). Others see the list, and no text.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from attending.ledger.errors import PayloadPruned, SubjectErased
from attending.ledger.ledger import Ledger
from attending.server.inference.outcome import Outcome, read_outcome
from attending.server.inference.states import State
from attending.server.phi.access import Permit, PhiAccess
from attending.server.recall.worklist import Candidate, Worklist
from attending.server.review.signatures import Signature, signatures_in


@dataclass(frozen=True, slots=True)
class Look:
    """`outcome` is None where the text is not kept any more: it was erased, or its time was over. One that was taken
    back has no `output`, for nobody.
    """

    candidate: Candidate
    outcome: Outcome | None
    signatures: tuple[Signature, ...]


async def look(
    ledger: Ledger,
    worklist: Worklist,
    phi: PhiAccess,
    permit: Permit,
    inference_id: str,
    printed: Callable[[str], str],
) -> Look:
    """`printed` is the printed name of an identity. Raises NotFound (NOT_PROPOSED) and the ledger's errors."""
    tenant = permit.principal.tenant
    candidate = await worklist.of(tenant, inference_id)
    outcome: Outcome | None = None
    with suppress(SubjectErased, PayloadPruned):
        outcome = await read_outcome(ledger, tenant, inference_id)
    if outcome is not None and outcome.state is State.RELEASED:
        about = {"inference": inference_id}
        await phi.record(permit, "access.viewed", "inference", subject=outcome.subject, about=about)
    stream = await ledger.whole_stream(tenant, inference_id)
    return Look(candidate, outcome, tuple(signatures_in(stream, printed)))
