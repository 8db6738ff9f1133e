"""NeMo Guardrails behind one module: a policy's rail configuration compiled to runnable flows.

`nemoguardrails.guardrails.compiled_rail` is not on that package's public face. Everything this project takes from it
is imported here, the version is pinned, and tests/guardrails/rails/test_nemo.py is the contract. A flow that blocks,
one that raises, one that takes too long and one that cannot run here are four different results.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attending.guardrails.rails.outcome import FlowResult, Stage
from attending.guardrails.rails.watchdog import attempt
from attending.guardrails.rails.yara_rules import FLOW as YARA_FLOW
from attending.guardrails.rails.yara_rules import yara_problems
from pydantic import ValidationError

# The package reports usage to its maker unless told not to before it is imported.
os.environ["NEMO_GUARDRAILS_NO_USAGE_STATS"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

_LOGGERS: Final = ("nemoguardrails", "httpx", "httpcore", "openai")


class RailsConfigError(ValueError):
    """A rail configuration that cannot run anywhere: unknown flow, missing engine, unreadable file.

    `problems` are (flow or file, what is wrong); they come from the configuration, never from a judged text.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"`{flow}`: {problem}" for flow, problem in problems))
        self.reason = "INVALID_RAILS"
        self.problems = problems


class Flows:
    """The compiled flows of one policy. Not thread-safe; made and used inside one guard."""

    def __init__(
        self, compiled: Mapping[tuple[Stage, str], Any], missing: Mapping[str, str], engines: Any = None
    ) -> None:
        self._compiled = dict(compiled)
        self._engines = engines
        self.missing = dict(missing)
        """Flows that are configured rightly but cannot run in this environment, with why."""
        self.awaiting = frozenset(flow for (_stage, flow), rail in compiled.items() if _asks_a_model(rail))
        """Flows that wait for a model, and so may run beside those that burn the processor."""

    @classmethod
    def compile(
        cls,
        folder: Path,
        inputs: Sequence[str],
        outputs: Sequence[str],
        manifests: Sequence[Any],
        retrievals: Sequence[str] = (),
    ) -> Flows:
        """The flows of the NeMo configuration in `folder`, with `manifests` (RailManifest) beside NeMo's own.

        A flow whose dependency is not installed or whose action cannot be imported goes to `missing`. Raises
        RailsConfigError for an unreadable configuration, a flow that no manifest knows in its direction, and a flow
        that names a model type which the configuration does not declare.
        """
        from nemoguardrails import RailsConfig
        from nemoguardrails.guardrails.compiled_rail import (
            RailCompilationError,
            RailDependencies,
            compile_rail,
            unservable_reason,
        )
        from nemoguardrails.guardrails.engine_registry import EngineRegistry
        from nemoguardrails.llm.taskmanager import LLMTaskManager
        from nemoguardrails.manifests import RailDirection, default_rail_catalog, parse_configured_surface
        from nemoguardrails.manifests.catalog import RailCatalog, RailManifestRecord

        silence()
        try:
            config = RailsConfig.from_path(str(folder))
        except Exception as err:
            raise RailsConfigError((("config.yml", _why(err)),)) from None
        own = [RailManifestRecord(manifest=manifest, source=__name__) for manifest in manifests]
        catalog = RailCatalog([*default_rail_catalog().records.values(), *own])
        directions: dict[Stage, Any] = {
            "input": RailDirection.INPUT,
            "retrieval": RailDirection.RETRIEVAL,
            "output": RailDirection.OUTPUT,
        }
        engines = EngineRegistry(config.models) if config.models else None
        dependencies = RailDependencies(
            llms=engines.llms if engines is not None else {},
            llm_task_manager=LLMTaskManager(config) if config.models else None,
            config=config,
        )
        compiled: dict[tuple[Stage, str], Any] = {}
        missing: dict[str, str] = {}
        problems: list[tuple[str, str]] = []
        wanted: list[tuple[Stage, str]] = [("input", flow) for flow in inputs]
        wanted += [("retrieval", flow) for flow in retrievals]
        wanted += [("output", flow) for flow in outputs]
        for direction, flow in wanted:
            unservable = unservable_reason(flow, directions[direction], catalog)
            if unservable is not None:
                problems.append((flow, unservable))
                continue
            name, parameters = parse_configured_surface(flow)
            surface = catalog.surfaces()[(directions[direction], name)]
            undeclared = _undeclared_models(surface, parameters, dependencies.llms)
            if undeclared:
                problems.append((flow, f"needs a model `{undeclared}`, which config.yml does not declare"))
                continue
            try:
                compiled[(direction, flow)] = compile_rail(
                    flow, directions[direction], dependencies, catalog=catalog
                )
            except RailCompilationError as err:
                missing[flow] = str(err)
                continue
            if name == YARA_FLOW:
                problems += [(flow, problem) for problem in yara_problems(config)]
        if problems:
            raise RailsConfigError(tuple(problems))
        return cls(compiled, missing, engines)

    async def close(self) -> None:
        """Closes the clients of the configured models, if any were opened."""
        if self._engines is not None:
            await self._engines.stop()

    async def run(
        self, stage: Stage, flow: str, *, prompt: str, output: str | None, timeout_seconds: float
    ) -> FlowResult:
        """Runs one flow to a result; never raises for what the flow does.

        `output` is what a rail of the output reads as the answer, and a rail of the retrieval as the documents. What
        does not stop when its time is up, and looks for no signals either, is ended by the pool with its process.
        """
        rail = self._compiled.get((stage, flow))
        if rail is None:
            return FlowResult(flow, "missing")

        async def execute() -> Any:
            if self._engines is not None:
                # Opens the clients of the configured models; a second start does nothing.
                await self._engines.start()
            return (await rail.execute([{"role": "user", "content": prompt}], output)).outcome

        # NeMo lets an upstream HTTP failure through; it is a failed rail like any other.
        tried = await attempt(execute(), timeout_seconds)
        outcome = tried.value
        if outcome is None or outcome.failed:
            return tried.result(flow)
        rewritten = next(iter(outcome.transform_text.values()), None) if outcome.is_transform else None
        flagged = outcome.is_blocked or outcome.is_transform
        return FlowResult(
            flow, "flagged" if flagged else "passed", tried.elapsed_ms, outcome.metadata, rewritten
        )


def _why(error: Exception) -> str:
    """What NeMo says of a configuration; its words come from the policy's own files."""
    details = error.errors() if isinstance(error, ValidationError) else []
    return str(details[0]["msg"]) if details else f"{type(error).__name__}: {error}"


def _undeclared_models(surface: Any, parameters: Mapping[str, str], models: Mapping[str, Any]) -> str | None:
    """The first model type that a flow needs and the configuration lacks; also a `$model=` that is not given."""
    for binding in surface.bindings:
        if binding.resource != "model":
            continue
        name = parameters.get(binding.key) if binding.kind == "surface_param" else str(binding.value)
        if name is None:
            if binding.required:
                return f"${binding.key}="
        elif name not in models:
            return name
    return None


def _asks_a_model(rail: Any) -> bool:
    return any(binding.resource == "model" for binding in rail.surface.bindings)


def silence() -> None:
    """NeMo logs the message of an exception and, at debug level, prompts: nothing of it may reach a handler."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
        logger.setLevel(logging.CRITICAL)
