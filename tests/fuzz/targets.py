"""What is fuzzed: one function a parser, from bytes to nothing, that fails when a promise of that parser is broken.

The promise is the same everywhere: whatever the bytes, a value comes back or VerificationError is raised, nothing else;
what is accepted encodes to the same bytes again; what is said to be signed was signed. No fuzzer is imported here, so
`test_targets.py` drives the same functions over their seeds and over every case that once failed.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from re import fullmatch
from typing import Any

from attending.ledger import canonical
from attending.ledger.checkpoint import checkpoint_text, parse_checkpoint, sign_checkpoint, verify
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import (
    ENTRY_TYPES,
    Commitment,
    PendingEntry,
    encode_entry,
    format_time,
    parse_entry,
)
from attending.ledger.errors import CanonicalError, LedgerError, VerificationError
from attending.ledger.merkle import (
    Frontier,
    compact_range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from attending.ledger.note import SignerKey, VerifierKey, format_note, parse_note, sign_note, verify_note
from attending.ledger.proof import format_receipt, parse_receipt, verify_receipt
from attending.ledger.review_signature import parse_statement
from attending.ledger.vault import payload_commitment
from attending.ledger.verify import Anchors, Scope, Status, verify_bundle, write_bundle
from attending.ledger.verify.checks import statistics
from attending.ledger.verify.manifest import FORMAT, parse_manifest, signed_text
from attending.ledger.verify.payloads import Disclosed, Erased, Pruned, parse_line
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.scratch import scratch_folder

VECTORS = Path(__file__).parents[1] / "vectors"
GOLDEN = VECTORS / "bundle-v1"
ORIGIN = "log.example/fuzz"
SIGNER = SignerKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"f" * 32))
GOLDEN_SIGNER = SignerKey("log.example/clinic", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
START = datetime(2026, 11, 26, tzinfo=UTC)
MAX_ENTRIES = 12
_TYPES = sorted(ENTRY_TYPES)
TOKENS = (
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "[[]]",
        "0",
        "-1",
        "1.0",
        "9007199254740991",
        '""',
        '"\\ud800"',
        '"\\u0001"',
    ),
    *(
        f'"{name}":'
        for name in ("algorithm", "basis", "body", "count", "key_id", "kind", "not_after", "public_key")
    ),
    *(
        f'"{name}":'
        for name in ("record", "roles", "sign_off", "signature", "statement", "text_commitment", "v")
    ),
    *(
        "PK\x03\x04",
        "PK\x01\x02",
        "PK\x05\x06",
        "PK\x06\x06",
        "\xff\xff\xff\xff",
        "\n\n",
        "\u2014 ",
        "index ",
    ),
)
"""What libFuzzer puts in as a whole."""


@dataclass(frozen=True)
class Target:
    """A harness: what runs, what it starts from, and how long an input may be."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    max_bytes: int = 4096
    json: bool = False
    """Whether inputs are lines of JSON, to be changed as such."""


