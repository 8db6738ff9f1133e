"""`attending report`: reports for a regulator and dossiers of one output, from the asking to the issued PDF."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
from attending.client import Connection, ReportClient
from attending.client.review import key_id
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.export import PURPOSES, moment
from attending.server.cli.message import as_json_line, choices, word
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.report_deidentified import deidentified
from attending.server.cli.report_fhir import fhir
from attending.server.cli.report_register import register
from attending.server.cli.review import load_key
from attending.v1 import report_pb2

AUDITOR: Final = "demo-auditor"
KINDS: Final = choices(report_pb2.ReportKind)
FILES: Final = choices(report_pb2.ReportFile)
POLL_SECONDS: Final = 0.5

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
purpose_option = click.option(
    "--purpose", type=click.Choice(PURPOSES), default="audit", show_default=True, help="Why; recorded."
)


@click.group(
    epilog=examples(
        "attending report create --from 2026-11-01 --to 2026-12-01 --wait",
        "attending report list",
    )
)
def report() -> None:
    """Reports for a regulator, and dossiers of one output: asked for, signed off by a named person, issued."""


@report.command(
    short_help="Ask for a report.",
    epilog=examples(
        "attending report create --from 2026-11-01 --to 2026-12-01 --purpose regulator_request --wait",
        "attending report create --kind dossier --inference inf_0123456789abcdef0123456789abcdef",
        "attending report create --policy discharge-plan --clinician dr-rivera",
        "attending report create --kind accounting --subject sub_aaaaaaaaaaaaaaaaaaaaaaaaaa --purpose patient_request"
        " --as demo-privacy-officer",
        "attending report create --kind incident --incident inc-7 --purpose incident --wait",
        "attending report create --kind guardrails --from 2026-11-01 --group age_band",
        "attending report create --kind validation --from 2026-11-01 --to 2026-12-01 --wait",
        "attending report create --kind certificates --from 2026-01-01 --to 2027-01-01",
        "attending report create --kind change --to 2026-12-01 --version guideline-42 --wait",
    ),
)
@click.option(
    "--kind", type=click.Choice(sorted(KINDS)), default="regulator", show_default=True, help="What for."
)
@click.option("--from", "from_time", help="From this time on (ISO 8601, UTC unless it says else).")
@click.option("--to", "to_time", help="Before this time.")
@click.option("--inference", "inference_id", default="", help="Only this inference; a dossier needs it.")
@click.option("--policy", default="", help="Only inferences under this policy.")
@click.option("--prompt-version", default="", help="Only inferences by this prompt version.")
@click.option("--model", default="", help="Only inferences that this model answered.")
@click.option(
    "--subject", default="", help="Only this person, by pseudonym; accounting and access report need it."
)
@click.option("--clinician", default="", help="Only inferences that this person signed.")
@click.option("--incident", default="", help="Of an incident file: only this incident.")
@click.option("--group", default="", help="Of a guardrail report: the tag that tells subgroups apart.")
@click.option(
    "--version", default="", help="Of a change report: whose outputs it lists, a hash, name or document."
)
@purpose_option
@click.option("--wait", is_flag=True, help="Return when the draft is there.")
@json_option
@connection_options(AUDITOR)
def create(
    kind: str,
    from_time: str | None,
    to_time: str | None,
    purpose: str,
    wait: bool,
    as_json: bool,
    connection: Connection,
    **words: str,
) -> None:
    """Ask for a report; it is made in the background. Its evidence holds no personal content. Exit code 1 when it could
    not be made.
    """
    scope = report_pb2.ReportScope(**words)  # type: ignore[arg-type]
    for field, text in (("from", from_time), ("to", to_time)):
        if text is not None:
            getattr(scope, field).FromDatetime(moment(text, field))
    with ReportClient(connection) as client:
        made = client.create(KINDS[kind], scope, purpose)
        if wait:
            made = _wait(client, made)
    _show_made(made, as_json=as_json)


@report.command("list", short_help="List reports.", epilog=examples("attending report list --json"))
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many.")
@json_option
@connection_options(AUDITOR)
def list_reports(limit: int, as_json: bool, connection: Connection) -> None:
    """List the tenant's reports, newest first."""
    with ReportClient(connection) as client:
        found = client.list(limit)
    for one in found:
        _show(one, as_json=as_json)
    if not found and not as_json:
        click.echo("no report was asked for")


