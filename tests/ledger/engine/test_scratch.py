"""Buffered writes come to the same rows as writes one by one, and a key finds its row without a search."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from attending.ledger.projection import RowBuffer, RowWrite
from attending.ledger.scratch import CHUNK_ROWS, Scratch, pages, rows_with
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.ledger.engine.conftest import LOG, Tables

TABLES = Tables()
ITEM = TABLES.item

_VALUES = st.none() | st.fixed_dictionaries(
    {"state": st.sampled_from(["new", "held", "done"])},
    optional={"urgent": st.booleans(), "record": st.none() | st.sampled_from(["r", "s"])},
)
_WRITES = st.lists(st.lists(st.tuples(st.sampled_from("abc"), _VALUES), max_size=6), max_size=4)


def row(name: str, values: Mapping[str, Any] | None) -> RowWrite:
    return RowWrite(ITEM, {"log_id": LOG, "name": name}, values)


@given(_WRITES)
def test_a_buffer_comes_to_the_same_rows_as_writes_one_by_one(
    parts: list[list[tuple[str, dict[str, Any] | None]]],
) -> None:
    with closing(Scratch(LOG, [ITEM])) as plain, closing(Scratch(LOG, [ITEM])) as buffered:
        buffer = RowBuffer(buffered.read)
        for part in parts:
            for name, values in part:
                plain.write([row(name, values)])
                buffer.write(row(name, values))
                now, seen = plain.read(ITEM, {"name": name}), buffer.read(ITEM, {"name": name})
                assert (now is None) == (seen is None)
                # Columns that nobody wrote are not in the buffer; the rest is as stored.
                assert seen is None or {**(now or {}), **seen} == now
            buffered.write(buffer.take())
            everything = select(ITEM).order_by(ITEM.c.name)
            assert buffered.query(everything) == plain.query(everything)


def test_a_row_is_found_by_its_key_in_as_many_steps_among_many_as_among_few() -> None:
    def steps(rows: int) -> int:
        with closing(Scratch(LOG, [ITEM])) as scratch:
            scratch.write([row(f"{number:05}", {"state": "new"}) for number in range(rows)])
            count = 0

            def tick() -> int:
                nonlocal count
                count += 1
                return 0

            scratch._writer.set_progress_handler(tick, 1)
            found = scratch.read(ITEM, {"name": "00003"})
            scratch._writer.set_progress_handler(None, 0)
            assert found is not None
            return count

    assert steps(5_000) == steps(5)


def test_pages_hold_every_row_once_and_rows_are_found_by_key() -> None:
    with closing(Scratch(LOG, [ITEM])) as scratch:
        names = [f"{number:05}" for number in range(2 * CHUNK_ROWS)]
        scratch.write([row(name, {"state": "new"}) for name in names])
        parts = list(pages(scratch.query, ITEM, LOG))
        assert [len(part) for part in parts] == [CHUNK_ROWS, CHUNK_ROWS]
        assert [one["name"] for part in parts for one in part] == names
        assert list(pages(scratch.query, ITEM, "other")) == []
        found = rows_with(scratch.query, ITEM, LOG, [{"name": "00001"}, {"name": "nobody"}])
        assert list(found) == [("00001",)]
