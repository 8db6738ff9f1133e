"""Tokens of an OpenID Connect provider: what gets in, and every trick that must not."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from attending.server.auth.authenticate import Directory
from attending.server.auth.oidc.keys import KeysRefused, read_keys
from attending.server.auth.oidc.token import MAX_TOKEN_CHARS, TokenRefused, TokenVerifier
from attending.server.config import IdentitySection
from attending.server.errors import Unauthenticated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.auth.oidc_world import (
    AUDIENCE,
    NOW,
    KeyServer,
    SigningKey,
    claims,
    key_server,
    new_key,
    segment,
    signed,
    token,
)

ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA"]
KEYS = {algorithm: new_key(algorithm, f"{algorithm}-key") for algorithm in ALGORITHMS}
KEY = KEYS["ES256"]


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    with key_server() as running:
        running.keys = [key.jwk for key in KEYS.values()]
        yield running


class World:
    """A verifier and a directory of one identity, `dr-rivera`, who is subject `00u1`; the clock is `now`."""

    def __init__(self, server: KeyServer, **section: Any) -> None:
        self.server = server
        self.now = NOW
        self.verifier = TokenVerifier([server.section(**section)], lambda: self.now)
        person = IdentitySection.model_validate(
            {
                "name": "dr-rivera",
                "tenant": "north",
                "kind": "human",
                "roles": ["clinician"],
                "oidc": [{"issuer": "idp", "subject": "00u1"}],
            }
        )
        self.directory = Directory([person], lambda: self.now, tokens=self.verifier)

    async def detail(self, text: str) -> str:
        """`OK`, `EXPIRED`, or why the operator's log says that it was refused."""
        try:
            verified = await self.verifier.verify(text)
        except TokenRefused as err:
            return err.detail if err.reason == "INVALID_CREDENTIAL" else "(told)"
        finally:
            await self.verifier.close()
        return "EXPIRED" if verified.expired(self.now) else "OK"

    async def answer(self, text: str) -> str:
        """`OK` or the reason that the caller is told."""
        try:
            principal = await self.directory.authenticate({}, [("authorization", f"Bearer {text}")])
        except Unauthenticated as err:
            return err.reason
        finally:
            await self.verifier.close()
        assert (principal.name, principal.tenant, principal.credential) == ("dr-rivera", "north", "oidc")
        return "OK"


