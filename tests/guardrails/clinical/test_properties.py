"""What holds for every text: no exception, true spans, positive doses, order, linear work."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attending.guardrails.clinical.facts import stated_context
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.statement import ParsedText, Span
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# fmt: off
_PIECES = st.sampled_from(
    [
        "take ", "do not ", "avoid ", "stop ", "never ", "ibuprofen ", "warfarin ", "Percocet ", "NSAIDs ",
        "500 mg ", "5-10 mg ", "1,5 mg ", ".5 mg ", "\xbd tablet ", "5/325 ", "10 mg/kg/day ",
        "every 6 hours ", "q4-6h ", "daily ", "as needed ", "with ", "and ", "but ", "if ", "instead of ",
        "except ", ", ", ". ", "\n", "\n- ", ": ", "(", ")", "max ", "for 10 days ", "IV push ", "it ",
        "Zyntrovexil ", "\U0001f600", "\xe9", "\u0301", "\u200b", "\uff15 ", "\xb2", "**", "<b>", "1", "e",
        "/", "-", "x 2 ", "should ", "be ", "was ", "started ", "allergic to ", "34 weeks pregnant ",
        "eGFR 22 ", "7-year-old ", "70 kg ", "not ", "Allergies: ", "unless ", "two 500 mg tablets ",
        "in the morning ", "and 2 at night ",
    ]
)
# fmt: on
_CLINICAL = st.lists(_PIECES, max_size=40).map("".join)
_ANY = st.text(max_size=200)
_QUIET = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _true(text: str, span: Span, written: str) -> None:
    assert 0 <= span.start < span.end <= len(text)
    assert text[span.start : span.end] == written


def _check(text: str, parsed: ParsedText) -> None:
    assert parsed.text == text
    starts = [s.mention.span.start for s in parsed.statements]
    assert starts == sorted(starts)
    for statement in parsed.statements:
        _true(text, statement.mention.span, statement.mention.text)
        assert 0 <= statement.clause.start < statement.clause.end <= len(text)
        assert statement.mention.drugs or statement.mention.drug_class
        for dose in (statement.dose, statement.daily_limit, statement.single_limit):
            if dose is not None:
                _true(text, dose.span, dose.text)
                assert Decimal(0) < dose.low <= dose.high
                assert all(c > 0 for c in dose.components)
        if statement.frequency is not None:
            _true(text, statement.frequency.span, statement.frequency.text)
            times, hours = statement.frequency.times_per_day, statement.frequency.interval_hours
            assert times is None or times > 0
            assert hours is None or hours > 0
        if statement.duration is not None:
            _true(text, statement.duration.span, statement.duration.text)
            assert statement.duration.days > 0
    for unreadable in parsed.unreadable:
        _true(text, unreadable.span, unreadable.text)
        assert unreadable.reason
    for unknown in parsed.unknown:
        _true(text, unknown.span, unknown.text)
    for notation in parsed.notations:
        _true(text, notation.span, notation.text)
    for clause in parsed.clauses:
        assert 0 <= clause.start < clause.end <= len(text)
    mentions = {s.mention for s in parsed.statements}
    for a, b in parsed.avoided_pairs:
        assert {a, b} <= mentions


@_QUIET
@given(text=st.one_of(_CLINICAL, _ANY))
def test_every_text_parses_and_every_span_is_true(lexicon: Lexicon, text: str) -> None:
    parsed = parse(text, lexicon)
    _check(text, parsed)
    assert parse(text, lexicon) == parsed


@_QUIET
@given(text=st.one_of(_CLINICAL, _ANY))
def test_every_text_states_a_context(lexicon: Lexicon, text: str) -> None:
    context = stated_context(text, lexicon, {"asthma": "asthma", "heart failure": "hf"})
    assert context.weight_kg is None or context.weight_kg > 0
    assert context.pregnancy_weeks is None or context.pregnant
    assert context == stated_context(
        text, lexicon, {"asthma": "asthma", "heart failure": "hf"}, parsed=parse(text, lexicon)
    )


@_QUIET
@given(text=_ANY)
def test_the_plain_form_maps_back_in_order(text: str) -> None:
    norm = normalise(text)
    assert len(norm.text) == len(norm.starts) == len(norm.ends)
    assert all(0 <= a < b <= len(text) for a, b in zip(norm.starts, norm.ends, strict=True))
    assert norm.starts == sorted(norm.starts)


@_QUIET
@given(
    count=st.integers(1, 99_999),
    unit=st.sampled_from(["mg", "mcg", "g", "units", "mL", "mEq"]),
    gap=st.sampled_from(["", " ", "\u00a0", "-"]),
)
def test_every_plain_dose_is_read_exactly(lexicon: Lexicon, count: int, unit: str, gap: str) -> None:
    (statement,) = parse(f"Take warfarin {count}{gap}{unit} daily.", lexicon).statements
    assert statement.dose is not None
    assert (statement.dose.low, statement.dose.high) == (Decimal(count), Decimal(count))
    grouped = f"{count:,}"
    (again,) = parse(f"Take warfarin {grouped} {unit} daily.", lexicon).statements
    assert again.dose is not None
    assert again.dose.high == count


# fmt: off
_UNITS = [
    "1 mg ", "not ", "take lisinopril and ", "take ", "avoid lisinopril, ", "1", "1 ", "(", "a ",
    "take not ", "5-", "1/", "ibuprofen ", "ibuprofen with ", "every ", "if ", "10 mg of ", "\xe9",
    "\u0301", ".", "ibuprofen 10 mg daily\n", "- ibuprofen: ", "allergic to ", "1,", "up to ", "max ",
    "twice the ", "a few ", "pregnant ", "has asthma and ", "<b ", "&nbsp", "__ ", "should ",
    "one hundred ", "monday and ", "at night and ", "Zyntrovexil ", "mg/kg/", "in left ", "in the left ",
    "10 mg total of ", "max:", "max of a ", "for the a ", "is is is ", "weight is ", "of of ", "up to at ",
    "twice your ",
]
# fmt: on


@pytest.mark.parametrize("unit", _UNITS)
def test_work_is_linear_in_the_text(lexicon: Lexicon, unit: str) -> None:
    # quadratic work on 50,000 characters would run into the suite's timeout, many times over
    text = (unit * (50_000 // len(unit) + 1))[:50_000]
    parsed = parse(text, lexicon)
    assert parsed.text == text
    assert len(parsed.avoided_pairs) <= 50_000
