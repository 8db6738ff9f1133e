"""Errors on the wire: one table from error class to gRPC status, and what puts it around every rpc.

A status carries `google.rpc.Status` details: ErrorInfo (reason, domain `attending`, ids), BadRequest with
the field violations, RetryInfo where trying again can help. Its message is fixed text of the class. What is
not in the table is INTERNAL with an error id; of such an error only its type and place are logged, since its
words may quote a prompt.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from attending.guardrails.pool import GuardError, GuardOverloaded
from attending.ledger import errors as ledger
from attending.server import errors
from attending.server.providers.port import ProviderError
from attending.server.rpc import Context
from attending.server.telemetry import place
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

log = structlog.get_logger()

DOMAIN: Final = "attending"
MAX_VIOLATIONS: Final = 30
"""Named in one error: a status travels in HTTP/2 trailers, and a client that bounds those at 8 KiB sees none of it."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a class goes out. `reason`, if any, replaces the error's own: one name for one thing."""

    code: grpc.StatusCode
    text: str
    reason: str | None = None


_Code = grpc.StatusCode

STATUS: Final[dict[type[Exception], Mapping]] = {
    errors.InvalidRequest: Mapping(_Code.INVALID_ARGUMENT, "the request is not valid"),
    errors.Unauthenticated: Mapping(_Code.UNAUTHENTICATED, "the caller is not authenticated"),
    errors.PermissionDenied: Mapping(_Code.PERMISSION_DENIED, "the caller may not do this"),
    errors.NotFound: Mapping(_Code.NOT_FOUND, "not found"),
    errors.OutOfRange: Mapping(_Code.OUT_OF_RANGE, "out of range"),
    errors.AlreadyExists: Mapping(_Code.ALREADY_EXISTS, "already used with another request"),
    errors.Aborted: Mapping(_Code.ABORTED, "changed meanwhile, read again"),
    errors.FailedPrecondition: Mapping(_Code.FAILED_PRECONDITION, "the present state does not allow this"),
    errors.ResourceExhausted: Mapping(_Code.RESOURCE_EXHAUSTED, "a limit is used up"),
    errors.SlowClient: Mapping(_Code.UNAVAILABLE, "the client was too slow"),
    errors.Unavailable: Mapping(_Code.UNAVAILABLE, "not available now"),
    errors.DeadlineExceeded: Mapping(_Code.DEADLINE_EXCEEDED, "took too long"),
    errors.Unimplemented: Mapping(_Code.UNIMPLEMENTED, "no such method"),
    errors.DataLoss: Mapping(_Code.DATA_LOSS, "evidence does not verify"),
    GuardOverloaded: Mapping(_Code.UNAVAILABLE, "the checks are busy"),
    GuardError: Mapping(_Code.UNAVAILABLE, "the checks are not available"),
    ProviderError: Mapping(_Code.UNAVAILABLE, "the model provider did not answer usefully"),
    ledger.VerificationError: Mapping(_Code.DATA_LOSS, "evidence does not verify"),
    ledger.CanonicalError: Mapping(_Code.DATA_LOSS, "evidence does not verify"),
    ledger.CorruptLog: Mapping(_Code.DATA_LOSS, "the log does not verify"),
    ledger.EntryTooLarge: Mapping(_Code.INVALID_ARGUMENT, "the request makes an entry that is too large"),
    ledger.ExpectationFailed: Mapping(_Code.ABORTED, "changed meanwhile, read again"),
    ledger.DuplicateClaim: Mapping(
        _Code.ALREADY_EXISTS, "the same request was already made", "IDEMPOTENCY_KEY_USED"
    ),
    ledger.ClaimConflict: Mapping(
        _Code.ALREADY_EXISTS, "already used with another request", "IDEMPOTENCY_KEY_REUSED"
    ),
    ledger.ClaimStale: Mapping(_Code.ABORTED, "changed meanwhile, ask again"),
    ledger.RowRejected: Mapping(_Code.ABORTED, "changed meanwhile, read again"),
    ledger.QueueFull: Mapping(_Code.UNAVAILABLE, "the ledger is busy"),
    ledger.LogFrozen: Mapping(_Code.FAILED_PRECONDITION, "the log takes no more entries"),
    ledger.Halted: Mapping(_Code.FAILED_PRECONDITION, "the log is halted"),
    ledger.LedgerLocked: Mapping(_Code.UNAVAILABLE, "another process holds the ledger"),
    ledger.NotFound: Mapping(_Code.NOT_FOUND, "not found"),
    ledger.OutOfRange: Mapping(_Code.OUT_OF_RANGE, "out of range"),
    ledger.SubjectErased: Mapping(_Code.FAILED_PRECONDITION, "the content has been erased"),
    ledger.PayloadPruned: Mapping(_Code.FAILED_PRECONDITION, "the content's retention has ended"),
    ledger.SubjectHeld: Mapping(_Code.FAILED_PRECONDITION, "a legal hold covers the subject"),
    ledger.ClosureTooLarge: Mapping(_Code.FAILED_PRECONDITION, "too many pseudonyms are one person"),
    ledger.CustodyChanged: Mapping(_Code.ABORTED, "changed meanwhile, read again"),
    ledger.StoreUnavailable: Mapping(_Code.UNAVAILABLE, "the store is not available"),
    ledger.KeyStoreUnavailable: Mapping(_Code.UNAVAILABLE, "the key store is not available"),
    ledger.KeyStoreRefused: Mapping(_Code.FAILED_PRECONDITION, "the key store refuses"),
    ledger.KeysNotOpen: Mapping(_Code.DATA_LOSS, "a sealed key does not open"),
    ledger.SigningKeyRetired: Mapping(_Code.UNAVAILABLE, "the log's signing key was rotated at this moment"),
    ledger.KeyGenerations: Mapping(_Code.FAILED_PRECONDITION, "the key has too many generations"),
    ledger.VerificationIncomplete: Mapping(_Code.UNAVAILABLE, "the verification did not come to its end"),
    ledger.ProjectionsIncomplete: Mapping(_Code.FAILED_PRECONDITION, "a rebuild has to be finished first"),
    ledger.UnsafeSettings: Mapping(_Code.FAILED_PRECONDITION, "the store is not safe to write to"),
    ledger.FolderRefused: Mapping(_Code.FAILED_PRECONDITION, "the folder is not one to export to"),
}

