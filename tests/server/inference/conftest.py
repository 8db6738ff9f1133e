"""A pipeline over a real ledger and real policies; checks and providers are fakes of our ports that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attending.guardrails.checks.rests_on import Grounds
from attending.guardrails.finding import Basis, Code, Coverage, Finding, Scope, Severity
from attending.guardrails.guard import InputDecision, OutputDecision, RailRun, rail_failure
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.verify.checks import Checks
from attending.ledger.verify.checks import Scope as LogScope
from attending.ledger.verify.report import Findings, Status
from attending.server import projections
from attending.server.activation.registry import Registry
from attending.server.activation.serving import Generation, Serving
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once
from attending.server.inference.call import Caller
from attending.server.inference.owners import Owners
from attending.server.inference.pipeline import Pipeline
from attending.server.inference.watch import Changes
from attending.server.prompts.registry import PromptRegistry
from attending.server.providers.configure import ConfiguredProvider
from attending.server.providers.port import ProviderReply, ProviderRequest
from attending.server.providers.terms import Terms
from attending.server.shipped import package_policies
from attending.server.wire.request import InferCall, RecordCall, RequestContext

from tests.derived import not_derived

TENANT = "clinic"
LOCAL = Terms(local=True)
CALLER = Caller(TENANT, "app-1")


class Clock:
    """Injected; moves only when told to, but never stands still for two readings."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=1)
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


def finding(code: Code, severity: Severity) -> Finding:
    return Finding(
        rail="clinical checks",
        code=code,
        rule_id="test:rule",
        severity=severity,
        scope=Scope.RECOMMEND,
        start=0,
        end=4,
        text="SECRET-SPAN",
        basis=Basis.SOURCE_ROW,
        source="test",
        message="SECRET-MESSAGE",
        drugs=("secretdrug",),
    )


@dataclass
class FakeChecker:
    """Finds what the text asks for by a word; `fail_output` and `fail_input` run before an answer is given."""

    policies: PolicySet
    fail_output: Callable[[], None] = lambda: None
    fail_input: Callable[[], None] = lambda: None
    phi_down: bool = False
    input_failures: tuple[RailRun, ...] = ()
    outputs: list[str] = field(default_factory=list)
    delay_seconds: float = 0.0
    knowledge_hash: str = "sha256:" + "0" * 64
    closed: bool = False
    of_patient: Callable[[PatientContext], tuple[Finding, ...]] = lambda _patient: ()
    failed_rail: RailRun | None = None
    grounds: Grounds | None = None
    interaction: Callable[[Finding], Finding] = lambda found: found
    """What becomes of the finding that HOLD asks for."""

    def ready(self) -> bool:
        return not self.closed

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True

    async def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        patient: PatientContext | None = None,
    ) -> InputDecision:
        self.fail_input()
        found = (finding(Code.PHI, Severity.MODERATE),) if "SUSPECT" in prompt else ()
        policy = self.policies[policy_name]
        verdict = decide(policy, found)
        return InputDecision(
            verdict="block" if "BLOCK-INPUT" in prompt else verdict.verdict,
            findings=found,
            prompt_deidentified=None if self.phi_down else prompt.replace("Maria", "[NAME_1]"),
            documents_deidentified=tuple(document.text for document in documents),
            placeholders={"[NAME_1]": "Maria"} if "Maria" in prompt else {},
            rail_runs=(RailRun("phi input", "passed", 1.5, "attending+1", "allow"), *self.input_failures),
            deciding_rules=verdict.deciding,
            policy_hash=policy.hash,
            elapsed_ms=0.0,
        )

    async def check_output(
        self,
        policy_name: str,
        judged: Judged,
        *,
        placeholders: Mapping[str, str] | None = None,
        audience: Audience | None = None,
    ) -> OutputDecision:
        self.fail_output()
        await asyncio.sleep(self.delay_seconds)
        self.outputs.append(judged.output)
        text = judged.output
        for placeholder, original in (placeholders or {}).items():
            text = text.replace(placeholder, original)
        found: tuple[Finding, ...] = ()
        if "HOLD" in text:
            found += (self.interaction(finding(Code.INTERACTION, Severity.MAJOR)),)
        if "BLOCK" in text:
            found += (finding(Code.NEVER_EVENT, Severity.CONTRAINDICATED),)
        found += self.of_patient(judged.context)
        runs = (RailRun("clinical checks", "flagged" if found else "passed", 2.25, "attending+1", "block"),)
        if self.failed_rail is not None:
            runs, found = (self.failed_rail,), (rail_failure(self.failed_rail.name, "raised"),)
        policy = self.policies[policy_name]
        verdict = decide(policy, found, audience=audience)
        return OutputDecision(
            verdict=verdict.verdict,
            mandatory_review=verdict.mandatory_review,
            disposition=verdict.disposition,
            findings=found,
            coverage=Coverage(3, 4, ("secretdrug",)),
            rail_runs=runs,
            deciding_rules=verdict.deciding,
            required_roles=verdict.required_roles,
            to_dispose=verdict.to_dispose,
            not_enforced=verdict.not_enforced,
            output_final=text,
            knowledge_hash=self.knowledge_hash,
            policy_hash=policy.hash,
            elapsed_ms=0.0,
            grounds=self.grounds,
        )