@pytest.fixture
def world(server: KeyServer) -> World:
    return World(server, algorithms=ALGORITHMS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_good_token_of_each_algorithm(world: World, algorithm: str) -> None:
    assert await world.answer(token(KEYS[algorithm], claims(world.server.url))) == "OK"


async def test_only_the_three_usual_algorithms_unless_configured(server: KeyServer) -> None:
    answers = {a: await World(server).detail(token(KEYS[a], claims(server.url))) for a in ALGORITHMS}
    assert answers == {
        "ES256": "OK",
        "RS256": "OK",
        "EdDSA": "OK",
        "ES384": "WRONG_ALGORITHM",
        "PS256": "WRONG_ALGORITHM",
    }


async def test_tenant_and_roles_never_come_from_a_claim(world: World) -> None:
    said = claims(world.server.url, tenant="south", roles=["operator"], groups=["admin"], name="Someone")
    header = [("authorization", f"Bearer {token(KEY, said)}")]
    principal = await world.directory.authenticate({}, header)
    await world.verifier.close()
    assert (principal.tenant, principal.roles, principal.display_name) == (
        "north",
        frozenset({"clinician"}),
        "dr-rivera",
    )


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"iss": "https://evil.example"}, "UNKNOWN_ISSUER"),
        ({"iss": None}, "UNKNOWN_ISSUER"),
        ({"iss": ["x"]}, "UNKNOWN_ISSUER"),
        ({"aud": "other"}, "WRONG_AUDIENCE"),
        ({"aud": None}, "CLAIM_MISSING"),
        ({"aud": []}, "CLAIM_MISSING"),
        ({"aud": [AUDIENCE, "other"]}, "SEVERAL_AUDIENCES"),
        ({"aud": [AUDIENCE, AUDIENCE]}, "SEVERAL_AUDIENCES"),
        ({"aud": {AUDIENCE: 1}}, "WRONG_AUDIENCE"),
        ({"aud": AUDIENCE.upper()}, "WRONG_AUDIENCE"),
        ({"sub": None}, "CLAIM_MISSING"),
        ({"sub": ""}, "WRONG_SUBJECT"),
        ({"sub": "x" * 256}, "WRONG_SUBJECT"),
        ({"exp": None}, "CLAIM_MISSING"),
        ({"iat": None}, "CLAIM_MISSING"),
        ({"exp": True}, "WRONG_TIMES"),
        ({"exp": "2099-01-01"}, "WRONG_TIMES"),
        ({"exp": 10**400}, "WRONG_TIMES"),
        ({"exp": 2**53}, "WRONG_TIMES"),
        ({"exp": float("inf")}, "WRONG_TIMES"),
        ({"exp": float("nan")}, "WRONG_TIMES"),
        ({"iat": -1}, "WRONG_TIMES"),
        ({"iat": NOW.timestamp() + 31}, "NOT_YET_VALID"),
        ({"iat": NOW.timestamp() + 29}, "OK"),
        ({"nbf": NOW.timestamp() + 31}, "NOT_YET_VALID"),
        ({"nbf": NOW.timestamp() + 29}, "OK"),
        ({"nbf": "soon"}, "WRONG_TIMES"),
        ({"exp": NOW.timestamp() - 20}, "WRONG_TIMES"),
        ({"iat": NOW.timestamp() - 900, "exp": NOW.timestamp() - 29}, "OK"),
        ({"iat": NOW.timestamp() - 900, "exp": NOW.timestamp() - 30}, "EXPIRED"),
        ({"aud": [AUDIENCE]}, "OK"),
        ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "SENDER_CONSTRAINED"),
    ],
)
async def test_claims(world: World, change: dict[str, Any], detail: str) -> None:
    said = claims(world.server.url, **change)
    header = {"alg": "ES256", "kid": KEY.kid, "typ": "JWT"}
    assert await world.detail(signed(KEY, header, said)) == detail


async def test_a_subject_that_is_no_text(world: World) -> None:
    header = {"alg": "ES256", "kid": KEY.kid}
    assert await world.detail(signed(KEY, header, claims(world.server.url, sub=7))) == "MALFORMED"


async def test_only_a_token_that_was_right_until_its_date_is_told_so(world: World) -> None:
    old = {"iat": NOW.timestamp() - 900, "exp": NOW.timestamp() - 300}
    answers = [
        await World(world.server).answer(token(key, claims(world.server.url, **{**old, **change})))
        for key, change in [
            (KEY, {}),
            (KEY, {"aud": "other"}),
            (KEY, {"sub": "nobody"}),
            (new_key(kid=KEY.kid), {}),
        ]
    ]
    assert answers == ["CREDENTIAL_EXPIRED", *["INVALID_CREDENTIAL"] * 3]


async def test_a_subject_of_nobody_and_an_identity_that_has_run_out(world: World) -> None:
    assert await world.answer(token(KEY, claims(world.server.url, sub="00U1"))) == "INVALID_CREDENTIAL"
    person = world.directory.principals()[0]
    assert person.name == "dr-rivera"


# --- headers -----------------------------------------------------------------------------------------------------


def none_token(said: dict[str, Any], alg: str) -> str:
    return f"{segment({'alg': alg, 'typ': 'JWT', 'kid': KEY.kid})}.{segment(said)}."


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
async def test_no_signature(world: World, alg: str) -> None:
    assert await world.detail(none_token(claims(world.server.url), alg)) == "WRONG_ALGORITHM"


