"""Synthetic personal data, how it could look in a file, and every door of a server that it is carried through."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import AttendingApiError, Client, Connection, CustodyClient, Event, ReviewClient
from attending.v1 import (
    common_pb2,
    custody_pb2,
    inference_pb2,
    ledger_pb2,
    prompt_pb2,
    report_pb2,
    review_pb2,
)

from tests.e2e.calls import TAGS, TIMEOUT, infer_request, record_request, refused, state
from tests.e2e.conftest import REPLAYED

NAME, PHONE, MRN, STREET = "Zebulon Quackenbush", "(415) 555-0199", "MRN-77355129", "4471 Wisteria Lane"
CANARIES = (NAME, "Quackenbush", PHONE, "555-0199", MRN, "77355129", STREET, "Wisteria")
ABOUT = f"Patient {NAME}, {MRN}, phone {PHONE}, lives at {STREET}, Springfield."
IDENTITY = common_pb2.PatientIdentity(names=[NAME], mrn=MRN.removeprefix("MRN-"), birth_date="1957-03-11")
REPLAY = [
    *REPLAYED,
    {"name": "about", "output": f"Dear {NAME}, your visit is on Tuesday at ten. We will call {PHONE}."},
    {"name": "about-dose", "output": f"{NAME} should take amoxicillin 500 mg three times a day."},
]


def forms(text: str) -> Iterator[bytes]:
    """The text as it could stand in a file: plain in two encodings, in hexadecimal and base64, or as a plain digest."""
    plain = text.encode()
    yield plain
    yield text.encode("utf-16-le")
    yield plain.hex().encode()
    for shift in range(3):
        # The characters in the middle do not depend on what stands around them.
        yield base64.b64encode(b"x" * shift + plain)[4:-4]
    digest = hashlib.sha256(plain).digest()
    yield digest
    yield digest.hex().encode()
    yield base64.b64encode(digest)


def found(data: bytes) -> list[str]:
    lowered = data.lower()
    return [
        canary
        for canary in CANARIES
        for form in forms(canary)
        if len(form) >= 6 and (form in data or form.lower() in lowered)
    ]


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every member of a bundle, opened as far as it opens."""
    with zipfile.ZipFile(path) as bundle:
        for name in bundle.namelist():
            data = bundle.read(name)
            yield name, data
            if zipfile.is_zipfile(io.BytesIO(data)):
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    yield from ((f"{name}/{member}", inner.read(member)) for member in inner.namelist())


@dataclass
class Done:
    """What was answered at the doors."""

    states: dict[str, str] = field(default_factory=dict)
    refusals: list[bytes] = field(default_factory=list)
    inference_ids: list[str] = field(default_factory=list)


def through_every_door(connect: Callable[[str], Connection]) -> Done:
    """Carries the data through; `connect` gives the connection of a role of one tenant."""
    done = Done()
    with ExitStack() as stack:
        app = stack.enter_context(Client(connect("app")))
        operator = stack.enter_context(Client(connect("operator")))
        clinician = stack.enter_context(ReviewClient(connect("clinician")))
        auditor = stack.enter_context(Client(connect("auditor")))
        officer = stack.enter_context(CustodyClient(connect("privacy_officer")))
        _infer(app, done)
        _prompts(app, operator, done)
        _review(app, clinician, done)
        _events(app, done)
        _custody(officer, done)
        _refused(app, auditor, done)
        _one_word(app, clinician, auditor, done)
    return done


def context(**more: Any) -> dict[str, Any]:
    return {
        "patient": common_pb2.PatientContext(identity=IDENTITY, goals=ABOUT, setting=MRN),
        "subject_ref": MRN,
        "documents": [
            common_pb2.RetrievedDocument(id=f"note of {NAME}", version=MRN, text=ABOUT),
            common_pb2.RetrievedDocument(id=f"leaflet {MRN}", text=ABOUT, is_public=True),
        ],
        **more,
    }


