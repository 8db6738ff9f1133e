"""A small lexicon of real names, so that the grammar's tests do not depend on the knowledge pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.statement import ParsedText


@dataclass(frozen=True)
class Entry:
    drugs: tuple[str, ...]
    drug_class: str | None = None
    brand: bool = False


_SINGLE = [
    "lisinopril",
    "losartan",
    "metformin",
    "warfarin",
    "ibuprofen",
    "naproxen",
    "aspirin",
    "acetaminophen",
    "sildenafil",
    "nitroglycerin",
    "amoxicillin",
    "penicillin",
    "simvastatin",
    "clarithromycin",
    "insulin",
    "potassium",
    "sodium",
    "sodium oxybate",
    "iron",
    "digoxin",
    "lithium",
    "methotrexate",
    "metronidazole",
    "vancomycin",
    "tramadol",
    "prednisone",
    "azithromycin",
    "apixaban",
    "levothyroxine",
    "vincristine",
    "morphine",
    "fentanyl",
    "oxycodone",
    "enoxaparin",
    "albuterol",
    "timolol",
    "hydrocortisone",
    "furosemide",
    "magnesium",
    "calcium",
]
NAMES: dict[str, Entry] = {name: Entry((name,)) for name in _SINGLE}
NAMES.update(
    {
        "tylenol": Entry(("acetaminophen",), brand=True),
        "advil": Entry(("ibuprofen",), brand=True),
        "coumadin": Entry(("warfarin",), brand=True),
        "viagra": Entry(("sildenafil",), brand=True),
        "percocet": Entry(("acetaminophen", "oxycodone"), brand=True),
        "tmp-smx": Entry(("sulfamethoxazole", "trimethoprim")),
        "amoxicillin-clavulanate": Entry(("amoxicillin", "clavulanate")),
        "potassium chloride": Entry(("potassium chloride",)),
        "sodium oxybate": Entry(("sodium oxybate",)),
        "vitamin d": Entry(("cholecalciferol",)),
        "folic acid": Entry(("folic acid",)),
        "alcohol": Entry(("ethanol",)),
        "oxygen": Entry(("oxygen",)),
        "lead": Entry(("lead",)),
        "salt": Entry(("sodium chloride",)),
        "insulin glargine": Entry(("insulin glargine",)),
        "aspirin 81": Entry(("aspirin",), brand=True),
        "nsaid": Entry((), "nsaid"),
        "nsaids": Entry((), "nsaid"),
        "nitrate": Entry((), "nitrate"),
        "penicillins": Entry((), "penicillin"),
        "calcium channel blocker": Entry((), "calcium_channel_blocker"),
        "ace inhibitor": Entry((), "acei"),
    }
)


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon.from_names(NAMES)


@pytest.fixture(scope="session")
def read(lexicon: Lexicon) -> Callable[[str], ParsedText]:
    return lambda text: parse(text, lexicon)
