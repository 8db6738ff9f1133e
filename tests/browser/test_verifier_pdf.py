"""The page's reader of PDF files against that of the command, over files with bytes changed and no seal before them."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pikepdf
import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import seal
from attending.ledger.verify.pdf.attachments import attachments
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.pdf.text import pages

from tests.server.reports.sealing import day, unsealed
from tests.server.reports.test_hostile_pdf import HIDING, LETTERS, MAP, _page, again_and_again

MUTANTS: Final = 1000
SEED: Final = 20261128
MODULES: Final = Path(str(files("attending.ledger.verify.page"))) / "modules"
TOKENS: Final = (
    b"<<",
    b">>",
    b"[",
    b"]",
    b"(",
    b")",
    b"<",
    b">",
    b"/",
    b"%",
    b" 0 R",
    b"null",
    b"\\",
    b"#",
    b"-1",
)


def read(path: Path) -> dict[str, Any]:
    """What the command's reader makes of a file, as the page's says it."""
    try:
        with Document(path) as document:
            seal._inert(document)
            found = {
                name: hashlib.sha256(document.content(stream, 1 << 30)).hexdigest()
                for name, stream in attachments(document).items()
            }
            shown = [hashlib.sha256(page.encode()).hexdigest() for page in pages(document)]
            return {"attachments": found, "pages": shown}
    except VerificationError as err:
        return {"refused": err.detail}


def mutants(data: bytes) -> Iterator[bytes]:
    """Bytes changed, left out and put in, most of them where objects are and not in what is attached."""
    drawn = random.Random(SEED)
    inside = range(data.index(b"PK\x03\x04"), data.rindex(b"PK\x05\x06"))
    places = [place for place in range(len(data)) if place not in inside]
    for number in range(MUTANTS):
        at = drawn.choice(places)
        size = drawn.choice((1, 1, 2, 4))
        match number % 3:
            case 0:
                yield data[:at] + bytes([data[at] ^ 1 << drawn.randrange(8)]) + data[at + 1 :]
            case 1:
                # In place of as many others, so that offsets stay as they are.
                token = drawn.choice(TOKENS)
                yield data[:at] + token + data[at + len(token) :]
            case _:
                other = drawn.choice(places)
                yield data[:at] + data[other : other + size] + data[at + size :]


def answers(folder: Path, each: Iterable[bytes]) -> list[dict[str, Any]]:
    """What the page's reader makes of files."""
    with (folder / "files").open("wb") as out:
        for data in each:
            out.write(base64.b64encode(data) + b"\n")
    command = ["node", "--no-warnings", str(Path(__file__).with_name("verifier_pdf.mjs")), str(MODULES)]
    with (folder / "files").open("rb") as told:
        answered = subprocess.run(command, stdin=told, capture_output=True, check=True, timeout=600)
    return [json.loads(line) for line in answered.stdout.splitlines()]


def hostile(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files that one reader or another takes for something else than these do, each with what is wrong with it."""
    page = _page(folder / "page.pdf", b"/A 9 Tf (A) Tj").read_bytes()
    yield "catalogue in the trailer", page.replace(b"/Root 1 0 R", b"/Root<</Type/Catalog/Pages 2 0 R>>")
    # A stream whose data is elsewhere, if only it is seen that it is a stream.
    for what, between in HIDING.items():
        outside = b"<</F(outside)/Length 1>>" + between + b"stream\nx\nendstream"
        yield (
            f"{what} before a stream",
            _page(folder / "page.pdf", b"/A 9 Tf (A) Tj", more=(outside,)).read_bytes(),
        )
    yield "length with a point", page.replace(b"/Length 14>>", b"/Length 14.0>>")
    nothing = MAP + b"1 beginbfrange <41> <42> [null <0042>] endbfrange"
    yield "code that means null", _page(folder / "page.pdf", b"/A 9 Tf (A) Tj", nothing).read_bytes()
    name = b"/A 9 Tf (A) Tj /%b#41 gs" % (b"x" * 255)
    yield "name that is too long, escaped", _page(folder / "page.pdf", name).read_bytes()
    many = b"[%b]" % (b"[%b]" % (b"0 " * (1 << 19)) * 3)
    yield "many in many", _page(folder / "page.pdf", b"/A 9 Tf (A) Tj", more=(many,)).read_bytes()


@pytest.mark.browser
def test_a_mode_with_a_point_is_none_in_either(tmp_path: Path) -> None:
    path = _page(tmp_path / "page.pdf", b"/A 9 Tf 0.0 Tr (A) Tj 0 Tr (B) Tj")
    [answer] = answers(tmp_path, [path.read_bytes()])
    assert answer == read(path)
    assert answer["pages"] == [hashlib.sha256(b"B").hexdigest()]


@pytest.mark.browser
def test_a_text_may_have_more_parts_than_a_call_has_arguments(tmp_path: Path) -> None:
    mapping = b"%bendcodespacerange\n%b" % (b"<00>" * 300_000, LETTERS)
    path = _page(tmp_path / "page.pdf", b"/A 9 Tf [(A)%b] TJ" % (b"()" * 300_000), mapping)
    [answer] = answers(tmp_path, [path.read_bytes()])
    assert answer == read(path)
    assert answer["pages"] == [hashlib.sha256(b"A").hexdigest()]


@pytest.mark.browser
def test_the_page_reads_no_object_again_and_again(tmp_path: Path) -> None:
    [answer] = answers(tmp_path, [again_and_again(tmp_path / "a.pdf").read_bytes()])
    assert "again and again" in answer["refused"]


@pytest.mark.browser
def test_both_readers_refuse_what_others_read_in_another_way(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pdf"
    cases = dict(hostile(tmp_path))
    for (name, data), answer in zip(cases.items(), answers(tmp_path, cases.values()), strict=True):
        path.write_bytes(data)
        assert ("refused" in read(path), "refused" in answer) == (True, True), name


@pytest.mark.browser
def test_both_readers_take_and_refuse_the_same_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pdf"
    with pikepdf.open(unsealed(day(), tmp_path / "report")) as pdf:
        # What shapes look like, neither reads.
        for item in pdf.objects:
            if isinstance(item, pikepdf.Dictionary) and "/FontFile3" in item:
                del item["/FontFile3"]
        pdf.remove_unreferenced_resources()
        pdf.save(
            whole,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
            compress_streams=False,
        )
    path, mine = tmp_path / "mutant.pdf", []

    def told() -> Iterator[bytes]:
        for data in (whole.read_bytes(), *mutants(whole.read_bytes())):
            path.write_bytes(data)
            mine.append(read(path))
            yield data

    other = answers(tmp_path, told())
    assert mine[0]["pages"]
    assert len(mine[0]["attachments"]) == 3
    refused = sum("refused" in one for one in mine)
    assert MUTANTS / 10 < refused < MUTANTS * 9 / 10
    differ = [
        (number, a, b)
        for number, (a, b) in enumerate(zip(mine, other, strict=True))
        if ("refused" in a) != ("refused" in b) or ("refused" not in a and a != b)
    ]
    assert differ == []
