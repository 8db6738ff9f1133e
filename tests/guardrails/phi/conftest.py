"""One detector for the session: loading the model takes a second."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from attending.guardrails.phi import PhiDetector, load_detector
from attending.guardrails.phi.lexicon import fold

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture(scope="session")
def detector() -> PhiDetector:
    return load_detector()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared corpora are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def clinical_detector(shared: Path) -> PhiDetector:
    """A detector that knows drug names, as in production."""
    path = shared / "knowledge-sources" / "rxnorm" / "vocab_rxnorm_ingredient.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return PhiDetector(frozenset(fold(row["rxnorm_name"]) for row in csv.DictReader(file)))
