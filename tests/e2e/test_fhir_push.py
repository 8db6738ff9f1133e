"""kill -9 of a server that writes to a record system: every review is there after all, once, in its last state."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from attending.client import AttendingApiError, Client, NoticeClient
from attending.server.clock import now
from attending.server.outside.assertion import ClientKey
from attending.v1 import ledger_pb2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.calls import TIMEOUT, infer_request
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import REPLAYED
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ended
from tests.server.fhir.fhir_server import CLIENT, FhirServer, running

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]

ROUNDS = 3
A_ROUND = 4


def test_no_kill_loses_or_doubles_a_resource(
    tmp_path: Path, lying_provider: LyingProvider, ends: ExitStack
) -> None:
    hospital = ConfiguredServer(tmp_path / "hospital", REPLAYED, lying_provider.url)
    hospital.prepare()
    key = hospital.folder / "ehr.pem"
    made = ec.generate_private_key(ec.SECP384R1())
    key.touch(mode=0o600)
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ends.enter_context(running(FhirServer(jwk=ClientKey(key, "test", now).jwk)))
    with (hospital.folder / "attending.toml").open("a") as file:
        file.write(
            f'\n[[fhir.endpoint]]\nname = "ehr"\ntenant = "north"\nurl = "{server.url}"\n'
            f'client_id = "{CLIENT}"\nclient_key_file = "ehr.pem"\nallow_private = true\n'
        )
    ends.enter_context(ended(hospital))
    hospital.start()
    with NoticeClient(hospital.connection("north", "operator")) as operator:
        # From when its place is on record, everything is written.
        server.until(lambda: any(one.name == "ehr" and one.through for one in operator.notices().targets))
    with NoticeClient(hospital.connection("south", "operator")) as operator:
        assert "ehr" not in {one.name for one in operator.notices().targets}, "one tenant's, and no other's"
    held: set[str] = set()
    for number in range(ROUNDS):
        # In the middle round nothing is taken before the kill.
        server.down = number == 1
        with Client(hospital.connection("north", "app")) as app:
            for _ in range(A_ROUND):
                with suppress(AttendingApiError):
                    request = infer_request(policy="patient-message", model="dose")
                    held.add(app.inference.Infer(request, timeout=TIMEOUT).result.ticket.ticket_id)
        with Client(hospital.connection("south", "app")) as app:
            app.inference.Infer(infer_request(policy="patient-message", model="dose"), timeout=TIMEOUT)
        hospital.kill()
        hospital.start()
    server.down = False
    assert len(held) == ROUNDS * A_ROUND
    wanted = {ticket.replace("_", "-") for ticket in held}
    server.until(lambda: wanted <= {task["id"] for task in server.of("Task")}, 120)
    with NoticeClient(hospital.connection("north", "operator")) as operator:
        server.until(
            lambda: any(
                one.name == "ehr" and one.delivered >= len(held) and not one.waiting
                for one in operator.notices().targets
            )
        )
        assert not [dead for dead in operator.notices().dead if dead.target == "ehr"]
        operator.test("ehr")
        server.until(
            lambda: any(one.name == "ehr" and one.delivered > len(held) for one in operator.notices().targets)
        )
    assert {task["id"] for task in server.of("Task")} == wanted, "none twice, and none of another tenant"
    assert {task["status"] for task in server.of("Task")} == {"requested"}
    given = disclosures(hospital)
    assert {one["body"]["inference"] for one in given} == {one["stream"].split("/")[2] for one in given}
    assert len({one["stream"] for one in given}) == len(given) == len(held), "each on record once"
    assert hospital.stop() == 0
    log = hospital.log.read_text(errors="replace")
    for secret in (*server.tokens, "PRIVATE KEY"):
        assert secret not in log


def disclosures(hospital: ConfiguredServer) -> list[dict[str, Any]]:
    with Client(hospital.connection("north", "auditor")) as auditor:
        found, token = [], ""
        while True:
            page = auditor.ledger.ListEntries(ledger_pb2.ListEntriesRequest(page_size=500, page_token=token))
            found += [json.loads(one.data) for one in page.entries]
            token = page.next_page_token
            if not token:
                return [one for one in found if one["type"] == "access.disclosed"]
