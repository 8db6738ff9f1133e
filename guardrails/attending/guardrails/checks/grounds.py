"""What makes the end of a vital drug right: a taper, a short break, another drug for the same purpose, a reason.

Read from the words around the end (`Ending.around`) and from what else the output does with drugs of the kind. A reason
that calls for slower steps ("in view of his falls") is none for a kind that must be weaned; a break of weeks is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, drugs_of
from attending.guardrails.checks.endings import Ending
from attending.guardrails.checks.vital import ADRENAL, TYPE_1, Vital
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.context.labs import Reading
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Sieved

_WARNED: Final = re.compile(
    r"\b(?:not|never|don't|do not|n't|n\u2019t|avoid)\b[^.;\n]{0,25}\b(?:stop\w*|discontinu\w*|withdraw\w*"
    r"|quit\w*)\b[^.;\n]{0,60}"
    r"\b(?:abrupt\w*|sudden\w*|all at once|without|on your own|yourself|before)|\bnot be (?:stopped|discontinued)"
    r"|\bnever (?:\w+ )?(?:leave|miss|skip|stop|forget|run)\b"
    r"|\bnot (?:re-?start|resume)\w* (?:\w+ ){0,2}at (?:the|your|his|her|that)\b",
    re.I,
)
_UNTAPERED: Final = re.compile(
    r"\b(?:abrupt\w*|sudden\w*|cold turkey|all at once|without (?:a |any )?(?:taper\w*|wean\w*)"
    r"|no (?:need to )?(?:taper\w*|wean\w*)"
    r"|(?:(?:need|needs|do|does|is|it's) not|needn't|needn\u2019t) (?:need(?:ed)? )?(?:to )?(?:be )?"
    r"(?:taper|wean)\w*"
    r"|no (?:need|reason) to (?:wind|step|come|go|reduce)\w*|no reason to (?:taper|wean)\w*|without (?:a "
    r"|any )?(?:reduction|reducing|step)"
    r"|(?:don't|don\u2019t|no need to|needn't) (?:worry about|bother) (?:reducing|tapering|weaning)"
    r"|(?:taper|wean)ing (?:schemes? |regimes? )?(?:only|just|merely|would only|isn't|is not|won't"
    r"|draws?|prolongs?|serves no)"
    r"|no taper\w*|(?:don't|doesn't|do not|does not) (?:have|need) to (?:be )?(?:taper\w*|wean\w*|reduc\w*))\b",
    re.I,
)
_TAPER: Final = re.compile(
    r"\b(?:taper\w*|wean\w*|gradual\w*|slowly|step(?:ped)?[ -]down|cross-?taper\w*|titrat\w*"
    r"|reduc(?:e|ed|ing) (?:it |the dose |by )|over (?:the next )?\d+ (?:days|weeks|months)"
    r"|(?:decrease|lower)\w* (?:it |the dose |by )|every (?:\w+ )?(?:days?|weeks?))",
    re.I,
)
_WITHDRAWN_SLOWLY: Final = Sieved(
    r"\b(?:withdr[ae]w\w*|reduc\w+|taper\w*|phased out|weaned?|brought down|came off|wound down|stepped "
    r"down)\b[^.;\n]{0,40}"
    r"\b(?:over|across|between|from|every|in steps)\b|\boverlapping with\b|\bcross-?taper\w*|\bbrought in alongside\b",
    re.I,
)
"""A slow end that the text told before it says "is not to be restarted"."""
_RESTART: Final = re.compile(r"\bnot (?:to )?(?:be )?(?:re-?start|resum|re-?prescrib|recommenc)\w*", re.I)
_CHANGED: Final = re.compile(
    r"\b(?:then (?:start|begin|switch|take|change)|switch\w*\b(?! off)|replac\w*|convert\w*|transition\w*"
    r"|substitut\w*|bridg\w*"
    r"|instead|change(?:d)? (?:it |her |him |them |you )?to|in favou?r of|stress[- ]dose)",
    re.I,
)
_REPLACED_BY_OTHER: Final = re.compile(
    r"\b(?:stockings?|socks?|magnesium|cbd|turmeric|garlic|diet|keto\w*|yoga|supplements?|herbal\w*|vitamins?|omega"
    r"|fish oil|exercise|breathing|physio\w*|electrolytes?|squash)\b",
    re.I,
)
"""What replaces no vital drug."""
_BREAK: Final = re.compile(
    r"\b(?:temporar\w*|hold(?:ing)?|held|pause\w*|withh\w+|skip\w*|omit\w*|restart\w*|resum\w*|re-?start\w*"
    r"|re-?initiat\w*"
    r"|start(?:ing)? (?:it |them )?again|take (?:it|them) again|until\b|once (?:the |her |his |your )?inr"
    r"|(?:\d+|one|two|three|four|five|six|seven) (?:hours?|days?) (?:before|prior)|the day before"
    r"|before (?:the |your |her |his )?(?:surgery|procedure|operation"
    r"|colonoscopy|extraction|biopsy))",
    re.I,
)
_ONE_DOSE: Final = re.compile(
    r"\b(?:(?:a|one|the|this|that|(?:your |the )?next|tonight'?s|today'?s|tomorrow'?s|morning|evening|missed"
    r"|single) (?:(?!last|final)\w+ )?dose\b"
    r"|(?:this|tomorrow) (?:morning|evening)'?s|before (?:the|your|her|his) (?:blood|level)|trough|(?:blood"
    r"|drug|serum) level|(?:one|two|1|2|a couple of) doses)\b",
    re.I,
)
_MISSED: Final = re.compile(
    r"\b(?:miss|skip|omit|hold) (?:\w+ ){0,2}(?:next|tonight'?s|tomorrow'?s) (?:\w+ )?dose\b", re.I
)
_LONG_BREAK: Final = re.compile(
    r"\b(?:(?:(?:a|one|two|three|four|five|six|eight|ten|twelve|several|few|couple of|[1-9]\d?)[- ](?:weeks?"
    r"|months?|years?)"
    r"|(?:a )?fortnight|(?:[89]|[1-9]\d) days) (?:before\w*|prior|ahead|earlier|in advance)"
    r"|for (?:the )?(?:next )?(?:(?:a|one|two|three|four|five|six|eight|ten|twelve|several|few|couple of"
    r"|[1-9]\d?)[- ]"
    r"(?:weeks?|months?|years?)|a fortnight|week of)\b(?! (?:now|already|and (?:he|she)))"
    r"|(?:until|till|when|see|reviews?|clinic|appointment|and|then)\b[^.;\n]{0,40}\b(?:in )?(?:next (?:month"
    r"|year|week)"
    r"|(?:a|one|two|three|four|five|six|eight|ten|twelve|several|few|couple of|[1-9]\d?)[- ](?:weeks?|months?|years?)"
    r"(?! (?:ago|course))))",
    re.I,
)
"""Withheld from a week or more before, for weeks, or until something that is weeks away."""
_ONE_WEEK: Final = re.compile(r"\b(?:a|one|1)[- ]week\b|\b(?:[5-7]|five|seven) days\b", re.I)
_ENDED_COURSE: Final = re.compile(
    r"\b(?:complet(?!ely)\w*|finish(?:ed|es)|course|provoked|prophyla\w*)\b", re.I
)
_TERM: Final = re.compile(
    r"\b(?:(?:after|at|for a total of) (?:(?:3|6|9|12|three|six|nine|twelve)[- ]months?|(?:1|one|a) year)"
    r"|(?:\d+|six|nine|twelve|eighteen) (?:months?|years?) (?:since|after))\b",
    re.I,
)
_NOT_ENDED: Final = re.compile(
    r"\b(?:no need to|not|without|before|instead of|don't|never)\b[^.;\n]{0,25}\b(?:complet\w*|finish\w*)",
    re.I,
)
_GRAVE: Final = re.compile(
    r"\b(?:h(?:a)?emorrhag\w*|bleed(?:s|ing)?|bled|h(?:a)?ematoma|melaena|melena|h(?:a)?ematemesis"
    r"|rash|anaphyla\w*|angioedema|allerg\w*|reaction|toxic\w*|overdos\w*|hypogly\w*"
    r"|stevens|sjs|dress\b|hepatotox\w*|liver injury|jaundice"
    r"|red result|neutrop\w*|anc\b|agranulo\w*|pancreatit\w*|hit\b"
    r"|thrombocytop\w*"
    r"|bradycard\w*|heart block|av block|hr (?:of )?[34]\d|hypotens\w*|shock|pregnan\w*|comfort (?:care|measures)"
    r"|hospice|palliative|end[- ]of[- ]life|dying|duplicat\w*|in error|wrong|infection|sepsis|septic|serotonin"
    r"|respiratory depression|contraindicat\w*|interact\w*|inr (?:of |is |was )?(?:[4-9]|\d\d)|supratherapeutic"
    r"|psychosis|impulse control|faint|collaps\w*|syncope|seizure caused"
    r"|poisons? (?:cent(?:er|re)|control|line|unit)|by ambulance(?! if\b)"
    r"|intubat\w*|icu\b|itu\b|level (?:of |is |was )?\d|ataxi\w*|on the stroke unit)",
    re.I,
)
_NO_BLEED: Final = re.compile(
    r"\b(?:won't|won\u2019t|will not|not|no|never|don't|doesn't|avoid\w*|prevent\w*|reduc\w*|less|lower|minimi[sz]e"
    r"|fewer|worr(?:y|ied|ies) (?:about|over)|afraid of|anxious about|concern(?:s|ed)? (?:about|over)"
    r"|fear(?:s|ful)?(?: of)?|regarding|as regards|in terms of|in respect of|with respect to|on account of possible"
    r"|stop (?:the|you|any)|in case of|in case there is|to cut) (?:\w+ ){0,3}(?:bleed\w*|h(?:a)?emorrhag\w*"
    r"|bruis\w*|interact\w*|infection|rash|reaction|hypogly\w*|drop)\b|\brisk of (?:\w+ )?bleed\w*|\bbleed\w* risk",
    re.I,
)
"""Bleeding and the like that is feared, denied or to be spared."""
_TO_WATCH: Final = re.compile(
    r"\b(?:return|come back|come in|call|ring|phone|contact|tell|seek|go|ed|er|a&e|emergency department|report|watch"
    r"|look out|let us know|ambulance)\b(?![^.;\n]{0,50}\b(?:further|more|recurr\w*|again|another)\b)"
    r"[^.;\n]{0,40}?\b(?:if|for any|should|when|in case|with any)\b[^.;\n]{0,60}",
    re.I,
)
"""What is to be watched for is no reason of an end: "stop apixaban; return to the ED for any bleeding". What is not
to come again has been."""
_BLEEDS: Final = Sieved(
    r"\b(?:(?:upper |lower )?(?:gi|gastrointestinal|intracranial|intracerebral|cerebral|retroperitoneal|subdural"
    r"|subarachnoid|epidural|extradural|variceal|rectal|pulmonary|active(?:ly)?|major|massive|brisk|ongoing"
    r"|life-threatening)[ -](?:bleed(?:s|ing)?|h(?:a)?emorrhage|h(?:a)?ematoma)"
    r"|bleeding (?:gastric |duodenal |peptic )?(?:ulcer|varices)|h(?:a)?emorrhagic (?:stroke|shock|conversion"
    r"|transformation)|h(?:a)?ematemesis|mel(?:a)?ena|vomiting blood)\b",
    re.I,
)
_SLOW_HEART: Final = Sieved(
    r"\b(?:(?:complete|third[- ]degree|high[- ]grade|2:1|mobitz(?: ii| 2)?) (?:heart|av) block|heart block"
    r"|symptomatic bradycardia|cardiogenic shock)\b",
    re.I,
)
_LITHIUM_TOXIC: Final = Sieved(
    r"\blithium (?:toxicity|poisoning)\b|(?:\b(?:serum|trough|drug|blood|hours?|h|her|his|your|their|the|a)[ -]"
    r"|(?:\A|[.;:(\n]) ?)level(?: (?:is|of|was|at))?[ :]*(?:[2-9]\.\d|1\.[6-9])",
    re.I,
)
"""A level that is said to be of nothing else; one of lithium by name is read as a laboratory value."""


@dataclass(frozen=True, slots=True)
class _Harm:
    told: Sieved
    analyte: str
    harmful: Callable[[Decimal], bool]


_BLEEDING: Final = _Harm(_BLEEDS, "platelets", lambda count: count < 50)
_PRESENT: Final[dict[str, _Harm]] = {
    "anticoagulant": _BLEEDING,
    "p2y12": _BLEEDING,
    "beta-blocker": _Harm(_SLOW_HEART, "heart_rate", lambda rate: rate < 40),
    "lithium": _Harm(_LITHIUM_TOXIC, "lithium", lambda level: level > Decimal("1.5")),
}
"""What is the matter now, told in another sentence: "Admitted with a GI bleed. Apixaban stopped"."""
_NOT_PRESENT: Final = re.compile(
    r"\b(?:no|not|without|denies|denied|nil|never|negative|excluded|free of|rule[sd]? out|history|h/o|previous\w*"
    r"|prior|past|(?:19|20)\d\d|(?:years?|months?|yrs?) (?:ago|earlier|before)|risks?|if|any|signs? of|report|watch"
    r"|call|return|family|mother|father|brother|sister|fear\w*|worr\w+|afraid|prevent\w*|avoid\w*|could|might|may|can)\b",
    re.I,
)
_PAST_TAPER: Final = re.compile(
    r"\b(?:the|a|her|his|your|last|previous|earlier) (?:\w+ )?taper\w* (?:(?:last|in|of) \w+|was|had|only|failed"
    r"|brought|confus\w*|did|made|proved)\b",
    re.I,
)
"""A taper that was, and that speaks for none now."""
_FROM_TO: Final = re.compile(
    r"\b(?:stop\w*|hold|off|leave|last|pause|withhold|omit)\b[^.;\n]{0,50}?\b(?P<first>\d{1,2})(?:st|nd|rd|th)\b"
    r"[^.;\n]{0,40}?\b(?:restart|resum\w*|until|till|back|again|re-?start)\b[^.;\n]{0,50}?"
    r"\b(?P<last>\d{1,2})(?:st|nd|rd|th)\b",
    re.I,
)
_MONTH_DAYS: Final = 30
_BREAK_DAYS: Final = 9
"""Days from the last dose before to the first after, for an operation at most."""
_NO_MEAL: Final = re.compile(
    r"\b(?:if|when|unless|whenever)\b[^.;\n]{0,30}\b(?:meals?|eat\w*|food|breakfast|lunch|dinner|supper|snack)\b",
    re.I,
)
_MEALTIME: Final = frozenset({"insulin lispro", "insulin aspart", "insulin glulisine", "insulin human"})
_ONE_THINNER: Final = re.compile(
    r"\b(?:19|20)\d\d\b|\byears? (?:ago|after|since)\b|\bso that\b|\b(?:only|one) blood[- ]thinner"
    r"|\balone\b|\bon its own\b",
    re.I,
)
"""An old stent beside an anticoagulant, which is then given alone (ACC/AHA 2023, atrial fibrillation, 6.8.1)."""
_NO_STENT: Final = re.compile(
    r"\b(?:no|never had an?|without an?|has no) (?:coronary |cardiac )?stents?\b", re.I
)
_OFF_FOR_LONG: Final = re.compile(
    r"\b(?:been |now |already )off (?:it|them|this|all of it) (?:for |since )[^.;\n]{0,24}?\b(?:weeks|months|years"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|(?:19|20)\d\d)\b",
    re.I,
)
"""An end that lies weeks back: "she has been off it for six weeks"."""
_MILD: Final = re.compile(
    r"\b(?:side effects?|adverse|no longer (?:needed|indicated|necessary)|not (?:needed|indicated)|sedati\w+"
    r"|fall(?:s|en)?\b|interrupt\w*|intoleran\w*|remission|normali[sz]ed|risk of|bleed\w* risk)",
    re.I,
)
_SPECIALIST: Final = re.compile(
    r"\b(?:cardio|neuro|ha?emato|nephro|endocrin|rheumato|hepato|psychiat|derm|gastro"
    r"|respir)\w*(?: \w+){0,2} (?:has |have "
    r"|is |are |was |were |to )?(?:advis|recommend|agree|aware|plan|review|inform|request|instruct|decid"
    r"|supervis|consult)\w*"
    r"|\b(?:transplant|stroke|vascular|pain|palliative|addiction|movement|hiv|id|tb|renal|anticoag\w*|specialist|icu)"
    r" (?:team|clinic|consultant|nurse|service|centre|center) (?:has |have |is |are |to )?(?:advis|recommend"
    r"|agree|aware"
    r"|plan|review|inform|request|instruct|decid|supervis)\w*"
    r"|\b(?:discussed|agreed) with (?:the |his |her |your )?(?:cardio|neuro|ha?emato|nephro|endocrin|rheumato|hepato"
    r"|psychiat|transplant|stroke|vascular|renal|specialist|consultant|id\b|hiv)\w*"
    r"|\b(?:advice|request|instructions?|recommendation|plan) (?:of|from|by) (?:the |his |her |your )?(?:cardio|neuro"
    r"|ha?emato|nephro|endocrin|rheumato|hepato|psychiat|transplant|stroke|vascular|renal|specialist)\w*"
    r"|\b(?:stopped|held|discontinued|withheld|ended|changed) by (?:the |his |her |your )?(?:cardio|neuro"
    r"|ha?emato|nephro|endocrin|rheumato|hepato|psychiat|transplant|stroke|vascular|renal|specialist|hiv)\w*"
    r"|\bas planned by\b|\b(?:as )?per (?:the )?protocol\b|\bper (?:the )?(?:cardio|neuro|ha?emato|transplant"
    r"|renal)\w*",
    re.I,
)
_NOT_BACK: Final = re.compile(
    r"\b(?:not|never|no need to|don't|don\u2019t|do not|without|no|nil|none)\b (?:\w+ ){0,2}(?:resum\w*|restart\w*"
    r"|re-?start\w*|substitut\w*"
    r"|switch\w*|replac\w*|bridg\w*|alternative|cover|drip|infusion|sliding)|\b(?:restart"
    r"|return)\w* (?:is )?not planned",
    re.I,
)
_LONG_USE: Final = Sieved(
    r"\b(?:for|x|over|past|last|since)\s+(?:the (?:past|last) )?(?:(?:about|over|more than|nearly|almost|at least) )?"
    r"(?:(?:[3-9]|\d{2,}|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|many) weeks?"
    r"|(?:\d+|a|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|many|few) (?:months?"
    r"|years?)|(?:19|20)\d\d\b)"
    r"|\b(?:chronic\w*|long[- ]?term|long[- ]standing|maintenance|(?<!\d )(?<!\d)(?:years|months|yrs)|ages)\b"
    r"|\b\d+ (?:years|months|yrs) (?:of|on|now|running)\b"
    r"|\bsince (?:the|his|her|your|my) [^.;\n]{1,30}(?:19|20)\d\d\b"
    r"|\b(?:taken|takes|on it|on this) (?:\w+ ){0,4}since\b",
    re.I,
)
_SUDDEN: Final = re.compile(
    r"\b(?:abrupt\w*|sudden\w*|immediately|at once|right away|cold turkey|today|tonight|tomorrow|now|outright"
    r"|straight ?away|completely|altogether"
    r"|from (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|this)|this (?:morning|evening|week)"
    r"|without (?:a |any )?(?:taper\w*|wean\w*|reduc\w*)|no (?:need to )?(?:taper\w*|wean\w*)"
    r"|(?:(?:need|needs|do|does|is) not|needn't|needn\u2019t) (?:need(?:ed)? (?:to )?)?(?:be )?(?:taper|wean)\w*"
    r"|all at once)\b",
    re.I,
)
_STENT: Final = Sieved(
    r"\b(?:stent\w*|pci|des\b)\b[^.;\n]{0,60}\b(?:\w+ (?:days?|weeks?)|(?:one|two|three|four|five|1|2|3|4"
    r"|5) months?) ago\b"
    r"|\b(?:\w+ (?:days?|weeks?)|(?:a|one|two|three|four|five|1|2|3|4|5) months?) (?:after|since"
    r"|post)[- ](?:\w+ ){0,3}"
    r"(?:stent\w*|pci)|\b(?:recent|new)(?:ly)? (?:\w+[- ]){0,3}stent"
    r"|\b(?:(?:\w+|\d{1,2}) (?:days?|weeks?)|(?:one|two|three|four|five|[1-5]) months?) ago\b[^.;\n]{0,60}"
    r"\b(?:stent\w*|pci|des)\b",
    re.I,
)
_PLANNED_END: Final = re.compile(
    r"\b(?:for|after) (?:a total of |the (?:first|next) )?(?:6|9|12|six|nine|twelve|eighteen)[- ]months?"
    r"(?: in all| in total)?,? (?:after which|and then|then|when)\b"
    r"|\b(?:for|after) (?:a|one|1)(?: whole| full)? year,? (?:after which|and then|then|when)\b",
    re.I,
)
"""A course whose end is planned when it begins: "for twelve months, after which it stops"."""
_FEW_WEEKS: Final = (
    r"(?:(?:\d|\d\d|a few|few|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|twenty"
    r"|several)[ -]?"
    r"(?:days?|d|weeks?|wks?|w)\b|(?:a|one|two|1|2)[ -]?(?:weeks?|wks?|months?|mos?|fortnight)\b)"
)
_FRESH_STENT: Final = Sieved(
    rf"\b(?:stent\w*|pci|des\b)\b[^.;\n]{{0,60}}\b(?:(?:about |some )?{_FEW_WEEKS} ago|last (?:week|month))\b"
    rf"|\b{_FEW_WEEKS} (?:after|since|post)[- ](?:\w+ ){{0,3}}(?:stent\w*|pci)"
    rf"|\b{_FEW_WEEKS} ago\b[^.\n]{{0,80}}\b(?:stent\w*|pci|des)\b",
    re.I,
)
"""A stent of the last two months or so, for which no elective break is made (ACC/AHA 2024, perioperative guideline)."""
_METAL_VALVE: Final = Sieved(
    r"\b(?:(?:mechanical|metal(?:lic)?) (?:\w+ ){0,3}valve|valve \w{0,12} ?\((?:metal|mechanical))", re.I
)
_STEROID_KEPT: Final = re.compile(
    r"\b(?:inject\w*|im\b|iv\b|intramuscular|parenteral|stress|doubl\w*|tripl\w*)\b", re.I
)
_INSULIN_KEPT: Final = re.compile(
    r"\b(?:drip|infusion|on (?:an? |the |her |his |your )?(?:insulin )?pump|sliding|correction|vriii|frii"
    r"|reduc\w*|half|\d{2} ?%|percent|\d+ units|continue"
    r"|keep(?! (?:food|anything|fluids?|it|things|meals|water|much|him|her)\b)"
    r"|(?<!n't )(?<!n\u2019t )(?<!not )give (?:her|his|your|the)|back on (?:her|his|your|own|home|usual)"
    r"|short-acting|mealtime|prandial|only the|just the|rapid)\b",
    re.I,
)
_TYPE_2: Final = Sieved(r"\btype (?:2|two|ii)\b|\bt2dm?\b|\bdm ?2\b|\bgestational\b|\bgdm\b", re.I)


_WHITE_CELLS: Final = Sieved(
    r"\b(?:neutro\w*|(?-i:ANC)|white (?:blood )?(?:cells?|count)|agranulo\w*|myocarditis|red result|wcc|ileus)\b"
    r"(?![^.;\n]{0,20}\b(?:normal|fine|stable|good)\b)",
    re.I,
)


def _harmed_now(case: Case, vital: Vital) -> bool:
    """Whether the output tells, in any sentence, what the drugs of the kind must not be given in."""
    harm = _PRESENT.get(vital.id)
    if harm is None:
        return False
    text = case.judged.output
    spans = [match.span() for match in harm.told.finditer(text)]
    # what is read elsewhere than in the output has no place in it
    spans += [(r.start, r.end) for r in case.readings if r.end and _harmful(harm, r)]
    for start, end in spans:
        sentence = sentence_around(text, start, end)
        if _NOT_PRESENT.search(text, sentence.start, sentence.end) is None:
            return True
    return False


def _harmful(harm: _Harm, reading: Reading) -> bool:
    return reading.analyte == harm.analyte and harm.harmful(reading.value)


def rightful(case: Case, ending: Ending) -> bool:
    """Whether the output gives the end what it needs. `long_use` is asked apart, see `taken_long`."""
    vital, around = ending.vital, ending.around
    if _WARNED.search(around) or _begins(case.judged.output, ending.span):
        return True
    if ending.supply:
        return False
    plain = _TO_WATCH.sub(" ", _NO_BLEED.sub(" ", around))
    grave = _GRAVE.search(plain) is not None
    if vital.id == "insulin" and not _all_insulin(case, ending):
        return True
    if vital.id == "insulin" and set(ending.drugs) <= _MEALTIME and ending.drugs and _NO_MEAL.search(around):
        return True
    if (
        vital.id == "p2y12"
        and not case.says(_STENT)
        and _ONE_THINNER.search(around)
        and _anticoagulated(case)
    ):
        return True
    if vital.id == "p2y12" and _NO_STENT.search(around) and _anticoagulated(case):
        return True
    if _OFF_FOR_LONG.search(around):
        return True
    if vital.id == "steroid" and case.says(ADRENAL):
        return _STEROID_KEPT.search(around) is not None
    if vital.id == "clozapine" and case.says(_WHITE_CELLS):
        return True
    if grave or _SPECIALIST.search(around) or _harmed_now(case, vital):
        return True
    if not vital.weaned and (_PLANNED_END.search(around) or _prophylaxis_over(case, ending)):
        return True
    if vital.id == "p2y12" and case.says(_FRESH_STENT):
        return _replaced(case, ending)
    if (vital.id == "p2y12" and case.says(_STENT)) or (
        vital.id == "anticoagulant" and case.says(_METAL_VALVE)
    ):
        return _replaced(case, ending) or _short_break(vital, _NOT_BACK.sub(" ", around))
    if _UNTAPERED.search(around):
        return False
    if _RESTART.search(around) and case.says(_WITHDRAWN_SLOWLY):
        return True
    mild = _MILD.search(_UNTAPERED.sub(" ", around)) is not None
    if mild and not vital.weaned:
        return True
    if _TAPER.search(_PAST_TAPER.sub(" ", around)) or _tapered(case, ending) or _replaced(case, ending):
        return True
    if _CHANGED.search(_NOT_BACK.sub(" ", around)) and not _REPLACED_BY_OTHER.search(around):
        return True
    if vital.id != "immunosuppressant" and _ENDED_COURSE.search(_NOT_ENDED.sub(" ", around)):
        return True
    if not vital.weaned and _TERM.search(around):
        return True
    return _short_break(vital, _NOT_BACK.sub(" ", around))


_PROPHYLACTIC_MG: Final = {
    "enoxaparin": Decimal(40), "fondaparinux": Decimal("2.5"),
}  # fmt: skip
_PROPHYLACTIC_UNITS: Final = {
    "heparin": Decimal(5000), "dalteparin": Decimal(5000), "tinzaparin": Decimal(4500), "bemiparin": Decimal(3500),
}  # fmt: skip
"""The largest single dose that prevents a clot and treats none (labels: enoxaparin 2.1, fondaparinux 2.1, dalteparin
2.2; heparin 5,000 units under the skin). The small doses of rivaroxaban and dabigatran treat too."""
_CLOTS: Final = Sieved(
    r"\b(?:dvt|pe\b|vte|deep[- ]vein|pulmonary embol\w*|thrombo(?:sis|ses|embol\w*|phili\w*)"
    r"|(?:a|the|his|her|your|lung|leg) clot|af|a-?fib|atrial fib\w*"
    r"|(?:mechanical|prosthetic|metal\w*) (?:\w+ ){0,2}valve"
    r"|stents?|infarct\w*|n?stemi|acs|bolus|heparin infusion|bridg\w+"
    r"|(?:hip|knee) (?:replacement|arthroplasty|fracture)|tha|thr|tka|tkr"
    r"|hemiarthroplasty|cancer|carcinoma\w*|extended)\b"
)
"""What the drug treats, or why its prevention goes on at home, over lower-case words."""
_ON_FEET: Final = re.compile(
    r"\b(?:up and about|(?:fully |now |well )?mobile|mobili[sz]\w+|walking|ambulat\w+|on (?:his|her|their) feet"
    r"|out of bed|(?:on|at|before|for) (?:discharge|going home)|leaving (?:hospital|the ward)|independent\w*)\b",
    re.I,
)
_STILL_IN_BED: Final = re.compile(
    r"\b(?:not|never|n['\u2019]t|cannot|barely|hardly|im)(?: \w+){0,2} ?(?:mobil\w*|walk\w*|ambulat\w*|up)\b"
    r"|\bimmobil\w+",
    re.I,
)


def _prophylaxis_over(case: Case, ending: Ending) -> bool:
    """Whether what ends is the small dose that prevents clots in bed, and its reason is over: "enoxaparin 40 mg stopped
    as he is up and about"."""
    if _ON_FEET.search(ending.around) is None or _STILL_IN_BED.search(ending.around) is not None:
        return False
    if case.says(_CLOTS):
        return False
    doses = [
        s.dose
        for s in case.output.statements
        if s.dose is not None and set(ending.drugs) & set(s.mention.drugs)
    ]
    most = {**_PROPHYLACTIC_MG, **_PROPHYLACTIC_UNITS}
    return (
        bool(doses)
        and all(
            dose.unit == ("mg" if drug in _PROPHYLACTIC_MG else "unit") and dose.high <= most[drug]
            for drug in ending.drugs
            if drug in most
            for dose in doses
        )
        and set(ending.drugs) <= most.keys()
    )


