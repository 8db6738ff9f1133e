"""A policy's own Colang dialog flows over the prompt, by NeMo's `LLMRails`.

The flows are those of the `*.co` files in the policy's `rails` folder (Colang 1.0). NeMo finds which of the flows'
examples the prompt is like, by the model that `config.yml` declares as `main` or, with `embeddings_only`, without
one. A flow that answers the user itself has caught the prompt, and its rail blocks; a prompt that no flow speaks of
passes. What the flow says is never sent anywhere.

`LLMRails` keeps each conversation in a cache without bound, and the last one in its explanation. Here a call leaves
nothing: it runs on an explicit empty state, in a context of its own, and what NeMo sets all the same is emptied.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from attending.guardrails.rails.catalog import DIALOG_FLOW as FLOW
from attending.guardrails.rails.nemo import RailsConfigError, silence
from attending.guardrails.rails.outcome import FlowResult
from attending.guardrails.rails.version import folder_version, package_version
from attending.guardrails.rails.watchdog import attempt

_INDEX: Final = "attending_words"
_ERROR_INTENT: Final = "inform internal error occurred"
# Below a policy's own flows, which have priority 1, and above NeMo's, which would ask the model what to say.
_LET_THROUGH: Final = """
define flow attending let through
  priority 0.95
  user ...
  execute attending_let_through
  stop
"""
_CODE: Final = ("config.py", "actions.py", "actions")


class ForgetfulCache(dict[str, Any]):
    """A conversation cache that keeps nothing: what NeMo puts in it is gone at once."""

    def __setitem__(self, key: str, value: Any) -> None:
        """Drops the value."""


class Dialog:
    """The dialog flows of one policy. Not thread-safe; made and used inside one guard."""

    def __init__(self, rails: Any, version: str, *, asks_model: bool) -> None:
        self._rails = rails
        self.version = version
        self.asks_model = asks_model

    @classmethod
    def compile(cls, folder: Path, model: Any = None) -> Dialog:
        """The flows of the NeMo configuration in `folder`; `model` (NeMo's `LLMModel`) in place of its `main` one.

        Raises RailsConfigError where there are none, where they are not Colang 1.0, where the folder brings code
        (it is data that a safety officer owns) and where intents need a model that is not declared.
        """
        from nemoguardrails import LLMRails, RailsConfig
        from nemoguardrails.colang import parse_colang_file
        from nemoguardrails.rails.llm.config import EmbeddingSearchProvider

        silence()
        code = [name for name in _CODE if (folder / name).exists()]
        if code:
            raise RailsConfigError(
                ((code[0], "is code, which no policy brings along; install it as a package"),)
            )
        try:
            config = RailsConfig.from_path(str(folder))
            if config.colang_version != "1.0":
                raise RailsConfigError((("config.yml", "dialog flows are read as Colang 1.0 only"),))
            if not config.user_messages or not config.flows:
                raise RailsConfigError(((FLOW, "no `*.co` file defines what a user says and a flow"),))
            by_words = config.rails.dialog.user_messages.embeddings_only
            if model is None and not by_words and not any(m.type == "main" for m in config.models):
                raise RailsConfigError(
                    ((FLOW, "needs a `main` model or `dialog.user_messages.embeddings_only`"),)
                )
            if config.actions_server_url:
                raise RailsConfigError((("config.yml", "`actions_server_url` would send texts elsewhere"),))
            config.tracing.enabled = False
            # Everything else that the folder configures runs elsewhere, or not at all (a knowledge base).
            config.rails.input.flows, config.rails.output.flows, config.rails.retrieval.flows = [], [], []
            config.docs = []
            config.core.embedding_search_provider = EmbeddingSearchProvider(name=_INDEX)
            config.rails.dialog.user_messages.embeddings_only_fallback_intent = "anything else"
            config.flows += parse_colang_file("attending.co", _LET_THROUGH)["flows"]
            rails = LLMRails(config, llm=model)
        except RailsConfigError:
            raise
        except Exception as err:
            raise RailsConfigError(((FLOW, f"{type(err).__name__}: {err}"),)) from None
        rails.events_history_cache = ForgetfulCache()
        rails.register_embedding_search_provider(_INDEX, words_index())
        rails.register_action(_let_through, name="attending_let_through")
        version = f"{package_version('nemoguardrails')}+{folder_version(folder, '*.co')}"
        return cls(rails, version, asks_model=not by_words)

    async def run(self, prompt: str, timeout_seconds: float) -> FlowResult:
        """Flagged where a flow of the policy answers `prompt` itself; never raises for what flows or model do."""
        try:
            # A task of its own: NeMo leaves prompts in context variables, which end with the task's context.
            tried = await attempt(self._answer(prompt), timeout_seconds)
        finally:
            self._forget()
        if tried.value is None:
            return tried.result(FLOW)
        return FlowResult(FLOW, "flagged" if tried.value else "passed", tried.elapsed_ms)

    async def _answer(self, prompt: str) -> bool | None:
        """Whether a flow answered; None where NeMo says that something inside it failed."""
        options = {"rails": {"input": False, "output": False, "retrieval": False, "dialog": True}}
        reply = await self._rails.generate_async(
            messages=[{"role": "user", "content": prompt}], options=options, state={}
        )
        events = reply.state["events"]
        if any(event.get("intent") == _ERROR_INTENT for event in events):
            return None
        failed = [event for event in events if event.get("type") == "InternalSystemActionFinished"]
        if any(event.get("status") != "success" for event in failed):
            return None
        return any(event.get("type") == "StartUtteranceBotAction" for event in events)

    def _forget(self) -> None:
        self._rails._explain_info = None
        self._rails.events_history_cache.clear()


async def _let_through() -> bool:
    return True


def words_index() -> type[Any]:
    """An index of NeMo's that compares words, in place of its default, which downloads a model."""
    from nemoguardrails.embeddings.index import EmbeddingsIndex

    class WordsIndex(EmbeddingsIndex):  # type: ignore[misc]
        """Items by the share of words in common (Dice's coefficient over word counts), best first."""

        def __init__(self, **_parameters: Any) -> None:
            self._items: list[tuple[Counter[str], Any]] = []

        async def add_item(self, item: Any) -> None:
            self._items.append((_words(item.text), item))

        async def add_items(self, items: Sequence[Any]) -> None:
            for item in items:
                await self.add_item(item)

        async def search(self, text: str, max_results: int, threshold: float | None = None) -> list[Any]:
            asked = _words(text)
            scored = sorted(
                ((_alike(asked, words), item) for words, item in self._items), key=lambda s: -s[0]
            )
            return [item for score, item in scored[:max_results] if score > 0 and score >= (threshold or 0.0)]

    return WordsIndex


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text.casefold()))


def _alike(left: Counter[str], right: Counter[str]) -> float:
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0
