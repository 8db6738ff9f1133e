"""A second reading of docs/format.md: checks tests/vectors/ledger-v1 without any code of Attending.

    python tests/vectors/check_independent.py [FOLDER]

Needs the standard library and `cryptography`. Written from the document alone, plainly and slowly, so that a gap in the
document shows. Prints one line a file and ends with status 1 when a vector does not come out as it says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
TYPES_KNOWN_HERE = {
    "system.started",
    "inference.requested",
    "inference.generated",
    "inference.released",
    "subject.erased",
}


class Refused(Exception):
    """With the reason of the vectors, where the document gives one."""


def require(condition: object, reason: str) -> None:
    if not condition:
        raise Refused(reason)


# --- canonical JSON ------------------------------------------------------------------------------------------


def write(value: Any, depth: int = 0) -> str:
    """The one encoding of a value of the model."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) is int:
        require(abs(value) < 2**53, "integer")
        return str(value)
    if type(value) is str:
        out = []
        for char in value:
            require(not 0xD800 <= ord(char) <= 0xDFFF, "surrogate")
            short = {
                '"': '\\"',
                "\\": "\\\\",
                "\b": "\\b",
                "\t": "\\t",
                "\n": "\\n",
                "\f": "\\f",
                "\r": "\\r",
            }
            out.append(short.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x20 else char))
        return '"' + "".join(out) + '"'
    require(depth < 16, "depth")
    if type(value) is list:
        return "[" + ",".join(write(item, depth + 1) for item in value) + "]"
    require(type(value) is dict, "type")
    require(all(type(key) is str and key.isascii() for key in value), "key")
    return "{" + ",".join(f"{write(key)}:{write(value[key], depth + 1)}" for key in sorted(value)) + "}"


