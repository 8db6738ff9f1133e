"""The edge of the knowledge graph behind an interaction finding, as a small drawing: the two drugs, the classes through
which the fact holds, and the fact between them.

Only what judged the text is drawn: where the pack that lies here now is another one, nothing is.
"""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from attending.guardrails.finding import Code, Finding
from attending.guardrails.knowledge.graph import Knowledge
from attending.guardrails.knowledge.load import DEFAULT, Pack, PackError
from attending.guardrails.knowledge.subgraph import Edge, between
from attending.server.content_hash import digits

log = structlog.get_logger()

WIDTH: Final = 420
_BOX: Final = 158
_LINE: Final = 15
_ROW_GAP: Final = 18
_CHARACTERS: Final = 21
"""Of a line in a box: 12 px sans-serif letters are 7 px wide on average at most."""
_MOST: Final = 200
"""Facts between two drugs that are looked through for the one that was judged by."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node: a drug, or a class that it is a member of. Lengths are in the drawing's own units."""

    left: int
    top: int
    height: int
    lines: tuple[str, ...]
    drug: bool

    width: int = _BOX

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes on the left and on the right, the membership lines down each side, and the fact as a line between them.

    `said` is the whole in words, for whoever does not see it.
    """

    left: tuple[Box, ...]
    right: tuple[Box, ...]
    height: int
    fact: Edge
    said: str

    @property
    def middle(self) -> float:
        """How far down the fact's line is in the middle of the drawing."""
        return (self.left[-1].middle + self.right[-1].middle) / 2


class Edges:
    """One instance a server; the pack is read once, when the first drawing is asked for, and again when it changes."""

    def __init__(self, folder: Path | None, judges_by: Callable[[], str]) -> None:
        """`folder` is that of the pack, None for the package's; `judges_by` the hash of the pack in use."""
        self._folder = folder
        self._judges_by = judges_by
        self._knowledge: Knowledge | None = None
        self._reading = asyncio.Lock()

    async def drawn(self, findings: Iterable[tuple[int, Finding]], pack: str) -> dict[int, Drawing]:
        """The drawings of interaction findings, by ordinal; `pack` is the hash of the pack that judged them."""
        pairs = [(n, one) for n, one in findings if one.code is Code.INTERACTION and len(one.drugs) == 2]
        if not pairs or (knowledge := await self._of(pack)) is None:
            return {}
        found = await asyncio.to_thread(lambda: [(n, drawing(knowledge, one)) for n, one in pairs])
        return {n: one for n, one in found if one is not None}

    async def _of(self, pack: str) -> Knowledge | None:
        async with self._reading:
            if self._knowledge is not None and digits(self._knowledge.hash) == digits(pack):
                return self._knowledge
            if digits(self._judges_by()) != digits(pack):
                return None
            try:
                found = await asyncio.to_thread(Pack.read, self._folder or DEFAULT)
                # Another one lies there, as one that waits for its second person does: it is not unpacked.
                if digits(found.hash) != digits(pack):
                    return None
                self._knowledge = await asyncio.to_thread(Knowledge, found)
            except (OSError, PackError) as err:
                # The drawing explains a finding; the finding stands without it.
                log.warning("console.knowledge_unreadable", error_type=type(err).__name__)
                return None
            return self._knowledge


def drawing(knowledge: Knowledge, finding: Finding) -> Drawing | None:
    """The edge that the finding names; None when the pack has none of that rule between its two drugs."""
    left, right = finding.drugs
    graph = between(knowledge, left, right, _MOST)
    fact = next((edge for edge in graph.edges if edge.rule_id == finding.rule_id), None)
    if fact is None:
        return None
    lefts, rights = _chain(left, fact.left), _chain(right, fact.right)
    # A drug without a class stands beside the other's class: what is joined is at one height.
    deep = max(len(lefts), len(rights))
    rows = [
        max(_height(side[row - deep]) for side in (lefts, rights) if len(side) >= deep - row)
        for row in range(deep)
    ]
    one, other = _boxes(lefts, 0, rows), _boxes(rights, WIDTH - _BOX, rows)
    bottom = max(box.top + box.height for box in (*one, *other))
    return Drawing(one, other, bottom + 2, fact, _said(left, right, fact))


def _chain(drug: str, end: str) -> list[str]:
    return [drug] if end == drug else [drug, end]


def _boxes(names: list[str], left: int, rows: list[int]) -> tuple[Box, ...]:
    """One below the other, each in the middle of its row; they end in the last row."""
    boxes = []
    for position, name in enumerate(names):
        row = len(rows) - len(names) + position
        top = 1 + sum(rows[:row]) + _ROW_GAP * row + (rows[row] - _height(name)) // 2
        boxes.append(Box(left, top, _height(name), tuple(_lines(name)), drug=position == 0))
    return tuple(boxes)


def _lines(name: str) -> list[str]:
    return textwrap.wrap(spoken(name), _CHARACTERS) or [""]


def _height(name: str) -> int:
    return 12 + _LINE * len(_lines(name))


def spoken(name: str) -> str:
    """A node's name as a clinician says it: of a class id without the source that it is of."""
    words = name.rpartition(":")[2].replace("_", " ").replace("-", " ")
    return re.sub(r"\bcyp\w+", lambda enzyme: enzyme[0].upper(), words)


def _said(left: str, right: str, fact: Edge) -> str:
    member = [
        f"{spoken(drug)} is of the class {spoken(end)}"
        for drug, end in ((left, fact.left), (right, fact.right))
        if drug != end
    ]
    whole = f"{spoken(fact.left)} with {spoken(fact.right)}: {fact.severity}, {fact.words}"
    return "; ".join([*member, whole])
