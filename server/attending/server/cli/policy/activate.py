"""`attending policy activate`: a version comes into force by two people, each with a call of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.client import Connection, PolicyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.policy.folders import FOLDER, folder_option
from attending.server.content_hash import digits
from attending.v1 import policy_pb2

if TYPE_CHECKING:
    from attending.server.simulation.replay import Recall

OFFICER = "demo-safety-officer"
LOADING_SECONDS = 120.0
POLL_SECONDS = 0.5


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
@click.option(
    "--recall",
    "against",
    default="90d",
    show_default=True,
    help="Of what period released outputs are judged again once a pack is in force.",
)
@click.option(
    "--worklist",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write those that would not be released now: JSON lines.",
)
@click.option("--json", "as_json", is_flag=True, help="Each answer as JSON.")
@connection_options(OFFICER)
def command(
    name: str | None,
    policies_path: Path | None,
    pack: Path | None,
    everything: bool,
    against: str,
    worklist: Path | None,
    as_json: bool,
    connection: Connection,
) -> int:
    """Ask for a version to be put in force, or approve what another person asked for.

    The version is the one in the folder given here, which must be the one in the server's: so what is approved is what
    was reviewed. The first call asks; the second, by another person who is a safety officer, approves. Who asks may be
    a clinician, pharmacist, safety officer or operator. `attending policy diff` says what a version changes.

    Once a pack is in force, outputs that were released before and would not be now are listed, for recall: those that
    the policy released and would hold or block, and those that were signed and would be blocked.
    """
    if sum((name is not None, pack is not None, everything)) != 1:
        raise CommandError("say what to activate", "give a policy's name, --knowledge or --all", Exit.USAGE)
    waiting = False
    with PolicyClient(connection) as client:
        for before, wanted in _wanted(client, name, policies_path, pack):
            waiting |= _activate(client, before, wanted, as_json)
    if pack is not None and not waiting:
        _recall(pack, policies_path, against, worklist, as_json)
    return Exit.HELD if waiting else Exit.OK


def _recall(
    pack: Path, policies_path: Path | None, against: str, worklist: Path | None, as_json: bool
) -> None:
    """Lists released outputs that would not be released under the pack now in force, where the ledger is at hand."""
    again = f"attending policy simulate --knowledge {pack} --against {against} --worklist recall.jsonl"
    given = click.get_current_context().params
    if given.get("server"):
        click.echo(f"next: on the server's machine, what to recall: {again} --config FILE", err=as_json)
        return
    from attending.server.cli.policy.simulate import simulate
    from attending.server.shipped import package_policies
    from attending.server.simulation.run import Tried

    def show(recall: Recall) -> None:
        if as_json:
            click.echo(json.dumps({"recall": recall.to_json()}))
        else:
            codes = ", ".join(recall.codes)
            click.echo(f"recall or confirm: {recall.inference_id} ({recall.policy}): {recall.now}, {codes}")

    tried = Tried(policies_path or package_policies(), pack, None)
    report = simulate(
        against,
        tried,
        data=given.get("data"),
        config_path=None,
        worklist=worklist,
        as_json=as_json,
        on_recall=show,
    )
    if not as_json:
        click.echo(
            f"{report['outputs']} outputs of {against} judged under this pack: {report['recall']} that were released"
            " would not be released now"
        )


def _wanted(
    client: PolicyClient, name: str | None, policies_path: Path | None, pack: Path | None
) -> list[tuple[policy_pb2.ActivationStanding, bytes]]:
    """(how it stands, hash) of what to activate; the hash is of the reviewed folder, or of the server's for --all."""
    if pack is not None:
        from attending.server.cli.knowledge.pack import tables

        wanted = _bytes(str(tables(pack).hash))
        return [(one, wanted) for one in client.activations().standings if not one.policy]
    if name is not None:
        from attending.server.cli.policy.folders import policy_folders, policy_of
        from attending.server.shipped import package_policies

        [folder] = policy_folders(policies_path or package_policies(), name)
        wanted = _bytes(policy_of(folder).policy.hash)
        return [(one, wanted) for one in client.activations(name).standings]
    found = client.activations().standings
    return [(one, one.in_folder) for one in found if one.in_folder and one.in_folder != one.active]


def _activate(
    client: PolicyClient, before: policy_pb2.ActivationStanding, wanted: bytes, as_json: bool
) -> bool:
    """Whether the second person is still missing."""
    name = before.policy
    said = name or "the drug knowledge"
    answer: policy_pb2.RequestActivationResponse | policy_pb2.ApproveActivationResponse
    approves = before.requested == wanted
    answer = client.approve(name, wanted) if approves else client.request(name, wanted)
    if as_json:
        click.echo(as_json_line(answer))
        if approves:
            _say_loaded(client, answer.standing, as_json)
        return not approves
    where = f"{wanted.hex()[:16]}, entry {answer.receipt.index}"
    if approves:
        click.echo(f"in force: {said}, {where}; asked for by {before.requested_by}")
        _say_loaded(client, answer.standing, as_json)
        return False
    click.echo(f"asked for: {said}, {where}")
    click.echo("next: another person, a safety officer, reads it and runs the same command")
    return True


def _say_loaded(client: PolicyClient, standing: policy_pb2.ActivationStanding, as_json: bool) -> None:
    """Waits while the server loads what was put in force, and says whether it has."""
    name, until = standing.policy, time.monotonic() + LOADING_SECONDS
    if standing.loading:
        click.echo("the server is loading it ...", err=True)
    while standing.loading and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        [standing] = [one for one in client.activations(name).standings if one.policy == name]
    if standing.loaded == standing.active:
        if not as_json:
            click.echo("the server has it loaded and serves it")
        return
    click.echo(
        "next: this server has another version loaded and serves none of it: other tenants are still under the old one,"
        " or it could not be loaded (see the server's log, `policy.reload_failed`); starting it again loads it",
        err=as_json,
    )


def _bytes(content_hash: str) -> bytes:
    return bytes.fromhex(digits(content_hash))
