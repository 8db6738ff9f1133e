"""KeyService: which keys the caller's tenant has, and their rotation while the server runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog
from attending.ledger.custody.reads import Order
from attending.ledger.errors import DuplicateClaim, ExpectationFailed, LedgerError
from attending.ledger.key_files import Kind
from attending.ledger.keys import TENANT_SUBJECT
from attending.ledger.ledger import SYSTEM_LOG, Ledger
from attending.ledger.rotation import ATTEMPTS, KeyListing, Rotated
from attending.server import clock
from attending.server.app import App, Component
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once, answered, key_violations
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.receipts import receipt_message
from attending.v1 import keys_pb2, keys_pb2_grpc

log = structlog.get_logger()

CARE_SECONDS: Final = 3_600.0
_WAIT_SECONDS: Final = 20.0
"""How long a call waits for a rotation that takes long; the rotation goes on without it."""
_SKEW: Final = timedelta(seconds=60)
_SUBJECT = re.compile(r"sub_[A-Za-z2-7]{26}")
_OF_LOG: Final[dict[int, Kind]] = {
    keys_pb2.KEY_KIND_KEK: "kek",
    keys_pb2.KEY_KIND_LOOKUP: "lookup",
    keys_pb2.KEY_KIND_FINGERPRINT: "fingerprint",
}
_NUMBERS: Final[dict[str, keys_pb2.KeyKind.ValueType]] = {
    "signing": keys_pb2.KEY_KIND_SIGNING,
    "kek": keys_pb2.KEY_KIND_KEK,
    "lookup": keys_pb2.KEY_KIND_LOOKUP,
    "fingerprint": keys_pb2.KEY_KIND_FINGERPRINT,
}


class KeyService(keys_pb2_grpc.KeyServiceServicer):
    """One instance a server. `longest_call` is how long a call may take between its claim and its append."""

    def __init__(self, ledger: Ledger, longest_call: timedelta, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._ledger = ledger
        self._delay = longest_call + _SKEW
        self._wait = wait_seconds
        self._running: dict[str, asyncio.Future[Rotated]] = {}

    async def ListKeys(  # noqa: N802
        self, request: keys_pb2.ListKeysRequest, context: Context
    ) -> keys_pb2.ListKeysResponse:
        tenant = current_principal().tenant
        found = await self._ledger.rotation.keys(tenant)
        created = self._ledger.created_at(tenant)
        return keys_pb2.ListKeysResponse(
            keys=[_message(item, created) for item in found],
            rotating=sum(item.kind == "kek" for item in found) > 1,
        )

    async def RotateKey(  # noqa: N802
        self, request: keys_pb2.RotateKeyRequest, context: Context
    ) -> keys_pb2.RotateKeyResponse:
        _check(request)
        principal = current_principal()
        tenant = principal.tenant
        call = await once_of(self._ledger, principal, request)
        order = Order(principal.actor, claim=call.claim("keys"))
        index = await self._recorded(tenant, call)
        if index is None:
            try:
                index = await self._record(tenant, request, order)
            except DuplicateClaim:
                index = await self._recorded(tenant, call)
        assert index is not None
        return await self._carried_out(tenant, request.kind, index)

    async def close(self) -> None:
        """Leaves what runs to the next start, which takes it up."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def care(self, log_ids: Sequence[str]) -> None:
        """Takes up rotations that were cut short, and lets go of keys and claims that are past their time."""
        for log_id in log_ids:
            # What fails, and may fail for ever, keeps nothing else from being looked after.
            for work in (self._resumed, self._finished, self._ledger.expire_claims, self._retired):
                try:
                    await work(log_id)
                except LedgerError as err:
                    log.warning("keys.care_failed", log_id=log_id, reason=err.reason)
                except Exception as err:
                    # A full disk or a permission, of one log.
                    log.error("keys.care_failed", log_id=log_id, error_type=type(err).__name__)

    async def _resumed(self, log_id: str) -> None:
        running = self._running.get(log_id)
        if running is not None and not running.done():
            return
        if await self._ledger.rotation.resume(log_id, delay=self._delay):
            log.info("keys.rotation_resumed", log_id=log_id)

    async def _finished(self, log_id: str) -> None:
        if destroyed := await self._ledger.signing.finish(log_id):
            log.info("keys.retired", log_id=log_id, kind="signing", count=destroyed)

    async def _retired(self, log_id: str) -> None:
        if retired := await self._ledger.rotation.retire_fingerprints(log_id):
            log.info("keys.retired", log_id=log_id, kind="fingerprint", count=retired)

    async def _recorded(self, tenant: str, call: Once) -> int | None:
        indexes = await answered(self._ledger, tenant, call)
        return None if indexes is None else indexes[0]

    async def _record(self, tenant: str, request: keys_pb2.RotateKeyRequest, order: Order) -> int:
        """The index of the entry that says what is to be done; of a root, what was done."""
        rotation = self._ledger.rotation
        if request.kind == keys_pb2.KEY_KIND_ROOT:
            # The server's own log has no operator of its own, and the same root.
            await rotation.reseal(SYSTEM_LOG, Order(order.actor))
            return (await rotation.reseal(tenant, order)).indexes[0]
        if request.kind == keys_pb2.KEY_KIND_SUBJECT:
            return (await rotation.record_subject(tenant, request.subject, order))[1]
        if request.kind == keys_pb2.KEY_KIND_SIGNING:
            return (await self._ledger.signing.record(tenant, order))[0]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return (await rotation.record(tenant, _OF_LOG[request.kind], order, self._delay))[1]
            except ExpectationFailed:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _carried_out(
        self, tenant: str, kind: keys_pb2.KeyKind.ValueType, index: int
    ) -> keys_pb2.RotateKeyResponse:
        """Sees to it that what entry `index` says is done, and answers with it."""
        entry = await self._ledger.get_entry(tenant, index)
        body = entry.body
        response = keys_pb2.RotateKeyResponse(
            kind=kind,
            generation=body["files"] if kind == keys_pb2.KEY_KIND_ROOT else body["generation"],
            done=True,
            receipt=await receipt_message(self._ledger, tenant, index),
        )
        if kind == keys_pb2.KEY_KIND_SIGNING:
            response.since.FromDatetime(clock.parse(entry.time))
            await self._ledger.signing.finish(tenant)
        name = _OF_LOG.get(kind)
        if name is not None:
            since = str(body.get("since", entry.time))
            response.since.FromDatetime(clock.parse(since))
            work = self._ledger.rotation.carry_out(
                tenant, name, body["generation"], since, entry.actor, delay=self._delay
            )
            if name == "kek":
                response.done = await self._worked(tenant, body["generation"], work)
            else:
                # Of a call that was cut short and is repeated: when it does come into force.
                response.since.FromDatetime(clock.parse((await work).since or since))
        elif kind == keys_pb2.KEY_KIND_SUBJECT:
            subject = entry.subject or TENANT_SUBJECT
            await self._ledger.rotation.carry_out_subject(tenant, subject, body["generation"])
        log.info("keys.rotated", tenant=tenant, kind=str(body["kind"]), index=index)
        return response

    async def _worked(self, tenant: str, generation: int, work: Coroutine[Any, Any, Rotated]) -> bool:
        """Whether the rotation of a tenant's key-encryption key was done while the call waited."""
        ours = False
        try:
            async with asyncio.timeout(self._wait):
                while True:
                    running = self._running.get(tenant)
                    if running is None or running.done():
                        ours = True
                        running = self._running[tenant] = asyncio.ensure_future(work)
                        running.add_done_callback(lambda task: _told(tenant, task))
                    # One that was about to end when this one began has done another generation.
                    if (await asyncio.shield(running)).generation >= generation:
                        return True
        except TimeoutError:
            return False
        finally:
            if not ours:
                work.close()


