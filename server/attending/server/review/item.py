"""One held text as the desk sees it: the row, typed, and the pure rules over it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from attending.guardrails.finding import Code, Finding
from attending.ledger import canonical
from attending.server.review.projection import numbers
from attending.server.review.reads import BLINDED_READS, Read, agree, decisions, parse_reads, read_of
from attending.server.review.skills import Terms
from sqlalchemy import RowMapping

DISPOSITIONS = frozenset({"fixed", "accepted_risk", "false_alarm"})
REASON_CODES = frozenset(
    {
        "benefit_outweighs_risk",
        "monitored",
        "tolerated_before",
        "not_applicable",
        "misread_text",
        "wrong_knowledge",
        "other",
    }
)
AS_HELD: Final = "held"
"""What `Item.judged` says of a text that was judged once, when it was held."""
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_OF_FIGURES = frozenset(
    {
        Code.DOSE_MAX_SINGLE,
        Code.DOSE_MAX_DAILY,
        Code.INTERVAL,
        Code.UNIT,
        Code.RATE,
        Code.DURATION,
        Code.RENAL,
        Code.HEPATIC,
        Code.STACKING,
        Code.MME,
        Code.UNREADABLE_DOSE,
    }
)
HANDOVER_CODES = frozenset({"handover", "expertise", "conflict_of_interest", "workload", "other"})
ESCALATE_CODES = frozenset(
    {"beyond_competence", "patient_unstable", "facts_missing", "conflict_of_interest", "other"}
)
REJECT_CODES = frozenset({"wrong", "unsafe", "incomplete", "wrong_patient", "not_needed", "other"})


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature so far: who signed, and which vault record (the exact text)."""

    signer: str
    record: str
    meaning: str = "approved"
    role: str = ""
    """In which they signed; empty where nothing but their number counts."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What an earlier decision on the same finding is found by."""

    entry: int
    inference: str


