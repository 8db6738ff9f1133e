"""Logs that the lies are told about: an honest day, and ways for who holds its key to write another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attending.ledger.canonical import encode
from attending.ledger.entry import GENESIS_PREV, parse_entry, parse_time
from attending.ledger.merkle import leaf_hash
from attending.ledger.note import COSIGNATURE, VerifierKey
from attending.ledger.verify.checks import Scope

from tests.ledger.verify.conftest import LogBuilder

Entry = dict[str, Any]


def honest_day() -> LogBuilder:
    """42 entries: twelve looks into a chart, which move no state; then releases by policy, a block, signatures with and
    without edits, a rejection, a withdrawal.
    """
    log = LogBuilder()
    for number in range(12):
        log.append("access.viewed", f"chart_{number}", {"tokens": 12})
    log.ordinary_day()
    return log


def witness_of(log: LogBuilder) -> VerifierKey:
    return VerifierKey("witness.example/w1", COSIGNATURE, log.witness_key.public_key().public_bytes_raw())


def cosigned(log: LogBuilder, size: int | None = None, *, late_by: int = 1) -> str:
    """The head of that size as the witness cosigned it, so many seconds after its last entry."""
    size = len(log.entries) if size is None else size
    return log.checkpoint(size, cosigned_at=seconds_of(log, size - 1) + late_by)


def seconds_of(log: LogBuilder, index: int) -> int:
    """POSIX seconds of an entry's time. The days of these logs begin at full seconds."""
    return int(parse_time(parse_entry(log.entries[index]).time).timestamp())


def with_entries(log: LogBuilder, path: Path, entries: Sequence[bytes], **more: Any) -> Path:
    """A bundle under the head of `log` that holds other entries: of one who may sign a manifest, and not that head."""
    size = len(log.entries)
    more.setdefault("checkpoint_note", log.checkpoint())
    return log._write(path, Scope.FULL, 0, size, entries, **more)


def changed(data: bytes, change: Callable[[Entry], object]) -> bytes:
    """An entry with something else in it, in canonical form."""
    value = json.loads(data)
    change(value)
    return encode(value)


def chained(log: LogBuilder, entries: Sequence[bytes], begin: int = 0) -> list[bytes]:
    """The entries linked anew from `begin` on: each names the leaf hash of the one before it here."""
    made = list(entries[:begin])
    prev = leaf_hash(made[-1]) if made else GENESIS_PREV
    for index, data in enumerate(entries[begin:], begin):
        made.append(encode({**json.loads(data), "index": index, "prev": prev.hex(), "origin": log.origin}))
        prev = leaf_hash(made[-1])
    return made


def rewritten(log: LogBuilder, change: Callable[[list[bytes]], list[bytes]], begin: int = 0) -> LogBuilder:
    """A log of the same key and origin that its operator made of other entries, with every hash and signature right."""
    other = LogBuilder(log.origin)
    other.openings, other.clock = dict(log.openings), log.clock
    other.entries = chained(log, change(list(log.entries)), begin)
    return other
