"""Sets the pages of a report: data and a template into a PDF/A-3a and PDF/UA-1 file, the same bytes for the same input.

Whatever came from outside is data of the template, a string that typst sets as text and never reads as markup. What the
packaged fonts hold no shape for is written by its code point, so that a hostile name can neither stop a report nor turn
its text around.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import typst

STANDARDS: Final = ("a-3a", "ua-1")
_PAGES: Final = "attending.server.reports.pages"
_RANGES: Final = (
    *((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x17F)),
    *((0x391, 0x3A1), (0x3A3, 0x3A9), (0x3B1, 0x3C9)),
    (0x410, 0x44F),
    *((0x2010, 0x2014), (0x2018, 0x201A), (0x201C, 0x201E)),
    *((0x2020, 0x2022), (0x2026, 0x2026), (0x2030, 0x2030), (0x20AC, 0x20AC), (0x2122, 0x2122)),
)
"""Code points that both packaged fonts hold a shape for and that run from left to right."""
_SHOWN: Final = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that the PDF carries. `relationship` as PDF/A-3 has it: source, data, supplement."""

    name: str
    path: Path
    mime_type: str
    relationship: str
    description: str


def plain(text: str) -> str:
    """`text` as it is printed: what has no shape in the fonts, or turns the line around, as U+ and its code point."""
    if all(character in _SHOWN for character in text):
        return text
    return "".join(one if one in _SHOWN else f"<U+{ord(one):04X}>" for one in text)


def clipped(text: str, characters: int) -> str:
    """`plain`, at most so many characters; the register has the whole."""
    text = plain(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"


def typeset(template: str, data: Mapping[str, Any], attachments: Sequence[Attachment], work: Path) -> bytes:
    """The PDF of a template of this package over `data`. `work` is an empty folder that is used up.

    Raises typst.TypstError, which is a fault of the template, and OSError.
    """
    _lay_out(template, data, attachments, work)
    made = _compiler(work).compile(
        str(work / template), root=str(work), format="pdf", pdf_standards=list(STANDARDS), timestamp=0
    )
    assert isinstance(made, bytes)
    return made


def draw(template: str, data: Mapping[str, Any], work: Path, ppi: float = 80) -> list[bytes]:
    """The pages as PNG images, for people to look at."""
    _lay_out(template, data, (), work)
    made = _compiler(work).compile(str(work / template), root=str(work), format="png", ppi=ppi)
    return made if isinstance(made, list) else [made] if made is not None else []


def _compiler(work: Path) -> typst.Compiler:
    # No font of the machine: the same report is the same file everywhere.
    return typst.Compiler(
        root=str(work), ignore_system_fonts=True, package_path=str(work), package_cache_path=str(work)
    )


def _lay_out(template: str, data: Mapping[str, Any], attachments: Sequence[Attachment], work: Path) -> None:
    with as_file(files(_PAGES)) as folder:
        for source in folder.glob("*.typ"):
            shutil.copyfile(source, work / source.name)
    listed = []
    for item in attachments:
        target = work / item.name
        if item.path != target:
            shutil.copyfile(item.path, target)
        listed.append(
            {
                "name": item.name,
                "mime_type": item.mime_type,
                "relationship": item.relationship,
                "description": item.description,
            }
        )
    whole = {**data, "attachments": listed}
    (work / "data.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
