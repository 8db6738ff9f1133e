"""`attending policy`: list policies, run the cases that their folders bring, and print who may do what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import errors_explained
from attending.server.cli.outcome import CommandError, Exit

AUTHORIZATION = "authorization"

_FOLDER = click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of policies; the package's own when left out.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: `differences` is empty where it passed."""

    policy: str
    name: str
    differences: tuple[str, ...]


@click.group(epilog=examples("attending policy test discharge-plan"))
def policy() -> None:
    """List and test policies, and print who may do what."""


@policy.command(
    "list", short_help="List the active policies.", epilog=examples("attending policy list --json")
)
@_FOLDER
@_JSON
def list_policies(policies_path: Path | None, as_json: bool) -> None:
    """List the active policies with version, audience, mode and content hash."""
    from attending.guardrails.policy.load import PolicySet
    from attending.server.app import package_policies

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
            click.echo(f"{name:<24}{row['version']:<10}{row['audience']:<11}{row['mode']:<9}{one.hash[:23]}")


@policy.command(
    short_help="Run the cases of policies.",
    epilog=examples("attending policy test", "attending policy test authorization"),
)
@click.argument("name", required=False)
@_FOLDER
@_JSON
def test(name: str | None, policies_path: Path | None, as_json: bool) -> int:
    """Run the cases of one policy, or of all of them and of the authorisation policies.

    A case asserts the decision, its reasons and how many checks failed. Exit code 1 when one does not hold.
    """
    from attending.server.app import package_policies

    folder = policies_path or package_policies()
    total = failed = 0
    with errors_explained(folder):
        for outcome in _outcomes(folder, name):
            total += 1
            failed += bool(outcome.differences)
            _show(outcome, as_json)
    if total == 0:
        raise CommandError(
            f"no cases in `{folder}`", "add a `cases.jsonl` to the policy's folder", Exit.USAGE
        )
    if not as_json:
        click.echo(f"{total - failed} of {total} cases hold")
    return Exit.FAILED if failed else Exit.OK


@policy.command(
    short_help="Print who may do what.",
    epilog=examples("attending policy matrix > docs/access.md", "attending policy matrix --json"),
)
@_FOLDER
@_JSON
def matrix(policies_path: Path | None, as_json: bool) -> None:
    """Print which role may make which call, and which authorisation policy decides it, as Markdown."""
    from attending.server.app import package_policies
    from attending.server.auth.authorize import PolicySet
    from attending.server.auth.matrix import markdown, rows

    folder = (policies_path or package_policies()) / AUTHORIZATION
    with errors_explained(folder):
        policies = PolicySet.load(folder)
    if as_json:
        for row in rows(policies):
            click.echo(json.dumps(row.to_json()))
    else:
        click.echo(markdown(policies), nl=False)


def _outcomes(folder: Path, name: str | None) -> Iterator[Outcome]:
    authorization = folder / AUTHORIZATION
    if name in (None, AUTHORIZATION) and authorization.is_dir():
        from attending.server.auth.cases import run_cases as run_authorization_cases

        for case in run_authorization_cases(authorization):
            different = () if case.passed else (f"{case.actual}, expected {case.expected}",)
            yield Outcome(AUTHORIZATION, case.name, different)
    if name == AUTHORIZATION:
        return
    from attending.guardrails.guard import Guard
    from attending.guardrails.policy.cases import run_cases

    guard = Guard.load(folder, include_drafts=True)
    try:
        if name is not None and name not in guard.policies:
            raise CommandError(f"no policy `{name}` in `{folder}`", "see `attending policy list`", Exit.USAGE)
        for one in [name] if name is not None else sorted(guard.policies):
            for result in run_cases(guard, one):
                yield Outcome(result.policy, result.name, result.differences)
    finally:
        guard.close()


def _show(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        row = {
            "policy": outcome.policy,
            "case": outcome.name,
            "passed": not outcome.differences,
            "differences": list(outcome.differences),
        }
        click.echo(json.dumps(row, ensure_ascii=False))
    elif outcome.differences:
        click.echo(f"FAILED {outcome.policy}: {outcome.name}: {'; '.join(outcome.differences)}")


command = policy
