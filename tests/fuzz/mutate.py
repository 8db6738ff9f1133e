"""Changes JSON as JSON: a value put somewhere else, of another type, left out, doubled or taken from elsewhere.

Bytes flipped at random seldom leave JSON behind; what lies behind the parser would not be reached.
"""

from __future__ import annotations

import random
from typing import Any

from attending.ledger import canonical
from attending.ledger.errors import VerificationError

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**53 - 1, "", "0", [], {}, [[]], {"a": []}, [{}], "\x00", "é\u2028"),
    *("2026-11-26T00:00:00.000000Z", "ab" * 32, "AA==", "approved", "signed", "clinician", "key.enrolled"),
)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """`data` (lines of JSON) with one to four changes, in canonical form; lines that are not JSON stay."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(lines))
        try:
            value = canonical.parse(lines[place])
        except VerificationError:
            continue
        try:
            lines[place] = canonical.encode(_change(value, chance))
        except VerificationError:
            continue
        if chance.random() < 0.1:
            lines.insert(chance.randrange(len(lines) + 1), lines[place])
        elif chance.random() < 0.05 and len(lines) > 1:
            del lines[place]
    return b"\n".join(lines)


def _change(value: Any, chance: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []
    _walk(value, places)
    if not places or chance.random() < 0.02:
        return chance.choice(_VALUES)
    holder, key = chance.choice(places)
    kind = chance.random()
    if kind < 0.6:
        holder[key] = chance.choice(_VALUES)
    elif kind < 0.75:
        other, name = chance.choice(places)
        holder[key] = canonical.parse(canonical.encode(other[name]))
    elif kind < 0.9:
        del holder[key]
    elif type(holder) is dict:
        holder[chance.choice(("a", "v", "kind", str(key) + "x"))] = holder[key]
    else:
        holder.append(holder[key])
    return value


def _walk(value: Any, places: list[tuple[Any, Any]]) -> None:
    keys = list(value) if type(value) is dict else list(range(len(value))) if type(value) is list else []
    for key in keys:
        places.append((value, key))
        _walk(value[key], places)
