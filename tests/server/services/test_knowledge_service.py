"""KnowledgeService over real TLS, and `attending knowledge attest`: two people, on record, bound to the row."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.guardrails.finding import Basis
from attending.guardrails.knowledge import Knowledge, attestation, load
from attending.guardrails.knowledge.lint import lint
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.errors import AttendingError
from attending.server.services.knowledge import KnowledgeService, stream_of
from attending.server.services.knowledge import build as build_knowledge
from attending.server.services.ledger import build as build_ledger
from attending.v1 import knowledge_pb2, knowledge_pb2_grpc

from tests.server.people.conftest import fresh, person

TENANT = "demo"


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[build_ledger, build_knowledge])


@pytest.fixture(scope="module")
def facts() -> list[tuple[str, str]]:
    """(digest, rule id) of curated rows whose rule has one row."""
    rows = [
        found for found in load.Pack.read(load.DEFAULT).facts() if found[2]["basis"] == attestation.CURATED
    ]
    rules = [row["rule_id"] for _, _, row in rows]
    return [(digest, row["rule_id"]) for table, digest, row in rows[:2000]
            if table == "contraindications.tsv" and rules.count(row["rule_id"]) == 1]  # fmt: skip


def stub(server: Any, who: str) -> Any:
    return knowledge_pb2_grpc.KnowledgeServiceStub(server.channel(who))


def asked(digest: str, key: str = "") -> knowledge_pb2.AttestFactRequest:
    return knowledge_pb2.AttestFactRequest(
        idempotency_key=key or uuid.uuid4().hex, digest=bytes.fromhex(digest)
    )


def refused(call: Any, message: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        call(message)
    return translate(caught.value)


def test_a_fact_is_attested_by_two_people_and_both_are_on_record(
    server: Any, facts: list[tuple[str, str]]
) -> None:
    digest, rule = facts[0]
    officer, pharmacist = stub(server, "demo-safety-officer"), stub(server, "demo-pharmacist")
    request = asked(digest)
    first = officer.AttestFact(request)
    assert (first.rule_id, first.attested, first.pharmacist) == (rule, False, "")
    assert officer.AttestFact(request).receipt.index == first.receipt.index
    assert refused(officer.AttestFact, asked(digest)).reason == "SECOND_PERSON_REQUIRED"
    second = pharmacist.AttestFact(asked(digest))
    assert second.attested
    assert (second.pharmacist, second.second) == ("human:demo-pharmacist", "human:demo-safety-officer")
    assert second.attested_at.seconds
    assert pharmacist.AttestFact(asked(digest)).receipt.index == second.receipt.index
    entries = server.run(server.app.ledger.stream_entries(TENANT, stream_of(digest)))
    assert [entry.type for entry in entries] == ["knowledge.attested"] * 2
    assert [entry.body["role"] for entry in entries] == ["safety_officer", "pharmacist"]
    assert entries[0].body["pack"] == load.Pack.read(load.DEFAULT).hash


@pytest.mark.parametrize("who", ["dr-rivera", "demo-operator", "demo-app"])
def test_nobody_else_attests(server: Any, facts: list[tuple[str, str]], who: str) -> None:
    assert refused(stub(server, who).AttestFact, asked(facts[1][0])).reason == "PERMISSION_DENIED"
    assert server.run(server.app.ledger.stream_version(TENANT, stream_of(facts[1][0]))) == 0


def test_what_is_no_curated_fact_of_the_pack_is_not_attested(server: Any) -> None:
    pharmacist = stub(server, "demo-pharmacist")
    labelled = next(d for _, d, row in load.Pack.read(load.DEFAULT).facts() if row["basis"] == "label_text")
    assert refused(pharmacist.AttestFact, asked(labelled)).reason == "UNKNOWN_FACT"
    assert refused(pharmacist.AttestFact, asked("00" * 32)).reason == "UNKNOWN_FACT"
    short = refused(pharmacist.AttestFact, asked("00"))
    assert short.reason == "INVALID_REQUEST"
    assert [field for field, _ in short.field_violations] == ["digest"]


def test_two_officers_are_not_enough_and_of_two_at_once_one_is_first(
    server: Any, facts: list[tuple[str, str]]
) -> None:
    digest, rule = facts[2]
    service = KnowledgeService(server.app.ledger, {digest: rule}, "sha256:x", server.app.now)

    def officer(name: str, role: str = "safety_officer") -> Any:
        return replace(person(name, role), tenant=TENANT)

    async def both() -> list[Any]:
        calls = [service._record(officer(name), digest, fresh()) for name in ("anna", "berta")]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = server.run(both())
    won = [result for result in results if isinstance(result, int)]
    lost = [result.reason for result in results if isinstance(result, AttendingError)]
    assert (len(won), lost) in ((1, ["LOST_RACE"]), (1, ["PHARMACIST_REQUIRED"]))
    with pytest.raises(AttendingError) as caught:
        server.run(service._record(officer("clara"), digest, fresh()))
    assert caught.value.reason == "PHARMACIST_REQUIRED"
    server.run(service._record(officer("paula", "pharmacist"), digest, fresh()))
    with pytest.raises(AttendingError) as caught:
        server.run(service._record(officer("petra", "pharmacist"), digest, fresh()))
    assert caught.value.reason == "FACT_ATTESTED"


def test_the_command_writes_the_pack_when_both_have_attested(
    server: Any,
    facts: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest, rule = facts[3]
    monkeypatch.setenv("ATTENDING_DATA", str(server.embedded.folder))
    folder = tmp_path / "pack"
    shutil.copytree(load.DEFAULT, folder)
    arguments = ["knowledge", "attest", rule, "--knowledge", str(folder), "--yes", "--json"]
    assert run(arguments) == Exit.HELD
    assert Knowledge.load(folder).hash == load.Pack.read(load.DEFAULT).hash
    assert run(arguments) == Exit.HELD
    capsys.readouterr()
    assert run([*arguments, "--as", "demo-safety-officer"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["attested"]
    pack = load.Pack.read(folder)
    (row,) = pack.rows(attestation.TABLE)
    assert (row["digest"], row["pharmacist"], row["second"]) == (
        digest, "human:demo-pharmacist", "human:demo-safety-officer",
    )  # fmt: skip
    assert lint(pack) == []
    drug = next(row["drug"] for _, found, row in pack.facts() if found == digest)
    bases = {fact.provenance.basis for fact in Knowledge.load(folder).contraindications(drug)
             if fact.provenance.rule_id == rule}  # fmt: skip
    assert bases == {Basis.ATTESTED}
    assert run(["knowledge", "attest", "curated:none", "--knowledge", str(folder), "--yes"]) == Exit.USAGE
