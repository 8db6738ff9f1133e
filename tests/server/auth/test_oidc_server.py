"""Tokens of an OpenID Connect provider against a running server, over gRPC and over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from attending.client.errors import AttendingApiError, translate
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
    [status] = server.app.directory.tokens.status()
    assert (status.name, status.keys, status.usable, status.problem) == ("idp", 1, True, None)


def test_over_http(server: Any, provider: KeyServer) -> None:
    url = server.ready.endpoint["log_urls"]["demo"] + "/checkpoint"
    ca = str(server.embedded.folder / "tls/ca.pem")

    def get(header: str) -> httpx.Response:
        return httpx.get(url, headers={"authorization": header}, verify=ca, trust_env=False, timeout=30)

    for _ in range(100):
        good = get(bearer(provider))
        if good.status_code != 503:  # not yet published
            break
        time.sleep(0.1)
    assert (good.status_code, good.text.splitlines()[0].startswith("attending.local/")) == (200, True)
    refused = get(bearer(provider, aud="other"))
    assert (refused.status_code, refused.text.split(":")[0]) == (401, "INVALID_CREDENTIAL")
