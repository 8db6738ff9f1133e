"""Who may call, for which tenant, and by which credential: `[[tenants]]`, `[[identities]]`, `[[oidc]]`."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from typing import Annotated, Any, Literal, Self

from attending.ledger.errors import VerificationError
from attending.ledger.reviewer_key import reviewer_key_of
from attending.server.auth.principal import APP_ROLES, HUMAN_ROLES
from attending.server.auth.service_key import PREFIX_PATTERN, flaw_of_hash
from attending.server.config.addresses import flaw_of_url
from attending.server.config.base import URL_PATH, FilePath, Name, Place, Section, Sha256, TenantName
from attending.server.phi.purpose import Purpose
from pydantic import AwareDatetime, Field, StringConstraints, model_validator


class TenantSection(Section):
    """One tenant: its own log, its own keys."""

    name: TenantName = Field(description="Name of the tenant and of its log.")
    origin: str | None = Field(
        default=None,
        pattern=r"^[!-*,-~]{1,255}$",
        description="Origin line of the log's checkpoints, unique in the world, such as "
        "`hospital.example/attending`; `attending.local/<name>` when left out.",
    )

    http_path: str | None = Field(
        default=None,
        pattern=rf"^/{URL_PATH}$",
        description="Path under which the log is read over HTTP. Left out: the path of the origin, so that the origin "
        "is also the log's address, or `/log/<name>` when it has none that fits.",
    )

    allowed_residency: list[Place] = Field(
        default=[],
        max_length=250,
        description="Places outside which no provider may keep this tenant's data, as for `providers[].residency`; "
        "text with replaced identifiers counts too. Any place when left out.",
    )

    certificate_uri_prefixes: list[str] = Field(
        default=[],
        max_length=16,
        description="What a certificate's URI name must begin with to be bound to somebody by `attending user enrol`, "
        "such as `spiffe://hospital.example/ward/`. Without any, none can be: who issues for whom is said here, so "
        "that no tenant can claim another's certificates.",
    )

    @model_validator(mode="after")
    def _prefixes(self) -> Self:
        for prefix in self.certificate_uri_prefixes:
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[!-~]{1,150}/", prefix):
                raise ValueError("`certificate_uri_prefixes` are URIs that end in a slash")
        return self

    @property
    def log_origin(self) -> str:
        return self.origin or f"attending.local/{self.name}"

    @property
    def log_path(self) -> str:
        """Where the log's static resources are, without a slash at the end."""
        if self.http_path is not None:
            return self.http_path
        path = self.log_origin.partition("/")[2]
        return f"/{path}" if re.fullmatch(URL_PATH, path) else f"/log/{self.name}"


