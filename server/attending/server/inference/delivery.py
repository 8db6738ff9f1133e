"""What a calling application says of a released text: to whom it went, and by which channel."""

from __future__ import annotations

from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ClaimConflict, DuplicateClaim, ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server.errors import FailedPrecondition, NotFound
from attending.server.idempotency import Once, answered
from attending.server.inference.call import Caller
from attending.server.inference.outcome import read_outcome
from attending.server.inference.states import State


async def record_delivery(
    ledger: Ledger, caller: Caller, inference_id: str, recipient: str, channel: str, once: Once
) -> int:
    """Records delivery of a released text; returns the entry's index, the same one for a repeated key.

    Raises FailedPrecondition for a text that is not released, NotFound, and ledger errors.
    """
    entry = PendingEntry(
        type="inference.delivered",
        stream=inference_id,
        actor=f"app:{caller.app}",
        subject=None,
        body={"recipient": recipient, "channel": channel},
    )
    while True:
        # INVARIANT: no delivery follows a recall, which names everybody to whom the text went.
        version = await ledger.stream_version(caller.tenant, inference_id)
        outcome = await read_outcome(ledger, caller.tenant, inference_id)
        if (earlier := await answered(ledger, caller.tenant, once)) is not None:
            return earlier[0]
        if outcome.state is not State.RELEASED:
            raise FailedPrecondition("NOT_RELEASED", metadata={"state": outcome.state.value})
        try:
            done = await ledger.append(
                caller.tenant,
                [entry],
                expect=[Expectation(inference_id, version)],
                claim=once.claim(inference_id),
            )
        except ExpectationFailed:
            continue
        except (DuplicateClaim, ClaimConflict):
            earlier = await answered(ledger, caller.tenant, once)
            if earlier is None:
                raise NotFound("UNKNOWN_DELIVERY") from None
            return earlier[0]
        return done.first_index
