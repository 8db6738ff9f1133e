"""The server's configuration: strict, complete, and without secrets.

A TOML file is read into frozen models; an unknown key is refused with its path and the nearest known name. Keys
and tokens never stand in it: it names files, environment variables and hashes. Relative paths are relative to
the file. docs/configuration.md is made from these models (`attending config reference`).
"""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import itertools
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from attending.ledger.custody.retention import MAX_DAYS, Rule, Start
from attending.server.auth.principal import APP_ROLES, HUMAN_ROLES, NAME
from attending.server.auth.service_key import PREFIX_PATTERN, flaw_of_hash
from attending.server.errors import ConfigurationError
from attending.server.phi.purpose import Purpose
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

MIB: Final = 1024 * 1024
MIN_RETENTION_DAYS: Final = 183
_PUBLIC_KEY_BYTES: Final = 32


def _based(value: object, info: ValidationInfo) -> object:
    """Paths are relative to the folder of the configuration file."""
    if isinstance(value, str) and value and "\x00" not in value:
        base: Path = (info.context or {}).get("base", Path())
        return base / Path(value).expanduser()
    return value


FilePath = Annotated[Path, BeforeValidator(_based)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
TenantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_URL_PATH: Final = rf"{_SEGMENT}(/{_SEGMENT})*"
"""Segments that need no escaping, none of which begins with a dot."""
Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?|EEA)$")]
"""An ISO 3166-1 country, an ISO 3166-2 part of one, or `EU` or `EEA`."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,127}$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ServerSection(Section):
    """Where the server listens and what one caller may use of it. It speaks TLS only."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(
        default=50051,
        ge=0,
        le=65535,
        description="Port for callers with a client certificate (mTLS); 0 takes a free one.",
    )
    token_port: int = Field(
        default=50052, ge=0, le=65535, description="Port for callers with a bearer token; 0 takes a free one."
    )
    tokens: bool = Field(
        default=True, description="Whether bearer tokens are accepted at all, on their own port."
    )
    tls_certificate: FilePath = Field(description="PEM file: the server's certificate and its chain.")
    tls_key: FilePath = Field(description="PEM file: the server's private key, readable by its owner only.")
    client_ca: FilePath | None = Field(
        default=None,
        description="PEM file: authorities of client certificates. Without it there is no mTLS port.",
    )
    client_crl: list[FilePath] = Field(
        default=[],
        max_length=32,
        description="Revocation lists (PEM or DER) of those authorities, one each. Once any is given, an authority "
        "without a list that is up to date lets nobody in.",
    )
    reload_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How often the TLS files are looked at; changed ones are taken without a restart, on SIGHUP at "
        "once. Broken ones are not.",
    )
    max_message_bytes: int = Field(
        default=4 * MIB,
        ge=64 * 1024,
        le=64 * MIB,
        description="Largest request or response message, in bytes.",
    )
    max_concurrent_rpcs: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Calls at once; more are answered UNAVAILABLE with a time to retry.",
    )
    max_concurrent_rpcs_per_caller: int = Field(
        default=128, ge=1, le=100_000, description="Calls at once of one identity."
    )
    deadline_seconds: float = Field(
        default=300.0,
        gt=0,
        le=3600,
        description="Longest time of a unary call, whatever deadline the client set.",
    )
    stream_deadline_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=86400,
        description="Longest time of a streaming call; clients take it up again.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        le=600,
        description="Time for running calls to end when the server is told to stop.",
    )
    reuse_port: bool = Field(
        default=False,
        description="Whether other processes may listen on the same ports (SO_REUSEPORT): the system then spreads "
        "connections over them. Only with a database, and only for processes of one configuration.",
    )


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


