"""Reports: `[reports]`, and who seals them, `[reports.seal]`."""

from __future__ import annotations

from attending.server.config.base import FilePath, Section
from pydantic import Field


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


class ReportsSection(Section):
    """Reports of the log."""

    files_gib: float = Field(
        default=20.0,
        gt=0,
        le=65_536,
        description="What the files of one tenant's reports may take, in GiB, before another is asked for. Evidence "
        "and drafts of issued reports go first, and are made again when asked for; issued files stay.",
    )
    seal: SealSection | None = Field(
        default=None, description="Seal of issued reports; they are not sealed when left out."
    )
