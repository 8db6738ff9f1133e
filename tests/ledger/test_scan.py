"""The fast ways to read an entry: they may say less than the strict parser, and never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from attending.ledger import canonical, entry
from attending.ledger.canonical import MAX_DEPTH, encode_stdlib, parse, read_container
from attending.ledger.entry import Commitment, PendingEntry, encode_entry, parse_entry
from attending.ledger.errors import CanonicalError, VerificationError
from attending.ledger.scan import scan, scan_place
from hypothesis import example, given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 3, 14, 5, 9, 120, tzinfo=UTC)
ORIGIN = "log.example/clinic"
SUBJECT = "sub_" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DECODERS = pytest.mark.parametrize("stdlib", [False, True], ids=["orjson", "stdlib"])


@contextmanager
def decoder(stdlib: bool) -> Iterator[None]:
    """The module as it is, or as it is where orjson is not installed."""
    if not stdlib:
        pytest.importorskip("orjson", reason="orjson is in the lock file: `make setup` installs it")
    kept = canonical._orjson_decode, canonical._orjson_encode
    if stdlib:
        canonical._orjson_decode = canonical._orjson_encode = None
    try:
        yield
    finally:
        canonical._orjson_decode, canonical._orjson_encode = kept


def strict(data: bytes, depth: int) -> Any:
    """The container that `data` is the canonical form of, by the strict parser alone; None otherwise."""
    try:
        value = parse(data)
        same = encode_stdlib(value) == data
    except CanonicalError:
        return None
    return value if same and isinstance(value, dict | list) and _depth(value) <= depth else None


def _depth(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(_depth, items), default=0)


# -- containers ------------------------------------------------------------------------------------------

# Everything JSON can say, and a little that it cannot: floats, big integers, keys of any script.
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
HOSTILE = [
    b'{"a":1.0}', b"[1.5]", b"[-0.0]", b"[1e16]", b"[1e+16]", b"[1E16]", b"[1e-7]", b"[5e-324]",
    b'{"a":[{"b":[2.5]}]}', b"[0.1]", b"[-1e400]", b"[NaN]", b"[Infinity]", b"[-0]", b"[00]",
    b"[9007199254740991]", b"[9007199254740992]", b"[-9007199254740991]", b"[-9007199254740992]",
    b"[18446744073709551616]", b'{"a":1,"a":1}', b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1} ', b' {"a":1}',
    b'{"a":1}{}', b'{"a":1}\x00', b"\xef\xbb\xbf{}", b'["\\u0041"]', b'["\\/"]', b'["\\ud800"]',
    b'["\xed\xa0\x80"]', b'["\xc3\xa9"]', b'{"\xc3\xa9":1}', b'{"\\u00e9":1}', b'[{"\xc3\xa9":1}]',
    b'["\\u007f"]', b'["\x7f"]', b'["\x01"]', b'["1.5,2.5"]', b'["{[{[{["]', b'{"a:1.5":",1e5"}', b"1",
    b'"a"', b"", b"[", b"[" * 15 + b"]" * 15, b"[" * 16 + b"]" * 16, b"[" * 17 + b"]" * 17,
    b'{"a":' * 16 + b"1" + b"}" * 16, b'{"a":' * 17 + b"1" + b"}" * 17, b"[" * 100_000, b'{"a":' * 50_000,
    b"[" + b"9" * 5000 + b"]", b"[true,false,null]",
]  # fmt: skip


@DECODERS
@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH - 1])
@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:24]))
def test_hostile_json_is_read_as_the_strict_parser_reads_it(data: bytes, depth: int, stdlib: bool) -> None:
    with decoder(stdlib):
        found = read_container(data, depth)
    assert found == strict(data, depth)
    assert repr(found) == repr(strict(data, depth))  # 1 == True == 1.0 is not good enough


@DECODERS
@given(value=anything, data=st.data())
def test_any_json_is_read_as_the_strict_parser_reads_it(
    stdlib: bool, value: Any, data: st.DataObject
) -> None:
    spellings = [
        json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        json.dumps(value, ensure_ascii=True, separators=(",", ":")),
        json.dumps(value),
    ]
    text = data.draw(st.sampled_from(spellings)).encode("utf-8", "surrogatepass")
    with decoder(stdlib):
        found = read_container(text, MAX_DEPTH)
    assert repr(found) == repr(strict(text, MAX_DEPTH))


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(['{"a":%b}', "[%b]", "[1,%b]", '[{"a":[%b]}]']),
)
def test_no_spelling_of_a_float_is_read(value: float, frame: str) -> None:
    orjson = pytest.importorskip("orjson", reason="orjson is in the lock file: `make setup` installs it")
    for spelling in {orjson.dumps(value), repr(value).encode()}:
        for stdlib in (False, True):
            with decoder(stdlib):
                assert read_container(frame.encode() % spelling, MAX_DEPTH) is None


# -- entries ---------------------------------------------------------------------------------------------


def made(body: Any = None, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "type": "inference.requested",
        "stream": "inf_1",
        "actor": "app:portal",
        "subject": SUBJECT,
        "body": {"count": 3, "nested": {"x": [True, None]}} if body is None else body,
        "occurred_at": NOW,
    }
    commitments = changes.pop("commitments", [Commitment("prompt", "rec_1", "ab" * 32, "cd" * 32)])
    index = changes.pop("index", 7)
    return encode_entry(ORIGIN, index, b"\x11" * 32, NOW, PendingEntry(**{**fields, **changes}), commitments)


def verdict(parser: Any, data: bytes) -> tuple[Any, ...]:
    try:
        found = parser(data)
    except VerificationError as err:
        return err.reason, err.detail
    return (found, found.body, found.data, [type(value) for value in found.body.values()])


def check(data: bytes) -> None:
    """Parser and scan agree with the strict parser about `data`."""
    expected = verdict(entry._parse_strict, data)
    assert verdict(parse_entry, data) == expected
    place = scan_place(data)
    assert (place is None) == (scan(data) is None)
    if place is not None:
        found = expected[0]
        assert [text.decode() for text in place] == [
            str(found.index), found.origin, found.prev.hex(), found.stream, found.time, found.type,
        ]  # fmt: skip


USUAL = [
    made(), made({}), made(subject=None, occurred_at=None, commitments=[]), made(index=0),
    made(index=10**15 - 1), made({"commitments": [], "index": 4, "prev": "00" * 32}),
    made({"a": "text with 1.5, 2e5 and \u00e9"}),
    made(commitments=[Commitment("a", f"rec_{n}", "ab" * 32, "cd" * 32) for n in range(40)]),
    made({"list": [[[{"deep": [[]]}]] for _ in range(20)]}), made(stream="x" * 255), made({"%": "%b%d"}),
]  # fmt: skip
UNUSUAL = [
    made(actor='quote " in it'), made(actor="Dr. Jos\u00e9"), made(stream='a"b\\c'), made(index=2**53 - 1),
    made(index=10**15),
]  # fmt: skip


@DECODERS
def test_usual_entries_are_scanned_and_unusual_ones_parsed(stdlib: bool) -> None:
    with decoder(stdlib):
        for data in USUAL:
            assert scan(data) is not None
            check(data)
        for data in UNUSUAL:
            assert scan(data) is None
            check(data)
            assert parse_entry(data).data == data


REPLACED = [
    (b'"v":1}', b'"v":1.0}'), (b'"v":1}', b'"v":2}'), (b'"v":1}', b'"v":true}'), (b'"v":1}', b'"v":1} '),
    (b'"v":1}', b'"v":1}\n'), (b'"index":7', b'"index":07'), (b'"index":7', b'"index":-7'),
    (b'"index":7', b'"index":7.0'), (b'"index":7', b'"index":7e0'),
    (b'"index":7', b'"index":9007199254740992'), (b'"count":3', b'"count":3.0'),
    (b'"count":3', b'"count":3,"count":3'), (b'"count":3', b'"count":9007199254740992'),
    (b'"count":3', b'"count": 3'), (b'"count":3', b'"count":03'), (b'{"count":3,', b'{"zz":3,'),
    (b'{"count":3,', b'{"\xc3\xa9":1,"zz":3,'), (b'{"count":3,', b'{}},"body":{"count":3,'),
    (b',"commitments":[', b',"commitments":[],"commitments":['),
    (b'"commitments":[{', b'"commitments":[{},{'), (b'"kind":"prompt"', b'"kind":"Prompt"'),
    (b'"kind":"prompt"', b'"kind":""'), (b'"record":"rec_1"', b'"record":"a b"'),
    (b"2026-11-03T14", b"2026-02-30T14"), (b"2026-11-03T14", b"2026-11-03T24"),
    (b"2026-11-03T14", b"0000-11-03T14"), (b"14:05:09", b"14:60:09"), (b"14:05:09", b"14:05:60"),
    (b"14:05:09", b"14:05:\xd9\xa0"), (b".000120Z", b".00012Z"), (b"sub_", b"sub-"),
    (b'"subject":"', b'"subject":5,"x":"'), (b"log.example", b"log+example"), (b"inference.", b"Inference."),
    (b"inference.requested", b"inference.teleported"), (b'"1111', b'"ABCD'),
    (b"app:portal", b"app\\u003aportal"), (b"app:portal", b"app\x7fportal"), (b"app:portal", b"\xff"),
    (b'"actor"', b'"actox"'), (b'{"actor"', b'{"a":1,"actor"'),
    (b'"nested":{"x":[true,null]}', b'"nested":' + b"[" * 15 + b"]" * 15),
    (b'"nested":{"x":[true,null]}', b'"nested":' + b"[" * 14 + b"]" * 14),
    (b'"x":[true,null]', b'"x":"' + b"y" * 65_000 + b'"'),
    (b'"x":[true,null]', b'"x":"' + b"y" * 64_900 + b'"'),
]  # fmt: skip


@DECODERS
@pytest.mark.parametrize(("old", "new"), REPLACED, ids=lambda data: repr(data[:30]))
def test_near_misses_get_the_verdict_of_the_strict_parser(old: bytes, new: bytes, stdlib: bool) -> None:
    assert old in made()
    with decoder(stdlib):
        check(made().replace(old, new))
        check(made().replace(old, new, 1))


@DECODERS
@settings(max_examples=300)
@given(data=st.data())
def test_cut_and_pasted_entries_get_the_verdict_of_the_strict_parser(
    stdlib: bool, data: st.DataObject
) -> None:
    first, second = (data.draw(st.sampled_from(USUAL + UNUSUAL)) for _ in range(2))
    begin = data.draw(st.integers(0, len(first)))
    end = data.draw(st.integers(begin, min(len(first), begin + 40)))
    at = data.draw(st.integers(0, len(second)))
    other = second[at : at + data.draw(st.integers(0, 60))]
    middle = data.draw(
        st.just(other) | st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"}", b"]", b".", b"e1", b"-"])
    )
    with decoder(stdlib):
        check(first[:begin] + middle + first[end:])


@given(st.binary(max_size=80))
@example(b"")
def test_any_bytes_get_the_verdict_of_the_strict_parser(data: bytes) -> None:
    check(data)


def test_long_hostile_entries_are_decided_in_bounded_steps() -> None:
    # Each looks like the end of a body to a pattern that reads backwards.
    check(made({"a": "x"})[:40] + b'},"commitments":[' * 3800)
    one = b'{"ciphertext":"%b","commitment":"%b","kind":"a","record":"r"},' % (b"a" * 64, b"a" * 64)
    check(made()[:40] + b'},"commitments":[' + one * 300 + b"]")