@dataclass(frozen=True, slots=True)
class Item:
    """Times are the ledger's text form. `to_dispose` are ordinals of findings, `disposed` ordinal to disposition."""

    ticket_id: str
    inference_id: str
    subject: str | None
    policy: str
    state: str
    worst_severity: str | None
    severity_rank: int
    urgency: str
    priority: str
    to_dispose: tuple[int, ...]
    disposed: Mapping[int, str]
    sign_off_roles: tuple[str, ...]
    sign_off_count: int
    author_may_sign: bool
    signed_by: tuple[Signed, ...]
    held_at: str
    due_at: str
    expires_at: str
    claimed_by: str | None
    lease_id: str | None
    lease_expires_at: str | None
    assigned_to: str | None = None
    assigned_until: str | None = None
    escalates_at: str | None = None
    escalates_to: tuple[str, ...] = ()
    escalated_at: str | None = None
    escalated_to: tuple[str, ...] = ()
    escalated_by: tuple[str, ...] = ()
    blinded: bool = False
    reads: tuple[Read, ...] = ()
    adjudicated_by: str | None = None
    facts_record: str | None = None
    """Vault record of all that reviewers added to the patient's facts, None where nothing was."""
    result_record: str | None = None
    """That of the findings since then; None while those of the text's first judging stand."""
    suppressed: Mapping[int, Suppressed] = field(default_factory=dict)
    """Findings that were decided before, by their ordinals; nobody is asked about them."""
    alike: Mapping[int, str] = field(default_factory=dict)
    """By which digest a finding is known again."""
    skills: str = ""
    open_to: tuple[str, ...] = ()
    """The roles in which a signature now brings the text closer to its release."""
    practice_for: str | None = None
    """Of a practice item that is known as one, for whom alone it is; empty for nobody."""
    row: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The row itself, from which the next entry's reducers go on."""

    @property
    def judged(self) -> str:
        """Names the result that its findings are of."""
        return self.result_record or AS_HELD

    @property
    def seen(self) -> str:
        """Names what somebody is shown who is shown this: `judged`, a point, and what was made of it so far. Made of
        ids and codes alone; where an item is read blind it is to be taken of `seen_by`.
        """
        work = {
            "disposed": {str(n): made for n, made in sorted(self.disposed.items())},
            "signed": [[one.signer, one.record, one.meaning] for one in self.signed_by],
            "reads": [read.to_json() for read in self.reads],
            "adjudicated": self.adjudicated_by,
            "facts": self.facts_record,
        }
        return f"{self.judged}.{hashlib.sha256(canonical.encode(work)).hexdigest()[:16]}"

    @classmethod
    def from_row(cls, row: RowMapping) -> Item:
        return cls(
            ticket_id=row["ticket_id"],
            inference_id=row["inference_id"],
            subject=row["subject"],
            policy=row["policy"],
            state=row["state"],
            worst_severity=row["worst_severity"],
            severity_rank=row["severity_rank"],
            urgency=row["urgency"],
            priority=row["priority"],
            to_dispose=tuple(numbers(row["to_dispose"])),
            disposed={int(n): d for n, d in json.loads(row["disposed"]).items()},
            sign_off_roles=_names(row["sign_off_roles"]),
            sign_off_count=row["sign_off_count"],
            author_may_sign=bool(row["author_may_sign"]),
            signed_by=tuple(
                Signed(s["signer"], s["record"], role=s.get("role", "")) for s in json.loads(row["signed_by"])
            ),
            held_at=row["held_at"],
            due_at=row["due_at"],
            expires_at=row["expires_at"],
            claimed_by=row["claimed_by"],
            lease_id=row["lease_id"],
            lease_expires_at=row["lease_expires_at"],
            assigned_to=row["assigned_to"],
            assigned_until=row["assigned_until"],
            escalates_at=row["escalates_at"],
            escalates_to=_names(row["escalates_to"]),
            escalated_at=row["escalated_at"],
            escalated_to=_names(row["escalated_to"]),
            escalated_by=_names(row["escalated_by"]),
            blinded=row["blinded"],
            reads=parse_reads(row["reads"]),
            adjudicated_by=row["adjudicated_by"],
            facts_record=row["facts_record"],
            result_record=row["result_record"],
            suppressed={
                one["finding"]: Suppressed(one["entry"], one["inference"])
                for one in json.loads(row["suppressed"])
            },
            alike={int(n): digest for n, digest in json.loads(row["alike"]).items()},
            skills=row["skills"],
            open_to=_names(row["open_to"]),
            practice_for=row["practice_for"],
            row=dict(row),
        )

    @property
    def terms(self) -> Terms:
        """Whose signatures it wants."""
        return Terms.load(self.skills, self.sign_off_roles, self.sign_off_count)

    @property
    def open_findings(self) -> int:
        return len(set(self.to_dispose) - set(self.disposed))

    def leased(self, now: str) -> bool:
        """True while somebody's lease runs."""
        return self.lease_expires_at is not None and self.lease_expires_at > now

    def reserved(self, now: str) -> bool:
        """True while it is reserved for `assigned_to`."""
        return self.assigned_until is not None and self.assigned_until > now

    @property
    def reading(self) -> bool:
        """True while a blinded item has not been decided by both readers: until then neither sees the other's work."""
        return self.blinded and self.state == "held" and len(decisions(self.reads)) < BLINDED_READS

    @property
    def disputed(self) -> bool:
        """True while both readers of a blinded item have decided, differently, and nobody has judged between them."""
        both = self.blinded and self.state == "held" and not self.reading and self.adjudicated_by is None
        return both and not agree(decisions(self.reads))

    def seen_by(self, who: str | None) -> Item:
        """What somebody may be shown of the item: all of it, but of one that is read blind their own work only."""
        if not self.reading:
            return self
        own = tuple(read for read in self.reads if read.reader == who)
        mine = self.claimed_by == who and who is not None
        return replace(
            self,
            disposed=read_of(own, who or "").disposed,
            signed_by=tuple(signed for signed in self.signed_by if signed.signer == who),
            claimed_by=self.claimed_by if mine else None,
            lease_id=self.lease_id if mine else None,
            escalated_by=tuple(name for name in self.escalated_by if name == who),
            reads=own,
            row={},
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def unresolved(
    item: Item, original: tuple[Finding, ...], now_found: tuple[Finding, ...], action: Sequence[str]
) -> tuple[int, ...]:
    """Positions in `now_found` that stand in the way of a signature.

    `action` gives release, hold or block for each position. A finding is resolved when the same problem (rail,
    code, rule, drugs and figures) was disposed of in the original text as an accepted risk or a false alarm and is
    no worse now; one disposed of as fixed must be gone. A block is never resolved: it can only be edited away.
    """
    accepted: dict[_Identity, int] = {}
    # What was decided before is accepted as it was then, unless somebody has said otherwise by now.
    made = {**dict.fromkeys(item.suppressed, "accepted_risk"), **item.disposed}
    for ordinal, disposition in made.items():
        if disposition in ("accepted_risk", "false_alarm") and ordinal < len(original):
            known = _identity(original[ordinal])
            accepted[known] = max(accepted.get(known, 0), original[ordinal].severity.rank)
    return tuple(
        position
        for position, finding in enumerate(now_found)
        if action[position] == "block"
        or (action[position] == "hold" and finding.severity.rank > accepted.get(_identity(finding), -1))
    )


_Identity = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]


def _identity(finding: Finding) -> _Identity:
    """What makes two findings the same problem, wherever in the text.

    With the figures where they are what is wrong: the same rule over the same drug is another matter at ten times
    the dose. Elsewhere a reviewer may well change a figure in a passage whose risk was accepted.
    """
    figures: tuple[str, ...] = ()
    if finding.code in _OF_FIGURES:
        figures = (*_FIGURE.findall(finding.text), *_FIGURE.findall(finding.message))
    return finding.rail, finding.code.value, finding.rule_id, tuple(sorted(finding.drugs)), figures
