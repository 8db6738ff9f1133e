"""Sets the pages of a report: data and a template into a PDF/A-3a and PDF/UA-1 file, alike for the same input.

Whatever came from outside is data of the template, a string that typst sets as text and never reads as markup; and
`printed` writes what the packaged fonts hold no shape for by its code point, so that a hostile name can neither stop a
report nor turn its text around.
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


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that the PDF carries. `relationship` as PDF/A-3 has it: source, data, supplement."""

    name: str
    path: Path
    mime_type: str
    relationship: str
    description: str


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
