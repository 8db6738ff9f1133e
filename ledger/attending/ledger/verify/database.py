"""Everything that can be said about a log in a database file: entries, tiles, head, signed heads, payloads.

Needs the standard library and `cryptography`. Nothing is repaired; what is wrong is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attending.ledger import checkpoint as checkpoints
from attending.ledger.checkpoint import Checkpoint, Term
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.introduction import REASON, Introduction, follow, rotation_of, terms
from attending.ledger.note import VerifierKey
from attending.ledger.proof import parse_receipt
from attending.ledger.verify.report import Status
from attending.ledger.verify.sealed import PayloadOutcome, verify_payloads
from attending.ledger.verify.segments import MAX_PROBLEMS, Mode
from attending.ledger.verify.sqlite import LogInFile, SqliteLog
from attending.ledger.verify.stored import Outcome, Progress, verify_stored_log


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint note to hold the log against, and where it comes from in a few words."""

    source: str
    note: str | bytes


@dataclass(frozen=True, slots=True)
class LogFinding:
    """One thing that was checked, of an entry where `index` names one."""

    check: str
    status: Status
    reason: str | None
    detail: str
    index: int | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """What the verification of a log in a file came to."""

    log_id: str
    origin: str
    size: int
    mode: Mode
    findings: tuple[LogFinding, ...] = field(repr=False)

    @property
    def verdict(self) -> Status:
        """FAILED if anything is wrong, INDETERMINATE if anything stays open, PASSED otherwise."""
        found = {finding.status for finding in self.findings}
        for status in (Status.FAILED, Status.INDETERMINATE):
            if status in found:
                return status
        return Status.PASSED

    @property
    def bad_entries(self) -> list[int]:
        """Indices below the size that a failure names, in order."""
        named = {item.index for item in self.findings if item.status is Status.FAILED}
        return sorted(index for index in named if index is not None and index < self.size)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "log": self.log_id,
            "origin": self.origin,
            "entries": self.size,
            "mode": self.mode.value,
            "verdict": self.verdict.value,
            "findings": [
                {
                    "check": item.check,
                    "status": item.status.value,
                    "reason": item.reason,
                    "index": item.index,
                    "detail": item.detail,
                }
                for item in self.findings
            ],
        }


def verify_database_log(
    path: Path,
    log: LogInFile,
    key: VerifierKey,
    heads: Sequence[SignedHead],
    *,
    mode: Mode = Mode.COMPLETE,
    processes: int = 1,
    payloads: bool = False,
    progress: Progress | None = None,
) -> LogReport:
    """The report over one log of the database file `path`.

    1. `key` is the one that the log began under, or one that was introduced since, and no introduction is missing.
    2. Every entry, row, tile and the stored head, as `verify_stored_log`. 3. Each of `heads` is signed by the log's key
    of its size, and the log extends it and the head under each introduction; with none of them nobody vouches for the
    head, which leaves the verdict open. 4. On demand, `verify_payloads`.

    Read the heads before `log`: a server that goes on appending then only makes the log longer than they are.
    Raises VerificationIncomplete when not all could be read.
    """
    findings: list[LogFinding] = []
    chain = _read_keys(log, key, findings)  # 1
    signed = _read_heads(heads, terms([key], chain, before=True), log, findings)
    sizes = {head.size for _, head in signed if head.size <= log.head.size}
    sizes |= {item.rotation.size for item in chain if item.rotation.size <= log.head.size}
    opener = SqliteLog(path, log.log_id)
    head = log.head
    if head.size - log.end > MAX_PROBLEMS:
        # A head may claim any size; one that is so far off is not looked for entry by entry.
        detail = f"no entry is stored from here on, up to the head's size of {head.size}"
        findings.append(LogFinding("entries", Status.FAILED, "MISSING", detail, log.end))
        head, sizes = replace(head, size=log.end), {size for size in sizes if size <= log.end}
    outcome = verify_stored_log(  # 2
        opener, head, mode=mode, processes=processes, sizes=sizes, progress=progress
    )
    findings += _entries(log, outcome)
    findings += _introduced(chain, outcome)  # 3
    findings += _signed(signed, log, outcome)
    if not heads:
        detail = "no signed head was given or published: nobody vouches for what the entries lead to"
        findings.append(LogFinding("signed head", Status.INDETERMINATE, "NO_SIGNED_HEAD", detail))
    if payloads:  # 4
        reader = opener()
        try:
            findings += _payloads(verify_payloads(reader, head.size))
        finally:
            reader.close()
    return LogReport(log.log_id, log.head.origin, log.head.size, mode, tuple(findings))


