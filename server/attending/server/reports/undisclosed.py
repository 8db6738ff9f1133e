"""Payloads that no bundle discloses, whoever may see content: secrets, which are about nobody and prove nothing.

Who holds the seed of a de-identified document and a bundle of the log makes its pseudonyms again (45 CFR
164.514(c)(2)); who holds the seed of a draw that runs knows whom it will draw. Only their commitments leave, in the
entries, as those of any payload that is not disclosed.
"""

from __future__ import annotations

from typing import Final

from attending.ledger.draw import SEED_KIND as DRAW_SEED
from attending.server.people.projection import SERVICE_KEY_HASH
from attending.server.reports.deidentified.pseudonyms import SEED_KIND as PSEUDONYM_SEED

UNDISCLOSED: Final = frozenset({DRAW_SEED, PSEUDONYM_SEED, SERVICE_KEY_HASH})
"""Their kinds."""
