"""Files of cases: one sentence a line, `{TYPE:text}` around what must be covered; clean lines after `---`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_MARK = re.compile(r"\{([A-Z_0-9]+):([^{}]*)\}")


class Case(NamedTuple):
    """A text, and the code points of its identifiers with their types."""

    text: str
    gold: tuple[tuple[int, int, str], ...]


def load(path: Path) -> tuple[list[Case], list[Case]]:
    """The marked and the clean cases of a file; lines opening with `#` are comments."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    cut = lines.index("---")
    return [_parse(line) for line in lines[:cut]], [_parse(line) for line in lines[cut + 1 :]]


def _parse(line: str) -> Case:
    text, gold, at = "", [], 0
    for m in _MARK.finditer(line):
        text += line[at : m.start()]
        gold.append((len(text), len(text) + len(m[2]), m[1]))
        text += m[2]
        at = m.end()
    return Case(text + line[at:], tuple(gold))
