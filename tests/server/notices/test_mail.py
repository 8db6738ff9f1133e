"""Mail goes out under TLS or not at all, to those whose roles it concerns, and no value can end a header."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from attending.server.bootstrap.certificates import issue_server, new_authority
from attending.server.config import RecipientsSection, SmtpSection
from attending.server.notices.delivery import NotDelivered
from attending.server.notices.mail import Mail, message_of
from attending.server.notices.notice import TEST
from pydantic import ValidationError

from tests.server.inference.conftest import Clock
from tests.server.notices.test_webhook import NOTICE

PASSWORD = "correct horse"


class Box:
    """What a mail server took, and how it was spoken to."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.refused: set[str] = set()
        self.port = 0

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, to: str, _o: Any) -> str:
        if to in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


@asynccontextmanager
async def mail_server(folder: Path, *, starttls: bool = True) -> AsyncIterator[Box]:
    now = datetime.now(UTC)
    authority = new_authority("test authority", now)
    leaf = issue_server(authority, ["localhost", "127.0.0.1"], now)
    (folder / "ca.pem").write_bytes(authority.certificate)
    (folder / "leaf.pem").write_bytes(leaf.certificate + leaf.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "leaf.pem")
    box = Box()

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    def make() -> SMTP:
        return SMTP(
            box,
            tls_context=context if starttls else None,
            auth_required=starttls,
            authenticator=check,
            enable_SMTPUTF8=False,
        )

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


def mail(box: Box, folder: Path, *, roles: tuple[str, ...] = (), **changes: Any) -> Mail:
    password = folder / "mail.password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    recipients = RecipientsSection(
        name="night", to=["night@hospital.example", "two@hospital.example"], roles=list(roles)
    )
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": box.port,
        "ca_file": folder / "ca.pem",
        "username": "attending",
        "password_file": password,
        "sender": "attending@hospital.example",
        "recipients": [recipients],
    }
    return Mail(SmtpSection(**given | changes), recipients, "https://review.example", Clock())


async def test_it_is_handed_over_under_tls_with_a_password(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as box:
        await mail(box, tmp_path).send(NOTICE)
        await mail(box, tmp_path).send(NOTICE)
    assert box.encrypted == [True, True]
    [first, second] = box.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{NOTICE.id}@hospital.example>"
    assert first["Subject"] == "[attending clinic] An item waits for review"
    assert first["Auto-Submitted"] == "auto-generated"
    assert box.envelopes[0].rcpt_tos == ["night@hospital.example", "two@hospital.example"]
    text = first.get_payload()
    assert isinstance(text, str)
    assert "ticket: tkt_1" in text
    assert "https://review.example/items/tkt_1" in text


async def test_a_server_without_starttls_is_told_nothing(tmp_path: Path) -> None:
    async with mail_server(tmp_path, starttls=False) as box:
        with pytest.raises(NotDelivered):
            await mail(box, tmp_path).send(NOTICE)
        assert box.mails == []
        # On this machine it can be configured to go without.
        await mail(box, tmp_path, tls="none", username=None, password_file=None, ca_file=None).send(NOTICE)
    assert box.encrypted == [False]


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as box:
        with pytest.raises(NotDelivered) as raised:
            await mail(box, tmp_path, ca_file=None).send(NOTICE)
    assert raised.value.reason == "UNREACHABLE"
    assert box.mails == []


async def test_a_wrong_password(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as box:
        one = mail(box, tmp_path)
        (tmp_path / "mail.password").write_text("wrong")
        with pytest.raises(NotDelivered) as raised:
            await one.send(NOTICE)
    assert raised.value.reason == "SIGN_IN_REFUSED"


async def test_a_mailbox_that_is_refused_is_not_passed_over(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as box:
        box.refused = {"two@hospital.example"}
        with pytest.raises(NotDelivered) as raised:
            await mail(box, tmp_path).send(NOTICE)
    assert raised.value.reason == "RECIPIENTS_REFUSED"
    assert len(box.mails) == 1


async def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    async with mail_server(tmp_path):

        async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(30)
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        box = Box()
        box.port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotDelivered) as raised:
            await mail(box, tmp_path, timeout_seconds=0.3).send(NOTICE)
        server.close()
    assert raised.value.reason == "TIMEOUT"


def test_only_whom_it_concerns_is_told(tmp_path: Path) -> None:
    box = Box()
    box.port = 25
    (tmp_path / "ca.pem").write_bytes(new_authority("a", datetime.now(UTC)).certificate)
    pharmacists = mail(box, tmp_path, roles=("pharmacist",))
    assert not pharmacists.wants(NOTICE)
    assert pharmacists.wants(replace(NOTICE, roles=("clinician", "pharmacist")))
    assert pharmacists.wants(replace(NOTICE, event=TEST, roles=()))
    assert mail(box, tmp_path).wants(NOTICE)


def test_no_value_ends_a_header() -> None:
    hostile = replace(NOTICE, tenant="clinic\r\nBcc: all@evil.example")
    with pytest.raises(ValueError, match=r"(?i)header|linefeed|newline"):
        message_of(hostile, "a@b.example", ["c@d.example"], None, datetime.now(UTC))


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example,c@d.example",
        "Dr <a@b.example>",
        "a@b.example\n",
        "a b@c.example",
        "a@",
        "ä@b.example",
    ],
)
def test_an_address_that_is_more_than_one_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        RecipientsSection(name="night", to=[address])


def test_mail_in_the_clear_is_for_this_machine() -> None:
    recipients = [RecipientsSection(name="night", to=["a@b.example"])]
    with pytest.raises(ValidationError):
        SmtpSection(host="mail.example", tls="none", sender="a@b.example", recipients=recipients)
