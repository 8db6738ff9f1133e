"""Verification of a bundle, offline, against trust anchors that never come from the bundle itself.

Steps: 1. container; 2. manifest, the introductions of keys, its signature and the list of files; 3. checkpoint and
witnesses; 4. payloads; 5. entries, by scope; 6. pinned checkpoints; 7. statistics and time. Every step reports into one
collection and the later ones go on where an earlier one failed, so that the report names the record that was
changed, not only the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.ledger import checkpoint as checkpoints
from attending.ledger.canonical import MAX_ENTRY_BYTES, parse_canonical
from attending.ledger.checkpoint import Checkpoint, UnverifiedCheckpoint
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, Frontier, leaf_hash, verify_consistency, verify_inclusion
from attending.ledger.note import MAX_NOTE_BYTES, VerifierKey, decode_base64, parse_note, verify_note
from attending.ledger.verify import container as containers
from attending.ledger.verify.checks import Checks, Scope
from attending.ledger.verify.container import Container
from attending.ledger.verify.derived import Derived
from attending.ledger.verify.emitters import Emitters
from attending.ledger.verify.introductions import MAX_LINE_BYTES as MAX_INTRODUCTION_BYTES
from attending.ledger.verify.introductions import Introductions, signed_in_term
from attending.ledger.verify.manifest import (
    CHECKPOINT,
    CONTEXT,
    CONTEXT_PROOFS,
    ENTRIES,
    INTRODUCTIONS,
    MANIFEST,
    MANIFEST_SIGNATURE,
    MAX_MANIFEST_BYTES,
    PAYLOADS,
    PROOFS,
    RANGE,
    Manifest,
    parse_manifest,
    signed_text,
)
from attending.ledger.verify.payloads import MAX_LINE_BYTES, Payloads
from attending.ledger.verify.report import Findings, Report, verdict_of
from attending.ledger.verify.segments import Chain, Problem, cut, verify_segment
from attending.ledger.verify.time_bounds import TimeBounds

Progress = Callable[[int, int], None]
"""(entries verified, entries in scope)."""

_STREAMED: Final = frozenset({ENTRIES, PROOFS, CONTEXT, CONTEXT_PROOFS, PAYLOADS})
"""Files that are read line by line, and hashed while they are; the others are hashed at once."""
_MAX_RANGE_BYTES: Final = 1 << 16
_MAX_PROOF_BYTES: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the auditor trusts, from elsewhere than the bundle.

    `keys` of logs: a log whose key was rotated since may be anchored by any of its keys, and what it was introduced by
    is in the bundle. Keys of `witnesses` and how many of them must have cosigned (all, when `quorum` is None),
    `pinned` checkpoint notes seen before. `require_time`, `require_freshness` and `require_complete` let a missing
    bound on time, a missing newer checkpoint, or an event that was issued and never arrived, count in the verdict.
    """

    keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int | None = None
    pinned: tuple[str, ...] = ()
    require_time: bool = False
    require_freshness: bool = False
    require_complete: bool = False

    @property
    def of_entries(self) -> bool:
        """Whether anything is asked for that only the entries of a log can be held against."""
        return bool(self.pinned or self.require_time or self.require_freshness or self.require_complete)


def verify_bundle(path: Path, anchors: Anchors, progress: Progress | None = None) -> Report:
    """The report over the bundle at `path`, a `.attending` zip file or a directory.

    Whatever the bundle holds, problems are results, not exceptions; OSError when the path cannot be read. The
    memory needed grows with streams, records and disclosed payloads, not with number or size of the entries.
    """
    findings = Findings()
    try:
        source = containers.open_container(path)  # 1
    except VerificationError as err:
        findings.fail("V1", err.detail)
        return _report(findings, None, None)
    try:
        verification = _Verification(source, anchors, findings, progress)
        return verification.run()
    finally:
        source.close()


def _report(findings: Findings, manifest: Manifest | None, derived: Derived | None) -> Report:
    results = tuple(findings.results())
    return Report(
        results=results,
        verdict=verdict_of(results),
        statistics={} if derived is None else derived.counts,
        origin=None if manifest is None else manifest.origin,
        scope=None if manifest is None else manifest.scope_json(),
    )


