"""The reading half of a store that both engines answer with the same SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attending.ledger.store.port import ErasureRow, HeadRow, IntroductionRow, LogRow, PayloadRow, RemovalRow


class SqlReads:
    """See `store.port.Store`, whose methods these are. Any thread may call, as far as `_select` allows it."""

    def _select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a SELECT with `?` for parameters; StoreFault."""
        raise NotImplementedError

    def heads(self) -> list[tuple[LogRow, HeadRow]]:
        rows = self._select(
            "SELECT log_id, origin, verifier_key, created_at, log_id, size, root, last_leaf, log_head.time"
            " FROM log JOIN log_head USING (log_id) ORDER BY log_id"
        )
        return [(LogRow(*row[:4]), HeadRow(*row[4:])) for row in rows]

    def head_size(self, log_id: str) -> int | None:
        rows = self._select("SELECT size FROM log_head WHERE log_id = ?", (log_id,))
        return int(rows[0][0]) if rows else None

    def stops(self) -> dict[str, str]:
        return {
            str(log_id): str(reason) for log_id, reason in self._select("SELECT log_id, reason FROM log_stop")
        }

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]:
        rows = self._select(
            "SELECT data FROM entry WHERE log_id = ? AND entry_index >= ? ORDER BY entry_index LIMIT ?",
            (log_id, start, limit),
        )
        return [row[0] for row in rows]

    def leaf_hashes(self, log_id: str, start: int, limit: int) -> list[bytes]:
        rows = self._select(
            "SELECT leaf_hash FROM entry WHERE log_id = ? AND entry_index >= ? ORDER BY entry_index LIMIT ?",
            (log_id, start, limit),
        )
        return [row[0] for row in rows]

    def tile(self, log_id: str, level: int, index: int) -> bytes | None:
        rows = self._select(
            "SELECT hashes FROM tile WHERE log_id = ? AND level = ? AND tile_index = ?",
            (log_id, level, index),
        )
        return bytes(rows[0][0]) if rows else None

    def stream_entries(self, log_id: str, stream: str, start: int, limit: int) -> list[bytes]:
        rows = self._select(
            "SELECT data FROM entry WHERE log_id = ? AND stream = ? AND stream_version >= ?"
            " ORDER BY stream_version LIMIT ?",
            (log_id, stream, start, limit),
        )
        return [row[0] for row in rows]

    def payload(self, log_id: str, record: str) -> PayloadRow | None:
        rows = self._select(
            "SELECT log_id, record, entry_index, kind, subject, sealed, wrapped_key FROM payload"
            " WHERE log_id = ? AND record = ?",
            (log_id, record),
        )
        return PayloadRow(*rows[0]) if rows else None

    def pseudonym(self, log_id: str, lookup: bytes) -> str | None:
        rows = self._select(
            "SELECT pseudonym FROM subject_map WHERE log_id = ? AND lookup = ?", (log_id, lookup)
        )
        return str(rows[0][0]) if rows else None

    def is_erased(self, log_id: str, pseudonym: str) -> bool:
        return bool(
            self._select("SELECT 1 FROM erasure WHERE log_id = ? AND pseudonym = ?", (log_id, pseudonym))
        )

    def erasures(self, log_id: str) -> list[ErasureRow]:
        rows = self._select(
            "SELECT log_id, pseudonym, entry_index FROM erasure WHERE log_id = ? ORDER BY entry_index",
            (log_id,),
        )
        return [ErasureRow(*row) for row in rows]

    def introductions(self, log_id: str) -> list[IntroductionRow]:
        rows = self._select(
            "SELECT log_id, entry_index, data FROM introduction WHERE log_id = ? ORDER BY entry_index",
            (log_id,),
        )
        return [IntroductionRow(*row) for row in rows]

    def rebuilding(self) -> bool:
        return bool(self._select("SELECT 1 FROM ledger WHERE name = 'rebuilding' AND value = 1"))

    def payload_counts(self, log_id: str, subject: str, below: int) -> dict[str, int]:
        rows = self._select(
            "SELECT kind, COUNT(*) FROM payload WHERE log_id = ? AND subject = ? AND entry_index < ?"
            " GROUP BY kind",
            (log_id, subject, below),
        )
        return {str(kind): int(count) for kind, count in rows}

    def removal(self, log_id: str, record: str) -> RemovalRow | None:
        rows = self._select(
            "SELECT log_id, record, entry_index, removed_by FROM removal WHERE log_id = ? AND record = ?",
            (log_id, record),
        )
        return RemovalRow(*rows[0]) if rows else None
