"""Routes of administration: words and abbreviations to canonical routes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from attending.guardrails.sieve import Sieved

_ROUTES: dict[str, str] = {
    "oral": r"by mouth|orally|oral(?! contracept| thrush| cavity| hygiene| surg| anti| intake)|"
    r"p\.?o\.?(?!\w)|per os|swallow\w*|"
    r"(?:via|through|down|into|by)(?: (?:the|a|an|his|her|your)){0,1} (?:(?:g|j|ng|nj|og|peg|feeding|gastric"
    r"|nasogastric)"
    r"[- ]?tube|peg|rig|gastrostomy|jejunostomy)",
    "intrathecal": r"intra-?thecal(?:ly)?|i\.?t\.? route|into the (?:spinal canal|cerebrospinal fluid|"
    r"csf|spine|spinal (?:space|fluid|sac|tap|needle|catheter)|lumbar (?:sac|theca|drain)|subarachnoid space)|"
    r"(?:via|by|through|down|into)(?: (?:the|a|an|his|her)){0,1} (?:lumbar (?:puncture|drain)|omm?aya(?: reservoir)?|"
    r"spinal (?:needle|catheter)|evd|ventricular drain)|intraventricular(?:ly)?",
    "epidural": r"epidural(?:ly)?",
    "intravenous": r"intravenous(?:ly)?|i\.?v\.?(?:pb)?(?![\w-])|ivp|into (?:a|the|any|his|her|your) "
    r"(?:(?:arm|hand|wrist|peripheral|central|big|good) )?vein|by (?:slow |"
    r"rapid )?infusion|infus(?:e|ed|ion)|(?:through|via|into|down|using|by|in|to|onto)(?: (?:the|a|an|her|his"
    r"|your|their|"
    r"its|that|this|same|existing|left|right|distal|proximal|peripheral|central|venous|iv|tunn?elled|arm)){0,3} "
    r"(?:picc|midline|cannula|venflon|hickman|broviac|groshong|permcath|vascath|portacath|port(?:-?a-?cath)?|cvc|"
    r"(?:picc|midline|central|peripheral|iv|venous|arm|long|drip) (?:line|catheter|access|cannula)|"
    r"drip(?: arm| stand)?|giving set)|(?:through|thru|via|into|down)(?: (?:the|a|an|her|his|that|this|same"
    r"|existing|left|"
    r"right|peripheral|iv|good|running)){0,3} (?:1[4-9]|2[0-4]) ?g(?:auge)?(?! (?:needle|spinal|filter"
    r"|butterfly|x|\d))|(?:through|via|down|into) (?:that|this|the same|same|his|her) line(?! "
    r"(?:item|manager|of))|"
    r"by drip",
    "intramuscular": r"intramuscular(?:ly)?|i\.?m\.?(?= |,|;|$|\n|/)(?! (?:sorry|not|a|an|the|here|glad|"
    r"going|afraid|happy|unable|sure|in)\b)|into (?:a|the|his|her|your|each|either) "
    r"(?:(?:left|right|upper|outer|gluteal|deltoid|thigh|arm|shoulder|buttock|calf|vastus) ){0,2}"
    r"(?:muscle|deltoids?|buttocks?|gluteus(?: maximus)?|vastus lateralis|quadriceps)",
    "intra-arterial": r"intra-?arterial(?:ly)?|(?:through|via|into|down)(?: (?:the|a|an|his|her|your|radial|femoral|"
    r"brachial|existing|left|right)){0,4} (?:artery|arterial (?:line|cannula|catheter)|art line|a-line)",
    "subcutaneous": r"subcutaneous(?:ly)?|sub-?cut(?:aneous)?|sub-?q|s\.?c\.?(?![\w.])|sq(?!\w)|under "
    r"the skin",
    "topical": r"topical(?:ly)?|to (?:the )?(?:affected|skin|rash|scalp|area)\w*(?: areas?)?|on "
    r"the skin|cream|ointment|gel(?!cap)|lotion|shampoo|scalp (?:solution|foam|application)",
    "rectal": r"rectal(?:ly)?|p\.?r\.?(?= |,|;|\.|$)(?! interval)|per rectum|suppositor(?:y|ies)|enema",
    "inhaled": r"inhal(?:e|ed|ation|ations|er)|nebuli[sz](?:ed|er|ation|e)|nebs?(?!\w)|puffs?|breathed? in",
    "sublingual": r"sublingual(?:ly)?|s\.?l\.?(?= |,|;|$)|under (?:the|your|his|her) tongue",
    "buccal": r"buccal(?:ly)?|(?:inside|in|into|against|between) (?:the |your |his |her )?(?:inner |lower "
    r")?(?:cheek|gums?)",
    "transdermal": r"transdermal(?:ly)?|patch(?:es)?",
    "ophthalmic": r"ophthalmic|(?:in|into|to) (?:the |each |both |your |affected |right |left |(?:the "
    r")?(?:affected|right|left) ){0,3}eyes?(?! (?:casualty|clinic|hospital|unit|team|registrar|department|ward|surgeon"
    r"|doctor|specialist|nurse|service|emergency|a&e|theatre|infirmary)\b)|eye ?drops?|"
    r"(?:lower|upper|inner|bottom) (?:eye-?)?lids?|eye-?balls?|(?:on|onto|on to) (?:the )?(?:surface of )?(?:the "
    r"|your |her |his )?"
    r"eyes?|behind (?:the |your )?(?:lower )?(?:eye-?)?lid|conjunctival sac",
    "otic": r"otic|(?:in|into|to) (?:the |each |both |your |affected |right |left |(?:the "
    r")?(?:affected|right|left) ){0,3}ears?|ear ?drops?",
    "nasal": r"intra-?nasal(?:ly)?|nasal(?:ly)?(?! congestion| polyp| bleed)|(?:in|into|up) "
    r"(?:the |each |both |your ){0,3}nos(?:e|trils?)|each nostril|nostrils?",
    "vaginal": r"pessar(?:y|ies)|vaginal(?:ly)?(?! bleed| discharge| deliver| birth)|into the vagina"
    r"|per vaginam?(?! bleed| loss| discharge)",
    "intraosseous": r"intraosseous(?:ly)?|i\.?o\.? (?:access|line)",
    "intradermal": r"intradermal(?:ly)?",
}
_PATTERN = Sieved(
    "|".join(rf"(?P<r{i}>(?<![\w-])(?:{pattern})(?!\w))" for i, pattern in enumerate(_ROUTES.values()))
)
_NAMES = list(_ROUTES)
_PUSH = Sieved(
    r"(?<!\w)(?:iv ?push|ivp|(?:rapid|fast|quick)(?:ly)? (?:iv )?(?:push|bolus|injection|infusion)|"
    r"(?:iv|intravenous|i\.v\.) (?:push|bolus)|push(?:ed)? (?:iv|intravenously|rapidly|"
    r"fast|over (?:seconds|1 minute))|"
    r"as an? (?:iv )?(?:push|bolus)|bolus(?:ed)?)(?!\w)"
)


INTRATHECAL_SHORT = (
    r"(?-i:(?:(?<=[0-9]mg )|(?<=mg )|(?<=g/m2 )|(?<=g/m\u00b2 )|(?<=mL )|(?<=ml ))"
    r"IT\b(?! (?:should|is|was|has|will|can|may)\b)"
    r"|\bIT (?=(?i:vin(?:cristine|blastine|orelbine|desine)|chemo))|\bI\.T\.)"
)
"""`IT` as a way of giving, told by its capitals and by the dose before it; for patterns over a text as written."""


_FORBIDDEN = re.compile(
    r"\b(?:never|not|n't|no|avoid(?:ed|ing)?|cannot|without)(?: (?:to|be|been|being|give|given|giving|"
    r"administer(?:ed)?|used?|inject(?:ed)?|run|push(?:ed)?|go|enter|reach|put|placed|get|end|up|for|by|as"
    r"|an?|the|iv|it|this|them|via|into|directly"
    r"|any|ever|slow|rapid|kcl|"
    r"potassium|vincristine|undiluted|intravenous|intravenously|or|under any circumstances)){0,8} ?\Z"
    r"|\b(?:do not|don't|never|must not|should not|cannot|can't) (?:give|inject|administer|push|run|use|put)"
    r"(?: (?!but\b|only\b|except\b|instead\b|rather\b|give\b|then\b|oral|by\b|via\b|until\b|unless\b)[\w-]{1,30}){1,3}"
    r" \Z",
    re.I,
)
"""What stands before a route that a text rules out: "never to be given as a bolus", "not for IV push"."""


_ANOTHER_ONE = re.compile(
    r"\b(?:stop\w*|end\w*|discontinu\w*|turn\w* off|switch\w* off|wean\w*|before|after|until|off|resum\w*|continu\w*)"
    r"(?: of)? (?:the|his|her|that|this) (?:insulin |heparin |iv )?\Z",
    re.I,
)
"""What stands before an infusion that runs already and is no way of this drug: "2 h before stopping the infusion"."""


def ruled_out(text: str, start: int) -> bool:
    """Whether the route or the way of giving at `start` is one the text forbids, or another drug's."""
    if text.startswith("infusion", start) and _ANOTHER_ONE.search(text, max(0, start - 50), start):
        return True
    return _FORBIDDEN.search(text, max(0, start - 70), start) is not None


@dataclass(frozen=True, slots=True)
class RouteWord:
    """A route at `start:end` of the normalised text; `rapid` for IV push and bolus."""

    start: int
    end: int
    route: str
    rapid: bool = False


def routes(text: str) -> list[RouteWord]:
    """Every route named in a normalised text, in order."""
    found = [
        RouteWord(m.start(), m.end(), _NAMES[int((m.lastgroup or "r0")[1:])]) for m in _PATTERN.finditer(text)
    ]
    found.extend(RouteWord(m.start(), m.end(), "intravenous", rapid=True) for m in _PUSH.finditer(text))
    found.sort(key=lambda r: (r.start, -r.end))
    return [word for word in found if not ruled_out(text, word.start)]
