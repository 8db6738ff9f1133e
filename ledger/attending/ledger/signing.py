"""Who signs a log's heads: its keys with the tree sizes of each, as the log itself says, and the private halves here.

A head is signed by the key in whose term its size is. At the size of a rotation both keys sign: that head is the
introduction (`attending.ledger.introduction`). It is stored before any larger head is signed, because only the old key
can make it, and is what stands for that head once the old key is destroyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Final, Protocol

from attending.ledger.checkpoint import Term, checkpoint_text, sign_checkpoint
from attending.ledger.ed25519 import public_bytes
from attending.ledger.entry import parse_entry
from attending.ledger.errors import CorruptLog, VerificationError
from attending.ledger.introduction import (
    MAX_INTRODUCTIONS,
    REASON,
    STREAM,
    Introduction,
    Rotation,
    chain_terms,
    follow,
    format_introduction,
    rotation_of,
    verify_introduction,
)
from attending.ledger.keys import KeyFolder
from attending.ledger.merkle import inclusion_proof
from attending.ledger.note import ED25519, VerifierKey, parse_note
from attending.ledger.proof import parse_receipt
from attending.ledger.roots import root_of
from attending.ledger.store.port import Batch, IntroductionRow, LogRow, Question, RowRefused, Store
from attending.ledger.tiles import Edge, NodeReader
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_MISMATCH: Final = "KEY_MISMATCH"


class Reads(Protocol):
    """What this reads of a `Store`."""

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]: ...
    def stream_entries(self, log_id: str, stream: str, start: int, limit: int) -> list[bytes]: ...
    def tile(self, log_id: str, level: int, index: int) -> bytes | None: ...
    def introductions(self, log_id: str) -> list[IntroductionRow]: ...


@dataclass(frozen=True, slots=True)
class Chain:
    """What a log says of its keys, without any private half. `introductions` are of the first of `rotations`, in order:
    of all of them, but for the moment in which the last one is made.
    """

    first: VerifierKey
    rotations: tuple[Rotation, ...] = ()
    introductions: tuple[Introduction, ...] = ()

    @property
    def current(self) -> VerifierKey:
        """The key in use."""
        return self.rotations[-1].new if self.rotations else self.first

    @property
    def generation(self) -> int:
        """Its generation, from 1."""
        return len(self.rotations) + 1

    @property
    def pending(self) -> Rotation | None:
        """The rotation whose introduction is not stored yet."""
        done = len(self.introductions)
        return self.rotations[done] if done < len(self.rotations) else None

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every key of the log and the sizes that it signs, as far as introductions that are stored bear it out:
        nothing else has been signed.
        """
        return chain_terms(self.first, self.rotations[: len(self.introductions)])

    def at(self, size: int) -> VerifierKey:
        """The key in use at a tree size; of two, the later one."""
        return next((item.new for item in reversed(self.rotations) if item.size <= size), self.first)


@dataclass(frozen=True, slots=True)
class Signing:
    """A log's keys, with the private halves of those that still sign."""

    chain: Chain
    keys: Mapping[VerifierKey, Ed25519PrivateKey] = field(repr=False)

    def head(self, origin: str, size: int, root: bytes) -> str:
        """The signed note of a head that the caller knows to be committed.

        Raises CorruptLog: the key of that size is not here (KEY_MISMATCH), or a head of that size was introduced with
        another root (INTRODUCTION).
        """
        chain = self.chain
        if not chain.rotations or size > chain.rotations[-1].size:
            return sign_checkpoint(origin, size, root, self._private(chain.current))
        for item in chain.introductions:
            if item.rotation.size == size:
                note = parse_receipt(item.text).checkpoint
                if parse_note(note).text != checkpoint_text(origin, size, root):
                    raise CorruptLog("head is not the one under which its key was introduced", reason=REASON)
                return note
        rotation = chain.pending
        if rotation is not None and rotation.size == size:
            return sign_checkpoint(
                origin, size, root, self._private(rotation.old), self._private(rotation.new)
            )
        return sign_checkpoint(origin, size, root, self._private(chain.at(size)))

    def private(self, size: int) -> Ed25519PrivateKey | None:
        """The key in use at a tree size; None when it was destroyed since."""
        return self.keys.get(self.chain.at(size))

    def rotated(self, rotation: Rotation, private: Ed25519PrivateKey) -> Signing:
        """With a rotation that is committed, and whose introduction is not stored yet."""
        chain = replace(self.chain, rotations=(*self.chain.rotations, rotation))
        return Signing(chain, {**self.keys, rotation.new: private})

    def introduced(self, introduction: Introduction) -> Signing:
        """With an introduction that is stored; the key that it was made with is let go of."""
        chain = replace(self.chain, introductions=(*self.chain.introductions, introduction))
        return Signing(chain, _needed(chain, self.keys))

    def _private(self, key: VerifierKey) -> Ed25519PrivateKey:
        found = self.keys.get(key)
        if found is None:
            raise CorruptLog("signing key of that head is not here any more", reason=KEY_MISMATCH)
        return found


def first_signing(row: LogRow, private: Ed25519PrivateKey) -> Signing:
    """Of a log that begins."""
    key = VerifierKey.parse(row.verifier_key)
    return Signing(Chain(key), {key: private})


