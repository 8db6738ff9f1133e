"""The draw of released texts for a second read, kept by the server: committed, opened after its period, carried out.

Each step is conditional, so several processes do it once. What a crash leaves: before the opening, a draw that runs on;
after it, one whose drawn texts are not all sampled. The next sweep, of any process, goes on from there, and no draw is
opened before the one before it is carried out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from attending.guardrails.policy.schema import Policy
from attending.ledger import draw as rules
from attending.ledger.appended import Appended
from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Claim, Expectation
from attending.server.auth.principal import Principal
from attending.server.clock import parse
from attending.server.errors import Aborted, FailedPrecondition
from attending.server.idempotency import Once, answered, index_of
from attending.server.replay.reducers import rows_of_append

PERIOD: Final = timedelta(hours=24)
_PAGE: Final = 1_000


class Draws:
    """One instance a server."""

    def __init__(
        self, ledger: Ledger, policies: Mapping[str, Policy], owner: str, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._policies = policies
        self._owner = owner
        self._now = now
        self._carried_out: set[tuple[str, str]] = set()

    async def sweep(self, tenant: str) -> None:
        """Does what is due: carries out what was opened, opens what ran for its period, and commits to the next."""
        with suppress(ExpectationFailed):
            # Another process did it.
            await self._advance(tenant, PERIOD)

    async def open_now(self, principal: Principal, once: Once) -> int:
        """Ends the period that runs; the index of the entry. FailedPrecondition (NOTHING_TO_DRAW) where no policy draws
        any. Nobody knows what a seed draws before it is shown, so the moment is anybody's choice.
        """
        tenant = principal.tenant
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return done[0]
        append = self._now_or_never(tenant, principal.actor, once)
        return await index_of(self._ledger, tenant, once, append, Aborted("LOST_RACE"))

    async def _now_or_never(self, tenant: str, actor: str, once: Once) -> Appended:
        done = await self._advance(tenant, timedelta(), actor, once.claim(rules.DRAW_STREAM))
        if done is None:
            raise FailedPrecondition("NOTHING_TO_DRAW")
        return done

    async def _advance(
        self, tenant: str, period: timedelta, actor: str | None = None, claim: Claim | None = None
    ) -> Appended | None:
        version = await self._ledger.stream_version(tenant, rules.DRAW_STREAM)
        last = await self._ledger.stream_entries(tenant, rules.DRAW_STREAM, max(0, version - 3), 3)
        opened = [one for one in last if one.type == rules.OPENED]
        if opened:
            await self._carry_out(tenant, opened[-1])
        running = last[-1] if last and last[-1].type == rules.COMMITTED else None
        if running is not None and parse(running.time) + period > self._now():
            return None
        pending = [] if running is None else [await self._opening(tenant, running, actor)]
        if (rates := self._rates()).permille:
            pending.append(self._commitment(rates, actor))
        if not pending:
            return None
        done = await self._ledger.append(
            tenant,
            pending,
            expect=[Expectation(rules.DRAW_STREAM, version)],
            claim=claim,
            rows=rows_of_append(pending),
        )
        if running is not None:
            [shown] = await self._ledger.stream_entries(tenant, rules.DRAW_STREAM, version, 1)
            await self._carry_out(tenant, shown)
        return done

    def _rates(self) -> rules.Rates:
        given = {name: policy.sampling.released_percent * 10 for name, policy in self._policies.items()}
        return rules.Rates({name: rate for name, rate in given.items() if rate})

    def _commitment(self, rates: rules.Rates, actor: str | None) -> PendingEntry:
        body = {"draw": f"drw_{secrets.token_hex(16)}", "rates": rates.to_json()}
        seed = Payload(rules.SEED_KIND, secrets.token_bytes(rules.SEED_BYTES))
        return self._entry(rules.COMMITTED, rules.DRAW_STREAM, body, seed, actor=actor)

    async def _opening(self, tenant: str, running: Entry, actor: str | None) -> PendingEntry:
        [record] = [one.record for one in running.commitments if one.kind == rules.SEED_KIND]
        salt, seed = await self._ledger.disclose_payload(tenant, record)
        body = {"draw": running.body["draw"], "seed": seed.hex(), "salt": salt.hex()}
        return self._entry(rules.OPENED, rules.DRAW_STREAM, body, actor=actor)

    async def _carry_out(self, tenant: str, opened: Entry) -> None:
        name = str(opened.body["draw"])
        if (tenant, name) in self._carried_out:
            return
        entries = await self._ledger.whole_stream(tenant, rules.DRAW_STREAM)
        [begun] = [one for one in entries if one.type == rules.COMMITTED and one.body["draw"] == name]
        seed, rates = bytes.fromhex(opened.body["seed"]), rules.parse_rates(begun.body["rates"])
        at = begun.index + 1
        while at < opened.index:
            page = await self._ledger.list_entries(tenant, at, min(_PAGE, opened.index - at))
            for entry in page:
                if entry.type == "inference.released" and rules.may_be_drawn(seed, entry.stream, rates):
                    await self._sample(tenant, name, entry, seed, rates)
            at += len(page)
        self._carried_out.add((tenant, name))

    async def _sample(self, tenant: str, name: str, released: Entry, seed: bytes, rates: rules.Rates) -> None:
        """Puts a released text up for a second read, once, if it is drawn."""
        while True:
            stream = await self._ledger.whole_stream(tenant, released.stream)
            done = any(one.type == rules.SAMPLED and one.body["draw"] == name for one in stream)
            case = case_of([one for one in stream if one.index <= released.index])
            if done or not rules.is_drawn(seed, case, rates):
                return
            entry = self._entry(rules.SAMPLED, released.stream, sampled_body(name, case, stream, released))
            try:
                await self._ledger.append(
                    tenant,
                    [entry],
                    expect=[Expectation(released.stream, len(stream))],
                    rows=rows_of_append([entry]),
                )
                return
            except ExpectationFailed:
                continue

    def _entry(
        self,
        kind: str,
        stream: str,
        body: Mapping[str, Any],
        *payloads: Payload,
        actor: str | None = None,
    ) -> PendingEntry:
        return PendingEntry(
            type=kind,
            stream=stream,
            actor=actor or f"system:{self._owner}",
            subject=None,
            body=body,
            payloads=payloads,
            occurred_at=self._now(),
        )


def case_of(stream: list[Entry]) -> rules.Case:
    """What decides how likely a released inference is drawn, from its entries up to the release."""
    policy, rank, raised = "", 0, False
    for entry in stream:
        body = entry.body
        if entry.type == "inference.requested":
            policy = str(body["policy"])
        elif entry.type == "inference.generated":
            rank = rules.worst_rank((body.get("findings") or {}).get("by_severity"))
        elif entry.type == "review.signed":
            raised = raised or (body.get("reading") or {}).get("raised") is True
    return rules.Case(stream[0].stream, policy, rank, raised)


def sampled_body(name: str, case: rules.Case, stream: list[Entry], released: Entry) -> dict[str, Any]:
    """What the entry of a sample says: which draw, what was drawn, and the word of who read first."""
    words = [
        one.body["statement"]
        for one in stream
        if one.type == "review.signed" and one.body["statement"]["meaning"] != "rejected"
    ]
    by_people = released.body.get("basis") == "signed"
    return {
        "draw": name,
        "read": f"red_{secrets.token_hex(16)}",
        "policy": case.policy,
        "severity_rank": case.severity_rank,
        "raised": case.raised,
        "basis": str(released.body.get("basis", "policy")),
        "first": words[-1]["meaning"] if by_people and words else "approved",
        # Whoever signed it is no second reader, in whatever way it was released.
        "signers": sorted({word["signer"] for word in words}),
    }
