"""The desk over the same gate as the pipeline's tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet as Policies
from attending.guardrails.policy.schema import Policy
from attending.ledger.ed25519 import key_id, public_bytes
from attending.server.activation.serving import Generation
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.auth.principal import Principal
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.review.desk import Desk
from attending.server.review.enrolment import enrol_keys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.server.inference.conftest import TENANT, Gate, gate, policies

__all__ = ["gate", "policies"]

LEASE_SECONDS = 900
ASSIGNMENT_SECONDS = 300


@dataclass
class Person:
    principal: Principal
    key: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        return key_id(public_bytes(self.key))

    @property
    def permit(self) -> Permit:
        return permit(self.principal)


def permit(principal: Principal) -> Permit:
    """As the service would have got it for a look in order to treat."""
    return Permit(principal, "getItem", Purpose.TREATMENT)


def person(name: str, *roles: str, kind: str = "human") -> Person:
    key = Ed25519PrivateKey.generate()
    principal = Principal(
        name=name,
        tenant=TENANT,
        kind=kind,  # type: ignore[arg-type]
        roles=frozenset(roles),
        display_name=name.title(),
        credential="mtls",
        signing_public_key=public_bytes(key),
    )
    return Person(principal, key)


@dataclass
class Ward:
    """A desk with its people: two clinicians, one pharmacist, one auditor."""

    gate: Gate
    desk: Desk
    rivera: Person
    chen: Person
    auditor: Person

    async def enrol(self) -> None:
        people = [self.rivera.principal, self.chen.principal, self.auditor.principal]
        await enrol_keys(self.gate.ledger, [TENANT], people, "srv-test", self.gate.clock)


def revise(ward: Ward, policy: str, **changes: Any) -> None:
    """From now on another version of the policy is served, for calls and for the desk alike."""
    served = ward.gate.pipeline._serving.now.policies
    assert isinstance(served, Policies)
    known = {name: served.loaded(name) for name in served}
    revised = Policy.model_validate(known[policy].policy.model_dump() | changes)
    revised._hash = known[policy].policy.hash
    changed = known | {policy: replace(known[policy], policy=revised)}
    ward.gate.pipeline._serving.replace(Generation(Policies(changed), ward.gate.checker))
    ward.desk._policies = ward.gate.pipeline._serving.policies


def phi_of(gate: Gate) -> PhiAccess:
    policies = PolicySet.load(authorization_folder())
    attempts = Attempts(gate.ledger.append, "srv-test")
    return PhiAccess(gate.ledger, Authorizer(policies, attempts.denied, gate.clock), gate.clock)


@pytest.fixture
async def ward(gate: Gate) -> Ward:
    return await opened_ward(gate)


async def opened_ward(gate: Gate) -> Ward:
    desk = Desk(
        ledger=gate.ledger,
        guard=gate.checker,
        policies=gate.policies,
        changes=gate.changes,
        switch=gate.switch,
        phi=phi_of(gate),
        lease_seconds=LEASE_SECONDS,
        preparation_seconds=600,
        assignment_seconds=ASSIGNMENT_SECONDS,
        people=lambda: [one.principal for one in (made.rivera, made.chen, made.auditor)],
        now=gate.clock,
    )
    made = Ward(
        gate, desk, person("rivera", "clinician"), person("chen", "clinician"), person("audrey", "auditor")
    )
    await made.enrol()
    return made
