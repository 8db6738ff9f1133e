"""FhirService: resources of the caller's tenant. That they are given is an entry before they are."""

from __future__ import annotations

import re
from typing import Final

import grpc
from attending.ledger.ledger import Ledger
from attending.server.app import App, Component
from attending.server.errors import InvalidRequest, NotFound
from attending.server.fhir.gather import find, gather, require_published
from attending.server.fhir.resources import as_json, bundle
from attending.server.phi.access import PhiAccess
from attending.server.rpc import Context
from attending.v1 import fhir_pb2, fhir_pb2_grpc

_ID: Final = re.compile(r"(?:tkt|inf)_[0-9a-f]{32}")


class FhirService(fhir_pb2_grpc.FhirServiceServicer):
    """One instance a server."""

    def __init__(self, ledger: Ledger, phi: PhiAccess) -> None:
        self._ledger = ledger
        self._phi = phi

    async def GetResources(  # noqa: N802
        self, request: fhir_pb2.GetResourcesRequest, context: Context
    ) -> fhir_pb2.GetResourcesResponse:
        permit = await self._phi.permit(request.purpose_of_use)
        principal = permit.principal
        if not _ID.fullmatch(request.id):
            raise InvalidRequest([("id", "must be a ticket or an inference")])
        inference = await find(self._ledger, principal.tenant, request.id)
        if principal.kind == "app" and inference["calling_app"] != principal.name:
            raise NotFound("UNKNOWN_TICKET" if request.id.startswith("tkt_") else "UNKNOWN_INFERENCE")
        record = await gather(self._ledger, principal.tenant, inference, to_app=principal.kind == "app")
        if record.text is not None:
            await require_published(self._ledger, principal.tenant, inference)
        await self._phi.record(
            permit,
            "access.exported",
            "fhir",
            subject=inference["subject"],
            about={"inference": inference["inference_id"]},
        )
        return fhir_pb2.GetResourcesResponse(bundle=as_json(bundle(record)))


class Fhir(Component):
    """FhirService."""

    services = (fhir_pb2.DESCRIPTOR.services_by_name["FhirService"].full_name,)

    def __init__(self, service: FhirService) -> None:
        self._service = service

    def register(self, server: grpc.aio.Server) -> None:
        fhir_pb2_grpc.add_FhirServiceServicer_to_server(self._service, server)


async def build(app: App) -> Fhir:
    """Needs nothing of the others."""
    return Fhir(FhirService(app.ledger, app.phi))