class _Verification:
    def __init__(
        self, source: Container, anchors: Anchors, findings: Findings, progress: Progress | None
    ) -> None:
        self._source = source
        self._anchors = anchors
        self._findings = findings
        self._progress = progress
        self._emitters = Emitters()
        self._roots: dict[int, bytes] = {}
        self._unreadable = False
        self._unhashed: frozenset[str] = frozenset()
        self._foreign: list[Checkpoint] = []

    def run(self) -> Report:
        manifest = self._read_manifest()  # 2
        if manifest is None:
            return _report(self._findings, None, None)
        self._manifest = manifest
        self._derived = Derived(self._findings, manifest)
        self._check_files()
        head = self._check_checkpoint()  # 3
        self._introductions.compare(head)
        # A certificate may stand after a range: only the whole log shows that there is none.
        self._payloads = Payloads(self._findings, complete=manifest.scope is Scope.FULL)
        if PAYLOADS in manifest.files:  # 4
            self._payloads.load(self._lines(PAYLOADS, MAX_LINE_BYTES))
        self._checks = Checks(self._findings, manifest.scope, manifest.begin)
        pinned = self._read_pinned()
        signed = [head] if isinstance(head, Checkpoint) else []
        self._times = TimeBounds(self._findings, [*signed, *pinned])
        if CONTEXT in manifest.files:
            self._verify_context(head)
        if manifest.scope is Scope.SUBSET:  # 5
            self._verify_subset(head)
        else:
            self._verify_chain(head, pinned)
        self._checks.finish()
        self._introductions.finish()
        self._emitters.report(
            self._findings,
            complete_scope=manifest.scope is Scope.FULL,
            required=self._anchors.require_complete,
        )
        self._payloads.finish()
        self._check_pinned(head, pinned)  # 6
        self._checks.successions.compare(self._foreign)
        for name in sorted(self._unhashed):  # what no check above read to its end
            self._drain(name)
        if self._unreadable:  # 7
            self._findings.doubt("V20", "some entries are not readable")
        else:
            self._derived.finish(lambda name, limit: containers.read(self._source, name, limit))
        self._times.finish(required=self._anchors.require_time)
        return _report(self._findings, manifest, self._derived)

    # -- manifest, files -------------------------------------------------------------------------------------

    def _read_manifest(self) -> Manifest | None:
        report = self._findings
        try:
            data = containers.read(self._source, MANIFEST, MAX_MANIFEST_BYTES)
            manifest = parse_manifest(data)
        except VerificationError as err:
            (report.doubt if err.reason == "UNKNOWN_VERSION" else report.fail)("V1", err.detail)
            return None
        self._introductions = Introductions(report, manifest.origin, self._anchors.keys)
        if INTRODUCTIONS in manifest.files:
            self._introductions.load(self._raw_lines(INTRODUCTIONS, MAX_INTRODUCTION_BYTES), _hashes)
        known = self._introductions.terms
        try:
            note = parse_note(containers.read(self._source, MANIFEST_SIGNATURE, MAX_NOTE_BYTES))
            if note.text != signed_text(manifest.origin, data):
                report.fail("V1", "manifest is not the one that was signed")
            elif not any(key.name == manifest.origin for key in self._anchors.keys):
                report.doubt("V1", "no key of this log was given")
            else:
                found = verify_note(note, [term.key for term in known])
                if (why := signed_in_term(found, known, self._claimed_size())) is not None:
                    report.fail("V1", why)
        except VerificationError as err:
            report.fail("V1", f"signature of the manifest: {err.detail}")
        return manifest

    def _claimed_size(self) -> int | None:
        """The size that the checkpoint claims, which V8 verifies; None when it is none."""
        try:
            note = containers.read(self._source, CHECKPOINT, MAX_NOTE_BYTES)
            return checkpoints.parse_checkpoint(note).size
        except VerificationError:
            return None

    def _check_files(self) -> None:
        """Names and, for what is not read as a stream later, hashes."""
        report, listed = self._findings, self._manifest.files
        try:
            found = self._source.names - {MANIFEST, MANIFEST_SIGNATURE}
        except VerificationError as err:
            report.fail("V1", err.detail)
            return
        for name in sorted(found - listed.keys()):
            report.fail("V1", f"`{name}` is not listed in the manifest")
        for name in sorted(listed.keys() - found):
            report.fail("V1", f"`{name}` is missing" if name.isprintable() else "file is missing")
        for name in sorted(found & listed.keys() - _STREAMED):
            self._drain(name)
        self._unhashed = found & listed.keys() & _STREAMED
        report.passed("V1", f"{len(listed)} files are those of the signed manifest")

    def _hashed(self, name: str) -> Iterator[bytes]:
        """The chunks of a listed file; at the end its hash and size are compared with the manifest's."""
        digest, size = hashlib.sha256(), 0
        for chunk in self._source.chunks(name):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        listed = self._manifest.files[name]
        self._unhashed = self._unhashed - {name}
        if digest.hexdigest() != listed.sha256 or size != listed.size_bytes:
            self._findings.fail("V1", f"`{name}` is not the file that was signed")

    def _drain(self, name: str) -> None:
        try:
            for _ in self._hashed(name):
                pass
        except VerificationError as err:
            self._findings.fail("V1", err.detail)

    def _lines(self, name: str, limit_bytes: int) -> Iterator[bytes]:
        """The lines of a listed file to its end, hashed on the way; a broken container ends them."""
        try:
            yield from containers.lines(self._hashed(name), limit_bytes)
        except VerificationError as err:
            self._findings.fail("V1", f"`{name}`: {err.detail}")

    def _raw_lines(self, name: str, limit_bytes: int) -> Iterator[bytes]:
        """The lines of a file that proves itself; it is hashed with the others later."""
        return containers.lines(self._source.chunks(name), limit_bytes)

    # -- checkpoint ------------------------------------------------------------------------------------------

    def _check_checkpoint(self) -> Checkpoint | UnverifiedCheckpoint | None:
        """V8. An unverified head still serves to find the record that was changed."""
        report, anchors = self._findings, self._anchors
        try:
            claim = checkpoints.parse_checkpoint(containers.read(self._source, CHECKPOINT, MAX_NOTE_BYTES))
        except VerificationError as err:
            report.fail("V8", err.detail)
            return None
        if claim.origin != self._manifest.origin:
            report.fail("V8", "checkpoint is of another log than the manifest")
            return claim
        if not any(key.name == claim.origin for key in anchors.keys):
            report.doubt("V8", "no key of this log was given")
            return claim
        quorum = len(anchors.witnesses) if anchors.quorum is None else anchors.quorum
        try:
            head = checkpoints.verify(
                claim, self._introductions.terms, witnesses=anchors.witnesses, quorum=quorum
            )
        except VerificationError as err:
            report.fail("V8", err.detail)
            return claim
        report.passed(
            "V8", f"head of size {head.size} is signed by the log, cosigned by {len(head.cosigned)}"
        )
        return head

    # -- entries ---------------------------------------------------------------------------------------------

    def _verify_chain(self, head: Checkpoint | UnverifiedCheckpoint | None, pinned: list[Checkpoint]) -> None:
        manifest, report = self._manifest, self._findings
        edge = self._read_edge()
        if edge is None:
            return
        frontier, consistency = edge
        chain = Chain(manifest.begin, frontier)
        total = manifest.end - manifest.begin
        cuts = [item.size for item in pinned]
        self._roots[chain.size] = chain.root()
        surplus = False
        lines = self._lines(ENTRIES, MAX_ENTRY_BYTES)
        for position, part in cut(manifest.begin, lines, [*cuts, manifest.end]):
            if position >= manifest.end:
                surplus = True
                break
            segment = verify_segment(position, part, manifest.origin, keep=True)
            chain.fold(segment)
            for entry in segment.entries:
                self._visit(entry)
            if chain.size in cuts:
                self._roots[chain.size] = chain.root()
            if self._progress is not None:
                self._progress(chain.size - manifest.begin, total)
        if surplus:
            report.fail("V7", "bundle holds more entries than its scope", manifest.end)
        elif chain.size < manifest.end:
            report.fail("V7", f"bundle ends before entry {chain.size} of its scope", chain.size)
        self._report_chain(chain, head, consistency)

    def _report_chain(
        self, chain: Chain, head: Checkpoint | UnverifiedCheckpoint | None, consistency: list[bytes]
    ) -> None:
        report, manifest = self._findings, self._manifest
        for problem in chain.problems:
            self._report_problem(problem)
        if chain.uncounted:
            report.fail("V7", f"and {chain.uncounted} more problems")
        accepts = self._root_check(head, consistency)
        if accepts is None:
            report.doubt("V6", "no checkpoint to compare the root with")
        elif accepts(chain.root()):
            for link in chain.broken:
                report.fail("V7", "`prev` is not the leaf hash of the entry before", link.index)
        else:
            self._report_root(chain, accepts)
        entries = chain.size - manifest.begin
        report.passed("V5", f"{entries} entries are canonical and of the schema")
        report.passed("V6", f"{entries} leaf hashes lead to the signed root")
        report.passed("V7", f"{entries} entries are contiguous and linked ({manifest.scope.value})")

    def _report_root(self, chain: Chain, accepts: Callable[[bytes], bool]) -> None:
        report, named = self._findings, chain.altered(accepts)
        for index in named:
            report.fail("V6", "its bytes are not those that the log committed to", index)
        if named:
            return
        if (chain.astray or chain.size < self._manifest.end) and (report.failed("V5") or report.failed("V7")):
            # What is named there is the reason: of the other leaf hashes this says nothing.
            report.doubt("V6", "root hash is not the signed one, for the entries named under V5 and V7")
        elif chain.size > self._manifest.begin and self._entries_differ():
            # All links hold, so nothing before the last entry was changed alone: no successor vouches for it.
            detail = "its bytes, or with them the whole chain before, are not what the log committed to"
            report.fail("V6", detail, chain.size - 1)
        else:
            report.fail("V6", "root hash is not the signed one though all entries are linked")

    def _entries_differ(self) -> bool:
        """True when the entries are not those of the manifest, or nothing but them goes into the root."""
        return self._manifest.begin == 0 or self._findings.failed("V1")

    def _root_check(
        self, head: Checkpoint | UnverifiedCheckpoint | None, consistency: list[bytes]
    ) -> Callable[[bytes], bool] | None:
        manifest = self._manifest
        if head is None:
            return None
        if head.size < manifest.end or (manifest.scope is Scope.FULL and head.size != manifest.end):
            self._findings.fail("V7", f"checkpoint of size {head.size} does not fit the scope")
            return None

        def accepts(root: bytes) -> bool:
            try:
                verify_consistency(manifest.end, head.size, root, head.root, consistency)
            except VerificationError:
                return False
            return True

        return accepts

    def _read_edge(self) -> tuple[Frontier, list[bytes]] | None:
        """The frontier of [0, begin) and the consistency proof from `end` to the checkpoint."""
        manifest, report = self._manifest, self._findings
        if manifest.scope is Scope.FULL:
            return Frontier(), []
        try:
            value = parse_canonical(containers.read(self._source, RANGE, _MAX_RANGE_BYTES))
            if type(value) is not dict or value.keys() != {"consistency", "hashes"}:
                raise VerificationError(f"`{RANGE}` is not well formed")
            return Frontier(manifest.begin, _hashes(value["hashes"])), _hashes(value["consistency"])
        except (VerificationError, ValueError) as err:
            report.fail("V6", err.detail if isinstance(err, VerificationError) else f"`{RANGE}`: {err}")
            return None

    def _verify_subset(self, head: Checkpoint | UnverifiedCheckpoint | None) -> None:
        manifest, report = self._manifest, self._findings
        count = 0
        for entry in self._included(ENTRIES, PROOFS, range(manifest.begin, manifest.end), head):
            count += 1
            self._visit(entry)
            if self._progress is not None:
                self._progress(count, manifest.end - manifest.begin)
        report.doubt("V7", "completeness is not proved: scope is a subset", advisory=True)
        report.passed("V5", f"{count} entries are canonical and of the schema")
        report.passed("V6", f"{count} entries are included under the signed root")

    def _verify_context(self, head: Checkpoint | UnverifiedCheckpoint | None) -> None:
        """Entries before a range that its checks rest on: they prove what is there, not what is not."""
        manifest, count = self._manifest, 0
        if manifest.scope is not Scope.RANGE:
            self._findings.fail("V7", "only a range has context")
            return
        for entry in self._included(CONTEXT, CONTEXT_PROOFS, range(manifest.begin), head):
            count += 1
            if entry is not None:
                self._derived.context(entry)
                self._payloads.visit(entry)
                self._checks.visit(entry)
                self._times.visit(entry)
        detail = f"{count} earlier entries as context; whether a revocation before the range is left out is not proved"
        self._findings.doubt("V12", detail, advisory=True)

    def _included(
        self, name: str, proofs_name: str, scope: range, head: Checkpoint | UnverifiedCheckpoint | None
    ) -> Iterator[Entry | None]:
        """The entries of a file, their inclusion proofs checked; None for what is not readable."""
        manifest, report = self._manifest, self._findings
        proofs = self._lines(proofs_name, _MAX_PROOF_BYTES) if proofs_name in manifest.files else iter(())
        count, previous = 0, scope.start - 1
        for data in self._lines(name, MAX_ENTRY_BYTES):
            proof = next(proofs, None)
            count += 1
            try:
                entry = parse_entry(data)
            except VerificationError as err:
                # Without its own index the record can only be placed after the one before it.
                self._report_problem(Problem(previous + 1, err.reason, f"record {count}: {err.detail}"))
                yield None
                continue
            if not previous < entry.index < scope.stop or entry.origin != manifest.origin:
                report.fail("V7", "entry is out of order, out of scope or of another log", entry.index)
            previous = max(previous, entry.index)
            if head is None:
                report.doubt("V6", "no checkpoint to prove inclusion under")
            elif proof is None:
                report.fail("V6", "entry has no inclusion proof", entry.index)
            else:
                self._check_inclusion(entry, data, proof, head)
            yield entry
        if next(proofs, None) is not None:
            report.fail("V7", "bundle holds more proofs than entries")

    def _check_inclusion(
        self, entry: Entry, data: bytes, proof: bytes, head: Checkpoint | UnverifiedCheckpoint
    ) -> None:
        try:
            hashes = _hashes(parse_canonical(proof))
            verify_inclusion(leaf_hash(data), entry.index, head.size, hashes, head.root)
        except VerificationError as err:
            self._findings.fail("V6", f"not what the log committed to: {err.detail}", entry.index)

    def _visit(self, entry: Entry | None) -> None:
        if entry is None:
            self._unreadable = True
            return
        self._derived.visit(entry)
        self._emitters.visit(entry)
        self._introductions.visit(entry)
        self._payloads.visit(entry)
        self._checks.visit(entry)
        self._times.visit(entry)

    def _report_problem(self, problem: Problem) -> None:
        self._unreadable = self._unreadable or problem.reason not in ("INDEX", "ORIGIN", "TIME")
        if problem.reason == "UNKNOWN_VERSION":
            self._findings.doubt("V5", problem.detail, problem.index)
        elif problem.reason in ("INDEX", "ORIGIN", "TIME"):
            self._findings.fail("V7", problem.detail, problem.index)
        else:
            self._findings.fail("V5", problem.detail, problem.index)

    # -- pinned checkpoints ----------------------------------------------------------------------------------

    def _read_pinned(self) -> list[Checkpoint]:
        pinned: list[Checkpoint] = []
        for number, note in enumerate(self._anchors.pinned, 1):
            try:
                foreign = [key for key in self._anchors.keys if key.name != self._manifest.origin]
                item = checkpoints.verify(
                    note, [*self._introductions.all_terms, *foreign], witnesses=self._anchors.witnesses
                )
            except VerificationError as err:
                # Without the key there is nothing to hold the pin against; a bad signature is another matter.
                missing = not any(key.name == self._manifest.origin for key in self._anchors.keys)
                decide = self._findings.doubt if missing else self._findings.fail
                decide("V9", f"pinned checkpoint {number}: {err.detail}")
                continue
            (pinned if item.origin == self._manifest.origin else self._foreign).append(item)
        return pinned

    def _check_pinned(self, head: Checkpoint | UnverifiedCheckpoint | None, pinned: list[Checkpoint]) -> None:
        report, manifest = self._findings, self._manifest
        if head is None:
            return
        for item in pinned:
            if item.size > head.size:
                if manifest.scope is Scope.FULL:
                    detail = f"truncated: bundle ends at size {head.size}, the log was at {item.size} before"
                    report.fail("V9", detail)
                else:
                    report.doubt("V9", f"pinned head of size {item.size} is newer than the bundle's")
                continue
            root = head.root if item.size == head.size else self._roots.get(item.size)
            if item.size == 0:
                continue
            if root is None:
                report.doubt("V9", f"pinned head of size {item.size} cannot be recomputed from this scope")
            elif root != item.root:
                heads = f"{item.root.hex()} was signed before, {root.hex()} is found now"
                report.fail("V9", f"forked: two root hashes for size {item.size}: {heads}")
        if not any(item.size >= head.size for item in pinned):
            detail = "freshness unproven: no checkpoint at or past the bundle's head was given"
            report.doubt("V9", detail, advisory=not self._anchors.require_freshness)
        if pinned:
            report.passed("V9", f"consistent with {len(pinned)} pinned checkpoints")


def _hashes(value: object) -> list[bytes]:
    if type(value) is not list:
        raise VerificationError("hashes are not a list")
    result = []
    for item in value:
        data = decode_base64(item, HASH_SIZE) if type(item) is str else None
        if data is None:
            raise VerificationError("hash is not base64 of 32 bytes")
        result.append(data)
    return result
