"""Signing in with a real OpenID Connect provider, and what a browser may bring back that is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import oidc_provider_mock  # type: ignore[import-untyped]
import pytest
import werkzeug.serving
from attending.server.config import ConsoleOidcSection, OidcSection
from attending.server.console.begun import FLOW_SECONDS
from attending.server.console.oidc import CodeFlow
from attending.server.errors import AttendingError

BACK = "http://localhost:8799/sign-in/oidc/idp/back"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    server = werkzeug.serving.make_server("localhost", 0, oidc_provider_mock.app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "client.secret"
    path.write_text("secret\n")
    path.chmod(0o600)
    return path


def made(issuer: str, clock: Clock, secret: Path) -> CodeFlow:
    provider = OidcSection(name="idp", issuer=issuer, audience="attending-api")
    section = ConsoleOidcSection(provider="idp", client_id="console", client_secret_file=secret)
    return CodeFlow(section, provider, lambda: BACK, clock)


async def visit(url: str, subject: str = "00u1") -> dict[str, str]:
    """What a person's browser brings back from the provider."""
    answer = await asyncio.to_thread(lambda: httpx.post(url, data={"sub": subject}))
    location = answer.headers["location"]
    assert location.startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(location).query))


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_somebody_signs_in_once_with_one_code(issuer: str, clock: Clock, secret: Path) -> None:
    flow = made(issuer, clock, secret)
    url, state = await flow.begin("/items/x")
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid"
    brought = await visit(url)
    token, next_path = await flow.finish(brought, state)
    assert (token.issuer, token.subject, next_path) == ("idp", "00u1", "/items/x")
    assert await reason(flow.finish(brought, state)) == "CEREMONY_OVER"
    await flow.close()


async def test_what_another_browser_began_or_too_long_ago_is_nothing(
    issuer: str, clock: Clock, secret: Path
) -> None:
    flow = made(issuer, clock, secret)
    url, state = await flow.begin("/")
    brought = await visit(url)
    # An attacker's code in a victim's browser: it has no such state.
    for cookie in ("", "guess", "\u00e9"):
        assert await reason(flow.finish(brought, cookie)) == "CEREMONY_OVER"
    assert await reason(flow.finish({"code": "x"}, "")) == "CEREMONY_OVER"
    # Asking with a wrong cookie used nothing up.
    assert (await flow.finish(brought, state))[0].subject == "00u1"
    url, state = await flow.begin("/")
    brought = await visit(url)
    clock.ahead = timedelta(seconds=FLOW_SECONDS)
    assert await reason(flow.finish(brought, state)) == "CEREMONY_OVER"
    await flow.close()


async def test_a_code_of_another_sign_in_is_refused(issuer: str, clock: Clock, secret: Path) -> None:
    flow = made(issuer, clock, secret)
    (first, one), (second, two) = await flow.begin("/"), await flow.begin("/")
    mine, other = await visit(first), await visit(second, "00u2")
    # The verifier of PKCE is the other sign-in's, so the provider itself refuses the code.
    assert await reason(flow.finish({**mine, "code": other["code"]}, one)) == "INVALID_CREDENTIAL"
    assert await reason(flow.finish({**other, "iss": "https://evil.example"}, two)) == "INVALID_CREDENTIAL"
    for broken in ({"error": "access_denied"}, {"code": ""}, {"code": "x" * 5000}):
        url, state = await flow.begin("/")
        assert await reason(flow.finish({**await visit(url), **broken}, state)) == "INVALID_CREDENTIAL"
    await flow.close()


async def test_a_provider_that_does_not_answer_lets_nobody_in(clock: Clock, secret: Path) -> None:
    flow = made("http://localhost:9", clock, secret)
    assert await reason(flow.begin("/")) == "IDENTITY_PROVIDER_UNAVAILABLE"
    await flow.close()
