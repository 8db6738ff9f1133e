"""Introductions: how a log's signing key hands over to the next one, so that whoever trusts the first can go on.

A rotation is the entry `key.rotated` in the stream `keys/signing`; its body {kind: "signing", generation, old, new}
names the two verifier keys. The head right after it, of size index + 1, is signed by both keys: the old one introduces,
the new one shows that it is there. An *introduction* is the receipt of that entry under that head, with the entry in
its `extra` line: one text (c2sp.org/tlog-proof) that needs nothing else to be checked.

The old key signs heads up to that size and none after it, the new one from that size on: `Term`. Needs the standard
library and `cryptography` only. A key that was stolen is another matter: its thief can introduce, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from attending.ledger.checkpoint import Term, Verifier, parse_checkpoint
from attending.ledger.entry import Entry, PendingEntry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import leaf_hash, verify_inclusion
from attending.ledger.note import ED25519, VerifierKey, verify_note
from attending.ledger.proof import format_receipt, parse_receipt

STREAM: Final = "keys/signing"
"""Its version is the number of rotations, and the generation of the key in use one more."""
TYPE: Final = "key.rotated"
KIND: Final = "signing"
MAX_INTRODUCTIONS: Final = 1_000
"""Of one log: a rotation a week for nineteen years."""
REASON: Final = "INTRODUCTION"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the entry of a rotation says: `new` takes over from `old`, as generation `generation`, at entry `index`."""

    index: int
    generation: int
    old: VerifierKey
    new: VerifierKey

    @property
    def size(self) -> int:
        """The tree size at which the keys change: the last of the old, the first of the new."""
        return self.index + 1


@dataclass(frozen=True, slots=True)
class Introduction:
    """A rotation whose text was verified: both keys signed the root hash right after its entry."""

    rotation: Rotation
    root: bytes
    text: str = field(repr=False)


def rotating_entry(
    generation: int, old: VerifierKey, new: VerifierKey, actor: str = "system"
) -> PendingEntry:
    """The entry that brings `new` into force. Anybody may be shown it: who ordered it stands in an entry before."""
    body = {"kind": KIND, "generation": generation, "old": str(old), "new": str(new)}
    return PendingEntry(TYPE, STREAM, actor, None, body)


def is_rotation(entry: Entry) -> bool:
    """Whether an entry claims to replace the log's signing key; `rotation_of` says whether it holds."""
    return entry.stream == STREAM or (
        entry.type == TYPE and entry.body.get("kind") == KIND and "new" in entry.body
    )


def rotation_of(entry: Entry) -> Rotation:
    """The rotation that an entry is. Raises VerificationError (INTRODUCTION) when it is none, or not well formed."""
    body = entry.body
    if entry.type != TYPE or entry.stream != STREAM or body.get("kind") != KIND:
        raise _error("entry is no rotation of the signing key", entry.index)
    generation = body.get("generation")
    if type(generation) is not int or not 2 <= generation <= MAX_INTRODUCTIONS + 1:
        raise _error("rotation does not say which generation it begins", entry.index)
    old, new = _key(entry, "old"), _key(entry, "new")
    if old.key_id == new.key_id:
        raise _error("rotation introduces a key under the id of the one before", entry.index)
    return Rotation(entry.index, generation, old, new)


def format_introduction(entry: bytes, hashes: Sequence[bytes], checkpoint_note: str) -> str:
    """The introduction's text: `entry` as stored, its inclusion proof under the checkpoint that both keys signed."""
    return format_receipt(parse_entry(entry).index, hashes, checkpoint_note, extra=entry)


def verify_introduction(text: str | bytes) -> Introduction:
    """The introduction in `text`, true in itself; whether its old key is to be trusted is for `terms`.

    1. It is a receipt with an entry. 2. The entry is a rotation of its own log. 3. The checkpoint is the one right
    after it. 4. The old key and the new one signed that. 5. The entry is the last one under its root hash.

    Raises VerificationError: RECEIPT_FORMAT, what `parse_entry` and `parse_checkpoint` raise, SIGNATURE,
    INCLUSION_PROOF, INTRODUCTION.
    """
    receipt = parse_receipt(text)  # 1
    if receipt.extra is None:
        raise _error("introduction does not hold its entry", receipt.index)
    entry = parse_entry(receipt.extra)
    rotation = rotation_of(entry)  # 2
    claim = parse_checkpoint(receipt.checkpoint)  # 3
    if claim.origin != entry.origin:
        raise _error("introduction is of another log than its checkpoint", entry.index)
    if receipt.index != entry.index or claim.size != rotation.size:
        raise _error("introduction is not under the head right after its entry", entry.index)
    signed = verify_note(claim.note, [rotation.old, rotation.new])
    for key, which in ((rotation.old, "old"), (rotation.new, "new")):  # 4
        if key not in signed:
            raise _error(f"introduction is not signed by the {which} key", entry.index)
    verify_inclusion(leaf_hash(receipt.extra), receipt.index, claim.size, receipt.hashes, claim.root)  # 5
    return Introduction(rotation, claim.root, text if isinstance(text, str) else text.decode())


