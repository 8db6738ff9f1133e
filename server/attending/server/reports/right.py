"""Who may have a report of a kind: one about a person is for those alone who may report on persons."""

from __future__ import annotations

from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.principal import Principal
from attending.server.reports.kinds import KINDS
from attending.server.reports.particulars import Kind


async def require_right(authorizer: Authorizer, principal: Principal, kind: Kind) -> None:
    """Returns where the caller may have one now, whatever they might before. Raises PermissionDenied."""
    if (right := KINDS[kind].right) is not None:
        await authorizer.require(right, Resource.log(principal.tenant), principal)