INTERNAL: Final = Mapping(_Code.INTERNAL, "internal error", "INTERNAL")


def mapping_of(error: type[BaseException]) -> Mapping:
    """The row of the nearest class in the table; INTERNAL when there is none."""
    for base in error.__mro__:
        if base in STATUS:
            return STATUS[base]
    return INTERNAL


def status_of(error: Exception) -> status_pb2.Status:
    """The `google.rpc.Status` of an error; one outside the table is logged by type and place, with an id."""
    mapping = mapping_of(type(error))
    if mapping is INTERNAL:
        error_id = secrets.token_hex(8)
        log.error(
            "rpc.internal_error", error_id=error_id, error_type=type(error).__name__, location=place(error)
        )
        return _status(mapping, "INTERNAL", {"error_id": error_id}, [], None)
    return _status(
        mapping,
        mapping.reason or str(getattr(error, "reason", "UNKNOWN")),
        getattr(error, "metadata", {}),
        getattr(error, "field_violations", []),
        getattr(error, "retry_after_seconds", None),
    )


def _status(
    mapping: Mapping,
    reason: str,
    metadata: dict[str, str],
    violations: list[tuple[str, str]],
    retry_after_seconds: float | None,
) -> status_pb2.Status:
    packed = [_packed(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))]
    if violations:
        bad = error_details_pb2.BadRequest()
        for field, description in violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(field=field, description=description)
        packed.append(_packed(bad))
    if retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(round(retry_after_seconds * 1_000_000))
        packed.append(_packed(retry))
    return status_pb2.Status(code=mapping.code.value[0], message=mapping.text, details=packed)


def _packed(detail: Message) -> AnyMessage:
    message = AnyMessage()
    message.Pack(detail)
    return message


@asynccontextmanager
async def errors_as_status(_method: str, context: Context) -> AsyncIterator[None]:
    """Ends the call with the status of whatever is raised inside. A call that was cancelled stays cancelled.

    Work that was cancelled under a call that was not would leave its caller waiting for ever: that is Unavailable.
    """
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if context.cancelled() or (task is not None and task.cancelling()):
            raise
        status = rpc_status.to_status(status_of(errors.Unavailable("CALL_INTERRUPTED")))
    except Exception as error:
        # Not chained: grpc would log the chain, words and all.
        status = rpc_status.to_status(status_of(error))
    else:
        return
    try:
        await context.abort_with_status(status)
    except grpc.aio.InternalError:
        # The client went meanwhile: there is nobody to tell, and nothing that an operator could do.
        raise asyncio.CancelledError from None
