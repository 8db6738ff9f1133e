"""A finding that somebody decided on is not asked about again for the same patient, and only while all is the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from attending.guardrails.checks.rests_on import Grounds
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.patient import PatientContext
from attending.server import projections
from attending.server.errors import AttendingError
from attending.server.inference.alike import content
from attending.server.inference.call import Caller
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.oversight.draws import Draws
from attending.server.oversight.second_reads import SecondReads
from attending.server.recall.desk import Recalls
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.server.inference.conftest import CALLER, TENANT, context, finding, infer_call, key
from tests.server.review.conftest import Ward, opened_ward, phi_of, revise
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of
from tests.server.review.test_skills import verify

POLICY = "discharge-plan"
GROUNDS = Grounds('{"egfr": "60"}', {"secretdrug": ('["output", {"dose": "5 mg"}]',)})


@pytest.fixture
async def ward(gate: Any) -> Ward:
    gate.checker.grounds = GROUNDS
    made = await opened_ward(gate)
    revise(made, POLICY, suppression={"days": 90})
    return made


async def again(ward: Ward, text: str = "HOLD this text", **changes: Any) -> Outcome:
    return await held(ward, text, **{"subject_ref": "MRN-1", **changes})


async def signed(
    ward: Ward, outcome: Outcome, disposition: str = "accepted_risk", edit: str | None = None
) -> Outcome:
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, disposition)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, edit, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    return outcome


async def asked(ward: Ward, outcome: Outcome) -> bool:
    """Whether the finding is to be disposed of."""
    item, _version = await ward.desk.item(TENANT, ticket_of(outcome))
    assert set(item.to_dispose) | set(item.suppressed) == {0}
    assert not set(item.to_dispose) & set(item.suppressed)
    return 0 in item.to_dispose


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def withdraw(ward: Ward, outcome: Outcome) -> None:
    recalls = Recalls(ward.gate.ledger, ward.gate.changes, ward.gate.clock)
    await recalls.withdraw(ward.chen.principal, outcome.inference_id, "unsafe", "", fresh())  # type: ignore[arg-type]


async def test_it_is_shown_and_not_asked_about(ward: Ward) -> None:
    first = await again(ward)
    assert await asked(ward, first)
    await signed(ward, first)
    ward.gate.clock.advance(days=89)
    second = await again(ward, "Another text, to HOLD")
    assert not await asked(ward, second)
    [decided] = [
        entry
        for entry in await ward.gate.ledger.stream_entries(TENANT, first.inference_id)
        if entry.type == "review.disposed"
    ]
    entry = (await ward.gate.ledger.stream_entries(TENANT, second.inference_id))[-1]
    assert entry.type == "inference.held"
    assert entry.body["to_dispose"] == []
    assert entry.body["suppression_days"] == 90
    [suppressed] = entry.body["suppressed"]
    assert suppressed == {
        "finding": 0,
        "entry": decided.index,
        "inference": first.inference_id,
        "severity": "major",
    }
    [alike] = entry.body["alike"]
    assert alike["digest"] == decided.body["alike"]
    assert "SECRET" not in json.dumps(entry.body)
    case = await ward.desk.view(ward.chen.permit, ticket_of(second))
    [before] = case.decided_before
    assert (before.by, before.at, before.reason_code) == ("rivera", decided.time, "monitored")
    assert (before.ticket, before.stands) == (ticket_of(first), True)
    # It is held all the same, and signed; what is signed names the earlier decision.
    ticket = ticket_of(second)
    lease = await claim(ward, ticket, ward.chen)
    prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    assert json.loads(prepared.view)["decided_before"] == [before.to_json()]
    assert (prepared.statement.findings, prepared.statement.disposed) == (0, 0)
    await sign(ward, ticket, lease, ward.chen, prepared)
    assert (await ward.gate.pipeline.get(TENANT, second.inference_id)).state is State.RELEASED
    assert await verify(ward) == {}


async def test_the_time_counts_from_the_decision_and_not_from_its_repetition(ward: Ward) -> None:
    await signed(ward, await again(ward))
    ward.gate.clock.advance(days=60)
    assert not await asked(ward, await signed(ward, await again(ward)))
    ward.gate.clock.advance(days=31)
    third = await again(ward)
    assert await asked(ward, third)
    # Decided anew, it stands anew.
    await signed(ward, third, "false_alarm")
    ward.gate.clock.advance(days=89)
    assert not await asked(ward, await again(ward))
    assert await verify(ward) == {}


async def test_the_policy_says_for_how_long(ward: Ward) -> None:
    await signed(ward, await again(ward))
    revise(ward, POLICY, suppression={"days": 7})
    ward.gate.clock.advance(days=6)
    assert not await asked(ward, await again(ward))
    ward.gate.clock.advance(days=1)
    assert await asked(ward, await again(ward))
    revise(ward, POLICY, suppression=None)
    outcome = await again(ward)
    assert await asked(ward, outcome)
    entry = (await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id))[-1]
    assert not {"alike", "suppressed", "suppression_days"} & set(entry.body)


def _interaction(**changes: Any) -> Callable[[Ward], None]:
    def change(ward: Ward) -> None:
        ward.gate.checker.interaction = lambda found: replace(found, **changes)

    return change


def _grounds(grounds: Grounds | None) -> Callable[[Ward], None]:
    return lambda ward: setattr(ward.gate.checker, "grounds", grounds)


def _stricter(decision: str, severity: str) -> Callable[[Ward], None]:
    row = {"code": "interaction", "severity": severity, "decision": decision, "because": "test"}
    return lambda ward: revise(ward, POLICY, verdicts=[row])


CHANGES: dict[str, Callable[[Ward], None]] = {
    "severity": _interaction(severity=Severity.MODERATE),
    "contraindicated": _interaction(severity=Severity.CONTRAINDICATED),
    "code": _interaction(code=Code.RENAL),
    "code that is always asked about": _interaction(code=Code.UNSUPPORTED),
    "rule": _interaction(rule_id="test:other"),
    "scope": _interaction(scope=Scope.CONTINUE),
    "basis": _interaction(basis=Basis.LABEL_TEXT),
    "source": _interaction(source="other"),
    "message": _interaction(message="150 MME"),
    "words": _interaction(text="SECRET-OTHER"),
    "drugs": _interaction(drugs=("secretdrug", "other")),
    "no drug": _interaction(drugs=()),
    "dose": _grounds(replace(GROUNDS, stated={"secretdrug": ('["output", {"dose": "10 mg"}]',)})),
    "drug stated no more": _grounds(replace(GROUNDS, stated={})),
    "labs": _grounds(replace(GROUNDS, patient='{"egfr": "59"}')),
    "checks that did not end": _grounds(None),
    "knowledge": lambda ward: setattr(ward.gate.checker, "knowledge_hash", "sha256:" + "1" * 64),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_whatever_is_not_the_same_is_asked_about(ward: Ward, what: str) -> None:
    await signed(ward, await again(ward))
    CHANGES[what](ward)
    assert await asked(ward, await again(ward))
    # What changes back is known again.
    ward.gate.checker.interaction = lambda found: found
    ward.gate.checker.grounds, ward.gate.checker.knowledge_hash = GROUNDS, "sha256:" + "0" * 64
    assert not await asked(ward, await again(ward))
    assert await verify(ward) == {}


async def test_where_it_stands_in_the_text_and_what_else_is_taken_change_nothing(ward: Ward) -> None:
    await signed(ward, await again(ward))
    ward.gate.checker.interaction = lambda found: replace(found, start=7, end=11)
    stated = {**GROUNDS.stated, "another": ("50 mg",)}
    ward.gate.checker.grounds = replace(GROUNDS, stated=stated)
    assert not await asked(ward, await again(ward))


async def test_another_patient_none_and_another_reader_are_asked_about(ward: Ward) -> None:
    await signed(ward, await again(ward))
    await signed(ward, await again(ward, subject_ref=None))
    assert await asked(ward, await again(ward, subject_ref="MRN-2"))
    assert await asked(ward, await again(ward, subject_ref=None))
    assert await asked(ward, await again(ward, recipient="patient"))


async def test_another_policy_is_asked_about(ward: Ward) -> None:
    await signed(ward, await again(ward))
    other = "prior-authorisation-letter"
    revise(ward, other, suppression={"days": 90})
    ward.gate.provider.text = "HOLD this text"
    outcome = await ward.gate.pipeline.infer(
        CALLER, infer_call(policy=other, context=context(other, subject_ref="MRN-1")), key("other")
    )
    assert await asked(ward, outcome)


async def test_what_blocks_by_now_is_blocked(ward: Ward) -> None:
    await signed(ward, await again(ward))
    ward.gate.checker.interaction = lambda found: replace(found, basis=Basis.SOURCE_ROW)
    _stricter("block", "major")(ward)
    ward.gate.provider.text = "HOLD this text"
    outcome = await ward.gate.pipeline.infer(
        CALLER, infer_call(policy=POLICY, context=context(POLICY, subject_ref="MRN-1")), key("blocked")
    )
    assert outcome.state is State.BLOCKED
    entry = (await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id))[-1]
    assert entry.body["to_dispose"] == [0]
    assert "suppressed" not in entry.body


async def _rejected(ward: Ward, outcome: Outcome) -> None:
    lease = await claim(ward, ticket_of(outcome), ward.rivera)
    await dispose_all(ward, ticket_of(outcome), lease, ward.rivera)
    await ward.desk.reject(
        ward.rivera.principal,
        ticket_of(outcome),
        lease,
        "unsafe",
        "",
        fresh(),  # type: ignore[arg-type]
    )


async def _waiting(ward: Ward, outcome: Outcome) -> None:
    lease = await claim(ward, ticket_of(outcome), ward.rivera)
    await dispose_all(ward, ticket_of(outcome), lease, ward.rivera)


async def _fixed(ward: Ward, outcome: Outcome) -> None:
    await signed(ward, outcome, "fixed", "A safe text")


async def _accepted_and_fixed(ward: Ward, outcome: Outcome) -> None:
    lease = await claim(ward, ticket_of(outcome), ward.rivera)
    await dispose_all(ward, ticket_of(outcome), lease, ward.rivera)
    await ward.desk.release_lease(ward.rivera.principal, ticket_of(outcome), lease, fresh())  # type: ignore[arg-type]
    await _fixed(ward, outcome)


async def _taken_back(ward: Ward, outcome: Outcome) -> None:
    await withdraw(ward, await signed(ward, outcome))


async def _glass(ward: Ward, outcome: Outcome) -> None:
    lease = await claim(ward, ticket_of(outcome), ward.rivera)
    await dispose_all(ward, ticket_of(outcome), lease, ward.rivera)
    await ward.desk.break_glass(ward.rivera.principal, ticket_of(outcome), "cover", "", fresh())  # type: ignore[arg-type]


async def _other_facts(ward: Ward, outcome: Outcome) -> None:
    lease = await claim(ward, ticket_of(outcome), ward.rivera)
    await ward.desk.add_facts(
        ward.rivera.principal,
        ticket_of(outcome),
        lease,
        PatientContext(pregnant=False),
        fresh(),  # type: ignore[arg-type]
    )
    await signed(ward, outcome)


@pytest.mark.parametrize(
    "end", [_rejected, _waiting, _fixed, _accepted_and_fixed, _taken_back, _glass, _other_facts]
)
async def test_a_decision_that_led_to_no_text_that_stands_is_none(ward: Ward, end: Any) -> None:
    revise(ward, POLICY, break_glass={"roles": ["clinician"], "review_within_hours": 24})
    first = await again(ward)
    await end(ward, first)
    assert await asked(ward, await again(ward))
    assert await verify(ward) == {}


async def test_a_decision_that_a_second_reader_does_not_share_is_none(ward: Ward) -> None:
    gate, served = ward.gate, ward.gate.pipeline._serving.policies
    revise(ward, POLICY, sampling={"released_percent": 100})
    draws = Draws(gate.ledger, served, "srv-test", gate.clock)
    await draws.sweep(TENANT)
    words = {"MRN-1": ("approved", ""), "MRN-2": ("rejected", "unsafe")}
    drawn = {
        (await signed(ward, await again(ward, subject_ref=patient))).inference_id: patient
        for patient in words
    }
    gate.clock.advance(days=1)
    await draws.sweep(TENANT)
    reads = SecondReads(gate.ledger, phi_of(gate), "srv-test", gate.clock)
    rows = await reads.waiting(ward.chen.principal, 10)
    assert {row["inference_id"] for row in rows} == set(drawn)
    for patient in words:
        assert not await asked(ward, await again(ward, subject_ref=patient))
    for row in rows:
        word = words[drawn[row["inference_id"]]]
        await reads.decide(ward.chen.principal, row["read_id"], *word, "", fresh())  # type: ignore[arg-type]
    assert not await asked(ward, await again(ward, subject_ref="MRN-1"))
    assert await asked(ward, await again(ward, subject_ref="MRN-2"))


async def test_a_text_that_was_taken_back_since_is_signed_on_no_more(ward: Ward) -> None:
    first = await signed(ward, await again(ward))
    second = await again(ward)
    ticket = ticket_of(second)
    lease = await claim(ward, ticket, ward.chen)
    prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    await withdraw(ward, first)
    [before] = (await ward.desk.view(ward.chen.permit, ticket)).decided_before
    assert not before.stands
    assert await reason(sign(ward, ticket, lease, ward.chen, prepared)) == "DECISION_LAPSED"
    prepare = ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    assert await reason(prepare) == "DECISION_LAPSED"
    # Whoever signs decides by themselves then, and that stands.
    await ward.desk.dispose(
        ward.chen.principal,
        ticket,
        lease,
        0,
        "accepted_risk",
        "monitored",
        "",
        fresh(),  # type: ignore[arg-type]
    )
    prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    await sign(ward, ticket, lease, ward.chen, prepared)
    assert not await asked(ward, await again(ward))
    assert await verify(ward) == {}


async def test_what_was_decided_before_may_be_decided_otherwise(ward: Ward) -> None:
    await signed(ward, await again(ward))
    second = await again(ward)
    ticket = ticket_of(second)
    lease = await claim(ward, ticket, ward.chen)
    await ward.desk.dispose(ward.chen.principal, ticket, lease, 0, "fixed", "", "", fresh())  # type: ignore[arg-type]
    prepare = ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    assert await reason(prepare) == "DISPOSITION_NEEDS_EDIT"
    # The same problem still there in the edit is no longer accepted by what was decided before.
    prepare = ward.desk.prepare(ward.chen.permit, ticket, lease, "HOLD that", ward.chen.key_id)
    assert await reason(prepare) == "EDIT_NOT_CLEAN"


async def test_who_decides_otherwise_has_the_last_word(ward: Ward) -> None:
    await signed(ward, await again(ward))
    second = await again(ward)
    assert not await asked(ward, second)
    waits = await again(ward)
    ticket = ticket_of(second)
    lease = await claim(ward, ticket, ward.chen)
    await ward.desk.dispose(ward.chen.principal, ticket, lease, 0, "fixed", "", "", fresh())  # type: ignore[arg-type]
    prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, "A safe text", ward.chen.key_id)
    await sign(ward, ticket, lease, ward.chen, prepared)
    # What waits on the strength of the first word is asked about, and so is the next text.
    [before] = (await ward.desk.view(ward.rivera.permit, ticket_of(waits))).decided_before
    assert not before.stands
    lease = await claim(ward, ticket_of(waits), ward.rivera)
    prepare = ward.desk.prepare(ward.rivera.permit, ticket_of(waits), lease, None, ward.rivera.key_id)
    assert await reason(prepare) == "DECISION_LAPSED"
    third = await again(ward)
    assert await asked(ward, third)
    # Another patient's is another finding; and whoever accepts it after that has the last word in turn.
    await signed(ward, await again(ward, subject_ref="MRN-2"))
    assert not await asked(ward, await again(ward, subject_ref="MRN-2"))
    await signed(ward, third)
    assert not await asked(ward, await again(ward))
    assert await verify(ward) == {}


async def test_an_edit_that_keeps_it_is_as_clean_as_the_text(ward: Ward) -> None:
    await signed(ward, await again(ward))
    second = await again(ward)
    lease = await claim(ward, ticket_of(second), ward.chen)
    args = (ward.chen.permit, ticket_of(second), lease)
    prepared = await ward.desk.prepare(*args, "HOLD this, in other words", ward.chen.key_id)
    await sign(ward, ticket_of(second), lease, ward.chen, prepared)
    assert await verify(ward) == {}


async def test_facts_that_are_added_have_everything_asked_about(ward: Ward) -> None:
    await signed(ward, await again(ward))
    second = await again(ward)
    ticket = ticket_of(second)
    lease = await claim(ward, ticket, ward.chen)
    await ward.desk.add_facts(
        ward.chen.principal,
        ticket,
        lease,
        PatientContext(pregnant=False),
        fresh(),  # type: ignore[arg-type]
    )
    assert await asked(ward, second)
    assert (await ward.desk.view(ward.chen.permit, ticket)).decided_before == ()
    assert await verify(ward) == {}


async def test_an_erased_patient_is_known_no_more(ward: Ward) -> None:
    first = await signed(ward, await again(ward))
    pseudonym = await ward.gate.ledger.pseudonym(TENANT, "MRN-1")
    assert (await ward.gate.pipeline.get(TENANT, first.inference_id)).subject == pseudonym
    await ward.gate.ledger.erase_subject(TENANT, pseudonym)
    assert await asked(ward, await again(ward))
    # Nobody can make the digest again, from any copy.
    assert await reason_of_ledger(ward.gate.ledger.keyed_digest(TENANT, pseudonym, b"x")) == "SUBJECT_ERASED"


async def reason_of_ledger(call: Any) -> str:
    from attending.ledger.errors import LedgerError

    with pytest.raises(LedgerError) as caught:
        await call
    return caught.value.reason


async def test_another_tenant_knows_nothing_of_it(ward: Ward) -> None:
    await signed(ward, await again(ward))
    await ward.gate.ledger.create_log("other", "test.example/other")
    outcome = await ward.gate.pipeline.infer(
        Caller("other", "app-1"),
        infer_call(policy=POLICY, context=context(POLICY, subject_ref="MRN-1")),
        key("other"),
    )
    entry = (await ward.gate.ledger.stream_entries("other", outcome.inference_id))[-1]
    assert entry.body["to_dispose"] == [0]
    decided = projections.decided_finding
    rows = await ward.gate.ledger.query(select(decided.c.log_id, decided.c.digest))
    assert {row._mapping["log_id"] for row in rows} == {TENANT}
    assert entry.body["alike"][0]["digest"] not in {row._mapping["digest"] for row in rows}
    # Nor where somebody copied the row over: the digest is under the key of the tenant's patient.
    patients = {log: await ward.gate.ledger.pseudonym(log, "MRN-1") for log in (TENANT, "other")}
    digests = {await ward.gate.ledger.keyed_digest(log, who, b"same") for log, who in patients.items()}
    assert len(digests) == 2


async def test_two_at_once_are_both_known_again(ward: Ward) -> None:
    await signed(ward, await again(ward))
    both = await asyncio.gather(again(ward), again(ward))
    assert [await asked(ward, one) for one in both] == [False, False]
    assert await verify(ward) == {}


@dataclass
class Meanwhile:
    """Something that happens right after the earlier decisions were looked up."""

    ward: Ward
    outcome: Outcome
    done: bool = False

    async def __call__(self, *args: Any) -> Any:
        found = await self.find(*args)
        if not self.done:
            self.done = True
            await withdraw(self.ward, self.outcome)
        return found

    def __post_init__(self) -> None:
        self.find = self.ward.gate.pipeline._judgement._suppression._decisions.find


async def test_a_text_taken_back_meanwhile_suppresses_nothing(ward: Ward) -> None:
    first = await signed(ward, await again(ward))
    meanwhile = Meanwhile(ward, first)
    decisions = ward.gate.pipeline._judgement._suppression._decisions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "find", meanwhile)
        second = await again(ward)
    assert meanwhile.done
    assert await asked(ward, second)
    types = await ward.gate.types(second.inference_id)
    assert types == ["inference.requested", "inference.generated", "inference.held"]
    assert await verify(ward) == {}


async def test_taken_back_and_signed_at_once_one_comes_first(ward: Ward) -> None:
    for number in range(6):
        patient = f"MRN-{number}"
        first = await signed(ward, await again(ward, subject_ref=patient))
        second = await again(ward, subject_ref=patient)
        ticket = ticket_of(second)
        lease = await claim(ward, ticket, ward.chen)
        prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
        calls = [withdraw(ward, first), sign(ward, ticket, lease, ward.chen, prepared)]
        results = await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)
        refused = [one for one in results if isinstance(one, AttendingError)]
        assert all(one.reason in ("DECISION_LAPSED", "ITEM_CHANGED") for one in refused)
    # Whichever came first, no signature rests on what had been taken back.
    assert await verify(ward) == {}


async def test_a_pharmacist_is_wanted_whatever_was_decided_before(ward: Ward) -> None:
    await signed(ward, await again(ward))
    sign_offs = ward.gate.policies[POLICY].sign_offs.model_dump()
    skills = [{"findings": "interactions", "roles": "pharmacist"}]
    revise(ward, POLICY, suppression={"days": 90}, sign_offs={**sign_offs, "skills": skills})
    second = await again(ward)
    assert not await asked(ward, second)
    assert (await ward.desk.item(TENANT, ticket_of(second)))[0].open_to == ("pharmacist",)


_TEXTS = st.text(alphabet="ab1 ", max_size=5)
_FINDINGS = st.builds(
    Finding,
    rail=_TEXTS,
    code=st.sampled_from(list(Code)),
    rule_id=_TEXTS,
    severity=st.sampled_from(list(Severity)),
    scope=st.sampled_from(list(Scope)),
    start=st.integers(0, 9),
    end=st.integers(0, 9),
    text=_TEXTS,
    basis=st.sampled_from(list(Basis)),
    source=_TEXTS,
    message=_TEXTS,
    drugs=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple),
)
_GROUNDS = st.builds(
    Grounds,
    _TEXTS,
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.lists(_TEXTS, max_size=2).map(tuple), max_size=3),
)
_OTHERS = st.fixed_dictionaries(
    {
        "subject": _TEXTS,
        "policy": _TEXTS,
        "audience": st.sampled_from(["patient", "clinician"]),
        "knowledge_hash": _TEXTS,
    }
)


def _same(finding_: Finding, grounds: Grounds, others: dict[str, str]) -> Any:
    rests_on = {drug: grounds.stated.get(drug, ()) for drug in finding_.drugs}
    return (
        replace(finding_, start=0, end=0, drugs=tuple(sorted(finding_.drugs))),
        rests_on,
        grounds.patient,
        others,
    )


@given(_FINDINGS, _GROUNDS, _OTHERS, _FINDINGS, _GROUNDS, _OTHERS, st.integers(0, 14))
def test_the_digest_is_of_each_component_and_of_nothing_else(
    one: Finding,
    grounds: Grounds,
    others: dict[str, str],
    other: Finding,
    more: Grounds,
    its: Any,
    which: int,
) -> None:
    names = [*Finding.__dataclass_fields__, "subject", "policy", "audience", "knowledge_hash"]
    changed, changed_grounds, changed_others = one, grounds, dict(others)
    if which < len(Finding.__dataclass_fields__):
        changed = replace(one, **{names[which]: getattr(other, names[which])})
    else:
        changed_others[names[which]] = its[names[which]]
    for after in (
        (changed, grounds, changed_others),
        (one, more, others),
        (one, replace(grounds, patient=more.patient), others),
    ):
        same = _same(one, grounds, others) == _same(*after)
        made = [content(a, b, **c) for a, b, c in ((one, grounds, others), after)]  # type: ignore[arg-type]
        assert (made[0] == made[1]) is same
    assert changed_grounds is grounds


def test_what_the_grounds_are_stands_in_no_words_of_theirs() -> None:
    assert "60" not in repr(GROUNDS)
    assert finding(Code.INTERACTION, Severity.MAJOR).drugs
