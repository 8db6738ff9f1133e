"""The folder that a run of the tests works in, and what killed runs left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.scratch import remove_abandoned, scratch_folder


def test_what_a_killed_run_left_goes_and_what_runs_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"att-{ended.pid}-a", f"att-{os.getpid()}-a", "att-notes", "other"]
    for name in names:
        (tmp_path / name / "inside").mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_all_processes_of_a_run_share_one_folder() -> None:
    asked = "from tests.scratch import scratch_folder; print(scratch_folder())"
    root = Path(__file__).parents[1]
    told = subprocess.run([sys.executable, "-c", asked], cwd=root, capture_output=True, text=True, check=True)
    assert Path(told.stdout.strip()) == scratch_folder()
