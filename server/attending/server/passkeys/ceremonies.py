"""Challenges that wait for a browser's answer: each is made here, answered once, and forgotten after its time.

They live in this process's memory: a restart, or an answer that reaches another process, means to begin again. Nothing
counts by a challenge alone, so nothing else is lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from attending.server.errors import FailedPrecondition, ResourceExhausted

MAX_WAITING: Final = 10_000
"""Anybody may begin to sign in, so their number has a bound."""


class Purpose(StrEnum):
    """What a challenge was made for; an answer for another purpose finds nothing."""

    REGISTER = "register"
    SIGN_IN = "sign_in"


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What the browser is given: `options` go to `navigator.credentials`, `ceremony_id` comes back with its answer."""

    ceremony_id: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Waiting:
    purpose: Purpose
    challenge: bytes
    about: Any
    until: datetime


class Ceremonies:
    """Belongs to one event loop."""

    def __init__(self, now: Callable[[], datetime], seconds: float) -> None:
        self._now = now
        self._time = timedelta(seconds=seconds)
        self._waiting: dict[str, _Waiting] = {}

    def begin(self, purpose: Purpose, about: Any = None) -> tuple[str, bytes]:
        """Id and challenge (32 random bytes); ResourceExhausted (TOO_MANY_CEREMONIES) when too many wait."""
        now = self._now()
        if len(self._waiting) >= MAX_WAITING:
            self._waiting = {name: one for name, one in self._waiting.items() if one.until > now}
        if len(self._waiting) >= MAX_WAITING:
            raise ResourceExhausted("TOO_MANY_CEREMONIES", retry_after_seconds=self._time.total_seconds())
        name, challenge = f"cer_{secrets.token_hex(16)}", secrets.token_bytes(32)
        self._waiting[name] = _Waiting(purpose, challenge, about, now + self._time)
        return name, challenge

    def take(self, purpose: Purpose, ceremony_id: str) -> tuple[bytes, Any]:
        """Challenge and what it is about, for one answer; FailedPrecondition (CEREMONY_OVER) when there is none."""
        found = self._waiting.pop(ceremony_id, None)
        if found is None or found.purpose is not purpose or found.until <= self._now():
            raise FailedPrecondition("CEREMONY_OVER")
        return found.challenge, found.about
