"""Every rpc of every attending.v1 service, from the descriptors: no list that somebody has to keep."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import grpc
from attending import v1
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


def files() -> list[FileDescriptor]:
    """The files of the wire contract that are generated into `attending.v1`."""
    names = sorted(
        module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")
    )
    return [importlib.import_module(f"attending.v1.{name}").DESCRIPTOR for name in names]


def methods() -> dict[str, MethodDescriptor]:
    """`/attending.v1.Service/Method` to its descriptor, in the order of the files."""
    return {
        f"/{service.full_name}/{method.name}": method
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
    }


def invoke(
    channel: grpc.Channel, name: str, request: Message | list[Message], timeout: float
) -> list[Message]:
    """Calls an rpc of any kind; every message of the answer. Raises grpc.RpcError."""
    method = methods()[name]
    requests = request if isinstance(request, list) else [request]
    assert {type(one).DESCRIPTOR.full_name for one in requests} == {method.input_type.full_name}, name
    assert method.client_streaming or len(requests) == 1, name
    any_channel: Any = channel
    incoming = "stream" if method.client_streaming else "unary"
    outgoing = "stream" if method.server_streaming else "unary"
    call = getattr(any_channel, f"{incoming}_{outgoing}")(
        name,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    answer = call(iter(requests) if method.client_streaming else requests[0], timeout=timeout)
    return list(_messages(answer)) if method.server_streaming else [answer]


def _messages(answer: Any) -> Iterator[Message]:
    yield from answer
