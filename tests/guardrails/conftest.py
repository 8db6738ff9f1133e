"""What the tests of the guardrails share."""

from __future__ import annotations

import pytest
from attending.guardrails.knowledge import Knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The package's own pack, which nothing changes: with its index and the automaton of its names, made once."""
    return Knowledge.load()
