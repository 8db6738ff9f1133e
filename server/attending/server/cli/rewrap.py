"""`attending keys rewrap`: seals the keys of every log under the configured root, with the server stopped."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.opening import LedgerConfig


@click.command(
    epilog=examples(
        "attending keys rewrap --config attending.toml",
        after="From one root to another: name the new one in `[secrets]` and the old one in `[secrets.previous]`.",
    )
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    required=True,
    help="TOML configuration of the server.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rewrap(config_path: Path, as_json: bool) -> int:
    """Seal the keys of every log under the root of `[secrets]`, in its newest version.

    Each key file is replaced by itself and what was there before is overwritten; each log's share is an entry
    (`key.rotated`). It can be interrupted at any moment and run again, as often as you like. A server that owns the
    ledger must be stopped; while it runs, `attending keys rotate root` does the same for the caller's tenant.
    """
    from attending.server.config import load_config
    from attending.server.database import ledger_config

    config = load_config(config_path)
    place = ledger_config(config)
    if place.database is None and not (place.folder / "ledger.db").is_file():
        raise CommandError(
            "there is no ledger", "start the server once; its keys are sealed then", Exit.USAGE
        )
    moved = asyncio.run(_rewrap(place))
    if as_json:
        click.echo(json.dumps({"logs": moved, "root": config.secrets.kind}, sort_keys=True))
        return Exit.OK
    for log_id, files in moved.items():
        click.echo(f"{log_id}  {files} keys sealed anew" if files else f"{log_id}  nothing to do")
    click.echo(f"all keys are under `{config.secrets.kind}`")
    if config.secrets.previous is not None:
        click.echo("now take `[secrets.previous]` out of the configuration")
    return Exit.OK


async def _rewrap(place: LedgerConfig) -> dict[str, int]:
    from attending.ledger.custody.reads import Order
    from attending.ledger.errors import LedgerLocked
    from attending.ledger.ledger import Ledger
    from attending.server import projections

    try:
        ledger = await Ledger.open(place, metadata=[projections.metadata])
    except LedgerLocked as err:
        raise CommandError(
            "a server holds this ledger",
            "stop it and run this again, or use `attending keys rotate root` while it runs",
        ) from err
    order = Order(f"operator:{getpass.getuser()}")
    async with ledger:
        return {log_id: (await ledger.rotation.reseal(log_id, order)).generation for log_id in ledger.logs()}


command = rewrap
