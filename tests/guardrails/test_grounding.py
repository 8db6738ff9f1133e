"""Claims of an output against its documents."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import pytest
from attending.guardrails.checks.passages import overlap, sentences
from attending.guardrails.checks.run import run_checks
from attending.guardrails.citation import Citation, Support
from attending.guardrails.context.json_form import parse_context, parse_documents
from attending.guardrails.finding import Code, Finding
from attending.guardrails.grounding.compare import differences
from attending.guardrails.grounding.reading import read
from attending.guardrails.grounding.sources import Sources
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged

PLAN = (
    "Discharge plan for the patient. Warfarin 2.5 mg once daily. Follow up in the wound clinic in 2 weeks. "
    "Do not take ibuprofen. Methotrexate 15 mg once weekly. The left knee was operated on. "
    "Continue lisinopril 10 mg daily. Driving is not allowed until the cast is removed."
)


def judged(
    knowledge: Knowledge,
    output: str,
    documents: Sequence[Any] = ({"id": "plan", "text": PLAN},),
    **context: Any,
) -> list[Finding]:
    case = Judged(output, None, parse_context(context), parse_documents([dict(d) for d in documents]))
    found = run_checks(case, knowledge, audience="patient").findings
    return [f for f in found if f.code in (Code.CONTRADICTION, Code.UNSUPPORTED) and f.severity.rank >= 2]


@pytest.mark.parametrize(
    ("output", "rule"),
    [
        ("Take warfarin 25 mg once daily.", "rule:grounding-dose"),
        ("Take warfarin 5 mg once daily.", "rule:grounding-dose"),
        ("Take methotrexate 15 mg every day.", "rule:grounding-frequency"),
        ("You may take ibuprofen 400 mg for pain.", "rule:grounding-polarity"),
        ("Stop taking lisinopril.", "rule:grounding-polarity"),
        ("Follow up in the wound clinic in 12 weeks.", "rule:grounding-number"),
        ("Your right knee was operated on.", "rule:grounding-side"),
        ("Driving is allowed until the cast is removed.", "rule:grounding-negation"),
        ("Start gabapentin 300 mg at night.", "rule:unsupported-drug"),
    ],
)
def test_a_changed_claim_is_found_with_its_passage(knowledge: Knowledge, output: str, rule: str) -> None:
    found = judged(knowledge, output)
    assert rule in [f.rule_id for f in found]
    finding = next(f for f in found if f.rule_id == rule)
    assert "plan" in finding.source
    assert output[finding.start : finding.end] == finding.text


@pytest.mark.parametrize(
    "output",
    [
        "Take warfarin 2.5 mg once daily. Follow up in 2 weeks.",
        "Your warfarin dose is 2.5 mg every day.",
        "Do not take ibuprofen.",
        "Methotrexate 15 mg every week.",
        "Your left knee was operated on.",
        "Keep taking lisinopril 10 mg each morning.",
        "Please drink enough water.",
        "Driving is not allowed until the cast is removed.",
    ],
)
def test_a_faithful_claim_is_left_alone(knowledge: Knowledge, output: str) -> None:
    assert judged(knowledge, output) == []


NOTE = (
    "She takes lisinopril 20 mg twice daily for hypertension. She denies chest pain, shortness of breath, or fever.\n"
    "The left knee has a 3 cm effusion with no instability. The right shoulder is normal.\n"
    "Symptoms began two days ago after lifting. Her ejection fraction was 45%. Bilateral ankle edema is present.\n"
    "She has a 10-year history of type 2 diabetes. Lachman test was negative. She walks 2 miles every day."
)


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("She takes lisinopril 40 mg twice daily for hypertension.", "dose"),
        ("She takes amlodipine 20 mg twice daily for hypertension.", "drug"),
        ("She takes lisinopril 20 mcg twice daily for hypertension.", "dose"),
        ("She takes lisinopril 20 mg three times daily for hypertension.", "frequency"),
        ("She reports chest pain, shortness of breath, or fever.", "negation"),
        ("The patient is positive for chest pain and fever.", "negation"),
        ("The right knee has a 3 cm effusion with no instability.", "side"),
        ("The left knee has a 3 mm effusion with no instability.", "unit"),
        ("The left knee has a 5 centimeter effusion with no instability.", "number"),
        ("The left knee has a 3 cm effusion with instability.", "negation"),
        ("Left ankle edema is present.", "side"),
        ("Symptoms began two weeks ago after lifting.", "time"),
        ("Symptoms began five days ago after lifting.", "number"),
        ("Her ejection fraction was 54 percent.", "number"),
        ("She has a 10-month history of type 2 diabetes.", "time"),
        ("Lachman test was positive.", "negation"),
        ("She walks 2 miles every week.", "time"),
        ("The right shoulder is abnormal.", "opposite"),
        ("The right shoulder isn't normal.", "negation"),
        ("She complains of chest pain and fever.", "negation"),
        ("The patient denies that she walks 2 miles every day.", "negation"),
        ("The R knee has a 3 cm effusion with no instability.", "side"),
        ("She walks 2 miles every other week.", "time"),
    ],
)
def test_one_fact_swapped_is_a_contradiction_of_its_kind(knowledge: Knowledge, claim: str, kind: str) -> None:
    found = judged(knowledge, claim, ({"id": "note", "text": NOTE},))
    assert [f.rule_id for f in found][:1] == [f"rule:grounding-{kind}"]
    assert {f.code for f in found} == {Code.CONTRADICTION}


@pytest.mark.parametrize(
    "claim",
    [
        "Lisinopril 20 milligrams BID is taken for HTN.",
        "The patient denies fever, chest pain, and SOB.",
        "She does not report chest pain.",
        "There is a three centimeter effusion of the left knee without instability.",
        "Both sides: bilateral ankle edema.",
        "Symptoms began 2 days ago.",
        "Symptoms began 48 hours ago after lifting.",
        "EF about 45 percent.",
        "She has had type 2 diabetes for 10 years.",
        "The Lachman test is negative, and she walks two miles daily.",
        "Is the right knee swollen?",
        "The L knee has a 3cm effusion w/o instability.",
        "No chest pain, SOB, or fever.",
        "SHE DENIES CHEST PAIN, SHORTNESS OF BREATH, OR FEVER.",
    ],
)
def test_the_same_fact_in_other_words_is_left_alone(knowledge: Knowledge, claim: str) -> None:
    assert judged(knowledge, claim, ({"id": "note", "text": NOTE},)) == []


@pytest.mark.parametrize(
    ("claim", "document", "kind"),
    [
        ("Hemoglobin was 7.1 g/L.", "Hemoglobin was 7.1 g/dL.", "unit"),
        ("Hemoglobin was 71 g/L.", "Hemoglobin was 7.1 g/dL.", None),
        ("Hemoglobin was 7.1 grams per deciliter.", "Hemoglobin was 7.1 g/dL.", None),
        ("Troponin was 40 ng/L.", "Troponin was 40 ng/mL.", "unit"),
        ("The creatinine was 98 \u00b5mol/L.", "The creatinine was 98 mmol/L.", "unit"),
        ("The creatinine was 98 umol/L.", "The creatinine was 98 \u03bcmol/L.", None),
        ("Glucose is 5.5 mg/dL.", "Glucose is 5.5 mmol/L.", "unit"),
        ("The wound drained 500 \u00b5g of it.", "The wound drained 500 mg of it.", "unit"),
        ("The dose was 5 mg/kg.", "The dose was 5 mg.", "unit"),
        ("The drip runs at 5 mL/h.", "The drip runs at 5 mL/min.", "time"),
        ("The drip runs at 5 mL/h.", "The drip runs at 5 mL per hour.", None),
        ("Calories were 40 mg/day for a week.", "Calories were 40 mg daily for a week.", None),
        ("ALT was 40 U/L.", "ALT was 40 IU/L.", None),
        ("Heart rate 80 beats/min.", "Heart rate 80 bpm.", None),
        ("The pump gives 5 mg/dL/zz of it.", "The pump gives 5 mg of it.", None),
    ],
)
def test_a_unit_is_read_to_its_end(knowledge: Knowledge, claim: str, document: str, kind: str | None) -> None:
    found = judged(knowledge, claim, ({"id": "note", "text": document},))
    assert [f.rule_id for f in found] == ([f"rule:grounding-{kind}"] if kind else [])


@pytest.mark.parametrize(
    ("claim", "document", "contradicted"),
    [
        ("No fever.", "The patient has a fever of 38.5 C. Cough for two days.", True),
        ("No diabetes. Has hypertension.", "Type 2 diabetes. Hypertension.", True),
        ("Non-smoker.", "Current smoker, 20 pack years.", True),
        ("No known drug allergies.", "Allergies: penicillin.", True),
        ("NKDA.", "Allergies: penicillin.", True),
        ("Fever: no", "Fever: yes", True),
        ("Allergies: none.", "Allergies: penicillin.", True),
        ("She has a fever.", "Fever: no. Cough: yes.", True),
        ("No known drug allergies.", "Allergies: NKDA", False),
        ("She has no fever.", "Fever: no. Cough: yes.", False),
        ("The Lachman test was negative.", "Lachman test: negative.", False),
        ("The x-ray was negative.", "The x-ray is normal.", False),
        ("No fever.", "Return if fever develops. Call us for fever above 38.", False),
        ("No fever.", "The fever has resolved. Cough.", False),
        ("No edema.", "No edema in the legs. Edema of the face.", False),
        ("No fracture.", "X-ray to rule out fracture.", False),
        ("No pain?", "Pain in the knee.", False),
        ("Stop smoking.", "Current smoker.", False),
    ],
)
def test_a_denial_alone_in_its_sentence_is_held_against_what_is_plainly_said(
    knowledge: Knowledge, claim: str, document: str, contradicted: bool
) -> None:
    found = judged(knowledge, claim, ({"id": "note", "text": document},))
    assert [f.rule_id for f in found] == ["rule:grounding-negation"] * contradicted


def test_the_same_words_turned_round_are_no_support(knowledge: Knowledge) -> None:
    case = Judged(
        "The wound is healing well without infection.",
        None,
        documents=parse_documents([{"id": "note", "text": "The wound is infected and not healing well."}]),
    )
    (cited,) = run_checks(case, knowledge, audience="clinician").citations
    assert cited.status is not Support.SUPPORTED


def test_each_claim_is_cited_with_its_passage(knowledge: Knowledge) -> None:
    output = (
        "Her ejection fraction was 45%. The right knee has a 3 cm effusion. The moon is made of old cheese."
    )
    case = Judged(
        output, None, documents=parse_documents([{"id": "other", "text": PLAN}, {"id": "note", "text": NOTE}])
    )
    cited = run_checks(case, knowledge, audience="clinician").citations
    assert [(c.status, c.document) for c in cited] == [
        (Support.SUPPORTED, "note"),
        (Support.CONTRADICTED, "note"),
        (Support.UNSUPPORTED, ""),
    ]
    assert [output[c.start : c.end] for c in cited] == output.replace(". ", ".|").split("|")
    for citation in cited[:2]:
        assert NOTE[citation.passage_start : citation.passage_end] == citation.passage
    assert cited[0].passage.strip() == "Her ejection fraction was 45%."
    assert [Citation.from_json(c.to_json()) for c in cited] == list(cited)


def test_a_document_that_agrees_outweighs_one_that_does_not(knowledge: Knowledge) -> None:
    documents = ({"id": "old", "text": "Her ejection fraction was 30%."}, {"id": "new", "text": NOTE})
    assert judged(knowledge, "Her ejection fraction was 45%.", documents) == []


def test_hostile_texts_are_read_to_their_end(knowledge: Knowledge) -> None:
    """Long lines, bare marks and numbers without end."""
    for text in (
        "no " * 20_000,
        "1/" * 20_000,
        "left right " * 10_000,
        "\u0130" * 5_000,
        ", and she" * 5_000,
        "a\n" * 20_000,
    ):
        judged(knowledge, text[:20_000], ({"id": "d", "text": text[:20_000]},))


class Backwards(frozenset[str]):
    """A set as a process with other hashes has it."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(frozenset(self), reverse=True))

    def __and__(self, other: AbstractSet[object]) -> Backwards:
        return Backwards(frozenset(self) & other)


