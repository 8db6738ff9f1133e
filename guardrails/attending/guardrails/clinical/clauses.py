"""Lines, headings and sentences: where a statement begins and ends, and which list it stands in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.sentence import is_full_stop

_BULLET = re.compile(r"[ ]?(?:[•\-+o>](?= )|\(?(?:\d{1,2}|[a-z])[.)](?= )|#{1,6} ?(?!\d)|\[[ x]?\])+ ?")
_ENDER = re.compile(r"[.!?]+[\"')\]]*(?=[ \n]|$)")
_BOLD_OPENS = re.compile(r"(?:\*\*|__)(?:\(?\d{1,2}[.)] ?)?\Z")
"""Before a bold line, whose number may be bold as well: "**2. What you must not take**"."""
_MAX_HEADING_WORDS = 9
_MAX_TITLE_WORDS = 5
_TITLE_LINE = re.compile(
    r"(?:(?:your|new|current|home|active|past|previous|prior|discharge|stopped|"
    r"discontinued|changed|known|drug|medication|food|held) ){0,2}"
    r"(?:medications?|medicines?|meds|drugs|allergies|prescriptions?|plan|treatment|"
    r"warnings?|interactions?|family history|past medical history)"
    r"(?: to (?:avoid|stop|take|continue|start|hold)| list| history| plan| instructions)?"
    r"|(?:what|things|foods|drugs) (?:not )?to (?:avoid|take|stop|continue)"
    r"|new(?:ly)?(?: (?:started|added|today|this (?:admission|visit)))?|continued?|stop(?:ped)?|start(?:ed)?|hold|held"
    r"|resumed?|restart(?:ed)?|discontinued?|changed?|unchanged|added|d/?c"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`start:end` of the normalised text. `head_end` > start where a heading with a colon opens it.

    `line` counts lines; `heading` marks a line that only introduces what follows; `bullet` a list item;
    `depth` its indentation; `blank_before` an empty line between this line and the one before.
    """

    start: int
    end: int
    line: int
    heading: bool = False
    head_end: int = 0
    bullet: bool = False
    first: bool = True
    blank_before: bool = False
    question: bool = False


@lru_cache(maxsize=4)
def sentences(norm: Normalised) -> tuple[Sentence, ...]:
    """The sentences of a text in order; every non-blank character is in one of them, except list markers.

    The grammar and the patient's story ask about the same text one after the other.
    """
    text = norm.text
    found: list[Sentence] = []
    position, line, blank = 0, 0, False
    while position <= len(text):
        end = text.find("\n", position)
        if end < 0:
            end = len(text)
        if text[position:end].strip():
            found.extend(_line(norm, position, end, line, blank))
            blank = False
        else:
            blank = True
        line += 1
        position = end + 1
    return tuple(found)


def _line(norm: Normalised, start: int, end: int, line: int, blank: bool) -> list[Sentence]:
    text = norm.text
    marker = _BULLET.match(text, start, end)
    bullet = marker is not None and marker.end() > start and "#" not in marker.group()
    hashes = marker is not None and "#" in marker.group()
    if marker is not None and marker.end() < end:
        start = marker.end()
    while start < end and text[start] == " ":
        start += 1
    stripped = text[start:end].rstrip(" ")
    words = stripped.count(" ") + 1
    bare = stripped.rstrip(":").rstrip()
    plain = not bullet and words <= _MAX_HEADING_WORDS and stripped[-1:] not in ".!?;,"
    only_heading = bool(bare) and (
        stripped.endswith(":")
        or hashes
        or (words <= _MAX_HEADING_WORDS and _looks_like_title(norm, start, end))
        or (plain and _list_follows(text, end))
        or (plain and words <= _MAX_TITLE_WORDS and _TITLE_LINE.fullmatch(bare) is not None)
    )
    if only_heading and not re.search(r"[.!?;] ", stripped):
        return [Sentence(start, end, line, heading=True, bullet=bullet, blank_before=blank)]
    out: list[Sentence] = []
    position = start
    for match in _ENDER.finditer(text, start, end):
        if not _ends_sentence(norm, position, match):
            continue
        if text[position : match.start()].strip(" •-"):
            out.append(
                Sentence(
                    position,
                    match.end(),
                    line,
                    bullet=bullet,
                    first=not out,
                    blank_before=blank,
                    question="?" in match.group(),
                )
            )
        position = match.end()
        while position < end and text[position] == " ":
            position += 1
    if position < end and text[position:end].strip():
        out.append(Sentence(position, end, line, bullet=bullet, first=not out, blank_before=blank))
    if out:
        out = [_with_head(text, s) for s in out]
    if len(out) > 1 and not bullet and stripped.endswith(":") and _list_follows(text, end):
        # "Ask before you take anything new. These are dangerous with X:", and a list
        out[-1] = replace(out[-1], heading=True, head_end=0)
    return out


def _list_follows(text: str, end: int) -> bool:
    """Whether the next line is a list item."""
    following = _BULLET.match(text, end + 1)
    return following is not None and following.end() > end + 1 and "#" not in following.group()


def _with_head(text: str, sentence: Sentence) -> Sentence:
    """Marks "Allergies: penicillin": the words before the colon speak for the rest of the sentence."""
    colon = text.find(":", sentence.start, min(sentence.end, sentence.start + 80))
    if colon < 0 or colon + 1 >= sentence.end or (text[colon - 1].isdigit() and text[colon + 1].isdigit()):
        return sentence
    if text.count(" ", sentence.start, colon) + 1 > _MAX_HEADING_WORDS:
        return sentence
    return Sentence(
        sentence.start,
        sentence.end,
        sentence.line,
        head_end=colon + 1,
        bullet=sentence.bullet,
        first=sentence.first,
        blank_before=sentence.blank_before,
        question=sentence.question,
    )


def _ends_sentence(norm: Normalised, start: int, match: re.Match[str]) -> bool:
    if match.group()[0] != ".":
        return True
    text = norm.text
    before = text[max(start, match.start() - 12) : match.start()]
    following = match.end()
    while following < len(text) and text[following] in ' "(':
        following += 1
    capital = norm.original[norm.starts[following]] if following < len(text) else ""
    return is_full_stop(before, capital)


def _looks_like_title(norm: Normalised, start: int, end: int) -> bool:
    """A short line without a full stop in title case, capitals or bold, such as "Medications to avoid"."""
    source = norm.source(start, end).strip()
    if not source or source[-1] in ".!?;,":
        return False
    before = norm.original[max(0, norm.starts[start] - 8) : norm.starts[start]]
    if _BOLD_OPENS.search(before) and norm.original[norm.ends[end - 1] : norm.ends[end - 1] + 2] in (
        "**",
        "__",
    ):
        return not any(c.isdigit() for c in source)
    if (source.isascii() and not source.isupper()) or any(c.isdigit() for c in source):
        return False
    letters = [c for c in source if c.isalpha()]
    return len(letters) > 3 and all(c.isupper() for c in letters)
