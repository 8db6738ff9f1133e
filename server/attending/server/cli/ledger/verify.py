"""`attending ledger verify`: every entry, tile and head of an embedded ledger, beside a running server."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.verify_shared import verify_shared
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.outcome import report as note

if TYPE_CHECKING:
    from attending.ledger.note import VerifierKey
    from attending.ledger.verify.database import LogReport, SignedHead
    from attending.ledger.verify.sqlite import LogInFile

_EXITS: Final = {"passed": Exit.OK, "failed": Exit.FAILED, "indeterminate": Exit.INDETERMINATE}
_MARKS: Final = {"passed": ("ok", "green"), "failed": ("FAILED", "red"), "indeterminate": ("open", "yellow")}
_MAX_SMALL_FILE: Final = 1 << 20


@click.command(
    epilog=examples(
        "attending ledger verify",
        "attending ledger verify --data attending-data --processes 4 --key clinic.vkey",
        "attending ledger verify --fast --pinned february.checkpoint",
        "attending ledger verify --payloads --keep-bad evidence",
        "attending ledger verify --config attending.toml",
        after="Exit codes: 0 all of it verifies, 1 something is wrong, 3 no signed head, or payloads are gone"
        " without an erasure, 4 usage.",
    )
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("attending-data"),
    show_default=True,
    envvar="ATTENDING_DATA",
    help="Data folder of an embedded server, or a ledger folder.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration of a server whose ledger is in PostgreSQL.",
)
@click.option("--database", help="PostgreSQL database, as libpq keywords or a URI without a password.")
@click.option("--log", "names", multiple=True, help="Only this log; may be repeated.")
@click.option(
    "--key",
    "keys",
    metavar="KEYFILE|VKEY",
    multiple=True,
    help="Verifier key of a log, from elsewhere; without any the folder's own are used, and said. May be repeated.",
)
@click.option(
    "--pinned",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A checkpoint that you kept earlier; may be repeated.",
)
@click.option("--fast", is_flag=True, help="Links, tree and tiles only: not whether entries are well formed.")
@click.option("--payloads", is_flag=True, help="Compare stored payloads with the entries too.")
@click.option(
    "--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes to verify with."
)
@click.option(
    "--keep-bad",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the stored bytes of bad entries, one file each.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(
    data: Path,
    config_path: Path | None,
    database: str | None,
    names: tuple[str, ...],
    keys: tuple[str, ...],
    pinned: tuple[Path, ...],
    fast: bool,
    payloads: bool,
    processes: int,
    keep_bad: Path | None,
    as_json: bool,
) -> int:
    """Verify every entry, tile and head of a ledger. Reads only; repairs nothing.

    A server may be running on the folder. Without --key the log is held against the key that lies beside it:
    that finds decay and accidents, not someone who can write the folder.

    With --config or --database the ledger in PostgreSQL is verified in one snapshot, payloads included, in one
    process; of the other options only --log and --json apply then.
    """
    if config_path is not None or database is not None:
        if keys or pinned or fast or processes > 1 or keep_bad is not None:
            raise click.UsageError("with --config or --database only --log, --payloads and --json apply")
        return verify_shared(config_path, database, names, as_json)
    from attending.ledger.errors import NotFound, VerificationIncomplete
    from attending.ledger.verify.database import verify_database_log
    from attending.ledger.verify.segments import Mode
    from attending.ledger.verify.sqlite import log_in, logs_in

    path, published = _locate(data)
    reports = []
    try:
        origins = {item.log_id: item.head.origin for item in logs_in(path)}
        for name in names or origins:
            # INVARIANT: the published head is read first, so that a server at work is only ever ahead of it.
            heads = _published(published, name)
            log = log_in(path, name)
            heads += _pins(pinned, log.head.origin, set(origins.values()))
            verifier, source = _key(data, log, keys)
            progress = None if as_json or not sys.stderr.isatty() else _Progress(name)
            report = verify_database_log(
                path,
                log,
                verifier,
                heads,
                mode=Mode.TREE if fast else Mode.COMPLETE,
                processes=processes,
                payloads=payloads,
                progress=progress,
            )
            if progress is not None:
                progress.clear()
            kept, lost = ([], None) if keep_bad is None else _keep(path, report, keep_bad)
            reports.append((report, source, kept))
            if not as_json:
                _print(report, source, kept)
            if lost is not None:
                note(f"evidence could not be written: {lost.strerror}".lower(), "give another folder")
    except VerificationIncomplete as err:
        raise CommandError(f"not verified: {err}", "run the command again, on a copy if it persists") from err
    except NotFound as err:
        raise CommandError(str(err), "`--log` names a log of the database", Exit.USAGE) from err
    if as_json:
        found = [{**report.to_json(), "key": source, "kept": kept} for report, source, kept in reports]
        click.echo(json.dumps({"logs": found}, indent=2))
    codes = [_EXITS[report.verdict.value] for report, _, _ in reports]
    return next((code for code in (Exit.FAILED, Exit.INDETERMINATE) if code in codes), Exit.OK)


def _locate(data: Path) -> tuple[Path, Path]:
    """The database file and the folder of published heads."""
    for folder, published in ((data / "ledger", data / "published"), (data, data / "published")):
        if (folder / "ledger.db").is_file():
            return folder / "ledger.db", published
    raise CommandError(
        f"no ledger in `{data}`", "give the data folder of an embedded server with --data", Exit.USAGE
    )


def _published(folder: Path, name: str) -> list[SignedHead]:
    from attending.ledger.verify.database import SignedHead

    path = folder / f"{_plain(name)}.checkpoint"
    return [SignedHead("published head", _small(path))] if path.is_file() else []


def _pins(paths: Sequence[Path], origin: str, origins: set[str]) -> list[SignedHead]:
    """The pinned checkpoints but those of another log of the database."""
    from attending.ledger.checkpoint import parse_checkpoint
    from attending.ledger.errors import VerificationError
    from attending.ledger.verify.database import SignedHead

    pins = []
    for path in paths:
        note = _small(path)
        try:
            claimed = parse_checkpoint(note).origin
        except VerificationError:
            claimed = origin  # it fails, and is named
        if claimed == origin or claimed not in origins:
            pins.append(SignedHead(f"pinned `{path.name}`", note))
    return pins


def _key(data: Path, log: LogInFile, given: Sequence[str]) -> tuple[VerifierKey, str]:
    """The key, and where it comes from. With keys given, the folder's own is never used."""
    from attending.ledger.errors import VerificationError
    from attending.ledger.note import VerifierKey

    def parsed(text: str, source: str, code: Exit) -> VerifierKey:
        try:
            return VerifierKey.parse(text)
        except VerificationError as err:
            raise CommandError(
                f"no verifier key {source}: {err.detail}", "give the log's key with --key", code
            ) from err

    if given:
        texts = [
            _small(Path(item)).decode("utf-8", "replace").strip() if _is_file(item) else item
            for item in given
        ]
        keys = [parsed(text, "given", Exit.USAGE) for text in texts]
        # None of this log's: held against another's it fails, which is what it should do.
        return next((key for key in keys if key.name == log.head.origin), keys[0]), "given"
    beside = data / f"{_plain(log.log_id)}.vkey"
    if beside.is_file():
        text, source = _small(beside).decode("utf-8", "replace").strip(), "of the folder itself"
    else:
        text, source = log.verifier_key, "of the database itself"
    return parsed(text, source, Exit.FAILED), source


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _plain(name: str) -> str:
    """A log's id as part of a file name: a tampered database may say anything there, `../` included."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def _shown(text: str) -> str:
    """A text of the database on a terminal, without what would steer it."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_SMALL_FILE)


