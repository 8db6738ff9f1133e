"""`attending export`: a signed bundle of a period, to verify offline."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import click
from attending.client import Client, Connection
from attending.server.cli.connect import connection_options
from attending.server.cli.download import download, resumed_order
from attending.server.cli.examples import examples
from attending.v1 import report_pb2

PURPOSES = ("audit", "regulator_request", "patient_request", "quality", "incident")


@click.command(
    epilog=examples(
        "attending export --out november.attending --from 2026-11-01 --to 2026-12-01",
        "attending verify november.attending --key attending-data/demo.vkey",
        "attending export --out november.attending --resume",
        "attending export --out november.deidentified --from 2026-11-01 --to 2026-12-01 --de-identified",
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
@click.option(
    "--de-identified",
    is_flag=True,
    help="Records without the 18 identifiers of 45 CFR 164.514(b)(2), and a checklist A to R, in place of the bundle; "
    "with --payloads the texts too, without identifiers.",
)
@click.option(
    "--fhir",
    is_flag=True,
    help="Also the entries as resources of FHIR R4, in fhir.ndjson; the bundle is three to four times as large then.",
)
@click.option(
    "--map",
    "map_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --de-identified: also write what its pseudonyms stand for. Personal content; keep it apart.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with a download to this file that was cut; takes no scope."
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
    de_identified: bool,
    fhir: bool,
    map_path: Path | None,
    resume: bool,
    force: bool,
    connection: Connection,
) -> None:
    """Export entries, proofs and the signed head as one file that verifies without this server."""
    for path in filter(None, (out_path, map_path)):
        if path.exists() and not force:
            raise click.UsageError(f"`{path}` exists; give --force to replace it")
    if map_path is not None and not de_identified:
        raise click.UsageError("--map is of a de-identified document: give --de-identified")
    if fhir and de_identified:
        raise click.UsageError("--fhir names people and pseudonyms: leave it out with --de-identified")
    if resume and (from_time or to_time or inferences or payloads or de_identified or fhir):
        raise click.UsageError("--resume goes on with the order that was given: leave scope and form out")
    request = report_pb2.ExportRequest(
        idempotency_key=uuid.uuid4().hex,
        inference_ids=inferences,
        purpose=purpose,
        include_payloads=payloads,
        de_identified=de_identified,
        include_fhir=fhir,
    )
    for field, text in (("from", from_time), ("to", to_time)):
        if text is not None:
            getattr(request, field).FromDatetime(moment(text, field))
    if resume:
        request = resumed_order(out_path)
    with Client(connection) as client:
        entries = download(client, request, out_path)
        if map_path is not None:
            request.pseudonym_map = True
            download(client, request, map_path)
    click.echo(f"{out_path}: {entries} entries, {out_path.stat().st_size} bytes")


def moment(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--{field} must be a time such as 2026-11-01 or 2026-11-01T08:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


command = export
