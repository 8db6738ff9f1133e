"""`attending config`: check a configuration, or print the reference of every key."""

from __future__ import annotations

import json
from pathlib import Path

import click
from attending.server.cli.examples import examples


@click.group(epilog=examples("attending config check attending.toml"))
def config() -> None:
    """Check a configuration, or print every key."""


@config.command(epilog=examples("attending config check attending.toml"))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def check(path: Path) -> None:
    """Check a file without starting anything."""
    from attending.server.config import load_config

    found = load_config(path)
    click.echo(
        f"{path}: {len(found.tenants)} tenants, {len(found.identities)} identities, "
        f"{len(found.providers)} providers"
    )


@config.command(epilog=examples("attending config reference > docs/configuration.md"))
def reference() -> None:
    """Print every key with type, default and meaning, as Markdown."""
    from attending.server.config.reference import markdown

    click.echo(markdown(), nl=False)


@config.command(epilog=examples("attending config limits > docs/limits.md"))
def limits() -> None:
    """Print every limit that a caller can meet, as Markdown."""
    from attending.server.limits.registry import markdown

    click.echo(markdown(), nl=False)


@config.command(epilog=examples("attending config jwks ehr-client.pem > jwks.json"))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def jwks(path: Path) -> None:
    """Print the public half of a client's key, for a record system."""
    from attending.server.clock import now
    from attending.server.outside.assertion import ClientKey

    key = ClientKey(path, f"`{path.name}`", now)
    click.echo(json.dumps({"keys": [key.jwk]}, indent=2))


command = config
