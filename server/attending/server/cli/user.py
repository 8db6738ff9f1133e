"""`attending user`: who may call, from a terminal. All of it goes through the server."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from attending.client import Connection, PeopleClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices
from attending.server.cli.outcome import CommandError
from attending.v1 import identity_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

OPERATOR = "demo-operator"
OFFICER = "demo-safety-officer"
KINDS = {"person": identity_pb2.USER_KIND_PERSON, "application": identity_pb2.USER_KIND_APPLICATION}
METHODS = choices(identity_pb2.ProofMethod)
REASONS = choices(identity_pb2.RevocationReason, without=identity_pb2.REVOCATION_REASON_LEFT_CONFIGURATION)
STATES = choices(identity_pb2.UserState)
as_json_option = click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
reason_option = click.option("--reason", type=click.Choice(sorted(REASONS)), required=True, help="Why.")


class Moment(click.ParamType[datetime]):
    """`2027-01-31` or `2027-01-31T12:00`, UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            return self.fail("must be a time such as 2027-01-31 or 2027-01-31T12:00+01:00", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


MOMENT = Moment()


@click.group(epilog=examples("attending user list --awaiting-proof", "attending user show dr-okafor"))
def user() -> None:
    """Enrol, proof and revoke people and programs. It takes two: whoever enrols does not proof."""


@user.command(
    short_help="Enrol somebody, or change them.",
    epilog=examples(
        "attending user enrol dr-okafor --role clinician --display-name 'Dr A. Okafor'"
        " --certificate-uri spiffe://attending.local/demo/dr-okafor --licence-expires 2027-06-30",
        "attending user enrol portal-2 --kind application --role app --certificate-uri"
        " spiffe://attending.local/demo/portal-2",
        "attending user enrol dr-okafor --role clinician --role pharmacist --expected-version 2",
    ),
)
@click.argument("name")
@click.option("--kind", type=click.Choice(sorted(KINDS)), default="person", show_default=True, help="What.")
@click.option("--role", "roles", multiple=True, required=True, help="Role; may be given again.")
@click.option("--display-name", default="", help="Printed name of a person's signatures; sealed.")
@click.option("--certificate-uri", "uris", multiple=True, help="URI name of a client certificate to bind.")
@click.option(
    "--oidc-subject",
    "subjects",
    multiple=True,
    nargs=2,
    metavar="ISSUER SUBJECT",
    help="Subject of an identity provider to bind.",
)
@click.option(
    "--signing-public-key",
    help="Base64 of their public key, from `attending keys signing`.",
)
@click.option("--expires", type=MOMENT, help="From when no credential is accepted.")
@click.option("--licence-expires", type=MOMENT, help="From when the person may not sign.")
@click.option("--competency-expires", type=MOMENT, help="From when the person's competency has lapsed.")
@click.option(
    "--expected-version", type=click.IntRange(min=1), help="To change somebody: version from `user show`."
)
@as_json_option
@connection_options(OPERATOR)
def enrol(
    name: str,
    kind: str,
    roles: tuple[str, ...],
    display_name: str,
    uris: tuple[str, ...],
    subjects: tuple[tuple[str, str], ...],
    signing_public_key: str | None,
    expires: datetime | None,
    licence_expires: datetime | None,
    competency_expires: datetime | None,
    expected_version: int | None,
    as_json: bool,
    connection: Connection,
) -> None:
    """Enrol somebody, or change what they may be. Nothing of it counts before somebody else has proofed it."""
    request = identity_pb2.EnrolUserRequest(
        name=name,
        kind=KINDS[kind],
        roles=roles,
        display_name=display_name,
        certificate_uris=uris,
        oidc_subjects=[
            identity_pb2.OidcSubject(issuer=issuer, subject=subject) for issuer, subject in subjects
        ],
        signing_public_key=_public_key(signing_public_key),
        expires=_timestamp(expires),
        licence_expires=_timestamp(licence_expires),
        competency_expires=_timestamp(competency_expires),
        expected_version=expected_version,
    )
    with PeopleClient(connection) as client:
        answer = client.enrol(request)
    said = "enrolled; somebody else must proof it now"
    _answer(answer, as_json, answer.user, said)


@user.command(
    short_help="Say that somebody is who they are said to be.",
    epilog=examples("attending user proof dr-okafor --method in-person --expected-version 1"),
)
@click.argument("name")
@click.option("--method", type=click.Choice(sorted(METHODS)), required=True, help="What it rests on.")
@click.option(
    "--expected-version",
    type=click.IntRange(min=1),
    required=True,
    help="Version from `user show`: what is proofed is what you looked at.",
)
@as_json_option
@connection_options(OFFICER)
def proof(name: str, method: str, expected_version: int, as_json: bool, connection: Connection) -> None:
    """Put in force what is pending of somebody, as a safety or privacy officer who did not enrol it."""
    with PeopleClient(connection) as client:
        answer = client.proof(name, expected_version, METHODS[method])
    _answer(answer, as_json, answer.user, "proofed, and in force")


@user.command(
    short_help="End an identity for good.", epilog=examples("attending user revoke dr-okafor --reason left")
)
@click.argument("name")
@reason_option
@as_json_option
@connection_options(OFFICER)
def revoke(name: str, reason: str, as_json: bool, connection: Connection) -> None:
    """End an identity for good, with every credential. Its name is never used again."""
    with PeopleClient(connection) as client:
        answer = client.revoke(name, REASONS[reason])
    _answer(answer, as_json, answer.user, "revoked")


@user.command("list", epilog=examples("attending user list --state active --json"))
@click.option("--state", type=click.Choice(sorted(STATES)), help="Only those in this state.")
@click.option("--awaiting-proof", is_flag=True, help="Only those of whom something waits for its proofing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(OFFICER)
def list_users(state: str | None, awaiting_proof: bool, as_json: bool, connection: Connection) -> None:
    """List who is known, by name."""
    wanted = identity_pb2.USER_STATE_UNSPECIFIED if state is None else STATES[state]
    with PeopleClient(connection) as client:
        users = client.users(wanted, awaiting_proof=awaiting_proof)
    if as_json:
        for one in users:
            click.echo(as_json_line(one))
        return
    if not users:
        click.echo("nobody")
    for one in users:
        click.echo(_line(one))


@user.command(epilog=examples("attending user show dr-okafor --json"))
@click.argument("name")
@as_json_option
@connection_options(OFFICER)
def show(name: str, as_json: bool, connection: Connection) -> None:
    """Show somebody with credentials, and what is pending."""
    with PeopleClient(connection) as client:
        found = client.get(name)
    _answer(found, as_json, found)


@user.group(epilog=examples("attending user key issue portal-2 --days 90 --out portal-2.token"))
def key() -> None:
    """Issue and revoke credentials of somebody."""


@key.command(
    short_help="Make a service key.",
    epilog=examples("attending user key issue portal-2 --days 90 --out portal-2.token"),
)
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 366), required=True, help="Days for which it is accepted.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="New file for the token (0600); it is shown nowhere else.",
)
@as_json_option
@connection_options(OPERATOR)
def issue(name: str, days: int, out: Path, as_json: bool, connection: Connection) -> None:
    """Make a service key, a bearer token. It opens nothing before somebody else has proofed it."""
    expires = _timestamp(datetime.now(UTC) + timedelta(days=days))
    # Before the key is made: a place where no token can be written is refused while there is none.
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with PeopleClient(connection) as client:
            answer = client.issue_key(identity_pb2.IssueKeyRequest(name=name, expires=expires))
        try:
            left = f"{answer.token}\n".encode()
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError as err:
            revoke = f"attending user key revoke {shlex.quote(name)} --credential {answer.credential_id}"
            raise CommandError(
                f"the key was made, and its token could not be written ({type(err).__name__}): nobody has it",
                f"revoke that key: {revoke} --reason credential-lost",
            ) from err
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    answer.token = ""
    _answer(answer, as_json, answer.user, f"token written to {out}; somebody else must proof it now")


