"""PromptService."""

from __future__ import annotations

from attending.v1 import prompt_pb2

from tests.matrix.making import Things, key, maker


@maker("PromptService/CreateVersion", "operator", own=True)
def create_version(_things: Things) -> prompt_pb2.CreateVersionRequest:
    return prompt_pb2.CreateVersionRequest(
        idempotency_key=key(), name=f"matrix/{key()}", template=f"Hello {key()}."
    )


@maker("PromptService/GetVersion", "operator")
def get_version(things: Things) -> prompt_pb2.GetVersionRequest:
    return prompt_pb2.GetVersionRequest(name=things.prompt, version=things.version)


@maker("PromptService/GetVersion", "operator", variant="by label")
def get_version_by_label(things: Things) -> prompt_pb2.GetVersionRequest:
    return prompt_pb2.GetVersionRequest(name=things.prompt, label="production")


@maker("PromptService/SetLabel", "operator")
def set_label(things: Things) -> prompt_pb2.SetLabelRequest:
    return prompt_pb2.SetLabelRequest(
        idempotency_key=key(), name=things.prompt, label="staging", version=things.version
    )


@maker("PromptService/ListVersions", "operator")
def list_versions(things: Things) -> prompt_pb2.ListVersionsRequest:
    return prompt_pb2.ListVersionsRequest(name=things.prompt)
