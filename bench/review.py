"""How long the desk takes with a long queue: a page of it, an item, and a signature that releases.

A real ledger holds one whole inference per waiting item, as the pipeline leaves it; the desk is the server's.
Timed are the queue's first page, a page from the middle and filters; an item with its look on record; claim,
disposition, preparation and signature, each durable. The checks are not part of this: the text is signed as held. Then
many reviewers at once take items from the top; the run ends with the auditor's checks and with the count of items that
wait still, so a lost update shows. With `--store postgres` the ledger lies in a real PostgreSQL (the wheel's, started
for the run, all settings at their durable defaults).

    python bench/review.py [--json] [--store sqlite|postgres] [--items N] [--reviewers N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from attending.guardrails.finding import Basis, Code, Coverage, Finding, Scope, Severity
from attending.guardrails.patient import PatientContext
from attending.guardrails.policy.load import PolicySet
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.review_signature import sign_statement
from attending.ledger.verify.checks import Checks
from attending.ledger.verify.checks import Scope as LogScope
from attending.ledger.verify.report import Findings, Status
from attending.server import projections
from attending.server.app import authorization_folder
from attending.server.auth.authorize import Authorizer
from attending.server.auth.authorize import PolicySet as Rights
from attending.server.auth.principal import Principal
from attending.server.clock import now, stamp
from attending.server.cost.price import Price
from attending.server.errors import Aborted, FailedPrecondition
from attending.server.halt.switch import Switch
from attending.server.idempotency import Once
from attending.server.inference.entries import Result, findings_body, request_payload, usage_body
from attending.server.inference.watch import Changes
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.replay.reducers import rows_of_append
from attending.server.review.desk import Desk
from attending.server.review.enrolment import enrol_keys
from attending.server.review.queue import Wanted
from attending.server.shipped import package_policies
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from times import quantile, timed

LOG, POLICY = "bench", "discharge-plan"
TEXT = "Continue lisinopril 10 mg daily and spironolactone 25 mg daily; check potassium in one week. " * 8
SEVERITIES = (Severity.MODERATE, Severity.MODERATE, Severity.MAJOR, Severity.CONTRAINDICATED)
BATCH = 64


def _person(number: int) -> tuple[Principal, Ed25519PrivateKey]:
    key = Ed25519PrivateKey.generate()
    principal = Principal(
        name=f"reviewer-{number}",
        tenant=LOG,
        kind="human",
        roles=frozenset({"clinician"}),
        display_name=f"Reviewer {number}",
        credential="mtls",
        signing_public_key=public_bytes(key),
    )
    return principal, key


def _once() -> Once:
    return Once(secrets.token_hex(16), secrets.token_bytes(16))


class Ward:
    """A desk over a ledger that is filled with waiting items."""

    def __init__(self, ledger: Ledger, reviewers: int) -> None:
        self.ledger = ledger
        self.policies = PolicySet.load(package_policies())
        self.people = [_person(number) for number in range(reviewers)]

        async def denied(*_: object) -> None:
            raise SystemExit("error: a reviewer was denied")

        self.desk = Desk(
            ledger=ledger,
            guard=None,  # type: ignore[arg-type]  # every text is signed as it is held
            policies=self.policies,
            changes=Changes(),
            switch=Switch(ledger, now),
            phi=PhiAccess(ledger, Authorizer(Rights.load(authorization_folder()), denied), now),
            lease_seconds=900,
            preparation_seconds=600,
            assignment_seconds=900,
            people=lambda: [principal for principal, _key in self.people],
            now=now,
        )

    async def fill(self, items: int) -> None:
        for begin in range(0, items, BATCH):
            numbers = range(begin, min(items, begin + BATCH))
            entries = [entry for number in numbers for entry in await self._held(number)]
            await self.ledger.append(LOG, entries, rows=rows_of_append(entries))

    async def _held(self, number: int) -> list[PendingEntry]:
        """One inference as the pipeline leaves it: requested, generated, held."""
        policy, stream, moment = self.policies[POLICY], f"inf_{number:032x}", now() + timedelta(hours=1)
        severity = SEVERITIES[number % len(SEVERITIES)]
        found = (
            Finding(
                "clinical checks",
                Code.INTERACTION,
                "bench:rule",
                severity,
                Scope.CONTINUE,
                0,
                8,
                TEXT[:8],
                Basis.CURATED,
                "bench",
                "raises potassium",
                drugs=("lisinopril", "spironolactone"),
            ),
        )
        result = Result("hold", True, "hold", found, Coverage(3, 3, ()))

        async def seal(kind: str, content: bytes) -> Any:
            return await self.ledger.seal(LOG, Payload(kind, content), None)

        request = await seal("request", request_payload("Write a plan.", (), PatientContext(), None))
        text, judged = await seal("output_final", TEXT.encode()), await seal("result", result.to_bytes())
        digest = policy.hash.removeprefix("sha256:")
        requested: dict[str, Any] = {
            "entry_point": "infer",
            "owner": "bench",
            "calling_app": "bench-app",
            "on_behalf_of": None,
            "policy": POLICY,
            "policy_hash": digest,
            "recipient": "policy",
            "release_requires": "integrated",
            "prompt_version": None,
            "provider": "bench",
            "model": "bench",
            "tags": {},
        }
        generated = {
            "knowledge_hash": "0" * 64,
            "model": "bench",
            "result_record": judged.record,
            "text_record": text.record,
            "usage": usage_body(1, 1, Price(None, None, "not priced")),
        }
        held = {
            "ticket": f"tkt_{number:032x}",
            "policy": POLICY,
            "to_dispose": [0],
            "due_at": stamp(moment + timedelta(seconds=number % 3600)),
            "expires_at": stamp(moment + timedelta(days=1)),
            "urgency": "routine",
            "findings": findings_body(found),
            "sign_off": {"roles": ["clinician", "pharmacist"], "count": 1, "author_may_sign": True},
        }
        return [
            PendingEntry("inference.requested", stream, "app:bench-app", None, requested, (request,)),
            PendingEntry("inference.generated", stream, "app:bench-app", None, generated, (text, judged)),
            PendingEntry("inference.held", stream, "app:bench-app", None, held),
        ]

    async def sign_one(self, number: int, ticket: str, steps: dict[str, list[float]]) -> None:
        """Claim, disposition, preparation, signature: each timed by itself."""
        principal, key = self.people[number]

        async def step(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            start = time.perf_counter()
            answer = await call()
            steps.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
            return answer

        item, _version, _index = await step("claim", lambda: self.desk.claim(principal, ticket, _once()))
        lease = str(item.lease_id)
        await step(
            "dispose",
            lambda: self.desk.dispose(principal, ticket, lease, 0, "accepted_risk", "monitored", "", _once()),
        )
        permit = Permit(principal, "prepareSign", Purpose.TREATMENT)
        signing = key_id(public_bytes(key))
        prepared = await step("prepare", lambda: self.desk.prepare(permit, ticket, lease, None, signing))
        signature = sign_statement(prepared.statement, key)
        await step(
            "sign",
            lambda: self.desk.sign(principal, ticket, lease, prepared.preparation_id, signature, _once()),
        )


async def _together(ward: Ward, each: int) -> dict[str, Any]:
    """All reviewers at once, each claims from the top of what they could claim and signs `each` items."""
    lost = 0
    steps: dict[str, list[float]] = {}

    async def reviewer(number: int) -> None:
        nonlocal lost
        principal, _key = ward.people[number]
        done = 0
        while done < each:
            page = await ward.desk.queue(LOG, Wanted(claimable=True, who=principal), len(ward.people) + 1)
            # Each begins where their number says, as people do who look at the same screen at once.
            item = page.items[number % len(page.items)][0]
            try:
                await ward.sign_one(number, item.ticket_id, steps)
                done += 1
            except (Aborted, FailedPrecondition):
                lost += 1

    start = time.perf_counter()
    await asyncio.gather(*(reviewer(number) for number in range(len(ward.people))))
    seconds = time.perf_counter() - start
    return {
        "reviewers": len(ward.people),
        "signed": len(ward.people) * each,
        "lost_races": lost,
        "signed_per_second": round(len(ward.people) * each / seconds, 1),
        "sign_p50_ms": quantile(steps["sign"], 0.5),
        "sign_p99_ms": quantile(steps["sign"], 0.99),
    }


@contextmanager
def _postgres(folder: Path) -> Iterator[LedgerConfig]:
    """The configuration of an empty ledger in a cluster of its own; only its keys lie in `folder`."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from attending.ledger.store import postgres_admin

    from tests.postgres_cluster import Cluster

    cluster = Cluster({"shared_buffers": "256MB", "max_wal_size": "4GB"})
    cluster.start()
    try:
        cluster.execute("CREATE ROLE app LOGIN")
        cluster.execute("CREATE DATABASE review")
        postgres_admin.prepare(cluster.conninfo("review"), [projections.metadata], grant_to=["app"])
        yield LedgerConfig(folder, database=cluster.conninfo("review", "app"))
    finally:
        cluster.destroy()


