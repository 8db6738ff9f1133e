"""Rows of identities and their credentials out of entries. Printed names and hashes of keys are payload; the rows name
their vault records only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attending.ledger.projection import RowReader, RowWrite
from attending.ledger.verify.passkeys import PASSKEY
from attending.server import projections
from attending.server.people.account import CONFIGURATION, DISPLAY_NAME, State
from attending.server.replay.fact import Fact

SERVICE_KEY_HASH: Final = "service_key_hash"
"""Kind of the payload with the argon2id hash of a service key."""

_ACCOUNTS, _CREDENTIALS = projections.account, projections.account_credential


def enrolled(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The first enrolment makes the row; a later one waits, unless the configuration speaks."""
    body = fact.body
    configured = body["source"] == CONFIGURATION
    values: dict[str, Any] = {"source": body["source"], "demo": body["demo"], "pending": not configured}
    if configured or body["number"] == 1:
        values |= {
            "kind": body["kind"],
            "state": (State.ACTIVE if configured else State.ENROLLED).value,
            "display_record": fact.records.get(DISPLAY_NAME),
            **_terms(body),
        }
    return [
        _account(fact, values),
        *(
            _credential(one["credential"], {"name": body["user"], **_bound(one), "secret_record": None})
            for one in body["credentials"]
        ),
    ]


def issued(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A service key that waits for its proofing. Half a code for a passkey is nobody's credential, and makes no row."""
    if fact.body["kind"] == PASSKEY:
        return []
    values = {"name": fact.body["user"], **_bound(fact.body), "secret_record": fact.records[SERVICE_KEY_HASH]}
    return [_account(fact, {}), _credential(fact.body["credential"], values)]


def proofed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """What was proofed is in force: the terms and credentials that the entry names."""
    body = fact.body
    values = {
        "state": State.ACTIVE.value,
        "pending": False,
        "display_record": body["display_record"],
        **_terms(body),
    }
    return [
        _account(fact, values),
        *(_credential(one, {"proofed": True}) for one in body["credentials"]),
    ]


def credential_revoked(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return [_account(fact, {}), _credential(fact.body["credential"], {"revoked": True})]


def revoked(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The credentials' rows stay as they are: an identity that is revoked has none that counts."""
    return [_account(fact, {"state": State.REVOKED.value, "pending": False})]


def _account(fact: Fact, values: Mapping[str, Any]) -> RowWrite:
    return RowWrite(_ACCOUNTS, {"name": fact.body["user"]}, {**values, "changed_index": fact.index})


def _credential(credential_id: str, values: Mapping[str, Any]) -> RowWrite:
    return RowWrite(_CREDENTIALS, {"credential_id": credential_id}, values)


def _terms(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "roles": ",".join(body["roles"]),
        "expires": body["expires"],
        "licence_expires": body["licence_expires"],
        "competency_expires": body["competency_expires"],
    }


def _bound(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": one["kind"],
        "value": one["value"],
        "expires": one.get("expires"),
        "proofed": False,
        "revoked": False,
    }
