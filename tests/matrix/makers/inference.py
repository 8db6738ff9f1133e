"""InferenceService."""

from __future__ import annotations

from attending.v1 import common_pb2, inference_pb2

from tests.e2e.calls import infer_request, record_request
from tests.matrix.making import EVERYBODYS, Things, key, maker


def _prompted(things: Things, *, label: str = "", version: str = "") -> inference_pb2.InferRequest:
    request = infer_request(model="letter")
    reference = inference_pb2.PromptReference(name=things.prompt, label=label, version=version)
    request.prompt_ref.CopyFrom(reference)
    return request


@maker("InferenceService/Infer", "app", own=True)
def infer(_things: Things) -> inference_pb2.InferRequest:
    return infer_request(model="letter")


@maker("InferenceService/Infer", "app", variant="by label")
def infer_by_label(things: Things) -> inference_pb2.InferRequest:
    return _prompted(things, label="production")


@maker("InferenceService/Infer", "app", variant="by version")
def infer_by_version(things: Things) -> inference_pb2.InferRequest:
    return _prompted(things, version=things.version)


@maker("InferenceService/StreamInfer", "app")
def stream_infer(things: Things) -> inference_pb2.StreamInferRequest:
    return inference_pb2.StreamInferRequest(request=_prompted(things, label="production"))


@maker("InferenceService/Record", "app", own=True)
def record(_things: Things) -> inference_pb2.RecordRequest:
    return record_request("Your visit is on Tuesday at ten.")


@maker("InferenceService/GetInference", "app")
def get_inference(things: Things) -> inference_pb2.GetInferenceRequest:
    return inference_pb2.GetInferenceRequest(inference_id=things.inference, purpose_of_use=EVERYBODYS)


@maker("InferenceService/WatchInference", "app")
def watch_inference(things: Things) -> inference_pb2.WatchInferenceRequest:
    return inference_pb2.WatchInferenceRequest(inference_id=things.released, purpose_of_use=EVERYBODYS)


@maker("InferenceService/AckDelivery", "app")
def ack_delivery(things: Things) -> inference_pb2.AckDeliveryRequest:
    return inference_pb2.AckDeliveryRequest(
        idempotency_key=key(),
        inference_id=things.released,
        recipient=common_pb2.RECIPIENT_PATIENT,
        channel="portal",
    )
