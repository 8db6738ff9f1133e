"""How each mention and amount of a text is meant."""

from __future__ import annotations

from dataclasses import dataclass, field

from attending.guardrails.finding import Scope


@dataclass(slots=True)
class Reading:
    """How the item (mention or amount) is meant; `clause` is a span of the normalised text."""

    scope: Scope = Scope.MENTION
    started: bool = False
    clause: tuple[int, int] = (0, 0)
    avoid_with: bool = False
    governed: bool = False
    """A predicate or a heading decided, not the default."""
    sentence: int = -1
    clause_id: int = -1
    fact: bool = False
    denied: bool = False
    """The text says that it is not taken ("takes no opioid"), which no later "go on" turns round."""


@dataclass(slots=True)
class Scopes:
    """The readings of all mentions and amounts, by index, and the warned pairs of mentions."""

    mentions: list[Reading]
    amounts: list[Reading]
    pairs: list[tuple[int, int]] = field(default_factory=list)
