"""Record systems that reviews and released texts are written to: `[fhir]`."""

from __future__ import annotations

from typing import Self

from attending.server.config.addresses import flaw_of_base, host_of
from attending.server.config.base import FilePath, Name, Section, TenantName
from pydantic import Field, model_validator


class FhirEndpointSection(Section):
    """A FHIR R4 server that is written to, for one tenant. What it is sent holds personal content. See docs/fhir.md."""

    name: Name = Field(
        description="Name of the endpoint: it stands in entries, and is a target as those of `[notices]` are."
    )
    tenant: TenantName = Field(description="The tenant whose reviews and texts it is sent.")
    url: str = Field(
        max_length=1024,
        description="Base address of the FHIR server, without a slash at the end: https; http on this machine only.",
    )
    client_id: str = Field(
        min_length=1, max_length=255, description="This server there (SMART Backend Services)."
    )
    client_key_file: FilePath = Field(
        description="PEM file with the private key that proves who asks (P-384 or RSA), readable by its owner only; "
        "`attending config jwks` prints its public half."
    )
    scope: str = Field(
        default="system/Task.cru system/DocumentReference.cru system/Provenance.cru",
        min_length=1,
        max_length=1024,
        description="Scopes that are asked for.",
    )
    ca_file: FilePath | None = Field(
        default=None, description="PEM file: authorities of its certificate; the system's, when left out."
    )
    allow_private: bool = Field(
        default=False,
        description="Whether it may be at a private, link-local or loopback address. Without it such an address is "
        "never connected to, whatever its name resolves to.",
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=60, description="Longest time of one answer of it.")

    @property
    def host(self) -> str:
        """The recipient's address, as the accounting of disclosures has it."""
        return host_of(self.url)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (wrong := flaw_of_base(self.url, allow_private=self.allow_private)) is not None:
            raise ValueError(f"`url` {wrong}")
        return self


class FhirSection(Section):
    """Writing back to record systems, as FHIR R4. Off when there is no endpoint."""

    endpoint: list[FhirEndpointSection] = Field(
        default=[], max_length=32, description="FHIR servers that are written to."
    )
