"""What the item page shows: the text to the letter, its changes, and what is not known of the patient."""

from __future__ import annotations

from typing import Any

import pytest
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.server.console.present import difference, patient, pieces
from attending.server.console.signin import local_path
from attending.server.console.words import CODES
from hypothesis import given
from hypothesis import strategies as st

TEXT = "Take simvastatin 40 mg with clarithromycin."


def finding(start: int, end: int, severity: Severity = Severity.MINOR) -> Finding:
    return Finding(
        "rail", Code.INTERACTION, "r", severity, Scope.RECOMMEND, start, end, "", Basis.RULE, "s", "m"
    )


SPANS = st.lists(
    st.tuples(st.integers(-2, 60), st.integers(-2, 60), st.sampled_from(list(Severity))), max_size=6
)


@given(st.text(max_size=50), SPANS)
def test_the_pieces_are_the_text_and_each_finding_covers_its_span(
    text: str, spans: list[tuple[int, int, Severity]]
) -> None:
    findings = [finding(*span) for span in spans]
    found = pieces(text, findings)
    assert "".join(piece.text for piece in found) == text
    for n, one in enumerate(findings):
        covered = "".join(piece.text for piece in found if n in piece.findings)
        inside = 0 <= one.start < one.end
        assert covered == (text[one.start : one.end] if inside else "")
        assert sum(n in piece.first for piece in found) == (1 if covered else 0)


def test_the_worst_of_what_lies_over_a_piece_colours_it() -> None:
    found = pieces(TEXT, [finding(5, 22, Severity.MINOR), finding(5, 16, Severity.MAJOR)])
    assert [(piece.text, piece.severity) for piece in found if piece.findings] == [
        ("simvastatin", "major"),
        (" 40 mg", "minor"),
    ]


@given(st.text(alphabet="ab \n", max_size=60), st.text(alphabet="ab \n", max_size=60))
def test_a_difference_gives_both_texts_back(before: str, after: str) -> None:
    changes = difference(before, after)
    assert "".join(change.text for change in changes if change.kind != "gone") == after
    assert "".join(change.text for change in changes if change.kind != "new") == before


def test_a_difference_names_the_word_that_changed() -> None:
    changes = difference("one line\nTake 5 mg daily\n", "one line\nTake 50 mg daily\n")
    assert [(change.kind, change.text) for change in changes if change.kind != "same"] == [
        ("gone", "5"),
        ("new", "50"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\n" + "same\n" * 30_000 + "b\n", "c\n" + "same\n" * 30_000 + "d\n"),
        ("a " * 30_000, "b " + "a " * 29_999),
    ],
    ids=["lines", "words"],
)
def test_what_would_cost_the_square_of_a_long_text_is_shown_as_replaced_whole(
    before: str, after: str
) -> None:
    assert [(one.kind, one.text) for one in difference(before, after)] == [("gone", before), ("new", after)]


def test_a_small_change_in_a_long_text_is_found_all_the_same() -> None:
    lines = ["same\n"] * 20_000
    changes = difference("".join([*lines, "Take 5 mg\n", *lines]), "".join([*lines, "Take 50 mg\n", *lines]))
    assert [(one.kind, one.text) for one in changes if one.kind != "same"] == [("gone", "5"), ("new", "50")]


@pytest.mark.parametrize(
    ("context", "missing", "facts"),
    [
        ({}, {"age", "weight", "kidney function (eGFR)", "allergies", "medication list"}, {}),
        (
            {"allergies": [], "medications": [], "age_years": "68", "weight_kg": "70.5", "egfr": "41"},
            set(),
            {"Allergies": ("none known", False), "eGFR": ("41 mL/min/1.73m²", True)},
        ),
        (
            {
                "allergies": [{"substance": "penicillin", "reaction": "rash"}],
                "medications": [],
                "labs": [
                    {"code": "33914-3", "value": "90", "time": "2026-01-01T00:00:00+00:00"},
                    {"code": "eGFR", "value": "88", "time": "2026-11-01T00:00:00+00:00"},
                ],
                "identity": {"names": ["A B"], "mrn": "7", "birth_date": "1958-04-09"},
                "pregnant": True,
            },
            {"weight"},
            {"Allergies": ("penicillin (rash)", True), "eGFR": ("88 mL/min/1.73m²", False)},
        ),
    ],
)
def test_the_banner_says_what_is_known_and_what_is_not(
    context: dict[str, Any], missing: set[str], facts: dict[str, tuple[str, bool]]
) -> None:
    shown = patient(context)
    assert set(shown.missing) == missing
    found = {fact.name: (fact.value, fact.alert) for fact in shown.facts}
    assert {name: found[name] for name in facts} == facts


@pytest.mark.parametrize(
    "given_path",
    [None, "", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "x", "/" + "a" * 600],
)
def test_signing_in_leads_nowhere_else(given_path: str | None) -> None:
    assert local_path(given_path) == "/"
    assert local_path("/items/tkt_1?x=1") == "/items/tkt_1?x=1"


def test_every_code_has_its_words() -> None:
    assert set(CODES) == {code.value for code in Code}
