"""Sizes and texts as people read them."""

from __future__ import annotations

import json


def size_words(count: int) -> str:
    """Bytes in binary units: `812 B`, `1.2 MiB`."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"


def printable(text: str) -> str:
    """`text` with what a terminal would act on, or not show, as JSON escapes: entries name what others chose."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 entry`, `2 entries`: the number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
