"""IdentityService: enrolment, proofing and revocation in the caller's tenant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attending.ledger.errors import LedgerError, VerificationError
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import reviewer_key_of
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import APP_ROLES, HUMAN_ROLES, NAME, Kind, Principal
from attending.server.errors import InvalidRequest
from attending.server.passkeys.keys import Passkey
from attending.server.people.account import (
    CONFIGURATION,
    METHODS,
    Account,
    BoundCredential,
    CredentialKind,
    Enrolment,
    State,
    Terms,
)
from attending.server.people.registry import Done, EnrolOrder, Registry
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.server.wire.violations import BROKEN_TEXT, Violations, normalise
from attending.v1 import common_pb2, identity_pb2, identity_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

DEFAULT_PAGE, MAX_PAGE = 50, 200
MAX_KEY_DAYS: Final = 366
MAX_DISPLAY_NAME: Final = 200
MAX_NAMED: Final = 8
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]{1,180}")
_SUBJECT: Final = re.compile(r"[!-~]{1,128}")
_CREDENTIAL: Final = re.compile(r"crd_[0-9a-f]{24}|[0-9a-f]{16}")

_KINDS: Final[dict[int, Kind]] = {
    identity_pb2.USER_KIND_APPLICATION: "app",
    identity_pb2.USER_KIND_PERSON: "human",
}
_STATES: Final[dict[int, State]] = {
    identity_pb2.USER_STATE_ENROLLED: State.ENROLLED,
    identity_pb2.USER_STATE_ACTIVE: State.ACTIVE,
    identity_pb2.USER_STATE_REVOKED: State.REVOKED,
}
_METHODS: Final[dict[int, str]] = {
    number: name.removeprefix("PROOF_METHOD_").lower()
    for name, number in identity_pb2.ProofMethod.items()
    if number
}
_REASONS: Final[dict[int, str]] = {
    number: name.removeprefix("REVOCATION_REASON_").lower()
    for name, number in identity_pb2.RevocationReason.items()
    if number
}
_CREDENTIALS: Final = {
    kind: identity_pb2.CredentialKind.Value(f"CREDENTIAL_KIND_{kind.value.upper()}")
    for kind in CredentialKind
}


class IdentityService(identity_pb2_grpc.IdentityServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        now: Callable[[], datetime],
        *,
        uri_prefixes: Callable[[str], Sequence[str]],
        issuers: Callable[[str], Sequence[str]],
    ) -> None:
        """`uri_prefixes` and `issuers` give, of a tenant, what its certificates' names begin with, and whose subjects
        it may bind.
        """
        self._ledger = ledger
        self._registry = registry
        self._now = now
        self._uri_prefixes = uri_prefixes
        self._issuers = issuers

    async def EnrolUser(  # noqa: N802
        self, request: identity_pb2.EnrolUserRequest, context: Context
    ) -> identity_pb2.EnrolUserResponse:
        principal = current_principal()
        order = self._order(principal, request)
        done = await self._registry.enrol(principal, order, await once_of(self._ledger, principal, request))
        return identity_pb2.EnrolUserResponse(
            user=await self._user(principal, done.account), receipts=await self._receipts(principal, done)
        )

    async def ProofUser(  # noqa: N802
        self, request: identity_pb2.ProofUserRequest, context: Context
    ) -> identity_pb2.ProofUserResponse:
        principal = current_principal()
        v = self._of_user(request)
        method = _METHODS.get(request.method)
        v.check(method is not None, "method", "is required")
        v.check(request.expected_version > 0, "expected_version", "is required, as the user was shown")
        v.raise_if_any()
        assert method is not None
        account = await self._registry.find(principal.tenant, request.name)
        if account is not None and method not in METHODS[account.kind]:
            raise InvalidRequest([("method", "does not fit the kind of the user")])
        done = await self._registry.proof(
            principal,
            request.name,
            request.expected_version,
            method,
            await once_of(self._ledger, principal, request),
        )
        return identity_pb2.ProofUserResponse(
            user=await self._user(principal, done.account), receipts=await self._receipts(principal, done)
        )

    async def RevokeUser(  # noqa: N802
        self, request: identity_pb2.RevokeUserRequest, context: Context
    ) -> identity_pb2.RevokeUserResponse:
        principal = current_principal()
        v = self._of_user(request)
        reason = _reason(request.reason, v)
        v.raise_if_any()
        done = await self._registry.revoke(
            principal, request.name, reason, await once_of(self._ledger, principal, request)
        )
        return identity_pb2.RevokeUserResponse(
            user=await self._user(principal, done.account), receipts=await self._receipts(principal, done)
        )

    async def ListUsers(  # noqa: N802
        self, request: identity_pb2.ListUsersRequest, context: Context
    ) -> identity_pb2.ListUsersResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        state = _STATES.get(request.state)
        if state is None and request.state:
            raise InvalidRequest([("state", "is not one of the known states")])
        offset = page_offset(request.page_token)
        found = await self._registry.page(
            principal.tenant,
            state=None if state is None else state.value,
            awaiting=request.awaiting_proof,
            limit=size + 1,
            offset=offset,
        )
        return identity_pb2.ListUsersResponse(
            users=[_message(account) for account in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
        )

    async def GetUser(  # noqa: N802
        self, request: identity_pb2.GetUserRequest, context: Context
    ) -> identity_pb2.GetUserResponse:
        principal = current_principal()
        v = Violations()
        _check_name(request.name, v)
        v.raise_if_any()
        account = await self._registry.get(principal.tenant, request.name)
        return identity_pb2.GetUserResponse(user=await self._user(principal, account))

    async def IssueKey(  # noqa: N802
        self, request: identity_pb2.IssueKeyRequest, context: Context
    ) -> identity_pb2.IssueKeyResponse:
        principal = current_principal()
        v = self._of_user(request)
        expires = self._moment(request, "expires", v)
        if expires is None:
            v.add("expires", "is required")
        elif expires > self._now() + timedelta(days=MAX_KEY_DAYS):
            v.add("expires", f"must be at most {MAX_KEY_DAYS} days ahead")
        v.raise_if_any()
        assert expires is not None
        done, token, credential_id = await self._registry.issue_key(
            principal, request.name, expires, await once_of(self._ledger, principal, request)
        )
        return identity_pb2.IssueKeyResponse(
            token=token,
            credential_id=credential_id,
            user=await self._user(principal, done.account),
            receipt=await receipt_message(self._ledger, principal.tenant, done.indexes[0]),
        )

    async def RevokeKey(  # noqa: N802
        self, request: identity_pb2.RevokeKeyRequest, context: Context
    ) -> identity_pb2.RevokeKeyResponse:
        principal = current_principal()
        v = self._of_user(request)
        v.check(bool(_CREDENTIAL.fullmatch(request.credential_id)), "credential_id", "must be from the user")
        reason = _reason(request.reason, v)
        v.raise_if_any()
        done = await self._registry.revoke_key(
            principal,
            request.name,
            request.credential_id,
            reason,
            await once_of(self._ledger, principal, request),
        )
        return identity_pb2.RevokeKeyResponse(
            user=await self._user(principal, done.account), receipts=await self._receipts(principal, done)
        )

    # -- requests

    def _of_user(self, request: Any) -> Violations:
        """Violations of what every change has: key and name."""
        v = begun(request)
        _check_name(request.name, v)
        return v

    def _order(self, principal: Principal, request: identity_pb2.EnrolUserRequest) -> EnrolOrder:
        v = self._of_user(request)
        kind = _KINDS.get(request.kind)
        v.check(kind is not None, "kind", "is required")
        allowed = APP_ROLES if kind == "app" else HUMAN_ROLES
        roles = tuple(sorted(set(request.roles)))
        v.check(bool(roles), "roles", "is required")
        v.check(set(roles) <= allowed, "roles", f"must be of {', '.join(sorted(allowed))}")
        v.text(request.display_name, "display_name", MAX_DISPLAY_NAME, required=False)
        v.check(not BROKEN_TEXT.search(request.display_name), "display_name", "must be text")
        person_only = {
            "display_name": bool(request.display_name),
            "signing_public_key": bool(request.signing_public_key),
            "licence_expires": request.HasField("licence_expires"),
            "competency_expires": request.HasField("competency_expires"),
        }
        for field, given in person_only.items():
            v.check(not (given and kind == "app"), field, "is of a person only")
        if request.signing_public_key:
            try:
                reviewer_key_of(request.signing_public_key)
            except VerificationError:
                v.add("signing_public_key", "must be a raw Ed25519 public key, or a P-256 key in DER")
        named = self._named(principal.tenant, request, v)
        terms = Terms(
            roles,
            clock.stamp_of(self._moment(request, "expires", v)),
            clock.stamp_of(self._moment(request, "licence_expires", v)),
            clock.stamp_of(self._moment(request, "competency_expires", v)),
        )
        v.raise_if_any()
        assert kind is not None
        return EnrolOrder(
            name=request.name,
            kind=kind,
            terms=terms,
            display_name=normalise(request.display_name).strip(),
            named=named,
            signing_public_key=request.signing_public_key or None,
            expected_version=request.expected_version if request.HasField("expected_version") else None,
        )

    def _named(
        self, tenant: str, request: identity_pb2.EnrolUserRequest, v: Violations
    ) -> tuple[tuple[CredentialKind, str], ...]:
        prefixes, issuers = self._uri_prefixes(tenant), self._issuers(tenant)
        v.check(len(request.certificate_uris) <= MAX_NAMED, "certificate_uris", f"are at most {MAX_NAMED}")
        v.check(len(request.oidc_subjects) <= MAX_NAMED, "oidc_subjects", f"are at most {MAX_NAMED}")
        found = []
        for number, uri in enumerate(request.certificate_uris[:MAX_NAMED]):
            field = f"certificate_uris[{number}]"
            v.check(bool(_URI.fullmatch(uri)), field, "must be a URI of at most 200 printable characters")
            v.check(
                uri.startswith(tuple(prefixes)),
                field,
                "must be under `certificate_uri_prefixes` of the tenant",
            )
            found.append((CredentialKind.CERTIFICATE_URI, uri))
        for number, subject in enumerate(request.oidc_subjects[:MAX_NAMED]):
            field = f"oidc_subjects[{number}]"
            v.check(subject.issuer in issuers, f"{field}.issuer", "must be a provider of the tenant")
            v.check(
                bool(_SUBJECT.fullmatch(subject.subject)),
                f"{field}.subject",
                "must be 1 to 128 printable characters",
            )
            found.append((CredentialKind.OIDC_SUBJECT, f"{subject.issuer} {subject.subject}"))
        return tuple(dict.fromkeys(found))

    def _moment(self, request: Any, field: str, v: Violations) -> datetime | None:
        """The moment in a field, None when it is left out; one that has passed is a violation."""
        if not request.HasField(field):
            return None
        try:
            moment: datetime = getattr(request, field).ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            v.add(field, "is out of range")
            return None
        v.check(moment > self._now(), field, "must be in the future")
        return moment

    # -- answers

    async def _receipts(self, principal: Principal, done: Done) -> list[common_pb2.Receipt]:
        return [await receipt_message(self._ledger, principal.tenant, index) for index in done.indexes]

    async def _user(self, principal: Principal, account: Account) -> identity_pb2.User:
        """The user with credentials and printed name."""
        message = _message(account)
        message.credentials.extend(_credential(one) for one in account.credentials)
        for passkey in await self._registry.passkeys(principal.tenant, account.name):
            message.credentials.append(_passkey(passkey))
        record = account.enrolments[-1].display_record
        if record is not None:
            try:
                name = await self._ledger.open_payload(principal.tenant, record)
            except LedgerError as err:
                if err.reason not in ("SUBJECT_ERASED", "PAYLOAD_PRUNED"):
                    raise
            else:
                message.display_name = name.decode("utf-8")
        return message


def _check_name(name: str, v: Violations) -> None:
    v.check(bool(NAME.fullmatch(name)), "name", "must be 1 to 64 of a-z 0-9 . _ @ -, beginning with a-z 0-9")


def proof_method(number: int) -> str:
    """What a proofing rests on, empty for none."""
    return _METHODS.get(number, "")


def _reason(number: int, v: Violations) -> str:
    reason = _REASONS.get(number, "")
    ours = number == identity_pb2.REVOCATION_REASON_LEFT_CONFIGURATION
    v.check(bool(reason) and not ours, "reason", "is required, and one of those that people give")
    return reason


def _message(account: Account) -> identity_pb2.User:
    message = identity_pb2.User(
        name=account.name,
        kind=identity_pb2.USER_KIND_APPLICATION if account.kind == "app" else identity_pb2.USER_KIND_PERSON,
        state=identity_pb2.UserState.Value(f"USER_STATE_{account.state.value.upper()}"),
        source=identity_pb2.USER_SOURCE_CONFIGURATION
        if account.source == CONFIGURATION
        else identity_pb2.USER_SOURCE_ENROLMENT,
        demo=account.demo,
        version=account.version,
        revoked_by=account.revoked_by or "",
    )
    if account.in_force is not None:
        message.in_force.CopyFrom(_enrolment(account.in_force))
    if account.state is not State.REVOKED and account.pending is not None:
        message.pending.CopyFrom(_enrolment(account.pending))
    _put(message.revoked_at, account.revoked_at)
    if account.reason is not None:
        message.revocation_reason = identity_pb2.RevocationReason.Value(
            f"REVOCATION_REASON_{account.reason.upper()}"
        )
    return message


def _enrolment(enrolment: Enrolment) -> identity_pb2.Enrolment:
    terms = enrolment.terms
    message = identity_pb2.Enrolment(
        number=enrolment.number,
        roles=terms.roles,
        enrolled_by=enrolment.enrolled_by or "",
        proofed_by=enrolment.proofed_by or "",
    )
    _put(message.expires, terms.expires)
    _put(message.licence_expires, terms.licence_expires)
    _put(message.competency_expires, terms.competency_expires)
    _put(message.enrolled_at, enrolment.enrolled_at)
    _put(message.proofed_at, enrolment.proofed_at)
    if enrolment.method is not None:
        message.method = identity_pb2.ProofMethod.Value(f"PROOF_METHOD_{enrolment.method.upper()}")
    return message


def _credential(one: BoundCredential) -> identity_pb2.UserCredential:
    message = identity_pb2.UserCredential(
        credential_id=one.credential_id,
        kind=_CREDENTIALS[one.kind],
        value=one.value,
        bound_by=one.bound_by,
        proofed=one.proofed,
        revoked=one.revoked,
    )
    _put(message.bound_at, one.bound_at)
    _put(message.expires, one.expires)
    return message


def _put(field: Timestamp, text: str | None) -> None:
    """Sets a moment; a field of None stays unset."""
    if text is not None:
        field.FromDatetime(clock.parse(text))


def _passkey(one: Passkey) -> identity_pb2.UserCredential:
    message = identity_pb2.UserCredential(
        credential_id=one.key_id,
        kind=identity_pb2.CREDENTIAL_KIND_PASSKEY,
        value=one.aaguid,
        bound_by=one.user,
        proofed=True,
    )
    message.bound_at.FromDatetime(clock.parse(one.enrolled_at))
    return message
