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
from typing import TYPE_CHECKING, Any, Final

from attending.guardrails.citation import Citation
from attending.guardrails.finding import Basis, Code, Coverage, Finding, Scope, Severity
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.decide import DecidingRule, decide
from attending.guardrails.policy.load import PolicyError, PolicySet
from attending.guardrails.policy.schema import Audience, Decision, Policy
from attending.guardrails.rails.outcome import FAILURES, FlowResult, RailDecision, RailStatus, Stage

if TYPE_CHECKING:
    from attending.guardrails.checks.port import KnowledgePort
    from attending.guardrails.checks.rests_on import Grounds
    from attending.guardrails.phi import PhiDetector, PlaceholderProblem
    from attending.guardrails.rails.request import RailRequest
    from attending.guardrails.rails.runner import PolicyRails, RailTexts

RailListener = Callable[[str], None]
"""Called with the name of each rail just before it runs, so that a killed worker's last rail is known."""


@dataclass(frozen=True, slots=True)
class RailRun:
    """One rail of one call. `flagged` means that it found or rewrote something; a failure, that it did not judge.

    `version` names the code and tables it ran with. `transforms` are the texts that it rewrote (`prompt`,
    `documents`) or would rewrite (`offered`, which is not used).
    """

    name: str
    status: RailStatus
    elapsed_ms: float = 0.0
    version: str = ""
    decision: RailDecision = "none"
    transforms: tuple[str, ...] = ()
    error_type: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the text has not been judged by this rail."""
        return self.status in FAILURES


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
    citations: tuple[Citation, ...] = ()
    """What each claim of `output_final` rests on; empty without documents."""
    grounds: Grounds | None = None
    """What findings about drugs rest on; None where the clinical checks did not end."""

    def __repr__(self) -> str:
        return f"OutputDecision(disposition={self.disposition!r}, findings={len(self.findings)})"


class Guard:
    """The rails of every policy, compiled and ready. Used by one thread; not inside a running event loop.

    On the main thread a rail that burns the processor is stopped when its time is up, elsewhere only one that awaits.
    """

    def __init__(
        self,
        policies: PolicySet,
        knowledge: KnowledgePort,
        detector: PhiDetector,
        *,
        dialog_model: Any = None,
    ) -> None:
        """Compiles the flows of each policy. Raises PolicyError where a flow is unknown or lacks its engine.

        `dialog_model` (NeMo's `LLMModel`) stands in for the `main` model of policies with dialog flows.
        """
        self.policies = policies
        self.knowledge = knowledge
        self.detector = detector
        self._loop = asyncio.new_event_loop()
        self._rails = {name: _compile(policies, name, dialog_model) for name in policies}
        self.on_rail: RailListener = lambda _name: None
        self._unhurried = False
        self.interrupted = 0
        """How many rails were stopped in the middle of their code. After the first a process is best replaced."""

    @classmethod
    def load(
        cls,
        policies_path: Path | str,
        *,
        knowledge_path: Path | str | None = None,
        include_drafts: bool = False,
    ) -> Guard:
        """A guard with the policies below `policies_path`, the knowledge pack and the PHI detector loaded and warm.

        Takes a few seconds and no network. Raises PolicyError.
        """
        from attending.guardrails.knowledge import Knowledge
        from attending.guardrails.phi import load_detector

        policies = PolicySet.load(policies_path, include_drafts=include_drafts)
        knowledge = Knowledge.load(None if knowledge_path is None else Path(knowledge_path))
        guard = cls(policies, knowledge, load_detector(frozenset(knowledge.names())))
        guard.warm()
        return guard

    def warm(self) -> None:
        """One call through every rail, in its own time: the first real one pays for no import, table or cache."""
        self._unhurried = True
        try:
            for name in self.policies:
                self.check_input(name, "Please write to the patient about the visit on Monday.")
                self.check_output(
                    name, Judged("Take 500 mg of acetaminophen every 6 hours.", "What to take?")
                )
        finally:
            self._unhurried = False

    def close(self) -> None:
        """Releases engines and event loop; the guard is not usable afterwards."""
        for rails in self._rails.values():
            self._loop.run_until_complete(rails.close())
        self._loop.close()

    def missing_rails(self) -> dict[str, dict[str, str]]:
        """Policy to flow to reason, for flows that cannot run in this environment."""
        return {name: dict(rails.missing) for name, rails in self._rails.items() if rails.missing}

    def rail_names(self, policy_name: str, *stages: Stage) -> tuple[str, ...]:
        """The rails that run for a policy at these stages, in order. Raises KeyError for an unknown policy."""
        return self._rails[policy_name].names(*stages)

    def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        patient: PatientContext | None = None,
        for_model: bool = True,
    ) -> InputDecision:
        """Runs the rails of input and retrieval. Raises KeyError for an unknown policy, nothing for any text.

        `patient` is whom the documents must be about; `identity` alone where nothing else is known. Where nothing will
        be sent to a model (`for_model` false) the text is not de-identified.
        """
        from attending.guardrails.rails import actions
        from attending.guardrails.rails.request import RailRequest
        from attending.guardrails.rails.runner import RailTexts

        started = time.perf_counter()
        policy = self.policies[policy_name]
        request = RailRequest(
            services=self,
            audience=policy.audience,
            prompt=prompt,
            documents=tuple(documents),
            identity=identity,
            patient=patient,
            document_limits=policy.documents,
            deidentify=policy.phi.deidentify and for_model,
            phi_mode=policy.phi.mode,
            scope=policy.scope,
        )
        texts = RailTexts(prompt, tuple(document.text for document in documents))
        runs, findings, results = self._run(("input", "retrieval"), policy, request, texts)
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
        from attending.guardrails.rails.runner import RailTexts

        started = time.perf_counter()
        policy = self.policies[policy_name]
        restored, problems, failures = put_back(judged.output, placeholders, exact=exact)
        restored_ms = _ms_since(started)
        judged = replace(judged, output=restored)
        request = RailRequest(
            services=self,
            audience=audience or policy.audience,
            prompt=judged.prompt or "",
            documents=judged.documents,
            identity=judged.context.identity,
            judged=judged,
            document_limits=policy.documents,
            placeholder_problems=problems,
            scope=policy.scope,
        )
        texts = RailTexts(judged.prompt or "", tuple(d.text for d in judged.documents), restored)
        runs, found, _results = self._run(("output",), policy, request, texts)
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
            citations=request.citations,
            grounds=request.grounds,
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
            policy_name,
            judged.prompt or "",
            judged.documents,
            judged.context.identity,
            patient=judged.context,
            for_model=False,
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
        self, stages: Sequence[Stage], policy: Policy, request: RailRequest, texts: RailTexts
    ) -> tuple[tuple[RailRun, ...], tuple[Finding, ...], list[FlowResult]]:
        from attending.guardrails.rails.actions import DOCUMENTS
        from attending.guardrails.rails.request import serving

        rails = self._rails[policy.name]

        def masked(texts: RailTexts, replaced: FlowResult | None) -> RailTexts:
            if not policy.phi.deidentify:
                return texts
            if replaced is None or not request.deidentify:
                return _masked(texts, self.detector, request.identity)
            return replace(
                texts,
                prompt=texts.prompt if replaced.rewritten is None else replaced.rewritten,
                documents=tuple(replaced.metadata[DOCUMENTS]),
            )

        with serving(request):
            results = self._loop.run_until_complete(
                rails.run(stages, texts, masked=masked, on_rail=self.on_rail, unhurried=self._unhurried)
            )
        self.interrupted += sum(result.interrupted for result in results)
        runs = tuple(_rail_run(result, rails.version(result.flow), texts) for result in results)
        findings = [finding for result in results for finding in _findings(result, policy)]
        return runs, tuple(findings), results


_WHAT_FAILED: Final = {
    "raised": "failed",
    "timed_out": "took too long",
    "missing": "cannot run on this server",
    "crashed": "lost its process",
    "nonsense": "answered what makes no sense",
    "over_budget": "got no time, which the other rails had used up",
    "too_long": "is not given a text of this length",
}


def rail_failure(rail: str, status: str) -> Finding:
    """The finding of a rail that could not judge; the message names the rail and what happened, nothing else."""
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
        message=f"the rail `{rail}` {_WHAT_FAILED[status]}, so this text has not been judged by it",
    )


def _rail_run(result: FlowResult, version: str, texts: RailTexts) -> RailRun:
    from attending.guardrails.rails.actions import DOCUMENTS
    from attending.guardrails.rails.validators import OFFERED

    transforms = []
    if not result.failed:
        if result.rewritten is not None:
            transforms.append("prompt")
        if tuple(result.metadata.get(DOCUMENTS, texts.documents)) != texts.documents:
            transforms.append("documents")
        if result.metadata.get(OFFERED):
            transforms.append("offered")
    return RailRun(
        result.flow,
        result.status,
        result.elapsed_ms,
        version,
        result.decision,
        tuple(transforms),
        result.error_type,
    )


def _masked(texts: RailTexts, detector: PhiDetector, identity: Identity | None) -> RailTexts:
    """The texts as a model may see them: identifiers replaced, under one mapping."""
    from attending.guardrails.phi import deidentify_all

    output = () if texts.output is None else (texts.output,)
    (prompt, *others), _mapping = deidentify_all(
        (texts.prompt, *texts.documents, *output), detector, identity
    )
    count = len(texts.documents)
    return replace(
        texts,
        prompt=prompt,
        documents=tuple(others[:count]),
        output=others[count] if output else None,
    )


def _findings(result: FlowResult, policy: Policy) -> tuple[Finding, ...]:
    from attending.guardrails.rails.actions import FINDINGS
    from attending.guardrails.rails.catalog import DIALOG_FLOW, OWN_FLOWS

    if result.failed:
        return (rail_failure(result.flow, result.status),)
    if result.flow in OWN_FLOWS or FINDINGS in result.metadata:
        return tuple(result.metadata.get(FINDINGS, ()))
    if result.status == "passed":
        return ()
    dialog = policy.rails.dialog
    if result.flow == DIALOG_FLOW and dialog is not None:
        code, severity = dialog.code, dialog.severity
    else:
        code = policy.rails.codes[result.flow]
        severity = policy.rails.severities.get(result.flow, Severity.MAJOR)
    return (
        Finding(
            rail=result.flow,
            code=code,
            rule_id=f"nemo:{result.flow.split('$')[0].strip().replace(' ', '_')}",
            severity=severity,
            scope=Scope.MENTION,
            start=0,
            end=0,
            text="",
            basis=Basis.RULE,
            source=f"policy {policy.name}: rails/config.yml",
            message=f"the rail `{result.flow}` that this policy configures refuses the text",
        ),
    )


def put_back(
    output: str, placeholders: Mapping[str, str] | None, *, exact: bool
) -> tuple[str, tuple[PlaceholderProblem, ...], tuple[Finding, ...]]:
    """The text to judge, the placeholder problems with spans into it, and the failures of restoring.

    In NFC unless it is to be `exact`. Never raises: what cannot be restored stays as it is, and is a failure.
    """
    from attending.guardrails.phi import restore

    def normalise(text: str) -> str:
        return text if exact else unicodedata.normalize("NFC", text)

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


def _compile(policies: PolicySet, name: str, dialog_model: Any) -> PolicyRails:
    from attending.guardrails.rails.nemo import RailsConfigError
    from attending.guardrails.rails.runner import PolicyRails

    try:
        return PolicyRails.compile(policies.loaded(name), model=dialog_model)
    except RailsConfigError as err:
        raise PolicyError(
            name, tuple((f"rails/config.yml: {flow}", why) for flow, why in err.problems)
        ) from None


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
