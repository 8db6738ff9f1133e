"""Registers about one person: what an accounting lists, what it leaves out, and what an agency had suspended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from attending.ledger.entry import Entry, format_time, parse_entry, parse_time
from attending.ledger.verify.registers import REGISTERS, Asked, Row
from attending.ledger.verify.registers.disclosures import left_out_because
from attending.ledger.verify.registers.suspension import suspensions, withheld

from tests.ledger.verify.conftest import SUBJECT, LogBuilder

OTHER = "sub_" + "b3" * 13
NEVER = "9999-01-01T00:00:00.000000Z"
ASKED = Asked(until=NEVER, subjects=(SUBJECT,))


def disclosed(log: LogBuilder, recipient: str, purpose: str, subject: str = SUBJECT, **more: object) -> Entry:
    body = {"disclosure_id": "d", "recipient": recipient, "purpose": purpose, **more}
    words = log.payload("description", b"dates of service, to the court at Elm Street")
    return log.append("disclosure.recorded", "emitter/a/b", body, subject=subject, payloads=[words])


def rows(log: LogBuilder, name: str = "accounting", asked: Asked = ASKED) -> list[Row]:
    return list(REGISTERS[name].rows(map(parse_entry, log.entries), asked))


def listed(found: Sequence[Row]) -> list[Row]:
    return [row for row in found if row[0] in ("disclosure", "access")]


def test_date_recipient_address_what_and_why_are_listed_of_this_person_alone() -> None:
    log = LogBuilder()
    one = disclosed(log, "court", "law", recipient_id="elm-st", items=3)
    disclosed(log, "court", "law", OTHER)
    sent = {"recipient": "registry", "host": "registry.example", "purpose_of_use": "PUBHLTH", "what": "fhir"}
    log.append("access.disclosed", "disclosed/x", sent, subject=SUBJECT)
    log.append("access.exported", "access/x", {"payloads": True, "purpose_of_use": "HLEGAL"}, subject=SUBJECT)
    log.append(
        "access.exported", "access/x", {"payloads": False, "purpose_of_use": "HLEGAL"}, subject=SUBJECT
    )
    record = one.commitments[0].record
    assert [row[3:8] for row in listed(rows(log))] == [
        ("court elm-st", "not on record", "3 items", "required by law", record),
        ("registry", "registry.example", "resources of a record system", "public health", None),
        ("not on record", "not on record", "a copy with content", "legal proceedings", None),
    ]


@pytest.mark.parametrize(
    ("recipient", "purpose", "why"),
    [
        ("organisation", "treatment", "treatment"),
        ("payer", "payment", "payment"),
        ("organisation", "operations", "health care operations"),
        ("patient", "law", "to the person"),
        ("carer", "other", "to who is involved in the person's care"),
        ("court", "patient_request", "asked for or permitted by the person"),
        ("court", "law", None),
        ("researcher", "research", None),
        ("public_health", "public_health", None),
        ("other", "other", None),
        ("court", "a purpose of a later version", None),
    ],
)
def test_what_an_accounting_leaves_out_is_counted_and_said(
    recipient: str, purpose: str, why: str | None
) -> None:
    log = LogBuilder()
    assert left_out_because(disclosed(log, recipient, purpose)) == why
    found = rows(log)
    assert len(listed(found)) == (why is None)
    assert [(row[5], row[8]) for row in found if row[0] == "left_out"] == ([] if why is None else [(why, 1)])


def test_only_the_period_counts() -> None:
    log = LogBuilder()
    first = disclosed(log, "court", "law")
    second = disclosed(log, "court", "law")
    assert [row[1] for row in rows(log, asked=replace(ASKED, since=second.time))] == [second.index]
    assert [row[1] for row in rows(log, asked=replace(ASKED, until=second.time))] == [first.index]


def test_who_looked_at_what_and_by_what_right_is_listed() -> None:
    log = LogBuilder()
    looked = {
        "what": "case",
        "purpose_of_use": "TREAT",
        "authorized_by": ["clinician-reviews"],
        "ticket": "tkt_1",
    }
    log.append(
        "access.viewed", "access/dr", {**looked, "emergency": "emg_1"}, subject=SUBJECT, actor="human:dr"
    )
    log.append("access.viewed", "access/dr", looked, subject=OTHER, actor="human:dr")
    asked_for = {"on_behalf_of": "nurse-li", "purpose_of_use": "TREAT", "recipient": "clinician"}
    log.append("inference.requested", "inf_1", asked_for, subject=SUBJECT, actor="app:portal")
    log.append(
        "access.viewed", "access/dr", {"authorized_by": 7, "what": [], "emergency": {}}, subject=SUBJECT
    )
    found = [row[3:] for row in rows(log, "access")]
    assert found[0] == ("human:dr", None, "shown: case", "tkt_1", "TREAT", "clinician-reviews", "emg_1")
    assert found[1][:5] == ("app:portal", "nurse-li", "asked for a text", "inf_1", "TREAT")
    assert found[2][2:] == ("shown", None, None, None, "(not stated)")


def suspended(log: LogBuilder, agency: str, form: str, days: int) -> Entry:
    until = format_time(log.clock + timedelta(days=days))
    body = {"suspension": "sus_1", "agency": agency, "form": form, "until": until}
    return log.append("disclosure.suspended", f"suspension/{SUBJECT}", body, subject=SUBJECT)


@pytest.mark.parametrize(
    ("form", "days", "after", "hidden"),
    [
        ("oral", 20, 19, True),
        ("oral", 20, 21, False),
        ("oral", 400, 29, True),
        ("oral", 400, 31, False),  # by word of mouth for 30 days at the most, whatever the entry says
        ("written", 400, 399, True),
        ("written", 400, 401, False),
    ],
)
def test_a_suspension_runs_as_long_as_it_may(form: str, days: int, after: int, hidden: bool) -> None:
    log = LogBuilder()
    entry = disclosed(log, "law_enforcement", "law")
    paused = suspended(log, "law_enforcement", form, days)
    at = format_time(parse_time(paused.time) + timedelta(days=after))
    assert withheld(entry, suspensions([paused]), at) is hidden
    assert withheld(paused, [], at)


def test_a_suspension_covers_the_agency_that_asked_and_nobody_else() -> None:
    log = LogBuilder()
    police, regulator = disclosed(log, "law_enforcement", "law"), disclosed(log, "regulator", "law")
    copy = log.append(
        "access.exported", "access/x", {"payloads": True, "purpose_of_use": "HLEGAL"}, subject=SUBJECT
    )
    running = suspensions([suspended(log, "law_enforcement", "written", 90)])
    at = format_time(log.clock)
    assert [withheld(one, running, at) for one in (police, regulator, copy)] == [True, False, True]
    shown = {"what": "custody", "action": "suspendAccounting", "purpose_of_use": "RECORDMGT"}
    assert withheld(log.append("access.viewed", "access/x", shown, subject=SUBJECT), [], at)
    before = format_time(parse_time(running[0].since) - timedelta(seconds=1))
    assert not withheld(police, running, before)


def test_a_suspension_that_does_not_read_suspends_nothing() -> None:
    log = LogBuilder()
    for body in (
        {},
        {"agency": "x", "until": NEVER},
        {"agency": [], "until": NEVER},
        {"agency": "law_enforcement", "until": "soon"},
    ):
        assert suspensions([log.append("disclosure.suspended", "suspension/x", body, subject=SUBJECT)]) == []
