"""What the commands that measure share: their options, bars, and a count on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from attending.guardrails.evaluation.report import Bar

json_option = click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
report_option = click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write the figures to this file as Markdown: ids and codes, no texts.",
)
knowledge_option = click.option(
    "--knowledge",
    "knowledge_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a knowledge pack; the package's own when left out.",
)
RATE = click.FloatRange(0, 1)


def bars_json(bars: list[Bar]) -> list[dict[str, object]]:
    """The bars as `--json` prints them."""
    return [{"bar": bar.name, "asked": bar.asked, "met": bar.met} for bar in bars]


def print_bars(bars: list[Bar]) -> None:
    """Each bar with whether it is met."""
    for bar in bars:
        click.echo(f"{'met' if bar.met else 'MISSED'}: {bar.name} {bar.asked}")


def progress_of(noun: str, as_json: bool) -> Callable[[int, int], None] | None:
    """A count on a terminal's standard error, None elsewhere."""
    if as_json or not sys.stderr.isatty():
        return None

    def show(done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            click.echo(f"\r\x1b[K{done} of {of} {noun}" if done < of else "\r\x1b[K", nl=False, err=True)

    return show
