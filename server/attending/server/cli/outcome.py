"""How commands end: exit codes, and errors as one line that says what to do next."""

from __future__ import annotations

import sys
from enum import IntEnum

import click


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    HELD = 2
    """Held or denied: an answer, and not the one hoped for."""
    INDETERMINATE = 3
    USAGE = 4


class CommandError(Exception):
    """Ends a command: `problem` and `next_step` become one line on standard error."""

    def __init__(self, problem: str, next_step: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step
        self.code = code


def report(problem: str, next_step: str) -> None:
    """Prints `error: ...; next: ...` in one line; colour on a terminal only."""
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {_line(problem)}; next: {_line(next_step)}", err=True, color=sys.stderr.isatty())


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
