"""The caller of the running rpc and the decision that let it through, for the code beneath."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass

from attending.server.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """What the authorisation policies said of one action.

    `policy_ids` are the `@id`s of the policies that determined it, sorted; empty when nothing permitted it.
    `errors` counts policies that could not be evaluated; one is enough to deny.
    """

    allowed: bool
    action: str
    policy_ids: tuple[str, ...] = ()
    errors: int = 0


_principal: ContextVar[Principal] = ContextVar("attending_principal")
_decision: ContextVar[AccessDecision] = ContextVar("attending_decision")


def current_principal() -> Principal:
    """The authenticated caller of this rpc; LookupError outside one, never a default."""
    return _principal.get()


def current_decision() -> AccessDecision:
    """The decision on this rpc's action; LookupError outside an rpc."""
    return _decision.get()


def enter(principal: Principal, decision: AccessDecision) -> tuple[Token[Principal], Token[AccessDecision]]:
    """Makes them current for this task and the tasks it starts. Called by the interceptor, and by tests that
    drive a service without a network."""
    return _principal.set(principal), _decision.set(decision)
