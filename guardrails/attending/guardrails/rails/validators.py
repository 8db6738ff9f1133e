"""Validators of Guardrails AI as rails: what a policy lists under `rails.validators`.

The package comes with its own telemetry switched on, and with a way to send a text to its maker's hub for judgement.
Both are off here before any validator's module is imported. Of the package only the class is used, not its `Guard`,
which brings clients of models along: a rail calls `validate` and reads the result.

A validator runs on a copy of the text and judges it, no more: a text that it would put in place is noted and not
used, since nothing has judged that one.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from attending.guardrails.finding import Basis, Finding, Scope
from attending.guardrails.policy.schema import ValidatorRail
from attending.guardrails.rails.actions import FINDINGS
from attending.guardrails.rails.outcome import FlowResult
from attending.guardrails.rails.version import class_version, package_version
from attending.guardrails.rails.watchdog import attempt

DISTRIBUTION: Final = "guardrails-ai"
OFFERED: Final = "attending_offered_text"
"""In a result's metadata: that the validator would put another text in place."""


class ValidatorMissingError(Exception):
    """A validator that cannot be had in this environment; the message comes from the policy, never from a text."""


class Validator:
    """One configured validator. Not thread-safe; made and used inside one guard."""

    def __init__(self, spec: ValidatorRail, instance: Any, cls: type[Any], base: type[Any]) -> None:
        self.spec = spec
        self.version = f"{package_version(DISTRIBUTION)}+{class_version(cls)}"
        self._instance = instance
        self._state = _state(instance)
        own_await = cls.async_validate is not base.async_validate
        self._ask = instance.async_validate if own_await else _asynchronous(instance)

    @classmethod
    def make(cls, spec: ValidatorRail) -> Validator:
        """The validator that `spec` names, made with its arguments.

        Raises ValidatorMissingError where the package or the class is not installed, or it refuses its arguments.
        """
        base = _base()
        module_name, _, class_name = spec.import_.partition(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name)
        except Exception as err:
            # An import runs the module's code, which may raise anything.
            raise ValidatorMissingError(
                f"`{spec.import_}` cannot be imported ({type(err).__name__})"
            ) from None
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ValidatorMissingError(f"`{spec.import_}` is not a `Validator` of {DISTRIBUTION}")
        try:
            # `noop`: what a failure leads to is the policy's business, and nothing of the package acts on it.
            instance = found(**copy.deepcopy(dict(spec.arguments)), on_fail="noop")
        except Exception as err:
            raise ValidatorMissingError(
                f"`{spec.import_}` refuses its arguments ({type(err).__name__})"
            ) from None
        if not getattr(instance, "use_local", True):
            raise ValidatorMissingError(f"`{spec.import_}` sends texts to a remote service")
        return cls(spec, instance, found, base)

    async def run(
        self, texts: Sequence[str], prompt: str, documents: Sequence[str], timeout_seconds: float
    ) -> FlowResult:
        """Whether each of `texts` passes, all within the time. Never raises for what the validator does."""
        name = self.spec.name
        metadata = {"prompt": prompt, "documents": list(documents)}
        given = copy.deepcopy(metadata)
        tried = await attempt(self._validate(texts, metadata), timeout_seconds)
        if tried.value is None:
            return tried.result(name)
        if metadata != given:
            # It changed what the other rails judge by, or meant to: it is not what its author says it is.
            return FlowResult(name, "nonsense", tried.elapsed_ms, error_type="MutatedInput")
        read = self._read(tried.value, texts)
        if read is None:
            return FlowResult(name, "nonsense", tried.elapsed_ms, error_type="NotAValidationResult")
        return FlowResult(name, "flagged" if read[FINDINGS] else "passed", tried.elapsed_ms, read)

    async def _validate(self, texts: Sequence[str], metadata: dict[str, Any]) -> list[Any]:
        results = []
        for text in texts:
            # What one text leaves in the object is gone before the next: chunks, caches, a last value.
            self._reset()
            try:
                results.append(await self._ask(text, metadata))
            finally:
                self._reset()
        return results

    def _reset(self) -> None:
        vars(self._instance).clear()
        vars(self._instance).update(copy.deepcopy(self._state))

    def _read(self, results: Sequence[Any], texts: Sequence[str]) -> dict[str, Any] | None:
        findings: list[Finding] = []
        offered = False
        for result, text in zip(results, texts, strict=True):
            read = _read(result, text, self.spec)
            if read is None:
                return None
            findings += read[0]
            offered = offered or read[1]
        return {FINDINGS: tuple(findings), OFFERED: offered}


