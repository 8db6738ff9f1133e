"""Two readers who do not see each other's word, a third who judges between them, and what would lift the blind."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.ledger.review_signature import sign_statement
from attending.server.errors import AttendingError, InvalidRequest
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.review.enrolment import enrol_keys
from attending.server.review.preparation import Preparation, Rejection
from attending.server.review.queue import Wanted
from attending.server.services.review import ReviewService
from attending.server.shipped import package_policies
from attending.v1 import common_pb2, review_pb2

from tests.server.inference.conftest import TENANT, key
from tests.server.phi.test_access import NO_CONTEXT, called_by
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, person, phi_of
from tests.server.review.test_desk import claim, dispose_all, fresh, held, ticket_of

UNSAFE = Rejection("unsafe", "the dose is that of an adult")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    """The package's own, but a discharge plan is read twice, blind."""
    folder: Path = tmp_path_factory.mktemp("policies") / "p"
    shutil.copytree(package_policies(), folder)
    path = folder / "discharge-plan" / "policy.yaml"
    written = path.read_text()
    twice = written.replace("  count: 1\n", "  count: 2\n  blinded_second_read: true\n")
    assert twice != written
    path.write_text(twice)
    return PolicySet.load(folder)


@dataclass
class Reading:
    """One item that is read blind, and a third clinician."""

    ward: Ward
    outcome: Outcome
    okafor: Person

    @property
    def ticket(self) -> str:
        return ticket_of(self.outcome)

    async def prepared(
        self, who: Person, disposition: str, edit: str | None = None, rejection: Rejection | None = None
    ) -> tuple[str, Preparation]:
        lease = await claim(self.ward, self.ticket, who)
        if rejection is None:
            await dispose_all(self.ward, self.ticket, lease, who, disposition)
        args = (who.permit, self.ticket, lease, edit, who.key_id, rejection)
        return lease, await self.ward.desk.prepare(*args)

    async def decide(
        self, who: Person, disposition: str, edit: str | None = None, rejection: Rejection | None = None
    ) -> Any:
        """The item as the desk answers whoever decided."""
        lease, prepared = await self.prepared(who, disposition, edit, rejection)
        signature = sign_statement(prepared.statement, who.key)
        item, _version, _indexes = await self.ward.desk.sign(
            who.principal,
            self.ticket,
            lease,
            prepared.preparation_id,
            signature,
            fresh(),  # type: ignore[arg-type]
        )
        return item

    async def state(self) -> State:
        return (await self.ward.gate.pipeline.get(TENANT, self.outcome.inference_id)).state

    async def types(self) -> list[str]:
        steps = ("review.claimed", "review.disposed")
        return [kind for kind in await self.ward.gate.types(self.outcome.inference_id) if kind not in steps][
            3:
        ]


@pytest.fixture
async def reading(ward: Ward) -> Reading:
    okafor = person("okafor", "clinician")
    people = [one.principal for one in (ward.rivera, ward.chen, okafor)]
    await enrol_keys(ward.gate.ledger, [TENANT], people, "srv-test", ward.gate.clock)
    ward.desk._people = lambda: people
    return Reading(ward, await held(ward), okafor)


