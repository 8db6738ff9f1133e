"""The version of the installed package."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """The version as installed; `0+source` when the code runs without being installed."""
    try:
        return metadata.version("attending")
    except metadata.PackageNotFoundError:
        return "0+source"
