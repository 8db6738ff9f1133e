"""A model server of our own that speaks the chat completions protocol and misbehaves as the model's name says."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

GOOD = "Your visit is on Tuesday at ten."
PLANTED = "Zebulon Quackenbush-8841973"
"""Words that a lying server puts where names belong; they must stand in no entry and no log line."""
SLOW_SECONDS = 120
LATE_SECONDS = 7.5


def completion(text: Any, **other: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "good",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16},
        **other,
    }


class LyingProvider:
    """Runs in a thread of the test process; `prompts` holds what was sent to it, by model name."""

    def __init__(self) -> None:
        self.prompts: dict[str, list[str]] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._told = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def tell(self) -> bool:
        """Lets those who wait for the model `waits` by now have their answer."""

        def tell() -> None:
            told, self._told = self._told, asyncio.Event()
            told.set()

        self._loop.call_soon_threadsafe(tell)
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        application.router.add_post("/v1/gone", self._gone)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]

    async def _gone(self, _request: web.Request) -> web.StreamResponse:
        """A receiver of notices that is there no more."""
        return web.Response(status=410, text=PLANTED)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model = body["model"]
        self.prompts.setdefault(model, []).append(body["messages"][0]["content"])
        special: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "slow": self._slow,
            "late": self._late,
            "cut": self._cut,
            "waits": self._waits,
        }
        if model in special:
            return await special[model](request)
        statuses = {"down": 503, "refuse": 400, "denied": 401, "missing": 404, "rate": 429}
        if model in statuses:
            # Error bodies of real providers quote the prompt.
            return web.json_response({"error": {"message": PLANTED}}, status=statuses[model])
        if model == "html":
            return web.Response(text=f"<html>{PLANTED}</html>", content_type="text/html")
        if model == "not-json":
            return web.Response(body=b'{"choices": [' + PLANTED.encode(), content_type="application/json")
        # json.dumps writes lone surrogates as escapes, as a careless server would.
        return web.Response(text=json.dumps(self._lie(model)), content_type="application/json")

    def _lie(self, model: str) -> Any:
        lies: dict[str, Any] = {
            "no-choices": completion("x", choices=[]),
            "null-choices": completion("x", choices=None),
            "null-text": completion(None),
            "number": completion(17),
            "list": completion([{"type": "text", "text": GOOD}]),
            "empty": completion(""),
            "blank": completion(" \n\t "),
            "nul": completion("ten\x00o'clock"),
            "surrogate": completion("ten \ud83d o'clock"),
            "huge": completion("word " * 20_000),
            "array": [1, 2, 3],
            "null": None,
            "string": PLANTED,
            "strange-names": completion(
                GOOD,
                model=f"m {PLANTED} " * 3_000,
                system_fingerprint=f"fp {PLANTED} " * 3_000,
                choices=[
                    {
                        "index": 0,
                        "finish_reason": f"because {PLANTED}",
                        "message": {"role": "assistant", "content": GOOD},
                    }
                ],
            ),
            "surrogate-name": completion(GOOD, model="m\udfff", system_fingerprint="\ud800"),
            "negative-usage": completion(GOOD, usage={"prompt_tokens": -4, "completion_tokens": 2**70}),
            "text-usage": completion(GOOD, usage={"prompt_tokens": "many", "completion_tokens": True}),
            "no-usage": completion(GOOD, usage=None),
        }
        return lies.get(model, completion(GOOD))

    async def _waits(self, _request: web.Request) -> web.StreamResponse:
        await self._told.wait()
        return web.json_response(completion(GOOD))

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(SLOW_SECONDS)
        return web.json_response(completion(GOOD))

    async def _late(self, request: web.Request) -> web.StreamResponse:
        """Keeps the line busy, so that only the gate's own time-out ends the wait."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        waited = 0.0
        while waited < LATE_SECONDS:
            await response.write(b" ")
            await asyncio.sleep(0.25)
            waited += 0.25
        await response.write(json.dumps(completion(GOOD)).encode())
        return response

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"id": "c-1", "choices": [')
        assert request.transport is not None
        request.transport.close()
        return response