class KeyComponent(Component):
    """KeyService, and once an hour what `KeyService.care` does."""

    services = (keys_pb2.DESCRIPTOR.services_by_name["KeyService"].full_name,)

    def __init__(self, service: KeyService, log_ids: Sequence[str]) -> None:
        self._service = service
        self._log_ids = log_ids
        self._caring: asyncio.Task[None] | None = None

    def register(self, server: grpc.aio.Server) -> None:
        keys_pb2_grpc.add_KeyServiceServicer_to_server(self._service, server)

    async def start(self) -> None:
        self._caring = asyncio.create_task(self._care())

    async def close(self) -> None:
        if self._caring is not None:
            self._caring.cancel()
            await asyncio.gather(self._caring, return_exceptions=True)
        await self._service.close()

    async def _care(self) -> None:
        while True:
            await self._service.care(self._log_ids)
            await asyncio.sleep(CARE_SECONDS)


def _told(tenant: str, task: asyncio.Future[Rotated]) -> None:
    """Nobody may be waiting any more by the time it ends."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning(
            "keys.rotation_failed", tenant=tenant, reason=getattr(error, "reason", type(error).__name__)
        )


def _check(request: keys_pb2.RotateKeyRequest) -> None:
    wrong = key_violations(request.idempotency_key)
    others = (keys_pb2.KEY_KIND_ROOT, keys_pb2.KEY_KIND_SUBJECT, keys_pb2.KEY_KIND_SIGNING)
    if request.kind not in (*_OF_LOG, *others):
        wrong.append(("kind", "is required, and one of the known kinds"))
    if request.kind == keys_pb2.KEY_KIND_SUBJECT:
        if request.subject != TENANT_SUBJECT and not _SUBJECT.fullmatch(request.subject):
            wrong.append(("subject", "must be a pseudonym or `tenant`"))
    elif request.subject:
        wrong.append(("subject", "goes with kind SUBJECT only"))
    if wrong:
        raise InvalidRequest(wrong)


def _message(item: KeyListing, created: str) -> keys_pb2.Key:
    message = keys_pb2.Key(
        kind=_NUMBERS[item.kind],
        generation=item.generation,
        key_id=item.key_id,
        root=item.root,
        in_use=item.in_use,
    )
    message.since.FromDatetime(clock.parse(item.since or created))
    return message


async def build(app: App) -> KeyComponent:
    """The component of KeyService."""
    longest = timedelta(seconds=app.config.server.deadline_seconds)
    return KeyComponent(KeyService(app.ledger, longest), [*app.tenants, SYSTEM_LOG])
