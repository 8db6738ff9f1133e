"""`--purpose`: why personal content is asked for, as people type it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click
from attending.v1 import common_pb2

_PREFIX: Final = "PURPOSE_OF_USE_"
# From the wire contract, so that the list cannot fall behind it; the server's own needs the whole server.
PURPOSES: Final[dict[str, common_pb2.PurposeOfUse.ValueType]] = {
    name.removeprefix(_PREFIX).lower().replace("_", "-"): number
    for name, number in common_pb2.PurposeOfUse.items()
    if number != common_pb2.PURPOSE_OF_USE_UNSPECIFIED
}


def purpose_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command `purpose`, by name; it is recorded with the access, and what a role may not ask for is denied."""
    assert default in PURPOSES, default
    return click.option(
        "--purpose",
        type=click.Choice(sorted(PURPOSES)),
        default=default,
        show_default=True,
        help="Why you look; recorded.",
    )
