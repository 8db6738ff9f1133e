"""Sieved patterns find what `re` finds: on texts of the checks, on texts made against them, and in windows."""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending import guardrails
from attending.guardrails import checks, clinical, context, sieve
from attending.guardrails.derived import _WITH_PATTERNS
from attending.guardrails.literals import FOLD, folded, required
from attending.guardrails.sieve import Group, Sieved, every

from bench.patterns import attacks

CASES = Path(__file__).parent / "checks"


@pytest.fixture(scope="module")
def patterns() -> list[Sieved]:
    for package in (checks, clinical, context):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return every()


@pytest.fixture(scope="module")
def texts(patterns: list[Sieved]) -> list[str]:
    lines = [
        line
        for name in ("dangerous", "benign")
        for line in (CASES / f"{name}.jsonl").read_text().splitlines()
    ]
    told = [json.loads(line)["output"] for line in lines]
    units = [unit for pattern in patterns for unit in attacks(pattern.compiled)]
    drawn = random.Random(5)
    made = [" ".join(drawn.sample(units, 12)) for _ in range(300)]
    return [
        *told,
        *made,
        *(text.upper().replace("I", "\u0130") for text in made[:40]),
        *(text.replace("k", "\u212a").replace("s", "\u017f").replace(" ", "\u00a0") for text in told[:40]),
        "".join(told)[:4000],
        "",
    ]


def _spans(found: Callable[..., object], *arguments: object) -> list[tuple[int, int]]:
    return [match.span() for match in found(*arguments)]  # type: ignore[attr-defined]


def test_matches_are_those_of_the_pattern(patterns: list[Sieved], texts: list[str]) -> None:
    matched = 0
    for text in texts:
        for pattern in patterns:
            expected = _spans(pattern.compiled.finditer, text)
            assert _spans(pattern.finditer, text) == expected, (pattern, text)
            first = pattern.search(text)
            assert (first.span() if first else None) == (expected[0] if expected else None), (pattern, text)
            assert Group(pattern).may_match(text) or not expected, (pattern, text)
            matched += bool(expected)
    assert matched > 5 * len(patterns)


def test_windowed_patterns_end_where_the_window_ends(patterns: list[Sieved], texts: list[str]) -> None:
    windowed = [pattern for pattern in patterns if pattern.windowed]
    drawn = random.Random(7)
    for text in texts:
        start = drawn.randrange(len(text) + 1)
        end = drawn.randrange(start, len(text) + 1)
        for pattern in windowed:
            expected = _spans(pattern.compiled.finditer, text, start, end)
            assert _spans(pattern.finditer, text, start, end) == expected, (pattern, text, start, end)


def test_folding_keeps_places_and_knows_every_letter_that_case_is_ignored_for() -> None:
    every_character = "".join(chr(code) for code in range(0x110000))
    assert len(every_character.translate(FOLD)) == len(every_character)
    assert folded(every_character) == every_character.translate(FOLD)
    assert folded(every_character[:128]) == every_character[:128].translate(FOLD)
    for match in re.finditer(r"[a-z0-9]", every_character, re.I):
        assert re.fullmatch("[a-z0-9]", match.group().translate(FOLD)), hex(ord(match.group()))
    for match in re.finditer(r"\d", every_character):
        assert match.group().translate(FOLD) in "0123456789"
    for match in re.finditer(r"\W", every_character):
        assert match.group().translate(FOLD) == " "


def test_folding_is_letter_by_letter_whatever_else_the_text_holds() -> None:
    odd = "\u2019\u2013\u00b5\u212a\u017f\u0661\u00e9\u03bc\U0001f600\ud800"
    drawn = random.Random(3)
    for letters in (odd[:6], odd):
        for _ in range(300):
            text = "".join(drawn.choice(letters + "aK1 .") for _ in range(drawn.randrange(12)))
            assert folded(text) == text.translate(FOLD), ascii(text)


def test_texts_that_are_looked_over_as_one_keep_their_own_ends(
    patterns: list[Sieved], texts: list[str]
) -> None:
    """Of texts alike but for case and the space behind them the literals are looked for once: in the first."""
    drawn = random.Random(11)
    for told in drawn.sample(texts, 60):
        text = (told * 20)[: drawn.randrange(200, 900)].strip()
        for variant in (f"{text} ", text, text.lower(), f"{text}{' ' * 20}", f"{text}, ", f"{text}. \n"):
            for pattern in patterns:
                assert _spans(pattern.finditer, variant) == _spans(pattern.compiled.finditer, variant), (
                    pattern,
                    variant,
                )


@pytest.mark.parametrize(
    ("pattern", "literals", "begins"),
    [
        (r"\biv\b", {" iv "}, True),
        (r"(?<![\w-])(?:oral(?! thrush)|by mouth)(?!\w)", {" oral ", " by mouth "}, True),
        (r"\bstay\b[^.]{0,25}at home", {" stay ", "at home"}, True),
        (r"\w+ (?:twice|thrice)", {" twice", " thrice"}, False),
        (r"(?:very )*", set(), False),
        (r"\bnot|", set(), False),
        (r"(?a:\bnaive\b)", set(), False),
    ],
)
def test_what_is_required_is_read_from_the_pattern(pattern: str, literals: set[str], begins: bool) -> None:
    found = required(pattern)
    assert found.any_of <= literals
    assert bool(found.any_of) is bool(literals)
    assert bool(found.starts) is begins


class _Overtaken(sieve._Held):
    """Another thread begins and ends with the same text where this one has just seen that nobody had begun."""

    overtaken = False

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "_begin" and not self.overtaken:
            self.overtaken = True
            self._begun()
        return value


def test_two_threads_that_ask_for_one_text_find_the_same() -> None:
    held = _Overtaken(1, [(0, 3, 8), (1, 9, 12), (0, 20, 25)], [{0: -1}])
    assert held.places(0) == [2, 19]


def test_each_pattern_of_the_package_compiles() -> None:
    """A pattern is compiled when it first runs: one that cannot be would fail a text, not the start."""
    for module in pkgutil.walk_packages(guardrails.__path__, f"{guardrails.__name__}."):
        if module.name.startswith(_WITH_PATTERNS):
            importlib.import_module(module.name)
    for pattern in every():
        assert pattern.compiled.pattern == pattern.pattern
        assert pattern.match == pattern.compiled.match


def test_an_end_inside_a_word_is_refused_where_it_could_hide_a_match() -> None:
    pattern = Sieved(r"\bstop\b")
    with pytest.raises(ValueError, match="windowed"):
        pattern.search("stop stopping", 0, 9)
