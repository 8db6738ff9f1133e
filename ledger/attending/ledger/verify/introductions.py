"""V8 beyond one key: the introductions of a bundle, from a key that the auditor trusts to the one that signed.

Each was checked by itself and against the one before (`attending.ledger.introduction`); here they are held against the
bundle: its head extends the tree of each, and every rotation among its entries has one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.checkpoint import Checkpoint, Term, UnverifiedCheckpoint
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.introduction import Introduction, follow, is_rotation, rotation_of, terms
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import parse_receipt
from attending.ledger.verify.report import Findings

MAX_LINE_BYTES: Final = 1 << 18
"""An entry of the largest size in base64, its proof and a checkpoint are about 100 kB."""

_FIELDS: Final = {"consistency", "introduction"}

ParseHashes = Callable[[object], list[bytes]]


class Introductions:
    """Those of one bundle. Call `load` (if it has the file), then `compare`, `visit` for every entry, and `finish`."""

    def __init__(self, findings: Findings, origin: str, keys: Collection[VerifierKey]) -> None:
        self._findings = findings
        self._origin = origin
        self._keys = [key for key in keys if key.name == origin]
        self._chain: tuple[Introduction, ...] = ()
        self._proofs: list[list[bytes]] = []
        self._broken = False
        self._seen: list[Entry] = []

    @property
    def terms(self) -> tuple[Term, ...]:
        """Keys that may have signed a head of the bundle, each with the sizes that are its to sign."""
        return terms(self._keys, self._chain)

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """As `terms`, with the keys before: for earlier heads, which are compared with the entries anyway."""
        return terms(self._keys, self._chain, before=True)

    def load(self, lines: Iterable[bytes], hashes: ParseHashes) -> None:
        """Reads and follows them; where one does not hold, none of them counts."""
        texts: list[str] = []
        proofs: list[list[bytes]] = []
        try:
            for line in lines:
                value = parse_canonical(line)
                if (
                    type(value) is not dict
                    or value.keys() != _FIELDS
                    or type(value["introduction"]) is not str
                ):
                    raise VerificationError("introductions are not well formed")
                texts.append(value["introduction"])
                proofs.append(hashes(value["consistency"]))
            self._chain, self._proofs = follow(texts, self._origin), proofs
        except VerificationError as err:
            self._broken = True
            self._findings.fail("V8", err.detail, err.index)
            return
        if self._keys and not self.anchored:
            self._findings.fail(
                "V8", "introductions begin with another key than the one given, and lead from none"
            )

    @property
    def anchored(self) -> bool:
        """Whether a key that the auditor trusts is among those of the introductions."""
        keys = {key for item in self._chain for key in (item.rotation.old, item.rotation.new)}
        return bool(keys & set(self._keys))

    def compare(self, head: Checkpoint | UnverifiedCheckpoint | None) -> None:
        """The bundle's head extends the tree under each introduction."""
        if head is None:
            return
        good = 0
        for item, proof in zip(self._chain, self._proofs, strict=True):
            rotation = item.rotation
            try:
                if rotation.size > head.size:
                    detail = f"introduction of size {rotation.size} is past the head of size {head.size}"
                    self._findings.fail("V8", detail, rotation.index)
                    continue
                verify_consistency(rotation.size, head.size, item.root, head.root, proof)
                good += 1
            except VerificationError:
                detail = f"head is not one of the log that introduced its key at size {rotation.size}"
                self._findings.fail("V8", detail, rotation.index)
        if good and self.anchored:
            self._findings.note(
                "V8", f"{good} introductions lead from key to key, each for tree sizes of its own"
            )

    def visit(self, entry: Entry) -> None:
        """Notes a rotation among the entries."""
        if is_rotation(entry):
            self._seen.append(entry)

    def finish(self) -> None:
        """Every rotation among the entries has its introduction."""
        if self._broken:
            return  # said already
        held = {item.rotation.index: parse_receipt(item.text).extra for item in self._chain}
        for entry in self._seen:
            try:
                rotation_of(entry)
            except VerificationError as err:
                self._findings.fail("V8", err.detail, entry.index)
                continue
            if held.get(entry.index) != entry.data:
                detail = "entry replaces the log's signing key, and the bundle holds no introduction by the old one"
                self._findings.fail("V8", detail, entry.index)


def signed_in_term(found: Collection[VerifierKey], known: Sequence[Term], size: int | None) -> str | None:
    """Why none of the keys `found` under a manifest may sign it, for a head of `size`; None when one may."""
    mine = [term for term in known if term.key in found]
    if not mine:
        return "no given key of this log signed the manifest"
    if size is None or any(term.covers(size) for term in mine):
        return None
    return f"manifest is signed by key {mine[0].key.key_id.hex()}, which does not sign at size {size}"
