"""Drug knowledge: a pack of small reviewable tables, the graph over it, and the builders of packs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attending.guardrails.knowledge.graph import Knowledge

__all__ = ["Knowledge"]


def __getattr__(name: str) -> object:
    """`Knowledge` on first use: importing this package alone loads no table and no graph library."""
    if name == "Knowledge":
        from attending.guardrails.knowledge.graph import Knowledge

        return Knowledge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
