"""Names that no row can have find nothing, whatever the engine makes of them: ids come from callers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from attending.ledger.store.port import Store
from sqlalchemy import select

from tests.ledger.engine.conftest import Tables


@pytest.mark.parametrize(
    "name", ["\x00", "a\x00b", "x" * 100_000, "'; DROP TABLE entry; --", "%s %(x)s", "\\", ""]
)
def test_nothing_is_found_and_nothing_breaks(
    make_store: Callable[[], Store], tmp_path: Path, tables: Tables, name: str
) -> None:
    (tmp_path / "ledger").mkdir()
    with closing(make_store()) as store:
        store.create_tables([tables.metadata])
        for log_id in ("clinic", name):
            assert store.stream_entries(log_id, name, 0, 10) == []
            assert store.read_stream_version(log_id, name) == 0
            assert store.read_stream_versions(log_id, [name, "other"]) == {}
            assert store.read_claim(log_id, name) is None
            assert store.payload(log_id, name) is None
            assert store.is_erased(log_id, name) is False
            assert store.entries(log_id, 0, 10) == []
            assert store.head_size(log_id) is None
            assert store.tile(log_id, 0, 0) is None
        table = tables.item
        assert list(store.query(select(table.c.state).where(table.c.name == name))) == []
        # And the store goes on.
        assert store.heads() == []
