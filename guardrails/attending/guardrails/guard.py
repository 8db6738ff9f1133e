"""The guard: one door to the rails of every policy, for an input before the model and an output after it.

A guard lives in a worker process (`pool`) or in a command; its methods are plain functions. Nothing fails open: a
rail that raises, takes too long or is missing becomes a finding that holds.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attending.guardrails.finding import Basis, Code, Coverage, Finding, Scope, Severity
from attending.guardrails.patient import Document, Identity, Judged
from attending.guardrails.policy.decide import DecidingRule, decide
from attending.guardrails.policy.load import PolicyError, PolicySet
from attending.guardrails.policy.schema import Audience, Decision, Policy

if TYPE_CHECKING:
    from attending.guardrails.checks.port import KnowledgePort
    from attending.guardrails.phi import PhiDetector, PlaceholderProblem
    from attending.guardrails.rails.nemo import FlowResult, Flows

RailStatus = Literal["passed", "flagged", "raised", "timed_out", "missing"]

RailListener = Callable[[str], None]
"""Called with the name of each rail just before it runs, so that a killed worker's last rail is known."""


@dataclass(frozen=True, slots=True)
class RailRun:
    """One rail of one call. `flagged` means that it found or rewrote something; the last three mean a failure."""

    name: str
    status: RailStatus
    elapsed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class InputDecision:
    """What may be sent to the model. `verdict` follows from the findings of the input alone.

    `prompt_deidentified` is None where de-identification failed: then nothing may be sent. `placeholders` maps each
    placeholder to its original, carries how dates were moved where they were (`phi.Surrogates`), and is PHI.
    """

    verdict: Decision
    findings: tuple[Finding, ...]
    prompt_deidentified: str | None
    documents_deidentified: tuple[str, ...]
    placeholders: Mapping[str, str]
    rail_runs: tuple[RailRun, ...]
    deciding_rules: tuple[DecidingRule, ...]
    policy_hash: str
    elapsed_ms: float

    def __repr__(self) -> str:
        return f"InputDecision(verdict={self.verdict!r}, findings={len(self.findings)})"


@dataclass(frozen=True, slots=True)
class OutputDecision:
    """What becomes of an output; see `policy.decide.Verdict` for verdict, mandatory_review and disposition.

    `output_final` is the restored text that was judged, in NFC unless the call was `exact`; the spans of `findings`
    are into it.
    """

    verdict: Decision
    mandatory_review: bool
    disposition: Decision
    findings: tuple[Finding, ...]
    coverage: Coverage
    rail_runs: tuple[RailRun, ...]
    deciding_rules: tuple[DecidingRule, ...]
    required_roles: tuple[str, ...]
    to_dispose: tuple[int, ...]
    not_enforced: bool
    output_final: str
    knowledge_hash: str
    policy_hash: str
    elapsed_ms: float
    stage_ms: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"OutputDecision(disposition={self.disposition!r}, findings={len(self.findings)})"


