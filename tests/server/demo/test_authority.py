"""The demo's authority of time stamps: what it answers holds before OpenSSL and another library, and a hostile request
gets a refusal.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import rfc3161_client
from asn1crypto import algos, core, tsp
from attending.server.demo.authority import MAX_REQUEST_BYTES, StampAuthority, write_seal

DATA = b"what is stamped"


def request(**more: Any) -> tsp.TimeStampReq:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(DATA).digest()}
    return tsp.TimeStampReq({"version": "v1", "message_imprint": imprint, "cert_req": True, **more})


def status(answer: bytes) -> tuple[str, set[str]]:
    (said,) = core.SequenceOf.load(answer, spec=tsp.PKIStatusInfo)
    return str(said["status"].native), set(said["fail_info"].native or ())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_asks_over_http_and_verifies_what_it_gets(tmp_path: Path) -> None:
    stamps = StampAuthority()
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "root.pem").write_bytes(stamps.root.pem)

    def openssl(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["openssl", "ts", *words], cwd=tmp_path, capture_output=True, check=False)

    assert openssl("-query", "-data", "data", "-sha256", "-cert", "-out", "query").returncode == 0
    with stamps.listening() as url:
        asked = urllib.request.Request(
            url, (tmp_path / "query").read_bytes(), {"content-type": "application/timestamp-query"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answered:
            (tmp_path / "answer").write_bytes(answered.read())
    verify = ("-verify", "-in", "answer", "-CAfile", "root.pem")
    good = openssl(*verify, "-queryfile", "query")
    assert good.returncode == 0, good.stderr
    (tmp_path / "data").write_bytes(b"something else")
    assert openssl(*verify, "-data", "data").returncode != 0


def test_another_library_takes_its_stamps_and_not_those_of_another_authority() -> None:
    stamps = StampAuthority()
    answer = rfc3161_client.decode_timestamp_response(stamps.answer(request(nonce=77).dump()))
    assert answer.tst_info.nonce == 77

    def taken(root: StampAuthority) -> bool:
        verifier = rfc3161_client.VerifierBuilder(roots=[root.root.certificate]).build()
        try:
            return bool(verifier.verify_message(answer, DATA))
        except rfc3161_client.VerificationError:
            return False

    assert taken(stamps)
    assert not taken(StampAuthority())


SHORT = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": b"short"}
OLD = {"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": bytes(20)}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (b"", "bad_data_format"),
        (b"\x30\x80\x00\x00", "bad_data_format"),
        (b"\x30\x03\x02\x01\x01", "bad_data_format"),
        (request().dump() + b"more", "bad_data_format"),
        (request(message_imprint=SHORT).dump(), "bad_data_format"),
        (request(message_imprint=OLD).dump(), "bad_alg"),
        (request(req_policy="1.2.3").dump(), "unaccepted_policy"),
    ],
)
def test_what_is_no_request_of_ours_gets_no_stamp(asked: bytes, why: str) -> None:
    assert status(StampAuthority().answer(asked)) == ("rejection", {why})


def test_without_being_asked_for_its_certificate_it_leaves_it_out() -> None:
    answer = tsp.TimeStampResp.load(StampAuthority().answer(request(cert_req=False).dump()))
    signed = answer["time_stamp_token"]["content"]
    assert answer["status"]["status"].native == "granted"
    assert signed["certificates"].native is None
    assert algos.DigestAlgorithm({"algorithm": "sha256"}).dump() == signed["digest_algorithms"][0].dump()


def test_a_request_without_end_is_not_read() -> None:
    with StampAuthority().listening() as url:
        for size in (str(MAX_REQUEST_BYTES + 1), "-1", "x"):
            connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
            connection.putrequest("POST", "/stamp")
            connection.putheader("content-length", size)
            connection.endheaders()
            assert connection.getresponse().status == 413
            connection.close()


def test_the_seal_is_found_from_anywhere_though_the_demos_folder_is_given_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = write_seal(Path("seal"), StampAuthority(), "http://127.0.0.1:1/")
    files = [Path(keys[name]) for name in keys if name.endswith("_file")]
    assert len(files) == 4
    assert all(file.is_absolute() and file.is_file() for file in files)
