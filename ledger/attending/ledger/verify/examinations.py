"""V22: periodic examinations follow each other without a gap, list every exception of their period, and are signed.

1. The statement is of this log and of the office in whose stream it stands, and its signer is who appended it. 2. It
begins where the one before ended, and ends before its own entry. 3. Counts and digest are those of the exceptions that
the entries of the period are, each disposed of before. The signature itself is V11, its key V12, its role V13.
"""

from __future__ import annotations

from collections import Counter

from attending.ledger import examination as examined
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.examination import ExaminationStatement, Office, Sign, parse_examination, sign_of
from attending.ledger.verify.report import Findings
from attending.ledger.verify.signatures import Signatures


class Examinations:
    """Visits every entry in log order and reports into `findings`; what is kept grows with the exceptions."""

    def __init__(self, findings: Findings, signatures: Signatures, *, whole: bool) -> None:
        """`whole` when no entry from the first one on can be missing: only then is a list known to be complete."""
        self._findings = findings
        self._signatures = signatures
        self._whole = whole
        self._signs: list[Sign] = []
        self._disposed: dict[Office, dict[tuple[str, int], str]] = {office: {} for office in Office}
        self._last: dict[Office, tuple[int, str]] = {}
        self._nonces: dict[str, int] = {}
        self._size = 0
        self.count = 0

    def visit(self, entry: Entry) -> None:
        """Takes note of one entry, and checks it where it is an examination."""
        self._size = entry.index + 1
        if (sign := sign_of(entry)) is not None:
            self._signs.append(sign)
        elif entry.type == examined.DISPOSED:
            self._dispose(entry)
        elif entry.type == examined.SIGNED:
            self._signed(entry)

    def finish(self) -> None:
        """Says what holds where nothing was reported, and how far the log is examined."""
        if not self.count:
            self._findings.not_applicable("V22", "no examination in the bundle")
            return
        reached = ", ".join(
            f"{office.value} up to entry {until}" for office, (until, _) in self._last.items()
        )
        self._findings.passed("V22", f"{self.count} examinations cover {reached} of {self._size}")

    def _dispose(self, entry: Entry) -> None:
        body = entry.body
        office, kind, index, made = (body.get(name) for name in ("office", "class", "entry", "disposition"))
        if (
            type(office) is str
            and office in [*Office]
            and type(kind) is str
            and type(index) is int
            and type(made) is str
        ):
            self._disposed[Office(office)][kind, index] = made

    def _signed(self, entry: Entry) -> None:
        self.count += 1
        report, index = self._findings, entry.index
        try:
            statement = parse_examination(entry.body.get("statement"))
        except VerificationError as err:
            report.fail("V22", err.detail, index)
            return
        office = statement.office
        if entry.stream != office.stream or statement.origin != entry.origin:  # 1
            report.fail("V22", "examination was signed for another log or office", index)
        if entry.actor != f"human:{statement.signer}":
            report.fail("V22", "examination was appended by another than its signer", index)
        earlier = self._nonces.setdefault(statement.nonce, index)
        if earlier != index:
            report.fail("V22", f"nonce was used before, by entry {earlier}", index)
        self._signatures.check_other(entry, statement, statement.message(), office.role)
        until, since = self._last.get(office, (0, ""))  # 2
        if (statement.first, statement.since_time) != (until, since):
            if self._whole or office in self._last:
                report.fail("V22", f"period does not begin at entry {until}, where the last one ended", index)
            else:
                report.doubt("V22", "the examination before is not in the bundle", index)
        if statement.until > index or statement.until_time > entry.time:
            report.fail("V22", "period ends after the examination", index)
        self._last[office] = statement.until, statement.until_time
        self._compare(entry, statement)  # 3

    def _compare(self, entry: Entry, statement: ExaminationStatement) -> None:
        report, index, office = self._findings, entry.index, statement.office
        if not self._whole:
            report.doubt("V22", "whether every exception is listed is not proved by this scope", index)
            return
        lines = examined.exceptions(
            office,
            self._signs,
            first=statement.first,
            until=statement.until,
            since_time=statement.since_time,
            until_time=statement.until_time,
        )
        disposed = self._disposed[office]
        missing = next((line for line in lines if (line.kind, line.index) not in disposed), None)
        if missing is not None:
            detail = f"entry {missing.index} ({missing.kind}) of the period was not disposed of"
            report.fail("V22", detail, index)
            return
        made = Counter(disposed[line.kind, line.index] for line in lines)
        if dict(statement.counts) != examined.counts_of(lines):
            report.fail("V22", "counts are not those of the period's exceptions", index)
        elif dict(statement.dispositions) != dict(made):
            report.fail("V22", "counts of dispositions are not those on record", index)
        elif statement.own != sum(line.actor == entry.actor for line in lines):
            report.fail("V22", "count of the signer's own exceptions is not that of the period", index)
        elif statement.digest != examined.digest_of(lines, disposed):
            report.fail("V22", "digest is not that of the period's exceptions", index)
