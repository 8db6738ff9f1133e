"""The demo identities of the embedded mode. They are nobody: names and keys exist in one data folder only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attending.server.auth.principal import Kind

TENANT: Final = "demo"


@dataclass(frozen=True, slots=True)
class DemoIdentity:
    """One application or person; `signs` says whether a review key is made for them."""

    name: str
    kind: Kind
    roles: tuple[str, ...]
    display_name: str
    signs: bool = False
    purpose_of_use: str | None = None


DEMO_IDENTITIES: Final[tuple[DemoIdentity, ...]] = (
    DemoIdentity("demo-app", "app", ("app",), "Demo application", purpose_of_use="TREAT"),
    DemoIdentity("dr-rivera", "human", ("clinician",), "Dr Rivera (demo)", signs=True),
    DemoIdentity("dr-chen", "human", ("clinician",), "Dr Chen (demo)", signs=True),
    DemoIdentity("demo-pharmacist", "human", ("pharmacist",), "Pharmacist (demo)", signs=True),
    DemoIdentity("demo-auditor", "human", ("auditor",), "Auditor (demo)"),
    DemoIdentity("demo-operator", "human", ("operator",), "Operator (demo)"),
    DemoIdentity("demo-privacy-officer", "human", ("privacy_officer",), "Privacy officer (demo)", signs=True),
    DemoIdentity("demo-safety-officer", "human", ("safety_officer",), "Safety officer (demo)", signs=True),
    DemoIdentity("demo-medical-director", "human", ("medical_director",), "Medical director (demo)"),
)


def certificate_uri(name: str) -> str:
    """The URI name in the client certificate of a demo identity."""
    return f"spiffe://attending.local/{TENANT}/{name}"
