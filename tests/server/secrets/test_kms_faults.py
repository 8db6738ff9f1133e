"""A KMS that is gone, lies, or refuses; against botocore and real HTTP."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from attending.ledger.errors import KeyStoreRefused, KeyStoreUnavailable
from attending.server.errors import ConfigurationError
from attending.server.secrets.aws_kms import AwsKmsWrapper

from tests.server.secrets.conftest import new_kms_key

PLACE = {"log": "clinic", "key": "kek"}
pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def liar() -> Iterator[tuple[str, dict[str, Any]]]:
    """An endpoint that answers whatever it is told to."""
    said: dict[str, Any] = {"status": 200, "body": b"{}"}
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if said["body"] is None:
                stop.wait(20)
                return
            self.send_response(said["status"])
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(said["body"])))
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", said
    stop.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b"<html>"),
        (200, b'{"CiphertextBlob": 7, "Plaintext": []}'),
        (200, b'{"CiphertextBlob": "", "Plaintext": ""}'),
        (500, b'{"__type": "KMSInternalException"}'),
        (503, b"busy"),
        (400, b'{"__type": "ThrottlingException"}'),
        (400, b'{"__type": "KeyUnavailableException"}'),
        (200, None),
    ],
)
def test_no_useful_answer_is_unavailable(
    liar: tuple[str, dict[str, Any]], status: int, body: bytes | None
) -> None:
    url, said = liar
    said.update(status=status, body=body)
    wrapper = AwsKmsWrapper("key", "eu-central-1", endpoint_url=url, timeout_seconds=1)
    for call in (wrapper.wrap, wrapper.unwrap, wrapper.rewrap):
        with pytest.raises(KeyStoreUnavailable):
            call(b"bytes", PLACE)


@pytest.mark.parametrize("kind", ["AccessDeniedException", "DisabledException", "ExpiredTokenException"])
def test_an_answer_of_no_is_refused(liar: tuple[str, dict[str, Any]], kind: str) -> None:
    url, said = liar
    said.update(status=400, body=b'{"__type": "%b"}' % kind.encode())
    wrapper = AwsKmsWrapper("key", "eu-central-1", endpoint_url=url, timeout_seconds=1)
    for call in (wrapper.wrap, wrapper.unwrap, wrapper.rewrap):
        with pytest.raises(KeyStoreRefused) as caught:
            call(b"bytes", PLACE)
        assert kind in str(caught.value)


def test_one_that_is_gone_is_unavailable() -> None:
    wrapper = AwsKmsWrapper("key", "eu-central-1", endpoint_url="http://127.0.0.1:9", timeout_seconds=1)
    with pytest.raises(KeyStoreUnavailable):
        wrapper.wrap(b"secret", PLACE)


def test_a_key_that_is_disabled_or_unknown_is_refused(kms_endpoint: str) -> None:
    key = new_kms_key(kms_endpoint)
    wrapper = AwsKmsWrapper(key, "eu-central-1", endpoint_url=kms_endpoint)
    wrapper.wrap(b"secret", PLACE)
    session: Any = importlib.import_module("botocore.session").Session()
    client = session.create_client("kms", region_name="eu-central-1", endpoint_url=kms_endpoint)
    client.disable_key(KeyId=key)
    unknown = AwsKmsWrapper("0" * 8, "eu-central-1", endpoint_url=kms_endpoint)
    with pytest.raises(KeyStoreRefused):
        unknown.wrap(b"secret", PLACE)


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    wrapper = AwsKmsWrapper("key", "eu-central-1", endpoint_url="http://127.0.0.1:9", timeout_seconds=1)
    with pytest.raises(KeyStoreRefused):
        wrapper.wrap(b"secret", PLACE)


def test_an_endpoint_that_is_none_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        AwsKmsWrapper("key", "eu-central-1", endpoint_url="nonsense")
