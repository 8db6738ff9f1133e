"""`attending policy`: write, read, test, compare and activate the policies, and print who may do what."""

from __future__ import annotations

from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup

_HERE: Final = "attending.server.cli.policy"
COMMANDS: Final = {
    "list": (f"{_HERE}.listing", "List the policies of a folder."),
    "new": (f"{_HERE}.new", "Write a new policy's folder, as a draft."),
    "lint": (f"{_HERE}.lint", "Find contradictions and faults in policies."),
    "test": (f"{_HERE}.test", "Run the cases of policies."),
    "diff": (f"{_HERE}.diff", "Say what gets stricter and what milder between two versions."),
    "simulate": (f"{_HERE}.simulate", "Say what a draft or a pack would have decided."),
    "activate": (f"{_HERE}.activate", "Put a version in force, as one of two people."),
    "retire": (f"{_HERE}.retire", "End a policy."),
    "hazards": (f"{_HERE}.hazards", "Say how the hazards of a policy fare."),
    "would-have-held": (f"{_HERE}.would_have_held", "Say what a mode released that enforcing would not."),
    "log": (f"{_HERE}.log", "Say what was in force when, and by whom."),
    "matrix": (f"{_HERE}.matrix", "Print who may do what."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    epilog=examples(
        "attending policy lint",
        "attending policy test discharge-plan",
        "attending policy diff policies/discharge-plan draft/discharge-plan",
    ),
)
def policy() -> None:
    """Keep the policies: what is released, what waits for a signature, and what is refused."""


command = policy
