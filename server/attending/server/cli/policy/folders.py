"""What the commands over policies share: their options, and how one folder is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.policy.load import LoadedPolicy

AUTHORIZATION: Final = "authorization"
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

folder_option = click.option(
    "--policies", "policies_path", type=FOLDER, help="Folder of policies; the package's own when left out."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def policy_of(folder: Path) -> LoadedPolicy:
    """The policy in `folder`; a usage error that says what is wrong with it."""
    from attending.guardrails.policy.load import PolicyError, load_policy

    try:
        return load_policy(folder)
    except PolicyError as err:
        raise CommandError(str(err), f"attending policy lint --policies {folder.parent}", Exit.USAGE) from err


def policy_folders(root: Path, name: str | None) -> list[Path]:
    """The folders of policies below `root`, or the one named; a usage error where there is none."""
    found = sorted(path.parent for path in root.glob("*/policy.yaml"))
    chosen = [folder for folder in found if name in (None, folder.name)]
    if not chosen:
        raise CommandError(
            f"no policy `{name}` in `{root}`" if name else f"no policy in `{root}`",
            f"one of {', '.join(folder.name for folder in found)}" if found else "give --policies",
            Exit.USAGE,
        )
    return chosen
