"""One way to put something around every rpc handler, whatever its kind.

Handlers get bytes from gRPC and give bytes back: decoding and encoding happen inside the wrapping, so that a
message that does not parse or an answer that is too large is an error with a reason like any other.

To gRPC every method is one of streams both ways, which on the wire is the same. Only so are the messages of a call
that is not one read and sent inside the wrapping, too: nothing is read for a caller who is not let in, and a client
that sends or reads slowly is one of the calls that are counted, for a time that has an end.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from attending.server.errors import InvalidRequest, ResourceExhausted, SlowClient, Unimplemented

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    # The stubs make these classes generic; the classes themselves are not.
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler
Around = Callable[[str, Context], AbstractAsyncContextManager[None]]
"""Entered with the full method name (`/package.Service/Method`) and the context before the handler, and left
after its last message was sent. The outermost one turns what is raised into a status."""

_RETRY_SECONDS: Final = 1.0
_CANCELLED_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bounds of what goes over the wire in one call: bytes of a message, and how long a client may take.

    `request_seconds` is for the first message, `idle_seconds` for each further one of a stream,
    `reader_seconds` for the sending of one.
    """

    max_message_bytes: int
    request_seconds: float
    idle_seconds: float
    reader_seconds: float


class RpcInterceptor(grpc.aio.ServerInterceptor):
    """Runs every handler inside the given context managers, outermost first.

    Methods for which `public` is true (health and reflection: they hold no data and word their own errors) run
    inside `anonymous` in their place. An unknown method answers as an error with a reason too.
    """

    def __init__(
        self,
        arounds: Sequence[Around],
        *,
        transfer: Transfer,
        public: Callable[[str], bool],
        anonymous: Sequence[Around],
    ) -> None:
        self._arounds = tuple(arounds)
        self._transfer = transfer
        self._public = public
        self._anonymous = tuple(anonymous)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method: str = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(self._unknown(method))
        return self._wrapped(method, handler, self._anonymous if self._public(method) else self._arounds)

    @asynccontextmanager
    async def _entered(self, arounds: Sequence[Around], method: str, context: Context) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for around in arounds:
                await stack.enter_async_context(around(method, context))
            yield

    def _unknown(self, method: str) -> Any:
        async def unknown(_requests: Any, context: Context) -> None:
            # Only the outermost manager, which words the error: there is no action to authorise.
            async with self._arounds[0](method, context):
                raise Unimplemented

        return unknown

    def _wrapped(self, method: str, handler: Handler, arounds: Sequence[Around]) -> Handler:
        # One of the four is set.
        inner: Any = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        if handler.response_streaming and not inspect.isasyncgenfunction(inner):
            raise TypeError(f"`{method}` must be an async generator")

        async def wrapped(_requests: Any, context: Context) -> None:
            async with self._entered(arounds, method, context):
                incoming = self._incoming(handler, context)
                request = incoming if handler.request_streaming else await self._single(incoming)
                sending = Sending(handler, context, self._transfer)
                if handler.response_streaming:
                    async with aclosing(inner(request, context)) as messages:
                        async for message in messages:
                            await sending.send(message)
                else:
                    await sending.send(await inner(request, context))

        return grpc.stream_stream_rpc_method_handler(wrapped)

    async def _incoming(self, handler: Handler, context: Context) -> AsyncIterator[Any]:
        seconds, limit = self._transfer.request_seconds, "limits.request_seconds"
        while True:
            try:
                async with asyncio.timeout(seconds):
                    raw: Any = await context.read()
            except TimeoutError:
                raise SlowClient(
                    "SLOW_SENDER",
                    retry_after_seconds=_RETRY_SECONDS,
                    metadata={"limit": limit, "value": f"{seconds:g}"},
                ) from None
            if raw is grpc.aio.EOF:
                return
            yield self._decoded(handler, raw)
            seconds, limit = self._transfer.idle_seconds, "limits.idle_stream_seconds"

    async def _single(self, incoming: AsyncIterator[Any]) -> Any:
        request = await anext(incoming, None)
        if request is None:
            # To gRPC's Python an end without a message and a message that gRPC itself refused look alike at first;
            # of the latter it then cancels the call, with a status of its own.
            await asyncio.sleep(_CANCELLED_SECONDS)
            raise InvalidRequest([("message", "is required")])
        return request

    def _decoded(self, handler: Handler, data: bytes) -> Any:
        limit = self._transfer.max_message_bytes
        if len(data) > limit:
            raise ResourceExhausted("MESSAGE_TOO_LARGE", metadata={"limit_bytes": str(limit)})
        if handler.request_deserializer is None:
            return data
        try:
            return handler.request_deserializer(data)
        except Exception:
            # The parser's own words may quote the bytes.
            raise InvalidRequest([("message", "must be a valid message of this method")]) from None


class Sending:
    """The messages of one answer."""

    def __init__(self, handler: Handler, context: Context, transfer: Transfer) -> None:
        self._handler = handler
        self._context = context
        self._transfer = transfer
        self._begun = False

    async def send(self, message: Any) -> None:
        """Returns when the message has left; ResourceExhausted, SlowClient.

        A client that reads nothing keeps it here. What then ends the call waits behind it, until the client reads
        or its connection ends.
        """
        data = self._encoded(message)
        seconds = self._transfer.reader_seconds
        try:
            if not self._begun:
                # By itself, or the status of a call whose first message is stuck could not be sent.
                await self._context.send_initial_metadata(())
                self._begun = True
            async with asyncio.timeout(seconds):
                await self._context.write(data)
        except grpc.aio.InternalError:
            # The client is gone: as if it had cancelled, which is what it comes to.
            raise asyncio.CancelledError from None
        except TimeoutError:
            raise SlowClient(
                "SLOW_READER",
                retry_after_seconds=_RETRY_SECONDS,
                metadata={"limit": "limits.slow_reader_seconds", "value": f"{seconds:g}"},
            ) from None

    def _encoded(self, message: Any) -> bytes:
        serializer = self._handler.response_serializer
        limit = self._transfer.max_message_bytes
        data: bytes = message if serializer is None else serializer(message)
        if len(data) > limit:
            raise ResourceExhausted("RESPONSE_TOO_LARGE", metadata={"limit_bytes": str(limit)})
        return data
