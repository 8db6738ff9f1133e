"""The incident file: what happened, what was done when, and which clock asks for what by when.

Clocks run from the moment that one was aware (`aware_at`, else the entry's time), in days of 24 hours, which is never
later than the law's:

    AI Act, Article 73(2)  15 days to the market surveillance authority after a serious incident
    AI Act, Article 73(3)   2 days where it is widespread, or serious and irreversible for critical infrastructure
    AI Act, Article 73(4)  10 days after a death
    45 CFR 164.404(b)      60 days from discovery of a breach to each person
    45 CFR 164.406(b)      60 days to the media, of more than 500 residents of a state
    45 CFR 164.408         60 days to the Secretary, of 500 or more; of fewer within 60 days after the end of the year

What does not apply the entries must say: a class that is not stated is reckoned as `other` where patient safety is
concerned, a number of persons that is not stated as more than 500. The clocks of a breach run for privacy and security.
A clock is met by a `notice.sent` to that recipient: that of the AI Act by one about the `incident`, those of a breach
by one about the `breach` or `privacy`, since a regulator of the one is none of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, NamedTuple

from attending.ledger.entry import Entry, format_time, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.tally import label

COLUMNS: Final = ("list", "incident", "entry", "time", "what", "rule", "due", "state", "by", "detail")
TYPES: Final = frozenset({"incident.opened", "incident.updated", "incident.closed", "notice.sent"})
CLASSES: Final = ("death", "widespread", "other", "none")
"""What an incident is under Article 3(49) of the AI Act: `none` is no serious incident."""
FEW: Final = 500
MOST_ENTRIES: Final = 500
"""Entries of one incident that are kept; what comes after them is counted."""
_BREACHES: Final = ("privacy", "security")
_OF_INCIDENT: Final = ("incident",)
_OF_BREACH: Final = ("breach", "privacy")
_REGULATOR: Final = ("regulator",)
_PERSONS: Final = ("patient", "carer")
_MEDIA: Final = ("media",)
_NOTICES: Final = frozenset(
    {*product(_OF_INCIDENT, _REGULATOR), *product(_OF_BREACH, (*_PERSONS, *_MEDIA, *_REGULATOR))}
)
"""What a notice is about, and to whom, where a clock may be met by it."""
_NO_INCIDENT: Final = ("duplicate", "not_an_incident")


class Clock(NamedTuple):
    """What is due, to whom and about what, by which rule."""

    what: str
    rule: str
    due: str
    recipients: tuple[str, ...]
    about: tuple[str, ...] = _OF_BREACH


@dataclass
class _Incident:
    """One incident, as its entries tell it."""

    name: str
    opened: Entry
    entries: list[Entry] = field(default_factory=list)
    more: int = 0
    notices: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """The first notice about each matter to each recipient that a clock knows, however late among the entries."""
    aware: str = ""
    category: str = ""
    severity: str = ""
    serious: str | None = None
    persons: int | None = None
    closed: Entry | None = None

    def visit(self, entry: Entry) -> None:
        if len(self.entries) < MOST_ENTRIES:
            self.entries.append(entry)
        else:
            self.more += 1
        body = entry.body
        if entry.type == "notice.sent":
            about, recipient = body.get("about"), body.get("recipient")
            if type(about) is str and type(recipient) is str and (about, recipient) in _NOTICES:
                self.notices.setdefault((about, recipient), entry)
        elif entry.type in ("incident.opened", "incident.updated"):
            if type(body.get("aware_at")) is str:
                self.aware = min(_moment(body["aware_at"], entry.time), self.aware or entry.time)
            self.aware = self.aware or entry.time
            self.category = label(body["category"]) if "category" in body else self.category
            self.severity = label(body["severity"]) if "severity" in body else self.severity
            if body.get("serious") in CLASSES:
                self.serious = str(body["serious"])
            if type(body.get("persons")) is int:
                self.persons = max(0, body["persons"])
            self.closed = None if entry.type == "incident.opened" else self.closed
        elif entry.type == "incident.closed":
            self.closed = entry

    @property
    def dropped(self) -> bool:
        """Whether it was closed as none."""
        return self.closed is not None and self.closed.body.get("outcome") in _NO_INCIDENT

    def clocks(self) -> Iterator[Clock]:
        """What is due of it."""
        aware = parse_time(self.aware)
        if self.serious != "none" and (self.serious is not None or self.category == "patient_safety"):
            days, paragraph = {"death": (10, "73(4)"), "widespread": (2, "73(3)")}.get(
                self.serious or "", (15, "73(2)")
            )
            said = "" if self.serious else " (class not stated)"
            yield Clock(
                f"report of a serious incident{said}",
                f"AI Act {paragraph}: {days} days",
                _after(aware, days),
                _REGULATOR,
                _OF_INCIDENT,
            )
        if self.category in _BREACHES:
            yield from self._breach(aware)

    def _breach(self, aware: datetime) -> Iterator[Clock]:
        many = self.persons is None or self.persons >= FEW
        said = " (persons not stated)" if self.persons is None else ""
        if self.persons == 0:
            return
        yield Clock("notice to each person", "45 CFR 164.404: 60 days", _after(aware, 60), _PERSONS)
        if self.persons is None or self.persons > FEW:
            yield Clock(f"notice to the media{said}", "45 CFR 164.406: 60 days", _after(aware, 60), _MEDIA)
        if many:
            rule, due = "45 CFR 164.408(b): 60 days", _after(aware, 60)
        else:
            rule, due = "45 CFR 164.408(c): 60 days after the year", _after_year(aware)
        yield Clock(f"notice to the Secretary{said}", rule, due, _REGULATOR)


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """The incidents that were opened in the period, or the one asked for: each, its clocks, and its entries."""
    found: dict[str, _Incident] = {}
    for entry in entries:
        if entry.time >= asked.until:
            break
        name = entry.body.get("incident_id")
        if entry.type not in TYPES or type(name) is not str or asked.incident not in ("", name):
            continue
        if name not in found:
            if entry.type != "incident.opened" or not (asked.incident or asked.within(entry.time)):
                continue
            found[name] = _Incident(label(name), entry)
        found[name].visit(entry)
    for incident in found.values():
        yield from _rows(incident, asked.until)


def _rows(incident: _Incident, now: str) -> Iterator[Row]:
    opened, closed = incident.opened, incident.closed
    said = [f"severity {incident.severity}", f"category {incident.category}", f"aware {incident.aware}"]
    said.append(f"class {incident.serious or 'not stated'}")
    said.append(f"persons {'not stated' if incident.persons is None else incident.persons}")
    state = "open" if closed is None else f"closed: {label(closed.body.get('outcome'))}"
    detail = "; ".join(said)
    name = incident.name
    yield ("incident", name, opened.index, opened.time, "incident", None, None, state, opened.actor, detail)
    for clock in incident.clocks():
        sent = (one for told, one in incident.notices.items() if _meets(told, clock))
        done = min(sent, key=lambda one: one.index, default=None)
        if done is not None:
            state = "met" if done.time <= clock.due else "late"
        elif incident.dropped:
            state = "not due: no incident"
        else:
            state = "overdue" if clock.due < now else "running"
        index, time, by = (None, None, None) if done is None else (done.index, done.time, done.actor)
        yield ("clock", name, index, time, clock.what, clock.rule, clock.due, state, by, None)
    for entry in incident.entries:
        yield (
            "event",
            name,
            entry.index,
            entry.time,
            entry.type,
            None,
            None,
            None,
            entry.actor,
            _detail(entry),
        )
    if incident.more:
        yield ("event", name, None, None, f"and {incident.more} more", None, None, None, None, None)


def _meets(told: tuple[str, str], clock: Clock) -> bool:
    about, recipient = told
    return about in clock.about and recipient in clock.recipients


def _detail(entry: Entry) -> str:
    names = (
        "severity",
        "category",
        "serious",
        "aware_at",
        "about",
        "recipient",
        "channel",
        "outcome",
        "notice_id",
    )
    said = [f"{name}={label(entry.body[name])}" for name in names if type(entry.body.get(name)) is str]
    if type(entry.body.get("persons")) is int:
        said.append(f"persons={entry.body['persons']}")
    return "; ".join(said)


def _moment(said: str, otherwise: str) -> str:
    try:
        parse_time(said)
    except VerificationError:
        return otherwise
    return said


def _after(moment: datetime, days: int) -> str:
    try:
        return format_time(moment + timedelta(days=days))
    except OverflowError:
        return format_time(datetime.max.replace(tzinfo=UTC))


def _after_year(moment: datetime) -> str:
    if moment.year >= datetime.max.year:
        return _after(moment, 60)
    return _after(datetime(moment.year + 1, 1, 1, tzinfo=UTC), 60)


REGISTER: Final = Register("incident", COLUMNS, rows)
