"""The review console in a browser: `[console]`."""

from __future__ import annotations

import re
from typing import Final, Self

from attending.ledger.errors import VerificationError
from attending.ledger.webauthn import check_top_origins
from attending.server.config.addresses import flaw_of_base, flaw_of_url, host_of
from attending.server.config.base import FilePath, Name, Section, TenantName
from pydantic import Field, model_validator

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\[\]:-]+")


class ConsoleOidcSection(Section):
    """A provider with which people sign in to the console: OpenID Connect's code flow with PKCE (RFC 7636)."""

    provider: Name = Field(description="Name of an `[[oidc]]` section: issuer, keys and algorithms are its.")
    client_id: str = Field(
        min_length=1,
        max_length=255,
        description="This console at the provider, and the `aud` of its ID tokens. Register the address "
        "`<origin>/sign-in/oidc/<provider>/back` there.",
    )
    client_secret_file: FilePath | None = Field(
        default=None,
        description="File with the client's secret, readable by its owner only; none for a public client, which PKCE "
        "protects.",
    )
    label: str = Field(
        default="", max_length=60, description="Words on the button; the provider's name when left out."
    )


class ConsoleSmartSection(Section):
    """A FHIR server whose record system opens the console for a patient: SMART App Launch 2.2. See docs/console.md."""

    name: Name = Field(description="Name of the record system, as addresses and logs have it.")
    fhir_base: str = Field(
        max_length=1024,
        description="Address of its FHIR server without a slash at the end: the `iss` of its launches, to the letter. "
        "A launch that names any other is refused, and nothing is asked of that.",
    )
    provider: Name = Field(
        description="Name of the `[[oidc]]` section whose `issuer` signs its ID tokens: keys and algorithms are its. "
        "Only an identity that has issuer and subject there is let in; none is made."
    )
    tenant: TenantName = Field(description="The tenant whose items its patients have.")
    client_id: str = Field(
        min_length=1,
        max_length=255,
        description="This console there, and the `aud` of its ID tokens. Register `<origin>/smart/launch` and "
        "`<origin>/smart/back` there.",
    )
    client_key_file: FilePath | None = Field(
        default=None,
        description="PEM file with the private key that proves who asks (P-384 or RSA), readable by its owner only; "
        "its public half is at `<origin>/smart/jwks.json`. None for a public client, which PKCE protects.",
    )
    identifier_system: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="System of the identifier by which applications name a patient: the Patient is then read, and has "
        "to have exactly one. Without it a patient is named `Patient/<id>`.",
    )
    subject_prefix: str = Field(
        default="",
        max_length=32,
        description="What stands before that identifier in a subject, such as `mrn:` where applications give the "
        "number as `identity.mrn`.",
    )
    label: str = Field(
        default="",
        max_length=60,
        description="Words on the button that begins without the record system; its name when left out.",
    )
    ca_file: FilePath | None = Field(
        default=None, description="PEM file: authorities of its certificate; the system's, when left out."
    )
    allow_private: bool = Field(
        default=False,
        description="Whether it may be at a private, link-local or loopback address. Without it such an address is "
        "never connected to, whatever a name resolves to.",
    )
    timeout_seconds: float = Field(default=5.0, gt=0, le=30, description="Longest time of one answer of it.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (wrong := flaw_of_base(self.fhir_base, allow_private=self.allow_private)) is not None:
            raise ValueError(f"`fhir_base` {wrong}")
        if self.subject_prefix and self.identifier_system is None:
            raise ValueError("`subject_prefix` needs `identifier_system`")
        return self


class ConsoleSection(Section):
    """The review console, for browsers. Off when the section is left out. See docs/console.md."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=50054, ge=0, le=65535, description="Port; 0 takes a free one.")
    tls: bool = Field(
        default=True,
        description="TLS with the certificate of `[server]`; no client certificate is asked for. Without it `host` "
        "must be a loopback address, for a proxy on this machine or for people at it.",
    )
    origin: str | None = Field(
        default=None,
        max_length=253,
        description="The address under which people open it, such as `https://review.hospital.example`: passkeys are "
        "bound to its host, and requests for any other address are refused. Left out: `http://localhost:<port>`, which "
        "needs `tls = false`.",
    )
    idle_seconds: float = Field(
        default=900.0,
        ge=60,
        le=14_400,
        description="A session in which nobody did anything for this long ends (45 CFR 164.312(a)(2)(iii)).",
    )
    session_seconds: float = Field(
        default=43_200.0, ge=300, le=86_400, description="Longest time of a session, whatever is done in it."
    )
    max_connections: int = Field(
        default=2_048, ge=1, le=1_000_000, description="Connections at once; more are closed as they come."
    )
    max_connections_per_address: int = Field(
        default=256,
        ge=1,
        le=1_000_000,
        description="Connections at once from one address (IPv6: one /64). Set it high behind a proxy.",
    )
    practice: bool = Field(
        default=True,
        description="Give everybody who has never signed one marked practice item about a made-up patient first. See "
        "docs/oversight.md.",
    )
    oidc: list[ConsoleOidcSection] = Field(
        default=[], max_length=8, description="Providers with which people sign in."
    )
    smart: list[ConsoleSmartSection] = Field(
        default=[], max_length=8, description="Record systems that open the console for a patient."
    )
    frame_ancestors: list[str] = Field(
        default=[],
        max_length=16,
        description="Origins, such as `https://ehr.hospital.example`, whose pages may show an item in a frame once "
        "they opened it (`[[console.smart]]`), and in whose frames somebody may sign. Nobody's, when left out.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            check_top_origins(self.frame_ancestors)
        except VerificationError as err:
            raise ValueError(f"`frame_ancestors`: {err.detail}") from None
        if any(one.startswith("https:") and one.endswith(":443") for one in self.frame_ancestors):
            raise ValueError("`frame_ancestors`: browsers leave out port 443")
        if self.frame_ancestors and not self.smart:
            raise ValueError(
                "`frame_ancestors` needs `[[console.smart]]`: what is framed begins with a launch"
            )
        if self.origin is None:
            if self.tls:
                raise ValueError(
                    "`origin` is needed with `tls`: the address under which people open the console"
                )
            return self
        if (
            not _ORIGIN.fullmatch(self.origin)
            or flaw_of_url(self.origin) is not None
            or not host_of(self.origin)
        ):
            raise ValueError(
                "`origin` is not an address such as `https://review.hospital.example`, in lower case and without a path"
            )
        return self