def _short_break(vital: Vital, around: str) -> bool:
    if _BREAK.search(around) is None and not _MISSED.search(around):
        return False
    dates = _FROM_TO.search(around)
    if dates is not None and (int(dates["last"]) - int(dates["first"])) % _MONTH_DAYS > _BREAK_DAYS:
        return False
    long = _LONG_BREAK.search(around)
    if long is not None and not (_ONE_WEEK.search(long.group()) and not vital.unbroken):
        return False
    if not vital.unbroken:
        return True
    return _ONE_DOSE.search(around) is not None


def _anticoagulated(case: Case) -> bool:
    return any(
        case.of_class(e.drug, "anticoagulant", "doac", "vitamin_k_antagonist")
        for e in (*case.given, *case.taking)
    )


def _all_insulin(case: Case, ending: Ending) -> bool:
    """An end of insulin does harm in type 1 diabetes, and where nothing says that it is another."""
    if _INSULIN_KEPT.search(_NOT_BACK.sub(" ", ending.around)):
        return False
    return case.says(TYPE_1) or (ending.read and not case.says(_TYPE_2))


def _tapered(case: Case, ending: Ending) -> bool:
    """True where the text goes on to give the drug by dose: steps, or a dose until the end."""
    return any(
        set(ending.drugs) & set(other.mention.drugs)
        and other.scope.prescriptive
        and other.dose is not None
        and other.mention.span.start > ending.span.start
        for other in case.output.statements
    )


