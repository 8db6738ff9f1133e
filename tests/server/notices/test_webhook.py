"""A webhook is signed so that an independent library takes it, goes nowhere it should not, and waits for nobody."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attending.server.config import WebhookSection
from attending.server.notices.delivery import NotDelivered
from attending.server.notices.notice import Notice
from attending.server.notices.webhook import Webhook, secret_key, signed_headers
from attending.server.outside.addresses import AddressRefused, is_public, resolve
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.server.notices.conftest import (
    KEY,
    SECRET,
    Gate,
    Receiver,
    secret_file,
    webhook,
)

OTHER = "whsec_" + "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIh"
NOTICE = Notice(
    id="ntc_" + "0" * 32,
    event="item.held",
    tenant="clinic",
    index=7,
    time="2026-11-23T12:00:00.000000Z",
    roles=("clinician",),
    data={"ticket": "tkt_1", "policy": "patient-message", "severity": "major"},
)


async def reason(hook: Webhook) -> str:
    with pytest.raises(NotDelivered) as raised:
        await hook.send(NOTICE)
    await hook.close()
    return raised.value.reason


async def test_an_independent_verifier_takes_it_and_refuses_it_changed(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    gate.clock.moment = datetime.now(UTC)  # the verifier refuses what is old
    hook = webhook(receiver, tmp_path, gate)
    await hook.send(NOTICE)
    await hook.close()
    [(headers, body)] = receiver.got
    payload = Verifier(SECRET).verify(body, headers)
    assert payload == {
        "type": "item.held",
        "timestamp": "2026-11-23T12:00:00.000000Z",
        "data": {
            "tenant": "clinic",
            "entry": 7,
            "ticket": "tkt_1",
            "policy": "patient-message",
            "severity": "major",
            "roles": ["clinician"],
            "link": "https://review.example/items/tkt_1",
        },
    }
    for changed in (
        (body.replace(b"major", b"minor"), headers),
        (body, headers | {"webhook-id": "ntc_" + "1" * 32}),
        (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRET).verify(*changed)
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)


async def test_while_a_secret_is_changed_both_verify(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    gate.clock.moment = datetime.now(UTC)
    hook = webhook(
        receiver,
        tmp_path,
        gate,
        secret_file=secret_file(tmp_path, "new", OTHER),
        previous_secret_file=secret_file(tmp_path, "old"),
    )
    await hook.send(NOTICE)
    # Read at every use: the file is replaced without a restart.
    secret_file(tmp_path, "old", "whsec_" + "A" * 44)
    await hook.send(NOTICE)
    await hook.close()
    (first, body), (second, _body) = receiver.got
    assert Verifier(OTHER).verify(body, first)
    assert Verifier(SECRET).verify(body, first)
    assert Verifier(OTHER).verify(body, second)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body, second)


def test_the_signature_is_over_id_time_and_body() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    headers = signed_headers([KEY], "a", moment, b"{}")
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["webhook-timestamp"] == "1767225600"
    # A dot is no way to shift what belongs to the id into the body.
    assert (
        headers["webhook-signature"]
        != signed_headers([KEY], "a.1767225600", moment, b"")["webhook-signature"]
    )


@pytest.mark.parametrize(
    "text", [b"", b"whsec_", b"0123456789" * 4, b"whsec_!!!!", b"whsec_c2hvcnQ=", b"whsec_" + b"A" * 400]
)
def test_a_secret_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"whsec_|base64|bytes") as raised:
        secret_key(text)
    assert text == b"" or text.decode() not in str(raised.value) or text == b"whsec_"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(301, "REDIRECTED"), (307, "REDIRECTED"), (400, "STATUS_400"), (410, "STATUS_410"), (500, "STATUS_500")],
)
async def test_what_is_not_taken_is_not_delivered_and_no_redirect_is_followed(
    status: int, expected: str, gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.statuses, receiver.headers = [status], {"Location": receiver.url}
    hook = webhook(receiver, tmp_path, gate)
    with pytest.raises(NotDelivered) as raised:
        await hook.send(NOTICE)
    await hook.close()
    assert (raised.value.reason, raised.value.permanent) == (expected, status == 410)
    assert len(receiver.got) == 1


async def test_an_answer_without_end_is_not_read(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    receiver.endless = True
    hook = webhook(receiver, tmp_path, gate)
    await hook.send(NOTICE)
    await hook.close()


async def test_a_receiver_that_never_answers_is_left(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    receiver.hang = asyncio.Event()
    assert await reason(webhook(receiver, tmp_path, gate, timeout_seconds=0.3)) == "TIMEOUT"
    receiver.hang.set()


async def test_nobody_listens(gate: Gate, receiver: Receiver, tmp_path: Path) -> None:
    assert await reason(webhook(receiver, tmp_path, gate, url="http://127.0.0.1:1/hook")) == "UNREACHABLE"


async def test_a_secret_that_others_may_read_is_not_used(
    gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    hook = webhook(receiver, tmp_path, gate)
    (tmp_path / "hook.secret").chmod(0o644)
    assert await reason(hook) == "SECRET_UNREADABLE"
    assert receiver.got == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "127.1", "0", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
async def test_no_way_of_writing_leads_to_a_private_address(
    host: str, gate: Gate, receiver: Receiver, tmp_path: Path
) -> None:
    section = {"url": f"https://{host}:{receiver.port}/hook", "allow_private": False}
    try:
        hook = webhook(receiver, tmp_path, gate, **section)
    except ValidationError as err:
        assert "on this machine" in str(err)  # noqa: PT017 - either is a refusal
        return
    assert await reason(hook) == "PRIVATE_ADDRESS"
    assert receiver.got == []


async def test_a_name_that_resolves_to_this_machine_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await resolve("localhost", 443, allow_private=False)
    assert await resolve("localhost", 443, allow_private=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("10.0.0.1", False),
        ("172.31.255.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::a00:1", False),
        ("::a00:1", False),
        ("::ffff:0:a00:1", False),
        ("fec0::1", False),
        ("2002:a00:1::", False),
        ("2001:0:53aa:64c:0:7d:b9d0:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://pager.example/hook"},
        {"url": "https://user:pass@pager.example/hook"},
        {"url": "https://127.0.0.1/hook"},
        {"url": "ftp://pager.example"},
        {"secret_file": None},
        {"secret_env": "HOOK"},
        {"events": ["item.everything"]},
    ],
)
def test_a_section_that_would_not_do_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    good = {"name": "pager", "url": "https://pager.example/hook", "secret_file": "hook.secret"}
    WebhookSection.model_validate(good, context={"base": tmp_path})
    with pytest.raises(ValidationError):
        WebhookSection.model_validate(good | changes, context={"base": tmp_path})


def test_the_body_is_the_same_whenever_it_is_sent() -> None:
    from attending.server.notices.webhook import body_of

    assert body_of(NOTICE, None) == body_of(NOTICE, None)
    assert "link" not in json.loads(body_of(NOTICE, None))["data"]
