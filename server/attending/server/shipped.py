"""Where the folders lie that come with the package."""

from __future__ import annotations

from pathlib import Path


def package_policies() -> Path:
    """`policies/` as installed beside this package, or at the root of a source checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "policies"
    return installed if installed.is_dir() else here.parents[2] / "policies"