def read(data: bytes) -> Any:
    """The value of canonical bytes: read in any way, written again, compared."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(items)) == len(items), "duplicate key")
        return dict(items)

    def never(_: str) -> Any:
        raise Refused("number")

    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=pairs, parse_float=never, parse_constant=never
        )
    except (ValueError, RecursionError) as err:
        raise Refused("CANONICAL_FORM") from err
    require(write(value).encode("utf-8", "surrogatepass") == data, "CANONICAL_FORM")
    return value


def check_canonical(vectors: dict[str, Any]) -> int:
    for item in vectors["accept"]:
        assert write(item["value"]).encode().hex() == item["hex"]
        assert read(bytes.fromhex(item["hex"])) == item["value"]
    for item in vectors["refuse"]:
        refused(lambda raw=item["hex"]: read(bytes.fromhex(raw)), item["why"])
    return len(vectors["accept"]) + len(vectors["refuse"])


def refused(call: Any, why: str, reason: str | None = None) -> None:
    """Asserts that a call refuses, with the reason when one is given."""
    try:
        call()
    except Refused as err:
        if reason not in (None, str(err)):
            raise AssertionError(f"{why}: {err} instead of {reason}") from err
    else:
        raise AssertionError(f"accepted: {why}")


# --- entries -------------------------------------------------------------------------------------------------

FIELDS = {
    "actor",
    "body",
    "commitments",
    "index",
    "occurred_at",
    "origin",
    "prev",
    "stream",
    "subject",
    "time",
    "type",
    "v",
}
HEX32 = re.compile(r"[0-9a-f]{64}")


def is_time(text: object) -> bool:
    if type(text) is not str or not re.fullmatch(
        r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}Z", text
    ):
        return False
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return text[17:19] != "60" and text[17:19] != "61"


def matches(pattern: str, text: object) -> bool:
    return type(text) is str and re.fullmatch(pattern, text) is not None


def read_entry(data: bytes) -> dict[str, Any]:
    require(len(data) <= 65_535, "ENTRY_TOO_LARGE")
    try:
        value = read(data)
    except Refused as err:
        raise Refused("CANONICAL_FORM") from err
    schema = "ENTRY_SCHEMA"
    require(type(value) is dict, schema)
    require(not (type(value.get("v")) is int and value["v"] > 1), "UNKNOWN_VERSION")
    require(set(value) == FIELDS and type(value["v"]) is int and value["v"] == 1, schema)
    require(type(value["index"]) is int and value["index"] >= 0, schema)
    require(matches(HEX32.pattern, value["prev"]) and type(value["body"]) is dict, schema)
    require(
        matches(r"[!-*,-~]{1,255}", value["origin"]) and matches(r"[!-~]{1,255}", value["stream"]), schema
    )
    require(matches(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}", value["type"]), schema)
    require(matches("[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]{1,255}", value["actor"]), schema)
    require(value["subject"] is None or matches(r"sub_[A-Za-z2-7]{26}", value["subject"]), schema)
    require(
        is_time(value["time"]) and (value["occurred_at"] is None or is_time(value["occurred_at"])), schema
    )
    require(type(value["commitments"]) is list, schema)
    for item in value["commitments"]:
        require(type(item) is dict and set(item) == {"ciphertext", "commitment", "kind", "record"}, schema)
        require(
            matches(HEX32.pattern, item["ciphertext"]) and matches(HEX32.pattern, item["commitment"]), schema
        )
        require(
            matches(r"[a-z][a-z0-9_.-]{0,63}", item["kind"]) and matches(r"[!-~]{1,255}", item["record"]),
            schema,
        )
    found: dict[str, Any] = value
    return found


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data)


def check_entries(vectors: dict[str, Any]) -> int:
    for item in vectors["accept"]:
        data = item["entry"].encode()
        value = read_entry(data)
        assert leaf(data).hex() == item["leaf_hash"]
        assert (value["type"] in TYPES_KNOWN_HERE) == item["known_type"]
    prev, time = "0" * 64, ""
    for index, text in enumerate(vectors["log"]):
        value = read_entry(text.encode())
        assert (value["index"], value["prev"]) == (index, prev)
        assert value["time"] >= time
        prev, time = leaf(text.encode()).hex(), value["time"]
    for item in vectors["refuse"]:
        refused(lambda raw=item["hex"]: read_entry(bytes.fromhex(raw)), item["why"], item["reason"])
    return len(vectors["accept"]) + len(vectors["log"]) + len(vectors["refuse"])


# --- trees: RFC 6962, by its recursive definitions -----------------------------------------------------------


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root_of(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return sha256(b"\x01" + root_of(leaves[:middle]) + root_of(leaves[middle:]))


def climb(index: int, size: int, start: bytes, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to."""
    require(0 <= index < size and all(len(item) == 32 for item in proof), "INCLUSION_PROOF")
    if size == 1:
        require(not proof, "INCLUSION_PROOF")
        return start
    require(proof, "INCLUSION_PROOF")
    middle = split(size)
    if index < middle:
        return sha256(b"\x01" + climb(index, middle, start, proof[:-1]) + proof[-1])
    return sha256(b"\x01" + proof[-1] + climb(index - middle, size - middle, start, proof[:-1]))


def verify_inclusion(item: dict[str, Any]) -> None:
    proof = [bytes.fromhex(part) for part in item["proof"]]
    root = climb(item["index"], item["size"], bytes.fromhex(item["leaf_hash"]), proof)
    require(root.hex() == item["root"], "INCLUSION_PROOF")


