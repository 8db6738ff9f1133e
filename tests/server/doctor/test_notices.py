"""Notices: secrets that are none, addresses inside, receivers that are not there, and mail servers of all kinds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attending.server.config import NoticesSection, RecipientsSection, SmtpSection, WebhookSection
from attending.server.doctor import notices
from attending.server.doctor.check import Finding, Site, State

from tests.server.doctor.sites import site
from tests.server.notices.conftest import secret_file
from tests.server.notices.test_mail import PASSWORD, mail_server


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def configured(folder: Path, **section: object) -> Site:
    made = site(folder)
    return replace(made, config=made.config.model_copy(update={"notices": NoticesSection(**section)}))  # type: ignore[arg-type]


def hook(folder: Path, port: int, **changes: object) -> WebhookSection:
    given = {
        "name": "pager",
        "url": f"http://127.0.0.1:{port}/hook/SECRETPATH",
        "secret_file": secret_file(folder),
        "allow_private": True,
    }
    return WebhookSection(**given | changes)  # type: ignore[arg-type]


def said(found: list[Finding]) -> list[tuple[State, str]]:
    assert "SECRETPATH" not in repr(found), "an address may hold a secret"
    return [(finding.state, finding.reason) for finding in found]


def test_a_receiver_that_is_there(tmp_path: Path, port: int) -> None:
    made = configured(tmp_path, webhook=[hook(tmp_path, port)])
    assert said(list(notices.webhooks(made))) == [(State.GREEN, "OK")]
    assert said(list(notices.mail(made))) == [(State.GREEN, "OK")]


def test_what_is_wrong_is_said(tmp_path: Path, port: int) -> None:
    sections = [
        hook(tmp_path, port, name="a", secret_file=secret_file(tmp_path, "bad", "not a secret")),
        hook(tmp_path, 1, name="b"),
        hook(tmp_path, port, name="c", url="https://2130706433/hook", allow_private=False),
        hook(tmp_path, port, name="d", url=f"https://127.0.0.1:{port}/hook"),
        hook(tmp_path, port, name="e", previous_secret_file=tmp_path / "missing"),
    ]
    assert said(list(notices.webhooks(configured(tmp_path, webhook=sections)))) == [
        (State.RED, "NOTICE_SECRET"),
        (State.GREEN, "OK"),
        (State.RED, "NOTICE_UNREACHABLE"),
        (State.RED, "PRIVATE_ADDRESS"),
        (State.RED, "NOTICE_TLS"),
        (State.RED, "NOTICE_SECRET"),
        (State.WARNING, "PREVIOUS_SECRET"),
        (State.GREEN, "OK"),
    ]


@pytest.mark.parametrize(
    ("password", "expected"), [(PASSWORD, (State.GREEN, "OK")), ("wrong", (State.RED, "MAIL_SIGN_IN"))]
)
async def test_a_mail_server(password: str, expected: tuple[State, str], tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(password)
    file.chmod(0o600)
    async with mail_server(tmp_path) as box:
        smtp = SmtpSection(
            host="127.0.0.1",
            port=box.port,
            ca_file=tmp_path / "ca.pem",
            username="attending",
            password_file=file,
            sender="a@b.example",
            recipients=[RecipientsSection(name="night", to=["c@d.example"])],
        )
        found = await asyncio.to_thread(lambda: list(notices.mail(configured(tmp_path, smtp=smtp))))
        assert said(found)[0] == expected
        assert box.mails == []
    gone = await asyncio.to_thread(lambda: list(notices.mail(configured(tmp_path, smtp=smtp))))
    assert said(gone)[0] == (State.RED, "MAIL_UNREACHABLE")


def test_a_password_of_the_mail_server_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"caf\xe9")
    file.chmod(0o600)
    smtp = SmtpSection(
        host="127.0.0.1",
        port=1,
        username="attending",
        password_file=file,
        sender="a@b.example",
        recipients=[RecipientsSection(name="night", to=["c@d.example"])],
    )
    assert said(list(notices.mail(configured(tmp_path, smtp=smtp))))[0] == (State.RED, "NOTICE_SECRET")
