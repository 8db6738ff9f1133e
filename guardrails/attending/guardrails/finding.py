"""What a check found: codes, severities and the finding itself.

A finding is personal content: its text, drugs and message come from the output that was judged. It is stored
in the vault beside the ledger; an entry holds only its commitment and counts per code and severity.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SELF_HARM_EXPRESSED: Final = "self_harm:expressed"
"""Rule id of the note that a person speaks of harming themselves: what is shown to them begins with help."""


class Severity(StrEnum):
    """How bad it is if the text is acted upon; ordered by `rank`, worst first."""

    CONTRAINDICATED = "contraindicated"
    MAJOR = "major"
    MODERATE = "moderate"
    MINOR = "minor"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for contraindicated."""
        return _RANK[self]


_RANK = {
    Severity.CONTRAINDICATED: 4,
    Severity.MAJOR: 3,
    Severity.MODERATE: 2,
    Severity.MINOR: 1,
    Severity.INFO: 0,
}


class Code(StrEnum):
    """What kind of problem; the closed list of docs/checks.md."""

    INTERACTION = "interaction"
    DOSE_MAX_SINGLE = "dose_max_single"
    DOSE_MAX_DAILY = "dose_max_daily"
    INTERVAL = "interval"
    UNIT = "unit"
    ROUTE = "route"
    RATE = "rate"
    DURATION = "duration"
    ALLERGY = "allergy"
    CROSS_ALLERGY = "cross_allergy"
    CONTRAINDICATION = "contraindication"
    PREGNANCY = "pregnancy"
    LACTATION = "lactation"
    RENAL = "renal"
    HEPATIC = "hepatic"
    AGE = "age"
    DUPLICATE = "duplicate"
    STACKING = "stacking"
    MME = "mme"
    DRUG_LAB = "drug_lab"
    NEVER_EVENT = "never_event"
    SPECIALIST = "specialist"
    """Chemotherapy, parenteral nutrition, a neonate or anaesthesia: always read by a named role."""
    ABRUPT_STOP = "abrupt_stop"
    WRONG_PATIENT = "wrong_patient"
    OMISSION = "omission"
    RED_FLAG = "red_flag"
    ABBREVIATION = "abbreviation"
    UNKNOWN_DRUG = "unknown_drug"
    UNREADABLE_DOSE = "unreadable_dose"
    NOT_COVERED = "not_covered"
    CONTRADICTION = "contradiction"
    UNSUPPORTED = "unsupported"
    RETRIEVAL_WEAK = "retrieval_weak"
    WITHDRAWN_DOCUMENT = "withdrawn_document"
    STALE_DOCUMENT = "stale_document"
    WRONG_PATIENT_DOCUMENT = "wrong_patient_document"
    SECOND_OPINION = "second_opinion"
    """Another model finds a sentence unsupported; info where it agrees or gave no opinion."""
    PHI = "phi"
    INJECTION = "injection"
    TOXICITY = "toxicity"
    SELF_HARM = "self_harm"
    """Said by the person who writes, left unanswered, or encouraged."""
    OFF_TOPIC = "off_topic"
    CLINICAL_RECOMMENDATION = "clinical_recommendation"
    RAIL_FAILURE = "rail_failure"
    """A rail that raised, timed out or is missing: never a pass."""


class Scope(StrEnum):
    """What the text does with the drug it names: the prescriptive scope of one mention."""

    RECOMMEND = "recommend"
    CONTINUE = "continue"
    AVOID = "avoid"
    STOP = "stop"
    LIMIT = "limit"
    HISTORY = "history"
    HYPOTHETICAL = "hypothetical"
    FAMILY = "family"
    MENTION = "mention"
    """Named, with no reading that says what should happen; judged like `recommend` where harm is possible."""

    @property
    def prescriptive(self) -> bool:
        """True where the reader would give or keep giving the drug."""
        return self in (Scope.RECOMMEND, Scope.CONTINUE, Scope.MENTION)


class Basis(StrEnum):
    """Where the fact behind a finding comes from."""

    SOURCE_ROW = "source_row"
    LABEL_TEXT = "label_text"
    CURATED = "curated"
    """Needs a pharmacist's attestation: may hold, never blocks alone."""
    ATTESTED = "attested"
    """A curated fact that a pharmacist and a second person attested: may block, like a label's."""
    RULE = "rule"
    """A rule over the text itself (unit, contradiction, PHI, injection), with no outside fact."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem at one place of the judged text.

    `start` and `end` are Unicode code points into the judged text, end exclusive; both 0 when the finding is
    about the whole text. `drugs` are canonical ingredient names. `source` names the source row, label set id and
    section, or rule document; never empty.
    """

    rail: str
    code: Code
    rule_id: str
    severity: Severity
    scope: Scope
    start: int
    end: int
    text: str
    basis: Basis
    source: str
    message: str
    drugs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The wire shape of `attending check` (issue format), keys in reading order."""
        return {
            "rail": self.rail,
            "code": self.code.value,
            "rule_id": self.rule_id,
            "severity": self.severity.value,
            "scope": self.scope.value,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "drugs": list(self.drugs),
            "basis": self.basis.value,
            "source": self.source,
            "message": self.message,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """The inverse of `to_json`; raises KeyError or ValueError on a shape this version does not know."""
        return cls(
            rail=value["rail"],
            code=Code(value["code"]),
            rule_id=value["rule_id"],
            severity=Severity(value["severity"]),
            scope=Scope(value["scope"]),
            start=value["start"],
            end=value["end"],
            text=value["text"],
            basis=Basis(value["basis"]),
            source=value["source"],
            message=value["message"],
            drugs=tuple(value["drugs"]),
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many (drug, check) pairs could be judged, and the drugs that could not be."""

    judged: int = 0
    of: int = 0
    not_covered: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"judged": self.judged, "of": self.of, "not_covered": list(self.not_covered)}
