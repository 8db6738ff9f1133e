"""The pack as one graph, for explaining and for review: nodes are drugs, brands, classes, conditions, allergens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx
from attending.guardrails.finding import Basis
from attending.guardrails.knowledge.facts import told_source

if TYPE_CHECKING:
    from attending.guardrails.knowledge.graph import Knowledge


def build(knowledge: Knowledge) -> networkx.MultiDiGraph[str]:
    """A frozen graph. Node ids are `kind:name`; every edge has `type`, `basis` and `source`, and a fact its
    `rule_id`.

    Edge types: member_of (drug to class), names (brand to drug), interacts_with (both ways), contraindicated_in,
    cross_reacts_with, dose_limit and limited_in (drug to population: age, pregnancy, kidney, liver), largest_strength
    (drug to strength), equivalent_of (opioids). A name or membership from a source is `source_row`, an authored one
    `curated`.
    """
    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for drug in knowledge.drugs():
        graph.add_node(f"drug:{drug}", kind="drug", rxcui=knowledge.rxcui(drug))
    for class_id in knowledge.class_ids():
        graph.add_node(f"class:{class_id}", kind="class")
        said = _said(knowledge.class_source(class_id))
        for drug in knowledge.members(class_id):
            graph.add_edge(f"drug:{drug}", f"class:{class_id}", type="member_of", **said)
    for name, entry in knowledge.names().items():
        if entry.brand:
            graph.add_node(f"brand:{name}", kind="brand")
            for drug in entry.drugs:
                graph.add_edge(f"brand:{name}", f"drug:{drug}", type="names", **_said(entry.source))

    def node(one: str) -> str:
        # A class may have the name of a drug in it (heparin); a fact with that side is the class's.
        return f"class:{one}" if knowledge.class_label(one) is not None else f"drug:{one}"

    for fact in knowledge.all_interactions():
        told = {
            "type": "interacts_with",
            "severity": fact.severity.value,
            "rule_id": fact.provenance.rule_id,
            "basis": fact.provenance.basis.value,
            "source": fact.provenance.source,
        }
        graph.add_edge(node(fact.a), node(fact.b), **told)
        graph.add_edge(node(fact.b), node(fact.a), **told)
    for other in knowledge.all_cross_reactions():
        graph.add_edge(
            node(other.allergen),
            node(other.to),
            type="cross_reacts_with",
            severity=other.severity.value,
            rule_id=other.provenance.rule_id,
            basis=other.provenance.basis.value,
            source=other.provenance.source,
        )
    for kind, drug, target, provenance in knowledge.drug_facts():
        graph.add_node(target, kind=target.split(":", 1)[0])
        graph.add_edge(
            f"drug:{drug}",
            target,
            type=kind,
            rule_id=provenance.rule_id,
            basis=provenance.basis.value,
            source=provenance.source,
        )
    networkx.freeze(graph)
    return graph


def _said(code: str) -> dict[str, str]:
    """Provenance of an edge that is a name or a membership."""
    basis = Basis.CURATED if code == "curated" else Basis.SOURCE_ROW
    return {"basis": basis.value, "source": told_source(code)}
