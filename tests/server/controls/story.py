"""Two logs written by the real parts: a long life in which everything happens, and a month in which all is well.

Where a rule asks what only a call over the network brings, a month's calls are authorised as the interceptor does it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.ledger.custody.reads import Order as CustodyOrder
from attending.ledger.custody.retention import Rule, Rules
from attending.ledger.custody.state import ErasureReason, HoldGround
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.examination import Office
from attending.ledger.ledger import Ledger
from attending.server.app import authorization_folder
from attending.server.auth import context as auth_context
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.authorize import PolicySet as Authorization
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.config import EmergencySection
from attending.server.console.sessions import Sessions
from attending.server.emergency.desk import EmergencyDesk
from attending.server.emergency.open import OpenAccesses
from attending.server.errors import PermissionDenied
from attending.server.events.append import EventLog
from attending.server.events.check import checked_events
from attending.server.examination.desk import ExaminationDesk
from attending.server.halt.switch import Order
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.providers.port import ProviderReply, ProviderRequest
from attending.server.providers.terms import Agreement, Terms
from attending.server.recall.desk import Recalls
from attending.server.review.enrolment import enrol_keys
from attending.v1 import ledger_pb2

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    Gate,
    ScriptedProvider,
    infer_call,
    key,
    make_pipeline,
    make_registry,
    opened_gate,
)
from tests.server.inference.test_terms import clear
from tests.server.people.conftest import fresh, open_office, order
from tests.server.replay.test_rebuild import whole_life
from tests.server.reports import test_desk as reports
from tests.server.review.conftest import Person, Ward, opened_ward, person
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

EXTERNAL: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("model.registered", {"provider": "acme", "model": "m-1", "use": "generation"}),
    (
        "eval.completed",
        {
            "eval_id": "e1",
            "suite": "doses",
            "suite_version": "1",
            "target": "model",
            "target_version": "m-1",
            "passed": True,
            "cases": 10,
            "failures": 0,
        },
    ),
    (
        "validation.recorded",
        {
            "pack": "sha256:" + "ab" * 32,
            "release": "0.1.0",
            "changed": False,
            "signer": "validation.example",
            "key_id": "0123abcd",
            "requirements": {"fail-closed-rails": "proved"},
            "requirements_hash": "sha256:" + "ab" * 32,
            "bill_hash": "sha256:" + "ab" * 32,
            "tests_passed": 7,
            "tests_failed": 0,
            "tests_skipped": 1,
        },
    ),
    (
        "validation.installed",
        {
            "release": "0.1.0",
            "python": "3.11.2",
            "checks": 9,
            "red": 0,
            "unknown": 0,
            "warnings": 1,
            "packages": 150,
            "packages_other": 0,
            "log": "passed",
            "log_size": 12,
        },
    ),
    (
        "feedback.recorded",
        {"inference_id": "inf_" + "0" * 32, "source": "clinician", "rating": "helpful"},
    ),
    *(
        (
            "incident.opened",
            {
                "incident_id": f"i-{category}",
                "severity": "critical",
                "category": category,
                "aware_at": "2026-11-23T09:00:00.000000Z",
            },
        )
        for category in ("privacy", "patient_safety", "model_change")
    ),
    *(
        (
            "notice.sent",
            {
                "notice_id": f"n-{to}-{about}",
                "about": about,
                "recipient": to,
                "channel": "letter",
                "incident_id": "i-privacy" if about == "breach" else "i-patient_safety",
            },
        )
        for to, about in (("patient", "breach"), ("regulator", "breach"), ("regulator", "incident"))
    ),
    *(
        ("incident.closed", {"incident_id": f"i-{category}", "outcome": "resolved"})
        for category in ("privacy", "patient_safety", "model_change")
    ),
    ("disclosure.recorded", {"disclosure_id": "d1", "recipient": "court", "purpose": "law"}),
)


@dataclass
class Month:
    """A month's people and desks over one ledger."""

    ward: Ward
    authorizer: Authorizer
    phi: PhiAccess
    examinations: ExaminationDesk
    priya: Person
    saida: Person

    @property
    def gate(self) -> Gate:
        return self.ward.gate

    async def calls(self, principal: Principal, action: str) -> None:
        """What follows is done by `principal`, as in a call that the policies permit."""
        decision = await self.authorizer.enter(action, Resource.log(TENANT), principal)
        auth_context.enter(principal, decision)

    async def examine(self) -> None:
        await self.calls(self.priya.principal, "listExceptions")
        inbox = await self.examinations.inbox(TENANT, Office.PRIVACY)
        which = [(line.kind, line.index) for line in inbox.open]
        if which:
            await self.examinations.dispose(
                self.priya.principal, Office.PRIVACY, which, "expected", "", fresh()
            )
        prepared = await self.examinations.prepare(self.priya.principal, Office.PRIVACY, self.priya.key_id)
        signature = self.priya.key.sign(prepared.statement.message())
        await self.examinations.sign(self.priya.principal, prepared.preparation_id, signature, fresh())


