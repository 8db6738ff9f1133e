"""Draws and second reads on a real ledger: committed, opened, carried out once, read by somebody else."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from attending.guardrails.policy.schema import Oversight as Rules
from attending.guardrails.policy.schema import Sampling
from attending.ledger.custody.reads import Order
from attending.ledger.custody.retention import Rule
from attending.ledger.custody.retention import Rules as Retention
from attending.ledger.draw import DRAW_STREAM
from attending.ledger.entry import Entry
from attending.ledger.errors import PayloadPruned
from attending.ledger.review_signature import sign_statement
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.report import Findings, Status
from attending.server.config.running import OversightSection
from attending.server.errors import (
    Aborted,
    AttendingError,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    PermissionDenied,
)
from attending.server.inference.outcome import Outcome
from attending.server.oversight.alarms import Alarms
from attending.server.oversight.component import tried
from attending.server.oversight.draws import Draws
from attending.server.oversight.figures import Oversight
from attending.server.oversight.second_reads import SecondReads
from attending.server.oversight.standing import FAST, VELOCITY
from attending.server.phi.access import Permit
from attending.server.phi.purpose import Purpose
from attending.server.retention import PolicyTerms

from tests.server.inference.conftest import CALLER, TENANT, Gate, context, infer_call, key
from tests.server.review.conftest import Person, Ward, person, phi_of
from tests.server.review.test_desk import claim, held, ticket_of


@pytest.fixture(autouse=True)
def all_drawn(ward: Ward) -> Iterator[None]:
    """Every release of the two policies of these tests is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("administrative-letter", "discharge-plan"):
            patch.setitem(ward.gate.policies[name].__dict__, "sampling", Sampling(released_percent=100))
        yield


def draws_of(gate: Gate, owner: str = "srv-test") -> Draws:
    return Draws(gate.ledger, gate.policies, owner, gate.clock)


def reads_of(ward: Ward) -> SecondReads:
    return SecondReads(ward.gate.ledger, phi_of(ward.gate), "srv-test", ward.gate.clock)


async def letter(gate: Gate) -> Outcome:
    return await gate.pipeline.infer(CALLER, infer_call(), key(secrets.token_hex(8)))


async def signed(ward: Ward, who: Person, *, read_seconds: float, text: str = "HOLD " + "word " * 99) -> str:
    """A held text that `who` reads for so long and signs; the inference."""
    outcome = await held(ward, text)
    ticket = ticket_of(outcome)
    await ward.desk.view(who.permit, ticket)
    lease = await claim(ward, ticket, who)
    for number in (await ward.desk.item(TENANT, ticket))[0].to_dispose:
        await ward.desk.dispose(
            who.principal, ticket, lease, number, "accepted_risk", "monitored", "", key(secrets.token_hex(8))
        )
    prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
    ward.gate.clock.advance(seconds=read_seconds)
    signature = sign_statement(prepared.statement, who.key)
    once = key(secrets.token_hex(8))
    await ward.desk.sign(who.principal, ticket, lease, prepared.preparation_id, signature, once)
    return outcome.inference_id


def quality(who: Person) -> Permit:
    return Permit(who.principal, "getSecondRead", Purpose.QUALITY)


async def test_a_period_is_drawn_once_whoever_sweeps(ward: Ward) -> None:
    gate = ward.gate
    before = await letter(gate)
    draws = draws_of(gate)
    await draws.sweep(TENANT)
    one, two = await letter(gate), await signed(ward, ward.rivera, read_seconds=60)
    await draws.sweep(TENANT)
    assert await reads_of(ward).waiting(ward.chen.principal, 10) == []
    gate.clock.advance(days=1)
    others = [draws_of(gate, f"srv-{n}") for n in range(3)]
    await asyncio.gather(*(other.sweep(TENANT) for other in [draws, *others]))
    stream = await gate.ledger.whole_stream(TENANT, DRAW_STREAM)
    assert [entry.type.partition("_")[2] for entry in stream] == ["committed", "opened", "committed"]
    waiting = await reads_of(ward).waiting(ward.chen.principal, 10)
    assert {row["inference_id"] for row in waiting} == {one.inference_id, two}
    assert before.inference_id not in {row["inference_id"] for row in waiting}
    # Who signed it is no second reader, and is not shown it.
    assert {row["inference_id"] for row in await reads_of(ward).waiting(ward.rivera.principal, 10)} == {
        one.inference_id
    }
    drawn = await Oversight(gate.ledger, gate.clock).draws(TENANT, 10)
    assert [(count, read) for _row, count, read in drawn] == [(0, 0), (2, 0)]
    assert (drawn[0][0]["seed"], len(drawn[1][0]["seed"])) == (None, 64)


