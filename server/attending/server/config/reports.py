"""Reports: `[reports]`, and who seals them, `[reports.seal]`."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attending.server.config.base import FilePath, Name, Section, TenantName
from pydantic import Field, model_validator


class SealSection(Section):
    """The seal of issued reports, and the authority that stamps it. See docs/seal.md."""

    certificate_file: FilePath = Field(
        description="PEM file: certificate of the seal (P-256, P-384 or RSA), and the authorities above it."
    )
    key_file: FilePath = Field(
        description="PEM file with the certificate's private key, readable by its owner only."
    )
    roots_file: FilePath = Field(
        description="PEM file: the root that auditors are given. A report is issued only when it verifies under it."
    )
    revocation_lists: list[FilePath] = Field(
        default=[],
        max_length=16,
        description="Revocation lists (PEM or DER) of the authorities of seal and stamp, read at every seal and put "
        "into the file (PAdES B-LT).",
    )
    timestamp_url: str = Field(
        max_length=1024,
        pattern=r"^https?://[^\s?#@]+$",
        description="Address of the RFC 3161 time stamp authority. It is sent a hash and nothing else, and what it "
        "answers is signed, so that plain HTTP will do.",
    )
    timestamp_roots_file: FilePath = Field(description="PEM file: root of the authority's certificate.")
    timestamp_ca_file: FilePath | None = Field(
        default=None,
        description="PEM file: authorities of the TLS certificate at `timestamp_url`; the system's, when left out.",
    )
    allow_private: bool = Field(
        default=False,
        description="Whether the authority may be at a private, link-local or loopback address.",
    )
    timeout_seconds: float = Field(default=15.0, gt=0, le=60, description="Longest time of one time stamp.")


class ScheduleSection(Section):
    """A report that is asked for when its period is over; a named person signs it off before it is issued."""

    name: Name = Field(description="Name of the schedule: it stands in the entries of its reports.")
    kind: Literal["regulator", "change"] = Field(default="regulator", description="What for.")
    every: Literal["monthly", "quarterly"] = Field(description="How long a period is.")
    first: str = Field(
        pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])-01$",
        description="First day of the first period. Periods that are over and have no report yet are made up for.",
    )
    time_zone: str = Field(default="UTC", description="Where its midnights are, such as `Europe/Berlin`.")
    after_days: int = Field(
        default=2,
        ge=0,
        le=28,
        description="Days after the end of a period at which its report is asked for: time to compare the records of "
        "providers.",
    )
    policy: str = Field(
        default="", max_length=64, description="Only inferences under this policy; only for `regulator`."
    )
    tenants: list[TenantName] = Field(
        default=[], max_length=1_000, description="Of which tenants; of all, when left out."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("`time_zone` is no time zone of the IANA database") from None
        if self.policy and self.kind != "regulator":
            raise ValueError("`policy` has no meaning for this kind")
        return self


class ReportsSection(Section):
    """Reports of the log."""

    files_gib: float = Field(
        default=20.0,
        gt=0,
        le=65_536,
        description="What the files of one tenant's reports may take, in GiB, before another is asked for. Evidence "
        "and drafts of issued reports go first, and are made again when asked for; issued files stay.",
    )
    sign_within_days: int = Field(
        default=90,
        ge=1,
        le=3_650,
        description="Days that a report waits for its signature; then it is discarded, and its files go.",
    )
    schedules: list[ScheduleSection] = Field(
        default=[],
        max_length=100,
        description="Reports that are asked for by the calendar. See docs/reports.md.",
    )
    seal: SealSection | None = Field(
        default=None, description="Seal of issued reports; they are not sealed when left out."
    )
