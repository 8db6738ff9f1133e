"""Servers for the tests that do not kill them: one embedded, one configured with two tenants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from attending.client import Client, ReviewClient

from tests.e2e.calls import infer_request
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ServerProcess, ended

DOSE = "Take amoxicillin 500 mg three times a day for 7 days."
LETTER = "Your visit is on Tuesday at ten."
FAILURES = (
    "PROVIDER_UNAVAILABLE",
    "PROVIDER_TIMEOUT",
    "PROVIDER_REFUSED",
    "PROVIDER_RATE_LIMITED",
    "PROVIDER_BAD_REPLY",
    "PROVIDER_UNKNOWN_MODEL",
    "PROVIDER_OUTPUT_TOO_LARGE",
)
REPLAYED: list[dict[str, Any]] = [
    {"name": "letter", "output": LETTER, "input_tokens": 11, "output_tokens": 8},
    {"name": "letter-slow", "output": LETTER, "delay_ms": 1500},
    {"name": "letter-too-slow", "output": LETTER, "delay_ms": 20_000},
    {"name": "dose", "output": DOSE},
    {"name": "warned", "output": "Take ibuprofen 400 mg with your lisinopril."},
    {"name": "plan", "output": "Medicines:\n- Amoxicillin 500 mg by mouth three times a day for 7 days.\n"},
    {"name": "danger", "output": "You may take sildenafil 50 mg together with your nitroglycerin."},
    {"name": "nul", "output": "ten\x00o'clock"},
    {"name": "surrogate", "output": "ten \ud83d o'clock"},
    *({"name": reason.lower().replace("_", "-"), "output": "", "fail": reason} for reason in FAILURES),
]


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """Left when the test ends, however it does."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def server(embedded: ServerProcess) -> ServerProcess:
    return embedded


@pytest.fixture(scope="session")
def lying_provider() -> Iterator[LyingProvider]:
    provider = LyingProvider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def opened_hospital(
    tmp_path_factory: pytest.TempPathFactory, lying_provider: LyingProvider
) -> Iterator[ConfiguredServer]:
    folder = tmp_path_factory.mktemp("e2e") / "hospital"
    process = ConfiguredServer(folder, REPLAYED, lying_provider.url, workers=2)
    process.prepare()
    with ended(process):
        process.start()
        yield process
        assert process.stop() == 0


@dataclass(frozen=True)
class Lease:
    """A lease that was taken when the server started, so that a test of its end need not wait for all of it."""

    ticket_id: str
    lease_id: str
    taken: float


@pytest.fixture(scope="session")
def early_lease(opened_hospital: ConfiguredServer) -> Lease:
    with Client(opened_hospital.connection("north", "app")) as app:
        request = infer_request(policy="patient-message", model="dose")
        ticket = app.inference.Infer(request, timeout=60).result.ticket.ticket_id
    with ReviewClient(opened_hospital.connection("north", "clinician")) as clinician:
        return Lease(ticket, clinician.claim(ticket).lease_id, time.monotonic())


@pytest.fixture(scope="session")
def hospital(opened_hospital: ConfiguredServer, early_lease: Lease) -> ConfiguredServer:
    """The configured server, with the early lease taken."""
    assert early_lease.lease_id
    return opened_hospital
