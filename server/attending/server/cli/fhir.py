"""`attending fhir`: one review and its text as FHIR R4 resources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from attending.client import Connection, FhirClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.purpose import PURPOSES, purpose_option


@click.command(epilog=examples("attending fhir tkt_0123...", "attending fhir inf_0123... --out review.json"))
@click.argument("name", metavar="TICKET|INFERENCE")
@click.option(
    "--out",
    "out_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, readable by you only; standard output otherwise.",
)
@purpose_option("treatment")
@connection_options("dr-rivera")
def command(name: str, out_path: Path | None, purpose: str, connection: Connection) -> None:
    """Export a review as a FHIR R4 Bundle: its Task, and of a released text the DocumentReference and Provenance.

    It holds the text and the patient's reference as the application gave it; the access is recorded.
    """
    if out_path is not None and out_path.exists():
        raise click.UsageError(f"`{out_path}` exists; name another file")
    with FhirClient(connection) as client:
        found = client.bundle(name, purpose=PURPOSES[purpose])
    if out_path is None:
        click.echo(json.dumps(json.loads(found), indent=2, ensure_ascii=False))
        return
    # Never readable by others, not even for a moment: it is personal content.
    descriptor = os.open(out_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(found)
    click.echo(f"{out_path}: {out_path.stat().st_size} bytes")
