"""The periodic examination of a log by exception: which entries are exceptions, and what is signed over them.

Mechanisms that record activity have to let it be examined too (45 CFR 164.312(b)). An office examines a period, which
is a range of entries; periods follow each other without a gap. What is an exception in a period is worked out from the
entries alone, here, by whoever lists them, signs over them and verifies the signature.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry, parse_time
from attending.ledger.errors import VerificationError

SIGNATURE_TAG: Final = b"attending-examination-signature/1\n"
STATEMENT_VERSION: Final = 1
DISPOSED: Final = "examination.disposed"
SIGNED: Final = "examination.signed"
DISPOSITIONS: Final = ("expected", "followed_up", "incident_opened")
BURST: Final = 5
"""Denials of one person or application within an hour by the clock that are an exception."""
HANDOVER_SECONDS: Final = 60
"""Nobody walks to another machine in less: two sessions in use at two addresses within it are two people."""
SELF_APPROVAL: Final = frozenset(("SECOND_PERSON_REQUIRED", "SIGNER_IS_AUTHOR"))
"""Why a call was refused whose second person was to be somebody else."""
_OWN_REVIEW: Final = "nobody-reviews-their-own-emergency"
"""The authorisation policy that refuses the same for emergency access."""

_HOUR = len("2026-11-28T02")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
_HEX32 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")


class Office(StrEnum):
    """Whose examination it is."""

    PRIVACY = "privacy"
    SAFETY = "safety"

    @property
    def role(self) -> str:
        """The role that signs it."""
        return f"{self.value}_officer"

    @property
    def stream(self) -> str:
        return f"examination:{self.value}"

    @property
    def classes(self) -> tuple[str, ...]:
        return _CLASSES[self]


_CLASSES: Final[Mapping[Office, tuple[str, ...]]] = {
    Office.PRIVACY: (
        "break_glass",
        "emergency_access",
        "denied_burst",
        "export_with_content",
        "self_approval_refused",
        "signature_failed",
        "concurrent_session",
        "impossible_handover",
        "overdue_review",
        "erasure",
    ),
    Office.SAFETY: (
        "break_glass",
        "overdue_review",
        "self_approval_refused",
        "signature_failed",
        "halt",
        "expired",
        "withdrawn",
    ),
}
"""What each office looks at. Some is for both."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What an entry is to an examination. `kind` is a class, or `denied` and `reviewed`, which only count; `due` and
    `about` are of what somebody else has to look at, and of that look.
    """

    kind: str
    index: int
    time: str
    actor: str
    leaf: str
    count: int = 1
    about: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an examination: a class, and the entry that it is about, with its leaf hash in hex."""

    kind: str
    index: int
    time: str
    actor: str
    leaf: str
    count: int = 1


def sign_of(entry: Entry) -> Sign | None:
    """What the entry is to an examination, None for nothing. Never raises, whatever the body holds."""
    found = _kind(entry)
    if found is None:
        return None
    kind, more = found
    return Sign(kind, entry.index, entry.time, entry.actor, entry.leaf_hash.hex(), **more)


def _kind(entry: Entry) -> tuple[str, dict[str, Any]] | None:
    body = entry.body
    match entry.type:
        case "break_glass.used":
            access, due = body.get("access"), body.get("review_due")
            about = access if type(access) is str else entry.stream
            kind = "emergency_access" if "access" in body else "break_glass"
            return kind, {"about": about, "due": due if type(due) is str else ""}
        case "break_glass.reviewed":
            access = body.get("access")
            return "reviewed", {"about": access if type(access) is str else entry.stream}
        case "access.denied":
            refused, count = body.get("refused"), body.get("count")
            policies = body.get("policy_ids")
            if type(policies) is list and _OWN_REVIEW in policies:
                return "self_approval_refused", {}
            if refused is None:
                return "denied", {"count": count if type(count) is int and count > 0 else 1}
            own = type(refused) is str and refused in SELF_APPROVAL
            return ("self_approval_refused" if own else "signature_failed"), {}
        case "access.exported":
            # Of one export the entry about the whole; those of each person stand beside it.
            return ("export_with_content", {}) if body.get("payloads") is True and not entry.subject else None
        case "session.started":
            others, since = body.get("concurrent"), body.get("elsewhere_seconds")
            if type(since) is int and since < HANDOVER_SECONDS:
                return "impossible_handover", {}
            return ("concurrent_session", {}) if type(others) is int and others > 0 else None
        case "subject.erased":
            return "erasure", {}
        case "system.halted":
            return "halt", {}
        case "review.expired":
            return "expired", {}
        case "inference.withdrawn":
            return "withdrawn", {}
    return None


