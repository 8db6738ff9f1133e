"""Fuzzing for a bounded time, one libFuzzer process a target; run by `make fuzz`.

`FUZZ_SECONDS` is the time of each (default 20), `FUZZ_PYTHON` the interpreter with requirements/fuzz.lock installed.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(3600)]

HERE = Path(__file__).parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
PYTHON = os.environ.get("FUZZ_PYTHON", str(HERE.parents[1] / ".venv-fuzz/bin/python"))


@pytest.mark.parametrize("name", TARGETS)
def test_fuzz(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, str(HERE / "run.py"), name, "--seconds", str(SECONDS), "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 300,
        check=False,
    )
    findings = sorted(
        path for path in tmp_path.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))
    )
    assert done.returncode == 0, f"{[str(path) for path in findings]}\n{done.stderr[-4000:]}"
    units = re.search(r"number_of_executed_units:\s*([0-9]+)", done.stderr)
    assert units is not None, done.stderr[-2000:]
    assert int(units[1]) > len(list(TARGETS[name].seeds())), "nothing but the seeds was tried"
    print(f"{name}: {units[1]} inputs in {SECONDS} s")
