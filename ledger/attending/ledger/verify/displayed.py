"""V11, where payloads are disclosed: what a signer was shown is the text that they signed, and says who signs as what.

The statement commits to the view document; only its content tells whether a server showed one text and had another
signed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.report import Findings

VIEW: Final = "view"
VIEW_FORMAT: Final = "attending-view/1"
_TEXTS: Final = ("output_final",)
_SAID: Final = ("inference", "signer", "role")


@dataclass(frozen=True, slots=True)
class _View:
    """What of a view is compared, None for one of another format. Hashes, so that memory does not grow with texts."""

    said: tuple[object, ...]
    text: bytes


class Displayed:
    """Told of each disclosed payload first, then meets the signatures."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._views: dict[str, _View | None] = {}
        self._texts: dict[str, bytes] = {}

    def disclosed(self, record: str, kind: str, content: bytes) -> None:
        """Takes note of a payload, whose content is not yet known to be the one committed to."""
        if kind == VIEW:
            self._views[record] = _view(content)
        elif kind in _TEXTS:
            self._texts[record] = hashlib.sha256(content).digest()

    def visit(self, entry: Entry) -> None:
        """Compares each disclosed view of a `review.signed` with its statement, and with its text if disclosed."""
        if entry.type != "review.signed" or not self._views:
            return
        statement = entry.body.get("statement")
        if not isinstance(statement, dict):
            return
        for item in entry.commitments:
            if item.kind != VIEW or item.record not in self._views:
                continue
            view = self._views.pop(item.record)
            if view is None:
                self._findings.doubt("V11", "what was displayed is of a format not known here", entry.index)
                continue
            if view.said != tuple(statement.get(name) for name in _SAID):
                detail = "what was displayed names another inference, signer or role than the statement"
                self._findings.fail("V11", detail, entry.index)
            text = self._texts.get(str(statement.get("record")))
            if text is not None and text != view.text:
                self._findings.fail("V11", "the text displayed is not the text signed", entry.index)


def _view(content: bytes) -> _View | None:
    try:
        value: Any = parse_canonical(content)
    except VerificationError:
        return None
    if type(value) is not dict or value.get("format") != VIEW_FORMAT or type(value.get("text")) is not str:
        return None
    text = hashlib.sha256(value["text"].encode("utf-8", "surrogatepass")).digest()
    return _View(tuple(value.get(name) for name in _SAID), text)
