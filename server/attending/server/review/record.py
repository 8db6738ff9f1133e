"""An item of the desk on record: how it is read, and the one conditional append by which a step changes it.

What a crash leaves behind: before an append nothing, after it the whole step with its projection row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.practice import UNDELIVERABLE
from attending.ledger.projection import RowWrite
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, NotFound
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.checker import Checker
from attending.server.inference.entries import Result, load_request
from attending.server.inference.watch import Changes
from attending.server.phi.access import PhiAccess
from attending.server.practice.catalogue import Catalogue, load_catalogue
from attending.server.practice.debrief import Answer, debriefed
from attending.server.practice.mark import Mark, Marks
from attending.server.replay.reducers import rows_of_append
from attending.server.review.case import Case
from attending.server.review.decided_before import decided_before
from attending.server.review.facts import Added, load_facts
from attending.server.review.item import Item
from attending.server.review.preparation import Preparations
from attending.server.review.reads import decisions
from sqlalchemy import select

_ITEMS, _INFERENCES = projections.review_item, projections.inference


MAX_LEASES = 10_000


class Recent:
    """The ids that were added last, `size` of them at most. One that fell out is merely put on record once more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: dict[str, None] = {}

    def __contains__(self, one: object) -> bool:
        return one in self._ids

    def add(self, one: str) -> None:
        self._ids[one] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]


def held_body(stream: Iterable[Entry]) -> Mapping[str, Any]:
    """The body of the entry of an inference's stream that held its text; empty where none did."""
    return next((entry.body for entry in stream if entry.type == "inference.held"), {})


