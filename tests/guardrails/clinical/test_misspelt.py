"""Misspelt names against the whole pack: what may be read as a drug that it is not."""

from __future__ import annotations

import pytest
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.knowledge import Knowledge


@pytest.fixture(scope="module")
def names() -> dict[str, tuple[str, ...]]:
    """Every name of one word with its ingredients."""
    found = Knowledge.load().names()
    return {name: tuple(sorted(of.drugs)) for name, of in found.items() if name.isalpha() and name.isascii()}


@pytest.fixture(scope="module")
def pack() -> Lexicon:
    return Lexicon.from_names(Knowledge.load().names())


def test_no_name_is_read_as_another(names: dict[str, tuple[str, ...]], pack: Lexicon) -> None:
    wrong = {
        name: read for name in names if (read := pack.meant(name)) and tuple(sorted(read)) != names[name]
    }
    assert wrong == {}


def test_no_name_with_one_slip_is_read_as_another(names: dict[str, tuple[str, ...]], pack: Lexicon) -> None:
    """At the first letter of each, since names near a word are looked for among those that begin as it does; and in
    its middle."""
    wrong, read = {}, 0
    for name, drugs in names.items():
        half = len(name) // 2
        for slip in (name[1:], name[1::-1] + name[2:], name[:half] + name[half + 1 :]):
            meant = () if slip in names else pack.meant(slip)
            read += bool(meant)
            if meant and tuple(sorted(meant)) != drugs:
                wrong[slip] = (name, meant)
    assert wrong == {}
    assert read > 2_500


@pytest.mark.parametrize("name", ["arteether", "Sulmycin", "Normoson"])
def test_the_name_of_another_medicine_is_read_as_nothing(name: str, pack: Lexicon) -> None:
    """A substance of its own, one letter from a name of the pack."""
    parsed = parse(f"Take {name} 5 mg daily.", pack)
    assert [(u.text, u.read_as) for u in parsed.unknown] == [(name, ())]
    assert parsed.statements == ()


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        ("Prolixin", "fluphenazine"),
        ("Dolantin", "meperidine"),
        ("Piptaz", "piperacillin"),
        ("Oncovin", "vincristine"),
    ],
)
def test_a_brand_one_letter_from_another_is_its_own_drug(name: str, drug: str, pack: Lexicon) -> None:
    """Prolixin is fluphenazine, and no misspelt Promixin (colistin); Dolantin is pethidine, and no Dilantin."""
    parsed = parse(f"Take {name} 5 mg daily.", pack)
    assert drug in parsed.statements[0].mention.drugs
    assert parsed.unknown == ()
