"""Reads a pack from disk and checks it against its manifest: what is judged by is what was reviewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.assemble import pack
from attending.guardrails.knowledge.attestation import ATTESTED, CURATED, TABLE, UNATTESTED, digest

DEFAULT: Final = Path(__file__).with_name("pack")


class PackError(ValueError):
    """A pack that is not what its manifest says, or of a format that this version does not read."""


class Pack:
    """The tables of one pack, verified. `hash` is `sha256:` and the hex hash that entries record."""

    def __init__(self, hash_: str, files: dict[str, bytes]) -> None:
        self.hash = hash_
        self._files = files
        self._attested: frozenset[str] = frozenset()
        if TABLE in files:
            self._attested = frozenset(row["digest"] for row in self.rows(TABLE))

    def tables(self) -> tuple[str, ...]:
        """The names of the pack's tables, sorted."""
        return tuple(sorted(self._files))

    @classmethod
    def read(cls, folder: Path) -> Pack:
        """Raises OSError where a file is missing, PackError where the manifest does not hold for the files."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            stated, listed, version = str(manifest["hash"]), set(manifest["files"]), manifest["format"]
        except (json.JSONDecodeError, KeyError, TypeError) as err:
            raise PackError("the manifest of the knowledge pack cannot be read") from err
        if version != pack.FORMAT:
            raise PackError(f"knowledge pack format {version}, expected {pack.FORMAT}")
        files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.tsv"))}
        if set(files) != listed:
            raise PackError("the knowledge pack has other tables than its manifest lists")
        actual = pack.digest(files)
        if actual != stated:
            raise PackError(f"the knowledge pack has hash {actual}, its manifest says {stated}")
        return cls(actual, files)

    def rows(self, name: str) -> Iterator[dict[str, str]]:
        """Rows of a table as column -> cell. Raises PackError for a table that is missing or malformed."""
        for cells, columns in self.cells(name):
            yield dict(zip(columns, cells, strict=True))

    def cells(self, name: str) -> Iterator[tuple[list[str], list[str]]]:
        """(cells, columns) of each row: the fast form for large tables. A curated row that two people attested says
        `attested` as its basis."""
        for cells, columns in self._raw(name):
            if self._attested and CURATED in cells and digest(name, columns, cells) in self._attested:
                cells[columns.index("basis")] = ATTESTED
                at = columns.index("source")
                cells[at] = cells[at].replace(UNATTESTED, "curated, attested", 1)
            yield cells, columns

    def _raw(self, name: str) -> Iterator[tuple[list[str], list[str]]]:
        if name not in self._files:
            raise PackError(f"the knowledge pack has no table `{name}`")
        lines = self._files[name].decode("utf-8").split("\n")
        columns = lines[0].split("\t")
        for number, line in enumerate(lines[1:], start=2):
            if not line:
                continue
            cells = line.split("\t")
            if len(cells) != len(columns):
                raise PackError(
                    f"table `{name}` line {number}: expected {len(columns)} cells, got {len(cells)}"
                )
            yield cells, columns

    def facts(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """(table, digest, row) of every row with a basis; the digest is of the row as it stands in the table."""
        for table in self.tables():
            for cells, columns in self._raw(table):
                if "basis" in columns:
                    yield table, digest(table, columns, cells), dict(zip(columns, cells, strict=True))
