from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sources() -> Path:
    folder = Path(__file__).resolve().parents[4] / "shared" / "knowledge-sources"
    if not folder.is_dir():
        pytest.skip("the public knowledge sources are not beside this repository")
    return folder
