"""Options by which a command reaches a server as somebody: an embedded data folder, or an address with credentials."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from attending.client import Connection
from attending.server.cli.credentials import credential_options
from cryptography.x509 import load_pem_x509_certificates

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_FOLDER = Path("attending-data")


def connection_options(
    default_identity: str, *, anonymous: bool = False, offline_with: str | None = None
) -> Callable[[F], F]:
    """Decorates a command so that it is called with `connection`, made from its options.

    `anonymous` says that the command also works without a credential. Where the parameter `offline_with` is given, no
    server is asked: the connection is None.
    """

    def decorate(command: F) -> F:
        @click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            default=DEFAULT_FOLDER,
            show_default=True,
            envvar="ATTENDING_DATA",
            help="Data folder of an embedded server, for its demo identities.",
        )
        @click.option(
            "--as",
            "identity",
            default=default_identity,
            show_default=True,
            envvar="ATTENDING_IDENTITY",
            help="Demo identity of the embedded server.",
        )
        @click.option("--server", envvar="ATTENDING_SERVER", help="Address of a server, host:port.")
        @credential_options()
        @click.option(
            "--log-key",
            envvar="ATTENDING_LOG_KEY",
            help="Verifier key of the log (C2SP vkey), under which receipts must hold.",
        )
        @functools.wraps(command)
        def wrapper(
            *args: Any,
            data: Path,
            identity: str,
            server: str | None,
            ca: Path | None,
            token_file: Path | None,
            cert: Path | None,
            cert_key: Path | None,
            log_key: str | None,
            **kwargs: Any,
        ) -> Any:
            offline = offline_with is not None and kwargs.get(offline_with) is not None
            kwargs["connection"] = (
                None
                if offline
                else _connection(data, identity, server, ca, token_file, cert, cert_key, log_key, anonymous)
            )
            return command(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


def _connection(
    data: Path,
    identity: str,
    server: str | None,
    ca: Path | None,
    token_file: Path | None,
    cert: Path | None,
    cert_key: Path | None,
    log_key: str | None,
    anonymous: bool,
) -> Connection:
    if server is None:
        try:
            return Connection.from_folder(data, identity)
        except FileNotFoundError:
            raise click.UsageError(
                f"no embedded server runs in `{data}`; start one with `attending serve --data {data}`, "
                "or give --server"
            ) from None
        except KeyError:
            raise click.UsageError(f"the embedded server in `{data}` has no identity `{identity}`") from None
    if ca is None:
        raise click.UsageError("--server needs --ca: Attending speaks TLS only")
    _check_authority(ca)
    if token_file is None and cert is None and anonymous:
        return Connection(server, ca, log_key)
    if (token_file is None) == (cert is None):
        raise click.UsageError("--server needs either --token-file or --cert with --cert-key")
    if cert is not None and cert_key is None:
        raise click.UsageError("--cert needs --cert-key")
    token = token_file.read_text(encoding="utf-8").strip() if token_file is not None else None
    pair = (cert, cert_key) if cert is not None and cert_key is not None else None
    return Connection(server, ca, log_key, token=token, certificate=pair)


def _check_authority(ca: Path) -> None:
    """A usage error for a file without a certificate, about which gRPC would only say that nobody answers."""
    try:
        load_pem_x509_certificates(ca.read_bytes())
    except ValueError:
        raise click.UsageError(f"`{ca}` holds no PEM certificate") from None
