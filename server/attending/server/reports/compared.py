"""What a report says of calls past the gate: comparisons of providers' records with the log that cover its period.

They are made after the period that they are about, so that their entries mostly stand behind those of the bundle: the
page names each by its index, under the tree head of the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.usage import COUNTS, RECONCILED, STREAM
from attending.server.reports.blocks import ENTRY, Block, Column, heading, table, text
from attending.server.reports.particulars import Compared


async def compared_of(ledger: Ledger, tenant: str, requested: Entry) -> tuple[Compared, ...]:
    """Of each provider the newest comparison under the report's head that covers its period, or else the newest. What
    an earlier one found stays said: a file that is given again with less in it takes nothing back.
    """
    body = requested.body
    since, until = await _period(ledger, tenant, body, requested.time)
    found: dict[str, Compared] = {}
    worst: dict[str, Compared] = {}
    for entry in await ledger.whole_stream(tenant, STREAM):
        if entry.type != RECONCILED or entry.index >= body["tree_size"]:
            continue
        said = entry.body
        one = Compared(
            entry=entry.index,
            provider=said["provider"],
            since=said["from"],
            until=said["to"],
            file_sha256=said["file_sha256"],
            covers=said["from"] <= since and until <= said["to"],
            counts={name: said[name] for name in COUNTS},
        )
        before = found.get(one.provider)
        if before is None or one.covers or not before.covers:
            found[one.provider] = one
        if one.covers and _past(one) >= _past(worst.get(one.provider, one)):
            worst[one.provider] = one
    return tuple(_beside(found[name], worst.get(name)) for name in sorted(found))


def _past(one: Compared) -> int:
    return one.counts["bypassed"]


def _beside(one: Compared, worst: Compared | None) -> Compared:
    if worst is None or _past(worst) <= _past(one):
        return one
    return replace(one, worse_entry=worst.entry, worse_bypassed=_past(worst))


def bypass(compared: Iterable[Compared]) -> str:
    """What the pages claim of calls past the gate, and no more."""
    covering = [one for one in compared if one.covers]
    if not covering:
        return (
            "That every use of a model went through the gate: bypass is not evidenced, since no usage export of a"
            " provider that covers the period was reconciled with the log."
        )
    past = sum(map(_past, covering))
    names = ", ".join(one.provider for one in covering)
    earlier = "".join(
        f" An earlier comparison with {one.provider}, entry {one.worse_entry}, counted {one.worse_bypassed}."
        for one in covering
        if one.worse_entry is not None
    )
    if past or earlier:
        said = f"That every use of a model went through the gate: {past} calls counted by {names} are not in the log."
        return said + earlier
    return (
        f"That every use of a model went through the gate, beyond the usage exports of {names}: in these no call is"
        " past it. Of accounts and providers that nobody exported, bypass is not evidenced."
    )


def pages(compared: Iterable[Compared]) -> Iterable[Block]:
    """Each comparison with its numbers."""
    yield heading("Calls past the gate")
    rows = list(compared)
    covering = sum(one.covers for one in rows)
    if not covering:
        yield text("No comparison with a provider's own records covers the period: bypass not evidenced.")
    if rows:
        yield table(
            [
                ENTRY,
                Column("Provider", 28, 18),
                Column("Records from, to", 44, 27),
                Column("Covers the period", 18, 10),
                *(Column(title, 0, 12, right=True) for title in _SHOWN),
            ],
            [
                (
                    one.entry,
                    one.provider,
                    f"{one.since[:19]}Z to {one.until[:19]}Z",
                    "yes" if one.covers else "no",
                    *(sum(one.counts[name] for name in names) for names in _SHOWN.values()),
                )
                for one in rows
            ],
            size=8,
        )
        yield text(
            "A comparison says what the file held that was given; its SHA-256 is in the entry, which is under the tree",
            "head of this report, and not always among the entries attached.",
            size=9,
        )


_SHOWN = {
    "Records": ("records",),
    "In the log": ("matched", "matched_by_tokens"),
    "Perhaps": ("unanswered",),
    "Past the gate": ("bypassed",),
    "Other tokens": ("differing",),
    "Not in the file": ("missing",),
}


async def _period(ledger: Ledger, tenant: str, body: Any, asked: str) -> tuple[str, str]:
    """From when on, and before when, the report's entries are; nobody has entries of a time to come."""
    choice = body["choice"]
    since, until = choice.get("from_time"), choice.get("to_time")
    if since is None:
        since = (await ledger.get_entry(tenant, body["from"])).time
    if until is None:
        until = (await ledger.get_entry(tenant, body["to"] - 1)).time
    return since, min(until, asked)