def _read_keys(log: LogInFile, key: VerifierKey, findings: list[LogFinding]) -> tuple[Introduction, ...]:
    """The introductions of the log's keys, as far as they hold."""

    def fail(reason: str, detail: str, index: int | None = None) -> None:
        findings.append(LogFinding("key", Status.FAILED, reason, detail, index))

    chain: tuple[Introduction, ...] = ()
    try:
        chain = follow(log.introductions, log.head.origin)
        known = {log.verifier_key, *(str(item.rotation.new) for item in chain)}
        if chain and str(chain[0].rotation.old) != log.verifier_key:
            fail(REASON, "introductions do not begin with the key that the log began under")
        if str(key) not in known:
            fail("KEY_MISMATCH", "log began under another key than the one given, and none introduced that")
    except VerificationError as err:
        fail(err.reason, err.detail, err.index)
    held = {parse_receipt(item.text).extra for item in chain}
    for number, data in enumerate(log.rotations):
        if data in held:
            continue
        try:
            index = rotation_of(parse_entry(data)).index
        except VerificationError as err:
            fail(err.reason, err.detail, err.index)
            continue
        if number == len(log.introductions):
            detail = (
                "a rotation of the signing key is under way, or was cut short: a start of the server ends it"
            )
            findings.append(LogFinding("key", Status.INDETERMINATE, "INTRODUCTION_PENDING", detail, index))
        else:
            fail(REASON, "entry replaces the signing key, and there is no introduction by the old one", index)
    if len(chain) > len(log.rotations):
        fail(REASON, "there are introductions of keys that no entry brings")
    return chain


def _introduced(chain: Sequence[Introduction], outcome: Outcome) -> Iterator[LogFinding]:
    good = 0
    for item in chain:
        if outcome.roots.get(item.rotation.size) == item.root:
            good += 1
            continue
        detail = f"the entries below {item.rotation.size} are not those under which the key was introduced"
        yield LogFinding("key", Status.FAILED, REASON, detail, item.rotation.index)
    if good and good == len(chain):
        detail = (
            f"{good} introductions lead from the first key to the one in use, and the entries to each of them"
        )
        yield LogFinding("key", Status.PASSED, None, detail)


def _read_heads(
    heads: Sequence[SignedHead], known: Sequence[Term], log: LogInFile, findings: list[LogFinding]
) -> list[tuple[str, Checkpoint]]:
    signed = []
    for item in heads:
        try:
            head = checkpoints.verify(item.note, known)
            if head.origin != log.head.origin:
                raise VerificationError("checkpoint is of another log", reason="ORIGIN")
        except VerificationError as err:
            detail = f"{item.source}: {err.detail}"
            findings.append(LogFinding("signed head", Status.FAILED, err.reason, detail))
        else:
            signed.append((item.source, head))
    return signed


def _entries(log: LogInFile, outcome: Outcome) -> Iterator[LogFinding]:
    for problem in outcome.problems:
        yield LogFinding("entries", Status.FAILED, problem.reason, problem.detail, problem.index)
    if outcome.uncounted:
        detail = f"and {outcome.uncounted} more problems"
        yield LogFinding("entries", Status.FAILED, "MORE", detail)
    if log.surplus:
        detail = f"{log.surplus} entries are stored past the head"
        yield LogFinding("entries", Status.FAILED, "PAST_HEAD", detail, log.head.size)
    if not outcome.problems and not log.surplus:
        what = "links and tree" if outcome.mode is Mode.TREE else "entries, rows, links, tree"
        detail = f"{log.head.size} entries: {what} and tiles lead to the stored head"
        yield LogFinding("entries", Status.PASSED, None, detail)


def _signed(
    signed: Sequence[tuple[str, Checkpoint]], log: LogInFile, outcome: Outcome
) -> Iterator[LogFinding]:
    for source, head in signed:
        if head.size > log.head.size:
            detail = (
                f"{source}: {head.size} entries were signed, the database has {log.head.size}: it is behind"
            )
            yield LogFinding("signed head", Status.FAILED, "LOG_ROLLED_BACK", detail, log.head.size)
        elif outcome.roots.get(head.size) != head.root:
            detail = f"{source}: the entries below {head.size} are not those that were signed"
            yield LogFinding("signed head", Status.FAILED, "SIGNED_HEAD_DIFFERS", detail)
        else:
            later = log.head.size - head.size
            after = f"; {later} later entries are under the stored head only" if later else ""
            detail = f"{source}: signed at size {head.size}, and the entries lead to it{after}"
            yield LogFinding("signed head", Status.PASSED, None, detail)


def _payloads(found: PayloadOutcome) -> Iterator[LogFinding]:
    for problem in found.problems:
        yield LogFinding("payloads", Status.FAILED, problem.reason, problem.detail, problem.index)
    if found.unnamed:
        detail = f"{found.unnamed} stored payloads are named by no entry"
        yield LogFinding("payloads", Status.FAILED, "PAYLOAD_UNNAMED", detail)
    if found.missing:
        detail = (
            f"{found.missing} payloads are gone, from this entry on, with neither erasure nor prune on record"
        )
        yield LogFinding("payloads", Status.FAILED, "PAYLOAD_MISSING", detail, found.first_missing)
    if not (found.problems or found.unnamed or found.missing):
        detail = (
            f"{found.present} stored payloads are those that entries name; {found.erased} are erased,"
            f" {found.pruned} pruned"
        )
        yield LogFinding("payloads", Status.PASSED, None, detail)
