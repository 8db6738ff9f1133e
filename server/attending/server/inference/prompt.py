"""The text that a model is given: the caller's prompt or a registered one, and the documents before it."""

from __future__ import annotations

from collections.abc import Sequence

from attending.server.prompts.registry import PromptRegistry
from attending.server.prompts.template import render
from attending.server.wire.request import MAX_TEXT_CODE_POINTS, InferCall
from attending.server.wire.violations import Violations


async def prompt_of(prompts: PromptRegistry, tenant: str, call: InferCall) -> tuple[str, str | None]:
    """The prompt of a call, and the version of the registered prompt that it was rendered from.

    Raises NotFound for one that is not registered and InvalidRequest for one that renders too long.
    """
    if call.prompt is not None:
        return call.prompt, None
    assert call.prompt_ref is not None
    ref = call.prompt_ref
    found = await prompts.get(tenant, ref.name, version=ref.version, label=ref.label)
    prompt = render(found.template, dict(ref.variables))
    v = Violations()
    v.text(prompt, "prompt_ref", MAX_TEXT_CODE_POINTS)
    v.raise_if_any()
    return prompt, found.version


def compose(prompt: str | None, documents: Sequence[str] | None) -> str:
    """The text that a model is given: the documents in order, each with its number, then the prompt."""
    if prompt is None:
        return ""
    if not documents:
        return prompt
    numbered = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(documents, 1))
    return f"Documents:\n\n{numbered}\n\n{prompt}"
