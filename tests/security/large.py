"""A ledger service of the wire contract whose answers are as large, and take as long, as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from attending.server.app import App, Build, Component
from attending.v1 import ledger_pb2, ledger_pb2_grpc


class Large(Component, ledger_pb2_grpc.LedgerServiceServicer):
    """ListEntries answers as many bytes as asked for; AppendStream does so for each message; GetReceipt never does."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.listed = 0

    def register(self, server: grpc.aio.Server) -> None:
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self, server)

    async def GetEntry(self, request: Any, context: Any) -> ledger_pb2.GetEntryResponse:
        return ledger_pb2.GetEntryResponse()

    async def ListEntries(self, request: Any, context: Any) -> ledger_pb2.ListEntriesResponse:
        self.listed += 1
        return ledger_pb2.ListEntriesResponse(next_page_token="x" * request.page_size)

    async def GetReceipt(self, request: Any, context: Any) -> ledger_pb2.GetReceiptResponse:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def AppendStream(
        self, requests: Any, context: Any
    ) -> AsyncIterator[ledger_pb2.AppendStreamResponse]:
        try:
            async for _request in requests:
                results = [ledger_pb2.EventResult(sequence=number) for number in range(100_000)]
                acknowledged = ledger_pb2.AppendStreamResponse.Acknowledged(results=results)
                yield ledger_pb2.AppendStreamResponse(acknowledged=acknowledged)
        finally:
            self.ended.append("stream")


def building(component: Component) -> list[Build]:
    """What `start_server` takes as its components, for this one."""

    async def build(_app: App) -> Component:
        return component

    return [build]
