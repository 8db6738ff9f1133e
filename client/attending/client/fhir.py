"""What the desk and the gate hold, as FHIR R4 resources."""

from __future__ import annotations

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import common_pb2, fhir_pb2, fhir_pb2_grpc


class FhirClient(Calls):
    """Calls of a clinical role, or of an application for its own inferences; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = fhir_pb2_grpc.FhirServiceStub(self._channel)

    @translated
    def bundle(
        self,
        name: str,
        *,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_TREATMENT,
    ) -> str:
        """The Bundle of a ticket or an inference, as FHIR JSON. The access is recorded with its purpose."""
        request = fhir_pb2.GetResourcesRequest(id=name, purpose_of_use=purpose)
        return self._stub.GetResources(request, timeout=TIMEOUT_SECONDS).bundle