async def run(config: LedgerConfig, items: int, reviewers: int) -> dict[str, Any]:
    """Figures of one run."""
    ledger = await Ledger.open(config, metadata=[projections.metadata])
    try:
        await ledger.create_log(LOG, "attending.example/bench")
        ward = Ward(ledger, reviewers)
        start = time.perf_counter()
        await ward.fill(items)
        filled = time.perf_counter() - start
        await enrol_keys(ledger, [LOG], [principal for principal, _key in ward.people], "bench", now)
        principal, _key = ward.people[0]

        def pages(**wanted: Any) -> Callable[[int], Awaitable[Any]]:
            return lambda _number: ward.desk.queue(LOG, Wanted(**wanted), 50)

        middle = await ward.desk.queue(LOG, Wanted(), max(1, items // 2))
        figures: dict[str, Any] = {"items": items, "fill_seconds": round(filled, 1)}
        for name, call in {
            "queue_first": pages(),
            "queue_middle": lambda _number: ward.desk.queue(LOG, Wanted(), 50, middle.following),
            "queue_claimable": pages(claimable=True, who=principal),
            "queue_mine": pages(mine=True, who=principal),
            "queue_severity": pages(least_severity=Severity.CONTRAINDICATED.rank),
        }.items():
            times = await timed(call, range(30))
            figures[f"{name}_p50_ms"], figures[f"{name}_p95_ms"] = quantile(times, 0.5), quantile(times, 0.95)
        permit = Permit(principal, "getItem", Purpose.TREATMENT)
        times = await timed(
            lambda number: ward.desk.view(permit, f"tkt_{number * items // 100:032x}"), range(100)
        )
        figures["item_p50_ms"], figures["item_p95_ms"] = quantile(times, 0.5), quantile(times, 0.95)
        steps: dict[str, list[float]] = {}
        for number in range(min(50, items // 4)):
            await ward.sign_one(0, f"tkt_{items - 1 - number:032x}", steps)
        for name, times in steps.items():
            figures[f"{name}_p50_ms"] = quantile(times, 0.5)
        alone = len(steps["sign"])
        figures["together"] = await _together(ward, 3)
        # By the rows: the queue counts no further than a page's worth.
        held = select(func.count()).select_from(projections.review_item)
        left = await ledger.query(held.where(projections.review_item.c.state == "held"))
        if left[0][0] != items - alone - figures["together"]["signed"]:
            raise SystemExit("error: an update was lost")
        await _audit(ledger)
        return figures
    finally:
        await ledger.close()


async def _audit(ledger: Ledger) -> None:
    findings = Findings()
    checks = Checks(findings, LogScope.FULL, 0)
    size, _root = await ledger.head(LOG)
    for begin in range(0, size, 1_000):
        for entry in await ledger.list_entries(LOG, begin, min(1_000, size - begin)):
            checks.visit(entry)
    checks.finish()
    if failed := [f"{one.check}: {one.detail}" for one in findings.results() if one.status is Status.FAILED]:
        raise SystemExit(f"error: the log does not verify: {failed[0]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--items", type=int, default=100_000, help="waiting items; at least 1,000")
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where to make the log; a temporary folder when left out")
    options = parser.parse_args(arguments)
    if options.items < 1_000:
        parser.error("--items must be at least 1000")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        place = nullcontext(LedgerConfig(Path(name))) if options.store == "sqlite" else _postgres(Path(name))
        with place as config:
            figures = asyncio.run(run(config, options.items, options.reviewers))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:24} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