@key.command(
    "revoke",
    short_help="End one credential for good.",
    epilog=examples("attending user key revoke portal-2 --credential crd_0123... --reason credential-lost"),
)
@click.argument("name")
@click.option("--credential", "credential_id", required=True, help="Id of the credential, from `user show`.")
@reason_option
@as_json_option
@connection_options(OFFICER)
def revoke_key(name: str, credential_id: str, reason: str, as_json: bool, connection: Connection) -> None:
    """End one credential for good; the others stay."""
    with PeopleClient(connection) as client:
        answer = client.revoke_key(name, credential_id, REASONS[reason])
    _answer(answer, as_json, answer.user, "revoked")


def _public_key(text: str | None) -> bytes:
    if text is None:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CommandError(
            "`--signing-public-key` is not base64", "give the line that `attending keys signing` prints"
        ) from None


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _answer(answer: Message, as_json: bool, found: identity_pb2.User, said: str = "") -> None:
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo("\n".join([*([said] if said else []), _line(found), *_more(found)]))


def _line(found: identity_pb2.User) -> str:
    state = identity_pb2.UserState.Name(found.state).removeprefix("USER_STATE_").lower()
    terms = found.in_force if found.HasField("in_force") else found.pending
    source = "configuration" if found.source == identity_pb2.USER_SOURCE_CONFIGURATION else "enrolled"
    marks = [source, *(["demo"] if found.demo else [])]
    if found.HasField("pending"):
        marks.append(f"awaits proof of: {', '.join(found.pending.roles)}")
    return f"{found.name}  {state}  {', '.join(terms.roles)}  version {found.version}  ({'; '.join(marks)})"


def _more(found: identity_pb2.User) -> list[str]:
    lines = []
    if found.display_name:
        lines.append(f"  printed as {found.display_name}")
    for label, terms in (("in force", found.in_force), ("pending", found.pending)):
        if not terms.number:
            continue
        by = f"enrolled by {terms.enrolled_by or 'the configuration'} {_when(terms.enrolled_at)}"
        if terms.proofed_by:
            method = identity_pb2.ProofMethod.Name(terms.method).removeprefix("PROOF_METHOD_").lower()
            by += f", proofed by {terms.proofed_by} {_when(terms.proofed_at)} ({method})"
        lines.append(f"  {label}: {by}")
        for field in ("expires", "licence_expires", "competency_expires"):
            if terms.HasField(field):
                lines.append(f"    {field.replace('_', ' ')} {_when(getattr(terms, field))}")
    for one in found.credentials:
        kind = identity_pb2.CredentialKind.Name(one.kind).removeprefix("CREDENTIAL_KIND_").lower()
        state = "revoked" if one.revoked else "in force" if one.proofed else "awaits proof"
        until = f", expires {_when(one.expires)}" if one.HasField("expires") else ""
        lines.append(f"  {one.credential_id}  {kind} {one.value}  {state}{until}, bound by {one.bound_by}")
    if found.HasField("revoked_at"):
        reason = identity_pb2.RevocationReason.Name(found.revocation_reason)
        reason = reason.removeprefix("REVOCATION_REASON_").lower()
        who = found.revoked_by or "the server"
        lines.append(f"  revoked by {who} {_when(found.revoked_at)} ({reason})")
    return lines


def _when(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")


command = user
