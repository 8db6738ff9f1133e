"""Passkeys of people: for which site they are made, and how long a code or a challenge counts: `[passkeys]`."""

from __future__ import annotations

from typing import Self

from attending.ledger.errors import VerificationError
from attending.ledger.webauthn import check_party
from attending.server.config.base import Section
from pydantic import Field, model_validator


class PasskeysSection(Section):
    """Passkeys, with which people sign in to the console and sign reviews; see docs/passkeys.md."""

    rp_id: str = Field(
        default="localhost",
        max_length=253,
        description="Domain that passkeys are made for, such as `attending.hospital.example`. Every passkey is bound to"
        " it for ever: after a change each person needs a new one.",
    )
    rp_name: str = Field(
        default="Attending",
        min_length=1,
        max_length=64,
        description="Name of this site, as a person's device shows it.",
    )
    origins: list[str] = Field(
        default=[],
        max_length=16,
        description="Addresses of the console, such as `https://attending.hospital.example`, at `rp_id` or beneath it;"
        " http for localhost alone. A signature that was made on another one is refused. The console's own when left"
        " out.",
    )
    code_minutes: int = Field(
        default=60,
        ge=5,
        le=1440,
        description="How long a person has for making a passkey, from when an administrator issues the code.",
    )
    ceremony_seconds: int = Field(
        default=300, ge=30, le=3600, description="How long a browser has to answer a challenge."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            check_party(self.rp_id, self.origins or [f"https://{self.rp_id}"])
        except VerificationError as err:
            raise ValueError(f"`rp_id` and `origins`: {err.detail}") from None
        if len(set(self.origins)) != len(self.origins):
            raise ValueError("`origins`: the same one stands twice")
        return self