async def test_what_a_kill_left_half_done_the_next_process_finishes(ward: Ward) -> None:
    gate = ward.gate
    await draws_of(gate).sweep(TENANT)
    released = [await letter(gate) for _ in range(3)]
    gate.clock.advance(days=1)
    dying = draws_of(gate, "srv-gone")
    sample = dying._sample
    done: list[object] = []

    async def die_after_one(*args: object) -> None:
        if done:
            raise RuntimeError("killed")
        done.append(args)
        await sample(*args)  # type: ignore[arg-type]

    dying._sample = die_after_one  # type: ignore[method-assign, assignment]
    with pytest.raises(RuntimeError):
        await dying.sweep(TENANT)
    assert len(await reads_of(ward).waiting(ward.chen.principal, 10)) == 1
    await draws_of(gate).sweep(TENANT)
    assert len(await reads_of(ward).waiting(ward.chen.principal, 10)) == len(released)


async def test_the_moment_is_anybodys_choice_and_a_retry_is_the_same(ward: Ward) -> None:
    gate, draws = ward.gate, draws_of(ward.gate)
    director = person("dora", "medical_director").principal
    first = await draws.open_now(director, key("one"))
    await letter(gate)
    second = await draws.open_now(director, key("two"))
    assert await draws.open_now(director, key("two")) == second > first
    types = [entry.type.partition("_")[2] for entry in await gate.ledger.whole_stream(TENANT, DRAW_STREAM)]
    assert types == ["committed", "opened", "committed"]
    assert len(await reads_of(ward).waiting(ward.chen.principal, 10)) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "_policies", {})
        third = await draws.open_now(director, key("three"))
        assert (await gate.ledger.get_entry(TENANT, third)).type == "oversight.draw_opened"
        with pytest.raises(FailedPrecondition) as refused:
            await draws.open_now(director, key("four"))
        assert refused.value.reason == "NOTHING_TO_DRAW"


async def test_a_second_reader_sees_the_text_and_not_the_first_word(ward: Ward) -> None:
    gate, reads, draws = ward.gate, reads_of(ward), draws_of(ward.gate)
    await draws.sweep(TENANT)
    await signed(ward, ward.rivera, read_seconds=60)
    gate.clock.advance(days=1)
    await draws.sweep(TENANT)
    [row] = await reads.waiting(ward.chen.principal, 10)
    again = await reads.view(quality(ward.chen), row["read_id"])
    assert again.output.startswith("HOLD")
    assert len(again.result.findings) == 1
    look = (await gate.ledger.whole_stream(TENANT, "access/chen"))[-1]
    assert (look.type, look.body["what"], look.body["purpose_of_use"]) == (
        "access.viewed",
        "second_read",
        "HQUALIMP",
    )
    for who, error in ((ward.rivera, FailedPrecondition), (ward.auditor, PermissionDenied)):
        with pytest.raises(error):
            await reads.view(quality(who), row["read_id"])
        with pytest.raises(error):
            await reads.decide(who.principal, row["read_id"], "approved", "", "", key("x"))
    for answer, reason in (("", ""), ("fine", ""), ("rejected", ""), ("rejected", "mood")):
        with pytest.raises(InvalidRequest):
            await reads.decide(ward.chen.principal, row["read_id"], answer, reason, "", key("y"))
    with pytest.raises(NotFound):
        await reads.decide(ward.chen.principal, "red_0", "approved", "", "", key("z"))
    index = await reads.decide(
        ward.chen.principal, row["read_id"], "rejected", "unsafe", "SECRET-NOTE", key("chen")
    )
    entry = await gate.ledger.get_entry(TENANT, index)
    assert b"SECRET-NOTE" not in entry.data
    assert (
        await reads.decide(
            ward.chen.principal, row["read_id"], "rejected", "unsafe", "SECRET-NOTE", key("chen")
        )
        == index
    )
    third = person("dana", "pharmacist")
    with pytest.raises(FailedPrecondition) as refused:
        await reads.decide(third.principal, row["read_id"], "approved", "", "", key("dana"))
    assert refused.value.reason == "READ_BEFORE"
    [(policy, basis, found)] = await Oversight(gate.ledger, gate.clock).agreement(
        TENANT, gate.clock().replace(year=2020)
    )
    assert (policy, basis, found.pairs, found.agreed) == ("discharge-plan", "signed", 1, 0)


