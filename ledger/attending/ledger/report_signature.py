"""What a named person signs before a report is issued, and the exact bytes under the signature.

It binds the evidence, its figures and the pages that were read, so that it cannot be put under another report
(21 CFR 11.50, 11.70).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError

SIGNATURE_TAG: Final = b"attending-report-signature/1\n"
STATEMENT_VERSION: Final = 1
MEANING: Final = "approved_for_issue"
"""What the signature says (21 CFR 11.50(a)(3))."""
REQUESTED: Final = "report.requested"
SIGNED_OFF: Final = "report.signed_off"
ISSUED: Final = "report.issued"
DISCLOSED: Final = "report.disclosed"
DISCARDED: Final = "report.discarded"
ROLES: Final = ("auditor", "medical_director", "privacy_officer", "safety_officer")
"""Who may sign a report off."""

_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
_REPORT = re.compile(r"rpt_[0-9a-f]{32}")
_HEX32 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")


def report_stream(report_id: str) -> str:
    """The stream of a report's life."""
    return f"report:{report_id}"


@dataclass(frozen=True, slots=True)
class ReportStatement:
    """What is signed. `bundle`, `statistics` and `draft` are the hex SHA-256 of the evidence, of its figures and of the
    PDF that was read; `tree_size` and `root` (hex) the head that it is under.
    """

    origin: str
    report: str
    kind: str
    bundle: str
    statistics: str
    draft: str
    tree_size: int
    root: str
    meaning: str
    signer: str
    key_id: str
    role: str
    time: str
    nonce: str

    def to_json(self) -> dict[str, Any]:
        """The object that is signed and stands as `statement` in the body of `report.signed_off`."""
        return {**{name: getattr(self, name) for name in _FIELDS}, "v": STATEMENT_VERSION}

    def message(self) -> bytes:
        """The exact bytes under the signature."""
        return SIGNATURE_TAG + encode(self.to_json())

    def challenge(self) -> bytes:
        """What a passkey is asked to answer: SHA-256 (32 bytes) of the message."""
        return hashlib.sha256(self.message()).digest()


_FIELDS: Final = tuple(ReportStatement.__annotations__)


def parse_report_statement(value: object) -> ReportStatement:
    """The statement of a decoded JSON object; VerificationError (STATEMENT_FORMAT) when it breaks a rule."""
    if not isinstance(value, Mapping) or set(value) != {*_FIELDS, "v"}:
        raise _error("fields are not exactly those of version 1")
    if type(value["v"]) is not int or value["v"] != STATEMENT_VERSION:
        raise _error("fields are not exactly those of version 1")
    for name in ("origin", "kind", "signer", "role", "nonce"):
        _require(name, value[name], _TEXT)
    for name in ("bundle", "statistics", "draft", "root"):
        _require(name, value[name], _HEX32)
    _require("report", value["report"], _REPORT)
    _require("key_id", value["key_id"], _KEY_ID)
    if value["meaning"] != MEANING:
        raise _error(f"`meaning` is not {MEANING}")
    if type(value["tree_size"]) is not int or value["tree_size"] < 1:
        raise _error("`tree_size` is not a count of at least one")
    parse_time(value["time"])
    return ReportStatement(**{name: value[name] for name in _FIELDS})


def _require(name: str, value: object, pattern: re.Pattern[str]) -> None:
    if type(value) is not str or not pattern.fullmatch(value):
        raise _error(f"`{name}` is not well formed")


def _error(detail: str) -> VerificationError:
    return VerificationError(f"statement: {detail}", reason="STATEMENT_FORMAT")
