"""`attending knowledge coverage`: which checks can judge which drugs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import drugs_of, folder_option, json_option, loaded

_SHOWN = {"covered": "covered", "none_known": "none known", "not_covered": "NOT COVERED"}


@click.command(
    short_help="Show which checks can judge which drugs.",
    epilog=examples(
        "attending knowledge coverage",
        "attending knowledge coverage warfarin Ozempic",
        "attending knowledge coverage --json warfarin",
        after="covered: the pack holds facts. none known: a source says that there is nothing to hold. "
        "not covered: the pack is silent, which says nothing of safety.",
    ),
)
@click.argument("names", metavar="[DRUG]...", nargs=-1)
@folder_option
@json_option
def command(names: tuple[str, ...], folder: Path | None, as_json: bool) -> None:
    """Show, for each check, whether the pack can judge the drugs; without a drug, how many of all it can."""
    from attending.guardrails.knowledge.graph import CHECKS

    knowledge = loaded(folder)
    checks = sorted(CHECKS)
    drugs = dict.fromkeys(drug for name in names for drug in drugs_of(knowledge, name))
    for drug in drugs:
        row = {check: knowledge.covered(drug, check).value for check in checks}
        if as_json:
            click.echo(json.dumps({"drug": drug, **row}, ensure_ascii=False))
        else:
            click.echo(drug)
            for check in checks:
                click.echo(f"  {check:<17}{_SHOWN[row[check]]}")
    counted = drugs or dict.fromkeys(knowledge.drugs())
    if len(counted) == 1:
        return
    if not as_json:
        click.echo(
            f"{'check':<19}{'covered':>10}{'none known':>13}{'not covered':>14}   of {len(counted)} drugs"
        )
    for check in checks:
        found = Counter(knowledge.covered(drug, check).value for drug in counted)
        if as_json:
            click.echo(
                json.dumps({"check": check, "drugs": len(counted), **{key: found[key] for key in _SHOWN}})
            )
        else:
            click.echo(
                f"{check:<19}{found['covered']:>10}{found['none_known']:>13}{found['not_covered']:>14}"
            )
