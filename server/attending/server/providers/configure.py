"""Providers from the configuration: made once at start, named as requests name them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from attending.ledger.errors import UnsafeSettings
from attending.ledger.files import read_private
from attending.server.config import ProviderSection
from attending.server.errors import ConfigurationError
from attending.server.providers.embedded import EmbeddedProvider
from attending.server.providers.port import Provider, ProviderError, ProviderReply, ProviderRequest
from attending.server.providers.replay import ReplayProvider
from attending.server.providers.terms import Agreement, Terms

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """A provider with the operator's settings for it, and the terms on which it may be sent anything."""

    provider: Provider
    timeout_seconds: float
    price_provider: str | None
    terms: Terms


class _Bounded:
    """At most `limit` calls at once reach the provider; the others wait within their own time-out."""

    def __init__(self, provider: Provider, limit: int) -> None:
        self.name = provider.name
        self._provider = provider
        self._slots = asyncio.Semaphore(limit)

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        try:
            async with asyncio.timeout(request.timeout_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise ProviderError("PROVIDER_UNAVAILABLE") from None
        try:
            return await self._provider.complete(request)
        finally:
            self._slots.release()

    async def close(self) -> None:
        await self._provider.close()


def configure_providers(sections: Iterable[ProviderSection]) -> dict[str, ConfiguredProvider]:
    """Every configured provider by name. Raises ConfigurationError (no key, a replay file that does not read)."""
    found: dict[str, ConfiguredProvider] = {}
    for section in sections:
        agreement = None
        if section.phi_agreement is not None:
            agreement = Agreement(section.phi_agreement, section.phi_agreement_expires)
        found[section.name] = ConfiguredProvider(
            provider=_Bounded(_make(section), section.max_concurrent),
            timeout_seconds=section.timeout_seconds,
            price_provider=section.price_provider,
            terms=Terms(
                local=section.kind != "openai", agreement=agreement, residency=frozenset(section.residency)
            ),
        )
    return found


def _make(section: ProviderSection) -> Provider:
    if section.kind == "embedded":
        return EmbeddedProvider(section.name, threads=section.threads)
    if section.kind == "replay":
        assert section.replay_file is not None
        try:
            return ReplayProvider.from_file(section.name, section.replay_file)
        except (OSError, ValueError) as err:
            raise ConfigurationError(
                f"provider `{section.name}`: its replay file does not read ({err})",
                "correct `replay_file`",
                reason="REPLAY_FILE",
            ) from err
    # Half a second of imports, which a server without such a provider does without.
    from attending.server.providers.openai_compatible import OpenAICompatibleProvider

    assert section.base_url is not None
    api_key(section)  # a server without one does not start
    return OpenAICompatibleProvider(section.name, section.base_url, _key_now(section))


def _key_now(section: ProviderSection) -> Callable[[], str]:
    """Reads the key anew: a file that was replaced counts from the next call on."""

    def read() -> str:
        try:
            return api_key(section)
        except ConfigurationError as err:
            log.warning("provider.key_unreadable", provider=section.name, error_type=type(err).__name__)
            raise ProviderError("PROVIDER_UNAVAILABLE") from None

    return read


def api_key(section: ProviderSection) -> str:
    """The key of an `openai` provider, from its file or variable. Raises ConfigurationError (API_KEY)."""
    if section.api_key_file is not None:
        try:
            return read_private(section.api_key_file).decode("ascii").strip()
        except UnsafeSettings as err:
            raise _no_key(section.name, str(err)) from err
        except (OSError, UnicodeDecodeError) as err:
            raise _no_key(section.name, f"file `{section.api_key_file.name}` does not read") from err
    key = os.environ.get(section.api_key_env or "", "").strip()
    if not key:
        raise _no_key(section.name, f"environment variable `{section.api_key_env}` is not set")
    return key


def _no_key(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"provider `{name}` has no key: {why}", "set it and start again", reason="API_KEY"
    )
