"""The review console in a browser: `[console]`."""

from __future__ import annotations

import re
from typing import Final, Self

from attending.server.config.addresses import flaw_of_url, host_of
from attending.server.config.base import FilePath, Name, Section
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
    oidc: list[ConsoleOidcSection] = Field(
        default=[], max_length=8, description="Providers with which people sign in."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
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
