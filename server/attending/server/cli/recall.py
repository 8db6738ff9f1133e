"""`attending recall`: take back what was released, from a terminal."""

from __future__ import annotations

import click
from attending.client import Connection, RecallClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices, word
from attending.server.cli.purpose import PURPOSES, purpose_option
from attending.v1 import recall_pb2

CLINICIAN = "dr-rivera"
REASONS = choices(recall_pb2.RecallReason)
NO_RECALL = choices(recall_pb2.NoRecallReason)
as_json_option = click.option("--json", "as_json", is_flag=True, help="The recall as JSON.")


@click.group(epilog=examples("attending recall withdraw inf_0123... --reason unsafe"))
def recall() -> None:
    """Take back what was released, and see who has taken notice."""


@recall.command(
    short_help="Take a released text back.",
    epilog=examples(
        "attending recall withdraw inf_0123... --reason unsafe",
        'attending recall withdraw inf_0123... --reason other --note "..." --json',
    ),
)
@click.argument("inference")
@click.option("--reason", type=click.Choice(sorted(REASONS)), required=True, help="Why.")
@click.option("--note", default="", help="Note; stored as personal content.")
@as_json_option
@connection_options(CLINICIAN)
def withdraw(inference: str, reason: str, note: str, as_json: bool, connection: Connection) -> None:
    """Take a released text back: from now on it is given to nobody."""
    with RecallClient(connection) as client:
        _show(client.withdraw(inference, REASONS[reason], note=note), as_json)


@recall.command(
    short_help="Say that somebody took notice.",
    epilog=examples("attending recall ack inf_0123... --target patient/portal --as dr-rivera"),
)
@click.argument("inference")
@click.option("--target", default="app", show_default=True, help="Who took notice: one of those outstanding.")
@as_json_option
@connection_options("demo-app")
def ack(inference: str, target: str, as_json: bool, connection: Connection) -> None:
    """Say that the application shows the text no more (`app`), or that who received it was told."""
    with RecallClient(connection) as client:
        _show(client.acknowledge(inference, target), as_json)


@recall.command(
    "worklist",
    short_help="List released texts that may have to be taken back.",
    epilog=examples("attending recall worklist", "attending recall worklist --all --json"),
)
@click.option("--all", "everything", is_flag=True, help="Also those that somebody decided on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(CLINICIAN)
def worklist(everything: bool, as_json: bool, connection: Connection) -> None:
    """List released texts that would not be released under the drug knowledge in force: ids and codes, no text.

    They are judged again when two people have put another pack in force. Each is taken back with `attending recall
    withdraw`, or dismissed with `attending recall dismiss`.
    """
    token = ""
    with RecallClient(connection) as client:
        while True:
            page = client.worklist(only_open=not everything, token=token)
            for one in page.candidates:
                _show_candidate(one, as_json)
            token = page.next_page_token
            if not token:
                break
    if not as_json:
        click.echo(f"{page.open} open, {page.recalled} taken back, {page.dismissed} dismissed")
        if page.running:
            click.echo("texts are still to be judged under the pack in force: the list may grow")


@recall.command(
    short_help="Show a text of the worklist.",
    epilog=examples(
        "attending recall show inf_0123...",
        "attending recall show inf_0123... --purpose patient-safety --as demo-safety-officer",
    ),
)
@click.argument("inference")
@click.option("--json", "as_json", is_flag=True, help="The text and its line as JSON.")
@purpose_option("treatment")
@connection_options(CLINICIAN)
def show(inference: str, as_json: bool, purpose: str, connection: Connection) -> None:
    """Show a text of the worklist as it was released, for whoever decides on it. The look is recorded."""
    with RecallClient(connection) as client:
        found = client.candidate(inference, PURPOSES[purpose])
    if as_json:
        click.echo(as_json_line(found))
        return
    _show_candidate(found.candidate, as_json=False)
    if found.HasField("output"):
        click.echo("\n" + found.output.rstrip() + "\n")
        for one in found.signatures:
            when = one.signed_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
            click.echo(
                f"signed: {one.printed_name}, {one.role}: {one.meaning}, {when} UTC (entry {one.entry_index})"
            )
        if not found.signatures:
            click.echo("nobody signed it")
    else:
        click.echo("it is not kept any more" if found.gone else "it was taken back, and is shown to nobody")


@recall.command(
    short_help="Say that a text of the worklist needs no recall.",
    epilog=examples("attending recall dismiss inf_0123... --reason not_harmful"),
)
@click.argument("inference")
@click.option("--reason", type=click.Choice(sorted(NO_RECALL)), required=True, help="Why not.")
@click.option("--note", default="", help="Note; stored as personal content.")
@click.option("--json", "as_json", is_flag=True, help="The line as JSON.")
@connection_options(CLINICIAN)
def dismiss(inference: str, reason: str, note: str, as_json: bool, connection: Connection) -> None:
    """Say that a text of the worklist needs no recall, and why."""
    with RecallClient(connection) as client:
        _show_candidate(client.dismiss(inference, NO_RECALL[reason], note=note), as_json)


@recall.command("list", epilog=examples("attending recall list --open"))
@click.option("--open", "only_open", is_flag=True, help="Only those that somebody has not answered.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connection_options(CLINICIAN)
def list_recalls(only_open: bool, as_json: bool, connection: Connection) -> None:
    """List recalls, newest first."""
    with RecallClient(connection) as client:
        found = client.recalls(only_open=only_open)
    for one in found:
        _show(one, as_json)
    if not found and not as_json:
        click.echo("none")


def _show_candidate(one: recall_pb2.Candidate, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_line(one))
        return
    state = word(recall_pb2.CandidateState, one.state)
    why = f", {word(recall_pb2.NoRecallReason, one.reason)}" if one.reason else ""
    decided = f"; {state} by {one.closed_by}{why}" if one.closed_by else ""
    click.echo(f"{one.inference_id}  {one.policy:<22} {one.now}: {', '.join(one.codes)}{decided}")


def _show(one: recall_pb2.Recall, as_json: bool) -> None:
    if as_json:
        click.echo(as_json_line(one))
        return
    when = one.withdrawn_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
    waits = f"waits for {', '.join(one.outstanding)}" if one.outstanding else "all have taken notice"
    click.echo(
        f"{one.inference_id}  {one.policy:<22} withdrawn {when} UTC by {one.withdrawn_by}, "
        f"{word(recall_pb2.RecallReason, one.reason)}; {waits}"
    )


command = recall
