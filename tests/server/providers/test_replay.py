"""The replay provider: real text by name, and a file that is wrong is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.server.providers.port import ProviderError, ProviderRequest
from attending.server.providers.replay import ReplayProvider


def request(model: str) -> ProviderRequest:
    return ProviderRequest(
        model=model, prompt="x", max_output_tokens=10, temperature_milli=0, timeout_seconds=5
    )


async def test_answers_by_name_without_inventing_usage(tmp_path: Path) -> None:
    file = tmp_path / "replay.jsonl"
    file.write_text('{"name": "a", "output": "text"}\n\n{"name": "down", "fail": "PROVIDER_UNAVAILABLE"}\n')
    provider = ReplayProvider.from_file("replay", file)
    reply = await provider.complete(request("a"))
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("text", None, None)
    for model, reason in (("b", "PROVIDER_UNKNOWN_MODEL"), ("down", "PROVIDER_UNAVAILABLE")):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(request(model))
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"name": "a"}',
        '{"output": "x"}',
        '{"name": "a", "output": "x", "extra": 1}',
        '{"name": "a", "fail": "SOMETHING"}',
        '{"name": "a", "output": "x"}\n{"name": "a", "output": "y"}',
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "replay.jsonl"
    file.write_text(line)
    with pytest.raises(ValueError, match=r"line [12]"):
        ReplayProvider.from_file("replay", file)
