"""Properties of the authorisation policies, over generated callers, things and contexts, for all actions.

What denies can only take away: no caller gains by it. Duties that are kept apart stay apart whatever else somebody is.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import cedarpy
import pytest
from attending.server import clock
from attending.server.app import authorization_folder
from attending.server.auth.actions import ACTIONS, APPEND_EVENT, DISCLOSE_PAYLOADS, REPORT_ON_PERSON
from attending.server.auth.authorize import POLICY_FILE, PolicySet, Resource
from attending.server.auth.principal import ROLES, Principal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.matrix.asks import PURPOSES, RESOURCES, SCHEMA, Ask, asks, every

TEXT = (authorization_folder() / POLICY_FILE).read_text()
POLICIES = PolicySet.load(authorization_folder())
PARSED: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(TEXT))["staticPolicies"]
FORBIDS = {p["annotations"]["id"] for p in PARSED.values() if p["effect"] == "forbid"}
generated = settings(max_examples=100, deadline=None)

APPLICATION_MAY = {
    *("infer", "streamInfer", "record", "ackDelivery", "getInference", "watchInference"),
    *("getCheckpoint", "getInclusionProof", "getConsistencyProof", "getReceipt", "getCompleteness"),
    *("getVersion", "listVersions", "appendBatch", "appendStream", "closeEmitter", "appendEvent", "getHalt"),
    *("ackRecall", "listRecalls", "getResources"),
}
SIGNING = {"prepareSign", "sign"}
EMERGENCY_READS = {"listQueue", "getItem", "getInference", "watchInference"}
CHANGES_PROMPTS = {"createVersion", "setLabel"}
DESTROYS = {"eraseSubject", "prunePayloads"}
OPERATES = {*CHANGES_PROMPTS, "rotateKey"}


def may(ask: Ask) -> bool:
    return ask.of(POLICIES).allowed


def test_the_schema_knows_every_action_and_no_other() -> None:
    assert set(RESOURCES) == {*ACTIONS.values(), DISCLOSE_PAYLOADS, REPORT_ON_PERSON, APPEND_EVENT}


def test_the_questions_reach_every_policy() -> None:
    """Properties over questions that no policy answers would hold of anything."""
    reached = {name for ask in every() for name in ask.of(POLICIES).policy_ids}
    assert reached == {policy["annotations"]["id"] for policy in PARSED.values()}


@generated
@given(asks())
def test_no_evaluation_ends_in_an_error(ask: Ask) -> None:
    decision = ask.of(POLICIES)
    assert decision.errors == 0
    # A permission always says by what; a forbid is always named.
    assert bool(decision.policy_ids) or not decision.allowed
    assert not (decision.allowed and FORBIDS & set(decision.policy_ids))


@generated
@given(asks())
def test_nobody_gains_by_losing_a_licence_or_a_competency(ask: Ask) -> None:
    assert may(ask.but(licence=True)) or not may(ask.but(licence=False))
    assert may(ask.but(competency=True)) or not may(ask.but(competency=False))


@generated
@given(asks())
def test_nobody_gains_by_having_made_it_or_being_it(ask: Ask) -> None:
    # One's own emergency access one may end. To have made a text, or what is kept of an identity, gives nothing.
    if ask.resource != "EmergencyAccess":
        assert may(ask.but(author=False)) or not may(ask.but(author=True))
    assert may(ask.but(themself=False)) or not may(ask.but(themself=True))
    assert may(ask.but(author_may_sign=True)) or not may(ask.but(author_may_sign=False))


@generated
@given(asks())
def test_emergency_access_gives_something_to_read_and_nothing_else(ask: Ask) -> None:
    if may(ask.but(emergency=True)) and not may(ask.but(emergency=False)):
        assert ask.action in EMERGENCY_READS
        assert (ask.kind, ask.own) == ("human", True)
    assert may(ask.but(emergency=True)) or not may(ask.but(emergency=False))


@generated
@given(asks())
def test_nobody_proofs_what_they_made_or_reviews_their_own_emergency(ask: Ask) -> None:
    of_user = ask.but(resource="User", purpose=None)
    for action in ("proofUser", "confirmPasskeyCode"):
        assert not may(of_user.but(action=action, author=True))
    for action in ("proofUser", "enrolUser", "issueKey", "issuePasskeyCode", "confirmPasskeyCode"):
        assert not may(of_user.but(action=action, themself=True))
    assert not may(ask.but(action="reviewEmergencyAccess", resource="EmergencyAccess", author=True))


@generated
@given(asks())
def test_nobody_has_anything_in_another_tenant(ask: Ask) -> None:
    decision = ask.but(own=False).of(POLICIES)
    assert not decision.allowed
    assert "never-across-tenants" in decision.policy_ids


@generated
@given(asks())
def test_nobody_gains_by_naming_a_purpose(ask: Ask) -> None:
    assert may(ask.but(purpose=None)) or not may(ask)


@generated
@given(asks())
def test_an_unknown_role_gives_nothing(ask: Ask) -> None:
    assert ask.of(POLICIES) == ask.but(roles=ask.roles & ROLES).of(POLICIES)


@generated
@given(asks(), st.sampled_from(sorted(ROLES)))
def test_a_role_that_is_added_gives_no_more_than_it_has_by_itself(ask: Ask, role: str) -> None:
    """Roles add up and nothing comes of their combination; a purpose belongs to a role, and is left out here."""
    ask = ask.but(purpose=None)
    if may(ask.but(roles=ask.roles | {role})):
        assert may(ask) or may(ask.but(roles=frozenset({role})))


def forbidden_to_roles() -> dict[str, str]:
    """Forbid to the role it is for, found in the policies."""
    return {
        policy["annotations"]["id"]: policy["principal"]["entity"]["id"]
        for policy in PARSED.values()
        if policy["effect"] == "forbid" and policy["principal"]["op"] == "in"
    }


@pytest.mark.parametrize("name", sorted(forbidden_to_roles()))
@generated
@given(ask=asks(), more=st.frozensets(st.sampled_from(sorted(ROLES))))
def test_nobody_gains_by_a_role_that_something_is_forbidden_to(
    name: str, ask: Ask, more: frozenset[str]
) -> None:
    """What a role is forbidden nobody has who has the role, whatever else they are."""
    role = forbidden_to_roles()[name]
    alone = ask.but(
        roles=frozenset({role}),
        own=True,
        licence=True,
        competency=True,
        author=False,
        emergency=False,
        purpose=None,
    )
    if name in alone.of(POLICIES).policy_ids:
        assert not may(ask.but(roles=ask.roles | more | {role}))


def test_some_forbids_are_for_a_role() -> None:
    assert set(forbidden_to_roles().values()) == {"operator"}


@generated
@given(asks())
def test_an_application_does_what_applications_do_and_nothing_else(ask: Ask) -> None:
    """Whatever roles it was given: it never signs, exports, destroys, administers or looks into the queue."""
    assert ask.action in APPLICATION_MAY or not may(ask.but(kind="app"))


@generated
@given(asks())
def test_nobody_gains_by_being_a_program(ask: Ask) -> None:
    without = ask.but(roles=ask.roles - {"app"})
    assert may(without.but(kind="human")) or not may(without.but(kind="app"))


@generated
@given(asks(), st.sampled_from(sorted(CHANGES_PROMPTS)), st.sampled_from(sorted(SIGNING)))
def test_who_changes_prompts_does_not_sign(ask: Ask, change: str, sign: str) -> None:
    assert not (may(log(ask, change)) and may(log(ask, sign)))


@generated
@given(asks(), st.sampled_from(sorted(DESTROYS)), st.sampled_from(sorted(OPERATES)))
def test_who_destroys_does_not_operate(ask: Ask, destroy: str, operate: str) -> None:
    assert not (may(log(ask, destroy)) and may(log(ask, operate)))


@generated
@given(asks(), st.sampled_from(sorted(OPERATES)))
def test_who_operates_does_not_resume(ask: Ask, operate: str) -> None:
    assert not (may(log(ask, operate)) and may(log(ask, "resume")))


def log(ask: Ask, action: str) -> Ask:
    """The same caller asks for another action, of their tenant's log, without a purpose."""
    return ask.but(action=action, resource="Log", own=True, purpose=None)


