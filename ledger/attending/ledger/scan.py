"""The fields of an entry's stored bytes in one pass, for entries of the usual form.

The fields of an entry stand in a fixed order with fixed rules, so one pattern reads and checks all of them
but the body. It is sound, not complete: bytes that it takes are an entry for `parse_entry` too, with the
same fields; of what it does not take, `parse_entry` decides and says what is wrong. Two of its rules are
narrower on purpose: an actor in ASCII without quote or backslash, and an index of at most 15 digits.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any, Final

from attending.ledger.canonical import MAX_DEPTH, MAX_ENTRY_BYTES, read_container

# Quote and backslash would be escaped: a text that holds one is left to the parser.
_ID: Final = rb"[!#-\[\]-~]{1,255}"
_HASH: Final = rb"[0-9a-f]{64}"
_TIME: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
_COMMITMENT: Final = (
    rb'\{"ciphertext":"%b","commitment":"%b","kind":"[a-z][a-z0-9_.-]{0,63}","record":"%b"\}'
    % (_HASH, _HASH, _ID)
)
ENTRY: Final = re.compile(
    rb'\{"actor":"(?P<actor>[ !#-\[\]-~]{1,255})"'
    rb',"body":(?P<body>\{.*\})'
    rb',"commitments":(?P<commitments>\[(?:%b(?:,%b)*)?\])'
    rb',"index":(?P<index>0|[1-9][0-9]{0,14})'
    rb',"occurred_at":(?:null|"(?P<occurred_at>%b)")'
    rb',"origin":"(?P<origin>[!#-*,-\[\]-~]{1,255})"'
    rb',"prev":"(?P<prev>%b)"'
    rb',"stream":"(?P<stream>%b)"'
    rb',"subject":(?:null|"(?P<subject>sub_[A-Za-z2-7]{26})")'
    rb',"time":"(?P<time>%b)"'
    rb',"type":"(?P<type>[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63})"'
    rb',"v":1\}' % (_COMMITMENT, _COMMITMENT, _TIME, _HASH, _ID, _TIME),
    re.DOTALL,
)
"""The stored bytes of an entry. What `body` takes still has to be one canonical object, and the dates to
exist: see `scan`.
"""

_DATE_BYTES: Final = 10
_match = ENTRY.fullmatch


def scan(data: bytes) -> tuple[re.Match[bytes], dict[str, Any]] | None:
    """The match of `ENTRY` and the body of stored bytes that are an entry; None when `parse_entry` must say.

    That the body is one whole object, and the bytes around it are matched to the last, makes `data` the
    canonical encoding of these fields: the keys stand in order, and no other reading of the bytes exists.
    """
    match = _entry(data)
    if match is None:
        return None
    body = read_container(match[2], MAX_DEPTH - 1)
    return (match, body) if type(body) is dict else None


def scan_place(data: bytes) -> tuple[bytes, ...] | None:
    """(index, origin, prev, stream, time, type) of stored bytes that are an entry, as they stand there; None
    as with `scan`, of which this is the half that a verifier pays for each entry.
    """
    match = _entry(data)
    if match is None or read_container(match[2], MAX_DEPTH - 1) is None:
        return None
    return match.group(4, 6, 7, 8, 10, 11)


def _entry(data: bytes) -> re.Match[bytes] | None:
    """The match of `ENTRY`, where its size and dates are those of an entry; the body has not been looked at."""
    match = _match(data)
    if match is None or len(data) > MAX_ENTRY_BYTES:
        return None
    occurred_at, time = match.group(5, 10)
    if not _is_date(time[:_DATE_BYTES]) or (
        occurred_at is not None and not _is_date(occurred_at[:_DATE_BYTES])
    ):
        return None
    return match


@lru_cache(maxsize=1024)
def _is_date(text: bytes) -> bool:
    """True when `YYYY-MM-DD` is a day of the calendar, year 1 to 9999."""
    try:
        date.fromisoformat(text.decode("ascii"))
    except ValueError:
        return False
    return True
