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
    "migrate": (
        "attending.server.cli.ledger.migrate",
        "Prepare a PostgreSQL database, or bring it up to date.",
    ),
    "append": ("attending.server.cli.ledger.append", "Append the events of a file."),
    "verify": (
        "attending.server.cli.ledger.verify",
        "Verify every stored entry, tile and head; nothing is repaired.",
    ),
    "rebuild": (
        "attending.server.cli.ledger.rebuild",
        "Make the projections again from the entries, or compare them.",
    ),
    "prove": ("attending.server.cli.ledger.prove", "Print the receipt of an entry."),
    "export": (
        "attending.server.cli.ledger.export",
        "Write the log as static files that any web server serves.",
    ),
    "seal": ("attending.server.cli.ledger.seal", "End a log for good and start its successor."),
    "prune": ("attending.server.cli.ledger.prune", "Remove payloads whose retention has ended."),
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
        "attending ledger prove 17",
        "attending ledger backup --out monday.backup",
    ),
)
def ledger() -> None:
    """Look after the logs: how they are, what they hold, proofs, backups, rebuilds."""


command = ledger
