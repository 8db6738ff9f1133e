"""`attending check` and `attending deid` as functions over files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.cores import usable_cores
from attending.guardrails.offline import (
    MAX_TEXT_CHARACTERS,
    SMALL_FILE_BYTES,
    LineError,
    _workers,
    parse_check_line,
    run_check,
    run_deid,
)

POLICIES = Path(__file__).resolve().parents[2] / "policies"
KEYS = [
    "id",
    "verdict",
    "mandatory_review",
    "disposition",
    "findings",
    "coverage",
    "citations",
    "knowledge_hash",
    "policy_hash",
    "elapsed_ms",
]
FINDING_KEYS = [
    "rail",
    "code",
    "rule_id",
    "severity",
    "scope",
    "start",
    "end",
    "text",
    "drugs",
    "basis",
    "source",
    "message",
]


def _write(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_check_answers_every_line_in_order_and_loses_none(tmp_path: Path) -> None:
    nitro = {"medications": ["nitroglycerin 0.4 mg as needed"]}
    rows: list[Any] = [
        {"id": "a", "output": "See you on Monday."},
        {"id": 2, "output": "Take sildenafil 50 mg tonight.", "context": nitro, "label": "mine"},
        b"{not json",
        {"id": "c"},
        b"",
        {"id": "d", "output": "Do not take sildenafil with nitroglycerin.", "prompt": "May I?"},
        {"id": "e", "output": "Hello.", "context": {"egfr": "low"}},
        {
            "id": "f",
            "output": "\U0001f600 Use Viagra with nitroglycerin.",
            "documents": [{"id": "k", "text": "x"}],
        },
    ]
    seen: list[int] = []
    summary = run_check(
        "patient-message",
        _write(tmp_path / "in.jsonl", rows),
        tmp_path / "out.jsonl",
        policies_path=POLICIES,
        progress=lambda done, _read: seen.append(done),
        workers=1,
    )
    out = _read(tmp_path / "out.jsonl")
    assert [row["id"] for row in out] == ["a", 2, None, "c", "d", "e", "f"]
    assert [row.get("disposition") for row in out] == ["release", "block", None, None, "hold", None, "block"]
    assert [row["error"]["reason"] for row in out if "error" in row] == [
        "NOT_JSON",
        "MISSING",
        "NOT_A_NUMBER",
    ]
    assert summary.lines == 7
    assert summary.errors == 3
    assert summary.exit_code == 1
    assert summary.dispositions == {"release": 1, "hold": 1, "block": 2}
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    judged = [row for row in out if "error" not in row]
    assert all(list(row) == KEYS for row in judged)
    texts = {row["id"]: row["output"] for row in rows if isinstance(row, dict) and "output" in row}
    for row in judged:
        assert row["elapsed_ms"] > 0
        for finding in row["findings"]:
            assert list(finding) == FINDING_KEYS
            assert texts[row["id"]][finding["start"] : finding["end"]] == finding["text"]


def test_deid_finds_and_redacts_and_passes_nothing_that_it_could_not_read(tmp_path: Path) -> None:
    """Too long, too slow and not text at all are errors of their lines; the others are read all the same."""
    text = "\U0001f600 Maria Alvarez, MRN: 00123987, called from 555-010-4477."
    rows: list[Any] = [
        {"id": "1", "text": text},
        {"id": "2"},
        {"id": "3", "text": ""},
        {"id": "long", "text": "Maria Alvarez " * 80_000},
        {"id": "binary", "text": "\x00\x01\x7f\u0600 Maria Alvarez \x1b"},
        {"id": "hidden", "text": "\u202eMar\u200bia Alva\u200brez\u202c"},
        {"id": "number", "text": 7},
        b"\x89PNG \xff\xfe",
        {"id": "slow", "text": "Zu\n" * 87_000},
    ]
    summary = run_deid(
        _write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", workers=1, timeout_seconds=2.0
    )
    answers = _read(tmp_path / "out.jsonl")
    first, _, third, _, binary, hidden, *_ = answers
    assert list(first) == ["id", "spans", "redacted"]
    covered = {text[span["start"] : span["end"]] for span in first["spans"]}
    assert {"Maria Alvarez", "555-010-4477"} <= covered
    assert "00123987" in " ".join(covered)
    assert all(list(span) == ["start", "end", "type", "score"] for span in first["spans"])
    assert not any(secret in first["redacted"] for secret in ("Alvarez", "00123987", "4477"))
    assert third == {"id": "3", "spans": [], "redacted": ""}
    assert binary["redacted"] == "\x00\x01\x7f\u0600 [NAME] \x1b"
    assert hidden["redacted"] == "\u202e[NAME]\u202c"
    assert [row.get("error", {}).get("reason") for row in answers] == [
        None, "MISSING", None, "TOO_LARGE", None, None, "NOT_A_STRING", "NOT_UTF8", "CHECK_FAILED",
    ]  # fmt: skip
    assert not any("redacted" in row for row in answers if "error" in row)
    assert (summary.lines, summary.errors, summary.exit_code) == (9, 5, 1)
    assert summary.spans == len(first["spans"]) + 2


@pytest.mark.parametrize(
    ("line", "reason", "id_"),
    [
        (b"[]", "NOT_AN_OBJECT", None),
        (b"\xff\xfe", "NOT_UTF8", None),
        (b'{"output": "x"}', "MISSING", None),
        (b'{"id": true, "output": "x"}', "MISSING", None),
        (b'{"id": "1", "output": 5}', "NOT_A_STRING", "1"),
        (b'{"id": "1", "output": "x", "prompt": []}', "NOT_A_STRING", "1"),
        (b'{"id": "1", "output": "x", "output": "y"}', "DUPLICATE_KEY", "1"),
        (b'{"id": "1", "output": "x", "documets": []}', "UNKNOWN_FIELD", "1"),
        (b'{"id": "1", "output": "x", "context": {"alergies": []}}', "UNKNOWN_FIELD", "1"),
        (b'{"id": "1", "output": "\\ud800"}', "NOT_UNICODE", "1"),
        (b'{"id": "1", "output": "x", "context": {"egfr": NaN}}', "NOT_A_NUMBER", None),
        (b'{"id": "1", "output": "x", "documents": [{"id": "d"}]}', "MISSING", "1"),
        (b"[" * 100_000, "NOT_JSON", None),
    ],
)
def test_a_bad_line_says_what_is_wrong(line: bytes, reason: str, id_: object) -> None:
    with pytest.raises(LineError) as caught:
        parse_check_line(line)
    assert (caught.value.reason, caught.value.id) == (reason, id_)


def test_a_text_beyond_the_limit_is_refused() -> None:
    line = json.dumps({"id": "1", "output": "x" * (MAX_TEXT_CHARACTERS + 1)}).encode()
    with pytest.raises(LineError) as caught:
        parse_check_line(line)
    assert caught.value.reason == "TOO_LARGE"


def test_a_large_input_and_a_pipe_get_a_process_for_each_core(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"x" * (SMALL_FILE_BYTES - 1))
    assert _workers(None, path) == 1
    path.write_bytes(b"x" * SMALL_FILE_BYTES)
    assert _workers(None, path) == _workers(None, "-") == usable_cores()
    assert _workers(3, path) == 3


def test_numbers_keep_their_decimal_text() -> None:
    _id, judged = parse_check_line(b'{"id": 1, "output": "x", "context": {"weight_kg": 12.10}}')
    assert str(judged.context.weight_kg) == "12.10"


def test_input_and_output_are_different_files(tmp_path: Path) -> None:
    path = _write(tmp_path / "in.jsonl", [{"id": "1", "text": "x"}])
    with pytest.raises(OSError, match="same file"):
        run_deid(path, path, workers=1)
    assert path.read_bytes() == b'{"id": "1", "text": "x"}\n'


def test_an_unknown_policy_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = _write(tmp_path / "in.jsonl", [{"id": "1", "output": "x"}])
    with pytest.raises(KeyError):
        run_check("no-such-policy", path, tmp_path / "out.jsonl", policies_path=POLICIES)
    assert not (tmp_path / "out.jsonl").exists()