_BEGINS: Final = re.compile(
    r"\b(?:start(?:s|ed|ing)?|begin(?:s|ning)?|began|begun|commenc\w*|initiat\w*|switch\w* (?:\w+ )?to"
    r"|chang\w* (?:\w+ )?to|convert\w* (?:\w+ )?to|replac\w* (?:by|with)|cover\w* (?:by|with)"
    r"|bridg\w* (?:\w+ )?(?:with|to)"
    r"|on to|onto|use)\b[^.;\n]{0,30}$",
    re.I,
)
_GIVEN: Final = re.compile(r"[^.;,\n]{0,30}?\b(?:given|started|commenced) (?:at|today|this|now|on|\d)", re.I)
_NO_NAME: Final = re.compile(r"\b(?:no|not|never|without|nor|neither)\b (?:\w+ ){0,2}$", re.I)
_BEGINS_AFTER: Final = re.compile(
    r"[^.;,\n]{0,40}?\b(?:starts?|started|begins?|began|commenc\w*|initiated|instead|takes over|bridg\w*)\b",
    re.I,
)


def _replaced(case: Case, ending: Ending) -> bool:
    """Another drug of the kind is given; begun, where the kind is taken in combinations."""
    text, vital = case.judged.output, ending.vital
    for statement in case.output.statements:
        mention = statement.mention
        given = _GIVEN.match(text, mention.span.end) is not None
        if statement.scope in (Scope.HISTORY, Scope.FAMILY) and not given:
            continue
        if not any(drug not in ending.drugs and case.of_class(drug, *vital.kind) for drug in mention.drugs):
            continue
        sure = given or statement.scope in (Scope.RECOMMEND, Scope.HYPOTHETICAL)
        if sure or (not vital.together and statement.scope in (Scope.CONTINUE, Scope.MENTION, Scope.LIMIT)):
            return True
        if _begun(text, mention.span):
            return True
    return False


