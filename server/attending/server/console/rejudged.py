"""What was judged anew after somebody added facts: which findings are new since, and which are there no more."""

from __future__ import annotations

from dataclasses import dataclass

from attending.guardrails.finding import Finding
from attending.ledger.ledger import Ledger
from attending.server.inference.entries import Result
from attending.server.review.case import Case


@dataclass(frozen=True, slots=True)
class Rejudged:
    """Since facts were added last: `by` whom and when, ordinals of the `new` findings, and those that are `gone`.

    `pack` is the hash of the knowledge that judged.
    """

    by: str
    at: str
    pack: str
    new: frozenset[int]
    gone: tuple[Finding, ...]


async def rejudged(ledger: Ledger, case: Case) -> Rejudged | None:
    """None while nothing was added, and while the findings are withheld from who looks."""
    if case.item.result_record is None or case.withheld:
        return None
    tenant = case.row["log_id"]
    stream = await ledger.whole_stream(tenant, case.item.inference_id)
    judged = [one for one in stream if one.type in ("inference.generated", "review.facts_added")]
    # What the page shows is the result of one of these; whatever was added after that is another page's.
    shown = next(n for n, one in enumerate(judged) if one.body["result_record"] == case.item.result_record)
    last, before = judged[shown], judged[shown - 1]
    kept = last.body["kept"]
    was = Result.from_bytes(await ledger.open_payload(tenant, before.body["result_record"])).findings
    stayed = {one["was"] for one in kept}
    return Rejudged(
        by=last.actor.partition(":")[2],
        at=last.time,
        pack=last.body["knowledge_hash"],
        new=frozenset(range(len(case.result.findings))) - {one["is"] for one in kept},
        gone=tuple(finding for n, finding in enumerate(was) if n not in stayed),
    )
