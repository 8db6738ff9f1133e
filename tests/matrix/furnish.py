"""Real things of a tenant of a running server, made by the calls of those who may make them."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from attending.client import (
    BreakGlassClient,
    Client,
    CustodyClient,
    EmergencyClient,
    ExaminationClient,
    NoticeClient,
    OversightClient,
    PeopleClient,
    PolicyClient,
    RecallClient,
    ReportClient,
    ReviewClient,
)
from attending.client.review import key_id, signed_with
from attending.ledger.review_signature import sign_statement
from attending.v1 import (
    common_pb2,
    custody_pb2,
    emergency_pb2,
    examination_pb2,
    identity_pb2,
    inference_pb2,
    prompt_pb2,
    recall_pb2,
    report_pb2,
    review_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from tests.e2e.calls import TIMEOUT, infer_request, state
from tests.e2e.configured_server import ConfiguredServer
from tests.matrix.makers.ledger import append_stream
from tests.matrix.makers.policy import APPROVED, hash_of
from tests.matrix.making import TARGET, Things
from tests.matrix.methods import invoke


def furnish(hospital: ConfiguredServer, tenant: str) -> Things:
    """One of everything that `Things` has a field for."""
    things = replace(Things(), prompt=f"matrix/{uuid.uuid4().hex}")
    with Client(hospital.connection(tenant, "operator")) as operator:
        request = prompt_pb2.CreateVersionRequest(
            idempotency_key=uuid.uuid4().hex, name=things.prompt, template=f"Hello {uuid.uuid4().hex}."
        )
        things = replace(things, version=operator.prompts.CreateVersion(request).prompt_version.version)
        operator.prompts.SetLabel(
            prompt_pb2.SetLabelRequest(
                idempotency_key=uuid.uuid4().hex,
                name=things.prompt,
                label="production",
                version=things.version,
            )
        )
    return _reported(hospital, tenant, refresh(hospital, tenant, things))


def _reported(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """Four dossiers: one as it was made, one whose sign-off is signed and not sent, one that is signed off, and one
    that nobody wants.
    """
    scope = report_pb2.ReportScope(inference_id=things.released)
    with ReportClient(hospital.connection(tenant, "auditor")) as auditor:
        report, prepared, signed = made = [
            auditor.create(report_pb2.REPORT_KIND_DOSSIER, scope, "audit").report_id for _ in range(3)
        ]
        unwanted = auditor.create(report_pb2.REPORT_KIND_DOSSIER, scope, "audit").report_id
        end = time.monotonic() + 240
        while {auditor.get(one).state for one in made} != {report_pb2.REPORT_STATE_READY}:
            assert time.monotonic() < end, "the reports are not made"
            time.sleep(0.2)
    key = hospital.keys[hospital.name(tenant, "safety_officer")]
    with ReportClient(hospital.connection(tenant, "safety_officer")) as officer:
        for number, one in enumerate(made):  # who signs was given the draft
            out = hospital.folder / f"draft-{tenant}-{number}.pdf"
            officer.download(one, report_pb2.REPORT_FILE_DRAFT, "audit", out)
        officer.sign(*officer.prepare(signed, key_id(key)), key)
        preparation, statement = officer.prepare(prepared, key_id(key))
    return replace(
        things,
        report=report,
        signed_report=signed,
        unwanted_report=unwanted,
        report_preparation=preparation,
        report_signature=signed_with(key, statement.message()),
        officers_key=key_id(key),
    )


def refresh(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """The same with new ones of whatever a call uses up."""
    numbers = [f"MRN-{uuid.uuid4().hex[:12]}" for _ in range(3)]
    with OversightClient(hospital.connection(tenant, "medical_director")) as director:
        director.open_draw()
    emitter = f"matrix-{uuid.uuid4().hex}"
    with Client(hospital.connection(tenant, "app")) as app:
        held = _infer(app, "held", policy="patient-message", model="warned", patient=_patient(numbers[0]))
        unclaimed = _infer(app, "held", policy="patient-message", model="dose", patient=_patient(numbers[1]))
        released = _infer(app, "released", model="letter", patient=_patient(numbers[2]))
        withdrawn = _infer(app, "released", model="letter", patient=_patient(numbers[2]))
        plans = [
            _infer(app, "held", policy="discharge-plan", model="plan", patient=_patient(numbers[2]))
            for _ in range(2)
        ]
        impression = _infer(
            app, "held", policy="radiology-impression", model="plan", patient=_patient(numbers[2])
        )
    with BreakGlassClient(hospital.connection(tenant, "clinician")) as clinician:
        clinician.use(plans[1].ticket.ticket_id, emergency_pb2.EMERGENCY_REASON_COVER, "A note.")
    with RecallClient(hospital.connection(tenant, "safety_officer")) as officer:
        officer.withdraw(withdrawn.inference_id, recall_pb2.RECALL_REASON_WRONG)
    with hospital.connection(tenant, "app").channel() as channel:
        opening = append_stream(replace(things, emitter=emitter))
        invoke(channel, "/attending.v1.LedgerService/AppendStream", opening, TIMEOUT)
    things = replace(
        things,
        inference=held.inference_id,
        ticket=held.ticket.ticket_id,
        unclaimed=unclaimed.ticket.ticket_id,
        released=released.inference_id,
        withdrawn=withdrawn.inference_id,
        breakable=plans[0].ticket.ticket_id,
        broken=plans[1].inference_id,
        withheld=impression.ticket.ticket_id,
        emitter=emitter,
        mrn=numbers[0],
    )
    with OversightClient(hospital.connection(tenant, "medical_director")) as director:
        director.open_draw()
    with OversightClient(hospital.connection(tenant, "pharmacist")) as pharmacist:
        things = replace(things, second_read=pharmacist.second_reads()[0].read_id)
    with PolicyClient(hospital.connection(tenant, "operator")) as operator:
        operator.request(APPROVED, hash_of(APPROVED))
    things = _given_up(hospital, tenant, things)
    things = _invited(hospital, tenant, _emergencies(hospital, tenant, _enrolled(hospital, tenant, things)))
    things = _prepared(hospital, tenant, _in_custody(hospital, tenant, things, numbers))
    return _examined(hospital, tenant, things)


def _examined(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """Both officers have disposed of everything, and the safety officer has prepared and signed, and not sent it."""
    offices = {
        "privacy_officer": examination_pb2.EXAMINATION_OFFICE_PRIVACY,
        "safety_officer": examination_pb2.EXAMINATION_OFFICE_SAFETY,
    }
    for role, office in offices.items():
        key = hospital.keys[hospital.name(tenant, role)]
        with ExaminationClient(hospital.connection(tenant, role)) as officer:
            lines = [(one.kind, one.entry_index) for one in officer.exceptions(office, only_open=True)[1]]
            for start in range(0, len(lines), 100):
                disposition = examination_pb2.EXCEPTION_DISPOSITION_EXPECTED
                officer.dispose(office, lines[start : start + 100], disposition)
            if role == "privacy_officer":
                known = [
                    one.entry_index for one in officer.exceptions(office)[1] if one.kind == "emergency_access"
                ]
                things = replace(things, officer_key=key_id(key), exception=known[-1])
            else:
                preparation, statement = officer.prepare(office, key_id(key))
                signature = signed_with(key, statement.message())
                things = replace(things, examination=preparation, examination_signature=signature)
    return things


def _enrolled(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """A program with a service key, both of which wait for their proofing."""
    expires = Timestamp()
    expires.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    name = f"matrix-{uuid.uuid4().hex}"
    with PeopleClient(hospital.connection(tenant, "operator")) as operator:
        operator.enrol(
            identity_pb2.EnrolUserRequest(name=name, kind=identity_pb2.USER_KIND_APPLICATION, roles=["app"])
        )
        issued = operator.issue_key(identity_pb2.IssueKeyRequest(name=name, expires=expires))
    return replace(things, user=name, user_version=issued.user.version, credential=issued.credential_id)


def _emergencies(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """Of the second clinician one access that has ended, and one that is open."""
    reason = emergency_pb2.EMERGENCY_REASON_COVER
    with EmergencyClient(hospital.connection(tenant, "clinician2")) as clinician:
        for access in clinician.accesses(emergency_pb2.EMERGENCY_STATE_OPEN)[0]:
            clinician.end(access.access_id)
        ended = clinician.end(clinician.begin(reason, minutes=5).access_id)
        opened = clinician.begin(reason, minutes=5)
    return replace(things, emergency=opened.access_id, ended_emergency=ended.access_id)


def _invited(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """Half a code for the second clinician."""
    name = hospital.name(tenant, "clinician2")
    with PeopleClient(hospital.connection(tenant, "operator")) as operator:
        issued = operator.issue_passkey_code(name)
    return replace(things, person=name, invitation=issued.invitation_id)


def _given_up(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """A notice that its receiver does not want."""
    with NoticeClient(hospital.connection(tenant, "operator")) as operator:
        index = operator.test(TARGET)
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            for dead in operator.notices(TARGET).dead:
                if dead.entry_index == index:
                    return replace(things, notice=dead.notice_id)
            time.sleep(0.05)
    raise AssertionError("the notice is not given up")


def _patient(number: str) -> common_pb2.PatientContext:
    return common_pb2.PatientContext(identity=common_pb2.PatientIdentity(mrn=number))


def _infer(app: Client, expected: str, **request: object) -> inference_pb2.InferenceResult:
    result = app.inference.Infer(infer_request(**request), timeout=TIMEOUT).result  # type: ignore[arg-type]
    assert state(result) == expected
    return result


def _in_custody(hospital: ConfiguredServer, tenant: str, things: Things, numbers: list[str]) -> Things:
    """Two subjects that are linked, and one on hold."""
    with CustodyClient(hospital.connection(tenant, "privacy_officer")) as officer:
        names = [officer.show(custody_pb2.SubjectName(mrn=number)).pseudonym for number in numbers]
        subject, other, on_hold = (custody_pb2.SubjectName(pseudonym=name) for name in names)
        officer.link(subject, other)
        placed = officer.hold(on_hold, custody_pb2.HOLD_GROUND_LITIGATION)
    return replace(things, subject=names[0], other=names[1], on_hold=names[2], hold=placed.hold_id)


def _prepared(hospital: ConfiguredServer, tenant: str, things: Things) -> Things:
    """The ticket claimed by the clinician, its findings disposed of, and a statement signed but not sent."""
    key = hospital.keys[hospital.name(tenant, "clinician")]
    with ReviewClient(hospital.connection(tenant, "clinician")) as clinician:
        lease = clinician.claim(things.ticket).lease_id
        withheld = clinician.claim(things.withheld).lease_id
        shown = clinician.item(things.ticket).findings
        findings = [one for one in shown if one.severity >= common_pb2.SEVERITY_MINOR]
        for finding in findings:
            clinician.dispose(
                things.ticket,
                lease,
                finding.ordinal,
                review_pb2.DISPOSITION_ACCEPTED_RISK,
                reason_code="benefit_outweighs_risk",
            )
        prepared = clinician.prepare(things.ticket, lease, key)
    return replace(
        things,
        lease=lease,
        withheld_lease=withheld,
        colleague=hospital.name(tenant, "clinician2"),
        finding=findings[0].ordinal,
        signing_key=key_id(key),
        preparation=prepared.preparation_id,
        signature=sign_statement(prepared.statement, key),
    )