def _keep(database: Path, report: LogReport, folder: Path) -> tuple[list[str], OSError | None]:
    """Writes the stored bytes of bad entries; files that are there already are kept as they are. A full disk costs
    the evidence, not the verdict.
    """
    from attending.ledger.files import write_durably
    from attending.ledger.verify.sqlite import SqliteLog

    reader, kept = SqliteLog(database, report.log_id)(), []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for index in report.bad_entries:
            for row in reader.rows(index, index + 1):
                path = folder / f"{_plain(report.log_id)}-{index}.entry"
                if type(row[1]) is bytes and write_durably(path, row[1], replace=False):
                    kept.append(str(path))
    except OSError as err:
        return kept, err
    finally:
        reader.close()
    return kept, None


class _Progress:
    """One line on standard error, rewritten once per percent."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if percent != self._percent:
            self._percent = percent
            click.echo(f"\r{self._name}: {done:,} of {total:,} entries ({percent} %)", nl=False, err=True)

    def clear(self) -> None:
        """Removes the line."""
        click.echo("\r\x1b[K", nl=False, err=True)


def _print(report: LogReport, source: str, kept: Sequence[str]) -> None:
    colour = sys.stdout.isatty()
    click.echo(_shown(f"log {report.log_id} ({report.origin}), key {source}"))
    for item in report.findings:
        mark, shade = _MARKS[item.status.value]
        where = "" if item.index is None else f"entry {item.index}: "
        reason = "" if item.reason is None else f" ({item.reason})"
        click.echo(
            f"  {click.style(f'{mark:<6}', fg=shade)} {item.check}: {where}{item.detail}{reason}",
            color=colour,
        )
    for path in kept:
        click.echo(f"  kept   {path}")
    words = {
        "passed": "VERIFIED",
        "failed": "FAILED; next: keep the folder as it is, and restore from a backup beside it",
        "indeterminate": "OPEN; next: give a checkpoint that you kept with --pinned, or see `open` above",
    }
    click.echo(f"  {words[report.verdict.value]}")


command = verify
