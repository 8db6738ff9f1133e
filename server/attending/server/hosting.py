"""One gRPC server process from start to stop: TLS ports, interceptors, health, readiness, draining.

Calls are refused until the ledger is open and every component has started, and again once the server is told to
stop; what was begun is then carried through, `system.stopped` is appended and the ledger closed. A kill at any
moment leaves what the ledger's own order of a write leaves: nothing acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import grpc
import structlog
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import SYSTEM_LOG
from attending.server import clock
from attending.server.app import App, Build, build_app, close_app
from attending.server.auth.access import Access
from attending.server.auth.actions import is_public
from attending.server.clock import stamp
from attending.server.config import Config, ServerSection
from attending.server.errors import ConfigurationError
from attending.server.health import Health
from attending.server.limits.calls import Limits
from attending.server.rpc import RpcInterceptor, Transfer
from attending.server.status import errors_as_status
from attending.server.telemetry import quiet_loop_errors, take_over_libraries
from attending.server.tls import Tls, TlsChange
from attending.server.transport import new_server
from attending.server.version import version
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

log = structlog.get_logger()

READINESS_SECONDS: Final = 1.0
METADATA_BYTES: Final = 16 * 1024
_SERVING, _NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the server listens: the ports it got, when it asked for free ones."""

    host: str
    port: int | None
    token_port: int | None
    http_port: int | None = None
    console_url: str | None = None


class Host:
    """A server that was built, with its life: `start`, `stop`. Belongs to one event loop."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._open = False
        self._stopping = False
        self._limits = Limits(app.config.server, app.config.limits, open_for_calls=lambda: self._open)
        self._health = Health()
        self._server = new_server(
            interceptors=[
                RpcInterceptor(
                    [
                        errors_as_status,
                        self._limits.total,
                        Access(app.directory, app.authorizer, app.attempts, app.rates, app.running),
                        self._limits.per_caller,
                        self._limits.deadline,
                    ],
                    transfer=_transfer(app.config),
                    public=is_public,
                    anonymous=[errors_as_status, self._limits.anonymous],
                )
            ],
            options=_options(app.config),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Endpoints:
        """Listens, starts the components, opens for calls; returns the ports. Raises ConfigurationError."""
        app = self.app
        quiet_loop_errors(asyncio.get_running_loop())
        take_over_libraries()
        services = [name for component in app.components for name in component.services]
        for component in app.components:
            component.register(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if app.embedded:
            names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)
        for name in ("", *services):
            self._health.set(name, _NOT_SERVING)
        app.tls.load()
        endpoints = _listen(self._server, app.config.server, app.tls)
        await self._server.start()
        app.directory.tokens.start()
        for component in app.components:
            await component.start()
            if component.http_port is not None:
                endpoints = replace(endpoints, http_port=component.http_port)
            if component.console_url is not None:
                endpoints = replace(endpoints, console_url=component.console_url)
        app.attempts.start()
        app.running.start()
        await app.ledger.append(SYSTEM_LOG, [self._entry("system.started", self._started())])
        app.tls.on_change = self._record_tls
        self._open = True
        self._report(services)
        self._tasks = [
            asyncio.create_task(self._watch(services), name="readiness"),
            asyncio.create_task(app.tls.watch(), name="tls"),
        ]
        log.info(
            "server.started",
            port=endpoints.port,
            token_port=endpoints.token_port,
            http_port=endpoints.http_port,
        )
        return endpoints

    async def stop(self) -> None:
        """Refuses new calls, lets running ones end, drains components, records the stop, closes everything."""
        if self._stopping:
            return
        self._stopping = True
        started = self._open
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._health.end()
        for component in self.app.components:
            await component.stopping()
        await self._server.stop(self.app.config.server.drain_seconds)
        for component in reversed(self.app.components):
            await component.drain()
        await self.app.attempts.stop()
        await self.app.tls.tell()
        if started:
            try:
                await self.app.ledger.append(SYSTEM_LOG, [self._entry("system.stopped", self._stopped())])
            except LedgerError as err:
                log.error("server.stop_not_recorded", reason=err.reason)
        await close_app(self.app)
        log.info("server.stopped")

    async def ended(self) -> None:
        """Returns when gRPC serves no more. By itself it should not; the process is then of no use, and this raises."""
        try:
            await self._server.wait_for_termination()
        except Exception as err:
            log.error("server.transport_failed", error_type=type(err).__name__)
            raise

    def serving(self) -> bool:
        """Whether everything that a call needs is there now."""
        ledger = self.app.ledger
        return (
            self._open
            and all(component.ready() for component in self.app.components)
            and all(ledger.halted(tenant) is None for tenant in self.app.tenants)
        )

    async def _watch(self, services: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(READINESS_SECONDS)
            self._report(services)

    def _report(self, services: Sequence[str]) -> None:
        status = _SERVING if self.serving() else _NOT_SERVING
        for name in ("", *services):
            self._health.set(name, status)

    async def _record_tls(self, change: TlsChange) -> None:
        """When a certificate or a revocation came into force is what an auditor asks (21 CFR 11.300(c))."""
        body = {
            "kind": "tls",
            "changed": list(change.changed),
            "certificate_sha256": change.certificate_sha256,
            "not_after": stamp(change.certificate_expires),
            "revoked": change.revoked,
        }
        owner = self.app.owner
        entry = PendingEntry(
            "key.rotated", f"tls/{owner}", f"system:{owner}", None, body, occurred_at=change.loaded
        )
        await self.app.ledger.append(SYSTEM_LOG, [entry])

    def _entry(self, kind: str, body: dict[str, object]) -> PendingEntry:
        owner = self.app.owner
        return PendingEntry(
            type=kind, stream=f"server/{owner}", actor=f"system:{owner}", subject=None, body=body
        )

    def _started(self) -> dict[str, object]:
        body: dict[str, object] = {
            "version": version(),
            "embedded": self.app.embedded,
            "shared": self.app.ledger.shared,
            "tenants": self.app.tenants,
            "authorization_hash": self.app.authorizer.content_hash,
            "components": [type(component).__name__ for component in self.app.components],
        }
        if self.app.embedded:
            # Said here as on the screen, so that nobody takes a demo's log for more than it is.
            body["protects_against_operator"] = False
        return body

    def _stopped(self) -> dict[str, object]:
        """How this process's appends ended: those whose outcome it never learned are what an auditor asks about."""
        counts = self.app.ledger.counters.all()
        return {
            "appends": [
                {"log": log_id, **counts[log_id].to_json()}
                for log_id in sorted(counts)
                if log_id != SYSTEM_LOG
            ]
        }


