"""`attending report deidentified`: the pages of a de-identified document, with no server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.message import choices
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.verifier_key import verifier_key
from attending.v1 import report_pb2


@click.command(
    short_help="Write the pages of a de-identified document.",
    epilog=examples(
        "attending report deidentified november.deidentified --key log.vkey --out november.pdf",
        "attending report deidentified november.deidentified --key log.vkey --kind guardrails --out rails.pdf",
        after="`attending export --de-identified` makes the document, and puts that on record; `attending seal` seals "
        "the pages, `attending verify` checks them.",
    ),
)
@click.argument("document", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key",
    required=True,
    metavar="KEYFILE|VKEY",
    help="Verifier key of the log, under which the document must hold.",
)
@click.option(
    "--kind",
    type=click.Choice(sorted(choices(report_pb2.ReportKind))),
    default="regulator",
    show_default=True,
    help="`regulator` or `guardrails`; no other can be de-identified.",
)
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def deidentified(document: Path, key: str, kind: str, out_path: Path, force: bool) -> None:
    """Write a PDF of DOCUMENT: its figures and the checklist A to R, with the document attached and never the bundle.
    It is written only where the document verifies. No person signs it off; the seal says who made it.
    """
    from attending.ledger.errors import VerificationError
    from attending.server.reports.deidentified.report import DEIDENTIFIABLE, make_report
    from attending.server.reports.particulars import Kind

    if kind not in DEIDENTIFIABLE:
        raise CommandError(
            f"a report of kind `{kind}` is not de-identified (REPORT_KIND_NOT_DEIDENTIFIED)",
            f"give --kind {' or '.join(DEIDENTIFIABLE)}, whose pages are counts",
            Exit.USAGE,
        )
    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    verifier = verifier_key(key)
    work = Path(tempfile.mkdtemp(prefix="attending-report-"))
    try:
        pdf = make_report(document, verifier, Kind(kind), work)
    except VerificationError as err:
        raise CommandError(
            f"no pages were made ({err.reason}): {err.detail}",
            "`attending verify` shows all of it; export the document again",
        ) from err
    finally:
        shutil.rmtree(work, ignore_errors=True)
    partial = out_path.with_name(out_path.name + ".partial")
    partial.write_bytes(pdf)
    partial.replace(out_path)
    click.echo(f"{out_path}: {len(pdf)} bytes")
