"""`attending ledger`: what an operator does with a ledger. Subcommands are loaded when they are used."""

from __future__ import annotations

import importlib
from typing import Final

import click
from attending.server.cli.examples import examples

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "migrate": (
        "attending.server.cli.ledger.migrate",
        "Prepare a PostgreSQL database, or bring it up to date.",
    ),
}
"""Subcommand: the module that has it as `command`, and its line in the help."""


class LedgerGroup(click.Group):
    """Lists COMMANDS and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


@click.command(cls=LedgerGroup, epilog=examples("attending ledger migrate --database 'dbname=attending'"))
def command() -> None:
    """Look after a ledger."""
