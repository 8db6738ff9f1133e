"""Which curated facts people have attested. An attestation names the digest of a row: a row that changes loses it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

TABLE: Final = "attestations.tsv"
COLUMNS: Final = ("digest", "rule_id", "pharmacist", "second", "attested_at", "log", "entry")
CURATED: Final = "curated"
ATTESTED: Final = "attested"
UNATTESTED: Final = "curated: needs pharmacist attestation"
"""How the source of a curated row begins while nobody has attested it."""


def digest(table: str, columns: Sequence[str], cells: Sequence[str]) -> str:
    """Hex SHA-256 of one row: its table, and each column with its cell, one a line. Every cell counts, so that a
    changed severity, number, source or side is another row."""
    lines = [table, *(f"{column}\t{cell}" for column, cell in zip(columns, cells, strict=True))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
