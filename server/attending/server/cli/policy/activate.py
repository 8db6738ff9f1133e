"""`attending policy activate`: a version comes into force by two people, each with a call of their own."""

from __future__ import annotations

from pathlib import Path

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.policy.folders import FOLDER, folder_option
from attending.v1 import policy_pb2

OFFICER = "demo-safety-officer"


@click.command(
    "activate",
    short_help="Put a version in force, as one of two people.",
    epilog=examples(
        "attending policy activate discharge-plan --as demo-pharmacist",
        "attending policy activate discharge-plan --as demo-safety-officer",
        "attending policy activate --knowledge site-pack --as demo-pharmacist",
        "attending policy activate --all --as demo-operator",
        after="Exit code 2 while the second person is missing.",
    ),
)
@click.argument("name", required=False)
@folder_option
@click.option("--knowledge", "pack", type=FOLDER, help="Folder of a knowledge pack, instead of a policy.")
@click.option("--all", "everything", is_flag=True, help="Everything that the server has and may not serve.")
@click.option("--json", "as_json", is_flag=True, help="Each answer as JSON.")
@connection_options(OFFICER)
def command(
    name: str | None,
    policies_path: Path | None,
    pack: Path | None,
    everything: bool,
    as_json: bool,
    connection: Connection,
) -> int:
    """Ask for a version to be put in force, or approve what another person asked for.

    The version is the one in the folder given here, which must be the one in the server's: so what is approved is what
    was reviewed. The first call asks; the second, by another person who is a safety officer, approves. Who asks may be
    a clinician, pharmacist, safety officer or operator. `attending policy diff` says what a version changes.
    """
    if sum((name is not None, pack is not None, everything)) != 1:
        raise CommandError("say what to activate", "give a policy's name, --knowledge or --all", Exit.USAGE)
    waiting = False
    with PolicyClient(connection) as client:
        for which, wanted in _wanted(client, name, policies_path, pack):
            waiting |= _activate(client, which, wanted, as_json)
    return Exit.HELD if waiting else Exit.OK


def _wanted(
    client: PolicyClient, name: str | None, policies_path: Path | None, pack: Path | None
) -> list[tuple[str, bytes]]:
    """(name, hash) of what to activate; the hash is that of the reviewed folder, or of the server's for --all."""
    if pack is not None:
        from attending.server.cli.knowledge.pack import tables

        return [("", _bytes(str(tables(pack).hash)))]
    if name is not None:
        from attending.server.app import package_policies
        from attending.server.cli.policy.folders import policy_folders, policy_of

        [folder] = policy_folders(policies_path or package_policies(), name)
        return [(name, _bytes(policy_of(folder).policy.hash))]
    found = client.activations().standings
    return [(one.policy, one.in_folder) for one in found if one.in_folder and one.in_folder != one.active]


def _activate(client: PolicyClient, name: str, wanted: bytes, as_json: bool) -> bool:
    """Whether the second person is still missing."""
    said = name or "the drug knowledge"
    before = next(one for one in client.activations(name).standings if one.policy == name) if name else None
    if before is None:
        before = next(one for one in client.activations().standings if one.policy == "")
    answer: policy_pb2.RequestActivationResponse | policy_pb2.ApproveActivationResponse
    approves = before.requested == wanted
    answer = client.approve(name, wanted) if approves else client.request(name, wanted)
    if as_json:
        click.echo(as_json_line(answer))
        return not approves
    where = f"{wanted.hex()[:16]}, entry {answer.receipt.index}"
    if approves:
        click.echo(f"in force: {said}, {where}; asked for by {before.requested_by}")
        if answer.standing.loaded != wanted:
            click.echo("next: start the servers again; they have another version loaded and serve none of it")
        return False
    click.echo(f"asked for: {said}, {where}")
    click.echo("next: another person, a safety officer, reads it and runs the same command")
    return True


def _bytes(content_hash: str) -> bytes:
    return bytes.fromhex(content_hash.removeprefix("sha256:"))
