"""The life of a server: refused until ready, drained when told to stop, recorded, and alone on its port."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.connection import Connection
from attending.ledger.errors import LedgerLocked
from attending.ledger.ledger import SYSTEM_LOG, Ledger, LedgerConfig
from attending.server.app import App, Component, build_app
from attending.server.bootstrap.folder import Embedded, prepare, write_endpoint
from attending.server.errors import ConfigurationError
from attending.server.hosting import Endpoints, Host, serve
from attending.server.services.ledger import build as ledger_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc


class Slow(Component):
    """Starts when the test says so; notes what is asked of it."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.usable = True
        self.asked: list[str] = []

    async def start(self) -> None:
        await self.go.wait()
        self.asked.append("start")

    def ready(self) -> bool:
        return self.usable

    async def drain(self) -> None:
        self.asked.append("drain")

    async def close(self) -> None:
        self.asked.append("close")


@pytest.fixture
def embedded(tmp_path: Path) -> Embedded:
    return prepare(tmp_path / "data", port=_free_port(), token_port=_free_port(), providers=[])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def host_with(embedded: Embedded, component: Component) -> Host:
    async def build(_app: App) -> Component:
        return component

    return Host(await build_app(embedded.config, embedded=True, components=[ledger_service, build]))


def channel(embedded: Embedded) -> Any:
    ca = (embedded.folder / "tls" / "ca.pem").read_bytes()
    return grpc.aio.secure_channel(
        f"localhost:{embedded.config.server.token_port}", grpc.ssl_channel_credentials(ca)
    )


def token(embedded: Embedded, name: str = "demo-auditor") -> tuple[tuple[str, str], ...]:
    text = (embedded.folder / "identities" / name / "token").read_text().strip()
    return (("authorization", f"Bearer {text}"),)


