"""Which entry types write which rows: every type of the ledger is named here, on one side or the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.projection import RowBuffer, RowReader, RowWrite
from attending.ledger.verify.emitters import CLOSING_TYPE
from attending.server.emergency import projection as emergency
from attending.server.events import projection as events
from attending.server.events.types import EXTERNAL_TYPES
from attending.server.inference import projection as inference
from attending.server.notices import projection as notices
from attending.server.oversight import projection as oversight
from attending.server.people import projection as people
from attending.server.practice import projection as practice
from attending.server.prompts import projection as prompts
from attending.server.recall import projection as recall
from attending.server.replay.fact import Fact, Reducer, pending_fact, stored_fact
from attending.server.reports import projection as reports
from attending.server.review import projection as review

REDUCERS: Final[Mapping[str, tuple[Reducer, ...]]] = {
    "inference.requested": (inference.requested, practice.offered),
    "inference.generated": (inference.generated, inference.reported),
    "inference.released": (inference.released, review.released),
    "inference.held": (inference.held, review.held),
    "inference.blocked": (inference.blocked, inference.reported, review.blocked),
    "inference.failed": (inference.closed,),
    "inference.abandoned": (inference.closed,),
    "inference.withdrawn": (inference.withdrawn, review.withdrawn, recall.withdrawn),
    "recall.acknowledged": (recall.acknowledged,),
    "recall.proposed": (recall.proposed,),
    "recall.dismissed": (recall.dismissed,),
    "review.claimed": (review.claimed,),
    "review.disposed": (review.disposed, review.decided, oversight.disposed),
    "review.facts_added": (review.facts_added,),
    "review.signed": (review.signed, oversight.signed),
    "review.sampled": (oversight.sampled,),
    "review.second_read": (oversight.read_again,),
    "oversight.draw_committed": (oversight.draw_committed,),
    "oversight.draw_opened": (oversight.draw_opened,),
    "oversight.alarm": (oversight.alarmed,),
    "oversight.debriefed": (inference.ended_by_review, review.debriefed, practice.debriefed),
    "oversight.reading": (oversight.reading,),
    "review.reassigned": (review.reassigned,),
    "review.escalated": (review.escalated,),
    "review.adjudicated": (review.adjudicated,),
    "review.rejected": (inference.ended_by_review, review.rejected),
    "review.expired": (inference.ended_by_review, review.expired),
    "prompt.version": (prompts.version,),
    "prompt.label": (prompts.label,),
    "key.enrolled": (review.key_enrolled,),
    "key.revoked": (review.key_revoked,),
    "user.enrolled": (people.enrolled,),
    "user.proofed": (people.proofed,),
    "user.revoked": (people.revoked,),
    "credential.issued": (people.issued,),
    "credential.revoked": (people.credential_revoked,),
    "break_glass.used": (emergency.used, review.glass_broken),
    "break_glass.ended": (emergency.ended,),
    "break_glass.reviewed": (emergency.reviewed, review.glass_reviewed),
    "report.requested": (reports.requested,),
    "report.signed_off": (reports.signed_off,),
    "report.issued": (reports.issued,),
    "report.discarded": (reports.discarded,),
    "notice.due": (notices.due,),
    "notice.settled": (notices.settled,),
    "notice.retried": (notices.retried,),
    # Of an event from outside only its emitter's count is projected.
    **dict.fromkeys((*EXTERNAL_TYPES, CLOSING_TYPE), (events.counted,)),
}
"""Entry type to its reducers, in order."""

UNPROJECTED: Final[frozenset[str]] = frozenset(
    {
        # On record, and shown by no table.
        *("inference.late", "inference.delivered", "inference.reconciled"),
        *("access.viewed", "access.exported", "access.searched", "access.revealed", "access.denied"),
        "access.disclosed",
        *(
            "subject.linked",
            "subject.unlinked",
            "subject.erased",
            "payload.pruned",
            "hold.placed",
            "hold.lifted",
        ),
        *("log.sealed", "log.continued"),
        *("system.started", "system.stopped", "system.halted", "system.resumed"),
        # Its stream alone says who has put their own view on record.
        "review.opinion_recorded",
        # Its stream alone says that the credential is taken.
        "credential.bound",
        *("session.started", "key.rotated"),
        # Their streams alone say how far the log is examined.
        *("examination.disposed", "examination.signed"),
        # Sent like any notice, by whoever serves its target.
        "notice.tested",
        # Their streams alone say what is in force, and who attested a fact.
        *("policy.version", "policy.activated", "policy.retired"),
        *("knowledge.version", "knowledge.activated", "knowledge.attested", "knowledge.rejudged"),
        # Nothing of this server appends these. Whoever begins to, with a table, adds the reducer above.
        *("inference.stream_opened", "inference.stream_window", "inference.stream_closed"),
        "finding.suppressed",
        *("model.approved", "model.retired"),
        *("budget.exceeded", "budget.changed"),
        *("report.disclosed", "disclosure.suspended"),
        # Its stream alone says what was compared.
        "usage.reconciled",
    }
)
"""Types that write no row, by decision."""


def rows_of_append(pending: Sequence[PendingEntry], known: Sequence[RowWrite] = ()) -> list[RowWrite]:
    """The rows that an append of `pending` writes beside its entries, one write a row.

    `known` are the rows, as read under the append's expectations, that its reducers rest on.
    """
    stored = RowBuffer()
    for row in known:
        stored.write(row)
    buffer = RowBuffer(stored.read)
    for number, entry in enumerate(pending):
        for row in _reduce(pending_fact(number, entry), buffer.read):
            buffer.write(row)
    return buffer.take()


def rows_of_entry(entry: Entry, read: RowReader) -> list[RowWrite]:
    """The rows that a stored entry led to. A type of a later version leads to none that this version knows."""
    return _reduce(stored_fact(entry), read)


def _reduce(fact: Fact, read: RowReader) -> list[RowWrite]:
    return [row for reducer in REDUCERS.get(fact.type, ()) for row in reducer(fact, read)]
