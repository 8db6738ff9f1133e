"""Prompt versions and labels over the wire, and what an inference records of the version it used."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import grpc
import pytest
from attending.client import Client
from attending.v1 import inference_pb2, prompt_pb2

from tests.e2e.calls import TAGS, TIMEOUT, refused, state
from tests.e2e.configured_server import ConfiguredServer

FIRST = "Write a letter to {{recipient}} about the {{ clinic }} clinic."
SECOND = "Write a short letter to {{recipient}} about the {{clinic}} clinic."


@pytest.fixture(scope="module")
def operator(hospital: ConfiguredServer) -> Iterator[Client]:
    with Client(hospital.connection("north", "operator")) as client:
        yield client


@pytest.fixture(scope="module")
def app(hospital: ConfiguredServer) -> Iterator[Client]:
    with Client(hospital.connection("north", "app")) as client:
        yield client


def create(
    client: Client, name: str, template: str, key: str | None = None
) -> prompt_pb2.CreateVersionResponse:
    return client.prompts.CreateVersion(
        prompt_pb2.CreateVersionRequest(
            idempotency_key=key or uuid.uuid4().hex, name=name, template=template
        ),
        timeout=TIMEOUT,
    )


def label(
    client: Client, name: str, to: str, version: str, *, expected: str = "", key: str | None = None
) -> prompt_pb2.SetLabelResponse:
    return client.prompts.SetLabel(
        prompt_pb2.SetLabelRequest(
            idempotency_key=key or uuid.uuid4().hex,
            name=name,
            label=to,
            version=version,
            expected_version=expected,
        ),
        timeout=TIMEOUT,
    )


def infer(reference: inference_pb2.PromptReference, key: str | None = None) -> inference_pb2.InferRequest:
    return inference_pb2.InferRequest(
        idempotency_key=key or uuid.uuid4().hex,
        context=inference_pb2.InferenceContext(policy="administrative-letter", tags=TAGS),
        prompt_ref=reference,
        model=inference_pb2.ModelRequest(provider="remote", model="prompted"),
    )


def test_the_same_content_is_the_same_version(operator: Client) -> None:
    first = create(operator, "letters/same", FIRST, key="same-1")
    assert operator.check_receipt(first.receipt)
    assert list(first.prompt_version.variables) == ["recipient", "clinic"]
    for again in (
        create(operator, "letters/same", FIRST, key="same-1"),
        create(operator, "letters/same", FIRST),
    ):
        assert again.prompt_version == first.prompt_version
        assert again.receipt.entry == first.receipt.entry
    other = create(operator, "letters/same", SECOND)
    assert other.prompt_version.version != first.prompt_version.version
    elsewhere = create(operator, "letters/elsewhere", FIRST)
    assert elsewhere.prompt_version.version != first.prompt_version.version
    answer = refused(lambda: create(operator, "letters/same", "Another one.", key="same-1"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")
    listed = operator.prompts.ListVersions(prompt_pb2.ListVersionsRequest(name="letters/same", page_size=1))
    assert [v.version for v in listed.prompt_versions] == [other.prompt_version.version]
    rest = operator.prompts.ListVersions(
        prompt_pb2.ListVersionsRequest(name="letters/same", page_token=listed.next_page_token)
    )
    assert [v.version for v in rest.prompt_versions] == [first.prompt_version.version]
    assert rest.next_page_token == ""


@pytest.mark.parametrize(
    ("name", "template", "fields"),
    [
        ("Not A Name", "", ["name", "template"]),
        ("a", "{{not a name}}", ["template"]),
        ("a", "{{{x}}}", ["template"]),
        ("a", "left {{ open", ["template"]),
        ("a", "x" * 32_769, ["template"]),
        ("a", "x\x00", ["template"]),
        ("a", " ".join(f"{{{{v{n}}}}}" for n in range(65)), ["template"]),
        ("../etc", "x", ["name"]),
    ],
)
def test_a_version_that_could_not_be_used_is_refused(
    operator: Client, name: str, template: str, fields: list[str]
) -> None:
    answer = refused(lambda: create(operator, name, template, key="not a key"))
    assert answer.reason == "INVALID_REQUEST"
    assert answer.fields == {"idempotency_key", *fields}


def test_a_label_moves_with_an_entry_and_not_past_another_move(operator: Client) -> None:
    name = "letters/moved"
    one = create(operator, name, FIRST).prompt_version.version
    two = create(operator, name, SECOND).prompt_version.version
    moved = label(operator, name, "production", one, key="move-1")
    assert operator.check_receipt(moved.receipt)
    assert list(moved.prompt_version.labels) == ["production"]
    again = label(operator, name, "production", one, key="move-1")
    assert again.receipt.entry == moved.receipt.entry
    label(operator, name, "production", two, expected=one)
    lost = refused(lambda: label(operator, name, "production", one, expected=one))
    assert (lost.code, lost.reason) == (grpc.StatusCode.ABORTED, "LABEL_MOVED")
    unknown = refused(lambda: label(operator, name, "production", "sha256:" + "0" * 64))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_PROMPT")
    wrong = refused(lambda: label(operator, name, "Not A Label", two))
    assert wrong.fields == {"label"}
    now = operator.prompts.GetVersion(prompt_pb2.GetVersionRequest(name=name, label="production"))
    assert now.prompt_version.version == two
    neither = refused(lambda: operator.prompts.GetVersion(prompt_pb2.GetVersionRequest(name=name)))
    assert neither.reason == "INVALID_REQUEST"


def test_an_inference_by_label_records_the_version_it_used(
    operator: Client, app: Client, hospital: ConfiguredServer, lying_provider: object
) -> None:
    name = "letters/used"
    one = create(operator, name, FIRST).prompt_version.version
    two = create(operator, name, SECOND).prompt_version.version
    label(operator, name, "production", one)
    reference = inference_pb2.PromptReference(
        name=name, label="production", variables={"recipient": "the patient", "clinic": "{{recipient}}"}
    )
    request = infer(reference)
    result = app.inference.Infer(request, timeout=TIMEOUT).result
    assert state(result) == "released"
    assert result.versions.prompt_version == one
    requested = json.loads(result.receipts[0].entry)
    assert requested["body"]["prompt_version"] == one
    # Filled in one pass: a value that looks like a place stays as it is.
    sent = lying_provider.prompts["prompted"][-1]  # type: ignore[attr-defined]
    assert sent == "Write a letter to the patient about the {{recipient}} clinic."
    # The label moves: a new call uses the new version, the old call's retry does not.
    label(operator, name, "production", two)
    again = app.inference.Infer(request, timeout=TIMEOUT).result
    assert (again.inference_id, again.versions.prompt_version) == (result.inference_id, one)
    fresh = app.inference.Infer(infer(reference), timeout=TIMEOUT).result
    assert fresh.versions.prompt_version == two


def test_variables_are_exactly_the_template_s(operator: Client, app: Client) -> None:
    name = "letters/strict"
    version = create(operator, name, FIRST).prompt_version.version
    secret = "zebulon_quackenbush"
    for variables in (
        {"recipient": "x"},
        {"recipient": "x", "clinic": "y", secret: "z"},
        {},
    ):
        reference = inference_pb2.PromptReference(name=name, version=version, variables=variables)
        answer = refused(lambda r=reference: app.inference.Infer(infer(r), timeout=TIMEOUT))  # type: ignore[misc]
        assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {"prompt_ref.variables"})
        assert secret.encode() not in answer.raw
    # Two values within their limits, together beyond the prompt's.
    long = inference_pb2.PromptReference(
        name=name, version=version, variables={"recipient": "x " * 20_000, "clinic": "y " * 20_000}
    )
    answer = refused(lambda: app.inference.Infer(infer(long), timeout=TIMEOUT))
    assert (answer.reason, answer.fields) == ("INVALID_REQUEST", {"prompt_ref"})
    unknown = inference_pb2.PromptReference(name=name, label="staging", variables={"recipient": "x"})
    answer = refused(lambda: app.inference.Infer(infer(unknown), timeout=TIMEOUT))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_PROMPT")


def test_prompts_are_of_one_tenant(hospital: ConfiguredServer, operator: Client) -> None:
    version = create(operator, "letters/ours", FIRST).prompt_version.version
    with Client(hospital.connection("south", "operator")) as other:
        for request in (
            prompt_pb2.GetVersionRequest(name="letters/ours", version=version),
            prompt_pb2.GetVersionRequest(name="letters/nobody-s", version=version),
        ):
            answer = refused(lambda r=request: other.prompts.GetVersion(r))  # type: ignore[misc]
            assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_PROMPT")
        assert create(other, "letters/ours", FIRST).prompt_version.version == version
