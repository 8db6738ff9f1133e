"""Texts that are read for practice and never released: how an inference says that it is one, and how that is opened.

A *practice* item is marked openly: its `inference.requested` has a body with `practice`. A *seeded* item must not be
told from others before it is decided on, so its mark is hidden behind a commitment that its very first entry carries:
the inference id itself,

    "inf_" || hex(first 16 bytes of SHA-256("attending-seeded/1" || 0x0A || key || item))

with a random key of 32 bytes, which lies in the vault, and the name of the catalogue's item in UTF-8. The entry
`oversight.debriefed` shows key and item: the id of an inference that an application asked for is random, and nobody
finds a key that opens it (2^128 tries). Standard library only.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.errors import VerificationError

DEBRIEFED: Final = "oversight.debriefed"
OPEN, SEEDED = "practice", "seeded"
"""How an item is marked: openly, or behind its id."""
KEY_BYTES: Final = 32
TAG: Final = b"attending-seeded/1\n"
_ID_BYTES: Final = 16
_ITEM: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

UNDELIVERABLE: Final = frozenset(
    {
        *("inference.released", "inference.delivered", "inference.withdrawn", "recall.acknowledged"),
        *("inference.stream_opened", "inference.stream_window"),
        *("break_glass.used", "review.sampled"),
    }
)
"""Entry types by which a text reaches somebody, or that follow one that did: none stands on a practice stream."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a debrief says of its inference."""

    mode: str
    item: str


def new_key() -> bytes:
    """The secret of one seeded item."""
    return secrets.token_bytes(KEY_BYTES)


def seeded_id(key: bytes, item: str) -> str:
    """The inference id that commits to `item` under `key`."""
    return "inf_" + hashlib.sha256(TAG + key + item.encode("utf-8")).digest()[:_ID_BYTES].hex()


def opened(inference_id: str, body: Mapping[str, Any], marked: object) -> Opened:
    """What the body of a debrief shows of `inference_id`; `marked` is `practice` of its `inference.requested`.

    Raises VerificationError (PRACTICE_MARK): a debrief that is not well formed, or of an inference that never was one.
    """
    mode, item = body.get("mode"), body.get("item")
    if type(item) is str and _ITEM.fullmatch(item):
        if mode == OPEN and isinstance(marked, Mapping) and marked.get("item") == item:
            return Opened(OPEN, item)
        if mode == SEEDED and inference_id == seeded_id(_key(body.get("key")), item):
            return Opened(SEEDED, item)
    raise VerificationError("debrief opens no mark of its inference", reason="PRACTICE_MARK")


def _key(value: object) -> bytes:
    try:
        key = bytes.fromhex(value) if type(value) is str else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise VerificationError(f"`key` is not {KEY_BYTES} bytes", reason="PRACTICE_MARK")
    return key