@pytest.mark.parametrize("kid", ["ES256-key", "RS256-key", None])
async def test_a_public_key_taken_for_a_shared_secret(world: World, kid: str | None) -> None:
    """HS256 keyed with the published key, as text, as PEM and as its JWK (CVE-2015-9235 and its kin)."""
    header = {"alg": "HS256", "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    body = f"{segment(header)}.{segment(claims(world.server.url))}"
    for secret in (KEYS["RS256"].public_pem, json.dumps(KEYS["RS256"].jwk).encode(), b""):
        mac = hmac.digest(secret, body.encode(), hashlib.sha256) if secret else b"x" * 32
        assert await World(world.server).detail(f"{body}.{segment(mac)}") == "WRONG_ALGORITHM"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"jwk": new_key().jwk}, "FORBIDDEN_HEADER"),
        ({"jku": "https://evil.example/jwks"}, "FORBIDDEN_HEADER"),
        ({"x5u": "https://evil.example/cert.pem"}, "FORBIDDEN_HEADER"),
        ({"x5c": ["MIIB"]}, "FORBIDDEN_HEADER"),
        ({"jwk": None}, "FORBIDDEN_HEADER"),
        ({"zip": "DEF"}, "FORBIDDEN_HEADER"),
        ({"crit": ["exp"], "exp": 1}, "MALFORMED"),
        ({"b64": True, "crit": ["b64"]}, "FORBIDDEN_HEADER"),
        ({"typ": "at+jwt"}, "OK"),
        ({"typ": "application/AT+JWT"}, "OK"),
        ({"typ": None}, "WRONG_TYPE"),
        ({"typ": "logout+jwt"}, "WRONG_TYPE"),
        ({"typ": ["JWT"]}, "WRONG_TYPE"),
        ({"kid": "unknown"}, "UNKNOWN_KEY"),
        ({"kid": ""}, "UNKNOWN_KEY"),
        ({"kid": "../../dev/null"}, "UNKNOWN_KEY"),
        ({"kid": "' OR 1=1 --"}, "UNKNOWN_KEY"),
        ({"kid": "k" * 257}, "UNKNOWN_KEY"),
        ({"kid": 7}, "MALFORMED"),
        ({"kid": "RS256-key"}, "UNKNOWN_KEY"),
        ({"kid": "ES384-key"}, "UNKNOWN_KEY"),
        ({"alg": "ES384"}, "UNKNOWN_KEY"),
        ({"alg": ["ES256"]}, "WRONG_ALGORITHM"),
        ({"x5t": "AAAA", "unknown": "header"}, "OK"),
    ],
)
async def test_headers(world: World, change: dict[str, Any], detail: str) -> None:
    header = {"alg": "ES256", "kid": KEY.kid, "typ": "JWT", **change}
    assert await world.detail(signed(KEY, header, claims(world.server.url))) == detail


async def test_a_token_that_brings_its_own_key_is_not_verified_with_it(world: World) -> None:
    thief = new_key(kid="thief")
    header = {"alg": "ES256", "kid": "thief", "jwk": thief.jwk}
    assert await world.answer(signed(thief, header, claims(world.server.url))) == "INVALID_CREDENTIAL"


async def test_another_key_under_the_same_name(world: World) -> None:
    assert await world.detail(token(new_key(kid=KEY.kid), claims(world.server.url))) == "WRONG_SIGNATURE"


async def test_a_changed_claim_and_a_signature_of_another_token(world: World) -> None:
    good = token(KEY, claims(world.server.url))
    head, _body, signature = good.split(".")
    other = f"{head}.{segment(claims(world.server.url, sub='00u2'))}.{signature}"
    assert await world.detail(other) == "WRONG_SIGNATURE"
    assert await World(world.server).detail(f"{head}.{good.split('.')[1]}.") == "WRONG_SIGNATURE"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a.b.c",
        "x" * 100,
        "a.b.c.d",
        "é.é.é",
        f"{segment([])}.{segment({})}.{segment(b'')}",
        f"{segment({'alg': 'ES256'})}.{segment([1])}.{segment(b'x')}",
        f"{segment({'alg': 'ES256'})}.{segment(b'{' * 5000)}.{segment(b'x')}",
        f"{segment(b'[' * 6000)}.{segment({})}.{segment(b'x')}",
        f"{segment({'alg': 'ES256'})}.{segment(b'{' + b'9' * 5000 + b'}')}.{segment(b'x')}",
        "A" * (MAX_TOKEN_CHARS + 1),
    ],
)
async def test_what_is_no_token(world: World, text: str) -> None:
    assert await world.detail(text) == "MALFORMED"
    assert await World(world.server).answer(text) == "INVALID_CREDENTIAL"


