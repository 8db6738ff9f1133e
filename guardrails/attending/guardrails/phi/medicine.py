"""Where an unlisted capitalised word is a clinical term or a medicine, not a person or a place."""

from __future__ import annotations

import re

# Endings of clinical words; tested on words no name list holds.
MEDICAL_ENDING = re.compile(
    r"(?:itis|osis|oses|emia|aemia|uria|oma|omas|ism|isms|gram|grams|graphy|scopy|ectomy|otomy"
    r"|ostomy|plasty|pathy|pathic|algia|"
    r"ology|ologic|ological|penia|philia|rrhea|rrhoea|lysis|plegia|paresis|phagia|phasia|pnea"
    r"|trophy|tensive|tension|genic|"
    r"esis|osterone|tender|toxic|vascular|cardial|cardia|sclerosis|stenosis|tomy|metry|globin"
    r"|plasia|tropic|mycosis|iasis|"
    r"ation|ations|ness|ment|ments|ility|ically|ulus|[cltg]eus|aris|oris|ular|ative|ating)$"
)
_DRUG_BEFORE = re.compile(
    r"(?i)\b(?:tak(?:e|es|en|ing)|start(?:ed|ing)?|continu(?:e|ed|ing)|prescrib(?:e|ed|ing)"
    r"|resum(?:e|ed|ing)|increas(?:e|ed|ing)|"
    r"decreas(?:e|ed|ing)|stop(?:ped|ping)?|hold|held|refill(?:ed|s)?|dose[ ]of|tri(?:ed"
    r"|al[ ]of)|switch(?:ed)?[ ]to|"
    r"allergic[ ]to|allergy[ ]to|intolerant[ ]of|mg|mcg|ml)[ ](?:her[ ]|his[ ]|the[ ]|oral[ ]|some[ ])?$"
)
_DRUG_AFTER = re.compile(
    r"(?i)[ ,]{1,2}(?:\(|[0-9][0-9.,/-]{0,8}[ ]?(?:mg|mcg|g|ml|units?|iu|meq|%|tabs?|puffs?"
    r"|gtts?)|(?:daily|nightly|weekly|monthly|bid|tid|qid|qd|q[0-9]|"
    r"prn|po|iv|im|sc|subq|xr|er|sr|cr|hct|twice|once|as[ ]needed|cream|gel|ointment|patch"
    r"|tablets?|capsules?|inhaler|drops|spray|"
    r"injections?|therapy|dose|doses|dosing|treatment|infusion|pump|samples?)\b)"
)


def taken_as_drug(text: str, start: int, end: int) -> bool:
    """Whether an unlisted capitalised word stands where a medicine does ("taking Spiriva", "Mobic 15 mg")."""
    after = _DRUG_AFTER.match(text, end)
    before = _DRUG_BEFORE.search(text[max(0, start - 24) : start])
    return after is not None or before is not None
