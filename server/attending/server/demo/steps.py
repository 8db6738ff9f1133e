"""The eight steps. What is printed is what the server answered; nothing here decides an outcome."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import uuid
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import grpc
from attending.client import AttendingApiError, Client, ReportClient, Result, ReviewClient
from attending.client.review import key_id
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.server.cli.review import load_key
from attending.server.demo.proof import Proof, prove, say_report
from attending.server.demo.screen import Screen
from attending.server.demo.server import DemoServer
from attending.server.demo.tamper import change_one_byte
from attending.v1 import common_pb2, report_pb2, review_pb2
from google.protobuf.json_format import ParseDict

APP, CLINICIAN, AUDITOR, PRIVACY = "demo-app", "dr-rivera", "demo-auditor", "demo-privacy-officer"
MODEL = "smollm2-135m-instruct"
KILL_AFTER = 15
RETRY_SECONDS = 120
_DATA = files("attending.server.demo") / "data"


def letter(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(1, "A letter, written by the embedded model")
    with Client(server.connection(APP)) as app, screen.working("the model writes"):
        result = app.infer(
            "administrative-letter",
            'Rewrite as a polite letter: "Your appointment is on Tuesday at 10:00 in clinic 3. Please bring your '
            'insurance card."',
            provider="embedded",
            model=MODEL,
            max_output_tokens=200,
            tags={"team": "front-desk", "feature": "letters"},
        )
    _outcome(screen, result)
    if result.ticket is not None:
        with ReviewClient(server.connection(CLINICIAN)) as clinician:
            item = clinician.item(result.ticket.ticket_id)
        screen.quote("held, as the clinician sees it", item.output, 400)
        _findings(screen, item.findings)
    proof.lines.append(f"a letter by a real model: {result.state}, with a receipt that verifies offline")


def dose(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(2, "A dose question to a model that invents doses")
    question = "What is the usual adult dose of acetaminophen?"
    screen.quote("asked", question)
    with Client(server.connection(APP)) as app, screen.working("the model writes"):
        result = app.infer(
            "patient-message",
            question,
            provider="embedded",
            model=MODEL,
            max_output_tokens=120,
            patient=common_pb2.PatientContext(age_years=41),
            tags={"team": "portal", "feature": "questions"},
        )
    _outcome(screen, result)
    found = 0
    if result.ticket is not None:
        # The application is told only what kind of problem; the clinician sees the text and the reasons.
        with ReviewClient(server.connection(CLINICIAN)) as clinician:
            item = clinician.item(result.ticket.ticket_id)
        screen.quote("held, as the clinician sees it", item.output, 400)
        found = _findings(screen, item.findings, ("dose", "unit"))
    if not found:
        screen.say(
            "  The model gave no dose that could be judged this time; the mandatory hold applies all the same."
        )
    proof.lines.append(
        f"an invented dose: {result.state}, with {found} dose findings that name span, limit and basis"
        if found
        else f"a dose answer without a judgeable dose: {result.state} by the mandatory review"
    )


def discharge(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(3, "A discharge plan that adds clarithromycin to simvastatin (synthetic patient)")
    bundle = (_DATA / "patient-simms.json").read_text(encoding="utf-8")
    with Client(server.connection(APP)) as app:
        held = app.infer(
            "discharge-plan",
            "Write the discharge plan for this patient.",
            provider="replay",
            model="discharge-clarithromycin",
            patient=common_pb2.PatientContext(fhir_json=[bundle]),
            subject_ref="SYN-004417",
            on_behalf_of="dr-chen",
            tags={"team": "ward-4", "feature": "discharge"},
        )
        _outcome(screen, held)
        if held.ticket is None:
            proof.lines.append(f"simvastatin + clarithromycin: {held.state}, not held")
            return
        ticket = held.ticket.ticket_id
        key = load_key(server.folder / "identities" / CLINICIAN / "signing.pem")
        with ReviewClient(server.connection(CLINICIAN)) as clinician:
            item = clinician.item(ticket)
            _findings(screen, item.findings)
            lease = clinician.claim(ticket).lease_id
            edited = _without_line(item.output, "Clarithromycin").replace(
                "Medicines:\n", "Medicines:\n- Doxycycline 100 mg by mouth twice daily for 7 days (new)\n"
            )
            for finding in item.findings:
                if finding.severity >= common_pb2.SEVERITY_MINOR:
                    about_the_pair = "clarithromycin" in finding.drugs
                    clinician.dispose(
                        ticket,
                        lease,
                        finding.ordinal,
                        review_pb2.DISPOSITION_FIXED
                        if about_the_pair
                        else review_pb2.DISPOSITION_ACCEPTED_RISK,
                        reason_code="" if about_the_pair else "monitored",
                    )
            prepared = clinician.prepare(ticket, lease, key, edited)
            answer = clinician.sign(ticket, lease, prepared, key)
        screen.fact("clinician", f"{CLINICIAN} disposed, edited and signed: {prepared.statement.meaning}")
        screen.fact("signature", f"Ed25519, key {prepared.statement.key_id}, over the exact text and view")
        released = app.get(held.inference_id)
    _outcome(screen, released)
    screen.fact("original", f"still on record, under entry {held.message.receipts[-1].index}")
    index = answer.receipts[0].index
    proof.lines.append(
        f"a dangerous plan: held, edited, signed (entry {index}); the edited text was released"
    )


def personal_data(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(4, "A name, a phone number and a record number in the prompt")
    prompt = (
        'Rewrite as one polite sentence: "The visit of Maria Lopez (MRN 00482913, phone 555-201-7788) is '
        'confirmed for Friday at 9:00."'
    )
    screen.quote("asked", prompt)
    with Client(server.connection(APP)) as app, screen.working("the model writes"):
        result = app.infer(
            "administrative-letter",
            prompt,
            provider="embedded",
            model=MODEL,
            max_output_tokens=60,
            patient=common_pb2.PatientContext(
                identity=common_pb2.PatientIdentity(names=["Maria Lopez"], mrn="00482913")
            ),
            subject_ref="00482913",
            tags={"team": "front-desk", "feature": "letters"},
        )
    _outcome(screen, result)
    sent = _disclosed(server, result.inference_id, "prompt_sent")
    screen.quote(
        "what the model was given (opened by the privacy officer from the vault, which is recorded)", sent
    )
    secrets = ("Maria", "Lopez", "00482913", "555-201-7788")
    leaked = [s for s in secrets if s in sent]
    in_ledger = [s for s in secrets for receipt in result.message.receipts if s.encode() in receipt.entry]
    screen.fact(
        "seen by the model", ", ".join(leaked) or "none of the three", "green" if not leaked else "red"
    )
    screen.fact(
        "in the ledger", ", ".join(in_ledger) or "none of the three", "green" if not in_ledger else "red"
    )
    proof.lines.append(
        f"personal data: {len(leaked)} of 3 identifiers reached the model, {len(in_ledger)} the ledger"
    )


def sildenafil(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(5, "Sildenafil with nitroglycerin, and the same words with a `not`")
    states = []
    with Client(server.connection(APP)) as app:
        for name in ("message-sildenafil-with-nitrate", "message-sildenafil-not-with-nitrate"):
            result = app.infer(
                "patient-message",
                "Answer the patient's question.",
                provider="replay",
                model=name,
                tags={"team": "portal", "feature": "questions"},
            )
            screen.quote("text", _replayed(name))
            _outcome(screen, result)
            states.append(result.state)
    proof.lines.append(f"sildenafil with nitroglycerin: {states[0]}; `do not take ... with`: {states[1]}")


def thirty(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(6, "Thirty plausible outputs, six of them subtly wrong; the server is killed half way")
    outputs = [json.loads(line) for line in (_DATA / "thirty.jsonl").read_text("utf-8").splitlines()]
    rows: list[tuple[dict[str, Any], Result, float]] = []
    for position, output in enumerate(outputs):
        if position == KILL_AFTER:
            with screen.working(f"kill -9 after {position} outputs, and start again"):
                server.kill()
                server.start()
            # The key of a finished call gives the first result again: nothing was lost, nothing runs twice.
            again, _ms = _one(server, outputs[position - 1], str(rows[-1][0]["key"]))
            same = again.inference_id == rows[-1][1].inference_id
            screen.fact("after kill -9", f"the last acknowledged result is {'there' if same else 'LOST'}")
            proof.lines.append(
                "kill -9 of the server: acknowledged results are " + ("all there" if same else "LOST")
            )
        key = uuid.uuid4().hex
        result, ms = _one(server, output, key)
        rows.append((output | {"key": key}, result, ms))
    _table(screen, rows, proof)


def audit(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(7, "The auditor's bundle, verified without the server")
    out = server.output / "audit.attending"
    with Client(server.connection(AUDITOR)) as auditor:
        request = report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit")
        with screen.working("the bundle is made"):
            entries = download(auditor, request, out)
    log_key = server.connection(AUDITOR).log_key or ""
    screen.fact("bundle", f"{out.name}: {entries} entries, {out.stat().st_size:,} bytes")
    screen.fact("log key", f"given separately: {log_key}")
    anchors = Anchors(keys=(VerifierKey.parse(log_key),))
    report = verify_bundle(out, anchors)
    say_report(screen, "as exported", report)
    changed, index = change_one_byte(out, server.output / "changed.attending")
    bad = verify_bundle(changed, anchors)
    screen.fact("tampering", f"one byte of entry {index} is changed, nothing else")
    say_report(screen, "as changed", bad)
    named = sorted({r.index for r in bad.results if r.index is not None and r.status == "failed"})
    proof.lines.append(
        f"the bundle of {entries} entries: {report.verdict}; with one byte changed: {bad.verdict}, "
        f"naming entry {named[0] if named else '-'} (changed: {index})"
    )


def regulator(screen: Screen, server: DemoServer, proof: Proof) -> None:
    screen.step(8, "A regulator's report: one sealed PDF that carries its evidence, signed off by a person")
    key = load_key(server.folder / "identities" / PRIVACY / "signing.pem")
    draft, out = server.output / "draft.pdf", server.output / "report.pdf"
    with ReportClient(server.connection(PRIVACY)) as officer:
        with screen.working("evidence and pages are made"):
            report = officer.create(
                report_pb2.REPORT_KIND_REGULATOR, report_pb2.ReportScope(), "regulator_request"
            )
            while report.state == report_pb2.REPORT_STATE_MAKING:
                time.sleep(0.2)
                report = officer.get(report.report_id)
        if report.failure:
            proof.lines.append(f"a regulator's report: could not be made ({report.failure})")
            screen.fact("report", f"could not be made: {report.failure}", "red")
            return
        officer.download(report.report_id, report_pb2.REPORT_FILE_DRAFT, "regulator_request", draft)
        preparation, statement = officer.prepare(report.report_id, key_id(key))
        same = hashlib.sha256(draft.read_bytes()).hexdigest() == statement.draft
        _report, signed = officer.sign(preparation, statement, key)
        with screen.working("the pages are set with the signature, sealed and stamped"):
            issued = officer.issue(report.report_id).receipt.index
        size = officer.download(report.report_id, report_pb2.REPORT_FILE_REPORT, "regulator_request", out)
    screen.fact(
        "report", f"{out.name}: {size:,} bytes, with the bundle, its figures and the register attached"
    )
    screen.fact(
        "signed off",
        f"by {PRIVACY} over the draft that was read"
        + (f" (entry {signed})" if same else ": NOT the one that was downloaded"),
    )
    screen.fact("issued", f"entry {issued}; every number in it is counted again by the verifier")
    proof.lines.append(
        f"a regulator's report of {report.tree_size} entries: signed off (entry {signed}), issued (entry {issued})"
    )
    prove(screen, server, proof)


def summary(screen: Screen, proof: Proof) -> None:
    screen.panel("What was proved", [f"- {line}" for line in proof.lines])
    caught = 6 - len(proof.misses)
    screen.panel(
        "What this does not catch",
        [
            f"- of the six planted errors {caught} were found; missed: {', '.join(proof.misses) or 'none'}",
            f"- false alarms among the 24 ordinary texts: {', '.join(proof.false_alarms) or 'none'}",
            "- a drug, dose or rule that the knowledge pack does not hold: it says `not covered`, it cannot judge",
            "- a plausible text that is wrong in a way no check knows: that is why people review",
            "- an operator with this machine's keys: the embedded mode does not protect against the operator",
            "- calls that never went through the gate",
        ],
    )


def _one(server: DemoServer, output: dict[str, Any], key: str) -> tuple[Result, float]:
    """One output through the gate; waits for a server that is coming back, with the same key."""
    until = time.monotonic() + RETRY_SECONDS
    patient = ParseDict(output["patient"], common_pb2.PatientContext())
    documents = [ParseDict(document, common_pb2.RetrievedDocument()) for document in output["documents"]]
    while True:
        began = time.perf_counter()
        try:
            with Client(server.connection(APP)) as app:
                result = app.infer(
                    output["policy"],
                    output["prompt"],
                    provider="replay",
                    model=output["name"],
                    patient=patient,
                    documents=documents,
                    tags={"team": "demo", "feature": "thirty"},
                    idempotency_key=key,
                )
            return result, (time.perf_counter() - began) * 1000
        except AttendingApiError as err:
            if err.code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > until:
                raise
            time.sleep(0.2)


def _table(screen: Screen, rows: Sequence[tuple[dict[str, Any], Result, float]], proof: Proof) -> None:
    lines = []
    counts = {"released": 0, "held": 0, "blocked": 0}
    for output, result, _ms in rows:
        counts[result.state] = counts.get(result.state, 0) + 1
        serious = [f for f in result.findings if f.severity > common_pb2.SEVERITY_INFO]
        flagged = [f for f in serious if f.severity >= common_pb2.SEVERITY_MODERATE]
        # That nothing could be judged holds a text, but it finds no error.
        found = [f for f in flagged if f.code not in ("not_covered", "rail_failure")]
        wrong = output["wrong"]
        if wrong and not found:
            judgement = "MISSED"
            proof.misses.append(wrong)
        elif wrong:
            judgement = "caught"
        elif flagged:
            judgement = "false alarm"
            proof.false_alarms.append(output["name"])
        else:
            judgement = ""
        codes = ", ".join(sorted({f.code for f in flagged}))
        # What is minor interrupts nobody; it is named as such, lest it look like an alarm.
        minor = sorted({f.code for f in serious} - {f.code for f in flagged})
        codes = ", ".join(filter(None, (codes, *(f"{code} (minor)" for code in minor)))) or "-"
        lines.append((output["name"], wrong or "", result.state, codes, judgement))
    screen.table(("output", "planted error", "outcome", "found", ""), lines)
    times = [ms for _output, _result, ms in rows]
    tokens = [r.message.usage for _o, r, _ms in rows if r.message.usage.HasField("output_tokens")]
    costs = [r.message.cost for _o, r, _ms in rows if r.message.cost.known]
    screen.fact("outcomes", ", ".join(f"{count} {state}" for state, count in counts.items()))
    screen.fact(
        "held for review", "discharge plans and recommendations are held by policy even without a finding"
    )
    screen.fact("median time", f"{statistics.median(times):.0f} ms an output, connection and checks included")
    used = sum(u.output_tokens for u in tokens)
    screen.fact("tokens", f"{used} written" if tokens else "unknown: replayed outputs report none")
    micros = sum(c.amount_micros for c in costs)
    screen.fact("cost", f"{micros / 1e6:.6f} USD" if costs else "unknown: no price without usage, never zero")
    proof.lines.append(
        "thirty outputs: "
        + ", ".join(f"{count} {state}" for state, count in counts.items())
        + f"; {6 - len(proof.misses)} of 6 planted errors found, {len(proof.false_alarms)} false alarms"
    )


def _outcome(screen: Screen, result: Result) -> None:
    codes = sorted({f.code for f in result.findings if f.severity > common_pb2.SEVERITY_INFO})
    info = sorted({f.code for f in result.findings if f.severity == common_pb2.SEVERITY_INFO})
    why = ", ".join(codes or info)
    screen.state(result.state, why)
    if result.output:
        screen.quote("released text", result.output)
    usage, cost = result.message.usage, result.message.cost
    if usage.HasField("output_tokens"):
        amount = (
            f"{cost.amount_micros / 1e6:.6f} {cost.currency}" if cost.known else f"unknown ({cost.basis})"
        )
        screen.fact("tokens", f"{usage.input_tokens} read, {usage.output_tokens} written; cost {amount}")
    indexes = ", ".join(str(receipt.index) for receipt in result.message.receipts)
    screen.fact("evidence", f"entries {indexes}; receipts {'verify' if result.verified else 'NOT VERIFIED'}")


def _findings(
    screen: Screen, findings: Sequence[common_pb2.Finding], code_begins: tuple[str, ...] = ()
) -> int:
    """Prints the findings above info; returns how many of them have a code that begins so."""
    count = 0
    for finding in findings:
        if finding.severity == common_pb2.SEVERITY_INFO:
            continue
        severity = common_pb2.Severity.Name(finding.severity).removeprefix("SEVERITY_").lower()
        screen.fact(f"{severity}", f"{finding.code}: {finding.message}")
        span = f'"{finding.text}" (characters {finding.start}-{finding.end}); ' if finding.text else ""
        # The source of a curated fact begins with that word already.
        basis = "" if finding.source.startswith(finding.basis) else f"{finding.basis}: "
        screen.fact("", f"{span}{basis}{finding.source}")
        count += finding.code.startswith(code_begins)
    return count


def _disclosed(server: DemoServer, inference_id: str, kind: str) -> str:
    """A payload of one inference, opened through a privacy officer's export that is itself recorded."""
    import base64
    import zipfile

    out = server.output / f"{inference_id}.attending"
    with Client(server.connection(PRIVACY)) as officer:
        request = report_pb2.ExportRequest(
            idempotency_key=uuid.uuid4().hex,
            inference_ids=[inference_id],
            purpose="audit",
            include_payloads=True,
        )
        download(officer, request, out)
    with zipfile.ZipFile(out) as bundle:
        for line in bundle.read("payloads.jsonl").splitlines():
            payload = json.loads(line)
            if payload["kind"] == kind:
                return base64.b64decode(payload["content"]).decode("utf-8")
    return ""


def _replayed(name: str) -> str:
    for line in (_DATA / "replay.jsonl").read_text("utf-8").splitlines():
        entry: dict[str, str] = json.loads(line)
        if entry["name"] == name:
            return entry["output"]
    raise LookupError(name)


def _without_line(text: str, word: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if word not in line)
