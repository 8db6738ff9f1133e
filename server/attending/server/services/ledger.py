"""LedgerService: reads of the caller's tenant log and its proofs. Nothing here shows personal content.

What is appended from outside is in `attending.server.services.append`.
"""

from __future__ import annotations

import grpc
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry
from attending.ledger.errors import NotFound as LedgerNotFound
from attending.ledger.errors import OutOfRange as LedgerOutOfRange
from attending.ledger.ledger import Ledger
from attending.server.app import App, Component
from attending.server.auth.authorize import Authorizer
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest, NotFound, Unavailable
from attending.server.rpc import Context
from attending.server.services.append import EventRpcs
from attending.v1 import common_pb2, ledger_pb2, ledger_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 100, 1000
MAX_TOKEN_DIGITS = 15
# Entries are at most 65,535 bytes: a full page of the largest would not fit into a message.
MAX_PAGE_BYTES = 2 * 1024 * 1024
MAX_INDEX = 2**53 - 1


class LedgerService(EventRpcs, ledger_pb2_grpc.LedgerServiceServicer):
    """One instance a server. An application sees receipts of its own inferences and emitters only."""

    def __init__(self, ledger: Ledger, authorizer: Authorizer) -> None:
        super().__init__(ledger, authorizer)

    async def GetEntry(  # noqa: N802
        self, request: ledger_pb2.GetEntryRequest, context: Context
    ) -> ledger_pb2.GetEntryResponse:
        principal = current_principal()
        entry = await self._visible(principal, request.index)
        return ledger_pb2.GetEntryResponse(entry=_message(entry))

    async def GetReceipt(  # noqa: N802
        self, request: ledger_pb2.GetReceiptRequest, context: Context
    ) -> ledger_pb2.GetReceiptResponse:
        principal = current_principal()
        published = _published(request.level)
        entry = await self._visible(principal, request.index)
        tenant = principal.tenant
        try:
            proof = await self._ledger.receipt(tenant, entry.index, published=published)
        except (LedgerNotFound, LedgerOutOfRange):
            # The entry is there, so only its publication is missing.
            raise _unpublished() from None
        return ledger_pb2.GetReceiptResponse(
            receipt=common_pb2.Receipt(
                origin=self._ledger.origin(tenant),
                index=entry.index,
                entry=entry.data,
                tlog_proof=proof,
                level="published" if published else "integrated",
            )
        )

    async def GetCheckpoint(  # noqa: N802
        self, request: ledger_pb2.GetCheckpointRequest, context: Context
    ) -> ledger_pb2.GetCheckpointResponse:
        tenant = current_principal().tenant
        note: str | None
        if _published(request.level):
            note = await self._ledger.published_checkpoint(tenant)
            if note is None:
                raise _unpublished()
        else:
            note = await self._ledger.checkpoint(tenant)
        size = parse_checkpoint(note).size
        return ledger_pb2.GetCheckpointResponse(
            checkpoint=note,
            verifier_key=self._ledger.verifier_key(tenant, size),
            introductions=self._ledger.introductions(tenant, size),
        )

    async def GetInclusionProof(  # noqa: N802
        self, request: ledger_pb2.GetInclusionProofRequest, context: Context
    ) -> ledger_pb2.GetInclusionProofResponse:
        hashes = await self._ledger.inclusion_proof(
            current_principal().tenant,
            _bounded(request.index, "index"),
            _bounded(request.tree_size, "tree_size"),
        )
        return ledger_pb2.GetInclusionProofResponse(hashes=hashes)

    async def GetConsistencyProof(  # noqa: N802
        self, request: ledger_pb2.GetConsistencyProofRequest, context: Context
    ) -> ledger_pb2.GetConsistencyProofResponse:
        hashes = await self._ledger.consistency_proof(
            current_principal().tenant, _bounded(request.size1, "size1"), _bounded(request.size2, "size2")
        )
        return ledger_pb2.GetConsistencyProofResponse(hashes=hashes)

    async def ListEntries(  # noqa: N802
        self, request: ledger_pb2.ListEntriesRequest, context: Context
    ) -> ledger_pb2.ListEntriesResponse:
        principal = current_principal()
        tenant = principal.tenant
        limit = request.page_size or DEFAULT_PAGE
        if limit > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        if principal.kind == "app" and not request.inference_id:
            raise InvalidRequest([("inference_id", "is required for an application")])
        start = (
            _token(request.page_token) if request.page_token else _bounded(request.start_index, "start_index")
        )
        tree_size, _root = await self._ledger.head(tenant)
        if request.inference_id:
            if request.start_index:
                raise InvalidRequest([("start_index", "cannot be combined with `inference_id`")])
            # The page token of a stream counts its own entries.
            entries = await self._ledger.stream_entries(tenant, request.inference_id, start, limit)
            if start == 0 and (not entries or not _owned(principal, entries[0])):
                raise NotFound("UNKNOWN_INFERENCE")
            if start and not await self._owns(principal, request.inference_id):
                raise NotFound("UNKNOWN_INFERENCE")
            more = len(entries) == limit
        else:
            entries = await self._ledger.list_entries(tenant, start, limit)
            more = start + len(entries) < tree_size
        page = _fitting(entries)
        more = more or len(page) < len(entries)
        return ledger_pb2.ListEntriesResponse(
            entries=[_message(entry) for entry in page],
            next_page_token=str(start + len(page)) if more and page else "",
            tree_size=tree_size,
        )

    async def _visible(self, principal: Principal, index: int) -> Entry:
        """The entry; for an application only one of its own streams, others answer as if past the end."""
        entry = await self._ledger.get_entry(principal.tenant, _bounded(index, "index"))
        if principal.kind == "app" and not await self._owns(principal, entry.stream):
            raise NotFound("UNKNOWN_ENTRY")
        return entry

    async def _owns(self, principal: Principal, stream: str) -> bool:
        first = await self._ledger.stream_entries(principal.tenant, stream, 0, 1)
        return bool(first) and _owned(principal, first[0])


