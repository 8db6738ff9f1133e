"""Faults in the system calls of a real writer: errors, short writes, kills, and power cuts, one at every call.

Needs gcc (scripts/debian-packages.sh); run by `make test-faults`. The writer runs under `shim.c`; afterwards a clean
process opens what is left and compares it with what the writer was told, see `check_folders.py`.
`ATTENDING_FAULT_STRIDE` takes every n-th call of a sweep (default 6; 1 takes all of them).
"""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.faults.power_cut import Call, Disk, read_log

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
STRIDE = int(os.environ.get("ATTENDING_FAULT_STRIDE", "6"))
ANY, WRITE, SYNC, TRUNCATE, OPEN, NAME = range(6)
NOTHING, FAIL, SHORT, KILL_BEFORE, KILL_AFTER = range(5)
CALLS = {"any": ANY, "write": WRITE, "sync": SYNC, "truncate": TRUNCATE, "open": OPEN, "name": NAME}
FEWEST = {"any": 400, "write": 250, "sync": 50, "truncate": 5, "open": 15, "name": 25}
"""A run has at least this many calls of each class: fewer, and the shim does not see them any more."""


@dataclass(frozen=True)
class Fault:
    """The `first`-th call of a class, and `times - 1` after it, do `action`."""

    group: int
    first: int
    action: int
    number: int = 0
    times: int = 1
    size: int = 0

    def to_json(self) -> dict[str, int]:
        return {
            "class": self.group,
            "first": self.first,
            "times": self.times,
            "action": self.action,
            "errno": self.number,
            "bytes": self.size,
        }


NO_FAULT = Fault(ANY, 1 << 40, NOTHING)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim."""
    target = tmp_path_factory.mktemp("shim") / "shim.so"
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(target)]
    subprocess.run([*command, str(HERE / "shim.c"), "-ldl", "-lpthread"], check=True, timeout=60)
    return target


class Bench:
    """Runs writers under the shim and checks what they leave."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self._shim = shim
        self._folder = folder
        self._root = folder / "disk"
        self._root.mkdir()
        self.cases: list[dict[str, Any]] = []

    def case(self, fault: Fault, *, log: bool = False, again: bool = False, unsafe: bool = False) -> int:
        """Adds a case and gives its number; `again` goes on in the folder of the case before."""
        number = len(self.cases) - 1 if again else len(self.cases)
        home = self._root / str(number)
        home.mkdir(exist_ok=True)
        notes = self._folder / str(number)
        self.cases.append(
            {
                "folder": str(home / "ledger"),
                "acks": f"{notes}.acks",
                "result": f"{self._folder / str(len(self.cases))}.result",
                "log": f"{notes}.log" if log else None,
                "fault": fault.to_json(),
                "unsafe": unsafe,
            }
        )
        return len(self.cases) - 1

    def run(self) -> list[dict[str, Any] | None]:
        """The result of each case; None for one that was killed."""
        cases = self._folder / "cases.json"
        cases.write_text(json.dumps(self.cases), encoding="utf-8")
        environment = os.environ | {"LD_PRELOAD": str(self._shim), "FAULT_FOLDER": str(self._root)}
        subprocess.run(
            [sys.executable, str(HERE / "syscall_writer.py"), str(cases)],
            env=environment,
            check=True,
            timeout=600,
            stderr=subprocess.DEVNULL,
        )
        results = [Path(case["result"]) for case in self.cases]
        return [json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in results]

    def log(self, number: int) -> list[Call]:
        return read_log(Path(self.cases[number]["log"]))

    def home(self, number: int) -> Path:
        return Path(self.cases[number]["folder"]).parent


def problems_of(cases: list[dict[str, Any]], folder: Path) -> list[str | None]:
    """What a clean process finds wrong with each of {folder, acks}."""
    path = folder / "checks.json"
    path.write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(HERE / "check_folders.py"), str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    found: list[str | None] = json.loads(done.stdout)
    return found


class Images:
    """What a disk may hold after a power cut, beside what had been acknowledged until then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cases: list[dict[str, Any]] = []
        self.names: list[str] = []

    def take(self, disk: Disk, mode: str, name: str, seed: int) -> None:
        number = len(self.cases)
        image = self._folder / f"image-{number}"
        disk.write_image(image, mode, random.Random(seed))
        acks = self._folder / f"image-{number}.acks"
        acks.write_text("".join(json.dumps(mark) + "\n" for mark in disk.marks), encoding="utf-8")
        self.cases.append({"folder": str(image / "ledger"), "acks": str(acks)})
        self.names.append(f"{name}, {mode}, {len(disk.marks)} acknowledged")

    def problems(self) -> list[str]:
        found = zip(self.names, problems_of(self.cases, self._folder), strict=True)
        return [f"{name}: {problem}" for name, problem in found if problem is not None]


@pytest.fixture
def bench(shim: Path, tmp_path: Path) -> Bench:
    return Bench(shim, tmp_path)


@pytest.fixture(scope="session")
def counts(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many calls of each class a run without a fault makes."""
    bench = Bench(shim, tmp_path_factory.mktemp("counts"))
    for group in CALLS.values():
        bench.case(Fault(group, 1 << 40, NOTHING))
    found = {}
    for name, result in zip(CALLS, bench.run(), strict=True):
        assert result is not None
        assert (result["status"], result["fired"], result["refused"]) == (0, 0, 0), result["error"]
        found[name] = result["counted"]
    assert all(found[name] >= fewest for name, fewest in FEWEST.items()), found
    return found


