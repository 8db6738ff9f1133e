"""The verifier page, from disk in a real browser: it agrees with the verifier in Python on every bundle that the tests
of that one verify, good and bad, and on hostile archives; it reaches no network and puts nothing of a bundle in as
markup.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from attending.ledger.canonical import encode
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.page import verifier_page
from attending.ledger.verify.report import CHECKS
from playwright.sync_api import Browser, Page

from tests.browser.looks import DESK, faults, shot
from tests.browser.mutants import mutants, stories
from tests.browser.recording import anchors_of, files_of, record
from tests.ledger.verify.conftest import LogBuilder

# Thousands of bundles are made and verified twice: minutes, and more where others use the machine.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests/vectors"
BATCH: Final = 40
MUTANTS: Final = int(os.environ.get("ATTENDING_MUTANTS", "400"))
MUTANT_SEED: Final = int(os.environ.get("ATTENDING_MUTANT_SEED", "1"))
RUN: Final = """async cases => {
    const code = document.getElementById("worker").textContent;
    const worker = new Worker(URL.createObjectURL(new Blob([code], {type: "text/javascript"})));
    const answers = [];
    for (const {files, anchors} of cases) {
        const chosen = files.map(({name, data, inFolder}) =>
            ({name, inFolder, blob: new Blob([Uint8Array.from(atob(data), one => one.charCodeAt(0))])}));
        answers.push(await new Promise(resolve => {
            worker.onmessage = ({data}) => data.progress || resolve(data);
            worker.postMessage({files: chosen, anchors});
        }));
    }
    worker.terminate();
    return answers;
}"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "verify.html"
    path.write_bytes(verifier_page())
    return path


@pytest.fixture
def page(chromium: Browser, page_file: Path) -> Iterator[Page]:
    """The page as an auditor opens it; at the end it has complained of nothing and asked for nothing but itself."""
    context = chromium.new_context(viewport=DESK)
    opened, complaints, asked = context.new_page(), [], []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page_file.as_uri())
    yield opened
    context.close()
    assert complaints == []
    assert [url for url in asked if url != page_file.as_uri() and not url.startswith("blob:")] == []


def said(report: dict[str, Any]) -> list[tuple[object, ...]]:
    """What a report says, but for its words."""
    results = [
        tuple(item[name] for name in ("check", "status", "index", "advisory")) for item in report["results"]
    ]
    return [report["verdict"], report["scope"], report["statistics"], *sorted(results, key=str)]


