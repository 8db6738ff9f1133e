"""Checkpoints (c2sp.org/tlog-checkpoint): a log's signed statement of its size and root hash.

The note text is `origin`, the size in decimal and the base64 root hash, a line each. A checkpoint carries
no time; bounds on time come from witnesses.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, MAX_TREE_SIZE, empty_root
from attending.ledger.note import (
    COSIGNATURE,
    ED25519,
    Note,
    SignerKey,
    VerifierKey,
    decode_base64,
    parse_note,
    sign_note,
    verify_note,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_VERIFIED: Final = object()
"""Held by this module only: the pass without which a Checkpoint cannot be made."""


@dataclass(frozen=True, slots=True)
class UnverifiedCheckpoint:
    """What a note claims; nobody has checked who signed it."""

    note: Note
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head, signed by a key that the verifier was given. Only `verify` makes one.

    `cosigned` holds (witness name, POSIX time in seconds) of each known witness that cosigned it.
    """

    origin: str
    size: int
    root: bytes
    note: Note = field(repr=False)
    cosigned: tuple[tuple[str, int], ...]
    _pass: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuses to exist without the signature having been verified."""
        if self._pass is not _VERIFIED:
            raise TypeError("a checkpoint comes from `verify` only")


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text that is signed: three lines."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, private_key: Ed25519PrivateKey) -> str:
    """The signed note of a head. The key signs under the origin's name, as the specification asks.

    The caller vouches that `size` and `root` (32 bytes) are committed and that it never signed another root
    for this size.
    """
    return sign_note(checkpoint_text(origin, size, root), [SignerKey(origin, private_key)])


def parse_checkpoint(data: str | bytes) -> UnverifiedCheckpoint:
    """The claim of a checkpoint note, nothing verified.

    Raises VerificationError: NOTE_FORMAT, or CHECKPOINT_FORMAT (fewer than three lines, an empty line, a
    size with leading zeros or past 2**63 - 1, a root hash that is not 32 bytes, another root hash than the
    empty one for size 0). Extension lines are allowed and ignored.
    """
    note = parse_note(data)
    lines = note.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise _format_error("checkpoint does not have three lines")
    origin, size_text = lines[:2]
    root = decode_base64(lines[2], HASH_SIZE)
    if not _SIZE.fullmatch(size_text) or int(size_text) > MAX_TREE_SIZE:
        raise _format_error("tree size is not a decimal number")
    if root is None:
        raise _format_error("root hash is not base64 of 32 bytes")
    size = int(size_text)
    if size == 0 and root != empty_root():
        raise _format_error("root hash of an empty tree is wrong")
    return UnverifiedCheckpoint(note, origin, size, root)


def verify(
    checkpoint: UnverifiedCheckpoint | str | bytes,
    verifiers: Iterable[VerifierKey],
    *,
    witnesses: Collection[VerifierKey] = (),
    quorum: int = 0,
) -> Checkpoint:
    """The head of a checkpoint that a known log key signed.

    1. The text is a checkpoint. 2. One of `verifiers` (type 0x01) with the origin's name signed it. 3. At
    least `quorum` distinct keys among `witnesses` (type 0x04) cosigned it. A signature by a known key that
    does not verify fails the whole.

    Raises VerificationError: NOTE_FORMAT, CHECKPOINT_FORMAT, UNKNOWN_KEY (no given key of that origin
    signed), SIGNATURE, WITNESS_QUORUM. It does not check consistency with other heads.
    """
    claim = parse_checkpoint(checkpoint) if isinstance(checkpoint, str | bytes) else checkpoint  # 1
    log_keys = [key for key in verifiers if key.type == ED25519 and key.name == claim.origin]
    witness_keys = [key for key in witnesses if key.type == COSIGNATURE]
    signed = verify_note(claim.note, [*log_keys, *witness_keys])
    if not any(key in signed for key in log_keys):  # 2
        raise VerificationError("no known key of this origin signed the checkpoint", reason="UNKNOWN_KEY")
    cosigned = [(key, time) for key, time in signed.items() if time is not None]
    # INVARIANT: a quorum counts keys, not names or lines.
    if len({key.public_key for key, _ in cosigned}) < quorum:  # 3
        raise VerificationError(
            f"{len(cosigned)} of {quorum} witnesses cosigned the checkpoint", reason="WITNESS_QUORUM"
        )
    return Checkpoint(
        origin=claim.origin,
        size=claim.size,
        root=claim.root,
        note=claim.note,
        cosigned=tuple((key.name, time) for key, time in cosigned),
        _pass=_VERIFIED,
    )


def _format_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="CHECKPOINT_FORMAT")