async def test_of_two_who_answer_at_once_one_counts(ward: Ward) -> None:
    reads, draws = reads_of(ward), draws_of(ward.gate)
    await draws.sweep(TENANT)
    await letter(ward.gate)
    ward.gate.clock.advance(days=1)
    await draws.sweep(TENANT)
    [row] = await reads.waiting(ward.chen.principal, 10)
    answers = await asyncio.gather(
        *(
            reads.decide(who.principal, row["read_id"], "approved", "", "", key(who.principal.name))
            for who in (ward.chen, ward.rivera)
        ),
        return_exceptions=True,
    )
    failed = [one for one in answers if isinstance(one, AttendingError)]
    assert len(failed) == 1
    assert isinstance(failed[0], (Aborted, FailedPrecondition))


@pytest.mark.parametrize("gone", ["erased", "pruned"])
async def test_a_text_that_is_gone_is_shown_to_nobody_and_its_second_read_ends(ward: Ward, gone: str) -> None:
    """Of two who ask at once, too; nothing is counted of it."""
    gate, reads, draws = ward.gate, reads_of(ward), draws_of(ward.gate)
    await draws.sweep(TENANT)
    call = infer_call(context=context(subject_ref="MRN-1"))
    outcome = await gate.pipeline.infer(CALLER, call, key("of a person"))
    if gone == "pruned":
        gate.clock.advance(days=200)
        await gate.ledger.retention.prune(TENANT, Retention((Rule("inference.*", 183),)), Order())
    else:
        await gate.ledger.erase_subject(TENANT, await gate.ledger.pseudonym(TENANT, "MRN-1"))
    gate.clock.advance(days=1)
    await draws.sweep(TENANT)
    [row] = await reads.waiting(ward.chen.principal, 10)
    assert row["inference_id"] == outcome.inference_id
    looks = await asyncio.gather(
        *(reads.view(quality(who), row["read_id"]) for who in (ward.chen, ward.rivera)),
        return_exceptions=True,
    )
    reasons = {getattr(look, "reason", None) for look in looks}
    assert reasons <= {"SUBJECT_ERASED" if gone == "erased" else "PAYLOAD_PRUNED", "READ_BEFORE"}
    assert all(isinstance(look, Exception) for look in looks)
    ends = [
        one
        for one in await gate.ledger.whole_stream(TENANT, outcome.inference_id)
        if one.type == "review.second_read"
    ]
    assert [(one.actor, one.body["answer"], one.body["reason_code"]) for one in ends] == [
        ("system:srv-test", "not_kept", gone)
    ]
    assert await reads.waiting(ward.chen.principal, 10) == []
    with pytest.raises(FailedPrecondition):
        await reads.decide(ward.chen.principal, row["read_id"], "approved", "", "", key("late"))
    oversight = Oversight(gate.ledger, gate.clock)
    assert await oversight.agreement(TENANT, gate.clock().replace(year=2020)) == ()
    assert await oversight.people(TENANT, 30) == []


async def test_another_tenant_knows_no_read_and_opens_no_draw(ward: Ward) -> None:
    gate, reads, draws = ward.gate, reads_of(ward), draws_of(ward.gate)
    await draws.sweep(TENANT)
    await letter(gate)
    gate.clock.advance(days=1)
    await draws.sweep(TENANT)
    [row] = await reads.waiting(ward.chen.principal, 10)
    await gate.ledger.create_log("other", "test.example/other")
    stranger = replace(ward.chen.principal, tenant="other")
    assert await reads.waiting(stranger, 10) == []
    with pytest.raises(NotFound):
        await reads.view(Permit(stranger, "getSecondRead", Purpose.QUALITY), row["read_id"])
    with pytest.raises(NotFound):
        await reads.decide(stranger, row["read_id"], "approved", "", "", key("stranger"))
    before = await gate.ledger.whole_stream(TENANT, DRAW_STREAM)
    await draws.sweep("other")
    assert await gate.ledger.whole_stream(TENANT, DRAW_STREAM) == before


