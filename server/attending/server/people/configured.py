"""Identities of the configuration as entries, so that the log can say who could act when, whoever wrote the file.

At every start the file is compared with the log: whom it names anew, or otherwise than before, is enrolled by it, and
who left it is revoked. Several processes that start at once write one entry. Names are never used again (21 CFR
11.100(a)): the file cannot bring back whom it dropped, nor take a name that was enrolled here. Whom an officer revoked
stays out although the file still names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import structlog
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.context import stated
from attending.server.clock import stamp_of
from attending.server.config import IdentitySection
from attending.server.errors import ConfigurationError
from attending.server.people.account import CONFIGURATION, LEFT_CONFIGURATION, Account, State
from attending.server.people.registry import read_account, user_stream
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import select

log = structlog.get_logger()

_ACCOUNTS = projections.account


async def record_configured(
    ledger: Ledger,
    tenants: Iterable[str],
    identities: Iterable[IdentitySection],
    owner: str,
    now: Callable[[], datetime],
    *,
    demo: bool = False,
) -> None:
    """Brings the log in line with the configuration; safe to run at every start, in several processes at once.

    `demo` marks the identities of the embedded mode, which are nobody. Raises ConfigurationError (NAME_SPENT,
    NAME_TAKEN) and the ledger's errors.
    """
    sections = list(identities)
    for tenant in tenants:
        named = [section for section in sections if section.tenant == tenant]
        for section in named:
            await _enrol(ledger, section, owner, now, demo=demo)
        rows = await ledger.query(
            select(_ACCOUNTS.c.name).where(
                _ACCOUNTS.c.log_id == tenant,
                _ACCOUNTS.c.source == CONFIGURATION,
                _ACCOUNTS.c.state != State.REVOKED.value,
            )
        )
        names = {section.name for section in named}
        for row in rows:
            if row[0] not in names:
                await _revoke(ledger, tenant, row[0], owner, now)


async def _enrol(
    ledger: Ledger, section: IdentitySection, owner: str, now: Callable[[], datetime], *, demo: bool
) -> None:
    while True:
        account = await read_account(ledger, section.tenant, section.name)
        if account is not None and account.source != CONFIGURATION:
            raise ConfigurationError(
                f"identity `{section.name}` was enrolled in tenant `{section.tenant}` by somebody, not by this file",
                "give the new identity another name; names are never used again",
                reason="NAME_TAKEN",
            )
        if account is not None and account.state is State.REVOKED:
            if account.reason == LEFT_CONFIGURATION:
                raise ConfigurationError(
                    f"identity `{section.name}` had left the configuration, and is in it again",
                    "give the person or program a new name: one that was revoked is never used again",
                    reason="NAME_SPENT",
                )
            log.warning("identity.revoked_in_configuration", tenant=section.tenant, principal=section.name)
            return
        number = 1 if account is None else len(account.enrolments) + 1
        body = _body(section, number, demo=demo)
        if account is not None and {**stated(account.configured), "number": 0} == {**body, "number": 0}:
            return
        if await _append(ledger, section.tenant, "user.enrolled", account, body, owner, now):
            return


async def _revoke(ledger: Ledger, tenant: str, name: str, owner: str, now: Callable[[], datetime]) -> None:
    while True:
        account = await read_account(ledger, tenant, name)
        if account is None or account.state is State.REVOKED:
            return
        body = {"user": name, "reason": LEFT_CONFIGURATION}
        if await _append(ledger, tenant, "user.revoked", account, body, owner, now):
            return


async def _append(
    ledger: Ledger,
    tenant: str,
    type_: str,
    account: Account | None,
    body: dict[str, Any],
    owner: str,
    now: Callable[[], datetime],
) -> bool:
    """False when another process was faster, and it is time to look again."""
    stream = user_stream(body["user"])
    entry = PendingEntry(
        type=type_,
        stream=stream,
        actor=f"system:{owner}",
        subject=None,
        body=body,
        occurred_at=now(),
    )
    version = 0 if account is None else account.version
    try:
        await ledger.append(
            tenant, [entry], expect=[Expectation(stream, version)], rows=rows_of_append([entry])
        )
    except ExpectationFailed:
        return False
    return True


def _body(section: IdentitySection, number: int, *, demo: bool) -> dict[str, Any]:
    """What the file says of somebody. Printed names, common names of certificates and subjects at providers are
    personal data of staff: the entry says that there is one, and the file what it is.
    """
    configured = [f"service_key:{key.prefix}" for key in section.service_keys]
    configured += [f"certificate:{digest}" for digest in section.certificate_sha256]
    configured += [f"certificate_uri:{uri}" for uri in section.certificate_uri]
    configured += [f"oidc_subject:{one.issuer}" for one in section.oidc]
    configured += ["certificate_common_name"] * len(section.certificate_common_name)
    return {
        "user": section.name,
        "kind": section.kind,
        "number": number,
        "roles": sorted(section.roles),
        "expires": stamp_of(section.expires),
        "licence_expires": stamp_of(section.licence_expires),
        "competency_expires": stamp_of(section.competency_expires),
        "source": CONFIGURATION,
        "demo": demo,
        "credentials": [],
        "configured": sorted(configured),
    }
