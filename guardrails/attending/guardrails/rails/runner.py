"""All rails of one policy: which run at which stage, within which limits, and what each of them gave.

Rails do not read each other's results, so their order decides nothing. Those that wait for a model run beside those
that burn the processor; these run one after another, since one process has one interpreter lock: side by side they
would take as long and be harder to stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from attending.guardrails.policy.load import LoadedPolicy
from attending.guardrails.policy.schema import Rails, ValidatorRail
from attending.guardrails.rails.catalog import DIALOG_FLOW, OWN_FLOWS, PHI_FLOW, manifests
from attending.guardrails.rails.dialog import Dialog
from attending.guardrails.rails.nemo import Flows
from attending.guardrails.rails.outcome import FlowResult, Stage
from attending.guardrails.rails.sound import sound_findings, sound_views
from attending.guardrails.rails.validators import Validator, ValidatorMissingError
from attending.guardrails.rails.version import own_version, package_version

NOT_LOADED: Final = "none"
"""The version of a rail that cannot run here."""


@dataclass(frozen=True, slots=True)
class RailTexts:
    """What the rails of one call read. `output` is None before the model has answered."""

    prompt: str
    documents: tuple[str, ...] = ()
    output: str | None = None

    def of(self, stage: Stage) -> tuple[str, ...]:
        """The texts that a stage judges."""
        if stage == "input":
            return (self.prompt,)
        return self.documents if stage == "retrieval" else (self.output or "",)

    def characters(self, stage: Stage) -> int:
        """How much a rail of the stage is given: of the input, the documents too."""
        given = (self.prompt, *self.documents) if stage == "input" else self.of(stage)
        return sum(map(len, given))


UNHURRIED_SECONDS: Final = 120.0

Masked = Callable[[RailTexts, FlowResult | None], RailTexts]
"""The texts without identifiers, for a rail that asks a model; given what `phi input` made of them, where it ran."""


class PolicyRails:
    """The rails of one policy, ready. Not thread-safe; made and used inside one guard."""

    def __init__(
        self,
        limits: Rails,
        stages: Mapping[Stage, Sequence[str]],
        flows: Flows,
        validators: Mapping[str, Validator | ValidatorRail],
        dialog: Dialog | None,
        missing: Mapping[str, str],
    ) -> None:
        self._limits = limits
        self._stages = stages
        self._flows = flows
        self._validators = validators
        self._dialog = dialog
        self.missing = dict(missing)
        """Rails that are configured rightly but cannot run in this environment, with why."""
        self._awaiting = set(flows.awaiting)
        if dialog is not None and dialog.asks_model:
            self._awaiting.add(DIALOG_FLOW)

    @classmethod
    def compile(cls, loaded: LoadedPolicy, *, model: Any = None) -> PolicyRails:
        """The rails of a policy; `model` stands in for the `main` model of its dialog flows.

        Raises RailsConfigError for what can run nowhere. What cannot run here goes to `missing`, and holds.
        """
        policy = loaded.policy
        stages: dict[Stage, Sequence[str]] = {
            "input": loaded.input_flows,
            "retrieval": loaded.retrieval_flows,
            "output": loaded.output_flows,
        }
        flows = Flows.compile(
            loaded.rails_folder, stages["input"], stages["output"], manifests(), stages["retrieval"]
        )
        missing = dict(flows.missing)
        dialog = None
        if policy.rails.dialog is not None:
            dialog = Dialog.compile(loaded.rails_folder, model)
            stages["input"] = (*stages["input"], DIALOG_FLOW)
        validators: dict[str, Validator | ValidatorRail] = {}
        for spec in policy.rails.validators:
            stages[spec.stage] = (*stages[spec.stage], spec.name)
            try:
                validators[spec.name] = Validator.make(spec)
            except ValidatorMissingError as err:
                validators[spec.name] = spec
                missing[spec.name] = str(err)
        return cls(policy.rails, stages, flows, validators, dialog, missing)

    async def close(self) -> None:
        """Closes the clients of the configured models, if any were opened."""
        await self._flows.close()

    def names(self, *stages: Stage) -> tuple[str, ...]:
        """The rails of these stages, in order."""
        return tuple(name for stage in stages for name in self._stages[stage])

    def version(self, rail: str) -> str:
        """Which code and tables the rail runs with; NOT_LOADED where it cannot."""
        if rail in self.missing:
            return NOT_LOADED
        if rail in OWN_FLOWS:
            return own_version()
        validator = self._validators.get(rail)
        if isinstance(validator, Validator):
            return validator.version
        if rail == DIALOG_FLOW and self._dialog is not None:
            return self._dialog.version
        return package_version("nemoguardrails")

    async def run(
        self,
        stages: Sequence[Stage],
        texts: RailTexts,
        *,
        masked: Masked,
        on_rail: Callable[[str], None] = lambda _name: None,
        unhurried: bool = False,
    ) -> list[FlowResult]:
        """The results of every rail of `stages`, in order, within the budget of one call; never raises.

        `on_rail` is called with the name of each rail just before it runs. `masked` is asked only where a rail asks a
        model. `unhurried` gives every rail UNHURRIED_SECONDS, for a first call that builds tables.
        """
        own = UNHURRIED_SECONDS if unhurried else None
        until = time.monotonic() + (own or self._limits.budget_ms / 1000)
        planned = [(stage, name) for stage in stages for name in self._stages[stage]]
        results: dict[str, FlowResult] = {}
        waiting: dict[str, asyncio.Task[FlowResult]] = {}
        if any(name in self._awaiting for _stage, name in planned):
            if ("input", PHI_FLOW) in planned:
                # What it replaces need not be looked for again before a model is asked.
                on_rail(PHI_FLOW)
                results[PHI_FLOW] = await self._one("input", PHI_FLOW, texts, until, own)
            for stage, name in planned:
                if name in self._awaiting:
                    on_rail(name)
                    work = self._asking(stage, name, texts, masked, results.get(PHI_FLOW), until, own)
                    waiting[name] = asyncio.create_task(work)
        for stage, name in planned:
            if name in waiting or name in results:
                continue
            if waiting:
                await asyncio.sleep(0)
            on_rail(name)
            results[name] = await self._one(stage, name, texts, until, own)
        for name, task in waiting.items():
            results[name] = await task
        return [results[name] for _stage, name in planned]

    async def _asking(
        self,
        stage: Stage,
        name: str,
        texts: RailTexts,
        masked: Masked,
        replaced: FlowResult | None,
        until: float,
        own: float | None,
    ) -> FlowResult:
        try:
            shown = masked(texts, replaced)
        except Exception as err:
            # Nothing is shown to a model that may hold an identifier.
            return FlowResult(name, "raised", error_type=type(err).__name__)
        return await self._one(stage, name, shown, until, own)

    async def _one(
        self, stage: Stage, name: str, texts: RailTexts, until: float, own: float | None
    ) -> FlowResult:
        if texts.characters(stage) > self._limits.max_characters_of(name):
            return FlowResult(name, "too_long")
        own = own or self._limits.timeout_ms_of(name) / 1000
        left = until - time.monotonic()
        if left <= 0:
            return FlowResult(name, "over_budget")
        try:
            result = await self._start(stage, name, texts, min(own, left))
        except Exception as err:
            # A rail never raises here; if it did after all, it has not judged the text.
            return FlowResult(name, "raised", error_type=type(err).__name__)
        if result.status == "timed_out" and left < own:
            return replace(result, status="over_budget")
        return result if self._sound(stage, result, texts) else _nonsense(result)

    def _start(self, stage: Stage, name: str, texts: RailTexts, seconds: float) -> Awaitable[FlowResult]:
        validator = self._validators.get(name)
        if isinstance(validator, Validator):
            return validator.run(texts.of(stage), texts.prompt, texts.documents, seconds)
        if name == DIALOG_FLOW and self._dialog is not None:
            return self._dialog.run(texts.prompt, seconds)
        read = "\n\n".join(texts.documents) if stage == "retrieval" else texts.output
        return self._flows.run(stage, name, prompt=texts.prompt, output=read, timeout_seconds=seconds)

    def _sound(self, stage: Stage, result: FlowResult, texts: RailTexts) -> bool:
        from attending.guardrails.rails.actions import DOCUMENTS, FINDINGS, PLACEHOLDERS

        if result.failed:
            return True
        judged = texts.output if stage == "output" else None
        if result.flow in OWN_FLOWS or result.flow in self._validators:
            found = result.metadata.get(FINDINGS, ())
            if not sound_findings(found, judged) or (
                result.status == "flagged" and not found and not result.rewritten
            ):
                return False
        if result.flow == PHI_FLOW:
            given = result.metadata
            return sound_views(given.get(DOCUMENTS), given.get(PLACEHOLDERS), len(texts.documents))
        return True


def _nonsense(result: FlowResult) -> FlowResult:
    return FlowResult(result.flow, "nonsense", result.elapsed_ms, interrupted=result.interrupted)
