"""Processors that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attending.guardrails.cores import usable_cores


@pytest.mark.parametrize(
    ("quota", "most"),
    [("50000 100000", 1), ("150000 100000", 2), ("max 100000", 10_000), ("nonsense", 10_000)],
)
def test_a_container_quota_bounds_the_cores(tmp_path: Path, quota: str, most: int) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(quota, encoding="ascii")
    assert usable_cores(path) == min(len(os.sched_getaffinity(0)), most)


def test_without_a_quota_the_cpu_set_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none") == len(os.sched_getaffinity(0))
