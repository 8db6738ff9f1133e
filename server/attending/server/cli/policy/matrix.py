"""`attending policy matrix`: who may make which call."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import errors_explained
from attending.server.cli.policy.folders import AUTHORIZATION, folder_option, json_option


@click.command(
    "matrix",
    short_help="Print who may do what.",
    epilog=examples("attending policy matrix > docs/access.md", "attending policy matrix --json"),
)
@folder_option
@json_option
def command(policies_path: Path | None, as_json: bool) -> None:
    """Print which role may make which call, and which authorisation policy decides it, as Markdown."""
    from attending.server.auth.authorize import PolicySet
    from attending.server.auth.matrix import markdown, rows
    from attending.server.shipped import package_policies

    folder = (policies_path or package_policies()) / AUTHORIZATION
    with errors_explained(folder):
        policies = PolicySet.load(folder)
    if as_json:
        for row in rows(policies):
            click.echo(json.dumps(row.to_json()))
    else:
        click.echo(markdown(policies), nl=False)
