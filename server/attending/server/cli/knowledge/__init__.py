"""`attending knowledge`: what the drug knowledge says, what it does not, where each fact is from, and its upkeep."""

from __future__ import annotations

from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup

_HERE: Final = "attending.server.cli.knowledge"
COMMANDS: Final = {
    "info": (f"{_HERE}.info", "Show the pack, or all it holds about one drug."),
    "explain": (f"{_HERE}.explain", "Draw what is known of a drug, of two, or where a rule is from."),
    "coverage": (f"{_HERE}.coverage", "Show which checks can judge which drugs."),
    "lint": (f"{_HERE}.lint", "Find faults in a pack."),
    "diff": (f"{_HERE}.diff", "Show what changed between two packs."),
    "build": (f"{_HERE}.build", "Build a pack, with a site's own files."),
    "attest": (f"{_HERE}.attest", "Attest a curated fact, as one of two people."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    epilog=examples(
        "attending knowledge explain simvastatin clarithromycin --svg pair.svg",
        "attending knowledge coverage warfarin",
        "attending knowledge lint",
    ),
)
def knowledge() -> None:
    """Look into the drug knowledge, and keep it."""


command = knowledge
