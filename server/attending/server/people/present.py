"""Who is known now: the identities of the configuration and those that were enrolled and proofed, less the revoked.

This process learns of its own changes before it answers them. What another process on the same database changed it
learns by asking once in `poll_seconds`; when it could not ask for three times as long, it lets nobody in. A new call of
an identity that another process revoked is therefore refused within that time, whatever happens; for one that runs see
`auth.running`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Self

import structlog
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.auth.identities import Identities
from attending.server.clock import parse
from attending.server.config import IdentitySection, OidcSubjectSection, ServiceKeySection
from attending.server.errors import Unavailable
from attending.server.following import Following
from attending.server.people.account import CONFIGURATION, CredentialKind, State
from pydantic import model_validator
from sqlalchemy import RowMapping, select

log = structlog.get_logger()

_ACCOUNTS, _CREDENTIALS = projections.account, projections.account_credential


class _Enrolled(IdentitySection):
    """Somebody who was enrolled: a passkey alone, which no section lists, may be what they sign in with."""

    @model_validator(mode="after")
    def _recognised(self) -> Self:
        return self


class Present(Following):
    """An `IdentitySource` of both. Belongs to one event loop; `current` never waits."""

    def __init__(
        self,
        configured: Iterable[IdentitySection],
        *,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(_ACCOUNTS, poll_seconds=poll_seconds, monotonic=monotonic)
        self._configured = tuple(configured)
        self._index = Identities(self._configured)
        self._by_tenant: dict[str, tuple[IdentitySection, ...]] = {}
        self._sections: dict[tuple[str, str], tuple[int, IdentitySection | None]] = {}

    @property
    def configured(self) -> tuple[IdentitySection, ...]:
        """Every identity of the configuration, revoked or not."""
        return self._configured

    def current(self) -> Identities:
        """The index that holds now; Unavailable (IDENTITIES_STALE, or STORE_UNAVAILABLE when that is why) when it may
        be older than it must be.
        """
        if self._doubted or not self.fresh():
            # Whose callers they are is not known before they are recognised, so nobody is: another tenant's index could
            # hold the credential that this one lost.
            # An outage of the store has a name of its own, under which callers know what to do.
            raise Unavailable(self._problem or "IDENTITIES_STALE", retry_after_seconds=self._poll_seconds)
        return self._index

    async def _take(self, ledger: Ledger, tenant: str) -> None:
        self._by_tenant[tenant] = await self._read(ledger, tenant)
        self._index = Identities(
            identity for identities in self._by_tenant.values() for identity in identities
        )

    def _failed(self, err: Exception) -> None:
        if isinstance(err, LedgerError):
            log.warning("identities.poll_failed", reason=err.reason)
        else:
            log.error("identities.poll_failed", error_type=type(err).__name__)

    async def _read(self, ledger: Ledger, tenant: str) -> tuple[IdentitySection, ...]:
        accounts = [
            row._mapping for row in await ledger.query(select(_ACCOUNTS).where(_ACCOUNTS.c.log_id == tenant))
        ]
        credentials = [
            row._mapping
            for row in await ledger.query(
                select(_CREDENTIALS).where(
                    _CREDENTIALS.c.log_id == tenant, _CREDENTIALS.c.proofed, ~_CREDENTIALS.c.revoked
                )
            )
        ]
        own: dict[str, list[RowMapping]] = {}
        for one in credentials:
            own.setdefault(one["name"], []).append(one)
        revoked = {row["name"] for row in accounts if row["state"] == State.REVOKED.value}
        found = [
            identity
            for identity in self._configured
            if identity.tenant == tenant and identity.name not in revoked
        ]
        for row in accounts:
            if row["state"] == State.ACTIVE.value and row["source"] != CONFIGURATION:
                known = self._sections.get((tenant, row["name"]))
                if known is None or known[0] != row["changed_index"]:
                    section = await self._section(ledger, tenant, row, own.get(row["name"], ()))
                    known = row["changed_index"], section
                    self._sections[tenant, row["name"]] = known
                if known[1] is not None:
                    found.append(known[1])
        return tuple(found)

    async def _section(
        self, ledger: Ledger, tenant: str, row: RowMapping, own: Sequence[RowMapping]
    ) -> IdentitySection | None:
        """The identity as the configuration would say it; None for a program that nothing would let in."""
        uris = [one["value"] for one in own if one["kind"] == CredentialKind.CERTIFICATE_URI.value]
        subjects = [
            one["value"].partition(" ") for one in own if one["kind"] == CredentialKind.OIDC_SUBJECT.value
        ]
        keys = [
            ServiceKeySection(
                prefix=one["value"],
                hash=(await ledger.open_payload(tenant, one["secret_record"])).decode("ascii"),
                expires=_moment(one["expires"]),
            )
            for one in own
            if one["kind"] == CredentialKind.SERVICE_KEY.value
        ]
        if not uris and not keys and not subjects and row["kind"] == "app":
            return None
        return _Enrolled(
            name=row["name"],
            tenant=tenant,
            kind=row["kind"],
            roles=row["roles"].split(","),
            display_name=await self._display_name(ledger, tenant, row["display_record"]),
            service_keys=keys,
            certificate_uri=uris,
            oidc=[OidcSubjectSection(issuer=issuer, subject=subject) for issuer, _space, subject in subjects],
            expires=_moment(row["expires"]),
            licence_expires=_moment(row["licence_expires"]),
            competency_expires=_moment(row["competency_expires"]),
        )

    @staticmethod
    async def _display_name(ledger: Ledger, tenant: str, record: str | None) -> str:
        """The printed name, empty when there is none, or none any more."""
        if record is None:
            return ""
        try:
            return (await ledger.open_payload(tenant, record)).decode("utf-8")
        except LedgerError as err:
            if err.reason not in ("SUBJECT_ERASED", "PAYLOAD_PRUNED"):
                raise
            return ""


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse(text)
