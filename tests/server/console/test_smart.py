"""A launch by a record system over real HTTP: what opens, and everything that a hostile or broken one may do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from attending.server.config import ConsoleSmartSection, OidcSection
from attending.server.console.begun import FLOW_SECONDS
from attending.server.console.smart import Launched, SmartFlow
from attending.server.errors import AttendingError, ConfigurationError
from attending.server.outside.smart import DISCOVERY, fresh_seconds
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from tests.server.auth.oidc_world import new_key
from tests.server.console.ehr import CLIENT, MRN, Ehr, running

CONFIGURATION = f"/fhir{DISCOVERY}"
BACK = "https://review.example/smart/back"


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with running(Ehr()) as made:
        yield made


def section(ehr: Ehr, **more: Any) -> ConsoleSmartSection:
    given: dict[str, Any] = {
        "name": "ward",
        "fhir_base": ehr.fhir,
        "provider": "ward-idp",
        "tenant": "demo",
        "client_id": CLIENT,
        "allow_private": True,
    }
    return ConsoleSmartSection(**(given | more))


def flow_of(ehr: Ehr, clock: Clock | None = None, **more: Any) -> SmartFlow:
    provider = OidcSection(name="ward-idp", issuer=ehr.url, audience="attending-api")
    return SmartFlow(section(ehr, **more), provider, lambda: BACK, clock or Clock())


async def brought(url: str) -> dict[str, str]:
    """What the browser of somebody who is signed in there brings back."""
    answer = await asyncio.to_thread(httpx.get, url)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def launched(ehr: Ehr, flow: SmartFlow, patient: str = "p-17") -> Launched:
    url, state = await flow.begin(ehr.opened(patient), framed=False)
    return await flow.finish(await brought(url), state)


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_a_launch_names_person_and_patient_once(ehr: Ehr) -> None:
    flow = flow_of(ehr)
    url, state = await flow.begin(ehr.opened("p-17"), framed=True)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert (asked["aud"], asked["code_challenge_method"], asked["scope"]) == (
        ehr.fhir,
        "S256",
        "openid fhirUser launch",
    )
    query = await brought(url)
    done = await flow.finish(query, state)
    assert (done.token.issuer, done.token.subject, done.reference, done.framed) == (
        "ward-idp",
        "okafor",
        "Patient/p-17",
        True,
    )
    assert "p-17" not in repr(done)
    # Replayed, by whomever.
    assert await reason(flow.finish(query, state)) == "CEREMONY_OVER"
    await flow.close()


async def test_it_may_begin_here(ehr: Ehr) -> None:
    flow = flow_of(ehr)
    url, state = await flow.begin(None, framed=False)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["scope"] == "openid fhirUser launch/patient"
    assert "launch" not in asked
    assert (await flow.finish(await brought(url), state)).reference == "Patient/standalone-1"
    await flow.close()


async def test_a_patient_is_named_by_the_number_that_applications_use(ehr: Ehr) -> None:
    flow = flow_of(ehr, identifier_system=MRN, subject_prefix="mrn:")
    ehr.numbers = {"p-17": "SYN-17"}
    assert (await launched(ehr, flow)).reference == "mrn:SYN-17"
    # Without a number, with two, or of another patient: nobody in particular.
    assert await reason(launched(ehr, flow, "p-18")) == "NO_PATIENT"
    two = [{"system": MRN, "value": "SYN-17"}, {"system": MRN, "value": "SYN-18"}]
    for wrong in ({"identifier": two}, {"id": "p-18"}, {"resourceType": "Person"}, {"identifier": "x"}):
        ehr.faults = {"patient": wrong}
        assert await reason(launched(ehr, flow)) == "NO_PATIENT"
    ehr.faults = {"patient": {"identifier": [*two[:1], {**two[1], "use": "old"}]}}
    assert (await launched(ehr, flow)).reference == "mrn:SYN-17"
    await flow.close()


def _faults(value: object) -> str:
    """A name of a case that is the same in every process: no address of an object is part of it."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


