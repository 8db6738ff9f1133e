"""Names of static resources: the specification's examples, one spelling each, and what a tree consists of."""

from __future__ import annotations

from collections import Counter

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import MAX_TREE_SIZE
from attending.ledger.static.bundles import encode_bundle, parse_bundle, parse_tile
from attending.ledger.static.paths import (
    MAX_PATH_CHARS,
    TilePath,
    bundles_of,
    encode_index,
    parse_path,
    partial_tiles_of,
    tiles_of,
    width_at,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("tile/0/000", TilePath(0, 0)),
        ("tile/0/x001/x234/067", TilePath(0, 1_234_067)),
        ("tile/0/x001/x234/067.p/1", TilePath(0, 1_234_067, 1)),
        ("tile/1/001.p/17", TilePath(1, 1, 17)),
        ("tile/7/000.p/127", TilePath(7, 0, 127)),
        ("tile/entries/x001/000.p/255", TilePath(None, 1000, 255)),
        ("tile/entries/999", TilePath(None, 999)),
    ],
)
def test_one_path_one_resource(path: str, found: TilePath) -> None:
    assert parse_path(path) == found
    assert str(found) == path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "checkpoint",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile//0/000",
        ),
        *("tile/00/000", "tile/01/000", "tile/-1/000", "tile/64/000", "tile/99/000", "tile/100/000"),
        *("tile/data/000", "tile/Entries/000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/abc"),
        # An index has no empty leading group and no missing or additional `x`.
        *("tile/0/x000/001", "tile/0/001/002", "tile/0/x001", "tile/0/x001/x002", "tile/0/X001/002"),
        *("tile/0/x001002", "tile/0/x01/002", "tile/0/x0001/002"),
        # A width is 1 to 255 without leading zeros.
        *("tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/999", "tile/0/000.p/1000"),
        *("tile/0/000.p", "tile/0/000.p/", "tile/0/000.P/1", "tile/0/000/1", "tile/0/000.p/+1"),
        *("tile/0/000 ", " tile/0/000", "tile/0/000\n", "tile/0/../0/000", "tile/0/%30%30%30"),
        "tile/0/\u0661\u0661\u0661",
        "tile/0/" + "x000/" * 12 + "001",
        "tile/0/" + "x999/" * 12 + "999",
        # No tree of 2**63 - 1 entries has these.
        *("tile/8/000", "tile/7/000.p/128", "tile/63/000.p/1", f"tile/0/{encode_index(2**55)}"),
    ],
)
def test_any_other_spelling_is_refused(path: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_path(path)
    assert caught.value.reason == "TILE_PATH"


levels = st.one_of(st.none(), st.integers(0, 7))


@given(levels, st.integers(0, 2**55), st.integers(1, 256))
def test_parse_undoes_encode(level: int | None, index: int, width: int) -> None:
    path = TilePath(level, index >> 8 * (level or 0), width)
    if path.needs > MAX_TREE_SIZE:
        return
    assert parse_path(str(path)) == path
    assert len(str(path)) <= MAX_PATH_CHARS


@given(st.text(alphabet="tile/nrsx0123456789.p", max_size=40))
def test_what_parses_is_spelled_as_it_would_be(path: str) -> None:
    try:
        found = parse_path(path)
    except VerificationError:
        return
    assert str(found) == path


@pytest.mark.parametrize("bad", [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_numbers_of_ours_are_checked(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="tile"):
        TilePath(*bad)


def shape(size: int) -> dict[tuple[int | None, int], int]:
    """(level, width) -> number of tiles."""
    return dict(Counter((path.level, path.width) for path in tiles_of(size)))


def test_the_specifications_trees() -> None:
    assert shape(70_000) == {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1}
    assert shape(256) == {(0, 256): 1, (1, 1): 1}
    assert [str(path) for path in partial_tiles_of(70_000)] == [
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, {}),
        (1, {(0, 1): 1}),
        (255, {(0, 255): 1}),
        (257, {(0, 256): 1, (0, 1): 1, (1, 1): 1}),
        (65_536, {(0, 256): 256, (1, 256): 1, (2, 1): 1}),
        (65_537, {(0, 256): 256, (0, 1): 1, (1, 256): 1, (2, 1): 1}),
    ],
)
def test_trees_at_the_edges_of_tiles(size: int, expected: dict[tuple[int, int], int]) -> None:
    assert shape(size) == expected
    assert sum(path.width for path in bundles_of(size)) == size


@given(st.integers(0, 200_000), st.integers(0, 3), st.integers(0, 800))
def test_a_width_is_what_the_specification_says(size: int, level: int, index: int) -> None:
    width = width_at(size, level, index)
    expected = {path.index: path.width for path in tiles_of(size) if path.level == level}
    assert width == expected.get(index, 0)
    if width:
        assert TilePath(level, index, width).needs <= size
    if width < 256:
        assert TilePath(level, index, width + 1).needs > size


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    assert parse_bundle(encode_bundle(entries), len(entries)) == entries


def test_a_bundle_of_the_longest_entries() -> None:
    entries = [bytes(65_535)] * 2
    data = encode_bundle(entries)
    assert data[:2] == b"\xff\xff"
    assert parse_bundle(data, 2) == entries
    with pytest.raises(OverflowError):
        encode_bundle([bytes(65_536)])


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x01", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00\x01b", 1),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00\x02b", 2),
    ],
)
def test_a_bundle_that_is_none(data: bytes, width: int) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_bundle(data, width)
    assert caught.value.reason == "BUNDLE_FORMAT"


@given(st.binary(max_size=600), st.integers(0, 256))
def test_any_bytes_are_a_bundle_or_refused(data: bytes, width: int) -> None:
    try:
        entries = parse_bundle(data, width)
    except VerificationError:
        return
    assert encode_bundle(entries) == data


@pytest.mark.parametrize("length", [0, 31, 32, 65, 96])
def test_a_tile_of_another_length(length: int) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_tile(bytes(length), 2)
    assert caught.value.reason == "TILE_FORMAT"