def every(count: int, offset: int = 0) -> Iterator[int]:
    """Every STRIDE-th number of 1 to `count`."""
    return iter(range(1 + offset % STRIDE, count + 1, STRIDE))


SWEEPS = {
    "an error of the disk": ("any", FAIL, errno.EIO, 1, 0),
    "a disk that is full for three calls": ("any", FAIL, errno.ENOSPC, 3, 0),
    "a disk that is full for twelve writes": ("write", FAIL, errno.ENOSPC, 12, 0),
    "a sync that fails": ("sync", FAIL, errno.EIO, 1, 0),
    "a short write of 100 bytes": ("write", SHORT, 0, 1, 100),
    "a short write of nothing": ("write", SHORT, 0, 1, 0),
    "killed before the call": ("any", KILL_BEFORE, 0, 1, 0),
    "killed after the call": ("any", KILL_AFTER, 0, 1, 0),
    "killed before a sync": ("sync", KILL_BEFORE, 0, 1, 0),
    "killed after a sync": ("sync", KILL_AFTER, 0, 1, 0),
    "killed after a name": ("name", KILL_AFTER, 0, 1, 0),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_fault_at_every_call(bench: Bench, counts: dict[str, int], tmp_path: Path, name: str) -> None:
    group, action, number, times, size = SWEEPS[name]
    count = counts[group]
    # Of the rarer calls every one is taken.
    places: Iterable[int] = range(1, count + 1) if count < 100 else every(count, offset=len(name))
    for first in places:
        bench.case(Fault(CALLS[group], first, action, number, times, size))
    results = bench.run()
    met = 0
    for case, result in zip(bench.cases, results, strict=True):
        if action in {KILL_BEFORE, KILL_AFTER}:
            met += result is None
            continue
        assert result is not None, f"the writer died: {case['fault']}"
        met += result["fired"] > 0
        # While the fault lasted it said so; when it was gone it went on to the end.
        assert result["status"] == 0, f"{case['fault']}: {result['error']}"
    # The number of calls differs by a few from run to run (which thread comes first).
    assert met >= 0.9 * len(bench.cases)
    found = zip(bench.cases, problems_of(bench.cases, tmp_path), strict=True)
    assert [f"{case['fault']}: {problem}" for case, problem in found if problem] == []


@pytest.mark.parametrize("mode", ["dropped", "torn", "reordered", "kept"])
def test_a_power_cut_at_every_call_loses_nothing_that_was_acknowledged(
    bench: Bench, tmp_path: Path, mode: str
) -> None:
    number = bench.case(NO_FAULT, log=True)
    (result,) = bench.run()
    assert result is not None
    assert result["status"] == 0, result["error"]
    disk, images = Disk(bench.home(number)), Images(tmp_path)
    for place, call in enumerate(bench.log(number)):
        disk.play(call)
        # After each acknowledgement, and at every STRIDE-th call.
        if call.kind == "M" or place % STRIDE == 0:
            images.take(disk, mode, f"after call {place} ({call.kind} {Path(call.path).name})", place)
    assert len(disk.marks) >= 12
    assert images.problems() == []


def test_a_power_cut_after_a_kill_loses_nothing_that_was_acknowledged(
    bench: Bench, counts: dict[str, int], tmp_path: Path
) -> None:
    """A first process is killed after it named a file and before the name was durable; a second one goes on."""
    second = []
    for first in range(1, counts["name"] + 1):
        bench.case(Fault(NAME, first, KILL_AFTER), log=True)
        second.append(bench.case(NO_FAULT, log=True, again=True))
    results = bench.run()
    images = Images(tmp_path)
    for number in second:
        result = results[number]
        assert result is not None
        assert result["status"] == 0, result["error"]
        disk = Disk(bench.home(number))
        for call in bench.log(number):
            disk.play(call)
            if call.kind == "M" and len(disk.marks) % 3 == 0:
                images.take(disk, "dropped", f"killed after name {number // 2 + 1}", number)
        images.take(disk, "dropped", f"killed after name {number // 2 + 1}, at the end", number)
    assert images.problems() == []


def test_a_power_cut_after_a_sync_that_failed_loses_nothing_that_was_acknowledged(
    bench: Bench, counts: dict[str, int], tmp_path: Path
) -> None:
    """What a failed sync was to write stays lost, also for later syncs that succeed, as on Linux."""
    for first in range(1, counts["sync"] + 1):
        bench.case(Fault(SYNC, first, FAIL, errno.EIO), log=True)
    images, lost = Images(tmp_path), 0
    for number, result in enumerate(bench.run()):
        assert result is not None
        assert result["status"] == 0, result["error"]
        disk = Disk(bench.home(number))
        for call in bench.log(number):
            disk.play(call)
            lost += call.kind == "X"
            if call.kind == "M" and len(disk.marks) % 3 == 0:
                images.take(disk, "dropped", f"sync {number + 1} failed", number)
        images.take(disk, "dropped", f"sync {number + 1} failed, at the end", number)
    assert lost >= 0.9 * counts["sync"]
    assert images.problems() == []


def test_a_store_that_does_not_sync_is_found_out(bench: Bench, tmp_path: Path) -> None:
    """The tests above can fail: with commits that are not synced they do."""
    number = bench.case(NO_FAULT, log=True, unsafe=True)
    bench.run()
    disk, images = Disk(bench.home(number)), Images(tmp_path)
    for place, call in enumerate(bench.log(number)):
        disk.play(call)
        if call.kind == "M":
            images.take(disk, "dropped", f"after call {place}", place)
    assert len(images.problems()) >= 3
