"""Reports: each is asked for, signed off by a named person, and issued as what was signed, in that order (V11-V14). One
that is not issued may be discarded, and is then at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.report_signature import (
    DISCARDED,
    DISCLOSED,
    ISSUED,
    REQUESTED,
    ROLES,
    SIGNED_OFF,
    ReportStatement,
    parse_report_statement,
    report_stream,
)
from attending.ledger.verify.report import Findings
from attending.ledger.verify.signatures import Signatures

_BOUND: Final = ("bundle", "statistics", "kind", "tree_size")


@dataclass(slots=True)
class _Life:
    """What is known of one report."""

    complete: bool
    """Whether no entry of it can be missing."""
    signed: ReportStatement | None = None
    signed_seen: bool = False
    issued: bool = False
    discarded: bool = False


class ReportSignOffs:
    """Visits every entry in log order and reports into `findings`; what is kept grows with the reports."""

    def __init__(self, findings: Findings, signatures: Signatures, *, whole: bool) -> None:
        """`whole` when no entry from the first one on can be missing."""
        self._findings = findings
        self._signatures = signatures
        self._whole = whole
        self._lives: dict[str, _Life] = {}
        self._nonces: dict[str, int] = {}

    def visit(self, entry: Entry) -> None:
        """Checks one entry against those before it."""
        if entry.type == REQUESTED:
            if entry.stream in self._lives:
                self._findings.fail("V14", "report was asked for before", entry.index)
            self._lives[entry.stream] = _Life(self._whole)
        elif entry.type in (SIGNED_OFF, ISSUED, DISCLOSED, DISCARDED):
            life = self._lives.get(entry.stream)
            if life is None:
                self._wrong(self._whole, "report was never asked for", entry.index)
                life = self._lives[entry.stream] = _Life(complete=False)
            if entry.type == SIGNED_OFF:
                self._sign(life, entry)
            elif entry.type == ISSUED:
                self._issue(life, entry)
            elif entry.type == DISCARDED:
                self._discard(life, entry)

    def _sign(self, life: _Life, entry: Entry) -> None:
        report, index = self._findings, entry.index
        if life.signed_seen:
            report.fail("V14", "report was signed off before", index)
        if life.discarded:
            report.fail("V14", "report was signed off after it was discarded", index)
        life.signed_seen = True
        try:
            statement = parse_report_statement(entry.body.get("statement"))
        except VerificationError as err:
            report.fail("V11", err.detail, index)
            return
        life.signed = statement
        if statement.origin != entry.origin or report_stream(statement.report) != entry.stream:
            report.fail("V11", "statement is of another log or report", index)
        if entry.actor != f"human:{statement.signer}":
            report.fail("V11", "report was signed off by another than its signer", index)
        if statement.role not in ROLES:
            report.fail("V13", "role is not one that signs reports off", index)
        earlier = self._nonces.setdefault(statement.nonce, index)
        if earlier != index:
            report.fail("V11", f"nonce was used before, by entry {earlier}", index)
        self._signatures.check_other(entry, statement, statement.message(), statement.role)

    def _issue(self, life: _Life, entry: Entry) -> None:
        report, index, body = self._findings, entry.index, entry.body
        if life.issued:
            report.fail("V14", "report was issued before", index)
        if life.discarded:
            report.fail("V14", "report was issued after it was discarded", index)
        life.issued = True
        if life.signed is None:
            if not life.signed_seen:
                self._wrong(life.complete, "report was issued without a signature", index)
            return
        said: Mapping[str, object] = life.signed.to_json()
        for name in _BOUND:
            if body.get(name) != said[name]:
                report.fail("V14", f"`{name}` of the report issued is not what was signed", index)

    def _discard(self, life: _Life, entry: Entry) -> None:
        if life.issued or life.discarded:
            how = "issued" if life.issued else "discarded"
            self._findings.fail("V14", f"report was discarded, and had been {how} before", entry.index)
        life.discarded = True

    def _wrong(self, certain: bool, detail: str, index: int) -> None:
        if certain:
            self._findings.fail("V14", detail, index)
        else:
            self._findings.doubt("V14", f"{detail}, unless entries were left out", index)