def exceptions(
    office: Office, signs: Iterable[Sign], *, first: int, until: int, since_time: str, until_time: str
) -> list[Line]:
    """The exceptions of a period, by entry and class: entries from `first` up to and without `until`, and reviews that
    fell due after `since_time` and by `until_time` (canonical) and were not made by then.

    `signs` are those of the period, and of earlier entries at least the uses whose review falls due in it. Denials are
    one exception for an actor and hour, at the entry that makes them BURST.
    """
    found: list[Line] = []
    denied: Counter[tuple[str, str]] = Counter()
    used: list[Sign] = []
    reviewed: dict[str, Sign] = {}
    for sign in sorted(signs, key=lambda one: one.index):
        if sign.index >= until:
            break
        if sign.due:
            used.append(sign)
        if sign.kind == "reviewed":
            reviewed.setdefault(sign.about, sign)
        if sign.index < first:
            continue
        if sign.kind == "denied":
            slot = sign.actor, sign.time[:_HOUR]
            before, denied[slot] = denied[slot], denied[slot] + sign.count
            if before < BURST <= denied[slot]:
                found.append(_line("denied_burst", sign))
        elif sign.kind in office.classes:
            found.append(_line(sign.kind, sign))
    for sign in used:
        review = reviewed.get(sign.about)
        late = review is None or review.time > sign.due
        if since_time < sign.due <= until_time and late:
            found.append(_line("overdue_review", sign))
    listed = [line for line in found if line.kind in office.classes]
    return sorted(listed, key=lambda line: (line.index, line.kind))


def _line(kind: str, sign: Sign) -> Line:
    return Line(kind, sign.index, sign.time, sign.actor, sign.leaf, sign.count)


def counts_of(lines: Iterable[Line]) -> dict[str, int]:
    """Exceptions by class; a class without any is left out."""
    return dict(sorted(Counter(line.kind for line in lines).items()))


def digest_of(lines: Sequence[Line], dispositions: Mapping[tuple[str, int], str]) -> str:
    """SHA-256 (hex) of the canonical list of [class, entry, leaf hash, disposition], in order. KeyError for a line
    without a disposition.
    """
    listed = [[line.kind, line.index, line.leaf, dispositions[line.kind, line.index]] for line in lines]
    digest = hashlib.sha256(SIGNATURE_TAG)
    for line in listed:
        # One at a time: a canonical document has a bound, a period has none.
        digest.update(encode({"line": line}))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ExaminationStatement:
    """What an officer signs. `first` and `until` bound the period by entries (`until` is not in it), the times say the
    same to people; `own` counts exceptions that are the signer's own deeds.
    """

    origin: str
    office: Office
    first: int
    until: int
    since_time: str
    until_time: str
    counts: Mapping[str, int]
    dispositions: Mapping[str, int]
    own: int
    digest: str
    signer: str
    key_id: str
    role: str
    time: str
    nonce: str

    def to_json(self) -> dict[str, Any]:
        """The object that is signed and stands as `statement` in the body of `examination.signed`."""
        value: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        more = {"office": self.office.value, "counts": dict(self.counts), "v": STATEMENT_VERSION}
        return {**value, **more, "dispositions": dict(self.dispositions)}

    def message(self) -> bytes:
        """The exact bytes under the signature."""
        return SIGNATURE_TAG + encode(self.to_json())

    def challenge(self) -> bytes:
        """What a passkey is asked to answer: SHA-256 (32 bytes) of the message."""
        return hashlib.sha256(self.message()).digest()


_FIELDS: Final = tuple(ExaminationStatement.__annotations__)


def parse_examination(value: object) -> ExaminationStatement:
    """The statement of a decoded JSON object; VerificationError (STATEMENT_FORMAT) when it breaks a rule."""
    if not isinstance(value, Mapping) or set(value) != {*_FIELDS, "v"}:
        raise _error("fields are not exactly those of version 1")
    if type(value["v"]) is not int or value["v"] != STATEMENT_VERSION:
        raise _error("fields are not exactly those of version 1")
    for name in ("origin", "signer", "role", "nonce"):
        _require(name, value[name], _TEXT)
    _require("digest", value["digest"], _HEX32)
    _require("key_id", value["key_id"], _KEY_ID)
    if type(value["office"]) is not str or value["office"] not in [*Office]:
        raise _error("`office` is not one of privacy, safety")
    for name in ("first", "until", "own"):
        _count(name, value[name])
    if value["first"] >= value["until"]:
        raise _error("the period ends before it begins")
    for name in ("counts", "dispositions"):
        if not isinstance(value[name], Mapping):
            raise _error(f"`{name}` is not an object")
        for key, count in value[name].items():
            _require(name, key, _TEXT)
            _count(name, count)
    # A first period begins before any time.
    for name in ("since_time", "until_time", "time"):
        if name != "since_time" or value[name] != "":
            parse_time(value[name])
    fields = {name: value[name] for name in _FIELDS}
    return ExaminationStatement(**{**fields, "office": Office(value["office"])})


def _count(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise _error(f"`{name}` is not a count")


def _require(name: str, value: object, pattern: re.Pattern[str]) -> None:
    if type(value) is not str or not pattern.fullmatch(value):
        raise _error(f"`{name}` is not well formed")


def _error(detail: str) -> VerificationError:
    return VerificationError(f"statement: {detail}", reason="STATEMENT_FORMAT")
