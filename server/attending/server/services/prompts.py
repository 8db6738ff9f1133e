"""PromptService: content-addressed versions and labels."""

from __future__ import annotations

from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.errors import InvalidRequest
from attending.server.idempotency import key_violations
from attending.server.prompts.registry import (
    PromptRegistry,
    PromptVersion,
    label_violations,
    prompt_violations,
)
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.v1 import prompt_pb2, prompt_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 50, 200


class PromptService(prompt_pb2_grpc.PromptServiceServicer):
    def __init__(self, ledger: Ledger, registry: PromptRegistry) -> None:
        self._ledger = ledger
        self._registry = registry

    async def CreateVersion(  # noqa: N802
        self, request: prompt_pb2.CreateVersionRequest, context: Context
    ) -> prompt_pb2.CreateVersionResponse:
        principal = current_principal()
        _refuse(key_violations(request.idempotency_key), prompt_violations(request.name, request.template))
        created = await self._registry.create(
            principal.tenant,
            principal.actor,
            request.name,
            request.template,
            await once_of(self._ledger, principal, request),
        )
        return prompt_pb2.CreateVersionResponse(
            prompt_version=_message(created),
            receipt=await receipt_message(self._ledger, principal.tenant, created.entry_index),
        )

    async def GetVersion(  # noqa: N802
        self, request: prompt_pb2.GetVersionRequest, context: Context
    ) -> prompt_pb2.GetVersionResponse:
        if bool(request.version) == bool(request.label):
            raise InvalidRequest([("version", "needs exactly one of `version` and `label`")])
        found = await self._registry.get(
            current_principal().tenant,
            request.name,
            version=request.version or None,
            label=request.label or None,
        )
        return prompt_pb2.GetVersionResponse(prompt_version=_message(found))

    async def SetLabel(  # noqa: N802
        self, request: prompt_pb2.SetLabelRequest, context: Context
    ) -> prompt_pb2.SetLabelResponse:
        principal = current_principal()
        _refuse(key_violations(request.idempotency_key), label_violations(request.label))
        moved, index = await self._registry.set_label(
            principal.tenant,
            principal.actor,
            request.name,
            request.label,
            request.version,
            request.expected_version or None,
            await once_of(self._ledger, principal, request),
        )
        return prompt_pb2.SetLabelResponse(
            prompt_version=_message(moved),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def ListVersions(  # noqa: N802
        self, request: prompt_pb2.ListVersionsRequest, context: Context
    ) -> prompt_pb2.ListVersionsResponse:
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        tenant = current_principal().tenant
        found = await self._registry.versions(tenant, request.name, limit=size, offset=offset)
        total = await self._registry.count(tenant, request.name)
        following = offset + len(found)
        return prompt_pb2.ListVersionsResponse(
            prompt_versions=[_message(version) for version in found],
            next_page_token=str(following) if following < total else "",
        )


def _refuse(*violations: list[tuple[str, str]]) -> None:
    """Raises InvalidRequest with all of them, so that a caller corrects a request once."""
    if found := [violation for part in violations for violation in part]:
        raise InvalidRequest(found)


def _message(version: PromptVersion) -> prompt_pb2.PromptVersion:
    message = prompt_pb2.PromptVersion(
        name=version.name,
        version=version.version,
        template=version.template,
        variables=version.variables,
        labels=version.labels,
        created_by=version.created_by,
    )
    message.created_at.FromDatetime(clock.parse(version.created_at))
    return message
