"""Who is told that something waits, and how: `[notices]`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from attending.server.config.addresses import flaw_of_url, host_of, is_loopback
from attending.server.config.base import FilePath, Name, Section, TenantName, Variable
from pydantic import Field, StringConstraints, model_validator

EventName = Literal[
    "item.held",
    "item.escalated",
    "item.reassigned",
    "item.sla_near",
    "item.sla_over",
    "item.expired",
    "recall.opened",
    "break_glass.used",
    "break_glass.review_near",
    "break_glass.review_over",
    "oversight.alarm",
    "report.due",
    "system.halted",
    "system.resumed",
]
"""Everything that somebody can be told of."""

Address = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$")
]
"""A mailbox without a display name: nothing in it can end a header (RFC 5322, section 3.4.1)."""

_EVENTS: Final = "What they are told of; everything, when left out. See docs/notices.md for the names."
_TENANTS: Final = "Of which tenants they are told; of all, when left out."


class TargetSection(Section):
    """Who is told. `name` stands in entries."""

    name: Name = Field(description="Name of the target: it stands in the entries about its notices.")
    events: list[EventName] = Field(default=[], max_length=32, description=_EVENTS)
    tenants: list[TenantName] = Field(default=[], max_length=1_000, description=_TENANTS)

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events

    def serves(self, tenant: str) -> bool:
        return not self.tenants or tenant in self.tenants


class WebhookSection(TargetSection):
    """A receiver that is told over HTTPS, signed as Standard Webhooks says."""

    url: str = Field(
        max_length=2048, description="Where notices are posted: an https address; http on this machine only."
    )
    secret_file: FilePath | None = Field(
        default=None,
        description="File with the secret, readable by its owner only: `whsec_` and base64 of 24 to 64 bytes.",
    )
    secret_env: Variable | None = Field(default=None, description="Environment variable with the secret.")
    previous_secret_file: FilePath | None = Field(
        default=None,
        description="The secret before, while the receiver moves to the new one: notices are signed with both.",
    )
    previous_secret_env: Variable | None = Field(default=None, description="The same, from a variable.")
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file: authorities of the receiver's certificate; the system's otherwise.",
    )
    allow_private: bool = Field(
        default=False,
        description="Whether the receiver may be at a private, link-local or loopback address. Without it such an "
        "address is never connected to, whatever its name resolves to.",
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="Longest time of one attempt.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # A secret may stand in the path alone, so the address is never shown again.
        if (wrong := flaw_of_url(self.url)) is not None:
            raise ValueError(f"`url` {wrong}")
        if (self.secret_file is None) == (self.secret_env is None):
            raise ValueError("needs exactly one of `secret_file` and `secret_env`")
        if self.previous_secret_file is not None and self.previous_secret_env is not None:
            raise ValueError("needs at most one of `previous_secret_file` and `previous_secret_env`")
        if is_loopback(host_of(self.url)) and not self.allow_private:
            raise ValueError("`url` is on this machine: set `allow_private` if that is meant")
        return self


class RecipientsSection(TargetSection):
    """People who are told by mail."""

    to: list[Address] = Field(min_length=1, max_length=50, description="Mailboxes, without display names.")
    roles: list[Name] = Field(
        default=[],
        max_length=16,
        description="Only what one of these roles is to act on; everything, when left out.",
    )


class SmtpSection(Section):
    """The mail server that notices are handed to."""

    host: str = Field(min_length=1, max_length=253, description="Mail server.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls` begins in the clear and goes no further without TLS, `tls` begins with it, `none` is "
        "for a mail server on this machine only.",
    )
    ca_file: FilePath | None = Field(
        default=None, description="PEM file: authorities of its certificate; the system's when left out."
    )
    username: str | None = Field(default=None, min_length=1, max_length=255, description="Who signs in.")
    password_file: FilePath | None = Field(
        default=None, description="File with the password, readable by its owner only."
    )
    password_env: Variable | None = Field(default=None, description="Environment variable with it.")
    sender: Address = Field(description="The address that notices come from.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=120, description="Longest time of one attempt.")
    recipients: list[RecipientsSection] = Field(min_length=1, max_length=100, description="Who is told.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if re.search(r"[\s\x00-\x1f]", self.host):
            raise ValueError("`host` is not the name of a host")
        given = (self.password_file is not None) + (self.password_env is not None)
        if given != (self.username is not None):
            raise ValueError("`username` needs exactly one of `password_file` and `password_env`")
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError("`tls` = `none` is for a mail server on this machine only")
        return self


class NoticesSection(Section):
    """Notices to people and programs outside. They hold ids, a policy, a severity and times, and no personal data."""

    near_minutes: int = Field(
        default=15,
        ge=1,
        le=1440,
        description="`item.sla_near` comes so long before an item is due, and not before half its time is over.",
    )
    review_near_hours: int = Field(
        default=12,
        ge=1,
        le=168,
        description="`break_glass.review_near` comes so long before the review of a break-glass is due.",
    )
    poll_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=60,
        description="How often the log is looked at for what another process appended.",
    )
    give_up_hours: int = Field(
        default=24,
        ge=1,
        le=168,
        description="A notice that could not be delivered for so long goes to the dead letters.",
    )
    webhook: list[WebhookSection] = Field(default=[], max_length=32, description="Receivers over HTTPS.")
    smtp: SmtpSection | None = Field(default=None, description="Mail.")

    @property
    def targets(self) -> list[TargetSection]:
        return [*self.webhook, *(self.smtp.recipients if self.smtp is not None else ())]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [target.name for target in self.targets]
        if len(names) != len(set(names)):
            raise ValueError("two targets have the same `name`")
        return self
