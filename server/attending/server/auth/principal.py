"""Who calls: an application or a person, of exactly one tenant, as the configuration knows them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

APP_ROLES: Final = frozenset({"app"})
HUMAN_ROLES: Final = frozenset(
    {
        "clinician",
        "pharmacist",
        "auditor",
        "medical_director",
        "privacy_officer",
        "safety_officer",
        "operator",
    }
)
ROLES: Final = APP_ROLES | HUMAN_ROLES

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
"""Names of identities: printable in entries and logs without escaping."""

Kind = Literal["app", "human"]
Credential = Literal["mtls", "token", "oidc", "passkey", "link", "smart"]
"""How a caller proved who they are: a client certificate, a service key, a token of an OpenID Connect provider; in the
console a passkey, in the embedded mode a link that was made for one of the others, or a launch by a record system."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. Everything here comes from the credential and the configuration, nothing
    from a request: the tenant above all.

    `name` is unique in its tenant, never shared and never used again; `display_name` is the printed name of signatures
    (21 CFR 11.50); `licence_expires` and `competency_expires` are moments after which a person may no longer sign,
    the latter until training has been renewed (21 CFR 11.10(i));
    `signing_public_key` is the key that was configured for them, raw Ed25519 or P-256 in DER; `emergency` the id of the
    emergency access that they have open, if any.
    """

    name: str
    tenant: str
    kind: Kind
    roles: frozenset[str]
    display_name: str
    credential: Credential
    licence_expires: datetime | None = None
    competency_expires: datetime | None = None
    signing_public_key: bytes | None = field(default=None, repr=False)
    default_purpose: str | None = None
    """HL7 code of the purpose that an application asks with when its request names none; None for a person."""
    emergency: str | None = None

    @property
    def key(self) -> str:
        """What sets this caller apart from every other of the server: names are unique within their tenant only."""
        return f"{self.tenant}/{self.name}"

    @property
    def actor(self) -> str:
        """How entries name this principal: `app:<name>` or `human:<name>`."""
        return f"{self.kind}:{self.name}"

    def licence_valid(self, moment: datetime) -> bool:
        """True for a person whose licence has not run out at `moment`, and for those who need none."""
        return self.licence_expires is None or moment < self.licence_expires

    def competency_valid(self, moment: datetime) -> bool:
        """True for a person whose competency has not run out at `moment`, and for those who need to show none."""
        return self.competency_expires is None or moment < self.competency_expires

    @property
    def signs_until(self) -> datetime | None:
        """The first moment at which licence or competency has run out; None when neither ever does."""
        ends = [end for end in (self.licence_expires, self.competency_expires) if end is not None]
        return min(ends, default=None)
