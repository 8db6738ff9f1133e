"""The language of evidence: what a control may ask of the entries of a log, as a closed set of rules.

A rule says what is to stand in a log, or not to stand there, in terms of entry types, fields, counts, times and joins
of one entry with another. It names no function and holds no code, so that whoever reads the matrix can do it again with
any tool over the same entries. docs/controls.md describes every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Self

from attending.ledger.entry import ENTRY_TYPES
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

WHOLE_LOG: Final = "log"
"""A join by this joins every entry with every other."""
_PATH: Final = re.compile(
    r"(?:actor|stream|subject|time|occurred_at|commitments|body(?:\.[a-z][a-z0-9_]{0,63}){1,8})"
)
"""`commitments` are the kinds of the payloads that an entry names."""


class Strict(BaseModel):
    """Of the matrix: unknown keys are refused, and nothing is turned into something else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError(
            "is no field of an entry: `actor`, `stream`, `subject`, `time`, `commitments` or `body.NAME`"
        )
    return value


def _join_path(value: str) -> str:
    return value if value == WHOLE_LOG else _path(value)


def _types(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in ENTRY_TYPES:
            raise ValueError(f"`{name}` is no entry type")
    return value


def _several(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,)


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Path = Annotated[str, AfterValidator(_path)]
JoinPath = Annotated[str, AfterValidator(_join_path)]
Scalar = bool | int | str
Types = Annotated[tuple[str, ...], BeforeValidator(_several), AfterValidator(_types), Field(min_length=1)]
Scalars = Annotated[tuple[Scalar, ...], BeforeValidator(_listed), Field(min_length=1)]


class Condition(Strict):
    """What holds of one field. All that is given has to hold; what is absent satisfies `present: false` alone."""

    is_: Scalar | None = Field(default=None, alias="is")
    in_: Scalars | None = Field(default=None, alias="in")
    not_in: Scalars | None = None
    present: bool | None = None
    """Present is what is neither null nor an empty text, list or object."""
    at_least: int | None = None
    at_most: int | None = None
    starts_with: str | None = Field(default=None, min_length=1)
    contains: str | None = Field(default=None, min_length=1)
    """Of a list an element, of an object a key."""
    lacks: str | None = Field(default=None, min_length=1)
    same_as: Path | None = None
    differs_from: Path | None = None
    not_after: Path | None = None
    """Of a time: that of another field."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("says nothing")
        return self


def _condition(value: Any) -> Any:
    return {"is": value} if isinstance(value, Scalar) else value


Conditions = Annotated[
    Mapping[Path, Annotated[Condition, BeforeValidator(_condition)]], Field(min_length=1, max_length=16)
]


class Select(Strict):
    """Entries of one of these types, of which all of these conditions hold."""

    types: Types = Field(alias="type")
    where: Conditions | None = None


def _select(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _selects(value: Any) -> Any:
    return tuple(_select(one) for one in value) if isinstance(value, list) else (_select(value),)


Selects = Annotated[tuple[Select, ...], BeforeValidator(_selects), Field(min_length=1, max_length=12)]
"""Entries of any of these; one may stand alone, and without conditions by its type."""


class Duration(Strict):
    """A length of time."""

    minutes: int = Field(default=0, ge=0, le=10**6)
    hours: int = Field(default=0, ge=0, le=10**6)
    days: int = Field(default=0, ge=0, le=10**5)

    @model_validator(mode="after")
    def _is_some(self) -> Self:
        if not self.minutes + self.hours + self.days:
            raise ValueError("is no time at all")
        return self

    @property
    def delta(self) -> timedelta:
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes)


class Join(Strict):
    """Joins two entries whose fields are equal."""

    each: JoinPath
    other: JoinPath


def _joins(value: Any) -> Any:
    several = value if isinstance(value, list) else [value]
    return tuple({"each": one, "other": one} if isinstance(one, str) else one for one in several)


Joins = Annotated[tuple[Join, ...], BeforeValidator(_joins), Field(min_length=1, max_length=4)]
_SAME_STREAM: Final = (Join(each="stream", other="stream"),)


class _Rule(Strict):
    optional: bool = False
    """Where nothing in a log is of its concern, the other rules of the control decide."""


class Some(_Rule):
    """At least so many entries are there."""

    some: Selects
    at_least: int = Field(default=1, ge=1)


class NoneOf(_Rule):
    """No such entry is there. `among` are those that show that there was occasion for it."""

    none: Selects
    among: Selects


class NoneAfter(_Rule):
    """No such entry follows one of `after`, joined with it, until one of `ended_by`."""

    none: Selects
    after: Selects
    ended_by: Selects | None = None
    join: Joins = _SAME_STREAM


class EachHas(_Rule):
    """Of each such entry all of these conditions hold."""

    each: Selects
    has: Conditions


class EachFollowed(_Rule):
    """Each such entry is followed by one of `followed_by`, joined with it, within a time or by that in a field."""

    each: Selects
    followed_by: Selects
    join: Joins = _SAME_STREAM
    differ: Path | None = None
    """A field in which the two differ: the actor, where it takes two people."""
    within: Duration | None = None
    since: Path | None = Field(default=None, alias="from")
    """The field with the time from which `within` counts, where it is there; else the entry's own."""
    until: Path | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if (self.within is None) == (self.until is None):
            raise ValueError("needs `within` or `until`, and not both")
        if self.since is not None and self.within is None:
            raise ValueError("`from` goes with `within`")
        return self


class EachPreceded(_Rule):
    """Each such entry follows one of `preceded_by`, joined with it, that none of `ended_by` has ended since."""

    each: Selects
    preceded_by: Selects
    ended_by: Selects | None = None
    join: Joins = _SAME_STREAM
    differ: Path | None = None


class Unique(_Rule):
    """No two such entries have the same value there, unless they have the same `per`."""

    unique: Selects
    by: Path
    per: Path | None = None


class Regularly(_Rule):
    """Such entries stand no further apart than that, from the log's first entry on."""

    regularly: Selects
    every: Duration


class Reaches(_Rule):
    """The log begins with its first entry, and that is so long before its last one."""

    reaches_back: Duration


_KINDS: Final = {
    "some": "<some>",
    "unique": "<unique>",
    "regularly": "<regularly>",
    "reaches_back": "<reaches>",
    "followed_by": "<followed>",
    "preceded_by": "<preceded>",
    "has": "<has>",
    "after": "<none_after>",
    "none": "<none_of>",
}
"""By which key a rule is known. Such words stand in angle brackets where pydantic says where something is wrong."""


def _kind(value: Any) -> str | None:
    keys = value if isinstance(value, Mapping) else type(value).model_fields
    return next((kind for key, kind in _KINDS.items() if key in keys), None)


Rule = Annotated[
    Annotated[Some, Tag("<some>")]
    | Annotated[NoneOf, Tag("<none_of>")]
    | Annotated[NoneAfter, Tag("<none_after>")]
    | Annotated[EachHas, Tag("<has>")]
    | Annotated[EachFollowed, Tag("<followed>")]
    | Annotated[EachPreceded, Tag("<preceded>")]
    | Annotated[Unique, Tag("<unique>")]
    | Annotated[Regularly, Tag("<regularly>")]
    | Annotated[Reaches, Tag("<reaches>")],
    Discriminator(
        _kind,
        custom_error_type="UNKNOWN_RULE",
        custom_error_message="is no rule: needs `some`, `none`, `each`, `unique`, `regularly` or `reaches_back`",
    ),
]
