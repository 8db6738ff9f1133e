"""Policies with their cases, and whether there are people for what they ask."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.knowledge.load import DEFAULT, Pack
from attending.guardrails.policy.load import PolicySet
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.activation.registry import Registry
from attending.server.auth.principal import Principal
from attending.server.auth.service_key import LEAST, hash_service_key, new_service_key, prefix_of
from attending.server.database import ledger_config
from attending.server.doctor.check import Site, State
from attending.server.idempotency import Once
from attending.server.shipped import package_policies

from tests.server.doctor.sites import NOW, PEOPLE, identity, look, reasons, site, with_entries

RED, WARNING = State.RED, State.WARNING


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of one policy and of the authorisation policies, to be spoilt."""
    folder = tmp_path / "policies"
    for name in ("administrative-letter", "authorization"):
        shutil.copytree(package_policies() / name, folder / name)
    return folder


def with_policies(folder: Path, policies: Path, **more: Any) -> Site:
    both = {"folder": str(policies), "authorization": str(policies / "authorization")}
    return site(folder, policies=both, **more)


def test_clinical_policies_and_their_cases(tmp_path: Path, policies: Path) -> None:
    at = with_policies(tmp_path, policies)
    assert reasons("policies:clinical", at) == {}
    cases = policies / "administrative-letter/cases.jsonl"
    lines = cases.read_text().splitlines()
    wrong = json.loads(lines[0])
    wrong["expect"] = {"disposition": "block" if wrong["expect"]["disposition"] != "block" else "release"}
    cases.write_text("\n".join([json.dumps(wrong), *lines[1:]]) + "\n")
    policy = policies / "administrative-letter/policy.yaml"
    document = yaml.safe_load(policy.read_text())
    document["rails"] |= {
        "budget_ms": 120_000,
        "validators": [
            {"name": "no phone", "stage": "output", "import": "no_such_module:NoPhone", "code": "unsupported"}
        ],
    }
    policy.write_text(yaml.safe_dump(document))
    assert reasons("policies:clinical", at) == {
        "POLICY_CASE_FAILED": RED,
        "RAIL_MISSING": RED,
        "RAIL_BUDGET_TOO_LONG": WARNING,
    }
    # The name of the case is told; its text may be anything.
    told = repr(look("policies:clinical", at))
    assert wrong["output"] not in told
    assert "no phone" in told


def test_when_policies_were_reviewed(tmp_path: Path) -> None:
    assert reasons("policies:reviewed", site(tmp_path)) == {}
    late = site(tmp_path, now=datetime(2031, 1, 1, tzinfo=UTC))
    assert reasons("policies:reviewed", late) == {"POLICY_REVIEW_DUE": WARNING}


def test_authorisation_policies_and_their_cases(tmp_path: Path, policies: Path) -> None:
    at = with_policies(tmp_path, policies)
    assert reasons("policies:authorization", at) == {}
    cases = policies / "authorization/cases.jsonl"
    first, *rest = cases.read_text().splitlines()
    wrong = json.loads(first)
    wrong["allowed"] = not wrong["allowed"]
    cases.write_text("\n".join([json.dumps(wrong), *rest]) + "\n")
    assert reasons("policies:authorization", at) == {"AUTHORIZATION_CASE_FAILED": RED}


def test_the_knowledge_pack(tmp_path: Path) -> None:
    assert reasons("policies:knowledge", site(tmp_path)) == {}
    pack = tmp_path / "pack"
    shutil.copytree(DEFAULT, pack)
    at = site(tmp_path, knowledge={"folder": "pack"})
    assert reasons("policies:knowledge", at) == {}
    with (pack / "names.tsv").open("a") as file:
        file.write("\n")
    assert reasons("policies:knowledge", at) == {"KNOWLEDGE_PACK": RED}
    shutil.rmtree(pack)
    assert reasons("policies:knowledge", at) == {"KNOWLEDGE_PACK": RED}


async def test_what_is_not_in_force(tmp_path: Path, policies: Path) -> None:
    at = with_policies(tmp_path, policies)
    assert reasons("policies:in_force", at) == {}
    await with_entries(at)
    # Before its first start a tenant waits for nobody.
    assert reasons("policies:in_force", at) == {}
    name = "administrative-letter"
    ledger = await Ledger.open(ledger_config(at.config), metadata=[projections.metadata], clock=lambda: NOW)
    loaded = PolicySet.load(policies)
    registry = Registry(ledger, loaded, policies, None, lambda: Pack.read(DEFAULT).hash, lambda: NOW)
    try:
        await registry.bootstrap("st-mary", "srv", "amara")
        assert reasons("policies:in_force", at) == {}
        with (policies / name / "policy.yaml").open("a") as file:
            file.write("# another version\n")
        assert reasons("policies:in_force", at) == {"NOT_ACTIVATED": RED}
        wanted = PolicySet.load(policies)[name].hash.removeprefix("sha256:")
        ops, officer = (
            Principal(who, "st-mary", "human", frozenset({role}), who, "token")
            for who, role in (("ops", "operator"), ("safety", "safety_officer"))
        )
        await registry.request(ops, name, wanted, Once("a", b"a"))
        assert reasons("policies:in_force", at) == {"SECOND_PERSON_MISSING": RED}
        await registry.approve(officer, name, wanted, Once("b", b"b"))
        assert reasons("policies:in_force", at) == {}
        await registry.retire(officer, name, Once("c", b"c"))
        assert reasons("policies:in_force", at) == {"POLICY_RETIRED": WARNING}
    finally:
        await ledger.close()


