"""What a call can raise: the server's reasoned errors, and evidence that does not verify."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

P = ParamSpec("P")
T = TypeVar("T")


class AttendingApiError(Exception):
    """A call that the server refused. `reason` is its ErrorInfo reason, such as `IDEMPOTENCY_KEY_REUSED`."""

    def __init__(
        self,
        reason: str,
        code: grpc.StatusCode,
        *,
        metadata: dict[str, str] | None = None,
        field_violations: tuple[tuple[str, str], ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        fields = "; ".join(f"`{field}` {description}" for field, description in field_violations)
        super().__init__(f"{reason} ({code.name.lower()})" + (f": {fields}" if fields else ""))
        self.reason = reason
        self.code = code
        self.metadata = metadata or {}
        self.field_violations = field_violations
        self.retry_after_seconds = retry_after_seconds


class ReceiptError(Exception):
    """The server's evidence does not verify under the pinned log key: do not use the text, tell the operator."""


def translate(error: grpc.RpcError) -> AttendingApiError:
    """The reasoned error inside a gRPC error; reason `UNKNOWN` when the peer gave none."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    reason = "UNKNOWN"
    metadata: dict[str, str] = {}
    retry: float | None = None
    violations: list[tuple[str, str]] = []
    status = rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    details: Iterable[Any] = status.details if status is not None else ()
    for detail in details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        after = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations += [(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(after):
            retry = after.retry_delay.ToTimedelta().total_seconds()
    if reason == "UNKNOWN" and code is grpc.StatusCode.UNAVAILABLE:
        reason = "SERVER_UNREACHABLE"
    return AttendingApiError(
        reason,
        code,
        metadata=metadata,
        field_violations=tuple(violations),
        retry_after_seconds=retry,
    )


def translated(call: Callable[P, T]) -> Callable[P, T]:
    """Decorates a method so that it raises AttendingApiError instead of grpc.RpcError."""

    @wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except grpc.RpcError as err:
            raise translate(err) from None

    return wrapper
