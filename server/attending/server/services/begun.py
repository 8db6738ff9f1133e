"""What every call that changes something begins with: the look at its key, and the claim that the key makes."""

from __future__ import annotations

from typing import Any

from attending.ledger.ledger import Ledger
from attending.server.auth.principal import Principal
from attending.server.idempotency import Once, key_violations, once
from attending.server.wire.violations import Violations
from google.protobuf.message import Message


def begun(request: Any) -> Violations:
    """What is wrong with the request's key, for what else is wrong with it to be added to."""
    v = Violations()
    for field, description in key_violations(request.idempotency_key):
        v.add(field, description)
    return v


async def once_of(ledger: Ledger, principal: Principal, request: Any) -> Once:
    """The claim of a request with an `idempotency_key`, under its caller's name. Raises as `idempotency.once`."""
    message: Message = request
    return await once(ledger, principal.tenant, principal.name, request.idempotency_key, message)
