"""The sections of a change report: what was in force, what changed, and which outputs saw a version."""

from __future__ import annotations

from collections.abc import Iterable

from attending.server.reports.blocks import ENTRY, Block, Column, heading, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    asked, rows = source.asked, source.rows
    yield heading("What was in force")
    yield text(f"At {asked.until}, by the entries before: whatever was put in force and not taken out of it.")
    if rows.of("in_force"):
        yield from first_of(rows, "in_force")
        yield table(
            [
                ENTRY,
                Column("Since", 30, 20),
                Column("What", 30, 20),
                Column("Name", 42, 26),
                Column("Version", 0, 30, mono=True),
            ],
            [
                ("" if entry is None else entry, moment(time), what, name, version)
                for _, entry, time, what, name, version, *_ in rows.of("in_force")
            ],
            size=8,
        )
    else:
        yield text("Nothing: no entry up to then puts a policy, model, prompt, index or document in force.")
    if rows.of("in_use"):
        yield heading("Models and rails, as texts name them", 2)
        yield from first_of(rows, "in_use")
        yield table(
            [
                Column("First entry", 18, 10, right=True),
                Column("What", 16, 10),
                Column("Name", 48, 30),
                Column("Version", 44, 27, mono=True),
                Column("How often, and when last", 0, 28),
            ],
            [
                (entry, what, name, version, told)
                for _, entry, _, what, name, version, _, told in rows.of("in_use")
            ],
            size=8,
        )
    yield heading("What changed in the period")
    if rows.of("change"):
        yield from first_of(rows, "change")
        yield table(
            [
                ENTRY,
                Column("Time", 30, 20),
                Column("What", 34, 22),
                Column("Name, version", 0, 22, mono=True),
                Column("By", 26, 17),
                Column("Detail", 30, 20),
            ],
            [
                (entry, moment(time), what, f"{name} {version}".strip(), by, told)
                for _, entry, time, what, name, version, by, told in rows.of("change")
            ],
            size=8,
        )
    else:
        yield text("Nothing.")
    yield heading("Which outputs saw it")
    if not asked.version:
        yield text("No version and no document was asked for (`--version`): nothing is listed here.")
        return
    yield text(
        f"Asked for: {asked.version}. Listed are the inferences up to the end of the period that were made or judged",
        f"by it, or were given it: {rows.total('output')}. A document is known by its id from its registration on; for",
        "what was given it before, ask by its content hash. Documents that are not public leave no hash in an entry.",
    )
    if rows.of("output"):
        yield from first_of(rows, "output")
        yield table(
            [
                ENTRY,
                Column("Time", 30, 20),
                Column("Inference", 48, 28, mono=True),
                Column("As", 26, 17),
                Column("What became of it", 0, 36),
            ],
            [
                (entry, moment(time), name, str(saw).replace("_", " "), told)
                for _, entry, time, saw, name, _, _, told in rows.of("output")
            ],
            size=8,
        )
