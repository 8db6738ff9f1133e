"""The entries of one call after each other: appended on the stream's version, and closed whatever goes wrong.

What a crash leaves behind at each durable write is said where it is made; `recovery` closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import structlog
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import (
    ClaimConflict,
    DuplicateClaim,
    ExpectationFailed,
    LedgerError,
    QueueFull,
    StoreUnavailable,
)
from attending.ledger.ledger import Appended, Ledger
from attending.ledger.submission import Claim, Expectation
from attending.ledger.vault import SealedPayload
from attending.server.errors import AttendingError
from attending.server.halt.switch import Switch
from attending.server.inference.background import Background
from attending.server.inference.call import OpenCall
from attending.server.inference.recovery import still_open
from attending.server.inference.states import State, require
from attending.server.inference.watch import Changes
from attending.server.providers.port import ProviderReply
from attending.server.replay.reducers import rows_of_append

log = structlog.get_logger()

CLOSING_RETRY_SECONDS = (0.05, 0.2, 1.0, 3.0)
ABANDON_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Trail:
    """Shared by all calls of one server process."""

    def __init__(
        self,
        ledger: Ledger,
        switch: Switch,
        changes: Changes,
        background: Background,
        owner: str,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._switch = switch
        self._changes = changes
        self._background = background
        self._owner = owner
        self.now = now

    def entry(
        self, opened: OpenCall, type_: str, body: Mapping[str, Any], *payloads: SealedPayload
    ) -> PendingEntry:
        return PendingEntry(
            type=type_,
            stream=opened.inference_id,
            actor=f"system:{self._owner}",
            subject=opened.subject,
            body=dict(body),
            payloads=payloads,
            occurred_at=self.now(),
        )

    async def seal(self, opened: OpenCall, kind: str, content: bytes) -> SealedPayload:
        return await self._ledger.seal(opened.caller.tenant, Payload(kind, content), opened.subject)

    async def append(
        self,
        opened: OpenCall,
        pending: Sequence[PendingEntry],
        *,
        expect: int,
        also: Sequence[Expectation] = (),
        claim: Claim | None = None,
        retry: bool = False,
    ) -> Appended:
        """One atomic append of entries with the rows that follow from them. `also` is what must hold of other streams.

        With `retry` a store that is briefly unavailable is tried again: the condition on the stream's version makes
        that safe, since a commit of unknown outcome then shows as a failed expectation.
        """
        tenant, inference_id = opened.caller.tenant, opened.inference_id
        delays = list(CLOSING_RETRY_SECONDS) if retry else []
        while True:
            try:
                done = await self._switch.append(
                    tenant,
                    opened.policy.name,
                    pending,
                    expect=[Expectation(inference_id, expect), *also],
                    claim=claim,
                    rows=rows_of_append(pending),
                )
                self._changes.announce(tenant, inference_id)
                return done
            except (StoreUnavailable, QueueFull) as err:
                if not delays:
                    raise
                log.warning("append.retry", inference_id=inference_id, reason=err.reason)
                await asyncio.sleep(delays.pop(0))

    async def append_late(self, opened: OpenCall, reply: ProviderReply) -> None:
        """Puts a text on record that is never released: it came after its call was closed."""
        sealed = await self.seal(opened, "output_raw", reply.text.encode("utf-8", "surrogatepass"))
        body = {
            "characters": len(reply.text),
            "provider": opened.provider,
            "model": reply.model,
            "provider_ids": list(reply.ids),
            "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
        }
        entry = self.entry(opened, "inference.late", body, sealed)
        await self._ledger.append(opened.caller.tenant, [entry])

    async def names(self, opened: OpenCall, text: SealedPayload) -> bool:
        """Whether an entry of the call names this text: then an append of unknown outcome had succeeded."""
        stream = await self._ledger.stream_entries(opened.caller.tenant, opened.inference_id)
        return any(entry.body.get("text_record") == text.record for entry in stream)

    async def fail(self, opened: OpenCall, reason: str) -> None:
        await self._close(opened, "inference.failed", reason)

    async def _close(self, opened: OpenCall, event: str, reason: str) -> None:
        """Closes an open intent without a text, unless somebody closed it before."""
        entry = self.entry(opened, event, {"reason": reason})
        require(State.RECEIVED, event)
        tenant, inference_id = opened.caller.tenant, opened.inference_id
        version = opened.version
        while True:
            try:
                await self.append(opened, [entry], expect=version, retry=True)
                return
            except ExpectationFailed:
                # A late reply may stand on record already, while the call is still open.
                version = await self._ledger.stream_version(tenant, inference_id)
                if not await still_open(self._ledger, tenant, inference_id):
                    # Closed by somebody else, or never durable: there is nothing left to say.
                    log.warning("inference.already_closed", inference_id=inference_id)
                    return

    @asynccontextmanager
    async def closed_at_last(self, opened: OpenCall) -> AsyncIterator[None]:
        """Whatever goes wrong inside, the open intent gets its closing entry: at once, or when the store is back.

        The condition on the stream's version makes that safe: where the intent never became durable, or a verdict
        did after all, nothing is appended.
        """
        try:
            yield
        except (AttendingError, DuplicateClaim, ClaimConflict):
            raise
        except Exception as err:
            reason = "EVIDENCE_NOT_DURABLE" if isinstance(err, LedgerError) else "SERVER_FAULT"
            log.error(
                "inference.cut_short",
                inference_id=opened.inference_id,
                reason=reason,
                error_type=type(err).__name__,
            )
            self._background.keep(self._abandon(opened, reason))
            raise

    async def _abandon(self, opened: OpenCall, reason: str) -> None:
        """Tries until it is said or the server ends; what is then still open is abandoned by recovery."""
        ending = self._background.ending
        attempt = 0
        while True:
            try:
                await self._close(opened, "inference.abandoned", reason)
                return
            except (StoreUnavailable, QueueFull):
                if ending.is_set():
                    return
            except LedgerError as err:
                # Halted or frozen: waiting does not help.
                log.error("inference.left_open", inference_id=opened.inference_id, reason=err.reason)
                return
            delay = ABANDON_RETRY_SECONDS[min(attempt, len(ABANDON_RETRY_SECONDS) - 1)]
            attempt += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), delay)
