"""Another pack in force: what would not be released now is listed once, and leaves the list by a recall or a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience
from attending.guardrails.pool import GuardError
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import LedgerError, StoreUnavailable
from attending.ledger.verify.activations import KNOWLEDGE
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.recall.desk import Recalls
from attending.server.recall.rejudging import Rejudging
from attending.server.recall.worklist import REJUDGED, Worklist
from attending.server.shipped import package_policies

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    FakeChecker,
    Gate,
    context,
    gate,
    infer_call,
    key,
    policies,
)
from tests.server.recall.test_recall import APP, RIVERA, reason
from tests.server.review.conftest import person

__all__ = ["gate", "policies"]

OLD, NEW, NEWER = "0" * 64, "1" * 64, "2" * 64
SECRET = "Zacharias"


@dataclass
class Pool:
    """Check processes under another pack, under which what names acetaminophen holds, and metamizole blocks."""

    policies: PolicySet
    knowledge_hash: str = NEW
    before: Callable[[], None] = lambda: None
    judged: list[str] = field(default_factory=list)
    running: int = 0

    async def __aenter__(self) -> Pool:
        self.running += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.running -= 1

    def health(self) -> Any:
        return type("Health", (), {"workers": 1})

    async def check_record(
        self, policy_name: str, judged: Judged, *, audience: Audience | None = None
    ) -> OutputDecision:
        self.before()
        self.judged.append(judged.output)
        text = judged.output.replace("acetaminophen", "HOLD").replace("metamizole", "BLOCK")
        decision = await FakeChecker(self.policies).check_output(policy_name, Judged(text), audience=audience)
        return replace(decision, knowledge_hash=f"sha256:{self.knowledge_hash}")


@dataclass
class Hospital:
    gate: Gate
    pool: Pool
    worklist: Worklist
    recalls: Recalls
    rejudging: Rejudging

    async def release(self, text: str, **about: object) -> Outcome:
        self.gate.provider.text = text
        call = infer_call(context=context("administrative-letter", **about))
        outcome = await self.gate.pipeline.infer(CALLER, call, key(text))
        assert outcome.state is State.RELEASED
        return outcome

    async def activate(self, pack: str, by: str = "two_people") -> None:
        for event, actor in (("version", "human:ask"), ("activated", "human:approve")):
            body = {"knowledge_hash": pack, "by": by}
            entry = PendingEntry(f"knowledge.{event}", KNOWLEDGE, actor, None, body)
            await self.gate.ledger.append(TENANT, [entry])
        self.pool.knowledge_hash = pack

    async def judge(self) -> Any:
        due = await self.rejudging.due(TENANT)
        return None if due is None else await self.rejudging.run(TENANT, due)

    async def listed(self) -> list[tuple[str, str, str]]:
        found = await self.worklist.page(TENANT, only_open=False, limit=99, offset=0)
        return [(one.inference_id, one.now, one.state) for one in found]


def rejudging(gate: Gate, pool: Pool, owner: str = "srv-test") -> Rejudging:
    loaded = PolicySet.load(package_policies())

    def made() -> Any:
        return pool

    return Rejudging(
        gate.ledger, gate.changes, lambda: gate.policies, made, lambda: loaded, owner, 90, gate.clock
    )


@pytest.fixture
async def hospital(gate: Gate) -> Hospital:
    pool = Pool(gate.policies)
    made = Hospital(
        gate,
        pool,
        Worklist(gate.ledger, gate.changes, gate.clock),
        Recalls(gate.ledger, gate.changes, gate.clock),
        rejudging(gate, pool),
    )
    await made.activate(OLD, by="bootstrap")
    return made


async def test_what_would_not_be_released_is_listed_with_its_patient_and_no_word_of_it(
    hospital: Hospital,
) -> None:
    gate = hospital.gate
    fine = await hospital.release(f"Dear {SECRET}, see you on Monday.")
    held = await hospital.release(f"{SECRET}, take acetaminophen.", subject_ref="MRN-1")
    blocked = await hospital.release(f"{SECRET}, take metamizole.", subject_ref="MRN-1")
    await gate.pipeline.acknowledge(CALLER, held.inference_id, "patient", "portal", key("portal"))
    assert await hospital.judge() is None
    await hospital.activate(NEW)
    tally = await hospital.judge()
    assert (tally.judged, tally.recalls) == (3, 2)
    assert await hospital.listed() == [
        (blocked.inference_id, "block", "open"),
        (held.inference_id, "hold", "open"),
    ]
    counts = await hospital.worklist.counts(TENANT)
    assert (counts.open, counts.patients, counts.deliveries) == (2, 1, 1)
    line = await hospital.worklist.of(TENANT, held.inference_id)
    assert line.subject == await gate.ledger.pseudonym(TENANT, "MRN-1")
    assert (line.codes, line.released_by, line.knowledge_hash) == (("interaction",), "policy", NEW)
    assert SECRET not in repr(line)
    assert await reason(hospital.worklist.of(TENANT, fine.inference_id)) == "NOT_PROPOSED"
    last = await hospital.worklist.last(TENANT)
    assert last is not None
    assert (last.body["judged"], last.body["proposed"], last.body["skipped"]) == (3, 2, {})
    # Once is enough, also for the next start; and another tenant has none of it.
    assert await hospital.judge() is None
    assert await rejudging(gate, hospital.pool).due(TENANT) is None
    await gate.ledger.create_log("other", "test.example/other")
    assert await hospital.worklist.page("other", only_open=False, limit=9, offset=0) == []
    assert (await hospital.worklist.counts("other")).open == 0
    assert hospital.pool.running == 0


async def test_each_leaves_the_list_by_an_entry(hospital: Hospital) -> None:
    first = (await hospital.release("Take acetaminophen.")).inference_id
    second = (await hospital.release("Take acetaminophen twice.")).inference_id
    await hospital.activate(NEW)
    await hospital.judge()
    worklist, once = hospital.worklist, key("no")
    assert await reason(worklist.dismiss(APP, first, "superseded", "", key("app"))) == "ROLE_NOT_PERMITTED"
    found, index = await worklist.dismiss(RIVERA, first, "not_harmful", f"{SECRET} knows.", once)
    assert (found.state, found.closed_by, found.reason) == ("dismissed", "rivera", "not_harmful")
    assert (await worklist.dismiss(RIVERA, first, "not_harmful", f"{SECRET} knows.", once))[1] == index
    assert await reason(worklist.dismiss(RIVERA, first, "other", "x", key("2"))) == "CANDIDATE_CLOSED"
    entry = await hospital.gate.ledger.get_entry(TENANT, index)
    assert SECRET not in entry.data.decode()
    await hospital.recalls.withdraw(RIVERA, second, "unsafe", "", key("back"))
    counts = await worklist.counts(TENANT)
    assert (counts.open, counts.recalled, counts.dismissed) == (0, 1, 1)
    assert await reason(worklist.dismiss(RIVERA, second, "superseded", "", key("3"))) == "CANDIDATE_CLOSED"
    # A recall of what was dismissed is one all the same; the word about it stays as it was said.
    await hospital.recalls.withdraw(RIVERA, first, "unsafe", "", key("back too"))
    assert (await worklist.of(TENANT, first)).state == "dismissed"


async def test_of_two_who_decide_at_once_one_is_first(hospital: Hospital) -> None:
    one = (await hospital.release("Take acetaminophen.")).inference_id
    await hospital.activate(NEW)
    await hospital.judge()
    chen = person("chen", "clinician").principal
    results = await asyncio.gather(
        hospital.worklist.dismiss(RIVERA, one, "superseded", "", key("a")),
        hospital.worklist.dismiss(chen, one, "not_harmful", "", key("b")),
        hospital.recalls.withdraw(RIVERA, one, "unsafe", "", key("c")),
        return_exceptions=True,
    )
    types = (await hospital.gate.types(one))[3:]
    assert types[0] == "recall.proposed"
    assert types.count("recall.dismissed") <= 1
    state = (await hospital.worklist.of(TENANT, one)).state
    assert state == {"recall.dismissed": "dismissed", "inference.withdrawn": "recalled"}[types[1]]
    assert sum(not isinstance(result, BaseException) for result in results) == len(types) - 1


async def test_a_run_that_was_cut_short_begins_again_and_lists_nothing_twice(hospital: Hospital) -> None:
    for number in range(6):
        await hospital.release(f"Take acetaminophen {number}.")
    await hospital.activate(NEW)
    left = 3

    def dies() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoreUnavailable()

    hospital.pool.before = dies
    with pytest.raises(LedgerError):
        await hospital.judge()
    assert hospital.pool.running == 0
    assert len(await hospital.listed()) < 6
    assert await hospital.worklist.last(TENANT) is None
    # The process is gone: the next one knows only what is in the log. And two of them run at once.
    hospital.pool.before = lambda: None
    others = [rejudging(hospital.gate, hospital.pool, f"srv-{n}") for n in range(2)]
    dues = [await other.due(TENANT) for other in others]
    await asyncio.gather(*(other.run(TENANT, due) for other, due in zip(others, dues, strict=True) if due))
    assert len(await hospital.listed()) == 6
    # One that began with them and comes to its end long after.
    late = rejudging(hospital.gate, hospital.pool, "srv-late")
    assert dues[0] is not None
    await late.run(TENANT, dues[0])
    for inference, _now, _state in await hospital.listed():
        assert (await hospital.gate.types(inference)).count("recall.proposed") == 1
    assert await hospital.gate.ledger.stream_version(TENANT, REJUDGED) == 1


async def test_an_activation_that_comes_meanwhile_is_judged_too(hospital: Hospital) -> None:
    one = (await hospital.release("Take acetaminophen.")).inference_id
    await hospital.activate(NEW)
    due = await hospital.rejudging.due(TENANT)
    assert due is not None
    await hospital.activate(NEWER)
    # The pack that lies in the folder is not the one this run is about.
    assert await hospital.rejudging.run(TENANT, due) is None
    hospital.pool.knowledge_hash = NEW
    await hospital.rejudging.run(TENANT, due)
    assert await hospital.worklist.last(TENANT) is None
    hospital.pool.knowledge_hash = NEWER
    await hospital.judge()
    last = await hospital.worklist.last(TENANT)
    assert last is not None
    assert last.body["knowledge_hash"] == NEWER
    # It waited already, and is not put there twice.
    assert (await hospital.gate.types(one)).count("recall.proposed") == 1


async def test_a_pack_that_is_confirmed_before_it_was_judged_by_is_judged_by_all_the_same(
    hospital: Hospital,
) -> None:
    one = (await hospital.release("Take acetaminophen.")).inference_id
    await hospital.activate(NEW)
    due = await hospital.rejudging.due(TENANT)
    await hospital.activate(NEW)
    assert due is not None
    # A run that began before cannot end, and the next one ends for both.
    await hospital.rejudging.run(TENANT, due)
    assert await hospital.worklist.last(TENANT) is None
    assert (await hospital.judge()).recalls == 1
    assert await hospital.listed() == [(one, "hold", "open")]
    assert (await hospital.gate.types(one)).count("recall.proposed") == 1
    assert await hospital.judge() is None
    await hospital.activate(NEW)
    assert await hospital.judge() is None


async def test_a_folder_that_changes_while_texts_are_judged_proposes_nothing_in_another_pack_s_name(
    hospital: Hospital,
) -> None:
    await hospital.release("Take acetaminophen.")
    await hospital.activate(NEW)

    def changes() -> None:
        hospital.pool.knowledge_hash = NEWER

    hospital.pool.before = changes
    with pytest.raises(GuardError):
        await hospital.judge()
    assert await hospital.listed() == []
    assert await hospital.worklist.last(TENANT) is None


async def test_what_was_dismissed_under_one_pack_comes_back_under_the_next(hospital: Hospital) -> None:
    one = (await hospital.release("Take acetaminophen.")).inference_id
    await hospital.activate(NEW)
    await hospital.judge()
    await hospital.worklist.dismiss(RIVERA, one, "wrong_knowledge", "", key("no"))
    await hospital.activate(NEWER)
    await hospital.judge()
    line = await hospital.worklist.of(TENANT, one)
    assert (line.state, line.knowledge_hash, line.reason) == ("open", NEWER, None)


async def test_a_call_under_way_under_the_pack_before_is_waited_for(hospital: Hospital) -> None:
    gate = hospital.gate
    gate.provider.text, waits = "Take acetaminophen.", gate.provider.may_answer
    waits.clear()
    call = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key("slow")))
    while not gate.provider.seen:
        await asyncio.sleep(0.01)
    await hospital.activate(NEW)
    assert await hospital.judge() is None
    waits.set()
    outcome = await call
    await hospital.judge()
    assert await hospital.listed() == [(outcome.inference_id, "hold", "open")]


async def test_what_two_people_only_confirmed_and_zero_days_judge_nothing(hospital: Hospital) -> None:
    await hospital.release("Take acetaminophen.")
    await hospital.activate(OLD)
    assert await hospital.judge() is None
    await hospital.activate(NEW)
    hospital.rejudging._days = 0
    assert await hospital.judge() is None
