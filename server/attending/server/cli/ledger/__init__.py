"""`attending ledger`: one subcommand a file, imported when it is used."""

from __future__ import annotations

from typing import Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "status": ("attending.server.cli.ledger.status", "Say how the ledger is: sizes, heads, what is wrong."),
    "tail": ("attending.server.cli.ledger.tail", "Print the newest entries, and follow them."),
    "show": ("attending.server.cli.ledger.show", "Print one entry in full, with its proof."),
    "backup": ("attending.server.cli.ledger.backup", "Back the ledger up while the server runs."),
    "restore": ("attending.server.cli.ledger.restore", "Restore a backup into an empty ledger."),
}
"""Subcommand: the module that has it as `command`, and its line in the help."""


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    epilog=examples(
        "attending ledger status",
        "attending ledger tail -f",
        "attending ledger backup --out monday.backup",
    ),
)
def ledger() -> None:
    """Look after the log of every tenant: how it is, what it holds, backup and restore."""


command = ledger