def both_roots(size1: int, size2: int, proof: list[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """The roots of both trees; `known` is the first one's as long as the first is the second's left part."""
    if size1 == size2:
        if known is not None:
            require(not proof, "CONSISTENCY_PROOF")
            return known, known
        require(len(proof) == 1, "CONSISTENCY_PROOF")
        return proof[0], proof[0]
    require(proof, "CONSISTENCY_PROOF")
    middle = split(size2)
    if size1 <= middle:
        first, second = both_roots(size1, middle, proof[:-1], known)
        return first, sha256(b"\x01" + second + proof[-1])
    first, second = both_roots(size1 - middle, size2 - middle, proof[:-1], None)
    return sha256(b"\x01" + proof[-1] + first), sha256(b"\x01" + proof[-1] + second)


def verify_consistency(item: dict[str, Any]) -> None:
    size1, size2, root1, root2 = item["size1"], item["size2"], item["root1"], item["root2"]
    proof = [bytes.fromhex(part) for part in item["proof"]]
    reason = "CONSISTENCY_PROOF"
    require(0 <= size1 <= size2 and all(len(part) == 32 for part in proof), reason)
    if size1 == 0:
        require(not proof and root1 == sha256(b"").hex(), reason)
        return
    first, second = both_roots(size1, size2, proof, bytes.fromhex(root1))
    require((first.hex(), second.hex()) == (root1, root2), reason)


def compact(leaves: list[bytes]) -> list[bytes]:
    found = []
    while leaves:
        width = 1 << (len(leaves).bit_length() - 1)
        found.append(root_of(leaves[:width]))
        leaves = leaves[width:]
    return found


def numbered(size: int) -> list[bytes]:
    return [leaf(str(n).encode()) for n in range(size)]


def check_trees(vectors: dict[str, Any]) -> int:
    for item in vectors["roots"]:
        assert root_of(numbered(item["size"])).hex() == item["root"]
    for item in vectors["compact_ranges"]:
        assert [part.hex() for part in compact(numbered(item["size"]))] == item["hashes"]
    for item in vectors["inclusion"]:
        assert leaf(str(item["index"]).encode()).hex() == item["leaf_hash"]
        verify_inclusion(item)
    for item in vectors["consistency"]:
        verify_consistency(item)
    for item in vectors["inclusion_refuse"]:
        refused(lambda found=item: verify_inclusion(found), item["why"])
    for item in vectors["consistency_refuse"]:
        refused(lambda found=item: verify_consistency(found), item["why"])
    return sum(len(items) for items in vectors.values() if type(items) is list)


def check_tiles(vectors: dict[str, Any]) -> int:
    count = 0
    for tree in vectors["trees"]:
        size = tree["size"]
        leaves = numbered(size)
        assert root_of(leaves).hex() == tree["root"]
        for item in tree["tiles"]:
            span = 256 ** item["level"]
            first = 256 * item["index"]
            hashes = [root_of(leaves[span * n : span * (n + 1)]) for n in range(first, first + item["width"])]
            assert span * (first + item["width"]) <= size
            assert sha256(b"".join(hashes)).hex() == item["sha256"]
            assert item["path"] == f"tile/{item['level']}/{item['index']:03d}" + partial(item["width"])
        for item in tree["entry_bundles"]:
            first = 256 * item["index"]
            texts = [str(n).encode() for n in range(first, first + item["width"])]
            data = b"".join(struct.pack(">H", len(text)) + text for text in texts)
            assert sha256(data).hex() == item["sha256"]
            assert item["path"] == f"tile/entries/{item['index']:03d}" + partial(item["width"])
        count += len(tree["tiles"]) + len(tree["entry_bundles"])
    return count


def partial(width: int) -> str:
    return "" if width == 256 else f".p/{width}"


# --- keys, notes, checkpoints, receipts ----------------------------------------------------------------------


def from_base64(text: str, reason: str, size: int | None = None) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as err:
        raise Refused(reason) from err
    require(base64.b64encode(data).decode() == text and size in (None, len(data)), reason)
    return data


def check_public(public: bytes) -> None:
    y = int.from_bytes(public, "little") & (2**255 - 1)
    require(len(public) == 32 and y < PRIME, "KEY_FORMAT")
    require(y not in (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8), "KEY_FORMAT")


def check_signature(public: bytes, message: bytes, signature: bytes) -> None:
    check_public(public)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature as err:
        raise Refused("SIGNATURE") from err


def read_key(text: str) -> tuple[str, bytes, int, bytes]:
    """(name, key id, type, public key) of a verifier key string."""
    parts = text.split("+", 2)
    require(len(parts) == 3, "KEY_FORMAT")
    name, number, encoded = parts
    material = from_base64(encoded, "KEY_FORMAT", 33)
    kind, public = material[0], material[1:]
    require(kind in (1, 4) and name and name.isprintable() and " " not in name, "KEY_FORMAT")
    check_public(public)
    found = sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]
    require(found.hex() == number, "KEY_FORMAT")
    return name, found, kind, public


def check_keys(vectors: dict[str, Any]) -> int:
    for item in vectors["note_keys"]:
        name, number, kind, public = read_key(item["verifier_key"])
        assert (name, number.hex(), kind, public.hex()) == (
            item["name"],
            item["key_id"],
            item["type"],
            item["public_key"],
        )
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(item["seed"]))
        assert private.public_key().public_bytes_raw() == public
    for item in vectors["reviewer_keys"]:
        assert sha256(bytes.fromhex(item["public_key"])).hex()[:16] == item["key_id"]
    for item in vectors["refuse"]:
        refused(lambda text=item["verifier_key"]: read_key(text), item["why"], "KEY_FORMAT")
    return sum(len(items) for items in vectors.values())