class ServiceKeySection(Section):
    """A bearer token of an identity, as `attending keys token` prints it. Several at once let one follow another."""

    prefix: str = Field(
        pattern=PREFIX_PATTERN, description="The public part of the token: `att_<prefix>_...`."
    )
    hash: str = Field(
        max_length=256, repr=False, description="argon2id hash of the whole token (PHC string, RFC 9106)."
    )
    expires: AwareDatetime | None = Field(
        default=None, description="From this moment the token is not accepted; never, when left out."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (wrong := flaw_of_hash(self.hash)) is not None:
            raise ValueError(f"`hash` {wrong}")
        return self


class OidcSubjectSection(Section):
    """A subject of an OpenID Connect provider: whoever has its token is this identity."""

    issuer: Name = Field(description="Name of an `[[oidc]]` section.")
    subject: str = Field(min_length=1, max_length=255, description="The token's `sub`, to the letter.")
    fhir_user: str | None = Field(
        default=None,
        pattern=r"^(Practitioner|PractitionerRole|Person)/[A-Za-z0-9.-]{1,64}$",
        description="Who that is in the record system, such as `Practitioner/123`: a launch (`[[console.smart]]`) "
        "whose token says another `fhirUser` is refused. Any of its staff, when left out.",
    )


class IdentitySection(Section):
    """One application or person. Never shared, never reused."""

    name: Name = Field(description="Unique name, as it stands in entries.")
    tenant: TenantName = Field(description="The tenant it belongs to; nothing in a request can change it.")
    kind: Literal["app", "human"] = Field(description="Whether it is a program or a person.")
    roles: list[str] = Field(
        min_length=1,
        description=f"Roles: `app` for a program; for a person any of {', '.join(sorted(HUMAN_ROLES))}.",
    )
    display_name: str = Field(
        default="", max_length=200, description="Printed name of a signature; the name when left out."
    )
    service_keys: list[ServiceKeySection] = Field(
        default=[], max_length=8, description="Hashes of its bearer tokens, from `attending keys token`."
    )
    oidc: list[OidcSubjectSection] = Field(
        default=[], max_length=8, description="Its subjects at OpenID Connect providers."
    )
    certificate_sha256: list[Sha256] = Field(
        default=[], max_length=8, description="SHA-256 (hex) of its DER certificates."
    )
    certificate_uri: list[str] = Field(
        default=[],
        max_length=8,
        description="URI names (SPIFFE ids) of its certificates, as issued by `client_ca`.",
    )
    certificate_common_name: list[str] = Field(
        default=[],
        max_length=8,
        description="Common names of its certificates; only sensible when `client_ca` issues for Attending alone.",
    )
    expires: AwareDatetime | None = Field(
        default=None, description="From this moment no credential of this identity is accepted."
    )
    licence_expires: AwareDatetime | None = Field(
        default=None, description="From this moment the person may not sign; other rights stay."
    )
    competency_expires: AwareDatetime | None = Field(
        default=None,
        description="From this moment the person may not sign until training is renewed (21 CFR 11.10(i)); other "
        "rights stay.",
    )
    signing_public_key: str | None = Field(
        default=None,
        description="Base64 of the public key with which the person signs reviews from a program, as `attending keys"
        " signing` prints it: raw Ed25519, or P-256 in DER.",
    )

    purpose_of_use: str | None = Field(
        default=None,
        description="HL7 code of the purpose, such as `TREAT`, that an application asks for personal content with when "
        "a request names none. Without it every such request names one; a person always does. See docs/phi.md.",
    )

    @property
    def signing_key_bytes(self) -> bytes | None:
        return None if self.signing_public_key is None else base64.b64decode(self.signing_public_key)

    @model_validator(mode="before")
    @classmethod
    def _no_plain_hashes(cls, data: Any) -> Any:
        if isinstance(data, dict) and "token_sha256" in data:
            raise ValueError(
                "`token_sha256` is not accepted any more: make a new token with `attending keys token --out FILE` and "
                "put the `service_keys` line that it prints in its place"
            )
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        allowed = APP_ROLES if self.kind == "app" else HUMAN_ROLES
        wrong = sorted(set(self.roles) - allowed)
        if wrong:
            near = difflib.get_close_matches(wrong[0], allowed, 1)
            hint = f", did you mean `{near[0]}`" if near else f", expected {', '.join(sorted(allowed))}"
            raise ValueError(f"role `{wrong[0]}` is not one of kind `{self.kind}`{hint}")
        if self.purpose_of_use is not None:
            if self.kind != "app":
                raise ValueError("`purpose_of_use`: a person says for each request why it is made")
            if self.purpose_of_use not in set(Purpose):
                raise ValueError(f"`purpose_of_use` must be one of {', '.join(Purpose)}")
        if self.kind == "app" and self.signing_public_key is not None:
            raise ValueError("`signing_public_key`: an application never signs")
        if self.signing_public_key is not None:
            try:
                raw = base64.b64decode(self.signing_public_key, validate=True)
            except binascii.Error:
                raw = b""
            try:
                reviewer_key_of(raw)
            except VerificationError:
                raise ValueError(
                    "`signing_public_key` is not the base64 of an Ed25519 key (32 bytes) or of a P-256 key (DER)"
                ) from None
        return self

    @model_validator(mode="after")
    def _recognised(self) -> Self:
        credentials = (
            *self.service_keys,
            *self.oidc,
            *self.certificate_sha256,
            *self.certificate_uri,
            *self.certificate_common_name,
        )
        if not credentials:
            raise ValueError(
                "has no credential: set `service_keys`, `oidc`, `certificate_sha256`, `certificate_uri` or "
                "`certificate_common_name`"
            )
        return self


class OidcSection(Section):
    """An OpenID Connect provider whose tokens are accepted. A token only says who; tenant, roles and names come from
    the identity that names its issuer and subject. See docs/identity.md.
    """

    name: Name = Field(description="Name that identities use as `oidc.issuer`.")
    issuer: str = Field(max_length=1024, description="The token's `iss`, to the letter: an https address.")
    audience: str = Field(
        min_length=1,
        max_length=1024,
        description="The token's `aud`: this server, and nobody else beside it.",
    )
    enrolment_tenant: TenantName | None = Field(
        default=None,
        description="The tenant that may bind subjects of this provider to people by `attending user enrol`. One only, "
        "so that no tenant can claim another's people; none, when left out.",
    )
    algorithms: list[Literal["ES256", "ES384", "RS256", "PS256", "EdDSA"]] = Field(
        default=["ES256", "RS256", "EdDSA"], min_length=1, max_length=5, description="Accepted signatures."
    )
    token_types: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+-]{1,64}$")]] = Field(
        default=["JWT", "at+jwt"],
        min_length=1,
        max_length=8,
        description="Accepted `typ` headers; a token without one counts as `JWT`.",
    )
    leeway_seconds: float = Field(
        default=30.0, ge=0, le=300, description="How far clocks may differ when a token's times are checked."
    )
    jwks_uri: str | None = Field(
        default=None,
        max_length=1024,
        description="Where the provider's keys are; asked of its discovery document when left out.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file: authorities of the provider's certificate; the system's, when left out.",
    )
    refresh_seconds: float = Field(
        default=300.0, ge=5, le=86400, description="How often its keys are fetched in the background."
    )
    max_age_seconds: float = Field(
        default=3600.0,
        ge=10,
        le=7 * 86400,
        description="Keys that could not be fetched anew for this long are not used any more: its tokens are then "
        "answered UNAVAILABLE.",
    )
    timeout_seconds: float = Field(default=5.0, gt=0, le=30, description="Longest time of one fetch.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("issuer", "jwks_uri"):
            value = getattr(self, key)
            if value is not None and (wrong := flaw_of_url(value)) is not None:
                raise ValueError(f"`{key}` {wrong}")
        if self.max_age_seconds < self.refresh_seconds:
            raise ValueError(
                "`max_age_seconds` is below `refresh_seconds`: keys would run out between fetches"
            )
        return self
