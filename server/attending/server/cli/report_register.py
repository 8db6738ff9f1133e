"""`attending report register`: the exceptions of a bundle, a line each, with no server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click
from attending.ledger.entry import Entry
from attending.ledger.verify.register import Line, line_of, register_csv, register_jsonl
from attending.server.cli.bundle_entries import write_from_entries
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

PARQUET: Final = "parquet"
FORMATS: Final[dict[str, Callable[[Iterable[Line]], Iterator[bytes]]]] = {
    "csv": register_csv,
    "jsonl": register_jsonl,
}
"""The forms that need no library."""


@click.command(
    short_help="Write the exceptions of a bundle.",
    epilog=examples(
        "attending report register november.attending --out november.csv",
        "attending report register november.attending --format jsonl --out november.jsonl",
        "attending report register november.attending --format parquet --out november.parquet",
    ),
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted([*FORMATS, PARQUET])),
    default="csv",
    show_default=True,
    help="Which form; Parquet needs the extra `parquet`.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def register(bundle: Path, out_path: Path, form: str, force: bool) -> None:
    """Write every exception among the entries of BUNDLE, as a report attaches them; needs no server. What the bundle
    proves says `attending verify`.
    """
    count = 0

    write_lines = _parquet() if form == PARQUET else _written(FORMATS[form])

    def write(entries: Iterable[Entry], _context: Iterable[Entry], file: BinaryIO) -> None:
        write_lines(counted(entries), file)

    def counted(entries: Iterable[Entry]) -> Iterator[Line]:
        nonlocal count
        for line in filter(None, map(line_of, entries)):
            count += 1
            yield line

    write_from_entries(bundle, out_path, write, force=force)
    click.echo(f"{out_path}: {count} exceptions")


def _written(made: Callable[[Iterable[Line]], Iterator[bytes]]) -> Callable[[Iterable[Line], BinaryIO], None]:
    return lambda lines, file: file.writelines(made(lines))


def _parquet() -> Callable[[Iterable[Line], BinaryIO], None]:
    try:
        from attending.server.reports.parquet import write_register
    except ModuleNotFoundError as err:
        raise CommandError(
            f"`--format {PARQUET}` needs attending[parquet]: module `{err.name}` is not installed",
            "pip install 'attending[parquet]'",
            Exit.USAGE,
        ) from None
    return write_register
