"""`attending policy test`: the cases that the folders of policies bring, and the counts of their hazard logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import errors_explained
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.policy.folders import AUTHORIZATION, folder_option, json_option

if TYPE_CHECKING:
    from attending.guardrails.policy.cases import CaseResult


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: `differences` is empty where it passed."""

    policy: str
    name: str
    differences: tuple[str, ...]
    caught: tuple[int, int] | None = None
    """(caught, cases) of a hazard."""


@click.command(
    "test",
    short_help="Run the cases of policies.",
    epilog=examples("attending policy test", "attending policy test authorization"),
)
@click.argument("name", required=False)
@folder_option
@json_option
def command(name: str | None, policies_path: Path | None, as_json: bool) -> int:
    """Run the cases of one policy, or of all of them and of the authorisation policies.

    A case asserts the decision, its reasons and how many checks failed. The hazard log's counts are made again: how
    many cases are examples of each hazard, and in how many its rail reported it. Exit code 1 when one does not hold.
    """
    from attending.server.shipped import package_policies

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
            results = []
            for result in run_cases(guard, one):
                results.append(result)
                yield Outcome(result.policy, result.name, result.differences)
            yield from _hazards(guard.policies.loaded(one).folder, results)
    finally:
        guard.close()


def _hazards(folder: Path, results: Sequence[CaseResult]) -> Iterator[Outcome]:
    """The counts of a hazard log, made again; nothing where the folder has none (`lint` says so)."""
    from attending.guardrails.policy.hazards import HAZARDS_FILE, load_hazards, observed

    if not (folder / HAZARDS_FILE).is_file():
        return
    hazards = load_hazards(folder)
    for hazard, (cases, caught) in zip(hazards, observed(hazards, results).values(), strict=True):
        same = (hazard.cases, hazard.caught) == (cases, caught)
        stated = f"{HAZARDS_FILE}:{hazard.line} says {hazard.caught} of {hazard.cases}"
        yield Outcome(
            folder.name,
            f"hazard {hazard.id}: {hazard.hazard}",
            () if same else (f"caught {caught} of {cases}, {stated}",),
            (caught, cases),
        )


def _show(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        row: dict[str, Any] = {
            "policy": outcome.policy,
            "case": outcome.name,
            "passed": not outcome.differences,
            "differences": list(outcome.differences),
        }
        if outcome.caught is not None:
            row |= {"caught": outcome.caught[0], "of": outcome.caught[1]}
        click.echo(json.dumps(row, ensure_ascii=False))
    elif outcome.differences:
        click.echo(f"FAILED {outcome.policy}: {outcome.name}: {'; '.join(outcome.differences)}")
