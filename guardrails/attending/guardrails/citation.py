"""What each claim of an output rests on: the passage of a document that supports or contradicts it, or none.

Citations are personal content as findings are: they quote the output and the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Support(StrEnum):
    """How a claim stands to the documents that were given."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Citation:
    """One claim: a sentence of the judged output at code points `start` to `end`, end exclusive.

    `document` is the id of the document and `passage_start` to `passage_end` the code points of its passage, whose text
    is `passage`; all empty where no passage comes near. `share_percent` is how much of the claim's words, weighted
    by their rarity, the nearest passage has (0 to 100). `why` says in words what decided.
    """

    start: int
    end: int
    status: Support
    share_percent: int
    why: str
    document: str = ""
    passage_start: int = 0
    passage_end: int = 0
    passage: str = ""

    def to_json(self) -> dict[str, Any]:
        """The wire shape of `attending check`, keys in reading order."""
        return {
            "start": self.start,
            "end": self.end,
            "status": self.status.value,
            "share_percent": self.share_percent,
            "why": self.why,
            "document": self.document,
            "passage_start": self.passage_start,
            "passage_end": self.passage_end,
            "passage": self.passage,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Citation:
        """The inverse of `to_json`; raises KeyError or ValueError on a shape this version does not know."""
        return cls(
            start=value["start"],
            end=value["end"],
            status=Support(value["status"]),
            share_percent=value["share_percent"],
            why=value["why"],
            document=value["document"],
            passage_start=value["passage_start"],
            passage_end=value["passage_end"],
            passage=value["passage"],
        )
