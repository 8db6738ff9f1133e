"""`attending knowledge explain`: the part of the graph around a drug or between two, each edge with its provenance."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import drugs_of, folder_option, json_option, loaded, sides_of
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.knowledge.graph import Knowledge
    from attending.guardrails.knowledge.subgraph import Edge, Subgraph

_COLORS = {"contraindicated": "red", "major": "red", "moderate": "yellow"}


@click.command(
    short_help="Draw what is known of a drug, of two, or where a rule is from.",
    epilog=examples(
        "attending knowledge explain warfarin",
        "attending knowledge explain simvastatin clarithromycin --svg pair.svg",
        "attending knowledge explain ansm:2016:204",
    ),
)
@click.argument("subject")
@click.argument("other", required=False)
@click.option(
    "--svg",
    "svg_path",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Draw it into this file as SVG as well.",
)
@folder_option
@json_option
def command(
    subject: str, other: str | None, svg_path: Path | None, folder: Path | None, as_json: bool
) -> int:
    """Explain a rule id from a finding, a drug, or what is known between two drugs or classes.

    Exit code 3 when nothing is known between the two: that does not say that they go together.
    """
    knowledge = loaded(folder)
    if other is None and knowledge.resolve(subject) is None:
        return _rule(knowledge, subject, as_json, svg_path)
    from attending.guardrails.knowledge.subgraph import around, between

    if other is None:
        graphs = [around(knowledge, drug) for drug in drugs_of(knowledge, subject)]
    else:
        graphs = [
            between(knowledge, left, right)
            for left in sides_of(knowledge, subject)
            for right in sides_of(knowledge, other)
            if left != right
        ]
    known = [graph for graph in graphs if graph.edges]
    for graph in known:
        for line in _json(graph) if as_json else _lines(graph):
            click.echo(line)
    if svg_path is not None and known:
        _draw(known, svg_path)
    if known:
        return Exit.OK
    if not as_json:
        named = [drug for name in (subject, other or subject) for drug in sides_of(knowledge, name)]
        covered = [f"{drug} {knowledge.covered(drug, 'interaction').value}" for drug in dict.fromkeys(named)]
        click.echo(f"nothing is known between the two; interaction coverage: {', '.join(covered)}")
    return Exit.INDETERMINATE


def _rule(knowledge: Knowledge, rule_id: str, as_json: bool, svg_path: Path | None) -> int:
    provenance = knowledge.explain(rule_id)
    if provenance is None:
        near = ", ".join(f"`{one}`" for one in knowledge.near(rule_id))
        raise CommandError(
            f"`{rule_id}` is neither a name nor a rule of this pack",
            f"did you mean {near}"
            if near
            else "give the rule id of a finding, and the pack whose hash the finding's entry names",
            Exit.USAGE,
        )
    if svg_path is not None:
        raise click.UsageError("--svg draws drugs, not a rule")
    row = {"rule_id": rule_id, "basis": provenance.basis.value, "source": provenance.source}
    click.echo(json.dumps(row) if as_json else f"{row['rule_id']}: {row['basis']}: {row['source']}")
    return Exit.OK


def _draw(graphs: list[Subgraph], path: Path) -> None:
    if len(graphs) > 1:
        raise CommandError(
            f"the names stand for {len(graphs)} pairs or drugs that are known, and a drawing shows one",
            "give the ingredients by name",
            Exit.USAGE,
        )
    from attending.guardrails.knowledge.drawing import svg

    path.write_text(svg(graphs[0]), encoding="utf-8")
    click.echo(f"drawn into {path}", err=True)


def _json(graph: Subgraph) -> Iterator[str]:
    for edge in (*graph.edges, *graph.memberships):
        yield json.dumps(asdict(edge), ensure_ascii=False)


def _lines(graph: Subgraph) -> Iterator[str]:
    """A tree as wide as the terminal: what an edge says, and below it where it is from."""
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))
    yield click.style(graph.left if graph.right is None else f"{graph.left} + {graph.right}", bold=True)
    said = {(edge.left, edge.right): edge for edge in graph.memberships}
    through = [
        edge
        for key, edge in said.items()
        if edge.right in {e for g in graph.edges for e in (g.left, g.right)}
    ]
    rows: list[tuple[str, Edge]] = [(_told(graph, edge), edge) for edge in graph.edges]
    rows += [(f"{edge.left} is a member of {edge.right}", edge) for edge in through]
    for number, (words, edge) in enumerate(rows):
        last = number == len(rows) - 1 and not graph.omitted
        yield from _wrapped("└─ " if last else "├─ ", "   " if last else "│  ", words, width, edge.severity)
        yield from _wrapped(
            "   " if last else "│  ", "   " if last else "│  ", f"   {edge.told()}", width, "", dim=True
        )
    if graph.omitted:
        yield f"└─ and {graph.omitted} more; see `attending knowledge info`"


def _told(graph: Subgraph, edge: Edge) -> str:
    if graph.right is None:
        return f"{edge.severity + ': ' if edge.severity else ''}{edge.words} {edge.right}"
    sides = f" ({edge.left} + {edge.right})" if (edge.left, edge.right) != (graph.left, graph.right) else ""
    return f"{edge.severity}: {edge.words}{sides}"


def _wrapped(
    first: str, rest: str, text: str, width: int, severity: str, *, dim: bool = False
) -> Iterator[str]:
    indent = text[: len(text) - len(text.lstrip())]
    lines = textwrap.wrap(text.lstrip(), width - len(first) - len(indent)) or [""]
    for number, line in enumerate(lines):
        color = _COLORS.get(severity)
        styled = click.style(line, fg=color, dim=dim) if color or dim else line
        yield (first if number == 0 else rest) + indent + styled