async def test_a_clock_that_goes_back_opens_nothing_early_and_stops_nothing(ward: Ward) -> None:
    gate, draws = ward.gate, draws_of(ward.gate)
    alarms = Alarms(gate.ledger, gate.policies, "srv-test", gate.clock)
    await draws.sweep(TENANT)
    await letter(gate)
    for days, types in ((-3, ["committed"]), (3, ["committed"]), (1, ["committed", "opened", "committed"])):
        gate.clock.advance(days=days)
        for _ in range(2):
            await draws.sweep(TENANT)
            await alarms.sweep(TENANT)
        stream = await gate.ledger.whole_stream(TENANT, DRAW_STREAM)
        assert [entry.type.partition("_")[2] for entry in stream] == types
    assert len(await reads_of(ward).waiting(ward.chen.principal, 10)) == 1


async def test_the_seed_of_a_draw_that_nobody_opened_is_never_pruned(ward: Ward) -> None:
    gate, draws = ward.gate, draws_of(ward.gate)
    await draws.sweep(TENANT)
    await letter(gate)
    gate.clock.advance(days=400)
    rules = Retention((Rule("oversight.*", 183),))

    async def prune(terms: PolicyTerms | None) -> dict[str, int]:
        done = await gate.ledger.retention.prune(TENANT, rules, Order(), terms_of=terms)
        return dict(done.records)

    assert await prune(PolicyTerms(gate.ledger)) == {}
    await draws.sweep(TENANT)
    assert len(await reads_of(ward).waiting(ward.chen.principal, 10)) == 1
    assert await prune(PolicyTerms(gate.ledger)) == {"draw_seed": 1}
    # Where the one that runs now went all the same, the verifier says so.
    log = await gate.ledger.list_entries(TENANT, 0, 1000)
    assert verdict(log) == []
    [pruned] = [one for one in log if one.type == "payload.pruned"]
    running = max(one.index for one in log if one.type == "oversight.draw_committed")
    wrong = replace(pruned, body={**pruned.body, "entries": [[0, 1], [running, running + 1]]})
    assert verdict([*log, wrong]) == ["seed was pruned before its draw was opened"]


async def test_a_draw_that_cannot_go_on_ends_no_sweep() -> None:
    for error in (PayloadPruned("the seed is gone"), KeyError("draw")):

        async def broken(_tenant: str, err: Exception = error) -> None:
            raise err

        await tried(broken, TENANT)


async def test_how_long_somebody_read_has_a_retention_of_its_own(ward: Ward) -> None:
    gate, oversight = ward.gate, Oversight(ward.gate.ledger, ward.gate.clock)
    inference = await signed(ward, ward.rivera, read_seconds=500)
    rules = Retention((Rule("review.*", 3650), OversightSection(reading_retention_days=90).rule))

    async def readings(days: int) -> list[int]:
        found = await oversight.person(TENANT, "rivera", days)
        return [one.seconds for one in found[3]]

    gate.clock.advance(days=89)
    prune, terms = gate.ledger.retention.prune, PolicyTerms(gate.ledger)
    assert (await prune(TENANT, rules, Order(), terms_of=terms)).records == {}
    assert await readings(100) == [500]
    gate.clock.advance(days=1)
    assert (await prune(TENANT, rules, Order(), terms_of=terms)).records == {"peer_review": 1}
    assert await readings(100) == []
    # The signature, and what it was made over, stay; so does that it was made in time.
    [entry] = [
        one for one in await gate.ledger.whole_stream(TENANT, inference) if one.type == "review.signed"
    ]
    view = next(one.record for one in entry.commitments if one.kind == "view")
    assert b"attending-view/1" in await gate.ledger.open_payload(TENANT, view)
    assert [one.short for one in await oversight.people(TENANT, 100)] == [0]
    assert verdict(await gate.ledger.list_entries(TENANT, 0, 1000)) == []


