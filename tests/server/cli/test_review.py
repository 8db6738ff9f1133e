"""A clinician's evening at a terminal: what is shown, what is refused and why, and that no answer is no consent."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from attending.client import Client
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.cli.review import REASONS, REJECTIONS, patient_lines
from attending.server.cli.review_handover import ESCALATIONS, HANDOVERS
from attending.server.review.item import ESCALATE_CODES, HANDOVER_CODES, REASON_CODES, REJECT_CODES
from attending.v1 import common_pb2

from tests.e2e.server_process import ServerProcess

DRAFT = "Start clarithromycin 500 mg twice daily for 7 days. Continue simvastatin 40 mg at bedtime."
EDITED = "Start doxycycline 100 mg twice daily for 7 days. Continue simvastatin 40 mg at bedtime."


@pytest.fixture
def server(embedded: ServerProcess) -> ServerProcess:
    return embedded


@pytest.fixture
def ticket(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ATTENDING_DATA", str(server.folder))
    patient = common_pb2.PatientContext(
        age_years=71,
        medications=common_pb2.MedicationList(short_forms=["simvastatin 40 mg"]),
        allergies=common_pb2.AllergyList(none_known=True),
    )
    document = common_pb2.RetrievedDocument(id="guide-7", version="3", text="Macrolides are an option.")
    with Client(server.connection("demo-app")) as app:
        held = app.record(
            "discharge-plan",
            "Draft the medicines.",
            DRAFT,
            provider="own",
            model="own-1",
            patient=patient,
            documents=[document],
            tags={"team": "ward-3", "feature": "discharge"},
        )
    assert held.ticket is not None
    return held.ticket.ticket_id


def test_from_the_queue_to_a_signature(
    server: ServerProcess,
    ticket: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def attending(*arguments: str) -> tuple[int, str, str]:
        code = run(["review", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    # What a decision rests on is all there: prompt, patient, documents, text, findings.
    code, shown, _errors = attending("show", ticket)
    assert code == Exit.OK
    for part in ("Draft the medicines.", "age_years: 71", "medications: ", "guide-7 3:", DRAFT, "(0) "):
        assert part in shown
    assert "allergies: none known" in shown
    assert "weight" not in shown

    code, lease, _errors = attending("claim", ticket)
    under = ("--lease", lease.strip())
    key = ("--key", str(server.folder / "identities/dr-rivera/signing.pem"))
    code, _shown, errors = attending("claim", ticket, "--as", "dr-chen")
    assert (code, "ALREADY_CLAIMED" in errors) == (Exit.FAILED, True)
    code, _shown, errors = attending("sign", ticket, *under, *key, "--yes")
    assert code == Exit.FAILED
    assert "FINDINGS_UNDISPOSED" in errors
    assert "open 1" in errors, "how many, from the server's own words"
    assert "`attending review dispose`" in errors
    code, _shown, errors = attending("dispose", ticket, "0", *under, "--as-what", "false-alarm")
    assert (code, "needs --reason" in errors) == (Exit.USAGE, True)
    assert attending("dispose", ticket, "0", *under, "--as-what", "fixed")[0] == Exit.OK

    edited = tmp_path / "edited.txt"
    edited.write_text(EDITED + "\n")
    final = ("sign", ticket, *under, *key, "--text", str(edited))
    # Standard input has ended: that is not a yes. Nor is a no.
    for answer in ("", "n\n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert attending(*final)[0] == Exit.HELD
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, shown, errors = attending(*final)
    assert code == Exit.HELD
    assert EDITED in shown
    assert "nothing was signed" in errors
    assert f"{ticket}  " in attending("list")[1]

    code, shown, _errors = attending(*final, "--yes")
    assert (code, shown.splitlines()[-1]) == (Exit.OK, "signed; the item is now released")
    # Who signed, in which role, with what meaning and when stands with the text (21 CFR 11.50).
    code, shown, _errors = attending("show", ticket)
    assert (
        "signed: Dr Rivera (demo), clinician: approved_with_edits (of a text that was changed), 20" in shown
    )
    code, _shown, errors = attending(*final, "--yes")
    assert code == Exit.FAILED
    assert "actual released, allowed held" in errors


def test_the_next_item_is_taken_by_one(
    server: ServerProcess, ticket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def attending(*arguments: str) -> tuple[int, str, str]:
        code = run(["review", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    # Items of earlier tests may wait too: each is taken once, until nothing waits.
    taken = []
    while (answer := attending("next", "--policy", "discharge-plan"))[0] == Exit.OK:
        taken.append(answer[1].split()[0])
        assert answer[1].split()[1].startswith("lse_")
    assert "NOTHING_WAITS" in answer[2]
    assert ticket in taken
    assert len(taken) == len(set(taken))
    assert "NOTHING_WAITS" in attending("next", "--json", "--policy", "discharge-plan")[2]


def test_what_was_missing_is_added_and_shown(
    server: ServerProcess, ticket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def attending(*arguments: str) -> tuple[int, str, str]:
        code = run(["review", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    lease = attending("claim", ticket)[1].strip()
    under = ("add-facts", ticket, "--lease", lease)
    assert attending(*under)[0] == Exit.USAGE
    assert attending(*under, "--lab", "potassium")[0] == Exit.USAGE
    code, _shown, errors = attending(*under, "--weight-kg", "7000")
    assert (code, "facts.weight_kg" in errors, "7000" in errors) == (Exit.FAILED, True, False)
    code, shown, _errors = attending(
        *under, "--weight-kg", "82.5", "--egfr", "14", "--not-pregnant", "--allergy", "penicillin (rash)"
    )
    assert code == Exit.OK
    assert "judged again: " in shown
    # The application said that no allergy is known.
    assert "the application says otherwise of allergies: both were judged" in shown
    code, shown, _errors = attending("show", ticket)
    assert "added by dr-rivera, " in shown
    assert "weight_kg: 82.5" in shown
    assert "pregnant: no" in shown
    assert "disagree on: allergies" in shown
    # The numbers are others than before: who decides says which they saw.
    [seen] = [line.partition(": ")[2] for line in shown.splitlines() if line.startswith("seen: ")]
    number = next(line[1 : line.index(")")] for line in shown.splitlines() if line.startswith("("))
    dispose = ("dispose", ticket, number, "--lease", lease, "--as-what", "fixed")
    code, _shown, errors = attending(*dispose)
    assert (code, "FINDINGS_UNSEEN" in errors, "--seen" in errors) == (Exit.FAILED, True, True)
    code, disposed, _errors = attending(*dispose, "--seen", seen)
    assert code == Exit.OK
    assert disposed.splitlines()[-1].startswith("seen: " + seen.partition(".")[0])
    answer = json.loads(attending(*under, "--lab", "potassium=5.4 mmol/L", "--json")[1])
    assert answer["item"]["state"] == "held"
    assert answer["receipt"]["index"] >= "0"
    code, _shown, errors = attending(*dispose, "--seen", seen)
    assert (code, "ITEM_CHANGED" in errors) == (Exit.FAILED, True)


def test_an_item_goes_back_on_and_up_and_is_refused_under_signature(
    server: ServerProcess, ticket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def attending(*arguments: str) -> tuple[int, str, str]:
        code = run(["review", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    lease = attending("claim", ticket)[1].strip()
    assert attending("give-back", ticket, "--lease", lease)[:2] == (Exit.OK, "the item is free\n")
    handed = attending("reassign", ticket, "--to", "dr-chen", "--reason", "expertise", "--json")
    answer = json.loads(handed[1])
    assert (handed[0], answer["item"]["assigned_to"]) == (Exit.OK, "dr-chen")
    assert answer["receipt"]["index"] >= "0"
    code, _shown, errors = attending("claim", ticket)
    assert (code, "RESERVED" in errors) == (Exit.FAILED, True)
    [line] = [one for one in attending("list")[1].splitlines() if one.startswith(ticket)]
    assert "kept for dr-chen until" in line
    chens = attending("claim", ticket, "--as", "dr-chen")[1].strip()
    up = ("escalate", ticket, "--lease", chens, "--reason", "facts_missing", "--as", "dr-chen")
    assert attending(*up)[:2] == (Exit.OK, "escalated to clinician, safety_officer\n")
    code, _shown, errors = attending("claim", ticket, "--as", "dr-chen")
    assert (code, "ESCALATED_BY_YOU" in errors) == (Exit.FAILED, True)
    lease = attending("claim", ticket)[1].strip()
    # A refusal under signature, as an item that is read blind needs; findings need no disposition for it.
    key = ("--key", str(server.folder / "identities/dr-rivera/signing.pem"))
    # What was seen is compared by what is signed: where nothing is, it would be asked for and not looked at.
    unsigned = attending(
        "reject", ticket, "--lease", lease, "--reason", "unsafe", "--seen", "held.0000000000000000"
    )
    assert unsigned[0] == Exit.USAGE
    refused = attending("reject", ticket, "--lease", lease, "--reason", "unsafe", *key)
    assert refused[:2] == (Exit.OK, "the item is now rejected\n")


def test_the_reasons_offered_are_those_of_the_desk() -> None:
    assert set(REASONS) == REASON_CODES
    assert set(REJECTIONS) == REJECT_CODES
    assert set(HANDOVERS) == HANDOVER_CODES
    assert set(ESCALATIONS) == ESCALATE_CODES


def test_what_was_not_given_is_not_said_and_none_known_is() -> None:
    patient = {
        "pregnant": False,
        "egfr": None,
        "allergies": [],
        "labs": [{"code": "K", "value": "5.9", "unit": None}],
    }
    assert patient_lines(patient).splitlines() == [
        "pregnant: no",
        "allergies: none known",
        "labs: code K, value 5.9",
    ]