@report.command(
    short_help="Show how a report stands.",
    epilog=examples("attending report show rpt_0123456789abcdef0123456789abcdef --wait"),
)
@click.argument("report_id")
@click.option("--wait", is_flag=True, help="Return when the draft is there.")
@json_option
@connection_options(AUDITOR)
def show(report_id: str, wait: bool, as_json: bool, connection: Connection) -> None:
    """Show how REPORT_ID stands. Exit code 1 when it could not be made."""
    with ReportClient(connection) as client:
        found = client.get(report_id)
        if wait:
            found = _wait(client, found)
    _show_made(found, as_json=as_json)


@report.command(
    short_help="Sign a report off.",
    epilog=examples(
        "attending report sign rpt_0123456789abcdef0123456789abcdef --key officer.pem --draft draft.pdf"
    ),
)
@click.argument("report_id")
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Your signing key (PEM, Ed25519 or P-256); it stays on this machine.",
)
@click.option(
    "--draft",
    "draft_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The draft that you have read, as `download --file draft` wrote it.",
)
@click.option("--yes", is_flag=True, help="Do not ask before signing.")
@connection_options(AUDITOR)
def sign(report_id: str, key_path: Path, draft_path: Path, yes: bool, connection: Connection) -> None:
    """Stand for REPORT_ID with your name: the draft that you have read is what is issued, with your signature on it."""
    key = load_key(key_path)
    with ReportClient(connection) as client:
        preparation, statement = client.prepare(report_id, key_id(key))
        if hashlib.sha256(draft_path.read_bytes()).hexdigest() != statement.draft:
            raise CommandError(
                f"`{draft_path}` is not the draft that would be signed",
                "download it again with `attending report download --file draft`, and read it",
            )
        click.echo(f"evidence {statement.bundle}, tree size {statement.tree_size}, root {statement.root}")
        if not yes and not click.confirm(f"approve it for issue as {statement.role}?", err=True):
            raise CommandError("nothing was signed", "sign it when you have read it", Exit.HELD)
        _report, index = client.sign(preparation, statement, key)
    click.echo(f"signed off: entry {index}")


@report.command(
    short_help="Issue a report that was signed off.",
    epilog=examples("attending report issue rpt_0123456789abcdef0123456789abcdef"),
)
@click.argument("report_id")
@json_option
@connection_options(AUDITOR)
def issue(report_id: str, as_json: bool, connection: Connection) -> None:
    """Issue REPORT_ID: its pages are set with the signature, sealed where a seal is configured, and their hash is on
    record. Where it could not be sealed it stays signed off: issue it again.
    """
    with ReportClient(connection) as client:
        answer = client.issue(report_id)
    if as_json:
        click.echo(as_json_line(answer))
        return
    said = "not sealed: the server's configuration has no `[reports.seal]`"
    if answer.seal_level:
        said = f"sealed at {answer.sealed_at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC (PAdES {answer.seal_level})"
    click.echo(f"issued: entry {answer.receipt.index}; {said}")


