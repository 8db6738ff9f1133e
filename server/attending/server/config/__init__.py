"""The server's configuration: strict, complete, and without secrets.

A TOML file is read into frozen models; an unknown key is refused with its path and the nearest known name. Keys
and tokens never stand in it: it names files, environment variables and hashes. Relative paths are relative to
the file. docs/configuration.md is made from these models (`attending config reference`).
"""

from attending.server.config.addresses import flaw_of_url, is_loopback
from attending.server.config.base import MIB, Section, section_of
from attending.server.config.callers import (
    IdentitySection,
    OidcSection,
    OidcSubjectSection,
    ServiceKeySection,
    TenantSection,
)
from attending.server.config.console import ConsoleOidcSection, ConsoleSection, ConsoleSmartSection
from attending.server.config.fhir import FhirEndpointSection, FhirSection
from attending.server.config.listening import HttpSection, LimitsSection, ServerSection
from attending.server.config.load import load_config, parse_config
from attending.server.config.model import Config
from attending.server.config.notices import (
    NoticesSection,
    RecipientsSection,
    SmtpSection,
    TargetSection,
    WebhookSection,
)
from attending.server.config.roots import RootSection, SecretsSection
from attending.server.config.running import EmergencySection, ProviderSection
from attending.server.config.storage import RetentionSection, StorageSection

__all__ = [
    "MIB",
    "Config",
    "ConsoleOidcSection",
    "ConsoleSection",
    "ConsoleSmartSection",
    "EmergencySection",
    "FhirEndpointSection",
    "FhirSection",
    "HttpSection",
    "IdentitySection",
    "LimitsSection",
    "NoticesSection",
    "OidcSection",
    "OidcSubjectSection",
    "ProviderSection",
    "RecipientsSection",
    "RetentionSection",
    "RootSection",
    "SecretsSection",
    "Section",
    "ServerSection",
    "ServiceKeySection",
    "SmtpSection",
    "StorageSection",
    "TargetSection",
    "TenantSection",
    "WebhookSection",
    "flaw_of_url",
    "is_loopback",
    "load_config",
    "parse_config",
    "section_of",
]
