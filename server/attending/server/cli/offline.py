"""What the commands over files of JSON lines share: their options, progress on a terminal, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attending.guardrails.offline import Progress, Summary

F = TypeVar("F", bound=Callable[..., Any])
_SHOW_EVERY = 8


def file_options(command: F) -> F:
    """Adds --input, --output, --workers, --timeout, --knowledge and --json."""
    options = [
        click.option(
            "--input",
            "in_path",
            type=click.Path(dir_okay=False),
            required=True,
            help="JSON Lines; - for stdin.",
        ),
        click.option(
            "--output",
            "out_path",
            type=click.Path(dir_okay=False),
            required=True,
            help="JSON Lines; - for stdout.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1, 256),
            help="Check processes; by size of the input when left out.",
        ),
        click.option(
            "--timeout",
            "timeout_seconds",
            type=click.FloatRange(0, 600, min_open=True),
            default=30.0,
            show_default=True,
            help="Seconds for one line; a line that takes longer holds.",
        ),
        click.option(
            "--knowledge",
            "knowledge_path",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Folder of a knowledge pack; the package's own when left out.",
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="Print the summary as one JSON object, on stderr."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def different_files(in_path: str, out_path: str) -> None:
    """A usage error when the results would be written over the lines they come from."""
    source, target = Path(in_path), Path(out_path)
    if in_path != "-" and source.exists() and target.exists() and source.samefile(target):
        raise click.UsageError(f"--input and --output are the same file `{out_path}`")


def checked_pack(folder: Path | None) -> None:
    """A usage error when `folder` holds no whole pack: here, where it can be told what is wrong with it."""
    if folder is None:
        return
    from attending.guardrails.knowledge.load import Pack, PackError

    try:
        Pack.read(folder)
    except (PackError, OSError) as err:
        words = str(err) if isinstance(err, PackError) else f"`{folder}` is no knowledge pack"
        raise CommandError(words, "give an unaltered pack with --knowledge", Exit.USAGE) from err


@contextmanager
def errors_explained(policies: Path) -> Iterator[None]:
    """Turns what the engine raises into one line and an exit code."""
    from attending.guardrails.policy.load import PolicyError
    from attending.guardrails.pool import GuardStartError

    try:
        yield
    except PolicyError as err:
        raise CommandError(str(err), f"correct the policy in `{policies}`", Exit.USAGE) from err
    except GuardStartError as err:
        raise CommandError(
            f"the check processes did not start: {err}", "check --policies and --knowledge", Exit.FAILED
        ) from err


def progress(as_json: bool) -> Progress | None:
    """A line count on a terminal's standard error, None elsewhere."""
    if as_json or not sys.stderr.isatty():
        return None

    def show(lines: int, size_bytes: int) -> None:
        if lines % _SHOW_EVERY == 1:
            click.echo(f"\r{lines} lines, {size_bytes // 1024} KiB", nl=False, err=True)

    return show


def finish(summary: Summary, counts: dict[str, int], as_json: bool) -> int:
    """Prints the summary on standard error, so that standard output holds results only; returns the exit code."""
    if as_json:
        click.echo(json.dumps({"lines": summary.lines, "errors": summary.errors, **counts}), err=True)
    else:
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        words = ", ".join(f"{number} {name}" for name, number in counts.items())
        click.echo(f"{clear}{summary.lines} lines: {words}, {summary.errors} bad", err=True)
    return summary.exit_code
