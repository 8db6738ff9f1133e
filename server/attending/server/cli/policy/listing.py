"""`attending policy list`: the active policies of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import errors_explained
from attending.server.cli.policy.folders import folder_option, json_option


@click.command(
    "list", short_help="List the active policies.", epilog=examples("attending policy list --json")
)
@folder_option
@json_option
def command(policies_path: Path | None, as_json: bool) -> None:
    """List the active policies of a folder with version, audience, mode and content hash."""
    from attending.guardrails.policy.load import PolicySet
    from attending.server.shipped import package_policies

    folder = policies_path or package_policies()
    with errors_explained(folder):
        found = PolicySet.load(folder)
    for name, one in sorted(found.items()):
        row = {
            "name": name,
            "version": str(one.version),
            "audience": str(one.audience),
            "mode": str(one.mode),
            "hash": one.hash,
        }
        if as_json:
            click.echo(json.dumps(row))
        else:
            click.echo(f"{name:<28}{row['version']:<8}{row['audience']:<11}{row['mode']:<9}{one.hash[:23]}")
