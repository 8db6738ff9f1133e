"""`attending check`: the server's checks over a file of outputs, with no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import (
    checked_pack,
    different_files,
    errors_explained,
    file_options,
    finish,
    progress,
)
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.offline import Explain
    from attending.guardrails.patient import Judged


@click.command(
    epilog=examples(
        "attending check --policy discharge-plan --input in.jsonl --output out.jsonl",
        "attending check --policy patient-message --input - --output - < in.jsonl",
        "attending check --policy discharge-plan --input in.jsonl --output out.jsonl --explain",
    )
)
@click.option("--policy", required=True, help="Policy by name; `attending policy list` shows them.")
@click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of policies; the package's own when left out.",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Add `understood` to each line: doses, scopes and patient as read; in words, with what each claim rests on, "
    "on stderr without --json.",
)
@file_options
def check(
    policy: str,
    policies_path: Path | None,
    explained: bool,
    in_path: str,
    out_path: str,
    workers: int | None,
    timeout_seconds: float,
    knowledge_path: Path | None,
    as_json: bool,
) -> int:
    """Check each line's output against a policy.

    A line is `{"id", "output", "prompt"?, "context"?, "documents"?}`; each gives one line with verdict,
    mandatory_review, disposition, findings, coverage and citations (what each claim rests on in `documents`). Exit code
    1 when a line could not be read: its line of output holds an `error`, and the others are checked all the same.
    """
    from attending.guardrails.offline import run_check
    from attending.server.shipped import package_policies

    different_files(in_path, out_path)
    checked_pack(knowledge_path)
    policies = policies_path or package_policies()
    try:
        with errors_explained(policies):
            summary = run_check(
                policy,
                in_path,
                out_path,
                policies_path=policies,
                knowledge_path=knowledge_path,
                progress=None if explained else progress(as_json),
                workers=workers,
                timeout_seconds=timeout_seconds,
                explain=_explainer(policy, policies, knowledge_path, as_json) if explained else None,
            )
    except KeyError:
        raise CommandError(
            f"no policy `{policy}` in `{policies}`", "see `attending policy list`", Exit.USAGE
        ) from None
    return finish(summary, dict(summary.dispositions), as_json)


def _explainer(policy: str, policies: Path, knowledge_path: Path | None, as_json: bool) -> Explain:
    from attending.guardrails.knowledge import Knowledge
    from attending.guardrails.policy.load import PolicySet
    from attending.guardrails.understood import in_words, understood

    knowledge = Knowledge.load(knowledge_path)
    audience = PolicySet.load(policies)[policy].audience

    def explain(judged: Judged, result: dict[str, Any]) -> None:
        result["understood"] = understood(judged, knowledge, audience)
        if not as_json:
            lines = in_words(result["understood"], result["findings"], result["citations"])
            click.echo("\n".join((f"{result['id']}: {result['verdict']}", *lines)), err=True)

    return explain


command = check