def read_checkpoint(note: str, keys: list[str]) -> dict[str, Any]:
    return read_signed(note, keys)[0]


def read_signed(note: str, keys: list[str]) -> tuple[dict[str, Any], set[str]]:
    """What a checkpoint says, and which of the log's keys signed it."""
    text, blank, tail = note.rpartition("\n\n")
    bad = "NOTE_FORMAT"
    require(blank and tail.endswith("\n") and tail.count("\n") <= 100, bad)
    text += "\n"
    require(all(char >= " " or char == "\n" for char in text), bad)
    signatures = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "\u2014" and parts[1], bad)
        data = from_base64(parts[2], bad)
        require(len(data) > 4, bad)
        signatures.append((parts[1], data[:4], data[4:]))
    lines = text[:-1].split("\n")
    shape = "CHECKPOINT_FORMAT"
    require(len(lines) >= 3 and all(lines) and re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]), shape)
    size, root = int(lines[1]), from_base64(lines[2], shape, 32)
    require(size < 2**63 and (size or root == sha256(b"")), shape)
    signed, cosigned_at, seen = set(), None, set()
    for key, (name, number, kind, public) in zip(keys, map(read_key, keys), strict=True):
        for other, other_number, signature in signatures:
            if (other, other_number) != (name, number) or (kind == 1 and name != lines[0]):
                continue
            require((name, number) not in seen, "SIGNATURE")
            seen.add((name, number))
            if kind == 1:
                check_signature(public, text.encode(), signature)
                signed.add(key)
            else:
                require(len(signature) == 72, "SIGNATURE")
                time = int.from_bytes(signature[:8], "big")
                check_signature(public, f"cosignature/v1\ntime {time}\n{text}".encode(), signature[8:])
                cosigned_at = time
    require(signed, "UNKNOWN_KEY")
    return {"origin": lines[0], "size": size, "root": lines[2], "cosigned_at": cosigned_at}, signed


def check_checkpoints(vectors: dict[str, Any]) -> int:
    keys = [vectors["log_key"], vectors["witness_key"]]
    for item in vectors["accept"]:
        found = read_checkpoint(item["note"], keys)
        assert found == {name: item[name] for name in found}
    for item in vectors["refuse"]:
        refused(lambda note=item["note"]: read_checkpoint(note, keys), item["why"], item["reason"])
    return len(vectors["accept"]) + len(vectors["refuse"])