async def test_a_huge_but_good_token(world: World) -> None:
    text = token(KEY, claims(world.server.url, padding="x" * MAX_TOKEN_CHARS))
    assert await world.detail(text) == "MALFORMED"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "jku", "crit", "cty", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    ),
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "azp", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text()),
    ),
)
def test_no_header_and_no_claim_makes_it_raise_anything_else(
    world: World, header: dict[str, Any], said: dict[str, Any]
) -> None:
    """The payload is signed by the right key, so that every check is reached."""
    made = signed(KEY, {"alg": "ES256", "kid": KEY.kid, **header}, claims(world.server.url) | said)
    assert asyncio.run(World(world.server).detail(made)).isupper()


# --- key sets ----------------------------------------------------------------------------------------------------


def refused(*keys: Any) -> str:
    with pytest.raises(KeysRefused) as caught:
        read_keys(json.dumps({"keys": list(keys)}).encode(), ALGORITHMS)
    return str(caught.value)


def test_keys_that_are_not_used() -> None:
    rsa: SigningKey = KEYS["RS256"]
    assert refused() == "NO_USABLE_KEY"
    for change in (
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"kid": 7},
        {"kid": "k" * 257},
        {"alg": "HS256"},
        {"kty": "EC"},
        {"n": "AAAA"},
        {"n": 5},
        {"e": "!!"},
    ):
        assert refused({**rsa.jwk, **change}) == "NO_USABLE_KEY", change
    assert refused({"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"}) == "NO_USABLE_KEY"
    assert refused(rsa.private_jwk()) == "NO_USABLE_KEY"
    assert refused(new_key("RS256", bits=1024).jwk) == "NO_USABLE_KEY"
    assert refused({**KEY.jwk, "x": KEY.jwk["y"]}) == "NO_USABLE_KEY"
    assert refused("key", None, 5) == "NO_USABLE_KEY"
    assert refused(*[KEY.jwk] * 65) == "NOT_A_KEY_SET"


def test_two_keys_of_one_name_are_none() -> None:
    assert refused(new_key(kid="same").jwk, new_key(kid="same").jwk) == "NO_USABLE_KEY"


def test_a_token_without_a_key_id_finds_a_key_only_when_one_would_do() -> None:
    one, two, rsa = new_key(kid="1"), new_key(kid="2"), KEYS["RS256"]
    keys = read_keys(json.dumps({"keys": [one.jwk, rsa.jwk]}).encode(), ALGORITHMS)
    assert keys.find(None, "ES256") is keys.find("1", "ES256") is not None
    assert keys.find(None, "EdDSA") is None
    both = read_keys(json.dumps({"keys": [one.jwk, two.jwk]}).encode(), ALGORITHMS)
    assert both.find(None, "ES256") is None


def test_pyjwt_would_have_taken_several_audiences() -> None:
    """Why the verifier looks at the audience again."""
    text = token(KEY, claims("https://x", aud=[AUDIENCE, "other"], exp=4102444800))
    said = jwt.decode(text, KEY.private.public_key(), algorithms=["ES256"], audience=AUDIENCE)
    assert said["aud"] == [AUDIENCE, "other"]


async def test_times_are_by_the_injected_clock(world: World) -> None:
    text = token(KEY, claims(world.server.url))
    world.now = NOW + timedelta(hours=1)
    assert await world.answer(text) == "CREDENTIAL_EXPIRED"