@generated
@given(asks())
def test_a_forbid_outweighs_every_permit(ask: Ask) -> None:
    everything = _with("permit (principal, action, resource);")
    decision = ask.of(POLICIES)
    forbidden = bool(FORBIDS & set(decision.policy_ids))
    assert ask.of(everything).allowed == (not forbidden)


@generated
@given(asks())
def test_a_policy_that_cannot_be_evaluated_permits_nothing(ask: Ask) -> None:
    """Not even what another policy permits: half an evaluation is none."""
    for effect in ("permit", "forbid"):
        broken = _unchecked(f'{effect} (principal, action, resource) when {{ principal.no_such == "x" }};')
        decision = ask.of(broken)
        assert not decision.allowed
        assert decision.errors == 1


@generated
@given(st.text(max_size=30), st.sampled_from(sorted(ROLES)))
def test_an_unknown_action_is_denied(action: str, role: str) -> None:
    who = Principal("someone", "demo", "human", frozenset({role}), "Someone", "mtls")
    decision = POLICIES.decide(who, f"{action}?", Resource.log("demo"), clock.now())
    assert not decision.allowed


@generated
@given(asks(), st.data())
def test_a_thing_that_lacks_what_the_schema_says_it_has_is_denied(ask: Ask, data: st.DataObject) -> None:
    attributes = {"tenant": "demo"}
    if ask.resource == "ReviewItem":
        attributes |= {"author": "someone"}
    less = data.draw(st.sampled_from([{}, *({k: v} for k, v in attributes.items() if k != "tenant")]))
    decision = POLICIES.decide(ask.principal(), ask.action, Resource(ask.resource, "x", less), clock.now())
    assert not decision.allowed


@pytest.mark.parametrize(
    "broken",
    [
        "permit (principal, action, resource",
        "permit (principal, action, resource) when { principal.shoe_size > 40 };",
        'permit (principal, action == Attending::Action::"launch", resource);',
        'permit (principal in Attending::Roles::"app", action, resource);',
        "permit (principal, action, resource) when { context.credential > 3 };",
    ],
)
def test_one_bad_policy_and_the_whole_set_does_not_load(broken: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        PolicySet(f"{TEXT}\n{broken}", SCHEMA)


@cache
def _with(more: str) -> PolicySet:
    return PolicySet(f"{TEXT}\n{more}", SCHEMA)


@cache
def _unchecked(more: str) -> PolicySet:
    """Policies that the validator would have refused: what if it had not?"""
    policies = PolicySet(TEXT, SCHEMA)
    policies._policies = cedarpy.PolicySet.from_str(f"{TEXT}\n{more}")
    return policies


def test_purposes_here_are_purposes_there() -> None:
    """One of them is nobody's on purpose."""
    assert [code for code in PURPOSES if code is not None and f'"{code}"' not in TEXT] == ["CURIOSITY"]
