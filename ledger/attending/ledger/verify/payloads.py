"""V19: disclosed payloads against the commitments of their entries, and certificates of those that are gone.

A line of `payloads.jsonl` is a canonical JSON object {content (base64), kind, record, salt (hex)}, or {erased: true,
kind, record} for content whose subject's key was destroyed: a `subject.erased` entry must certify that; or
{pruned: true, kind, record} for content whose retention ended: a `payload.pruned` entry must cover it. The
certificates themselves are checked as well: nothing may be erased under a hold, nobody by halves, and the minimum
that prunes state may not go back.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.canonical import encode, parse_canonical
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.note import decode_base64
from attending.ledger.vault import MAX_PAYLOAD_BYTES, SALT_SIZE, payload_commitment
from attending.ledger.verify.certificates import Certificates
from attending.ledger.verify.displayed import Displayed
from attending.ledger.verify.report import Findings

MAX_LINE_BYTES: Final = MAX_PAYLOAD_BYTES * 4 // 3 + 1024
_ERASED, _PRUNED = "erased", "pruned"
_SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_SIZE}}}")


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The opening of a commitment: personal content, disclosed on purpose."""

    record: str
    kind: str
    salt: bytes = field(repr=False)
    content: bytes = field(repr=False)

    def to_line(self) -> bytes:
        """One line of `payloads.jsonl`, with its newline."""
        content = base64.b64encode(self.content).decode()
        return _line({"content": content, "kind": self.kind, "record": self.record, "salt": self.salt.hex()})


@dataclass(frozen=True, slots=True)
class Erased:
    """A payload that was asked for and is gone: its subject's key was destroyed."""

    record: str
    kind: str

    def to_line(self) -> bytes:
        """One line of `payloads.jsonl`, with its newline."""
        return _line({"erased": True, "kind": self.kind, "record": self.record})


@dataclass(frozen=True, slots=True)
class Pruned:
    """A payload that was asked for and is gone: its retention ended."""

    record: str
    kind: str

    def to_line(self) -> bytes:
        """One line of `payloads.jsonl`, with its newline."""
        return _line({"kind": self.kind, "pruned": True, "record": self.record})


class Payloads:
    """Reads the lines first, keeping commitments only, then meets them with the entries."""

    def __init__(self, findings: Findings, *, complete: bool) -> None:
        """`complete` is True when the bundle holds every entry of the log up to its end."""
        self._findings = findings
        self._complete = complete
        self._open: dict[str, tuple[str, str]] = {}
        self._erased: list[tuple[int, str | None]] = []
        self._pruned: list[int] = []
        self._certificates = Certificates(findings, complete=complete)
        self._displayed = Displayed(findings)
        self._disclosed = 0
        self._present = False

    def load(self, lines: Iterable[bytes]) -> None:
        """Reads `payloads.jsonl`; what is malformed is reported, not raised."""
        self._present = True
        for number, line in enumerate(lines, 1):
            read = _read(line)
            parsed = None if read is None else read[0]
            if parsed is None:
                self._findings.fail("V19", f"line {number} of the payloads is not well formed")
            elif parsed[0] in self._open:
                self._findings.fail("V19", f"line {number} of the payloads repeats a record")
            else:
                self._open[parsed[0]] = parsed[1:]
                if read is not None and read[1] is not None:
                    self._displayed.disclosed(parsed[0], parsed[1], read[1])

    def visit(self, entry: Entry) -> None:
        """Compares what the entry commits to with what was disclosed."""
        self._certificates.visit(entry)
        self._displayed.visit(entry)
        for item in entry.commitments if self._open else ():
            kind, commitment = self._open.pop(item.record, ("", ""))
            if not commitment:
                continue
            if kind != item.kind:
                self._findings.fail("V19", "payload is disclosed as of another kind", entry.index)
            elif commitment == _ERASED:
                self._erased.append((entry.index, entry.subject))
            elif commitment == _PRUNED:
                self._pruned.append(entry.index)
            elif commitment != item.commitment:
                self._findings.fail("V19", "payload is not the content committed to", entry.index)
            else:
                self._disclosed += 1

    def finish(self) -> None:
        """Asks for the certificates and for payloads that no entry names."""
        self._certificates.finish()
        if not self._present:
            self._findings.not_applicable("V19", "no payloads are disclosed")
            return
        decide = self._findings.fail if self._complete else self._findings.doubt
        for index, subject in self._erased:
            if subject is None or subject not in self._certificates.erased:
                decide("V19", "payload is called erased without an erasure entry for its subject", index)
        for index in self._pruned:
            if not self._certificates.covers(index):
                decide("V19", "payload is called pruned, and no pruning entry covers it", index)
        if self._open:
            self._findings.fail("V19", f"{len(self._open)} payloads belong to no entry of the bundle")
        self._findings.passed(
            "V19",
            f"{self._disclosed} payloads match their commitments, {len(self._erased)} erased,"
            f" {len(self._pruned)} pruned",
        )


def _line(value: dict[str, Any]) -> bytes:
    return encode(value) + b"\n"


def parse_line(line: bytes) -> tuple[str, str, str] | None:
    """(record, kind, hex commitment or what became of it) of a line; None when it is malformed."""
    found = _read(line)
    return None if found is None else found[0]


def _read(line: bytes) -> tuple[tuple[str, str, str], bytes | None] | None:
    """As `parse_line`, with the content, None for what is gone."""
    try:
        value = parse_canonical(line)
    except VerificationError:
        return None
    if type(value) is not dict:
        return None
    record, kind = value.get("record"), value.get("kind")
    if type(record) is not str or type(kind) is not str or not kind.isascii():
        return None
    for gone in (_ERASED, _PRUNED):
        if value.keys() == {gone, "kind", "record"}:
            return ((record, kind, gone), None) if value[gone] is True else None
    if value.keys() != {"content", "kind", "record", "salt"}:
        return None
    content, salt = value["content"], value["salt"]
    raw = decode_base64(content) if type(content) is str else None
    if raw is None or type(salt) is not str or not _SALT.fullmatch(salt):
        return None
    return (record, kind, payload_commitment(kind, bytes.fromhex(salt), raw).hex()), raw


def payload_lines(payloads: Iterable[Disclosed | Erased | Pruned]) -> Iterator[bytes]:
    """The lines of `payloads.jsonl`."""
    return (item.to_line() for item in payloads)
