"""Every row of signs.tsv is found in a text of the lexicon's own words, and every measurement from its bound on."""

from __future__ import annotations

import pytest
from attending.guardrails.emergency.concepts import rows, tokens_of
from attending.guardrails.emergency.measures import NAMES, measured
from attending.guardrails.emergency.signs import Sign, find_signs, signs

BOUNDS = {
    # measurement -> the mildest that is one, the nearest that is none
    "FEVER": ("temp 38.0", "temp 37.9"),
    "LOW_OXYGEN": ("sats 91", "sats 92"),
    "SHOCK": ("bp 89/60", "bp 90/60"),
    "FAST_PULSE": ("pulse 110", "pulse 109"),
    "COLD": ("temp 34.9", "temp 35.0"),
    "EARLY_GESTATION": ("12/40", "13/40"),
    "FAST_BREATHING": ("rr 25", "rr 24"),
    "HIGH_PRESSURE": ("160/90", "159/109"),
    "VERY_HIGH_PRESSURE": ("180/120", "179/120"),
    "KETONES": ("ketones 3.0", "ketones 2.9"),
    "HIGH_SUGAR": ("glucose 300", "glucose 299"),
    "LOW_SUGAR": ("glucose 2.9", "glucose 3.0"),
    "HIGH_POTASSIUM": ("potassium 6.5", "potassium 6.4"),
    "LITHIUM_LEVEL": ("lithium 1.5", "lithium 1.4"),
    "INFANT": ("12-week-old", "13-week-old"),
    "LATE_GESTATION": ("20 weeks", "19 weeks"),
    "MANY_TABLETS": ("took 10 tablets", "took 9 tablets"),
}
PHRASES = dict(reversed(list(rows("lexicon.tsv"))))


def said(concept: str) -> str:
    """The first phrase of a concept, or its measurement, as words."""
    if concept in BOUNDS:
        return BOUNDS[concept][0]
    words = (word for word in PHRASES[concept].split() if word != "..")
    return " ".join("3" if word == "#" else word.rstrip("*") for word in words)


@pytest.mark.parametrize("sign", signs(), ids=lambda sign: sign.id)
def test_every_sign_is_found_in_its_own_words(sign: Sign) -> None:
    text = ", ".join(" ".join(map(said, group[0])) for group in sign.groups)
    assert sign.id in {found.sign.id for found in find_signs(text)}, text


def test_every_measurement_has_its_bound() -> None:
    assert set(BOUNDS) == NAMES
    for name, (least, none) in BOUNDS.items():
        assert name in {told.concept for told in measured(least, tokens_of(least))}, least
        assert name not in {told.concept for told in measured(none, tokens_of(none))}, none