async def _entries(ledger: Ledger) -> list[Entry]:
    size, _root = await ledger.head(TENANT)
    return list(await ledger.list_entries(TENANT, 0, size))


async def long_life(folder: Path) -> list[Entry]:
    """Everything that the rebuild of the derived tables is tried on: good days and bad ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attending.server.inference.judgement.CHECK_RETRY_SECONDS", (0.0,))
        async with opened_gate(folder, PolicySet.load(authorization_folder().parent)) as gate:
            await whole_life(await opened_ward(gate))
            return await _entries(gate.ledger)


async def good_month(folder: Path) -> list[Entry]:
    """Half a year in which everything is done that a control asks for, and nothing that one forbids."""
    async with opened_gate(folder / "ledger", PolicySet.load(authorization_folder().parent)) as gate:
        gate.ledger._annotate = auth_context.authorized
        month = await _begun(await opened_ward(gate))
        await _governed(month)
        await _worked(month, folder)
        await _looked_after(month)
        for day in range(7):
            gate.clock.advance(days=30)
            await month.examine()
            await _reported(month, folder / f"reports-{day}")
        rules = Rules((Rule("review.rejected", 1),))
        await gate.ledger.retention.prune(TENANT, rules, CustodyOrder("system:srv-test"))
        await gate.pipeline.drain()
        return await _entries(gate.ledger)


async def _begun(ward: Ward) -> Month:
    gate = ward.gate
    attempts = Attempts(gate.ledger.append, "srv-test")
    authorizer = Authorizer(Authorization.load(authorization_folder()), attempts.denied, gate.clock)
    officers = person("priya", "privacy_officer"), person("saida", "safety_officer")
    await enrol_keys(
        gate.ledger,
        [TENANT],
        [one.principal for one in (ward.rivera, ward.chen, ward.auditor, *officers)],
        "srv-test",
        gate.clock,
    )
    examinations = ExaminationDesk(gate.ledger, authorizer, timedelta(days=30), gate.clock)
    phi = PhiAccess(gate.ledger, authorizer, gate.clock)
    return Month(ward, authorizer, phi, examinations, *officers)


async def _governed(month: Month) -> None:
    """Two people put versions in force; people and credentials come, are proofed, and go."""
    gate = month.gate
    registry = make_registry(gate.ledger, gate.policies, gate.clock)
    await month.calls(month.saida.principal, "requestActivation")
    asks = Principal("olga", TENANT, "human", frozenset({"operator"}), "Olga", "mtls")
    for name in ("administrative-letter", "discharge-plan"):
        wanted = registry.served.hash_of(name) or ""
        await registry.request(asks, name, wanted, fresh())
        await registry.approve(month.saida.principal, name, wanted, fresh())
    await registry.retire(month.saida.principal, "administrative-letter", fresh())
    office = await open_office(gate.folder, gate.ledger, gate.clock)
    expires = gate.clock.moment + timedelta(days=400)
    terms: dict[str, Any] = {"competency_expires": stamp(expires), "licence_expires": stamp(expires)}
    wanted_user = order("amara", "clinician", uris=["spiffe://test/amara"], **terms)
    await office.registry.enrol(office.olga, wanted_user, fresh())
    await office.registry.proof(office.saida, "amara", 1, "in_person", fresh())
    _done, _token, credential = await office.registry.issue_key(office.olga, "amara", expires, fresh())
    await office.registry.revoke_key(office.saida, "amara", credential, "replaced", fresh())
    await office.registry.revoke(office.saida, "amara", "left", fresh())
    await office.present.close()
    first = await gate.prompts.create(TENANT, "human:op", "letters/visit", "Write to {{who}}.", key("v1"))
    await gate.prompts.set_label(TENANT, "human:op", "letters/visit", "live", first.version, None, key("l"))


async def _worked(month: Month, folder: Path) -> None:
    """Texts are held, signed, delivered, refused, taken back; a halt; what was looked at and given."""
    ward, gate = month.ward, month.gate
    app = CALLER_PRINCIPAL
    await month.calls(app, "infer")
    terms = Terms(False, Agreement("baa-1", gate.clock.moment + timedelta(days=900)))
    remote, _prompts = make_pipeline(
        gate.ledger, gate.checker, gate.provider, gate.policies, gate.changes, gate.clock, terms=terms
    )
    await remote.infer(CALLER, infer_call(), key("remote"))
    identified, _prompts = make_pipeline(
        gate.ledger,
        gate.checker,
        Fingerprinted(),
        clear(gate.policies, mode="baa_minimum"),
        gate.changes,
        gate.clock,
        terms=terms,
    )
    await identified.infer(CALLER, infer_call(), key("identified"))
    bare, _prompts = make_pipeline(
        gate.ledger, gate.checker, gate.provider, gate.policies, gate.changes, gate.clock, terms=Terms(False)
    )
    await bare.infer(CALLER, infer_call(), key("bare"))
    for number, edit in enumerate(("A safe text", None)):
        await month.calls(app, "infer")
        outcome = await held(ward, subject_ref="MRN-1", recipient="clinician")
        await month.calls(ward.rivera.principal, "claim")
        ticket = ticket_of(outcome)
        lease = await claim(ward, ticket, ward.rivera)
        await dispose_all(ward, ticket, lease, ward.rivera, "fixed" if edit else "accepted_risk")
        prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, edit, ward.rivera.key_id)
        await sign(ward, ticket, lease, ward.rivera, prepared)
        await month.calls(app, "infer")
        await gate.pipeline.acknowledge(CALLER, outcome.inference_id, "patient", "portal", key(f"d{number}"))
    await month.calls(app, "infer")
    refused = ticket_of(await held(ward))
    await month.calls(ward.chen.principal, "claim")
    lease = await claim(ward, refused, ward.chen)
    await ward.desk.reject(ward.chen.principal, refused, lease, "unsafe", "a note", fresh())
    halt = Order("human:saida", "drill", gate.clock())
    await month.calls(month.saida.principal, "halt")
    await gate.switch.halt(TENANT, None, halt, fresh(), 0)
    await gate.switch.resume(TENANT, None, Order("human:saida", "drill", gate.clock()), fresh())
    await month.calls(app, "infer")
    await gate.pipeline.infer(CALLER, infer_call("BLOCK-INPUT"), key("blocked"))
    gate.provider.text = "Your visit is on Tuesday."
    back = await gate.pipeline.infer(CALLER, infer_call(), key("back"))
    await month.calls(ward.rivera.principal, "withdraw")
    recalls = Recalls(gate.ledger, gate.changes, gate.clock)
    await recalls.withdraw(ward.rivera.principal, back.inference_id, "unsafe", "a note", fresh())


async def _looked_after(month: Month) -> None:
    """Sessions, emergencies, denials, custody, and events from outside."""
    gate, ward, ledger = month.gate, month.ward, month.gate.ledger
    sessions = Sessions(ledger, idle_seconds=900, longest_seconds=3600, now=gate.clock)
    await sessions.begin(ward.rivera.principal)
    gate.clock.advance(hours=2)
    await sessions.sweep()
    with pytest.raises(PermissionDenied):
        await month.calls(ward.auditor.principal, "halt")
    await month.authorizer.misused(ward.rivera.principal, "signItem", "SIGNATURE")
    opened = OpenAccesses(gate.clock)
    await opened.start(ledger, [TENANT])
    desk = EmergencyDesk(ledger, month.authorizer, opened, EmergencySection(), gate.clock)
    await month.calls(ward.rivera.principal, "claim")
    access, _index = await desk.begin(ward.rivera.principal, "cover", 5, fresh())
    await desk.end(ward.rivera.principal, access.access_id, fresh())
    await month.calls(month.saida.principal, "reviewEmergencyAccess")
    await desk.review(month.saida.principal, access.access_id, "justified", "A note.", fresh())
    await opened.close()
    patient = await ledger.pseudonym(TENANT, "MRN-1")
    await month.calls(ward.auditor.principal, "export")
    permit = Permit(ward.auditor.principal, "export", Purpose.PATIENT_REQUEST)
    await month.phi.record(permit, "access.exported", "fhir", subject=patient, about={"inference": "inf_1"})
    bundle = {"payloads": False, "fhir": True}
    await month.phi.record(permit, "access.exported", "export", subject=None, about=bundle)
    await month.phi.record(permit, "access.viewed", "case", subject=patient, about={"ticket": "tkt_1"})
    placed = await ledger.custody.hold(TENANT, patient, HoldGround.LITIGATION, CustodyOrder("human:priya"))
    hold = (await ledger.get_entry(TENANT, placed.first_index)).body["hold"]
    await ledger.custody.lift(TENANT, patient, hold, CustodyOrder("human:priya"))
    await _told(month)
    await _as_others_write(month, patient)
    await ledger.erase_subject(TENANT, patient, actor="human:priya", reason=ErasureReason.GDPR_17)


async def _told(month: Month) -> None:
    wire = [
        ledger_pb2.Event(sequence=number, type=kind, body=json.dumps(body).encode())
        for number, (kind, body) in enumerate(EXTERNAL, 1)
    ]
    wire[-1].subject_ref = "MRN-1"
    await EventLog(month.gate.ledger).append(CALLER_PRINCIPAL, "e", checked_events(wire, len(wire)))


async def _as_others_write(month: Month, patient: str) -> None:
    """What a record system and a provider's own list would have to be there for."""
    given = {
        "what": "fhir",
        "recipient": "ehr",
        "host": "ehr.example",
        "purpose_of_use": "TREAT",
        "text": True,
        "inference": "inf_1",
        "resources": ["AuditEvent", "Provenance"],
    }
    counts = ("outside_period", "matched_by_tokens", "unanswered", "bypassed", "differing", "missing")
    compared = {
        "provider": "acme",
        "from": "2026-11-01T00:00:00.000000Z",
        "to": "2026-12-01T00:00:00.000000Z",
        "file_sha256": "ab" * 32,
        "tree_size": 1,
        "records": 2,
        "matched": 2,
        "calls": 2,
        **dict.fromkeys(counts, 0),
    }
    suspended = {
        "until": "2027-01-01T00:00:00.000000Z",
        "approved_by": "saida",
        "suspension": "sus_" + "0" * 24,
        "agency": "law_enforcement",
        "form": "written",
    }
    entries = [
        PendingEntry("access.disclosed", "disclosed/ehr/inf_1/1", "system:srv-test", patient, given),
        PendingEntry("disclosure.suspended", f"suspension/{patient}", "human:priya", patient, suspended),
        PendingEntry("usage.reconciled", "usage", "human:audrey", None, compared),
    ]
    await month.gate.ledger.append(TENANT, entries)


class Fingerprinted(ScriptedProvider):
    """A vendor that says which revision answered."""

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        return replace(await super().complete(request), fingerprint="fp_1")


async def _reported(month: Month, folder: Path) -> None:
    ward = month.ward
    await month.calls(ward.auditor.principal, "createReport")
    desk = reports.opened(ward, folder)
    report = await reports.create(ward, desk)
    await reports.made(desk, report)
    await reports.sign(desk, ward.auditor, report)
    await desk.issue(ward.auditor.principal, report, fresh())
    await desk.drain()


CALLER_PRINCIPAL = Principal(
    name=CALLER.app,
    tenant=TENANT,
    kind="app",
    roles=frozenset({"app"}),
    display_name="App",
    credential="mtls",
)

__all__ = ["good_month", "long_life"]