def _read(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def _entries() -> list[bytes]:
    return _read("entries.jsonl").splitlines()


@cache
def _golden_key() -> VerifierKey:
    return VerifierKey.parse((VECTORS / "bundle-v1.vkey").read_text(encoding="utf-8").splitlines()[-1])


# --- canonical JSON ------------------------------------------------------------------------------------------


def canonical_json(data: bytes) -> None:
    """Both decoders say the same, and what they accept has one encoding."""
    verdicts: list[Any] = []
    for decide in (canonical.parse_canonical, _by_stdlib):
        try:
            verdicts.append((True, decide(data)))
        except CanonicalError:
            verdicts.append((False, None))
    assert verdicts[0] == verdicts[1], "the verdict depends on orjson"
    accepted, value = verdicts[0]
    if accepted:
        assert canonical.encode(value) == canonical.encode_stdlib(value) == data
    try:
        loose = canonical.parse(data)
    except CanonicalError:
        assert not accepted
    else:
        assert canonical.parse_canonical(canonical.encode(loose)) == loose


def _by_stdlib(data: bytes) -> Any:
    value = canonical.parse(data)
    if canonical.encode_stdlib(value) != data:
        raise CanonicalError("valid but not in canonical form")
    return value


def _canonical_seeds() -> Iterator[bytes]:
    yield from (
        b'{"a":[1,-1,true,null,"\\u0001\\n\xc3\xa9"]}',
        b"[1.0]",
        b"-0",
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b"[" * 20,
    )
    yield _entries()[0]


# --- entries -------------------------------------------------------------------------------------------------


def entry(data: bytes) -> None:
    """An accepted entry is made of exactly its fields."""
    try:
        found = parse_entry(data)
    except VerificationError:
        return
    fields = {
        "actor": found.actor,
        "body": dict(found.body),
        "commitments": [item.to_json() for item in found.commitments],
        "index": found.index,
        "occurred_at": found.occurred_at,
        "origin": found.origin,
        "prev": found.prev.hex(),
        "stream": found.stream,
        "subject": found.subject,
        "time": found.time,
        "type": found.type,
        "v": 1,
    }
    assert canonical.encode(fields) == data == found.data
    assert found.leaf_hash == hashlib.sha256(b"\0" + data).digest()


# --- notes, checkpoints, receipts ----------------------------------------------------------------------------


def note(data: bytes) -> None:
    """An accepted note is its text and its signatures; a key string is its key."""
    try:
        found = parse_note(data)
    except VerificationError:
        found = None
    if found is not None:
        assert format_note(found.text, found.signatures).encode() == data
        try:
            signed = verify_note(found, [_golden_key(), SIGNER.verifier])
        except VerificationError:
            signed = {}
        assert not signed or found.text in _signed_texts()
    text = data.decode("utf-8", "surrogateescape")
    for parse in (VerifierKey.parse, SignerKey.parse):
        try:
            key = parse(text)
        except VerificationError:
            continue
        assert (key.secret_text() if isinstance(key, SignerKey) else str(key)) == text


@cache
def _signed_texts() -> frozenset[str]:
    kept = (_read("checkpoint"), _read("manifest.sig"), *_note_seeds())
    return frozenset(item.decode().rpartition("\n\n")[0] + "\n" for item in kept if b"\n\n" in item)


def _note_seeds() -> Iterator[bytes]:
    yield _read("checkpoint")
    yield _read("manifest.sig")
    yield sign_note("fuzz\n", [SIGNER]).encode()
    yield sign_note("a\n\nb\n", [SIGNER, SIGNER]).encode()
    yield sign_checkpoint(ORIGIN, 0, hashlib.sha256(b"").digest(), SIGNER.private_key).encode()
    yield str(_golden_key()).encode()
    yield SIGNER.secret_text().encode()


def checkpoint(data: bytes) -> None:
    """A checkpoint that verifies is one that was signed."""
    try:
        claim = parse_checkpoint(data)
    except VerificationError:
        return
    assert claim.note.text.startswith(checkpoint_text(claim.origin, claim.size, claim.root))
    try:
        head = verify(data, [_golden_key(), SIGNER.verifier])
    except VerificationError:
        return
    assert head.note.text in _signed_texts()


def receipt(data: bytes) -> None:
    """An accepted receipt is its parts, and proves no other entry than its own."""
    try:
        found = parse_receipt(data)
    except VerificationError:
        return
    if b"\nextra " not in data:
        assert format_receipt(found.index, found.hashes, found.checkpoint).encode() == data
    for item in _entries()[:8]:
        try:
            head = verify_receipt(data, item, [_golden_key()])
        except VerificationError:
            continue
        assert head.note.text in _signed_texts()
        assert parse_entry(item).index == found.index


def _receipt_seeds() -> Iterator[bytes]:
    nodes = [[leaf_hash(item) for item in _entries()]]
    while len(nodes[-1]) > 1:
        row = nodes[-1]
        nodes.append([node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)])
    note_text = _read("checkpoint").decode()
    for index in (0, 3, 7):
        proof = inclusion_proof(index, len(_entries()), lambda level, i: nodes[level][i])
        yield format_receipt(index, proof, note_text).encode()
    yield b"c2sp.org/tlog-proof@v1\nextra eA==\nindex 0\n\n" + _read("checkpoint")


