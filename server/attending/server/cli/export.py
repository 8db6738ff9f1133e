"""`attending export`: a signed bundle of a period, to verify offline."""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click
from attending.client import Client, Connection
from attending.client.errors import translated
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.v1 import report_pb2

PURPOSES = ("audit", "regulator_request", "patient_request", "quality", "incident")


@click.command(
    epilog=examples(
        "attending export --out november.attending --from 2026-11-01 --to 2026-12-01",
        "attending verify november.attending --key attending-data/demo.vkey",
    )
)
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option(
    "--from", "from_time", help="Entries at or after this time (ISO 8601, UTC unless it says else)."
)
@click.option("--to", "to_time", help="Entries before this time.")
@click.option("--inference", "inferences", multiple=True, help="Only this inference; may be repeated.")
@click.option("--purpose", type=click.Choice(PURPOSES), default="audit", show_default=True, help="Why.")
@click.option(
    "--payloads", is_flag=True, help="Disclose the personal content too; the disclosure is recorded."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@connection_options("demo-auditor")
def export(
    out_path: Path,
    from_time: str | None,
    to_time: str | None,
    inferences: tuple[str, ...],
    purpose: str,
    payloads: bool,
    force: bool,
    connection: Connection,
) -> None:
    """Export entries, proofs and the signed head as one file that verifies without this server."""
    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    request = report_pb2.ExportRequest(
        idempotency_key=uuid.uuid4().hex,
        inference_ids=inferences,
        purpose=purpose,
        include_payloads=payloads,
    )
    for field, text in (("from", from_time), ("to", to_time)):
        if text is not None:
            getattr(request, field).FromDatetime(moment(text, field))
    with Client(connection) as client:
        entries = download(client, request, out_path)
    click.echo(f"{out_path}: {entries} entries, {out_path.stat().st_size} bytes")


@translated
def download(client: Client, request: report_pb2.ExportRequest, out_path: Path) -> int:
    """Writes the bundle, whole or not at all; returns the number of its entries."""
    partial = out_path.with_name(out_path.name + ".partial")
    entries = 0
    try:
        with partial.open("wb") as file:
            for event in client.reports.Export(request):
                if event.HasField("progress"):
                    entries = event.progress.entries
                    if sys.stderr.isatty():
                        click.echo(f"\r{entries} of {event.progress.total} entries", nl=False, err=True)
                else:
                    file.write(event.chunk)
        if sys.stderr.isatty():
            click.echo("", err=True)
        partial.replace(out_path)
    finally:
        partial.unlink(missing_ok=True)
    return entries


def moment(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--{field} must be a time such as 2026-11-01 or 2026-11-01T08:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


command = export
