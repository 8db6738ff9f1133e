"""What patterns need (`literals.required`), kept from one process to the next beside the compiled Python.

Reading it from the parse trees of some 500 patterns takes a second of processor, in every check process that starts.
It is a pure function of the pattern and of the code that reads it, so it is kept as Python keeps its bytecode: in
`__pycache__`, under a name that holds the digest of that code, believed as far as the bytecode beside it is. Nothing
depends on it: a pattern that is not in the file is read anew, and so are all of them where the file is torn, missing,
of other code or may not be written.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pkgutil
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from attending.guardrails import literals
from attending.guardrails.literals import Required, required

_MOST: Final = 4_000
"""Patterns kept in one file; beyond that those of this process only, so that edited patterns do not pile up."""
_DIGEST_HEX: Final = 64
_WITH_PATTERNS: Final = tuple(
    f"attending.guardrails.{package}" for package in ("checks", "clinical", "context", "emergency", "rails")
)


class Derived:
    """The needs of patterns by pattern, read from `path` at first use. One process writes at a time, whole or not."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._kept: dict[str, Required] | None = None
        self._asked: Final[dict[str, Required]] = {}
        self._new = False

    def required(self, pattern: str, flags: int, *, windowed: bool) -> Required:
        """As `literals.required`, of which it raises what it raises."""
        key = hashlib.sha256(f"{flags} {windowed} {pattern}".encode()).hexdigest()
        if self._kept is None:
            self._kept = _read(self.path)
        found = self._kept.get(key)
        if found is None:
            found = required(pattern, flags, windowed=windowed)
            self._new = True
        self._asked[key] = found
        return found

    def keep(self) -> bool:
        """Writes what had to be read anew; True where a file was written.

        A crash leaves the old file or none. Of two processes that write at once the last one's file stays, and the
        next start writes what that one lacks. Where Python may not write bytecode neither is this.
        """
        if not self._new or sys.dont_write_bytecode:
            return False
        together = {**_read(self.path), **self._asked}
        body = _shown(together if len(together) <= _MOST else self._asked)
        try:
            self.path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"{self.path.name}.", dir=self.path.parent)
        except OSError:
            return False
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(f"{hashlib.sha256(body).hexdigest()}\n".encode() + body)
            Path(name).chmod(0o644)
            Path(name).replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            return False
        self._new = False
        return True


def _shown(needs: dict[str, Required]) -> bytes:
    rows = {key: [sorted(one.any_of), one.starts] for key, one in needs.items()}
    return json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()


def _read(path: Path) -> dict[str, Required]:
    """Empty where there is no file whose first line is the digest of the rest."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    digest, body = content[:_DIGEST_HEX], content[_DIGEST_HEX + 1 :]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return {}
    return {
        key: Required(frozenset(any_of), tuple((literal, shift) for literal, shift in starts))
        for key, (any_of, starts) in json.loads(body).items()
    }


def _beside_bytecode() -> Path:
    """The file of this code and this Python, whose parse trees and letters the needs are read from."""
    source = Path(literals.__file__)
    digest = hashlib.sha256(source.read_bytes() + sys.version.encode()).hexdigest()[:16]
    return Path(cache_from_source(str(source))).with_suffix(f".{digest}.json")


DERIVED: Final = Derived(_beside_bytecode())


def main() -> None:
    """Imports what has patterns and keeps their needs: for an image, whose server may write nothing beside its code."""
    guardrails = importlib.import_module("attending.guardrails")
    for module in pkgutil.walk_packages(guardrails.__path__, f"{guardrails.__name__}."):
        if module.name.startswith(_WITH_PATTERNS):
            importlib.import_module(module.name)
    if not DERIVED.keep():
        raise SystemExit(
            f"nothing was kept in `{DERIVED.path}`: nothing was new, or nothing may be written there"
        )


if __name__ == "__main__":
    # The module has been run as `__main__`; patterns ask the importable one.
    from attending.guardrails.derived import main as run

    run()
