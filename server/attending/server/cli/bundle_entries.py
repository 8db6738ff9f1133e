"""What is made of the entries of a bundle, written to a file with no server, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
from attending.ledger.canonical import MAX_ENTRY_BYTES
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify import container as containers
from attending.ledger.verify.container import Container
from attending.ledger.verify.manifest import CONTEXT, ENTRIES
from attending.server.cli.outcome import CommandError

Write = Callable[[Iterable[Entry], Iterable[Entry], BinaryIO], None]
"""(entries in their order, those before them that the bundle holds as context, the file to write)."""


def write_from_entries(bundle: Path, out_path: Path, write: Write, *, force: bool) -> None:
    """Has `write` write to `out_path` what it makes of the entries of `bundle`, one at a time. Nothing is verified.

    Raises CommandError where they do not read, UsageError where the file is there, OSError.
    """
    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    partial = out_path.with_name(out_path.name + ".partial")
    try:
        container = containers.open_container(bundle)
        try:
            with partial.open("wb") as file:
                write(_entries(container, ENTRIES), _entries(container, CONTEXT), file)
                file.flush()
                os.fsync(file.fileno())
        finally:
            container.close()
        partial.replace(out_path)
    except VerificationError as err:
        raise CommandError(
            f"`{bundle}` holds no entries that read: {err.detail}", "run `attending verify` on it"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _entries(container: Container, name: str) -> Iterator[Entry]:
    if name != ENTRIES and name not in container.names:
        return
    yield from map(parse_entry, containers.lines(container.chunks(name), MAX_ENTRY_BYTES))
