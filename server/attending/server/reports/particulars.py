"""What a report is, apart from its bundle: kind, scope in words, who asked, and who signed it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from attending.ledger.verify.registers import Asked


class Kind(StrEnum):
    """What a report is for."""

    REGULATOR = "regulator"
    """A period or a choice of inferences, with every figure."""
    DOSSIER = "dossier"
    """One inference: what made it, what was checked, who signed."""
    CHANGE = "change"
    """What was in force at a time, what changed before, which outputs saw a version."""
    ACCOUNTING = "accounting"
    """To whom what was disclosed about one person (45 CFR 164.528)."""
    ACCESS = "access"
    """Who looked at what about one person, when, and by what right."""
    INCIDENT = "incident"
    """Incidents, the clocks that run for them, and what was done."""
    CERTIFICATES = "certificates"
    """What was erased or removed, and what was held."""
    GUARDRAILS = "guardrails"
    """How rails and findings fared, by subgroup where callers say which."""
    VALIDATION = "validation"
    """What was tested, what is installed, what is in force with its evaluation, and what was seen in use."""


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The signature under a report. `name` is the signer's id, `statement` the canonical JSON that was signed."""

    name: str
    role: str
    meaning: str
    time: str
    key_id: str
    algorithm: str
    signature: str
    statement: str
    entry: int


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of a provider's records with the log: its entry, and whether the records cover the period."""

    entry: int
    provider: str
    since: str
    until: str
    file_sha256: str
    covers: bool
    counts: Mapping[str, int]
    worse_entry: int | None = None
    """An earlier one of the same provider that covers the period too, and counted more calls past the gate."""
    worse_bypassed: int = 0


@dataclass(frozen=True, slots=True)
class Particulars:
    """`scope` are (what, which) of everything that was asked for, `asked` the same for its register; `requested_at`
    canonical.
    """

    report_id: str
    kind: Kind
    origin: str
    purpose: str
    requested_by: str
    requested_at: str
    scope: tuple[tuple[str, str], ...]
    verifier_key: str
    asked: Asked
    embedded: bool = False
    compared: tuple[Compared, ...] = ()
    signed_off: SignedOff | None = None
    sealed: bool | None = None
    """Whether the file is sealed as a whole; None of a draft, which never is."""
