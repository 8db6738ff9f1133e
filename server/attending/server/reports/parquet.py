"""The register of exceptions as Parquet, for whoever reads it with a data tool: typed columns, a row group at a time.

Needs the extra `parquet`: arro3, a thin binding of Apache Arrow's writer in Rust. Its two wheels have 12 MB, where that
of pyarrow has 55. Nothing else needs it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, Any, BinaryIO, Final, cast

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet
from attending.ledger.entry import parse_time
from attending.ledger.verify.register import COLUMNS, Line

ROWS_A_GROUP: Final = 10_000
"""Rows of a row group, and in memory at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIME: Final = DataType.timestamp("us", tz="UTC")
_TYPES: Final = {"entry": DataType.uint64(), "time": _TIME}
SCHEMA: Final = Schema([Field(name, _TYPES.get(name, DataType.string()), nullable=False) for name in COLUMNS])
"""The columns of the other forms: an index, a time in UTC to the microsecond, and texts."""


class _Sink(io.RawIOBase):
    """Keeps the first error of a file in place of raising it: the writer does not come through one in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                self._file.write(data)
            except OSError as err:
                self.failure = err
        return len(data)


def write_register(lines: Iterable[Line], file: BinaryIO) -> None:
    """Writes the lines to `file`, the same bytes for the same lines. Raises what reading them raises; OSError."""
    sink = _Sink(file)
    broken: list[Exception] = []

    def batches() -> Iterator[RecordBatch]:
        rest = iter(lines)
        try:
            while sink.failure is None and (rows := list(islice(rest, ROWS_A_GROUP))):
                yield _batch(rows)
        except Exception as err:
            broken.append(err)
            raise

    try:
        write_parquet(
            RecordBatchReader.from_batches(SCHEMA, batches()),
            cast(IO[bytes], sink),
            compression="zstd(3)",
            max_row_group_size=ROWS_A_GROUP,
        )
    except Exception:
        # What reading raised comes back as a text of the writer's.
        if broken:
            raise broken[0] from None
        raise
    if sink.failure is not None:
        raise sink.failure


def _batch(rows: list[Line]) -> RecordBatch:
    times = [(parse_time(row.time) - _EPOCH) // _MICROSECOND for row in rows]
    columns = [
        Array([row.entry for row in rows], DataType.uint64()),
        Array(times, DataType.int64()).cast(_TIME),
    ]
    columns += [Array([row[at] for row in rows], DataType.string()) for at in range(2, len(COLUMNS))]
    return RecordBatch.from_arrays(columns, schema=SCHEMA)
