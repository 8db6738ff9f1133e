"""`attending policy lint`: contradictions and faults, each with its place and what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import Exit
from attending.server.cli.policy.folders import folder_option, json_option, policy_folders


@click.command(
    "lint",
    short_help="Find contradictions and faults in policies.",
    epilog=examples(
        "attending policy lint",
        "attending policy lint discharge-plan --policies draft --json",
        "attending policy lint --strict",
        after="Exit code 1 when there is an error, with --strict also for a warning.",
    ),
)
@click.argument("name", required=False)
@folder_option
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@json_option
def command(name: str | None, policies_path: Path | None, strict: bool, as_json: bool) -> int:
    """Find what is wrong with one policy, or with all of a folder; no rail is run.

    An error is what a server would refuse, or what never does what it says: an unknown key, a row below the floor, a
    safeguard switched off, two rows that decide the same differently, a row that never decides. A warning is for the
    owner: a row milder than the default table, a review overdue, a hazard without a case.
    """
    from attending.guardrails.policy.lint import lint
    from attending.server.shipped import package_policies

    today = datetime.now(UTC).date()
    errors = warnings = 0
    folders = policy_folders(policies_path or package_policies(), name)
    for folder in folders:
        for problem in lint(folder, today=today):
            errors += problem.weight == "error"
            warnings += problem.weight == "warning"
            if as_json:
                click.echo(json.dumps({"policy": folder.name, **problem.to_json()}, ensure_ascii=False))
                continue
            line = f":{problem.line}" if problem.line is not None else ""
            click.echo(f"{folder.name}/{problem.file}{line}: {problem.weight} {problem.reason}")
            at = f"{problem.key}: " if problem.key and problem.key != problem.file else ""
            click.echo(f"    {at}{problem.message}; next: {problem.next_step}")
    if not as_json:
        click.echo(f"{len(folders)} policies: {errors} errors, {warnings} warnings")
    return Exit.FAILED if errors or (strict and warnings) else Exit.OK
