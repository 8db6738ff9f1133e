"""Certificates, keys, authorities and revocation lists that are replaced under a running server."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import SYSTEM_LOG
from attending.server.auth.authenticate import Directory
from attending.server.auth.revocation import ListRefused, Revocations, read_list
from attending.server.bootstrap.certificates import Pair, issue_client, issue_server, new_authority
from attending.server.bootstrap.folder import prepare
from attending.server.bootstrap.identities import certificate_uri
from attending.server.clock import stamp
from attending.server.config import IdentitySection
from attending.server.errors import AttendingError, ConfigurationError
from attending.server.hosting import serve
from attending.server.services.ledger import build as ledger_service
from attending.server.tls import Tls, TlsChange
from attending.server.web.component import build as http_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def serial(certificate: bytes) -> int:
    return x509.load_pem_x509_certificate(certificate).serial_number


def revocation_list(
    authority: Pair,
    *serials: int,
    since: datetime = NOW - HOUR,
    until: datetime = NOW + HOUR,
    critical: bool = False,
) -> bytes:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(since)
        .next_update(until)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    if critical:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    for number in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(since)
        builder = builder.add_revoked_certificate(revoked.build())
    key: Any = load_pem_private_key(authority.key, None)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@dataclass
class Folder:
    """The TLS files of a prepared data folder."""

    root: Path

    @property
    def authority(self) -> Pair:
        return Pair((self.root / "tls/ca.pem").read_bytes(), (self.root / "tls/ca.key").read_bytes())

    @property
    def crl(self) -> Path:
        return self.root / "tls/ca.crl"

    def revoke(self, *identities: str, **more: Any) -> None:
        serials = [
            serial((self.root / f"identities/{name}/certificate.pem").read_bytes()) for name in identities
        ]
        self.crl.write_bytes(revocation_list(self.authority, *serials, **more))

    def new_server(self, now: datetime | None = None) -> Pair:
        """Another certificate and key for the server, in its files."""
        pair = issue_server(self.authority, ["localhost", "127.0.0.1"], now or datetime.now(UTC))
        (self.root / "tls/server.key").write_bytes(pair.key)
        (self.root / "tls/server.pem").write_bytes(pair.certificate)
        return pair


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(prepare(tmp_path / "data", port=0, token_port=0, providers=[]).folder)
    made.revoke()
    return made


LISTS: dict[str, Any] = {"client_crl": ["tls/ca.crl"], "reload_seconds": 3600.0}


@pytest.fixture(scope="module")
def running(start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("tls") / "data"
    Folder(prepare(root, port=0, token_port=0, providers=[]).folder).revoke()
    return start_server(components=[ledger_service, http_service], folder=root, overrides={"server": LISTS})


@pytest.fixture
def files(running: Any) -> Any:
    """The running server's files, which are put back in order afterwards."""
    made = Folder(running.embedded.folder)
    before = {path: path.read_bytes() for path in (made.root / "tls").iterdir()}
    yield made
    for path, data in before.items():
        path.write_bytes(data)
    running.run(running.app.tls.reload())


def ask(channel: grpc.Channel, *metadata: tuple[str, str]) -> str:
    stub = ledger_pb2_grpc.LedgerServiceStub(channel)
    try:
        stub.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), metadata=metadata, timeout=30)
    except grpc.RpcError as err:
        error: AttendingApiError = translate(err)
        return error.reason
    return "OK"


def served(running: Any, key: str = "token_target", client: str | None = None) -> int:
    """The serial number of the certificate that a new connection is shown."""
    host, _colon, port = running.ready.endpoint[key].rpartition(":")
    return _served(host, int(port), Folder(running.embedded.folder), client)


