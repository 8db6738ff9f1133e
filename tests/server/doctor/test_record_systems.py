"""Record systems that answer, that do not, that refuse us, and keys that are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attending.server.clock import now
from attending.server.config import ConsoleSection, ConsoleSmartSection, FhirEndpointSection, FhirSection
from attending.server.doctor import record_systems
from attending.server.doctor.check import Finding, Site, State
from attending.server.outside.assertion import ClientKey

from tests.server.console.ehr import Ehr
from tests.server.console.ehr import running as record_system
from tests.server.doctor.sites import site
from tests.server.fhir.fhir_server import CLIENT, FhirServer, running
from tests.server.fhir.test_push import key_file


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FhirServer]:
    with running(FhirServer(jwk=ClientKey(key_file(tmp_path), "test", now).jwk)) as made:
        yield made


def endpoint(server: FhirServer, folder: Path, **changes: Any) -> FhirEndpointSection:
    given: dict[str, Any] = {
        "name": "ehr",
        "tenant": "test",
        "url": server.url,
        "client_id": CLIENT,
        "client_key_file": key_file(folder),
        "allow_private": True,
    }
    return FhirEndpointSection(**(given | changes))


def configured(folder: Path, **changes: Any) -> Site:
    made = site(folder)
    return replace(made, config=made.config.model_copy(update=changes))


def said(found: Iterator[Finding]) -> list[tuple[State, str]]:
    return [(finding.state, finding.reason) for finding in found]


def test_one_that_lets_us_in_and_what_is_wrong(tmp_path: Path, server: FhirServer) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no key")
    sections = [
        endpoint(server, tmp_path),
        endpoint(server, tmp_path, name="stranger", client_id="somebody"),
        endpoint(server, tmp_path, name="gone", url="http://127.0.0.1:1/r4"),
        endpoint(server, tmp_path, name="no-key", client_key_file=bad),
        endpoint(server, tmp_path, name="inside", url="https://2130706433/r4", allow_private=False),
    ]
    found = list(record_systems.written(configured(tmp_path, fhir=FhirSection(endpoint=sections))))
    assert said(iter(found)) == [
        (State.GREEN, "OK"),
        (State.RED, "RECORD_SYSTEM"),
        (State.RED, "RECORD_SYSTEM"),
        (State.RED, "CLIENT_KEY"),
        (State.RED, "RECORD_SYSTEM"),
    ]
    assert "PRIVATE_ADDRESS" in repr(found[-1])
    assert server.got == []
    assert said(record_systems.written(site(tmp_path))) == [(State.GREEN, "OK")]


def test_one_that_opens_the_console(tmp_path: Path) -> None:
    with record_system(Ehr()) as ehr:
        section = ConsoleSmartSection(
            name="ehr",
            fhir_base=ehr.fhir,
            provider="idp",
            tenant="test",
            client_id="console",
            allow_private=True,
        )
        console = ConsoleSection(tls=False, smart=[section])
        assert said(record_systems.opening(configured(tmp_path, console=console))) == [(State.GREEN, "OK")]
        ehr.faults = {"configuration": {"code_challenge_methods_supported": []}}
        [found] = record_systems.opening(configured(tmp_path, console=console))
        assert (found.state, "NO_PKCE" in repr(found)) == (State.RED, True)
    assert said(record_systems.opening(configured(tmp_path, console=None))) == [(State.GREEN, "OK")]
