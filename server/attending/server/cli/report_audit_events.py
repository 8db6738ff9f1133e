"""`attending report audit-events`: the entries of a bundle as FHIR AuditEvents, with no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from attending.ledger.entry import Entry
from attending.server.cli.bundle_entries import write_from_entries
from attending.server.cli.examples import examples
from attending.server.fhir.audit import audit_event
from attending.server.fhir.resources import as_json


@click.command(
    "audit-events",
    short_help="Write a bundle's entries as FHIR AuditEvents.",
    epilog=examples("attending report audit-events november.attending --out november.ndjson"),
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def audit_events(bundle: Path, out_path: Path, force: bool) -> None:
    """Write every entry of BUNDLE as an AuditEvent of FHIR R4, one JSON object a line; needs no server. They name
    people who work and pseudonyms, and hold no text. What the bundle proves says `attending verify`.
    """
    count = 0

    def made(entries: Iterable[Entry]) -> Iterator[bytes]:
        nonlocal count
        for entry in entries:
            count += 1
            yield as_json(audit_event(entry)).encode() + b"\n"

    write_from_entries(bundle, out_path, made, force=force)
    click.echo(f"{out_path}: {count} resources")
