"""`attending ledger status`: how every log is, and what to do about what is wrong."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.reach import Reach, ledger_options
from attending.server.cli.ledger.words import plural, size_words
from attending.server.cli.outcome import Exit

if TYPE_CHECKING:
    from attending.ledger.health import LogHealth


@click.command(
    epilog=examples(
        "attending ledger status",
        "attending ledger status --data attending-data --json",
        "attending ledger status --config attending.toml --quick",
        after="Exit codes: 0 well, 1 something is wrong, 3 something cannot be decided, 4 usage.",
    )
)
@ledger_options
@click.option(
    "--quick", is_flag=True, help="Leave out what takes a reading of whole tables: bytes and counts."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(reach: Reach, quick: bool, as_json: bool) -> int:
    """Say how the ledger is: sizes, heads, lag of publication, stops, and what is wrong.

    Reads beside a running server and changes nothing. It makes the checks of a start: the newest entries, the
    tree's edge, the published heads. `attending ledger verify` reads every entry.
    """
    from attending.ledger.entry import format_time
    from attending.ledger.health import examine
    from attending.server import clock

    published = reach.published_heads()
    now = clock.now()
    with reach.opened() as store, store.snapshot():
        logs = examine(store, published, now=now, claim_retention=reach.claim_retention, count=not quick)
        size, wal = store.size_bytes()
        found: dict[str, Any] = {
            "checked_at": format_time(now),
            "engine": store.engine,
            "standby": store.standby,
            "schema_version": store.schema_version(),
            "epoch": store.epoch(),
            "size_bytes": size,
            "wal_bytes": wal if store.engine == "sqlite" else None,
        }
    found["logs"] = [_as_json(log, reach.option) for log in logs]
    orphans = sorted(set(published) - {log.row.log_id for log in logs})
    found["findings"] = [_orphan(log_id) for log_id in orphans]
    levels = {one["level"] for log in found["logs"] for one in log["findings"]}
    levels |= {one["level"] for one in found["findings"]}
    found["outcome"] = "failed" if "failed" in levels else "undecided" if levels else "ok"
    if as_json:
        click.echo(json.dumps(found, sort_keys=True))
    else:
        _print(reach, found)
    return {"failed": Exit.FAILED, "undecided": Exit.INDETERMINATE, "ok": Exit.OK}[found["outcome"]]


def _as_json(log: LogHealth, option: str) -> dict[str, Any]:
    counts = log.counts
    head, published = log.head, log.published
    return {
        "log": log.row.log_id,
        "origin": log.row.origin,
        "verifier_key": log.row.verifier_key if log.chain is None else str(log.chain.current),
        "first_verifier_key": log.row.verifier_key,
        "key_generation": None if log.chain is None else log.chain.generation,
        "key_changed_at_sizes": [] if log.chain is None else [item.size for item in log.chain.rotations],
        "created_at": log.row.created_at,
        "size": head.size,
        "root": head.root.hex(),
        "last_entry_at": head.time if head.size else None,
        "published_size": None if published is None else published.size,
        "lag": None if published is None else max(head.size - published.size, 0),
        "stopped": log.stopped,
        "entry_bytes": None if counts is None else counts.entry_bytes,
        "bytes_per_entry": round(counts.entry_bytes / head.size) if counts and head.size else None,
        "payloads": None if counts is None else counts.payloads,
        "payload_bytes": None if counts is None else counts.payload_bytes,
        "subjects": None if counts is None else counts.subjects,
        "erasures": None if counts is None else counts.erasures,
        "claims": None if counts is None else counts.claims,
        "expired_claims": None if counts is None else counts.expired_claims,
        "emitters": [{name: _plain(value) for name, value in row.items()} for row in log.emitters],
        "findings": [_finding(log, one, option) for one in log.findings],
    }


def _finding(log: LogHealth, one: Any, option: str) -> dict[str, Any]:
    from attending.server.cli.corrupt import step_for

    undecided = {
        "NOT_PUBLISHED": "give the folder of published heads with --published; a server publishes each second",
        "STANDBY_BEHIND": "ask the primary",
        "INTRODUCTION_PENDING": "look again in a moment; if it stays, start the server once",
    }
    step = undecided.get(one.reason) or step_for(one.reason, log.row.log_id, one.index, option)
    return {
        "level": str(one.level),
        "reason": one.reason,
        "detail": one.detail,
        "index": one.index,
        "next": step,
    }


def _orphan(log_id: str) -> dict[str, Any]:
    return {
        "level": "failed",
        "reason": "LOG_MISSING",
        "detail": f"a head of log `{log_id}` was published, and the database has no such log",
        "index": None,
        "next": "check that this is the database of these published heads; else restore the newest backup",
    }


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _print(reach: Reach, found: dict[str, Any]) -> None:
    colour = sys.stdout.isatty()
    head = f"{reach.name}: {found['engine']}, schema {found['schema_version']}, epoch {found['epoch']}"
    click.echo(click.style(head, bold=True), color=colour)
    wal = "" if found["wal_bytes"] is None else f", write-ahead log {size_words(found['wal_bytes'])}"
    click.echo(f"  database {size_words(found['size_bytes'])}{wal}")
    for log in found["logs"]:
        click.echo()
        _print_log(log, colour)
    for one in found["findings"]:
        click.echo()
        _print_finding(one, colour)
    click.echo()
    words = {
        "ok": f"well: {plural(len(found['logs']), 'log')}; the newest entries, trees and published heads agree",
        "undecided": "undecided: see the lines marked `?`",
        "failed": "wrong: see the lines marked `!`",
    }
    shade = {"ok": "green", "undecided": "yellow", "failed": "red"}[found["outcome"]]
    click.echo(click.style(words[found["outcome"]], fg=shade, bold=True), color=colour)


def _print_log(log: dict[str, Any], colour: bool) -> None:
    click.echo(click.style(log["log"], bold=True) + f"  {log['origin']}", color=colour)
    click.echo(f"  key        {log['verifier_key']}")
    if log["key_changed_at_sizes"]:
        sizes = ", ".join(f"{size:,}" for size in log["key_changed_at_sizes"][-5:])
        click.echo(f"             generation {log['key_generation']}, introduced at size {sizes}")
    last = f", the last at {log['last_entry_at']}" if log["size"] else ""
    click.echo(f"  entries    {log['size']:,}{last}")
    click.echo(f"  root       {log['root']}")
    if log["published_size"] is not None:
        lag = f", {plural(log['lag'], 'entry', 'entries')} behind" if log["lag"] else ", up to date"
        click.echo(f"  published  {log['published_size']:,}{lag}")
    if log["stopped"]:
        click.echo(click.style(f"  stopped    {log['stopped']}: takes no entries", fg="yellow"), color=colour)
    if log["entry_bytes"] is not None:
        each = f", {log['bytes_per_entry']:,} an entry" if log["bytes_per_entry"] else ""
        click.echo(f"  stored     {size_words(log['entry_bytes'])} of entries{each}")
        click.echo(f"  payloads   {log['payloads']:,}, {size_words(log['payload_bytes'])} sealed")
        click.echo(f"  subjects   {log['subjects']:,}, and {log['erasures']:,} erased")
        click.echo(f"  claims     {log['claims']:,}, of which {log['expired_claims']:,} may be forgotten")
    for row in log["emitters"]:
        told = ", ".join(f"{name} {value}" for name, value in row.items() if name != "log_id")
        click.echo(f"  emitter    {told}")
    for one in log["findings"]:
        _print_finding(one, colour)


def _print_finding(one: dict[str, Any], colour: bool) -> None:
    mark, shade = ("!", "red") if one["level"] == "failed" else ("?", "yellow")
    click.echo(
        click.style(f"  {mark} {one['reason']}: {one['detail']}", fg=shade) + f"; next: {one['next']}",
        color=colour,
    )


command = status
