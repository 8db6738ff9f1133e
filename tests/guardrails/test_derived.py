"""What patterns need is the same kept as read anew, and whatever happens to the file costs time only."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from attending.guardrails import derived
from attending.guardrails.derived import Derived
from attending.guardrails.literals import required

PATTERNS = (
    (r"\biv\b", 0, False),
    (r"\biv\b", 0, True),
    (r"\b(?:twice|thrice) (?:a|per) day\b", 2, False),
    (r"(?<![\w.])\d{1,3} ?mg", 0, False),
    ("no matter|", 0, False),
)


@pytest.fixture(autouse=True)
def may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def _ask(needs: Derived) -> None:
    for pattern, flags, windowed in PATTERNS:
        assert needs.required(pattern, flags, windowed=windowed) == required(
            pattern, flags, windowed=windowed
        )


def _kept(path: Path) -> Derived:
    needs = Derived(path)
    _ask(needs)
    needs.keep()
    return needs


def test_what_was_kept_is_not_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _kept(tmp_path / "needs.json").keep() is False, "nothing is new"

    def never(*_: object, **__: object) -> object:
        raise AssertionError("read anew")

    expected = [required(pattern, flags, windowed=windowed) for pattern, flags, windowed in PATTERNS]
    monkeypatch.setattr(derived, "required", never)
    second = Derived(tmp_path / "needs.json")
    assert [second.required(p, f, windowed=w) for p, f, w in PATTERNS] == expected
    assert second.keep() is False


def test_a_file_torn_or_changed_anywhere_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "needs.json"
    _kept(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(content)
            needs = Derived(path)
            _ask(needs)
            assert needs.keep() is True
            assert path.read_bytes() == whole


def test_two_that_write_lose_nothing_that_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "needs.json"
    first, second = Derived(path), Derived(path)
    first.required(r"\bone\b", 0, windowed=False)
    second.required(r"\btwo\b", 0, windowed=False)
    assert first.keep()
    assert second.keep()
    third = Derived(path)
    third.required(r"\bone\b", 0, windowed=False)
    third.required(r"\btwo\b", 0, windowed=False)
    assert third.keep() is False, "both are kept"
    assert [one.name for one in tmp_path.iterdir()] == ["needs.json"]


def test_edited_patterns_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "needs.json"
    monkeypatch.setattr(derived, "_MOST", len(PATTERNS))
    _kept(path)
    later = Derived(path)
    later.required(r"\bnew\b", 0, windowed=False)
    assert later.keep() is True
    assert path.read_text(encoding="utf-8").count('":[') == 1


@pytest.mark.parametrize("hindrance", ["bytecode", "file in the way", "disk full"])
def test_where_nothing_can_be_written_patterns_are_read_anew(
    hindrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "__pycache__"
    if hindrance == "bytecode":
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
    elif hindrance == "file in the way":
        folder.write_text("")
    needs = Derived(folder / "needs.json")
    if hindrance == "disk full":
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full: the kernel is not Linux")
        half = tmp_path / "half"
        half.touch()
        full = os.open("/dev/full", os.O_WRONLY)
        monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (full, str(half)))
    _ask(needs)
    assert needs.keep() is False
    assert not (tmp_path / "half").exists()
    assert not (folder / "needs.json").exists()
    _ask(Derived(folder / "needs.json"))


def test_an_image_keeps_the_needs_of_every_pattern(tmp_path: Path) -> None:
    """As the Dockerfile does it; the next process reads no parse tree of a pattern of the checks."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-m", "attending.guardrails.derived"], check=True, env=environment)
    asked = """
from attending.guardrails import literals
def never(*_, **__): raise AssertionError("read anew")
literals.required = never
import attending.guardrails.checks.run
from attending.guardrails.derived import DERIVED
from attending.guardrails.sieve import every
assert len(every()) > 300 and not DERIVED.keep()
"""
    subprocess.run([sys.executable, "-c", asked], check=True, env=environment)
