"""StreamInfer says what happens in the order in which it happens, and ends with a result or a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from attending.client import Client
from attending.client.errors import translate
from attending.v1 import identity_pb2, inference_pb2

from tests.e2e.calls import TIMEOUT, TREATMENT, entries, infer_request, refused, state, types
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.people import let_in, office


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


def test_streams_end_when_their_callers_are_revoked_and_the_inference_does_not(
    hospital: ConfiguredServer, lying_provider: LyingProvider
) -> None:
    """Neither the inference that runs nor the held one that is watched gives anything more; the record is whole."""
    app, clinician = let_in(hospital), let_in(hospital, "clinician")
    with (
        app.client(hospital) as theirs,
        clinician.client(hospital) as reader,
        Client(hospital.connection("north", "app")) as other,
        Client(hospital.connection("north", "auditor")) as auditor,
        office(hospital, "safety_officer") as officer,
    ):
        held = other.inference.Infer(infer_request(policy="patient-message", model="dose"), timeout=TIMEOUT)
        request = infer_request(provider="remote", model="waits", purpose_of_use=TREATMENT)
        stream = theirs.inference.StreamInfer(
            inference_pb2.StreamInferRequest(request=request), timeout=TIMEOUT
        )
        watch = reader.inference.WatchInference(
            inference_pb2.WatchInferenceRequest(
                inference_id=held.result.inference_id, purpose_of_use=TREATMENT
            ),
            timeout=TIMEOUT,
        )
        undisturbed = other.inference.WatchInference(
            inference_pb2.WatchInferenceRequest(inference_id=held.result.inference_id), timeout=TIMEOUT
        )
        seen = [next(stream) for _ in range(3)]
        assert [word(event) for event in seen] == WHOLE[:3]
        assert state(next(watch).result) == state(next(undisturbed).result) == "held"
        for name in (app.name, clinician.name):
            officer.revoke(name, identity_pb2.REVOCATION_REASON_MISUSE)
        for cut in (stream, watch):
            error = refused(cut.__iter__)
            assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIAL")
        log = list(entries(auditor))
        ended = {
            entry["actor"]: (entry["body"]["action"], entry["body"]["ended"])
            for entry in log
            if entry["type"] == "access.denied" and "ended" in entry["body"]
        }
        assert ended == {
            f"app:{app.name}": ("streamInfer", "INVALID_CREDENTIAL"),
            f"human:{clinician.name}": ("watchInference", "INVALID_CREDENTIAL"),
        }
        # The call is carried through without its caller: the record says what would have been answered.
        inference_id = seen[1].accepted.inference_id
        until(lambda: lying_provider.tell() and len(types(auditor, inference_id)) > 1)
        assert types(auditor, inference_id) == [
            "inference.requested",
            "inference.generated",
            "inference.released",
        ]
        assert undisturbed.is_active()
        undisturbed.cancel()


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
