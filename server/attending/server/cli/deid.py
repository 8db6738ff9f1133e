"""`attending deid`: personal data found and replaced in a file of texts, with no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from attending.guardrails.policy.schema import PhiModeName


@click.command(
    epilog=examples(
        "attending deid --input notes.jsonl --output redacted.jsonl",
        "attending deid --mode baa_minimum --input notes.jsonl --output dated.jsonl --json",
        'echo \'{"id": 1, "text": "Seen by Dr. Vandersloot on 3/14/2024"}\' | attending deid --input - --output -',
    )
)
@file_options
@click.option(
    "--mode",
    type=click.Choice(["safe_harbor", "baa_minimum"]),
    default="safe_harbor",
    show_default=True,
    help="baa_minimum moves the dates of a line by one secret distance, and leaves ages and who is a clinician: "
    "that is still personal data, for a recipient under an agreement.",
)
def deid(
    in_path: str,
    out_path: str,
    workers: int | None,
    timeout_seconds: float,
    knowledge_path: Path | None,
    as_json: bool,
    mode: PhiModeName,
) -> int:
    """Find and replace personal data in each line's text.

    A line is `{"id", "text"}`; each gives `{"id", "spans": [{start, end, type, score}], "redacted"}`, offsets in
    Unicode code points, end exclusive. A line that cannot be read, is too long or takes too long gives an `error` with
    its reason instead, and exit code 1.
    """
    from attending.guardrails.offline import run_deid
    from attending.server.shipped import package_policies

    different_files(in_path, out_path)
    checked_pack(knowledge_path)
    with errors_explained(package_policies()):
        summary = run_deid(
            in_path,
            out_path,
            mode=mode,
            knowledge_path=knowledge_path,
            progress=progress(as_json),
            workers=workers,
            timeout_seconds=timeout_seconds,
        )
    return finish(summary, {"identifiers": summary.spans}, as_json)


command = deid