def _begun(text: str, name: Span) -> bool:
    """Whether the words beside a name begin it, whatever the sentence does with another."""
    return _begins(text, name) or _BEGINS.search(text[max(0, name.start - 50) : name.start]) is not None


def _begins(text: str, name: Span) -> bool:
    return (
        _NO_NAME.search(text[max(0, name.start - 40) : name.start]) is None
        and (_GIVEN.match(text, name.end) or _BEGINS_AFTER.match(text, name.end)) is not None
    )


def taken_long(case: Case, ending: Ending) -> bool:
    """Whether the drug has been taken long enough to be missed: said so, or on the patient's list, or by a standing
    dose several times a day, and ended at once."""
    of_long = (
        bool(set(ending.drugs) & _STANDING_OPIOIDS) or _recorded(case, ending) or _said_long(case, ending)
    )
    if ending.vital.id == "opioid" and _ON_THE_WARD.search(ending.around) and not of_long:
        return False
    if not ending.vital.long_use or (ending.vital.id == "steroid" and case.says(ADRENAL)):
        return True
    if case.says(_LONG_USE) or set(ending.drugs) & _STANDING_OPIOIDS:
        return True
    if _SUDDEN.search(ending.around) is None:
        return False
    if _recorded(case, ending):
        return True
    drugs = set(ending.drugs)
    return ending.vital.id == "benzodiazepine" and any(
        drugs & set(s.mention.drugs) and _standing(s) for s in case.output.statements
    )