def disagreements(page: Page, cases: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    """(test, what only Python said, what only the page said) of each case where they differ."""
    found: list[tuple[object, ...]] = []
    for at in range(0, len(cases), BATCH):
        batch = cases[at : at + BATCH]
        answers = page.evaluate(RUN, [{"files": one["files"], "anchors": one["anchors"]} for one in batch])
        for case, answer in zip(batch, answers, strict=True):
            mine, other = said(case["report"]), said(answer["report"]) if "report" in answer else [answer]
            if mine != other:
                only = [[item for item in a if item not in b] for a, b in ((mine, other), (other, mine))]
                found.append((case["test"], *only))
    return found


def case_of(name: str, path: Path, anchors: Anchors) -> dict[str, Any]:
    """A bundle to compare, with the report of the verifier in Python."""
    report = verify_bundle(path, anchors).to_json()
    return {"test": name, "files": files_of(path), "anchors": anchors_of(anchors), "report": report}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every bundle that the tests of the verifier verify, each once."""
    return record(tmp_path_factory.mktemp("recorded") / "cases.jsonl", "tests/ledger/verify")


def test_both_verifiers_agree_on_every_bundle_of_the_tests(
    page: Page, cases: Sequence[dict[str, Any]]
) -> None:
    failed = {
        item["check"] for case in cases for item in case["report"]["results"] if item["status"] == "failed"
    }
    assert failed == CHECKS.keys(), "a check that no bundle fails shows nothing"
    assert {case["report"]["verdict"] for case in cases} == {"passed", "failed", "indeterminate"}
    assert disagreements(page, cases) == []


def test_both_verifiers_agree_on_what_an_operator_might_write(
    page: Page, cases: Sequence[dict[str, Any]], tmp_path: Path
) -> None:
    made = [
        case_of(f"mutant {number} of seed {MUTANT_SEED}", path, log.anchors())
        for number, (log, path) in enumerate(mutants(stories(cases), tmp_path, MUTANTS, MUTANT_SEED))
    ]
    failed = [
        {item["check"] for item in case["report"]["results"] if item["status"] == "failed"} for case in made
    ]
    assert set().union(*failed) >= {"V7", "V11", "V12", "V13", "V14", "V16", "V17", "V19", "V22", "V24"}
    assert disagreements(page, made) == []


# -- containers -----------------------------------------------------------------------------------------------------


def rezipped(path: Path, change: Callable[[dict[str, bytes]], object], **options: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def patched(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def linked(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def declared(size: int) -> Callable[[bytes], bytes]:
    """The first file of the directory says another size than it has."""

    def change(data: bytes) -> bytes:
        at = data.index(b"PK\x01\x02") + 24
        return data[:at] + struct.pack("<L", size) + data[at + 4 :]

    return change


def declared_deflated(path: Path, size: int) -> None:
    rezipped(path, lambda files: None, compression=zipfile.ZIP_DEFLATED)
    patched(path, declared(size))


CONTAINERS: dict[str, Callable[[Path], object]] = {
    "as it is": lambda path: None,
    "deflated": lambda path: rezipped(path, lambda files: None, compression=zipfile.ZIP_DEFLATED),
    "compressed in another way": lambda path: rezipped(
        path, lambda files: None, compression=zipfile.ZIP_LZMA
    ),
    "something before it": lambda path: patched(path, lambda data: b"#!/bin/sh\n" + data),
    "something after it": lambda path: patched(path, lambda data: data + b"more"),
    "cut off": lambda path: patched(path, lambda data: data[: len(data) // 2]),
    "end cut off": lambda path: patched(path, lambda data: data[:-1]),
    "empty": lambda path: patched(path, lambda data: b""),
    "no zip": lambda path: patched(path, lambda data: b"PK nothing"),
    "traversal": lambda path: rezipped(path, lambda files: files.update({"../up": b"x"})),
    "capitals": lambda path: rezipped(path, lambda files: files.update({"A": b"x"})),
    "a folder in it": lambda path: rezipped(path, lambda files: files.update({"a/b": b"x"})),
    "not listed": lambda path: rezipped(path, lambda files: files.update({"more": b"x"})),
    "a file less": lambda path: rezipped(path, lambda files: files.pop("entries.jsonl")),
    "no manifest": lambda path: rezipped(path, lambda files: files.pop("manifest.json")),
    "too many": lambda path: rezipped(path, lambda files: files.update({f"f{n}": b"" for n in range(64)})),
    "a bomb": lambda path: rezipped(
        path, lambda files: files.update({"bomb": bytes(50_000_000)}), compression=zipfile.ZIP_DEFLATED
    ),
    "a link": linked,
    "two names": lambda path: patched(path, lambda data: data.replace(b"checkpoint", b"checkpoinz", 1)),
    "says it is smaller": lambda path: declared_deflated(path, 10),
    "says it is larger": lambda path: declared_deflated(path, 20_000),
    "two sizes": lambda path: patched(path, declared(10)),
    "entries without an end": lambda path: rezipped(
        path, lambda files: files.update({"entries.jsonl": files["entries.jsonl"][:-1]})
    ),
    "one endless line": lambda path: rezipped(
        path, lambda files: files.update({"entries.jsonl": b"x" * 3_000_000 + b"\n"})
    ),
    "manifest that is no JSON": lambda path: rezipped(
        path, lambda files: files.update({"manifest.json": b"[" * 90_000})
    ),
}


def test_both_verifiers_agree_on_containers(page: Page, tmp_path: Path) -> None:
    log = LogBuilder()
    log.ordinary_day()
    made: list[dict[str, Any]] = []
    for number, (name, change) in enumerate(CONTAINERS.items()):
        path = log.full(tmp_path / f"{number}.attending")
        change(path)
        made.append(case_of(name, path, log.anchors()))
    good = [case["test"] for case in made if case["report"]["verdict"] == "passed"]
    assert good == ["as it is", "deflated", "something before it", "something after it"]
    assert disagreements(page, made) == []


def directory(data: bytes) -> tuple[int, int]:
    """Where the central directory of a plain archive begins, and its size."""
    size, begin = struct.unpack("<LL", data[-10:-2])
    return begin, size


def two_in_one(one: bytes, other: bytes) -> bytes:
    """A file whose end names the directory of one archive, the last comment of which is that of the other, with the
    end that large archives have."""
    (at_one, size_one), (at_other, size_other) = directory(one), directory(other)
    listed, hidden = bytearray(one[at_one : at_one + size_one]), other[at_other : at_other + size_other]
    comment = len(hidden) + 76
    struct.pack_into("<H", listed, listed.rindex(b"PK\x01\x02") + 32, comment)
    files = one[:at_one] + other[:at_other]
    # Offsets of the other are as they were, since what stands before an archive moves them all.
    begin = at_other + size_one
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 6, 6, size_other, begin)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, begin + size_other, 1)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 6, 6, size_one + comment, len(files), 0)
    return files + listed + hidden + record + locator + end


def test_both_verifiers_read_the_same_archive_of_a_file(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two verdicts on one file are about one log, though its operator has written two into it."""
    log = LogBuilder()
    log.append("system.started", "system", {})
    one = log.full(tmp_path / "one.attending").read_bytes()
    log.ordinary_day()
    other = log.full(tmp_path / "other.attending").read_bytes()
    both = tmp_path / "both.attending"
    both.write_bytes(two_in_one(one, other))
    large = log.full(tmp_path / "large.attending")
    with monkeypatch.context() as small:
        small.setattr(zipfile, "ZIP64_LIMIT", 2)
        rezipped(large, lambda files: None)
    moved = tmp_path / "moved.attending"
    moved.write_bytes(b"#!/bin/sh\n" + large.read_bytes())
    made = [case_of(path.stem, path, log.anchors()) for path in (both, large, moved)]
    assert b"PK\x06\x07" in large.read_bytes()
    assert {case["report"]["verdict"] for case in made} == {"passed"}
    assert disagreements(page, made) == []


def test_both_verifiers_agree_on_long_lines_and_on_many(page: Page, tmp_path: Path) -> None:
    log = LogBuilder()
    log.append("inference.requested", "inf_1", payloads=[log.payload("prompt", bytes(3_000_000))])
    log.rotate(2)
    long = log.full(tmp_path / "long.attending", payloads=list(log.openings.values()))
    many = log.full(tmp_path / "many.attending")
    log.tamper(many, "introductions.jsonl", lambda data: b"\n" * 3_000_000, resign=True)
    anchors = log.anchors()
    made = [case_of("a long line", long, anchors), case_of("many lines", many, anchors)]
    assert [case["report"]["verdict"] for case in made] == ["passed", "failed"]
    assert disagreements(page, made) == []


# -- names and figures that are none ----------------------------------------------------------------------------------

POSING: Final[tuple[Any, ...]] = (["dr-rivera"], {"toString": 1}, {"to": "dr-rivera"}, 7, None)
"""What could be taken for a text, or for no value at all, where a language makes texts of everything."""


def stated(path: Path, log: LogBuilder, value: object) -> Path:
    """A bundle whose statistics state another count of entries, signed."""

    def change(data: bytes) -> bytes:
        figures = json.loads(data)
        return encode({**figures, "entries": {**figures["entries"], "count": value}})

    return log.tamper(log.full(path, figures=True), "statistics.json", change, resign=True)


def test_what_is_no_text_is_taken_for_none(page: Page, tmp_path: Path) -> None:
    """An operator who writes a list where a name belongs makes neither verifier read the name, nor keeps it from a
    verdict."""
    made: list[dict[str, Any]] = []
    for number, value in enumerate(POSING):
        log = LogBuilder()
        doctor, human = log.enrol("dr-rivera"), "human:dr-rivera"
        log.hold("inf_1")
        log.append("review.claimed", "inf_1", {"lease": "l"}, actor=human)
        log.append("review.escalated", "inf_1", {}, actor=human)
        log.append("review.reassigned", "inf_1", {"to": value}, actor="human:ann")
        log.append("review.claimed", "inf_1", {"lease": "l"}, actor=human)
        path = log.full(tmp_path / f"{number}-to.attending")
        made.append(case_of(f"reassigned to {value}", path, log.anchors()))
        log = LogBuilder()
        log.enrol("dr-rivera")
        text, shown = log.hold("inf_1"), encode({"format": "attending-view/1", "text": "shown"})
        log.append("inference.held", "inf_1", {"oversight": {"own_view_first": True}})
        named = log.statement("inf_1", doctor, text).to_json()
        for name in ("signer", "record"):
            body = {"statement": {**named, name: value}}
            log.append("review.signed", "inf_1", body, payloads=[log.payload("view", shown)], actor=human)
        path = log.full(tmp_path / f"{number}-signer.attending", payloads=list(log.openings.values()))
        made.append(case_of(f"signed by {value}", path, log.anchors()))
    log = LogBuilder()
    log.ordinary_day()
    count = len(log.entries)
    counts: tuple[Any, ...] = ([count], [[count]], [{"toString": 1}], [], True, None, str(count), {})
    for number, figure in enumerate(counts):
        path = stated(tmp_path / f"{number}-stated.attending", log, figure)
        made.append(case_of(f"stated {figure}", path, log.anchors()))
    assert {case["report"]["verdict"] for case in made} == {"failed"}
    assert disagreements(page, made) == []


# -- the page -------------------------------------------------------------------------------------------------------


def verified(page: Page, path: Path, key: str) -> str:
    """What the verdict box says of a bundle that is chosen and verified by hand."""
    page.set_input_files("#bundle", sorted(path.iterdir()) if path.is_dir() else path)
    page.fill("#keys", key)
    page.click("#verify")
    page.wait_for_selector("#verdict:visible, #problem:visible")
    return str(page.inner_text("#verdict, #problem >> visible=true"))


def key_text() -> str:
    return (VECTORS / "bundle-v1.vkey").read_text()


def test_the_kept_bundle_verifies_and_a_changed_one_names_the_entry(page: Page, tmp_path: Path) -> None:
    assert "Verified" in verified(page, VECTORS / "bundle-v1", key_text())
    assert page.evaluate("document.activeElement.id") == "verdict"
    shutil.copytree(VECTORS / "bundle-v1", tmp_path / "changed")
    entries = tmp_path / "changed/entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"tokens":12', b'"tokens":13', 1))
    assert "Failed at entry 3\n\nV6: its bytes" in verified(page, tmp_path / "changed", key_text())
    assert "Indeterminate" in verified(page, VECTORS / "bundle-v1", "")


def test_the_result_can_be_saved_and_is_that_of_the_command(page: Page) -> None:
    verified(page, VECTORS / "bundle-v1", key_text())
    with page.expect_download() as download:
        page.click("#save")
    saved = json.loads(download.value.path().read_text())
    key = key_text().splitlines()[-1]
    head = parse_checkpoint((VECTORS / "bundle-v1/checkpoint").read_bytes())
    assert (saved["verdict"], saved["origin"], saved["statistics"]["entries"]) == (
        "passed",
        head.origin,
        head.size,
    )
    assert saved["anchors"]["keys"].endswith(key)
    assert saved["verifier"] == "page"
    assert saved["checks"] == CHECKS
    anchors = Anchors(keys=tuple(LogBuilder().anchors().keys))
    assert said(saved) == said(verify_bundle(VECTORS / "bundle-v1", anchors).to_json())


def test_pinned_checkpoints_and_witnesses_are_taken_from_the_person(page: Page, tmp_path: Path) -> None:
    log = LogBuilder()
    log.ordinary_day()
    path = log.full(tmp_path / "a.attending")
    log.append("system.started", "system", {})
    page.click("summary")
    page.fill("#pinned", log.checkpoint())
    assert "V9: truncated" in verified(page, path, str(log.vkey))
    page.fill("#pinned", "")
    page.fill("#witnesses", str(log.vkey))
    assert "is not the key of a witness" in verified(page, path, str(log.vkey))
    page.fill("#witnesses", "")
    page.check("#require-time")
    assert "Indeterminate" in verified(page, path, str(log.vkey))


def test_what_cannot_be_begun_says_what_to_do(page: Page, tmp_path: Path) -> None:
    page.click("#verify")
    assert "no bundle is chosen" in page.inner_text("#problem")
    assert "is not the key of a log" in verified(page, VECTORS / "bundle-v1", "nonsense")
    assert page.is_enabled("#verify")


def test_a_verification_can_be_cancelled(page: Page) -> None:
    page.set_input_files("#bundle", sorted((VECTORS / "bundle-v1").iterdir()))
    page.fill("#keys", key_text())
    # In one turn, so that the worker cannot be quicker.
    page.evaluate("document.getElementById('verify').click(), document.getElementById('cancel').click()")
    assert page.inner_text("#status") == "cancelled: nothing is verified"
    assert page.is_hidden("#result")
    assert "Verified" in verified(page, VECTORS / "bundle-v1", key_text())


def test_a_verdict_names_the_bundle_that_it_is_about(page: Page) -> None:
    page.set_input_files("#bundle", sorted((VECTORS / "bundle-v1").iterdir()))
    page.fill("#keys", key_text())
    # In one turn: another bundle is chosen after the button, before anything was read.
    page.evaluate(
        """() => {
            document.getElementById("verify").click();
            const other = new DataTransfer();
            other.items.add(new File([], "other.attending"));
            const input = document.getElementById("bundle");
            input.files = other.files;
            input.dispatchEvent(new Event("change"));
        }"""
    )
    page.wait_for_selector("#verdict:visible")
    assert "Verified" in page.inner_text("#verdict")
    assert "other.attending" in page.inner_text("#chosen")
    assert "other.attending" not in page.inner_text("#bundle-facts")


def test_nothing_of_a_bundle_becomes_markup(page: Page, tmp_path: Path) -> None:
    log = LogBuilder(origin='log.example/<img/src="x"/onerror="document.title=1">')
    emitter = {"emitter": {"id": "e", "sequence": 1}}
    log.append("session.started", "emitter/x/e", emitter, actor="<b onclick=alert(1)>app</b>")
    verified(page, log.full(tmp_path / "a.attending"), str(log.vkey))
    assert log.origin in page.inner_text("#bundle-facts")
    assert "<b onclick=alert(1)>app</b>" in page.inner_text("#checks")
    assert page.locator("#result img, #result b").count() == 0
    assert page.title() == "Attending: verify a bundle or a report"


def test_no_network_can_be_reached(chromium: Browser, page_file: Path) -> None:
    """The page's policy refuses it, for the page and for its worker, whatever their code would do."""
    with socket.create_server(("127.0.0.1", 0)) as listening, chromium.new_context() as context:
        url, page = f"http://127.0.0.1:{listening.getsockname()[1]}/", context.new_page()
        page.goto(page_file.as_uri())
        asking = f"fetch('{url}').then(() => 'went', () => 'refused')"
        assert page.evaluate(asking) == "refused"
        in_worker = """code => new Promise(resolve => {
            const worker = new Worker(URL.createObjectURL(new Blob([code])));
            worker.onmessage = ({data}) => resolve(data);
        })"""
        assert page.evaluate(in_worker, f"{asking}.then(postMessage)") == "refused"
        image = """url => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective));
            document.body.append(Object.assign(new Image(), {src: url}));
        })"""
        assert page.evaluate(image, url) == "img-src"
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize("state", ["form", "passed", "failed", "indeterminate"])
def test_the_page_keeps_nobody_from_using_it(page: Page, state: str, tmp_path: Path) -> None:
    bundle, key = VECTORS / "bundle-v1", "" if state == "indeterminate" else key_text()
    if state == "failed":
        shutil.copytree(bundle, tmp_path / "changed")
        (tmp_path / "changed/checkpoint").write_text("nonsense\n")
        bundle = tmp_path / "changed"
    if state == "form":
        page.click("summary")
    else:
        verified(page, bundle, key)
        assert page.locator(f"#verdict.{state}").is_visible()
    shot(page, f"verifier-page-{state}")
    assert faults(page) == []
