"""`attending review`: the queue of held texts, from a terminal."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click
from attending.client import Connection, ReviewClient
from attending.client.review import SigningKey
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, word
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.purpose import PURPOSES, purpose_option
from attending.server.cli.review_facts import add_facts
from attending.server.cli.review_handover import escalate, give_back, reassign
from attending.server.cli.review_opinion import opinion
from attending.v1 import common_pb2, review_pb2
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

CLINICIAN = "dr-rivera"
DISPOSITIONS = {
    "fixed": review_pb2.DISPOSITION_FIXED,
    "accepted-risk": review_pb2.DISPOSITION_ACCEPTED_RISK,
    "false-alarm": review_pb2.DISPOSITION_FALSE_ALARM,
}
# The desk's own lists; written here too because the desk needs the whole server, and this command does not.
REASONS = (
    "benefit_outweighs_risk",
    "misread_text",
    "monitored",
    "not_applicable",
    "other",
    "tolerated_before",
    "wrong_knowledge",
)
SEVERITIES = ("minor", "moderate", "major", "contraindicated")
READING_REASONS = (
    "known_before",
    "minor_change",
    "other",
    "read_elsewhere",
    "second_look",
    "short_of_time",
    "urgent",
)
SEEN = click.option(
    "--seen",
    default="",
    help="What `attending review show` printed as seen: refused where the item is another since. Required once facts "
    "were added.",
)
REJECTIONS = ("incomplete", "not_needed", "other", "unsafe", "wrong", "wrong_patient")


@click.group(epilog=examples("attending review list --data attending-data --as dr-rivera"))
def review() -> None:
    """Read, claim, dispose of and sign held texts, as a clinician."""


@review.command(
    "list",
    epilog=examples(
        "attending review list --claimable", "attending review list --severity major --overdue --json"
    ),
)
@click.option("--policy", default="", help="Only this policy.")
@click.option(
    "--severity", type=click.Choice(SEVERITIES), help="Only with a finding of at least this severity."
)
@click.option("--overdue", is_flag=True, help="Only past the promised time.")
@click.option("--escalated", is_flag=True, help="Only escalated ones.")
@click.option("--mine", is_flag=True, help="Only what you hold or what is kept for you.")
@click.option("--claimable", is_flag=True, help="Only what you could claim now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(CLINICIAN)
def list_queue(
    policy: str,
    severity: str | None,
    overdue: bool,
    escalated: bool,
    mine: bool,
    claimable: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """List what waits, most urgent first."""
    with ReviewClient(connection) as client:
        items = client.queue(
            policy,
            least_severity=_severity(severity),
            overdue=overdue,
            escalated=escalated,
            mine=mine,
            claimable=claimable,
        )
    if as_json:
        for item in items:
            click.echo(as_json_line(item))
        return
    if not items:
        click.echo("nothing waits")
        return
    for item in items:
        severity = common_pb2.Severity.Name(item.worst_severity).removeprefix("SEVERITY_").lower()
        due = item.due_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
        holder = f"claimed by {item.claimed_by}" if item.claimed_by else "free"
        if item.assigned_to:
            until = item.assigned_until.ToDatetime().strftime("%H:%M")
            holder += f", kept for {item.assigned_to} until {until} UTC"
        if item.practice:
            holder += ", practice: made-up patient, nothing is sent"
        if item.blinded:
            holder += ", readers disagree" if item.disputed else ", read blind"
        if item.escalated_to:
            holder += ", escalated to " + " ".join(item.escalated_to)
        click.echo(
            f"{item.ticket_id}  {item.policy:<22} worst {severity:<15} "
            f"{item.open_findings} open  due {due} UTC  {item.state}, {holder}"
        )


@review.command(
    "next",
    short_help="Take the most urgent item that you may sign.",
    epilog=examples("attending review next", "attending review next --severity major --json"),
)
@click.option("--policy", default="", help="Only of this policy.")
@click.option(
    "--severity", type=click.Choice(SEVERITIES), help="Only with a finding of at least this severity."
)
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, with its receipt.")
@connection_options(CLINICIAN)
def take_next(policy: str, severity: str | None, as_json: bool, connection: Connection) -> None:
    """Lease the most urgent item that you may sign; prints its ticket and the lease that the other commands need."""
    with ReviewClient(connection) as client:
        answer = client.claim_next(policy, least_severity=_severity(severity))
    click.echo(as_json_line(answer) if as_json else f"{answer.item.ticket_id} {answer.lease_id}")


@review.command(
    short_help="Show a held text and what to judge it by.",
    epilog=examples("attending review show tkt_0123... --json"),
)
@click.argument("ticket")
@click.option("--json", "as_json", is_flag=True, help="The whole item as JSON.")
@purpose_option("treatment")
@connection_options(CLINICIAN)
def show(ticket: str, as_json: bool, purpose: str, connection: Connection) -> None:
    """Show a held text with prompt, patient, documents and findings. The look is recorded."""
    with ReviewClient(connection, purpose=PURPOSES[purpose]) as client:
        item = client.item(ticket)
    if as_json:
        click.echo(as_json_line(item))
        return
    click.echo(f"ticket {ticket}   policy {item.item.policy}   state {item.item.state}\n")
    if item.item.practice and not item.HasField("debrief"):
        click.echo("practice: made-up patient, nothing is sent\n")
    if item.HasField("debrief"):
        _debriefed(item.debrief)
        click.echo()
    _section("prompt", item.prompt)
    _section("patient", patient_lines(json.loads(item.patient_json or "{}")))
    for one in item.facts:
        when = one.added_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
        _section(f"added by {one.added_by}, {when} UTC", patient_lines(json.loads(one.patient_json)))
    if item.contradicted:
        click.echo("application and reviewer disagree on: " + ", ".join(item.contradicted) + "\n")
    for document in item.documents:
        _section(f"document {document.id} {document.version}".rstrip(), document.text)
    _section("text", item.output)
    decided = {one.finding: _decided_before(one) for one in item.decided_before}
    for finding in item.findings:
        severity = common_pb2.Severity.Name(finding.severity).removeprefix("SEVERITY_").lower()
        state = f" [{finding.disposition}]" if finding.disposition else ""
        click.echo(f"({finding.ordinal}) {severity} {finding.code}: {finding.message}{state}")
        where = f'"{finding.text}" at {finding.start}-{finding.end}; ' if finding.text else ""
        basis = "" if finding.source.startswith(finding.basis) else f"{finding.basis}: "
        click.echo(f"    {where}{basis}{finding.source}")
        if (before := decided.get(finding.ordinal)) is not None:
            click.echo(f"    {before}")
    for read in item.reads:
        made = ", ".join(
            f"({one.finding}) {word(review_pb2.Disposition, one.disposition)}" for one in read.findings
        )
        _section(
            f"{read.reader} {read.meaning}" + (f"; {made}" if made else ""),
            read.text if read.meaning == "approved_with_edits" else "",
            always=True,
        )
    click.echo(f"\n{item.coverage.judged} of {item.coverage.of} checks judged", nl=False)
    missing = ", ".join(item.coverage.not_covered)
    click.echo(f"; not covered: {missing}" if missing else "")
    click.echo("may be signed by: " + ", ".join(item.sign_off_roles))
    if set(item.item.open_to) != set(item.sign_off_roles):
        click.echo("signature wanted of: " + " or ".join(item.item.open_to))
    for signed in item.signatures:
        click.echo("signed: " + signature_line(signed))
    if item.seen:
        click.echo("seen: " + item.seen)


def signature_line(one: common_pb2.SignatureBlock) -> str:
    """Who signed, in which role, with what meaning and when (21 CFR 11.50)."""
    when = one.signed_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
    other = " (of a text that was changed)" if one.meaning == "approved_with_edits" else ""
    return f"{one.printed_name}, {one.role}: {one.meaning}{other}, {when} UTC (entry {one.entry_index})"


def _decided_before(one: review_pb2.DecidedBefore) -> str:
    made, when = word(review_pb2.Disposition, one.disposition), one.at.ToDatetime().strftime("%Y-%m-%d")
    stands = "" if one.stands else "; that text does not stand any more: dispose of it again"
    return (
        f"decided before by {one.by} on {when}: {made}, {one.reason_code} (entry {one.entry_index}){stands}"
    )


@review.command(epilog=examples("attending review claim tkt_0123..."))
@click.argument("ticket")
@connection_options(CLINICIAN)
def claim(ticket: str, connection: Connection) -> None:
    """Lease an item; prints the lease that the other commands need."""
    with ReviewClient(connection) as client:
        answer = client.claim(ticket)
    click.echo(answer.lease_id)


@review.command(
    short_help="Say what you make of one finding.",
    epilog=examples("attending review dispose tkt_0123... 0 --lease lse_... --as-what fixed"),
)
@click.argument("ticket")
@click.argument("finding", type=int)
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option(
    "--as-what", type=click.Choice(sorted(DISPOSITIONS)), required=True, help="What you make of it."
)
@click.option("--reason", type=click.Choice(REASONS), default=None, help="Why; required unless fixed.")
@click.option("--note", default="", help="Note; stored as personal content.")
@SEEN
@connection_options(CLINICIAN)
def dispose(
    ticket: str,
    finding: int,
    lease: str,
    as_what: str,
    reason: str | None,
    note: str,
    seen: str,
    connection: Connection,
) -> None:
    """Say what you make of one finding, by its number in `attending review show`. With --seen it prints the next."""
    if reason is None and as_what != "fixed":
        raise click.UsageError(f"`{as_what}` needs --reason")
    with ReviewClient(connection) as client:
        answer = client.dispose(
            ticket, lease, finding, DISPOSITIONS[as_what], reason_code=reason or "", note=note, seen=seen
        )
    click.echo(f"{answer.item.open_findings} findings open")
    if answer.seen:
        click.echo("seen: " + answer.seen)


@review.command(
    epilog=examples("attending review sign tkt_0123... --lease lse_... --key dr-rivera.pem --text new.txt")
)
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Your signing key (PEM, Ed25519 or P-256); it stays on this machine.",
)
@click.option(
    "--text",
    "text_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the edited text; the text as held otherwise.",
)
@click.option("--yes", is_flag=True, help="Do not ask before signing.")
@click.option(
    "--reading-reason",
    type=click.Choice(READING_REASONS),
    help="Why you sign sooner than the text can be read.",
)
@SEEN
@purpose_option("treatment")
@connection_options(CLINICIAN)
def sign(
    ticket: str,
    lease: str,
    key_path: Path,
    text_path: Path | None,
    yes: bool,
    reading_reason: str | None,
    seen: str,
    purpose: str,
    connection: Connection,
) -> None:
    """Sign the exact text that will be released. That it is shown is recorded."""
    key = load_key(key_path)
    edited = text_path.read_text(encoding="utf-8") if text_path is not None else None
    with ReviewClient(connection, purpose=PURPOSES[purpose]) as client:
        prepared = client.prepare(ticket, lease, key, edited, seen=seen)
        click.echo(prepared.text.rstrip() + "\n")
        click.echo(f"you sign as {prepared.statement.role}: {prepared.statement.meaning}")
        if prepared.reading_floor_seconds:
            asks = "is refused" if prepared.reading_waits else "asks for --reading-reason"
            click.echo(f"reading it takes {prepared.reading_floor_seconds} s; signing sooner {asks}")
        if not yes and not _confirmed():
            raise CommandError("nothing was signed", "sign it under the same lease, or reject it", Exit.HELD)
        answer = client.sign(ticket, lease, prepared, key, reading_reason=reading_reason or "")
    click.echo(f"signed; the item is now {answer.item.state}")
    if answer.HasField("debrief"):
        _debriefed(answer.debrief)


@review.command(
    short_help="Refuse a text; it is never released.",
    epilog=examples(
        "attending review reject tkt_0123... --lease lse_... --reason unsafe",
        "attending review reject tkt_0123... --lease lse_... --reason unsafe --key dr-rivera.pem",
    ),
)
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option("--reason", type=click.Choice(REJECTIONS), required=True, help="Why.")
@click.option("--note", default="", help="Note; stored as personal content.")
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Your Ed25519 signing key (PEM): sign the refusal, as an item that is read blind needs.",
)
@SEEN
@purpose_option("treatment")
@connection_options(CLINICIAN)
def reject(
    ticket: str,
    lease: str,
    reason: str,
    note: str,
    key_path: Path | None,
    seen: str,
    purpose: str,
    connection: Connection,
) -> None:
    """Refuse a text; it is never released. Of an item that is read blind both readers must refuse it, or a third."""
    if seen and key_path is None:
        raise click.UsageError(
            "`--seen` needs --key: a refusal that is not signed is of any state of the item"
        )
    key = None if key_path is None else load_key(key_path)
    with ReviewClient(connection, purpose=PURPOSES[purpose]) as client:
        if key is None:
            answer: review_pb2.RejectResponse | review_pb2.SignResponse = client.reject(
                ticket, lease, reason, note=note
            )
        else:
            rejection = review_pb2.Rejection(reason_code=reason, note=note)
            prepared = client.prepare(ticket, lease, key, rejection=rejection, seen=seen)
            answer = client.sign(ticket, lease, prepared, key)
    click.echo(f"the item is now {answer.item.state}")
    if answer.HasField("debrief"):
        _debriefed(answer.debrief)


def _debriefed(debrief: review_pb2.Debrief) -> None:
    """What was in a practice item."""
    click.echo("this was a practice item: its patient is made up, and nothing was sent")
    if debrief.HasField("right"):
        error = debrief.kind == "error"
        right = ("found", "missed") if error else ("right, nothing was planted", "this text was sound")
        click.echo(right[0] if debrief.right else right[1])
    if debrief.planted:
        click.echo(f'planted: "{debrief.planted}"')
    for words in (debrief.lesson, f"a good reader: {debrief.good_reader}", debrief.source):
        click.echo(words)


def _confirmed() -> bool:
    try:
        return click.confirm("sign and release exactly this text?", err=True)
    except click.Abort:
        # No answer, such as from standard input that has ended, is no consent.
        click.echo(err=True)
        return False


def load_key(path: Path) -> SigningKey:
    """The Ed25519 or P-256 key of a PEM file; a usage error for anything else."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise click.UsageError(f"`{path.name}` is not an unencrypted PEM private key") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise click.UsageError(f"`{path.name}` is not an Ed25519 or P-256 key")


def _severity(name: str | None) -> common_pb2.Severity.ValueType:
    return common_pb2.Severity.Value(f"SEVERITY_{name.upper()}" if name else "SEVERITY_UNSPECIFIED")


def _section(title: str, text: str, *, always: bool = False) -> None:
    """One part of an item, left out when there is nothing; what was written cannot look like a title."""
    if always and not text.strip():
        click.echo(title)
    if text.strip():
        click.echo(f"{title}:")
        click.echo(textwrap.indent(text.rstrip(), "    ", lambda _line: True) + "\n")


def patient_lines(patient: dict[str, Any]) -> str:
    """The patient as given, a line a fact. What was not given is left out; an empty list was given, as none known."""
    return "\n".join(f"{key}: {_said(value)}" for key, value in patient.items() if value is not None)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(_said(one) for one in value) or "none known"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(one)}" for key, one in value.items() if one not in (None, [], ""))
    return str(value)


for _step in (add_facts, give_back, reassign, escalate, opinion):
    review.add_command(_step)

command = review