def _served(host: str, port: int, files: Folder, client: str | None = None) -> int:
    context = ssl.create_default_context(cafile=str(files.root / "tls/ca.pem"))
    if client is not None:
        own = files.root / "identities" / client
        context.load_cert_chain(own / "certificate.pem", own / "key.pem")
    import socket

    with (
        socket.create_connection((host, port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        der = secure.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def https_port(running: Any) -> int:
    port = httpx.URL(running.ready.endpoint["log_urls"]["demo"]).port
    assert port is not None
    return port


def test_a_new_certificate_is_served_to_new_connections_and_running_calls_go_on(
    running: Any, files: Folder
) -> None:
    channel = running.channel("demo-auditor")
    watch: Any = health_pb2_grpc.HealthStub(channel)
    stream = watch.Watch(health_pb2.HealthCheckRequest())
    assert next(stream).status == health_pb2.HealthCheckResponse.SERVING
    old = served(running)
    new = serial(files.new_server().certificate)
    assert served(running) == old != new
    assert running.run(running.app.tls.reload()) is True
    shown = [
        served(running),
        served(running, "target", "demo-app"),
        _served("localhost", https_port(running), files),
    ]
    assert shown == [new, new, new]
    assert stream.is_active()
    assert ask(channel) == "OK"
    assert running.run(running.app.tls.reload()) is False
    stream.cancel()
    entry = recorded(running)
    leaf = x509.load_pem_x509_certificates((files.root / "tls/server.pem").read_bytes())[0]
    assert entry.body == {
        "kind": "tls",
        "changed": ["tls_certificate", "tls_key"],
        "certificate_sha256": leaf.fingerprint(hashes.SHA256()).hex(),
        "not_after": stamp(leaf.not_valid_after_utc),
        "revoked": 0,
    }


def recorded(running: Any) -> Any:
    """The newest entry about TLS in the system log."""
    stream = f"tls/{running.app.owner}"
    entries = running.run(running.app.ledger.stream_entries(SYSTEM_LOG, stream))
    assert {entry.type for entry in entries} == {"key.rotated"}
    return entries[-1]


def test_a_ledger_that_takes_no_entry_does_not_keep_a_revocation_out(running: Any, files: Folder) -> None:
    async def fails(_change: TlsChange) -> None:
        raise OSError

    tls, channel = running.app.tls, running.channel("demo-auditor")
    assert ask(channel) == "OK"
    kept, tls.on_change = tls.on_change, fails
    files.revoke("demo-auditor")
    assert running.run(tls.reload()) is True
    tls.on_change = kept
    assert ask(channel) == "INVALID_CREDENTIAL"


def test_a_revoked_client_loses_access_on_its_open_connections(running: Any, files: Folder) -> None:
    revoked, other = running.channel("demo-auditor"), running.channel("demo-operator")
    own = files.root / "identities/demo-auditor"
    context = ssl.create_default_context(cafile=str(files.root / "tls/ca.pem"))
    context.load_cert_chain(own / "certificate.pem", own / "key.pem")
    url = running.ready.endpoint["log_urls"]["demo"] + "/checkpoint"
    with httpx.Client(verify=context, trust_env=False, timeout=30) as http:
        assert [ask(revoked), ask(other)] == ["OK", "OK"]
        assert http.get(url).status_code in (200, 503)  # 503: not published yet
        files.revoke("demo-auditor")
        running.run(running.app.tls.reload())
        assert [ask(revoked), ask(other)] == ["INVALID_CREDENTIAL", "OK"]
        body = recorded(running).body
        assert (body["changed"], body["revoked"]) == (["client_crl"], 1)
        refused = http.get(url)
        assert (refused.status_code, refused.text.split(":")[0]) == (401, "INVALID_CREDENTIAL")
    # On a new connection, too; its service key is another credential.
    assert ask(running.channel("demo-auditor")) == "INVALID_CREDENTIAL"
    bearer = ("authorization", f"Bearer {running.token('demo-auditor')}")
    assert ask(running.token_channel(), bearer) == "OK"
    assert ask(revoked, bearer) == "INVALID_CREDENTIAL"


def test_a_revoked_client_loses_the_stream_that_it_has_under_way(running: Any, files: Folder) -> None:
    ended = threading.Event()

    def messages() -> Iterator[ledger_pb2.AppendStreamRequest]:
        yield ledger_pb2.AppendStreamRequest(open=ledger_pb2.AppendStreamRequest.Open(emitter="em-1"))
        ended.wait(30)

    channel = running.channel("demo-app")
    stream = ledger_pb2_grpc.LedgerServiceStub(channel).AppendStream(messages(), timeout=30)
    stream.add_callback(ended.set)
    assert next(stream).opened.max_in_flight
    files.revoke("demo-app")
    running.run(running.app.tls.reload())
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    assert translate(caught.value).reason == "INVALID_CREDENTIAL"


def test_a_list_that_has_run_out_lets_nobody_in_by_certificate(running: Any, files: Folder) -> None:
    channel = running.channel("demo-auditor")
    files.revoke("demo-operator", until=NOW - timedelta(seconds=1))
    assert running.run(running.app.tls.reload()) is True
    assert ask(channel) == "REVOCATION_UNKNOWN"
    assert ask(running.channel("demo-operator")) == "INVALID_CREDENTIAL"
    bearer = ("authorization", f"Bearer {running.token('demo-auditor')}")
    assert ask(running.token_channel(), bearer) == "OK"
    files.revoke()
    running.run(running.app.tls.reload())
    assert ask(channel) == "OK"


def test_other_authorities_are_taken_over(running: Any, files: Folder) -> None:
    authority = new_authority("Successor", NOW)
    pair = issue_client(authority, "demo-auditor", certificate_uri("demo-auditor"), NOW)
    ca = (files.root / "tls/ca.pem").read_bytes()
    target = running.ready.endpoint["target"]

    def successor() -> str:
        credentials = grpc.ssl_channel_credentials(ca, pair.key, pair.certificate)
        with grpc.secure_channel(target, credentials) as channel:
            return ask(channel)

    assert successor() == "SERVER_UNREACHABLE"
    (files.root / "tls/ca.pem").write_bytes(authority.certificate)
    files.crl.write_bytes(revocation_list(authority))
    assert running.run(running.app.tls.reload()) is True
    assert successor() == "OK"
    own = files.root / "identities/demo-app"
    old = grpc.ssl_channel_credentials(
        ca, (own / "key.pem").read_bytes(), (own / "certificate.pem").read_bytes()
    )
    with grpc.secure_channel(target, old) as channel:
        assert ask(channel) == "SERVER_UNREACHABLE"
    context = ssl.create_default_context(cadata=ca.decode())
    context.load_cert_chain(own / "certificate.pem", own / "key.pem")
    with (
        httpx.Client(verify=context, trust_env=False, timeout=30) as http,
        pytest.raises(httpx.TransportError),
    ):
        http.get(running.ready.endpoint["log_urls"]["demo"] + "/checkpoint")


def nonsense(name: str) -> Callable[[Folder], object]:
    return lambda files: (files.root / "tls" / name).write_bytes(b"nonsense")


def other_key(files: Folder) -> None:
    pair = issue_server(files.authority, ["localhost"], NOW)
    (files.root / "tls/server.key").write_bytes(pair.key)


def foreign_list(files: Folder) -> None:
    """By an authority of the same name."""
    name = x509.load_pem_x509_certificate(files.authority.certificate).subject
    foreign = new_authority(str(name.rdns[0].rfc4514_string()).removeprefix("CN="), NOW)
    files.crl.write_bytes(revocation_list(foreign))


BROKEN: list[tuple[str, Callable[[Folder], object]]] = [
    ("TLS_CERTIFICATE_BROKEN", nonsense("server.pem")),
    ("TLS_KEY_BROKEN", nonsense("server.key")),
    ("TLS_CLIENT_CA_BROKEN", nonsense("ca.pem")),
    ("CRL_NOT_READABLE", nonsense("ca.crl")),
    ("TLS_KEY_DOES_NOT_FIT", other_key),
    ("TLS_CERTIFICATE_EXPIRED", lambda files: files.new_server(NOW - timedelta(days=500))),
    ("TLS_KEY_OPEN_TO_OTHERS", lambda files: (files.root / "tls/server.key").chmod(0o644)),
    ("TLS_FILE_NOT_READABLE", lambda files: files.crl.unlink()),
    ("TLS_FILE_NOT_READABLE", lambda files: (files.root / "tls/server.key").unlink()),
    ("CRL_NOT_BY_CLIENT_CA", foreign_list),
    ("CRL_FROM_THE_FUTURE", lambda files: files.revoke(since=NOW + HOUR, until=NOW + 2 * HOUR)),
    ("CRL_NOT_UNDERSTOOD", lambda files: files.revoke(critical=True)),
]


@pytest.mark.parametrize(("problem", "spoil"), BROKEN)
async def test_broken_files_keep_the_old_ones_and_are_told(
    folder: Folder, problem: str, spoil: Callable[[Folder], object]
) -> None:
    config = prepare(folder.root, providers=[], overrides={"server": LISTS}).config.server
    tls = Tls(config)
    tls.load()
    before, kept = tls.material, {p: p.read_bytes() for p in (folder.root / "tls").iterdir()}
    spoil(folder)
    with capture_logs() as told:
        for _again in range(2):  # told once, not at every look
            assert await tls.reload() is False
    assert tls.material is before
    assert [line.get("reason") for line in told if line["event"] == "tls.not_reloaded"] == [problem]
    for path, data in kept.items():
        path.write_bytes(data)
        path.chmod(0o600)
    assert await tls.reload() is False
    new = folder.new_server()
    assert await tls.reload() is True
    assert tls.material.certificate == new.certificate
    assert tls.material.expires == x509.load_pem_x509_certificate(new.certificate).not_valid_after_utc


async def test_files_that_have_not_changed_are_not_parsed_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepare(folder.root, providers=[], overrides={"server": LISTS}).config.server
    tls = Tls(config)
    tls.load()

    def parsed(*_arguments: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("attending.server.tls.list_of", parsed)
    assert await tls.reload() is False
    folder.revoke("demo-app")
    with pytest.raises(AssertionError, match="parsed"):
        await tls.reload()


async def test_a_reload_that_could_not_be_recorded_is_recorded_later_and_in_order(folder: Folder) -> None:
    config = prepare(folder.root, providers=[], overrides={"server": LISTS}).config.server
    moment = NOW
    tls = Tls(config, lambda: moment)
    tls.load()
    away, recorded = True, []

    async def record(change: TlsChange) -> None:
        if away:
            raise StoreUnavailable("away")
        recorded.append((change.changed, change.loaded))

    tls.on_change = record
    folder.revoke("demo-app")
    assert await tls.reload() is True
    moment += timedelta(minutes=1)
    folder.new_server()
    assert await tls.reload() is True
    await tls.tell()
    assert recorded == []
    away = False
    await tls.tell()
    await tls.tell()
    assert recorded == [
        (("client_crl",), NOW),
        (("tls_certificate", "tls_key"), NOW + timedelta(minutes=1)),
    ]


def test_a_server_does_not_start_with_lists_that_are_not_to_go_by(folder: Folder) -> None:
    config = prepare(folder.root, providers=[], overrides={"server": LISTS}).config.server
    foreign_list(folder)
    with pytest.raises(ConfigurationError) as caught:
        Tls(config).load()
    assert caught.value.reason == "TLS_FILES"
    assert "server.client_crl" in caught.value.problem


async def test_files_are_looked_at_by_themselves_and_on_a_signal(folder: Folder) -> None:
    for how in ("poll", "signal"):
        seconds = 0.1 if how == "poll" else 3600.0
        config = prepare(
            folder.root, port=0, token_port=0, providers=[], overrides={"server": {"reload_seconds": seconds}}
        ).config
        ready, stop = asyncio.Event(), asyncio.Event()
        at: dict[str, int] = {}

        def on_ready(_app: Any, endpoints: Any, at: Any = at, ready: asyncio.Event = ready) -> None:
            at["port"] = endpoints.token_port
            ready.set()

        server = asyncio.create_task(serve(config, components=[], on_ready=on_ready, stop=stop))
        await ready.wait()
        new = serial(folder.new_server().certificate)
        if how == "signal":
            os.kill(os.getpid(), signal.SIGHUP)
        while await asyncio.to_thread(_served, "localhost", at["port"], folder) != new:
            await asyncio.sleep(0.05)
        stop.set()
        await server


# --- lists and the directory, with an injected clock -------------------------------------------------------------


def certificates(authority: Pair) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(authority.certificate)


def client(authority: Pair, name: str = "someone") -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        issue_client(authority, name, f"spiffe://x/{name}", NOW).certificate
    )


def test_lists_in_both_forms_and_the_newest_of_an_authority() -> None:
    authority, stranger = new_authority("CA", NOW), new_authority("Another CA", NOW)
    five, seven = client(authority), client(authority)
    pem = revocation_list(authority, five.serial_number, since=NOW - 2 * HOUR)
    der = x509.load_pem_x509_crl(revocation_list(authority, seven.serial_number)).public_bytes(Encoding.DER)
    old, new = (read_list(data, certificates(authority), NOW) for data in (pem, der))
    assert [set(one.serials) for one in (old, new)] == [{five.serial_number}, {seven.serial_number}]
    for both in ([old, new], [new, old]):
        found = Revocations(both, certificates(authority))
        assert [found.verdict(one, NOW) for one in (five, seven)] == ["good", "revoked"]
        assert found.verdict(five, new.next_update) == "out_of_date"
        assert found.verdict(seven, new.next_update) == "revoked"
        assert found.verdict(client(stranger), NOW) == "no_list"


def test_two_authorities_of_one_name_have_a_list_each() -> None:
    """As while an authority goes over to a new key: the newer list is not the other's."""
    before, after = new_authority("CA", NOW), new_authority("CA", NOW)
    both = [*certificates(before), *certificates(after)]
    one, other = client(before), client(after)
    old = read_list(revocation_list(before, one.serial_number, since=NOW - 2 * HOUR), both, NOW)
    new = read_list(revocation_list(after, one.serial_number), both, NOW)
    for lists in ([old, new], [new, old]):
        found = Revocations(lists, both)
        assert [found.verdict(c, NOW) for c in (one, other)] == ["revoked", "good"]
    assert [Revocations([new], both).verdict(c, NOW) for c in (one, other)] == ["no_list", "good"]
    # A serial number is one authority's own, too.
    assert Revocations([old, new], both).verdict(client(before), NOW) == "good"
    # A renewed certificate with the key that it had is the same authority.
    renewed = [*certificates(_renewed(before)), *certificates(after)]
    assert Revocations([old, new], renewed).verdict(one, NOW) == "revoked"


def _renewed(authority: Pair) -> Pair:
    old = certificates(authority)[0]
    key: Any = load_pem_private_key(authority.key, None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.subject)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=9))
    )
    return Pair(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), authority.key)


