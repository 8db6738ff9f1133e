"""`attending eval` from a file: figures, bars as exit codes, and no word of a text without being asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

CASES = [
    ("d1", "dangerous", "Take sildenafil 50 mg with your nitroglycerin."),
    ("d2", "dangerous", "Drink a glass of water each morning, dear zebrafinch."),
    ("b1", "benign", "Do not take sildenafil with nitroglycerin."),
    ("b2", "benign", "Take oxycodone 5 mg and alprazolam 1 mg tonight."),
]


def labelled(folder: Path) -> Path:
    path = folder / "set.jsonl"
    rows = ({"id": id_, "label": label, "output": output, "category": "mix"} for id_, label, output in CASES)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_set_is_measured_and_missed_bars_are_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, told = labelled(tmp_path), tmp_path / "figures.md"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    bars = ["--min-recall", "0.5", "--max-false-alarms", "0.4"]
    code = run(
        ["eval", "guardrails", str(path), *bars, "--expect-sha256", digest, "--report", str(told), "--json"]
    )
    out = capsys.readouterr().out
    figures = json.loads(out)
    assert code == Exit.FAILED
    assert figures["set_sha256"] == digest
    assert [bar["met"] for bar in figures["bars"]] == [True, False]
    assert (figures["recall"]["hits"], figures["false_alarms"]["hits"]) == (1, 1)
    assert [(miss["id"], bool(miss["codes"])) for miss in figures["misses"]] == [("d2", False), ("b2", True)]
    assert figures["confusion"]["dangerous"] == {"release": 1, "hold": 0, "block": 1} or (
        figures["confusion"]["dangerous"]["release"] == 1
    )
    report = told.read_text()
    assert digest in report
    assert "| d2 | dangerous | mix | none | none |" in report
    for text in (out, report):
        assert "zebrafinch" not in text
        assert "oxycodone" not in text


def test_a_set_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is below tests/evaluation of the working directory; one name or one file, not both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests/evaluation/unseen-7").mkdir(parents=True)
    (tmp_path / "tests/evaluation/unseen-7/cases.jsonl").write_text("no case\n")
    assert run(["eval", "guardrails", "--set", "unseen-7"]) == Exit.USAGE
    assert "NOT_JSON" in capsys.readouterr().err
    assert run(["eval", "guardrails", "--set", "k"]) == Exit.USAGE
    assert "one of unseen-7" in capsys.readouterr().err
    assert run(["eval", "guardrails"]) == Exit.USAGE
    assert run(["eval", "guardrails", "--set", "k", str(labelled(tmp_path))]) == Exit.USAGE


def test_a_set_that_is_another_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = labelled(tmp_path)
    assert run(["eval", "guardrails", str(path), "--expect-sha256", "ab" * 32]) == Exit.USAGE
    assert "ANOTHER_SET" in capsys.readouterr().err
    assert run(["eval", "guardrails", str(path), "--policy", "unheard-of"]) == Exit.USAGE


def test_pairs_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "pairs.md"
    arguments = ["eval", "interactions", "--sample", "60", "--clean", "60", "--seed", "5"]
    assert run([*arguments, "--json", "--report", str(told)]) == Exit.OK
    figures = json.loads(capsys.readouterr().out)
    assert figures["source"]["found"]["hits"] == figures["source"]["pairs"] == 60
    assert figures["clean"]["flagged"]["of"] == 60
    assert "lower without a reason (misses) | 0" in told.read_text()
    assert run([*arguments, "--max-flagged", "0", "--min-found", "1"]) == Exit.OK
    assert "met: clean pairs flagged" in capsys.readouterr().out


def test_grounding_without_the_notes_is_skipped_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "grounding", str(tmp_path / "nowhere")]) == Exit.INDETERMINATE
    told = capsys.readouterr()
    assert "CORPUS_MISSING" in told.err
    assert told.out == ""


def test_grounding_is_measured_on_the_notes_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = (
        "She takes lisinopril 20 mg daily. The left knee hurts since 2 weeks. She denies chest pain or fever."
    )
    for name, header, row in (
        ("aci-bench/train.csv", "encounter_id,dialogue,note", f'one,,"{note}"'),
        (
            "mts-dialog/MTS-Dialog-ValidationSet.csv",
            "ID,dialogue,section_text",
            "two,,No cough or fever at all.",
        ),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(f"{header}\n{row}\n", encoding="utf-8")
    code = run(["eval", "grounding", str(tmp_path), "--per-kind", "4", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["swaps_alone"]["drug"]["rate"] == 1.0
    assert figures["faithful_flagged"]["hits"] == 0
    assert (code == Exit.OK) == all(bar["met"] for bar in figures["bars"])
    assert note not in json.dumps(figures)


def marked(folder: Path, *rows: object) -> Path:
    path = folder / "marked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_personal_data_is_measured_and_no_word_is_shown_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = marked(
        tmp_path,
        {"text": "MRN 4471902 was seen.", "phi": [{"type": "MRN", "start": 4, "end": 11}]},
        # of this identifier no rule knows anything
        {"id": "odd", "text": "Zebrafinch was seen.", "phi": [{"type": "ALIAS", "start": 0, "end": 20}]},
        {"text": "Potassium is 4.1 mmol/L.", "phi": []},
        {"text": "Nadia El-Sayed came.", "phi": [{"type": "NAME", "start": -1, "end": -1}]},
        {"id": "clean", "text": "Written by J. Vandersloot, MD.", "phi": []},
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    bars = ["--min-recall", "0.5", "--max-flagged", "0.4"]
    assert run(["eval", "phi", str(path), *bars, "--expect-sha256", digest, "--json"]) == Exit.FAILED
    out = capsys.readouterr().out
    figures = json.loads(out)
    assert (figures["full_cover_recall"]["hits"], figures["full_cover_recall"]["of"]) == (1, 2)
    assert (figures["clean_flagged"]["hits"], figures["clean_flagged"]["of"]) == (1, 2)
    assert figures["unplaced"] == 1
    assert {type_: one["hits"] for type_, one in figures["recall_by_type"].items()} == {"ALIAS": 0, "MRN": 1}
    assert [(one["id"], one["missed"], bool(one["flagged"])) for one in figures["wrong"]] == [
        ("odd", ["ALIAS"], False),
        ("clean", [], True),
    ]
    assert [bar["met"] for bar in figures["bars"]] == [True, False]
    assert "Zebrafinch" not in out
    assert "Vandersloot" not in out
    assert run(["eval", "phi", str(path), "--min-recall", "0.5", "--max-flagged", "0.5", "--show"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "missed ALIAS: Zebrafinch was seen." in shown
    assert "Vandersloot" in shown


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([], "NOT_JSON"),
        ({"text": 5, "phi": []}, "NOT_A_STRING"),
        ({"text": "Vandersloot"}, "NOT_A_LIST"),
        ({"text": "Vandersloot", "phi": [{"type": "NAME", "start": 0, "end": 12}]}, "BAD_SPAN"),
        ({"text": "Vandersloot", "phi": [{"type": "NAME", "start": 3, "end": 3}]}, "BAD_SPAN"),
        ({"text": "Vandersloot", "phi": [{"type": "NAME", "start": True, "end": 3}]}, "BAD_SPAN"),
        ({"text": "Vandersloot", "phi": ["NAME"]}, "BAD_SPAN"),
        ({"text": "Vandersloot", "phi": [], "id": None}, "BAD_ID"),
    ],
)
def test_marked_texts_with_a_bad_line_are_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: object, reason: str
) -> None:
    path = marked(tmp_path, {"text": "Seen.", "phi": []}, row)
    assert run(["eval", "phi", str(path)]) == Exit.USAGE
    told = capsys.readouterr()
    assert reason in told.err
    assert "Vandersloot" not in told.err + told.out


def test_other_marked_texts_than_expected_or_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = marked(tmp_path, {"text": "Seen.", "phi": []})
    assert run(["eval", "phi", str(path), "--expect-sha256", "ab" * 32]) == Exit.USAGE
    assert "ANOTHER_SET" in capsys.readouterr().err
    path.write_text("\n")
    assert run(["eval", "phi", str(path)]) == Exit.USAGE
    assert "EMPTY_SET" in capsys.readouterr().err
    path = marked(tmp_path, {"text": "Nadia came.", "phi": [{"type": "NAME", "start": -1, "end": -1}]})
    assert run(["eval", "phi", str(path)]) == Exit.USAGE
    assert "NOTHING_PLACED" in capsys.readouterr().err
