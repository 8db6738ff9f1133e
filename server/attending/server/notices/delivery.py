"""The port to whoever is told, and what every way of telling shares."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from attending.ledger.entry import Entry
from attending.ledger.errors import UnsafeSettings
from attending.ledger.files import read_private
from attending.server.errors import ConfigurationError
from attending.server.notices.notice import Notice

UNREADABLE: Final = "SECRET_UNREADABLE"
TIMEOUT: Final = "TIMEOUT"
UNREACHABLE: Final = "UNREACHABLE"


class NotDelivered(Exception):  # noqa: N818 - says what happened
    """One attempt failed. `reason` is UPPER_SNAKE and says nothing that the receiver said; `permanent` where another
    attempt cannot end otherwise; `after_seconds` is how long the receiver asks to be left alone.
    """

    def __init__(self, reason: str, *, permanent: bool = False, after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.after_seconds = after_seconds


class Delivery(Protocol):
    """One target. Safe from several tasks of one event loop."""

    name: str
    kind: str

    def read(self, entry: Entry, tenant: str, item: Mapping[str, Any] | None) -> Notice | None:
        """What the entry is to it; None for nothing. `item` is the row of the ticket that it names (`ticket_of`)."""

    def wants(self, notice: Notice) -> bool:
        """Whether it is told of this at all; the same whenever it is asked under one configuration."""

    async def send(self, notice: Notice) -> None:
        """Returns when the receiver has taken it, and not before; raises NotDelivered. The caller bounds its time."""

    async def close(self) -> None:
        """Lets go of connections."""


async def read_secret(file: Path | None, variable: str | None) -> bytes:
    """A secret as it is now, from a private file or a variable, without the end of its line; NotDelivered."""
    try:
        return await asyncio.to_thread(secret_of, file, variable)
    except ConfigurationError:
        raise NotDelivered(UNREADABLE) from None


def secret_of(file: Path | None, variable: str | None) -> bytes:
    """The same; ConfigurationError that names the place and quotes nothing."""
    if file is not None:
        try:
            found = read_private(file).strip()
        except (OSError, UnsafeSettings) as err:
            why = str(err) if isinstance(err, UnsafeSettings) else type(err).__name__
            raise _no_secret(f"file `{file.name}` does not read: {why}") from None
    else:
        found = os.environ.get(variable or "", "").strip().encode("utf-8", "surrogateescape")
    if not found:
        place = f"file `{file.name}`" if file is not None else f"environment variable `{variable}`"
        raise _no_secret(f"{place} holds none")
    return found


def _no_secret(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"a secret of `[notices]` is not there: {why}", "set it; no restart is needed", reason="NOTICE_SECRET"
    )
