"""What two blind readers made of a text, beside each other, for the third person who judges between them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from attending.server.console import words
from attending.server.console.present import Change, difference
from attending.server.review.case import Case


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader's word. `changes` lead from the model's text to theirs; `made` is finding to word on it."""

    name: str
    meaning: str
    refused: bool
    text: str
    changes: tuple[Change, ...]
    made: dict[int, str]


@dataclass(frozen=True, slots=True)
class Between:
    """Both readers, in the order in which they decided, and what leads from the first one's text to the second's."""

    readers: tuple[Reader, ...]
    apart: tuple[Change, ...]

    def made_of(self, finding: int) -> list[tuple[str, str]]:
        """(reader, words) of what each made of one finding."""
        return [(one.name, one.made.get(finding, "no decision")) for one in self.readers]


def between(case: Case, printed: Callable[[str], str]) -> Between | None:
    """None until both have decided: before, nobody sees either. `printed` is the printed name of an identity."""
    if not case.reads:
        return None
    readers = tuple(
        Reader(
            name=printed(read.reader),
            meaning=words.MEANINGS.get(read.meaning or "", read.meaning or ""),
            refused=read.meaning == "rejected",
            text=text,
            changes=tuple(difference(case.output, text)),
            made={n: words.DISPOSITIONS.get(made, made) for n, made in read.disposed.items()},
        )
        for read, text in case.reads
    )
    approved = [one.text for one in readers if not one.refused]
    apart = tuple(difference(*approved)) if len(approved) == 2 and approved[0] != approved[1] else ()
    return Between(readers, apart)
