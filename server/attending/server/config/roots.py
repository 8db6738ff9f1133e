"""What the keys of the logs are sealed under: `[secrets]`, now and before."""

from __future__ import annotations

from typing import Literal, Self

from attending.server.config.addresses import host_of, is_loopback
from attending.server.config.base import URL_PATH, FilePath, Section, Variable
from pydantic import Field, model_validator


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
        pattern=rf"^{URL_PATH}$",
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
            if url is not None and url.startswith("http:") and not is_loopback(host_of(url)):
                raise ValueError(f"`{key}` must be https, or on a loopback address")
        return self


class SecretsSection(RootSection):
    """What the keys of the logs are sealed under; see docs/secrets.md. In the clear when the section is left out."""

    previous: RootSection | None = Field(
        default=None,
        description="The root before, in the same words, while keys move from it to the present one; take it out "
        "once `attending keys rewrap` has said that all have moved.",
    )
