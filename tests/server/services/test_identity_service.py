"""IdentityService and EmergencyService over real TLS, and the commands that call them."""

from __future__ import annotations

import errno
import json
import os
import shlex
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.client import AttendingApiError, Client, Connection, EmergencyClient, PeopleClient
from attending.client.errors import translated
from attending.server.app import COMPONENTS, resolve
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.emergency.component import build as build_emergency
from attending.server.passkeys.component import build as build_passkeys
from attending.server.people.component import build as build_people
from attending.server.services.ledger import build as build_ledger
from attending.v1 import emergency_pb2, identity_pb2, ledger_pb2
from google.protobuf.timestamp_pb2 import Timestamp

URI = "spiffe://attending.local/demo/"


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[build_ledger, build_people, build_passkeys, build_emergency])


def people(server: Any, identity: str) -> PeopleClient:
    return PeopleClient(Connection.from_folder(server.embedded.folder, identity))


def emergency(server: Any, identity: str) -> EmergencyClient:
    return EmergencyClient(Connection.from_folder(server.embedded.folder, identity))


def with_token(server: Any, token: str) -> Client:
    endpoint = server.ready.endpoint
    return Client(
        Connection(
            endpoint["token_target"],
            server.embedded.folder / endpoint["ca"],
            endpoint["log_keys"]["demo"],
            token=token,
        )
    )


def soon(**parts: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(**(parts or {"days": 30})))
    return stamp


def program(name: str, **more: Any) -> identity_pb2.EnrolUserRequest:
    return identity_pb2.EnrolUserRequest(
        name=name, kind=identity_pb2.USER_KIND_APPLICATION, roles=["app"], **more
    )


def clinician(name: str, **more: Any) -> identity_pb2.EnrolUserRequest:
    return identity_pb2.EnrolUserRequest(
        name=name, kind=identity_pb2.USER_KIND_PERSON, roles=["clinician"], **more
    )


def fresh(kind: str = "user") -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def refusal(call: Any) -> AttendingApiError:
    with pytest.raises(AttendingApiError) as caught:
        call()
    return caught.value


def test_the_components_are_part_of_the_server() -> None:
    assert {build_people, build_emergency} <= set(resolve(COMPONENTS))


def test_a_program_calls_once_two_people_let_it_and_not_once_one_revoked_it(server: Any) -> None:
    name = fresh("portal")
    with people(server, "demo-operator") as operator, people(server, "demo-safety-officer") as officer:
        operator.enrol(program(name))
        issued = operator.issue_key(identity_pb2.IssueKeyRequest(name=name, expires=soon()))
        with with_token(server, issued.token) as app:

            def call() -> Any:
                return app.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=30)

            assert refusal(translated(call)).reason == "INVALID_CREDENTIAL"
            officer.proof(name, issued.user.version, identity_pb2.PROOF_METHOD_SYSTEM_OWNER)
            assert call().checkpoint
            # The connection stays open; what is called over it is refused from the answer on.
            officer.revoke(name, identity_pb2.REVOCATION_REASON_CREDENTIAL_LOST)
            assert refusal(translated(call)).reason == "INVALID_CREDENTIAL"


def test_a_repeated_issue_shows_no_token(server: Any) -> None:
    name = fresh("portal")
    with people(server, "demo-operator") as operator:
        operator.enrol(program(name))
        request = identity_pb2.IssueKeyRequest(idempotency_key=fresh("key"), name=name, expires=soon())
        first, again = operator.issue_key(request), operator.issue_key(request)
    assert first.token
    assert (again.token, again.credential_id) == ("", first.credential_id)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Not A Name"}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["app"]}, "roles"),
        ({"kind": 0}, "kind"),
        ({"certificate_uris": ["spiffe://attending.local/other/x"]}, "certificate_uris[0]"),
        ({"certificate_uris": [f"{URI}with space"]}, "certificate_uris[0]"),
        ({"oidc_subjects": [identity_pb2.OidcSubject(issuer="x", subject="y")]}, "oidc_subjects[0].issuer"),
        ({"signing_public_key": b"\x00" * 31}, "signing_public_key"),
        ({"expires": soon(days=-1)}, "expires"),
        ({"display_name": "x" * 201}, "display_name"),
        ({"idempotency_key": "ö"}, "idempotency_key"),
    ],
)
def test_what_a_malformed_enrolment_is_told(server: Any, change: dict[str, Any], field: str) -> None:
    values = {"name": fresh(), "kind": identity_pb2.USER_KIND_PERSON, "roles": ["clinician"], **change}
    with people(server, "demo-operator") as operator:
        error = refusal(lambda: operator.enrol(identity_pb2.EnrolUserRequest(**values)))
    assert error.reason == "INVALID_REQUEST"
    assert field in {name for name, _said in error.field_violations}


