"""The checks over the meaning of entries: V5 (types), V14, V16 to V18, V20, V22, and V11-V13 by `signatures`.

Entries are visited once, in log order; what is kept grows with streams and records, not with bodies. Where
a bundle does not hold all entries before one (scope range or subset), what could stand outside it makes a
result indeterminate instead of failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from attending.ledger.draw import SAMPLED, Case, worst_rank
from attending.ledger.entry import Entry
from attending.ledger.practice import DEBRIEFED
from attending.ledger.review_signature import Meaning
from attending.ledger.verify.activations import Activations
from attending.ledger.verify.blinded import SecondRead
from attending.ledger.verify.break_glass import BreakGlass, Used
from attending.ledger.verify.draws import Draws
from attending.ledger.verify.examinations import Examinations
from attending.ledger.verify.halts import Halts
from attending.ledger.verify.leases import Leases
from attending.ledger.verify.own_view import OwnViews
from attending.ledger.verify.practice import Practice
from attending.ledger.verify.references import References
from attending.ledger.verify.report import Findings
from attending.ledger.verify.report_sign_offs import ReportSignOffs
from attending.ledger.verify.signatures import Signatures, Signed
from attending.ledger.verify.succession import Successions
from attending.ledger.verify.suppressions import Suppressions


class Scope(StrEnum):
    """What a bundle claims to hold."""

    FULL = "full"
    RANGE = "range"
    SUBSET = "subset"


class State(StrEnum):
    """Where an inference stands, as its entries tell."""

    START = "start"
    RECEIVED = "received"
    GENERATED = "generated"
    HELD = "held"
    RELEASED = "released"
    BLOCKED = "blocked"
    FAILED = "failed"
    ABANDONED = "abandoned"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DEBRIEFED = "debriefed"
    STREAMING = "streaming"
    CUT = "cut"


_S = State
_UNDECIDED: Final = (_S.RECEIVED, _S.GENERATED)
_MOVES: Final[Mapping[str, Mapping[State, State]]] = {
    "inference.requested": {_S.START: _S.RECEIVED},
    "inference.generated": {_S.RECEIVED: _S.GENERATED, _S.STREAMING: _S.STREAMING},
    "inference.released": {
        _S.GENERATED: _S.RELEASED,
        _S.HELD: _S.RELEASED,
        _S.STREAMING: _S.RELEASED,
    },
    "inference.held": {_S.GENERATED: _S.HELD, _S.RECEIVED: _S.HELD, _S.STREAMING: _S.HELD, _S.CUT: _S.HELD},
    "inference.blocked": dict.fromkeys((*_UNDECIDED, _S.STREAMING), _S.BLOCKED),
    "inference.failed": dict.fromkeys((*_UNDECIDED, _S.STREAMING), _S.FAILED),
    "inference.abandoned": dict.fromkeys((*_UNDECIDED, _S.STREAMING), _S.ABANDONED),
    "inference.withdrawn": {_S.RELEASED: _S.WITHDRAWN},
    "recall.acknowledged": {_S.WITHDRAWN: _S.WITHDRAWN},
    "recall.proposed": {_S.RELEASED: _S.RELEASED},
    "recall.dismissed": {_S.RELEASED: _S.RELEASED},
    "inference.stream_opened": {_S.RECEIVED: _S.STREAMING},
    "inference.stream_window": {_S.STREAMING: _S.STREAMING},
    "inference.stream_closed": {_S.STREAMING: _S.CUT, _S.RELEASED: _S.RELEASED},
    "review.rejected": {_S.HELD: _S.REJECTED},
    "review.expired": {_S.HELD: _S.EXPIRED},
    # A block is looked at too, by the safety officer; it can be signed for by nobody.
    "review.claimed": {_S.HELD: _S.HELD, _S.BLOCKED: _S.BLOCKED},
    "review.disposed": {_S.HELD: _S.HELD, _S.BLOCKED: _S.BLOCKED},
    "review.facts_added": {_S.HELD: _S.HELD},
    "review.escalated": {_S.HELD: _S.HELD, _S.BLOCKED: _S.BLOCKED},
    "review.reassigned": {_S.HELD: _S.HELD, _S.BLOCKED: _S.BLOCKED},
    "review.signed": {_S.HELD: _S.HELD},
    "review.adjudicated": {_S.HELD: _S.HELD},
    "review.opinion_recorded": {_S.HELD: _S.HELD},
    # Whatever was decided on a practice item, this ends it.
    DEBRIEFED: {_S.HELD: _S.DEBRIEFED},
    "inference.delivered": dict.fromkeys((_S.RELEASED, _S.WITHDRAWN), _S.RELEASED)
    | {_S.WITHDRAWN: _S.WITHDRAWN},
}
"""Entry type -> state before -> state after. Types that are not here are legal in every state."""


_BASES: Final = ("policy", "signed", "break_glass")
"""On what strength a text may be released. A tuple: a body may hold there what a set cannot be asked for."""


@dataclass(slots=True)
class _Stream:
    """What the checks remember of one stream."""

    state: State | None
    complete: bool
    leases: Leases
    calling_app: str | None = None
    author: str | None = None
    policy: str | None = None
    policy_hash: str | None = None
    held: int | None = None
    to_dispose: int | None = None
    """Findings that a signature has to have disposed of, by the entry that judged the text last."""
    sign_off: Mapping[str, Any] = field(default_factory=dict)
    wanted: tuple[tuple[str, ...], ...] = ()
    """Groups of roles, of each of which findings want a signature besides."""
    generated_records: set[str] = field(default_factory=set)
    records: dict[str, str] = field(default_factory=dict)
    signed: list[Signed] = field(default_factory=list)
    attempts: int = 0
    broke_glass: Used | None = None
    second_read: SecondRead | None = None
    own_views: OwnViews | None = None
    severity_rank: int = 0
    raised: bool = False
    """Whether a signature on it was marked as drawn more often."""


class Checks:
    """Visits every entry in log order and reports into `findings`."""

    def __init__(self, findings: Findings, scope: Scope, begin: int) -> None:
        """`begin` is where the scope begins; of a range, entries before it may be visited as context."""
        self._findings = findings
        self._scope = scope
        self._begin = begin
        from_start = scope is not Scope.SUBSET and begin == 0
        self._from_start = from_start
        self._streams: dict[str, _Stream] = {}
        self._signatures = Signatures(findings, complete_from_start=from_start)
        self.successions = Successions(findings)
        self._halts = Halts(findings)
        self._glass = BreakGlass(findings, whole=scope is not Scope.SUBSET and begin == 0)
        self._examinations = Examinations(findings, self._signatures, whole=from_start)
        self._reports = ReportSignOffs(findings, self._signatures, whole=from_start)
        self._activations = Activations(findings, whole=scope is not Scope.SUBSET, begin=begin)
        self._draws = Draws(findings, whole=scope is not Scope.SUBSET and begin == 0)
        self._practice = Practice(findings, whole=from_start)
        self._suppressions = Suppressions(findings, whole=from_start)
        self._references = References(findings, whole=from_start)
        self._released = self._held_released = self._exceptions = self._transitions = 0

    def visit(self, entry: Entry) -> None:
        """Checks one entry against those before it."""
        if not entry.known_type:
            self._findings.doubt("V5", "type of a later version: its meaning is not known here", entry.index)
        self._glass.passed(entry.time)
        self._references.visit(entry)
        self._examinations.visit(entry)
        self._signatures.visit(entry)
        self._reports.visit(entry)
        self.successions.visit(entry)
        self._draws.visit(entry)
        self._practice.visit(entry)
        source = entry.type.partition(".")[0]
        if source not in ("inference", "review", "break_glass", "recall") and entry.type != DEBRIEFED:
            self._halts.visit(entry, None)
            self._activations.visit(entry, None)
            return
        stream = self._streams.get(entry.stream)
        if stream is None:
            stream = self._open(entry)
        if entry.type == "inference.requested":
            stream.policy = entry.text("policy") or stream.policy
        self._halts.visit(entry, stream.policy)
        self._activations.visit(entry, stream.policy)
        for item in entry.commitments:
            stream.records[item.record] = item.commitment
        self._move(stream, entry)
        stream.leases.visit(entry, complete=stream.complete)
        self._suppressions.visit(entry)
        if stream.own_views is not None:
            stream.own_views.visit(entry, complete=stream.complete)
        match entry.type:
            case "inference.requested":
                stream.calling_app = entry.text("calling_app")
                stream.author = entry.text("on_behalf_of")
                stream.policy_hash = entry.text("policy_hash") or stream.policy_hash
            case "inference.generated":
                stream.generated_records.update(item.record for item in entry.commitments)
                findings = entry.body.get("findings")
                if isinstance(findings, Mapping):
                    stream.severity_rank = worst_rank(findings.get("by_severity"))
            case "inference.held":
                stream.held = entry.index
                stream.to_dispose = _count(entry.body)
                sign_off = entry.body.get("sign_off")
                stream.sign_off = sign_off if isinstance(sign_off, Mapping) else {}
                stream.wanted = self._wanted(entry)
                if stream.sign_off.get("blinded") is True:
                    stream.second_read = SecondRead(self._findings)
                oversight = entry.body.get("oversight")
                if isinstance(oversight, Mapping) and oversight.get("own_view_first") is True:
                    stream.own_views = OwnViews(self._findings)
                stream.policy_hash = entry.text("policy_hash") or stream.policy_hash
            case "review.facts_added":
                self._judged_again(stream, entry)
            case "review.signed":
                reading = entry.body.get("reading")
                stream.raised |= isinstance(reading, Mapping) and reading.get("raised") is True
                self._sign(stream, entry)
            case "break_glass.used":
                known = stream.held is not None or stream.complete
                stream.broke_glass = self._glass.used(entry, stream.sign_off, known=known)
            case "break_glass.reviewed":
                self._glass.reviewed(entry)
            case "review.adjudicated" if stream.second_read is not None:
                stream.second_read.adjudicated(entry, complete=stream.complete)
            case "review.rejected" if stream.second_read is not None:
                stream.second_read.ended(entry, released=False, complete=stream.complete)
            case "inference.released":
                self._release(stream, entry)
                case = Case(entry.stream, stream.policy or "", stream.severity_rank, stream.raised)
                self._draws.released(case)
            case kind if kind == SAMPLED:
                self._draws.sampled(entry)

    def finish(self) -> None:
        """Says what holds where nothing was reported."""
        report, signatures = self._findings, self._signatures.count
        waiting = self._glass.finish()
        self._examinations.finish()
        self._draws.finish()
        self._practice.finish()
        self._references.finish()
        if signatures:
            report.passed("V11", f"{signatures} signatures verify over statement, record and text")
            report.passed("V12", f"{signatures} signatures by keys enrolled to the signer and valid then")
            report.passed("V13", f"{signatures} signatures with fitting meaning and role")
            report.passed("V17", f"findings of {signatures} signed texts were all disposed of")
        else:
            for check in ("V11", "V12", "V13", "V17"):
                report.not_applicable(check, "no reviewer's signature in the bundle")
        if self._transitions:
            report.passed("V14", f"{self._transitions} transitions of {len(self._streams)} streams are legal")
        else:
            report.not_applicable("V14", "no inference in the bundle")
        if self._released:
            exceptions = f"; {self._exceptions} by break-glass{waiting}" if self._exceptions else ""
            report.passed(
                "V16", f"{self._released} released, {self._held_released} of them after sign-off{exceptions}"
            )
        else:
            report.not_applicable("V16", "nothing was released in the bundle")

    def _open(self, entry: Entry) -> _Stream:
        # A stream that began before a range is entered in whatever state its first entry needs.
        begins = self._from_start or entry.type == "inference.requested"
        starts_inference = entry.type.startswith(("inference.", "review."))
        state = State.START if begins and starts_inference else None
        # INVARIANT: complete means that no entry of the stream can be missing from the bundle.
        complete = begins and entry.index >= self._begin and self._scope is not Scope.SUBSET
        stream = self._streams[entry.stream] = _Stream(state, complete, Leases(self._findings))
        return stream

    def _move(self, stream: _Stream, entry: Entry) -> None:
        moves = _MOVES.get(entry.type)
        if moves is None:
            return
        self._transitions += 1
        if stream.state is None or stream.state in moves:
            after = set(moves.values()) if stream.state is None else {moves[stream.state]}
            stream.state = after.pop() if len(after) == 1 else None
            return
        detail = f"`{entry.type}` is not legal in state {stream.state.value}"
        if stream.complete:
            self._findings.fail("V14", detail, entry.index)
        else:
            self._findings.doubt("V14", f"{detail}, unless entries were left out", entry.index)
        stream.state = next(iter(moves.values()))

    def _judged_again(self, stream: _Stream, entry: Entry) -> None:
        """Signatures so far were over other findings: they count for no release any more."""
        stream.to_dispose = _count(entry.body)
        stream.signed.clear()
        if isinstance(sign_off := entry.body.get("sign_off"), Mapping):
            wanted = self._wanted(entry)
            less = sign_off.get("roles") != stream.sign_off.get("roles") or (
                sign_off.get("count") != stream.sign_off.get("count")
            )
            if stream.held is not None and (less or not set(stream.wanted) <= set(wanted)):
                detail = "facts that were added make other sign-offs do than before"
                self._findings.fail("V16", detail, entry.index)
            stream.sign_off, stream.wanted = {**stream.sign_off, **sign_off}, wanted
        if stream.second_read is not None:
            detail = "facts were added to a text that is read blind"
            (self._findings.fail if stream.complete else self._findings.doubt)("V14", detail, entry.index)

    def _sign(self, stream: _Stream, entry: Entry) -> None:
        stream.attempts += 1
        signed = self._signatures.check(entry, stream.records)
        if signed is None:
            return
        statement, index, report = signed.statement, signed.index, self._findings
        good = True
        if statement.signer == stream.calling_app:
            report.fail("V14", "the calling application signed", index)
            good = False
        if statement.signer == stream.author and stream.sign_off.get("author_may_sign") is not True:
            report.fail("V14", "the author of the request signed, which the policy does not allow", index)
            good = False
        if stream.policy_hash is None:
            report.doubt("V14", "policy that held the text is not in the bundle", index)
        elif stream.policy_hash != statement.policy_hash:
            report.fail("V14", "signed under another policy than the one that held the text", index)
            good = False
        roles = stream.sign_off.get("roles")
        if type(roles) is not list:
            report.doubt("V13", "roles that may sign are not in the bundle", index)
        elif roles and statement.role not in roles and not any(statement.role in g for g in stream.wanted):
            report.fail("V13", "role is not one that the policy asks for", index)
            good = False
        generated = statement.record in stream.generated_records
        if statement.meaning is Meaning.APPROVED_WITH_EDITS and generated:
            report.fail("V13", "`approved_with_edits` over the text as generated", index)
            good = False
        if statement.meaning is Meaning.APPROVED and not generated and stream.generated_records:
            report.fail("V13", "`approved` over another text than the one generated", index)
            good = False
        if statement.meaning.releases and statement.findings != statement.disposed:
            report.fail(
                "V17", f"{statement.disposed} of {statement.findings} findings were disposed of", index
            )
            good = False
        if stream.to_dispose is not None and statement.findings != stream.to_dispose:
            # Where entries may be missing, a later judging may be among them.
            detail = (
                f"signed over {statement.findings} findings to dispose of, {stream.to_dispose} are on record"
            )
            (report.fail if stream.complete else report.doubt)("V17", detail, index)
            good = good and not stream.complete
        if good:
            stream.signed.append(signed)
            if stream.second_read is not None:
                stream.second_read.signed(statement, entry, complete=stream.complete)

    def _release(self, stream: _Stream, entry: Entry) -> None:
        self._released += 1
        report, index, body = self._findings, entry.index, entry.body
        basis = body.get("basis")
        if basis not in _BASES:
            report.doubt("V16", "release does not say on what basis", index)
        if stream.held is None and basis not in ("signed", "break_glass"):
            if not stream.complete:
                detail = "released by policy; that it was not held before is not proved by this scope"
                report.doubt("V16", detail, index, advisory=True)
            return
        self._held_released += 1
        if stream.broke_glass is not None and basis == "break_glass":
            # An exception that the policy permits and an after-review answers: listed, not hidden.
            self._exceptions += 1
            if body.get("text_commitment") != stream.broke_glass.text_commitment:
                report.fail("V16", "break-glass released another text than the one it names", index)
            return
        if stream.second_read is not None:
            stream.second_read.ended(entry, released=True, complete=stream.complete)
        commitment = entry.text("text_commitment")
        if commitment is None:
            report.doubt("V16", "release does not name the text released", index)
            return
        fitting = [
            item
            for item in stream.signed
            if item.statement.meaning.releases and item.statement.text_commitment == commitment
        ]
        # Where findings want others besides, only the roles of the policy count for the number.
        roles = stream.sign_off.get("roles") if stream.wanted else None
        counted = [
            item for item in fitting if type(roles) is not list or not roles or item.statement.role in roles
        ]
        signers = {item.statement.signer for item in counted if item.proved}
        perhaps = {item.statement.signer for item in counted}
        needed = stream.sign_off.get("count", 1)
        unseen = stream.attempts == 0 and not stream.complete
        if type(needed) is not int or needed < 1:
            report.fail("V16", "number of sign-offs asked for is not a count of at least one", index)
        elif len(signers) < needed:
            detail = f"{len(signers)} of {needed} valid sign-offs on the text released, before its release"
            (report.doubt if len(perhaps) >= needed or unseen else report.fail)("V16", detail, index)
        for group in stream.wanted:
            by = [item for item in fitting if item.statement.role in group]
            if not any(item.proved for item in by):
                detail = f"released without the signature of a {' or '.join(group)}, which its findings want"
                (report.doubt if by or unseen else report.fail)("V16", detail, index)

    def _wanted(self, entry: Entry) -> tuple[tuple[str, ...], ...]:
        """The groups of roles of which its findings want a signature each."""
        sign_off = entry.body.get("sign_off")
        groups = sign_off.get("wanted", []) if isinstance(sign_off, Mapping) else []
        if type(groups) is not list or not all(
            type(group) is list and group and all(type(role) is str for role in group) for group in groups
        ):
            self._findings.fail("V16", "signatures that findings want are not lists of roles", entry.index)
            return ()
        return tuple(tuple(group) for group in groups)


class Statistics:
    """Recomputes a manifest's statistics from the entries."""

    def __init__(self) -> None:
        self._types: Counter[str] = Counter()
        self._streams: set[str] = set()
        self._first: str | None = None
        self._last: str | None = None

    def visit(self, entry: Entry) -> None:
        """Counts one entry."""
        self._types[entry.type] += 1
        self._streams.add(entry.stream)
        self._first = self._first or entry.time
        self._last = entry.time

    def result(self) -> dict[str, Any]:
        """{entries, streams, types: {type: count}, first_time, last_time}; times None without entries."""
        return {
            "entries": self._types.total(),
            "first_time": self._first,
            "last_time": self._last,
            "streams": len(self._streams),
            "types": dict(sorted(self._types.items())),
        }


def statistics(entries: Iterable[Entry]) -> dict[str, Any]:
    """The statistics of entries as a manifest holds them."""
    counter = Statistics()
    for entry in entries:
        counter.visit(entry)
    return counter.result()


def _count(body: Mapping[str, Any]) -> int | None:
    """How many findings an entry that judged the text says are to be disposed of; None where it does not say."""
    value = body.get("to_dispose")
    return len(value) if type(value) is list else None