async def health(open_channel: Any, service: str = "") -> int:
    stub: Any = health_pb2_grpc.HealthStub(open_channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
    return int(answer.status)


async def reason_of(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as err:
        from google.rpc import error_details_pb2, status_pb2

        for key, value in err.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                info = error_details_pb2.ErrorInfo()
                status_pb2.Status.FromString(value).details[0].Unpack(info)
                return str(info.reason)
        return err.code().name
    return "ok"


async def _collect(call: Any, into: list[Any]) -> None:
    async for message in call:
        into.append(message)


async def system_entries(embedded: Embedded) -> list[Any]:
    storage = embedded.config.storage
    config = LedgerConfig(
        storage.folder, keys_folder=storage.keys_folder, publish_folder=storage.published_folder
    )
    async with await Ledger.open(config) as ledger:
        return await ledger.list_entries(SYSTEM_LOG)


async def test_calls_are_refused_until_every_component_has_started(embedded: Embedded) -> None:
    slow = Slow()
    host = await host_with(embedded, slow)
    starting = asyncio.create_task(host.start())
    async with channel(embedded) as open_channel:
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(open_channel)

        def call() -> Any:
            return stub.GetCheckpoint(
                ledger_pb2.GetCheckpointRequest(), metadata=token(embedded), timeout=30, wait_for_ready=True
            )

        assert await reason_of(call()) == "NOT_READY"
        assert await health(open_channel) == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not starting.done()
        slow.go.set()
        endpoints = await starting
        assert endpoints == Endpoints(
            "127.0.0.1", embedded.config.server.port, embedded.config.server.token_port
        )
        assert await reason_of(call()) == "ok"
        serving = health_pb2.HealthCheckResponse.SERVING
        assert await health(open_channel) == serving
        assert await health(open_channel, "attending.v1.LedgerService") == serving
    await host.stop()
    await host.stop()
    assert slow.asked == ["start", "drain", "close"]
    started, stopped = await system_entries(embedded)
    assert (started.type, stopped.type) == ("system.started", "system.stopped")
    assert started.body["embedded"] is True
    assert started.body["protects_against_operator"] is False
    assert started.body["authorization_hash"].startswith("sha256:")
    assert started.actor == stopped.actor
    # No append went to a tenant's log, and none has an outcome that this process does not know.
    assert stopped.body == {"appends": []}


async def test_health_follows_a_component_and_a_halted_log(embedded: Embedded) -> None:
    slow = Slow()
    slow.go.set()
    host = await host_with(embedded, slow)
    await host.start()
    try:
        assert host.serving()
        slow.usable = False
        assert not host.serving()
        slow.usable = True
        host.app.ledger._sequencer.halt("demo", "PUBLISHED_HEAD_DISAGREES")
        assert not host.serving()
    finally:
        await host.stop()


async def test_running_calls_end_before_the_server_does(embedded: Embedded) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    class Working(Component, ledger_pb2_grpc.LedgerServiceServicer):
        def register(self, server: grpc.aio.Server) -> None:
            ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self, server)

        async def GetEntry(self, request: Any, context: Any) -> ledger_pb2.GetEntryResponse:
            entered.set()
            await go.wait()
            return ledger_pb2.GetEntryResponse()

    async def build(_app: App) -> Component:
        return Working()  # type: ignore[abstract]

    host = Host(await build_app(embedded.config, embedded=True, components=[build]))
    await host.start()
    async with channel(embedded) as open_channel:
        stub: Any = ledger_pb2_grpc.LedgerServiceStub(open_channel)
        call = asyncio.ensure_future(
            stub.GetEntry(ledger_pb2.GetEntryRequest(), metadata=token(embedded), timeout=30)
        )
        await entered.wait()
        stopping = asyncio.create_task(host.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        go.set()
        assert await call == ledger_pb2.GetEntryResponse()
        await stopping


async def test_a_start_can_be_broken_off(embedded: Embedded) -> None:
    slow = Slow()
    stop = asyncio.Event()

    async def build(_app: App) -> Component:
        return slow

    running = asyncio.create_task(
        serve(embedded.config, embedded=True, stop=stop, components=[build], on_ready=_never)
    )
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(running, 60)
    assert slow.asked == ["drain", "close"]
    assert await system_entries(embedded) == []


def _never(_app: App, _at: Endpoints) -> None:
    raise AssertionError("a broken-off start is not ready")


async def test_a_component_that_fails_to_build_leaves_nothing_open(embedded: Embedded) -> None:
    first = Slow()

    async def build(_app: App) -> Component:
        return first

    async def broken(_app: App) -> Component:
        raise ConfigurationError("no model", "configure one")

    with pytest.raises(ConfigurationError):
        await build_app(embedded.config, components=[build, broken])
    assert first.asked == ["close"]
    assert await system_entries(embedded) == []  # the folder's lock is free again


async def test_two_servers_do_not_share_a_folder_or_a_port(embedded: Embedded, tmp_path: Path) -> None:
    slow = Slow()
    slow.go.set()
    host = await host_with(embedded, slow)
    await host.start()
    try:
        with pytest.raises(LedgerLocked):
            await build_app(embedded.config, components=[])
        same_port = prepare(tmp_path / "other", port=embedded.config.server.port, token_port=0, providers=[])
        with pytest.raises(ConfigurationError) as caught:
            await serve(same_port.config, components=[])
        assert caught.value.reason == "CANNOT_LISTEN"
        assert "server.port" in caught.value.next_step
    finally:
        await host.stop()


async def test_an_origin_cannot_change(embedded: Embedded) -> None:
    app = await build_app(embedded.config, components=[])
    await app.ledger.close()
    tenant = embedded.config.tenants[0].model_copy(update={"origin": "elsewhere/log"})
    changed = embedded.config.model_copy(update={"tenants": [tenant]})
    with pytest.raises(ConfigurationError) as caught:
        await build_app(changed, components=[])
    assert caught.value.reason == "ORIGIN_CHANGED"


async def test_a_catalogue_of_practice_items_that_is_none_is_named(
    embedded: Embedded, tmp_path: Path
) -> None:
    wrong = tmp_path / "own.yaml"
    wrong.write_text("format: attending-practice/1\nitems: []\n", encoding="utf-8")
    review = embedded.config.review.model_copy(update={"practice_catalogue": wrong})
    changed = embedded.config.model_copy(update={"review": review})
    with pytest.raises(ConfigurationError, match="is not a catalogue"):
        await build_app(changed)


async def test_reflection_lists_the_services_in_the_embedded_mode_only(embedded: Embedded) -> None:
    for is_embedded in (True, False):
        host = Host(await build_app(embedded.config, embedded=is_embedded, components=[ledger_service]))
        await host.start()
        try:
            async with channel(embedded) as open_channel:
                stub: Any = reflection_pb2_grpc.ServerReflectionStub(open_channel)
                asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
                answers: list[Any] = []
                reason = await reason_of(
                    _collect(stub.ServerReflectionInfo(iter(asked), timeout=30), answers)
                )
            names = {s.name for answer in answers for s in answer.list_services_response.service}
            assert ("attending.v1.LedgerService" in names) is is_embedded
            assert reason == ("ok" if is_embedded else "UNKNOWN_METHOD")
        finally:
            await host.stop()


async def test_tls_files_that_cannot_be_used(embedded: Embedded) -> None:
    (embedded.folder / "tls" / "server.pem").write_bytes(b"no certificate")
    with pytest.raises(ConfigurationError):
        await serve(embedded.config, components=[])
    (embedded.folder / "tls" / "server.pem").unlink()
    with pytest.raises(ConfigurationError) as caught:
        await serve(embedded.config, components=[])
    assert caught.value.reason == "TLS_FILES"


def test_the_endpoint_file_serves_the_client(embedded: Embedded) -> None:
    written = write_endpoint(embedded, 1234, 1235, {"demo": "key"})
    assert json.loads((embedded.folder / "endpoint.json").read_text()) == written
    connection = Connection.from_folder(embedded.folder, "dr-rivera")
    assert connection.target == "localhost:1234"
    assert connection.certificate is not None
    assert all(path.is_file() for path in connection.certificate)
    assert (embedded.folder / written["identities"]["dr-rivera"]["signing_key"]).is_file()
    assert "signing_key" not in written["identities"]["demo-app"]
    assert (embedded.folder / "demo.vkey").read_text() == "key\n"
