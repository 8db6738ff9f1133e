"""A provider's keys: rotation while running, outages, and key servers that lie."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import oidc_provider_mock  # type: ignore[import-untyped]
import pytest
import werkzeug.serving
from attending.server import clock
from attending.server.auth.oidc.provider import (
    MIN_SECONDS_BETWEEN,
    WAITING,
    Provider,
)
from attending.server.auth.oidc.token import TokenRefused, TokenVerifier
from attending.server.config import OidcSection
from attending.server.errors import AttendingError
from authlib import jose  # type: ignore[import-untyped]

from tests.server.auth.oidc_world import NOW, KeyServer, claims, key_server, new_key, token

KEY = new_key()


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as running:
        running.keys = [KEY.jwk]
        yield running


class Clocked:
    """A provider whose clock is `seconds`."""

    def __init__(self, server: KeyServer, **section: Any) -> None:
        self.server = server
        self.seconds = 1000.0
        self.provider = Provider(server.section(**section), monotonic=lambda: self.seconds)
        self.verifier = TokenVerifier([], lambda: NOW, providers=[self.provider])

    async def ask(self, key: Any = KEY) -> str:
        try:
            await self.verifier.verify(token(key, claims(self.server.url)))
        except TokenRefused as err:
            return err.detail
        except AttendingError as err:
            return err.reason if err.retry_after_seconds else "NO_RETRY_TIME"
        return "OK"


@pytest.fixture
async def clocked(server: KeyServer) -> AsyncIterator[Clocked]:
    made = Clocked(server)
    yield made
    await made.verifier.close()


# --- a real provider ---------------------------------------------------------------------------------------------


class RealProvider:
    """oidc-provider-mock: authorization code flow, discovery, one RSA key."""

    def __init__(self, server: Any, storage: dict[str, Any]) -> None:
        self.url = f"http://localhost:{server.server_port}"
        self._storage = storage

    def id_token(self, subject: str, client: str) -> str:
        """What a browser and an application would go through."""
        where = {"client_id": client, "redirect_uri": "http://localhost/cb", "response_type": "code"}
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            answer = http.post(
                "/oauth2/authorize", params={**where, "scope": "openid"}, data={"sub": subject}
            )
            code = re.search(r"code=([^&]+)", answer.headers["location"])
            assert code is not None
            form = {
                "grant_type": "authorization_code",
                "code": code[1],
                "redirect_uri": where["redirect_uri"],
            }
            answer = http.post("/oauth2/token", data=form, auth=(client, "secret"))
            answer.raise_for_status()
            return str(answer.json()["id_token"])

    def rotate(self) -> None:
        self._storage["now"].jwk = jose.RSAKey.generate_key(is_private=True)


@contextmanager
def real_provider() -> Iterator[RealProvider]:
    import flask

    app = oidc_provider_mock.app()
    storage: dict[str, Any] = {}

    @app.before_request
    def remember() -> None:
        storage["now"] = flask.g.oidc_provider_mock_storage

    server = werkzeug.serving.make_server("localhost", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield RealProvider(server, storage)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


async def test_a_real_provider_rotates_its_key_while_we_run() -> None:
    with real_provider() as real:
        seconds = 1000.0
        section = OidcSection(name="idp", issuer=real.url, audience="attending")
        provider = Provider(section, monotonic=lambda: seconds)
        verifier = TokenVerifier([], providers=[provider])

        async def id_token(client: str = "attending") -> str:
            return await asyncio.to_thread(real.id_token, "dr-rivera", client)

        async def refusal(text: str) -> str:
            with pytest.raises(TokenRefused) as caught:
                await verifier.verify(text)
            return caught.value.detail

        first = await id_token()
        verified = await verifier.verify(first)
        assert (verified.issuer, verified.subject) == ("idp", "dr-rivera")
        assert not verified.expired(clock.now())
        verifier.require_listed(verified)
        assert await refusal(await id_token("another-client")) == "WRONG_AUDIENCE"
        real.rotate()
        second = await id_token()
        seconds += MIN_SECONDS_BETWEEN
        assert (await verifier.verify(second)).subject == "dr-rivera"
        # The old key is gone with the fetch that the new one made.
        assert await refusal(first) == "WRONG_SIGNATURE"
        with pytest.raises(TokenRefused):
            verifier.require_listed(verified)
        assert provider.status().keys == 1
        await verifier.close()


async def test_keys_are_refreshed_in_the_background(server: KeyServer) -> None:
    section = server.section(refresh_seconds=5.0, max_age_seconds=10.0)
    provider = Provider(section.model_copy(update={"refresh_seconds": 0.05}))
    verifier = TokenVerifier([], lambda: NOW, providers=[provider])
    verifier.start()
    while len(server.asked) < 6:
        await asyncio.sleep(0.01)
    new = new_key(kid="k2")
    server.keys = [new.jwk]
    seen = len(server.asked)
    while len(server.asked) < seen + 4:
        await asyncio.sleep(0.01)
    with pytest.raises(TokenRefused) as caught:
        await verifier.verify(token(KEY, claims(server.url)))
    assert caught.value.detail == "UNKNOWN_KEY"
    assert (await verifier.verify(token(new, claims(server.url)))).subject == "00u1"
    await verifier.close()


# --- outages and rates -------------------------------------------------------------------------------------------


async def test_an_outage_is_bridged_until_the_keys_are_too_old_and_then_fails_closed(
    clocked: Clocked,
) -> None:
    assert await clocked.ask() == "OK"
    clocked.server.mode = "error"
    clocked.seconds += clocked.provider.section.max_age_seconds - 1
    assert await clocked.ask() == "OK"
    assert await clocked.ask(new_key(kid="other")) == "UNKNOWN_KEY"
    assert clocked.provider.status().problem == "WRONG_STATUS"
    clocked.seconds += 1
    assert await clocked.ask() == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert not clocked.provider.status().usable
    clocked.server.mode = "good"
    clocked.seconds += MIN_SECONDS_BETWEEN
    assert await clocked.ask() == "OK"
    assert clocked.provider.status().problem is None


async def test_a_provider_that_was_never_there(clocked: Clocked) -> None:
    clocked.server.mode = "error"
    assert await clocked.ask() == "IDENTITY_PROVIDER_UNAVAILABLE"
    asked = len(clocked.server.asked)
    assert await clocked.ask() == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert len(clocked.server.asked) == asked
    assert clocked.provider.status().age_seconds is None


async def test_unknown_key_ids_do_not_make_us_hammer_the_provider(clocked: Clocked) -> None:
    assert await clocked.ask() == "OK"
    asked = len(clocked.server.asked)
    clocked.seconds += MIN_SECONDS_BETWEEN
    for number in range(50):
        assert await clocked.ask(new_key(kid=f"guess-{number}")) == "UNKNOWN_KEY"
    assert len(clocked.server.asked) == asked + 2  # discovery and keys, once


async def test_many_calls_at_the_start_share_one_fetch(clocked: Clocked) -> None:
    answers = await asyncio.gather(*[clocked.ask() for _ in range(WAITING)])
    assert answers == ["OK"] * WAITING
    assert len(clocked.server.asked) == 2


async def test_those_who_wait_for_a_slow_provider_are_bounded(clocked: Clocked) -> None:
    clocked.server.mode = "silent"
    clocked.server.go.clear()
    waiting = [asyncio.create_task(clocked.ask()) for _ in range(WAITING)]
    while not any(path.endswith("/jwks") for path in clocked.server.asked):
        await asyncio.sleep(0.01)
    assert await clocked.ask() == "AUTHENTICATION_BUSY"
    waiting[0].cancel()
    clocked.server.go.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert answers[1:] == ["OK"] * (WAITING - 1)


# --- servers that lie --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("redirect", "REDIRECTED"),
        ("error", "WRONG_STATUS"),
        ("no_json", "NOT_JSON"),
        ("list", "NOT_JSON"),
        ("deep", "NOT_JSON"),
        ("huge", "TOO_LARGE"),
        ("lying_length", "UNREACHABLE"),
        ("gzip", "COMPRESSED"),
        ("drip", "TIMEOUT"),
        ("silent", "TIMEOUT"),
        ("wrong_issuer", "WRONG_ISSUER"),
        ("http_elsewhere", "UNSAFE_JWKS_URI"),
        ("file", "UNSAFE_JWKS_URI"),
        ("no_uri", "UNSAFE_JWKS_URI"),
    ],
)
async def test_an_answer_that_is_not_what_it_should_be(server: KeyServer, mode: str, problem: str) -> None:
    server.mode = mode
    server.go.clear()
    slow = problem == "TIMEOUT"
    clocked = Clocked(server, timeout_seconds=0.5 if slow else 10.0)
    assert await clocked.ask() == "IDENTITY_PROVIDER_UNAVAILABLE"
    found = clocked.provider.status().problem
    # How a body that breaks off reads is the HTTP library's affair.
    assert found in ({"UNREACHABLE", "NOT_JSON"} if mode == "lying_length" else {problem})
    assert not any("elsewhere" in path for path in server.asked)
    await clocked.verifier.close()


async def test_an_empty_set_does_not_replace_keys_that_are_good(clocked: Clocked) -> None:
    assert await clocked.ask() == "OK"
    clocked.server.keys = []
    clocked.seconds += MIN_SECONDS_BETWEEN
    assert await clocked.ask(new_key(kid="other")) == "UNKNOWN_KEY"
    assert clocked.provider.status().problem == "NO_USABLE_KEY"
    assert await clocked.ask() == "OK"


async def test_a_fixed_address_is_asked_without_discovery(server: KeyServer) -> None:
    clocked = Clocked(server, jwks_uri=f"{server.url}/jwks")
    assert await clocked.ask() == "OK"
    assert server.asked == ["/jwks"]
    await clocked.verifier.close()