async def serve(
    config: Config,
    *,
    embedded: bool = False,
    on_ready: Callable[[App, Endpoints], None] | None = None,
    stop: asyncio.Event | None = None,
    components: Sequence[Build] | None = None,
    now: Callable[[], datetime] = clock.now,
) -> None:
    """Runs a server until SIGTERM, SIGINT or `stop`; returns after a clean stop.

    Raises ConfigurationError and the ledger's errors when it cannot start.
    """
    ending = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        # Not possible outside the main thread, where `stop` is the way.
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(name, ending.set)
    app = await build_app(config, embedded=embedded, now=now, components=components)
    try:
        host = Host(app)
    except BaseException:
        await close_app(app)
        raise
    reloads: set[asyncio.Task[bool]] = set()

    def reload() -> None:
        reloads.add(task := asyncio.create_task(app.tls.reload(), name="tls-reload"))
        task.add_done_callback(reloads.discard)

    try:
        endpoints = await _unless_stopped(host.start(), ending)
        if endpoints is not None:
            if not embedded:
                # The embedded mode runs in a terminal and ends with it.
                with suppress(ValueError, RuntimeError, NotImplementedError):
                    loop.add_signal_handler(signal.SIGHUP, reload)
            if on_ready is not None:
                on_ready(app, endpoints)
            await _until(ending, host)
    finally:
        await host.stop()


async def _until(ending: asyncio.Event, host: Host) -> None:
    """Returns when `ending` is set; raises what ended gRPC, when that came first."""
    waiting = asyncio.create_task(ending.wait())
    # Never cancelled: the library's own shutdown waits for the same thing.
    ended = asyncio.create_task(host.ended())
    await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if ended.done():
        ended.result()


async def _unless_stopped(
    starting: Coroutine[Any, Any, Endpoints], ending: asyncio.Event
) -> Endpoints | None:
    """What `starting` returns, or None when `ending` came first: a start can be broken off."""
    task = asyncio.create_task(starting)
    waiting = asyncio.create_task(ending.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return None
    return task.result()


def _listen(server: grpc.aio.Server, config: ServerSection, tls: Tls) -> Endpoints:
    port = token_port = None
    if config.client_ca is not None:
        # gRPC for Python can demand a client certificate or not ask for one; hence two ports.
        port = _bind(server, config.host, config.port, tls.grpc_credentials(mutual=True), "server.port")
    if config.tokens:
        plain = tls.grpc_credentials(mutual=False)
        token_port = _bind(server, config.host, config.token_port, plain, "server.token_port")
    return Endpoints(config.host, port, token_port)


def _bind(
    server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials, key: str
) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_secure_port(address, credentials)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise ConfigurationError(
            f"cannot listen on `{address}` with TLS",
            f"free the port or set `{key}` to another one (0 takes a free one), and check `tls_certificate` "
            "and `tls_key`",
            reason="CANNOT_LISTEN",
        )
    return bound


def _transfer(config: Config) -> Transfer:
    return Transfer(
        max_message_bytes=config.server.max_message_bytes,
        request_seconds=config.limits.request_seconds,
        idle_seconds=config.limits.idle_stream_seconds,
        reader_seconds=config.limits.slow_reader_seconds,
    )


def _options(config: Config) -> list[tuple[str, int]]:
    # gRPC's own limit lies above ours, so that most of what is too large gets a reason; beyond it the core
    # refuses by itself and reads no further.
    server, limits = config.server, config.limits
    wire_limit = 2 * server.max_message_bytes
    return [
        ("grpc.max_receive_message_length", wire_limit),
        ("grpc.max_send_message_length", wire_limit),
        # One limit in place of the core's two, between which it refuses by chance.
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
        ("grpc.max_concurrent_streams", server.max_concurrent_rpcs),
        # Two servers on one port would each hold half of the truth, unless they share a database.
        ("grpc.so_reuseport", int(server.reuse_port)),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.server_handshake_timeout_ms", round(limits.handshake_seconds * 1000)),
        ("grpc.max_connection_idle_ms", round(limits.idle_connection_seconds * 1000)),
        ("grpc.max_connection_age_ms", round(limits.connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", round(limits.connection_grace_seconds * 1000)),
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
    ]
