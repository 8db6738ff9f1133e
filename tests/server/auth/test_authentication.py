"""Who gets in: certificates and tokens over real TLS, and everything that is not quite one."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.server.auth.authenticate import Directory
from attending.server.auth.certificate import read_certificate
from attending.server.auth.identities import Identities
from attending.server.auth.key_verifier import TRIES, WINDOW_SECONDS, KeyVerifier
from attending.server.auth.service_key import LEAST, hash_service_key, new_service_key, prefix_of
from attending.server.bootstrap.certificates import Pair, issue_client, new_authority
from attending.server.bootstrap.identities import certificate_uri
from attending.server.config import IdentitySection
from attending.server.errors import Unauthenticated
from attending.server.services.ledger import build as ledger_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[ledger_service])


def checkpoint(channel: grpc.Channel, *metadata: tuple[str, str]) -> str:
    try:
        stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        answer = stub.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), metadata=metadata, timeout=30)
    except grpc.RpcError as err:
        raise translate(err) from None
    return str(answer.checkpoint)


def refused(channel: grpc.Channel, *metadata: tuple[str, str]) -> AttendingApiError:
    with pytest.raises(AttendingApiError) as caught:
        checkpoint(channel, *metadata)
    return caught.value


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


def authority(server: Any) -> Pair:
    tls = server.embedded.folder / "tls"
    return Pair((tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes())


def with_certificate(server: Any, pair: Pair) -> grpc.Channel:
    ca = (server.embedded.folder / "tls" / "ca.pem").read_bytes()
    channel = grpc.secure_channel(
        server.ready.endpoint["target"], grpc.ssl_channel_credentials(ca, pair.key, pair.certificate)
    )
    server.opened.append(channel)
    return channel


def test_a_certificate_and_a_token_let_the_same_identity_in(server: Any) -> None:
    by_certificate = checkpoint(server.channel("demo-auditor"))
    by_token = checkpoint(server.token_channel(), bearer(server.token("demo-auditor")))
    assert by_certificate.splitlines()[0] == by_token.splitlines()[0]


def test_no_credential(server: Any) -> None:
    error = refused(server.token_channel())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "MISSING_CREDENTIAL")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer att_00000000_" + "A" * 43,
        "Bearer att_0000_short",
        "Bearer " + "x" * 5000,
        "att_00000000_" + "A" * 43,
    ],
)
def test_a_header_that_is_no_token_of_anybody(server: Any, header: str) -> None:
    assert refused(server.token_channel(), ("authorization", header)).reason == "INVALID_CREDENTIAL"


def test_two_tokens_are_none(server: Any) -> None:
    headers = [bearer(server.token("demo-app")), bearer(server.token("demo-app"))]
    assert refused(server.token_channel(), *headers).reason == "INVALID_CREDENTIAL"


def test_an_altered_token(server: Any) -> None:
    token = server.token("demo-auditor")
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert refused(server.token_channel(), bearer(other)).reason == "INVALID_CREDENTIAL"


def test_guesses_at_a_key_are_limited_and_its_holder_goes_on(start_server: Any) -> None:
    server = start_server(components=[ledger_service])
    token, channel = server.token("demo-app"), server.token_channel()
    assert checkpoint(channel, bearer(token))
    guesses = [token[:-43] + f"{number:043d}" for number in range(TRIES + 2)]
    errors = [refused(channel, bearer(guess)) for guess in guesses]
    assert [error.reason for error in errors] == ["INVALID_CREDENTIAL"] * TRIES + ["TOO_MANY_ATTEMPTS"] * 2
    assert errors[-1].code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 0 < (errors[-1].retry_after_seconds or 0) <= WINDOW_SECONDS
    assert checkpoint(channel, bearer(token))


def test_a_token_of_somebody_else_beside_a_certificate(server: Any) -> None:
    channel = server.channel("demo-auditor")
    assert checkpoint(channel, bearer(server.token("demo-auditor")))
    assert refused(channel, bearer(server.token("demo-app"))).reason == "INVALID_CREDENTIAL"


def test_a_certificate_of_nobody(server: Any) -> None:
    pair = issue_client(authority(server), "stranger", certificate_uri("stranger"), datetime.now(UTC))
    assert refused(with_certificate(server, pair)).reason == "INVALID_CREDENTIAL"


def test_a_common_name_alone_names_nobody_when_it_is_not_configured(server: Any) -> None:
    pair = issue_client(authority(server), "demo-auditor", "spiffe://elsewhere/x", datetime.now(UTC))
    assert refused(with_certificate(server, pair)).reason == "INVALID_CREDENTIAL"


def test_a_foreign_authority_does_not_get_past_tls(server: Any) -> None:
    foreign = new_authority("Somebody else", datetime.now(UTC))
    pair = issue_client(foreign, "demo-auditor", certificate_uri("demo-auditor"), datetime.now(UTC))
    error = refused(with_certificate(server, pair))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_UNREACHABLE")


def test_an_expired_certificate_does_not_get_past_tls(server: Any) -> None:
    past = datetime.now(UTC) - timedelta(days=500)
    pair = issue_client(authority(server), "demo-auditor", certificate_uri("demo-auditor"), past)
    error = refused(with_certificate(server, pair))
    assert error.code is grpc.StatusCode.UNAVAILABLE


def test_the_certificate_port_wants_a_certificate(server: Any) -> None:
    ca = (server.embedded.folder / "tls" / "ca.pem").read_bytes()
    with grpc.secure_channel(server.ready.endpoint["target"], grpc.ssl_channel_credentials(ca)) as channel:
        assert refused(channel, bearer(server.token("demo-app"))).code is grpc.StatusCode.UNAVAILABLE


def test_there_is_no_port_without_tls(server: Any) -> None:
    for target in (server.ready.endpoint["target"], server.ready.endpoint["token_target"]):
        with grpc.insecure_channel(target) as channel:
            error = refused(channel, bearer(server.token("demo-app")))
            assert error.code is grpc.StatusCode.UNAVAILABLE


def test_a_client_that_does_not_know_the_authority_does_not_connect(server: Any) -> None:
    host, _colon, port = server.ready.endpoint["token_target"].rpartition(":")
    with pytest.raises(ssl.SSLError):
        ssl.get_server_certificate((host, int(port)), ca_certs=_other_ca(server.embedded.folder), timeout=30)


def _other_ca(folder: Path) -> str:
    path = folder.parent / "other-ca.pem"
    path.write_bytes(new_authority("Somebody else", datetime.now(UTC)).certificate)
    return str(path)


def test_health_needs_no_credential_and_says_serving(server: Any) -> None:
    stub: Any = health_pb2_grpc.HealthStub(server.token_channel())
    for service in ("", "attending.v1.LedgerService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


# --- the directory alone, with an injected clock ------------------------------------------------------------------


def identity(name: str = "someone", **more: Any) -> IdentitySection:
    given: dict[str, Any] = {"name": name, "tenant": "demo", "kind": "human", "roles": ["clinician"], **more}
    return IdentitySection.model_validate(given)


def pem(uri: str = "spiffe://x/someone", name: str = "someone", at: datetime = NOW) -> bytes:
    return issue_client(new_authority("CA", at), name, uri, at).certificate


def key_of(token: str, **more: Any) -> dict[str, Any]:
    return {"prefix": prefix_of(token), "hash": hash_service_key(token, LEAST), **more}


def refusal(directory: Directory, certificate: bytes | None = None, token: str | None = None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        ask(directory, certificate, token)
    return caught.value.reason


def ask(directory: Directory, certificate: bytes | None = None, token: str | None = None) -> Any:
    peer = {} if certificate is None else {"x509_pem_cert": [certificate]}
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    return asyncio.run(directory.authenticate(peer, metadata))


def test_each_way_to_name_a_certificate() -> None:
    certificate = pem()
    names = read_certificate(certificate)
    ways: list[dict[str, Any]] = [
        {"certificate_sha256": [names.sha256]},
        {"certificate_uri": ["spiffe://x/someone"]},
        {"certificate_common_name": ["someone"]},
    ]
    for way in ways:
        principal = ask(Directory([identity(**way)], lambda: NOW), certificate)
        assert (principal.name, principal.tenant, principal.credential) == ("someone", "demo", "mtls")


def test_a_certificate_that_names_two_identities_names_nobody() -> None:
    two = [
        identity("first", certificate_uri=["spiffe://x/someone"]),
        identity("second", certificate_common_name=["someone"]),
    ]
    with pytest.raises(Unauthenticated) as caught:
        ask(Directory(two, lambda: NOW), pem())
    assert caught.value.reason == "INVALID_CREDENTIAL"


def test_a_certificate_that_runs_out_on_an_open_connection() -> None:
    moment = NOW
    directory = Directory([identity(certificate_uri=["spiffe://x/someone"])], lambda: moment)
    certificate = pem()
    assert ask(directory, certificate).name == "someone"
    moment = NOW + timedelta(days=398)
    with pytest.raises(Unauthenticated) as caught:
        ask(directory, certificate)
    assert caught.value.reason == "CREDENTIAL_EXPIRED"


def test_an_identity_that_has_run_out() -> None:
    token = new_service_key()
    one = identity(service_keys=[key_of(token)], expires=NOW)
    assert ask(Directory([one], lambda: NOW - timedelta(seconds=1)), token=token).name == "someone"
    assert refusal(Directory([one], lambda: NOW), token=token) == "CREDENTIAL_EXPIRED"


def test_a_key_that_has_run_out_while_another_has_not() -> None:
    old, new = new_service_key(), new_service_key()
    one = identity(service_keys=[key_of(old, expires=NOW), key_of(new)])
    moment = NOW - timedelta(seconds=1)
    directory = Directory([one], lambda: moment)
    assert ask(directory, token=old).credential == "token"
    moment = NOW
    assert refusal(directory, token=old) == "CREDENTIAL_EXPIRED"
    assert ask(directory, token=new).name == "someone"


class Changing:
    """A source whose identities change while the server runs."""

    def __init__(self, *identities: IdentitySection) -> None:
        self.index = Identities(identities)

    def current(self) -> Identities:
        return self.index


def test_identities_of_a_changing_source_come_and_go() -> None:
    token, certificate = new_service_key(), pem()
    directory = Directory([], lambda: NOW)
    source = Changing()
    directory.add(source)
    assert refusal(directory, token=token) == "INVALID_CREDENTIAL"
    source.index = Identities(
        [identity(service_keys=[key_of(token)], certificate_uri=["spiffe://x/someone"])]
    )
    assert ask(directory, token=token).name == ask(directory, certificate).name == "someone"
    assert [principal.name for principal in directory.principals()] == ["someone"]
    source.index = Identities()
    assert refusal(directory, token=token) == refusal(directory, certificate) == "INVALID_CREDENTIAL"


def test_a_credential_that_two_sources_claim_names_nobody() -> None:
    token, certificate = new_service_key(), pem()
    key = key_of(token)
    mine = identity("mine", service_keys=[key], certificate_uri=["spiffe://x/someone"])
    directory = Directory([mine], lambda: NOW)
    assert ask(directory, token=token).name == ask(directory, certificate).name == "mine"
    directory.add(Changing(identity("theirs", service_keys=[key], certificate_common_name=["someone"])))
    assert refusal(directory, token=token) == refusal(directory, certificate) == "INVALID_CREDENTIAL"


def test_a_credential_of_two_identities_of_one_source_names_nobody() -> None:
    """As where the configuration names what was enrolled before: neither the first nor the last has it."""
    token, certificate = new_service_key(), pem()
    key = key_of(token)
    one = identity("one", service_keys=[key], certificate_uri=["spiffe://x/someone"])
    two = identity("two", service_keys=[key], certificate_uri=["spiffe://x/someone"])
    subject = {"issuer": "hospital", "subject": "s-1"}
    index = Identities([one, two])
    assert index.by_key_prefix(key["prefix"]) is None
    both = Identities([identity("one", oidc=[subject]), identity("two", oidc=[subject])])
    assert both.by_oidc("hospital", "s-1") is None
    directory = Directory([], lambda: NOW)
    source = Changing()
    source.index = index
    directory.add(source)
    assert refusal(directory, token=token) == refusal(directory, certificate) == "INVALID_CREDENTIAL"
    source.index = Identities([one])
    assert ask(directory, token=token).name == ask(directory, certificate).name == "one"


def test_a_key_that_is_revoked_while_argon2_runs() -> None:
    token = new_service_key()
    source = Changing(identity(service_keys=[key_of(token)]))

    def revoke_first(_token: str, _phc: str) -> bool:
        source.index = Identities()
        return True

    directory = Directory([], lambda: NOW, keys=KeyVerifier(lambda: NOW, matching=revoke_first))
    directory.add(source)
    assert refusal(directory, token=token) == "INVALID_CREDENTIAL"


def test_a_certificate_that_cannot_be_read() -> None:
    with pytest.raises(Unauthenticated):
        ask(Directory([identity(certificate_common_name=["x"])], lambda: NOW), b"-----BEGIN nonsense")


def test_a_licence_that_has_run_out_is_known() -> None:
    token = new_service_key()
    one = identity(service_keys=[key_of(token)], licence_expires=NOW)
    principal = ask(Directory([one], lambda: NOW), token=token)
    assert not principal.licence_valid(NOW)
    assert principal.licence_valid(NOW - timedelta(seconds=1))
    assert replace(principal, licence_expires=None).licence_valid(NOW)


def test_a_competency_that_has_run_out_is_known() -> None:
    token = new_service_key()
    later = NOW + timedelta(days=1)
    one = identity(service_keys=[key_of(token)], licence_expires=later, competency_expires=NOW)
    principal = ask(Directory([one], lambda: NOW), token=token)
    assert principal.licence_valid(NOW)
    assert not principal.competency_valid(NOW)
    assert principal.competency_valid(NOW - timedelta(seconds=1))
    assert principal.signs_until == NOW
    assert replace(principal, competency_expires=None).signs_until == later
    assert replace(principal, competency_expires=None, licence_expires=None).signs_until is None
