"""Whose signature a held text still wants: so many of those who count, and one in each group of roles that its findings
want. Pure; of the signatures over one text only the roles matter here, since each is another person's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """`count` signatures in one of `roles`, and of each group of `wanted` one in one of its roles, whichever of the two
    it is counted for.
    """

    roles: tuple[str, ...]
    count: int
    wanted: Groups = ()

    @classmethod
    def of(cls, sign_off: Mapping[str, Any]) -> Terms:
        """Those of the `sign_off` of an entry."""
        groups = tuple(tuple(group) for group in sign_off.get("wanted", ()))
        return cls(tuple(sign_off["roles"]), sign_off["count"], groups)

    @property
    def all_roles(self) -> tuple[str, ...]:
        """Every role in which somebody may sign at all."""
        return tuple(dict.fromkeys((*self.roles, *chain.from_iterable(self.wanted))))

    def lacking(self, signed: Sequence[str]) -> int:
        """How many signatures are missing at least, when there are some in these roles."""
        if not self.wanted:
            # What signed then is not on record beside the signature.
            return max(0, max(1, self.count) - len(signed))
        left = max(0, max(1, self.count) - sum(role in self.roles for role in signed))
        unmet = [set(group) for group in self.wanted if not set(group) & set(signed)]
        return min(
            len(extra) + max(0, left - len(set(extra) & set(self.roles)))
            for extra in _subsets(self.all_roles)
            if all(group & set(extra) for group in unmet)
        )

    def open_to(self, signed: Sequence[str]) -> tuple[str, ...]:
        """The roles in which a next signature brings the text closer to its release; all where none is missing."""
        missing = self.lacking(signed)
        if not self.wanted or not missing:
            return self.all_roles
        return tuple(role for role in self.all_roles if self.lacking([*signed, role]) < missing)

    def with_wanted(self, groups: Groups) -> Terms:
        """With these groups as well."""
        return Terms(self.roles, self.count, tuple(sorted({*self.wanted, *groups})))

    def dump(self) -> str:
        """As a row holds what its other columns do not say; empty where nothing is wanted."""
        return "" if not self.wanted else json.dumps({"roles": self.roles, "wanted": self.wanted})

    @classmethod
    def load(cls, text: str, roles: tuple[str, ...], count: int) -> Terms:
        """The inverse of `dump`; `roles` are all of the row."""
        if not text:
            return cls(roles, count)
        value = json.loads(text)
        return cls(tuple(value["roles"]), count, tuple(tuple(group) for group in value["wanted"]))


def _subsets(roles: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return chain.from_iterable(combinations(roles, size) for size in range(len(roles) + 1))
