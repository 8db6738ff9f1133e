"""`attending ledger seal`: ends a log for good and starts its successor."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.ledger import Ledger
    from attending.ledger.opening import LedgerConfig
    from attending.ledger.succession import Succession


@click.command(
    epilog=examples(
        "attending ledger seal --log clinic --successor clinic-2027 --origin hospital.example/clinic-2027",
        after="A tenant's log has the tenant's name: after it, give the tenant and its identities the successor's.",
    )
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    help="TOML configuration of the server; the embedded mode when left out.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    help="Data folder of the embedded mode; ./attending-data when left out.",
)
@click.option("--log", "log_id", required=True, help="The log to end.")
@click.option("--successor", required=True, help="Id of the log that goes on: a-z, 0-9, `_`, `-`, `.`.")
@click.option("--origin", required=True, help="Origin of the successor, unique in the world.")
@click.option("--yes", is_flag=True, help="Do not ask; a seal cannot be taken back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def seal(
    config_path: Path | None,
    data: Path | None,
    log_id: str,
    successor: str,
    origin: str,
    yes: bool,
    as_json: bool,
) -> int:
    """End a log for good; its successor begins and names its head. Nothing is deleted or truncated.

    Refused while inferences are open or texts wait for review: a stream does not go on in the successor. The sealed
    log can still be read, proved, verified and exported, and persons can be erased from it. An embedded server must be
    stopped; with PostgreSQL, running servers answer LOG_SEALED from then on.

    Repeated with the same words it finishes what was cut short, and says the same.
    """  # fmt: skip
    if config_path is not None and data is not None:
        raise click.UsageError("--config and --data exclude each other")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("a seal cannot be taken back: say --yes, or run this on a terminal")
        click.confirm(f"Seal `{log_id}` for good, with `{successor}` after it?", abort=True)
    try:
        done = asyncio.run(_seal(_place(config_path, data), log_id, successor, origin))
    except ValueError as err:
        raise CommandError(
            str(err), "give another --successor, or an --origin of its own", Exit.USAGE
        ) from err
    if as_json:
        click.echo(
            json.dumps(
                {"log": done.log_id, "successor": done.successor, "size": done.size, "root": done.root.hex()}
            )
        )
    else:
        click.echo(f"{done.log_id} is sealed at {done.size} entries, root {done.root.hex()}")
        click.echo(f"{done.successor} goes on as {origin}; keep a checkpoint of both elsewhere")
    return Exit.OK


async def _seal(place: LedgerConfig, log_id: str, successor: str, origin: str) -> Succession:
    from attending.ledger.errors import LedgerLocked, NotFound
    from attending.ledger.ledger import Ledger
    from attending.server import projections

    if place.database is None and not (place.folder / "ledger.db").is_file():
        raise CommandError("there is no ledger", "give its folder with --data, or --config", Exit.USAGE)
    try:
        ledger = await Ledger.open(place, metadata=[projections.metadata])
    except LedgerLocked as err:
        raise CommandError("a server holds this ledger", "stop the server, and run this again") from err
    async with ledger:
        try:
            await _require_done(ledger, log_id)
            return await ledger.seal_log(log_id, successor, origin, actor=f"operator:{getpass.getuser()}")
        except NotFound as err:
            raise CommandError(str(err), f"logs here: {', '.join(ledger.logs())}", Exit.USAGE) from err


async def _require_done(ledger: Ledger, log_id: str) -> None:
    """Nothing of the log is under way: no open inference, and no text that waits for a clinician."""
    from attending.server import projections
    from attending.server.inference.states import State
    from sqlalchemy import func, select

    inference = projections.inference
    under_way = [State.RECEIVED.value, State.HELD.value]
    rows = await ledger.query(
        select(inference.c.state, func.count())
        .where(inference.c.log_id == log_id, inference.c.state.in_(under_way))
        .group_by(inference.c.state)
    )
    if rows:
        found = ", ".join(f"{count} {state}" for state, count in map(tuple, rows))
        raise CommandError(
            f"inferences of `{log_id}` are under way: {found}",
            "let reviewers finish or reject what is held, and seal when nothing is open",
            Exit.HELD,
        )


def _place(config_path: Path | None, data: Path | None) -> LedgerConfig:
    from attending.server.bootstrap.folder import DEFAULT_FOLDER, ledger_of
    from attending.server.config import load_config
    from attending.server.database import ledger_config

    return (
        ledger_of(data or DEFAULT_FOLDER) if config_path is None else ledger_config(load_config(config_path))
    )


command = seal