class Forwards(Backwards):
    def __iter__(self) -> Iterator[str]:
        return iter(sorted(frozenset(self)))

    def __and__(self, other: AbstractSet[object]) -> Forwards:
        return Forwards(frozenset(self) & other)


def test_a_share_is_the_same_in_every_order_of_a_set() -> None:
    """Floats add up to something else in another order; a process of the pool must judge as the next one does."""
    words = [f"word{letter}" for letter in "abcdefghijklm"]
    text = " ".join(f"{' '.join(words[:count])}." for count in range(1, 14))
    sources = Sources([read(text, "d", {})])
    for count in range(3, 14):
        one, other = Backwards(words[:count]), Forwards(words[:count])
        assert sources.best(one, limit=5) == sources.best(other, limit=5)
        assert sources.shared(one, 5) == sources.shared(other, 5)
        assert overlap(one, frozenset(words[1:9]), sources.weights) == overlap(
            other, frozenset(words[1:9]), sources.weights
        )


def test_comparing_grows_with_the_length_at_most() -> None:
    """CPU time for one length against that for four times it, both of the same run: 16 times where all is compared
    with all."""

    def spent(times: int) -> float:
        text = "pain " * times
        started = time.process_time()
        list(differences(read(text, "", {}), Sources([read(text, "d", {})])))
        return time.process_time() - started

    short, long = (min(spent(times) for _ in range(3)) for times in (1_000, 4_000))
    assert long < 9 * short


