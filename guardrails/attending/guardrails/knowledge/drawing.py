"""A subgraph as SVG. Every edge has a row of its own, its words above its line and its provenance below, so that no two
labels can meet; lines bend only in the gutters between the columns.

Widths are reckoned from a width per character that no common sans-serif font exceeds on average.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from attending.guardrails.knowledge.subgraph import Edge, Subgraph

_COLORS: Final = {
    "contraindicated": "#8b0000",
    "major": "#b3400c",
    "moderate": "#7a5c00",
    "minor": "#3d5a80",
    "info": "#4a4a4a",
    "": "#4a4a4a",
}
_CHAR: Final = 7.0
"""Pixels a character of 12 px text; of the smaller text, 6.2."""
_SMALL: Final = 6.2
_MARGIN: Final = 24
_GUTTER: Final = 56
_DRUG: Final = 150
_CLASS: Final = 190
_LABEL: Final = 400
_LINE: Final = 15
_GAP: Final = 12
_TEXT: Final = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]")


@dataclass(slots=True)
class _Box:
    """A node in one column; `at` is the middle it would like, `top` where it stands."""

    name: str
    small: str
    left: int
    width: int
    at: float = 0
    top: float = 0

    def lines(self) -> tuple[list[str], list[str]]:
        name = textwrap.wrap(self.name, int((self.width - 16) / _CHAR)) or [""]
        small = textwrap.wrap(self.small, int((self.width - 16) / _SMALL)) if self.small else []
        return name, small

    @property
    def height(self) -> float:
        name, small = self.lines()
        return 14 + _LINE * (len(name) + len(small))

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def svg(graph: Subgraph) -> str:
    """The drawing as one SVG document of UTF-8 text; nothing in it is fetched or run."""
    two = graph.right is not None
    starts = _columns(two)
    top = 64.0
    rows: list[tuple[Edge, float, list[str], list[str]]] = []
    edges = sorted(graph.edges, key=lambda edge: _first(graph.edges, edge.left)) if two else list(graph.edges)
    for edge in edges:
        words = textwrap.wrap(
            f"{edge.severity}: {edge.words}" if edge.severity else edge.words, int(_LABEL / _CHAR)
        )
        told = textwrap.wrap(edge.told(), int(_LABEL / _SMALL))
        line = top + _LINE * len(words)
        rows.append((edge, line, words, told))
        top = line + _LINE * len(told) + _GAP + 6
    said = {(edge.left, edge.right): edge.told() for edge in graph.memberships}
    lefts = (
        _boxes(graph.left, said, ((edge.left, line) for edge, line, _, _ in rows), starts["left"])
        if two
        else {}
    )
    rights = _boxes(
        graph.right or "", said, ((edge.right, line) for edge, line, _, _ in rows), starts["right"],
        _CLASS if two else _CLASS + 60,
    )  # fmt: skip
    bottom = max([top, *(box.top + box.height for box in (*lefts.values(), *rights.values()))])
    drug = _alone(graph.left, starts["drug"], bottom)
    other = _alone(graph.right, starts["other"], bottom) if graph.right is not None else None
    parts: list[str] = []
    for edge, line, words, told in rows:
        color = _COLORS.get(edge.severity, _COLORS[""])
        begin = lefts.get(edge.left, drug)
        end = rights.get(edge.right, other or drug)
        parts.append(_curve(begin.left + begin.width, begin.middle, starts["label"], line + 4, color))
        parts.append(_straight(starts["label"], starts["label"] + _LABEL, line + 4, color))
        parts.append(_curve(starts["label"] + _LABEL, line + 4, end.left, end.middle, color))
        for number, text in enumerate(words):
            y = line - _LINE * (len(words) - 1 - number)
            parts.append(_words(starts["label"], y, text, 12, color, bold=bool(edge.severity)))
        for number, text in enumerate(told):
            parts.append(_words(starts["label"], line + 18 + _LINE * number, text, 10.5, "#333333"))
    for name, box in lefts.items():
        if name != graph.left:
            parts.append(_curve(drug.left + drug.width, drug.middle, box.left, box.middle, "#777777"))
            parts.append(_node(box))
        else:
            parts.append(_curve(drug.left + drug.width, drug.middle, box.left, box.middle, "#777777"))
            parts.append(_straight(box.left, box.left + box.width, box.middle, "#777777"))
    for name, box in rights.items():
        if two and other is not None:
            if name == graph.right:
                parts.append(_straight(box.left, box.left + box.width, box.middle, "#777777"))
            else:
                parts.append(_node(box))
            parts.append(_curve(box.left + box.width, box.middle, other.left, other.middle, "#777777"))
        else:
            parts.append(_node(box))
    parts.append(_node(drug, strong=True))
    if other is not None:
        parts.append(_node(other, strong=True))
    title = graph.left if graph.right is None else f"{graph.left} and {graph.right}"
    if graph.omitted:
        more = f"{graph.omitted} more not drawn"
        parts.append(_words(starts["label"], bottom + 18, more, 12, "#333333"))
    width, height = starts["end"] + _MARGIN, int(bottom + 40)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(_clean(title))} font-family="Helvetica, Arial, sans-serif">'
    )
    frame = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join(
        [head, frame, _words(_MARGIN, 32, title, 16, "#111111", bold=True), *parts, "</svg>", ""]
    )


def _columns(two: bool) -> dict[str, int]:
    drug = _MARGIN
    left = drug + _DRUG + _GUTTER
    label = left + _CLASS + _GUTTER if two else left
    right = label + _LABEL + _GUTTER
    if not two:
        return {"drug": drug, "left": left, "label": label, "right": right, "end": right + _CLASS + 60}
    other = right + _CLASS + _GUTTER
    return {"drug": drug, "left": left, "label": label, "right": right, "other": other, "end": other + _DRUG}


def _first(edges: tuple[Edge, ...], name: str) -> int:
    """Edges of one left node stand together, the node with the worst edge first."""
    return next(number for number, edge in enumerate(edges) if edge.left == name)


def _boxes(
    drug: str,
    said: dict[tuple[str, str], str],
    ends: Iterable[tuple[str, float]],
    left: int,
    width: int = _CLASS,
) -> dict[str, _Box]:
    """One box a node, near the middle of its rows, and none over another."""
    wanted: dict[str, list[float]] = {}
    for name, line in ends:
        wanted.setdefault(name, []).append(line)
    boxes = [
        _Box(
            name,
            "member: " + said[drug, name] if (drug, name) in said else "",
            left,
            width,
            sum(at) / len(at),
        )
        for name, at in wanted.items()
    ]
    below = 50.0
    for box in sorted(boxes, key=lambda box: box.at):
        box.top = max(below, box.at + 4 - box.height / 2)
        below = box.top + box.height + 8
    return {box.name: box for box in boxes}


def _alone(name: str, left: int, bottom: float) -> _Box:
    box = _Box(name, "", left, _DRUG)
    box.top = max(50.0, (50 + bottom) / 2 - box.height / 2)
    return box


def _node(box: _Box, *, strong: bool = False) -> str:
    name, small = box.lines()
    fill, line = ("#e3ecf7", "#1f3b5c") if strong else ("#f4f4f4", "#777777")
    parts = [
        f'<rect x="{box.left}" y="{box.top:.1f}" width="{box.width}" height="{box.height:.1f}" rx="6" fill="{fill}" '
        f'stroke="{line}"/>'
    ]
    y = box.top + 18
    for text in name:
        parts.append(_words(box.left + 8, y, text, 12, "#111111", bold=strong))
        y += _LINE
    for text in small:
        parts.append(_words(box.left + 8, y, text, 10.5, "#333333"))
        y += _LINE
    return "\n".join(parts)


def _curve(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    bend = (x1 + x2) / 2
    path = f"M{x1:.1f} {y1:.1f} C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.2"/>'


def _straight(x1: float, x2: float, y: float, color: str) -> str:
    return f'<path d="M{x1:.1f} {y:.1f} H{x2:.1f}" stroke="{color}" stroke-width="1.2"/>'


def _words(x: float, y: float, text: str, size: float, color: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}"{weight}>{escape(_clean(text))}</text>'


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _TEXT.sub("", text)
