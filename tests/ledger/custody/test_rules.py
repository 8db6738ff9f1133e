"""The pure rules: custody out of entries, closures, what may be erased, and how long what is kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attending.ledger.custody import tables
from attending.ledger.custody.retention import Rule, Rules, Start, Terms, minimum_after, ranges_of
from attending.ledger.custody.state import (
    Closure,
    Custody,
    Hold,
    closure_over,
    custody_of,
    may_erase,
    require_present,
    stream_of,
)
from attending.ledger.entry import ENTRY_TYPES, Entry
from attending.ledger.errors import SubjectErased, SubjectHeld, VerificationError
from hypothesis import given
from hypothesis import strategies as st

A, B, C = ("sub_" + letter * 26 for letter in "abc")
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(type_: str, index: int, body: Mapping[str, Any], subject: str = A) -> Entry:
    return Entry(
        index, b"", "o", b"", "2026-01-01T00:00:00.000000Z", None, type_, stream_of(subject), "human:po", subject,
        body, (),
    )  # fmt: skip


def test_custody_is_what_the_entries_say() -> None:
    entries = [
        entry("subject.linked", 3, {"other": B}),
        entry("subject.linked", 4, {"other": C}),
        entry("hold.placed", 7, {"hold": "hold_1", "ground": "litigation"}),
        entry("hold.placed", 8, {"hold": "hold_2", "ground": "regulator_request"}),
        entry("subject.unlinked", 9, {"other": C}),
        entry("hold.lifted", 10, {"hold": "hold_1"}),
        entry("subject.something_later", 11, {}),
    ]
    state = custody_of(A, entries)
    assert (state.version, set(state.links), state.erased) == (7, {B}, None)
    assert [(h.hold_id, h.subject, h.ground, h.index) for h in state.holds] == [
        ("hold_2", A, "regulator_request", 8)
    ]
    assert custody_of(A, [*entries, entry("subject.erased", 12, {})]).erased == 12
    assert custody_of(A, []) == Custody(A)


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("hold.placed", {"ground": "litigation"}),
        ("hold.placed", {"hold": "hold_1"}),
        ("hold.lifted", {}),
        ("subject.linked", {"other": 7}),
        ("subject.unlinked", {"other": ""}),
    ],
)
def test_a_custody_entry_that_cannot_be_read_is_not_overlooked(type_: str, body: Mapping[str, Any]) -> None:
    with pytest.raises(VerificationError) as caught:
        custody_of(A, [entry(type_, 5, body)])
    assert (caught.value.reason, caught.value.index) == ("ENTRY_SCHEMA", 5)


Pairs = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20)


@given(Pairs, st.integers(0, 11))
def test_a_closure_is_what_links_lead_to(pairs: list[tuple[int, int]], start: int) -> None:
    links: dict[str, set[str]] = {}
    groups = {str(number): {str(number)} for number in range(12)}
    for one, two in pairs:
        links.setdefault(str(one), set()).add(str(two))
        links.setdefault(str(two), set()).add(str(one))
        # The same said in another way: merge the groups.
        merged = groups[str(one)] | groups[str(two)]
        for member in merged:
            groups[member] = merged
    found = closure_over(str(start), lambda name: links.get(name, set()))
    assert found == groups[str(start)]
    # Whoever of them is asked about, it is the same person.
    assert all(closure_over(member, lambda name: links.get(name, set())) == found for member in found)


def hold(number: int, subject: str) -> Hold:
    return Hold(f"hold_{number}", subject, "litigation", number, "t", "a")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6))
def test_all_of_a_person_is_erased_or_nothing(members: list[tuple[bool, int]]) -> None:
    names = [f"s{number}" for number in range(len(members))]
    states = {
        name: Custody(name, 0, frozenset(names) - {name}, tuple(hold(n, name) for n in range(holds)))
        for name, (_, holds) in zip(names, members, strict=True)
    }
    closure = Closure(names[0], states)
    if any(holds for _, holds in members):
        with pytest.raises(SubjectHeld) as caught:
            may_erase(closure)
        assert caught.value.holds == tuple(sorted({h.hold_id for h in closure.holds}))
        assert caught.value.metadata["holds"].split(",") == list(caught.value.holds)
    else:
        assert may_erase(closure) == tuple(names)


def test_what_is_erased_is_not_erased_again() -> None:
    gone = Closure(A, {A: Custody(A, 1, frozenset({B}), (), 3), B: Custody(B, 1, frozenset({A}), (), 4)})
    assert may_erase(gone) == ()
    with pytest.raises(SubjectErased):
        require_present(gone)


def test_the_tables_are_a_function_of_the_streams() -> None:
    states = {
        A: Custody(A, 1, frozenset({B}), (hold(9, A),)),
        B: Custody(B, 1, frozenset({A})),
        C: Custody(C),
    }
    rows = tables.rows_of(states, {(A, B): 3, (B, A): 4})
    assert [(row.table.name, tuple(row.key.values())) for row in rows] == [
        ("custody_link", (A, B)),
        ("custody_hold", (A, "hold_9")),
        ("custody_hold", (B, "hold_9")),
        ("custody_link", (B, A)),
    ]


# --- retention ------------------------------------------------------------------------------------------

PATTERNS = st.sampled_from(["inference.*", "inference.requested", "review.*", "review.signed", "hold.placed"])
RULES = st.builds(
    Rule, PATTERNS, st.integers(1, 40_000).map(lambda d: min(d, 36_525)), st.sampled_from(Start)
)
TERMS = st.builds(
    Terms,
    st.none() | st.integers(-5_000, 5_000).map(lambda days: WRITTEN + days * DAY),
    st.lists(st.tuples(st.integers(1, 36_525), st.sampled_from(Start)), max_size=2).map(tuple),
)
TYPES = st.sampled_from(["inference.requested", "inference.released", "review.signed", "prompt.version"])


@given(st.lists(RULES, max_size=6), TYPES, TERMS)
def test_the_longest_rule_wins(rules: list[Rule], type_: str, terms: Terms) -> None:
    end = Rules(tuple(rules)).end(type_, WRITTEN, terms)
    single = [Rules((rule,)).end(type_, WRITTEN, terms) for rule in rules if rule.matches(type_)]
    if not single or None in single:
        assert end is None
    else:
        assert end is not None
        assert end == max(one for one in single if one is not None)
        assert end >= WRITTEN + DAY


@given(st.lists(RULES, min_size=1, max_size=5), RULES, TYPES, TERMS, st.integers(0, 80_000))
def test_nothing_added_makes_anything_due_sooner(
    rules: list[Rule], more: Rule, type_: str, terms: Terms, days: int
) -> None:
    now = WRITTEN + days * DAY
    few, many = Rules(tuple(rules)), Rules((*rules, more))
    if not any(rule.matches(type_) for rule in rules):
        assert not few.due(type_, WRITTEN, now, terms)
        return
    if many.due(type_, WRITTEN, now, terms):
        assert few.due(type_, WRITTEN, now, terms)
    longer = Terms(terms.policy_retired, (*terms.at_least, (20_000, Start.ENTRY)))
    if few.due(type_, WRITTEN, now, longer):
        assert few.due(type_, WRITTEN, now, terms)
        assert days >= 20_000


def test_the_clock_of_a_policy_starts_when_it_is_retired_and_never_before_the_entry() -> None:
    rules = Rules((Rule("inference.*", 2190, Start.POLICY_RETIRED),))
    assert rules.end("inference.released", WRITTEN) is None  # in force, or not known
    later, before = WRITTEN + 400 * DAY, WRITTEN - 400 * DAY
    assert rules.end("inference.released", WRITTEN, Terms(later)) == later + 2190 * DAY
    assert rules.end("inference.released", WRITTEN, Terms(before)) == WRITTEN + 2190 * DAY


def test_what_no_rule_matches_is_kept_for_ever_whatever_a_policy_says() -> None:
    rules = Rules((Rule("review.*", 1),))
    far = WRITTEN + 36_525 * DAY
    assert not rules.due("inference.released", WRITTEN, far, Terms(WRITTEN, ((1, Start.ENTRY),)))
    assert not Rules().due("inference.released", WRITTEN, far)
    assert Rules().shortest_days is None


def test_an_end_past_the_calendar_is_never() -> None:
    late = datetime(9_999, 12, 1, tzinfo=UTC)
    assert Rules((Rule("inference.*", 365),)).end("inference.released", late) is None


@pytest.mark.parametrize(
    ("entries", "days"),
    [
        ("*", 10), ("inference", 10), ("inferense.*", 10), ("inference.relesed", 10), ("inference.*x", 10),
        ("", 10), ("inference.*", 0), ("inference.*", 36_526), ("inference.*", True),
    ],
)  # fmt: skip
def test_a_rule_that_would_do_nothing_is_refused(entries: str, days: int) -> None:
    with pytest.raises(ValueError, match=r"entry type|days"):
        Rule(entries, days)


@given(st.lists(RULES, max_size=5), st.randoms())
def test_the_hash_names_the_rules_and_not_their_order(rules: list[Rule], random: Any) -> None:
    other = list(rules)
    random.shuffle(other)
    assert Rules(tuple(rules)).content_hash == Rules(tuple(other)).content_hash
    longer = Rules((*rules, Rule("sla.defined", 3)))
    assert longer.content_hash != Rules(tuple(rules)).content_hash


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 5), st.integers(0, 70))
def test_ranges_hold_what_goes_and_nothing_that_stays(flags: list[bool], gap: int, minimum: int) -> None:
    kept = [(number * (gap + 1), goes) for number, goes in enumerate(flags)]
    ranges = ranges_of(kept)
    inside = {index for index, _ in kept if any(begin <= index < end for begin, end in ranges)}
    assert inside == {index for index, goes in kept if goes}
    assert all(begin < end for begin, end in ranges)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(ranges))
    after = minimum_after(minimum, ranges)
    assert after == max([minimum, *(index + 1 for index in inside)])


def test_custody_types_are_entry_types() -> None:
    from attending.ledger.custody.state import RESERVED_TYPES

    assert RESERVED_TYPES <= ENTRY_TYPES