def read_receipt(text: str, entry: bytes, key: str) -> tuple[int, int]:
    """(index, tree size) of a receipt that shows `entry` in its log."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    bad = "RECEIPT_FORMAT"
    require(blank and lines[0] == "c2sp.org/tlog-proof@v1", bad)
    rest = lines[1:]
    if rest and rest[0].startswith("extra "):
        from_base64(rest[0][6:], bad)
        rest = rest[1:]
    require(rest and re.fullmatch(r"index (0|[1-9][0-9]{0,18})", rest[0]), bad)
    index = int(rest[0][6:])
    require(index < 2**63 and len(rest) <= 64, bad)
    proof = [from_base64(line, bad, 32) for line in rest[1:]]
    checkpoint = read_checkpoint(note, [key])
    root = climb(index, checkpoint["size"], leaf(entry), proof)
    require(base64.b64encode(root).decode() == checkpoint["root"], "INCLUSION_PROOF")
    value = read_entry(entry)
    require((value["index"], value["origin"]) == (index, checkpoint["origin"]), "RECEIPT_MISMATCH")
    return index, checkpoint["size"]


def check_receipts(vectors: dict[str, Any]) -> int:
    key = vectors["log_key"]
    for item in vectors["accept"]:
        assert read_receipt(item["receipt"], item["entry"].encode(), key) == (item["index"], item["size"])
    for item in vectors["refuse"]:
        data = item["entry"].encode()
        refused(
            lambda text=item["receipt"], raw=data: read_receipt(text, raw, key), item["why"], item["reason"]
        )
    return len(vectors["accept"]) + len(vectors["refuse"])


# --- rotation of the signing key -----------------------------------------------------------------------------


def read_introduction(text: str) -> dict[str, Any]:
    """The body of the entry that brings a new key, and the tree size at which it does."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    require(blank and lines[0] == "c2sp.org/tlog-proof@v1", "RECEIPT_FORMAT")
    bad = "INTRODUCTION"
    require(len(lines) > 1 and lines[1].startswith("extra "), bad)
    entry = from_base64(lines[1][6:], "RECEIPT_FORMAT")
    value = read_entry(entry)
    body = value["body"]
    require(value["type"] == "key.rotated" and value["stream"] == "keys/signing", bad)
    require(body.get("kind") == "signing", bad)
    require(type(body.get("generation")) is int and 2 <= body["generation"] <= 1001, bad)
    numbers = []
    for name in ("old", "new"):
        require(type(body.get(name)) is str, bad)
        try:
            of, number, kind, _public = read_key(body[name])
        except Refused as err:
            raise Refused(bad) from err
        require(of == value["origin"] and kind == 1, bad)
        numbers.append(number)
    require(numbers[0] != numbers[1], bad)
    try:
        checkpoint, signed = read_signed(note, [body["old"], body["new"]])
    except Refused as err:
        raise Refused(bad if str(err) == "UNKNOWN_KEY" else str(err)) from err
    require(checkpoint["size"] == value["index"] + 1, bad)
    require(signed == {body["old"], body["new"]}, bad)
    read_receipt(text, entry, body["old"])
    return {**body, "origin": value["origin"], "ids": numbers, "size": checkpoint["size"]}


def read_introductions(texts: list[str], origin: str) -> dict[str, tuple[int, float]]:
    """Each key to the least and the greatest size of a head that it may sign."""
    terms: dict[str, tuple[int, float]] = {}
    ids, begin, last = set(), 0, None
    for text in texts:
        found = read_introduction(text)
        require(found["origin"] == origin, "INTRODUCTION")
        if last is not None:
            follows = found["old"] == last["new"] and found["generation"] == last["generation"] + 1
            require(follows and found["size"] > last["size"], "INTRODUCTION")
        ids.add(found["ids"][0])
        require(found["ids"][1] not in ids, "INTRODUCTION")
        terms[found["old"]], terms[found["new"]] = (begin, found["size"]), (found["size"], float("inf"))
        begin, last = found["size"], found
    return terms


def check_introductions(vectors: dict[str, Any]) -> int:
    terms = read_introductions(vectors["introductions"], vectors["origin"])
    assert list(terms) == vectors["keys"]

    def read_head(note: str) -> int:
        checkpoint, signed = read_signed(note, list(terms))
        size: int = checkpoint["size"]
        require(all(terms[key][0] <= size <= terms[key][1] for key in signed), "KEY_TERM")
        return size

    for item in vectors["heads"]:
        if item["reason"] is None:
            assert read_head(item["note"]) == item["size"]
        else:
            refused(
                lambda note=item["note"]: read_head(note), f"a head of size {item['size']}", item["reason"]
            )
    for item in vectors["refuse"]:
        refused(
            lambda texts=item["introductions"]: read_introductions(texts, vectors["origin"]),
            item["why"],
            item["reason"],
        )
    return sum(len(vectors[name]) for name in ("heads", "introductions", "refuse"))


# --- payloads, statements ------------------------------------------------------------------------------------