# --- trees ---------------------------------------------------------------------------------------------------

_LEAVES = [leaf_hash(bytes([n])) for n in range(40)]


@cache
def _node(level: int, index: int) -> bytes:
    if level == 0:
        return _LEAVES[index]
    return node_hash(_node(level - 1, 2 * index), _node(level - 1, 2 * index + 1))


@cache
def _root(size: int) -> bytes:
    frontier = Frontier()
    for leaf in _LEAVES[:size]:
        frontier.append(leaf)
    return frontier.root()


def merkle(data: bytes) -> None:
    """A proof is accepted exactly when it is the proof; bytes pick sizes, nodes of the tree, and garbage."""
    if len(data) < 4:
        return
    index, size, leaf, kind = data[0] % 41, data[1] % 41, data[2] % 40, data[3]
    proof = []
    for start in range(4, len(data) - 1, 2):
        level, place = data[start] % 7, data[start + 1]
        if level == 6 or place >= 40 >> level:
            proof.append(hashlib.sha256(data[start : start + 2]).digest()[: 32 if place % 8 else 31])
        else:
            proof.append(_node(level, place))
    if kind % 2:
        try:
            verify_inclusion(_LEAVES[leaf], index, size, proof, _root(size))
        except VerificationError:
            right = index < size and leaf == index and proof == inclusion_proof(index, size, _node)
            assert not right, "the proof itself is refused"
        else:
            assert (leaf, proof) == (index, inclusion_proof(index, size, _node))
    else:
        try:
            verify_consistency(index, size, _root(index), _root(size), proof)
        except VerificationError:
            assert index > size or proof != consistency_proof(index, size, _node), (
                "the proof itself is refused"
            )
        else:
            assert proof == consistency_proof(index, size, _node)


def _merkle_seeds() -> Iterator[bytes]:
    where = {_node(level, place): bytes([level, place]) for level in range(6) for place in range(40 >> level)}
    for index, size in ((0, 1), (3, 8), (6, 7), (20, 39)):
        for kind, proof in (
            (1, inclusion_proof(index, size, _node)),
            (0, consistency_proof(index, size, _node)),
        ):
            yield bytes([index, size, index, kind]) + b"".join(where.get(item, b"\6\1") for item in proof)


# --- bundles -------------------------------------------------------------------------------------------------


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="attending-fuzz-", dir=scratch_folder()))


def bundle(data: bytes) -> None:
    """Whatever the file, there is a report; it passes only with the very entries that were signed."""
    path = _scratch() / "bundle.attending"
    path.write_bytes(data)
    report = verify_bundle(path, Anchors(keys=(_golden_key(),)))
    if report.verdict is Status.PASSED:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = {item.filename: item for item in archive.infolist()}
        assert found.keys() >= {"entries.jsonl", "checkpoint", "manifest.json"}
        assert dict(report.statistics) == json.loads(_read("manifest.json"))["statistics"]


def _bundle_seeds() -> Iterator[bytes]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", method) as archive:
            for path in sorted(GOLDEN.iterdir()):
                archive.writestr(zipfile.ZipInfo(path.name, (1980, 1, 1, 0, 0, 0)), path.read_bytes(), method)
        yield target.getvalue()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json", (1980, 1, 1, 0, 0, 0)), b"{}")
    yield target.getvalue()


def operator(data: bytes) -> None:
    """Lines {type, stream, body, kind?} become a log that the operator signed: a report, whatever it holds."""
    entries: list[bytes] = []
    prev = bytes(32)
    for line in data.split(b"\n")[:MAX_ENTRIES]:
        try:
            value = canonical.parse(line)
            pending, commitments = _order(value)
            stored = encode_entry(
                ORIGIN, len(entries), prev, START + timedelta(seconds=len(entries)), pending, commitments
            )
        except (LedgerError, TypeError, KeyError, IndexError, ValueError, AttributeError):
            continue
        prev = leaf_hash(stored)
        entries.append(stored)
    if not entries:
        return
    frontier = Frontier()
    for item in entries:
        frontier.append(leaf_hash(item))
    path = _scratch() / "operator.attending"
    write_bundle(
        path,
        origin=ORIGIN,
        scope=Scope.FULL,
        begin=0,
        end=len(entries),
        entries=entries,
        checkpoint_note=sign_checkpoint(ORIGIN, frontier.size, frontier.root(), SIGNER.private_key),
        sign=lambda text: sign_note(text, [SIGNER]),
        created=START,
    )
    report = verify_bundle(path, Anchors(keys=(SIGNER.verifier,)))
    broken = [
        item for item in report.results if item.status is Status.FAILED and item.check in {"V1", "V6", "V7"}
    ]
    assert not broken, "a log that is whole is said not to be"


