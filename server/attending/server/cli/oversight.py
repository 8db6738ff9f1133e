"""`attending oversight`: whether review is review, from a terminal."""

from __future__ import annotations

from collections.abc import Iterable

import click
from attending.client import Connection, OversightClient
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import as_json_line, choices, word
from attending.server.cli.purpose import PURPOSES, purpose_option
from attending.v1 import oversight_pb2

OFFICER, DIRECTOR, READER = "demo-safety-officer", "demo-medical-director", "dr-rivera"
ANSWERS = choices(oversight_pb2.SecondReadAnswer)
REASONS = ("incomplete", "not_needed", "other", "unsafe", "wrong", "wrong_patient")
days_option = click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Days up to now."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(epilog=examples("attending oversight summary --days 30"))
def oversight() -> None:
    """Figures of review, draws for second reads, and the second reads themselves."""


@oversight.command(
    short_help="Show the figures of all reviewers.",
    epilog=examples("attending oversight summary --days 30 --json"),
)
@days_option
@as_json_option
@connection_options(OFFICER)
def summary(days: int, as_json: bool, connection: Connection) -> None:
    """Show the figures of all reviewers together; of fewer than five people none."""
    found = _summary(connection, days)
    if as_json:
        click.echo(as_json_line(found))
        return
    click.echo(f"{found.signatures} signatures by {found.people} people, {found.alarms} alarms")
    for tier in found.tiers:
        short = share_words(tier.short) if tier.HasField("short") else "not shown of fewer than five people"
        click.echo(f"{tier.tier:<10} {tier.signatures} signatures; signed sooner than read: {short}")
    if found.reading_reasons:
        click.echo("reasons: " + _counts(found.reading_reasons))
    click.echo(f"{found.second_reads_waiting} second reads wait")
    if found.planted and not found.HasField("planted_found"):
        click.echo(f"{found.planted} planted items; shares are not shown of fewer than five people")
    elif found.planted:
        click.echo(
            f"{found.planted} planted items; errors found: {share_words(found.planted_found)}; "
            f"sound texts refused: {share_words(found.sound_refused)}"
        )


@oversight.command(
    short_help="Show one reviewer, or who stands out.",
    epilog=examples("attending oversight person", "attending oversight person dr-rivera --json"),
)
@click.argument("name", required=False)
@days_option
@as_json_option
@connection_options(DIRECTOR)
def person(name: str | None, days: int, as_json: bool, connection: Connection) -> None:
    """Show one reviewer's figures, or who stands out. For the medical director; the look is recorded."""
    with OversightClient(connection) as client:
        one = client.reviewer(name, days) if name else None
        flagged = [] if name else client.flagged(days)
    if as_json:
        for message in [one] if one is not None else flagged:
            click.echo(as_json_line(message))
        return
    for figures in [one.figures] if one is not None else flagged:
        why = (
            ", ".join(word(oversight_pb2.ReviewerFlag, flag) for flag in figures.flags)
            or "nothing stands out"
        )
        click.echo(f"{figures.name}: {why}")
        click.echo(f"  {figures.signatures} signatures; sooner than read: {share_words(figures.short)}")
        click.echo(f"  not so read again: {share_words(figures.missed)}; {figures.alarms} alarms")
        click.echo(
            f"  planted errors found: {share_words(figures.planted_found)}; "
            f"sound texts refused: {share_words(figures.sound_refused)}"
        )
    if one is not None:
        if one.reading_reasons:
            click.echo("  reasons: " + _counts(one.reading_reasons))
        for reading in one.readings:
            when = reading.signed_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
            click.echo(
                f"  {when} UTC  {reading.ticket_id}  {reading.words} words, {reading.seconds} s "
                f"of {reading.floor_seconds} s ({reading.source})"
            )
    elif not flagged:
        click.echo("nobody stands out")


@oversight.command(
    short_help="List draws and their seeds.", epilog=examples("attending oversight draw --json")
)
@as_json_option
@connection_options(OFFICER)
def draw(as_json: bool, connection: Connection) -> None:
    """List the draws of released texts, newest first, with the seeds of those that are opened."""
    with OversightClient(connection) as client:
        found = client.draws()
    for one in found:
        if as_json:
            click.echo(as_json_line(one))
            continue
        state = f"opened by entry {one.opened_index}" if one.HasField("opened_index") else "runs"
        click.echo(
            f"{one.draw_id}  committed by entry {one.committed_index}, {state}; {one.drawn} drawn, {one.read} read"
        )
        if one.seed:
            click.echo(f"  seed {one.seed.hex()}  salt {one.salt.hex()}")
    if not found and not as_json:
        click.echo("none")


@oversight.command(
    "open-draw",
    short_help="End the period of the draw now.",
    epilog=examples("attending oversight open-draw"),
)
@connection_options(DIRECTOR)
def open_draw(connection: Connection) -> None:
    """End the period of the running draw now, and put what it draws up for second reads."""
    with OversightClient(connection) as client:
        index = client.open_draw().receipt.index
    click.echo(f"on record as entry {index}; `attending oversight draw` shows what was drawn")


