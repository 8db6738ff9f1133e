"""The log of a real server process over HTTPS: read and verified whole, each tenant its own, nothing personal."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from attending.client import Client
from attending.ledger.entry import parse_entry
from attending.ledger.errors import NotFound
from attending.ledger.static.client import TiledLog
from attending.ledger.verify.segments import verify_chain
from attending.v1 import ledger_pb2

from tests.e2e.calls import TIMEOUT, infer_request, state
from tests.e2e.configured_server import ROLES, ConfiguredServer

SUBJECT = "Wilhelmina Canarsie"

Reader = Callable[[str, str | None], httpx.Response]


@pytest.fixture(scope="module")
def get(hospital: ConfiguredServer) -> Iterator[Reader]:
    """GET of a path, with the bearer token of an identity (`north/auditor`) or without one."""
    context = ssl.create_default_context(cafile=str(hospital.folder / "ca.pem"))
    with httpx.Client(verify=context, timeout=30) as client:

        def read(path: str, who: str | None) -> httpx.Response:
            headers = {}
            if who is not None:
                tenant, _slash, role = who.partition("/")
                headers["Authorization"] = f"Bearer {hospital.tokens[hospital.name(tenant, role)]}"
            return client.get(f"https://localhost:{hospital.where['http_port']}/{path}", headers=headers)

        yield read


def opened(hospital: ConfiguredServer, get: Reader, older: str | None = None) -> TiledLog:
    def fetch(path: str) -> bytes:
        answer = get(f"north/{path}", "north/auditor")
        if answer.status_code == 404:
            raise NotFound(path)
        answer.raise_for_status()
        return answer.content

    return TiledLog.open(fetch, [hospital.where["log_keys"]["north"]], older=older)


def test_an_inference_is_in_the_static_log(hospital: ConfiguredServer, get: Reader) -> None:
    before = opened(hospital, get)
    with Client(hospital.connection("north", "app")) as app:
        result = app.inference.Infer(
            infer_request(f"Write to {SUBJECT}.", model="letter"), timeout=TIMEOUT
        ).result
    assert state(result) == "released"
    deadline, types = time.monotonic() + 30, set[str]()
    while "inference.released" not in types:
        assert time.monotonic() < deadline
        log = opened(hospital, get, before.checkpoint)
        entries = list(log.entries(0, log.size))
        new = [parse_entry(data) for data in entries[before.size :]]
        types = {entry.type for entry in new if entry.stream == result.inference_id}
    assert types == {"inference.requested", "inference.generated", "inference.released"}
    frontier = verify_chain(entries, log.head.origin)
    assert (frontier.size, frontier.root()) == (log.size, log.head.root)
    assert SUBJECT.split()[1].encode() not in b"".join(entries)
    with Client(hospital.connection("north", "auditor")) as auditor:
        asked = ledger_pb2.GetInclusionProofRequest(index=0, tree_size=log.size)
        assert list(auditor.ledger.GetInclusionProof(asked, timeout=TIMEOUT).hashes) == log.inclusion_proof(0)


@pytest.mark.parametrize("role", ["app", *ROLES, "several", "expired", None])
def test_another_tenants_log_looks_like_none(get: Reader, role: str | None) -> None:
    who = None if role is None else f"south/{role}"
    for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "tile/0/999", "no/such/thing"):
        if not path.endswith(("999", "thing")):
            assert get(f"north/{path}", "north/auditor").status_code == 200
        answers = [get(f"{log}/{path}", who) for log in ("north", "system", "nowhere")]
        assert {answer.status_code for answer in answers} == {401 if role in (None, "expired") else 404}
        # `date` and the like aside, of which only the names are compared.
        said = {(answer.text, tuple(sorted(answer.headers))) for answer in answers}
        assert len(said) == 1, path


def test_roles_over_http(get: Reader) -> None:
    expected = {
        "app": 403,
        "clinician": 403,
        "pharmacist": 403,
        "operator": 403,
        "auditor": 200,
        "privacy_officer": 200,
        "safety_officer": 200,
    }
    for role, status in expected.items():
        assert get("south/checkpoint", f"south/{role}").status_code == 200, role
        assert get("south/tile/0/000.p/1", f"south/{role}").status_code == 200, role
        assert get("south/tile/entries/000.p/1", f"south/{role}").status_code == status, role
    assert get("south/checkpoint", None).status_code == 401
