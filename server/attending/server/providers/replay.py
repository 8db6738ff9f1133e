"""Named outputs from a file, for demos, tests and benchmarks: real text through the real gate, without a model.

The file is JSON Lines: `{"name", "output", "delay_ms"?, "input_tokens"?, "output_tokens"?, "fail"?}`. The model
name of a request picks the line. `fail` is a ProviderError reason, so that a provider that is down or lying can
be rehearsed.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest


class ReplayProvider:
    """Answers from the file read at start; an unknown name is PROVIDER_UNKNOWN_MODEL."""

    def __init__(self, name: str, lines: dict[str, dict[str, Any]]) -> None:
        self.name = name
        self._lines = lines

    @classmethod
    def from_file(cls, name: str, path: Path) -> ReplayProvider:
        """Raises ValueError naming the line when the file is not as described above."""
        lines: dict[str, dict[str, Any]] = {}
        for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not raw.strip():
                continue
            try:
                line = json.loads(raw)
                known = {"name", "output", "delay_ms", "input_tokens", "output_tokens", "fail"}
                if not isinstance(line, dict) or set(line) - known or not isinstance(line.get("name"), str):
                    raise ValueError("unknown or missing keys")
                if "fail" in line and line["fail"] not in ProviderError.REASONS:
                    raise ValueError("unknown failure reason")
                if "fail" not in line and not isinstance(line.get("output"), str):
                    raise ValueError("`output` must be a text")
                if line["name"] in lines:
                    raise ValueError("name used twice")
            except ValueError as err:
                raise ValueError(f"replay file `{path.name}` line {number}: {err}") from err
            lines[line["name"]] = line
        return cls(name, lines)

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        line = self._lines.get(request.model)
        if line is None:
            raise ProviderError("PROVIDER_UNKNOWN_MODEL")
        if delay := line.get("delay_ms"):
            await asyncio.sleep(delay / 1000)
        if "fail" in line:
            raise ProviderError(line["fail"])
        return ProviderReply(
            text=line["output"],
            model=request.model,
            input_tokens=line.get("input_tokens"),
            output_tokens=line.get("output_tokens"),
            finish_reason="stop",
        )

    async def close(self) -> None:
        return None
