"""The desk under random use, beside a model of plain values that knows nothing of its rules.

Two items, one that two people sign and one that two people read blind; four people, one of whom may decide nothing.
Each step is tried by whoever, with whatever lease, and the model says beforehand whether it is done or for what reason
it is not. At the end the independent verifier reads the log, and the rows are made again from the entries.

`ATTENDING_STATE_MACHINE_EXAMPLES` sets how many runs there are (default 5); each is up to 60 steps.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from attending.guardrails.policy.load import PolicySet
from attending.ledger.review_signature import sign_statement
from attending.server.errors import AttendingError
from attending.server.inference.states import State
from attending.server.review.enrolment import enrol_keys
from attending.server.review.preparation import Rejection
from attending.server.shipped import package_policies
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key, opened_gate
from tests.server.review.conftest import ASSIGNMENT_SECONDS, LEASE_SECONDS, Person, opened_ward, person

T = TypeVar("T")
EXAMPLES = int(os.environ.get("ATTENDING_STATE_MACHINE_EXAMPLES", "5"))
AS_IS, EDITS, REFUSED = "HOLD this text", ("A safe text", "Another safe text"), "refused"
DOCTORS = ("ann", "ben", "cay")
LIFE_SECONDS = 1440 * 60
PEOPLE = st.sampled_from([*DOCTORS, "aud"])
WORKING = st.sampled_from(["holder"] * 4 + [*DOCTORS, "aud"])
"""Mostly whoever holds the item: what anybody else tries is refused early, and leads nowhere."""
ITEMS_HELD_BY = {"twice": "medication-question", "blind": "discharge-plan"}
ITEMS = st.sampled_from(list(ITEMS_HELD_BY))
TEXTS = st.sampled_from([AS_IS, *EDITS, REFUSED])


@cache
def policies() -> PolicySet:
    """The package's own, but of the two items one is signed by two people, and one read by two, blind."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(package_policies(), folder, dirs_exist_ok=True)
        for item, policy in ITEMS_HELD_BY.items():
            path = Path(folder) / policy / "policy.yaml"
            blind = "  blinded_second_read: true\n" if item == "blind" else ""
            path.write_text(path.read_text().replace("  count: 1\n", f"  count: 2\n{blind}"))
        return PolicySet.load(folder)


