"""How far a long command is: a line on a terminal's standard error, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

_SECONDS: Final = 0.1
_WORDS: Final = {"copy": "copying", "hash": "hashing the file"}


@contextmanager
def shown(as_json: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress function (what, done, of how many), None where nobody looks; the line is cleared at the end."""
    if as_json or not sys.stderr.isatty():
        yield None
        return
    last = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last < _SECONDS:
            return
        last = now
        words = _WORDS.get(what, f"verifying log {what}")
        share = f"{100 * done // total} %" if total else ""
        click.echo(f"\r\x1b[K{words}: {done:,} of {total:,} {share}", nl=False, err=True)

    try:
        yield show
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)
