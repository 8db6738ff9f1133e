"""StreamInfer says what happens in the order in which it happens, and ends with a result or a reason."""

from __future__ import annotations

import json

import grpc
import pytest
from attending.client import Client
from attending.client.errors import translate
from attending.v1 import inference_pb2

from tests.e2e.calls import TIMEOUT, infer_request, refused, state
from tests.e2e.configured_server import ConfiguredServer

pytestmark = pytest.mark.xdist_group("server")


def events(client: Client, request: inference_pb2.InferRequest) -> list[inference_pb2.StreamInferResponse]:
    stream = inference_pb2.StreamInferRequest(request=request)
    return list(client.inference.StreamInfer(stream, timeout=TIMEOUT))


def word(event: inference_pb2.StreamInferResponse) -> str:
    kind = event.WhichOneof("event")
    assert kind is not None
    return event.progress.stage if kind == "progress" else kind


WHOLE = ["requesting", "accepted", "generating", "checking", "recording", "result"]


@pytest.mark.parametrize(("model", "end"), [("letter", "released"), ("dose", "held")])
def test_the_intent_is_proved_before_the_model_is_called(
    hospital: ConfiguredServer, model: str, end: str
) -> None:
    request = infer_request(policy="patient-message", model=model)
    with Client(hospital.connection("north", "app")) as client:
        seen = events(client, request)
        assert [word(event) for event in seen] == WHOLE
        accepted, result = seen[1].accepted, seen[-1].result
        assert client.check_receipt(accepted.receipt)
        entry = json.loads(accepted.receipt.entry)
        assert (entry["type"], entry["stream"]) == ("inference.requested", accepted.inference_id)
        assert state(result) == end
        assert result.inference_id == accepted.inference_id
        assert client.verified(result).verified
        assert bool(result.output) == (end == "released")
        # No event but the last can carry text of the model, and the last one of a held text has none.
        for event in seen[:-1] if end == "released" else seen:
            assert b"amoxicillin" not in event.SerializeToString()
            assert b"Tuesday" not in event.SerializeToString()
        # The same key again is answered from the record, in the shortest form.
        again = events(client, request)
        assert [word(event) for event in again] == ["accepted", "result"]
        assert again[0].accepted.receipt.entry == accepted.receipt.entry
        assert again[1].result.output == result.output


def test_an_error_in_the_middle_carries_its_reason_and_the_inference(hospital: ConfiguredServer) -> None:
    request = infer_request(provider="remote", model="down")
    with Client(hospital.connection("north", "app")) as client:
        stream = client.inference.StreamInfer(
            inference_pb2.StreamInferRequest(request=request), timeout=TIMEOUT
        )
        seen = [word(next(stream)) for _ in range(3)]
        assert seen == WHOLE[:3]
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        error = translate(caught.value)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE")
        got = client.inference.GetInference(
            inference_pb2.GetInferenceRequest(inference_id=error.metadata["inference_id"])
        ).result
        assert state(got) == "failed"
        # A retry of the key learns the same, and runs nothing again.
        again = refused(
            lambda: client.inference.StreamInfer(
                inference_pb2.StreamInferRequest(request=request), timeout=TIMEOUT
            )
        )
        assert again.reason == "PROVIDER_UNAVAILABLE"
        assert again.error.metadata == error.metadata


def test_two_streams_of_one_key_see_one_inference(hospital: ConfiguredServer) -> None:
    request = infer_request(model="letter-slow")
    with Client(hospital.connection("north", "app")) as client:
        stream = inference_pb2.StreamInferRequest(request=request)
        first = client.inference.StreamInfer(stream, timeout=TIMEOUT)
        second = client.inference.StreamInfer(stream, timeout=TIMEOUT)
        left, right = list(first), list(second)
    assert left[-1].result.inference_id == right[-1].result.inference_id
    assert left[-1].result.output == right[-1].result.output
    assert {word(event) for event in left + right} >= {"accepted", "result"}
    for side in (left, right):
        assert "accepted" in [word(event) for event in side]
        assert word(side[-1]) == "result"
