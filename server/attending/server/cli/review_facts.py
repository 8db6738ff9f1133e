"""`attending review add-facts`: what was missing of the patient, and what the checks say with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from attending.client import Connection, ReviewClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line
from attending.v1 import common_pb2

CLINICIAN = "dr-rivera"
_LAB = re.compile(r"([^=]+)=(-?\d+(?:\.\d+)?)\s*(\S.*)?")
NONE = "none"
"""What says "asked, and none known" where a list is given."""


@click.command(
    "add-facts",
    short_help="Add facts that were missing; the text is judged again.",
    epilog=examples(
        "attending review add-facts tkt_0123... --lease lse_... --weight-kg 82 --egfr 34 --not-pregnant",
        "attending review add-facts tkt_0123... --lease lse_... --allergy none --lab 'potassium=5.4 mmol/L'",
    ),
)
@click.argument("ticket")
@click.option("--lease", required=True, help="Lease from `claim`.")
@click.option("--age-years", type=float, help="Age in years.")
@click.option("--sex", type=click.Choice(("female", "male", "other")), help="Sex.")
@click.option("--pregnant/--not-pregnant", default=None, help="Whether the patient is pregnant.")
@click.option("--gestational-weeks", type=float, help="Completed weeks of gestation.")
@click.option("--lactating/--not-lactating", default=None, help="Whether the patient breast-feeds.")
@click.option("--weight-kg", type=float, help="Weight in kilograms.")
@click.option("--height-cm", type=float, help="Height in centimetres.")
@click.option("--egfr", type=float, help="Estimated GFR in mL/min/1.73 m2.")
@click.option("--crcl", type=float, help="Creatinine clearance in mL/min.")
@click.option("--dialysis/--no-dialysis", default=None, help="Whether the patient is on dialysis.")
@click.option("--child-pugh", type=click.Choice(("A", "B", "C")), help="Child-Pugh class.")
@click.option("--allergy", multiple=True, help="One allergy, such as 'penicillin (rash)', or `none`.")
@click.option("--medication", multiple=True, help="One current medicine, such as 'warfarin 5 mg', or `none`.")
@click.option("--condition", multiple=True, help="One condition, or `none`.")
@click.option("--lab", multiple=True, help="One result, such as 'potassium=5.4 mmol/L'.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, with its receipt.")
@connection_options(CLINICIAN)
def add_facts(
    ticket: str,
    lease: str,
    allergy: Sequence[str],
    medication: Sequence[str],
    condition: Sequence[str],
    lab: Sequence[str],
    as_json: bool,
    connection: Connection,
    **measures: Any,
) -> None:
    """Add facts of the patient that were missing; the text is judged again with them.

    Findings become those of the new run, and what you decided on the same ones stays. Where the application gave
    another value, the text is judged by both.
    """
    facts = common_pb2.PatientContext(
        labs=[_lab(one) for one in lab],
        **{name: value for name, value in measures.items() if value is not None},
    )
    for given, name in ((allergy, "allergies"), (medication, "medications"), (condition, "conditions")):
        if given:
            known = [one for one in given if one != NONE]
            wire = getattr(facts, name)
            wire.SetInParent()
            wire.short_forms.extend(known)
            wire.none_known = len(known) < len(given)
    if not facts.ByteSize():
        raise click.UsageError("give at least one fact, such as `--weight-kg 82`")
    with ReviewClient(connection) as client:
        answer = client.add_facts(ticket, lease, facts)
    if as_json:
        click.echo(as_json_line(answer))
        return
    click.echo(f"judged again: {_codes(answer.appeared)} appeared, {_codes(answer.gone)} gone")
    if answer.contradicted:
        click.echo(
            "the application says otherwise of " + ", ".join(answer.contradicted) + ": both were judged"
        )
    click.echo(
        f"{answer.item.open_findings} to dispose of; look at them with `attending review show {ticket}`"
    )


def _lab(text: str) -> common_pb2.Lab:
    found = _LAB.fullmatch(text.strip())
    if found is None:
        raise click.UsageError("a result must be like `potassium=5.4 mmol/L`")
    return common_pb2.Lab(code=found[1].strip(), value=float(found[2]), unit=(found[3] or "").strip())


def _codes(codes: Sequence[str]) -> str:
    """Codes with how often each; `nothing` where there is none."""
    counted = Counter(codes)
    return ", ".join(code if n == 1 else f"{n} {code}" for code, n in sorted(counted.items())) or "nothing"