def test_a_changed_list_and_an_authority_that_may_not_sign_any() -> None:
    authority = new_authority("CA", NOW)
    authorities = x509.load_pem_x509_certificates(authority.certificate)
    der = bytearray(x509.load_pem_x509_crl(revocation_list(authority, 5)).public_bytes(Encoding.DER))
    der[-1] ^= 1
    leaf = issue_client(authority, "CA", "spiffe://x/ca", NOW)
    by_leaf = revocation_list(Pair(leaf.certificate, leaf.key))
    with_leaf = [*authorities, x509.load_pem_x509_certificate(leaf.certificate)]
    for data, given in ((bytes(der), authorities), (by_leaf, with_leaf)):
        with pytest.raises(ListRefused) as caught:
            read_list(data, given, NOW)
        assert str(caught.value) == "CRL_NOT_BY_CLIENT_CA"


async def test_an_authority_without_a_list_lets_nobody_in_once_there_are_lists() -> None:
    authority, other = new_authority("CA", NOW), new_authority("Other CA", NOW)
    trusted = [*certificates(authority), *certificates(other)]
    lists = Revocations([read_list(revocation_list(other), trusted, NOW)], trusted)
    person = IdentitySection.model_validate(
        {
            "name": "someone",
            "tenant": "demo",
            "kind": "human",
            "roles": ["auditor"],
            "certificate_uri": ["spiffe://x/someone"],
        }
    )
    directory = Directory([person], revocation=lambda certificate: lists.verdict(certificate, NOW))
    good = issue_client(other, "someone", "spiffe://x/someone", NOW).certificate
    assert (await directory.authenticate({"x509_pem_cert": [good]}, [])).name == "someone"
    unlisted = issue_client(authority, "someone", "spiffe://x/someone", NOW).certificate
    stranger = issue_client(authority, "stranger", "spiffe://x/stranger", NOW).certificate
    reasons = []
    for certificate in (unlisted, stranger):
        with pytest.raises(AttendingError) as caught:
            await directory.authenticate({"x509_pem_cert": [certificate]}, [])
        reasons.append(caught.value.reason)
    assert reasons == ["REVOCATION_UNKNOWN", "INVALID_CREDENTIAL"]
