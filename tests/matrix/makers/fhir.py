"""FhirService."""

from __future__ import annotations

from attending.v1 import fhir_pb2

from tests.matrix.making import EVERYBODYS, Things, maker


@maker("FhirService/GetResources", "clinician")
def of_an_inference(things: Things) -> fhir_pb2.GetResourcesRequest:
    return fhir_pb2.GetResourcesRequest(id=things.released, purpose_of_use=EVERYBODYS)


@maker("FhirService/GetResources", "clinician", variant="of a ticket")
def of_a_ticket(things: Things) -> fhir_pb2.GetResourcesRequest:
    return fhir_pb2.GetResourcesRequest(id=things.ticket, purpose_of_use=EVERYBODYS)
