"""Hostile archives: refused with a reason, within bounds, leaving nothing behind."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.container import MAX_FILES, lines, open_container, read


def _zip(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _read_all(path: Path) -> None:
    container = open_container(path)
    for name in container.names:
        read(container, name, 1 << 30)


def _refused(path: Path) -> str:
    with pytest.raises(VerificationError) as caught:
        _read_all(path)
    assert caught.value.reason == "BUNDLE_CONTAINER"
    return caught.value.detail


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_content_comes_back(tmp_path: Path, method: int) -> None:
    data = os.urandom(200_000) + b"tail"
    container = open_container(_zip(tmp_path / "a", ("manifest.json", data), ("empty", b""), method=method))
    assert container.names == {"manifest.json", "empty"}
    assert read(container, "manifest.json", 1 << 20) == data
    assert read(container, "empty", 0) == b""
    with pytest.raises(VerificationError):
        read(container, "manifest.json", 1000)
    with pytest.raises(VerificationError):
        read(container, "absent", 1000)
    container.close()


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/etc/passwd",
        "a/b",
        "A",
        ".hidden",
        "a\\b",
        "a b",
        "x" * 101,
        "caf\u00e9",
        "folder/",
        "a\nb",
    ],
)
def test_names_are_flat_and_plain(tmp_path: Path, name: str) -> None:
    _refused(_zip(tmp_path / "a", (name, b"x")))


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = _zip(tmp_path / "a", ("entries.jsonl", b"1"), ("entries.jsonl", b"2"))
    assert "one name" in _refused(path)


def test_bomb_is_refused_before_it_inflates(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a", ("entries.jsonl", bytes(50_000_000)), method=zipfile.ZIP_DEFLATED)
    assert "beyond reason" in _refused(path)


@pytest.mark.parametrize("size", [10, 999_999, 1_000_001])
def test_size_in_the_header_is_not_trusted(tmp_path: Path, size: int) -> None:
    path = _zip(tmp_path / "a", ("entries.jsonl", bytes(1_000_000)), method=zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02") + 24
    assert struct.unpack_from("<L", data, at) == (1_000_000,)
    path.write_bytes(data[:at] + struct.pack("<L", size) + data[at + 4 :])
    _refused(path)


def test_local_header_must_agree(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a", ("entries.jsonl", b"x"))
    path.write_bytes(path.read_bytes().replace(b"entries.jsonl", b"entriez.jsonl", 1))
    assert "two names" in _refused(path)


def test_symbolic_link_members_and_too_many_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "regular" in _refused(tmp_path / "a")
    _refused(_zip(tmp_path / "b", *((f"f{number}", b"") for number in range(MAX_FILES + 1))))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + bytes(18)[:10]])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    _refused(tmp_path / "a")


def test_cut_off_archives(tmp_path: Path) -> None:
    whole = _zip(tmp_path / "a", ("entries.jsonl", b"x" * 5000)).read_bytes()
    for size in (10, 3000, len(whole) - 1):
        (tmp_path / "b").write_bytes(whole[:size])
        _refused(tmp_path / "b")


def test_folder_with_links_or_folders_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "checkpoint").symlink_to("/etc/hostname")
    _refused(folder)
    (folder / "checkpoint").unlink()
    (folder / "sub").mkdir()
    _refused(folder)


def test_missing_path_is_not_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_container(tmp_path / "absent")


def test_lines_are_bounded_and_finished() -> None:
    assert list(lines(iter([b"a\nb", b"c\n", b"\n"]), 2)) == [b"a", b"bc", b""]
    for chunks in ([b"abc\n"], [b"ab", b"c"], [b"a"], [b"a\nb"]):
        with pytest.raises(VerificationError):
            list(lines(iter(chunks), 2))
