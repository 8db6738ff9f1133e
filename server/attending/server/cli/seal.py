"""`attending seal`: seals a finished report as the configuration has it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit


@click.command(epilog=examples("attending seal march.pdf march-sealed.pdf --config attending.toml"))
@click.argument("report", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("sealed", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    envvar="ATTENDING_CONFIG",
    help="Configuration with `[reports.seal]`.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def seal(report: Path, sealed: Path, config_path: Path, as_json: bool) -> None:
    """Seal a report's PDF: a signature over the whole file with an RFC 3161 time stamp.

    The sealed file is there only when it verifies under the configured roots; one of that name is never replaced.
    """
    from attending.server.clock import stamp
    from attending.server.config import load_config
    from attending.server.errors import FailedPrecondition, Unavailable
    from attending.server.reports.seal import Seal, build_sealer

    section = load_config(config_path).reports.seal
    if section is None:
        raise CommandError(
            "the configuration has no `[reports.seal]`", "add it; docs/seal.md says how", Exit.USAGE
        )
    if sealed.exists():
        raise CommandError(f"`{sealed}` is there already", "give another name", Exit.USAGE)

    async def run() -> Seal:
        sealer = build_sealer(section)
        try:
            return await sealer.seal(report, sealed)
        finally:
            await sealer.close()

    try:
        made = asyncio.run(run())
    except (FailedPrecondition, Unavailable) as err:
        more = "".join(f" {name}={value}" for name, value in err.metadata.items())
        raise CommandError(
            f"not sealed ({err.reason}{more}), nothing was written",
            "docs/seal.md says what each reason means",
        ) from err
    except OSError as err:
        raise CommandError(
            f"not sealed: {err.strerror}".lower(), "give a folder that can be written"
        ) from err
    if as_json:
        found = {"time": stamp(made.time), "level": made.level, "size_bytes": made.size_bytes}
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"{sealed}: sealed at {stamp(made.time)} (PAdES {made.level}), {made.size_bytes:,} bytes")


command = seal
