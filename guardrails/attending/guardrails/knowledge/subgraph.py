"""The part of the graph around one drug, or between two: what `attending knowledge explain` draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from attending.guardrails.finding import Severity
from attending.guardrails.knowledge.facts import Interaction, told_source
from attending.guardrails.knowledge.graph import Knowledge

_WORDS: Final = {
    "member_of": "member of",
    "names": "brand name",
    "interacts_with": "interacts with",
    "cross_reacts_with": "cross-reacts with",
    "contraindicated_in": "contraindicated in",
    "dose_limit": "dose limit for",
    "largest_strength": "largest marketed",
    "limited_in": "limited in",
    "equivalent_of": "opioid equivalent of",
}
"""Edge type -> how it is said, in the order of showing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge as it is shown. `left` and `right` are names of nodes; `severity` is empty for what has none."""

    left: str
    right: str
    words: str
    severity: str
    basis: str
    source: str
    rule_id: str = ""

    def told(self) -> str:
        """Where the edge is from: basis, source and rule."""
        source = self.source.removeprefix(f"{self.basis}: ")
        return f"{self.basis}: {source}" + (f" ({self.rule_id})" if self.rule_id else "")


@dataclass(frozen=True, slots=True)
class Subgraph:
    """`memberships` are the classes through which edges go, of `left` and of `right`; `omitted` edges are not shown."""

    left: str
    right: str | None
    edges: tuple[Edge, ...]
    memberships: tuple[Edge, ...] = ()
    omitted: int = 0


def between(knowledge: Knowledge, left: str, right: str, most: int = 40) -> Subgraph:
    """What holds between two drugs or class ids, worst first, at most `most` edges."""
    facts = knowledge.interactions(left, right)
    edges = tuple(_fact(knowledge, fact, left, right) for fact in facts[:most])
    through = {(left, edge.left) for edge in edges} | {(right, edge.right) for edge in edges}
    memberships = tuple(
        Edge(drug, one, "member of", "", *_class_said(knowledge, one))
        for drug, one in sorted(through)
        if drug != one and one in knowledge.classes_of(drug)
    )
    return Subgraph(left, right, edges, memberships, max(0, len(facts) - most))


def around(knowledge: Knowledge, drug: str, each: int = 8) -> Subgraph:
    """The edges of one drug, at most `each` of a kind, the worst or first by name."""
    kinds: dict[str, list[Edge]] = {kind: [] for kind in _WORDS}
    for kind, other, data in _touching(knowledge, drug):
        words = _WORDS.get(kind, kind.replace("_", " "))
        severity = str(data.get("severity", ""))
        edge = Edge(drug, other, words, severity, data["basis"], data["source"], str(data.get("rule_id", "")))
        kinds.setdefault(kind, []).append(edge)
    shown: list[Edge] = []
    omitted = 0
    for edges in kinds.values():
        found = sorted(set(edges), key=_worst_first)
        shown += found[:each]
        omitted += max(0, len(found) - each)
    return Subgraph(drug, None, tuple(shown), (), omitted)


def _touching(knowledge: Knowledge, drug: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    node = f"drug:{drug}"
    for _, target, data in knowledge.graph.out_edges(node, data=True):
        yield data["type"], _name(target), data
    for source, _, data in knowledge.graph.in_edges(node, data=True):
        if data["type"] == "names":
            yield "names", _name(source), data


def _name(node: str) -> str:
    kind, _, name = node.partition(":")
    return name if kind in ("drug", "class", "brand") else f"{kind}: {name}".replace("_", " ")


def _fact(knowledge: Knowledge, fact: Interaction, left: str, right: str) -> Edge:
    """The fact with its sides in the order that was asked for."""
    lefts = {left, *knowledge.classes_of(left)}
    rights = {right, *knowledge.classes_of(right)}
    a, b = (fact.a, fact.b) if fact.a in lefts and fact.b in rights else (fact.b, fact.a)
    words = fact.mechanism or "mechanism not given"
    if fact.dose_drug is not None and fact.above_daily_mg is not None:
        words += f", above {fact.above_daily_mg:f} mg {fact.dose_drug} a day"
    if fact.route is not None:
        words += f", {fact.route}"
    said = fact.provenance
    return Edge(a, b, words, fact.severity.value, said.basis.value, said.source, said.rule_id)


def _class_said(knowledge: Knowledge, class_id: str) -> tuple[str, str]:
    code = knowledge.class_source(class_id)
    return ("curated" if code == "curated" else "source_row", told_source(code))


def _worst_first(edge: Edge) -> tuple[int, str, str]:
    rank = Severity(edge.severity).rank if edge.severity else 0
    return (-rank, edge.right, edge.rule_id)
