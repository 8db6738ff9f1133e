"""The rpc context as the services name it; what they need of the caller comes from `auth.context`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import grpc

    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
else:
    # The stubs make the class generic; the class itself is not.
    Context: TypeAlias = Any
