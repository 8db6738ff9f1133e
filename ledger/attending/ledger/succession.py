"""Sealing a log and starting its successor: the log ends, nothing is truncated, and each names the other.

  1. the successor is created, stopped as LOG_AWAITS_PREDECESSOR
  2. `log.sealed` {successor, successor_key}, the log's last entry of its kind, and its stop as LOG_SEALED: one
     transaction
  3. `log.continued` {predecessor, predecessor_key, size, root}, entry 0 of the successor, and the end of its stop:
     one transaction; size and root are the head that step 2 made
A crash after 1 leaves an empty successor and a log that goes on: sealing again, with the same successor, takes it
up. A crash after 2 leaves a sealed log and a successor that takes nothing yet: the next start does step 3.

A sealed log still takes entries about the custody of its payloads (`entry.AFTER_SEAL`): a person can be erased from it.
So its head may move past the one that its successor names, which stays a prefix of it. What is under way in a
stream ends with the log: a stream does not go on in the successor, and whoever seals sees to that first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.entry import Entry, PendingEntry

STREAM: Final = "log"
"""Stream of a log's own beginning and end."""


@dataclass(frozen=True, slots=True)
class Succession:
    """A sealed log and its successor: ids, and the head (size, root of 32 bytes) that the successor names."""

    log_id: str
    successor: str
    size: int
    root: bytes


def sealing_entry(actor: str, successor_origin: str, successor_key: str) -> PendingEntry:
    """`log.sealed`; the key is the C2SP verifier key under which the successor's heads verify."""
    body = {"successor": successor_origin, "successor_key": successor_key}
    return PendingEntry("log.sealed", STREAM, actor, None, body)


def continuing_entry(actor: str, origin: str, key: str, size: int, root: bytes) -> PendingEntry:
    """`log.continued`: `origin`, verifier key and head of the log that was sealed."""
    body = {"predecessor": origin, "predecessor_key": key, "root": root.hex(), "size": size}
    return PendingEntry("log.continued", STREAM, actor, None, body)


def sealed_for(entry: Entry, successor_origin: str, successor_key: str) -> bool:
    """Whether `entry` seals its log in favour of that successor."""
    return entry.type == "log.sealed" and _names(
        entry.body, {"successor": successor_origin, "successor_key": successor_key}
    )


def _names(body: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(body.get(name) == value for name, value in wanted.items())
