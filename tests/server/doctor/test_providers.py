"""Providers: a local server that lies in every way it can, keys that are missing, files that do not read."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attending.server.doctor import providers
from attending.server.doctor.check import Site, State
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.server.doctor.sites import NOW, look, private, reasons, site

RED, WARNING, UNKNOWN = State.RED, State.WARNING, State.UNKNOWN
PLANTED = "Zebulon Quackenbush-8841973"
KEY = "k-0123456789"
_PUBLIC = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
_X = base64.urlsafe_b64encode(_PUBLIC).rstrip(b"=").decode()
KEYS = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "use": "sig", "x": _X}]}).encode()
DATE = NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")


class Models(BaseHTTPRequestHandler):
    """Answers `GET /<mode>/models`."""

    seen: ClassVar[list[tuple[str, str | None, int]]] = []

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.seen.append((self.path, self.headers.get("Authorization"), length))
        mode = self.path.split("/")[1]
        if mode == "slow":
            time.sleep(3)
        if mode == "redirect":
            self._say(302, b"", {"Location": "/good/models"})
            return
        status = int(mode) if mode.isdecimal() else 200
        bodies = {
            "keys": KEYS,
            "good": b'{"object": "list", "data": [{"id": "a"}, {"id": "b"}]}',
            "old-clock": b'{"data": [{"id": "a"}]}',
            "none": b'{"data": []}',
            "html": f"<html>{PLANTED}</html>".encode(),
            "strange": b'{"data": [{"id": 7}]}',
            "list": b"[1, 2]",
            "deep": b"[" * 100_000,
            "huge": b'{"data": [' + b" " * (providers.MAX_BYTES + 10) + b"]}",
        }
        date = "Thu, 01 Jan 1970 00:00:00 GMT" if mode == "old-clock" else DATE
        self._say(status, bodies.get(mode, PLANTED.encode()), {"Date": date})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: Any) -> None:
        """A caller that hung up is what is being tested."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def remote(folder: Path, url: str, **more: Any) -> Site:
    private(folder / "api.key", KEY.encode())
    section = {"name": "m", "kind": "openai", "base_url": url, "api_key_file": "api.key", **more}
    return site(folder, providers=[section])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("good", {}),
        ("401", {"PROVIDER_CREDENTIAL": RED}),
        ("403", {"PROVIDER_CREDENTIAL": RED}),
        ("404", {"PROVIDER_LISTS_NO_MODELS": UNKNOWN}),
        ("429", {"PROVIDER_RATE_LIMITED": WARNING}),
        ("503", {"PROVIDER_UNAVAILABLE": RED}),
        ("redirect", {"PROVIDER_UNAVAILABLE": RED}),
        ("none", {"PROVIDER_NO_MODEL": RED}),
        ("html", {"PROVIDER_BAD_REPLY": RED}),
        ("strange", {"PROVIDER_BAD_REPLY": RED}),
        ("list", {"PROVIDER_BAD_REPLY": RED}),
        ("deep", {"PROVIDER_BAD_REPLY": RED}),
        ("huge", {"PROVIDER_BAD_REPLY": RED}),
        ("old-clock", {"CLOCK_DIFFERS": WARNING}),
    ],
)
def test_what_a_provider_answers(tmp_path: Path, base: str, mode: str, expected: dict[str, State]) -> None:
    at = remote(tmp_path, f"{base}/{mode}")
    Models.seen.clear()
    assert reasons("providers:remote", at) == expected
    # One question, with the key and nothing else; and nothing of the answer or the key is told.
    assert Models.seen == [(f"/{mode}/models", f"Bearer {KEY}", 0)]
    told = repr(look("providers:remote", at))
    assert PLANTED not in told
    assert KEY not in told


def test_a_provider_that_takes_its_time(tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "ASK_SECONDS", 0.3)
    assert reasons("providers:remote", remote(tmp_path, f"{base}/slow")) == {"PROVIDER_TIMEOUT": RED}


def test_a_provider_that_is_not_there_not_trusted_or_in_clear(tmp_path: Path, base: str) -> None:
    assert reasons("providers:remote", remote(tmp_path, "http://127.0.0.1:1/v1")) == {
        "PROVIDER_UNREACHABLE": RED
    }
    assert reasons("providers:remote", remote(tmp_path, "http://llm.example/v1")) == {
        "PROVIDER_WITHOUT_TLS": RED
    }
    assert reasons("providers:remote", remote(tmp_path, f"https{base[4:]}/v1")) == {"PROVIDER_TLS": RED}


def test_a_provider_without_a_key(tmp_path: Path) -> None:
    at = remote(tmp_path, "http://127.0.0.1:1/v1")
    (tmp_path / "api.key").unlink()
    assert reasons("providers:remote", at) == {"API_KEY": RED}


