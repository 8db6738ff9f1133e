"""`attending eval`: how good the guardrails are, on labelled sets, real notes and every pair of the knowledge."""

from __future__ import annotations

from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup

_HERE: Final = "attending.server.cli.evaluate"
COMMANDS: Final = {
    "guardrails": (f"{_HERE}.guardrails", "Measure recall and false alarms on a labelled set."),
    "interactions": (
        f"{_HERE}.interactions",
        "Measure every interaction pair of the knowledge, and clean pairs.",
    ),
    "grounding": (f"{_HERE}.grounding", "Measure how well swapped facts are told from faithful sentences."),
    "rails": (f"{_HERE}.rails", "Measure injection, toxicity, self-harm and scope of use."),
    "phi": (f"{_HERE}.phi", "Measure how much personal data is found."),
}


@click.group(
    name="eval",
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    epilog=examples(
        "attending eval guardrails set.jsonl --min-recall 0.9 --max-false-alarms 0.05",
        "attending eval rails --set hostile.jsonl",
        "attending eval interactions --report interactions.md",
        "attending eval grounding ../shared/clinical --seed 7",
        "attending eval phi ../shared/clinical/asq-phi-dev/queries.jsonl",
    ),
)
def evaluate() -> None:
    """Measure the guardrails."""


command = evaluate
