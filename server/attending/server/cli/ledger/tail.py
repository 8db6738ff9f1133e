"""`attending ledger tail`: the newest entries, a line each, and those that come."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.reach import Reach, errors_explained, ledger_options, pick_log
from attending.server.cli.ledger.words import printable
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.store.read_only import ReadOnlyStore

_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 2.0
_PAGE: Final = 256
_SHADES: Final = {"held": "yellow", "blocked": "red", "failed": "red", "erased": "red", "released": "green"}


@dataclass(frozen=True, slots=True)
class _Line:
    log_id: str
    index: int
    data: bytes
    kind: str


@click.command(
    epilog=examples(
        "attending ledger tail",
        "attending ledger tail -f --type 'review.*'",
        "attending ledger tail -n 100 --log demo --json",
        after="Exit codes: 0 ok, 1 an entry does not parse, 4 usage. Ctrl-C ends -f well.",
    )
)
@ledger_options
@click.option("-n", "number", type=click.IntRange(0, 100_000), default=10, show_default=True, help="Entries.")
@click.option("-f", "--follow", is_flag=True, help="Go on with entries as they come, until Ctrl-C.")
@click.option("--type", "pattern", default="*", help="Only types like this, such as 'inference.*'.")
@click.option("--log", "log_id", help="The log; when left out, the only one beside the system log.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def tail(reach: Reach, number: int, follow: bool, pattern: str, log_id: str | None, as_json: bool) -> int:
    """Print the newest entries: index, time, type, stream, actor, subject.

    Reads beside a running server and changes nothing. Contents of payloads are never opened. With -f it goes on
    through a restart of the server.
    """
    code = Exit.OK
    with reach.opened() as store, store.snapshot():
        logs = {row.log_id: head.size for row, head in store.heads()}
        log_id = pick_log(sorted(logs), log_id)
        size = logs[log_id]
        for line in _newest(store, log_id, size, number, pattern):
            code = max(code, _print(line, as_json, reach.option))
    if not follow:
        return code
    try:
        with errors_explained(reach.option):
            for line in _coming(reach, log_id, size):
                if fnmatchcase(line.kind, pattern):
                    code = max(code, _print(line, as_json, reach.option))
                    sys.stdout.flush()
    except KeyboardInterrupt:
        pass  # asked for: the end of following
    return code


def _read(store: ReadOnlyStore, log_id: str, start: int, limit: int) -> list[_Line]:
    found = store.rows(
        "SELECT entry_index, data, type FROM entry WHERE log_id = ? AND entry_index >= ?"
        " ORDER BY entry_index LIMIT ?",
        log_id,
        start,
        limit,
    )
    return [_Line(log_id, index, data, str(kind)) for index, data, kind in found]


def _newest(store: ReadOnlyStore, log_id: str, size: int, number: int, pattern: str) -> list[_Line]:
    """The last `number` entries below `size` whose type fits, oldest first; reads backwards."""
    found: list[_Line] = []
    end = size
    while end > 0 and len(found) < number:
        start = max(end - max(_PAGE, number if pattern == "*" else 0), 0)
        part = [
            line
            for line in _read(store, log_id, start, end - start)
            if line.index < end and fnmatchcase(line.kind, pattern)
        ]
        found = part + found
        end = start
    return found[len(found) - min(number, len(found)) :]


def _coming(reach: Reach, log_id: str, start: int) -> Iterator[_Line]:
    """Entries from `start` as they are committed. A store that is away is waited for; a smaller log ends it."""
    from attending.ledger.errors import NotFound, StoreUnavailable
    from attending.ledger.store.port import StoreFault

    store: ReadOnlyStore | None = None
    waiting = False
    try:
        while True:
            try:
                if store is not None and store.changed():
                    store.close()
                    store = None
                if store is None:
                    store = reach.open_store()
                size = store.head_size(log_id)
                if size is not None and size < start:
                    raise CommandError(
                        f"log `{log_id}` has {size} entries now, {start} were there before",
                        "find out who put an older database there; `attending ledger status`",
                    )
                lines = _read(store, log_id, start, _PAGE) if size is not None and size > start else []
            except (StoreFault, StoreUnavailable, NotFound):
                if not waiting:
                    click.echo("waiting for the database", err=True)
                waiting = True
                time.sleep(_RETRY_SECONDS)
                continue
            waiting = False
            yield from lines
            start += len(lines)
            if len(lines) < _PAGE:
                time.sleep(_POLL_SECONDS)
    finally:
        if store is not None:
            store.close()


def _print(line: _Line, as_json: bool, option: str) -> Exit:
    from attending.ledger.entry import parse_entry
    from attending.ledger.errors import VerificationError

    try:
        entry = parse_entry(line.data)
    except VerificationError as err:
        step = f"attending ledger show {line.index} --log {line.log_id}{option}"
        if as_json:
            bad = {"log": line.log_id, "index": line.index, "error": err.reason, "detail": err.detail}
            click.echo(json.dumps(bad, sort_keys=True))
        else:
            text = click.style(f"{line.index:>9}  does not parse: {err.detail} ({err.reason})", fg="red")
            click.echo(f"{text}; next: {step}", color=sys.stdout.isatty())
        return Exit.FAILED
    if as_json:
        row: dict[str, Any] = {
            "log": line.log_id,
            "index": entry.index,
            "time": entry.time,
            "type": entry.type,
            "stream": entry.stream,
            "actor": entry.actor,
            "subject": entry.subject,
        }
        click.echo(json.dumps(row, sort_keys=True))
        return Exit.OK
    event = entry.type.partition(".")[2]
    kind = click.style(f"{entry.type:<24}", fg=_SHADES.get(event, "cyan"))
    click.echo(
        f"{entry.index:>9}  {entry.time}  {kind}  {entry.stream}  {printable(entry.actor)}  {entry.subject or '-'}",
        color=sys.stdout.isatty(),
    )
    return Exit.OK


command = tail
