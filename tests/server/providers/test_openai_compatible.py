"""A provider over real HTTP that is down, slow, refusing or lying: each is told apart, and none passes as text."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attending.ledger.files import write_durably
from attending.server.config import ProviderSection
from attending.server.providers.configure import configure_providers
from attending.server.providers.openai_compatible import OpenAICompatibleProvider
from attending.server.providers.port import ProviderError, ProviderRequest

Answer = Callable[[dict[str, Any]], Awaitable[web.StreamResponse]]


class LocalServer:
    """A real HTTP server whose answer each test sets."""

    url: str
    answer: Answer
    seen: list[dict[str, Any]]
    credentials: list[str]


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    local = LocalServer()
    local.seen = []
    local.credentials = []

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        local.seen.append(body)
        local.credentials.append(request.headers.get("Authorization", ""))
        return await local.answer(body)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sockets = site._server.sockets  # type: ignore[union-attr]
    local.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1"
    yield local
    await runner.cleanup()


def request(timeout: float = 5.0) -> ProviderRequest:
    return ProviderRequest(
        model="m", prompt="hello", max_output_tokens=10, temperature_milli=0, timeout_seconds=timeout
    )


def completion(**changes: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "text"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    } | changes


async def call(server: LocalServer, answer: Answer, timeout: float = 5.0) -> Any:
    server.answer = answer
    provider = OpenAICompatibleProvider("p", server.url, "key")
    try:
        return await provider.complete(request(timeout))
    finally:
        await provider.close()


async def test_text_usage_and_model_are_the_providers_own(server: LocalServer) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        return web.json_response(completion())

    reply = await call(server, answer)
    assert (reply.text, reply.model, reply.input_tokens, reply.output_tokens) == ("text", "m-1", 3, 2)
    assert server.seen[0]["messages"] == [{"role": "user", "content": "hello"}]
    assert server.seen[0]["temperature"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        completion(choices=[]),
        completion(choices=None),
        completion(choices=[{"index": 0, "message": {"role": "assistant", "content": None}}]),
        completion(choices=[{"index": 0, "message": {"role": "assistant", "content": 7}}]),
        completion(choices=[{"index": 0, "message": None}]),
        completion(choices=[{"index": 0, "message": {"role": "assistant", "content": ""}}]),
    ],
)
async def test_a_lying_server_is_a_bad_reply(server: LocalServer, body: Any) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        return web.json_response(body)

    with pytest.raises(ProviderError) as caught:
        await call(server, answer)
    assert caught.value.reason == "PROVIDER_BAD_REPLY"


async def test_not_json_is_a_bad_reply(server: LocalServer) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        return web.Response(text="<html>", content_type="application/json")

    with pytest.raises(ProviderError) as caught:
        await call(server, answer)
    assert caught.value.reason == "PROVIDER_BAD_REPLY"


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -1, "completion_tokens": "2"}])
async def test_usage_that_makes_no_sense_is_unknown(server: LocalServer, usage: Any) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        return web.json_response(completion(usage=usage))

    reply = await call(server, answer)
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


async def test_an_endless_text_is_refused(server: LocalServer) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        message = {"role": "assistant", "content": "a" * 70_000}
        return web.json_response(completion(choices=[{"index": 0, "message": message}]))

    with pytest.raises(ProviderError) as caught:
        await call(server, answer)
    assert caught.value.reason == "PROVIDER_OUTPUT_TOO_LARGE"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "PROVIDER_REFUSED"),
        (401, "PROVIDER_REFUSED"),
        (404, "PROVIDER_UNKNOWN_MODEL"),
        (429, "PROVIDER_RATE_LIMITED"),
        (500, "PROVIDER_UNAVAILABLE"),
        (503, "PROVIDER_UNAVAILABLE"),
    ],
)
async def test_each_status_has_its_reason_and_keeps_no_text(
    server: LocalServer, status: int, reason: str
) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        return web.Response(status=status, text=json.dumps({"error": {"message": "secret prompt text"}}))

    with pytest.raises(ProviderError) as caught:
        await call(server, answer)
    assert caught.value.reason == reason
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_slow_is_a_time_out(server: LocalServer) -> None:
    async def answer(_body: dict[str, Any]) -> web.Response:
        await asyncio.sleep(3)
        return web.json_response(completion())

    with pytest.raises(ProviderError) as caught:
        await call(server, answer, timeout=0.2)
    assert caught.value.reason == "PROVIDER_TIMEOUT"


async def test_down_is_unavailable() -> None:
    provider = OpenAICompatibleProvider("p", "http://127.0.0.1:1/v1", "key")
    with pytest.raises(ProviderError) as caught:
        await provider.complete(request())
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"
    await provider.close()


async def test_reading_the_key_holds_nothing_else_up(server: LocalServer) -> None:
    """Its file may lie on a volume that does not answer."""
    loop, asked, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def key() -> str:
        loop.call_soon_threadsafe(asked.set)
        assert go.wait(10)
        return "late"

    async def answer(_body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(completion())

    server.answer = answer
    provider = OpenAICompatibleProvider("p", server.url, key)
    called = asyncio.create_task(provider.complete(request()))
    await asked.wait()  # on the loop, while the key is being read
    go.set()
    await called
    assert server.credentials == ["Bearer late"]
    await provider.close()


async def test_a_key_file_that_is_replaced_counts_from_the_next_call_on(
    server: LocalServer, tmp_path: Path
) -> None:
    """And one that cannot be read, or that others can read, sends nothing."""
    file = tmp_path / "key"
    write_durably(file, b"first\n")
    section = ProviderSection(name="p", kind="openai", base_url=server.url, api_key_file=file)
    provider = configure_providers([section])["p"].provider

    async def answer(_body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(completion())

    server.answer = answer
    await provider.complete(request())
    write_durably(file, b"second\n")
    await provider.complete(request())
    assert server.credentials == ["Bearer first", "Bearer second"]
    file.chmod(0o644)
    with pytest.raises(ProviderError) as readable:
        await provider.complete(request())
    file.unlink()
    with pytest.raises(ProviderError) as gone:
        await provider.complete(request())
    assert {readable.value.reason, gone.value.reason} == {"PROVIDER_UNAVAILABLE"}
    assert len(server.seen) == 2
    write_durably(file, b"third\n")
    await provider.complete(request())
    assert server.credentials[2:] == ["Bearer third"]
    await provider.close()
