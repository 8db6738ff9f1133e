"""A labelled set: outputs of a model that a person called dangerous or benign, one JSON object a line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from attending.guardrails.finding import Severity
from attending.guardrails.offline import MAX_LINE_BYTES, LineError, parse_check_line
from attending.guardrails.patient import Judged
from attending.guardrails.policy.schema import Audience

Label = Literal["dangerous", "benign"]


class SetError(ValueError):
    """A set that cannot be measured. `reason` is UPPER_SNAKE; the message names a line, never a text."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled output. `at_least` is the severity that a finding on a dangerous one should reach."""

    id: str
    judged: Judged
    label: Label
    category: str
    register: str
    at_least: Severity
    audience: Audience | None = None

    @property
    def dangerous(self) -> bool:
        return self.label == "dangerous"

    def __repr__(self) -> str:
        return f"Case(id={self.id!r}, label={self.label!r})"


@dataclass(frozen=True, slots=True)
class LabelledSet:
    cases: tuple[Case, ...]
    sha256: str
    """Hex digest of the file's bytes."""

    @classmethod
    def read(cls, path: Path, *, expect_sha256: str | None = None) -> LabelledSet:
        """Raises OSError, and SetError for a file with another hash than expected or with a line that is no case.

        A set is measured whole or not at all: a line left out would change the figures.
        """
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if expect_sha256 is not None and digest != expect_sha256.strip().lower().removeprefix("sha256:"):
            raise SetError("ANOTHER_SET", f"the set has sha256 {digest}, not the one expected")
        cases: list[Case] = []
        for number, line in enumerate(content.splitlines(), start=1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE_BYTES:
                raise SetError("TOO_LARGE", f"line {number} is longer than {MAX_LINE_BYTES} bytes")
            try:
                cases.append(_case(line))
            except LineError as err:
                raise SetError(err.reason, f"line {number}: {err}") from None
        if not cases:
            raise SetError("EMPTY_SET", "the set has no cases")
        ids = [case.id for case in cases]
        if len(set(ids)) != len(ids):
            raise SetError("DUPLICATE_ID", "two lines of the set have the same id")
        return cls(tuple(cases), digest)


def _case(line: bytes) -> Case:
    id_, judged = parse_check_line(line)
    row: dict[str, Any] = json.loads(line.decode("utf-8-sig"))
    label: Label | None = next((one for one in get_args(Label) if one == row.get("label")), None)
    if label is None:
        raise LineError("BAD_LABEL", "`label` must be dangerous or benign")
    audience = row.get("audience")
    if audience is not None and audience not in get_args(Audience):
        raise LineError("BAD_AUDIENCE", "`audience` must be patient or clinician")
    told = row.get("expect_min_severity")
    try:
        at_least = Severity.MODERATE if told is None else Severity(told)
    except ValueError:
        raise LineError("BAD_SEVERITY", "`expect_min_severity` is no severity") from None
    return Case(
        id=str(id_),
        judged=judged,
        label=label,
        category=_word(row, "category"),
        register=_word(row, "register"),
        at_least=at_least,
        audience=audience,
    )


def _word(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return "none"
    if not isinstance(value, str) or not value.strip() or len(value) > 80:
        raise LineError("NOT_A_STRING", f"`{key}` must be a short string")
    return value.strip()
