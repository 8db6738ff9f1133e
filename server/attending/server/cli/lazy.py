"""Groups whose subcommands are imported when they are used, so that one that needs more takes nothing from the rest."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any, Final

import click
from attending.server.cli.outcome import CommandError, Exit

INSTALL: Final = "pip install 'attending[server]'"


class LazyGroup(click.Group):
    """Lists `commands_by_name` (name: module that has it as `command`, line in the help)."""

    def __init__(self, *args: Any, commands_by_name: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by_name = commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (module, _line) in self._by_name.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        try:
            command: click.Command = importlib.import_module(self._by_name[cmd_name][0]).command
        except ModuleNotFoundError as err:
            raise missing_module(cmd_name, err) from err
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._by_name[name][1]) for name in self.list_commands(ctx)])


def missing_module(command: str, err: ModuleNotFoundError) -> CommandError:
    """What to say of a command that the lean install cannot run."""
    return CommandError(
        f"`{command}` needs attending[server]: module `{err.name}` is not installed", INSTALL, Exit.USAGE
    )
