"""How often one may call: each identity, each tenant, and, with credentials that are refused, each address.

The unit is a call that reads. What runs the checks, asks a model or verifies a log costs as many as it weighs.
Over gRPC and HTTP the same buckets are drawn from. They are of one process.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

from attending.server.auth.principal import Principal
from attending.server.config import LimitsSection
from attending.server.errors import ResourceExhausted, Unauthenticated
from attending.server.limits.buckets import Buckets

READ_COST: Final = 1
MODEL_COST: Final = 10
WHOLE_LOG_COST: Final = 50

HALT: Final = "/attending.v1.AdminService/Halt"

COSTS: Final[dict[str, int]] = {
    "/attending.v1.InferenceService/Infer": MODEL_COST,
    "/attending.v1.InferenceService/StreamInfer": MODEL_COST,
    "/attending.v1.InferenceService/Record": MODEL_COST,
    "/attending.v1.ReviewService/Dispose": MODEL_COST,
    "/attending.v1.ReviewService/AddFacts": MODEL_COST,
    "/attending.v1.LedgerService/AppendBatch": MODEL_COST,
    "/attending.v1.LedgerService/AppendStream": MODEL_COST,
    "/attending.v1.ReportService/Export": WHOLE_LOG_COST,
    "/attending.v1.ReportService/ReconcileUsage": WHOLE_LOG_COST,
    "/attending.v1.ReportService/EvaluateControls": WHOLE_LOG_COST,
    "/attending.v1.PolicyService/GetStandby": MODEL_COST,
    "/attending.v1.SimulationService/StartSimulation": WHOLE_LOG_COST,
    "/attending.v1.CustodyService/PrunePayloads": WHOLE_LOG_COST,
    # The history of each user of a page; argon2.
    "/attending.v1.IdentityService/ListUsers": MODEL_COST,
    "/attending.v1.IdentityService/IssueKey": MODEL_COST,
}
"""Methods that cost more than a call that reads."""

REMEMBERED_CREDENTIALS: Final = 8_192

_IPV6_PREFIX: Final = 64
"""One subscriber has at least so much of IPv6 (RFC 6177): a bucket for each address would be none."""


class Rates:
    """One instance a server process. Belongs to one event loop."""

    def __init__(self, config: LimitsSection, now: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._callers = Buckets(config.caller_rate, config.caller_burst, now=now)
        self._tenants = Buckets(config.tenant_rate, config.tenant_burst, now=now)
        self._secret = secrets.token_bytes(32)
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._refused = Buckets(config.refused_credentials_rate, config.refused_credentials_burst, now=now)

    def admit(self, principal: Principal, method: str) -> None:
        """Charges a call to its caller and tenant; ResourceExhausted (CALLER_RATE, TENANT_RATE), charging neither."""
        if method == HALT:
            # Out of a bucket of its own: a caller whose calls are to be stopped may have used up the other one.
            self._charge_halt(principal)
            return
        cost = COSTS.get(method, READ_COST)
        config = self._config
        wait = self._callers.wait_seconds(principal.key, cost)
        if wait > 0:
            raise _exhausted("CALLER_RATE", wait, "limits.caller_rate", config.caller_rate)
        wait = self._tenants.wait_seconds(principal.tenant, cost)
        if wait > 0:
            raise _exhausted("TENANT_RATE", wait, "limits.tenant_rate", config.tenant_rate)
        self._callers.take(principal.key, cost)
        self._tenants.take(principal.tenant, cost)

    def _charge_halt(self, principal: Principal) -> None:
        key = f"{principal.key} {HALT}"
        wait = self._callers.wait_seconds(key)
        if wait > 0:
            raise _exhausted("CALLER_RATE", wait, "limits.caller_rate", self._config.caller_rate)
        self._callers.take(key)

    @contextmanager
    def credential(
        self, peer: str, headers: Iterable[tuple[str, str | bytes]], *, by_certificate: bool = False
    ) -> Iterator[None]:
        """Around the check of a credential: an address from which too many were refused waits before the next one is
        looked at, so that guessing costs the server nothing. Raises ResourceExhausted (REFUSED_CREDENTIALS).

        A token that was accepted lately is looked at in any case, and so is a certificate, which TLS has seen to by
        itself: others behind the same address cannot lock them out.
        """
        if by_certificate:
            yield
            return
        address = address_of(peer)
        credential = next((str(value) for key, value in headers if key.lower() == "authorization"), "")
        name = hashlib.blake2b(credential.encode("utf-8", "surrogatepass"), key=self._secret).digest()
        wait = 0.0 if name in self._accepted else self._refused.wait_seconds(address)
        if wait > 0:
            rate = self._config.refused_credentials_rate
            raise _exhausted("REFUSED_CREDENTIALS", wait, "limits.refused_credentials_rate", rate)
        try:
            yield
        except Unauthenticated:
            self._accepted.pop(name, None)
            self._refused.take(address)
            raise
        self._accepted[name] = None
        self._accepted.move_to_end(name)
        if len(self._accepted) > REMEMBERED_CREDENTIALS:
            self._accepted.popitem(last=False)


def address_of(peer: str) -> str:
    """What of a peer's address counts as one: the IPv4 address, the first 64 bits of an IPv6 one, else all of it.

    `peer` is an address, or one as gRPC writes it, such as `ipv4:192.0.2.7:50051` or `ipv6:%5B2001:db8::7%5D:50051`.
    """
    text = unquote(peer)
    kind, colon, rest = text.partition(":")
    if colon and kind in ("ipv4", "ipv6"):
        text = rest.rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def _exhausted(reason: str, wait_seconds: float, limit: str, value: float) -> ResourceExhausted:
    # Never zero: a client that waits as long as it was told would come too early.
    return ResourceExhausted(
        reason,
        retry_after_seconds=max(0.001, wait_seconds),
        metadata={"limit": limit, "value": f"{value:g}"},
    )
