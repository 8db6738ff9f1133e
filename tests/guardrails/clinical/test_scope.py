"""The prescriptive scope of every mention, by grammar: several phrasings of each construction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attending.guardrails.clinical.statement import ParsedText

Read = Callable[[str], ParsedText]

R, C, A, S, L, H, Y, F, M = (
    "recommend",
    "continue",
    "avoid",
    "stop",
    "limit",
    "history",
    "hypothetical",
    "family",
    "mention",
)

GIVEN = [
    ("Take ibuprofen 400 mg every 6 hours.", [R]),
    ("You should take ibuprofen.", [R]),
    ("Please start lisinopril 10 mg daily.", [R]),
    ("We will begin metformin 500 mg twice daily.", [R]),
    ("I would recommend ibuprofen 600 mg.", [R]),
    ("I'd start lisinopril.", [R]),
    ("Consider ibuprofen for the pain.", [R]),
    ("Let's add metformin.", [R]),
    ("You can use either ibuprofen or acetaminophen.", [R, R]),
    ("The patient should be on warfarin.", [R]),
    ("Start the patient on metformin.", [R]),
    ("Go ahead and take ibuprofen with your warfarin.", [R, R]),
    ("Increase lisinopril to 20 mg.", [R]),
    ("Lisinopril was increased from 10 mg to 20 mg.", [R]),
    ("Losartan was started.", [R]),
    ("He was started on lisinopril 10 mg daily.", [R]),
    ("Warfarin may be resumed tonight.", [R]),
    ("Restart warfarin 5 mg.", [R]),
    ("It is important to take warfarin every day.", [R]),
    ("It is safe to take sildenafil with nitroglycerin.", [R, R]),
    ("Sildenafil can be taken with nitroglycerin.", [R, R]),
    ("Warfarin and aspirin can be taken together safely.", [R, R]),
    ("There is no problem combining sildenafil and nitroglycerin.", [R, R]),
    ("Amoxicillin is the best choice for you.", [R]),
    ("Be sure to take metformin with food.", [R]),
    ("Do not forget to take metformin.", [R]),
    ("Don't hesitate to take ibuprofen.", [R]),
    ("It is not unsafe to combine sildenafil with nitroglycerin.", [R, R]),
    ("Take not only metformin but also insulin.", [R, R]),
    ("Take your sildenafil, then use nitroglycerin if your chest hurts.", [R, R]),
    ("Ibuprofen should only be taken with food.", [R]),
    ("Only take ibuprofen if needed.", [R]),
    ("If the pain persists, take ibuprofen.", [R]),
    ("The doctor told her to take apixaban.", [R]),
]
KEPT = [
    ("Continue lisinopril and metformin.", [C, C]),
    ("Keep taking your warfarin.", [C]),
    ("Stay on warfarin.", [C]),
    ("Do not stop taking warfarin.", [C]),
    ("Do not stop warfarin without talking to your doctor.", [C]),
    ("Never skip your insulin.", [C]),
    ("Don't miss your warfarin.", [C]),
    ("Avoid stopping warfarin.", [C]),
    ("Stopping warfarin suddenly is dangerous.", [C]),
    ("It would be a mistake to stop warfarin.", [C]),
    ("There is no need to stop warfarin.", [C]),
    ("Warfarin should be continued.", [C]),
    ("Warfarin must not be stopped.", [C]),
    ("Do not double your dose of warfarin.", [C]),
    ("She takes metformin.", [C]),
    ("Patient is on warfarin.", [C]),
    ("She has been taking lisinopril for years.", [C]),
    ("Currently taking lisinopril and metformin.", [C, C]),
    ("Aspirin 81 mg daily - continue", [C]),
]
AVOIDED = [
    ("Please leave ibuprofen, naproxen and aspirin alone.", [A, A, A]),
    ("Leave the ibuprofen on the shelf.", [A]),
    ("Ibuprofen is best left alone.", [A]),
    ("Aspirin is best avoided.", [A]),
    ("\u274c ibuprofen", [A]),
    ("Avoid ibuprofen, naproxen and aspirin.", [A, A, A]),
    ("Do not take ibuprofen.", [A]),
    ("You shouldn't take ibuprofen any longer.", [A]),
    ("You must not, under any circumstances, take ibuprofen.", [A]),
    ("Under no circumstances should ibuprofen be taken.", [A]),
    ("At no time should you take ibuprofen.", [A]),
    ("Never use ibuprofen.", [A]),
    ("Refrain from using ibuprofen.", [A]),
    ("Steer clear of ibuprofen and naproxen.", [A, A]),
    ("Stay away from ibuprofen.", [A]),
    ("I advise against ibuprofen.", [A]),
    ("I suggest avoiding ibuprofen.", [A]),
    ("We recommend that you avoid ibuprofen.", [A]),
    ("Make sure not to take ibuprofen.", [A]),
    ("Try not to take ibuprofen.", [A]),
    ("Remember to avoid ibuprofen.", [A]),
    ("Ibuprofen is contraindicated.", [A]),
    ("Ibuprofen is not recommended.", [A]),
    ("Ibuprofen isn't recommended for you.", [A]),
    ("Ibuprofen is off-limits.", [A]),
    ("Ibuprofen should be avoided.", [A]),
    ("Ibuprofen should not be used in the third trimester.", [A]),
    ("Neither ibuprofen nor naproxen should be used.", [A, A]),
    ("Take neither ibuprofen nor naproxen.", [A, A]),
    ("No aspirin.", [A]),
    ("Manage pain without NSAIDs.", [A]),
    ("Do not take or use ibuprofen.", [A]),
    ("Do not take ibuprofen without consulting your doctor.", [A]),
    ("Do not take ibuprofen unless your doctor tells you to.", [A]),
    ("The doctor said not to take ibuprofen.", [A]),
    ("Avoid NSAIDs such as ibuprofen and naproxen.", [A, A, A]),
    ("Avoid NSAIDs (e.g., ibuprofen, naproxen).", [A, A, A]),
    ("Avoid products that contain ibuprofen.", [A]),
    ("It is dangerous to take ibuprofen.", [A]),
    ("It's not a good idea to take ibuprofen.", [A]),
    ("Ibuprofen: do not take.", [A]),
]
STOPPED = [
    ("Stop lisinopril.", [S]),
    ("Stop taking ibuprofen.", [S]),
    ("Please discontinue lisinopril.", [S]),
    ("Hold metformin for 48 hours.", [S]),
    ("D/c lisinopril.", [S]),
    ("Wean off prednisone.", [S]),
    ("Come off warfarin.", [S]),
    ("Lisinopril was discontinued.", [S]),
    ("Aspirin should be held.", [S]),
    ("Patient stopped taking lisinopril because of cough.", [S]),
    ("Warfarin 5 mg daily - STOP", [S]),
    ("Discontinued: lisinopril, metformin.", [S, S]),
]
MIXED = [
    ("Acetaminophen is preferred in lactation over ibuprofen.", [R, Y]),
    ("| ibuprofen | \u274c no |\n| acetaminophen 1 g | \u2705 yes |", [A, M]),
    ("\u2714 acetaminophen 1 g\n\u2718 ibuprofen, naproxen", [M, A, A]),
    ("As you cannot take ibuprofen, we would use:\n- metformin\n- acetaminophen", [A, R, R]),
    ("Avoid ibuprofen but take acetaminophen.", [A, R]),
    ("Stop lisinopril and start losartan.", [S, R]),
    ("Warfarin was stopped and apixaban was started.", [S, R]),
    ("Take acetaminophen, ibuprofen and naproxen should be avoided.", [R, A, A]),
    ("You may take acetaminophen, but do not use ibuprofen, aspirin or naproxen.", [R, A, A, A]),
    ("Take acetaminophen instead of ibuprofen.", [R, A]),
    ("Instead of ibuprofen, take acetaminophen.", [A, R]),
    ("Rather than ibuprofen, use acetaminophen.", [A, R]),
    ("Use acetaminophen rather than ibuprofen or naproxen.", [R, A, A]),
    ("Take acetaminophen, not ibuprofen.", [R, A]),
    ("Take acetaminophen (not ibuprofen) for pain.", [R, A]),
    ("Avoid NSAIDs except ibuprofen.", [A, R]),
    ("Switch from lisinopril to losartan.", [S, R]),
    ("Her lisinopril was switched to losartan.", [S, R]),
    ("Do not switch from lisinopril to losartan.", [C, A]),
    ("Replace lisinopril with losartan.", [S, R]),
    ("Substitute acetaminophen for ibuprofen.", [R, S]),
    ("Change lisinopril to losartan.", [S, R]),
    ("Warfarin (hold), metformin (continue)", [S, C]),
    ("Ibuprofen: avoid because of your kidney disease.", [A]),
    ("Prednisone: 60 mg for 3 days, 40 mg for 3 days, then stop.", [M, M]),
    ("Aspirin 81 mg daily, stop smoking.", [M]),
    ("Nobody should take ibuprofen.", [A]),
    ("Discharge on apixaban; her warfarin has been discontinued.", [R, S]),
    ("Until you finish clarithromycin, skip simvastatin.", [C, S]),
    ("I do not recommend stopping warfarin.", [C]),
    ("If you miss a dose of warfarin, do not take a double dose.", [C]),
    ("Ibuprofen is OK but naproxen is not.", [R, A]),
    ("Acetaminophen is okay; ibuprofen isn't.", [R, A]),
    ("The doctor told her to stop taking warfarin and to take apixaban.", [S, R]),
    ("Take sildenafil; it is safe with nitroglycerin.", [R, R]),
    ("Because of your penicillin allergy, take azithromycin.", [H, R]),
    ("Since you are allergic to penicillin, amoxicillin is not safe for you.", [H, A]),
    ("Take ibuprofen while taking warfarin.", [R, C]),
    ("Take ibuprofen only if acetaminophen does not help.", [R, Y]),
]
UNTOLD = [
    ("Cross-reactivity with penicillin is below 1 %.", [Y]),
    ("I have kept penicillin on her allergy list.", [H]),
    ("Penicillin is recorded on his chart as an allergy.", [H]),
    ("Warfarin was not used at this clearance.", [H]),
    ("Haematology to advise on warfarin.", [Y]),
    ("Ibuprofen can push up the level.", [Y]),
    ("Tried ibuprofen and naproxen in the past.", [H, H]),
    ("She was treated with amoxicillin last year.", [H]),
    ("She took amoxicillin in 2019.", [H]),
    ("He no longer takes warfarin.", [H]),
    ("She used to take ibuprofen.", [H]),
    ("She is not taking warfarin.", [H]),
    ("Previously took simvastatin; now on apixaban.", [H, C]),
    ("She is allergic to penicillin.", [H]),
    ("Allergies: penicillin, aspirin", [H, H]),
    ("Anaphylaxis to penicillin.", [H]),
    ("Her mother takes warfarin.", [F]),
    ("His wife takes lisinopril; he takes metformin.", [F, C]),
    ("Family history: father on warfarin.", [F]),
    ("Ibuprofen can cause stomach bleeding.", [Y]),
    ("Ibuprofen may interact with warfarin.", [Y, Y]),
    ("Warfarin is a blood thinner.", [Y]),
    ("Metformin is used to treat diabetes.", [Y]),
    ("Studies show that aspirin reduces heart attacks.", [Y]),
    ("Ibuprofen could be considered.", [Y]),
    ("If you were to take ibuprofen with warfarin, bleeding could occur.", [Y, Y]),
    ("Can I take ibuprofen with warfarin?", [Y, Y]),
    ("Ask your doctor before taking ibuprofen.", [Y]),
    ("Taking ibuprofen with warfarin increases the risk of bleeding.", [Y, Y]),
    ("Patients who take warfarin should avoid aspirin.", [Y, A]),
    ("You should not take ibuprofen while you are on warfarin.", [A, Y]),
    ("Avoid alcohol while taking metronidazole.", [A, Y]),
    ("Acetaminophen is safer than ibuprofen.", [R, Y]),
    ("Do not take more than 4 g of acetaminophen a day.", [L]),
    ("Do not exceed 4 g of acetaminophen per day.", [L]),
    ("Don't take more Tylenol than 3 g per day.", [L]),
    ("Lisinopril 10 mg daily", [M]),
]


@pytest.mark.parametrize(("text", "scopes"), GIVEN + KEPT + AVOIDED + STOPPED + MIXED + UNTOLD)
def test_scope(read: Read, text: str, scopes: list[str]) -> None:
    assert [s.scope.value for s in read(text).statements] == scopes


@pytest.mark.parametrize(("text", "scopes"), GIVEN + KEPT + AVOIDED + STOPPED)
def test_scope_survives_case_and_surroundings(read: Read, text: str, scopes: list[str]) -> None:
    for variant in (
        text.lower(),
        f"Thank you for your message. {text if text.endswith('.') else text + '.'} Call us "
        f"with any questions.",
        f"- {text}",
        f"**{text}**",
        text.replace(" ", "\u00a0"),
        text.replace("'", "’"),  # noqa: RUF001
    ):
        assert [s.scope.value for s in read(variant).statements] == scopes, variant


@pytest.mark.parametrize(
    ("heading", "scope"),
    [
        ("Medications to avoid:", A),
        ("Do not take:", A),
        ("Please avoid the following medicines:", A),
        ("STOP taking:", S),
        ("Stopped medications:", S),
        ("STOP TAKING THESE MEDICINES", S),
        ("Continue:", C),
        ("Continue taking:", C),
        ("Home medications:", C),
        ("Current medications", C),
        ("## Discharge Medications", C),
        ("START taking:", R),
        ("New medications:", R),
        ("Allergies:", H),
        ("ALLERGIES", H),
        ("Past medications:", H),
        ("PAST MEDICAL HISTORY", H),
        ("Family history:", F),
        ("**Medications to avoid**", A),
        ("What to avoid", A),
    ],
)
def test_a_heading_speaks_for_its_list(read: Read, heading: str, scope: str) -> None:
    for marker in ("- ", "* ", "• ", "1. "):
        text = f"{heading}\n{marker}ibuprofen\n{marker}naproxen 500 mg\n\nTake care. Lisinopril 10 mg daily."
        scopes = [s.scope.value for s in read(text).statements]
        assert scopes[:2] == [scope, scope], (marker, scopes)
    if not heading.endswith(":"):
        text = f"{heading}\n\nibuprofen.\nnaproxen.\n"
        assert [s.scope.value for s in read(text).statements] == [scope, scope]


def test_a_list_ends_with_the_next_heading_and_an_item_may_speak_for_itself(read: Read) -> None:
    text = (
        "STOP taking:\n- ibuprofen 400 mg\n- naproxen\n\nKeep taking:\n- lisinopril 10 mg daily\n"
        "- metformin: hold until Monday\n\nNew:\n- apixaban 5 mg twice daily\n"
    )
    assert [s.scope.value for s in read(text).statements] == [S, S, C, S, R]
    assert [s.started for s in read(text).statements] == [False, False, False, False, True]


def test_what_is_started_is_told_from_what_is_kept(read: Read) -> None:
    started = {
        "Start lisinopril 10 mg.": True,
        "Increase lisinopril to 20 mg.": True,
        "Add lisinopril.": True,
        "Resume lisinopril.": True,
        "Prescribe lisinopril 10 mg.": True,
        "Continue lisinopril 10 mg.": False,
        "She takes lisinopril 10 mg.": False,
        "Stop lisinopril.": False,
    }
    for text, expected in started.items():
        (statement,) = read(text).statements
        assert statement.started is expected, text


def test_reports_are_told_from_orders(read: Read) -> None:
    assert read("She takes warfarin.").statements[0].reported
    assert read("Patient is on warfarin.").statements[0].reported
    assert not read("Take warfarin.").statements[0].reported


PAIRS = [
    "Do not take sildenafil with nitroglycerin.",
    "Sildenafil and nitroglycerin should not be taken together.",
    "Sildenafil must never be given with nitroglycerin.",
    "Sildenafil must not be combined with nitroglycerin.",
    "Sildenafil is contraindicated with nitroglycerin.",
    "Sildenafil is not safe with nitroglycerin.",
    "Avoid combining sildenafil with nitroglycerin.",
    "Avoid the combination of sildenafil and nitroglycerin.",
    "The combination of sildenafil and nitroglycerin is contraindicated.",
    "Concomitant use of sildenafil and nitroglycerin should be avoided.",
    "Sildenafil and nitroglycerin: do not combine.",
    "Using sildenafil together with nitroglycerin can be fatal.",
    "Never take sildenafil if you use nitroglycerin.",
    "If you use nitroglycerin, never take sildenafil.",
    "Do not use sildenafil within 24 hours of nitroglycerin.",
    "Do not take sildenafil while on nitroglycerin.",
    "Taking sildenafil with nitroglycerin increases the risk of low blood pressure.",
    "Sildenafil interacts with nitroglycerin.",
    "It is dangerous to take sildenafil with nitroglycerin.",
    "Patients who take nitroglycerin should avoid sildenafil.",
    "If you use nitroglycerin, sildenafil can drop your blood pressure, so never combine them.",
]


@pytest.mark.parametrize("text", PAIRS)
def test_a_warned_combination_is_a_pair_and_nobody_is_told_to_take_it(read: Read, text: str) -> None:
    parsed = read(text)
    assert [{a.drugs[0], b.drugs[0]} for a, b in parsed.avoided_pairs] == [{"sildenafil", "nitroglycerin"}], (
        parsed
    )
    assert not any(s.scope.prescriptive for s in parsed.statements)
    assert all(s.avoid_with for s in parsed.statements if s.scope.value == A)


@pytest.mark.parametrize(
    "text",
    [
        "Take sildenafil with nitroglycerin.",
        "Sildenafil is safe with nitroglycerin.",
        "There is no interaction between sildenafil and nitroglycerin.",
        "Avoid sildenafil. Take nitroglycerin.",
        "You can combine sildenafil and nitroglycerin.",
        "Avoid sildenafil and nitroglycerin.",
    ],
)
def test_no_warning_no_pair(read: Read, text: str) -> None:
    assert read(text).avoided_pairs == ()


def test_a_pronoun_stands_for_the_drug_before(read: Read) -> None:
    parsed = read("Take sildenafil. Do not take it with nitroglycerin.")
    assert [s.scope.value for s in parsed.statements] == [R, A]
    assert len(parsed.avoided_pairs) == 1
    (statement,) = read("Start lisinopril. Take 10 mg daily.").statements
    assert statement.dose is not None
    assert statement.dose.high == 10
    assert statement.started
    (held,) = read("She takes metformin, which should be stopped.").statements
    assert held.scope.value == S