class Record:
    """What every step of the desk needs; the steps are in the classes that go on from this one."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        guard: Checker,
        policies: Mapping[str, Policy],
        changes: Changes,
        switch: Switch,
        phi: PhiAccess,
        lease_seconds: float,
        preparation_seconds: float,
        assignment_seconds: float,
        people: Callable[[], Iterable[Principal]],
        now: Callable[[], datetime],
        owner: str = "desk",
        catalogue: Catalogue | None = None,
        marks: Marks | None = None,
    ) -> None:
        """`people` are all who are known and whose time has not run out, of every tenant; `owner` names the process in
        what the desk does by itself; `catalogue` explains practice items, the package's where it is left out.
        """
        self.marks = marks or Marks(ledger)
        self._owner = owner
        self._catalogue = load_catalogue() if catalogue is None else catalogue
        self._ledger = ledger
        self._guard = guard
        self._policies = policies
        self._changes = changes
        self._switch = switch
        self._phi = phi
        self._lease = timedelta(seconds=lease_seconds)
        self._preparation = timedelta(seconds=preparation_seconds)
        self._assignment = timedelta(seconds=assignment_seconds)
        self._people = people
        self._now = now
        self._prepared = Preparations()
        self._looked = Recent(MAX_LEASES)
        """Leases under which the case is on record as looked at by who writes."""

    async def item(self, tenant: str, ticket_id: str) -> tuple[Item, int]:
        """The whole item and its stream's version; NotFound alike for unknown and foreign tickets. What somebody may be
        shown of it is `Item.seen_by`.

        INVARIANT: the version is not newer than the item. An append that expects it is refused when anything
        happened since; read the other way round, a step decided on an old row would pass on the new version.
        """
        inference_id = (await self._row(tenant, ticket_id)).inference_id
        version = await self._ledger.stream_version(tenant, inference_id)
        return await self._row(tenant, ticket_id), version

    async def _row(self, tenant: str, ticket_id: str) -> Item:
        rows = await self._ledger.query(
            select(_ITEMS).where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id == ticket_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_TICKET")
        return Item.from_row(rows[0]._mapping)

    async def _case(self, tenant: str, ticket_id: str) -> Case:
        item, version = await self.item(tenant, ticket_id)
        rows = await self._ledger.query(
            select(_INFERENCES).where(
                _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == item.inference_id
            )
        )
        row = rows[0]._mapping
        request = load_request(await self._ledger.open_payload(tenant, row["request_record"]))
        # The row follows the text released; a case is about the text generated, which dispositions number into.
        generated = await self._generated(tenant, item.inference_id)
        judged = item.result_record or generated["result_record"]
        result = Result.from_bytes(await self._ledger.open_payload(tenant, judged))
        facts: tuple[Added, ...] = ()
        if item.facts_record is not None:
            facts = load_facts(await self._ledger.open_payload(tenant, item.facts_record))
        output = (await self._ledger.open_payload(tenant, generated["text_record"])).decode("utf-8")
        decided = () if item.reading else decisions(item.reads)
        texts = [await self._ledger.open_payload(tenant, str(read.record)) for read in decided]
        return Case(
            item,
            version,
            output,
            request.prompt,
            request.documents,
            request.patient,
            result,
            row,
            request.context,
            facts,
            tuple(zip(decided, (text.decode("utf-8") for text in texts), strict=True)),
            await decided_before(self._ledger, tenant, item),
        )

    async def _generated(self, tenant: str, inference_id: str) -> Mapping[str, Any]:
        """The body of `inference.generated`, which every inference with a ticket has."""
        for entry in await self._ledger.stream_entries(tenant, inference_id, 1, 1):
            if entry.type == "inference.generated":
                return entry.body
        raise NotFound("UNKNOWN_TICKET")

    async def _held_body(self, tenant: str, item: Item) -> Mapping[str, Any]:
        """The body of the entry that held the text, by whose terms the item is reviewed; empty where none did."""
        return held_body(await self._ledger.whole_stream(tenant, item.inference_id))

    async def _result(self, tenant: str, item: Item) -> Result:
        """What the checks said of the text as generated, the last time that they ran."""
        judged = item.result_record or (await self._generated(tenant, item.inference_id))["result_record"]
        return Result.from_bytes(await self._ledger.open_payload(tenant, judged))

    async def _done(self, principal: Principal, once: Once) -> int | None:
        """Index of the entry that this key's first call appended: a retry is answered, whatever came after it."""
        done = await answered(self._ledger, principal.tenant, once)
        return None if done is None else done[0]

    async def _step(
        self,
        principal: Principal,
        item: Item,
        version: int,
        pending: list[PendingEntry],
        once: Once,
        *expect: Expectation,
    ) -> tuple[Item, int, int]:
        """One conditional append with its rows; returns item, version and the first entry's index. `expect` is what
        must hold besides the item's version.
        """
        tenant = principal.tenant
        if any(one.type in UNDELIVERABLE for one in pending) and await self.marks.of(
            tenant, item.inference_id
        ):
            # INVARIANT: the last door of the desk. Whatever a step decided, no practice item goes through it.
            raise FailedPrecondition("PRACTICE_ITEM")
        # INVARIANT: what the rows are made from is not older than the version that the append expects.
        known = RowWrite(_ITEMS, {"ticket_id": item.ticket_id}, item.row)
        append = self._switch.append(
            tenant,
            item.policy,
            pending,
            expect=[Expectation(item.inference_id, version), *expect],
            claim=once.claim(item.inference_id),
            rows=rows_of_append(pending, [known]),
        )
        first = await index_of(self._ledger, tenant, once, append, Aborted("ITEM_CHANGED"))
        self._changes.announce(tenant, item.inference_id)
        return await self._answer(principal, item.ticket_id, first)

    async def _answer(self, principal: Principal, ticket_id: str, index: int) -> tuple[Item, int, int]:
        """What a step answers: the item as the caller may see it, its version and the entry's index."""
        item, version = await self.item(principal.tenant, ticket_id)
        return item.seen_by(principal.name), version, index

    def _entry(
        self,
        principal: Principal,
        type_: str,
        item: Item,
        body: Mapping[str, Any],
        *payloads: Payload,
    ) -> PendingEntry:
        return PendingEntry(
            type=type_,
            stream=item.inference_id,
            actor=principal.actor,
            subject=item.subject,
            body={"ticket": item.ticket_id, **body},
            payloads=payloads,
            occurred_at=self._now(),
        )

    async def _mark(self, tenant: str, item: Item) -> Mark | None:
        """The mark of an item where its request can be opened. One that can be opened no more is released by nobody,
        and may be refused or expire like any other.
        """
        return await self.marks.where_open(tenant, item.inference_id)

    def _debrief(
        self,
        item: Item,
        mark: Mark,
        actor: str,
        answer: Answer,
        signed_text: str | None = None,
        *,
        reason_code: str | None = None,
        note: tuple[Payload, ...] = (),
        nonce: str | None = None,
    ) -> PendingEntry:
        """The entry that ends a practice item instead of what the decision would lead to."""
        return debriefed(
            mark,
            self._catalogue.get(mark.item),
            stream=item.inference_id,
            ticket=item.ticket_id,
            policy=item.policy,
            actor=actor,
            answer=answer,
            signed_text=signed_text,
            now=self._now(),
            reason_code=reason_code,
            note=note,
            nonce=nonce,
        )

    async def _end_practice(
        self, tenant: str, item: Item, version: int, mark: Mark, answer: Answer, actor: str | None = None
    ) -> bool:
        """Debriefs an item without another entry beside it; whether it was this call that did. A decision that came
        first wins.
        """
        entry = self._debrief(item, mark, actor or f"system:{self._owner}", answer)
        return await self._unless_moved(tenant, item, version, entry)

    async def _unless_moved(self, tenant: str, item: Item, version: int, entry: PendingEntry) -> bool:
        """Appends what the desk says by itself; False where anything happened to the item since."""
        known = RowWrite(_ITEMS, {"ticket_id": item.ticket_id}, item.row)
        try:
            await self._ledger.append(
                tenant,
                [entry],
                expect=[Expectation(item.inference_id, version)],
                rows=rows_of_append([entry], [known]),
            )
        except ExpectationFailed:
            return False
        self._changes.announce(tenant, item.inference_id)
        return True
