"""The requirements as data, `policies/validation/requirements.yaml`: read strictly, as the control matrix is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from attending.guardrails.policy.problem import PolicyError
from attending.guardrails.policy.yaml_form import line_of, read_yaml
from attending.ledger.verify.report import CHECKS, DEIDENTIFIED_CHECKS, SEAL_CHECKS
from attending.ledger.verify.validation import MOST_REQUIREMENTS, Requirement
from attending.server.errors import ConfigurationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

FOLDER: Final = "validation"
FILE: Final = "requirements.yaml"
KNOWN_CHECKS: Final = frozenset((*CHECKS, *SEAL_CHECKS, *DEIDENTIFIED_CHECKS))
"""Every check of the verifier; each has to be a source of some requirement."""


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _checks(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in KNOWN_CHECKS:
            raise ValueError(f"`{name}` is no check of the verifier")
    return value


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
_Names = Annotated[tuple[_Name, ...], BeforeValidator(_listed)]
_Checks = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_checks)]
_Test = Annotated[
    str,
    StringConstraints(
        pattern=r"^tests(?:/[a-z0-9_]+)*/test_[a-z0-9_]+\.py(?:::[A-Za-z0-9_]+)?$", max_length=200
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Row(_Strict):
    """One requirement: its sources, of which it has at least a page of docs/, and the tests that prove it."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    statement: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
    docs: _Names = Field(min_length=1)
    controls: _Names = ()
    checks: _Checks = ()
    hazards: _Names = ()
    tests: Annotated[tuple[_Test, ...], BeforeValidator(_listed)] = Field(min_length=1)


class _File(_Strict):
    format: Literal["attending-requirements/1"]
    as_of: date
    requirements: Annotated[tuple[_Row, ...], BeforeValidator(_listed)] = Field(
        min_length=1, max_length=MOST_REQUIREMENTS
    )


@dataclass(frozen=True, slots=True)
class Requirements:
    """All of them in order. `sha256` (hex) is of the file, `as_of` the day on which it was looked through."""

    as_of: date
    sha256: str
    each: tuple[Requirement, ...]


def load_requirements(policies: Path) -> Requirements:
    """Those of the folder of policies. Raises ConfigurationError with line and key of what is not as it has to be."""
    folder = policies / FOLDER
    try:
        raw, lines = read_yaml(folder, FILE)
        found = _File.model_validate(raw)
    except PolicyError as err:
        raise _refused(err.faults[0].message) from None
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        number = line_of(lines, key)
        where = "" if number is None else f" line {number}"
        raise _refused(
            f"{where} `{key or 'file'}`: {str(first['msg']).removeprefix('Value error, ')}"
        ) from None
    names = [one.id for one in found.requirements]
    if (twice := next((one for one in names if names.count(one) > 1), None)) is not None:
        raise _refused(f"the id `{twice}` stands twice")
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    each = (Requirement(**one.model_dump()) for one in found.requirements)
    return Requirements(found.as_of, digest, tuple(each))


def _refused(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"`{FILE}`:{'' if problem.startswith(' ') else ' '}{problem}", "correct it as docs/validation.md says"
    )
