"""The control matrix: one file a framework, each row a requirement in our words with the evidence that it asks for.

A row says how sure its wording is and when its status was looked at, since both are for a person to confirm before they
rest on it. What no log can show is a row as well, and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from attending.guardrails.policy.problem import PolicyError
from attending.guardrails.policy.yaml_form import line_of, read_yaml
from attending.ledger.verify.report import CHECKS, SEAL_CHECKS
from attending.server.controls.language import Rule, Strict
from attending.server.errors import ConfigurationError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

FOLDER: Final = "controls"
MAX_FILES: Final = 64
MAX_CONTROLS: Final = 400

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=800)]
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Status = Literal["in_force", "proposed", "expected"]
Wording = Literal["looked_up", "from_memory"]


def _checks(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in CHECKS and name not in SEAL_CHECKS:
            raise ValueError(f"`{name}` is no check of the verifier")
    return value


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_Checks = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_checks)]


class Entries(Strict):
    """Evidence in the entries: every rule has to hold, and every check of the offline verifier that is named."""

    kind: Literal["entries"]
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_listed)] = Field(min_length=1, max_length=12)
    checks: _Checks = ()


class Checks(Strict):
    """Evidence by the offline verifier, over a bundle."""

    kind: Literal["checks"]
    checks: _Checks = Field(min_length=1)


class Organisational(Strict):
    """What people and their organisation do; no log of this system shows it."""

    kind: Literal["organisational"]
    because: _Text


class Nothing(Strict):
    """What a system could show, and this one does not."""

    kind: Literal["nothing"]
    because: _Text


def _evidence(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"<{kind}>" if isinstance(kind, str) else None


Evidence = Annotated[
    Annotated[Entries, Tag("<entries>")]
    | Annotated[Checks, Tag("<checks>")]
    | Annotated[Organisational, Tag("<organisational>")]
    | Annotated[Nothing, Tag("<nothing>")],
    Discriminator(
        _evidence,
        custom_error_type="UNKNOWN_EVIDENCE",
        custom_error_message="needs a `kind`: `entries`, `checks`, `organisational` or `nothing`",
    ),
]


def _day(value: Any) -> Any:
    return (
        value if isinstance(value, date) else date.fromisoformat(value) if isinstance(value, str) else value
    )


class Control(Strict):
    """One requirement."""

    id: _Id
    reference: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    requirement: _Text
    status: Status
    as_of: Annotated[date, BeforeValidator(_day)]
    """The day on which the status was looked at."""
    wording: Wording
    """Whether the text of the requirement was looked up, or is from memory and to be confirmed."""
    evidence: Evidence
    limits: _Text | None = None
    """What the evidence does not show."""


class Framework(Strict):
    """A law, regulation, standard or duty with its requirements."""

    framework: _Id
    title: _Text
    controls: Annotated[tuple[Control, ...], BeforeValidator(_listed)] = Field(min_length=1, max_length=120)

    @model_validator(mode="after")
    def _ids_begin_with_its_name(self) -> Self:
        for control in self.controls:
            if not control.id.startswith(f"{self.framework}-"):
                raise ValueError(f"the id `{control.id}` does not begin with `{self.framework}-`")
        return self


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every framework of a folder. `sha256` (hex) is of the listing of its files, as `sha256sum *.yaml` prints it."""

    frameworks: tuple[Framework, ...]
    sha256: str

    def __iter__(self) -> Iterator[Control]:
        for framework in self.frameworks:
            yield from framework.controls

    def get(self, name: str) -> Control | None:
        """The control of that id."""
        return next((control for control in self if control.id == name), None)


def load_matrix(folder: Path) -> Matrix:
    """The matrix of `folder`.

    Raises ConfigurationError with file, line and key of the first file that is not as it has to be.
    """
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not 1 <= len(paths) <= MAX_FILES:
        raise _refused(f"`{folder}` holds {len(paths)} control files, expected 1 to {MAX_FILES}")
    frameworks, listing, seen = [], [], set[str]()
    for path in paths:
        framework = _framework(path)
        if framework.framework != path.stem:
            raise _refused(f"`{path.name}`: `framework` is `{framework.framework}`, not the file's name")
        for control in framework.controls:
            if control.id in seen:
                raise _refused(f"`{path.name}`: the id `{control.id}` stands twice")
            seen.add(control.id)
        frameworks.append(framework)
        listing.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    if len(seen) > MAX_CONTROLS:
        raise _refused(f"`{folder}` holds {len(seen)} controls, expected at most {MAX_CONTROLS}")
    return Matrix(tuple(frameworks), hashlib.sha256("".join(listing).encode()).hexdigest())


def _framework(path: Path) -> Framework:
    try:
        raw, lines = read_yaml(path.parent, path.name)
    except PolicyError as err:
        raise _refused(f"`{path.name}`: {err.faults[0].message}") from None
    try:
        return Framework.model_validate(raw)
    except ValidationError as err:
        # Of a wrong kind of rule pydantic names every kind: the first problem is the one that leads there.
        first = err.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if not str(part).startswith("<"))
        what = str(first["msg"]).removeprefix("Value error, ")
        raise _refused(f"`{path.name}`{_line(line_of(lines, key))}: `{key or 'file'}`: {what}") from None


def _line(number: int | None) -> str:
    return "" if number is None else f" line {number}"


def _refused(problem: str) -> ConfigurationError:
    return ConfigurationError(problem, "correct it as docs/controls.md says")
