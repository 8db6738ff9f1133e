"""The embedded model: SmolLM2-135M-Instruct in a child process of our own, OpenAI-compatible on loopback.

It is small and wrong about medicine, which is what the demo shows being caught. It is not a medical device.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import secrets
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from attending.guardrails.cores import usable_cores
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest

if TYPE_CHECKING:
    from attending.server.providers.openai_compatible import OpenAICompatibleProvider

MODEL = "smollm2-135m-instruct"
START_SECONDS = 60
_CLIENT = "attending.server.providers.openai_compatible"


class EmbeddedProvider:
    """Starts its child on first use and again after a crash; one call at a time reaches the model."""

    def __init__(self, name: str, *, threads: int | None = None) -> None:
        self.name = name
        self._threads = threads or max(1, usable_cores() - 1)
        self._process: asyncio.subprocess.Process | None = None
        self._client: OpenAICompatibleProvider | None = None
        self._starting = asyncio.Lock()
        self._weights: str | None = None

    async def start(self) -> None:
        """Returns when the model is loaded; raises ProviderError(PROVIDER_UNAVAILABLE) when it cannot be."""
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return
            await self._discard()
            key = secrets.token_urlsafe(32)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "attending.server.providers.embedded_host",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    # The native server's own log may quote a prompt.
                    stderr=asyncio.subprocess.DEVNULL,
                )
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                setup = json.dumps({"api_key": key, "threads": self._threads})
                self._process.stdin.write(setup.encode() + b"\n")
                await self._process.stdin.drain()
                # Half a second of imports, which a server that never asks the model does without.
                openai_compatible = await asyncio.to_thread(importlib.import_module, _CLIENT)
                line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
                ready = json.loads(line)
                url, self._weights = ready["url"], ready["weights"]
            except (OSError, ValueError, KeyError, TimeoutError):
                await self._discard()
                raise ProviderError("PROVIDER_UNAVAILABLE") from None
            self._client = openai_compatible.OpenAICompatibleProvider(self.name, url + "/v1", key)

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        if request.model != MODEL:
            raise ProviderError("PROVIDER_UNKNOWN_MODEL")
        await self.start()
        assert self._client is not None
        reply = await self._client.complete(request)
        # The native server names the file's path; the content hash says more and tells no path.
        return replace(reply, model=MODEL, fingerprint=self._weights)

    async def close(self) -> None:
        async with self._starting:
            await self._discard()

    async def _discard(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._process = None
