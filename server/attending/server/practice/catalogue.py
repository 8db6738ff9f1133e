"""The catalogue of practice items: texts about made-up patients, with what is planted in them and how it is explained.

`catalogue.yaml` is read by a clinical safety officer as a policy is: strict, every item with its source. Half a year of
honest use shows every item to everybody, so a site brings its own (`review.practice_catalogue`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from attending.guardrails.finding import Code
from attending.guardrails.patient import Document, Judged, PatientContext
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

FORMAT: Final = "attending-practice/1"
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
_CONTEXT: TypeAdapter[PatientContext] = TypeAdapter(PatientContext)
_DOCUMENTS: TypeAdapter[tuple[Document, ...]] = TypeAdapter(tuple[Document, ...])

ErrorKind = Literal[
    "interaction",
    "dose",
    "frequency",
    "renal",
    "pregnancy",
    "allergy",
    "contraindication",
    "duplicate",
    "wrong_patient",
    "omission",
    "unsupported",
    "red_flag",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Rails(_Strict):
    """What the checks of this version say of an item, kept true by a test: `codes` of severity minor or worse, and
    whether one of them is about what is planted. What no rail sees is there for the reader.
    """

    codes: tuple[Code, ...]
    sees: bool


class PracticeItem(_Strict):
    """One text. Of an `error` `planted` is the passage that is wrong, word for word in `output`; of a `sound` text,
    which a good reader signs, it is left out.
    """

    id: _Name
    policy: _Name
    newcomer: bool = False
    """Whether it is one that people begin with."""
    kind: Literal["error", "sound"]
    error: ErrorKind | None = None
    planted: _Text | None = None
    patient: dict[str, Any]
    documents: tuple[dict[str, Any], ...] = ()
    prompt: _Text
    output: _Text
    good_reader: _Text
    debrief: _Text
    source: _Text
    rails: Rails

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = self.kind == "error"
        if wrong != (self.error is not None) or wrong != (self.planted is not None):
            raise ValueError("an error names what is planted and of which kind, a sound text neither")
        if self.planted is not None and self.output.count(self.planted) != 1:
            raise ValueError("`planted` must stand in `output` word for word, once")
        if not wrong and self.rails.sees:
            raise ValueError("nothing is planted in a sound text, so no rail sees it")
        self.context  # noqa: B018  as strict as the rest, at load
        return self

    def numbered(self, number: str) -> PracticeItem:
        """The same, of a patient with that record number."""
        identity = {**self.patient.get("identity", {}), "mrn": number}
        return self.model_copy(update={"patient": {**self.patient, "identity": identity}})

    @property
    def context(self) -> PatientContext:
        return _CONTEXT.validate_python(self.patient)

    @property
    def given(self) -> tuple[Document, ...]:
        return _DOCUMENTS.validate_python(self.documents)

    @property
    def judged(self) -> Judged:
        """As the checks are given it."""
        return Judged(self.output, self.prompt, self.context, self.given)


class _File(_Strict):
    format: Literal["attending-practice/1"]
    items: tuple[PracticeItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [item.id for item in self.items]
        if len(names) != len(set(names)):
            raise ValueError("two items have the same id")
        return self


@dataclass(frozen=True)
class Catalogue(Mapping[str, PracticeItem]):
    """Items by id, in the order of the file. `hash` names the file's bytes (SHA-256, hex)."""

    hash: str
    items_in_order: tuple[PracticeItem, ...]

    @cached_property
    def _by_id(self) -> dict[str, PracticeItem]:
        return {item.id: item for item in self.items_in_order}

    def __getitem__(self, item: str) -> PracticeItem:
        return self._by_id[item]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


@cache
def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue of the package, or of `path`. Raises OSError, yaml.YAMLError and pydantic's ValidationError."""
    data = (path or Path(__file__).with_name("catalogue.yaml")).read_bytes()
    file = _File.model_validate(yaml.load(data, Loader=yaml.CSafeLoader))
    return Catalogue(hashlib.sha256(data).hexdigest(), file.items)
