"""What the entries of one identity come to, and which step may follow: pure, and the same for a rebuild.

    none --enrolled--> ENROLLED --proofed--> ACTIVE --revoked--> REVOKED
                          |  ^                 |
                          +--+ enrolled again  +-- enrolled again, issued: pending until proofed again

What is in force is what somebody other than its author has proofed (21 CFR 11.200(a)(3): misuse takes two people). What
the configuration names is in force at once: whoever writes that file starts the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Literal

from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError

DISPLAY_NAME: Final = "display_name"
"""Kind of the payload with a person's printed name: personal data of staff, erased with their subject."""
CONFIGURATION: Final = "configuration"
ENROLMENT: Final = "enrolment"
LEFT_CONFIGURATION: Final = "left_configuration"
METHODS: Final[Mapping[str, frozenset[str]]] = {
    "human": frozenset({"in_person", "video", "employer_record", "national_id", "professional_register"}),
    "app": frozenset({"system_owner"}),
}
"""Kind of identity to what its proofing may rest on."""


class State(StrEnum):
    """Where an identity is in its life."""

    ENROLLED = "enrolled"
    ACTIVE = "active"
    REVOKED = "revoked"


class CredentialKind(StrEnum):
    """What an identity is recognised by, and what a person signs with."""

    CERTIFICATE_URI = "certificate_uri"
    OIDC_SUBJECT = "oidc_subject"
    SERVICE_KEY = "service_key"
    SIGNING_KEY = "signing_key"