class HttpSection(Section):
    """Static reads of the logs over HTTP, as C2SP tlog-tiles; see docs/tiles.md. Off when the section is left out."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=50053, ge=0, le=65535, description="Port; 0 takes a free one.")
    tls: bool = Field(
        default=True,
        description="TLS with the certificate of `[server]`, which also asks for client certificates when "
        "`server.client_ca` is set. Without it `host` must be a loopback address, for a proxy on this machine.",
    )
    public_tiles: bool = Field(
        default=False,
        description="Whether checkpoints and tiles, which hold hashes only, are served without a credential. "
        "Entries never are.",
    )
    max_connections: int = Field(
        default=512, ge=1, le=1_000_000, description="Connections at once; more are closed as they come."
    )
    max_connections_per_address: int = Field(
        default=64,
        ge=1,
        le=1_000_000,
        description="Connections at once from one address (IPv6: one /64). Set it high behind a proxy.",
    )
    max_concurrent_requests: int = Field(
        default=32,
        ge=2,
        le=10_000,
        description="Requests worked on at once, half of them for one caller; more are answered 503 with a time to "
        "retry. One takes at most 34 MiB, usually less than 1.",
    )


class LimitsSection(Section):
    """How often, and how slowly, one may call. Each server process counts for itself. docs/limits.md lists every limit
    with the reason that it is refused with."""

    caller_rate: float = Field(
        default=500.0,
        gt=0,
        le=1_000_000,
        description="Units a second of one identity. A call that reads is 1, one that runs checks or a model 10, one "
        "that goes through a whole log 50.",
    )
    caller_burst: float = Field(
        default=5_000.0, ge=50, le=10_000_000, description="Units that one identity may use at once."
    )
    tenant_rate: float = Field(
        default=1_500.0, gt=0, le=1_000_000, description="Units a second of all identities of one tenant."
    )
    tenant_burst: float = Field(
        default=15_000.0, ge=50, le=10_000_000, description="Units that they may use at once."
    )
    refused_credentials_rate: float = Field(
        default=1.0,
        gt=0,
        le=1_000_000,
        description="Refused credentials a second from one address (IPv6: one /64); beyond it calls from there wait "
        "before their credential is looked at, unless they come with a client certificate. Set it high behind a proxy "
        "that hides addresses.",
    )
    refused_credentials_burst: float = Field(
        default=50.0, ge=1, le=10_000_000, description="Refused credentials at once from one address."
    )
    max_concurrent_rpcs_per_tenant: int = Field(
        default=192, ge=1, le=100_000, description="Calls at once of one tenant."
    )
    max_streams_per_caller: int = Field(
        default=32, ge=1, le=100_000, description="Streaming calls at once of one identity."
    )
    max_streams_per_tenant: int = Field(
        default=96, ge=1, le=100_000, description="Streaming calls at once of one tenant."
    )
    request_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Longest time from the head of a call to the end of its first message.",
    )
    idle_stream_seconds: float = Field(
        default=900.0,
        gt=0,
        le=86400,
        description="Longest time between two messages of a stream of requests; clients take it up again.",
    )
    slow_reader_seconds: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Longest time that a client may leave a message unread while the next one waits.",
    )
    handshake_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=600,
        description="Longest time from a connection to the end of its TLS handshake, gRPC and HTTP.",
    )
    idle_connection_seconds: float = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="A gRPC connection without a call is closed after this time.",
    )
    connection_seconds: float = Field(
        default=3600.0,
        ge=1,
        le=86400,
        description="A gRPC connection takes no new call after this time, give or take a tenth; clients open another.",
    )
    connection_grace_seconds: float = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="How long calls that run on it may then go on; a client that reads nothing is let go of by then.",
    )
    max_connections: int = Field(
        default=1_024,
        ge=1,
        le=1_000_000,
        description="gRPC connections at once on each port; more are closed as they come.",
    )


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


class RootSection(Section):
    """A root that keys were sealed under before."""

    kind: Literal["plain", "passphrase", "vault", "aws_kms"] = Field(
        default="plain",
        description="`plain` leaves keys in files that only their owner reads, `passphrase` seals them with one, "
        "`vault` by a Vault transit key, `aws_kms` by a key in AWS KMS.",
    )
    passphrase_file: FilePath | None = Field(
        default=None,
        description="File that holds the passphrase, readable by its owner only; read at every use.",
    )
    passphrase_env: Variable | None = Field(
        default=None, description="Environment variable that holds the passphrase."
    )
    vault_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="Vault server, such as `https://vault.example:8200`; plain HTTP only on a loopback address.",
    )
    vault_mount: str = Field(
        default="transit",
        pattern=rf"^{_URL_PATH}$",
        description="Path at which the transit engine is mounted.",
    )
    vault_key: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$", description="Name of the transit key."
    )
    vault_token_file: FilePath | None = Field(
        default=None,
        description="File that holds the Vault token, readable by its owner only; read at every use.",
    )
    vault_namespace: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_./-]{1,256}$", description="Namespace of Vault Enterprise."
    )
    vault_ca: FilePath | None = Field(
        default=None, description="PEM file: authorities of Vault's certificate; the system's when left out."
    )
    aws_key_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9:/_-]{1,2048}$",
        description="Id, ARN or alias of the KMS key. Credentials come from where AWS tools look for them.",
    )
    aws_region: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]{1,64}$", description="Region of the KMS key."
    )
    aws_endpoint_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="Endpoint in place of the region's, such as a VPC endpoint; plain HTTP only on a loopback "
        "address.",
    )
    timeout_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Longest time of one call of Vault or KMS."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "vault": ("vault_url", "vault_key", "vault_token_file"),
            "aws_kms": ("aws_key_id", "aws_region"),
        }.get(self.kind, ())
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f"`{key}` is required for kind `{self.kind}`")
        if self.kind == "passphrase" and (self.passphrase_file is None) == (self.passphrase_env is None):
            raise ValueError("kind `passphrase` needs exactly one of `passphrase_file` and `passphrase_env`")
        owner = {"passphrase": "passphrase", "vault": "vault", "aws": "aws_kms"}
        for key in self.model_fields_set:
            kind = owner.get(key.partition("_")[0])
            if kind is not None and kind != self.kind and getattr(self, key) is not None:
                raise ValueError(f"`{key}` belongs to kind `{kind}`, not `{self.kind}`")
        for key in ("vault_url", "aws_endpoint_url"):
            url = getattr(self, key)
            if url is not None and url.startswith("http:") and not _is_loopback(_host_of(url)):
                raise ValueError(f"`{key}` must be https, or on a loopback address")
        return self


class SecretsSection(RootSection):
    """What the keys of the logs are sealed under; see docs/secrets.md. In the clear when the section is left out."""

    previous: RootSection | None = Field(
        default=None,
        description="The root before, in the same words, while keys move from it to the present one; take it out "
        "once `attending keys rewrap` has said that all have moved.",
    )


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
        pattern=rf"^/{_URL_PATH}$",
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
        return f"/{path}" if re.fullmatch(_URL_PATH, path) else f"/log/{self.name}"


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
        default=None, description="Base64 of the raw Ed25519 public key with which the person signs reviews."
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
            if len(raw) != _PUBLIC_KEY_BYTES:
                raise ValueError("`signing_public_key` is not the base64 of 32 bytes")
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


def flaw_of_url(url: str) -> str | None:
    """What is wrong with the address of a provider, in words without its value; None when it may be asked."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme == "http" and not _is_loopback(host):
        return "needs https; http is for this machine only"
    if parts.scheme not in ("http", "https") or not host:
        return "is not an https address"
    if "@" in parts.netloc or parts.fragment or parts.query or not url.isascii() or re.search(r"\s", url):
        return "has a part that it may not have: user, query or fragment"
    return None


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


