"""Rows of tables, read as the orders they stand for."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from attending.guardrails.clinical.statement import ParsedText
from attending.guardrails.finding import Scope

Read = Callable[[str], ParsedText]

ROWS = [
    (
        "| Drug | Dose | Unit | Route | Frequency |\n|---|---|---|---|---|\n| Metformin | 500 | mg | PO | daily |",
        "500 mg",
    ),
    ("| Drug | Dose (mg) | Frequency |\n|---|---|---|\n| Metformin | 500 | daily |", "500 mg"),
    ("Drug\tDose\tUnit\tFreq\nMetformin\t500\tmg\tdaily", "500 mg"),
    ("Drug        Dose      Frequency\nMetformin   500 mg    daily", "500 mg"),
    ("Medication,Dose,Unit,Frequency\nMetformin,500,mg,daily", "500 mg"),
    ("| Drug | Old dose | New dose |\n|---|---|---|\n| Metformin | 850 mg daily | 500 mg daily |", "500 mg"),
    ("| Drug | Usual | Given |\n|---|---|---|\n| Metformin | 850 mg daily | 500 mg daily |", "500 mg"),
    (
        "| Drug | Before admission | Discharge |\n|---|---|---|\n| Metformin | 850 mg daily | 500 mg daily |",
        "500 mg",
    ),
    ("| Drug | Home dose | Status |\n|---|---|---|\n| Metformin | 500 mg daily | continue |", "500 mg"),
    ("| Drug | Dose | Quantity |\n|---|---|---|\n| Metformin | 500 mg daily | 90 tablets |", "500 mg"),
    ("| Metformin | 500 | mg | PO | daily |", "500 mg"),
    (
        "| Drug | Strength | Number of tablets | Times per day |\n|--|--|--|--|\n| Metformin | 250 mg | 2 | 1 |",
        "500 mg",
    ),
]


@pytest.mark.parametrize(("table", "dose"), ROWS)
def test_a_row_is_the_order_it_stands_for(read: Read, table: str, dose: str) -> None:
    parsed = read(table)
    found = [
        (f"{s.dose.high.normalize():f} {s.dose.unit}", s.frequency.times_per_day if s.frequency else None)
        for s in parsed.statements
        if s.dose
    ]
    assert found == [(dose, Decimal(1))]
    mention = parsed.statements[0].mention
    assert table[mention.span.start : mention.span.end] == mention.text == "Metformin"


@pytest.mark.parametrize("said", ["STOPPED", "stop", "Discontinued", "D/C"])
def test_a_stopped_row_is_not_prescribed(read: Read, said: str) -> None:
    table = (
        "| Drug | Status | Dose |\n|---|---|---|\n"
        f"| Metformin | {said} | 850 mg daily |\n| Warfarin | NEW | 5 mg daily |"
    )
    scopes = {s.mention.text: s.scope for s in read(table).statements}
    assert scopes["Metformin"] is Scope.STOP
    assert scopes["Warfarin"] is Scope.RECOMMEND


def test_spans_point_into_the_table_as_written(read: Read) -> None:
    table = (
        "Notes | 1\n\n| Drug | Old dose | New dose | Unit |\n|---|---|---|---|\n"
        "| Metformin | 850 | 500 | mg |\nTake warfarin 5 mg daily."
    )
    for statement in read(table).statements:
        for part in (statement.mention, statement.dose, statement.frequency):
            if part is not None:
                assert table[part.span.start : part.span.end] == part.text


@pytest.mark.parametrize(
    "text", ["| | |\n||\n|", "||||||", "a | b\nc | d", "Drug |\n|", "Drug,Dose,Route\n,,\nx,y", "\t\t\n\t"]
)
def test_what_is_no_table_is_left_as_it_is(read: Read, text: str) -> None:
    assert read(text).statements == ()