@pytest.mark.parametrize("kind", ["ES384", "RS384"])
async def test_the_client_proves_who_it_is_by_its_key(ehr: Ehr, tmp_path: Path, kind: str) -> None:
    made: Any = (
        ec.generate_private_key(ec.SECP384R1()) if kind == "ES384" else rsa.generate_private_key(65537, 2048)
    )
    file = pem(tmp_path, made)
    flow = flow_of(ehr, client_key_file=file)
    assert flow.key is not None
    assert flow.key.jwk["alg"] == kind
    assert not {"d", "p", "q"} & flow.key.jwk.keys()
    ehr.client_jwk = flow.key.jwk
    assert (await launched(ehr, flow)).reference == "Patient/p-17"
    # Another key, or none, gets no token.
    await flow.close()
    stranger = flow_of(ehr, client_key_file=pem(tmp_path, ec.generate_private_key(ec.SECP384R1())))
    assert await reason(launched(ehr, stranger)) == "INVALID_CREDENTIAL"
    public = flow_of(ehr)
    assert await reason(launched(ehr, public)) == "INVALID_CREDENTIAL"
    await stranger.close()
    await public.close()


def test_a_key_that_does_not_do_ends_the_start(ehr: Ehr, tmp_path: Path) -> None:
    weak = pem(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    open_to_all = pem(tmp_path, ec.generate_private_key(ec.SECP384R1()), "open.pem")
    open_to_all.chmod(0o644)
    for file in (weak, open_to_all, tmp_path / "none.pem"):
        with pytest.raises(ConfigurationError) as caught:
            flow_of(ehr, client_key_file=file)
        assert caught.value.reason == "CLIENT_KEY"


def pem(folder: Path, key: Any, name: str = "client.pem") -> Path:
    path = folder / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path


async def test_what_another_browser_began_or_too_long_ago_is_nothing(ehr: Ehr) -> None:
    clock = Clock()
    flow = flow_of(ehr, clock)
    url, state = await flow.begin(ehr.opened("p-17"), framed=False)
    query = await brought(url)
    for cookie in ("", "guess", "\u00e9"):
        assert await reason(flow.finish(query, cookie)) == "CEREMONY_OVER"
    clock.ahead = timedelta(seconds=FLOW_SECONDS)
    assert await reason(flow.finish(query, state)) == "CEREMONY_OVER"
    clock.ahead = timedelta(0)
    # Two windows: the code of one does not do for the other, whose verifier is another.
    (first, one), (second, two) = [
        await flow.begin(ehr.opened(name), framed=False) for name in ("p-17", "p-18")
    ]
    mine, other = await brought(first), await brought(second)
    assert await reason(flow.finish({**mine, "code": other["code"]}, one)) == "INVALID_CREDENTIAL"
    # What was tried with the first used the second's code up; a new one of its own does.
    assert await reason(flow.finish(other, two)) == "INVALID_CREDENTIAL"
    assert (await launched(ehr, flow, "p-18")).reference == "Patient/p-18"
    await flow.close()


def hour(seconds: float) -> dict[str, float]:
    now = datetime.now(UTC).timestamp()
    return {"iat": now + seconds - 300, "exp": now + seconds}


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"back": {"iss": "https://evil.example"}}, "INVALID_CREDENTIAL"),
        ({"back": {"iss": None}}, "INVALID_CREDENTIAL"),  # it announces to say so
        ({"back": {"code": ""}}, "INVALID_CREDENTIAL"),
        ({"back": {"error": "access_denied"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"nonce": "another"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"nonce": None}}, "INVALID_CREDENTIAL"),
        ({"claims": {"aud": "another-app"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"aud": [CLIENT, "another-app"]}}, "INVALID_CREDENTIAL"),
        ({"claims": {"iss": "https://evil.example"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"sub": ""}}, "INVALID_CREDENTIAL"),
        ({"claims": {"fhirUser": None}}, "INVALID_CREDENTIAL"),
        ({"claims": {"fhirUser": "Patient/p-17"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"fhirUser": "RelatedPerson/1"}}, "INVALID_CREDENTIAL"),
        ({"claims": {"fhirUser": "https://evil.example/fhir/Practitioner/okafor"}}, "INVALID_CREDENTIAL"),
        ({"key": new_key(kid="k1")}, "INVALID_CREDENTIAL"),
        ({"token": {"id_token": None}}, "INVALID_CREDENTIAL"),
        ({"token": {"patient": None}}, "NO_PATIENT"),
        ({"token": {"patient": ""}}, "NO_PATIENT"),
        ({"token": {"patient": "../Patient/p-18"}}, "NO_PATIENT"),
        ({"token": {"patient": ["p-17"]}}, "NO_PATIENT"),
        ({"configuration": {"code_challenge_methods_supported": ["plain"]}}, "IDENTITY_PROVIDER_UNAVAILABLE"),
        ({"configuration": {"token_endpoint": "http://token.example/"}}, "IDENTITY_PROVIDER_UNAVAILABLE"),
        ({"configuration": {"token_endpoint": "file:///etc/passwd"}}, "IDENTITY_PROVIDER_UNAVAILABLE"),
        (
            {"configuration": {"authorization_endpoint": "javascript:alert(1)"}},
            "IDENTITY_PROVIDER_UNAVAILABLE",
        ),
        ({"configuration": {"authorization_endpoint": None}}, "IDENTITY_PROVIDER_UNAVAILABLE"),
        ({"configuration_redirect": "https://evil.example/"}, "IDENTITY_PROVIDER_UNAVAILABLE"),
    ],
    ids=_faults,
)
async def test_what_is_wrong_opens_nothing(ehr: Ehr, faults: dict[str, Any], expected: str) -> None:
    flow = flow_of(ehr)
    ehr.faults = faults
    assert await reason(launched(ehr, flow)) == expected
    ehr.faults = {}
    assert (await launched(ehr, flow)).token.subject == "okafor"
    await flow.close()


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0 * 24])
async def test_a_token_of_another_time_opens_nothing(ehr: Ehr, seconds: float) -> None:
    flow = flow_of(ehr)
    ehr.faults = {"claims": hour(seconds)}
    url, state = await flow.begin(ehr.opened("p-17"), framed=False)
    query = await brought(url)
    # An ID token says until when; who may be signed in by it is asked again by the directory.
    if seconds < 0:
        done = await flow.finish(query, state)
        assert done.token.expired(datetime.now(UTC))
    else:
        assert await reason(flow.finish(query, state)) == "INVALID_CREDENTIAL"
    await flow.close()


