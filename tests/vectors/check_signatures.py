"""A second reading of docs/format.md, "Reviewer's signature": checks tests/vectors/signatures-v1 without Attending.

    python tests/vectors/check_signatures.py [FOLDER]

Needs the standard library and the command `openssl`, which verifies every signature. Written from the document alone:
each rule refuses with a name of its own. Prints how many vectors came out as they say, and ends with status 1 when one
does not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

TAG = b"attending-review-signature/1\n"
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
COUNTS, HASHES = ("disposed", "findings"), ("policy_hash", "text_commitment", "view_commitment")
TEXTS = ("inference", "nonce", "origin", "record", "role", "signer")
STATEMENT = {*COUNTS, *HASHES, *TEXTS, "key_id", "meaning", "time", "v"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Refused(Exception):
    """With the name of the rule."""


def require(condition: object, rule: str) -> None:
    if not condition:
        raise Refused(rule)


# --- JSON, base64 --------------------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """Of the values that a statement holds: no floats, names in ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def object_of(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8 in which no name stands twice, at any depth; ValueError otherwise."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def no_constant(_: str) -> Any:
        raise ValueError("NaN is no JSON")

    value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    if type(value) is not dict:
        raise ValueError("no object")
    return value


def unbase64(value: object, rule: str) -> bytes:
    """Padded, and in its one form."""
    require(type(value) is str, rule)
    try:
        data = base64.b64decode(str(value), validate=True)
    except ValueError as err:
        raise Refused(rule) from err
    require(base64.b64encode(data).decode() == value, rule)
    return data


def url_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(str.maketrans("+/", "-_", "="))


# --- signatures, by openssl ----------------------------------------------------------------------------------


@cache
def pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n".encode()


def verifies(algorithm: str, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """What openssl says."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"key": pem(public_key), "message": message, "signature": signature}
        for name, data in names.items():
            (Path(folder) / name).write_bytes(data)
        if algorithm.endswith("ed25519"):
            command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in message -sigfile signature"
        else:
            command = "openssl dgst -sha256 -verify key -signature signature message"
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


# --- the log -------------------------------------------------------------------------------------------------


@dataclass
class Log:
    """What entries before a signature say: enrolments, revocations, records, nonces."""

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    records: dict[tuple[str, str], str] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)

    def read(self, entry: dict[str, Any]) -> None:
        for item in entry["commitments"]:
            self.records[entry["stream"], item["record"]] = item["commitment"]
        body = entry["body"]
        if entry["type"] == "key.enrolled":
            public = base64.b64decode(body["public_key"])
            prefix = {"ed25519": b"", "webauthn-ed25519": ED25519_SPKI}.get(body["algorithm"], P256_SPKI)
            assert public.startswith(prefix)
            assert hashlib.sha256(public).hexdigest()[:16] == body["key_id"]
            self.keys[body["key_id"]] = body
        elif entry["type"] == "key.revoked":
            self.revoked.add(body["key_id"])
        elif entry["type"] == "review.signed":
            self.nonces.add(body["statement"]["nonce"])


def judge(log: Log, entry: dict[str, Any], disclosed: dict[str, Any]) -> None:
    """Returns for a signature that holds; Refused with the rule that it breaks."""
    body = entry["body"]
    statement = body["statement"]
    read_statement(statement)
    algorithm, signature = body.get("algorithm", "ed25519"), unbase64(body.get("signature"), "PROOF_FORMAT")
    known = ("ed25519", "es256", "webauthn-es256", "webauthn-ed25519")
    require(type(algorithm) is str and algorithm in known, "PROOF_FORMAT")
    documents = [body.get(name) for name in ("authenticator_data", "client_data")]
    if algorithm.startswith("webauthn-"):
        documents = [unbase64(document, "PROOF_FORMAT") for document in documents]
    else:
        require(documents == [None, None], "PROOF_FORMAT")
    require(body["key_id"] == statement["key_id"], "KEY_ID")
    # Where the signature stands.
    require((statement["origin"], statement["inference"]) == (entry["origin"], entry["stream"]), "LOG")
    require(statement["nonce"] not in log.nonces, "NONCE")
    record = log.records.get((entry["stream"], statement["record"]))
    require(record == statement["text_commitment"], "RECORD")
    # Whose key it is.
    key = log.keys.get(statement["key_id"])
    if key is None or statement["key_id"] in log.revoked or key["user"] != statement["signer"]:
        raise Refused("KEY")
    latest = max(statement["time"], entry["time"])
    require(key["not_after"] is None or latest <= key["not_after"], "KEY")
    require(statement["role"] in key["roles"], "ROLE")
    require(key["algorithm"] == algorithm, "ALGORITHM")
    # The signature.
    message = TAG + canonical(statement)
    if algorithm.startswith("webauthn-"):
        message = signed_by_passkey(key, message, *documents)
    public = base64.b64decode(key["public_key"])
    public = ED25519_SPKI + public if algorithm == "ed25519" else public
    require(verifies(algorithm, public, message, signature), "SIGNATURE")
    read_view(entry, statement, disclosed)


def read_statement(value: Any) -> None:
    """Rule STATEMENT."""
    rule = "STATEMENT"
    require(type(value) is dict and set(value) == STATEMENT, rule)
    require(type(value["v"]) is int and value["v"] == 1, rule)
    for name in TEXTS:
        require(type(value[name]) is str and 1 <= len(value[name]) <= 255, rule)
        require(not re.search("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]", value[name]), rule)
    for name in HASHES:
        require(type(value[name]) is str and re.fullmatch("[0-9a-f]{64}", value[name]), rule)
    require(type(value["key_id"]) is str and re.fullmatch("[0-9a-f]{16}", value["key_id"]), rule)
    require(all(type(value[name]) is int and value[name] >= 0 for name in COUNTS), rule)
    require(type(value["time"]) is str and TIME.fullmatch(value["time"]), rule)
    require(value["meaning"] in ("approved", "approved_with_edits", "rejected"), rule)


def signed_by_passkey(key: dict[str, Any], message: bytes, authenticator: Any, client: Any) -> bytes:
    """The bytes under the signature; rules 1 to 6 of the document."""
    require(len(client) <= 4096, "CLIENT_DATA_FORMAT")  # 1
    try:
        said = object_of(client)
    except (ValueError, RecursionError) as err:
        raise Refused("CLIENT_DATA_FORMAT") from err
    require(said.get("type") == "webauthn.get", "CLIENT_DATA_TYPE")
    require(said.get("challenge") == url_base64(hashlib.sha256(message).digest()), "CHALLENGE")  # 2
    require(type(said.get("origin")) is str and said["origin"] in key["origins"], "ORIGIN")  # 3
    require(said.get("crossOrigin", False) is False and "topOrigin" not in said, "FRAME")
    require(37 <= len(authenticator) <= 4096, "AUTHENTICATOR_DATA")
    require(authenticator[:32] == hashlib.sha256(key["rp_id"].encode()).digest(), "RP_ID")  # 4
    flags = authenticator[32]
    require(flags & 0x01, "USER_PRESENT")  # 5
    require(flags & 0x04, "USER_VERIFIED")
    require(not flags & 0x40, "AUTHENTICATOR_DATA")  # 6
    require((len(authenticator) > 37) == bool(flags & 0x80), "AUTHENTICATOR_DATA")
    return bytes(authenticator + hashlib.sha256(client).digest())


def read_view(entry: dict[str, Any], statement: dict[str, Any], disclosed: dict[str, Any]) -> None:
    """Rule 7, and of a view that is disclosed what it says."""
    [item] = [one for one in entry["commitments"] if one["kind"] == "view"]
    require(item["commitment"] == statement["view_commitment"], "VIEW")
    view, text = disclosed[item["record"]], disclosed[statement["record"]]
    for one, committed in ((view, item["commitment"]), (text, statement["text_commitment"])):
        start = b"attending-payload/1\0" + one["kind"].encode() + b"\0" + bytes.fromhex(one["salt"])
        assert hashlib.sha256(start + one["content"].encode()).hexdigest() == committed
    shown = json.loads(view["content"])
    assert canonical(shown).decode() == view["content"]
    assert shown["format"] == "attending-view/1"
    same = all(shown[name] == statement[name] for name in ("inference", "signer", "role"))
    require(same and shown["text"] == text["content"], "DISPLAYED")


def main(folder: Path) -> int:
    vectors = json.loads((folder / "signatures.json").read_bytes())
    bad = 0
    for case in vectors["cases"]:
        log = Log()
        for text in [*vectors["before"], *([case["before"]] if "before" in case else [])]:
            log.read(json.loads(text))
        try:
            judge(log, json.loads(case["entry"]), vectors["disclosed"])
            found = "OK"
        except Refused as err:
            found = str(err)
        if found != case["verdict"]:
            bad += 1
            print(f"FAILED: {case['why']}: {found} instead of {case['verdict']}")
    print(f"signatures.json: {len(vectors['cases']) - bad} of {len(vectors['cases'])} vectors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "signatures-v1"))
