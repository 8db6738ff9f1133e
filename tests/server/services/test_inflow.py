"""A stream is read only so far ahead, and told its end after all that came before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from attending.server.services.inflow import Inflow
from hypothesis import given
from hypothesis import strategies as st


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def reading(
    sizes: list[tuple[int, int]], *, limit: int, limit_bytes: int, then: Exception | None = None
) -> tuple[Inflow[int], list[int]]:
    """An inflow of the places of `sizes`, and which of them were read."""
    read: list[int] = []

    async def messages() -> AsyncIterator[int]:
        for place in range(len(sizes)):
            read.append(place)
            yield place
        if then is not None:
            raise then

    return Inflow(messages(), lambda place: sizes[place], limit=limit, limit_bytes=limit_bytes), read


@pytest.mark.parametrize(("limit", "limit_bytes"), [(10, 1000), (1000, 100)])
async def test_reading_stops_at_the_bound(limit: int, limit_bytes: int) -> None:
    inflow, read = reading([(1, 10)] * 100, limit=limit, limit_bytes=limit_bytes)
    async with inflow:
        await settled()
        assert len(read) == 11  # ten wait, one is in hand
        assert await inflow.take(3) == [0, 1, 2]
        await settled()
        assert len(read) == 14
        assert await inflow.take(1000) == list(range(3, 13))


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 300)), max_size=40),
    st.integers(1, 60),
    st.booleans(),
)
def test_everything_comes_once_and_in_order(sizes: list[tuple[int, int]], limit: int, fails: bool) -> None:
    async def run() -> None:
        inflow, read = reading(sizes, limit=20, limit_bytes=200, then=KeyError() if fails else None)
        got: list[int] = []
        async with inflow:
            try:
                while part := await inflow.take(limit):
                    assert len(part) == 1 or sum(sizes[place][0] for place in part) <= limit
                    got += part
            except KeyError:
                assert fails
            else:
                assert not fails
        assert got == read == list(range(len(sizes)))

    asyncio.run(run())


async def test_an_end_from_outside_comes_after_what_waits() -> None:
    inflow, read = reading([(1, 1)] * 100, limit=5, limit_bytes=100)
    async with inflow:
        await settled()
        await inflow.end(KeyError())
        assert await inflow.take(100) == [0, 1, 2, 3, 4]
        with pytest.raises(KeyError):
            await inflow.take(100)
        await settled()
        assert len(read) == 6


async def test_leaving_ends_the_reading() -> None:
    left = asyncio.Event()

    async def messages() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            left.set()

    async with Inflow(messages(), lambda _one: (1, 1), limit=5, limit_bytes=5) as inflow:
        assert await inflow.take(5) == [1]
    assert left.is_set()