def test_tenfold_against_the_document_is_named(knowledge: Knowledge) -> None:
    finding = next(
        f for f in judged(knowledge, "Take lisinopril 100 mg daily.") if f.code is Code.CONTRADICTION
    )
    assert "10 times apart" in finding.message
    assert finding.severity.value == "major"


def test_no_documents_no_findings(knowledge: Knowledge) -> None:
    assert judged(knowledge, "Take warfarin 25 mg once daily.", documents=()) == []


@pytest.mark.parametrize(
    ("document", "output", "flagged"),
    [
        (
            {"id": "gl-1", "text": "WITHDRAWN. Rosiglitazone 4 mg daily is advised."},
            "Start rosiglitazone 4 mg.",
            True,
        ),
        (
            {"id": "gl-2", "text": "Rosiglitazone 4 mg daily is advised.", "withdrawn": True},
            "Start rosiglitazone 4 mg daily.",
            True,
        ),
        (
            {"id": "gl-3", "text": "Superseded by gl-4. Treat sinusitis for 21 days."},
            "As gl-3 says, rest.",
            True,
        ),
        (
            {"id": "gl-7", "text": "WITHDRAWN 2024: guideline on sinus care."},
            "Rest, as the guideline says.",
            True,
        ),
        (
            {"id": "gl-5", "text": "WITHDRAWN. Rosiglitazone 4 mg daily is advised."},
            "Your visit is on Friday.",
            False,
        ),
        (
            {"id": "gl-6", "text": "Rosiglitazone 4 mg daily is advised."},
            "Start rosiglitazone 4 mg daily.",
            False,
        ),
    ],
)
def test_resting_on_a_withdrawn_document(
    knowledge: Knowledge, document: dict[str, Any], output: str, flagged: bool
) -> None:
    found = [f for f in judged(knowledge, output, (document,)) if f.rule_id == "rule:withdrawn-document"]
    assert bool(found) is flagged


def test_sentences_keep_their_place() -> None:
    text = "First item.\n- second, 2 weeks\nThird is 1,200 mL. Fourth."
    assert [text[a:b] for a, b in sentences(text)] == [
        "First item.",
        "- second, 2 weeks",
        "Third is 1,200 mL.",
        "Fourth.",
    ]