def test_a_program_has_no_licence_and_no_way_to_sign(server: Any) -> None:
    with people(server, "demo-operator") as operator:
        request = program(fresh(), licence_expires=soon(), display_name="X", signing_public_key=b"x" * 32)
        error = refusal(lambda: operator.enrol(request))
    assert {"licence_expires", "display_name", "signing_public_key"} <= {
        n for n, _s in error.field_violations
    }


def test_a_method_must_fit_what_is_proofed(server: Any) -> None:
    name = fresh()
    with people(server, "demo-operator") as operator, people(server, "demo-privacy-officer") as officer:
        operator.enrol(clinician(name, certificate_uris=[f"{URI}{name}"]))
        method = identity_pb2.PROOF_METHOD_SYSTEM_OWNER
        assert refusal(lambda: officer.proof(name, 1, method)).reason == "INVALID_REQUEST"


def test_the_configuration_s_identities_are_listed_and_left_alone(server: Any) -> None:
    with people(server, "demo-auditor") as auditor:
        users = {user.name: user for user in auditor.users(identity_pb2.USER_STATE_ACTIVE)}
    assert users["dr-rivera"].demo
    assert users["dr-rivera"].source == identity_pb2.USER_SOURCE_CONFIGURATION
    with people(server, "demo-operator") as operator:
        request = identity_pb2.IssueKeyRequest(name="dr-rivera", expires=soon())
        assert refusal(lambda: operator.issue_key(request)).reason == "CONFIGURED_IDENTITY"
        assert refusal(lambda: operator.get("nobody-here")).reason == "UNKNOWN_USER"


def test_emergency_access_is_on_record_with_every_call_and_reviewed_by_another(server: Any) -> None:
    with emergency(server, "dr-chen") as chen, emergency(server, "demo-privacy-officer") as officer:
        access = chen.begin(emergency_pb2.EMERGENCY_REASON_COVER, minutes=5)
        assert access.state == emergency_pb2.EMERGENCY_STATE_OPEN
        assert [one.access_id for one in chen.accesses()[0]] == [access.access_id]
        too_long = refusal(lambda: chen.begin(emergency_pb2.EMERGENCY_REASON_COVER, minutes=10_000))
        assert too_long.reason == "INVALID_REQUEST"
        outcome = emergency_pb2.EMERGENCY_OUTCOME_JUSTIFIED
        assert refusal(lambda: officer.review(access.access_id, outcome)).reason == "EMERGENCY_OPEN"
        chen.end(access.access_id)
        reviewed = officer.review(access.access_id, outcome, note="She covered for Dr Rivera.")
        assert reviewed.reviewed_by == "demo-privacy-officer"
    entries = server.run(server.app.ledger.stream_entries("demo", f"access/{access.access_id}"))
    assert [entry.body["action"] for entry in entries] == [
        "listEmergencyAccess",
        "beginEmergencyAccess",
        "endEmergencyAccess",
    ]
    assert all(entry.body["emergency"] == access.access_id for entry in entries)
    with emergency(server, "demo-operator") as operator:
        assert refusal(operator.accesses).reason == "PERMISSION_DENIED"