def _order(value: Any) -> tuple[PendingEntry, list[Commitment]]:
    kind = value["type"]
    kind = _TYPES[kind % len(_TYPES)] if type(kind) is int else kind
    items = [
        Commitment("text", f"rec_{n}", f"{n % 256:02x}" * 32, "00" * 32) for n in value.get("records", [])
    ]
    return PendingEntry(kind, value["stream"], "app:f", value.get("subject"), dict(value["body"])), items


def _operator_seeds() -> Iterator[bytes]:
    rows = [parse_entry(item) for item in _entries()]
    yield b"\n".join(
        canonical.encode({"body": dict(row.body), "stream": row.stream, "type": row.type})
        for row in rows[:MAX_ENTRIES]
    )
    yield b"\n".join(
        canonical.encode({"body": dict(row.body), "stream": row.stream, "type": row.type})
        for row in rows[-MAX_ENTRIES:]
    )
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    public = public_bytes(key)
    enrolment = {
        "algorithm": "ed25519",
        "key_id": key_id(public),
        "not_after": None,
        "public_key": b64encode(public).decode(),
        "roles": ["clinician"],
        "user": "u",
    }
    released = {"basis": "policy", "text_commitment": "01" * 32}
    yield b"\n".join(
        canonical.encode(row)
        for row in (
            {"body": enrolment, "stream": "key", "type": "key.enrolled"},
            {"body": {"policy_hash": "ab" * 32}, "stream": "s", "type": "inference.requested"},
            {"body": {}, "records": [1], "stream": "s", "type": "inference.generated"},
            {"body": released, "stream": "s", "type": "inference.released"},
            {"body": {"key_id": key_id(public)}, "stream": "key", "type": "key.revoked"},
        )
    )


def resigned(data: bytes) -> None:
    """A bundle that its writer signed, around a head that was signed before: no entry is passed that is not the log's.

    The input is {scope, files}; a line of a file is a number, for that entry of the log, or any JSON.
    """
    try:
        value = canonical.parse(data)
        scope, files = value["scope"], {name: _content(name, lines) for name, lines in value["files"].items()}
        figures = dict(value.get("statistics") or _figures(files["entries.jsonl"]))
        listed = [
            {"name": name, "sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
            for name, raw in sorted(files.items())
        ]
        written = canonical.encode(
            {
                "created": format_time(START),
                "files": listed,
                "format": FORMAT,
                "origin": _golden_key().name,
                "scope": scope,
                "statistics": figures,
            }
        )
    except (LedgerError, LookupError, TypeError, ValueError, AttributeError):
        return
    files |= {"manifest.json": written}
    files |= {"manifest.sig": sign_note(signed_text(_golden_key().name, written), [GOLDEN_SIGNER]).encode()}
    path = _scratch() / "resigned.attending"
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), raw)
    report = verify_bundle(path, Anchors(keys=(_golden_key(),)))
    if report.verdict is Status.PASSED:
        log = _entries()
        for name in ("entries.jsonl", "context.jsonl"):
            for line in files.get(name, b"").splitlines():
                assert line == log[parse_entry(line).index], "an entry that is not the log's was passed"
        if scope["kind"] == "full":
            assert files["entries.jsonl"].splitlines() == log


def _content(name: str, lines: Any) -> bytes:
    if name == "checkpoint":
        return _read(name)
    if not name.endswith(".jsonl"):
        return canonical.encode(lines)
    log = _entries()
    return b"".join((log[line] if type(line) is int else canonical.encode(line)) + b"\n" for line in lines)


