"""`attending deid`: personal data found and replaced in a file of texts, with no server."""

from __future__ import annotations

from pathlib import Path

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


@click.command(epilog=examples("attending deid --input notes.jsonl --output redacted.jsonl"))
@file_options
def deid(
    in_path: str,
    out_path: str,
    workers: int | None,
    timeout_seconds: float,
    knowledge_path: Path | None,
    as_json: bool,
) -> int:
    """Find and replace personal data in each line's text.

    A line is `{"id", "text"}`; each gives `{"id", "spans": [{start, end, type, score}], "redacted"}`, offsets in
    Unicode code points, end exclusive.
    """
    from attending.guardrails.offline import run_deid
    from attending.server.app import package_policies

    different_files(in_path, out_path)
    checked_pack(knowledge_path)
    with errors_explained(package_policies()):
        summary = run_deid(
            in_path,
            out_path,
            knowledge_path=knowledge_path,
            progress=progress(as_json),
            workers=workers,
            timeout_seconds=timeout_seconds,
        )
    return finish(summary, {"identifiers": summary.spans}, as_json)


command = deid