def _owned(principal: Principal, first: Entry) -> bool:
    """Whether the stream that `first` began is the principal's to see: people see all, an app its own."""
    return principal.kind == "human" or first.actor == principal.actor


def _bounded(number: int, field: str) -> int:
    if number > MAX_INDEX:
        raise InvalidRequest([(field, "must be below 2^53")])
    return number


def _published(level: common_pb2.Durability.ValueType) -> bool:
    if level not in common_pb2.Durability.values():
        raise InvalidRequest([("level", "is not a known level")])
    return level == common_pb2.DURABILITY_PUBLISHED


def _token(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_TOKEN_DIGITS:
        raise InvalidRequest([("page_token", "is not from a previous answer")])
    return int(text)


def _fitting(entries: list[Entry]) -> list[Entry]:
    size, page = 0, list[Entry]()
    for entry in entries:
        size += len(entry.data)
        if page and size > MAX_PAGE_BYTES:
            break
        page.append(entry)
    return page


def _message(entry: Entry) -> ledger_pb2.Entry:
    return ledger_pb2.Entry(index=entry.index, data=entry.data, leaf_hash=entry.leaf_hash)


def _unpublished() -> Unavailable:
    return Unavailable("NOT_YET_PUBLISHED", retry_after_seconds=1.0)


class LedgerComponent(Component):
    services = ("attending.v1.LedgerService",)

    def __init__(self, service: LedgerService) -> None:
        self.service = service

    def register(self, server: grpc.aio.Server) -> None:
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self.service, server)

    async def stopping(self) -> None:
        await self.service.end_streams()


async def build(app: App) -> Component:
    """The component of LedgerService."""
    return LedgerComponent(LedgerService(app.ledger, app.authorizer))