@dataclass
class ScriptedProvider:
    """Answers with `text`, after running `before`; remembers what it was sent."""

    text: str = "Your visit is on Tuesday."
    before: Callable[[], None] = lambda: None
    delay_seconds: float = 0.0
    name: str = "scripted"
    finish_reason: str = "stop"
    seen: list[ProviderRequest] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, unless a test clears it."""

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        self.seen.append(request)
        self.before()
        await self.may_answer.wait()
        await asyncio.sleep(self.delay_seconds)
        return ProviderReply(self.text, "scripted-1", 12, 7, self.finish_reason)

    async def close(self) -> None:
        return None


@dataclass
class Gate:
    """Everything of one test."""

    ledger: Ledger
    pipeline: Pipeline
    checker: FakeChecker
    provider: ScriptedProvider
    policies: PolicySet
    changes: Changes
    clock: Clock
    folder: Path
    prompts: PromptRegistry
    switch: Switch

    async def types(self, inference_id: str) -> list[str]:
        return [entry.type for entry in await self.ledger.stream_entries(TENANT, inference_id)]


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return PolicySet.load(package_policies())


def make_pipeline(
    ledger: Ledger,
    checker: FakeChecker,
    provider: ScriptedProvider,
    policies: PolicySet,
    changes: Changes,
    clock: Clock,
    *,
    owner: str = "srv-test",
    owners: Owners | None = None,
    switch: Switch | None = None,
    timeout_seconds: float = 5.0,
    terms: Terms = LOCAL,
    residency: Mapping[str, frozenset[str]] | None = None,
    serving: Serving | None = None,
    others: Mapping[str, ConfiguredProvider] | None = None,
) -> tuple[Pipeline, PromptRegistry]:
    """`serving` where the versions that are served change; `checker` and `policies` for good otherwise.

    `others` are the providers beside the scripted one.
    """
    prompts = PromptRegistry(ledger, clock)
    configured = ConfiguredProvider(provider, timeout_seconds, None, terms)
    return (
        Pipeline(
            ledger=ledger,
            serving=serving or Serving(Generation(policies, checker)),
            providers={"scripted": configured, **(others or {})},
            prompts=prompts,
            changes=changes,
            owners=owners or Owners(ledger, owner),
            switch=switch or Switch(ledger, clock),
            now=clock,
            residency=residency,
        ),
        prompts,
    )


def make_registry(
    ledger: Ledger,
    policies: PolicySet,
    clock: Clock,
    *,
    folder: Path | None = None,
    knowledge_hash: str = "sha256:" + "0" * 64,
) -> Registry:
    """The registry of a process that has `policies` loaded from `folder`, the package's own when None."""
    return Registry(ledger, policies, folder or package_policies(), None, lambda: knowledge_hash, clock)


@pytest.fixture
async def gate(tmp_path: Path, policies: PolicySet) -> AsyncIterator[Gate]:
    async with opened_gate(tmp_path / "ledger", policies) as gate:
        yield gate


@asynccontextmanager
async def opened_gate(folder: Path, policies: PolicySet) -> AsyncIterator[Gate]:
    """A gate over a new ledger; at the end the log verifies, and its rows are what its entries give."""
    clock = Clock()
    ledger = await Ledger.open(folder, metadata=[projections.metadata], clock=clock)
    await ledger.create_log(TENANT, "test.example/clinic")
    checker, provider, changes = FakeChecker(policies), ScriptedProvider(), Changes()
    switch = Switch(ledger, clock)
    pipeline, prompts = make_pipeline(ledger, checker, provider, policies, changes, clock, switch=switch)
    yield Gate(ledger, pipeline, checker, provider, policies, changes, clock, folder, prompts, switch)
    await pipeline.drain()
    failed = await failed_checks(ledger)
    await ledger.close()
    assert not failed, "the independent verifier refuses what this test left in the log"
    assert not_derived(LedgerConfig(folder)) == []


async def failed_checks(ledger: Ledger, tenant: str = TENANT) -> list[tuple[str, str]]:
    """The auditor's checks over the tenant's whole log that fail, each with its detail."""
    findings = Findings()
    checks = Checks(findings, LogScope.FULL, 0)
    size, _root = await ledger.head(tenant)
    for entry in await ledger.list_entries(tenant, 0, max(size, 1)):
        checks.visit(entry)
    checks.finish()
    return [(result.check, result.detail) for result in findings.results() if result.status is Status.FAILED]


def context(policy: str = "administrative-letter", **changes: object) -> RequestContext:
    made = RequestContext(
        policy=policy,
        subject_ref=None,
        patient=PatientContext(),
        documents=(),
        public_documents=(),
        on_behalf_of=None,
        recipient="policy",
        tags=(("feature", "test"), ("team", "test")),
        release_requires="integrated",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def infer_call(
    prompt: str = "Write a letter.", *, policy: str = "administrative-letter", **changes: object
) -> InferCall:
    made = InferCall(
        key="key",
        context=context(policy),
        prompt=prompt,
        prompt_ref=None,
        provider="scripted",
        model="scripted-1",
        max_output_tokens=None,
        temperature_milli=0,
        provider_timeout_seconds=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def record_call(output: str, *, policy: str = "administrative-letter") -> RecordCall:
    return RecordCall(
        key="key",
        context=context(policy),
        prompt="Write a letter.",
        output=output,
        provider="openai",
        model="gpt-4o",
        input_tokens=1000,
        output_tokens=100,
        occurred_at=None,
    )


def key(name: str = "k", body: str = "b") -> Once:
    return Once(key=name, fingerprint=body.encode())
