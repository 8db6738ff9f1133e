"""One way to put something around every rpc handler, whatever its kind.

Handlers get bytes from gRPC and give bytes back: decoding and encoding happen inside the wrapping, so that a
message that does not parse or an answer that is too large is an error with a reason like any other.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from attending.server.errors import InvalidRequest, ResourceExhausted, Unimplemented

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    # The stubs make these classes generic; the classes themselves are not.
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler
Around = Callable[[str, Context], AbstractAsyncContextManager[None]]
"""Entered with the full method name (`/package.Service/Method`) and the context before the handler, and left
after its last message. The outermost one turns what is raised into a status."""


class RpcInterceptor(grpc.aio.ServerInterceptor):
    """Runs every handler inside the given context managers, outermost first.

    `max_message_bytes` bounds each request and response message. Methods for which `public` is true are
    left alone (health and reflection: they hold no data and word their own errors). An unknown method
    answers as an error with a reason too.
    """

    def __init__(
        self, arounds: Sequence[Around], *, max_message_bytes: int, public: Callable[[str], bool]
    ) -> None:
        self._arounds = tuple(arounds)
        self._max = max_message_bytes
        self._public = public

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method: str = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return grpc.unary_unary_rpc_method_handler(self._unknown(method))
        if self._public(method):
            return handler
        if handler.response_streaming:
            return self._streaming(method, handler)
        return self._single(method, handler)

    @asynccontextmanager
    async def _entered(self, method: str, context: Context) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for around in self._arounds:
                await stack.enter_async_context(around(method, context))
            yield

    def _unknown(self, method: str) -> Any:
        async def unknown(_request: bytes, context: Context) -> bytes:
            # Only the outermost manager, which words the error: there is no action to authorise.
            async with self._arounds[0](method, context):
                raise Unimplemented
            raise AssertionError("the error above ends the call")

        return unknown

    def _single(self, method: str, handler: Handler) -> Handler:
        inner: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def single(raw: Any, context: Context) -> bytes:
            async with self._entered(method, context):
                return self._encoded(handler, await inner(self._incoming(handler, raw), context))
            raise AssertionError("a manager swallowed an error")

        made: Any = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        wrapped: Handler = made(single)
        return wrapped

    def _streaming(self, method: str, handler: Handler) -> Handler:
        inner: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
        if not inspect.isasyncgenfunction(inner):
            raise TypeError(f"`{method}` must be an async generator")

        async def streaming(raw: Any, context: Context) -> AsyncIterator[bytes]:
            async with self._entered(method, context):
                async for message in inner(self._incoming(handler, raw), context):
                    yield self._encoded(handler, message)

        made: Any = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        wrapped: Handler = made(streaming)
        return wrapped

    def _incoming(self, handler: Handler, raw: Any) -> Any:
        if handler.request_streaming:
            return (self._decoded(handler, data) async for data in raw)
        return self._decoded(handler, raw)

    def _decoded(self, handler: Handler, data: bytes) -> Any:
        if len(data) > self._max:
            raise ResourceExhausted("MESSAGE_TOO_LARGE", metadata={"limit_bytes": str(self._max)})
        if handler.request_deserializer is None:
            return data
        try:
            return handler.request_deserializer(data)
        except Exception:
            # The parser's own words may quote the bytes.
            raise InvalidRequest([("message", "must be a valid message of this method")]) from None

    def _encoded(self, handler: Handler, message: Any) -> bytes:
        data: bytes = message if handler.response_serializer is None else handler.response_serializer(message)
        if len(data) > self._max:
            raise ResourceExhausted("RESPONSE_TOO_LARGE", metadata={"limit_bytes": str(self._max)})
        return data