def _infer(app: Client, done: Done) -> None:
    for label, policy, model in (
        ("released", "administrative-letter", "letter"),
        ("letter about", "administrative-letter", "about"),
        ("held", "patient-message", "about-dose"),
        ("blocked", "patient-message", "danger"),
        ("failed", "patient-message", "provider-unavailable"),
    ):
        request = infer_request(ABOUT, policy=policy, model=model, key=f"{MRN}/{label[0]}", **context())
        request.idempotency_key = f"{MRN}/{label.replace(' ', '-')}/{PHONE.replace(' ', '')}"
        try:
            result = app.inference.Infer(request, timeout=TIMEOUT).result
        except grpc.RpcError:
            done.refusals.append(refused(lambda r=request: app.inference.Infer(r, timeout=TIMEOUT)).raw)  # type: ignore[misc]
            done.states[label] = "failed"
        else:
            done.states[label] = state(result)
            done.inference_ids.append(result.inference_id)
            for receipt in result.receipts:
                assert not found(receipt.entry)
    recorded = record_request(f"Dear {NAME}, your visit is on Tuesday.", ABOUT, **context())
    recorded.idempotency_key = f"{MRN}-record"
    done.states["recorded"] = state(app.inference.Record(recorded, timeout=TIMEOUT).result)
    fhir = json.dumps(
        {
            "resourceType": "Patient",
            "name": [{"text": NAME}],
            "telecom": [{"value": PHONE}],
            "address": [{"line": [STREET]}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": MRN}],
        }
    )
    request = infer_request(ABOUT, model="letter", patient=common_pb2.PatientContext(fhir_json=[fhir]))
    done.states["fhir"] = state(app.inference.Infer(request, timeout=TIMEOUT).result)


def _prompts(app: Client, operator: Client, done: Done) -> None:
    operator.prompts.CreateVersion(
        prompt_pb2.CreateVersionRequest(
            idempotency_key=f"{MRN}-prompt", name="letters/canary", template=f"{ABOUT} Write to {{{{who}}}}."
        )
    )
    version = operator.prompts.GetVersion(
        prompt_pb2.GetVersionRequest(
            name="letters/canary",
            version=operator.prompts.ListVersions(prompt_pb2.ListVersionsRequest(name="letters/canary"))
            .prompt_versions[0]
            .version,
        )
    ).prompt_version.version
    request = inference_pb2.InferRequest(
        idempotency_key=f"{MRN}-by-prompt",
        context=inference_pb2.InferenceContext(policy="administrative-letter", tags=TAGS),
        prompt_ref=inference_pb2.PromptReference(
            name="letters/canary", version=version, variables={"who": NAME}
        ),
        model=inference_pb2.ModelRequest(provider="replay", model="letter"),
    )
    done.states["by prompt"] = state(app.inference.Infer(request, timeout=TIMEOUT).result)


def _review(app: Client, clinician: ReviewClient, done: Done) -> None:
    request = infer_request(ABOUT, policy="patient-message", model="about-dose", **context())
    held = app.inference.Infer(request, timeout=TIMEOUT).result
    ticket = held.ticket.ticket_id
    lease = clinician.claim(ticket, key=f"{MRN}-claim").lease_id
    item = clinician.item(ticket)
    for finding in item.findings:
        if finding.severity >= common_pb2.SEVERITY_MODERATE:
            clinician.dispose(
                ticket,
                lease,
                finding.ordinal,
                review_pb2.DISPOSITION_FALSE_ALARM,
                reason_code="other",
                note=ABOUT,
            )
    clinician.reject(ticket, lease, "other", note=ABOUT)
    done.states["reviewed"] = app.get(held.inference_id).state


def _refused(app: Client, auditor: Client, done: Done) -> None:
    for request in (
        infer_request(f"{ABOUT}\x00", key=MRN),
        infer_request(ABOUT, policy=NAME, provider=NAME, model=NAME, on_behalf_of=NAME),
        infer_request(ABOUT * 2000),
        infer_request(ABOUT, patient=common_pb2.PatientContext(fhir_json=[ABOUT], sex=NAME)),
        infer_request(ABOUT, key=f"{MRN}-record"),
    ):
        done.refusals.append(refused(lambda r=request: app.inference.Infer(r, timeout=TIMEOUT)).raw)  # type: ignore[misc]
    named = inference_pb2.GetInferenceRequest(inference_id=ABOUT)
    done.refusals.append(refused(lambda: app.inference.GetInference(named)).raw)
    order = report_pb2.ExportRequest(idempotency_key=MRN, purpose=ABOUT, inference_ids=[ABOUT])
    done.refusals.append(refused(lambda: auditor.reports.Export(order)).raw)


def _events(app: Client, done: Done) -> None:
    body = {"inference_id": done.inference_ids[0], "source": "patient", "rating": "wrong"}
    event = Event("feedback.recorded", body, subject_ref=MRN, payloads={"comment": ABOUT.encode()})
    app.append_events([event], emitter="canary", idempotency_key=f"{MRN}-events")
    for wrong in (
        Event("feedback.recorded", {**body, "rating": ABOUT}),
        Event("feedback.recorded", {**body, MRN: NAME}),
        Event(NAME, body, subject_ref=MRN),
    ):
        refusal = _told(
            lambda w=wrong: app.append_events([w], emitter="canary", first_sequence=2),  # type: ignore[misc]
            "INVALID_REQUEST",
        )
        done.refusals.append(refusal)


def _custody(officer: CustodyClient, done: Done) -> None:
    named = custody_pb2.SubjectName(subject_ref=MRN)
    subject = officer.show(named)
    held = officer.hold(named, custody_pb2.HOLD_GROUND_LITIGATION)
    assert held.subject.pseudonym == subject.pseudonym
    done.states["custody"] = "held"
    for unknown in (
        custody_pb2.SubjectName(mrn=f"0{IDENTITY.mrn}"),
        custody_pb2.SubjectName(subject_ref=NAME),
    ):
        done.refusals.append(_told(lambda u=unknown: officer.show(u), "UNKNOWN_SUBJECT"))  # type: ignore[misc]


def _told(call: Callable[[], Any], reason: str) -> bytes:
    """All that a client of ours makes of a refusal."""
    with pytest.raises(AttendingApiError) as caught:
        call()
    err = caught.value
    assert err.reason == reason
    return repr((err, err.reason, err.metadata, err.field_violations)).encode()


def _one_word(app: Client, clinician: ReviewClient, auditor: Client, done: Done) -> None:
    """Where a name is taken for an id: a word without a space looks like one, to a log line as well."""
    word, number = NAME.split()[1], MRN.removeprefix("MRN-")
    get = inference_pb2.GetInferenceRequest
    calls: list[Callable[[], Any]] = [
        lambda: app.inference.Infer(infer_request(policy=word.lower(), provider=word, model=word)),
        lambda: app.inference.Infer(infer_request(provider=word, model=number)),
        lambda: app.inference.GetInference(get(inference_id=word)),
        lambda: app.ledger.ListEntries(ledger_pb2.ListEntriesRequest(inference_id=number)),
        lambda: auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_token=word)),
        lambda: auditor.reports.Export(
            report_pb2.ExportRequest(idempotency_key=number, purpose="audit", inference_ids=[word])
        ),
        lambda: app.prompts.GetVersion(prompt_pb2.GetVersionRequest(name=word.lower(), label=word.lower())),
    ]
    done.refusals += [refused(call).raw for call in calls]
    for ticket, lease in ((word, number), (number, word)):
        for step in (
            lambda t=ticket: clinician.item(t),
            lambda t=ticket, n=lease: clinician.claim(t, key=n),
            lambda t=ticket, n=lease: clinician.reject(t, n, "other"),
        ):
            done.refusals.append(_told(step, "UNKNOWN_TICKET"))
