"""Identifiers under characters that show nothing, in other digits and beside other scripts; and very many at once."""

from __future__ import annotations

import pytest
from attending.guardrails.patient import Identity
from attending.guardrails.phi import PhiDetector, PhiMode, ProblemKind, deidentify, restore
from attending.guardrails.phi.visible import visible

ZERO, SOFT, RIGHT, WIDE_AT = "\u200b", "\u00ad", "\u202e", "\uff20"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Patient name: Thi{ZERO}stle{ZERO}wood, Wilhel{SOFT}mina", "stle"),
        (f"Dr. Vand{ZERO}ersloot agrees", "ersloot"),
        (f"{RIGHT}Seen by Dr. Vandersloot\u202c today", "Vandersloot"),
        (f"Call 617{ZERO}-555{ZERO}-0142", "0142"),
        ("Phone: 617\u2011555\u20110142", "0142"),
        ("Phone: 617\u00a0555\u00a00142", "0142"),
        ("Phone: \uff16\uff11\uff17-\uff15\uff15\uff15-\uff10\uff11\uff14\uff12", "\uff10\uff11\uff14\uff12"),
        ("SSN ٢١٩-٠٩-٩٩٩٩", "٩٩٩٩"),
        (f"MRN: 00{ZERO}12{ZERO}3987", "3987"),
        (f"mail halmi{WIDE_AT}posta.example.hu", "halmi"),
        ("المريض Dr. Vandersloot حضر", "Vandersloot"),
        ("Seen March\u00a014,\u00a02024 at noon", "14"),
        ("Patient שרה לוי has gout", "שרה"),
    ],
)
@pytest.mark.parametrize("mode", list(PhiMode))
def test_what_hides_an_identifier_goes_with_it(
    detector: PhiDetector, text: str, secret: str, mode: PhiMode
) -> None:
    result = deidentify(text, detector, mode=mode)
    assert secret not in result.text
    assert not set(result.text) & {ZERO, SOFT}
    assert restore(result.text, result.placeholders).text == text


def test_the_known_patient_is_found_under_hidden_characters(detector: PhiDetector) -> None:
    known = Identity(names=("Zintkala Oyate",), mrn="55120-A")
    text = f"zint{ZERO}kala oy{SOFT}ate, record 551{ZERO}20-A"
    view = deidentify(text, detector, known).text
    assert "zint" not in view
    assert "55120" not in visible(view).text


@pytest.mark.parametrize(
    "bent", [f"[NA{ZERO}ME_1]", "[N\u0410ME_1]", "[NOMBRE_1]", "\uff3bNAME_1\uff3d", "[NAME\u20111]"]
)
def test_a_placeholder_bent_out_of_sight_is_altered(bent: str) -> None:
    restored = restore(f"Dear {bent}, hello", {"[NAME_1]": "Ada"})
    assert [p.kind for p in restored.problems] == [ProblemKind.ALTERED]
    assert restored.text == f"Dear {bent}, hello"


def test_thousands_of_names_are_all_found(detector: PhiDetector) -> None:
    """Bounded by the time-out of the suite: a rule that is quadratic in names would not come back in time."""
    syllables = [
        a + b for a in ("ka", "lo", "mi", "vu", "zor", "fel") for b in ("tan", "shi", "dro", "gor", "bek")
    ]
    names = [f"Dr. {a.capitalize()}{b}" for a in syllables for b in syllables] * 4
    text = ", ".join(names)
    assert len(names) == 3600
    spans = detector.detect(text)
    assert len(spans) == len(names)
    assert {text[s.start : s.end] for s in spans} == set(names)


@pytest.mark.parametrize("text", ["", " ", "\n\n", ZERO * 40, "\x00\x01\x02", "\ufffd" * 50, "\U0010ffff"])
def test_nothing_to_find_is_nothing_found(detector: PhiDetector, text: str) -> None:
    assert detector.detect(text) == []
    assert deidentify(text, detector, mode=PhiMode.BAA_MINIMUM).text == text
