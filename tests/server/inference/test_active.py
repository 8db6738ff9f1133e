"""What a policy asks for and nobody does is refused at the start."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server.errors import ConfigurationError
from attending.server.inference.active import require_supported
from attending.server.shipped import package_policies


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  text: false", "  text: true"),
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
