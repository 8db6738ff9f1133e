"""`attending ledger prove`: the receipt of an entry, from tiles alone and under the published checkpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import click
from attending.ledger.errors import OutOfRange
from attending.ledger.merkle import verify_consistency, verify_inclusion
from attending.ledger.proof import format_receipt
from attending.ledger.static.client import TiledLog
from attending.server.cli.examples import examples
from attending.server.cli.ledger.source import LogSource, source_options
from attending.server.cli.outcome import CommandError


@click.command(
    epilog=examples(
        "attending ledger prove 17",
        "attending ledger prove 17 --size 100 --json",
        "attending ledger prove 17 --tree static-log --key log.vkey",
    )
)
@click.argument("index", type=click.IntRange(min=0))
@click.option(
    "--size",
    "size",
    type=click.IntRange(min=1),
    help="Tree size to prove it in; that of the published checkpoint when left out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, also with the leaf and root hashes.")
@source_options
def prove(index: int, size: int | None, as_json: bool, source: LogSource) -> None:
    """Print the receipt (C2SP tlog-proof) of entry INDEX under the published checkpoint.

    For another tree size, which no checkpoint may exist of, it prints the inclusion proof in that tree and the
    proof that the published tree extends it. Nothing is signed here.
    """
    with source.opened() as (fetch, key):
        log = TiledLog.open(fetch, [key])
        tree_size = log.size if size is None else size
        try:
            inclusion = log.inclusion_proof(index, tree_size)
        except OutOfRange:
            raise CommandError(
                f"entry {index} is not in the tree of {tree_size} entries, or that is not published",
                f"{log.size} entries are published: give an index below that",
            ) from None
        consistency = log.consistency_proof(tree_size)
        leaf, root = log.node(0, index), log.root(tree_size)
        # What is printed holds by the same code that an auditor runs.
        verify_inclusion(leaf, index, tree_size, inclusion, root)
        verify_consistency(tree_size, log.size, root, log.head.root, consistency)
    if as_json:
        told = {
            "origin": log.head.origin,
            "index": index,
            "leaf_hash": _text(leaf),
            "tree_size": tree_size,
            "root_hash": _text(root),
            "inclusion": _texts(inclusion),
            "consistency": _texts(consistency),
            "checkpoint": log.checkpoint,
        }
        if tree_size == log.size:
            told["receipt"] = format_receipt(index, inclusion, log.checkpoint)
        click.echo(json.dumps(told, sort_keys=True))
    elif tree_size == log.size:
        click.echo(format_receipt(index, inclusion, log.checkpoint), nl=False)
    else:
        click.echo(f"index {index}\ntree size {tree_size}\nroot hash {_text(root)}\ninclusion")
        for line in _texts(inclusion):
            click.echo(f"  {line}")
        click.echo(f"consistency with {log.size}")
        for line in _texts(consistency):
            click.echo(f"  {line}")
        click.echo(f"\n{log.checkpoint}", nl=False)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _texts(values: Sequence[bytes]) -> list[str]:
    return [_text(value) for value in values]


command = prove
