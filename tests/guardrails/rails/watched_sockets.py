"""Every attempt of a process to reach another, seen by an audit hook: imported first, in a process of its own."""

from __future__ import annotations

import sys
from typing import Any

ATTEMPTS: list[str] = []
_EVENTS = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
)


def _seen(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        ATTEMPTS.append(f"{event} {arguments[-1] if event != 'socket.getaddrinfo' else arguments[0]}")


sys.addaudithook(_seen)
