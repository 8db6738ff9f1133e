"""Runs the steps in order and ends, or stays up on a terminal so that one can look around."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from attending.client import AttendingApiError, ReceiptError
from attending.server.demo import steps
from attending.server.demo.proof import Proof
from attending.server.demo.screen import Screen
from attending.server.demo.server import DemoServer, ServerDidNotStart

MARKER = ".attending-demo"


def run(folder: Path, *, stay: bool) -> int:
    """0 when every step ran to its end, whatever it found; 1 when one could not."""
    screen = Screen()
    if folder.exists() and not (folder / MARKER).exists() and any(folder.iterdir()):
        screen.say(f"error: `{folder}` is not a demo folder; next: give another with --data")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    (folder / MARKER).touch()
    screen.title(
        "Attending",
        "A release gate between clinical applications and any language model. Real server, real model, real\n"
        "ledger; demo identities. Synthetic patients only. Embedded mode: does not protect against the operator.",
    )
    server, proof = DemoServer(folder), Proof()
    try:
        with screen.working("the server starts (keys, certificates, ledger, check processes)"):
            server.start()
        connection = server.connection(steps.APP)
        screen.fact("server", f"{connection.target}, TLS with client certificates, data in `{server.folder}`")
        for step in (
            steps.letter,
            steps.dose,
            steps.discharge,
            steps.personal_data,
            steps.sildenafil,
            steps.thirty,
            steps.audit,
            steps.regulator,
        ):
            step(screen, server, proof)
        steps.summary(screen, proof)
        if stay and sys.stdin.isatty():
            _look_around(screen, server)
    except (ServerDidNotStart, AttendingApiError, ReceiptError) as err:
        screen.say(f"error: {err}; next: read `{server.log_path}`")
        return 1
    except KeyboardInterrupt:
        screen.say("stopped")
        return 1
    finally:
        server.stop()
    return 0


def _look_around(screen: Screen, server: DemoServer) -> None:
    screen.panel(
        "The server stays up: look around in another terminal",
        [
            f"attending console open --data {server.folder}    the review console, in a browser",
            f"attending review list --data {server.folder}",
            f"attending export --data {server.folder} --out period.attending",
            f"attending verify {server.output}/audit.attending --key LOG_KEY",
            "Press Enter to stop.",
        ],
    )
    sys.stdin.readline()
