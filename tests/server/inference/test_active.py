"""What is in force is on record, once a change; what a policy asks for and nobody does is refused or said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server.app import package_policies
from attending.server.errors import ConfigurationError
from attending.server.inference.active import record_active, require_supported

from tests.server.inference.conftest import TENANT, Gate


async def test_each_change_is_one_entry(gate: Gate) -> None:
    for knowledge in ("sha256:" + "a" * 64, "sha256:" + "a" * 64, "sha256:" + "b" * 64):
        await record_active(gate.ledger, [TENANT], gate.policies, knowledge, "srv-test", gate.clock)
    knowledge_entries = await gate.ledger.stream_entries(TENANT, "knowledge")
    assert [entry.body["knowledge_hash"][0] for entry in knowledge_entries] == ["a", "b"]
    for policy in gate.policies.values():
        entries = await gate.ledger.stream_entries(TENANT, f"policy:{policy.name}")
        assert [entry.type for entry in entries] == ["policy.activated"]
        assert entries[0].body["policy_hash"] == policy.hash.removeprefix("sha256:")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  text: false", "  text: true"),
        ("  count: 1\n", "  count: 2\n  blinded_second_read: true\n"),
    ],
)
def test_a_policy_that_asks_for_what_is_not_built_is_refused(tmp_path: Path, old: str, new: str) -> None:
    folder = tmp_path / "administrative-letter"
    shutil.copytree(package_policies() / "administrative-letter", folder)
    file = folder / "policy.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        require_supported(PolicySet.load(tmp_path))
    assert caught.value.reason == "POLICY_NOT_SUPPORTED"
