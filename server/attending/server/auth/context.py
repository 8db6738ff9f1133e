"""The caller of the running rpc and the decision that let it through, for the code beneath."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Any, Final

from attending.ledger.entry import PendingEntry
from attending.server.auth.principal import Principal

AUTHORIZED_BY: Final = "authorized_by"
EMERGENCY: Final = "emergency"


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """What the authorisation policies said of one action.

    `policy_ids` are the `@id`s of the policies that determined it, sorted; empty when nothing permitted it.
    `errors` counts policies that could not be evaluated; one is enough to deny. `purpose` is the HL7 code of the
    purpose of use that was decided on, None where none was asked for. `refused` says what was wrong with what the
    caller gave where no policy was against the call, such as a signature that does not verify.
    """

    allowed: bool
    action: str
    policy_ids: tuple[str, ...] = ()
    errors: int = 0
    purpose: str | None = None
    refused: str | None = None


_principal: ContextVar[Principal] = ContextVar("attending_principal")
_decision: ContextVar[AccessDecision] = ContextVar("attending_decision")
_permits: ContextVar[set[str]] = ContextVar("attending_permits")
"""Ids of the policies that permitted what this rpc has asked for so far. One set a call, shared by its tasks."""


def current_principal() -> Principal:
    """The authenticated caller of this rpc; LookupError outside one, never a default."""
    return _principal.get()


def current_decision() -> AccessDecision:
    """The decision on this rpc's action; LookupError outside an rpc."""
    return _decision.get()


def enter(principal: Principal, decision: AccessDecision) -> tuple[Token[Principal], Token[AccessDecision]]:
    """Makes them current for this task and the tasks it starts. Called by the interceptor, and by tests that
    drive a service without a network."""
    _permits.set(set(decision.policy_ids))
    return _principal.set(principal), _decision.set(decision)


def permitted(decision: AccessDecision) -> None:
    """Notes a decision that let the running rpc go on, such as one on a held text. Nothing outside an rpc."""
    if (permits := _permits.get(None)) is not None:
        permits.update(decision.policy_ids)


def authorized(entry: PendingEntry) -> PendingEntry:
    """The entry with the ids of the policies by which its rpc may write it, `authorized_by` in its body.

    Of a caller who has emergency access it says which. Given to the ledger, so that no service can leave them out. What
    no caller asked for (a sweep, a start) has none, and a denial says itself which policies denied it.
    """
    permits = _permits.get(None)
    if permits is None or entry.type == "access.denied":
        return entry
    added: dict[str, Any] = {AUTHORIZED_BY: sorted(permits)}
    if (emergency := _principal.get().emergency) is not None:
        added[EMERGENCY] = emergency
    return replace(entry, body={**entry.body, **added})


def stated(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what `authorized` added: to compare an entry with what a caller says again."""
    return {name: value for name, value in body.items() if name not in (AUTHORIZED_BY, EMERGENCY)}