class Guard:
    """The rails of every policy, compiled and ready. Used by one thread; not inside a running event loop."""

    def __init__(self, policies: PolicySet, knowledge: KnowledgePort, detector: PhiDetector) -> None:
        """Compiles the flows of each policy. Raises PolicyError where a flow is unknown or lacks its engine."""
        self.policies = policies
        self.knowledge = knowledge
        self.detector = detector
        self._loop = asyncio.new_event_loop()
        self._flows = {name: _compile(policies, name) for name in policies}
        self.on_rail: RailListener = lambda _name: None

    @classmethod
    def load(
        cls,
        policies_path: Path | str,
        *,
        knowledge_path: Path | str | None = None,
        include_drafts: bool = False,
    ) -> Guard:
        """A guard with the policies below `policies_path`, the knowledge pack and the PHI detector loaded.

        Takes a few seconds and no network. Raises PolicyError.
        """
        from attending.guardrails.knowledge import Knowledge
        from attending.guardrails.phi import load_detector

        policies = PolicySet.load(policies_path, include_drafts=include_drafts)
        knowledge = Knowledge.load(None if knowledge_path is None else Path(knowledge_path))
        return cls(policies, knowledge, load_detector(frozenset(knowledge.names())))

    def close(self) -> None:
        """Releases engines and event loop; the guard is not usable afterwards."""
        for flows in self._flows.values():
            self._loop.run_until_complete(flows.close())
        self._loop.close()

    def missing_rails(self) -> dict[str, dict[str, str]]:
        """Policy to flow to reason, for flows that cannot run in this environment."""
        return {name: dict(flows.missing) for name, flows in self._flows.items() if flows.missing}

    def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        for_model: bool = True,
    ) -> InputDecision:
        """Runs the input rails of a policy. Raises KeyError for an unknown policy, nothing for any text.

        Where nothing will be sent to a model (`for_model` false) the text is not de-identified.
        """
        from attending.guardrails.rails import actions
        from attending.guardrails.rails.request import RailRequest

        started = time.perf_counter()
        loaded = self.policies.loaded(policy_name)
        policy = loaded.policy
        request = RailRequest(
            services=self,
            audience=policy.audience,
            prompt=prompt,
            documents=tuple(documents),
            identity=identity,
            deidentify=policy.phi.deidentify and for_model,
            phi_mode=policy.phi.mode,
        )
        runs, findings, results = self._run("input", policy, loaded.input_flows, request, prompt, None)
        phi = next((result for result in results if result.flow == "phi input"), None)
        text: str | None = None
        views: tuple[str, ...] = ()
        placeholders: Mapping[str, str] = {}
        if phi is not None and phi.status in ("passed", "flagged"):
            text = prompt if phi.rewritten is None else phi.rewritten
            views = tuple(phi.metadata[actions.DOCUMENTS])
            placeholders = phi.metadata[actions.PLACEHOLDERS]
        verdict = decide(policy, findings)
        return InputDecision(
            verdict=verdict.verdict,
            findings=findings,
            prompt_deidentified=text,
            documents_deidentified=views,
            placeholders=placeholders,
            rail_runs=runs,
            deciding_rules=tuple(rule for rule in verdict.deciding if rule.finding is not None),
            policy_hash=policy.hash,
            elapsed_ms=_ms_since(started),
        )

    def check_output(
        self,
        policy_name: str,
        judged: Judged,
        *,
        placeholders: Mapping[str, str] | None = None,
        audience: Audience | None = None,
        exact: bool = False,
    ) -> OutputDecision:
        """Restores placeholders, normalises to NFC, runs the output rails and decides.

        `placeholders` is the mapping of the call's `check_input`; None where the output never held any (an edit by a
        reviewer). `audience` overrides the policy's. `exact` judges the text as it is, for offsets into a file.
        Raises KeyError for an unknown policy, nothing for any text.
        """
        from attending.guardrails.rails.request import RailRequest

        started = time.perf_counter()
        loaded = self.policies.loaded(policy_name)
        policy = loaded.policy
        restored, problems, failures = _restore(judged.output, placeholders, exact=exact)
        restored_ms = _ms_since(started)
        judged = replace(judged, output=restored)
        request = RailRequest(
            services=self,
            audience=audience or policy.audience,
            prompt=judged.prompt or "",
            documents=judged.documents,
            identity=judged.context.identity,
            judged=judged,
            placeholder_problems=problems,
        )
        runs, found, _results = self._run(
            "output", policy, loaded.output_flows, request, judged.prompt or "", restored
        )
        findings = (*failures, *found)
        verdict = decide(policy, findings, audience=audience)
        return OutputDecision(
            verdict=verdict.verdict,
            mandatory_review=verdict.mandatory_review,
            disposition=verdict.disposition,
            findings=findings,
            coverage=request.coverage,
            rail_runs=runs,
            deciding_rules=verdict.deciding,
            required_roles=verdict.required_roles,
            to_dispose=verdict.to_dispose,
            not_enforced=verdict.not_enforced,
            output_final=restored,
            knowledge_hash=self.knowledge.hash,
            policy_hash=policy.hash,
            elapsed_ms=_ms_since(started),
            stage_ms={"restore": restored_ms, **{run.name: run.elapsed_ms for run in runs}},
        )

    def check_record(
        self, policy_name: str, judged: Judged, *, audience: Audience | None = None
    ) -> OutputDecision:
        """`check_output` of a text judged exactly as it is, together with the input rails over its prompt and
        documents: what `Record` and `attending check` ask. Findings of the input come last.
        """
        decision = self.check_output(policy_name, judged, audience=audience, exact=True)
        if judged.prompt is None and not judged.documents:
            return decision
        given = self.check_input(
            policy_name, judged.prompt or "", judged.documents, judged.context.identity, for_model=False
        )
        findings = (*decision.findings, *given.findings)
        verdict = decide(self.policies[policy_name], findings, audience=audience)
        return replace(
            decision,
            verdict=verdict.verdict,
            mandatory_review=verdict.mandatory_review,
            disposition=verdict.disposition,
            findings=findings,
            rail_runs=(*given.rail_runs, *decision.rail_runs),
            deciding_rules=verdict.deciding,
            required_roles=verdict.required_roles,
            to_dispose=verdict.to_dispose,
            not_enforced=verdict.not_enforced,
            elapsed_ms=decision.elapsed_ms + given.elapsed_ms,
            stage_ms={"input": given.elapsed_ms, **decision.stage_ms},
        )

    def _run(
        self,
        direction: Literal["input", "output"],
        policy: Policy,
        names: Sequence[str],
        request: Any,
        prompt: str,
        output: str | None,
    ) -> tuple[tuple[RailRun, ...], tuple[Finding, ...], list[FlowResult]]:
        from attending.guardrails.rails.request import serving

        flows = self._flows[policy.name]

        async def all_flows() -> list[FlowResult]:
            results = []
            for name in names:
                self.on_rail(name)
                results.append(
                    await flows.run(
                        direction,
                        name,
                        prompt=prompt,
                        output=output,
                        timeout_seconds=policy.rails.timeout_ms / 1000,
                    )
                )
            return results

        with serving(request):
            results = self._loop.run_until_complete(all_flows())
        runs = tuple(RailRun(result.flow, result.status, result.elapsed_ms) for result in results)
        findings = [finding for result in results for finding in _findings(result, policy)]
        return runs, tuple(findings), results


