"""Checks service keys without becoming slow or a target: argon2 beside the event loop, once for each key and while.

A key that was verified is remembered for a while by an HMAC under a key of this process, so that a caller pays for
argon2 once and not at every call; the table holds no token and no hash of one that would help outside the process.
Argon2 runs on two threads of its own (64 MiB each), at most `WAITING` verifications and `HASHING` new keys wait for
them, and one prefix may fail `TRIES` times in `WINDOW_SECONDS`. A key that is remembered is never refused for the tries
of others.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from attending.server import clock
from attending.server.auth.service_key import hash_service_key, matches
from attending.server.errors import ResourceExhausted, Unauthenticated, Unavailable

log = structlog.get_logger()

REMEMBER_SECONDS: Final = 600.0
REMEMBERED: Final = 8192
THREADS: Final = 2
WAITING: Final = 32
HASHING: Final = 4
TRIES: Final = 5
WINDOW_SECONDS: Final = 60.0
BUSY_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A verified token: the hash that it fitted, and until when that need not be asked again (monotonic seconds)."""

    phc: str
    until: float


@dataclass(slots=True)
class _Tries:
    """Of one prefix: when tries failed (monotonic seconds, oldest first), and how many are under way."""

    failed: deque[float] = field(default_factory=deque)
    running: int = 0


class KeyVerifier:
    """Belongs to one event loop. `check` is the only way in; `matching` and `hashing` are argon2, for tests."""

    def __init__(
        self,
        now: Callable[[], datetime] = clock.now,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        matching: Callable[[str, str], bool] = matches,
        hashing: Callable[[str], str] = hash_service_key,
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._matching = matching
        self._hash = hashing
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._tries: dict[str, _Tries] = {}
        self._hashing = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")

    @property
    def remembered(self) -> int:
        """Tokens in the table."""
        return len(self._remembered)

    async def check(self, token: str, prefix: str, phc: str, expires: datetime | None) -> None:
        """Returns when `token` is the one of `phc`, the hash now kept for its `prefix`, and has not expired.

        Raises Unauthenticated (INVALID_CREDENTIAL; CREDENTIAL_EXPIRED for one that was right until `expires`),
        ResourceExhausted (TOO_MANY_ATTEMPTS, with a time to retry) and Unavailable (AUTHENTICATION_BUSY).
        """
        name = self._name(token)
        known = self._remembered.get(name)
        expired = expires is not None and self._now() >= expires
        if known is not None and (expired or known.phc != phc):
            del self._remembered[name]
            known = None
        if known is not None and self._monotonic() < known.until:
            self._remembered.move_to_end(name)
            return
        if not await self._verify(name, token, prefix, phc, expired=expired, was_right=known is not None):
            raise Unauthenticated("INVALID_CREDENTIAL")
        if expired:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        self._remembered[name] = _Remembered(phc, self._monotonic() + REMEMBER_SECONDS)
        self._remembered.move_to_end(name)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    async def hash(self, token: str) -> str:
        """What is kept of a new key. Raises Unavailable (AUTHENTICATION_BUSY) when so many are being made already that
        those who come with theirs would wait.
        """
        if self._hashing >= HASHING:
            raise Unavailable("AUTHENTICATION_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS)
        self._hashing += 1
        made = asyncio.get_running_loop().run_in_executor(self._threads, self._hash, token)
        # Counted until the thread is free again, whoever hangs up.
        made.add_done_callback(self._hashed)
        try:
            return await asyncio.shield(made)
        except Exception as err:
            # Out of memory, most likely.
            log.error("auth.argon2_failed", error_type=type(err).__name__)
            raise Unavailable("AUTHENTICATION_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS) from None

    def _hashed(self, done: asyncio.Future[str]) -> None:
        done.cancelled() or done.exception()
        self._hashing -= 1

    def forget(self, token: str) -> None:
        """For a token whose prefix is nobody's any more."""
        self._remembered.pop(self._name(token), None)

    async def _verify(
        self, name: bytes, token: str, prefix: str, phc: str, *, expired: bool, was_right: bool
    ) -> bool:
        """One verification for all callers who give the same token at once."""
        running = self._running.get(name)
        if running is None:
            if not was_right:
                self._admit(prefix)
                if len(self._running) >= WAITING:
                    raise Unavailable("AUTHENTICATION_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS)
            tries = self._tries.setdefault(prefix, _Tries())
            tries.running += 1
            running = asyncio.create_task(self._run(tries, token, phc, counts_as_failed=expired))
            self._running[name] = running
            running.add_done_callback(lambda _task: self._ended(name, prefix))
        # Shielded: whoever began it may hang up while others wait for it, and its outcome is counted either way.
        return await asyncio.shield(running)

    async def _run(self, tries: _Tries, token: str, phc: str, *, counts_as_failed: bool) -> bool:
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, self._matching, token, phc)
        except Exception as err:
            # Out of memory, most likely: the key may well be right, so this is nobody's failed try.
            log.error("auth.argon2_failed", error_type=type(err).__name__)
            raise Unavailable("AUTHENTICATION_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS) from None
        # One that has expired is not remembered: it would buy argon2 at every call if it did not count.
        if not right or counts_as_failed:
            tries.failed.append(self._monotonic())
        return right

    def _ended(self, name: bytes, prefix: str) -> None:
        del self._running[name]
        tries = self._tries[prefix]
        tries.running -= 1
        if not tries.failed and not tries.running:
            del self._tries[prefix]

    def _admit(self, prefix: str) -> None:
        """Refuses a try of a prefix that has failed too often. Only prefixes that exist get here, so that the table
        is as small as theirs.
        """
        tries = self._tries.get(prefix)
        if tries is None:
            return
        moment = self._monotonic()
        while tries.failed and tries.failed[0] <= moment - WINDOW_SECONDS:
            tries.failed.popleft()
        if len(tries.failed) + tries.running >= TRIES:
            oldest = tries.failed[0] if tries.failed else moment
            wait = BUSY_RETRY_SECONDS if not tries.failed else oldest + WINDOW_SECONDS - moment
            raise ResourceExhausted("TOO_MANY_ATTEMPTS", retry_after_seconds=wait)

    def _name(self, token: str) -> bytes:
        return hmac.digest(self._secret, token.encode("ascii"), "sha256")
