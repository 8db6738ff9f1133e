"""Where the ledger lies and how long payloads are kept: `[storage]` and its retention rules."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Self

from attending.ledger.custody.retention import MAX_DAYS, Rule, Start
from attending.server.config.base import FilePath, Section, Variable
from pydantic import Field, model_validator

MIN_RETENTION_DAYS: Final = 183


class RetentionSection(Section):
    """How long payloads of a class of entries are kept. Of several rules that match, and the policy's own `retention`,
    the longest wins; what no rule matches is kept for ever. Entries and proofs always stay."""

    entries: str = Field(
        description="Entry type, such as `inference.released`, or a class, such as `inference.*`."
    )
    days: int = Field(
        ge=MIN_RETENTION_DAYS,
        le=MAX_DAYS,
        description="Days for which they are kept; logs of a high-risk AI system at least six months "
        "(EU AI Act, Article 19).",
    )
    starts: Literal["entry", "policy_retired"] = Field(
        default="policy_retired",
        description="From when the days count: the entry's time, or when the policy it was made under was retired, "
        "if that is later (45 CFR 164.316).",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ = self.rule  # ValueError for a class without entry types
        if self.entries.startswith("prompt."):
            raise ValueError("`entries`: prompt templates are in use as long as a label points at them")
        return self

    @property
    def rule(self) -> Rule:
        return Rule(self.entries, self.days, Start(self.starts))


class StorageSection(Section):
    """Where the ledger and its keys lie, and how long payloads are kept: in one folder that one process owns, or in a
    PostgreSQL database that several share. With a database the folder still holds keys and published heads, unless
    they have folders of their own; all processes must see the same ones.
    """

    folder: FilePath = Field(
        description="Folder of the ledger's database, on a local file system. One server process owns it, unless "
        "`database` or `database_env` is set."
    )
    database: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="PostgreSQL database, as libpq keywords or a URI, without a password; see docs/postgresql.md.",
    )
    database_env: Variable | None = Field(
        default=None,
        description="Environment variable that holds all of that, with or without a password, in place of `database`.",
    )
    database_password_file: FilePath | None = Field(
        default=None,
        description="File that holds the password for `database`, readable by its owner only; without it libpq "
        "looks into PGPASSWORD and the pgpass file.",
    )
    require_replication: bool = Field(
        default=False,
        description="Refuse a database that does not wait for a standby at every commit.",
    )
    owner_lease_seconds: float = Field(
        default=10.0,
        ge=1,
        le=600,
        description="With a database: a process that is silent for longer is taken for dead, and what it left open is "
        "abandoned by the others; it beats five times as often. The same in every process.",
    )
    keys_folder: FilePath | None = Field(
        default=None, description="Folder of log and subject keys; best on another volume with other backups."
    )
    published_folder: FilePath | None = Field(
        default=None, description="Folder for published tree heads, outside the database's volume."
    )
    retention: list[RetentionSection] = Field(
        default=[],
        max_length=100,
        description="Retention rules; without any, nothing is ever pruned.",
    )
    max_queued_appends: int = Field(
        default=8192,
        ge=1,
        le=1_000_000,
        description="Appends that wait for the writer at most; more are answered UNAVAILABLE with a time to retry.",
    )

    @property
    def shared(self) -> bool:
        """Whether the ledger lies in a database that other processes may use, too."""
        return self.database is not None or self.database_env is not None

    @property
    def place_of_keys(self) -> Path:
        """The folder of keys, wherever it is."""
        return self.keys_folder or self.folder / "keys"

    @property
    def place_of_heads(self) -> Path:
        """The folder of published tree heads, wherever it is."""
        return self.published_folder or self.folder / "published"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.database is not None and self.database_env is not None:
            raise ValueError("`database` and `database_env` exclude each other")
        if self.database_password_file is not None and self.database is None:
            raise ValueError("`database_password_file` needs `database`")
        if self.require_replication and not self.shared:
            raise ValueError("`require_replication` needs `database` or `database_env`")
        if self.database is not None:
            from attending.server.database import flaw

            if (wrong := flaw(self.database)) is not None:
                raise ValueError(f"`database` {wrong}")
        return self
