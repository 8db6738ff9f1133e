"""`--purpose`: why personal content is asked for, as people type it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click
from attending.server.cli.message import choices
from attending.v1 import common_pb2

PURPOSES: Final[dict[str, common_pb2.PurposeOfUse.ValueType]] = choices(common_pb2.PurposeOfUse)


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
