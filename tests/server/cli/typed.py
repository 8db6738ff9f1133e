"""A command as somebody types it in a folder, without the seconds that a process takes to load."""

from __future__ import annotations

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from attending.server.cli.main import run


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def typed(*arguments: str, cwd: Path) -> Done:
    """What it printed, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run(list(arguments))
    return Done(int(code), out.getvalue(), err.getvalue())
