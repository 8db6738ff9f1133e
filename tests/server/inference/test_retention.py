"""What policies add to the rules of retention: read from the log, and kept whenever it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attending.ledger.custody.retention import NO_TERMS, Rule, Rules, Start, Terms
from attending.ledger.entry import Entry
from attending.server.clock import stamp
from attending.server.config import RetentionSection
from attending.server.inference.active import record_active
from attending.server.retention import KEPT, PolicyTerms, terms_of_policy
from pydantic import ValidationError

from tests.server.inference.conftest import CALLER, TENANT, Gate, infer_call, key, make_registry

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
SIX = {"payload_days": 2190, "starts": "policy_retired"}
TEN = {"payload_days": 3650, "starts": "creation"}
ASKS_SIX, ASKS_TEN = (2190, Start.POLICY_RETIRED), (3650, Start.ENTRY)


def entry(number: int, type_: str, body: Mapping[str, Any]) -> Entry:
    return Entry(
        number, b"", "o", b"", stamp(T0 + number * DAY), None, type_, "policy:p", "system:s", None, body, ()
    )


def activated(number: int, policy_hash: str, retention: Any = SIX) -> Entry:
    return entry(number, "policy.activated", {"policy_hash": policy_hash, "retention": retention})


def test_a_version_ends_when_another_takes_its_place_and_may_come_back() -> None:
    a, b = "a" * 64, "b" * 64
    assert terms_of_policy([]) == {}
    assert terms_of_policy([activated(0, a)]) == {a: Terms(None, (ASKS_SIX,))}
    # The same again, such as with another mode, ends nothing.
    assert terms_of_policy([activated(0, a), activated(5, a)])[a].policy_retired is None
    found = terms_of_policy([activated(0, a), activated(9, b, TEN)])
    assert found == {a: Terms(T0 + 9 * DAY, (ASKS_SIX,)), b: Terms(None, (ASKS_TEN,))}
    found = terms_of_policy([activated(0, a), activated(9, b), activated(12, a)])
    assert (found[a].policy_retired, found[b].policy_retired) == (None, T0 + 12 * DAY)
    retired = entry(20, "policy.retired", {"policy_hash": a})
    found = terms_of_policy([activated(0, a), activated(9, b), activated(12, a), retired])
    assert found[a].policy_retired == T0 + 20 * DAY
    # Of a version that is not in force, nothing can be retired.
    assert terms_of_policy([activated(0, a), activated(9, b), retired])[b].policy_retired is None


@pytest.mark.parametrize(
    "retention",
    [None, "six years", {}, {"payload_days": "1", "starts": "creation"}, {"payload_days": 0, "starts": "creation"},
     {"payload_days": 1, "starts": "now"}],
)  # fmt: skip
def test_a_version_that_does_not_say_how_long_is_kept_for_ever(retention: Any) -> None:
    [first, _] = terms_of_policy([activated(0, "a" * 64, retention), activated(1, "b" * 64)]).values()
    assert first.policy_retired == T0 + DAY
    rules = Rules((Rule("inference.*", 1, Start.ENTRY),))
    assert rules.end("inference.released", T0, first) is None


def test_the_longest_that_a_version_ever_asked_for_holds() -> None:
    a = "a" * 64
    [terms] = terms_of_policy([activated(0, a, TEN), activated(3, a, SIX)]).values()
    assert set(terms.at_least) == {ASKS_SIX, ASKS_TEN}


async def test_terms_of_the_entries_of_a_log(gate: Gate) -> None:
    await record_active(make_registry(gate.ledger, gate.policies, gate.clock), [TENANT], "srv", "test")
    outcome = await gate.pipeline.infer(CALLER, infer_call(), key("one"))
    entries = await gate.ledger.list_entries(TENANT, 0, 1000)
    terms = list(zip(entries, await PolicyTerms(gate.ledger)(TENANT, entries), strict=True))
    of_inference = {item for e, item in terms if e.stream == outcome.inference_id}
    policy = next(p for p in gate.policies.values() if p.hash == outcome.policy_hash)
    days, starts = policy.retention.payload_days, policy.retention.starts
    assert of_inference == {
        Terms(None, ((days, Start.ENTRY if starts == "creation" else Start.POLICY_RETIRED),))
    }
    assert {item for e, item in terms if not e.stream.startswith("inf_")} == {NO_TERMS}
    stranger = Entry(
        99, b"", "o", b"", stamp(T0), None, "inference.released", "inf_unknown", "app:x", None, {}, ()
    )
    assert await PolicyTerms(gate.ledger)(TENANT, [stranger]) == [KEPT]


def test_an_unknown_inference_is_never_due() -> None:
    rules = Rules((Rule("inference.*", 1, Start.ENTRY),))
    assert rules.end("inference.released", T0, KEPT) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"entries": "inference.*", "days": 182},  # EU AI Act, Article 19: six months
        {"entries": "inference.*", "days": 40_000},
        {"entries": "inferense.*", "days": 365},
        {"entries": "*", "days": 365},
        {"entries": "prompt.version", "days": 365},
        {"entries": "inference.*", "days": 365, "starts": "now"},
    ],
)
def test_rules_that_are_not_valid_do_not_start_a_server(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RetentionSection.model_validate(wrong)


def test_a_rule_as_configured() -> None:
    section = RetentionSection.model_validate({"entries": "inference.*", "days": 2190})
    assert section.rule == Rule("inference.*", 2190, Start.POLICY_RETIRED)