_ON_THE_WARD: Final = re.compile(r"\bstopped (?:before|prior to) (?:discharge|going home|leaving)\b", re.I)
"""An opioid of the stay that was over before its end."""


def _said_long(case: Case, ending: Ending) -> bool:
    """Whether a sentence that names the drug tells of long use."""
    text = case.judged.output
    return any(
        _LONG_USE.search(text[around.start : around.end]) is not None
        for s in case.output.statements
        if set(ending.drugs) & set(s.mention.drugs)
        for around in (sentence_around(text, s.mention.span.start, s.mention.span.end),)
    )


def _recorded(case: Case, ending: Ending) -> bool:
    drugs = set(ending.drugs)
    return any(drugs & set(drugs_of(one.name, case.lexicon)) for one in case.context.medications or ())


_STANDING_OPIOIDS: Final = frozenset({"methadone", "buprenorphine"})
"""Opioids that are hardly given but for long."""


def _standing(statement: Statement) -> bool:
    """A dose several times a day, or of a whole day, that no duration ends."""
    if statement.duration is not None or (statement.frequency is not None and statement.frequency.prn):
        return False
    if statement.dose is not None and statement.dose.per_time == "day":
        return True
    return statement.frequency is not None and (statement.frequency.times_per_day or 0) >= 2