async def test_one_that_does_not_answer_is_not_waited_for(ehr: Ehr) -> None:
    flow = flow_of(ehr, timeout_seconds=0.2)
    ehr.faults = {"silent": True}
    assert await reason(flow.begin("x", framed=False)) == "IDENTITY_PROVIDER_UNAVAILABLE"
    ehr.faults = {}
    ehr.go.set()
    url, state = await flow.begin(ehr.opened("p-17"), framed=False)
    query = await brought(url)
    ehr.go.clear()
    ehr.faults = {"slow_token": True}
    assert await reason(flow.finish(query, state)) == "IDENTITY_PROVIDER_UNAVAILABLE"
    await flow.close()


async def test_no_name_leads_to_this_network(ehr: Ehr) -> None:
    # The configured server at a private address, and one whose token endpoint is at one.
    at_home = section(ehr).model_copy(update={"allow_private": False})
    provider = OidcSection(name="ward-idp", issuer=ehr.url, audience="x")
    flow = SmartFlow(at_home, provider, lambda: BACK, Clock())
    assert await reason(flow.begin("x", framed=False)) == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert ehr.asked == []
    await flow.close()


async def test_what_a_server_says_of_itself_is_asked_for_as_often_as_it_says(ehr: Ehr) -> None:
    clock = Clock()
    flow = flow_of(ehr, clock)
    ehr.faults["configuration_headers"] = {"cache-control": "public, max-age=600", "age": "60"}
    for _launch in range(3):
        await launched(ehr, flow)
    assert ehr.asked.count(CONFIGURATION) == 1
    # It moved, and is found there once what was known is too old.
    ehr.faults["configuration"] = {"authorization_endpoint": f"{ehr.url}/moved"}
    clock.ahead += timedelta(seconds=400)
    assert "/moved" not in (await flow.begin(ehr.opened("p-17"), framed=False))[0]
    clock.ahead += timedelta(seconds=140)
    assert "/moved" in (await flow.begin(ehr.opened("p-17"), framed=False))[0]
    # Too old, and not answered: nobody is sent where it was.
    clock.ahead += timedelta(seconds=600)
    ehr.faults["configuration_redirect"] = "/elsewhere"
    assert await reason(flow.begin(ehr.opened("p-17"), framed=False)) == "IDENTITY_PROVIDER_UNAVAILABLE"
    await flow.close()


