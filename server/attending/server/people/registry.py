"""The steps in the life of an identity, each one conditional append on the stream `user:<name>` of the tenant's log.

A step is decided on the identity as its entries tell it and refused when anything happened since; what a crash leaves
is the whole step or nothing of it. Who may do what is Cedar's (`authorizer`); that the second person is another than
the first is asked of Cedar and once more of the state, which no policy can change.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from attending.ledger.ed25519 import key_id
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim, ExpectationFailed, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import reviewer_key_of
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import stated
from attending.server.auth.principal import Kind, Principal
from attending.server.auth.service_key import new_service_key, prefix_of
from attending.server.clock import stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered
from attending.server.passkeys.keys import Passkey, enrolled_again, passkeys_of
from attending.server.people.account import (
    CONFIGURATION,
    DISPLAY_NAME,
    ENROLMENT,
    NAMED,
    Account,
    CredentialKind,
    State,
    Terms,
    fold,
)
from attending.server.people.present import Present
from attending.server.people.projection import SERVICE_KEY_HASH
from attending.server.replay.reducers import rows_of_append
from attending.server.review.enrolment import key_stream
from sqlalchemy import or_, select

log = structlog.get_logger()

_ACCOUNTS, _CREDENTIALS, _KEYS = projections.account, projections.account_credential, projections.signing_key
MAX_CREDENTIALS: Final = 8
"""Of one kind that have not ended: as many as an identity of the configuration may have."""


def user_stream(name: str) -> str:
    """The stream of an identity's life."""
    return f"user:{name}"


def credential_stream(kind: CredentialKind, value: str) -> str:
    """The stream of a credential that somebody else could claim: it begins once, with the one whose it is."""
    return f"credential:{kind.value}:{value}".replace(" ", "|")


async def read_account(ledger: Ledger, tenant: str, name: str) -> Account | None:
    """The identity as its entries tell it, all of them; None for one that the tenant never had."""
    return fold(await ledger.whole_stream(tenant, user_stream(name)))


@dataclass(frozen=True, slots=True)
class EnrolOrder:
    """What somebody asks to be enrolled, checked for form. `expected_version` is None for a new identity."""

    name: str
    kind: Kind
    terms: Terms
    display_name: str
    named: tuple[tuple[CredentialKind, str], ...]
    signing_public_key: bytes | None
    expected_version: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """An identity after a step, and the indexes of the step's entries."""

    account: Account
    indexes: tuple[int, ...]