def _figures(entries: bytes) -> dict[str, Any]:
    return statistics(parse_entry(line) for line in entries.splitlines())


def _resigned_seeds() -> Iterator[bytes]:
    size = len(_entries())
    leaves = [leaf_hash(item) for item in _entries()]

    @cache
    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    def coded(hashes: list[bytes]) -> list[str]:
        return [b64encode(item).decode() for item in hashes]

    def proofs(indices: list[int]) -> list[list[str]]:
        return [coded(inclusion_proof(index, size, node)) for index in indices]

    def case(kind: str, begin: int, end: int, files: dict[str, Any]) -> bytes:
        scope = {"from": begin, "kind": kind, "to": end}
        return canonical.encode({"files": {"checkpoint": 0, **files}, "scope": scope})

    yield case("full", 0, size, {"entries.jsonl": list(range(size))})
    begin, end = 5, 21
    edge = {
        "consistency": coded(consistency_proof(end, size, node)),
        "hashes": coded(compact_range(begin, node)),
    }
    earlier = {"context.jsonl": [1, 2], "context-proofs.jsonl": proofs([1, 2])}
    yield case("range", begin, end, {"entries.jsonl": list(range(begin, end)), "range.json": edge, **earlier})
    chosen = [3, 7, 8, 29]
    yield case("subset", 3, 30, {"entries.jsonl": chosen, "proofs.jsonl": proofs(chosen)})


# --- lines, statements, manifests ----------------------------------------------------------------------------


def payload_line(data: bytes) -> None:
    """An accepted line is the one line of what it discloses."""
    found = parse_line(data)
    if found is None:
        return
    record, kind, commitment = found
    if not fullmatch(r"[0-9a-f]{64}", commitment):
        gone = {cls(record, kind).to_line() for cls in (Erased, Pruned)}
        assert data + b"\n" in gone
        return
    value = json.loads(data)
    salt = bytes.fromhex(value["salt"])
    content = b64decode(value["content"], validate=True)
    assert Disclosed(record, kind, salt, content).to_line() == data + b"\n"
    assert payload_commitment(kind, salt, content).hex() == commitment


def canonical_base64(text: str) -> bytes:
    """The bytes of base64 that is in its one form."""
    import base64

    data = base64.b64decode(text, validate=True)
    assert base64.b64encode(data).decode() == text
    return data


def _payload_seeds() -> Iterator[bytes]:
    yield from _read("payloads.jsonl").splitlines()
    yield b'{"erased":true,"kind":"prompt","record":"rec_1"}'
    yield b'[["erased",true],["kind","prompt"],["record","rec_1"]]'


def statement(data: bytes) -> None:
    """An accepted statement is what is signed."""
    try:
        value = canonical.parse_canonical(data)
        found = parse_statement(value)
    except VerificationError:
        return
    assert canonical.encode(found.to_json()) == data


def _statement_seeds() -> Iterator[bytes]:
    for item in _entries():
        found = parse_entry(item)
        if "statement" in found.body:
            yield canonical.encode(found.body["statement"])


def manifest(data: bytes) -> None:
    """An accepted manifest says the same when it is written again."""
    try:
        found = parse_manifest(data)
    except VerificationError:
        return
    assert parse_manifest(found.encode()) == found


TARGETS = {
    "canonical": Target(canonical_json, _canonical_seeds, 2048, json=True),
    "entry": Target(entry, lambda: iter(_entries()), 2048, json=True),
    "note": Target(note, _note_seeds, 2048),
    "checkpoint": Target(checkpoint, _note_seeds, 2048),
    "receipt": Target(receipt, _receipt_seeds, 2048),
    "merkle": Target(merkle, _merkle_seeds, 160),
    "bundle": Target(bundle, _bundle_seeds, 32_768),
    "operator": Target(operator, _operator_seeds, 8192, json=True),
    "resigned": Target(resigned, _resigned_seeds, 8192, json=True),
    "payload_line": Target(payload_line, _payload_seeds, 1024, json=True),
    "statement": Target(statement, _statement_seeds, 2048, json=True),
    "manifest": Target(manifest, lambda: iter([_read("manifest.json")]), 2048, json=True),
}