def test_what_has_run_out(tmp_path: Path) -> None:
    assert reasons("identities:expiry", site(tmp_path)) == {}
    token = new_service_key()
    key = {"prefix": prefix_of(token), "hash": hash_service_key(token, LEAST)}
    people = [
        identity("gone", "auditor", expires=NOW - timedelta(days=1)),
        identity("k1", "auditor", service_keys=[{**key, "expires": NOW - timedelta(days=1)}]),
        identity("soon", "auditor", expires=NOW + timedelta(days=3)),
        identity("dr-gone", "clinician", licence_expires=NOW - timedelta(days=1)),
        identity("dr-soon", "clinician", licence_expires=NOW + timedelta(days=3), display_name="Zebulon Q"),
        identity("dr-untrained", "clinician", competency_expires=NOW - timedelta(days=1)),
    ]
    at = site(tmp_path, identities=people)
    assert reasons("identities:expiry", at) == {
        "SERVICE_KEY_EXPIRED": WARNING,
        "IDENTITY_EXPIRED": WARNING,
        "IDENTITY_EXPIRES": WARNING,
        "LICENCE_EXPIRED": WARNING,
        "COMPETENCY_EXPIRED": WARNING,
        "LICENCE_EXPIRES": WARNING,
    }
    assert "Zebulon" not in repr(look("identities:expiry", at))


@pytest.mark.parametrize(
    "signer",
    [
        None,
        identity("dr-a", "clinician", licence_expires=NOW),
        identity("dr-a", "clinician", competency_expires=NOW),
        identity("dr-a", "clinician", expires=NOW),
        identity("dr-a", "clinician", signing_public_key=None),
        identity("dr-a", "clinician", "operator"),
        identity("dr-a", "clinician", tenant="other"),
    ],
    ids=["nobody", "licence", "competency", "expired", "no key", "operator", "of another tenant"],
)
def test_nobody_who_can_sign(tmp_path: Path, signer: dict[str, Any] | None) -> None:
    people = [one for one in PEOPLE if "clinician" not in one["roles"]]
    people += [signer] if signer is not None else []
    tenants = [{"name": "st-mary"}, {"name": "other"}]
    others = [identity("o1", "clinician", tenant="other"), identity("o2", "clinician", tenant="other")]
    found = look("identities:signers", site(tmp_path, identities=[*people, *others], tenants=tenants))
    assert {one.reason for one in found if "`st-mary`" in one.detail} == {"NO_SIGNER"}
    assert {one.reason for one in found if "`other`" in one.detail} == {"OK"}


def test_signers_who_are_enough_or_just_one(tmp_path: Path) -> None:
    assert reasons("identities:signers", site(tmp_path)) == {}
    people = [one for one in PEOPLE if one["name"] != "dr-b"]
    assert reasons("identities:signers", site(tmp_path, identities=people)) == {"NO_SECOND_SIGNER": WARNING}


def test_a_finding_wants_the_signature_of_somebody_who_is_not_there(tmp_path: Path, policies: Path) -> None:
    path = next(policies.glob("*/policy.yaml"))
    text = path.read_text(encoding="utf-8")
    skills = "sign_offs:\n  skills:\n    - {findings: [doses], roles: [pharmacist]}\n"
    path.write_text(text.replace("sign_offs:\n", skills, 1), encoding="utf-8")
    others = [one for one in PEOPLE if "pharmacist" not in one["roles"]]
    assert reasons("identities:signers", with_policies(tmp_path, policies, identities=others)) == {
        "NO_SKILLED_SIGNER": RED
    }
    lapsed = identity("ph-a", "pharmacist", licence_expires=NOW)
    there = identity("ph-b", "pharmacist")
    at = with_policies(tmp_path, policies, identities=[*others, lapsed])
    assert reasons("identities:signers", at) == {"NO_SKILLED_SIGNER": RED}
    assert reasons("identities:signers", with_policies(tmp_path, policies, identities=[*others, there])) == {}


def test_duties(tmp_path: Path) -> None:
    assert reasons("identities:duties", site(tmp_path)) == {}
    assert reasons("identities:duties", site(tmp_path, identities=[])) == {
        "NO_ONE_FOR_ROLE": WARNING,
        "NO_APPLICATION": WARNING,
    }
    both = [one for one in PEOPLE if one["name"] not in ("ops", "audit")]
    both.append(identity("both", "operator", "auditor"))
    assert reasons("identities:duties", site(tmp_path, identities=both)) == {"DUTIES_NOT_APART": WARNING}
