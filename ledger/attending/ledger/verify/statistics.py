"""The statistics of entries: every figure of a report, as one pure function of the entries that it is made from.

`statistics.json` of a bundle, the figures that a report prints and what V20 recomputes are this function's; nothing
is counted a second time. Entries are visited once, in log order. What is kept are bounded tables, what is open, and 8
bytes for each decision.

Counted are the entries given: of a period, a decision counts where it fell and a request where it was made, and a
decision whose request is not among the entries has no policy, prompt version or model (NOT_STATED) and no time to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.practice import DEBRIEFED
from attending.ledger.usage import COUNTS, RECONCILED
from attending.ledger.verify.emitters import Emitters
from attending.ledger.verify.register import KINDS, exception_of
from attending.ledger.verify.tally import MOST, Grid, Table, Times, inner, number

FORMAT: Final = "attending-statistics/1"
_LATER: Final = re.compile(r"attending-statistics/[0-9]{1,9}", re.ASCII)
MAX_BYTES: Final = 4 << 20
"""Bound of `statistics.json`: the tables are bounded, so that it never comes near."""

DECISIONS: Final = (
    "released_by_policy",
    "released_signed",
    "released_break_glass",
    "held",
    "blocked_input",
    "blocked_output",
    "failed",
    "abandoned",
    "rejected",
    "expired",
    "debriefed",
    "withdrawn",
)
"""What may be decided of an inference. A text that is held and then signed counts in both."""

_RELEASED: Final = {
    "policy": "released_by_policy",
    "signed": "released_signed",
    "break_glass": "released_break_glass",
}
_ENDS: Final = {
    "inference.failed": "failed",
    "inference.abandoned": "abandoned",
    "review.rejected": "rejected",
    "review.expired": "expired",
    DEBRIEFED: "debriefed",
}
_COLUMNS: Final = ("requested", *DECISIONS)
_READINGS: Final = ("long_enough", "short", "not_measured")
_ABSENT: Final = object()
_RECONCILED: Final = ("matched", "matched_by_tokens", "unanswered")
_DISPOSITIONS: Final = ("fixed", "accepted_risk", "false_alarm", "other")


@dataclass(slots=True)
class _Open:
    """An inference that waits for its decision: by whose terms, and since when."""

    policy: object
    prompt_version: object
    model: object
    requested: str
    held: str | None = None


class EntryStatistics:
    """Counts entries as they come."""

    def __init__(self) -> None:
        self._types = Table()
        self._first: Entry | None = None
        self._last: Entry | None = None
        self._open: dict[str, _Open] = {}
        self._decisions = Table()
        self._policies, self._prompts, self._models = (Grid(_COLUMNS) for _ in range(3))
        self._practice = 0
        self._to_verdict, self._to_signature = Times(), Times()
        self._codes, self._severities = Table(), Table()
        self._texts = self._texts_with_findings = 0
        self._rails = Grid(("runs", "flagged", "did_not_judge"))
        self._signatures, self._roles = Table(), Table()
        self._dispositions = Grid(_DISPOSITIONS)
        self._reasons = Grid(("accepted_risk", "false_alarm", "other"))
        self._readings = Table()
        self._exceptions = Table()
        self._denials = 0
        self._glass: set[str] = set()
        self._reviewed: set[str] = set()
        self._halts, self._recalls = Table(), Table()
        self._disclosures = {name: Table() for name in ("purpose", "recipient", "access", "exported")}
        self._incidents = {name: Table() for name in ("severity", "category", "outcome")}
        self._incidents_open: set[str] = set()
        self._erasures, self._pruned = Table(), Table()
        self._replaced = 0
        self._usage = Table()
        self._reconciled = Table()
        self._costs = Table()
        self._feedback = Table()
        self._emitters = Emitters()

    def visit(self, entry: Entry) -> None:
        """Counts one entry. Never raises, whatever its body holds."""
        self._types.add(entry.type)
        self._first = self._first or entry
        self._last = entry
        self._emitters.visit(entry)
        if (kind := exception_of(entry)) is not None:
            self._exceptions.add(kind)
        match entry.type.partition(".")[0]:
            case "inference" | "recall":
                self._inference(entry)
            case "review" | "oversight":
                self._review(entry)
            case "break_glass":
                self._emergency(entry)
            case "access" | "disclosure" | "subject" | "payload":
                self._privacy(entry)
            case "incident":
                self._incident(entry)
            case "system":
                if entry.type in ("system.halted", "system.resumed"):
                    self._halts.add(entry.type.partition(".")[2])
            case "usage":
                if entry.type == RECONCILED:
                    self._reconcile(entry.body)
            case "feedback":
                self._feedback.add(entry.body.get("rating"))

    # -- inferences ------------------------------------------------------------------------------------------

    def _inference(self, entry: Entry) -> None:
        body = entry.body
        match entry.type:
            case "inference.requested":
                self._requested(entry)
            case "inference.generated":
                self._generated(entry)
            case "inference.held":
                self._decide(entry, "held", ends=False)
            case "inference.blocked":
                stage = body.get("stage")
                if stage == "input":
                    self._judged(body)
                self._decide(entry, "blocked_input" if stage == "input" else "blocked_output")
            case "inference.released":
                basis = body.get("basis")
                self._decide(entry, _RELEASED.get(basis if type(basis) is str else "", "released_by_policy"))
            case "inference.failed" | "inference.abandoned":
                self._decide(entry, _ENDS[entry.type])
            case "inference.withdrawn":
                self._decisions.add("withdrawn")
                self._recalls.add("withdrawn")
            case "recall.acknowledged" | "recall.proposed" | "recall.dismissed":
                self._recalls.add(entry.type.partition(".")[2])
            case "inference.delivered" | "inference.late" | "inference.reconciled":
                self._decisions.add(entry.type.partition(".")[2])

    def _requested(self, entry: Entry) -> None:
        body = entry.body
        opened = _Open(body.get("policy"), body.get("prompt_version"), body.get("model"), entry.time)
        self._open[entry.stream] = opened
        self._count(opened, "requested")
        self._practice += isinstance(body.get("practice"), Mapping)
        self._replaced = min(self._replaced + number(body.get("phi_replaced")), MOST)
        self._ran(body)

    def _generated(self, entry: Entry) -> None:
        body, usage = entry.body, inner(entry.body, "usage")
        if (opened := self._open.get(entry.stream)) is not None and type(body.get("model")) is str:
            opened.model = body["model"]
        self._judged(body)
        self._ran(body)
        for name in ("input_tokens", "output_tokens"):
            if type(usage.get(name)) is int:
                self._usage.add(name, number(usage[name]))
                self._usage.add(f"{name}_known")
        if type(usage.get("cost_micros")) is int:
            self._costs.add(usage.get("currency"), number(usage["cost_micros"]))
            self._usage.add("cost_known")

    def _judged(self, body: Mapping[str, Any]) -> None:
        """What the checks found in a text; a blocked prompt has no other."""
        findings = inner(body, "findings")
        self._texts += 1
        self._texts_with_findings += number(findings.get("count")) > 0
        self._codes.add_all(findings.get("by_code"))
        self._severities.add_all(findings.get("by_severity"))

    def _ran(self, body: Mapping[str, Any]) -> None:
        runs = body.get("rails")
        for run in runs if type(runs) is list else ():
            if isinstance(run, Mapping):
                self._rails.add(run.get("name"), "runs")
                if run.get("status") != "passed":
                    column = "flagged" if run.get("status") == "flagged" else "did_not_judge"
                    self._rails.add(run.get("name"), column)

    def _decide(self, entry: Entry, decision: str, *, ends: bool = True) -> None:
        self._decisions.add(decision)
        opened = self._open.get(entry.stream)
        self._count(opened, decision)
        if opened is None:
            return
        if opened.held is not None:
            if ends:
                self._to_signature.between(opened.held, entry.time)
        else:
            self._to_verdict.between(opened.requested, entry.time)
        if ends:
            del self._open[entry.stream]
        else:
            opened.held = entry.time

    def _count(self, opened: _Open | None, column: str) -> None:
        self._policies.add(opened and opened.policy, column)
        self._prompts.add(opened and opened.prompt_version, column)
        self._models.add(opened and opened.model, column)

    def _reconcile(self, body: Mapping[str, Any]) -> None:
        self._reconciled.add("comparisons")
        for name in COUNTS:
            self._reconciled.add(name, number(body.get(name)))

    # -- people ----------------------------------------------------------------------------------------------

    def _review(self, entry: Entry) -> None:
        body = entry.body
        match entry.type:
            case "review.signed":
                statement, reading = inner(body, "statement"), inner(body, "reading")
                self._signatures.add(statement.get("meaning"))
                self._roles.add(statement.get("role"))
                short = reading.get("short")
                self._readings.add(
                    "not_measured" if type(short) is not bool else "short" if short else "long_enough"
                )
            case "review.disposed":
                said = body.get("disposition")
                column = said if type(said) is str and said in _DISPOSITIONS else "other"
                self._dispositions.add(body.get("code"), column)
                if column != "fixed":
                    self._reasons.add(body.get("reason_code"), column)
            case "review.rejected" | "review.expired" | "oversight.debriefed":
                self._decide(entry, _ENDS[entry.type])

    def _emergency(self, entry: Entry) -> None:
        access = entry.body.get("access")
        about = access if type(access) is str else entry.stream
        if entry.type == "break_glass.used":
            self._glass.add(about)
        elif entry.type == "break_glass.reviewed":
            self._reviewed.add(about)

    # -- privacy, incidents ----------------------------------------------------------------------------------

    def _privacy(self, entry: Entry) -> None:
        body = entry.body
        match entry.type:
            case "access.denied":
                self._denials += number(body.get("count")) or 1
            case "access.exported":
                # Of one export the entry about the whole; those of each person stand beside it.
                if entry.subject is None:
                    self._disclosures["exported"].add(
                        "with_content" if body.get("payloads") is True else "without_content"
                    )
            case "access.viewed" | "access.searched" | "access.revealed" | "access.disclosed":
                self._disclosures["access"].add(entry.type.partition(".")[2])
            case "disclosure.recorded":
                self._disclosures["purpose"].add(body.get("purpose"))
                self._disclosures["recipient"].add(body.get("recipient"))
            case "subject.erased":
                self._erasures.add(body.get("reason"))
                self._pruned.add("erased", sum(map(number, inner(body, "records").values())))
            case "payload.pruned":
                records = body.get("records")
                counts = records.values() if isinstance(records, Mapping) else (records,)
                self._pruned.add("pruned", sum(map(number, counts)))

    def _incident(self, entry: Entry) -> None:
        body, name = entry.body, entry.body.get("incident_id")
        key = name if type(name) is str else entry.stream
        if entry.type == "incident.opened":
            self._incidents["severity"].add(body.get("severity"))
            self._incidents["category"].add(body.get("category"))
            self._incidents_open.add(key)
        elif entry.type == "incident.closed":
            self._incidents["outcome"].add(body.get("outcome"))
            self._incidents_open.discard(key)

    # -- the figures -----------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """The figures: a tree of objects whose leaves are integers, texts and null."""
        first, last = self._first, self._last
        held = sum(opened.held is not None for opened in self._open.values())
        emitters = self._emitters.all()
        return {
            "format": FORMAT,
            "entries": {
                "by_type": self._types.result(),
                "count": self._types.total,
                "first_index": None if first is None else first.index,
                "first_time": None if first is None else first.time,
                "last_index": None if last is None else last.index,
                "last_time": None if last is None else last.time,
            },
            "inferences": {
                "by_model": self._models.result(),
                "by_policy": self._policies.result(),
                "by_prompt_version": self._prompts.result(),
                "decisions": {name: self._decisions[name] for name in (*DECISIONS, "delivered", "late")},
                "requested": self._types["inference.requested"],
                "marked_as_practice": self._practice,
                "still_held": held,
                "undecided": len(self._open) - held,
            },
            "microseconds": {
                "held_to_decision": self._to_signature.result(),
                "request_to_verdict": self._to_verdict.result(),
            },
            "findings": {
                "by_code": self._codes.result(),
                "by_severity": self._severities.result(),
                "texts_judged": self._texts,
                "texts_with_findings": self._texts_with_findings,
            },
            "rails": self._rails.result(),
            "review": {
                "dispositions_by_code": self._dispositions.result(),
                "override_reasons": self._reasons.result(),
                "readings": {name: self._readings[name] for name in _READINGS},
                "signatures_by_meaning": self._signatures.result(),
                "signatures_by_role": self._roles.result(),
            },
            "exceptions": {
                "by_kind": {kind: self._exceptions[kind] for kind in KINDS},
                "denied_attempts": min(self._denials, MOST),
                "emergency_uses_not_reviewed": len(self._glass - self._reviewed),
            },
            "halts": {name: self._halts[name] for name in ("halted", "resumed")},
            "recalls": {
                name: self._recalls[name] for name in ("withdrawn", "acknowledged", "proposed", "dismissed")
            },
            "disclosures": {
                "accesses": {
                    name: self._disclosures["access"][name]
                    for name in ("viewed", "searched", "revealed", "disclosed")
                },
                "by_purpose": self._disclosures["purpose"].result(),
                "by_recipient": self._disclosures["recipient"].result(),
                "exports": {
                    name: self._disclosures["exported"][name] for name in ("with_content", "without_content")
                },
                "recorded": self._disclosures["purpose"].total,
            },
            "incidents": {
                "by_category": self._incidents["category"].result(),
                "by_outcome": self._incidents["outcome"].result(),
                "by_severity": self._incidents["severity"].result(),
                "not_closed": len(self._incidents_open),
            },
            "privacy": {
                "erasures_by_reason": self._erasures.result(),
                "identifiers_replaced": self._replaced,
                "payloads_erased": self._pruned["erased"],
                "payloads_pruned": self._pruned["pruned"],
            },
            "usage": {
                "cost_micros": self._costs.result(),
                **{
                    name: self._usage[name]
                    for name in (
                        "cost_known",
                        "input_tokens",
                        "input_tokens_known",
                        "output_tokens",
                        "output_tokens_known",
                    )
                },
            },
            "feedback": self._feedback.result(),
            "completeness": {
                "emitters": len(emitters),
                "emitters_that_declared_their_end": sum(one.issued is not None for one in emitters),
                "events_not_among_these_entries": min(
                    sum(one.sequences.missing_count(one.expected) for one in emitters), MOST
                ),
                "events_present": sum(one.sequences.count for one in emitters),
                "provider_records_reconciled": min(
                    self._decisions["reconciled"] + sum(self._reconciled[name] for name in _RECONCILED), MOST
                ),
                # Left out where there is none: figures of earlier versions know of none.
                **self._comparisons(),
            },
        }

    def _comparisons(self) -> dict[str, Any]:
        if not self._reconciled["comparisons"]:
            return {}
        return {"provider_usage": {name: self._reconciled[name] for name in ("comparisons", *COUNTS)}}


def statistics_of(entries: Iterable[Entry]) -> dict[str, Any]:
    """The statistics of entries."""
    counter = EntryStatistics()
    for entry in entries:
        counter.visit(entry)
    return counter.result()


def statistics_json(figures: Mapping[str, Any]) -> bytes:
    """The bytes of `statistics.json`: the canonical encoding."""
    return encode(dict(figures))


def is_later(name: object) -> bool:
    """Whether a format's name is that of a later version of this one."""
    return type(name) is str and name != FORMAT and _LATER.fullmatch(name) is not None


def figure_lines(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, value) of every figure, in order: keys joined by ` / `, null as `none`, an empty table left out."""
    for name, value in sorted(figures.items()):
        if isinstance(value, Mapping):
            for path, one in figure_lines(value):
                yield f"{name} / {path}", one
        else:
            yield name, "none" if value is None else str(value)


def first_difference(stated: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """Path of the first figure, in order, that is stated otherwise than found, or only on one side; None for none.

    Trees are compared, not their lines: a text is no number, and a key that is written as a path stands for nothing.
    """
    for name in sorted(stated.keys() | found.keys()):
        one, other = stated.get(name, _ABSENT), found.get(name, _ABSENT)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if (path := first_difference(one, other)) is not None:
                return f"{name} / {path}"
        elif type(one) is not type(other) or one != other:
            return name
    return None
