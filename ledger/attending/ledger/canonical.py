"""Canonical JSON (RFC 8785) in a restricted model that has exactly one encoding per value.

The model: str, int, bool, None, list, and dict with ASCII str keys; no floats, |int| < 2**53, containers
nested at most `MAX_DEPTH` deep (the outermost counts as 1), no lone surrogates. Types are checked exactly:
a subclass (an Enum member, an `OrderedDict`) is refused, because encoders disagree about subclasses.

Two encoders give the same bytes for every value of the model: the standard library, which the offline
verifier needs alone, and orjson where it is installed. With ASCII keys, sorting by code point, by UTF-8
byte and by UTF-16 code unit (what RFC 8785 section 3.2.3 asks for) is one and the same order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NoReturn

from attending.ledger.errors import CanonicalError

MAX_DEPTH: Final = 16
"""Containers may nest this deep."""
MAX_ENTRY_BYTES: Final = 65_535
"""An entry's canonical encoding may be this long (C2SP tlog-tiles: a length of 16 bits)."""
_MAX_INT: Final = 2**53 - 1
_MAX_INT_DIGITS: Final = 16
_SHORT_DIGITS: Final = 4

_stdlib_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def encode_stdlib(value: Any) -> bytes:
    """The canonical bytes of `value` by the standard library alone; as `encode` otherwise."""
    _check(value, MAX_DEPTH)
    try:
        return _stdlib_encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise CanonicalError("string holds a lone surrogate") from None


_orjson_encode: Callable[[Any], bytes] | None
_orjson_decode: Callable[[bytes], Any] | None
try:
    import orjson
except ImportError:
    _orjson_encode = _orjson_decode = None
else:
    _OPTIONS: Final = (
        orjson.OPT_SORT_KEYS
        | orjson.OPT_STRICT_INTEGER
        | orjson.OPT_PASSTHROUGH_SUBCLASS
        | orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
    )

    # Not a function of our own: the call would be a tenth of what the encoding itself takes.
    _orjson_encode = partial(orjson.dumps, option=_OPTIONS)
    _orjson_decode = orjson.loads


def encode(value: Any) -> bytes:
    """The canonical bytes of `value`.

    Raises CanonicalError when `value` is outside the model. It does not bound the length: see
    `MAX_ENTRY_BYTES`. Source: RFC 8785 section 3.2.
    """
    if _orjson_encode is None:
        return encode_stdlib(value)
    _check(value, MAX_DEPTH)
    try:
        return _orjson_encode(value)
    except TypeError:  # orjson.JSONEncodeError: after the type check only a surrogate is left
        raise CanonicalError("string holds a lone surrogate") from None


def parse(data: bytes) -> Any:
    """The value of JSON text in the restricted model, in any spacing and key order.

    Refused with CanonicalError: invalid UTF-8, a BOM, trailing data, floats and exponents, -0, integers at
    or past 2**53, duplicate or non-ASCII keys, lone surrogates, unescaped control characters, nesting past
    `MAX_DEPTH`, and anything that is not bytes. Source: RFC 8785 section 3.1, RFC 7493.
    """
    value = _decode_strict(data)
    _check(value, MAX_DEPTH)
    _check_surrogates(value)
    return value


def parse_canonical(data: bytes) -> Any:
    """The value of `data`, which must be exactly its canonical encoding.

    Raises CanonicalError otherwise. The verdict does not depend on orjson: whichever decoder reads the
    bytes, the value must be in the model and encode back to the same bytes, so a duplicate key, a `1.0` or
    a `-0` that a lenient decoder would accept cannot pass.
    """
    if type(data) is not bytes:
        raise CanonicalError("expected bytes")
    container = read_container(data, MAX_DEPTH)
    if container is not None:
        return container
    # The strict parser names what is wrong.
    value = parse(data)
    if encode_stdlib(value) != data:
        raise CanonicalError("valid but not in canonical form")
    return value


