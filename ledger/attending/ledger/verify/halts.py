"""V14 for halts: nothing begins and nothing is released between `system.halted` and `system.resumed`.

A halt stands on a stream of its own, `halt:all` or `halt:policy:<name>`. A range sees a halt from before it where that
is among its context; otherwise nothing is claimed about it.
"""

from __future__ import annotations

from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

HALTED: Final = "system.halted"
RESUMED: Final = "system.resumed"
STOPPED_BY_HALT: Final = frozenset({"inference.requested", "inference.released", "inference.stream_window"})
"""What may not stand in a log while it is halted."""
ALL: Final = "halt:all"
_POLICY: Final = "halt:policy:"


def stream_of(policy: str | None) -> str:
    """The stream of halts of one policy, or of everything."""
    return ALL if policy is None else _POLICY + policy


class Halts:
    """Visits every entry in log order and reports into `findings`."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._halted: dict[str, int] = {}

    def visit(self, entry: Entry, policy: str | None) -> None:
        """Checks one entry against the halts before it; `policy` is that of its inference, None where there is none."""
        if entry.type == HALTED and (entry.stream == ALL or entry.stream.startswith(_POLICY)):
            self._halted.setdefault(entry.stream, entry.index)
        elif entry.type == RESUMED:
            self._halted.pop(entry.stream, None)
        elif entry.type in STOPPED_BY_HALT:
            for stream in (ALL, stream_of(policy or "")):
                if stream in self._halted:
                    detail = f"`{entry.type}` while halted since entry {self._halted[stream]}"
                    self._findings.fail("V14", detail, entry.index)
                    break