async def reason(call: Awaitable[Any]) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_the_second_sees_nothing_of_the_first_until_both_have_decided(reading: Reading) -> None:
    ward, desk, ticket = reading.ward, reading.ward.desk, reading.ticket
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    # While the first works nobody is told who it is, nor what they made of the findings.
    for viewer in (None, ward.chen.principal, reading.okafor.principal):
        [(line, _version)] = (await desk.queue(TENANT, Wanted(who=viewer), 10)).items
        assert (line.claimed_by, line.lease_id, line.disposed, line.reads) == (None, None, {}, ())
        assert line.open_findings == 1
    [(own, _version)] = (await desk.queue(TENANT, Wanted(who=ward.rivera.principal, mine=True), 10)).items
    assert (own.claimed_by, own.open_findings) == ("rivera", 0)
    # Who goes on after a lease ran out begins anew; who comes back finds their own.
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    chens = await claim(ward, ticket, ward.chen)
    assert (await desk.view(ward.chen.permit, ticket)).item.disposed == {}
    await desk.release_lease(ward.chen.principal, ticket, chens, fresh())  # type: ignore[arg-type]
    item = await reading.decide(ward.rivera, "fixed", "A safe text")
    assert [read.reader for read in item.reads] == ["rivera"]
    for who, claimable in ((ward.rivera, 0), (ward.chen, 1)):
        assert (await desk.queue(TENANT, Wanted(who=who.principal, claimable=True), 10)).total == claimable
    case = await desk.view(ward.chen.permit, ticket)
    assert (case.item.disposed, case.item.signed_by, case.item.reads, case.reads) == ({}, (), (), ())
    assert case.output == "HOLD this text"
    lease, prepared = await reading.prepared(ward.chen, "accepted_risk")
    assert prepared.text == "HOLD this text", "not the text that the first has signed"
    assert b"rivera" not in prepared.view
    assert b"A safe text" not in prepared.view
    service = ReviewService(ward.gate.ledger, desk, phi_of(ward.gate))
    asked = review_pb2.GetItemRequest(ticket_id=ticket, purpose_of_use=common_pb2.PURPOSE_OF_USE_TREATMENT)
    called_by(reading.okafor.principal, "getItem")
    told = (await service.GetItem(asked, NO_CONTEXT)).SerializeToString()
    history = await desk.history(reading.okafor.principal, case.item)
    assert not [one.actor for one in history if one.actor.startswith("human:")]
    assert not any(word in told for word in (b"rivera", b"chen", b"A safe text", b"accepted_risk"))
    # Nobody may be asked about the other's part by handing it to them.
    handing = desk.reassign(ward.chen.principal, ticket, lease, "rivera", "other", "", fresh())  # type: ignore[arg-type]
    assert await reason(handing) == "READ_BLIND"
    assert await reason(desk.reject(ward.chen.principal, ticket, lease, "unsafe", "", fresh())) == (  # type: ignore[arg-type]
        "DECISION_NOT_SIGNED"
    )
    await reading.decide(ward.chen, "accepted_risk")
    # Now it is all there, for anybody who may look.
    case = await desk.view(ward.rivera.permit, ticket)
    assert [(read.reader, read.meaning, dict(read.disposed), text) for read, text in case.reads] == [
        ("rivera", "approved_with_edits", {0: "fixed"}, "A safe text"),
        ("chen", "approved", {0: "accepted_risk"}, "HOLD this text"),
    ]
    assert case.item.disputed
    history = await desk.history(reading.okafor.principal, case.item)
    assert [one.actor for one in history if one.type == "review.signed"] == ["human:rivera", "human:chen"]
    called_by(ward.rivera.principal, "getItem")
    answer = await service.GetItem(asked, NO_CONTEXT)
    assert (answer.item.blinded, answer.item.disputed) == (True, True)
    assert [(read.reader, read.text, read.findings[0].disposition) for read in answer.reads] == [
        ("rivera", "A safe text", review_pb2.DISPOSITION_FIXED),
        ("chen", "HOLD this text", review_pb2.DISPOSITION_ACCEPTED_RISK),
    ]


@pytest.mark.parametrize("edit", [None, "A safe text"])
async def test_two_who_agree_release_it(reading: Reading, edit: str | None) -> None:
    disposition = "accepted_risk" if edit is None else "fixed"
    item = await reading.decide(reading.ward.rivera, disposition, edit)
    assert item.state == "held"
    again = reading.ward.desk.claim(reading.ward.rivera.principal, reading.ticket, fresh())  # type: ignore[arg-type]
    assert await reason(again) == "READ_BEFORE"
    item = await reading.decide(reading.ward.chen, disposition, edit)
    assert (item.state, item.disputed) == ("released", False)
    assert await reading.types() == ["review.signed", "review.signed", "inference.released"]
    released = await reading.ward.gate.pipeline.get(TENANT, reading.outcome.inference_id)
    assert released.output == (edit or "HOLD this text")


async def test_a_retry_of_a_signature_tells_no_more_than_the_first_answer(reading: Reading) -> None:
    ward = reading.ward
    lease, prepared = await reading.prepared(ward.rivera, "accepted_risk")
    signature = sign_statement(prepared.statement, ward.rivera.key)
    sign = (ward.rivera.principal, reading.ticket, lease, prepared.preparation_id, signature, key("sign"))
    first = await ward.desk.sign(*sign)
    await dispose_all(ward, reading.ticket, await claim(ward, reading.ticket, ward.chen), ward.chen)
    again = await ward.desk.sign(*sign)
    assert again[2] == first[2]
    assert (again[0].claimed_by, again[0].lease_id) == (None, None)
    assert [read.reader for read in again[0].reads] == ["rivera"]


