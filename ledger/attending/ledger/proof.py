"""Receipts: C2SP tlog-proofs (c2sp.org/tlog-proof), which show offline that an entry is in a log.

A receipt is the first line `c2sp.org/tlog-proof@v1`, `index N`, the inclusion proof's hashes in base64, a
blank line, and the checkpoint.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from attending.ledger import checkpoint as checkpoints
from attending.ledger.checkpoint import Checkpoint, Verifier
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, MAX_TREE_SIZE, leaf_hash, verify_inclusion
from attending.ledger.note import MAX_NOTE_BYTES, VerifierKey, decode_base64

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_MAX_HASHES: Final = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt, nothing verified: entry index, inclusion proof (leaf side first), checkpoint note, and what
    its `extra` line holds.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_receipt(
    index: int, hashes: Sequence[bytes], checkpoint_note: str, *, extra: bytes | None = None
) -> str:
    """The receipt's text; `hashes` are the inclusion proof under the checkpoint's size."""
    more = "" if extra is None else f"extra {b2a_base64(extra).decode()}"
    return f"{_HEADER}\n{more}index {index}\n{hash_lines(hashes)}\n{checkpoint_note}"


def format_shared_receipt(index: int, hashes: Sequence[bytes], rest: str) -> str:
    """The receipt whose proof begins with `hashes` and goes on as `rest`: more `hash_lines`, a blank line and the
    checkpoint note, which all receipts of one group of entries have in common.
    """
    return f"{_HEADER}\nindex {index}\n{hash_lines(hashes)}{rest}"


def hash_lines(hashes: Sequence[bytes]) -> str:
    """Base64 of each hash, each with a newline."""
    return b"".join(map(b2a_base64, hashes)).decode()


def parse_receipt(text: str | bytes) -> Receipt:
    """The parts of a receipt, nothing verified; VerificationError (RECEIPT_FORMAT) when it is not one.

    An `extra` line is allowed; nothing authenticates it.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise _format_error("receipt is not utf-8") from None
    if type(text) is not str or len(text) > MAX_NOTE_BYTES:
        raise _format_error("receipt is not text or too long")
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines[0] != _HEADER:
        raise _format_error(f"receipt does not begin with `{_HEADER}`")
    rest, extra = lines[1:], None
    if rest and rest[0].startswith("extra "):
        extra = decode_base64(rest[0][len("extra ") :])
        if extra is None:
            raise _format_error("extra data is not base64")
        rest = rest[1:]
    match = _INDEX.fullmatch(rest[0]) if rest else None
    if match is None or int(match[1]) > MAX_TREE_SIZE:
        raise _format_error("receipt has no index line")
    if len(rest) - 1 > _MAX_HASHES:
        raise _format_error("proof is too long")
    hashes = []
    for line in rest[1:]:
        value = decode_base64(line, HASH_SIZE)
        if value is None:
            raise _format_error("hash is not base64 of 32 bytes")
        hashes.append(value)
    return Receipt(int(match[1]), tuple(hashes), note, extra)


def verify_receipt(
    receipt: str | bytes,
    entry: bytes,
    verifiers: Iterable[Verifier | str],
    *,
    witnesses: Collection[VerifierKey] = (),
    quorum: int = 0,
) -> Checkpoint:
    """The verified head under which `entry` (its stored bytes) is included.

    1. The receipt parses. 2. Its checkpoint is signed by one of `verifiers` (keys or verifier key strings)
    and cosigned by `quorum` of `witnesses`. 3. The entry's leaf hash is at the receipt's index under that
    head. 4. The entry itself names that index and origin, so that a receipt cannot be shown for another
    place.

    Raises VerificationError: RECEIPT_FORMAT, what `checkpoint.verify` raises, INCLUSION_PROOF, what
    `parse_entry` raises, RECEIPT_MISMATCH.
    """
    parsed = parse_receipt(receipt)  # 1
    keys = [VerifierKey.parse(key) if isinstance(key, str) else key for key in verifiers]
    head = checkpoints.verify(parsed.checkpoint, keys, witnesses=witnesses, quorum=quorum)  # 2
    if type(entry) is not bytes:
        raise VerificationError("expected the stored bytes of an entry", reason="ENTRY_SCHEMA")
    verify_inclusion(leaf_hash(entry), parsed.index, head.size, parsed.hashes, head.root)  # 3
    content = parse_entry(entry)  # 4
    if content.index != parsed.index or content.origin != head.origin:
        raise VerificationError("entry names another index or origin", reason="RECEIPT_MISMATCH")
    return head


def _format_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="RECEIPT_FORMAT")
