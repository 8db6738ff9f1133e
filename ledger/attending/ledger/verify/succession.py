"""V14 and V9 for a log's own beginning and end: `log.sealed`, `log.continued`, and the head that joins two logs.

A sealed log takes only entries about the custody of its payloads. A successor begins with `log.continued`, which names
the sealed log and its head: whoever has a checkpoint of the sealed log at that size can hold it against that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from attending.ledger.checkpoint import Checkpoint
from attending.ledger.entry import AFTER_SEAL, Entry
from attending.ledger.errors import VerificationError
from attending.ledger.note import VerifierKey
from attending.ledger.verify.report import Findings

_ROOT = re.compile(r"[0-9a-f]{64}")
_MAX_SIZE = 2**53


@dataclass(frozen=True, slots=True)
class Predecessor:
    """What `log.continued` says of the log before: its origin, and its head right after it was sealed."""

    origin: str
    size: int
    root: str


class Successions:
    """Follows the entries of one log, in order, and then compares with checkpoints of its predecessor."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._sealed: int | None = None
        self.predecessor: Predecessor | None = None

    def visit(self, entry: Entry) -> None:
        """Checks one entry against the seal before it, if there is one in the bundle."""
        if self._sealed is not None and entry.type not in AFTER_SEAL:
            detail = f"log was sealed by entry {self._sealed}, and takes only custody of its payloads since"
            self._findings.fail("V14", detail, entry.index)
        if entry.type == "log.sealed":
            self._sealed = entry.index if self._sealed is None else self._sealed
            if type(entry.body.get("successor")) is not str or not _key(entry.body.get("successor_key")):
                self._findings.fail("V14", "seal does not name a successor with its key", entry.index)
        elif entry.type == "log.continued":
            self._continue(entry)

    def compare(self, heads: Sequence[Checkpoint]) -> None:
        """Compares what the log says of its predecessor with verified checkpoints of other logs."""
        before = self.predecessor
        for head in heads:
            if before is None or head.origin != before.origin:
                self._findings.fail("V9", f"pinned checkpoint of size {head.size} is of another log")
            elif head.size != before.size:
                detail = (
                    f"pinned head of the log before is of size {head.size}, it was sealed at {before.size}"
                )
                self._findings.doubt("V9", detail, advisory=True)
            elif head.root.hex() != before.root:
                detail = (
                    f"forked: the log before is named with root {before.root}, and signed {head.root.hex()}"
                )
                self._findings.fail("V9", detail, 0)
        if before is not None and not any(head.size == before.size for head in heads):
            detail = f"goes on from a sealed log of {before.size} entries; no checkpoint of it at that size was given"
            self._findings.doubt("V9", detail, advisory=True)

    def _continue(self, entry: Entry) -> None:
        origin, size, root = (entry.body.get(name) for name in ("predecessor", "size", "root"))
        if entry.index != 0:
            self._findings.fail("V14", "only the first entry of a log may continue another", entry.index)
        elif (
            type(origin) is not str
            or type(size) is not int
            or not 0 < size < _MAX_SIZE
            or type(root) is not str
            or not _ROOT.fullmatch(root)
            or not _key(entry.body.get("predecessor_key"))
        ):
            self._findings.fail("V14", "log before is not named with its key, size and root", entry.index)
        elif origin == entry.origin:
            self._findings.fail("V14", "log continues itself", entry.index)
        else:
            self.predecessor = Predecessor(origin, size, root)


def _key(value: object) -> bool:
    if type(value) is not str:
        return False
    try:
        VerifierKey.parse(value)
    except VerificationError:
        return False
    return True
