"""What a register was asked: it stands at the head of its rows, so that they can be made again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError

MOST_CHARACTERS: Final = 256
MOST_SUBJECTS: Final = 128
"""Pseudonyms of one person, as custody bounds them."""
_SUBJECT: Final = re.compile(r"sub_[A-Za-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Asked:
    """`until` is where the period ends and the time as of which things are said, canonical like `since` ("" for the
    beginning); `subjects` are the pseudonyms of the one person that it is about.
    """

    until: str
    since: str = ""
    subjects: tuple[str, ...] = ()
    version: str = ""
    """A version, by hash or name, or a document, by id or content hash."""
    incident: str = ""
    group: str = ""
    """The name of the tag that tells subgroups apart."""

    def within(self, time: str) -> bool:
        """Whether an entry of that time is of the period."""
        return self.since <= time < self.until

    def to_json(self) -> dict[str, Any]:
        """The object at the head of the rows."""
        return {
            "group": self.group,
            "incident": self.incident,
            "since": self.since,
            "subjects": list(self.subjects),
            "until": self.until,
            "version": self.version,
        }


def parse_asked(value: object) -> Asked:
    """What a decoded JSON object asks. Raises VerificationError (REGISTER_FORMAT)."""
    names = set(Asked(until="").to_json())
    if not isinstance(value, Mapping) or set(value) != names:
        raise _error("does not say what was asked")
    words = {name: value[name] for name in names - {"subjects"}}
    if not all(type(word) is str and len(word) <= MOST_CHARACTERS for word in words.values()):
        raise _error("asks by something that is no short text")
    subjects = value["subjects"]
    if type(subjects) is not list or len(subjects) > MOST_SUBJECTS:
        raise _error("`subjects` is no short list")
    if not all(type(one) is str and _SUBJECT.fullmatch(one) for one in subjects):
        raise _error("`subjects` are not pseudonyms")
    for name in ("since", "until"):
        if words[name] or name == "until":
            parse_time(words[name])
    return Asked(**words, subjects=tuple(subjects))


def _error(detail: str) -> VerificationError:
    return VerificationError(f"register {detail}", reason="REGISTER_FORMAT")
