"""Who is known now: the identities of the configuration and those that were enrolled and proofed, less the revoked.

This process learns of its own changes before it answers them. What another process on the same database changed it
learns by asking once in `poll_seconds`; when it could not ask for three times as long, it lets nobody in. An identity
that another process revoked is therefore refused within that time, whatever happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from attending.ledger.errors import LedgerError, StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.auth.identities import Identities
from attending.server.clock import parse
from attending.server.config import IdentitySection, OidcSubjectSection, ServiceKeySection
from attending.server.errors import Unavailable
from attending.server.people.account import CONFIGURATION, CredentialKind, State
from sqlalchemy import RowMapping, func, select

log = structlog.get_logger()

_ACCOUNTS, _CREDENTIALS = projections.account, projections.account_credential
STALE_POLLS: Final = 3
"""Polls that may fail in a row before nobody is let in."""


class Present:
    """An `IdentitySource` of both. Belongs to one event loop; `current` never waits."""

    def __init__(
        self,
        configured: Iterable[IdentitySection],
        *,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured = tuple(configured)
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._ledger: Ledger | None = None
        self._index = Identities(self._configured)
        self._by_tenant: dict[str, tuple[IdentitySection, ...]] = {}
        self._sections: dict[tuple[str, str], tuple[int, IdentitySection | None]] = {}
        self._doubted: set[str] = set()
        self._seen: dict[str, int] = {}
        self._fresh_until: float | None = None
        self._problem: str | None = None
        self._lock = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None

    @property
    def configured(self) -> tuple[IdentitySection, ...]:
        """Every identity of the configuration, revoked or not."""
        return self._configured

    def current(self) -> Identities:
        """The index that holds now; Unavailable (IDENTITIES_STALE, or STORE_UNAVAILABLE when that is why) when it may
        be older than it must be.
        """
        stale = self._fresh_until is not None and self._monotonic() > self._fresh_until
        if stale or self._doubted:
            # Whose callers they are is not known before they are recognised, so nobody is: another tenant's index could
            # hold the credential that this one lost.
            # An outage of the store has a name of its own, under which callers know what to do.
            raise Unavailable(self._problem or "IDENTITIES_STALE", retry_after_seconds=self._poll_seconds)
        return self._index

    async def open(self, ledger: Ledger, tenants: Iterable[str]) -> None:
        """Reads every tenant, and from then on follows what other processes change where there are any."""
        self._ledger = ledger
        for tenant in tenants:
            await self.refresh(tenant)
        if ledger.shared:
            self._keep_fresh(self._monotonic())
        self._polling = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    async def refresh(self, tenant: str) -> None:
        """Reads one tenant again; when it returns, `current` is not older than the call. Raises the ledger's errors,
        and then nobody is let in until it has been read after all.
        """
        assert self._ledger is not None
        async with self._lock:
            try:
                # Asked for before the rows: what comes between is read once more, never missed.
                seen = await self._newest(self._ledger, tenant)
                found = await self._read(self._ledger, tenant)
            except BaseException:
                self._doubted.add(tenant)
                raise
            self._seen[tenant] = seen.get(tenant, -1)
            self._by_tenant[tenant] = found
            self._index = Identities(
                identity for identities in self._by_tenant.values() for identity in identities
            )
            self._doubted.discard(tenant)

    def doubt(self, tenant: str) -> None:
        """Something may have changed, and nobody knows: nobody is let in until the tenant has been read again."""
        self._doubted.add(tenant)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            # While it is asked and does not answer, too.
            self._problem = StoreUnavailable.reason
            try:
                await self.poll()
            except LedgerError as err:
                # Nobody is let in once this has lasted; until then nothing is older than promised.
                self._problem = err.reason if isinstance(err, StoreUnavailable) else None
                log.warning("identities.poll_failed", reason=err.reason)
            except Exception as err:
                # Nothing may end this task: without it nobody would ever be let in again.
                self._problem = None
                log.error("identities.poll_failed", error_type=type(err).__name__)
            else:
                self._problem = None

    async def poll(self) -> None:
        """Reads what is in doubt, and every tenant that another process changed. Raises the ledger's errors."""
        assert self._ledger is not None
        begun = self._monotonic()
        for tenant in list(self._doubted):
            await self.refresh(tenant)
        if not self._ledger.shared:
            return
        seen = await self._newest(self._ledger, None)
        for tenant in list(self._by_tenant):
            if seen.get(tenant, -1) != self._seen[tenant]:
                await self.refresh(tenant)
        self._keep_fresh(begun)

    def _keep_fresh(self, begun: float) -> None:
        self._fresh_until = begun + STALE_POLLS * self._poll_seconds

    @staticmethod
    async def _newest(ledger: Ledger, tenant: str | None) -> dict[str, int]:
        """Index of the last change of each tenant that has any."""
        query = select(_ACCOUNTS.c.log_id, func.max(_ACCOUNTS.c.changed_index).label("newest")).group_by(
            _ACCOUNTS.c.log_id
        )
        if tenant is not None:
            query = query.where(_ACCOUNTS.c.log_id == tenant)
        rows = [row._mapping for row in await ledger.query(query)]
        return {row["log_id"]: int(row["newest"]) for row in rows}

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
                    own = [one for one in credentials if one["name"] == row["name"]]
                    known = row["changed_index"], await self._section(ledger, tenant, row, own)
                    self._sections[tenant, row["name"]] = known
                if known[1] is not None:
                    found.append(known[1])
        return tuple(found)

    async def _section(
        self, ledger: Ledger, tenant: str, row: RowMapping, own: Sequence[RowMapping]
    ) -> IdentitySection | None:
        """The identity as the configuration would say it; None for one whom nothing would let in."""
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
        if not uris and not keys and not subjects:
            return None
        return IdentitySection(
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
