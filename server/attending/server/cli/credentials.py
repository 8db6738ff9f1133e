"""The options by which a command says who calls, wherever it reaches a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


def credential_options(only_with: str | None = None) -> Callable[[F], F]:
    """Adds --ca, --token-file, --cert and --cert-key; `only_with` is the option without which they say nothing."""

    def words(text: str) -> str:
        return text[:1].upper() + text[1:] if only_with is None else f"With {only_with}: {text}"

    options = (
        click.option(
            "--ca", type=_FILE, envvar="ATTENDING_CA", help=words("CA certificate of the server (PEM).")
        ),
        click.option(
            "--token-file",
            type=_FILE,
            envvar="ATTENDING_TOKEN_FILE",
            help=words("file that holds a bearer token."),
        ),
        click.option("--cert", type=_FILE, envvar="ATTENDING_CERT", help=words("client certificate (PEM).")),
        click.option(
            "--cert-key",
            type=_FILE,
            envvar="ATTENDING_CERT_KEY",
            help=words("key of the client certificate (PEM)."),
        ),
    )

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
