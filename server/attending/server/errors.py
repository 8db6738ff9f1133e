"""What a caller can have done wrong, or the server can fail to do, as one small family of errors.

`reason` is the stable name that clients match (UPPER_SNAKE, the `google.rpc.ErrorInfo` reason on the wire).
The class says which status it becomes (`attending.server.status`). No error carries text of a prompt, output
or patient: `metadata` holds ids and enums, a field violation says what was expected, never what was sent.
"""

# ruff: noqa: N818 - the names say what happened, as gRPC's own do; the base says it is an error

from __future__ import annotations

from collections.abc import Iterable, Mapping


class AttendingError(Exception):
    """Base of the server's errors; `str()` of one is its reason and nothing else.

    `field_violations` pairs a field path with what was expected of it; `retry_after_seconds` is set where
    trying again can help.
    """

    default_reason = "INTERNAL"

    def __init__(
        self,
        reason: str | None = None,
        *,
        field_violations: Iterable[tuple[str, str]] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.reason = reason or self.default_reason
        super().__init__(self.reason)
        self.field_violations = list(field_violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})


class InvalidRequest(AttendingError):
    """The request is malformed; every violation found is named."""

    default_reason = "INVALID_REQUEST"

    def __init__(self, field_violations: Iterable[tuple[str, str]], reason: str | None = None) -> None:
        super().__init__(reason, field_violations=field_violations)


class Unauthenticated(AttendingError):
    """No credential, or one that names nobody. The reason does not help a guesser to tell these apart."""

    default_reason = "UNAUTHENTICATED"


class PermissionDenied(AttendingError):
    """The caller is known and may not do this."""

    default_reason = "PERMISSION_DENIED"


class NotFound(AttendingError):
    """No such thing, or one that the caller may not know of: both answer alike."""

    default_reason = "NOT_FOUND"


class OutOfRange(AttendingError):
    """An index at or past the tree size, or a page past the end."""

    default_reason = "OUT_OF_RANGE"


class AlreadyExists(AttendingError):
    """The idempotency key was used with another body."""

    default_reason = "IDEMPOTENCY_KEY_REUSED"


class Aborted(AttendingError):
    """A compare-and-set lost its race; read again and decide again."""

    default_reason = "LOST_RACE"


class FailedPrecondition(AttendingError):
    """The state does not allow it; `metadata` may name the actual and the allowed states."""

    default_reason = "FAILED_PRECONDITION"


class ResourceExhausted(AttendingError):
    """A quota, budget or size limit is used up; the same call will not succeed at once."""

    default_reason = "RESOURCE_EXHAUSTED"


class Unavailable(AttendingError):
    """Not now: try again after `retry_after_seconds`. Nothing was released."""

    default_reason = "UNAVAILABLE"


class SlowClient(Unavailable):
    """The client took too long to send or to read; what it was told or sent by then counts. It may come again."""

    default_reason = "SLOW_READER"


class DeadlineExceeded(AttendingError):
    """The call took longer than the server allows. Work that was begun is carried through and recorded."""

    default_reason = "DEADLINE_EXCEEDED"


class Unimplemented(AttendingError):
    """The server has no such method."""

    default_reason = "UNKNOWN_METHOD"


class DataLoss(AttendingError):
    """Evidence does not verify; nothing that rests on it is answered."""

    default_reason = "DATA_LOSS"


class ConfigurationError(AttendingError):
    """The server cannot start as configured. Never sent to a caller.

    `problem` says what is wrong in words (a key path, a file name; no value of a secret), `next_step` what
    to do about it.
    """

    default_reason = "CONFIGURATION"

    def __init__(self, problem: str, next_step: str, *, reason: str | None = None) -> None:
        super().__init__(reason)
        self.problem = problem
        self.next_step = next_step

    def __str__(self) -> str:
        return self.problem


__all__ = [
    "Aborted",
    "AlreadyExists",
    "AttendingError",
    "ConfigurationError",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidRequest",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "SlowClient",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
]
