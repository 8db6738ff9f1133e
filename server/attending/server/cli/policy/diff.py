"""`attending policy diff`: what a new version changes, in words its owner can sign."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.policy.folders import FOLDER, json_option, policy_of

_HEADINGS: Final = {
    "milder": "gets milder (make sure that the hazard log says why this is safe):",
    "stricter": "gets stricter:",
    "other": "changes otherwise:",
}


@click.command(
    "diff",
    short_help="Say what gets stricter and what milder between two versions.",
    epilog=examples(
        "attending policy diff policies/patient-message draft/patient-message",
        "attending policy diff old/patient-message new/patient-message --json",
    ),
)
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@json_option
def command(before: Path, after: Path, as_json: bool) -> None:
    """Compare the policy in the folder BEFORE with the one in AFTER by what they decide, not by how they are written.

    Rows that are only moved or split are no change. What gets milder comes first.
    """
    from attending.guardrails.policy.diff import diff

    old, new = policy_of(before), policy_of(after)
    changes = diff(old, new)
    if as_json:
        for change in changes:
            click.echo(json.dumps(change.to_json(), ensure_ascii=False))
        return
    was, now = old.policy, new.policy
    click.echo(
        f"{was.name} version {was.version} ({was.hash[:23]}) -> version {now.version} ({now.hash[:23]})"
    )
    for direction, group in groupby(changes, key=lambda change: change.direction):
        click.echo(_HEADINGS[direction])
        for change in group:
            click.echo(f"  {change.words}")
    if not changes:
        click.echo(
            "nothing changes in what is decided" + ("" if was.hash != now.hash else ": the same files")
        )
    elif was.version == now.version:
        click.echo("next: raise `version` in policy.yaml, so that people can tell the two apart")
