"""V14 for versions: no inference begins under a policy version that is not in force, and two people put one there.

`policy.version` on the stream `policies` says that a log keeps to this from there on. A version comes into force by
`policy.activated` on the stream `policy:<name>`, `knowledge.activated` on the stream `knowledge`; one that says
`by: two_people` names the request before it, of the same version and by another actor. Where the beginning lies outside
the entries that are checked, or entries were left out, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

BEGINS: Final = "inference.requested"
REGISTRY: Final = "policies"
"""The stream that says that a tenant had its first start."""
KNOWLEDGE: Final = "knowledge"
"""The stream of the drug knowledge's versions."""
_POLICY: Final = "policy:"


def stream_of(policy: str) -> str:
    """The stream of a policy's versions."""
    return _POLICY + policy


def version_of(entry: Entry) -> str | None:
    """The version that an entry of such a stream is about: a content hash in hex."""
    found = entry.body.get("policy_hash", entry.body.get("knowledge_hash"))
    return found if type(found) is str else None


class Activations:
    """Visits every entry in log order and reports into `findings`."""

    def __init__(self, findings: Findings, *, whole: bool, begin: int) -> None:
        """`whole` is false where entries may have been left out; `begin` is the first index of the scope."""
        self._findings = findings
        self._whole = whole
        self._begin = begin
        self._watching = False
        self._active: dict[str, object] = {}
        self._asked: dict[str, Entry] = {}

    def visit(self, entry: Entry, policy: str | None) -> None:
        """Checks one entry against those before it; `policy` is that of its inference, None where there is none."""
        if not self._whole or entry.index < self._begin:
            return
        source, _dot, event = entry.type.partition(".")
        if entry.type == BEGINS:
            self._begun(entry, policy)
        elif entry.type == "policy.version" and entry.stream == REGISTRY:
            # It says what is in force, also of what came there before the log kept to this.
            self._watching = True
            installed = entry.body.get("policies")
            if isinstance(installed, Mapping):
                self._active |= {stream_of(name): version for name, version in installed.items()}
        elif source in ("policy", "knowledge") and _of_a_version(entry.stream):
            if event == "version":
                self._asked[entry.stream] = entry
            elif event == "activated":
                self._activated(entry)
            elif event == "retired":
                self._active[entry.stream] = None
                self._asked.pop(entry.stream, None)

    def _begun(self, entry: Entry, policy: str | None) -> None:
        if not self._watching:
            return
        named = entry.body.get("policy_hash")
        if type(named) is not str or self._active.get(stream_of(policy or "")) != named:
            detail = f"`{entry.type}` under a policy version that is not in force"
            self._findings.fail("V14", detail, entry.index)

    def _activated(self, entry: Entry) -> None:
        asked = self._asked.pop(entry.stream, None)
        self._active[entry.stream] = version_of(entry)
        if not self._watching or entry.body.get("by") == "bootstrap":
            return
        version = version_of(entry)
        if asked is None or version is None or version_of(asked) != version:
            self._findings.fail("V14", f"`{entry.type}` of a version that nobody asked for", entry.index)
        elif asked.actor == entry.actor:
            detail = f"`{entry.type}` by the person who asked for it at entry {asked.index}"
            self._findings.fail("V14", detail, entry.index)


def _of_a_version(stream: str) -> bool:
    return stream == KNOWLEDGE or stream.startswith(_POLICY)