async def test_where_the_token_is_not_given_is_asked_for_again(ehr: Ehr) -> None:
    flow = flow_of(ehr)
    ehr.faults["configuration_headers"] = {"cache-control": "max-age=3600"}
    ehr.faults["configuration"] = {"token_endpoint": f"{ehr.url}/nowhere"}
    assert await reason(launched(ehr, flow)) == "IDENTITY_PROVIDER_UNAVAILABLE"
    del ehr.faults["configuration"]
    assert (await launched(ehr, flow)).reference == "Patient/p-17"
    assert ehr.asked.count(CONFIGURATION) == 2
    await flow.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "Public, Max-Age=60"}, 60),
        ({"cache-control": 'max-age="60"'}, 60),
        ({"cache-control": "max-age=60", "age": "50"}, 10),
        ({"cache-control": "max-age=60", "age": "70"}, 0),
        ({"cache-control": "max-age=60", "age": "-1"}, 0),
        ({"cache-control": "max-age=60", "age": "9" * 400}, 0),
        ({"cache-control": "max-age=999999999"}, 3600),
        ({"cache-control": f"max-age={'9' * 400}"}, 0),
        ({"cache-control": "max-age=60, max-age=90"}, 0),
        ({"cache-control": "max-age=60, no-store"}, 0),
        ({"cache-control": "no-cache, max-age=60"}, 0),
        ({"cache-control": "no-cache=authorization, max-age=60"}, 0),
        ({"cache-control": "s-maxage=60"}, 0),
        ({"cache-control": "max-age=-5"}, 0),
        ({"expires": "Thu, 01 Dec 2099 16:00:00 GMT"}, 0),
    ],
)
def test_how_long_an_answer_may_be_used_again(headers: dict[str, str], seconds: int) -> None:
    assert fresh_seconds(headers) == seconds


async def test_a_launch_token_that_is_none_is_sent_to_nobody(ehr: Ehr) -> None:
    flow = flow_of(ehr)
    for launch in ("", "x" * 5000):
        assert await reason(flow.begin(launch, framed=False)) == "LAUNCH_REFUSED"
    assert ehr.asked == []
    await flow.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"fhir_base": "http://ehr.example/fhir"},
        {"fhir_base": "https://ehr.example/fhir/"},
        {"fhir_base": "https://user@ehr.example/fhir"},
        {"fhir_base": "https://ehr.example/fhir?x=1"},
        {"allow_private": False},
        {"subject_prefix": "mrn:"},
    ],
    ids=_faults,
)
def test_a_section_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section(Ehr(port=1), **wrong)