def read_container(data: bytes, depth: int) -> dict[str, Any] | list[Any] | None:
    """The object or list whose canonical encoding is exactly `data`, nested at most `depth`; None says no
    more than that `parse_canonical` must decide. `data` is bytes.

    Decode, encode, compare settles spelling, order, duplicate keys, white space, surrogates and, for
    values that a decoder can make, every type but float (`1.0` is decoded and encoded to itself) and, with
    the standard library, the size of integers. `_plain` settles these and the depth.
    """
    if _orjson_decode is not None and _orjson_encode is not None:
        try:
            value = _orjson_decode(data)
            same = _orjson_encode(value) == data
        except (ValueError, TypeError):  # not JSON; an integer past 53 bits, too deep, a surrogate
            return None
        if not same or not _plain(value, depth):
            return None
    else:
        try:
            text = data.decode("utf-8")
            value, end = _lenient.raw_decode(text)
        except (ValueError, RecursionError, CanonicalError):
            return None
        if end != len(text) or not _plain(value, depth) or _stdlib_encode(value) != text:
            return None
    # Canonical bytes escape no character past ASCII, so ASCII bytes have ASCII keys.
    if not data.isascii() and not _ascii_keys(value):
        return None
    return value  # type: ignore[no-any-return]


def _plain(value: Any, depth: int) -> bool:
    """True for a list or dict, as decoded from JSON, without floats and nested at most `depth`."""
    kind = type(value)
    if kind is dict:
        items: Iterable[Any] = value.values()
    elif kind is list:
        items = value
    else:
        return False
    for item in items:
        kind = type(item)
        if kind is str or kind is int:
            continue
        if kind is dict or kind is list:
            if depth <= 1 or not _plain(item, depth - 1):
                return False
        elif kind is float:
            return False
    return depth > 0


def _ascii_keys(value: Any) -> bool:
    if type(value) is dict:
        return "".join(value).isascii() and all(map(_ascii_keys, value.values()))
    return type(value) is not list or all(map(_ascii_keys, value))


def _check(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -_MAX_INT <= value <= _MAX_INT:
            raise CanonicalError("integer at or past 2**53")
        return
    if kind is dict:
        if depth == 0:
            raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                raise CanonicalError("object key is not an ascii string")
            # Leaves are settled here: a call per string would double the cost of an append.
            inner = type(item)
            if inner is int:
                if not -_MAX_INT <= item <= _MAX_INT:
                    raise CanonicalError("integer at or past 2**53")
            elif inner is not str and inner is not bool and item is not None:
                _check(item, depth - 1)
    elif kind is list:
        if depth == 0:
            raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
        for item in value:
            if type(item) is not str:
                _check(item, depth - 1)
    else:
        raise CanonicalError("type outside the restricted model (str, int, bool, null, list, dict)")


def _check_surrogates(value: Any) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise CanonicalError("string holds a lone surrogate") from None
    elif kind is dict:
        for item in value.values():
            _check_surrogates(item)
    elif kind is list:
        for item in value:
            _check_surrogates(item)


def _refuse_float(_: str) -> NoReturn:
    raise CanonicalError("number with a fraction or an exponent")


def _refuse_constant(_: str) -> NoReturn:
    raise CanonicalError("number that is not finite")


def _strict_int(text: str) -> int:
    if text == "-0":
        raise CanonicalError("negative zero")
    if len(text) > _MAX_INT_DIGITS + 1:
        raise CanonicalError("integer at or past 2**53")
    return int(text)


class _Integers(dict[str, int]):
    """Digits to integer, as `_strict_int`, remembering the short ones: a dict's look-up is cheaper than a
    call of Python code for each number. At most some 11,000 are kept.
    """

    def __missing__(self, text: str) -> int:
        value = _strict_int(text)
        if not -_MAX_INT <= value <= _MAX_INT:
            raise CanonicalError("integer at or past 2**53")
        if len(text) <= _SHORT_DIGITS:
            self[text] = value
        return value


# Duplicate keys, spelling and order are left to the comparison with the encoded bytes.
_lenient = json.JSONDecoder(
    parse_float=_refuse_float,
    parse_constant=_refuse_constant,
    parse_int=_Integers().__getitem__,
    strict=True,
)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise CanonicalError("duplicate object key")
    return result


_decoder = json.JSONDecoder(
    parse_float=_refuse_float,
    parse_constant=_refuse_constant,
    parse_int=_strict_int,
    object_pairs_hook=_unique_keys,
    strict=True,
)


def _decode_strict(data: bytes) -> Any:
    if type(data) is not bytes:
        raise CanonicalError("expected bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise CanonicalError("not utf-8") from None
    try:
        return _decoder.decode(text)
    except CanonicalError:
        raise
    except (ValueError, RecursionError):
        # `from None`: the decoder's own error quotes the document, which may hold personal content.
        raise CanonicalError("not json") from None
