"""Bundles: honest ones verify in every scope; each negative case fails where it must and names the record."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import encode
from attending.ledger.merkle import inclusion_proof
from attending.ledger.note import COSIGNATURE, VerifierKey
from attending.ledger.verify import Anchors, Disclosed, Erased, Report, Status, verify_bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
shared_fixtures = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def status(report: Report, check: str) -> set[Status]:
    return {item.status for item in report.results if item.check == check and not item.advisory}


def lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def on_line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        items = lines(data)
        items[number] = change(items[number])
        return b"".join(item + b"\n" for item in items)

    return apply


def in_field(name: str) -> Callable[[bytes], bytes]:
    """Changes one byte of an entry inside the value of a field, keeping form and schema."""

    def apply(data: bytes) -> bytes:
        start = data.index(f'"{name}":'.encode()) + len(name) + 3
        position = start + (1 if data[start : start + 1] == b'"' else 0)
        position += 24 if name in ("time", "occurred_at") else 0
        old = data[position : position + 1]
        new = (b"2" if old == b"1" else b"1") if old.isdigit() else (b"b" if old == b"a" else b"a")
        return data[:position] + new + data[position + 1 :]

    return apply


# -- honest bundles
# ----------------------------------------------------------------------------------------------


def test_full_bundle_verifies(day: LogBuilder, tmp_path: Path) -> None:
    report = day.verify(day.full(tmp_path / "a.attending"))
    assert report.verdict is Status.PASSED
    assert report.statistics["entries"] == len(day.entries)
    passed = {item.check for item in report.results if item.status is Status.PASSED}
    assert passed == {"V1", "V5", "V6", "V7", "V8", "V11", "V12", "V13", "V14", "V16", "V17", "V20"}


def test_unpacked_bundle_verifies(day: LogBuilder, tmp_path: Path) -> None:
    with zipfile.ZipFile(day.full(tmp_path / "a.attending")) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert day.verify(tmp_path / "unpacked").verdict is Status.PASSED


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_repacked_bundle_verifies(day: LogBuilder, tmp_path: Path, method: int) -> None:
    with (
        zipfile.ZipFile(day.full(tmp_path / "a.attending")) as source,
        zipfile.ZipFile(tmp_path / "b.attending", "w", method) as target,
    ):
        for name in reversed(source.namelist()):
            target.writestr(name, source.read(name))
    assert day.verify(tmp_path / "b.attending").verdict is Status.PASSED


def test_empty_log_verifies(log: LogBuilder, tmp_path: Path) -> None:
    assert log.verify(log.full(tmp_path / "a.attending")).verdict is Status.PASSED


def test_every_range_leads_to_the_root(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    size = len(day.entries)
    for begin in range(0, size + 1, 3):
        for end in range(begin, size + 1, 5):
            for head in {end, size}:
                report = day.verify(day.range(tmp_path / "r.attending", begin, end, size=head))
                assert failed(report) == {}, (begin, end, head)
                assert status(report, "V6") == {Status.PASSED}


def test_range_needs_context_for_keys_enrolled_before(
    day: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    path, size = tmp_path / "r.attending", len(day.entries)
    bare = day.verify(day.range(path, 5, size))
    assert bare.verdict is Status.INDETERMINATE
    assert status(bare, "V12") == status(bare, "V16") == {Status.INDETERMINATE}
    context = [(day.entries[index], inclusion_proof(index, size, day.node)) for index in (1, 2, 3)]
    assert day.verify(day.range(path, 5, size, context=context)).verdict is Status.PASSED
    moved = [(day.entries[1], context[1][1]), *context[1:]]
    assert failed(day.verify(day.range(path, 5, size, context=moved))) == {"V6": {1}}
    inside = [(day.entries[7], inclusion_proof(7, size, day.node))]
    assert failed(day.verify(day.range(path, 5, size, context=inside)))["V7"] == {7}


def test_subset_proves_inclusion_not_completeness(day: LogBuilder, tmp_path: Path) -> None:
    report = day.verify(day.subset(tmp_path / "s.attending", [2, 3, 4, 10]))
    assert report.verdict is Status.PASSED
    assert any("completeness is not proved" in item.detail for item in report.results if item.check == "V7")


@pytest.mark.parametrize("count", [99, 100, 101, 150])
def test_a_flood_of_what_does_not_count_does_not_come_to_count(
    log: LogBuilder, tmp_path: Path, failed: Failed, count: int
) -> None:
    """Of releases by policy a subset does not show that they were not held before, be they few or many."""
    indices = []
    for number in range(count):
        stream = f"inf_{number}"
        log.request(stream)
        indices.append(log.release(stream, log.generate(stream), "policy").index)
    report = log.verify(log.subset(tmp_path / "s.attending", indices))
    assert (report.verdict, failed(report)) == (Status.PASSED, {})
    open_ = (item for item in report.results if item.status is Status.INDETERMINATE)
    said = [item for item in open_ if item.check == "V16"]
    assert {item.advisory for item in said} == {True}
    assert [item.detail for item in said[100:]] == ([f"and {count - 100} more"] if count > 100 else [])
    # One that counts is not lost among them.
    odd = log.release("inf_odd", log.payload("output_final", b"odd"), "nothing")
    whole = log.verify(log.subset(tmp_path / "t.attending", [*indices, odd.index]))
    assert whole.verdict is Status.INDETERMINATE
    assert any(item.index == odd.index and not item.advisory for item in whole.results)


def test_long_log_crosses_segments(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    for number in range(600):
        log.append("access.viewed", f"s{number % 7}", {"n": number})
    path = log.full(tmp_path / "a.attending")
    seen: list[tuple[int, int]] = []
    report = verify_bundle(path, log.anchors(), lambda done, total: seen.append((done, total)))
    assert report.verdict is Status.PASSED
    assert seen == [(256, 600), (512, 600), (600, 600)]
    for index in (0, 254, 255, 256, 257, 511, 512, 598, 599):
        for field in ("prev", "stream"):
            log.full(path)
            found = failed(log.verify(log.tamper(path, "entries.jsonl", on_line(index, in_field(field)))))
            assert found["V6"] == {index}, (index, field)


# -- one record altered
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["prev", "time", "stream", "actor", "origin"])
@pytest.mark.parametrize("resign", [False, True], ids=["outsider", "operator"])
def test_altered_record_is_named_wherever_it_stands(
    day: LogBuilder, tmp_path: Path, failed: Failed, field: str, resign: bool
) -> None:
    for index in range(len(day.entries)):
        path = day.full(tmp_path / "a.attending")
        day.tamper(path, "entries.jsonl", on_line(index, in_field(field)), resign=resign)
        found = failed(day.verify(path))
        assert found["V6"] == {index}, index
        assert ("V1" in found) is not resign


@shared_fixtures
@given(data=st.data())
def test_any_flipped_byte_of_any_file_is_detected(
    day: LogBuilder, tmp_path: Path, failed: Failed, data: st.DataObject
) -> None:
    path = day.full(tmp_path / "a.attending", verifier_keys=[str(day.vkey)])
    with zipfile.ZipFile(path) as archive:
        name = data.draw(st.sampled_from(archive.namelist()))
        size = len(archive.read(name))
    position, flip = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, 255))

    def change(content: bytes) -> bytes:
        return content[:position] + bytes([content[position] ^ flip]) + content[position + 1 :]

    report = day.verify(day.tamper(path, name, change))
    assert report.verdict is not Status.PASSED
    if name == "entries.jsonl":
        # Whatever was hit, the first record named is the one that was changed.
        with zipfile.ZipFile(day.full(path)) as archive:
            index = archive.read(name)[:position].count(b"\n")
        named = {item for found in failed(report).values() for item in found if item is not None}
        assert min(named) == index


@shared_fixtures
@given(data=st.data())
def test_a_flipped_byte_of_the_archive_never_passes_for_other_content(
    day: LogBuilder, tmp_path: Path, data: st.DataObject
) -> None:
    path = day.full(tmp_path / "a.attending")
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    report = day.verify(path)
    # The archive's own fields (dates, modes) may change; then what was verified is still the whole day.
    assert report.verdict is not Status.PASSED or report.statistics["entries"] == len(day.entries)


def test_unreadable_record_is_named(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    for index in (0, 7, len(day.entries) - 1):
        path = day.full(tmp_path / "a.attending")
        day.tamper(
            path, "entries.jsonl", on_line(index, lambda data: data.replace(b'"v":1', b'"v": 1')), resign=True
        )
        assert failed(day.verify(path)) == {"V5": {index}}


# -- structure
# ---------------------------------------------------------------------------------------------------


def _without(index: int) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(item + b"\n" for at, item in enumerate(lines(data)) if at != index)


def _twice(index: int) -> Callable[[bytes], bytes]:
    return on_line(index, lambda item: item + b"\n" + item)


def _swapped(index: int) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        items = lines(data)
        items[index], items[index + 1] = items[index + 1], items[index]
        return b"".join(item + b"\n" for item in items)

    return apply


@pytest.mark.parametrize("resign", [False, True], ids=["outsider", "operator"])
@pytest.mark.parametrize("index", [0, 5, 28])
@pytest.mark.parametrize("change", [_without, _swapped], ids=["missing", "reordered"])
def test_missing_and_reordered_records(
    day: LogBuilder, tmp_path: Path, failed: Failed, change: Any, index: int, resign: bool
) -> None:
    path = day.tamper(day.full(tmp_path / "a.attending"), "entries.jsonl", change(index), resign=resign)
    named = {item for item in failed(day.verify(path))["V7"] if item is not None}
    assert min(named) == index


def test_duplicated_record(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    path = day.tamper(day.full(tmp_path / "a.attending"), "entries.jsonl", _twice(5), resign=True)
    named = {item for item in failed(day.verify(path))["V7"] if item is not None}
    assert min(named) == 6


def test_last_record_missing(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    last = len(day.entries) - 1
    path = day.tamper(day.full(tmp_path / "a.attending"), "entries.jsonl", _without(last), resign=True)
    assert failed(day.verify(path)) == {"V7": {last}, "V20": {None}}


def test_truncated_tail_needs_a_newer_checkpoint(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    newer = day.checkpoint()
    kept = day.entries
    day.entries = kept[:-4]
    path = day.full(tmp_path / "a.attending")
    alone = day.verify(path)
    assert alone.verdict is Status.PASSED
    assert any("freshness unproven" in item.detail and item.advisory for item in alone.results)
    assert day.verify(path, require_freshness=True).verdict is Status.INDETERMINATE
    assert failed(day.verify(path, pinned=(newer,))) == {"V9": {None}}
    assert day.verify(path, pinned=(day.checkpoint(),), require_freshness=True).verdict is Status.PASSED


def test_forked_history_shows_both_heads(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    pinned = day.checkpoint(20)
    before = day.root(20)
    honest = day.verify(
        day.full(tmp_path / "a.attending"), pinned=(pinned, day.checkpoint(3), day.checkpoint(0))
    )
    assert honest.verdict is Status.PASSED
    # The operator rewrites entry 4 and everything after it, with the log's own key.
    rewritten = type(day)()
    rewritten.entries = day.entries[:4]
    for data in day.entries[4:]:
        old = json.loads(data)
        rewritten.append(old["type"], old["stream"], {**old["body"], "rewritten": True})
    path = rewritten.full(tmp_path / "b.attending")
    assert "V6" not in failed(rewritten.verify(path))
    report = rewritten.verify(path, pinned=(pinned,))
    assert failed(report)["V9"] == {None}
    detail = next(item.detail for item in report.failures if item.check == "V9")
    assert before.hex() in detail
    assert rewritten.root(20).hex() in detail


def test_pinned_checkpoint_is_itself_verified(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    path = day.full(tmp_path / "a.attending")
    other = type(day)(seed=9)
    other.entries = day.entries
    foreign = type(day)("log.example/other")
    for note in (
        other.checkpoint(5),
        foreign.checkpoint(0),
        "junk",
        day.checkpoint(5).replace("\n5\n", "\n6\n"),
    ):
        assert failed(day.verify(path, pinned=(note,))) == {"V9": {None}}


def test_range_with_a_pin_it_cannot_reach_is_indeterminate(day: LogBuilder, tmp_path: Path) -> None:
    path = day.range(tmp_path / "r.attending", 3, 10, size=20)
    for size in (2, 15, 25):
        report = day.verify(path, pinned=(day.checkpoint(size),))
        assert status(report, "V9") == {Status.INDETERMINATE}
    for size in (3, 7, 10, 20):
        assert status(day.verify(path, pinned=(day.checkpoint(size),)), "V9") == {Status.PASSED}


# -- keys and witnesses
# ------------------------------------------------------------------------------------------


def test_missing_anchor_is_indeterminate(day: LogBuilder, tmp_path: Path) -> None:
    path = day.full(tmp_path / "a.attending", verifier_keys=[str(day.vkey)])
    for anchors in (Anchors(), Anchors(keys=(type(day)("log.example/other").vkey,))):
        report = verify_bundle(path, anchors)
        assert report.verdict is Status.INDETERMINATE
        assert status(report, "V8") == status(report, "V1") == {Status.INDETERMINATE}


def test_log_signed_by_another_key_fails(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    impostor = type(day)(seed=2)
    impostor.entries = day.entries
    report = day.verify(impostor.full(tmp_path / "a.attending", verifier_keys=[str(impostor.vkey)]))
    assert failed(report) == {"V1": {None}, "V8": {None}}


def test_checkpoint_of_another_log_fails(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    other = type(day)("log.example/other")
    other.entries = day.entries
    path = day.full(tmp_path / "a.attending", checkpoint_note=other.checkpoint())
    assert "V8" in failed(day.verify(path))


def test_witness_quorum(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    public = day.witness_key.public_key().public_bytes_raw()
    witness = VerifierKey("witness.example/w1", COSIGNATURE, public)
    absent = VerifierKey("witness.example/w2", COSIGNATURE, public[:31] + bytes([public[31] ^ 0x80]))
    later = int(day.clock.timestamp()) + 3600
    cosigned = day.full(tmp_path / "a.attending", checkpoint_note=day.checkpoint(cosigned_at=later))
    plain = day.full(tmp_path / "b.attending")
    assert day.verify(cosigned, witnesses=(witness,)).verdict is Status.PASSED
    assert day.verify(cosigned, witnesses=(witness, absent), quorum=1).verdict is Status.PASSED
    assert "V8" in failed(day.verify(cosigned, witnesses=(witness, absent)))
    assert "V8" in failed(day.verify(plain, witnesses=(witness,)))
    assert day.verify(cosigned, witnesses=(witness,), require_time=True).verdict is Status.INDETERMINATE
    earlier = day.full(
        tmp_path / "c.attending",
        checkpoint_note=day.checkpoint(cosigned_at=int(day.clock.timestamp()) - 3600),
    )
    assert failed(day.verify(earlier, witnesses=(witness,))) == {"V15": set(range(len(day.entries)))}


# -- manifest, statistics, payloads
# ------------------------------------------------------------------------------


def test_statistics_edited_by_the_operator(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    honest = dict(day.verify(day.full(tmp_path / "a.attending")).statistics)
    changes: list[dict[str, Any]] = [
        {"entries": 29},
        {"types": {}},
        {"last_time": "2026-11-01T09:00:00.000000Z"},
    ]
    for change in changes:
        path = day.full(tmp_path / "b.attending", statistics={**honest, **change})
        assert failed(day.verify(path)) == {"V20": {None}}
    path = day.full(tmp_path / "c.attending", statistics={"entries": honest["entries"]})
    assert failed(day.verify(path)) == {"V20": {None}}
    path = day.full(tmp_path / "d.attending", statistics={**honest, "catch_rate": 99})
    assert day.verify(path).verdict is Status.INDETERMINATE


def test_files_added_removed_or_replaced(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    for name in ("manifest.json", "manifest.sig", "checkpoint", "entries.jsonl"):
        path = day.tamper(day.full(tmp_path / "a.attending"), name, lambda _: None)
        assert "V1" in failed(day.verify(path)), name
    with zipfile.ZipFile(day.full(tmp_path / "a.attending"), "a") as archive:
        archive.writestr("report.pdf", b"x")
    assert failed(day.verify(tmp_path / "a.attending")) == {"V1": {None}}
    path = day.tamper(day.full(tmp_path / "b.attending", payloads=[]), "payloads.jsonl", lambda _: b"{}\n")
    assert {"V1", "V19"} <= failed(day.verify(path)).keys()


def test_listed_files_that_no_check_reads_are_hashed_too(
    day: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    path = day.tamper(day.full(tmp_path / "a.attending"), "checkpoint", lambda data: data)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("proofs.jsonl", b"[]\n")
    day.tamper(path, "proofs.jsonl", lambda data: data, resign=True)
    assert day.verify(path).verdict is Status.PASSED
    day.tamper(path, "proofs.jsonl", lambda _: b"[1]\n")
    assert failed(day.verify(path)) == {"V1": {None}}


def test_later_format_is_indeterminate(day: LogBuilder, tmp_path: Path) -> None:
    path = day.full(tmp_path / "a.attending")
    day.tamper(path, "manifest.json", lambda data: data.replace(b"attending-bundle/1", b"attending-bundle/2"))
    assert day.verify(path).verdict is Status.INDETERMINATE


def test_unknown_type_is_indeterminate(log: LogBuilder, tmp_path: Path) -> None:
    log.append("system.started", "s", {})
    later = json.loads(log.entries[0])
    log.entries = [encode({**later, "type": "system.teleported"})]
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert report.verdict is Status.INDETERMINATE
    assert status(report, "V5") == {Status.INDETERMINATE}


def test_disclosed_payloads(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    openings = list(day.openings.values())
    assert day.verify(day.full(tmp_path / "a.attending", payloads=openings)).verdict is Status.PASSED
    first = openings[0]
    index = next(at for at, data in enumerate(day.entries) if first.record.encode() in data)
    wrong = {
        "content": replace(first, content=b"another text"),
        "salt": replace(first, salt=bytes(32)),
        "kind": replace(first, kind="output_final"),
    }
    for name, item in wrong.items():
        report = day.verify(day.full(tmp_path / "b.attending", payloads=[item]))
        assert failed(report) == {"V19": {index}}, name
        assert "another text" not in json.dumps(report.to_json())
    for payloads in ([replace(first, record="rec_unknown")], [first, first]):
        assert failed(day.verify(day.full(tmp_path / "c.attending", payloads=payloads))) == {"V19": {None}}


def test_erased_payload_needs_a_certificate(day: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    first: Disclosed = next(iter(day.openings.values()))
    index = next(at for at, data in enumerate(day.entries) if first.record.encode() in data)
    erased = Erased(first.record, first.kind)
    assert failed(day.verify(day.full(tmp_path / "a.attending", payloads=[erased]))) == {"V19": {index}}
    subject = json.loads(day.entries[index])["subject"]
    day.append("subject.erased", "subject", {}, subject=subject)
    assert day.verify(day.full(tmp_path / "b.attending", payloads=[erased])).verdict is Status.PASSED


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{", b'{"record":"r"}', b'{"record":"r","record":"r","kind":"k","erased":true}', b"[[[" * 30000,
     b'{"record":"r","kind":"k","erased":false}', b'{"record":"r","kind":"k","salt":"00","content":"AA=="}',
     b'{"record":"r","kind":"k","salt":1,"content":2}', b"\xff"],
)  # fmt: skip
def test_malformed_payload_lines_are_reported(
    day: LogBuilder, tmp_path: Path, failed: Failed, line: bytes
) -> None:
    path = day.tamper(
        day.full(tmp_path / "a.attending", payloads=[]), "payloads.jsonl", lambda _: line + b"\n", resign=True
    )
    assert failed(day.verify(path)) == {"V19": {None}}


def test_report_holds_no_bodies(day: LogBuilder, tmp_path: Path) -> None:
    day.append("inference.requested", "inf_x", {"calling_app": "SECRET-NAME"})
    path = day.full(tmp_path / "a.attending", payloads=list(day.openings.values()))
    day.tamper(path, "entries.jsonl", on_line(5, in_field("stream")))
    text = json.dumps(day.verify(path).to_json())
    assert "SECRET-NAME" not in text
    assert "output of" not in text
    assert "dr-rivera" not in text


@shared_fixtures
@given(content=st.binary(max_size=200), name=st.sampled_from(["manifest.json", "manifest.sig", "checkpoint"]))
def test_arbitrary_content_is_a_result_not_an_exception(
    day: LogBuilder, tmp_path: Path, content: bytes, name: str
) -> None:
    path = day.tamper(day.full(tmp_path / "a.attending"), name, lambda _: content)
    assert day.verify(path).verdict is not Status.PASSED
