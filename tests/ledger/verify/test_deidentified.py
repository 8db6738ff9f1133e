"""What the verifier says of a de-identified document that lies: each case fails at its check, and nothing is quoted."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.canonical import encode
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.note import SignerKey, sign_note
from attending.ledger.verify import deidentified, identifiers
from attending.ledger.verify.__main__ import EXIT_USAGE, main
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.deidentified import (
    BASIS,
    CHECKLIST,
    RECORDS,
    TEXTS,
    Document,
    figures_of,
    is_deidentified,
    parse_record,
    signed_text,
    verify_deidentified,
)
from attending.ledger.verify.identifiers import LETTERS, found, letters_in
from attending.ledger.verify.manifest import CHECKPOINT, MANIFEST, MANIFEST_SIGNATURE, STATISTICS, FileEntry
from attending.ledger.verify.report import Report, Status
from attending.ledger.verify.statistics import EntryStatistics, statistics_json

from tests.ledger.verify.conftest import LogBuilder

Files = dict[str, bytes]


def record(number: int, kind: str = "inference.requested", **body: Any) -> dict[str, Any]:
    return {
        "actor": "app:" + "a2" * 13,
        "body": body,
        "elapsed_us": 0,
        "record": number,
        "stream": "inference:" + "b3" * 13,
        "subject": None,
        "type": kind,
        "year": 2026,
    }


def files_of(log: LogBuilder, records: list[dict[str, Any]], texts: list[str] | None = None) -> Files:
    """The files of an honest document over these records."""
    counted = EntryStatistics()
    for number, one in enumerate(records):
        counted.visit(parse_record(encode(one), log.origin, number))
    letters = [
        {
            "letter": letter,
            "identifier": words,
            "generalised": len(records) if letter == "C" else 0,
            "removed": 0,
            "replaced": 0,
        }
        for letter, words in LETTERS.items()
    ]
    made = {
        RECORDS: b"".join(encode(one) + b"\n" for one in records),
        STATISTICS: statistics_json(figures_of(counted)),
        CHECKLIST: encode(
            {"basis": BASIS, "identifiers": letters, "records": len(records), "texts": len(texts or ())}
        ),
        CHECKPOINT: log.checkpoint().encode(),
    }
    if texts is not None:
        made[TEXTS] = b"".join(
            encode({"kind": "output_final", "record": 0, "text": text}) + b"\n" for text in texts
        )
    return made


def written(
    path: Path,
    log: LogBuilder,
    files: Files,
    *,
    entries: int,
    signer: SignerKey | None = None,
    compression: int = zipfile.ZIP_STORED,
    **changes: Any,
) -> Path:
    """The container, its manifest over the files as they are, and signed."""
    head = parse_checkpoint(log.checkpoint())
    document = Document(
        **{
            "origin": log.origin,
            "year": 2026,
            "tree_size": head.size,
            "root": head.root.hex(),
            "scope": "full",
            "entries": entries,
            "pseudonyms": "ab" * 32,
            "files": {
                name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()
            },
            **changes,
        }
    )
    data = document.encode()
    note = sign_note(signed_text(log.origin, data), [signer or log.signer])
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {**files, MANIFEST: data, MANIFEST_SIGNATURE: note.encode()}.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def log() -> LogBuilder:
    made = LogBuilder()
    made.ordinary_day()
    return made


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return [
        record(0, policy="letters", model="gpt-4o-2024", phi_replaced=3),
        record(
            1, "inference.generated", findings={"count": 1, "by_code": {"dose_high": 1}, "by_severity": {}}
        ),
        record(2, "inference.released", basis="policy"),
    ]


def checks(report: Report) -> set[str]:
    return {item.check for item in report.failures}


def judged(log: LogBuilder, path: Path, **anchors: Any) -> Report:
    return verify_deidentified(path, log.anchors(**anchors))


def test_an_honest_document_verifies_and_says_what_it_does_not_prove(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "d.attending", log, files_of(log, records, ["Take one tablet."]), entries=3)
    report = judged(log, path)
    assert report.verdict is Status.PASSED, report.failures
    assert report.statistics["inferences"]["decisions"]["released_by_policy"] == 1
    assert "asserted by the log's key" in " ".join(report.not_checked.values())
    assert main([str(path), "--key", str(log.vkey), "--deidentified"]) == 0
    said = capsys.readouterr().out
    assert "V21" in said
    assert said.splitlines()[-1].startswith("VERIFIED, a de-identified document, in which no entry")


def test_a_document_is_not_taken_for_a_bundle_by_who_did_not_ask_for_one(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that expects entries to be proved gets neither exit code 0 nor the verdict."""
    path = written(tmp_path / "d.attending", log, files_of(log, records), entries=3)
    words = [str(path), "--key", str(log.vkey), "--json"]
    assert main(words) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["verdict"]) == ("deidentified", "indeterminate")
    assert any("--deidentified" in one["detail"] for one in found["results"])
    assert main([*words, "--deidentified"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["verdict"]) == ("deidentified", "passed")
    bundle = log.full(tmp_path / "bundle.attending")
    assert main([str(bundle), "--key", str(log.vkey), "--deidentified"]) == EXIT_USAGE
    capsys.readouterr()
    assert main([str(bundle), "--key", str(log.vkey), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "bundle"


def test_a_document_that_inflates_is_not_read_and_unpacked_it_is(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(log, records, ["Take one tablet. " * 100_000])
    path = written(tmp_path / "d.attending", log, files, entries=3, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 50_000
    with monkeypatch.context() as patch:
        patch.setattr(deidentified, "letters_in", lambda _text: pytest.fail("it was searched"))
        report = judged(log, path)
    assert (report.verdict, checks(report)) == (Status.FAILED, {"V1"})
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "d")
    assert judged(log, tmp_path / "d").verdict is Status.PASSED


@pytest.mark.parametrize(
    "asked", [["--require-time"], ["--require-freshness"], ["--require-complete"], ["--pinned"]]
)
def test_what_a_document_cannot_show_is_not_passed_over(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, asked: list[str]
) -> None:
    """Each of these is asked of entries, and a document has none: "verified" would say that it holds."""
    path = written(tmp_path / "d.attending", log, files_of(log, records), entries=3)
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(log.checkpoint())
    words = [*asked, str(kept)] if asked == ["--pinned"] else asked
    assert main([str(path), "--key", str(log.vkey), *words]) == EXIT_USAGE


Change = Callable[[Files], None]


def in_text(text: str) -> Change:
    def change(files: Files) -> None:
        files[TEXTS] = encode({"kind": "output_final", "record": 0, "text": text}) + b"\n"

    return change


def edited(name: str, old: bytes, new: bytes) -> Change:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return change


def without_a_record(files: Files) -> None:
    files[RECORDS] = files[RECORDS].partition(b"\n")[2]


def without_a_letter(files: Files) -> None:
    value = json.loads(files[CHECKLIST])
    del value["identifiers"][5]
    files[CHECKLIST] = encode(value)


LIES: list[tuple[str, Change, str]] = [
    ("a date in a record", edited(RECORDS, b'"letters"', b'"2026-03-14"'), "V21"),
    ("a name in a record", edited(RECORDS, b'"letters"', b'"Mr. Smith"'), "V21"),
    ("a pseudonym of the log", edited(RECORDS, b'"letters"', b'"sub_' + b"a2" * 13 + b'"'), "V21"),
    ("a digest", edited(RECORDS, b'"letters"', b'"' + b"0f" * 32 + b'"'), "V21"),
    ("a name of the log for a stream", edited(RECORDS, b"inference:" + b"b3" * 13, b"inf_01"), "V5"),
    ("a field more", edited(RECORDS, b'"record":1', b'"at":1,"record":1'), "V5"),
    ("a number in a text", in_text("Call 312-555-0142."), "V21"),
    ("a record number in a text", in_text("MRN: 4471882"), "V21"),
    ("an age in a text", in_text("a 93-year-old man"), "V21"),
    ("an address in the figures", edited(STATISTICS, b'"letters"', b'"a@example.org"'), "V21"),
    ("a figure", edited(STATISTICS, b'"requested":1', b'"requested":2'), "V20"),
    ("a record left out", without_a_record, "V7"),
    ("a letter left out", without_a_letter, "V20"),
    ("a text more than there is", edited(CHECKLIST, b'"texts":1', b'"texts":2'), "V20"),
    ("dates that did not become years", edited(CHECKLIST, b'"generalised":3', b'"generalised":2'), "V20"),
]


@pytest.mark.parametrize(("change", "check"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_that_its_operator_signs_fails_at_its_check(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, change: Change, check: str
) -> None:
    files = files_of(log, records, ["Take one tablet."])
    change(files)
    report = judged(log, written(tmp_path / "d.attending", log, files, entries=3))
    assert check in checks(report)
    said = " ".join(item.detail for item in report.results)
    for told in ("Smith", "555", "4471882", "2026-03", "example.org"):
        assert told not in said, "a finding quotes the identifier"


@pytest.mark.parametrize("name", [RECORDS, CHECKLIST, STATISTICS, CHECKPOINT, TEXTS])
def test_a_file_that_was_changed_after_it_was_signed_fails_v1(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    path = written(tmp_path / "d.attending", log, files_of(log, records, ["Take one."]), entries=3)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        content = archive.read(name)
    at = data.index(content) + len(content) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert "V1" in checks(judged(log, path))


def test_another_signer_and_another_head_fail(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    files, other = files_of(log, records), LogBuilder(seed=9)
    assert "V1" in checks(
        judged(log, written(tmp_path / "a.attending", log, files, entries=3, signer=other.signer))
    )
    assert "V8" in checks(
        judged(log, written(tmp_path / "b.attending", log, files, entries=3, root="cd" * 32))
    )


def test_without_a_key_or_of_a_later_format_nothing_is_decided(
    log: LogBuilder, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = written(tmp_path / "d.attending", log, files_of(log, records), entries=3)
    assert verify_deidentified(path, Anchors()).verdict is Status.INDETERMINATE
    later = tmp_path / "later.attending"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(later, "w") as out:
        for name in archive.namelist():
            data = archive.read(name)
            out.writestr(
                name, data.replace(b"deidentified/1", b"deidentified/2") if name == MANIFEST else data
            )
    assert is_deidentified(later)
    assert judged(log, later).verdict is Status.INDETERMINATE


@pytest.mark.parametrize("junk", [b"", b"PK\x05\x06" + bytes(18), b"{}", b"x" * 1000])
def test_what_is_no_document_is_none(junk: bytes, log: LogBuilder, tmp_path: Path) -> None:
    path = tmp_path / "junk"
    path.write_bytes(junk)
    assert not is_deidentified(path)
    assert judged(log, path).verdict is Status.FAILED


def test_a_bundle_is_no_document(log: LogBuilder, tmp_path: Path) -> None:
    assert not is_deidentified(log.full(tmp_path / "bundle.attending"))


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Mrs. Okafor", "A"),
        ("14 Elm Street", "B"),
        ("Springfield, IL 62704", "B"),
        ("on March 3", "C"),
        ("3/14/2024", "C"),
        ("aged 94", "C"),
        ("(312) 555-0142", "D"),
        ("fax: 312 555 0143", "E"),
        ("ann@example.org", "F"),
        ("078-05-1120", "G"),
        ("MRN 4471", "H"),
        ("member id: XJ4412", "I"),
        ("account 88123", "J"),
        ("licence no. K1234567", "K"),
        ("VIN 1HGCM82633A004352", "L"),
        ("serial number: SN-99812", "M"),
        ("https://example.org/p/1", "N"),
        ("192.168.10.4", "O"),
        ("fingerprint template", "P"),
        ("face_front.jpg", "Q"),
        ("123e4567-e89b-12d3-a456-426614174000", "R"),
        ("[JUNE 2024]", "C"),
    ],
)
def test_each_identifier_with_a_form_is_seen(text: str, letters: str) -> None:
    assert letters in {letter for _start, _end, letter in found(f"The note says {text} there.")}


def test_of_texts_nothing_is_kept_and_a_long_one_of_any_kind_is_read_to_its_end() -> None:
    before = identifiers._letters_in_word.cache_info().currsize
    for piece in ("a", "1", "1.", "a-", "A ", "(", "[", "1-", ":", "Mr. ", "fax "):
        text = piece * (50_000 // len(piece)) + " ann@example.org"
        assert "F" in letters_in(text), piece
    assert identifiers._letters_in_word.cache_info().currsize == before
    assert letters_in("discharge-plan") == ()


@pytest.mark.parametrize(
    "text",
    [
        "Take 500 mg twice a day for 10 days; it may 5 times out of 100 cause nausea.",
        "BP 120/80, HR 90, potassium 4.5 mmol/L, INR 2-3, 5000 units.",
        "[NAME] of [ZIP 606**], [AGE 90+], seen in [DATE 2026], called [PHONE_2].",
        "openai/gpt-4o-2024",
        "discharge-plan v1.2.3",
    ],
)
def test_what_a_clinical_text_holds_is_not_taken_for_one(text: str) -> None:
    assert list(found(text)) == []
