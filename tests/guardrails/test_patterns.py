"""No pattern of the guardrails takes work that grows with more than the length of a text (bench/patterns.py).

CPU time for one length is compared with that for four times it, and both come from the same run.
"""

from __future__ import annotations

import re

import pytest

from bench.patterns import PACKAGES, compiled, growing


@pytest.fixture(scope="module")
def patterns() -> dict[str, re.Pattern[str]]:
    return compiled()


@pytest.mark.parametrize("package", PACKAGES)
def test_work_grows_with_the_length_at_most(package: str, patterns: dict[str, re.Pattern[str]]) -> None:
    ours = {name: pattern for name, pattern in patterns.items() if name.startswith(f"{package}.")}
    assert ours
    assert growing(ours) == {}


def test_growth_with_the_square_is_seen() -> None:
    assert set(growing({"square": re.compile(r"\s*now\b"), "length": re.compile(r"\s{0,20}now\b")})) == {
        "square"
    }
