"""Every rpc has an action; every role may do exactly what is written here, over a real TLS connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.ledger.errors import StoreUnavailable
from attending.server import clock
from attending.server.app import App, Build, Component, authorization_folder
from attending.server.auth.actions import (
    ACTIONS,
    APPEND_EVENT,
    DISCLOSE_PAYLOADS,
    REPORT_ON_PERSON,
    is_public,
)
from attending.server.auth.authorize import Authorizer, PolicySet, Resource
from attending.server.auth.cases import run_cases
from attending.server.auth.context import AccessDecision, current_decision, current_principal
from attending.server.auth.principal import Principal
from attending.server.bootstrap.identities import DEMO_IDENTITIES
from attending.server.errors import ConfigurationError, PermissionDenied
from google.protobuf.message_factory import GetMessageClass

from tests.matrix.methods import files, methods

LOG = Resource.log("demo")


SUBMIT = {"Infer", "StreamInfer", "Record", "AckDelivery"}
OUTCOME = {"GetInference", "WatchInference", "GetResources"}
LOOK = {"ListQueue", "GetItem", "GetCandidate"}
DECIDE = {
    *("Claim", "Renew", "Dispose", "Reject", "PrepareSign", "Sign"),
    *("ReleaseLease", "Reassign", "Escalate", "AddFacts", "RecordOpinion", "ClaimNext"),
}
GLASS = {"BreakGlass", "ListBreakGlass"}
AFTER_GLASS = {"ListBreakGlass", "ReviewBreakGlass"}
RECALL = {"Withdraw", "AckRecall", "ListRecalls", "ListCandidates", "DismissCandidate"}
PROOFS = {"GetReceipt", "GetCheckpoint", "GetInclusionProof", "GetConsistencyProof", "GetCompleteness"}
EVENTS = {"AppendBatch", "AppendStream", "CloseEmitter"}
ENTRIES = {"GetEntry", "ListEntries"}
READ_PROMPTS = {"GetVersion", "ListVersions"}
CHANGE_PROMPTS = {"CreateVersion", "SetLabel"}
HALT = {"Halt", "GetHalt"}
KEYS = {"ListKeys", "RotateKey"}
CUSTODY = {
    *("ShowSubject", "LinkSubjects", "UnlinkSubjects", "PlaceHold", "LiftHold", "EraseSubject"),
    *("PrunePayloads", "SuspendAccounting"),
}
READ_USERS = {"ListUsers", "GetUser"}
BIND_USERS = {"EnrolUser", "IssueKey", "IssuePasskeyCode"}
END_USERS = {"RevokeUser", "RevokeKey"}
OFFICE = READ_USERS | END_USERS | {"ProofUser", "ConfirmPasskeyCode"}
IN_EMERGENCY = {"BeginEmergencyAccess", "EndEmergencyAccess", "ListEmergencyAccess"}
READ_EXAMINATIONS = {"ListExceptions", "ListExaminations"}
EXAMINE = READ_EXAMINATIONS | {"DisposeExceptions", "PrepareExamination", "SignExamination"}
STAND_FOR_REPORTS = {
    "EvaluateControls",
    "GetReport",
    "ListReports",
    "DownloadReport",
    "PrepareSignOff",
    "SignOffReport",
}
REPORTS = STAND_FOR_REPORTS | {"CreateReport", "IssueReport", "DiscardReport", "ReconcileUsage"}
AFTER_EMERGENCY = {"EndEmergencyAccess", "ListEmergencyAccess", "ReviewEmergencyAccess"}
IN_FORCE = {"ListActivations", "ListHazards"}
READ_AGAIN = {"ListSecondReads", "GetSecondRead", "DecideSecondRead"}
OVERSIGHT = {"GetSummary", "ListDraws"}
PEER_REVIEW = {"ListFlaggedReviewers", "GetReviewer", "OpenDraw"}
TRY = {"StartSimulation", "GetSimulation", "CancelSimulation", "GetStandby"}
NOTICES = {"ListNotices", "RetryNotice", "TestNotice"}
ASK_FOR_A_VERSION = IN_FORCE | {"RequestActivation"}
CLINICAL = (
    READ_AGAIN
    | GLASS
    | RECALL
    | LOOK
    | DECIDE
    | OUTCOME
    | PROOFS
    | EVENTS
    | HALT
    | IN_EMERGENCY
    | ASK_FOR_A_VERSION
)

MAY: dict[str, set[str]] = {
    "demo-app": SUBMIT | OUTCOME | PROOFS | READ_PROMPTS | EVENTS | {"GetHalt", "AckRecall", "ListRecalls"},
    "dr-rivera": CLINICAL,
    "dr-chen": CLINICAL,
    "demo-pharmacist": CLINICAL | TRY | {"AttestFact"},
    "demo-medical-director": OVERSIGHT | PEER_REVIEW | STAND_FOR_REPORTS,
    "demo-auditor": ENTRIES
    | REPORTS
    | OVERSIGHT
    | PROOFS
    | READ_PROMPTS
    | READ_USERS
    | IN_FORCE
    | {"Export", "GetHalt", "ListEmergencyAccess", "ListRecalls", "ListBreakGlass", "ListNotices"}
    | {"ListCandidates", "GetStandby"}
    | READ_EXAMINATIONS,
    "demo-operator": READ_PROMPTS
    | ASK_FOR_A_VERSION
    | CHANGE_PROMPTS
    | PROOFS
    | EVENTS
    | HALT
    | KEYS
    | NOTICES
    | READ_USERS
    | BIND_USERS
    | END_USERS,
    "demo-privacy-officer": ENTRIES
    | REPORTS
    | PROOFS
    | CUSTODY
    | IN_FORCE
    | {"Export", "GetHalt", "ListRecalls", "ListCandidates", "ListNotices"}
    | AFTER_GLASS
    | EVENTS
    | OFFICE
    | EXAMINE
    | AFTER_EMERGENCY,
    "demo-safety-officer": (
        LOOK
        | TRY
        | STAND_FOR_REPORTS
        | EXAMINE
        | OVERSIGHT
        | RECALL
        | AFTER_GLASS
        | ENTRIES
        | PROOFS
        | READ_PROMPTS
        | EVENTS
        | HALT
        | {"Resume", "AttestFact", "ListNotices"}
        | ASK_FOR_A_VERSION
        | {"ApproveActivation", "RetirePolicy"}
        | OFFICE
        | AFTER_EMERGENCY
    ),
}


class Everything(Component):
    """Every service of the wire contract; each method answers an empty message and notes who called."""

    seen: list[tuple[str, str, tuple[str, ...]]]

    def __init__(self) -> None:
        self.seen = []

    def register(self, server: grpc.aio.Server) -> None:
        for file in files():
            for service in file.services_by_name.values():
                handlers = {method.name: self._handler(method) for method in service.methods}
                server.add_registered_method_handlers(service.full_name, handlers)

    def _handler(self, method: Any) -> Any:
        answer = GetMessageClass(method.output_type)

        def note() -> None:
            self.seen.append((method.name, current_principal().name, current_decision().policy_ids))

        async def unary(_request: Any, _context: Any) -> Any:
            note()
            return answer()

        async def stream(_request: Any, _context: Any) -> Any:
            note()
            yield answer()

        make: Any = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(
            stream if method.server_streaming else unary,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=answer.SerializeToString,
        )


@pytest.fixture(scope="module")
def everything() -> Everything:
    return Everything()


@pytest.fixture(scope="module")
def server(start_server: Any, everything: Everything) -> Any:
    async def build(_app: App) -> Component:
        return everything

    builds: list[Build] = [build]
    return start_server(components=builds)


def refusal(channel: grpc.Channel, name: str, method: Any) -> AttendingApiError | None:
    """The error of a call with an empty request, None when it was let in."""
    request = GetMessageClass(method.input_type)()
    any_channel: Any = channel
    try:
        if method.server_streaming:
            list(any_channel.unary_stream(name)(request.SerializeToString(), timeout=30))
        else:
            any_channel.unary_unary(name)(request.SerializeToString(), timeout=30)
    except grpc.RpcError as err:
        return translate(err)
    return None


def test_every_rpc_has_an_action_and_every_action_an_rpc() -> None:
    assert set(ACTIONS) == set(methods())
    assert len(set(ACTIONS.values())) == len(ACTIONS)
    assert not any(is_public(method) for method in ACTIONS)


def test_every_action_is_in_the_schema() -> None:
    schema = (authorization_folder() / "attending.cedarschema").read_text()
    assert [
        a
        for a in [*ACTIONS.values(), DISCLOSE_PAYLOADS, REPORT_ON_PERSON, APPEND_EVENT]
        if f'"{a}"' not in schema
    ] == []


def test_every_demo_identity_is_in_the_table() -> None:
    assert set(MAY) == {identity.name for identity in DEMO_IDENTITIES}


@pytest.mark.parametrize("identity", sorted(MAY))
def test_what_a_role_may_do(server: Any, everything: Everything, identity: str) -> None:
    channel = server.channel(identity)
    allowed = set()
    before = server.run(server.app.ledger.head("demo"))[0]
    everything.seen.clear()
    for name, method in methods().items():
        error = refusal(channel, name, method)
        if error is None:
            allowed.add(method.name)
        else:
            assert (error.reason, error.metadata) == ("PERMISSION_DENIED", {"action": ACTIONS[name]})
    assert allowed == MAY[identity]
    # The code beneath knew who and why.
    assert {name for name, _who, _ids in everything.seen} == MAY[identity]
    assert {who for _name, who, _ids in everything.seen} == {identity}
    assert all(ids for _name, _who, ids in everything.seen)
    # Each denial is an entry of the tenant's log, in order.
    denied = server.run(server.app.ledger.list_entries("demo", before, 1000))
    assert [entry.type for entry in denied] == ["access.denied"] * (len(ACTIONS) - len(allowed))
    assert {entry.body["principal"] for entry in denied} == {identity}
    policies = PolicySet.load(authorization_folder())
    [who] = [one for one in server.app.directory.principals() if one.name == identity]
    assert {entry.body["action"]: entry.body["policy_ids"] for entry in denied} == {
        action: list(policies.decide(who, action, LOG, clock.now()).policy_ids)
        for name, action in ACTIONS.items()
        if name.rpartition("/")[2] not in allowed
    }


def test_the_policies_own_cases_hold() -> None:
    results = run_cases(authorization_folder())
    assert len(results) >= 30
    assert [result for result in results if not result.passed] == []


def _principal(*roles: str, tenant: str = "demo", kind: Any = "human") -> Principal:
    return Principal("someone", tenant, kind, frozenset(roles), "Someone", "mtls")


def test_no_role_may_do_nothing() -> None:
    policies = PolicySet.load(authorization_folder())
    for action in ACTIONS.values():
        decision = policies.decide(_principal(), action, LOG, clock.now())
        assert decision == AccessDecision(False, action), action


def test_no_principal_reaches_another_tenant() -> None:
    policies = PolicySet.load(authorization_folder())
    for roles in ({"app"}, {"clinician"}, {"auditor"}, {"privacy_officer"}, {"operator"}, {"safety_officer"}):
        kind = "app" if roles == {"app"} else "human"
        who = _principal(*roles, tenant="elsewhere", kind=kind)
        assert not any(policies.decide(who, a, LOG, clock.now()).allowed for a in ACTIONS.values())


def test_a_resource_that_lacks_what_a_policy_asks_for_is_denied_with_an_error() -> None:
    policies = PolicySet.load(authorization_folder())
    decision = policies.decide(_principal("clinician"), "sign", Resource("ReviewItem", "t", {}), clock.now())
    assert not decision.allowed
    assert decision.errors == 1


@pytest.mark.parametrize(
    "policy",
    [
        'permit (principal, action == Attending::Action::"launch", resource);',
        "permit (principal, action, resource) when { principal.shoe_size > 40 };",
        "permit (principal, action, resource",
    ],
)
def test_policies_that_do_not_fit_the_schema_do_not_load(tmp_path: Path, policy: str) -> None:
    schema = (authorization_folder() / "attending.cedarschema").read_text()
    (tmp_path / "attending.cedarschema").write_text(schema)
    (tmp_path / "attending.cedar").write_text(policy)
    with pytest.raises(ConfigurationError) as caught:
        PolicySet.load(tmp_path)
    assert caught.value.reason == "AUTHORIZATION_POLICIES"


def test_policies_that_are_missing_do_not_load(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        PolicySet.load(tmp_path)


async def test_a_denial_that_cannot_be_recorded_is_still_a_denial() -> None:
    asked = []

    async def failing(principal: Principal, decision: AccessDecision) -> None:
        asked.append((principal.name, decision.action))
        raise StoreUnavailable("disk full")

    authorizer = Authorizer(PolicySet.load(authorization_folder()), failing)
    with pytest.raises(PermissionDenied):
        await authorizer.require("sign", LOG, _principal("auditor"))
    assert asked == [("someone", "sign")]
    allowed = await authorizer.require("export", LOG, _principal("auditor"))
    assert allowed.policy_ids == ("auditor-reads-and-exports",)
    assert len(asked) == 1
