"""What the commands over a pack share: their options, how a pack is loaded, and what a name stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.knowledge.graph import Knowledge
    from attending.guardrails.knowledge.load import Pack

folder_option = click.option(
    "--knowledge",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a knowledge pack; the package's own when left out.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def loaded(folder: Path | None) -> Knowledge:
    """The pack in `folder`, or the package's own; a usage error where it cannot be used."""
    from attending.guardrails.knowledge.graph import Knowledge

    return Knowledge(tables(folder))


def tables(folder: Path | None) -> Pack:
    """The same as its tables."""
    from attending.guardrails.knowledge import load

    try:
        return load.Pack.read(folder or load.DEFAULT)
    except (load.PackError, OSError) as err:
        words = str(err) if isinstance(err, load.PackError) else f"a table is missing ({type(err).__name__})"
        raise CommandError(words, "give an unaltered pack with --knowledge", Exit.USAGE) from err


def drugs_of(knowledge: Knowledge, name: str) -> tuple[str, ...]:
    """The ingredients that a name stands for."""
    found = knowledge.resolve(name)
    if found is None:
        near = ", ".join(f"`{one}`" for one in knowledge.near(name))
        raise CommandError(
            f"`{name}` is not in this pack",
            f"did you mean {near}" if near else "check the spelling, or give a generic name",
            Exit.USAGE,
        )
    if found.drug_class is not None:
        return tuple(sorted(knowledge.members(found.drug_class)))
    return found.drugs


def sides_of(knowledge: Knowledge, name: str) -> tuple[str, ...]:
    """The ingredients that a name stands for, or the one class."""
    found = knowledge.resolve(name)
    if found is not None and found.drug_class is not None:
        return (found.drug_class,)
    return drugs_of(knowledge, name)
