"""`attending knowledge build`: a pack from the public sources and from a site's own files."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from decimal import DecimalException
from pathlib import Path

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
REPORT = "not-placed.csv"


@click.command(
    short_help="Build a pack, with a site's own files.",
    epilog=examples(
        "attending knowledge build --sources knowledge-sources --out site-pack",
        "attending knowledge build --sources knowledge-sources --site-rxnorm RxNorm/rrf --site-ddinter ddinter "
        "--site-formulary formulary.csv --out site-pack",
        after="Rows that no drug of the pack could be found for are listed with the reason in not-placed.csv in the "
        "folder. Review the result with `attending knowledge diff` and `attending knowledge lint` before it is used.",
    ),
)
@click.option("--sources", type=_FOLDER, required=True, help="Folder with one folder per public source.")
@click.option("--site-rxnorm", type=_FOLDER, help="Folder with RXNCONSO.RRF, RXNREL.RRF and RXNSAT.RRF.")
@click.option("--site-ddinter", type=_FOLDER, help="Folder with CSV files of DDInter.")
@click.option(
    "--site-formulary",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file of the site's formulary; docs/knowledge.md lists its columns.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the pack."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def command(
    sources: Path,
    site_rxnorm: Path | None,
    site_ddinter: Path | None,
    site_formulary: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Build a knowledge pack into the folder --out, all of it or nothing.

    A pack that is there is replaced, and the attestations of facts that did not change are kept.
    """
    from attending.guardrails.knowledge.assemble import not_placed, pack, site, tables
    from attending.guardrails.knowledge.build import compiled
    from attending.guardrails.knowledge.importers.site_file import SiteFileError

    brought = site.Site(site_rxnorm, site_ddinter, site_formulary)
    try:
        made = compiled(
            sources, brought, lambda step: click.echo(f"{step} ...", err=True), attested=_attested(out)
        )
        value = pack.write(
            out, made.files, made.counts, made.inputs, {REPORT: not_placed.report(made.missed)}
        )
    except SiteFileError as err:
        raise CommandError(str(err), "correct the file; nothing was written", Exit.USAGE) from err
    except (tables.TableError, KeyError, ValueError, DecimalException, zipfile.BadZipFile) as err:
        raise CommandError(
            f"a source is not what it should be: {err}", "check --sources; nothing was written", Exit.USAGE
        ) from err
    except FileExistsError as err:
        raise CommandError(str(err), "give an empty or new folder with --out", Exit.USAGE) from err
    except OSError as err:
        named = f" `{Path(err.filename).name}`" if err.filename else ""
        raise CommandError(
            f"cannot be read or written{named}: {err.strerror}", "check --sources, --out and the disk"
        ) from err
    if as_json:
        click.echo(
            json.dumps({"hash": value, "folder": str(out), "counts": dict(sorted(made.counts.items()))})
        )
        return
    for name, count in sorted(made.counts.items()):
        click.echo(f"{name.replace('_', ' '):<32}{count:>8}")
    whys = Counter(row.source for row in made.missed)
    told = ", ".join(f"{count} of {source}" for source, count in sorted(whys.items()))
    click.echo(f"not placed: {told or 'none'}; see {out / REPORT}")
    click.echo(value)


def _attested(out: Path) -> list[Mapping[str, str]]:
    """Attestations of the pack that is to be replaced; none where there is no pack, or one that cannot be read."""
    from attending.guardrails.knowledge import attestation, load

    try:
        return list(load.Pack.read(out).rows(attestation.TABLE))
    except FileNotFoundError:
        return []
    except load.PackError as err:
        raise CommandError(
            f"the pack in `{out}` cannot be read: {err}",
            "give another --out; replacing it would lose its attestations",
            Exit.USAGE,
        ) from err
