"""The two ways to write the content hash of a policy, a pack or a document: `sha256:` and hex digits, or the digits."""

from __future__ import annotations

import hashlib

_ALGORITHM = "sha256:"


def content_hash(text: str) -> str:
    """`sha256:` and the hex digits over the text's UTF-8."""
    return _ALGORITHM + hashlib.sha256(text.encode("utf-8")).hexdigest()


def digits(content_hash: str) -> str:
    """Its hex digits alone, as entries and signature statements name it."""
    return content_hash.removeprefix(_ALGORITHM)