def rail_failure(rail: str, status: str) -> Finding:
    """The finding of a rail that could not judge; the message names the rail and what happened, nothing else."""
    what = {
        "raised": "failed",
        "timed_out": "took too long",
        "missing": "cannot run on this server",
        "crashed": "lost its process",
    }[status]
    return Finding(
        rail=rail,
        code=Code.RAIL_FAILURE,
        rule_id=f"rail:{status}",
        severity=Severity.MAJOR,
        scope=Scope.MENTION,
        start=0,
        end=0,
        text="",
        basis=Basis.RULE,
        source="attending.guardrails.guard",
        message=f"the rail `{rail}` {what}, so this text has not been judged by it",
    )


def _findings(result: FlowResult, policy: Policy) -> tuple[Finding, ...]:
    from attending.guardrails.rails.actions import FINDINGS
    from attending.guardrails.rails.catalog import OWN_FLOWS

    if result.status in ("raised", "timed_out", "missing"):
        return (rail_failure(result.flow, result.status),)
    if result.flow in OWN_FLOWS:
        return tuple(result.metadata.get(FINDINGS, ()))
    if result.status == "passed":
        return ()
    return (
        Finding(
            rail=result.flow,
            code=policy.rails.codes[result.flow],
            rule_id=f"nemo:{result.flow.split('$')[0].strip().replace(' ', '_')}",
            severity=policy.rails.severities.get(result.flow, Severity.MAJOR),
            scope=Scope.MENTION,
            start=0,
            end=0,
            text="",
            basis=Basis.RULE,
            source=f"policy {policy.name}: rails/config.yml",
            message=f"the rail `{result.flow}` that this policy configures refuses the text",
        ),
    )


def _restore(
    output: str, placeholders: Mapping[str, str] | None, *, exact: bool
) -> tuple[str, tuple[PlaceholderProblem, ...], tuple[Finding, ...]]:
    """The text to judge, the placeholder problems with spans into it, and the failures of restoring."""

    def normalise(text: str) -> str:
        return text if exact else unicodedata.normalize("NFC", text)

    from attending.guardrails.phi import restore

    try:
        restored = restore(output, placeholders or {})
    except Exception:
        return normalise(output), (), (rail_failure("phi restore", "raised"),)
    problems = restored.problems
    if not placeholders:
        # No placeholder was ever given out, so only what stands in brackets is surely one that somebody left.
        problems = tuple(problem for problem in problems if output[problem.start] == "[")
    text = normalise(restored.text)
    return text, _locate(problems, text, normalised=not exact), ()


def _locate(
    problems: Sequence[PlaceholderProblem], text: str, *, normalised: bool
) -> tuple[PlaceholderProblem, ...]:
    """`problems` with spans into the restored `text`; what shows nowhere there is about the whole text."""
    located = []
    at = 0
    for problem in sorted(problems, key=lambda p: p.start):
        word = unicodedata.normalize("NFC", problem.shown) if normalised else problem.shown
        start = text.find(word, at) if word else -1
        if start < 0:
            located.append(replace(problem, start=0, end=0))
            continue
        at = start + len(word)
        located.append(replace(problem, start=start, end=at))
    return tuple(located)


def _compile(policies: PolicySet, name: str) -> Flows:
    from attending.guardrails.rails.catalog import manifests
    from attending.guardrails.rails.nemo import Flows, RailsConfigError

    loaded = policies.loaded(name)
    try:
        return Flows.compile(loaded.rails_folder, loaded.input_flows, loaded.output_flows, manifests())
    except RailsConfigError as err:
        raise PolicyError(
            name, tuple((f"rails/config.yml: {flow}", why) for flow, why in err.problems)
        ) from None


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
