"""What a reviewer adds to the patient: the text is judged again, nothing is lost, nobody wins in silence."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.context.merge import merge
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.guard import RailRun
from attending.guardrails.patient import Allergy, Condition, Identity, Medication, PatientContext
from attending.guardrails.policy.load import PolicySet
from attending.ledger.entry import Entry
from attending.ledger.review_signature import sign_statement
from attending.server.activation.serving import Generation
from attending.server.errors import AttendingError, FailedPrecondition, InvalidRequest, NotFound
from attending.server.inference.states import State
from attending.server.oversight.figures import Oversight
from attending.server.review import facts, missing
from attending.server.review.facts import Added, contexts, contradictions, facts_payload, load_facts, together
from attending.server.review.item import Item
from attending.server.shipped import package_policies
from hypothesis import given
from hypothesis import strategies as st

from tests.server.inference.conftest import TENANT, finding, key
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, opened_ward, person
from tests.server.review.test_break_glass import permit as permit_break_glass
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

WEIGHT = PatientContext(weight_kg=Decimal("82.5"), egfr=Decimal(34), pregnant=False)
UNKNOWN = replace(finding(Code.NOT_COVERED, Severity.MODERATE), rule_id="test:no-weight", message="no weight")
RENAL = replace(finding(Code.RENAL, Severity.MAJOR), rule_id="test:renal", message="too much for this eGFR")
NEVER = replace(finding(Code.NEVER_EVENT, Severity.CONTRAINDICATED), rule_id="test:never")


def of_patient(patient: PatientContext) -> tuple[Finding, ...]:
    """Without a weight something cannot be judged; a low eGFR is a finding; a pregnancy blocks."""
    return (
        *((UNKNOWN,) if patient.weight_kg is None else ()),
        *((RENAL,) if patient.egfr is not None and patient.egfr < 45 else ()),
        *((NEVER,) if patient.pregnant else ()),
    )


@pytest.fixture
async def ward(gate: Any) -> Ward:
    gate.checker.of_patient = of_patient
    return await opened_ward(gate)


async def add(ward: Ward, ticket: str, lease: str, given: PatientContext, who: Person | None = None) -> Item:
    who = who or ward.rivera
    item, _version, _index = await ward.desk.add_facts(who.principal, ticket, lease, given, fresh())  # type: ignore[arg-type]
    return item


async def last(ward: Ward, inference_id: str) -> Entry:
    return (await ward.gate.ledger.whole_stream(TENANT, inference_id))[-1]


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_the_findings_are_those_of_the_new_run_and_what_is_decided_stays(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    before = (await ward.desk.view(ward.rivera.permit, ticket)).result.findings
    assert [one.code for one in before] == [Code.INTERACTION, Code.NOT_COVERED]
    for ordinal in (0, 1):
        await ward.desk.dispose(
            ward.rivera.principal,
            ticket,
            lease,
            ordinal,
            "accepted_risk",
            "monitored",
            "",
            fresh(),  # type: ignore[arg-type]
        )
    item = await add(ward, ticket, lease, WEIGHT)
    assert item.state == "held"
    assert item.disposed == {0: "accepted_risk"}
    assert item.open_findings == 1
    case = await ward.desk.view(ward.rivera.permit, ticket)
    assert [one.code for one in case.result.findings] == [Code.INTERACTION, Code.RENAL]
    assert [(one.by, one.context) for one in case.facts] == [("rivera", WEIGHT)]
    entry = await last(ward, outcome.inference_id)
    assert entry.type == "review.facts_added"
    assert entry.actor == "human:rivera"
    assert (entry.body["facts"], entry.body["contradicted"]) == (["egfr", "pregnant", "weight_kg"], [])
    assert (entry.body["appeared"], entry.body["gone"]) == (["renal"], ["not_covered"])
    # Its values lie in the vault alone.
    assert [one.kind for one in entry.commitments] == ["facts", "result"]
    assert "82.5" not in str(entry.body)
    stored = await ward.gate.ledger.open_payload(TENANT, entry.body["facts_record"])
    assert load_facts(stored)[0].context == WEIGHT


async def test_after_facts_were_added_the_same_number_is_another_finding_to_the_precision_of_rails(
    ward: Ward,
) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)

    async def dispose(number: int, made: str) -> None:
        await ward.desk.dispose(
            ward.rivera.principal,
            ticket,
            lease,
            number,
            made,
            "not_applicable",
            "",
            fresh(),  # type: ignore[arg-type]
        )

    await dispose(1, "accepted_risk")
    await dispose(1, "false_alarm")  # their last word
    await add(ward, ticket, lease, WEIGHT)
    await dispose(1, "accepted_risk")
    rails = await Oversight(ward.gate.ledger, ward.gate.clock).rails(TENANT, datetime(2020, 1, 1, tzinfo=UTC))
    assert {(rail.code, rail.accepted, rail.false_alarms) for rail in rails} == {
        ("not_covered", 0, 1),
        ("renal", 1, 0),
    }


async def test_a_signature_binds_the_new_findings_and_the_application_gets_them(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    early = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await add(ward, ticket, lease, WEIGHT)
    # What was prepared over the findings before is void, and those that came have to be decided on.
    signature = sign_statement(early.statement, ward.rivera.key)
    assert await reason(
        ward.desk.sign(ward.rivera.principal, ticket, lease, early.preparation_id, signature, fresh())  # type: ignore[arg-type]
    ) == ("CHANGED_SINCE_PREPARED")
    assert await reason(ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)) == (
        "FINDINGS_UNDISPOSED"
    )
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert b'"82.5"' in prepared.view
    await sign(ward, ticket, lease, ward.rivera, prepared)
    released = await ward.gate.pipeline.get(TENANT, outcome.inference_id)
    assert released.state is State.RELEASED
    assert released.result is not None
    assert [one.code for one in released.result.findings] == [Code.INTERACTION, Code.RENAL]


async def test_nothing_is_released_by_itself(ward: Ward) -> None:
    outcome = await held(ward, "As before.")
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    item = await add(ward, ticket, lease, PatientContext(weight_kg=Decimal(80)))
    assert (item.state, item.to_dispose, item.worst_severity) == ("held", (), None)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.HELD


async def test_who_contradicts_the_application_is_judged_by_both(ward: Ward) -> None:
    given = PatientContext(weight_kg=Decimal(80), egfr=Decimal(30), allergies=())
    outcome = await held(ward, patient=given)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    said = PatientContext(egfr=Decimal(90), pregnant=True, allergies=(Allergy("penicillin"),))
    await add(ward, ticket, lease, said)
    case = await ward.desk.view(ward.rivera.permit, ticket)
    assert case.contradicted == ("allergies", "egfr")
    # The renal finding rests on the application's figure, the pregnancy on the reviewer's word.
    assert {one.code for one in case.result.findings} == {Code.INTERACTION, Code.RENAL, Code.NEVER_EVENT}
    # A correction of one's own counts at once, and is on record.
    await add(ward, ticket, lease, PatientContext(pregnant=False))
    entry = await last(ward, outcome.inference_id)
    assert (entry.body["replaced"], entry.body["gone"]) == (["pregnant"], ["never_event"])


async def test_with_what_the_policy_blocks_the_text_goes_out_by_nobody(ward: Ward) -> None:
    permit_break_glass(ward)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await add(ward, ticket, lease, replace(WEIGHT, pregnant=True))
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepare = ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert await reason(prepare) == "DISPOSITION_NEEDS_EDIT"
    item, _version = await ward.desk.item(TENANT, ticket)
    assert not await ward.desk.may_break_glass(ward.rivera.principal, item)
    glass = ward.desk.break_glass(ward.rivera.principal, ticket, "patient_in_danger", "Now.", key("glass"))
    assert await reason(glass) == "DISPOSITION_NEEDS_EDIT"
    # Nor an edit that is judged with the same facts.
    edit = ward.desk.prepare(ward.rivera.permit, ticket, lease, "Another text", ward.rivera.key_id)
    assert await reason(edit) == "EDIT_NOT_CLEAN"
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.HELD


@pytest.mark.parametrize("crashed", [False, True])
async def test_what_a_failed_rail_had_found_stays_beside_its_failure(ward: Ward, crashed: bool) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)

    def crash() -> None:
        raise RuntimeError("a check process died")

    if crashed:
        ward.gate.checker.fail_output = crash
    else:
        ward.gate.checker.failed_rail = RailRun("clinical checks", "raised", 1.0)
    item = await add(ward, ticket, lease, WEIGHT)
    case = await ward.desk.view(ward.rivera.permit, ticket)
    codes = [one.code for one in case.result.findings]
    assert codes == [Code.RAIL_FAILURE, Code.INTERACTION, Code.NOT_COVERED]
    assert (item.state, item.open_findings) == ("held", 3)
    # The next run that comes to its end says what is so.
    ward.gate.checker.fail_output, ward.gate.checker.failed_rail = (lambda: None), None
    await add(ward, ticket, lease, PatientContext(height_cm=Decimal(170)))
    case = await ward.desk.view(ward.rivera.permit, ticket)
    assert [one.code for one in case.result.findings] == [Code.INTERACTION, Code.RENAL]


async def test_findings_of_the_prompt_are_not_forgotten(ward: Ward) -> None:
    ward.gate.provider.text = "HOLD this text"
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    case = await ward.desk.view(ward.rivera.permit, ticket)
    of_prompt = replace(finding(Code.PHI, Severity.MODERATE), rail="phi input")
    runs: Any = [type("Run", (), {"rail_runs": (RailRun("clinical checks", "passed", 1.0),)})()]
    assert missing._outlive((*case.result.findings, of_prompt), runs) == (of_prompt,)


async def test_signatures_over_other_findings_count_no_more(tmp_path: Path, gate: Any) -> None:
    folder = tmp_path / "p"
    shutil.copytree(package_policies(), folder)
    path = folder / "discharge-plan" / "policy.yaml"
    path.write_text(path.read_text().replace("  count: 1\n", "  count: 2\n"))
    gate.policies = PolicySet.load(folder)
    gate.checker.policies, gate.checker.of_patient = gate.policies, of_patient
    gate.pipeline._serving.replace(Generation(gate.policies, gate.checker))
    ward = await opened_ward(gate)
    outcome = await held(ward)
    ticket = ticket_of(outcome)

    async def signs(who: Person) -> None:
        lease = await claim(ward, ticket, who)
        await dispose_all(ward, ticket, lease, who)
        prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
        await sign(ward, ticket, lease, who, prepared)

    await signs(ward.rivera)
    lease = await claim(ward, ticket, ward.chen)
    await add(ward, ticket, lease, WEIGHT, ward.chen)
    await signs(ward.chen)
    assert (await gate.pipeline.get(TENANT, outcome.inference_id)).state is State.HELD
    await signs(ward.rivera)
    assert (await gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED


async def test_only_who_holds_the_lease_adds_and_only_facts(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    assert await reason(add(ward, ticket, lease, WEIGHT, ward.chen)) == "LEASE_NOT_HELD"
    assert await reason(add(ward, ticket, "lse_other", WEIGHT)) == "LEASE_NOT_HELD"
    foreign = Person(replace(ward.rivera.principal, tenant="other"), ward.rivera.key)
    await ward.gate.ledger.create_log("other", "test.example/other")
    with pytest.raises(NotFound):
        await add(ward, ticket, lease, WEIGHT, foreign)
    for wrong in (
        PatientContext(),
        PatientContext(identity=Identity(mrn="1")),
        PatientContext(weight_kg=Decimal(80), goals="comfort"),
    ):
        with pytest.raises(InvalidRequest):
            await add(ward, ticket, lease, wrong)
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    assert await reason(add(ward, ticket, lease, WEIGHT)) == "LEASE_EXPIRED"
    assert "review.facts_added" not in await ward.gate.types(outcome.inference_id)
    nobody = person("bot", kind="app")
    assert await reason(add(ward, ticket, lease, WEIGHT, nobody)) in ("LEASE_NOT_HELD", "ROLE_NOT_PERMITTED")


async def test_two_at_once_and_a_retry(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    who, once = ward.rivera.principal, key("facts-once")
    _item, _version, index = await ward.desk.add_facts(who, ticket, lease, WEIGHT, once)
    assert (await ward.desk.add_facts(who, ticket, lease, WEIGHT, once))[2] == index
    results = await asyncio.gather(
        *(add(ward, ticket, lease, PatientContext(egfr=Decimal(n))) for n in (50, 60)),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, BaseException)]
    assert [getattr(one, "reason", one) for one in refused] == ["ITEM_CHANGED"]
    assert (await ward.gate.types(outcome.inference_id)).count("review.facts_added") == 2


async def test_there_is_an_end_to_adding(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "MAX_ADDITIONS", 1)
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await add(ward, ticket, lease, WEIGHT)
    with pytest.raises(FailedPrecondition) as caught:
        await add(ward, ticket, lease, WEIGHT)
    assert caught.value.reason == "TOO_MANY_FACTS"


MEASURE = st.none() | st.decimals(1, 200, places=1)
PATIENTS = st.builds(
    PatientContext,
    sex=st.none() | st.sampled_from(["male", "female"]),
    pregnant=st.none() | st.booleans(),
    pregnancy_weeks=st.none() | st.decimals(1, 40, places=0),
    weight_kg=MEASURE,
    egfr=MEASURE,
    dialysis=st.none() | st.booleans(),
    child_pugh=st.none() | st.sampled_from(["A", "B"]),
    allergies=st.none() | st.lists(st.builds(Allergy, st.sampled_from("ab")), max_size=2).map(tuple),
    medications=st.none()
    | st.lists(st.builds(Medication, st.sampled_from("ab"), dose=st.sampled_from("12")), max_size=2).map(
        tuple
    ),
    conditions=st.none()
    | st.lists(st.builds(Condition, st.sampled_from("ab"), active=st.booleans()), max_size=2).map(tuple),
)


@given(PATIENTS, PATIENTS)
def test_what_anybody_says_is_judged_and_what_differs_is_named(
    given: PatientContext, said: PatientContext
) -> None:
    judged = contexts(given, [Added("r", "2026-11-23T13:00:00.000000Z", said)])
    differs = contradictions(given, said)
    assert len(judged) == (2 if differs else 1)
    for one in fields(PatientContext):
        for side in (given, said):
            value = getattr(side, one.name)
            if one.name == "pregnancy_weeks" and "pregnant" in differs:
                continue
            if isinstance(value, tuple):
                # Every line is in one of the runs.
                assert all(
                    any(line in (getattr(run, one.name) or ()) for run in judged) for line in value
                ) or (
                    len({getattr(line, "name", getattr(line, "substance", "")) for line in value})
                    < len(value)
                )
            elif value is not None:
                assert any(getattr(run, one.name) == value for run in judged)
    assert load_facts(facts_payload([Added("r", "t", said)]).content) == (Added("r", "t", said),)


@given(PATIENTS, PATIENTS)
def test_the_newest_word_of_reviewers_counts(older: PatientContext, newer: PatientContext) -> None:
    said = together([Added("a", "t", older), Added("b", "t", newer)])
    for one in fields(PatientContext):
        value = getattr(newer, one.name)
        if value is not None and not isinstance(value, tuple):
            assert getattr(said, one.name) == value
    assert merge(newer, older).context == said


def test_the_same_finding_is_kept_once() -> None:
    assert facts.kept([RENAL, UNKNOWN, RENAL], [NEVER, RENAL]) == {0: 1}
    assert facts.kept([RENAL], [replace(RENAL, severity=Severity.MODERATE)]) == {}
