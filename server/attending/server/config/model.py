"""All sections together, and what must hold between them."""

from __future__ import annotations

import itertools
from typing import Self

from attending.server.config.addresses import host_of, is_loopback
from attending.server.config.base import Section
from attending.server.config.callers import IdentitySection, OidcSection, TenantSection
from attending.server.config.console import ConsoleSection
from attending.server.config.fhir import FhirSection
from attending.server.config.listening import HttpSection, LimitsSection, ServerSection
from attending.server.config.notices import NoticesSection
from attending.server.config.passkeys import PasskeysSection
from attending.server.config.reports import ReportsSection
from attending.server.config.roots import SecretsSection
from attending.server.config.running import (
    EmergencySection,
    EnrolmentSection,
    ExaminationSection,
    GuardSection,
    IdempotencySection,
    KnowledgeSection,
    LoggingSection,
    OversightSection,
    PoliciesSection,
    ProviderSection,
    ReviewSection,
)
from attending.server.config.storage import StorageSection
from pydantic import Field, model_validator


class Config(Section):
    """All of it. Tables in the file have the names of these keys."""

    server: ServerSection = Field(description="Listening, TLS and limits.")
    http: HttpSection | None = Field(default=None, description="Static reads over HTTP.")
    console: ConsoleSection | None = Field(default=None, description="The review console.")
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
    passkeys: PasskeysSection = Field(default=PasskeysSection(), description="Passkeys of people.")
    emergency: EmergencySection = Field(default=EmergencySection(), description="Emergency access.")
    notices: NoticesSection = Field(default=NoticesSection(), description="Notices to people and programs.")
    fhir: FhirSection = Field(default=FhirSection(), description="Writing back to record systems.")
    reports: ReportsSection = Field(default=ReportsSection(), description="Reports and their seal.")
    examination: ExaminationSection = Field(
        default=ExaminationSection(), description="The examination of the log by officers."
    )
    oversight: OversightSection = Field(
        default=OversightSection(), description="Figures of people who review."
    )
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
        for target in self.notices.targets:
            if any(tenant not in tenants for tenant in target.tenants):
                raise ValueError(f"notices: `{target.name}` names a tenant that is not configured")
        for endpoint in self.fhir.endpoint:
            if endpoint.tenant not in tenants:
                raise ValueError(f"fhir: `{endpoint.name}` names a tenant that is not configured")
        # One name, one place in the log, whatever is sent there.
        targets = [target.name for target in self.notices.targets]
        targets += [endpoint.name for endpoint in self.fhir.endpoint]
        _unique("notices and fhir.endpoint", "name", targets)
        if self.http is not None:
            self._check_http(self.http)
        if self.console is not None:
            self._check_console(self.console)
        if self.server.client_crl and self.server.client_ca is None:
            raise ValueError("server: `client_crl` needs `client_ca`, whose revocation lists they are")
        if self.server.client_ca is None and not self.server.tokens:
            raise ValueError("server: neither `client_ca` nor `tokens` is set, so nobody could call")
        return self

    def _check_http(self, http: HttpSection) -> None:
        if not http.tls and not is_loopback(http.host):
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

    def _check_console(self, console: ConsoleSection) -> None:
        if not console.tls and not is_loopback(console.host):
            raise ValueError(
                f"console: `tls = false` needs a loopback `host`, expected 127.0.0.1, got `{console.host}`"
            )
        host = host_of(console.origin or "http://localhost")
        rp_id = self.passkeys.rp_id
        if host != rp_id and not host.endswith(f".{rp_id}"):
            raise ValueError(
                f"console: `origin` is at `{host}`, where passkeys of `passkeys.rp_id` = `{rp_id}` do not work: set "
                "`rp_id` to that host, or to a domain above it"
            )
        _unique("console.oidc", "provider", [one.provider for one in console.oidc])
        _unique("console.smart", "name", [one.name for one in console.smart])
        _unique("console.smart", "fhir_base", [one.fhir_base for one in console.smart])
        providers = {provider.name for provider in self.oidc}
        named = [
            *(("console.oidc", one.provider) for one in console.oidc),
            *(("console.smart", one.provider) for one in console.smart),
        ]
        for section, provider in named:
            if provider not in providers:
                raise ValueError(f"{section}: `{provider}` is not the name of an `[[oidc]]` section")
        for system in console.smart:
            if system.tenant not in {tenant.name for tenant in self.tenants}:
                raise ValueError(f"console.smart: `{system.name}` names a tenant that is not configured")


def _unique(section: str, key: str, values: list[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{section}: the same `{key}` stands twice")
        seen.add(value)
