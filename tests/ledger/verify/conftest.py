"""A log in memory, built by the same pure parts as the server's, and bundles of it, honest and tampered with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.checkpoint import checkpoint_text, parse_checkpoint, sign_checkpoint
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import (
    GENESIS_PREV,
    Commitment,
    Entry,
    PendingEntry,
    encode_entry,
    format_time,
    parse_entry,
)
from attending.ledger.introduction import format_introduction, rotating_entry
from attending.ledger.merkle import (
    compact_range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    right_edge,
    root_from_hashes,
)
from attending.ledger.note import SignerKey, VerifierKey, cosign, format_note, sign_note
from attending.ledger.review_signature import Meaning, Statement, sign_statement
from attending.ledger.vault import payload_commitment
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.manifest import MANIFEST, MANIFEST_SIGNATURE, signed_text
from attending.ledger.verify.payloads import Disclosed
from attending.ledger.verify.report import Report, Status
from attending.ledger.verify.writer import write_bundle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SUBJECT = "sub_" + "a2" * 13
POLICY_HASH = hashlib.sha256(b"policy").hexdigest()
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Reviewer:
    user: str
    role: str
    key: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        return key_id(public_bytes(self.key))


class LogBuilder:
    """Appends entries to a log in memory; knows every hash, so it can also lie like an operator would."""

    def __init__(self, origin: str = "log.example/clinic", seed: int = 1) -> None:
        self.origin = origin
        self.signer = _signer(origin, seed)
        self.retired: list[tuple[int, SignerKey]] = []
        self.introductions: list[tuple[int, str]] = []
        self.witness_key = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
        self.entries: list[bytes] = []
        self.openings: dict[str, Disclosed] = {}
        self.clock = START

    @property
    def vkey(self) -> VerifierKey:
        return self.signer.verifier

    def anchors(self, **more: Any) -> Anchors:
        return Anchors(keys=(self.vkey,), **more)

    # -- appending -------------------------------------------------------------------------------------------

    def append(
        self,
        kind: str,
        stream: str,
        body: Mapping[str, Any] | None = None,
        *,
        payloads: Sequence[Commitment] = (),
        subject: str | None = None,
        actor: str = "app:test",
    ) -> Entry:
        prev = leaf_hash(self.entries[-1]) if self.entries else GENESIS_PREV
        self.clock += timedelta(seconds=1)
        pending = PendingEntry(kind, stream, actor, subject, body or {})
        data = encode_entry(self.origin, len(self.entries), prev, self.clock, pending, payloads)
        self.entries.append(data)
        return parse_entry(data)

    def payload(self, kind: str, content: bytes) -> Commitment:
        salt = hashlib.sha256(b"salt" + content + str(len(self.openings)).encode()).digest()
        record = f"rec_{len(self.openings):026d}"
        self.openings[record] = Disclosed(record, kind, salt, content)
        sealed = hashlib.sha256(b"sealed" + salt + content).hexdigest()
        return Commitment(kind, record, payload_commitment(kind, salt, content).hex(), sealed)

    def enrol(self, user: str, role: str = "clinician", *, not_after: str | None = None) -> Reviewer:
        reviewer = Reviewer(
            user, role, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(user.encode()).digest())
        )
        body = {
            "key_id": reviewer.key_id,
            "user": user,
            "public_key": b64encode(public_bytes(reviewer.key)).decode(),
            "algorithm": "ed25519",
            "roles": [role],
            "not_after": not_after,
        }
        self.append("key.enrolled", f"key:{reviewer.key_id}", body)
        return reviewer

    def request(self, stream: str, **more: Any) -> Entry:
        body = {
            "calling_app": "portal",
            "on_behalf_of": "nurse-li",
            "policy": "p",
            "policy_hash": POLICY_HASH,
            **more,
        }
        prompt = self.payload("prompt", f"prompt of {stream}".encode())
        return self.append("inference.requested", stream, body, payloads=[prompt], subject=SUBJECT)

    def generate(self, stream: str) -> Commitment:
        output = self.payload("output_final", f"output of {stream}".encode())
        self.append("inference.generated", stream, {"tokens": 12}, payloads=[output], subject=SUBJECT)
        return output

    def hold(
        self, stream: str, *, count: int = 1, roles: Sequence[str] = ("clinician",), **sign_off: Any
    ) -> Commitment:
        self.request(stream)
        output = self.generate(stream)
        body = {"findings": {"major": 1}, "sign_off": {"roles": list(roles), "count": count, **sign_off}}
        self.append("inference.held", stream, body)
        return output

    def statement(self, stream: str, reviewer: Reviewer, text: Commitment, **changes: Any) -> Statement:
        statement = Statement(
            origin=self.origin,
            inference=stream,
            record=text.record,
            text_commitment=text.commitment,
            view_commitment="ab" * 32,
            meaning=Meaning.APPROVED,
            signer=reviewer.user,
            key_id=reviewer.key_id,
            role=reviewer.role,
            time=format_time(self.clock),
            nonce=f"nonce-{len(self.entries)}",
            policy_hash=POLICY_HASH,
            findings=1,
            disposed=1,
        )
        return replace(statement, **changes)

    def sign(
        self, stream: str, reviewer: Reviewer, text: Commitment, *, edited: bool = False, **changes: Any
    ) -> Entry:
        if edited:
            changes.setdefault("meaning", Meaning.APPROVED_WITH_EDITS)
        statement = self.statement(stream, reviewer, text, **changes)
        return self.append_signed(
            stream, statement, sign_statement(statement, reviewer.key), [text] if edited else []
        )

    def append_signed(
        self, stream: str, statement: Statement, signature: bytes, payloads: Sequence[Commitment] = ()
    ) -> Entry:
        body = {
            "statement": statement.to_json(),
            "signature": b64encode(signature).decode(),
            "key_id": statement.key_id,
        }
        return self.append("review.signed", stream, body, payloads=payloads)

    def release(self, stream: str, text: Commitment, basis: str = "signed") -> Entry:
        return self.append("inference.released", stream, {"text_commitment": text.commitment, "basis": basis})

    def ordinary_day(self) -> None:
        """Policy releases, a block, a hold that is edited and signed, a rejection, a withdrawal."""
        self.append("system.started", "system", {"mode": "embedded"})
        doctor = self.enrol("dr-rivera")
        for number in range(3):
            stream = f"inf_plain_{number}"
            self.request(stream)
            self.release(stream, self.generate(stream), "policy")
        self.request("inf_blocked")
        self.append("inference.blocked", "inf_blocked", {})
        self.hold("inf_signed")
        self.append("review.claimed", "inf_signed", {})
        edited = self.payload("output_signed", b"edited output")
        self.sign("inf_signed", doctor, edited, edited=True)
        self.release("inf_signed", edited)
        refused = self.hold("inf_refused")
        self.sign("inf_refused", doctor, refused, meaning=Meaning.REJECTED, disposed=0)
        self.append("review.rejected", "inf_refused", {})
        as_is = self.hold("inf_as_is")
        self.sign("inf_as_is", doctor, as_is)
        self.release("inf_as_is", as_is)
        self.append("inference.withdrawn", "inf_as_is", {})

    def rotate(self, seed: int, *, old: SignerKey | None = None, generation: int | None = None) -> str:
        """A new signing key, and the introduction by the one before (or by `old`, who had better be that)."""
        old, new = old or self.signer, _signer(self.origin, seed)
        number = len(self.introductions) + 2 if generation is None else generation
        pending = rotating_entry(number, old.verifier, new.verifier)
        entry = self.append(pending.type, pending.stream, pending.body, actor=pending.actor)
        size = len(self.entries)
        note = sign_note(checkpoint_text(self.origin, size, self.root()), [old, new])
        text = format_introduction(entry.data, inclusion_proof(entry.index, size, self.node), note)
        self.retired.append((size, self.signer))
        self.introductions.append((size, text))
        self.signer = new
        return text

    def signers(self, size: int) -> list[SignerKey]:
        """Whose turn it is to sign a head: at the size of an introduction, that of both."""
        first, found = 0, []
        for last, signer in [*self.retired, (1 << 62, self.signer)]:
            if first <= size <= last:
                found.append(signer)
            first = last
        return found

    # -- the tree --------------------------------------------------------------------------------------------

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(self.entries[index])
        return node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))

    def root(self, size: int | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        return root_from_hashes(self.node(level, index) for level, index in right_edge(size))

    def checkpoint(self, size: int | None = None, *, cosigned_at: int | None = None) -> str:
        size = len(self.entries) if size is None else size
        if cosigned_at is None:
            keys = [signer.private_key for signer in self.signers(size)]
            return sign_checkpoint(self.origin, size, self.root(size), *keys)
        text = checkpoint_text(self.origin, size, self.root(size))
        witness = cosign("witness.example/w1", self.witness_key, text, cosigned_at)
        return format_note(text, [self.signer.sign(text), witness])

    # -- bundles ---------------------------------------------------------------------------------------------

    def full(self, path: Path, **more: Any) -> Path:
        more.setdefault("checkpoint_note", self.checkpoint())
        return self._write(path, Scope.FULL, 0, len(self.entries), self.entries, **more)

    def range(self, path: Path, begin: int, end: int, *, size: int | None = None, **more: Any) -> Path:
        size = len(self.entries) if size is None else size
        more.setdefault("checkpoint_note", self.checkpoint(size))
        more.setdefault("range_hashes", compact_range(begin, self.node))
        more.setdefault("consistency", consistency_proof(end, size, self.node))
        return self._write(path, Scope.RANGE, begin, end, self.entries[begin:end], **more)

    def subset(self, path: Path, indices: Sequence[int], **more: Any) -> Path:
        size = len(self.entries)
        more.setdefault("proofs", [inclusion_proof(index, size, self.node) for index in indices])
        more.setdefault("checkpoint_note", self.checkpoint())
        begin, end = (indices[0], indices[-1] + 1) if indices else (0, 0)
        return self._write(path, Scope.SUBSET, begin, end, [self.entries[index] for index in indices], **more)

    def _write(
        self, path: Path, scope: Scope, begin: int, end: int, entries: Iterable[bytes], **more: Any
    ) -> Path:
        head = parse_checkpoint(more["checkpoint_note"]).size
        more.setdefault(
            "introductions",
            [(text, consistency_proof(at, head, self.node)) for at, text in self.introductions if at <= head],
        )
        signer = more.pop("signer", None) or self.signers(head)[-1]
        write_bundle(
            path,
            origin=self.origin,
            scope=scope,
            begin=begin,
            end=end,
            entries=entries,
            sign=lambda text: sign_note(text, [signer]),
            created=self.clock,
            **more,
        )
        return path

    def tamper(
        self, path: Path, name: str, change: Callable[[bytes], bytes | None], *, resign: bool = False
    ) -> Path:
        """Rewrites one file of a bundle (None removes it); `resign` is what an operator with the key could
        do.
        """
        with zipfile.ZipFile(path) as archive:
            files = {item: archive.read(item) for item in archive.namelist()}
        changed = change(files[name])
        if changed is None:
            del files[name]
        else:
            files[name] = changed
        if resign:
            manifest = json.loads(files[MANIFEST])
            manifest["files"] = [
                {"name": item, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                for item, data in sorted(files.items())
                if item not in (MANIFEST, MANIFEST_SIGNATURE)
            ]
            files[MANIFEST] = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
            files[MANIFEST_SIGNATURE] = sign_note(
                signed_text(self.origin, files[MANIFEST]), [self.signer]
            ).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for item, data in files.items():
                archive.writestr(item, data)
        return path

    def verify(self, path: Path, **anchors: Any) -> Report:
        return verify_bundle(path, self.anchors(**anchors))


def _signer(origin: str, seed: int) -> SignerKey:
    return SignerKey(origin, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def failures(report: Report) -> dict[str, set[int | None]]:
    """check -> indices at which it failed."""
    found: dict[str, set[int | None]] = {}
    for item in report.results:
        if item.status is Status.FAILED:
            found.setdefault(item.check, set()).add(item.index)
    return found


@pytest.fixture(scope="session")
def make_log() -> type[LogBuilder]:
    return LogBuilder


@pytest.fixture
def log() -> LogBuilder:
    return LogBuilder()


@pytest.fixture
def day(log: LogBuilder) -> LogBuilder:
    log.ordinary_day()
    return log


@pytest.fixture
def failed() -> Callable[[Report], dict[str, set[int | None]]]:
    return failures
