"""Who is signed in to the console: sessions of one server process, held in memory, each begun and ended on record.

The browser has a random token, the process its hash: neither a dump of entries nor of logs lets anybody in. A session
says who somebody is and how they proved it, and nothing about what they may do: roles, licence and revocation are asked
for at every request. A process that is killed ends its sessions, and its people sign in again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.server.auth.principal import Credential, Principal
from attending.server.errors import FailedPrecondition, ResourceExhausted, Unauthenticated
from attending.server.review.enrolment import key_in_force

MAX_OF_ONE_PERSON: Final = 8
"""The one that was used longest ago ends when another begins."""
MAX_SESSIONS: Final = 20_000
_TOKEN_BYTES: Final = 32

Reason = Literal["signed_out", "idle", "expired", "revoked", "elsewhere", "replaced", "server_stopped"]
"""Why a session ended: by its person, for want of use, by its longest time, with the person's identity, by its person
in another session, by a newer session of a person who has too many, with the process."""
MAX_LAUNCHES: Final = 32
"""Of one session; the oldest gives way."""


@dataclass(slots=True)
class Launch:
    """One patient that a record system opened the console for: how applications name them, and the pseudonyms that this
    is as of the newest look. In memory only.
    """

    launch_id: str
    reference: str = field(repr=False)
    subjects: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Session:
    """One browser of one person. `csrf` is what its pages send back with every change."""

    session_id: str
    tenant: str
    user: str
    credential: Credential
    started: datetime
    seen: datetime
    key_id: str | None = None
    """Of the passkey that began it: it ends with that."""
    address: str = field(default="", repr=False)
    """The host that it began from; in memory only."""
    framed: bool = False
    """Whether it is one in a page of another site: it has what its launches lead to, and nothing else."""
    launches: dict[str, Launch] = field(default_factory=dict, repr=False)
    draft_key: str = field(default="", repr=False)
    """With this its pages seal what was typed and not sent, in the browser: base64 of 32 bytes, the same for every
    session that the same person has at this process."""
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def stream(self) -> str:
        return f"session:{self.session_id}"

    def launched(self, reference: str) -> Launch:
        """A new launch for that patient, beside those of other windows."""
        made = Launch(f"lch_{secrets.token_hex(12)}", reference)
        self.launches[made.launch_id] = made
        while len(self.launches) > MAX_LAUNCHES:
            del self.launches[next(iter(self.launches))]
        return made

    def launch_of(self, subject: str | None) -> Launch | None:
        """The newest launch for the person with that pseudonym."""
        found = [one for one in self.launches.values() if subject is not None and subject in one.subjects]
        return found[-1] if found else None


class Sessions:
    """Belongs to one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        idle_seconds: float,
        longest_seconds: float,
        now: Callable[[], datetime],
        place: str = "",
    ) -> None:
        """`place` is what tokens begin with: of which process they are."""
        self._ledger = ledger
        self._place = place
        self.idle = timedelta(seconds=idle_seconds)
        self._longest = timedelta(seconds=longest_seconds)
        self._now = now
        self._by_hash: dict[bytes, Session] = {}
        self._drafts = secrets.token_bytes(_TOKEN_BYTES)

    async def begin(
        self, principal: Principal, key_id: str | None = None, address: str = "", *, framed: bool = False
    ) -> tuple[Session, str]:
        """A new session and its token, once its start is durable; `key_id` is of the passkey that began it, `address`
        the host that it comes from, `framed` says that it is one in a frame.

        ResourceExhausted (TOO_MANY_SESSIONS).
        """
        await self.sweep()
        own = sorted(self.of(principal.tenant, principal.name), key=lambda session: session.seen)
        for oldest in own[: max(0, len(own) - MAX_OF_ONE_PERSON + 1)]:
            await self.end(oldest, "replaced")
        if len(self._by_hash) >= MAX_SESSIONS:
            raise ResourceExhausted("TOO_MANY_SESSIONS", retry_after_seconds=60.0)
        now, token = self._now(), f"{self._place}.{secrets.token_urlsafe(_TOKEN_BYTES)}"
        session = Session(
            f"ses_{secrets.token_hex(12)}",
            principal.tenant,
            principal.name,
            principal.credential,
            now,
            now,
            key_id,
            address,
            framed,
            draft_key=self._draft_key(principal),
        )
        others = self.of(principal.tenant, principal.name)
        elsewhere = [one.seen for one in others if one.address != address]
        body: dict[str, object] = {
            "session": session.session_id,
            "credential": session.credential,
            "key_id": key_id,
            **({"framed": True} if framed else {}),
            # Somebody who is signed in at two places may have lent a device, or lost one.
            "concurrent": len(others),
            # How long ago one of theirs at another address was in use: nobody is at two places at once.
            "elsewhere_seconds": int((now - max(elsewhere)).total_seconds()) if elsewhere else None,
        }
        await self._append(session, "session.started", body)
        self._by_hash[_hash(token)] = session
        return session, token

    def _draft_key(self, who: Principal) -> str:
        derived = hmac.digest(self._drafts, f"draft\0{who.tenant}\0{who.name}".encode(), "sha256")
        return base64.b64encode(derived).decode()

    def find(self, token: str) -> Session | None:
        """The session of a token, None when there is none or it is over."""
        session = self._by_hash.get(_hash(token))
        return session if session is not None and self.over(session) is None else None

    async def require_key(self, session: Session) -> None:
        """Raises Unauthenticated (SESSION_ENDED) once the passkey that began it is revoked: whoever has a lost device
        has no session of it either (21 CFR 11.300(c)).
        """
        if session.key_id is None:
            return
        try:
            await key_in_force(self._ledger, session.tenant, session.key_id)
        except FailedPrecondition:
            raise Unauthenticated("SESSION_ENDED") from None

    def over(self, session: Session) -> Reason | None:
        """Why a session is over by time, None while it is not."""
        now = self._now()
        if now - session.started >= self._longest:
            return "expired"
        return "idle" if now - session.seen >= self.idle else None

    def alive(self, session: Session) -> bool:
        """Whether it is still one, and not over by time."""
        return session in self._by_hash.values() and self.over(session) is None

    def touch(self, session: Session) -> None:
        """Its person did something just now."""
        session.seen = self._now()

    def of(self, tenant: str, user: str) -> list[Session]:
        """The sessions of one person."""
        return [one for one in self._by_hash.values() if (one.tenant, one.user) == (tenant, user)]

    async def end(self, session: Session, reason: Reason) -> None:
        """Ends it at once, and puts that on record. Raises the ledger's errors; it is over all the same."""
        for token_hash in [known for known, one in self._by_hash.items() if one is session]:
            del self._by_hash[token_hash]
            await self._append(session, "session.ended", {"session": session.session_id, "reason": reason})

    async def sweep(self) -> None:
        """Ends those whose time is over."""
        for session in list(self._by_hash.values()):
            if (reason := self.over(session)) is not None:
                await self.end(session, reason)

    async def end_all(self) -> None:
        for session in list(self._by_hash.values()):
            await self.end(session, "server_stopped")

    async def _append(self, session: Session, kind: str, body: dict[str, object]) -> None:
        entry = PendingEntry(
            kind, session.stream, f"human:{session.user}", None, body, occurred_at=self._now()
        )
        await self._ledger.append(session.tenant, [entry])


def _hash(token: str) -> bytes:
    # Of 256 random bits: nothing that a slow hash would make harder to guess.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