def test_at_the_command_line(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDING_DATA", str(server.embedded.folder))
    name, token = fresh("dr"), tmp_path / "new.token"

    def said(*arguments: str) -> str:
        assert run(list(arguments)) == Exit.OK
        return capsys.readouterr().out

    shown = said(
        *("user", "enrol", name, "--role", "clinician", "--display-name", "Dr Amara Okafor"),
        *("--certificate-uri", f"{URI}{name}", "--licence-expires", "2099-06-30"),
    )
    assert "somebody else must proof it" in shown
    assert "printed as Dr Amara Okafor" in shown
    assert name in said("user", "list", "--awaiting-proof")
    assert run(["user", "proof", name, "--method", "video", "--expected-version", "9"]) == Exit.FAILED
    assert "attending user show" in capsys.readouterr().err
    assert "in force" in said("user", "proof", name, "--method", "video", "--expected-version", "1")
    said("user", "key", "issue", name, "--days", "30", "--out", str(token))
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().startswith("att_")
    assert run(["user", "key", "issue", name, "--days", "30", "--out", str(token)]) == Exit.USAGE
    capsys.readouterr()
    found = json.loads(said("user", "show", name, "--json"))
    [key] = [one for one in found["credentials"] if one["kind"] == "CREDENTIAL_KIND_SERVICE_KEY"]
    assert token.read_text().strip() not in json.dumps(found)
    credential = str(key["credential_id"])
    said("user", "key", "revoke", name, "--credential", credential, "--reason", "credential-lost")

    # A full disk: there is a key that nobody has, and what to do about it is said word for word.
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if data.startswith(b"att_"):
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        other = tmp_path / "other.token"
        assert run(["user", "key", "issue", name, "--days", "30", "--out", str(other)]) == Exit.FAILED
    assert not other.exists()
    told = capsys.readouterr().err
    assert "attending user key revoke" in told
    said(*shlex.split(told.strip().rpartition("attending ")[2]))
    assert "revoked by demo-safety-officer" in said("user", "revoke", name, "--reason", "left")
    assert run(["user", "enrol", name, "--role", "clinician"]) == Exit.FAILED
    assert "never used again" in capsys.readouterr().err

    begun = said("emergency", "begin", "--reason", "disaster", "--minutes", "5", "--json")
    # The server runs in this process, and its log goes where the command prints.
    access = str(json.loads(begun.splitlines()[-1])["access_id"])
    assert access in said("emergency", "list", "--state", "open")
    said("emergency", "end", access)
    assert "mistaken" in said("emergency", "review", access, "--outcome", "mistaken")
    assert run(["emergency", "begin", "--reason", "disaster", "--as", "demo-auditor"]) == Exit.HELD


def test_two_people_give_half_a_code_each(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(server.embedded.folder)]
    assert run(["passkey", "issue", "dr-chen", "--json", *data]) == Exit.OK
    issued = json.loads(capsys.readouterr().out.splitlines()[-1])
    invitation = issued["invitation_id"]
    confirm = ["passkey", "confirm", "dr-chen", "--invitation", invitation, "--method", "in-person", *data]
    assert run([*confirm, "--as", "demo-operator"]) == Exit.HELD
    assert run([*confirm, "--json"]) == Exit.OK
    confirmed = json.loads(capsys.readouterr().out.splitlines()[-1])
    # Both begin with the invitation's name; the secret of each is its own.
    assert issued["code"][:9] == confirmed["code"][:9]
    assert issued["code"][10:] != confirmed["code"][10:]
    assert run([*confirm]) == Exit.FAILED
    assert "INVITATION_CONFIRMED" in "".join(capsys.readouterr())
    with people(server, "demo-operator") as operator:
        key = fresh("key")
        assert operator.issue_passkey_code("dr-chen", key=key).code
        assert not operator.issue_passkey_code("dr-chen", key=key).code
        assert refusal(lambda: operator.issue_passkey_code("demo-app")).reason == "NOT_A_PERSON"
        assert refusal(lambda: operator.issue_passkey_code("nobody")).reason == "UNKNOWN_USER"
        assert refusal(lambda: operator.issue_passkey_code("demo-operator")).reason == "PERMISSION_DENIED"
    with people(server, "demo-privacy-officer") as officer:
        for name, wrong, method in (
            ("dr-chen", "inv_1", identity_pb2.PROOF_METHOD_VIDEO),
            ("dr-chen", invitation, identity_pb2.PROOF_METHOD_SYSTEM_OWNER),
            ("Dr Chen", invitation, identity_pb2.PROOF_METHOD_VIDEO),
        ):
            asked = refusal(lambda n=name, w=wrong, m=method: officer.confirm_passkey_code(n, w, m))
            assert asked.reason == "INVALID_REQUEST"
        method = identity_pb2.PROOF_METHOD_VIDEO
        of_other = refusal(lambda: officer.confirm_passkey_code("dr-rivera", invitation, method))
        assert of_other.reason == "UNKNOWN_INVITATION"
