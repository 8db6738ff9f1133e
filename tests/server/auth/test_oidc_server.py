"""Tokens of an OpenID Connect provider against a running server, over gRPC and over HTTP."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.server.auth.oidc import provider as oidc_provider
from attending.server.services.ledger import build as ledger_service
from attending.server.web.component import build as http_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc

from tests.server.auth.oidc_world import KeyServer, claims, key_server, new_key, token

KEY = new_key("RS256")


@pytest.fixture(scope="module")
def provider() -> Iterator[KeyServer]:
    with key_server() as running:
        running.keys = [KEY.jwk]
        yield running


@pytest.fixture(scope="module")
def server(start_server: Any, provider: KeyServer) -> Any:
    person = {
        "name": "oidc-auditor",
        "tenant": "demo",
        "kind": "human",
        "roles": ["auditor"],
        "oidc": [{"issuer": "idp", "subject": "00u1"}],
    }
    section = {"name": "idp", "issuer": provider.url, "audience": "attending"}
    return start_server(
        components=[ledger_service, http_service], overrides={"oidc": [section], "identities": [person]}
    )


def bearer(provider: KeyServer, **change: Any) -> str:
    now = time.time()
    return "Bearer " + token(KEY, claims(provider.url, **{"iat": now, "exp": now + 300, **change}))


def ask(server: Any, header: str) -> str:
    stub = ledger_pb2_grpc.LedgerServiceStub(server.token_channel())
    try:
        stub.GetCheckpoint(
            ledger_pb2.GetCheckpointRequest(), metadata=[("authorization", header)], timeout=30
        )
    except grpc.RpcError as err:
        error: AttendingApiError = translate(err)
        return error.reason
    return "OK"


def test_over_grpc(server: Any, provider: KeyServer) -> None:
    assert ask(server, bearer(provider)) == "OK"
    assert ask(server, bearer(provider, aud="other")) == "INVALID_CREDENTIAL"
    assert ask(server, bearer(provider, sub="nobody")) == "INVALID_CREDENTIAL"
    past = time.time() - 3600
    assert ask(server, bearer(provider, iat=past, exp=past + 60)) == "CREDENTIAL_EXPIRED"
    assert ask(server, bearer(provider, padding="x" * 9000)) == "INVALID_CREDENTIAL"


def test_a_silent_provider_holds_up_its_own_callers_alone(
    server: Any, provider: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_provider, "MIN_SECONDS_BETWEEN", 0.0)
    assert ask(server, bearer(provider)) == "OK"
    now = time.time()
    unknown = "Bearer " + token(new_key(kid="rotated"), claims(provider.url, iat=now, exp=now + 300))
    provider.mode = "silent"
    provider.go.clear()
    asked = len(provider.asked)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, server, unknown)
        while not any(path.endswith("/jwks") for path in provider.asked[asked:]):
            assert not waiting.done(), waiting.result()
            time.sleep(0.01)
        assert ask(server, bearer(provider)) == "OK"
        assert ask(server, f"Bearer {server.token('demo-auditor')}") == "OK"
        assert not waiting.done()
        provider.mode = "good"
        provider.go.set()
        assert waiting.result(30) == "INVALID_CREDENTIAL"


def test_a_server_starts_without_its_provider(start_server: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{closed.getsockname()[1]}"
        section = {"name": "idp", "issuer": issuer, "audience": "attending"}
        server = start_server(components=[ledger_service], overrides={"oidc": [section]})
        now = time.time()
        header = "Bearer " + token(KEY, claims(issuer, iat=now, exp=now + 300))
        assert ask(server, header) == "IDENTITY_PROVIDER_UNAVAILABLE"
        assert ask(server, f"Bearer {server.token('demo-auditor')}") == "OK"


def test_over_http(server: Any, provider: KeyServer) -> None:
    url = server.ready.endpoint["log_urls"]["demo"] + "/checkpoint"
    context = ssl.create_default_context(cafile=str(server.embedded.folder / "tls/ca.pem"))

    def get(header: str) -> httpx.Response:
        return httpx.get(url, headers={"authorization": header}, verify=context, trust_env=False, timeout=30)

    for _ in range(100):
        good = get(bearer(provider))
        if good.status_code != 503:  # not yet published
            break
        time.sleep(0.1)
    assert (good.status_code, good.text.splitlines()[0].startswith("attending.local/")) == (200, True)
    refused = get(bearer(provider, aud="other"))
    assert (refused.status_code, refused.text.split(":")[0]) == (401, "INVALID_CREDENTIAL")
