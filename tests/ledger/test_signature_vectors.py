"""tests/vectors/signatures-v1: kept, judged the same by this implementation and by a second reading of the document."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.review_signature import parse_statement
from attending.ledger.reviewer_key import (
    Algorithm,
    Proof,
    ReviewerKey,
    check_key,
    parse_proof,
    parse_reviewer_key,
)
from attending.ledger.vault import payload_commitment
from attending.ledger.verify.displayed import Displayed
from attending.ledger.verify.report import Findings, Status
from attending.ledger.verify.signatures import Signatures

VECTORS = Path(__file__).parents[1] / "vectors"
FILE = VECTORS / "signatures-v1/signatures.json"
PUBLISHED = Path(__file__).parents[3] / "shared/vectors/wycheproof"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

SAID = {
    "ALGORITHM": "signed with another algorithm than the key is enrolled for",
    "AUTHENTICATOR_DATA": "assertion: authenticator data is not well formed",
    "CHALLENGE": "assertion: another challenge was answered",
    "CLIENT_DATA_TYPE": "assertion: client data is not of a signature",
    "FRAME": "assertion: it was made in a frame of another site",
    "KEY_ID": "key id is not that of the statement",
    "LOG": "signature was made for another log or inference",
    "NONCE": "nonce was used before, by entry 40",
    "ORIGIN": "assertion: it was made on another origin than the key is enrolled for",
    "ROLE": "signer is not enrolled in the role",
    "RP_ID": "assertion: it was made for another RP",
    "USER_PRESENT": "assertion: nobody was present",
    "USER_VERIFIED": "assertion: the person was not verified",
    "VIEW": "what was displayed is not what the statement commits to",
}
"""What the verifier says of each verdict that is one sentence."""
STARTS = {
    "CLIENT_DATA_FORMAT": ("assertion: client data is ",),
    "DISPLAYED": ("what was displayed names ", "the text displayed is not the text signed"),
    "KEY": ("key was not enrolled", "key had expired", "key was revoked", "key is enrolled to another user"),
    "PROOF_FORMAT": ("algorithm of the signature", "an assertion by a key that is no passkey", "`"),
    "RECORD": ("text signed is not ",),
    "SIGNATURE": ("signature does not verify", "signature is not "),
    "STATEMENT": ("statement: ", "time is not", "`"),
}
"""How it begins where there are several."""


def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_bytes())
    return found


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, VECTORS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_kept_file_is_what_the_code_makes() -> None:
    assert _module("make_signature_vectors").make() == FILE.read_bytes()


def test_every_verdict_has_cases_and_every_case_a_name_of_its_own() -> None:
    cases = vectors()["cases"]
    assert {case["verdict"] for case in cases} == {"OK", *SAID, *STARTS}
    assert len({case["why"] for case in cases}) == len(cases) >= 250


def judged(case: dict[str, Any], before: list[Entry], disclosed: dict[str, Any]) -> list[str]:
    """What the verifier of bundles says against a case; empty for a signature that holds."""
    findings = Findings()
    signatures, displayed = Signatures(findings, complete_from_start=True), Displayed(findings)
    entry = parse_entry(case["entry"].encode())
    records: dict[str, str] = {}
    for one in before:
        signatures.visit(one)
        if one.stream == entry.stream:
            records |= {item.record: item.commitment for item in one.commitments}
    if "before" in case:
        signatures.check(parse_entry(case["before"].encode()), records)
    for record, payload in disclosed.items():
        displayed.disclosed(record, payload["kind"], payload["content"].encode())
    records |= {item.record: item.commitment for item in entry.commitments}
    held = signatures.check(entry, records)
    displayed.visit(entry)
    said = [item.detail for item in findings.results() if item.status is Status.FAILED]
    assert (held is not None and held.proved) == (not said or case["verdict"] == "DISPLAYED")
    return said


def test_our_verifier_gives_each_verdict_and_no_other_reason() -> None:
    found = vectors()
    before = [parse_entry(text.encode()) for text in found["before"]]
    assert [entry.index for entry in before] == [*range(40)]
    assert all(one.prev == other.leaf_hash for other, one in pairwise(before))
    for payload in found["disclosed"].values():
        salt, content = bytes.fromhex(payload["salt"]), payload["content"].encode()
        payload["commitment"] = payload_commitment(payload["kind"], salt, content).hex()
    commitments = {payload["commitment"] for payload in found["disclosed"].values()}
    for case in found["cases"]:
        assert {one.commitment for one in parse_entry(case["entry"].encode()).commitments} <= commitments
        said, verdict = judged(case, before, found["disclosed"]), case["verdict"]
        if verdict == "OK":
            assert said == [], case["why"]
        else:
            assert len(said) == 1, (case["why"], said)
            reason = said[0]
            assert reason == SAID.get(verdict, reason), case["why"]
            assert reason.startswith(STARTS.get(verdict, ("",))), (case["why"], reason)


def test_a_key_alone_gives_the_reasons_of_the_server() -> None:
    """The server asks the key before there is an entry."""
    found = vectors()
    keys = {}
    for text in found["before"]:
        entry = parse_entry(text.encode())
        if entry.type == "key.enrolled":
            keys[entry.body["key_id"]] = parse_reviewer_key(entry.body)
    expected = {"OK": None, "SIGNATURE": "SIGNATURE"}
    expected |= dict.fromkeys(("AUTHENTICATOR_DATA", "CHALLENGE", "CLIENT_DATA_FORMAT", "CLIENT_DATA_TYPE", "FRAME",
                               "ORIGIN", "RP_ID", "USER_PRESENT", "USER_VERIFIED"), "ASSERTION")  # fmt: skip
    count = 0
    for case in found["cases"]:
        if case["verdict"] in expected:
            body = parse_entry(case["entry"].encode()).body
            statement, (algorithm, proof) = parse_statement(body["statement"]), parse_proof(body)
            key = keys[statement.key_id]
            assert key.algorithm is algorithm
            assert reason_of(key, statement.message(), proof) == expected[case["verdict"]], case["why"]
            count += 1
    assert count > 150


def reason_of(key: ReviewerKey, message: bytes, proof: Proof) -> str | None:
    try:
        key.verify(message, proof)
    except VerificationError as err:
        return err.reason
    return None


def run_checker(folder: Path) -> subprocess.CompletedProcess[str]:
    """The second reading, in a process that can import nothing but the standard library."""
    command = [sys.executable, "-I", "-S", str(VECTORS / "check_signatures.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@needs_openssl
def test_a_second_reading_with_openssl_agrees() -> None:
    done = run_checker(FILE.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(vectors()["cases"])
    assert done.stdout == f"signatures.json: {count} of {count} vectors\n"


def _verdict(of: str, to: str) -> Callable[[dict[str, Any]], object]:
    def change(found: dict[str, Any]) -> object:
        found["cases"] = [case for case in found["cases"] if case["verdict"] == of][:2]
        return [case.update(verdict=to) for case in found["cases"]]

    return change


@needs_openssl
@pytest.mark.parametrize(
    "change",
    [
        _verdict("OK", "SIGNATURE"),
        _verdict("SIGNATURE", "OK"),
        _verdict("CHALLENGE", "OK"),
        _verdict("DISPLAYED", "OK"),
        _verdict("NONCE", "OK"),
        lambda found: found.update(
            cases=[{**found["cases"][0], "entry": found["cases"][0]["entry"].replace("n-1", "n-2")}]
        ),
    ],
)
def test_the_second_reading_would_object(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = vectors()
    change(found)
    (tmp_path / "signatures.json").write_text(json.dumps(found), encoding="utf-8")
    done = run_checker(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: " in done.stdout


@pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("bash", "openssl", "xxd")), reason="a tool is not installed"
)
def test_the_example_on_the_page_runs_as_printed_and_is_the_vector(tmp_path: Path) -> None:
    page = (VECTORS.parents[1] / "docs/passkeys.md").read_text()
    [(commands, expected)] = re.findall(r"```sh\n((?:(?!```).)*?)```\n\n```output\n(.*?)```", page, re.DOTALL)
    command = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    [case] = [case for case in vectors()["cases"] if case["why"] == "webauthn-es256"]
    body = parse_entry(case["entry"].encode()).body
    assert (tmp_path / "message").read_bytes() == parse_statement(body["statement"]).message()
    for name in ("authenticator_data", "client_data", "signature"):
        assert (tmp_path / name).read_bytes() == b64decode(body[name])
    [key] = [one for one in map(json.loads, vectors()["before"]) if one["body"].get("public_key")
             and one["body"]["key_id"] == body["key_id"]]  # fmt: skip
    assert "".join((tmp_path / "passkey.pem").read_text().split("\n")[1:-2]) == key["body"]["public_key"]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="published vectors are not on this machine")
def test_wycheproof_ecdsa() -> None:
    published = json.loads((PUBLISHED / "ecdsa_secp256r1_sha256_test.json").read_bytes())
    count = 0
    for group in published["testGroups"]:
        public = bytes.fromhex(group["publicKeyDer"])
        check_key(Algorithm.ES256, public)
        key = ReviewerKey(Algorithm.ES256, public)
        for item in group["tests"]:
            proof = Proof(bytes.fromhex(item["sig"]))
            verdict = "invalid" if reason_of(key, bytes.fromhex(item["msg"]), proof) else "valid"
            assert verdict == item["result"], (item["tcId"], item["comment"])
            count += 1
    assert count == published["numberOfTests"]
