"""Custody of a subject, as its entries tell it, and the rules over it. Pure: entries in, decisions out.

The stream `subject/<pseudonym>` holds all of it: `subject.linked`, `subject.unlinked`, `hold.placed`,
`hold.lifted`, `subject.erased`. Two pseudonyms that are one person are linked in both their streams; a *closure*
is everything that links lead to. Erasure, holds and pruning look at closures, never at one pseudonym alone.

Every custody append expects the version of each stream of the closures that it decided on. Whatever could change
the decision (a link, a hold, an erasure) writes to one of those streams, so of two that contradict each other
exactly one is stored, whatever the store and however many processes append.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.errors import SubjectErased, SubjectHeld, VerificationError

MAX_CLOSURE: Final = 128
"""Pseudonyms of one person: a bound on what one atomic append has to expect and to erase."""

STREAM_PREFIX: Final = "subject/"
RETENTION_STREAM: Final = "retention"
RESERVED_TYPES: Final = frozenset(
    {
        "subject.linked",
        "subject.unlinked",
        "subject.erased",
        "hold.placed",
        "hold.lifted",
        "payload.pruned",
    }
)
"""Types that only custody appends: one of them without its effect would be a false certificate."""


class HoldGround(StrEnum):
    """Why nothing about a subject may be destroyed."""

    LITIGATION = "litigation"
    INVESTIGATION = "investigation"
    REGULATOR_REQUEST = "regulator_request"
    SAFETY_INCIDENT = "safety_incident"


class ErasureReason(StrEnum):
    """Why a subject was erased; the certificate has no room for more words."""

    GDPR_17 = "gdpr_17"
    PATIENT_REQUEST = "patient_request"
    RETENTION_END = "retention_end"
    COURT_ORDER = "court_order"
    TEST_DATA = "test_data"


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold in force: placed on `subject` by entry `index`, it covers that subject's whole closure."""

    hold_id: str
    subject: str
    ground: str
    index: int
    time: str
    actor: str


@dataclass(frozen=True, slots=True)
class Custody:
    """Custody of one subject after the first `version` entries of its stream.

    `links` are the pseudonyms that are the same person by a link of their own, `erased` is the index of the
    certificate.
    """

    subject: str
    version: int = 0
    links: frozenset[str] = frozenset()
    holds: tuple[Hold, ...] = ()
    erased: int | None = None


@dataclass(frozen=True, slots=True)
class Closure:
    """One person's pseudonyms with the custody of each; `start` is the one that was asked about."""

    start: str
    states: Mapping[str, Custody] = field(repr=False)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every pseudonym, in order of name: one order for entries, whoever asks."""
        return tuple(sorted(self.states))

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Every hold that covers it, oldest first."""
        found = [hold for state in self.states.values() for hold in state.holds]
        return tuple(sorted(found, key=lambda hold: hold.index))


def stream_of(subject: str) -> str:
    """The custody stream of a subject."""
    return STREAM_PREFIX + subject


def custody_of(subject: str, entries: Iterable[Entry]) -> Custody:
    """The custody of `subject` after the entries of its stream, all of them and in order.

    Raises VerificationError (ENTRY_SCHEMA) for a custody entry without what it must name: to overlook a hold that
    cannot be read would be worse than to stop.
    """
    state = Custody(subject)
    for entry in entries:
        state = advance(state, entry)
    return state


def advance(state: Custody, entry: Entry) -> Custody:
    """`state` after one more entry of its stream. Raises as `custody_of`."""
    state = replace(state, version=state.version + 1)
    match entry.type:
        case "subject.linked":
            return replace(state, links=state.links | {_named(entry, "other")})
        case "subject.unlinked":
            return replace(state, links=state.links - {_named(entry, "other")})
        case "hold.placed":
            hold = Hold(
                _named(entry, "hold"),
                state.subject,
                _named(entry, "ground"),
                entry.index,
                entry.time,
                entry.actor,
            )
            return replace(state, holds=(*state.holds, hold))
        case "hold.lifted":
            lifted = _named(entry, "hold")
            return replace(state, holds=tuple(hold for hold in state.holds if hold.hold_id != lifted))
        case "subject.erased":
            return replace(state, erased=entry.index)
    return state


def closure_over(start: str, links: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """Everything that `links` lead to from `start`, itself included. Ends also where links go round."""
    found, waiting = {start}, [start]
    while waiting:
        for other in links(waiting.pop()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(found)


def require_no_hold(*closures: Closure) -> None:
    """Returns when nothing is on hold; SubjectHeld with the ids of every hold otherwise."""
    holds = sorted({hold.hold_id for closure in closures for hold in closure.holds})
    if holds:
        raise SubjectHeld(tuple(holds))


def require_present(closure: Closure) -> None:
    """Returns when no subject of the closure was erased; SubjectErased otherwise."""
    if any(state.erased is not None for state in closure.states.values()):
        raise SubjectErased("the subject has been erased")


def may_erase(closure: Closure) -> tuple[str, ...]:
    """The subjects that an erasure takes, all of them or none; empty when they are erased already.

    Raises SubjectHeld: a hold on one of them keeps every one, because they are one person.
    """
    rest = tuple(name for name in closure.subjects if closure.states[name].erased is None)
    if rest:
        require_no_hold(closure)
    return rest


def _named(entry: Entry, key: str) -> str:
    value = entry.body.get(key)
    if type(value) is not str or not value:
        raise VerificationError(
            f"`{key}` of a custody entry is missing", reason="ENTRY_SCHEMA", index=entry.index
        )
    return value
