"""The register of a report, made again from its bundle: that attached as JSON lines says what was asked (V20)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf.attachments import ROWS, SHEET
from attending.ledger.verify.pdf.document import Document, Stream
from attending.ledger.verify.registers import REGISTERS, Asked, Register, parse_asked
from attending.ledger.verify.registers.register import FORMAT, as_csv, as_json
from attending.ledger.verify.report import Findings

MAX_BYTES: Final = 1 << 30
_MAX_HEAD_BYTES: Final = 1 << 16


def check_rows(
    document: Document, files: dict[str, Stream], entries: Iterable[Entry], findings: Findings
) -> None:
    """Fails V20 where the rows attached are not those that the entries give to what was asked. A report without either
    file has no register; that none was taken out of it, its seal says.
    """
    if ROWS not in files and SHEET not in files:
        return
    try:
        register, asked = _head(document, files)
        lines, sheet = hashlib.sha256(register.head(asked)), hashlib.sha256(as_csv(register.columns))
        for row in register.rows(entries, asked):
            lines.update(as_json(row))
            sheet.update(as_csv(row))
        for name, expected in ((ROWS, lines), (SHEET, sheet)):
            if _digest(document, files, name) != expected.hexdigest():
                findings.fail("V20", f"attached `{name}` is not the register of the entries")
    except _LaterError as err:
        findings.doubt("V20", f"attached `{ROWS}`: {err.detail}")
    except VerificationError as err:
        findings.fail("V20", f"attached `{ROWS}`: {err.detail}")


class _LaterError(VerificationError):
    """A register of a later version, which can be neither accepted nor refused."""


def _head(document: Document, files: dict[str, Stream]) -> tuple[Register, Asked]:
    said = parse_canonical(_first_line(document.chunks(_stream(files, ROWS), MAX_BYTES)))
    if type(said) is not dict or set(said) != {"asked", "columns", "format", "name"}:
        raise VerificationError("first line does not say which register it is")
    name = said["name"]
    if said["format"] != FORMAT or type(name) is not str or name not in REGISTERS:
        raise _LaterError("register is one that this version does not know")
    register = REGISTERS[name]
    if said["columns"] != list(register.columns):
        raise _LaterError("register has other columns than this version knows")
    return register, parse_asked(said["asked"])


def _first_line(chunks: Iterator[bytes]) -> bytes:
    line = b""
    for chunk in chunks:
        head, newline, _rest = chunk.partition(b"\n")
        line += head
        if newline:
            return line
        if len(line) > _MAX_HEAD_BYTES:
            break
    raise VerificationError("first line does not end")


def _digest(document: Document, files: dict[str, Stream], name: str) -> str:
    digest = hashlib.sha256()
    for chunk in document.chunks(_stream(files, name), MAX_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _stream(files: dict[str, Stream], name: str) -> Stream:
    if name not in files:
        raise VerificationError(f"`{name}` is not attached beside it")
    return files[name]
