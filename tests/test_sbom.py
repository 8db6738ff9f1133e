"""The bill of materials: whole, valid, the same each time, and of what a server runs with."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.knowledge.load import DEFAULT, Pack
from attending.guardrails.policy.load import PolicySet
from attending.server.providers.embedded_host import weights_path
from attending.server.shipped import package_policies
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from rfc3986_validator import validate_rfc3986

SCRIPT = Path(__file__).parents[1] / "scripts" / "sbom.py"


@pytest.fixture(scope="module")
def bill() -> str:
    """As the script makes it, in this process: with its order of sets."""
    spec = importlib.util.spec_from_file_location("attending_sbom", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SOURCE_DATE_EPOCH", raising=False)
        return str(script.document())


def test_it_is_valid_and_the_same_each_time(tmp_path: Path, bill: str) -> None:
    found = json.loads(bill)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    # The schema asks for IRI references, which the validator checks only with a grammar that takes a second to load.
    assert all(validate_rfc3986(url, rule="URI") for url in _urls(found))
    assert "timestamp" not in found["metadata"]
    # Another order of sets, and a date: the same but for the date, to the order of every key.
    target = tmp_path / "a" / "sbom.json"
    done = subprocess.run(
        [sys.executable, SCRIPT, target],
        env={**os.environ, "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dated = json.loads(target.read_text())
    assert dated["metadata"].pop("timestamp") == "2023-11-14T22:13:20+00:00"
    assert json.dumps(dated) == json.dumps(found)


def test_it_names_what_a_server_runs_with_and_no_tool(bill: str) -> None:
    found: dict[str, Any] = json.loads(bill)
    components = {one["name"]: one for one in found["components"]}
    assert {"grpcio", "pydantic", "cedarpy", "presidio-analyzer", "botocore", "xllamacpp"} <= set(components)
    assert not {"pytest", "mypy", "moto", "cyclonedx-python-lib", "ruff"} & set(components)
    # Every package has a version and hashes of its distributions, and every edge leads to something.
    for one in components.values():
        if one["type"] == "library":
            [distribution] = one["externalReferences"]
            assert distribution["hashes"], one["name"]
            assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
    refs = {"attending", *(one["bom-ref"] for one in components.values())}
    edges = {one["ref"]: set(one.get("dependsOn", ())) for one in found["dependencies"]}
    assert refs <= set(edges)
    reached: set[str] = set()
    waiting = ["attending"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += edges[ref]
    assert reached == refs


def test_model_knowledge_and_policies_are_in_it_by_content(bill: str) -> None:
    components = {one["name"]: one for one in json.loads(bill)["components"]}
    model = components[weights_path().stem]
    assert model["type"] == "machine-learning-model"
    with weights_path().open("rb") as file:
        assert model["hashes"][0]["content"] == hashlib.file_digest(file, "sha256").hexdigest()

    def content_hash(name: str) -> str:
        return str(
            {one["name"]: one["value"] for one in components[name]["properties"]}["attending:content-hash"]
        )

    assert content_hash("attending-knowledge-pack") == Pack.read(DEFAULT).hash
    for name, policy in PolicySet.load(package_policies()).items():
        assert content_hash(f"policy-{name}") == policy.hash
        files = {one["name"] for one in components[f"policy-{name}"]["components"]}
        assert "policy.yaml" in files
    assert content_hash("policy-authorization").startswith("sha256:")


def _urls(value: Any) -> list[str]:
    """Every `url` of the bill, wherever it stands."""
    if isinstance(value, list):
        return [url for one in value for url in _urls(one)]
    if not isinstance(value, dict):
        return []
    own = [value["url"]] if "url" in value else []
    return own + [url for one in value.values() for url in _urls(one)]
