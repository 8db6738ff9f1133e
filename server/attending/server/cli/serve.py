"""`attending serve`: the server in the foreground."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import Exit


@click.command(
    epilog=examples(
        "attending serve",
        "attending serve --data /tmp/try --port 0 --workers 1",
        "attending serve --config attending.toml",
    )
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    help="TOML configuration; the embedded mode when left out.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    help="Data folder of the embedded mode; ./attending-data when left out.",
)
@click.option(
    "--host",
    help="Address to listen on; 127.0.0.1 when left out. In a container 0.0.0.0, published to localhost only.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port for client certificates; 0 takes a free one."
)
@click.option(
    "--token-port", type=click.IntRange(0, 65535), help="Port for bearer tokens; the next one, or a free one."
)
@click.option(
    "--http-port",
    type=click.IntRange(0, 65535),
    help="Port for static reads of the logs over HTTP; the next one, or a free one.",
)
@click.option(
    "--console-port",
    type=click.IntRange(0, 65535),
    help="Port of the review console; the next one, or a free one.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Outputs of the embedded mode's `replay` provider (JSON Lines).",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Check processes; as configured, or one a CPU core, when left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as one JSON object.")
def serve(
    config_path: Path | None,
    data: Path | None,
    host: str | None,
    port: int | None,
    token_port: int | None,
    http_port: int | None,
    console_port: int | None,
    replay: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Run the server until SIGTERM or Ctrl-C.

    Without --config it makes a data folder with keys, a certificate authority and demo identities, and serves
    from that: for trying out, not for patients.
    """
    from attending.server.process import confined

    with confined():
        return _serve(
            config_path, data, host, port, token_port, http_port, console_port, replay, workers, as_json
        )


def _serve(
    config_path: Path | None,
    data: Path | None,
    host: str | None,
    port: int | None,
    token_port: int | None,
    http_port: int | None,
    console_port: int | None,
    replay: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    if config_path is not None:
        if data is not None or replay is not None:
            raise click.UsageError("--config and --data or --replay exclude each other")
        given = {"host": host, "port": port, "token_port": token_port}
        return _configured(config_path, given, {"http": http_port, "console": console_port}, workers, as_json)
    from attending.server.bootstrap.run import Ready, run_embedded

    def ready(at: Ready) -> None:
        if as_json:
            click.echo(json.dumps(at.endpoint, sort_keys=True))
        else:
            _announce(at.endpoint, at.folder, at.notice)

    return run_embedded(
        data,
        host=host,
        port=port,
        token_port=token_port,
        http_port=http_port,
        console_port=console_port,
        replay=replay,
        workers=workers,
        on_ready=ready,
    )


def _announce(endpoint: dict[str, Any], folder: Path, notice: str) -> None:
    bold = sys.stdout.isatty()
    click.echo(click.style(f"Attending serves on {endpoint['target']}", bold=True), color=bold)
    click.echo(f"  client certificates  {endpoint['target']}   demo identities in {folder / 'identities'}")
    click.echo(f"  bearer tokens        {endpoint['token_target']}")
    for tenant, url in endpoint["log_urls"].items():
        click.echo(f"  log of {tenant:<14}{url}")
    if endpoint["console_url"] is not None:
        click.echo(
            f"  review console       {endpoint['console_url']}   sign in with `attending console open`"
        )
    click.echo(f"  authority            {folder / endpoint['ca']}")
    for tenant, key in endpoint["log_keys"].items():
        click.echo(f"  log key of {tenant:<10}{key}")
    click.echo(click.style(f"  {notice}", fg="yellow"), color=bold)
    click.echo("  stop with Ctrl-C")


def _configured(
    path: Path,
    given: dict[str, str | int | None],
    pages: dict[str, int | None],
    workers: int | None,
    as_json: bool,
) -> int:
    from attending.server.app import App
    from attending.server.config import load_config
    from attending.server.hosting import Endpoints, serve
    from attending.server.process import loud, quiet
    from attending.server.telemetry import configure

    config = load_config(path)
    changes = {key: value for key, value in given.items() if value is not None}
    if changes:
        config = config.model_copy(update={"server": config.server.model_copy(update=changes)})
    for name, number in pages.items():
        if number is None:
            continue
        section = getattr(config, name)
        if section is None:
            raise click.UsageError(f"--{name}-port needs a section `[{name}]` in the configuration")
        config = config.model_copy(update={name: section.model_copy(update={"port": number})})
    if workers is not None:
        config = config.model_copy(update={"guard": config.guard.model_copy(update={"workers": workers})})
    configure(config.logging.level, config.logging.format)

    def ready(app: App, at: Endpoints) -> None:
        keys = {tenant: app.ledger.verifier_key(tenant) for tenant in app.tenants}
        if as_json:
            where = {"host": at.host, "port": at.port, "token_port": at.token_port, "log_keys": keys}
            where |= {"http_port": at.http_port, "console_url": at.console_url}
            click.echo(json.dumps(where, sort_keys=True))
            return
        for label, number in (("client certificates", at.port), ("bearer tokens", at.token_port)):
            if number is not None:
                click.echo(f"{label} on {at.host}:{number}")
        if at.http_port is not None and config.http is not None:
            click.echo(f"logs over HTTP on {config.http.host}:{at.http_port}")
        if at.console_url is not None:
            click.echo(f"console at {at.console_url}")
        for tenant, key in keys.items():
            click.echo(f"log key of {tenant}: {key}")

    def announce(app: App, at: Endpoints) -> None:
        with loud():
            ready(app, at)

    with quiet():
        asyncio.run(serve(config, on_ready=announce))
    return Exit.OK


command = serve