@report.command(
    short_help="Discard a report that is not issued.",
    epilog=examples("attending report discard rpt_0123456789abcdef0123456789abcdef"),
)
@click.argument("report_id")
@click.option("--yes", is_flag=True, help="Do not ask before discarding.")
@json_option
@connection_options(AUDITOR)
def discard(report_id: str, yes: bool, as_json: bool, connection: Connection) -> None:
    """Discard REPORT_ID: its files go, and it is never issued. That it was asked for, and who discarded it, stays on
    record.
    """
    if not yes and not click.confirm(f"discard {report_id} and its files?", err=True):
        raise CommandError("nothing was discarded", "give --yes to discard it without being asked", Exit.HELD)
    with ReportClient(connection) as client:
        answer = client.discard(report_id)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"discarded: entry {answer.receipt.index}")


@report.command(
    short_help="Download a file of a report.",
    epilog=examples(
        "attending report download rpt_0123456789abcdef0123456789abcdef --out report.pdf",
        "attending report download rpt_0123456789abcdef0123456789abcdef --file draft --out draft.pdf",
    ),
)
@click.argument("report_id")
@click.option(
    "--file", "name", type=click.Choice(sorted(FILES)), default="report", show_default=True, help="Which."
)
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@purpose_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
@connection_options(AUDITOR)
def download(
    report_id: str, name: str, out_path: Path, purpose: str, force: bool, connection: Connection
) -> None:
    """Write a file of REPORT_ID; that you were given it is on record."""
    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    with ReportClient(connection) as client:
        size = client.download(report_id, FILES[name], purpose, out_path)
    click.echo(f"{out_path}: {size} bytes")


@report.group(
    short_help="Reports by the calendar.",
    epilog=examples("attending report schedule list --config attending.toml"),
)
def schedule() -> None:
    """Reports that the server asks for by the calendar, as its configuration has them."""


@schedule.command(
    "list",
    short_help="List schedules.",
    epilog=examples("attending report schedule list --config attending.toml --json"),
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    envvar="ATTENDING_CONFIG",
    help="Configuration with `[[reports.schedules]]`.",
)
@json_option
def list_schedules(config_path: Path, as_json: bool) -> None:
    """List the schedules of the configuration, and what is due next. `attending report list` shows the reports."""
    from attending.server import clock
    from attending.server.config import load_config
    from attending.server.reports.schedule import next_period

    found = load_config(config_path).reports.schedules
    for one in found:
        period = next_period(one, clock.now())
        said = {
            "name": one.name,
            "kind": one.kind,
            "every": one.every,
            "from": clock.stamp(period.since),
            "to": clock.stamp(period.until),
            "due": clock.stamp(period.due),
        }
        click.echo(
            json.dumps(said) if as_json else "  ".join(f"{name} {value}" for name, value in said.items())
        )
    if not found and not as_json:
        click.echo("no report is asked for by the calendar")


def _wait(client: ReportClient, found: report_pb2.Report) -> report_pb2.Report:
    """The report once it is made, or could not be; how far it is stands on a terminal."""
    shown = sys.stderr.isatty()
    while found.state == report_pb2.REPORT_STATE_MAKING:
        if shown:
            click.echo(f"\r{found.done} of {found.total} entries", nl=False, err=True)
        time.sleep(POLL_SECONDS)
        found = client.get(found.report_id)
    if shown:
        click.echo("", err=True)
    return found


def _show_made(one: report_pb2.Report, *, as_json: bool) -> None:
    _show(one, as_json=as_json)
    if one.state == report_pb2.REPORT_STATE_FAILED:
        raise SystemExit(Exit.FAILED)


def _show(one: report_pb2.Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_line(one))
        return
    said: list[Any] = [
        one.report_id,
        word(report_pb2.ReportKind, one.kind),
        word(report_pb2.ReportState, one.state).upper(),
        one.requested_at.ToDatetime().strftime("%Y-%m-%d %H:%M UTC"),
        f"tree size {one.tree_size}",
    ]
    if one.signer:
        said.append(f"signed by {one.signer}")
    if one.failure:
        said.append(f"could not be made: {one.failure}")
    click.echo("  ".join(map(str, said)))


report.add_command(fhir)
report.add_command(register)
report.add_command(deidentified)
command = report