async def test_two_who_refuse_reject_it(reading: Reading) -> None:
    assert (await reading.decide(reading.ward.rivera, "", rejection=UNSAFE)).state == "held"
    assert (await reading.decide(reading.ward.chen, "", rejection=UNSAFE)).state == "rejected"
    assert await reading.types() == ["review.signed", "review.signed", "review.rejected"]
    assert await reading.state() is State.REJECTED


@pytest.mark.parametrize(
    ("word", "edit", "rejection", "ends"),
    [
        ("as the first", "A safe text", None, State.RELEASED),
        ("as the second", None, None, State.RELEASED),
        ("neither", "A third text", None, State.HELD),
        ("none", None, UNSAFE, State.REJECTED),
    ],
)
async def test_a_third_judges_where_they_disagree(
    reading: Reading, word: str, edit: str | None, rejection: Rejection | None, ends: State
) -> None:
    ward, desk = reading.ward, reading.ward.desk
    await reading.decide(ward.rivera, "fixed", "A safe text")
    await reading.decide(ward.chen, "accepted_risk")
    assert await reading.state() is State.HELD
    for reader in (ward.rivera, ward.chen):
        assert await reason(desk.claim(reader.principal, reading.ticket, fresh())) == "READ_BEFORE"  # type: ignore[arg-type]
    lease, prepared = await reading.prepared(
        reading.okafor, "accepted_risk" if edit is None else "fixed", edit, rejection
    )
    assert b"A safe text" in prepared.view, "who judges is shown what both have signed"
    unsigned = desk.reject(reading.okafor.principal, reading.ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert await reason(unsigned) == "DECISION_NOT_SIGNED"
    signature = sign_statement(prepared.statement, reading.okafor.key)
    sign = (reading.okafor.principal, reading.ticket, lease, prepared.preparation_id, signature)
    item, _version, indexes = await desk.sign(*sign, fresh())  # type: ignore[arg-type]
    assert (await reading.state(), item.disputed) == (ends, False)
    entries = await ward.gate.ledger.list_entries(TENANT, indexes[1], 1)
    assert (entries[0].type, entries[0].body["readers"]) == ("review.adjudicated", ["rivera", "chen"])
    released = await ward.gate.pipeline.get(TENANT, reading.outcome.inference_id)
    if ends is State.RELEASED:
        assert released.output == (edit or "HOLD this text")
        assert len(indexes) == 3
    else:
        assert released.output is None
    if ends is State.HELD:
        # A text that neither had read is signed by a second person, too: one of the readers may be it.
        lease = await claim(ward, reading.ticket, ward.rivera)
        prepared = await desk.prepare(ward.rivera.permit, reading.ticket, lease, None, ward.rivera.key_id)
        assert prepared.text == edit
        signature = sign_statement(prepared.statement, ward.rivera.key)
        sign = (ward.rivera.principal, reading.ticket, lease, prepared.preparation_id, signature)
        assert (await desk.sign(*sign, fresh()))[0].state == "released"  # type: ignore[arg-type]


async def test_a_refusal_under_signature_takes_no_edit_and_a_known_code(reading: Reading) -> None:
    lease = await claim(reading.ward, reading.ticket, reading.ward.rivera)
    who = reading.ward.rivera
    for edit, rejection in (
        ("A safe text", UNSAFE),
        (None, Rejection("bored")),
        (None, Rejection("wrong", "x" * 2001)),
    ):
        with pytest.raises(InvalidRequest):
            await reading.ward.desk.prepare(who.permit, reading.ticket, lease, edit, who.key_id, rejection)


async def test_what_is_read_by_one_only_expires_and_then_hides_nothing(reading: Reading) -> None:
    await reading.decide(reading.ward.rivera, "accepted_risk")
    reading.ward.gate.clock.advance(days=30)
    assert await reading.ward.desk.expire_due(TENANT, "srv-test") == 1
    case = await reading.ward.desk.view(reading.ward.chen.permit, reading.ticket)
    assert [(read.reader, text) for read, text in case.reads] == [("rivera", "HOLD this text")]
