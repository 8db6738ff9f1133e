"""What a running server answers without a credential: health, in the embedded mode its list of services, no more."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import pytest
from attending.client.errors import translate
from attending.server.auth.actions import ACTIONS, is_public
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.e2e.calls import TIMEOUT, refused
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.server_process import ServerProcess
from tests.matrix.methods import methods


def listed(channel: grpc.Channel) -> set[str]:
    """Full names of the services that reflection tells."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT)
    return {service.name for service in answer.list_services_response.service}


def test_a_running_server_has_no_service_that_nothing_guards(server: ServerProcess) -> None:
    with server.connection("demo-app").channel() as channel:
        found = listed(channel)
    guarded = {name for name in found if not is_public(f"/{name}/")}
    assert found - guarded == {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert guarded == {method.split("/")[1] for method in ACTIONS}


def test_in_production_there_is_health_alone(hospital: ConfiguredServer) -> None:
    with hospital.as_token("north", None).channel() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            listed(channel)
        assert translate(caught.value).code is grpc.StatusCode.UNIMPLEMENTED


def test_every_kind_of_call_asks_for_a_credential_first(hospital: ConfiguredServer) -> None:
    """Also before a message of a stream is read: none is sent here."""
    with hospital.as_token("north", None).channel() as channel:
        kinds = set()
        for name, method in methods().items():
            kinds.add((method.client_streaming, method.server_streaming))
            incoming = "stream" if method.client_streaming else "unary"
            outgoing = "stream" if method.server_streaming else "unary"
            call = getattr(channel, f"{incoming}_{outgoing}")(name)
            sent = iter(()) if method.client_streaming else b""
            assert refused(partial(call, sent, timeout=TIMEOUT)).reason == "MISSING_CREDENTIAL", name
        assert {(False, False), (False, True), (True, True)} <= kinds
