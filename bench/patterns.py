"""Every compiled pattern of the guardrails against long repeats of its own parts: does work stay near the length?

    python bench/patterns.py [--json] [--package checks]

The time for four times the text is compared with the time for the text, in the same run; a pattern whose work grows
with the square takes sixteen times as long. What is over in a few milliseconds is not compared.
Exit code 1 where a pattern grows with more than the length.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import pkgutil
import re
import time
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

import attending.guardrails as root
from attending.guardrails.sieve import Sieved

PACKAGES: Final = ("checks", "clinical", "context", "emergency", "grounding", "rails", "phi")
SHORT: Final = 2_000
NEGLIGIBLE_SECONDS: Final = 0.008
MAX_RATIO: Final = 10.0
HOPELESS_SECONDS: Final = 0.1
"""For 500 characters: work that grows with the cube would keep a longer text for minutes."""
SCREEN_RATIO: Final = 5.0
"""What takes ten times as long for four times the length takes six times as long at a quarter of it, or more."""
COMMON: Final = ("a", " ", "1", "1.", "1 ", "\n", "a b ", "not ", ", ", "1/")


def compiled() -> dict[str, re.Pattern[str]]:
    """Every pattern by the first place that has it; what a module takes from another is no other pattern."""
    found: dict[str, re.Pattern[str]] = {}
    seen: set[int] = set()
    for package in PACKAGES:
        folder = importlib.import_module(f"{root.__name__}.{package}")
        for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                for number, pattern in enumerate(_patterns(value)):
                    if id(pattern) in seen:
                        continue
                    seen.add(id(pattern))
                    found.setdefault(
                        f"{module.name.removeprefix(root.__name__ + '.')}.{name}[{number}]", pattern
                    )
    return found


def _patterns(value: object, depth: int = 0) -> Iterator[re.Pattern[str]]:
    if isinstance(value, Sieved):
        yield value.compiled
    elif isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif depth < 4 and dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from _patterns(getattr(value, one.name, None), depth + 1)
    elif depth < 4 and isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _patterns(one, depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for one in value.values():
            yield from _patterns(one, depth + 1)


def parts(pattern: re.Pattern[str]) -> list[str]:
    """Some of the literal runs that the pattern is made of, the longest and the first."""
    runs: list[str] = []

    def walk(tree: Any) -> None:
        run = ""
        for op, argument in tree:
            if op is codes.LITERAL:
                run += chr(argument)
                continue
            if run:
                runs.append(run)
                run = ""
            for inner in _inside(op, argument):
                walk(inner)
        if run:
            runs.append(run)

    walk(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    unique = list(dict.fromkeys(runs))
    return list(dict.fromkeys([*unique[:3], *sorted(unique, key=len, reverse=True)[:2]]))


def _inside(op: Any, argument: Any) -> Iterator[Any]:
    if op is codes.SUBPATTERN:
        yield argument[3]
    elif op is codes.BRANCH:
        yield from argument[1]
    elif op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        yield argument[2]
    elif op in (codes.ASSERT, codes.ASSERT_NOT):
        yield argument[1]
    elif op is codes.ATOMIC_GROUP:
        yield argument


def attacks(pattern: re.Pattern[str]) -> Iterator[str]:
    own = parts(pattern)
    yield from COMMON
    for part in own:
        yield part
        yield part + " "
    yield " ".join(own) + " "


def seconds(pattern: re.Pattern[str], text: str) -> float:
    started = time.process_time()
    for _match in pattern.finditer(text):
        pass
    return time.process_time() - started


def growth(pattern: re.Pattern[str], unit: str) -> float | None:
    """How much longer four times the text takes; None where it takes next to nothing."""
    # Most are over here. Work that grows with the square shows at a quarter of the length already, if less clearly.
    brief = unit * (SHORT // 4 // len(unit) + 1)
    first = seconds(pattern, brief)
    if first > HOPELESS_SECONDS:
        return first / max(seconds(pattern, brief[: len(brief) // 4]), 1e-6)
    screened = seconds(pattern, brief * 4)
    if screened < NEGLIGIBLE_SECONDS / 20:
        return None
    if screened < SCREEN_RATIO * min(seconds(pattern, brief) for _ in range(3)):
        return None
    short = unit * (SHORT // len(unit) + 1)
    if seconds(pattern, short * 4) < NEGLIGIBLE_SECONDS:
        return None
    low = min(seconds(pattern, short) for _ in range(3))
    return min(seconds(pattern, short * 4) for _ in range(2)) / max(low, 1e-6)


def growing(patterns: dict[str, re.Pattern[str]]) -> dict[str, float]:
    """The patterns that some attack makes grow with more than the length, with by how much."""
    found: dict[str, float] = {}
    for name, pattern in patterns.items():
        worst = max((growth(pattern, unit) or 0.0 for unit in attacks(pattern)), default=0.0)
        if worst > MAX_RATIO:
            found[name] = round(worst, 1)
    return found


def main() -> int:
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--package", choices=PACKAGES, action="append", help="all when left out")
    command.add_argument("--json", action="store_true")
    arguments = command.parse_args()
    wanted = tuple(f"{package}." for package in arguments.package or PACKAGES)
    patterns = {name: pattern for name, pattern in compiled().items() if name.startswith(wanted)}
    grown = growing(patterns)
    if arguments.json:
        print(json.dumps({"patterns": len(patterns), "grown": grown}))
    else:
        for name, ratio in sorted(grown.items()):
            print(f"{name:<60}{ratio:>7} times for four times the text")
        print(f"{len(patterns)} patterns, {len(grown)} that grow with more than the length")
    return 1 if grown else 0


if __name__ == "__main__":
    raise SystemExit(main())