def read_chain(store: Reads, row: LogRow) -> Chain:
    """What is stored of a log's keys, every introduction verified from the key that the log began with.

    That the entries are those under the head is for whoever has a head: `check_chain`. Raises CorruptLog
    (INTRODUCTION).
    """
    # Introductions first: each comes after its rotation, and another process may be at it.
    rows = store.introductions(row.log_id)
    entries = store.stream_entries(row.log_id, STREAM, 0, MAX_INTRODUCTIONS + 1)
    try:
        first = VerifierKey.parse(row.verifier_key)
        rotations = tuple(rotation_of(parse_entry(data)) for data in entries)
        chain_terms(first, rotations)
        texts = [item.data for item in rows]
        introductions = follow(texts, row.origin)
        for found, rotation, data in zip_longest(introductions, rotations, entries):
            if found is None:
                continue
            if rotation is None or found.rotation != rotation or parse_receipt(found.text).extra != data:
                raise VerificationError(
                    "introduction is not of a rotation of the log", index=found.rotation.index
                )
    except VerificationError as err:
        raise CorruptLog(
            f"keys of log `{row.log_id}` do not follow from the one that it began with: {err.detail}",
            index=err.index,
            reason=REASON,
            log_id=row.log_id,
        ) from err
    if len(rotations) > len(introductions) + 1:
        raise CorruptLog(
            f"log `{row.log_id}` lacks an introduction of its signing key", reason=REASON, log_id=row.log_id
        )
    return Chain(first, rotations, introductions)


def check_chain(store: Reads, log_id: str, edge: Edge, chain: Chain) -> None:
    """Raises CorruptLog (INTRODUCTION) unless the log at `edge` extends the tree of every introduction and holds every
    rotation.
    """
    for item in chain.introductions:
        size = item.rotation.size
        if size > edge.size or root_of(store, log_id, edge, size) != item.root:
            raise CorruptLog(
                f"log `{log_id}` is not the one in which its key was introduced at size {size}",
                index=item.rotation.index,
                reason=REASON,
                log_id=log_id,
            )
    if chain.pending is not None and chain.pending.size > edge.size:
        raise CorruptLog(f"log `{log_id}` ends before a rotation of its key", reason=REASON, log_id=log_id)


def read_signing(store: Reads, row: LogRow, keys: KeyFolder) -> Signing:
    """A log's keys as stored, with the private halves that it needs from the key folder.

    Raises CorruptLog (INTRODUCTION; KEY_MISMATCH: the key that the log names is not in its folder), and as
    `KeyFolder.open_log`.
    """
    # INVARIANT: the folder is read first. What is not there any more then was destroyed, after its introduction was
    # stored: the reading of the store that follows finds that.
    held = keys.open_log(row.log_id)
    for again in (True, False):
        chain = read_chain(store, row)
        found = {VerifierKey(row.origin, ED25519, key.public): key.private for key in held.signing}
        needed = _needed(chain, found)
        if len(needed) == (1 if chain.pending is None else 2):
            return Signing(chain, needed)
        if again:
            held = keys.refresh(row.log_id)  # another process may have made one, or destroyed one
    raise CorruptLog(
        f"signing key of log `{row.log_id}` is not the one that it names",
        reason=KEY_MISMATCH,
        log_id=row.log_id,
    )


def introduce(store: Store, row: LogRow, edge: Edge, signing: Signing) -> Signing:
    """Makes the introduction that is pending, and stores it in a transaction of its own.

    Call in the thread that writes, when the rotation's entry is known to be durable. Two processes that do it at once
    make the same bytes. Raises StoreFault, CorruptLog.
    """
    rotation = signing.chain.pending
    assert rotation is not None
    log_id = row.log_id
    root = root_of(store, log_id, edge, rotation.size)
    reader = NodeReader(edge, lambda level, index: store.tile(log_id, level, index))
    proof = inclusion_proof(rotation.index, rotation.size, reader.node)
    data = store.entries(log_id, rotation.index, 1)[0]
    text = format_introduction(data, proof, signing.head(row.origin, rotation.size, root))
    try:
        introduction = verify_introduction(text)  # before the key that made it can go
    except VerificationError as err:
        raise CorruptLog(
            f"rotation of log `{log_id}` does not verify", index=rotation.index, reason=REASON
        ) from err
    try:
        store.begin(Question())
        store.apply(Batch(introductions=[IntroductionRow(log_id, rotation.index, text.encode())]))
        store.commit()
    except RowRefused:  # another process was first
        store.rollback()
        stored = [item.data for item in store.introductions(log_id) if item.entry_index == rotation.index]
        if stored != [text.encode()]:
            raise CorruptLog(f"log `{log_id}` holds another introduction", reason=REASON) from None
    return signing.introduced(introduction)


def current_of(origin: str, private: Ed25519PrivateKey) -> VerifierKey:
    """The verifier key of a private one."""
    return VerifierKey(origin, ED25519, public_bytes(private))


def _needed(
    chain: Chain, keys: Mapping[VerifierKey, Ed25519PrivateKey]
) -> dict[VerifierKey, Ed25519PrivateKey]:
    wanted = {chain.current} if chain.pending is None else {chain.pending.old, chain.pending.new}
    return {key: keys[key] for key in wanted if key in keys}
