"""What `attending check --explain` tells: the statements, the patient and what was not read, as data and in words."""

from __future__ import annotations

import json

from attending.guardrails.checks.run import run_checks
from attending.guardrails.context.json_form import parse_context
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged
from attending.guardrails.understood import in_words, understood

TEXT = (
    "A 75-year-old woman, 50 kg, creatinine 2.1. Stop lisinopril. Start Norco 5/325 one tablet every 6 hours as "
    "needed, no more than 4 tablets a day. Do not take it with Xanax. Give Zantrolol 50 mg daily."
)


def test_everything_read_is_told() -> None:
    knowledge = Knowledge.load()
    judged = Judged(TEXT, None, parse_context({"medications": ["atorvastatin 20 mg"], "allergies": "NKDA"}))
    told = understood(judged, knowledge, "clinician")
    assert json.loads(json.dumps(told)) == told
    norco = next(one for one in told["statements"] if one["text"] == "Norco")
    assert set(norco["drugs"]) == {"hydrocodone", "acetaminophen"}
    assert (norco["scope"], norco["started"]) == ("recommend", True)
    assert TEXT[norco["start"] : norco["end"]] == "Norco"
    assert norco["frequency"] == "up to 4 times a day, as needed"
    assert told["stopped"] == ["lisinopril"]
    assert told["taking"] == ["atorvastatin"]
    assert told["patient"]["weight_kg"] == "50"
    assert told["patient"]["allergies"] == "none known"
    assert told["patient"]["kidney"].startswith("creatinine clearance 18")
    assert [one["text"] for one in told["not_read"]] == ["Zantrolol"]


def test_the_words_hold_what_the_data_hold() -> None:
    knowledge = Knowledge.load()
    judged = Judged(TEXT)
    words = "\n".join(
        in_words(
            understood(judged, knowledge, "clinician"),
            run_checks(judged, knowledge, audience="clinician").findings,
        )
    )
    assert '"lisinopril": stop' in words
    assert 'not read: "Zantrolol"' in words
    assert "unknown_drug" in words
    nothing = "\n".join(in_words(understood(Judged("Rest well."), knowledge, "patient"), ()))
    assert nothing.splitlines() == [
        "understood:",
        "  no drug",
        "  patient: nothing is known",
        "findings:",
        "  none",
    ]
