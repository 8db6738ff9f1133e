"""Ids of calls that were never made, like those of calls that were: nobody tells a planted text by its entry."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, Final

_HEX: Final = frozenset("0123456789abcdef")
_CLASSES: Final = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


def provider_ids_like(generated: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `inference.generated` that name calls, made up like those of another entry."""
    # An entry of an earlier version names none; one of this version always says which.
    made: dict[str, Any] = {"provider_ids": [_like(one) for one in generated.get("provider_ids", ())]}
    if "second_opinion" in generated:
        judge = generated["second_opinion"]
        made["second_opinion"] = {**judge, "provider_ids": [_like(one) for one in judge["provider_ids"]]}
    return made


def _like(name: str) -> str:
    """Every character of its kind drawn anew, but for a word that begins the name (`chatcmpl-`, `msg_`)."""
    word = next((index for index, one in enumerate(name) if not one.isalpha()), len(name))
    kept = word + 1 if word < len(name) and word > 2 and name[word] in "-_" else 0
    rest = name[kept:]
    hexadecimal = set(rest) - set("-_.:") <= _HEX
    return name[:kept] + "".join(map(_drawn_hex if hexadecimal else _drawn, rest))


def _drawn_hex(one: str) -> str:
    return secrets.choice(sorted(_HEX)) if one in _HEX else one


def _drawn(one: str) -> str:
    return next((secrets.choice(kind) for kind in _CLASSES if one in kind), one)
