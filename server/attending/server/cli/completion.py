"""`attending completion`: a script for the shell to complete commands and options."""

from __future__ import annotations

import click
from attending.server.cli.examples import examples
from click.shell_completion import get_completion_class


@click.command(
    epilog=examples(
        'eval "$(attending completion bash)"',
        "attending completion fish > ~/.config/fish/completions/attending.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from attending.server.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for `{shell}`")
    click.echo(kind(cli, {}, "attending", "_ATTENDING_COMPLETE").source())


command = completion
