"""What the entries of one policy, or of the drug knowledge, say is in force: a pure reading of their stream.

A version is asked for by `policy.version`, comes into force by `policy.activated`, and ends with another activation or
by `policy.retired`; `knowledge.version` and `knowledge.activated` say the same of the drug knowledge. A request waits
until it is approved, until another takes its place, or until the policy is retired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify import activations
from attending.ledger.verify.activations import version_of

KNOWLEDGE: Final = ""
"""The name under which the drug knowledge goes where policies go by theirs."""


def stream_of(name: str) -> str:
    """The stream of a policy's versions; that of the drug knowledge for `KNOWLEDGE`."""
    return activations.stream_of(name) if name else activations.KNOWLEDGE


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force after the entries read. Hashes are 64 hex digits; None where there is none."""

    name: str
    active: str | None = None
    activation: Entry | None = None
    requested: str | None = None
    request: Entry | None = None
    entries: int = 0
    """How many entries the stream had: the version that an append has to expect."""

    @property
    def version(self) -> int:
        """The policy's own number of the version in force; 0 where there is none."""
        number = self.activation.body.get("version") if self.activation is not None else None
        return number if type(number) is int else 0


def standing(name: str, entries: Sequence[Entry]) -> Standing:
    """How `name` stands after all entries of its stream, in order."""
    active: Entry | None = None
    request: Entry | None = None
    for entry in entries:
        event = entry.type.partition(".")[2]
        if event == "version":
            request = entry
        elif event == "activated":
            active, request = entry, None
        elif event == "retired":
            active = request = None
    return Standing(
        name=name,
        active=None if active is None else version_of(active),
        activation=active,
        requested=None if request is None else version_of(request),
        request=request,
        entries=len(entries),
    )