def switch_off() -> None:
    """Sets what keeps the package and what it is built on from reporting; before they are imported."""
    os.environ["OTEL_SDK_DISABLED"] = "true"
    for name in ("LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGSMITH_TRACING_V2"):
        os.environ[name] = "false"


def _base() -> type[Any]:
    """The package's `Validator`, with its reports off; raises ValidatorMissingError."""
    switch_off()
    try:
        from guardrails.classes.rc import RC
        from guardrails.settings import settings
        from guardrails.validator_base import Validator as Base
    except Exception as err:
        raise ValidatorMissingError(f"{DISTRIBUTION} cannot be imported ({type(err).__name__})") from None
    # Whatever a file in somebody's home says: no metrics, and nothing is judged elsewhere.
    settings.rc = RC(enable_metrics=False, use_remote_inferencing=False)
    return Base  # type: ignore[no-any-return]


def _state(instance: Any) -> dict[str, Any]:
    try:
        return copy.deepcopy(vars(instance))
    except Exception:
        raise ValidatorMissingError(
            f"`{type(instance).__name__}` keeps what cannot be copied, so one text could reach the next"
        ) from None


def _asynchronous(instance: Any) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
    async def ask(text: str, metadata: dict[str, Any]) -> Any:
        result = instance.validate(text, metadata)
        return await result if inspect.isawaitable(result) else result

    return ask


def _read(result: Any, text: str, spec: ValidatorRail) -> tuple[tuple[Finding, ...], bool] | None:
    """The findings, and whether another text is offered; None for an answer that is none."""
    from guardrails.validator_base import FailResult, PassResult

    outcome = getattr(result, "outcome", None)
    if isinstance(result, PassResult) and outcome == "pass":
        other = result.value_override
        return (), isinstance(other, str) and other != text
    if not isinstance(result, FailResult) or outcome != "fail":
        return None
    spans = _spans(result, text)
    if spans is None or not (result.fix_value is None or isinstance(result.fix_value, str)):
        return None
    offered = result.fix_value is not None and result.fix_value != text
    return tuple(_finding(spec, text, start, end, offered) for start, end in spans), offered


def _spans(result: Any, text: str) -> list[tuple[int, int]] | None:
    """Where the validator points at, one place for the whole text without any; None for places outside of it."""
    spans = getattr(result, "error_spans", None)
    if not spans:
        return [(0, 0)]
    placed = []
    for span in spans:
        start, end = getattr(span, "start", None), getattr(span, "end", None)
        if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(text):
            return None
        placed.append((start, end))
    return placed


def _finding(spec: ValidatorRail, text: str, start: int, end: int, offered: bool) -> Finding:
    # Offsets are into the output; what points into a prompt or document is about the request.
    if spec.stage != "output":
        start = end = 0
    other = " and offers another text, which is not used" if offered else ""
    return Finding(
        rail=spec.name,
        code=spec.code,
        rule_id=f"validator:{spec.name.replace(' ', '_')}",
        severity=spec.severity,
        scope=Scope.MENTION,
        start=start,
        end=end,
        text=text[start:end],
        basis=Basis.RULE,
        source=f"validator {spec.import_}",
        message=f"the validator `{spec.name}` that this policy lists refuses the text{other}",
    )
