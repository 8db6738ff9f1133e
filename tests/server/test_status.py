"""Every error class becomes a status with a reason, whatever kind of rpc raises it, and says nothing else."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import io
import json
import pkgutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import attending.ledger
import attending.server
import grpc
import pytest
from attending.client.errors import translate
from attending.guardrails.pool import GuardOverloaded
from attending.ledger import errors as ledger
from attending.server import errors, telemetry
from attending.server.rpc import RpcInterceptor, Transfer
from attending.server.status import STATUS, errors_as_status, status_of

SECRET = "Jane Q. Patient takes 40 mg"

# Raised before a server listens or outside it, never by an rpc.
NOT_ON_THE_WIRE = {
    "attending.server.notices.delivery.NotDelivered": "the notice is sent again later",
    "attending.server.outside.addresses.AddressRefused": "of a server of others: NotDelivered or NotAnswered then",
    "attending.server.outside.ask.NotAnswered": "goes out as Unavailable, or is tried again",
    "attending.server.reports.deidentified.texts.IdentifiersRemainError": "of a process: FailedPrecondition then",
    "attending.server.reports.stamping.NotStamped": "goes out as Unavailable",
    "attending.server.errors.AttendingError": "the base; its subclasses are mapped",
    "attending.server.errors.ConfigurationError": "ends the start of a server",
    "attending.ledger.group.OutOfStep": "the sequencer reads the log again",
    "attending.ledger.group.KeyMoved": "the sequencer reads the log's keys again",
    "attending.ledger.errors.LedgerError": "the base; its subclasses are mapped",
    "attending.ledger.errors.OtherVersion": "of commands that read a database or a backup",
    "attending.ledger.errors.BackupRefused": "of `attending ledger backup` and `restore`",
    "attending.server.auth.oidc.token.TokenRefused": "goes out as Unauthenticated, which it is",
    "attending.server.auth.oidc.keys.KeysRefused": "a refresh of a provider's keys goes on with the old ones",
    "attending.server.auth.revocation.ListRefused": "the list counts as missing",
    "attending.server.tls_files.FilesRefused": "the files in use stay in use",
    "attending.server.cli.outcome.CommandError": "ends a command",
    "attending.server.demo.server.ServerDidNotStart": "ends the demo",
    "attending.server.validation.ValidationFileError": "ends `attending validation`",
    "attending.server.simulation.kept.StateError": "ends `attending policy simulate`",
}


def _classes(package: Any) -> dict[str, type[Exception]]:
    found: dict[str, type[Exception]] = {}
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for _name, thing in inspect.getmembers(module, inspect.isclass):
            private = thing.__name__.startswith("_")
            if issubclass(thing, Exception) and thing.__module__ == info.name and not private:
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return found


def test_every_error_class_of_ledger_and_server_has_a_row() -> None:
    classes = {**_classes(attending.ledger), **_classes(attending.server)}
    assert "attending.ledger.errors.QueueFull" in classes
    unmapped = {
        name
        for name, kind in classes.items()
        # Faults of the ledger's store are translated by its door before anyone sees them.
        if kind not in STATUS and name not in NOT_ON_THE_WIRE and ".ledger.store." not in name
    }
    assert unmapped == set()


def test_no_row_is_for_a_class_that_does_not_exist_any_more() -> None:
    assert all(issubclass(kind, Exception) for kind in STATUS)
    assert {m.code for m in STATUS.values()} >= {grpc.StatusCode.DATA_LOSS, grpc.StatusCode.ABORTED}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.InvalidRequest([("prompt", "is required")]), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (errors.Unauthenticated("MISSING_CREDENTIAL"), "UNAUTHENTICATED", "MISSING_CREDENTIAL"),
        (errors.PermissionDenied(), "PERMISSION_DENIED", "PERMISSION_DENIED"),
        (ledger.NotFound("no such log"), "NOT_FOUND", "NOT_FOUND"),
        (ledger.OutOfRange("past the end"), "OUT_OF_RANGE", "OUT_OF_RANGE"),
        (ledger.ClaimConflict("k"), "ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED"),
        (ledger.ExpectationFailed("s", 1, 2), "ABORTED", "EXPECTATION_FAILED"),
        (errors.FailedPrecondition("NOT_RELEASED"), "FAILED_PRECONDITION", "NOT_RELEASED"),
        (ledger.LogFrozen("sealed"), "FAILED_PRECONDITION", "LOG_FROZEN"),
        (ledger.SubjectErased("gone"), "FAILED_PRECONDITION", "SUBJECT_ERASED"),
        (ledger.SubjectHeld(("hold_1",)), "FAILED_PRECONDITION", "SUBJECT_HELD"),
        (ledger.PayloadPruned("gone"), "FAILED_PRECONDITION", "PAYLOAD_PRUNED"),
        (ledger.CustodyChanged("others"), "ABORTED", "CUSTODY_CHANGED"),
        (ledger.QueueFull(0.5), "UNAVAILABLE", "QUEUE_FULL"),
        (GuardOverloaded(1.0), "UNAVAILABLE", "GUARD_OVERLOADED"),
        (errors.ResourceExhausted("BUDGET_EXCEEDED"), "RESOURCE_EXHAUSTED", "BUDGET_EXCEEDED"),
        (ledger.CorruptLog("bad", index=4), "DATA_LOSS", "CORRUPT_LOG"),
        (ledger.VerificationError(SECRET), "DATA_LOSS", "VERIFICATION_FAILED"),
        (ValueError(SECRET), "INTERNAL", "INTERNAL"),
    ],
)
def test_status_of_an_error(error: Exception, code: str, reason: str) -> None:
    status = status_of(error)
    assert status.code == grpc.StatusCode[code].value[0]
    assert status.details[0].value.find(reason.encode()) > 0
    assert SECRET.encode() not in status.SerializeToString()


class _Service:
    """One method of each kind that raises what the test gives it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def handlers(self) -> grpc.GenericRpcHandler:
        async def unary(_request: bytes, _context: Any) -> bytes:
            raise self.error

        async def stream(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
            yield b"first"
            raise self.error

        async def up(requests: AsyncIterator[bytes], _context: Any) -> bytes:
            async for _message in requests:
                raise self.error
            return b""

        async def both(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
            async for message in requests:
                yield message
                raise self.error

        return grpc.method_handlers_generic_handler(
            "test.Raising",
            {
                "Unary": grpc.unary_unary_rpc_method_handler(unary),
                "Stream": grpc.unary_stream_rpc_method_handler(stream),
                "Up": grpc.stream_unary_rpc_method_handler(up),
                "Both": grpc.stream_stream_rpc_method_handler(both),
            },
        )


def _interceptor(limit: int) -> RpcInterceptor:
    transfer = Transfer(limit, request_seconds=30, idle_seconds=30, reader_seconds=30)
    return RpcInterceptor([errors_as_status], transfer=transfer, public=lambda _m: False, anonymous=[])


async def _one(call: Any) -> Any:
    return await call


async def _all(call: Any) -> list[Any]:
    return [message async for message in call]


async def _failure(
    error: BaseException, kind: str, request: bytes = b"x", limit: int = 1000
) -> grpc.aio.AioRpcError:
    interceptor = _interceptor(limit)
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers((_Service(error).handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        channel: Any
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = f"/test.Raising/{kind}"

            async def requests() -> AsyncIterator[bytes]:
                yield request

            calls: dict[str, Callable[[], Any]] = {
                "Unary": lambda: _one(channel.unary_unary(method)(request, timeout=30)),
                "Stream": lambda: _all(channel.unary_stream(method)(request, timeout=30)),
                "Up": lambda: _one(channel.stream_unary(method)(requests(), timeout=30)),
                "Both": lambda: _all(channel.stream_stream(method)(requests(), timeout=30)),
            }
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await calls.get(kind, calls["Unary"])()
            return caught.value
    finally:
        await server.stop(None)


def _reason(error: grpc.aio.AioRpcError) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            from google.rpc import error_details_pb2, status_pb2

            info = error_details_pb2.ErrorInfo()
            assert status_pb2.Status.FromString(value).details[0].Unpack(info)
            assert info.domain == "attending"
            return str(info.reason)
    raise AssertionError("no details")


@pytest.mark.parametrize("kind", ["Unary", "Stream", "Up", "Both"])
async def test_every_kind_of_rpc_carries_the_reason(kind: str) -> None:
    error = await _failure(errors.Unavailable("PROVIDER_TIMEOUT", retry_after_seconds=2.5), kind)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert _reason(error) == "PROVIDER_TIMEOUT"


@pytest.mark.parametrize("kind", ["Unary", "Stream", "Up", "Both"])
async def test_an_unforeseen_error_says_and_logs_nothing_of_its_words(kind: str) -> None:
    lines = io.StringIO()
    telemetry.configure("debug", "json", lines)
    try:
        error = await _failure(KeyError(SECRET), kind)
    finally:
        telemetry.configure()
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "internal error"
    assert SECRET not in str(error.trailing_metadata()) + lines.getvalue()
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    [line] = [line for line in logged if line["event"] == "rpc.internal_error"]
    assert line["error_type"] == "KeyError"
    assert line["location"].startswith("server/test_status.py:")
    assert line["error_id"] in str(error.trailing_metadata())


async def test_work_cancelled_under_a_live_call_does_not_leave_the_caller_waiting() -> None:
    error = await _failure(asyncio.CancelledError(), "Unary")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert _reason(error) == "CALL_INTERRUPTED"


async def test_a_call_that_its_client_cancels_reaches_the_handler_as_cancellation() -> None:
    entered, seen = asyncio.Event(), asyncio.Event()

    async def waiting(_request: bytes, _context: Any) -> bytes:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.set()
            raise
        return b""

    interceptor = _interceptor(1000)
    server = grpc.aio.server(interceptors=[interceptor])
    handlers: dict[str, Any] = {"Wait": grpc.unary_unary_rpc_method_handler(waiting)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Waiting", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        channel: Any
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/test.Waiting/Wait")(b"x")
            await entered.wait()
            call.cancel()
            await asyncio.wait_for(seen.wait(), 30)
    finally:
        await server.stop(None)


async def test_an_oversized_message_has_a_reason() -> None:
    error = await _failure(AssertionError("not reached"), "Unary", b"x" * 2000, limit=1000)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert _reason(error) == "MESSAGE_TOO_LARGE"


async def test_an_oversized_answer_has_a_reason() -> None:
    error = await _failure(AssertionError("not reached"), "Stream", limit=4)
    assert _reason(error) == "RESPONSE_TOO_LARGE"


async def test_an_unknown_method_has_a_reason() -> None:
    error = await _failure(AssertionError("not reached"), "Nothing")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert _reason(error) == "UNKNOWN_METHOD"


def test_the_client_reads_violations_and_retry() -> None:
    class _Call(grpc.RpcError, grpc.Call):  # type: ignore[misc]
        pass

    status = status_of(errors.InvalidRequest([("prompt", "is required"), ("key", "is too long")]))
    details = grpc_metadata(status)
    call = type(
        "Call",
        (_Call,),
        {
            **dict.fromkeys(grpc.Call.__abstractmethods__ | grpc.RpcContext.__abstractmethods__),
            "code": lambda _s: grpc.StatusCode.INVALID_ARGUMENT,
            "details": lambda _s: status.message,
            "trailing_metadata": lambda _s: details,
        },
    )()
    error = translate(call)
    assert error.reason == "INVALID_REQUEST"
    assert error.field_violations == (("prompt", "is required"), ("key", "is too long"))


def grpc_metadata(status: Any) -> tuple[tuple[str, bytes], ...]:
    return (("grpc-status-details-bin", status.SerializeToString()),)
