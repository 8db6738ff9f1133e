"""ReportService: a bundle as a stream, with progress while it is gathered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

from attending.ledger.ledger import Ledger
from attending.server.auth.actions import DISCLOSE_PAYLOADS
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.phi.access import PhiAccess
from attending.server.phi.purpose import OF_EXPORT
from attending.server.reports.export import Exporter, ExportOrder
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.v1 import report_pb2, report_pb2_grpc

CHUNK_BYTES = 65_536


class ReportService(report_pb2_grpc.ReportServiceServicer):
    def __init__(self, ledger: Ledger, exporter: Exporter, authorizer: Authorizer, phi: PhiAccess) -> None:
        self._ledger = ledger
        self._phi = phi
        self._authorizer = authorizer
        self._exporter = exporter
        self._left: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Returns when what ended calls left behind is gone."""
        await asyncio.gather(*self._left, return_exceptions=True)

    async def Export(  # noqa: N802
        self, request: report_pb2.ExportRequest, context: Context
    ) -> AsyncIterator[report_pb2.ExportResponse]:
        principal = current_principal()
        order = ExportOrder(
            from_time=_time(request, "from"),
            to_time=_time(request, "to"),
            inference_ids=tuple(request.inference_ids),
            purpose=request.purpose,
            include_payloads=request.include_payloads,
        )
        purpose = OF_EXPORT.get(request.purpose)
        if purpose is None:
            raise InvalidRequest([("purpose", "must be one of " + ", ".join(sorted(OF_EXPORT)))])
        permit = await self._phi.permit_for(purpose)
        if request.include_payloads:
            # To export evidence is one right, to disclose personal content another.
            log = Resource.log(principal.tenant)
            await self._authorizer.require(DISCLOSE_PAYLOADS, log, purpose=purpose.value)
        call = await once_of(self._ledger, principal, request)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[report_pb2.ExportResponse | None] = asyncio.Queue()

        def progress(done: int, total: int) -> None:
            event = report_pb2.ExportResponse(
                progress=report_pb2.ExportResponse.Progress(entries=done, total=total)
            )
            loop.call_soon_threadsafe(events.put_nowait, event)

        # The bundle is made in a task of its own, so that progress can be sent meanwhile.
        manager = self._exporter.bundle(permit, order, call, progress)
        opening = asyncio.ensure_future(manager.__aenter__())
        opening.add_done_callback(lambda _done: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            path = await opening
            with path.open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield report_pb2.ExportResponse(chunk=chunk)
        finally:
            # In a task of its own: a call that is cut while the writer's thread runs does not wait for that to end.
            self._left.add(leaving := asyncio.create_task(_leave(manager, opening)))
            leaving.add_done_callback(self._left.discard)
            if opening.done():
                await asyncio.shield(leaving)


async def _leave(manager: AbstractAsyncContextManager[Path], opening: asyncio.Future[Path]) -> None:
    """Ends a context whose beginning may be under way."""
    await asyncio.wait({opening})
    if opening.exception() is None:
        await manager.__aexit__(None, None, None)


def _time(request: report_pb2.ExportRequest, field: str) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    try:
        return getattr(request, field).ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        raise InvalidRequest([(field, "is out of range")]) from None
