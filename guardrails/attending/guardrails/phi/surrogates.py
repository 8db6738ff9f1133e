"""What stands for what within one inference: placeholders and moved dates. PHI, and kept with the call alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from attending.guardrails.phi.date_shift import DateShift


class Surrogates(Mapping[str, str]):
    """Each placeholder with its original, and in `dates` how dates were moved; None where they were not."""

    __slots__ = ("_placeholders", "dates")

    def __init__(self, placeholders: Mapping[str, str] | None = None, dates: DateShift | None = None) -> None:
        self._placeholders = MappingProxyType(dict(placeholders or {}))
        self.dates = dates

    def __getitem__(self, placeholder: str) -> str:
        return self._placeholders[placeholder]

    def __iter__(self) -> Iterator[str]:
        return iter(self._placeholders)

    def __len__(self) -> int:
        return len(self._placeholders)

    def __bool__(self) -> bool:
        return self.replaced > 0

    @property
    def replaced(self) -> int:
        """How many different values were replaced or moved."""
        return len(self) + (0 if self.dates is None else len(self.dates.given))

    def __repr__(self) -> str:
        return f"Surrogates(replaced={self.replaced})"

    def __reduce__(self) -> tuple[object, ...]:
        return Surrogates, (dict(self._placeholders), self.dates)


def count_replaced(mapping: Mapping[str, str]) -> int:
    """How many different values were replaced, moved dates among them."""
    return mapping.replaced if isinstance(mapping, Surrogates) else len(mapping)


def dates_of(mapping: Mapping[str, str]) -> DateShift | None:
    """The moved dates of a mapping; None for a plain mapping of placeholders."""
    return mapping.dates if isinstance(mapping, Surrogates) else None
