"""`attending keys rotate`: one story for every key of a tenant, while the server runs."""

from __future__ import annotations

import uuid

import click
from attending.client import Connection, KeyClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices
from attending.server.cli.outcome import Exit
from attending.v1 import keys_pb2

OPERATOR = "demo-operator"
KINDS = choices(keys_pb2.KeyKind)


@click.command(
    epilog=examples(
        "attending keys rotate kek",
        "attending keys rotate signing",
        "attending keys rotate root",
        "attending keys rotate subject --subject tenant",
        after="docs/secrets.md says what each rotation does and what it leaves.",
    )
)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--subject", default="", help="For `subject`: a pseudonym, or `tenant`.")
@click.option("--key", default="", help="Idempotency key, to repeat a call whose answer was lost.")
@click.option("--no-wait", is_flag=True, help="Do not wait for a rotation that takes long.")
@click.option("--json", "as_json", is_flag=True, help="The last answer as JSON.")
@connection_options(OPERATOR)
def command(kind: str, subject: str, key: str, no_wait: bool, as_json: bool, connection: Connection) -> int:
    """Rotate a key of the caller's tenant. It is an entry (`key.rotated`) before it is done; of `root`, afterwards.

    `root` seals the key files anew, once the key in Vault or KMS or the passphrase was changed; `kek` wraps the keys
    of all subjects anew; `lookup`, `fingerprint` and `subject` begin a new generation; `signing` gives the log a new
    key, introduced by the old one. Cut short, the next start of a server takes it up again, or the same call with its
    --key; `root` is to be asked for again. Exit code 2: it goes on, and --no-wait was given.
    """
    if (kind == "subject") != bool(subject):
        raise click.UsageError("--subject goes with `subject`, and only with it")
    key = key or uuid.uuid4().hex
    log_key = None
    with KeyClient(connection) as client:
        answer = client.rotate(KINDS[kind], subject=subject, key=key)
        while not answer.done and not no_wait:
            answer = client.rotate(KINDS[kind], subject=subject, key=key)
        if kind == "signing" and connection.log_key is not None:
            log_key = client.learn_keys()
    if as_json:
        click.echo(as_json_line(answer))
        return Exit.OK if answer.done else Exit.HELD
    if kind == "root":
        click.echo(f"{answer.generation} key files sealed anew; entry {answer.receipt.index}")
    else:
        since = (
            f", used from {answer.since.ToDatetime():%Y-%m-%d %H:%M} UTC on" if kind == "fingerprint" else ""
        )
        click.echo(f"{kind} has generation {answer.generation}{since}; entry {answer.receipt.index}")
    if kind == "signing":
        if log_key is not None:
            click.echo(f"the log's verifier key is {log_key}")
        click.echo(
            "next: back up the key folder, whose backups do not hold this key yet, and give auditors the new verifier"
            " key; with the old one they can go on"
        )
    if not answer.done:
        click.echo("the server goes on with it; `attending keys list` says when it is done")
    return Exit.OK if answer.done else Exit.HELD
