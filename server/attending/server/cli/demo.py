"""`attending demo`: the main job, end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from attending.server.cli.examples import examples


@click.command(epilog=examples("attending demo", "attending demo --no-stay"))
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Folder of the demo; made anew each time.",
)
@click.option("--stay/--no-stay", default=True, help="Stay up afterwards when standard input is a terminal.")
def demo(data: Path, stay: bool) -> None:
    """Drive a real server as an application, a clinician and an auditor would, and print what happened."""
    from attending.server.demo.run import run

    sys.exit(run(data, stay=stay))


command = demo
