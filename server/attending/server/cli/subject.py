"""`attending subject`: what the vault holds about a person, from a terminal. All of it goes through the server."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from attending.client import Connection, CustodyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.export import moment
from attending.server.cli.message import as_json_line, choices
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.purpose import PURPOSES, purpose_option
from attending.v1 import custody_pb2
from google.protobuf.message import Message

OFFICER = "demo-privacy-officer"
GROUNDS = choices(custody_pb2.HoldGround)
REASONS = choices(custody_pb2.ErasureReason)
AGENCIES = choices(custody_pb2.Agency)
FORMS = choices(custody_pb2.StatementForm)
_PSEUDONYM = re.compile(r"sub_[A-Za-z2-7]{26}")


class Subject(click.ParamType[custody_pb2.SubjectName]):
    """`sub_...`, `mrn:...` or `ref:...`; `-` reads one such line from standard input."""

    name = "subject"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, custody_pb2.SubjectName):
            return value
        text = sys.stdin.readline().strip() if value == "-" else str(value)
        kind, _colon, identifier = text.partition(":")
        if _PSEUDONYM.fullmatch(text):
            return custody_pb2.SubjectName(pseudonym=text)
        if kind == "mrn" and identifier:
            return custody_pb2.SubjectName(mrn=identifier)
        if kind == "ref" and identifier:
            return custody_pb2.SubjectName(subject_ref=identifier)
        # Not repeated: it may name a person, and errors end up in logs.
        return self.fail("must be a pseudonym, `mrn:NUMBER`, `ref:REFERENCE`, or `-` to read it", param, ctx)


SUBJECT = Subject()
approved = click.option("--approved-by", default="", help="Second privacy officer who approved; recorded.")
as_json_option = click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")


@click.group(epilog=examples("attending subject show mrn:12345 --as demo-privacy-officer"))
def subject() -> None:
    """Show, link, hold and erase what is stored about a person, as a privacy officer.

    SUBJECT is a pseudonym (`sub_...`), `mrn:NUMBER`, or `ref:REFERENCE` as applications give it; `-` reads it from
    standard input, which keeps it out of the shell's history and the process list.
    """


@subject.command(
    short_help="Show pseudonyms, links and holds.",
    epilog=examples("attending subject show mrn:12345", "echo mrn:12345 | attending subject show - --json"),
)
@click.argument("subject", type=SUBJECT)
@as_json_option
@purpose_option("records-management")
@connection_options(OFFICER)
def show(subject: custody_pb2.SubjectName, as_json: bool, purpose: str, connection: Connection) -> None:
    """Show pseudonyms, links, holds and what is stored. The look is recorded."""
    with CustodyClient(connection) as client:
        found = client.show(subject, purpose=PURPOSES[purpose])
    _answer(found, as_json, found)


@subject.command(
    short_help="Say that two are one person.", epilog=examples("attending subject link mrn:12345 mrn:67890")
)
@click.argument("subject", type=SUBJECT)
@click.argument("other", type=SUBJECT)
@approved
@as_json_option
@connection_options(OFFICER)
def link(
    subject: custody_pb2.SubjectName,
    other: custody_pb2.SubjectName,
    approved_by: str,
    as_json: bool,
    connection: Connection,
) -> None:
    """Say that two are one person, as when patients are merged. Erasure and holds follow."""
    with CustodyClient(connection) as client:
        answer = client.link(subject, other, approved_by=approved_by)
    _answer(answer, as_json, answer.subject, "linked" if answer.receipts else "linked already")


@subject.command(
    short_help="Take a link back.", epilog=examples("attending subject unlink mrn:12345 mrn:67890")
)
@click.argument("subject", type=SUBJECT)
@click.argument("other", type=SUBJECT)
@approved
@as_json_option
@connection_options(OFFICER)
def unlink(
    subject: custody_pb2.SubjectName,
    other: custody_pb2.SubjectName,
    approved_by: str,
    as_json: bool,
    connection: Connection,
) -> None:
    """Take a link back, as when a merge was wrong. Refused under a hold."""
    with CustodyClient(connection) as client:
        answer = client.unlink(subject, other, approved_by=approved_by)
    _answer(answer, as_json, answer.subject, "unlinked" if answer.receipts else "not linked directly")


@subject.command(
    short_help="Place a legal hold.", epilog=examples("attending subject hold mrn:12345 --ground litigation")
)
@click.argument("subject", type=SUBJECT)
@click.option("--ground", type=click.Choice(sorted(GROUNDS)), required=True, help="Why.")
@approved
@as_json_option
@connection_options(OFFICER)
def hold(
    subject: custody_pb2.SubjectName, ground: str, approved_by: str, as_json: bool, connection: Connection
) -> None:
    """Place a legal hold: nothing about the person is erased, pruned or unlinked until it is released."""
    with CustodyClient(connection) as client:
        answer = client.hold(subject, GROUNDS[ground], approved_by=approved_by)
    _answer(answer, as_json, answer.subject, f"held by {answer.hold_id}")


@subject.command(
    short_help="Lift one hold.", epilog=examples("attending subject release mrn:12345 --hold hold_0123...")
)
@click.argument("subject", type=SUBJECT)
@click.option("--hold", "hold_id", required=True, help="Id of the hold, from `show`.")
@approved
@as_json_option
@connection_options(OFFICER)
def release(
    subject: custody_pb2.SubjectName, hold_id: str, approved_by: str, as_json: bool, connection: Connection
) -> None:
    """Lift one hold. Others that cover the person stay."""
    with CustodyClient(connection) as client:
        answer = client.release(subject, hold_id, approved_by=approved_by)
    _answer(answer, as_json, answer.subject, "released" if answer.receipts else "released before")


@subject.command(
    "suspend",
    short_help="Suspend an accounting for an agency.",
    epilog=examples(
        "attending subject suspend mrn:12345 --agency law-enforcement --form oral --until 2026-12-20 < statement.txt",
    ),
)
@click.argument("subject", type=SUBJECT)
@click.option("--agency", type=click.Choice(sorted(AGENCIES)), required=True, help="Disclosures to whom.")
@click.option("--form", type=click.Choice(sorted(FORMS)), required=True, help="How it asked.")
@click.option("--until", required=True, help="Until when (ISO 8601); oral: at most 30 days from now.")
@approved
@as_json_option
@connection_options(OFFICER)
def suspend(
    subject: custody_pb2.SubjectName,
    agency: str,
    form: str,
    until: str,
    approved_by: str,
    as_json: bool,
    connection: Connection,
) -> None:
    """Leave disclosures to an agency out of the accounting that the person may ask for, until a time (45 CFR
    164.528(a)(2)). What the agency said, and who said it, is read from standard input, and sealed.
    """
    end = moment(until, "until")
    statement = sys.stdin.read().strip()
    with CustodyClient(connection) as client:
        answer = client.suspend(
            subject, AGENCIES[agency], FORMS[form], end, statement, approved_by=approved_by
        )
    _answer(answer, as_json, answer.subject, f"suspended by {answer.suspension_id}")


@subject.command(
    short_help="Erase a person for good.",
    epilog=examples(
        "attending subject erase mrn:12345 --reason gdpr-17 --approved-by second-officer",
        "attending subject erase mrn:12345 --reason test-data --yes --vacuum",
    ),
)
@click.argument("subject", type=SUBJECT)
@click.option(
    "--reason", type=click.Choice(sorted(REASONS)), required=True, help="Why; stands in the certificate."
)
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
@click.option(
    "--vacuum",
    is_flag=True,
    help="Rewrite the database too, so that no sealed byte is left; appends wait meanwhile.",
)
@approved
@as_json_option
@connection_options(OFFICER)
def erase(
    subject: custody_pb2.SubjectName,
    reason: str,
    yes: bool,
    vacuum: bool,
    approved_by: str,
    as_json: bool,
    connection: Connection,
) -> None:
    """Erase a person for good: every linked pseudonym, every stored text. Entries and proofs stay."""
    with CustodyClient(connection) as client:
        found = client.show(subject)
        names = [item.pseudonym for item in found.pseudonyms]
        if not yes and not found.erased:
            click.echo("\n".join(_lines(found)), err=True)
            if not _confirmed(len(names)):
                raise CommandError("nothing was erased", "answer yes, or give --yes", Exit.HELD)
        # By pseudonym: what was shown is what is erased, or nothing.
        named = custody_pb2.SubjectName(pseudonym=found.pseudonym)
        answer = client.erase(named, REASONS[reason], expected=names, vacuum=vacuum, approved_by=approved_by)
    said = "erased before" if found.erased else "erased"
    indexes = ", ".join(str(receipt.index) for receipt in answer.receipts)
    _answer(answer, as_json, answer.subject, f"{said}; certificates are entries {indexes}")


def _answer(answer: Message, as_json: bool, found: custody_pb2.Subject, said: str = "") -> None:
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo("\n".join([*([said] if said else []), *_lines(found)]))


def _lines(found: custody_pb2.Subject) -> list[str]:
    lines = []
    for item in found.pseudonyms:
        stored = ", ".join(f"{count} {kind}" for kind, count in sorted(item.payloads.items()))
        linked = f"; linked with {', '.join(item.linked)}" if item.linked else ""
        state = f"erased by entry {item.erased_index}" if item.HasField("erased_index") else "present"
        lines.append(f"{item.pseudonym}  {state}; stored: {stored or 'nothing'}{linked}")
    for placed in found.holds:
        ground = custody_pb2.HoldGround.Name(placed.ground).removeprefix("HOLD_GROUND_").lower()
        when = placed.placed_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
        lines.append(
            f"{placed.hold_id}  {ground}, placed {when} UTC by {placed.placed_by} on {placed.pseudonym}"
        )
    if not found.holds and not found.erased:
        lines.append("no hold")
    return lines


def _confirmed(count: int) -> bool:
    what = "this person" if count == 1 else f"this person with {count} pseudonyms"
    try:
        return click.confirm(f"erase {what} for good?", err=True)
    except click.Abort:
        # No answer, such as from standard input that has ended, is no consent.
        click.echo(err=True)
        return False


command = subject
