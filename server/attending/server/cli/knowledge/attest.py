"""`attending knowledge attest`: a curated fact is attested by a pharmacist and a second person."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click
from attending.client import Connection, KnowledgeClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.knowledge.pack import tables
from attending.server.cli.message import as_json_line
from attending.server.cli.outcome import CommandError, Exit
from attending.v1 import knowledge_pb2

PHARMACIST = "demo-pharmacist"
_SHOWN = 12


@click.command(
    short_help="Attest a curated fact, as one of two people.",
    epilog=examples(
        "attending knowledge attest curated:statin3a4-strong-3a4 --knowledge site-pack",
        "attending knowledge attest curated:statin3a4-strong-3a4 --knowledge site-pack --as demo-safety-officer",
        after="Exit code 2 while the second person is missing.",
    ),
)
@click.argument("rule_id")
@click.option("--fact", default="", help="First digits of the row's digest, where a rule has several rows.")
@click.option(
    "--knowledge",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of the site's pack; it receives the attestation once two people have attested.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether the fact was checked.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
@connection_options(PHARMACIST)
def command(rule_id: str, fact: str, folder: Path, yes: bool, as_json: bool, connection: Connection) -> int:
    """Attest one curated fact after checking it against the document that it names.

    A pharmacist and a second person are needed, each with their own call; each is on record. The fact is then written
    as attested into the pack, may block like a label's, and loses that when its row changes.
    """
    from attending.guardrails.knowledge import attestation

    found = [
        (table, digest, row)
        for table, digest, row in tables(folder).facts()
        if row["rule_id"] == rule_id
        and row["basis"] == attestation.CURATED
        and digest.startswith(fact.lower())
    ]
    if not found:
        raise CommandError(
            f"no curated fact `{rule_id}` in this pack"
            + (f" whose digest begins with `{fact}`" if fact else ""),
            "give the rule id of a curated fact, as `attending knowledge explain` shows it",
            Exit.USAGE,
        )
    if len(found) > 1:
        for table, digest, row in found[:_SHOWN]:
            click.echo(f"{digest[:12]}  {_told(table, row)}", err=True)
        raise CommandError(
            f"{len(found)} facts have the rule id `{rule_id}`",
            "choose one with --fact and its digits",
            Exit.USAGE,
        )
    table, digest, row = found[0]
    if not yes:
        for line in textwrap.wrap(_told(table, row), 100):
            click.echo(line, err=True)
        click.confirm("Have you checked this against the document that it names?", abort=True, err=True)
    with KnowledgeClient(connection) as client:
        answer = client.attest(bytes.fromhex(digest))
    if answer.attested:
        _write(folder, digest, answer)
    if as_json:
        click.echo(as_json_line(answer))
    elif answer.attested:
        click.echo(
            f"{answer.rule_id}: attested by {answer.pharmacist} and {answer.second}; written into {folder}"
        )
        click.echo("start the server with this pack for the checks to know it")
    else:
        click.echo(f"{answer.rule_id}: on record; a second person must attest it")
    return Exit.OK if answer.attested else Exit.HELD


def _told(table: str, row: dict[str, str]) -> str:
    cells = ", ".join(
        f"{column.replace('_', ' ')} {cell}"
        for column, cell in row.items()
        if cell and column not in ("basis", "rule_id", "source")
    )
    return f"{table.removesuffix('.tsv')}: {cells}. {row['source']}"


def _write(folder: Path, digest: str, answer: knowledge_pb2.AttestFactResponse) -> None:
    from attending.guardrails.knowledge import attestation
    from attending.guardrails.knowledge.assemble import pack

    rows = {row["digest"]: row for row in tables(folder).rows(attestation.TABLE)}
    rows[digest] = {
        "digest": digest,
        "rule_id": answer.rule_id,
        "pharmacist": answer.pharmacist,
        "second": answer.second,
        "attested_at": answer.attested_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "log": answer.log_origin,
        "entry": str(answer.receipt.index),
    }
    try:
        pack.with_table(folder, attestation.TABLE, [rows[key] for key in sorted(rows)], attestation.COLUMNS)
    except OSError as err:
        raise CommandError(
            f"attested and on record, and `{folder.name}` cannot be written: {err.strerror}",
            "mend that and give the same command again: what is on record is answered again",
        ) from err