LIES: dict[str, Callable[[Entry], list[Entry]]] = {
    "committed to": lambda entry: (
        [replace(entry, body={**entry.body, "seed": "00" * 32})]
        if entry.type == "oversight.draw_opened"
        else [entry]
    ),
    "not drawn": lambda entry: (
        [replace(entry, body={**entry.body, "rates": {**entry.body["rates"], "permille": {}}})]
        if entry.type == "oversight.draw_committed"
        else [entry]
    ),
    "twice": lambda entry: [entry, entry] if entry.type == "review.sampled" else [entry],
    "never sampled": lambda entry: [] if entry.type == "review.sampled" else [entry],
    "not opened": lambda entry: [] if entry.type == "oversight.draw_opened" else [entry],
    "not well formed": lambda entry: (
        [replace(entry, body={**entry.body, "salt": "00"})]
        if entry.type == "oversight.draw_opened"
        else [entry]
    ),
}


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_the_verifier_fails_a_draw_that_is_none(ward: Ward, lie: str) -> None:
    """The honest log with one thing changed; hashes, which other checks look at, are left aside."""
    gate, draws = ward.gate, draws_of(ward.gate)
    for _ in range(3):
        await draws.sweep(TENANT)
        await letter(gate)
        gate.clock.advance(days=1)
    size, _root = await gate.ledger.head(TENANT)
    honest = await gate.ledger.list_entries(TENANT, 0, size)
    assert verdict(honest) == []
    details = verdict([changed for entry in honest for changed in LIES[lie](entry)])
    assert any(lie in detail for detail in details), details


def verdict(entries: Sequence[Entry]) -> list[str]:
    findings = Findings()
    checks = Checks(findings, Scope.FULL, 0)
    for entry in entries:
        checks.visit(entry)
    checks.finish()
    failed = [result for result in findings.results() if result.status is Status.FAILED]
    assert {result.check for result in failed} <= {"V23"}
    return [result.detail for result in failed]


async def test_a_careless_reviewer_shows_up_and_careful_ones_do_not(ward: Ward) -> None:
    """Twelve signatures each: one person signs as fast as they can press, the others read."""
    gate, oversight = ward.gate, Oversight(ward.gate.ledger, ward.gate.clock)
    with pytest.MonkeyPatch.context() as patch:
        rules = Rules.model_validate({"velocity": {"signatures_per_hour": 8}})
        patch.setitem(gate.policies["discharge-plan"].__dict__, "oversight", rules)
        alarms = Alarms(gate.ledger, gate.policies, "srv-test", gate.clock)
        for _ in range(12):
            await signed(ward, ward.chen, read_seconds=500)
        assert await alarms.sweep(TENANT) == 0
        gate.clock.advance(hours=2)
        for _ in range(12):
            await signed(ward, ward.rivera, read_seconds=3)
        assert await alarms.sweep(TENANT) == 1
        # Said once an hour, whoever looks.
        assert await alarms.sweep(TENANT) == 0
        assert await Alarms(gate.ledger, gate.policies, "srv-2", gate.clock).sweep(TENANT) == 0
    [(one, why)] = await oversight.flagged(TENANT, 30)
    assert (one.name, why, one.signatures, one.short, one.alarms) == ("rivera", (FAST, VELOCITY), 12, 12, 1)
    figures, why, reasons, readings = await oversight.person(TENANT, "chen", 30)
    assert (figures.signatures, figures.short, why, reasons) == (12, 0, (), ())
    assert {reading.seconds for reading in readings} == {500}
    _figures, _why, reasons, readings = await oversight.person(TENANT, "rivera", 30)
    assert reasons == (("not_given", 12),)
    assert {reading.seconds for reading in readings} == {3}
    # Of two people nothing is told together.
    summary = await oversight.summary(TENANT, 30)
    assert (summary.people, summary.signatures, summary.alarms) == (2, 24, 1)
    assert {tier.short for tier in summary.tiers} == {None}
    assert summary.reading_reasons == ()
    [rail] = summary.rails
    assert (rail.rail, rail.code, rail.accepted, rail.precision.of) == (
        "clinical checks",
        "interaction",
        24,
        24,
    )
