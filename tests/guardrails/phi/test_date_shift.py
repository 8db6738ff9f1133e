"""Dates of one inference move together and come back, whatever their form; what cannot come back is a problem."""

from __future__ import annotations

import pickle
import random
import re
from datetime import date

import pytest
from attending.guardrails.phi import (
    PhiDetector,
    PhiMode,
    ProblemKind,
    deidentify,
    deidentify_all,
    redact,
    restore,
)
from attending.guardrails.phi.date_form import read_form
from attending.guardrails.phi.date_shift import choose_shift, date_spans
from attending.guardrails.phi.surrogates import Surrogates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BAA = PhiMode.BAA_MINIMUM
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ONE_DAY = (
    "March 14, 2024", "Mar. 14, 2024", "mar 14 2024", "MARCH 14TH, 2024", "14 March 2024", "14th of March 2024",
    "14-Mar-2024", "14MAR2024", "2024-03-14", "2024/03/14", "3/14/2024", "03/14/24", "3-14-24",
    "Thursday, March 14, 2024", "2024-03-14T08:15:00Z", "2024-Mar-14", "March 14, '24",
)  # fmt: skip
PIECES = st.sampled_from(
    [
        *ONE_DAY, "March 2024", "Sept 2023", "12/2023", "since November", "mid-March", "seen 3/14", "on the 14th",
        "Christmas 2023", "29 February 2024", "on 2/29/2024", "DOB 03/07/1961", "dob 19610307", "14.03.2024",
        "25/12/2023",
        "march tenth two thousand nine", "Dr. Xu", "[DATE_1]", "DATE_2", "1/2", "in 2023", "Tuesday", "two days later",
        "Feb 3-11, 2022", "Jan 5", "may 5th", "MRN 20240314", "5/10", "\n", ", ", "age 95", "Feb 29",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(PIECES, max_size=8).map(" ".join),
    st.lists(PIECES, max_size=6).map("".join),
    st.text(max_size=40),
)


def _moved(text: str, original: str, detector: PhiDetector) -> tuple[str, Surrogates]:
    """The surrogate of a date that is the whole of `{}` in `text`, and the mapping."""
    before, _, after = text.partition("{}")
    result = deidentify(text.format(original), detector, mode=BAA)
    assert result.text.startswith(before)
    assert result.text.endswith(after)
    return result.text[len(before) : len(result.text) - len(after)], result.placeholders


@QUICK
@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_moving_back_undoes_moving_for_any_texts(detector: PhiDetector, texts: list[str]) -> None:
    views, mapping = deidentify_all(texts, detector, mode=BAA)
    assert [restore(view, mapping).text for view in views] == texts


@pytest.mark.parametrize("written", ONE_DAY)
def test_a_date_moves_in_its_own_form(detector: PhiDetector, written: str) -> None:
    surrogate, mapping = _moved("Seen {}, then home.", written, detector)
    assert mapping.dates is not None
    old, new = read_form(written, day_first=False), read_form(surrogate, day_first=False)
    assert old is not None
    assert new is not None
    assert old.says == (2024, 3, 14)
    year, month, day = new.says
    distance = (date(year or 0, month or 0, day or 0) - date(2024, 3, 14)).days
    assert distance == mapping.dates.days
    assert distance % 7 == 0
    assert 35 <= abs(distance) <= 336
    # the same signs between, the same time and weekday around; May, June and July have no short form, and no full stop
    if re.search(r"\b(?:May|June|July)\b", surrogate):
        written = re.sub(r"(?<=[a-z])\.", "", written)
    shape = re.compile(r"[A-Za-z]+|[0-9]+")
    assert shape.sub("", surrogate) == shape.sub("", written)
    assert len(mapping) == 0


def test_intervals_weekdays_and_words_for_them_stay_right(detector: PhiDetector) -> None:
    prompt = (
        "Admitted Thursday, March 14, 2024; two days later, on 3/16/2024, febrile. Discharged 2024-03-20. "
        "Diagnosed in March 2023, again in May 2023. Next visit Monday."
    )
    (view, document), mapping = deidentify_all([prompt, "Op note of 14 Mar 2024."], detector, mode=BAA)
    assert mapping.dates is not None
    days = []
    for text in (view, document):
        forms = [mapping.dates.read(text[s.start : s.end]) for s in date_spans(text)]
        days += [date(*form.says) for form in forms if form is not None and None not in form.says]  # type: ignore[arg-type]
    assert [(day - days[0]).days for day in days] == [0, 2, 6, 0]
    assert days[0].strftime("%A") == "Thursday"
    assert "two days later" in view
    assert "Next visit Monday." in view
    months = [
        f.says for s in date_spans(view) if (f := mapping.dates.read(view[s.start : s.end])) and not f.says[2]
    ]
    (year, month, _), (later_year, later_month, _) = months
    assert (later_year or 0) * 12 + (later_month or 0) - (year or 0) * 12 - (month or 0) == 2
    for secret in ("March 14", "3/16", "03-20", "14 Mar"):
        assert secret not in view + document


def test_one_distance_for_an_inference_and_another_for_the_next(detector: PhiDetector) -> None:
    distances = {choose_shift(["seen 3/14/2024"]).days for _ in range(60)}
    assert len(distances) > 20
    assert all(d % 7 == 0 and 35 <= abs(d) <= 336 for d in distances)
    assert {d > 0 for d in distances} == {True, False}
    first = deidentify("Seen 3/14/2024.", detector, mode=BAA)
    second = deidentify("Op on 3/14/2024.", detector, existing=first.placeholders, mode=BAA)
    assert first.text.split()[1] == second.text.split()[2]


def test_ages_and_clinicians_are_kept_and_names_are_not(detector: PhiDetector) -> None:
    text = (
        "Dr. Ignatius Vandersloot saw Mrs. Marguerite Oduya, 94 years old, with RN Kelechi Okonkwo at age 94."
    )
    view = deidentify(text, detector, mode=BAA).text
    assert view == "Dr. [NAME_1] saw [NAME_2], 94 years old, with RN [NAME_3] at age 94."
    assert "94" not in deidentify(text, detector).text


@pytest.mark.parametrize(
    ("answer", "restored"),
    [
        ("Admitted {0}.", "Admitted March 14, 2024."),
        ("{0} to {1}: six days.", "March 14, 2024 to March 20, 2024: six days."),
        ("On {iso} he was admitted.", "On 2024-03-14 he was admitted."),
        ("On {short} he was admitted.", "On Mar 14 he was admitted."),
        ("In {month} he was admitted.", "In March 2024 he was admitted."),
    ],
)
def test_an_answer_may_write_a_date_otherwise(detector: PhiDetector, answer: str, restored: str) -> None:
    """`short` names no year and `month` no day: each says less than the request, and nothing else."""
    shift = choose_shift([], random.Random(4))
    given = Surrogates({}, shift)
    text = "Admitted March 14, 2024, discharged March 20, 2024."
    result = deidentify(text, detector, existing=given, mode=BAA)
    dates = result.placeholders.dates
    assert dates is not None
    there = dates.away((2024, 3, 14))
    assert there is not None
    day = date(*there)  # type: ignore[arg-type]
    words = {"iso": day.isoformat(), "short": f"{day:%b} {day.day}", "month": f"{day:%B %Y}"}
    back = restore(answer.format(*dates.given, **words), result.placeholders)
    assert back.text == restored
    assert back.problems == ()


def test_a_date_that_the_request_did_not_hold_is_a_problem(detector: PhiDetector) -> None:
    result = deidentify("Admitted March 14, 2024.", detector, mode=BAA)
    assert result.placeholders.dates is not None
    due = result.placeholders.dates.away((2024, 4, 11))
    assert due is not None
    back = restore(f"Review on {date(*due).isoformat()}.", result.placeholders)  # type: ignore[arg-type]
    assert back.text == "Review on 2024-04-11."
    assert [p.kind for p in back.problems] == [ProblemKind.DERIVED]
    assert back.problems[0].shown == "2024-04-11"


@pytest.mark.parametrize(
    "left",
    ["on the {day}th", "{month}/{day}", "{day}/{month}", "in {year}", "on the tenth of May", "since {name}"],
)
def test_what_is_left_of_a_moved_date_is_a_problem(detector: PhiDetector, left: str) -> None:
    # 46 weeks back: into another year, and to a day that is written with "th"
    shift = next(s for n in range(999) if (s := choose_shift([], random.Random(n))).days == -7 * 46)
    result = deidentify("Admitted March 14, 2024.", detector, existing=Surrogates({}, shift), mode=BAA)
    assert result.text == "Admitted April 27, 2023."
    words = left.format(day=27, month=4, year=2023, name="June")
    back = restore(f"Walked {words} again", result.placeholders)
    assert [p.kind for p in back.problems] in ([ProblemKind.ALTERED], [ProblemKind.DERIVED])
    assert words in back.text


def test_without_moved_dates_an_answer_may_name_any_day(detector: PhiDetector) -> None:
    result = deidentify("Is metformin safe?", detector, mode=BAA)
    assert restore("Since May 5, 2021 it is, on the 5th.", result.placeholders).problems == ()


@pytest.mark.parametrize(
    ("text", "placeholders"),
    [
        ("On Christmas 2023 and 3/4/2024", 1),
        ("admitted 25/12/2023, seen 12/25/2023 and 2024-04-03", 2),
        ("Sept 5, 2023 and Sep 5, 2023", 1),
        ("admitted March 14, 2024, worse on the 16th", 1),
    ],
)
def test_what_has_no_form_gets_a_placeholder(detector: PhiDetector, text: str, placeholders: int) -> None:
    """A holiday, dates that contradict each other, a second spelling that would read the same, a day alone."""
    result = deidentify(text, detector, mode=BAA)
    assert len(result.placeholders) == placeholders
    assert "[DATE_1]" in result.text


@pytest.mark.parametrize(
    ("texts", "day_first"),
    [
        (["seen 3/4/2024"], False), (["seen 3/4/2024 and 25/4/2024"], True), (["on 03.04.2024"], True),
        (["on 03.04.2024", "12.31.2023"], False), (["25/12/2023", "12/25/2023"], None),
    ],
)  # fmt: skip
def test_how_numeric_dates_are_read_follows_from_the_request(
    texts: list[str], day_first: bool | None
) -> None:
    assert choose_shift(texts).day_first is day_first


def test_the_distance_shows_in_no_repr_and_survives_a_pipe(detector: PhiDetector) -> None:
    result = deidentify("Admitted March 14, 2024.", detector, mode=BAA)
    dates = result.placeholders.dates
    assert dates is not None
    shown = repr(result) + repr(result.placeholders) + repr(dates) + repr(restore("x", result.placeholders))
    assert str(abs(dates.days)) not in shown
    assert "2024" not in shown
    copy = pickle.loads(pickle.dumps(result.placeholders))
    assert copy == result.placeholders
    assert copy.dates == dates
    assert restore(result.text, copy).text == "Admitted March 14, 2024."


def test_redacting_under_an_agreement_moves_dates_and_keeps_ages(detector: PhiDetector) -> None:
    text = "Dr. Ignatius Vandersloot, seen 3/14/2024 and 3/21/2024, aged 93, MRN 00123-7"
    redacted, spans = redact(text, detector, mode=BAA)
    m = re.fullmatch(r"Dr\. \[NAME\], seen (\S+) and (\S+), aged 93, MRN \[MEDICAL_RECORD_NUMBER\]", redacted)
    assert m is not None
    first, second = (read_form(value, day_first=False) for value in m.groups())
    assert first is not None
    assert second is not None
    assert (date(*second.says) - date(*first.says)).days == 7  # type: ignore[arg-type]
    assert first.says != (2024, 3, 14)
    assert [s.type.value for s in spans] == ["NAME", "DATE", "DATE", "MEDICAL_RECORD_NUMBER"]
