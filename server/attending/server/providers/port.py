"""The contract that every model provider keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One call. `prompt` is what leaves this process: already de-identified where the policy says so."""

    model: str
    prompt: str
    max_output_tokens: int
    temperature_milli: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """What came back. Token counts are the provider's own; None when it did not say, never guessed."""

    text: str
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None
    fingerprint: str | None = None
    ids: tuple[str, ...] = ()
    """By which the provider's own records of use know the call; what `attending reconcile` compares."""


class ProviderError(Exception):
    """The provider did not answer usefully. `reason` is one of REASONS; no provider text is kept in the error."""

    REASONS = frozenset(
        {
            "PROVIDER_UNAVAILABLE",
            "PROVIDER_TIMEOUT",
            "PROVIDER_REFUSED",
            "PROVIDER_RATE_LIMITED",
            "PROVIDER_BAD_REPLY",
            "PROVIDER_UNKNOWN_MODEL",
            "PROVIDER_OUTPUT_TOO_LARGE",
        }
    )

    def __init__(self, reason: str) -> None:
        assert reason in self.REASONS, reason
        super().__init__(reason)
        self.reason = reason


class Provider(Protocol):
    """A model behind a network or in this process.

    `complete` returns a reply or raises ProviderError; it never returns a partial text as a whole one. It may be
    called by many tasks at once, keeps to `timeout_seconds` as far as its transport can (the pipeline enforces it
    in any case) and never retries by itself once bytes of an answer have arrived.
    """

    name: str

    async def complete(self, request: ProviderRequest) -> ProviderReply: ...

    async def close(self) -> None: ...
