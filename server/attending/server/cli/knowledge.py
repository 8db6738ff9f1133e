"""`attending knowledge`: what the drug knowledge says, what it does not, and where each fact comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.knowledge.facts import Provenance
    from attending.guardrails.knowledge.graph import Knowledge

_FOLDER = click.option(
    "--knowledge",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a knowledge pack; the package's own when left out.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group(epilog=examples("attending knowledge explain simvastatin clarithromycin"))
def knowledge() -> None:
    """Look into the drug knowledge."""


@knowledge.command(
    short_help="Show the pack, or all it holds about one drug.",
    epilog=examples("attending knowledge info", "attending knowledge info Zocor --json"),
)
@click.argument("name", required=False)
@_FOLDER
@_JSON
def info(name: str | None, folder: Path | None, as_json: bool) -> None:
    """Show the pack, or everything it holds about one drug: facts, coverage, and sources."""
    loaded = _load(folder)
    if name is None:
        _print_pack(loaded, as_json)
        return
    for drug in _drugs(loaded, name):
        row = _about(loaded, drug)
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
            continue
        click.echo(
            f"{drug}   rxcui {row['rxcui'] or 'unknown'}   classes: {', '.join(row['classes']) or 'none'}"
        )
        for check, covered in row["coverage"].items():
            click.echo(f"  {check:<17}{covered}")
        for fact in row["facts"]:
            click.echo(f"  {_words(fact)}\n      {fact['basis']}: {fact['source']} ({fact['rule_id']})")


@knowledge.command(
    short_help="Explain a rule, or what is known of two drugs.",
    epilog=examples(
        "attending knowledge explain simvastatin clarithromycin", "attending knowledge explain ansm:2016:204"
    ),
)
@click.argument("subject")
@click.argument("other", required=False)
@_FOLDER
@_JSON
def explain(subject: str, other: str | None, folder: Path | None, as_json: bool) -> int:
    """Explain a rule id from a finding, or what is known between two drugs or classes.

    Exit code 3 when nothing is known between the two: that does not say that they go together.
    """
    loaded = _load(folder)
    if other is None:
        provenance = loaded.explain(subject)
        if provenance is None and loaded.resolve(subject) is not None:
            raise CommandError(
                f"`{subject}` is a name, not a rule",
                f"see `attending knowledge info {subject}`, or give a second name",
                Exit.USAGE,
            )
        if provenance is None:
            raise CommandError(
                f"no rule `{subject}` in this pack",
                "give the rule id of a finding, and the pack whose hash the finding's entry names",
                Exit.USAGE,
            )
        row = _provenance(provenance)
        click.echo(json.dumps(row) if as_json else f"{row['rule_id']}: {row['basis']}: {row['source']}")
        return Exit.OK
    rows = []
    for left in _sides(loaded, subject):
        for right in _sides(loaded, other):
            rows += [_fact(fact) for fact in loaded.interactions(left, right)]
    for row in rows:
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{_words(row)}\n    {row['basis']}: {row['source']} ({row['rule_id']})")
    if rows:
        return Exit.OK
    if not as_json:
        covered = [
            f"{drug} {loaded.covered(drug, 'interaction').value}"
            for name in (subject, other)
            for drug in _sides(loaded, name)
        ]
        click.echo(f"nothing is known between the two; interaction coverage: {', '.join(covered)}")
    return Exit.INDETERMINATE


def _load(folder: Path | None) -> Knowledge:
    from attending.guardrails.knowledge import Knowledge
    from attending.guardrails.knowledge.load import PackError

    try:
        return Knowledge.load(folder)
    except (PackError, OSError) as err:
        words = str(err) if isinstance(err, PackError) else f"a table is missing ({type(err).__name__})"
        raise CommandError(words, "give an unaltered pack with --knowledge", Exit.USAGE) from err


def _drugs(loaded: Knowledge, name: str) -> tuple[str, ...]:
    """The ingredients that a name stands for."""
    found = loaded.resolve(name)
    if found is None:
        near = ", ".join(f"`{one}`" for one in loaded.near(name))
        raise CommandError(
            f"`{name}` is not in this pack",
            f"did you mean {near}" if near else "check the spelling, or give a generic name",
            Exit.USAGE,
        )
    if found.drug_class is not None:
        return tuple(sorted(loaded.members(found.drug_class)))
    return found.drugs


def _sides(loaded: Knowledge, name: str) -> tuple[str, ...]:
    """The ingredients that a name stands for, or the one class."""
    found = loaded.resolve(name)
    if found is not None and found.drug_class is not None:
        return (found.drug_class,)
    return _drugs(loaded, name)


def _about(loaded: Knowledge, drug: str) -> dict[str, Any]:
    from attending.guardrails.knowledge.graph import CHECKS

    tables: list[Iterable[Any]] = [
        loaded.dose_limits(drug),
        loaded.renal_rules(drug),
        loaded.hepatic_rules(drug),
        loaded.pregnancy_rules(drug),
        loaded.age_rules(drug),
        loaded.contraindications(drug),
        loaded.mme_factors(drug),
    ]
    return {
        "drug": drug,
        "rxcui": loaded.rxcui(drug),
        "classes": sorted(loaded.classes_of(drug)),
        "coverage": {check: loaded.covered(drug, check).value for check in sorted(CHECKS)},
        "facts": [_fact(fact) for table in tables for fact in table],
        "knowledge_hash": loaded.hash,
    }


def _fact(fact: Any) -> dict[str, Any]:
    """A fact's fields that say something, with its provenance laid flat."""
    row: dict[str, Any] = {"kind": type(fact).__name__}
    for one in fields(fact):
        value = getattr(fact, one.name)
        if one.name == "provenance" or value is None or value is False or value == frozenset():
            continue
        row[one.name] = sorted(value) if isinstance(value, frozenset) else _plain(value)
    return row | _provenance(fact.provenance)


def _provenance(provenance: Provenance) -> dict[str, str]:
    return {
        "rule_id": provenance.rule_id,
        "basis": provenance.basis.value,
        "source": provenance.source,
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, bool)) else str(value)


def _words(row: dict[str, Any]) -> str:
    shown = {
        key: value for key, value in row.items() if key not in {"kind", "rule_id", "basis", "source", "drug"}
    }
    return f"{row['kind']}: " + ", ".join(f"{key} {value}" for key, value in shown.items())


def _print_pack(loaded: Knowledge, as_json: bool) -> None:
    bases: dict[str, int] = {}
    for provenance in (
        *(fact.provenance for fact in loaded.all_interactions()),
        *(provenance for _edge, _drug, _target, provenance in loaded.drug_facts()),
    ):
        bases[provenance.basis.value] = bases.get(provenance.basis.value, 0) + 1
    row = {
        "hash": loaded.hash,
        "drugs": len(list(loaded.drugs())),
        "names": len(loaded.names()),
        "classes": len(list(loaded.class_ids())),
        "interactions": sum(1 for _fact in loaded.all_interactions()),
        "drug_facts": sum(1 for _fact in loaded.drug_facts()),
        "facts_by_basis": dict(sorted(bases.items())),
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
        click.echo(f"{key.replace('_', ' '):<16}{shown}")


command = knowledge