def test_providers_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reasons("providers:local", site(tmp_path)) == {"NO_PROVIDER": WARNING}
    replay = {"name": "r", "kind": "replay", "replay_file": "r.jsonl"}
    at = site(tmp_path, providers=[replay, {"name": "e", "kind": "embedded"}])
    assert reasons("providers:remote", at) == {}
    assert reasons("providers:local", at) == {"REPLAY_FILE": RED}
    (tmp_path / "r.jsonl").write_text('{"name": "a", "output": "text"}\n')
    assert reasons("providers:local", at) == {}
    (tmp_path / "r.jsonl").write_text('{"name": "a"}\n')
    assert reasons("providers:local", at) == {"REPLAY_FILE": RED}
    (tmp_path / "r.jsonl").write_text("")
    from attending.server.providers import embedded_host

    def missing() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(embedded_host, "weights_path", missing)
    assert reasons("providers:local", at) == {"MODEL_MISSING": RED}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"NO_AGREEMENT": WARNING}),
        ({"phi_agreement": "BAA-1"}, {}),
        ({"phi_agreement": "BAA-1", "phi_agreement_expires": NOW + timedelta(days=90)}, {}),
        (
            {"phi_agreement": "BAA-1", "phi_agreement_expires": NOW + timedelta(days=9)},
            {"AGREEMENT_EXPIRES": WARNING},
        ),
        (
            {"phi_agreement": "BAA-1", "phi_agreement_expires": NOW - timedelta(days=1)},
            {"AGREEMENT_EXPIRED": RED},
        ),
    ],
)
def test_agreements(tmp_path: Path, more: dict[str, Any], expected: dict[str, State]) -> None:
    assert reasons("agreements:agreements", remote(tmp_path, "https://m.example/v1", **more)) == expected


@pytest.mark.parametrize(("residency", "found"), [(["DE"], False), (["US"], True), ([], True)])
def test_a_provider_outside_the_places_of_a_tenant(tmp_path: Path, residency: list[str], found: bool) -> None:
    given = {"phi_agreement": "BAA-1", "residency": residency}
    at = remote(tmp_path, "https://m.example/v1", **given)
    tenants = [one.model_copy(update={"allowed_residency": ["EU"]}) for one in at.config.tenants]
    at = replace(at, config=at.config.model_copy(update={"tenants": tenants}))
    # Told once, by the check of places: agreements are another matter.
    assert reasons("agreements:agreements", at) == {}
    told = set(reasons("agreements:residency", at))
    assert bool(told & {"RESIDENCY_NOT_PERMITTED", "NO_PROVIDER_PERMITTED"}) == found


def test_a_key_file_that_others_may_read_does_not_hide_the_next_provider(tmp_path: Path) -> None:
    at = remote(tmp_path, "https://m.example/v1")
    second = {"name": "n", "kind": "openai", "base_url": "http://m.example/v1", "api_key_file": "api.key"}
    first = {"name": "m", "kind": "openai", "base_url": "https://m.example/v1", "api_key_file": "api.key"}
    (tmp_path / "api.key").chmod(0o644)
    at = site(tmp_path, providers=[first, second])
    assert reasons("providers:remote", at) == {"API_KEY": RED, "PROVIDER_WITHOUT_TLS": RED}


def test_identity_providers(tmp_path: Path, base: str) -> None:
    def oidc(mode: str) -> Site:
        section = {"name": "h", "issuer": base, "audience": "a", "jwks_uri": f"{base}/{mode}/models"}
        return site(tmp_path, oidc=[section])

    assert reasons("providers:identity", site(tmp_path)) == {}
    assert reasons("providers:identity", oidc("keys")) == {}
    for mode in ("html", "good", "503", "redirect"):
        assert reasons("providers:identity", oidc(mode)) == {"IDENTITY_PROVIDER_UNAVAILABLE": RED}
    assert PLANTED not in repr(look("providers:identity", oidc("html")))


def test_no_agreement_is_needed_on_this_machine(tmp_path: Path) -> None:
    at = site(tmp_path, providers=[{"name": "e", "kind": "embedded"}])
    assert reasons("agreements:agreements", at) == {}


def test_residency(tmp_path: Path) -> None:
    def found(allowed: list[str], *residencies: list[str]) -> dict[str, State]:
        private(tmp_path / "api.key", b"k")
        section = {"kind": "openai", "base_url": "https://m.example/v1", "api_key_file": "api.key"}
        providers = [{**section, "name": f"m{n}", "residency": one} for n, one in enumerate(residencies)]
        tenants = [{"name": "st-mary", "allowed_residency": allowed}]
        return reasons("agreements:residency", site(tmp_path, providers=providers, tenants=tenants))

    assert found([], []) == {}
    assert found(["EU"], ["DE"]) == {}
    assert found(["EU"], ["DE"], ["US"]) == {"RESIDENCY_NOT_PERMITTED": WARNING}
    assert found(["EU"], []) == {"NO_PROVIDER_PERMITTED": RED}


def test_retention(tmp_path: Path) -> None:
    def rules(*given: tuple[str, int]) -> Site:
        listed = [{"entries": entries, "days": days} for entries, days in given]
        return site(tmp_path, storage={"retention": listed})

    assert reasons("agreements:retention", rules()) == {}
    assert reasons("agreements:retention", rules(("inference.*", 2190), ("review.*", 3650))) == {}
    idle = rules(("inference.released", 200), ("inference.*", 2190))
    assert reasons("agreements:retention", idle) == {"RETENTION_RULE_IDLE": WARNING}
