"""`attending knowledge info`: a pack in numbers, or all it holds about one drug."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import drugs_of, folder_option, json_option, loaded

if TYPE_CHECKING:
    from attending.guardrails.knowledge.graph import Knowledge


@click.command(
    short_help="Show the pack, or all it holds about one drug.",
    epilog=examples("attending knowledge info", "attending knowledge info Zocor --json"),
)
@click.argument("name", required=False)
@folder_option
@json_option
def command(name: str | None, folder: Path | None, as_json: bool) -> None:
    """Show the pack, or everything it holds about one drug: facts, coverage, and sources."""
    knowledge = loaded(folder)
    if name is None:
        _print_pack(knowledge, as_json)
        return
    for drug in drugs_of(knowledge, name):
        row = _about(knowledge, drug)
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
            continue
        click.echo(
            f"{drug}   rxcui {row['rxcui'] or 'unknown'} ({row['rxcui_source'] or 'no source gives one'})   "
            f"classes: {', '.join(row['classes']) or 'none'}"
        )
        for line in row["formulary"]:
            told = f": {line['restriction']}" if line["restriction"] else ""
            click.echo(
                f"  formulary: {line['status']} {line['route']} {line['formulation']}{told} ({line['source']})"
            )
        for check, covered in row["coverage"].items():
            click.echo(f"  {check:<17}{covered}")
        for fact in row["facts"]:
            click.echo(f"  {_words(fact)}\n      {fact['basis']}: {fact['source']} ({fact['rule_id']})")
            if "found_in_label" in fact:
                found = fact["found_in_label"]
                click.echo(f"      found in the label: {found['found']} (text sha256 {found['text_sha256']})")


def _about(knowledge: Knowledge, drug: str) -> dict[str, Any]:
    from attending.guardrails.knowledge.facts import told_source
    from attending.guardrails.knowledge.graph import CHECKS

    tables: list[Iterable[Any]] = [
        knowledge.dose_limits(drug),
        knowledge.strengths(drug),
        knowledge.renal_rules(drug),
        knowledge.hepatic_rules(drug),
        knowledge.pregnancy_rules(drug),
        knowledge.age_rules(drug),
        knowledge.contraindications(drug),
        knowledge.mme_factors(drug),
    ]
    cited = knowledge.origin(drug)[1]
    return {
        "drug": drug,
        "rxcui": knowledge.rxcui(drug),
        "rxcui_source": None if cited is None else told_source(cited),
        "classes": sorted(knowledge.classes_of(drug)),
        "formulary": [asdict(line) for line in knowledge.formulary(drug)],
        "coverage": {check: knowledge.covered(drug, check).value for check in sorted(CHECKS)},
        "facts": [_fact(fact, knowledge) for table in tables for fact in table],
        "knowledge_hash": knowledge.hash,
    }


def _fact(fact: Any, knowledge: Knowledge) -> dict[str, Any]:
    """A fact's fields that say something, with its provenance laid flat."""
    row: dict[str, Any] = {"kind": type(fact).__name__}
    for one in fields(fact):
        value = getattr(fact, one.name)
        if one.name == "provenance" or value is None or value is False or value == frozenset():
            continue
        row[one.name] = sorted(value) if isinstance(value, frozenset) else _plain(value)
    said = fact.provenance
    found = knowledge.label_evidence(said.rule_id)
    told = {"found_in_label": dict(found)} if found is not None else {}
    return {**row, "rule_id": said.rule_id, "basis": said.basis.value, "source": said.source, **told}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, bool)) else str(value)


def _words(row: dict[str, Any]) -> str:
    shown = {
        key: value
        for key, value in row.items()
        if key not in {"kind", "rule_id", "basis", "source", "drug", "found_in_label"}
    }
    return f"{row['kind']}: " + ", ".join(f"{key} {value}" for key, value in shown.items())


def _limits_by_proof(knowledge: Knowledge, drugs: list[str]) -> dict[str, int]:
    """Drugs with a dose limit, each counted once by the best proof of one: found in a label's text by a script, read
    from a label or a source, or curated alone."""
    proofs: Counter[str] = Counter()
    for drug in drugs:
        said = [limit.provenance for limit in knowledge.dose_limits(drug)]
        if any(knowledge.label_evidence(one.rule_id) is not None for one in said):
            proofs["found in a label's text"] += 1
        elif any(one.basis.value == "label_text" for one in said):
            proofs["label cited, text not compared"] += 1
        elif any(one.basis.value in ("source_row", "attested") for one in said):
            proofs["by a source or attested"] += 1
        elif said:
            proofs["unattested"] += 1
    return dict(sorted(proofs.items()))


def _print_pack(knowledge: Knowledge, as_json: bool) -> None:
    bases = Counter(
        provenance.basis.value
        for provenance in (
            *(fact.provenance for fact in knowledge.all_interactions()),
            *(provenance for _edge, _drug, _target, provenance in knowledge.drug_facts()),
        )
    )
    drugs = list(knowledge.drugs())
    row = {
        "hash": knowledge.hash,
        "drugs": len(drugs),
        "drugs_with_rxcui": sum(1 for drug in drugs if knowledge.rxcui(drug) is not None),
        "names": len(knowledge.names()),
        "classes": len(list(knowledge.class_ids())),
        "interactions": sum(1 for _fact in knowledge.all_interactions()),
        "drug_facts": sum(1 for _fact in knowledge.drug_facts()),
        "facts_by_basis": dict(sorted(bases.items())),
        "dose_limits_by_drug": _limits_by_proof(knowledge, drugs),
    }
    if as_json:
        click.echo(json.dumps(row))
        return
    for key, value in row.items():
        shown = (
            ", ".join(f"{count} {name}" for name, count in value.items())
            if isinstance(value, dict)
            else value
        )
        click.echo(f"{key.replace('_', ' '):<20}{shown}")
