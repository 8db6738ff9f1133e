"""The fuzz targets over their seeds, over what once failed, and over a few hundred changes made here.

`make fuzz` looks for more (`test_fuzz.py`); this keeps what it found, and keeps the targets themselves working.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

REGRESSIONS = Path(__file__).parent / "regressions"
CASES = sorted(path for path in REGRESSIONS.glob("*/*"))
CHANGES = 200


def test_every_case_belongs_to_a_target() -> None:
    assert {path.parent.name for path in CASES} <= set(TARGETS)
    assert len(CASES) >= 7


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_failed(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_changes_of_them(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    assert seeds
    assert all(len(seed) <= target.max_bytes for seed in seeds)
    for seed in seeds:
        target.run(seed)
    chance = random.Random(name)
    for _ in range(CHANGES):
        data = bytearray(chance.choice(seeds))
        if target.json and chance.random() < 0.7:
            data = bytearray(mutate(bytes(data), chance))
        else:
            for _ in range(chance.randint(1, 3)):
                place = chance.randrange(len(data) + 1)
                data[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
        target.run(bytes(data))
