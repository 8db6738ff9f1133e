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
class Term:
    """A log's key and the tree sizes that it signs: from `first` to `last`, without end when that is None.

    A key that was named without more may sign any size; a rotation ends the term of one key and begins the next one's
    (`attending.ledger.introduction`).
    """

    key: VerifierKey
    first: int = 0
    last: int | None = None

    def covers(self, size: int) -> bool:
        """Whether a head of `size` is this key's to sign."""
        return self.first <= size and (self.last is None or size <= self.last)


Verifier = VerifierKey | Term
"""A key of a log: for any tree size, or for those of its term."""


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


def sign_checkpoint(origin: str, size: int, root: bytes, *private_keys: Ed25519PrivateKey) -> str:
    """The signed note of a head. Each key signs under the origin's name, as the specification asks: one, or at the
    size where one introduces the next, both.

    The caller vouches that `size` and `root` (32 bytes) are committed and that it never signed another root
    for this size.
    """
    return sign_note(checkpoint_text(origin, size, root), [SignerKey(origin, key) for key in private_keys])


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
    verifiers: Iterable[Verifier],
    *,
    witnesses: Collection[VerifierKey] = (),
    quorum: int = 0,
) -> Checkpoint:
    """The head of a checkpoint that a known log key signed.

    1. The text is a checkpoint. 2. One of `verifiers` (type 0x01) with the origin's name signed it, and each that did
    was in its term at this size. 3. At least `quorum` distinct keys among `witnesses` (type 0x04) cosigned it. A
    signature by a known key that does not verify fails the whole.

    Raises VerificationError: NOTE_FORMAT, CHECKPOINT_FORMAT, UNKNOWN_KEY (no given key of that origin
    signed), SIGNATURE, KEY_TERM (a key of the log signed a size that is not of its term), WITNESS_QUORUM. It does
    not check consistency with other heads.
    """
    claim = parse_checkpoint(checkpoint) if isinstance(checkpoint, str | bytes) else checkpoint  # 1
    terms = [item if isinstance(item, Term) else Term(item) for item in verifiers]
    terms = [term for term in terms if term.key.type == ED25519 and term.key.name == claim.origin]
    witness_keys = [key for key in witnesses if key.type == COSIGNATURE]
    signed = verify_note(claim.note, [*(term.key for term in terms), *witness_keys])
    mine = [term for term in terms if term.key in signed]
    if not mine:  # 2
        raise VerificationError("no known key of this origin signed the checkpoint", reason="UNKNOWN_KEY")
    for term in mine:
        _require_in_term(term, claim.size)
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


def _require_in_term(term: Term, size: int) -> None:
    if term.covers(size):
        return
    key = term.key.key_id.hex()
    if size < term.first:
        detail = f"checkpoint of size {size} is signed by key {key}, which signs from size {term.first} on"
    else:
        detail = (
            f"checkpoint of size {size} is signed by key {key}, which was replaced at size {term.last}:"
            " whoever signed holds a key that the log does not use any more"
        )
    raise VerificationError(detail, reason="KEY_TERM")


def _format_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="CHECKPOINT_FORMAT")
