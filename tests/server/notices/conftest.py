"""Receivers of notices that answer as they are told, over real HTTP, and outboxes over the gate's ledger."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attending.ledger.ledger import Ledger
from attending.server.config import WebhookSection
from attending.server.notices.outbox import Outbox
from attending.server.notices.webhook import Webhook

from tests.server.inference.conftest import CALLER, TENANT, Gate, gate, infer_call, key, policies

__all__ = ["Gate", "gate", "policies"]

KEY = b"0123456789abcdefghijklmnopqrstuv"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
WAIT_SECONDS = 30


@dataclass
class Receiver:
    """Answers with `statuses` in turn, and with the last one from then on; `got` holds headers and bodies."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hang: asyncio.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    refuse: Callable[[dict[str, Any]], bool] = lambda _body: False
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.got]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _body in self.got]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        self.came.set()
        if self.refuse(json.loads(body)):
            return web.Response(status=500)
        if self.hang is not None:
            await self.hang.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not self.endless:
            return web.Response(status=status, headers=self.headers, text="never read")
        answer = web.StreamResponse(status=status)
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65_536)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    async def until(self, done: Callable[[], bool]) -> None:
        """Returns when `done` is true; looked at after each request."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not done():
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def running(receiver: Receiver) -> AsyncIterator[Receiver]:
    application = web.Application()
    application.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        if receiver.hang is not None:
            receiver.hang.set()
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running(Receiver()) as one:
        yield one


def secret_file(folder: Path, name: str = "hook.secret", text: str = SECRET) -> Path:
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def webhook(receiver: Receiver, folder: Path, gate: Gate, **changes: Any) -> Webhook:
    given: dict[str, Any] = {
        "name": "pager",
        "url": receiver.url,
        "secret_file": secret_file(folder),
        "allow_private": True,
        "timeout_seconds": 5.0,
    } | changes
    return Webhook(WebhookSection(**given), "https://review.example", gate.clock)


class Sleeps:
    """In place of waiting: what was waited for is noted, and over at once, or when the test says so."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)
        await self.go_on.wait()


async def always() -> bool:
    return True


def outbox(gate: Gate, delivery: Webhook, ledger: Ledger | None = None, **changes: Any) -> Outbox:
    given: dict[str, Any] = {
        "ledger": ledger or gate.ledger,
        "tenant": TENANT,
        "delivery": delivery,
        "changes": gate.changes,
        "owner": "srv-test",
        "now": gate.clock,
        "turn": always,
        "give_up": timedelta(hours=24),
        "poll_seconds": 0.05,
        "sleep": Sleeps(),
        "chance": lambda: 1.0,
    }
    return Outbox(**given | changes)


@asynccontextmanager
async def sending(box: Outbox) -> AsyncIterator[Outbox]:
    """Runs it; once it is yielded, its place is on record."""
    await box.step()
    task = asyncio.create_task(box.run())
    try:
        yield box
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def hold(gate: Gate, number: int = 0) -> str:
    """A held text; its ticket."""
    gate.provider.text = f"Take it. HOLD {number}"
    call = infer_call(policy="patient-message")
    outcome = await gate.pipeline.infer(CALLER, call, key(f"hold-{number}"))
    assert outcome.ticket is not None
    return outcome.ticket.ticket_id


async def settled(gate: Gate, target: str = "pager") -> list[dict[str, Any]]:
    """Bodies of what was put on record about a target."""
    entries = await gate.ledger.whole_stream(TENANT, f"notices/{target}")
    return [dict(entry.body) for entry in entries if entry.type == "notice.settled"]


async def until_settled(
    gate: Gate, done: Callable[[list[dict[str, Any]]], bool], target: str = "pager"
) -> list[dict[str, Any]]:
    async with asyncio.timeout(WAIT_SECONDS):
        while not done(found := await settled(gate, target)):
            await asyncio.sleep(0.02)
        return found
