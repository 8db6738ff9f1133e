"""What is wrong with a policy's folder, as a person can act on it: place, reason code, words, next step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

Weight = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `line` is one-based, None where no line can be named; `reason` is UPPER_SNAKE.

    An error keeps the policy from being served or trusted; a warning is for its owner to look at.
    """

    file: str
    line: int | None
    key: str
    reason: str
    message: str
    next_step: str
    weight: Weight = "error"

    def to_json(self) -> dict[str, Any]:
        """The line of `attending policy lint --json`."""
        return {
            "file": self.file,
            "line": self.line,
            "key": self.key,
            "reason": self.reason,
            "message": self.message,
            "next_step": self.next_step,
            "weight": self.weight,
        }


class PolicyError(ValueError):
    """A policy that does not load. `problems` are (path inside the policy, what is wrong), `faults` say more."""

    def __init__(self, name: str, problems: Iterable[Problem | tuple[str, str]]) -> None:
        found = tuple(problems)
        self.problems = tuple(
            (one.key or one.file, one.message) if isinstance(one, Problem) else one for one in found
        )
        lines = "; ".join(f"{path}: {problem}" for path, problem in self.problems)
        super().__init__(f"policy `{name}` does not load: {lines}")
        self.reason = "INVALID_POLICY"
        self.name = name
        self.faults = tuple(
            one if isinstance(one, Problem) else Problem(one[0], None, "", self.reason, one[1], _CORRECT)
            for one in found
        )


_CORRECT: Final = "correct it as docs/policies.md says"

NEXT_STEPS: Final[dict[str, str]] = {
    "UNKNOWN_KEY": "take it out, or write it as docs/policies.md has it",
    "MISSING_KEY": "add it; docs/policies.md says what it means",
    "UNKNOWN_VALUE": "use one of the values that the message names",
    "WRONG_VALUE": "correct the value; text with a colon or a date goes in quotes",
    "SAFEGUARD_OFF": "take the row or key out: no policy can switch this off",
    "BELOW_FLOOR": "make the row at least as strict as the message says, or narrow what it matches",
    "FLOW_MISSING": "add the flow to rails/config.yml: it runs in every policy",
    "FLOW_UNKNOWN": "name a flow of rails/config.yml, or take the key out",
    "NO_CLINICIAN": "add `clinician` to `sign_offs.roles`",
    "CONTRADICTION": "change one of the two keys",
    "NAME_DIFFERS": "give the folder the policy's name, or the policy the folder's",
}
"""What to do about a problem of the schema, by reason."""


def next_step(reason: str) -> str:
    """What to do about a problem with this reason."""
    return NEXT_STEPS.get(reason, _CORRECT)
