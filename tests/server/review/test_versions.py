"""An item is signed under the rules that its own `inference.held` names, whatever version is in force by then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.ledger.entry import Entry
from attending.server.activation.serving import Generation
from attending.server.errors import Aborted, FailedPrecondition, PermissionDenied
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.review.desk import Desk
from attending.server.shipped import package_policies

from tests.server.inference.conftest import TENANT, failed_checks
from tests.server.review.conftest import Ward
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

POLICY = "discharge-plan"


def changed(folder: Path, *changes: tuple[str, str]) -> PolicySet:
    """The package's policies with another version of the one that held the item."""
    shutil.copytree(package_policies(), folder)
    path = folder / POLICY / "policy.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return PolicySet.load(folder)


def serve(desk: Desk, ward: Ward, policies: PolicySet) -> None:
    """What a running server does when a version comes into force: the desk and the checks have it from now on."""
    desk._policies = policies
    ward.gate.checker.policies = policies


async def signed(ward: Ward, inference_id: str) -> list[Entry]:
    entries = await ward.gate.ledger.stream_entries(TENANT, inference_id)
    return [entry for entry in entries if entry.type == "review.signed"]


async def test_what_was_held_before_is_signed_under_its_own_rules(ward: Ward, tmp_path: Path) -> None:
    before = ward.gate.policies[POLICY].hash
    outcome = await held(ward)
    stricter = changed(
        tmp_path / "p",
        ("roles: [clinician, pharmacist]", "roles: [clinician]"),
        ("count: 1", "count: 2"),
        ("author_may_sign: true", "author_may_sign: false"),
    )
    serve(ward.desk, ward, stricter)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert prepared.statement.policy_hash == before.removeprefix("sha256:") != stricter[POLICY].hash
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
    [entry] = await signed(ward, outcome.inference_id)
    assert entry.body["checked_by"] is None
    assert not await failed_checks(ward.gate.ledger)  # V13 and V14 read the entry that held it


async def test_the_author_is_judged_by_the_version_that_held_the_text(ward: Ward, tmp_path: Path) -> None:
    mild = await held(ward, "Continue as before.", on_behalf_of="rivera")
    ticket = ticket_of(mild)
    serve(ward.desk, ward, changed(tmp_path / "p", ("author_may_sign: true", "author_may_sign: false")))
    lease = await claim(ward, ticket, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    later = ticket_of(await held_under(ward, "Continue as before.", "rivera"))
    lease = await claim(ward, later, ward.rivera)
    with pytest.raises(PermissionDenied) as caught:
        await ward.desk.prepare(ward.rivera.permit, later, lease, None, ward.rivera.key_id)
    assert caught.value.reason == "SIGNER_IS_AUTHOR"


async def held_under(ward: Ward, text: str, author: str) -> Outcome:
    """Held by the version that is served now."""
    serving = ward.gate.pipeline._serving
    serving.replace(Generation(ward.gate.checker.policies, ward.gate.checker))
    return await held(ward, text, on_behalf_of=author)


async def test_an_edit_is_judged_by_the_rails_in_force(ward: Ward, tmp_path: Path) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    stale = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    now = changed(tmp_path / "p", ("sla_minutes: 60", "sla_minutes: 61"))
    serve(ward.desk, ward, now)
    with pytest.raises(Aborted) as caught:  # judged by rails that are not in force any more
        await sign(ward, ticket, lease, ward.rivera, stale)
    assert caught.value.reason == "CHANGED_SINCE_PREPARED"
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    [entry] = await signed(ward, outcome.inference_id)
    assert entry.body["checked_by"] == now[POLICY].hash.removeprefix("sha256:")
    assert entry.body["statement"]["policy_hash"] != entry.body["checked_by"]


async def test_of_a_policy_that_is_not_served_any_more_only_the_text_as_held_is_signed(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    ward.desk._policies = PolicySet(
        {name: ward.gate.policies.loaded(name) for name in ward.gate.policies if name != POLICY}
    )
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    assert caught.value.reason == "POLICY_NOT_SERVED"
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
