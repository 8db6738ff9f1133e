"""`attending verify`: the stand-alone verifier under this command's name."""

from __future__ import annotations

import click
from attending.server.cli.examples import examples


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples("attending verify november.attending --key log.vkey"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> int:
    """Verify a bundle or a sealed report against keys that are given separately. The same as `attending-verify`."""
    from attending.ledger.verify.__main__ import main

    return main(list(arguments))


command = verify
