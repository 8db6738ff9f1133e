"""Segments and their fold: in parts or at once, in either mode, the same verdict; memory that does not grow."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.canonical import encode
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import Frontier, leaf_hash
from attending.ledger.verify import segments
from attending.ledger.verify.segments import Chain, Mode, cut, verify_chain, verify_segment
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

SIZE = 1100
on_long_log = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def long_log(make_log: Any) -> LogBuilder:
    log: LogBuilder = make_log()
    for number in range(SIZE):
        log.append("access.viewed", f"s{number % 7}", {"n": number})
    return log


def direct(stored: list[bytes], origin: str, mode: Mode) -> Chain:
    chain = Chain()
    for begin, part in cut(0, stored):
        chain.fold(verify_segment(begin, part, origin, mode=mode))
    return chain


def in_parts(stored: list[bytes], origin: str, mode: Mode, segments_a_part: int) -> Chain:
    whole, step = Chain(), 256 * segments_a_part
    for first in range(0, len(stored), step):
        part = Chain.part(first)
        for begin, items in cut(first, stored[first : first + step]):
            part.fold(verify_segment(begin, items, origin, mode=mode))
        whole.fold(pickle.loads(pickle.dumps(part.joined())))
    return whole


def facts(chain: Chain, head: bytes) -> tuple[Any, ...]:
    return (
        chain.size, chain.root(), chain.last_leaf, chain.last_time, chain.problems, chain.broken, chain.uncounted,
        chain.altered(), chain.altered(lambda root: root == head),
    )  # fmt: skip


def alter(data: bytes, field: str) -> bytes:
    value = json.loads(data)
    value[field] = {
        "prev": "ab" * 32,
        "stream": "altered",
        "index": value["index"] + 1,
        "time": "2020-01-01T00:00:00.000000Z",
    }[field]
    return encode(value)


@on_long_log
@given(
    changes=st.dictionaries(
        st.integers(0, SIZE - 1) | st.sampled_from([0, 254, 255, 256, 257, 511, 512, SIZE - 1]),
        st.sampled_from(["prev", "stream", "index", "time", "junk"]),
        max_size=5,
    ),
    mode=st.sampled_from(Mode),
    segments_a_part=st.integers(1, 5),
)
@example(changes={5: "index", 8: "prev"}, mode=Mode.COMPLETE, segments_a_part=1)
@example(changes={254: "prev", 255: "index"}, mode=Mode.COMPLETE, segments_a_part=1)
@example(changes={254: "prev", 255: "index"}, mode=Mode.TREE, segments_a_part=1)
def test_parts_come_to_what_the_whole_comes_to(
    long_log: LogBuilder, changes: dict[int, str], mode: Mode, segments_a_part: int
) -> None:
    stored = list(long_log.entries)
    for index, field in changes.items():
        stored[index] = b"{junk" if field == "junk" else alter(stored[index], field)
    head = long_log.root()
    whole = direct(stored, long_log.origin, mode)
    assert facts(whole, head) == facts(in_parts(stored, long_log.origin, mode, segments_a_part), head)
    frontier = Frontier()
    for data in stored:
        frontier.append(leaf_hash(data))
    assert whole.frontier.hashes == frontier.hashes
    assert (whole.root() == head) == (not changes)
    named = {*whole.altered(lambda root: root == head), *(problem.index for problem in whole.problems)}
    if changes and max(changes) < SIZE - 1:
        first = min(changes)
        # Entries are told from their neighbours by the links between them; where those are changed as well, the
        # first one named may be the neighbour on either side.
        near = [index for index in changes if index - first in (1, 2)]
        assert first - bool(near) <= min(named) <= max([first, *near])


@pytest.mark.parametrize("index", [0, 1, 254, 255, 256, 257, 511, 512, 767, 1023, 1024, SIZE - 2])
@pytest.mark.parametrize("field", ["prev", "stream", "time"])
def test_tree_mode_names_the_altered_entry_as_the_complete_one_does(
    long_log: LogBuilder, index: int, field: str
) -> None:
    stored = list(long_log.entries)
    stored[index] = alter(stored[index], field)
    head = long_log.root()
    for mode in Mode:
        assert direct(stored, long_log.origin, mode).altered(lambda root: root == head) == [index]


def test_tree_mode_takes_what_was_committed_to_and_complete_mode_judges_it(make_log: Any) -> None:
    log: LogBuilder = make_log()
    for number in range(5):
        log.append("access.viewed", "s", {"n": number})
    # The writer itself commits to entries that are none: one of another log, one that is no JSON.
    log.entries[2] = log.entries[2].replace(b"log.example/clinic", b"log.example/other.")
    for index in (3, 4):
        value = json.loads(log.entries[index]) | {"prev": leaf_hash(log.entries[index - 1]).hex()}
        log.entries[index] = encode(value)
    log.entries[4] = log.entries[4].replace(b'"v":1}', b'"v": 1}')
    assert not direct(log.entries, log.origin, Mode.TREE).problems
    found = direct(log.entries, log.origin, Mode.COMPLETE).problems
    assert [(problem.index, problem.reason) for problem in found] == [(2, "ORIGIN"), (4, "CANONICAL_FORM")]


def test_what_a_fold_holds_does_not_grow_with_the_log(long_log: LogBuilder) -> None:
    sizes = []
    for size in (128, SIZE):
        chain = direct(long_log.entries[:size], long_log.origin, Mode.COMPLETE)
        sizes.append(len(pickle.dumps(chain)))
    assert sizes[1] < sizes[0] + 10 * 40  # about a hash for each doubling


def test_what_a_fold_holds_is_bounded_when_every_link_is_broken(
    long_log: LogBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MAX_PROBLEMS", 20)
    stored = [alter(data, "prev") for data in long_log.entries]
    whole = direct(stored, long_log.origin, Mode.COMPLETE)
    parts = in_parts(stored, long_log.origin, Mode.COMPLETE, 2)
    assert len(whole.broken) == len(parts.broken) == 20
    assert whole.uncounted == parts.uncounted == SIZE - 20
    assert len(pickle.dumps(whole)) < 20 * 400
    assert whole.root() == parts.root()


def test_a_row_that_is_not_there_is_named(long_log: LogBuilder) -> None:
    stored: list[bytes | None] = list(long_log.entries[:300])
    stored[7] = None
    for mode in Mode:
        chain = Chain()
        chain.fold(verify_segment(0, stored[:256], long_log.origin, mode=mode))
        chain.fold(verify_segment(256, stored[256:], long_log.origin, mode=mode))
        assert [(problem.index, problem.reason) for problem in chain.problems] == [(7, "MISSING")]


def test_first_bad_entry_is_raised(long_log: LogBuilder) -> None:
    stored = list(long_log.entries)
    assert verify_chain(stored, long_log.origin).root() == long_log.root()
    stored[900] = b"{}"
    stored[300] = alter(stored[300], "stream")
    with pytest.raises(VerificationError) as caught:
        verify_chain(stored, long_log.origin)
    assert (caught.value.index, caught.value.reason) == (300, "LEAF_HASH")


def test_a_chain_continues_from_a_frontier(long_log: LogBuilder) -> None:
    for begin in (1, 255, 256, 257, 700):
        frontier = Frontier()
        for data in long_log.entries[:begin]:
            frontier.append(leaf_hash(data))
        rest = long_log.entries[begin:]
        assert verify_chain(rest, long_log.origin, begin=begin, frontier=frontier).root() == long_log.root()
    with pytest.raises(ValueError, match="begin"):
        Chain(3, Frontier())
    with pytest.raises(ValueError, match="order"):
        Chain().fold(verify_segment(1, [], long_log.origin))
