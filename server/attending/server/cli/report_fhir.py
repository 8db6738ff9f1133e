"""`attending report fhir`: the entries of a bundle as resources of FHIR R4, with no server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click
from attending.ledger.entry import Entry
from attending.ledger.verify.fhir import fhir_lines
from attending.server.cli.bundle_entries import write_from_entries
from attending.server.cli.examples import examples


@click.command(
    "fhir",
    short_help="Write a bundle's entries as FHIR resources.",
    epilog=examples("attending report fhir november.attending --out november.ndjson"),
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def fhir(bundle: Path, out_path: Path, force: bool) -> None:
    """Write every entry of BUNDLE as an AuditEvent of FHIR R4, and of each released text a Provenance behind it, one
    JSON object a line; needs no server. They name people who work and pseudonyms, and hold no text. The bytes are those
    of `fhir.ndjson` in a bundle that was exported with --fhir. What the bundle proves says `attending verify`.
    """
    count = 0

    def write(entries: Iterable[Entry], context: Iterable[Entry], file: BinaryIO) -> None:
        nonlocal count
        for lines in fhir_lines(entries, context):
            count += lines.count(b"\n")
            file.write(lines)

    write_from_entries(bundle, out_path, write, force=force)
    click.echo(f"{out_path}: {count} resources")