@oversight.command(
    short_help="Show how two readers agree.", epilog=examples("attending oversight agreement --days 90")
)
@days_option
@as_json_option
@connection_options(OFFICER)
def agreement(days: int, as_json: bool, connection: Connection) -> None:
    """Show how first and second readers agree: Cohen's kappa and Gwet's AC1 with 95 % intervals."""
    found = _summary(connection, days).agreement
    for one in found:
        if as_json:
            click.echo(as_json_line(one))
            continue
        click.echo(
            f"{one.policy} ({one.basis}): {one.agreed} of {one.pairs} alike; "
            f"kappa {_coefficient(one.kappa)}, AC1 {_coefficient(one.ac1)}"
        )
    if not found and not as_json:
        click.echo("nothing was read twice")


@oversight.command(
    short_help="Show how often findings are so.", epilog=examples("attending oversight rails --days 90")
)
@days_option
@as_json_option
@connection_options(OFFICER)
def rails(days: int, as_json: bool, connection: Connection) -> None:
    """Show how often what each rail finds is so, the least precise first."""
    found = _summary(connection, days).rails
    for one in found:
        if as_json:
            click.echo(as_json_line(one))
            continue
        noisy = "  proposed for retirement or repair" if one.noisy else ""
        click.echo(
            f"{one.rail} / {one.code}: true {share_words(one.precision)}; {one.fixed} fixed, "
            f"{one.accepted} accepted, {one.false_alarms} false alarms{noisy}"
        )
        if one.reasons:
            click.echo("  reasons: " + _counts(one.reasons))
    if not found and not as_json:
        click.echo("nothing was disposed of")


@oversight.command(
    "reads", short_help="List what you may read again.", epilog=examples("attending oversight reads")
)
@as_json_option
@connection_options(READER)
def list_reads(as_json: bool, connection: Connection) -> None:
    """List released texts that wait for a second read by you, oldest first."""
    with OversightClient(connection) as client:
        found = client.second_reads()
    for one in found:
        when = one.sampled_at.ToDatetime().strftime("%Y-%m-%d %H:%M")
        click.echo(as_json_line(one) if as_json else f"{one.read_id}  {one.policy:<22} drawn {when} UTC")
    if not found and not as_json:
        click.echo("none")


@oversight.command(
    short_help="Show a text to be read again.", epilog=examples("attending oversight read red_0123...")
)
@click.argument("read_id", metavar="READ")
@as_json_option
@purpose_option("quality")
@connection_options(READER)
def read(read_id: str, as_json: bool, purpose: str, connection: Connection) -> None:
    """Show a text to be read again as its first reader had it, without their word. The look is recorded."""
    with OversightClient(connection, purpose=PURPOSES[purpose]) as client:
        one = client.second_read(read_id)
    if as_json:
        click.echo(as_json_line(one))
        return
    click.echo(
        f"prompt:\n{one.prompt.rstrip()}\n\npatient:\n{one.patient_json}\n\ntext:\n{one.output.rstrip()}\n"
    )
    for finding in one.findings:
        click.echo(f"({finding.ordinal}) {finding.code}: {finding.message}")


@oversight.command(
    short_help="Give your word on a text read again.",
    epilog=examples(
        "attending oversight answer red_0123... approved",
        "attending oversight answer red_0123... rejected --reason unsafe",
    ),
)
@click.argument("read_id", metavar="READ")
@click.argument("answer", metavar="ANSWER", type=click.Choice(sorted(ANSWERS)))
@click.option("--reason", type=click.Choice(REASONS), help="Why; required unless approved.")
@click.option("--note", default="", help="Note; stored as personal content.")
@connection_options(READER)
def answer(read_id: str, answer: str, reason: str | None, note: str, connection: Connection) -> None:
    """Give your word: approved, approved-with-edits or rejected. It changes nothing of the release."""
    if reason is None and answer != "approved":
        raise click.UsageError(f"`{answer}` needs --reason")
    with OversightClient(connection) as client:
        client.decide(read_id, ANSWERS[answer], reason_code=reason or "", note=note)
    click.echo("on record; who sees harm takes the text back: attending recall withdraw")


def _summary(connection: Connection, days: int) -> oversight_pb2.GetSummaryResponse:
    with OversightClient(connection) as client:
        return client.summary(days)


def share_words(share: oversight_pb2.ReviewShare) -> str:
    """`3 of 40, 7.5 % (2.6 to 19.9)`."""
    if not share.HasField("permille"):
        return "none counted"
    low, high = share.low_permille / 10, share.high_permille / 10
    return f"{share.hits} of {share.of}, {share.permille / 10} % ({low} to {high})"


def _coefficient(one: oversight_pb2.Coefficient) -> str:
    if not one.HasField("permille"):
        return "not defined"
    if not one.HasField("low_permille"):
        return f"{one.permille / 1000:.2f}"
    return f"{one.permille / 1000:.2f} ({one.low_permille / 1000:.2f} to {one.high_permille / 1000:.2f})"


def _counts(counts: Iterable[oversight_pb2.ReasonCount]) -> str:
    return ", ".join(f"{one.reason_code} {one.count}" for one in counts)


command = oversight
