"""Which kinds of finding want whose signature: families of codes that a policy's owner names, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from attending.guardrails.finding import Code, Finding
from pydantic import BaseModel, ConfigDict, Field, field_validator

Family = Literal["interactions", "doses", "conditions", "specialist", "evidence", "urgency"]
Reviewer = Literal["clinician", "pharmacist"]
"""Who decides on single texts at all (policies/authorization): a skill of anybody else nobody could ever bring."""

FAMILIES: Final[Mapping[Family, frozenset[Code]]] = {
    "interactions": frozenset({Code.INTERACTION, Code.DUPLICATE, Code.DRUG_LAB}),
    "doses": frozenset(
        {
            Code.DOSE_MAX_SINGLE,
            Code.DOSE_MAX_DAILY,
            Code.INTERVAL,
            Code.UNIT,
            Code.ROUTE,
            Code.RATE,
            Code.DURATION,
            Code.RENAL,
            Code.HEPATIC,
            Code.STACKING,
            Code.MME,
            Code.ABRUPT_STOP,
            Code.UNREADABLE_DOSE,
        }
    ),
    "conditions": frozenset(
        {
            Code.ALLERGY,
            Code.CROSS_ALLERGY,
            Code.CONTRAINDICATION,
            Code.PREGNANCY,
            Code.LACTATION,
            Code.AGE,
            Code.NEVER_EVENT,
        }
    ),
    "specialist": frozenset({Code.SPECIALIST}),
    "evidence": frozenset(
        {
            Code.CONTRADICTION,
            Code.UNSUPPORTED,
            Code.RETRIEVAL_WEAK,
            Code.WITHDRAWN_DOCUMENT,
            Code.STALE_DOCUMENT,
            Code.WRONG_PATIENT_DOCUMENT,
            Code.SECOND_OPINION,
        }
    ),
    "urgency": frozenset({Code.RED_FLAG, Code.SELF_HARM, Code.OMISSION}),
}
"""What each family covers (docs/checks.md says what each code is)."""


class Skill(BaseModel):
    """Findings of these families want a signature in one of `roles`, beside what else a policy asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    findings: tuple[Family, ...] = Field(min_length=1)
    roles: tuple[Reviewer, ...] = Field(min_length=1)

    @field_validator("findings", "roles", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def codes(self) -> frozenset[Code]:
        """The codes that it is about."""
        return frozenset().union(*(FAMILIES[family] for family in self.findings))


def wanted(
    skills: Iterable[Skill], findings: Iterable[Finding], roles: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Groups of roles, each of which one signature has to come from: what `findings`, those to be disposed of, want
    beyond a signature in one of `roles`.
    """
    codes = {finding.code for finding in findings}
    groups = (tuple(sorted(set(skill.roles))) for skill in skills if skill.codes & codes)
    return tuple(sorted({group for group in groups if not set(roles) <= set(group)}))