NAMED: Final = frozenset({CredentialKind.CERTIFICATE_URI, CredentialKind.OIDC_SUBJECT})
"""Kinds that somebody else could claim, too: each has a stream of its own, so that one identity has it for ever."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody may be: roles, and the moments (`clock.stamp`) from which they may not. None: no such moment."""

    roles: tuple[str, ...]
    expires: str | None = None
    licence_expires: str | None = None
    competency_expires: str | None = None

    @property
    def signs_until(self) -> str | None:
        """The earlier of licence and competency."""
        return min(
            (end for end in (self.licence_expires, self.competency_expires) if end is not None), default=None
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "roles": list(self.roles),
            "expires": self.expires,
            "licence_expires": self.licence_expires,
            "competency_expires": self.competency_expires,
        }


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One enrolment, from 1: who said what somebody may be, and who proofed it. `enrolled_by` is None for the server,
    which speaks for the configuration.
    """

    number: int
    terms: Terms
    source: str
    enrolled_by: str | None
    enrolled_at: str
    index: int
    display_record: str | None = None
    """Vault record of the printed name; that of the enrolment before when none was given."""
    proofed_by: str | None = None
    proofed_at: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class BoundCredential:
    """One credential. `value` is the URI, `issuer subject`, a service key's public prefix or a public key (base64)."""

    credential_id: str
    kind: CredentialKind
    value: str
    bound_by: str
    bound_at: str
    expires: str | None = None
    proofed: bool = False
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """One identity after `version` entries of its stream."""

    name: str
    kind: Literal["app", "human"]
    version: int
    subject: str | None
    demo: bool
    enrolments: tuple[Enrolment, ...]
    credentials: tuple[BoundCredential, ...] = ()
    in_force: Enrolment | None = None
    revoked_by: str | None = None
    revoked_at: str | None = None
    reason: str | None = None
    configured: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Body of the last enrolment by the configuration."""

    @property
    def state(self) -> State:
        if self.revoked_at is not None:
            return State.REVOKED
        return State.ENROLLED if self.in_force is None else State.ACTIVE

    @property
    def source(self) -> str:
        return self.enrolments[-1].source

    @property
    def pending(self) -> Enrolment | None:
        """The newest enrolment while it waits for its proofing; it takes the place of one that waited before."""
        last = self.enrolments[-1]
        return None if self.in_force is not None and self.in_force.number == last.number else last

    @property
    def pending_credentials(self) -> tuple[BoundCredential, ...]:
        return tuple(one for one in self.credentials if not one.proofed and not one.revoked)

    @property
    def awaits_proof(self) -> bool:
        return self.state is not State.REVOKED and bool(self.pending or self.pending_credentials)

    @property
    def authors(self) -> frozenset[str]:
        """Names of those who made what is pending, and who therefore do not proof it."""
        names = {one.bound_by for one in self.pending_credentials}
        if self.pending is not None and self.pending.enrolled_by is not None:
            names.add(self.pending.enrolled_by)
        return frozenset(names)

    def signing_keys(self) -> tuple[BoundCredential, ...]:
        """Signing keys that were not revoked, proofed or not."""
        return tuple(
            one for one in self.credentials if one.kind is CredentialKind.SIGNING_KEY and not one.revoked
        )

    def credential(self, credential_id: str) -> BoundCredential | None:
        return next((one for one in self.credentials if one.credential_id == credential_id), None)


def fold(entries: Iterable[Entry]) -> Account | None:
    """The identity that the entries of a user's stream give; None for none.

    Raises VerificationError (USER_HISTORY) for a history that no server of this kind writes.
    """
    account: Account | None = None
    for entry in entries:
        account = _step(account, entry)
    return account


def _step(account: Account | None, entry: Entry) -> Account:
    body = entry.body
    if account is None:
        if entry.type != "user.enrolled":
            raise _odd(entry)
        account = Account(
            name=str(body["user"]),
            kind="app" if body["kind"] == "app" else "human",
            version=0,
            subject=entry.subject,
            demo=bool(body["demo"]),
            enrolments=(),
        )
    if account.revoked_at is not None:
        raise _odd(entry)
    account = replace(account, version=account.version + 1)
    match entry.type:
        case "user.enrolled":
            return _enrolled(account, entry)
        case "credential.issued":
            return replace(account, credentials=(*account.credentials, _bound(entry, body)))
        case "user.proofed":
            return _proofed(account, entry)
        case "credential.revoked":
            return _mark(account, {body["credential"]}, revoked=True)
        case "user.revoked":
            return replace(account, revoked_at=entry.time, revoked_by=_who(entry), reason=str(body["reason"]))
    raise _odd(entry)


def _enrolled(account: Account, entry: Entry) -> Account:
    body = entry.body
    configured = body["source"] == CONFIGURATION
    records = [item.record for item in entry.commitments if item.kind == DISPLAY_NAME]
    before = account.enrolments[-1].display_record if account.enrolments else None
    enrolment = Enrolment(
        number=len(account.enrolments) + 1,
        terms=terms_of(body),
        source=str(body["source"]),
        enrolled_by=_who(entry),
        enrolled_at=entry.time,
        index=entry.index,
        display_record=records[0] if records else before,
    )
    account = replace(
        account,
        enrolments=(*account.enrolments, enrolment),
        demo=bool(body["demo"]),
        credentials=(*account.credentials, *(_bound(entry, one) for one in body["credentials"])),
    )
    return replace(account, in_force=enrolment, configured=dict(body)) if configured else account


def _proofed(account: Account, entry: Entry) -> Account:
    body = entry.body
    account = _mark(account, set(body["credentials"]), proofed=True)
    if body["number"] is None:
        return account
    last = account.enrolments[-1]
    if last.number != body["number"]:
        raise _odd(entry)
    proofed = replace(last, proofed_by=_who(entry), proofed_at=entry.time, method=str(body["method"]))
    return replace(account, enrolments=(*account.enrolments[:-1], proofed), in_force=proofed)


def _mark(account: Account, ids: set[str], **changes: bool) -> Account:
    return replace(
        account,
        credentials=tuple(
            replace(one, **changes) if one.credential_id in ids else one  # type: ignore[arg-type]
            for one in account.credentials
        ),
    )


def terms_of(body: Mapping[str, Any]) -> Terms:
    """The terms in the body of a `user.enrolled`."""
    return Terms(tuple(body["roles"]), body["expires"], body["licence_expires"], body["competency_expires"])


def _bound(entry: Entry, one: Mapping[str, Any]) -> BoundCredential:
    return BoundCredential(
        credential_id=str(one["credential"]),
        kind=CredentialKind(one["kind"]),
        value=str(one["value"]),
        bound_by=_who(entry) or "",
        bound_at=entry.time,
        expires=one.get("expires"),
    )


def _who(entry: Entry) -> str | None:
    """The principal's name; None for the server itself."""
    kind, _colon, name = entry.actor.partition(":")
    return None if kind == "system" else name


def _odd(entry: Entry) -> VerificationError:
    return VerificationError(f"`{entry.type}` does not follow what stands before it", reason="USER_HISTORY")