class Registry:
    """Shared by all calls of one server process. `present` knows of each step before it is answered."""

    def __init__(
        self,
        ledger: Ledger,
        authorizer: Authorizer,
        now: Callable[[], datetime],
        present: Present,
        *,
        configured: Callable[[CredentialKind, str], bool],
        hash_key: Callable[[str], Awaitable[str]],
    ) -> None:
        """`configured(kind, value)` says whether the configuration gives that credential to somebody; `hash_key` is
        `KeyVerifier.hash`.
        """
        self._ledger = ledger
        self._authorizer = authorizer
        self._now = now
        self._configured = configured
        self._hash_key = hash_key
        self._present = present

    # -- reads

    async def get(self, tenant: str, name: str) -> Account:
        """The identity; NotFound (UNKNOWN_USER) for one that this tenant does not have."""
        account = await self.find(tenant, name)
        if account is None:
            raise NotFound("UNKNOWN_USER")
        return account

    async def find(self, tenant: str, name: str) -> Account | None:
        return await read_account(self._ledger, tenant, name)

    async def page(
        self, tenant: str, *, state: str | None, awaiting: bool, limit: int, offset: int
    ) -> list[Account]:
        """Identities by name, at most `limit` from `offset`."""
        query = select(_ACCOUNTS.c.name).where(_ACCOUNTS.c.log_id == tenant)
        if state is not None:
            query = query.where(_ACCOUNTS.c.state == state)
        if awaiting:
            waiting = select(_CREDENTIALS.c.name).where(
                _CREDENTIALS.c.log_id == tenant, ~_CREDENTIALS.c.proofed, ~_CREDENTIALS.c.revoked
            )
            query = query.where(
                _ACCOUNTS.c.state != State.REVOKED.value,
                or_(_ACCOUNTS.c.pending, _ACCOUNTS.c.name.in_(waiting)),
            )
        rows = await self._ledger.query(query.order_by(_ACCOUNTS.c.name).limit(limit).offset(offset))
        return [await self.get(tenant, row[0]) for row in rows]

    async def passkeys(self, tenant: str, name: str) -> list[Passkey]:
        """Those that somebody has in force, oldest first."""
        return await passkeys_of(self._ledger, tenant, name)

    # -- steps

    async def enrol(self, principal: Principal, order: EnrolOrder, once: Once) -> Done:
        """Enrols somebody new, or changes what somebody may be; nothing of it counts before it is proofed."""
        tenant, name = principal.tenant, order.name
        await self._permit(principal, "enrolUser", name)
        if (done := await self._answered(tenant, name, once)) is not None:
            return done
        account = await self.find(tenant, name)
        self._check_name(account, order)
        version = 0 if account is None else account.version
        number = 1 if account is None else len(account.enrolments) + 1
        bound, expect = await self._bind(tenant, order, account)
        person = order.kind == "human"
        subject = await self._ledger.pseudonym(tenant, f"user:{name}") if person else None
        body = {
            "user": name,
            "kind": order.kind,
            "number": number,
            **order.terms.to_json(),
            "source": ENROLMENT,
            "demo": False,
            "credentials": bound,
        }
        payloads = (Payload(DISPLAY_NAME, order.display_name.encode()),) if order.display_name else ()
        pending = [self._entry(principal, "user.enrolled", user_stream(name), body, subject, *payloads)]
        pending += [
            self._entry(
                principal,
                "credential.bound",
                credential_stream(CredentialKind(one["kind"]), one["value"]),
                {"user": name, "credential": one["credential"], "kind": one["kind"]},
            )
            for one in bound
            if one["kind"] in NAMED
        ]
        return await self._append(tenant, name, version, pending, once, expect)

    async def proof(
        self, principal: Principal, name: str, expected_version: int, method: str, once: Once
    ) -> Done:
        """Puts in force what is pending, as it was looked at; PermissionDenied for whoever made any of it."""
        tenant = principal.tenant
        account = await self.find(tenant, name)
        authors = frozenset() if account is None else account.authors
        await self._permit(principal, "proofUser", name, authors)
        if account is None:
            raise NotFound("UNKNOWN_USER")
        if (done := await self._answered(tenant, name, once)) is not None:
            return done
        _require_living(account)
        if account.version != expected_version:
            raise Aborted("USER_CHANGED")
        if not account.awaits_proof:
            raise FailedPrecondition("NOTHING_TO_PROOF")
        if principal.name == name or principal.name in account.authors:
            # Cedar says so too; a site's own policies cannot take it away.
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        waiting, before = account.pending, account.in_force
        counts = waiting or before
        assert counts is not None
        ids = [one.credential_id for one in account.pending_credentials]
        body = {
            "user": name,
            "number": None if waiting is None else waiting.number,
            "method": method,
            "credentials": ids,
            "display_record": counts.display_record,
            **counts.terms.to_json(),
        }
        pending = [self._entry(principal, "user.proofed", user_stream(name), body, account.subject)]
        expect = []
        for one in account.signing_keys():
            expect.append(await self._enrol_key(principal, account, one.value, counts.terms, pending))
        expect += await self._enrol_passkeys(principal, name, counts.terms, pending)
        return await self._append(tenant, name, account.version, pending, once, expect)

    async def revoke(self, principal: Principal, name: str, reason: str, once: Once) -> Done:
        """Ends an identity for good, with every credential and signing key."""
        tenant = principal.tenant
        await self._permit(principal, "revokeUser", name)
        account = await self.get(tenant, name)
        if (done := await self._answered(tenant, name, once)) is not None:
            return done
        _require_living(account)
        body = {"user": name, "reason": reason}
        pending = [self._entry(principal, "user.revoked", user_stream(name), body, account.subject)]
        rows = await self._ledger.query(
            select(_KEYS.c.key_id).where(
                _KEYS.c.log_id == tenant, _KEYS.c.user == name, _KEYS.c.revoked_at.is_(None)
            )
        )
        expect = await self._revoke_keys(principal, tenant, [row[0] for row in rows], reason, pending)
        return await self._append(tenant, name, account.version, pending, once, expect)

    async def issue_key(
        self, principal: Principal, name: str, expires: datetime, once: Once
    ) -> tuple[Done, str, str]:
        """A new service key: (step, token, credential id). The token is empty when this key was issued before."""
        tenant = principal.tenant
        await self._permit(principal, "issueKey", name)
        account = await self.get(tenant, name)
        if (done := await self._answered(tenant, name, once)) is not None:
            entry = await self._ledger.get_entry(tenant, done.indexes[0])
            return done, "", str(entry.body["credential"])
        _require_living(account)
        _require_enrolled(account)
        _require_room(account, [CredentialKind.SERVICE_KEY])
        token = new_service_key()
        hashed = await self._hash_key(token)
        body = {
            "user": name,
            "credential": _new_id(),
            "kind": CredentialKind.SERVICE_KEY.value,
            "value": prefix_of(token),
            "expires": stamp(expires),
        }
        payload = Payload(SERVICE_KEY_HASH, hashed.encode("ascii"))
        issued = self._entry(principal, "credential.issued", user_stream(name), body, None, payload)
        done = await self._append(tenant, name, account.version, [issued], once, [])
        stored = await self._ledger.get_entry(tenant, done.indexes[0])
        # The same request at the same moment: only the token of the one that was recorded opens anything.
        ours = stored.body["credential"] == body["credential"]
        return done, token if ours else "", str(stored.body["credential"])

    async def revoke_key(
        self, principal: Principal, name: str, credential_id: str, reason: str, once: Once
    ) -> Done:
        """Ends one credential for good; a passkey by the id of its key."""
        tenant = principal.tenant
        await self._permit(principal, "revokeKey", name)
        account = await self.get(tenant, name)
        if (done := await self._answered(tenant, name, once)) is not None:
            return done
        _require_living(account)
        one = account.credential(credential_id)
        if one is None:
            return await self._revoke_passkey(principal, account, credential_id, reason, once)
        if one.revoked:
            raise FailedPrecondition("CREDENTIAL_REVOKED")
        body = {"user": name, "credential": credential_id, "reason": reason}
        pending = [self._entry(principal, "credential.revoked", user_stream(name), body)]
        keys = []
        if one.kind is CredentialKind.SIGNING_KEY and one.proofed:
            keys = [key_id(base64.b64decode(one.value))]
        expect = await self._revoke_keys(principal, tenant, keys, reason, pending)
        return await self._append(tenant, name, account.version, pending, once, expect)

    # -- inside

    async def _revoke_passkey(
        self, principal: Principal, account: Account, key: str, reason: str, once: Once
    ) -> Done:
        for one in await self.passkeys(principal.tenant, account.name):
            if one.key_id == key:
                pending: list[PendingEntry] = []
                expect = await self._revoke_keys(principal, principal.tenant, [key], reason, pending)
                return await self._append(
                    principal.tenant, account.name, account.version, pending, once, expect
                )
        raise NotFound("UNKNOWN_CREDENTIAL")

    async def _permit(
        self, principal: Principal, action: str, name: str, authors: frozenset[str] = frozenset()
    ) -> None:
        resource = Resource.user(name, tenant=principal.tenant, authors=authors)
        await self._authorizer.require(action, resource, principal)

    def _check_name(self, account: Account | None, order: EnrolOrder) -> None:
        if account is None:
            if order.expected_version is not None:
                raise NotFound("UNKNOWN_USER")
            return
        if account.state is State.REVOKED:
            raise FailedPrecondition("NAME_SPENT")
        _require_enrolled(account)
        if order.expected_version is None:
            raise FailedPrecondition("NAME_TAKEN")
        if order.expected_version != account.version:
            raise Aborted("USER_CHANGED")
        if order.kind != account.kind:
            raise FailedPrecondition("KIND_FIXED")

    async def _bind(
        self, tenant: str, order: EnrolOrder, account: Account | None
    ) -> tuple[list[dict[str, Any]], list[Expectation]]:
        """The credentials that the order binds anew, and what must hold so that each is nobody else's."""
        own = {(one.kind, one.value) for one in account.credentials} if account else set()
        wanted = [pair for pair in order.named if pair not in own]
        expect = []
        for kind, value in wanted:
            stream = credential_stream(kind, value)
            if self._configured(kind, value) or await self._ledger.stream_version(tenant, stream):
                raise FailedPrecondition("CREDENTIAL_TAKEN", metadata={"kind": kind.value})
            expect.append(Expectation(stream, 0))
        if order.signing_public_key is not None:
            encoded = base64.b64encode(order.signing_public_key).decode("ascii")
            if (CredentialKind.SIGNING_KEY, encoded) not in own:
                stream = key_stream(key_id(order.signing_public_key))
                if await self._ledger.stream_version(tenant, stream):
                    raise FailedPrecondition(
                        "CREDENTIAL_TAKEN", metadata={"kind": CredentialKind.SIGNING_KEY.value}
                    )
                expect.append(Expectation(stream, 0))
                wanted.append((CredentialKind.SIGNING_KEY, encoded))
        _require_room(account, [kind for kind, _value in wanted])
        bound = [{"credential": _new_id(), "kind": kind.value, "value": value} for kind, value in wanted]
        return bound, expect

    async def _enrol_key(
        self,
        principal: Principal,
        account: Account,
        encoded: str,
        terms: Terms,
        pending: list[PendingEntry],
    ) -> Expectation:
        """Adds `key.enrolled` under the terms that are in force from now on, unless the last one says the same."""
        key = reviewer_key_of(base64.b64decode(encoded))
        stream = key_stream(key.key_id)
        version = await self._ledger.stream_version(principal.tenant, stream)
        last = await self._ledger.stream_entries(principal.tenant, stream, version - 1, 1) if version else []
        if last and (last[0].type == "key.revoked" or last[0].body["user"] != account.name):
            # Somebody else's was proofed first.
            raise FailedPrecondition("CREDENTIAL_TAKEN", metadata={"kind": CredentialKind.SIGNING_KEY.value})
        body = {
            **key.to_json(),
            "user": account.name,
            "roles": sorted(terms.roles),
            "not_after": terms.signs_until,
            "proofed_by": principal.name,
        }
        if not last or {**stated(last[0].body), "proofed_by": None} != {**body, "proofed_by": None}:
            pending.append(self._entry(principal, "key.enrolled", stream, body))
        return Expectation(stream, version)

    async def _enrol_passkeys(
        self, principal: Principal, name: str, terms: Terms, pending: list[PendingEntry]
    ) -> list[Expectation]:
        """Adds `key.enrolled` of each passkey that the person has, as `_enrol_key`."""
        have = await passkeys_of(self._ledger, principal.tenant, name)
        for one in have:
            again = enrolled_again(one, terms, principal.actor, self._now())
            pending += [] if again is None else [again]
        return [one.expectation for one in have]

    async def _revoke_keys(
        self, principal: Principal, tenant: str, keys: Sequence[str], reason: str, pending: list[PendingEntry]
    ) -> list[Expectation]:
        expect = []
        for identifier in keys:
            stream = key_stream(identifier)
            expect.append(Expectation(stream, await self._ledger.stream_version(tenant, stream)))
            pending.append(
                self._entry(
                    principal, "key.revoked", stream, {"key_id": identifier, "reason": reason.upper()}
                )
            )
        return expect

    async def _append(
        self,
        tenant: str,
        name: str,
        version: int,
        pending: list[PendingEntry],
        once: Once,
        expect: Sequence[Expectation],
    ) -> Done:
        # Shielded: a caller who hangs up leaves the append to go on, and what it changed must be known here then.
        step = self._commit(tenant, name, pending, once, [Expectation(user_stream(name), version), *expect])
        indexes = await asyncio.shield(asyncio.ensure_future(step))
        return Done(await self.get(tenant, name), indexes)

    async def _commit(
        self,
        tenant: str,
        name: str,
        pending: list[PendingEntry],
        once: Once,
        expect: Sequence[Expectation],
    ) -> tuple[int, ...]:
        """Indexes of the step's entries; when it returns, this process lets in whom they say and nobody else."""
        try:
            appended = await self._ledger.append(
                tenant,
                pending,
                expect=expect,
                claim=once.claim(user_stream(name)),
                rows=rows_of_append(pending),
            )
        except ExpectationFailed:
            raise Aborted("USER_CHANGED") from None
        except DuplicateClaim:
            indexes = await answered(self._ledger, tenant, once)
            if indexes is None:
                raise Aborted("USER_CHANGED") from None
        except StoreUnavailable:
            # It may stand there all the same, a revocation too.
            self._present.doubt(tenant)
            raise
        else:
            indexes = tuple(range(appended.first_index, appended.first_index + len(pending)))
            log.info("user.changed", tenant=tenant, kind=pending[0].type, index=appended.first_index)
        await self._present.refresh(tenant)
        return indexes

    async def _answered(self, tenant: str, name: str, once: Once) -> Done | None:
        indexes = await answered(self._ledger, tenant, once)
        if indexes is None:
            return None
        await self._present.refresh(tenant)
        return Done(await self.get(tenant, name), indexes)

    def _entry(
        self,
        principal: Principal,
        type_: str,
        stream: str,
        body: dict[str, Any],
        subject: str | None = None,
        *payloads: Payload,
    ) -> PendingEntry:
        return PendingEntry(
            type=type_,
            stream=stream,
            actor=principal.actor,
            subject=subject,
            body=body,
            payloads=payloads,
            occurred_at=self._now(),
        )


def _new_id() -> str:
    return f"crd_{secrets.token_hex(12)}"


def _require_living(account: Account) -> None:
    if account.state is State.REVOKED:
        raise FailedPrecondition("USER_REVOKED")


def _require_enrolled(account: Account) -> None:
    """What the configuration says is changed there, or two truths would stand beside each other."""
    if account.source == CONFIGURATION:
        raise FailedPrecondition("CONFIGURED_IDENTITY")


def _require_room(account: Account | None, more: Sequence[CredentialKind]) -> None:
    """One identity beyond what can be known would keep everybody's from being read."""
    living = [] if account is None else [one.kind for one in account.credentials if not one.revoked]
    if any(count > MAX_CREDENTIALS for count in Counter([*living, *more]).values()):
        raise FailedPrecondition("TOO_MANY_CREDENTIALS")
