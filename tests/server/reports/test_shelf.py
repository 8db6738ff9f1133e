"""The bound on the files of reports, counted while others take theirs away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attending.server.errors import FailedPrecondition
from attending.server.reports import shelf
from attending.server.reports.shelf import Shelf


def folder_of(tmp_path: Path, *reports: str) -> Path:
    folder = tmp_path / "tenant"
    for name in reports:
        (folder / name).mkdir(parents=True)
        (folder / name / "bundle").write_bytes(b"12345")
    return folder


def test_a_report_that_is_discarded_while_files_are_counted_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, "one", "two", "three")
    real = shelf._size

    def after_a_discard(path: Path) -> int:
        for other in folder.iterdir():
            if other != path.parent:
                shutil.rmtree(other)
        return real(path)

    monkeypatch.setattr(shelf, "_size", after_a_discard)
    with pytest.raises(FailedPrecondition, match="REPORT_FILES_FULL"):
        Shelf(folder, 5).make_room([], ["bundle"])
    folder_of(tmp_path, *({"one", "two", "three"} - {one.name for one in folder.iterdir()}))
    Shelf(folder, 6).make_room([], ["bundle"])


def test_what_is_no_folder_of_a_report_and_a_tenant_without_any_take_nothing(tmp_path: Path) -> None:
    Shelf(tmp_path / "nobody", 1).make_room([], ["bundle"])
    folder = folder_of(tmp_path, "one")
    (folder / "stray").write_bytes(b"1" * 100)
    Shelf(folder, 6).make_room([], ["bundle"])
    with pytest.raises(FailedPrecondition, match="REPORT_FILES_FULL"):
        Shelf(folder, 5).make_room([], ["bundle"])


def test_room_is_made_of_the_oldest_that_is_settled(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "one", "two")
    Shelf(folder, 6).make_room(["one"], ["bundle"])
    assert [path.parent.name for path in folder.glob("*/*")] == ["two"]
