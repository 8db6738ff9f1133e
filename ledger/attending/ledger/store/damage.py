"""Telling a damaged database from one that only fails: the first calls for a backup, the second for a look at it.

Nothing is ever repaired here: what the file holds is evidence, and stays as it is.
"""

from __future__ import annotations

from typing import Final

DAMAGE: Final = "the database cannot read some of its own pages; nothing in it was changed"
# sqlite.org/rescode.html; PostgreSQL documentation, appendix "Error Codes", class XX.
_CODES: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "DataCorrupted", "IndexCorrupted")


def is_damage(error: BaseException) -> bool:
    """Whether a store's fault (its text is the engine's kind of error) says that pages are damaged."""
    return any(code in str(error) for code in _CODES)