def open_payload(item: dict[str, Any]) -> tuple[bytes, bytes]:
    """(salt, content)."""
    sealed, wrapped = bytes.fromhex(item["sealed"]), bytes.fromhex(item["wrapped"])
    require(sha256(sealed).hex() == item["ciphertext"], "CIPHERTEXT_HASH")
    aad = write({name: item[name] for name in ("kind", "origin", "record", "subject")}).encode()
    try:
        data_key = AESGCM(bytes.fromhex(item["subject_key"])).decrypt(wrapped[:12], wrapped[12:], aad)
        plain = AESGCM(data_key).decrypt(sealed[:12], sealed[12:], aad)
    except InvalidTag as err:
        raise Refused("PAYLOAD_SEALED") from err
    text = b"attending-payload/1\x00" + item["kind"].encode() + b"\x00" + plain
    require(sha256(text).hex() == item["commitment"], "PAYLOAD_COMMITMENT")
    return plain[:32], plain[32:]


def check_payloads(vectors: dict[str, Any]) -> int:
    for item in vectors["accept"]:
        salt, content = open_payload(item)
        assert (salt.hex(), content.hex()) == (item["salt"], item["content"])
        # The other way round: the same keys and nonces give the same sealed bytes.
        nonce, wrap_nonce = bytes.fromhex(item["nonce"]), bytes.fromhex(item["wrap_nonce"])
        data_key, aad = bytes.fromhex(item["data_key"]), item["aad"].encode()
        assert (nonce + AESGCM(data_key).encrypt(nonce, salt + content, aad)).hex() == item["sealed"]
        subject_key = AESGCM(bytes.fromhex(item["subject_key"]))
        assert (wrap_nonce + subject_key.encrypt(wrap_nonce, data_key, aad)).hex() == item["wrapped"]
    for item in vectors["refuse"]:
        refused(lambda found=item: open_payload(found), item["why"], item["reason"])
    return len(vectors["accept"]) + len(vectors["refuse"])


STATEMENT = {
    "disposed",
    "findings",
    "inference",
    "key_id",
    "meaning",
    "nonce",
    "origin",
    "policy_hash",
    "record",
    "role",
    "signer",
    "text_commitment",
    "time",
    "v",
    "view_commitment",
}


def verify_statement(item: dict[str, Any]) -> bytes:
    """The message under the signature."""
    value, bad = item["statement"], "STATEMENT_FORMAT"
    require(set(value) == STATEMENT and type(value["v"]) is int and value["v"] == 1, bad)
    for name in ("inference", "nonce", "origin", "record", "role", "signer"):
        require(matches("[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]{1,255}", value[name]), bad)
    for name in ("policy_hash", "text_commitment", "view_commitment"):
        require(matches(HEX32.pattern, value[name]), bad)
    require(matches(r"[0-9a-f]{16}", value["key_id"]), bad)
    require(all(type(value[name]) is int and value[name] >= 0 for name in ("disposed", "findings")), bad)
    require(is_time(value["time"]), "ENTRY_SCHEMA")
    require(value["meaning"] in ("approved", "approved_with_edits", "rejected"), bad)
    message = b"attending-review-signature/1\n" + write(value).encode()
    check_signature(bytes.fromhex(item["public_key"]), message, base64.b64decode(item["signature"]))
    return message


def check_statements(vectors: dict[str, Any]) -> int:
    for item in vectors["accept"]:
        assert verify_statement(item) == item["message"].encode()
        assert sha256(bytes.fromhex(item["public_key"])).hex()[:16] == item["statement"]["key_id"]
    for item in vectors["refuse"]:
        refused(lambda found=item: verify_statement(found), item["why"], item["reason"])
    return len(vectors["accept"]) + len(vectors["refuse"])


CHECKS = {
    "canonical.json": check_canonical,
    "checkpoints.json": check_checkpoints,
    "entries.json": check_entries,
    "introductions.json": check_introductions,
    "keys.json": check_keys,
    "payloads.json": check_payloads,
    "receipts.json": check_receipts,
    "statements.json": check_statements,
    "tiles.json": check_tiles,
    "trees.json": check_trees,
}


def main(folder: Path) -> int:
    bad = 0
    for name, check in CHECKS.items():
        try:
            count = check(json.loads((folder / name).read_bytes()))
        except (AssertionError, Refused) as err:
            bad += 1
            print(f"{name}: FAILED: {type(err).__name__} {err}")
        else:
            print(f"{name}: {count} vectors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "ledger-v1"))
