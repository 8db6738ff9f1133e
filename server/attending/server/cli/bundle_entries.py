"""What is made of the entries of a bundle, written to a file with no server, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from attending.ledger.canonical import MAX_ENTRY_BYTES
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify import container as containers
from attending.ledger.verify.manifest import ENTRIES
from attending.server.cli.outcome import CommandError


def write_from_entries(
    bundle: Path, out_path: Path, made: Callable[[Iterable[Entry]], Iterator[bytes]], *, force: bool
) -> None:
    """Writes to `out_path` what `made` makes of the entries of `bundle`, in their order, one at a time. Nothing is
    verified. Raises CommandError where they do not read, UsageError where the file is there, OSError.
    """
    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    partial = out_path.with_name(out_path.name + ".partial")
    try:
        container = containers.open_container(bundle)
        try:
            lines = containers.lines(container.chunks(ENTRIES), MAX_ENTRY_BYTES)
            with partial.open("wb") as file:
                for row in made(map(parse_entry, lines)):
                    file.write(row)
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
