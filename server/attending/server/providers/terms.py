"""On which terms a provider may be sent text: its agreement (45 CFR 164.308(b), 164.502(e)) and where it keeps data.

Everything here is asked again for every call, with the time of that call, so that an agreement that runs out while the
server runs stops the next call and not the next start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.server.clock import stamp

NO_AGREEMENT: Final = "NO_PHI_AGREEMENT"
AGREEMENT_EXPIRED: Final = "PHI_AGREEMENT_EXPIRED"
RESIDENCY_NOT_PERMITTED: Final = "RESIDENCY_NOT_PERMITTED"
REFUSALS: Final = frozenset({NO_AGREEMENT, AGREEMENT_EXPIRED, RESIDENCY_NOT_PERMITTED})

_EU: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
REGIONS: Final = {"EU": _EU, "EEA": _EU | {"IS", "LI", "NO"}}
"""Names for many countries, as of 2026: the member states of the European Union, and of the EEA."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What permits personal data to reach a provider; `expires` None: no end was configured."""

    reference: str
    expires: datetime | None

    def valid(self, moment: datetime) -> bool:
        return self.expires is None or moment < self.expires


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one provider. `local` ones run on this machine and send nothing out, so nothing is asked of them."""

    local: bool
    agreement: Agreement | None = None
    residency: frozenset[str] = frozenset()

    def refusal(self, *, identified: bool, allowed: frozenset[str], moment: datetime) -> str | None:
        """Why nothing may be sent at `moment`, as a reason code; None when it may.

        `identified` text holds personal data as it was given. `allowed` are the places of the tenant, empty for any.
        They bind text with replaced identifiers too: it is still about somebody (GDPR recital 26).
        """
        if self.local:
            return None
        if identified and self.agreement is None:
            return NO_AGREEMENT
        if identified and self.agreement is not None and not self.agreement.valid(moment):
            return AGREEMENT_EXPIRED
        if allowed and not within(self.residency, allowed):
            return RESIDENCY_NOT_PERMITTED
        return None

    def body(self, *, identified: bool) -> dict[str, Any]:
        """The terms as an entry keeps them."""
        held = self.agreement
        return {
            "local": self.local,
            "identified": identified,
            "agreement": None if held is None else held.reference,
            "agreement_expires": None if held is None or held.expires is None else stamp(held.expires),
            "residency": sorted(self.residency),
        }


def within(places: Iterable[str], allowed: Iterable[str]) -> bool:
    """True when there is a place and each lies in an allowed one; a place that is not known lies nowhere.

    A place is an ISO 3166-1 country (`DE`), an ISO 3166-2 part of one (`US-CA`), or a name of REGIONS. A country holds
    its parts, a region its countries; a region lies in what holds every country of it.
    """
    permitted = set(allowed)
    for name in permitted & REGIONS.keys():
        permitted |= REGIONS[name]
    found = list(places)
    return bool(found) and all(
        place in permitted
        or place.partition("-")[0] in permitted
        or (place in REGIONS and REGIONS[place] <= permitted)
        for place in found
    )