def follow(texts: Iterable[str | bytes], origin: str) -> tuple[Introduction, ...]:
    """The introductions of a log, in the order in which they must be given: each by the key that the one before
    introduced, further on in the log.

    Raises VerificationError as `verify_introduction`, naming the one that does not hold: altered, missing, out of
    order, of another log.
    """
    chain: list[Introduction] = []
    ids: set[bytes] = set()
    for number, text in enumerate(texts, 1):
        if number > MAX_INTRODUCTIONS:
            raise _error(f"there are more than {MAX_INTRODUCTIONS} introductions")
        try:
            found = verify_introduction(text)
        except VerificationError as err:
            detail = f"introduction {number} does not hold: {err.detail}"
            raise VerificationError(detail, reason=err.reason, index=err.index) from None
        rotation, before = found.rotation, chain[-1].rotation if chain else None
        if rotation.old.name != origin:
            raise _error(f"introduction {number} is of another log", rotation.index)
        if before is not None and (
            rotation.old != before.new
            or rotation.generation != before.generation + 1
            or rotation.index <= before.index
        ):
            raise _error(
                f"introduction {number} is not by the key that the one before introduced: one is missing, or"
                " they are out of order",
                rotation.index,
            )
        ids |= {rotation.old.key_id}
        if rotation.new.key_id in ids:
            raise _error(f"introduction {number} brings back the id of an earlier key", rotation.index)
        chain.append(found)
    return tuple(chain)


def chain_terms(first: VerifierKey, rotations: Sequence[Rotation]) -> tuple[Term, ...]:
    """The term of each key of a log that began with `first`, in order. Raises VerificationError (INTRODUCTION) when the
    rotations do not lead from key to key.
    """
    found, key, begin = [], first, 0
    for generation, rotation in enumerate(rotations, 2):
        if rotation.old != key or rotation.generation != generation or rotation.size <= begin:
            raise _error("rotation is not of the key in use before it", rotation.index)
        found.append(Term(key, begin, rotation.size))
        key, begin = rotation.new, rotation.size
    return (*found, Term(key, begin))


def terms(
    keys: Collection[VerifierKey], chain: Sequence[Introduction], *, before: bool = False
) -> tuple[Term, ...]:
    """Which keys may have signed which heads, for whoever trusts `keys` and was shown `chain` (of `follow`).

    A key that is trusted vouches for the one that it introduced, and so on. A key that is trusted and was introduced
    itself is held to its term, too. `before` also takes the keys that came before a trusted one: for heads that are
    compared with the log anyway, never for a receipt alone, because whoever stole a retired key can sign old sizes.
    """
    rotations = [item.rotation for item in chain]
    generations: list[Term] = []
    if rotations:
        begin = 0
        for rotation in rotations:
            generations.append(Term(rotation.old, begin, rotation.size))
            begin = rotation.size
        generations.append(Term(rotations[-1].new, begin))
    trusted = [number for number, term in enumerate(generations) if term.key in keys]
    start = len(generations) if not trusted else 0 if before else trusted[0]
    of_chain = {term.key for term in generations}
    return (*(Term(key) for key in keys if key not in of_chain), *generations[start:])


def learned(keys: Iterable[Verifier | str], texts: Sequence[str | bytes]) -> tuple[Verifier, ...]:
    """`keys` of one log and those that `texts` introduce from them: what `verify_receipt` and `TiledLog` take.

    Raises VerificationError as `follow`, KEY_FORMAT, and UNKNOWN_KEY when the introductions are of none of the keys.
    """
    given = [VerifierKey.parse(key) if isinstance(key, str) else key for key in keys]
    plain = [key.key if isinstance(key, Term) else key for key in given]
    if not texts:
        return tuple(given)
    origin = plain[0].name if plain else ""
    chain = follow(texts, origin)
    if not {key for item in chain for key in (item.rotation.old, item.rotation.new)} & set(plain):
        raise VerificationError("introductions are of other keys than the given one", reason="UNKNOWN_KEY")
    return terms(plain, chain)


def _key(entry: Entry, name: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(entry.body.get(name, ""))
    except VerificationError:
        raise _error(f"rotation does not name its {name} key", entry.index) from None
    if key.name != entry.origin or key.type != ED25519:
        raise _error(f"{name} key of the rotation is not a key of this log", entry.index)
    return key


def _error(detail: str, index: int | None = None) -> VerificationError:
    return VerificationError(detail, reason=REASON, index=index)
