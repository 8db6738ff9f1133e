"""`attending policy simulate`: what a draft, or another knowledge pack, would have decided."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.offline import checked_pack, errors_explained
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.policy.folders import FOLDER, folder_option, policy_folders, policy_of

if TYPE_CHECKING:
    from attending.ledger.keys import KeyFolder
    from attending.ledger.store.read_only import ReadOnlyStore

_SHOW_EVERY: Final = 20
_TABLE: Final = "before, now"
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    "simulate",
    short_help="Say what a draft or a pack would have decided.",
    epilog=examples(
        "attending policy simulate discharge-plan --policies draft --against 30d",
        "attending policy simulate --knowledge site-pack --against 2026-11-01..2026-11-30 --worklist recall.jsonl",
        "attending policy simulate patient-message --policies draft --file outputs.jsonl --json",
        after="Nothing is written to the ledger, and no word of a text is shown.",
    ),
)
@click.argument("name", required=False)
@folder_option
@click.option("--knowledge", "pack", type=FOLDER, help="Folder of a knowledge pack to try.")
@click.option("--against", help="Recorded outputs: 30d, 24h, a day, or FIRST..LAST day (UTC).")
@click.option("--file", "lines", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="JSON lines as `attending check` takes them, instead of the ledger.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), envvar="ATTENDING_DATA",
              help="Data folder of an embedded server; ./attending-data when nothing is given.")  # fmt: skip
@click.option("--config", "config_path", type=_FILE, envvar="ATTENDING_CONFIG",
              help="Configuration of a server, on its machine.")  # fmt: skip
@click.option("--log", "log_id", help="Tenant, where there are several.")
@click.option(
    "--worklist", type=_FILE, help="Write released outputs that would not be released now: JSON lines."
)
@click.option("--state", type=_FILE, help="Keep how far it came; the same command then goes on from there.")
@click.option("--minutes-per-review", type=click.FloatRange(0, 600, min_open=True),
              help="For reviewer hours; measured from the record when left out.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), help="Check processes; one a core when left out.")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object.")
def command(
    name: str | None,
    policies_path: Path | None,
    pack: Path | None,
    against: str | None,
    lines: Path | None,
    data: Path | None,
    config_path: Path | None,
    log_id: str | None,
    worklist: Path | None,
    state: Path | None,
    minutes_per_review: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Judge recorded outputs again, under the policies of a folder (drafts too) and, with --knowledge, another pack.

    It says how decisions change against what is on record, alerts in a hundred outputs, reviewer hours a day, and
    examples by inference id. It reads the ledger on the server's machine, beside the running server. With --file the
    lines are judged under the package's own policies and pack, and under what is tried.
    """
    if (against is None) == (lines is None):
        raise CommandError("say what to simulate over", "give either --against or --file", Exit.USAGE)
    from attending.server.shipped import package_policies
    from attending.server.simulation.run import Tried, over_file

    folder = policies_path or package_policies()
    checked_pack(pack)
    for one in policy_folders(folder, name):
        policy_of(one)
    tried = Tried(folder, pack, name, workers)
    if lines is not None:
        if name is None:
            raise CommandError("--file needs the name of a policy", "give it first", Exit.USAGE)
        before = Tried(package_policies(), None, name, workers)
        policy_folders(before.policies, name)
        with errors_explained(folder), progress(as_json) as shown:
            tally = over_file(lines, before, tried, name, shown)
        _show(tally.report(None, None), as_json)
        return Exit.OK
    assert against is not None
    report = simulate(
        against, tried, data=data, config_path=config_path, log_id=log_id, worklist=worklist, state=state,
        minutes_per_review=minutes_per_review, as_json=as_json,
    )  # fmt: skip
    _show(report, as_json)
    if worklist is not None and not as_json:
        click.echo(f"{report['recall']} released outputs to recall or confirm: {worklist}")
    return Exit.OK


