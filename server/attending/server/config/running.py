"""What runs inside: model providers, check processes, policies, the review desk, sweeps and log lines."""

from __future__ import annotations

from typing import Literal, Self

from attending.ledger.custody.retention import MAX_DAYS, Rule
from attending.server.config.base import FilePath, Name, Place, Section, Variable
from pydantic import AwareDatetime, Field, model_validator


class ProviderSection(Section):
    """One model provider."""

    name: Name = Field(description="Name that requests use as `model.provider`.")
    kind: Literal["replay", "embedded", "openai"] = Field(
        description="`replay` answers from a file, `embedded` runs the small model of this package, `openai` "
        "calls any server that speaks the chat completions protocol."
    )
    base_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Base URL of an `openai` provider, such as `https://host/v1`.",
    )
    api_key_env: Variable | None = Field(
        default=None, description="Environment variable that holds the key of an `openai` provider."
    )
    api_key_file: FilePath | None = Field(
        default=None, description="File that holds that key, readable by its owner only."
    )
    replay_file: FilePath | None = Field(default=None, description="JSON Lines of a `replay` provider.")
    timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="Longest time of one call.")
    max_concurrent: int = Field(default=16, ge=1, le=10_000, description="Calls at once to this provider.")
    threads: int | None = Field(
        default=None, ge=1, le=256, description="CPU threads of an `embedded` provider."
    )
    price_provider: str | None = Field(
        default=None,
        description="Provider name under which prices are looked up; without it cost is `unknown`, never zero.",
    )
    phi_agreement: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,127}$",
        description="Reference of the agreement under which this provider may receive personal data; it stands in the "
        "entry of every call. Without one only text with replaced identifiers is sent; see docs/phi.md.",
    )
    phi_agreement_expires: AwareDatetime | None = Field(
        default=None,
        description="From this moment the agreement counts as absent, also while the server runs.",
    )
    residency: list[Place] = Field(
        default=[],
        max_length=50,
        description="Where it keeps data: ISO 3166 codes of countries (`DE`) or of parts (`US-CA`), `EU`, or `EEA`.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "openai":
            if self.base_url is None:
                raise ValueError("`base_url` is required for kind `openai`")
            if "@" in self.base_url or "?" in self.base_url:
                raise ValueError(
                    "`base_url` must hold no credentials and no query; keep the key in `api_key_file`"
                )
            if (self.api_key_env is None) == (self.api_key_file is None):
                raise ValueError("kind `openai` needs exactly one of `api_key_env` and `api_key_file`")
        if self.phi_agreement_expires is not None and self.phi_agreement is None:
            raise ValueError("`phi_agreement_expires` needs `phi_agreement`")
        if self.kind == "replay" and self.replay_file is None:
            raise ValueError("`replay_file` is required for kind `replay`")
        own = {
            "base_url": "openai",
            "api_key_env": "openai",
            "api_key_file": "openai",
            "replay_file": "replay",
            "threads": "embedded",
        }
        for key, kind in own.items():
            if getattr(self, key) is not None and self.kind != kind:
                raise ValueError(f"`{key}` belongs to kind `{kind}`, not `{self.kind}`")
        return self


class GuardSection(Section):
    """The processes that run the checks."""

    workers: int | None = Field(
        default=None, ge=1, le=256, description="Number of check processes; one a CPU core when left out."
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=120, description="A check that takes longer is killed and the text is held."
    )
    max_memory_mb: int = Field(
        default=1500,
        ge=200,
        le=65536,
        description="A check process that grows past this is replaced, in MiB.",
    )


class PoliciesSection(Section):
    """The clinical policies and who may do what."""

    installed_by: str = Field(
        default="configuration",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
        description="Who put the first policies in place: named in the entry by which a tenant's first start puts them"
        " in force. Every later version is activated by two people.",
    )

    folder: FilePath | None = Field(
        default=None, description="Folder of policy folders; those of the package when left out."
    )
    authorization: FilePath | None = Field(
        default=None,
        description="Folder of `attending.cedar` and its schema; those of the package when left out.",
    )


class KnowledgeSection(Section):
    """Drug knowledge."""

    folder: FilePath | None = Field(
        default=None, description="Folder of a knowledge pack; the package's own when left out."
    )
    recall_days: int = Field(
        default=90,
        ge=0,
        le=3650,
        description="When two people put another pack in force, the released texts of so many days are judged again "
        "under it, and those that would not be released go on the recall worklist; 0 judges none.",
    )


class ReviewSection(Section):
    """The review desk."""

    lease_seconds: int = Field(
        default=900, ge=30, le=86400, description="How long a claimed item stays claimed."
    )
    preparation_seconds: int = Field(
        default=600, ge=30, le=3600, description="How long a prepared statement may be signed."
    )
    assignment_seconds: int = Field(
        default=900,
        ge=30,
        le=86400,
        description="How long an item that was handed over is kept for that person.",
    )
    expiry_sweep_seconds: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="How often items that wait too long are escalated, and those past their expiry closed.",
    )
    practice_catalogue: FilePath | None = Field(
        default=None,
        description="File with practice items of your own in place of the package's, in its form "
        "(`attending-practice/1`). See docs/oversight.md.",
    )


class EnrolmentSection(Section):
    """Identities that are enrolled while the server runs; see docs/enrolment.md."""

    poll_seconds: float = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="With a database: how often a process asks what the others changed. Whom one revoked is refused by "
        "all within three times as long, or nobody is let in.",
    )


class EmergencySection(Section):
    """Emergency access of clinical roles; see docs/enrolment.md."""

    max_minutes: int = Field(
        default=60, ge=1, le=720, description="How long an emergency access lasts at most, in minutes."
    )
    review_within_hours: int = Field(
        default=72, ge=1, le=720, description="Hours after its end within which it must be reviewed."
    )


class ExaminationSection(Section):
    """The examination of the log by officers; see docs/officers.md."""

    every_days: int = Field(
        default=30, ge=1, le=366, description="Days from one signed examination to when the next is due."
    )


class OversightSection(Section):
    """Figures of people who review; see docs/oversight.md."""

    reading_retention_days: int = Field(
        default=365,
        ge=30,
        le=MAX_DAYS,
        description="Days for which it is kept how long each person read before signing. `attending ledger prune` "
        "removes what is older; a retention rule for `oversight.reading` can only lengthen it.",
    )

    @property
    def rule(self) -> Rule:
        """The same as a rule of retention."""
        return Rule("oversight.reading", self.reading_retention_days)


class IdempotencySection(Section):
    """How long an idempotency key is remembered."""

    retention_days: int = Field(
        default=7, ge=1, le=3650, description="Days for which a key answers with its first result."
    )


class LoggingSection(Section):
    """What goes to standard error. Never bodies, never personal content."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe events shown."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` a line, `console` for people; `auto` picks by whether it is a terminal.",
    )
