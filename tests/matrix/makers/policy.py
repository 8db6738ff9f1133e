"""PolicyService. What is asked for is the version of a policy that no other call is under; what is approved was asked
for by the operator, or is in force and stays so; what is retired is the spare policy. Who asks is not the pharmacist,
whose calls are on record for the emergency access that another maker opens."""

from __future__ import annotations

from typing import Final

from attending.guardrails.policy.load import content_hash
from attending.server.shipped import package_policies
from attending.v1 import policy_pb2

from tests.e2e.configured_server import SPARE_POLICY
from tests.matrix.making import Things, key, maker

APPROVED: Final = "medication-question"


def hash_of(name: str) -> bytes:
    return bytes.fromhex(content_hash(package_policies() / name).removeprefix("sha256:"))


@maker("PolicyService/RequestActivation", "safety_officer", own=True)
def request(_things: Things) -> policy_pb2.RequestActivationRequest:
    return policy_pb2.RequestActivationRequest(
        idempotency_key=key(), policy="patient-triage", content_hash=hash_of("patient-triage")
    )


@maker("PolicyService/ApproveActivation", "safety_officer", own=True, fresh=True)
def approve(_things: Things) -> policy_pb2.ApproveActivationRequest:
    return policy_pb2.ApproveActivationRequest(
        idempotency_key=key(), policy=APPROVED, content_hash=hash_of(APPROVED)
    )


@maker("PolicyService/RetirePolicy", "safety_officer", own=True)
def retire(_things: Things) -> policy_pb2.RetirePolicyRequest:
    return policy_pb2.RetirePolicyRequest(idempotency_key=key(), policy=SPARE_POLICY)


@maker("PolicyService/ListActivations", "auditor", own=True)
def activations(_things: Things) -> policy_pb2.ListActivationsRequest:
    return policy_pb2.ListActivationsRequest()


@maker("PolicyService/ListHazards", "auditor", own=True)
def hazards(_things: Things) -> policy_pb2.ListHazardsRequest:
    return policy_pb2.ListHazardsRequest(policy=APPROVED)


@maker("PolicyService/GetStandby", "auditor", own=True)
def standby(_things: Things) -> policy_pb2.GetStandbyRequest:
    return policy_pb2.GetStandbyRequest(policy=APPROVED)