def simulate(
    against: str,
    tried: Any,
    *,
    data: Path | None,
    config_path: Path | None,
    log_id: str | None = None,
    worklist: Path | None = None,
    state: Path | None = None,
    minutes_per_review: float | None = None,
    as_json: bool = False,
    on_recall: Callable[[Any], None] = lambda _recall: None,
) -> dict[str, Any]:
    """The figures over what a server on this machine has on record."""
    from attending.server.cli.ledger.reach import pick_log
    from attending.server.simulation.kept import StateError
    from attending.server.simulation.period import period
    from attending.server.simulation.run import over_record

    try:
        over = period(against, datetime.now(UTC))
    except ValueError:
        raise CommandError(
            f"`{against}` is no period", "write it 30d, 24h, YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD", Exit.USAGE
        ) from None
    with errors_explained(tried.policies), opened(data, config_path) as (store, keys):
        log = pick_log([row.log_id for row, _head in store.heads()], log_id)
        try:
            with progress(as_json) as shown:
                tally = over_record(
                    store, keys, log, against, over, tried,
                    on_recall=on_recall, worklist=worklist, state=state, on_done=shown,
                )  # fmt: skip
        except StateError as err:
            raise CommandError(f"`{state}` {err}", "give another --state, or remove it", Exit.USAGE) from err
        except OSError as err:
            raise CommandError(
                f"a file cannot be written ({type(err).__name__})", "see to --worklist and --state"
            ) from err
    return {"against": against, **tally.report(over.days, minutes_per_review)}


@contextmanager
def opened(data: Path | None, config_path: Path | None) -> Iterator[tuple[ReadOnlyStore, KeyFolder]]:
    """The ledger and the keys of its payloads, for reading."""
    from attending.ledger.keys import KeyFolder
    from attending.ledger.wrapping import PLAIN
    from attending.server.cli.ledger.reach import find

    reach = find(data, config_path, None, None)
    if reach.keys is None:
        raise CommandError("there is no folder of keys", "give --data or --config", Exit.USAGE)
    root = PLAIN
    if config_path is not None:
        from attending.server.config import load_config
        from attending.server.secrets.configure import root_of

        root = root_of(load_config(config_path).secrets)
    with reach.opened() as store:
        yield store, KeyFolder(reach.keys, root)


@contextmanager
def progress(as_json: bool) -> Iterator[Callable[[int], None]]:
    """A count on a terminal's standard error, nothing elsewhere."""
    shown = not as_json and sys.stderr.isatty()

    def show(done: int) -> None:
        if shown and done % _SHOW_EVERY == 0:
            click.echo(f"\r{done} outputs judged", nl=False, err=True)

    yield show
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)


def _show(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, sort_keys=True))
        return
    skipped = ", ".join(f"{number} {reason}" for reason, number in report["skipped"].items())
    click.echo(f"{report['outputs']} outputs judged again" + (f"; skipped: {skipped}" if skipped else ""))
    click.echo(f"{report['stricter']} stricter, {report['milder']} milder")
    click.echo(f"{_TABLE:<14}" + "".join(f"{now:>10}" for now in ("release", "hold", "block")))
    for was, row in report["confusion"].items():
        click.echo(f"{was:<14}" + "".join(f"{row[now]:>10}" for now in ("release", "hold", "block")))
    alerts, hours = report["alerts_per_100"], report["reviewer_hours_a_day"]
    click.echo(f"alerts in 100 outputs: {_said(alerts['on_record'])} -> {_said(alerts['now'])}")
    minutes = report["minutes_per_review"]
    if minutes is None:
        click.echo("reviewer hours a day: not known; give --minutes-per-review, or a period with reviews")
    else:
        click.echo(
            f"reviewer hours a day: {_said(hours['on_record'])} -> {_said(hours['now'])}"
            f" ({minutes['minutes']} minutes a review, {minutes['from']})"
        )
    for words, codes in (("reported now", "codes_more"), ("no longer reported", "codes_less")):
        if report[codes]:
            click.echo(f"{words}: {', '.join(f'{code} {n}' for code, n in report[codes].items())}")
    for example in report["examples"]:
        click.echo(f"{example['was']} -> {example['now']}: {', '.join(example['ids'])}")


def _said(figure: float | None) -> str:
    return "not known" if figure is None else str(figure)
