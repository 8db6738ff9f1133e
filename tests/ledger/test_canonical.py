"""Canonical JSON: the published vectors, one encoding per value, one verdict with and without orjson."""

from __future__ import annotations

import json
import uuid
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import canonical
from attending.ledger.canonical import encode, encode_stdlib, parse, parse_canonical
from attending.ledger.errors import CanonicalError
from hypothesis import given
from hypothesis import strategies as st

VECTORS = Path(__file__).parents[3] / "shared/vectors/rfc8785-jcs"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="RFC 8785 vectors are not on this machine")

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
keys = st.text(st.characters(max_codepoint=127), max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@needs_vectors
@pytest.mark.parametrize("name", ["arrays", "structures", "unicode"])
def test_published_output_is_canonical(name: str) -> None:
    expected = (VECTORS / "output" / f"{name}.json").read_bytes()
    assert bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text()) == expected
    assert encode(parse_canonical(expected)) == expected


@needs_vectors
@pytest.mark.parametrize("name", ["arrays", "unicode"])
def test_published_input_becomes_published_output(name: str) -> None:
    value = parse((VECTORS / "input" / f"{name}.json").read_bytes())
    assert encode(value) == encode_stdlib(value) == (VECTORS / "output" / f"{name}.json").read_bytes()


@needs_vectors
@pytest.mark.parametrize("name", ["values", "structures", "french", "weird"])
def test_input_outside_the_restricted_model_is_refused(name: str) -> None:
    # values and structures hold floats, french and weird keys that are not ascii
    with pytest.raises(CanonicalError):
        parse((VECTORS / "input" / f"{name}.json").read_bytes())


@needs_vectors
def test_string_escapes_of_the_published_vectors() -> None:
    strings = {"string": json.loads((VECTORS / "input/values.json").read_bytes())["string"]}
    published = (VECTORS / "output/values.json").read_bytes()
    assert encode(strings)[1:-1] in published


@given(values)
def test_both_encoders_agree_and_parsing_is_the_inverse(value: Any) -> None:
    data = encode(value)
    assert encode_stdlib(value) == data
    assert parse(data) == value
    assert parse_canonical(data) == value
    assert encode(parse_canonical(data)) == data


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_value_or_the_one_error(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except CanonicalError:
        return
    assert encode(value) == data


@given(values, st.data())
def test_verdict_does_not_depend_on_orjson(value: Any, data: st.DataObject) -> None:
    pytest.importorskip("orjson", reason="orjson is in the lock file: `make setup` installs it")
    text = encode(value)
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + bytes([data.draw(st.integers(0, 255))]) + text[position + 1 :]

    def verdict() -> tuple[str, Any]:
        try:
            return "value", parse_canonical(changed)
        except CanonicalError as err:
            return "error", err.detail

    fast = verdict()
    decoder, canonical._orjson_decode = canonical._orjson_decode, None
    try:
        slow = verdict()
    finally:
        canonical._orjson_decode = decoder
    assert fast == slow


MALFORMED = {
    "float": b"1.0",
    "fraction": b'{"a":0.5}',
    "exponent": b"1e2",
    "negative zero": b"-0",
    "integer at 2**53": b"9007199254740992",
    "integer below -2**53": b"-9007199254740992",
    "5000 digits": b"1" * 5000,
    "nan": b"NaN",
    "infinity": b"-Infinity",
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key, escaped": b'{"a":1,"\\u0061":2}',
    "key not ascii": '{"\u00e9":1}'.encode(),
    "bom": b'\xef\xbb\xbf{"a":1}',
    "lone surrogate": b'"\\ud800"',
    "surrogates reversed": b'"\\udc00\\ud800"',
    "surrogate in utf-8": b'"\xed\xa0\x80"',
    "overlong utf-8": b'"\xc0\x80"',
    "cut utf-8": b'"\xe2\x82"',
    "trailing data": b"{} {}",
    "trailing nul": b"{}\x00",
    "control character": b'"\x01"',
    "single quotes": b"{'a':1}",
    "trailing comma": b"[1,]",
    "comment": b"[1]//",
    "empty": b"",
    "deep": b"[" * 17 + b"]" * 17,
    "very deep": b"[" * 200_000,
    "very deep objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_text_is_the_one_error(data: bytes) -> None:
    for reader in (parse, parse_canonical):
        with pytest.raises(CanonicalError) as caught:
            reader(data)
        assert caught.value.reason == "CANONICAL_FORM"


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b' {"a":1}',
        b'{"a":1}\n',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\u00e9"',
    ],
)
def test_another_spelling_of_a_value_is_not_canonical(data: bytes) -> None:
    parse(data)
    with pytest.raises(CanonicalError):
        parse_canonical(data)


class _Text(StrEnum):
    A = "a"


class _Number(IntEnum):
    ONE = 1


class _Dict(dict[str, int]):
    pass


@pytest.mark.parametrize(
    "value",
    [
        _Text.A, _Number.ONE, _Dict(), uuid.UUID(int=1), 1.0, 2**53, -(2**53), (1,), {1}, b"x", {1: 2}, {_Text.A: 1},
        {"\u00e9": 1}, "\ud800", {"a": ["\udfff"]}, [_Text.A], {"a": _Number.ONE}, {"a": float("nan")},
    ],
    ids=repr,
)  # fmt: skip
def test_value_outside_the_model_is_refused_by_both_encoders(value: Any) -> None:
    for encoder in (encode, encode_stdlib):
        with pytest.raises(CanonicalError):
            encoder(value)


def test_depth_bound_is_sixteen() -> None:
    value: Any = 1
    for _ in range(16):
        value = [value]
    assert parse(encode(value)) == value
    with pytest.raises(CanonicalError):
        encode([value])
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(CanonicalError):
        encode(loop)


def test_errors_do_not_quote_the_document() -> None:
    with pytest.raises(CanonicalError) as caught:
        parse(b'{"name":"Jane Roe",')
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