class ReviewSection(Section):
    """The review desk."""

    lease_seconds: int = Field(
        default=900, ge=30, le=86400, description="How long a claimed item stays claimed."
    )
    preparation_seconds: int = Field(
        default=600, ge=30, le=3600, description="How long a prepared statement may be signed."
    )
    expiry_sweep_seconds: int = Field(
        default=30, ge=1, le=3600, description="How often items past their expiry are closed."
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


class Config(Section):
    """All of it. Tables in the file have the names of these keys."""

    server: ServerSection = Field(description="Listening, TLS and limits.")
    http: HttpSection | None = Field(default=None, description="Static reads over HTTP.")
    limits: LimitsSection = Field(default=LimitsSection(), description="Rates and slow clients.")
    storage: StorageSection = Field(description="Ledger and keys.")
    secrets: SecretsSection = Field(default=SecretsSection(), description="What keys are sealed under.")
    tenants: list[TenantSection] = Field(min_length=1, description="Tenants.")
    identities: list[IdentitySection] = Field(default=[], description="Who may call.")
    oidc: list[OidcSection] = Field(default=[], max_length=32, description="OpenID Connect providers.")
    providers: list[ProviderSection] = Field(default=[], description="Model providers.")
    guard: GuardSection = Field(default=GuardSection(), description="Check processes.")
    policies: PoliciesSection = Field(default=PoliciesSection(), description="Policy folders.")
    knowledge: KnowledgeSection = Field(default=KnowledgeSection(), description="Drug knowledge.")
    review: ReviewSection = Field(default=ReviewSection(), description="Review desk.")
    enrolment: EnrolmentSection = Field(
        default=EnrolmentSection(), description="Enrolment while the server runs."
    )
    emergency: EmergencySection = Field(default=EmergencySection(), description="Emergency access.")
    idempotency: IdempotencySection = Field(default=IdempotencySection(), description="Idempotency keys.")
    logging: LoggingSection = Field(default=LoggingSection(), description="Logging.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        tenants = [tenant.name for tenant in self.tenants]
        _unique("tenants", "name", tenants)
        if "system" in tenants:
            raise ValueError("tenant name `system` is taken by the system log")
        _unique("tenants", "origin", [tenant.log_origin for tenant in self.tenants])
        prefixes = sorted(prefix for tenant in self.tenants for prefix in tenant.certificate_uri_prefixes)
        for upper, lower in itertools.pairwise(prefixes):
            if lower.startswith(upper):
                raise ValueError(f"tenants: `certificate_uri_prefixes` overlap at `{upper}`")
        _unique("identities", "name", [identity.name for identity in self.identities])
        _unique("providers", "name", [provider.name for provider in self.providers])
        for identity in self.identities:
            if identity.tenant not in tenants:
                raise ValueError(
                    f"identities: `{identity.name}` is of tenant `{identity.tenant}`, which is not configured"
                )
        _unique("oidc", "name", [provider.name for provider in self.oidc])
        _unique("oidc", "issuer", [provider.issuer for provider in self.oidc])
        for provider in self.oidc:
            if provider.enrolment_tenant is not None and provider.enrolment_tenant not in tenants:
                raise ValueError(f"oidc: `{provider.name}` has an `enrolment_tenant` that is not configured")
        issuers = {provider.name for provider in self.oidc}
        for identity in self.identities:
            for subject in identity.oidc:
                if subject.issuer not in issuers:
                    raise ValueError(
                        f"identities: `{identity.name}` is a subject of `{subject.issuer}`, which is not configured"
                    )
        subjects = [f"{one.issuer} {one.subject}" for i in self.identities for one in i.oidc]
        _unique("identities", "oidc", subjects)
        _unique("identities", "prefix", [key.prefix for i in self.identities for key in i.service_keys])
        for key in ("certificate_sha256", "certificate_uri", "certificate_common_name"):
            # A credential of two identities would make entries name the wrong one.
            _unique("identities", key, [value for i in self.identities for value in getattr(i, key)])
        _unique(
            "identities",
            "signing_public_key",
            [i.signing_public_key for i in self.identities if i.signing_public_key],
        )
        if self.server.reuse_port and not self.storage.shared:
            # Each would have a log of its own, and a caller would meet either.
            raise ValueError(
                "server: `reuse_port` needs a database in `storage`, or two logs answer on one port"
            )
        if self.http is not None:
            self._check_http(self.http)
        if self.server.client_crl and self.server.client_ca is None:
            raise ValueError("server: `client_crl` needs `client_ca`, whose revocation lists they are")
        if self.server.client_ca is None and not self.server.tokens:
            raise ValueError("server: neither `client_ca` nor `tokens` is set, so nobody could call")
        return self

    def _check_http(self, http: HttpSection) -> None:
        if not http.tls and not _is_loopback(http.host):
            raise ValueError(
                f"http: `tls = false` needs a loopback `host`, expected 127.0.0.1, got `{http.host}`"
            )
        paths = sorted((f"{tenant.log_path}/", tenant.name) for tenant in self.tenants)
        # Sorted, so that one beneath another follows it.
        for (upper, first), (lower, second) in itertools.pairwise(paths):
            if lower.startswith(upper):
                raise ValueError(
                    f"tenants: `{first}` and `{second}` would be read at one place, `{upper[:-1]}`; "
                    "set `http_path` of one of them"
                )


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unique(section: str, key: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{section}: the same `{key}` stands twice")
        seen.add(value)


def load_config(path: Path) -> Config:
    """The configuration in a TOML file; ConfigurationError names every key that is wrong and never its value."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigurationError(
            f"configuration `{path}` cannot be read ({type(err).__name__})",
            "give the path of a TOML file with --config, or leave it out for the embedded mode",
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        where = re.search(r"\(at [^)]*\)", str(err))
        raise ConfigurationError(
            f"configuration `{path}` is not TOML {where.group() if where else ''}".rstrip(),
            "correct the file at the place named",
        ) from err
    return parse_config(data, path.resolve().parent)


def parse_config(data: dict[str, Any], base: Path) -> Config:
    """The configuration in parsed TOML; relative paths are relative to `base`."""
    try:
        return Config.model_validate(data, context={"base": base})
    except ValidationError as err:
        problems = [_problem(error["type"], error["loc"], error["msg"]) for error in err.errors()]
        raise ConfigurationError(
            "; ".join(problems), "see docs/configuration.md or `attending config reference`"
        ) from None


def _problem(kind: str, loc: tuple[int | str, ...], message: str) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    if kind == "missing":
        return f"`{path}` is required"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), _names_at(loc[:-1]), 1, 0.5)
        return f"unknown key `{path}`" + (f", did you mean `{near[0]}`" if near else "")
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"`{path}` {text}" if path else text


def _names_at(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in loc:
        if isinstance(part, str):
            inner = section_of(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a field holds, alone or in a list; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, type) and issubclass(argument, Section):
            return argument
    return None
