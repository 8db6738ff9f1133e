"""Whose signature a finding wants: who may claim and sign, what releases, and what the log holds of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from attending.guardrails.finding import Code, Severity
from attending.guardrails.patient import PatientContext
from attending.ledger.review_signature import sign_statement
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.report import Findings, Status
from attending.server.errors import AttendingError
from attending.server.inference.states import State
from attending.server.review.enrolment import enrol_keys
from attending.server.review.queue import Wanted
from attending.server.review.skills import Terms
from hypothesis import given
from hypothesis import strategies as st

from tests.server.inference.conftest import TENANT, finding
from tests.server.review.conftest import Person, Ward, opened_ward, person, revise
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

POLICY = "discharge-plan"
SKILL = {"findings": ["interactions"], "roles": ["pharmacist"]}
RECOMMENDS = replace(finding(Code.CLINICAL_RECOMMENDATION, Severity.INFO), rule_id="test:recommends")
TOO_MUCH = replace(finding(Code.RENAL, Severity.MAJOR), rule_id="test:renal")


@pytest.fixture
async def ward(gate: Any) -> Ward:
    return await opened_ward(gate)


@pytest.fixture
async def pham(ward: Ward) -> Person:
    """A pharmacist, whom the desk knows as a colleague."""
    found = person("pham", "pharmacist")
    people = [one.principal for one in (ward.rivera, ward.chen, ward.auditor, found)]
    await enrol_keys(ward.gate.ledger, [TENANT], people, "srv-test", ward.gate.clock)
    ward.desk._people = lambda: people
    return found


def want(ward: Ward, *skills: dict[str, Any], count: int = 1, roles: tuple[str, ...] = ()) -> None:
    sign_offs = ward.gate.policies[POLICY].sign_offs.model_dump()
    sign_offs |= {"skills": skills or (SKILL,), "count": count, "roles": roles or sign_offs["roles"]}
    revise(ward, POLICY, sign_offs=sign_offs)


def recommending(ward: Ward) -> None:
    ward.gate.checker.of_patient = lambda _patient: (RECOMMENDS,)


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def sign_by(ward: Ward, ticket: str, who: Person, edit: str | None = None) -> None:
    lease = await claim(ward, ticket, who)
    await dispose_all(ward, ticket, lease, who, "fixed" if edit else "accepted_risk")
    prepared = await ward.desk.prepare(who.permit, ticket, lease, edit, who.key_id)
    await sign(ward, ticket, lease, who, prepared)


async def shown(ward: Ward, who: Person) -> list[str]:
    page = await ward.desk.queue(TENANT, Wanted(claimable=True, who=who.principal), 50)
    return [item.ticket_id for item, _version in page.items]


async def verify(ward: Ward) -> dict[str, str]:
    """Checks of the offline verifier that fail, with why."""
    findings = Findings()
    checks = Checks(findings, Scope.FULL, 0)
    size, _root = await ward.gate.ledger.head(TENANT)
    for begin in range(0, size, 500):
        for entry in await ward.gate.ledger.list_entries(TENANT, begin, min(500, size - begin)):
            checks.visit(entry)
    checks.finish()
    return {one.check: one.detail for one in findings.results() if one.status is Status.FAILED}


async def test_the_one_signature_is_that_of_the_skill(ward: Ward, pham: Person) -> None:
    want(ward)
    outcome = await held(ward)
    ticket, plain = ticket_of(outcome), ticket_of(await held(ward, "As before."))
    entry = (await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id))[-1]
    assert entry.body["sign_off"]["wanted"] == [["pharmacist"]]
    assert await reason(claim(ward, ticket, ward.rivera)) == "SKILL_WANTED"
    assert await shown(ward, ward.rivera) == [plain]
    assert await shown(ward, pham) == [ticket, plain]
    taken, _version, _index = await ward.desk.claim_next(ward.rivera.principal, fresh())  # type: ignore[arg-type]
    assert taken.ticket_id == plain
    args = (ward.chen.principal, ticket, "")
    assert await reason(ward.desk.reassign(*args, "rivera", "expertise", "", fresh())) in (  # type: ignore[arg-type]
        "SKILL_WANTED",
        "REVIEWER_CANNOT_SIGN",
    )
    await ward.desk.reassign(*args, "pham", "expertise", "", fresh())  # type: ignore[arg-type]
    await sign_by(ward, ticket, pham)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
    assert await verify(ward) == {}


async def test_a_recommendation_wants_a_clinician_and_the_finding_a_pharmacist(
    ward: Ward, pham: Person
) -> None:
    want(ward)
    recommending(ward)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    item, _version = await ward.desk.item(TENANT, ticket)
    assert item.sign_off_roles == ("clinician", "pharmacist")
    assert item.sign_off_count == 1
    assert item.open_to == ("clinician", "pharmacist")
    await sign_by(ward, ticket, ward.rivera)
    # A clinician has signed; another one helps nobody.
    assert (await ward.desk.item(TENANT, ticket))[0].open_to == ("pharmacist",)
    assert await reason(claim(ward, ticket, ward.chen)) == "SKILL_WANTED"
    await sign_by(ward, ticket, pham)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
    # The other way round, and with an edit, over which the signature before counts no more.
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    await sign_by(ward, ticket, pham)
    await sign_by(ward, ticket, ward.rivera, "A safe text")
    assert (await ward.desk.item(TENANT, ticket))[0].open_to == ("pharmacist",)
    await sign_by(ward, ticket, pham)
    done = await ward.gate.pipeline.get(TENANT, outcome.inference_id)
    assert (done.state, done.output) == (State.RELEASED, "A safe text")
    assert await verify(ward) == {}


async def test_what_is_below_the_threshold_wants_nobody(ward: Ward, pham: Person) -> None:
    want(ward, {"findings": ["doses"], "roles": ["pharmacist"]})
    ticket = ticket_of(await held(ward))
    await sign_by(ward, ticket, ward.rivera)
    minor = replace(TOO_MUCH, severity=Severity.MINOR)
    ward.gate.checker.of_patient = lambda _patient: (minor,)
    ticket = ticket_of(await held(ward))
    await sign_by(ward, ticket, ward.rivera)
    ward.gate.checker.of_patient = lambda _patient: (TOO_MUCH,)
    assert await reason(claim(ward, ticket_of(await held(ward)), ward.rivera)) == "SKILL_WANTED"
    assert await verify(ward) == {}


async def test_facts_may_make_a_finding_want_somebody(ward: Ward, pham: Person) -> None:
    want(ward, {"findings": ["doses"], "roles": ["pharmacist"]})
    ward.gate.checker.of_patient = lambda patient: (TOO_MUCH,) if patient.weight_kg else ()
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    who = ward.rivera.principal
    given = PatientContext(weight_kg=Decimal(82))
    item, _v, _i = await ward.desk.add_facts(who, ticket, lease, given, fresh())  # type: ignore[arg-type]
    assert item.open_to == ("pharmacist",)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepare = ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert await reason(prepare) == "SKILL_WANTED"
    await ward.desk.reassign(who, ticket, lease, "pham", "expertise", "", fresh())  # type: ignore[arg-type]
    # The policy that is in force by then wants nobody; what was wanted is.
    want(ward, {"findings": ["urgency"], "roles": ["pharmacist"]})
    await sign_by(ward, ticket, pham)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
    assert await verify(ward) == {}


async def test_two_who_sign_at_once_count_once(ward: Ward, pham: Person) -> None:
    want(ward)
    recommending(ward)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    await sign_by(ward, ticket, ward.rivera)
    lease = await claim(ward, ticket, pham)
    prepared = await ward.desk.prepare(pham.permit, ticket, lease, None, pham.key_id)
    signature = sign_statement(prepared.statement, pham.key)
    args = (pham.principal, ticket, lease, prepared.preparation_id, signature)
    both = await asyncio.gather(
        *(ward.desk.sign(*args, fresh()) for _n in range(2)),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert sum(isinstance(one, AttendingError) for one in both) == 1
    types = await ward.gate.types(outcome.inference_id)
    assert (types.count("review.signed"), types.count("inference.released")) == (2, 1)


_ROLES = st.sampled_from(["clinician", "pharmacist", "safety_officer"])
_TERMS = st.builds(
    Terms,
    st.lists(_ROLES, min_size=1, max_size=3, unique=True).map(tuple),
    st.integers(1, 3),
    st.lists(st.lists(_ROLES, min_size=1, max_size=3, unique=True).map(tuple), max_size=3).map(tuple),
)


@given(_TERMS, st.lists(_ROLES, max_size=5))
def test_no_signatures_do_that_do_not_meet_every_want(terms: Terms, signed: list[str]) -> None:
    allowed = [role for role in signed if role in terms.all_roles]
    counted = sum(role in terms.roles for role in allowed) if terms.wanted else len(allowed)
    met = counted >= terms.count and all(set(group) & set(allowed) for group in terms.wanted)
    assert (terms.lacking(allowed) == 0) is met
    # Who may sign comes closer to the release, step by step, and somebody always may.
    steps = terms.lacking(allowed)
    while steps:
        open_to = terms.open_to(allowed)
        assert open_to
        assert set(open_to) <= set(terms.all_roles)
        allowed.append(open_to[-1])
        assert terms.lacking(allowed) == steps - 1
        steps -= 1


@given(_TERMS)
def test_a_row_gives_the_terms_back(terms: Terms) -> None:
    assert Terms.load(terms.dump(), terms.all_roles, terms.count) == terms


def test_no_finding_kind_is_forgotten_without_a_reason() -> None:
    from attending.guardrails.policy.skills import FAMILIES

    covered = [code for family in FAMILIES.values() for code in family]
    assert len(covered) == len(set(covered))
    # What is about the words, the gate itself, or a drug that nobody knows wants nobody in particular.
    assert set(Code) - set(covered) == {
        Code.WRONG_PATIENT,
        Code.ABBREVIATION,
        Code.UNKNOWN_DRUG,
        Code.NOT_COVERED,
        Code.PHI,
        Code.INJECTION,
        Code.TOXICITY,
        Code.OFF_TOPIC,
        Code.CLINICAL_RECOMMENDATION,
        Code.RAIL_FAILURE,
    }
