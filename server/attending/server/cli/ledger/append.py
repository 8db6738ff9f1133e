"""`attending ledger append`: loads a file of events into the log; the same file again appends nothing twice."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from attending.client import Acknowledged, AttendingApiError, Client, Connection, Event, EventStream
from attending.ledger.canonical import parse
from attending.ledger.errors import CanonicalError
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

_KEYS: Final = {"type", "body", "subject_ref", "payloads", "occurred_at"}
_PLACE: Final = re.compile(r"events\[(\d+)\]\.?(.*)")
_MAX_LINE_CHARACTERS: Final = 8 * 1024 * 1024


class _BadLineError(Exception):
    """What is wrong with a line, without its content."""


@dataclass(slots=True)
class _Count:
    """How far it is."""

    done: int = 0
    again: int = 0
    first: int | None = None
    last: int | None = None
    total: int = 0

    def __call__(self, acknowledged: Acknowledged) -> None:
        self.done += 1
        self.again += acknowledged.already_recorded
        self.first = acknowledged.index if self.first is None else min(self.first, acknowledged.index)
        self.last = acknowledged.index if self.last is None else max(self.last, acknowledged.index)
        if sys.stderr.isatty() and (self.done % 100 == 0 or self.done == self.total):
            click.echo(f"\r{self.done:,} of {self.total:,} events acknowledged", nl=False, err=True)


@click.command(
    epilog=examples(
        "attending ledger append --input feedback.jsonl --emitter feedback-2026-11",
        "attending ledger append --input feedback.jsonl --emitter feedback-2026-11 --keep-open --json",
        after='A line: {"type": "feedback.recorded", "body": {...}, "subject_ref": "MRN-1", '
        '"payloads": {"comment": "..."}, "occurred_at": "2026-11-03T09:00:00Z"}; docs/api.md lists types and keys. '
        "Text and personal data go into payloads and subject_ref only. Line 1 has sequence 1; run again after a "
        "failure, nothing is appended twice.",
    )
)
@click.option(
    "--input",
    "input_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="JSON Lines, one event a line.",
)
@click.option("--emitter", required=True, help="Name of this source of events: 1 to 64 of a-z 0-9 . _ -")
@click.option(
    "--keep-open",
    is_flag=True,
    help="Do not declare the end: more lines will follow in a longer version of the file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@connection_options("demo-app")
def append(input_path: Path, emitter: str, keep_open: bool, as_json: bool, connection: Connection) -> None:
    """Append the events of a file, each with its line's number as sequence, and declare the last one."""
    count = _Count(total=sum(1 for _ in _events(input_path)))
    if not count.total:
        raise click.UsageError(f"`{input_path}` holds no event")
    with Client(connection) as client:
        stream = client.event_stream(emitter, on_acknowledged=count)
        try:
            told = _load(stream, input_path, keep_open)
        except AttendingApiError as err:
            raise _refused(err, count) from err
        except TimeoutError as err:
            raise CommandError(
                f"{count.done:,} of {count.total:,} events are acknowledged, and then nothing came for a while",
                "run the same command again; what is there is not appended twice",
            ) from err
        finally:
            stream.stop()
            if sys.stderr.isatty():
                click.echo("", err=True)
    outcome: dict[str, Any] = {
        "emitter": emitter,
        "events": count.total,
        "appended": count.done - count.again,
        "already_recorded": count.again,
        "first_index": count.first,
        "last_index": count.last,
        "closed": not keep_open,
        "missing": told,
    }
    if as_json:
        click.echo(json.dumps(outcome))
        return
    end = "left open" if keep_open else f"closed at {count.total}"
    click.echo(
        f"{emitter}: {outcome['appended']} appended, {count.again} there before, "
        f"entries {count.first} to {count.last}; {end}"
    )


def _load(stream: EventStream, path: Path, keep_open: bool) -> int:
    """Sends all of it; returns how many the log lacks, which is none when it returns."""
    for event in _events(path):
        stream.append(event)
    if keep_open:
        stream.flush()
        return 0
    return stream.close().missing


def _events(path: Path) -> Iterator[Event]:
    """The events of a file, one a line; a usage error names the line, never its content."""
    with path.open(encoding="utf-8", errors="strict") as file:
        number = 0
        try:
            while line := file.readline(_MAX_LINE_CHARACTERS + 1):
                number += 1
                yield _event(line)
        except (_BadLineError, UnicodeDecodeError) as err:
            problem = str(err) if isinstance(err, _BadLineError) else "is not UTF-8"
            raise click.UsageError(f"`{path}` line {max(number, 1)}: {problem}; nothing was sent") from None


def _event(line: str) -> Event:
    if len(line) > _MAX_LINE_CHARACTERS:
        raise _BadLineError(f"is longer than {_MAX_LINE_CHARACTERS} characters")
    try:
        value = parse(line.encode("utf-8"))
    except CanonicalError as err:
        raise _BadLineError(f"is not JSON of the ledger's model: {err.detail}") from None
    if type(value) is not dict or not {"type", "body"} <= value.keys() <= _KEYS:
        raise _BadLineError(
            "must be an object with `type` and `body`, and nothing but " + ", ".join(sorted(_KEYS))
        )
    payloads = value.get("payloads", {})
    texts = isinstance(payloads, dict) and all(isinstance(text, str) for text in payloads.values())
    named = all(isinstance(value.get(key, ""), str) for key in ("type", "subject_ref", "occurred_at"))
    if not texts or not named or not isinstance(value["body"], dict):
        raise _BadLineError("`body` and `payloads` must be objects, all else text")
    return Event(
        type=value["type"],
        body=value["body"],
        subject_ref=value.get("subject_ref", ""),
        payloads={kind: text.encode("utf-8") for kind, text in payloads.items()},
        occurred_at=_moment(value.get("occurred_at")),
    )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadLineError("`occurred_at` must be a time such as 2026-01-31T08:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _refused(err: AttendingApiError, count: _Count) -> Exception:
    """The error with line numbers in place of places in a message; others as they are."""
    first = int(err.metadata.get("first_sequence", "0"))
    places = [
        (int(found[1]) + first, found[2] or "event", expected)
        for field, expected in err.field_violations
        if (found := _PLACE.fullmatch(field))
    ]
    if err.reason == "SEQUENCE_REUSED":
        return CommandError(
            f"line {err.metadata['sequence']} is not what this emitter sent before as that sequence",
            "append to the file only, or take another --emitter for another file",
        )
    if not first or not places:
        return err
    told = "; ".join(f"line {line}: `{name}` {expected}" for line, name, expected in places[:5])
    done = f"{count.done:,} of {count.total:,} events are in the log"
    return CommandError(f"{told} ({done})", "correct the lines and run the same command again", Exit.FAILED)


command = append
