"""What is attached to a report (ISO 32000-1, section 7.11.4), taken out with bounds and never by a path of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf.document import MAX_FILE_BYTES, Document, Stream
from attending.ledger.verify.pdf.syntax import Name, wrong

BUNDLE: Final = "bundle.attending"
DOCUMENT: Final = "document.attending"
"""A de-identified document, in place of the bundle."""
STATISTICS: Final = "statistics.json"
REGISTER: Final = "register.csv"
ROWS: Final = "rows.jsonl"
SHEET: Final = "rows.csv"
MAX_ATTACHMENTS: Final = 32
_MAX_NODES: Final = 256
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)


def attachments(document: Document) -> dict[str, Stream]:
    """Name to content; VerificationError for names that are there twice, or that are no plain file names."""
    names = document.dictionary(document.root.get("Names", {}))
    found: dict[str, Stream] = {}
    pending, nodes = [names["EmbeddedFiles"]] if "EmbeddedFiles" in names else [], 0
    while pending:
        nodes += 1
        node = document.dictionary(pending.pop())
        kids = document.array(node.get("Kids", []))
        if nodes + len(pending) + len(kids) > _MAX_NODES:
            raise wrong("tree of attachments is too large")
        pending.extend(kids)
        pairs = document.array(node.get("Names", []))
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            name, stream = _file(document, key, value)
            if name in found:
                raise VerificationError(f"two attachments are called `{name}`")
            found[name] = stream
            if len(found) > MAX_ATTACHMENTS:
                raise VerificationError(f"more than {MAX_ATTACHMENTS} attachments")
    return found


def extract(document: Document, stream: Stream, path: Path) -> int:
    """Writes an attachment to `path`, and returns its size; VerificationError where it inflates beyond reason."""
    size = 0
    with path.open("xb") as file:
        for chunk in document.chunks(stream, MAX_FILE_BYTES):
            file.write(chunk)
            size += len(chunk)
    return size


def text_of(value: Any) -> str:
    """A text string (ISO 32000-1, section 7.9.2.2); of PDFDocEncoding only what it shares with ASCII is read."""
    if not isinstance(value, bytes):
        raise wrong("no text where one is needed")
    try:
        return value[2:].decode("utf-16-be") if value[:2] == b"\xfe\xff" else value.decode("ascii")
    except UnicodeDecodeError:
        raise wrong("text is not one that can be read") from None


def _file(document: Document, key: Any, value: Any) -> tuple[str, Stream]:
    specification = document.dictionary(value)
    names = {text_of(specification[item]) for item in ("F", "UF") if item in specification}
    names.add(text_of(document.resolve(key)))
    if len(names) != 1:
        raise VerificationError("attachment has two names")
    name = names.pop()
    if _NAME.fullmatch(name) is None:
        raise VerificationError("name of an attachment is not flat, lower case and plain")
    embedded = document.dictionary(specification.get("EF"))
    streams = [document.stream(item) for item in embedded.values()]
    if specification.get("Type") != Name("Filespec") or not streams or len(set(map(_place, streams))) != 1:
        raise VerificationError(f"`{name}` has two contents, or none")
    return name, streams[0]


def _place(stream: Stream) -> tuple[int, int]:
    return stream.begin, stream.size
