"""`attending console`: a way into the review console of an embedded server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import click
from attending.client import Connection
from attending.client.people import PeopleClient
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import identity_pb2

ADMINISTRATOR, OFFICER, OTHER_OFFICER = "demo-operator", "demo-safety-officer", "demo-privacy-officer"


@click.group(
    short_help="Open the review console in a browser.",
    epilog=examples("attending console open", "attending console open --as demo-pharmacist --print"),
)
def console() -> None:
    """The review console of a running embedded server."""


@console.command(
    "open",
    short_help="Sign in by a link that is good once.",
    epilog=examples(
        "attending console open --data attending-data",
        "attending console open --as demo-pharmacist --print",
    ),
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    default=Path("attending-data"),
    show_default=True,
    help="Data folder of a running embedded server.",
)
@click.option("--as", "identity", default="dr-rivera", show_default=True, help="Demo identity to sign in as.")
@click.option("--print", "print_only", is_flag=True, help="Print the link and open no browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the link as one JSON object; open no browser.")
@click.option(
    "--passkey", "another", is_flag=True, help="Bring a code for a passkey, though there is one already."
)
def open_console(data: Path, identity: str, print_only: bool, as_json: bool, another: bool) -> int:
    """Sign in to the console of an embedded server by a link that is good once, for a minute.

    It proves who you are by the identity's token in the data folder. Who has no passkey yet gets the code for one along
    with it: as for everybody it takes two people, here the demo's operator and safety officer, and both are on record.
    A configured server has no such links: there people sign in with a passkey or with their OpenID Connect provider.
    """
    made = sign_in_link(data, identity)
    if codes := passkey_codes(data, identity, another=another):
        made["url"] = "/".join((made["url"], *codes))
    if as_json:
        click.echo(json.dumps(made, sort_keys=True))
        return Exit.OK
    click.echo(f"open within {made['seconds']:.0f} seconds, once, as {made['user']}:")
    click.echo(made["url"])
    if not print_only:
        webbrowser.open(made["url"])
    return Exit.OK


def sign_in_link(data: Path, identity: str) -> dict[str, Any]:
    """{url, seconds, user} of a new link; CommandError when no server runs there or there is no such person."""
    try:
        endpoint = json.loads((data / "endpoint.json").read_text(encoding="utf-8"))
        url, people = endpoint["console_url"], endpoint["identities"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError(
            f"no server runs on `{data}`", "start one with `attending serve`, or give its folder with --data"
        ) from None
    person = people.get(identity)
    if person is None or person["kind"] != "human":
        known = ", ".join(sorted(name for name, one in people.items() if one["kind"] == "human"))
        raise CommandError(f"there is no person `{identity}`", f"give one of {known} with --as", Exit.USAGE)
    if url is None:
        raise CommandError("that server serves no console", "start it again with this version")
    token = (data / person["token"]).read_text(encoding="ascii").strip()
    request = urllib.request.Request(  # noqa: S310 - http to this machine, as the folder says
        f"{url}/sign-in/links",
        data=b"{}",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            made: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as err:
        try:
            reason = str(json.load(err)["reason"])
        except (ValueError, KeyError, TypeError):
            reason = str(err.code)
        raise CommandError(f"the console refused ({reason})", "check --data and --as") from None
    except OSError:
        raise CommandError(
            f"no console answers at `{url}`", "start the server with `attending serve`"
        ) from None
    return made


def passkey_codes(data: Path, identity: str, *, another: bool = False) -> tuple[str, ...]:
    """Both halves of a code with which the person makes a passkey; nothing for one who has a passkey, unless `another`
    is wanted.
    """
    with PeopleClient(Connection.from_folder(data, ADMINISTRATOR)) as administrator:
        if not another:
            credentials = administrator.get(identity).credentials
            passkeys = [one for one in credentials if one.kind == identity_pb2.CREDENTIAL_KIND_PASSKEY]
            if any(not one.revoked for one in passkeys):
                return ()
        issued = administrator.issue_passkey_code(identity)
    officer = OFFICER if identity != OFFICER else OTHER_OFFICER
    with PeopleClient(Connection.from_folder(data, officer)) as proofing:
        confirmed = proofing.confirm_passkey_code(
            identity, issued.invitation_id, identity_pb2.PROOF_METHOD_EMPLOYER_RECORD
        )
    return issued.code, confirmed.code


command = console