@dataclass
class Model:
    """What is known of one item: moments are seconds since the beginning."""

    ticket: str
    inference: str
    blind: bool
    ends: float
    state: str = "held"
    holder: str | None = None
    lease: str = ""
    lease_ends: float = 0.0
    kept_for: str | None = None
    kept_until: float = 0.0
    passed_on_by: set[str] = field(default_factory=set)
    disposed: set[str] = field(default_factory=set)
    """Who did; for an item that is not read blind, `all`."""
    signed: list[tuple[str, str]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    judged: bool = False
    tried_after: bool = False

    @property
    def reading(self) -> bool:
        return self.blind and self.state == "held" and len(self.words) < 2

    @property
    def disputed(self) -> bool:
        both = self.blind and self.state == "held" and len(self.words) == 2
        return both and not self.judged and len(set(self.words.values())) == 2

    def disposing(self, who: str) -> str:
        return who if self.reading else "all"

    def waits(self, now: float) -> str | None:
        if self.state != "held":
            return "ILLEGAL_TRANSITION"
        return "REVIEW_EXPIRED" if self.ends <= now else None

    def under_lease(self, who: str, lease: str, now: float) -> str | None:
        if why := self.waits(now):
            return why
        if self.holder != who or lease != self.lease:
            return "LEASE_NOT_HELD"
        return "LEASE_EXPIRED" if self.lease_ends <= now else None

    def claim(self, who: str, now: float) -> str | None:
        if why := self.waits(now):
            return why
        if who == "aud":
            return "ROLE_NOT_PERMITTED"
        if self.holder not in (None, who) and self.lease_ends > now:
            return "ALREADY_CLAIMED"
        if self.kept_for not in (None, who) and self.kept_until > now:
            return "RESERVED"
        if who in self.passed_on_by:
            return "ESCALATED_BY_YOU"
        return "READ_BEFORE" if (self.reading or self.disputed) and who in self.words else None

    def reassign(self, who: str, lease: str, to: str, now: float) -> str | None:
        if why := self.waits(now):
            return why
        if who == "aud":
            return "ROLE_NOT_PERMITTED"
        if self.reading:
            return "READ_BLIND"
        if self.holder is not None and self.lease_ends > now and (self.holder, self.lease) != (who, lease):
            return "LEASE_NOT_HELD"
        if self.kept_for not in (None, who) and self.kept_until > now:
            return "RESERVED"
        standing = self.signed[-1][1] if self.signed else None
        unfit = to == "aud" or (self.disputed and to in self.words) or (to, standing) in self.signed
        return "REVIEWER_CANNOT_SIGN" if unfit else None

    def sign(self, who: str, lease: str, text: str, now: float) -> str | None:
        if why := self.under_lease(who, lease, now):
            return why
        if text != REFUSED and self.disposing(who) not in self.disposed:
            return "FINDINGS_UNDISPOSED"
        return "SIGNER_SIGNED_BEFORE" if (who, text) in self.signed else None

    def reject(self, who: str, lease: str, now: float) -> str | None:
        if why := self.under_lease(who, lease, now):
            return why
        return "DECISION_NOT_SIGNED" if self.reading or self.disputed else None

    def free(self) -> None:
        self.holder, self.lease = None, ""

    def done(self, who: str, text: str) -> None:
        """A signature is on record."""
        self.free()
        reading, disputed = self.reading, self.disputed
        if reading:
            self.words[who] = text
            # Whoever is next judges by themselves.
            self.disposed.discard("all")
        if text != REFUSED:
            self.signed.append((who, text))
        if disputed:
            self.judged = True
        if reading and (len(self.words) < 2 or len(set(self.words.values())) == 2):
            return
        if text == REFUSED:
            self.state = "rejected"
        elif sum(one == text for _who, one in self.signed) >= 2:
            self.state = "released"


class Reviewing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="attending-review-"))
        self.stack = AsyncExitStack()
        self.keys = iter(range(1_000_000))
        self.items: dict[str, Model] = {}
        self.all: list[Model] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        gate = await self.stack.enter_async_context(opened_gate(self.folder / "ledger", policies()))
        self.gate, self.desk = gate, (await opened_ward(gate)).desk
        self.people: dict[str, Person] = {name: person(name, "clinician") for name in DOCTORS}
        self.people["aud"] = person("aud", "auditor")
        known = [one.principal for one in self.people.values()]
        await enrol_keys(gate.ledger, [TENANT], known, "srv-test", gate.clock)
        self.desk._people = lambda: known
        gate.provider.text = AS_IS
        for item in ITEMS_HELD_BY:
            await self._hold(item)

    async def _hold(self, item: str) -> None:
        policy = ITEMS_HELD_BY[item]
        call = infer_call(policy=policy, context=context(policy))
        outcome = await self.gate.pipeline.infer(CALLER, call, key(f"infer-{next(self.keys)}"))
        assert outcome.state is State.HELD
        assert outcome.ticket is not None
        ends = self.now + LIFE_SECONDS
        self.items[item] = Model(outcome.ticket.ticket_id, outcome.inference_id, item == "blind", ends)
        self.all.append(self.items[item])

    @property
    def now(self) -> float:
        return self.gate.clock.moment.timestamp()

    def working(self, item: str, who: str) -> tuple[Model, str]:
        """The item, another one when what has ended was tried once, and a person's name for `who`."""
        known = self.items[item]
        if known.tried_after:
            self.run(self._hold(item))
            known = self.items[item]
        known.tried_after = known.state != "held"
        able = [doctor for doctor in DOCTORS if known.claim(doctor, self.now) is None]
        if who == "holder" and known.holder is None and able:
            self._claim(known, able[0])
        return known, (known.holder or DOCTORS[0]) if who == "holder" else who

    def fresh(self) -> Any:
        return key(f"step-{next(self.keys)}")

    def attempt(self, expected: str | None, work: Coroutine[Any, Any, Any]) -> Any:
        """What the desk answers, which is what the model says it does."""
        answer, refused = None, None
        try:
            answer = self.run(work)
        except AttendingError as err:
            refused = err.reason
        assert refused == expected
        return answer

    @rule(item=ITEMS, who=PEOPLE)
    def claim(self, item: str, who: str) -> None:
        self._claim(*self.working(item, who))

    def _claim(self, known: Model, who: str) -> None:
        principal = self.people[who].principal
        answer = self.attempt(
            known.claim(who, self.now), self.desk.claim(principal, known.ticket, self.fresh())
        )
        if answer is not None:
            known.holder, known.lease = who, answer[0].lease_id
            known.lease_ends, known.kept_for = self.now + LEASE_SECONDS, None

    @rule(item=ITEMS, who=WORKING, right=st.booleans())
    def renew(self, item: str, who: str, right: bool) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        lease = known.lease if right else "lse_other"
        expected = known.under_lease(who, lease, self.now)
        if self.attempt(expected, self.desk.renew(principal, known.ticket, lease, self.fresh())) is not None:
            known.lease_ends = self.now + LEASE_SECONDS

    @rule(item=ITEMS, who=WORKING)
    def give_back(self, item: str, who: str) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        expected = known.under_lease(who, known.lease, self.now)
        work = self.desk.release_lease(principal, known.ticket, known.lease, self.fresh())
        if self.attempt(expected, work) is not None:
            known.free()

    @rule(item=ITEMS, who=WORKING, to=PEOPLE)
    def reassign(self, item: str, who: str, to: str) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        if who == to:
            return
        expected = known.reassign(who, known.lease, to, self.now)
        args = (principal, known.ticket, known.lease, to, "other", "")
        if self.attempt(expected, self.desk.reassign(*args, self.fresh())) is not None:
            known.free()
            known.kept_for, known.kept_until = to, self.now + ASSIGNMENT_SECONDS
            known.passed_on_by.discard(to)

    @rule(item=ITEMS, who=WORKING)
    def escalate(self, item: str, who: str) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        expected = known.under_lease(who, known.lease, self.now)
        args = (principal, known.ticket, known.lease, "other", "")
        if self.attempt(expected, self.desk.escalate(*args, self.fresh())) is not None:
            known.free()
            known.kept_for = None
            known.passed_on_by.add(who)
            self._claim(known, who)

    @rule(item=ITEMS, who=WORKING)
    def dispose(self, item: str, who: str) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        expected = known.under_lease(who, known.lease, self.now)
        args = (principal, known.ticket, known.lease, 0, "accepted_risk", "monitored", "")
        if self.attempt(expected, self.desk.dispose(*args, self.fresh())) is not None:
            known.disposed.add(known.disposing(who))

    @rule(item=ITEMS, who=WORKING, text=TEXTS)
    def sign(self, item: str, who: str, text: str) -> None:
        known, who = self.working(item, who)
        expected = known.sign(who, known.lease, text, self.now)
        if self.attempt(expected, self._sign(known, self.people[who], text)) is not None:
            known.done(who, text)

    async def _sign(self, known: Model, who: Person, text: str) -> Any:
        rejection = Rejection("unsafe") if text == REFUSED else None
        edit = None if text == REFUSED else text
        args = (who.permit, known.ticket, known.lease, edit, who.key_id, rejection)
        prepared = await self.desk.prepare(*args)
        signature = sign_statement(prepared.statement, who.key)
        sign = (who.principal, known.ticket, known.lease, prepared.preparation_id, signature)
        return await self.desk.sign(*sign, self.fresh())

    @rule(who=st.sampled_from(DOCTORS), text=TEXTS)
    def read(self, who: str, text: str) -> None:
        """The whole of one reader's work, which single steps seldom come to."""
        self.claim("blind", who)
        if text != REFUSED:
            self.dispose("blind", who)
        self.sign("blind", who, text)

    @rule(one=TEXTS, other=TEXTS)
    def two_read(self, one: str, other: str) -> None:
        self.read("ann", one)
        self.read("ben", other)
        self.reject("blind", "holder")

    @rule(item=ITEMS, who=WORKING)
    def reject(self, item: str, who: str) -> None:
        known, who = self.working(item, who)
        principal = self.people[who].principal
        expected = known.reject(who, known.lease, self.now)
        args = (principal, known.ticket, known.lease, "unsafe", "")
        if self.attempt(expected, self.desk.reject(*args, self.fresh())) is not None:
            known.state = "rejected"

    @rule(item=ITEMS, one=st.sampled_from(DOCTORS), other=st.sampled_from(DOCTORS))
    def both_claim(self, item: str, one: str, other: str) -> None:
        known = self.items[item]
        if one == other or known.claim(one, self.now) or known.claim(other, self.now):
            return
        claims = [
            self.desk.claim(self.people[who].principal, known.ticket, self.fresh()) for who in (one, other)
        ]

        async def at_once() -> list[Any]:
            return await asyncio.gather(*claims, return_exceptions=True)

        won = [
            (who, answer)
            for who, answer in zip((one, other), self.run(at_once()), strict=True)
            if not isinstance(answer, AttendingError)
        ]
        assert len(won) == 1
        [(known.holder, answer)] = won
        known.lease, known.lease_ends, known.kept_for = answer[0].lease_id, self.now + LEASE_SECONDS, None

    @rule(seconds=st.sampled_from([ASSIGNMENT_SECONDS + 1, LEASE_SECONDS + 1, 4 * 3600]))
    def time_goes_by(self, seconds: int) -> None:
        self.gate.clock.advance(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        over = [known for known in self.all if known.waits(self.now) == "REVIEW_EXPIRED"]
        assert self.run(self.desk.expire_due(TENANT, "srv-test")) == len(over)
        for known in over:
            known.state = "expired"

    @invariant()
    def the_item_stands_as_the_model_says(self) -> None:
        for known in self.items.values():
            item, _version = self.run(self.desk.item(TENANT, known.ticket))
            assert (item.state, item.reading, item.disputed) == (known.state, known.reading, known.disputed)
            assert [signed.signer for signed in item.signed_by] == [who for who, _text in known.signed]
            for who in DOCTORS:
                shown = item.seen_by(who)
                others = {read.reader for read in shown.reads} - {who}
                assert not (known.reading and (others or shown.claimed_by not in (None, who)))

    def teardown(self) -> None:
        try:
            for known in self.all:
                if known.state == "released":
                    text = known.signed[-1][1]
                    outcome = self.run(self.gate.pipeline.get(TENANT, known.inference))
                    assert outcome.output == text
                    assert len({who for who, one in known.signed if one == text}) >= 2
            self.run(self.stack.aclose())
        finally:
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
