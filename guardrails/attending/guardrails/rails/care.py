"""Words of care near a sign: "ignore the previous instructions about fasting" is a clinic's correction, no attack.

Asked only where a weak sign was found, over the sentence round it. Words that speak to a model ("print", "as a
chatbot", "your prompt") take the excuse away.
"""

from __future__ import annotations

import re
from typing import Final

_BEFORE: Final = 160
_AFTER: Final = 160
_ENDS: Final = re.compile(r"[.!?\u3002\u0964\u061f]")

_CARE: Final = re.compile(
    r"\b(?:doctors?|dr|nurses?|physicians?|surgeons?|clinics?|pharmac\w+|hospitals?|patients?|pt|dos(?:e|es"
    r"|ing|age)"
    r"|meds?"
    r"|medications?|medicines?|tablets?|pills?|insulin|heparin|potassium|labs?|values?|results?|ranges?|diets?"
    r"|fast(?:ing|ed)?"
    r"|eat(?:ing)?|food"
    r"|drink(?:ing)?|weight|wounds?|dressing|activit\w+|lifting|shower\w*|bath\w*|surger\w+|procedures?"
    r"|colonoscop\w+|appointments?"
    r"|letters?|emails?|fax|forms?|leaflets?|labels?|bottles?|pages?|booklets?|sheets?|famil\w+|mother|father"
    r"|son"
    r"|daughter|wife|husband"
    r"|ortho\w+|cardio\w+|neuro\w+|therap\w+|infusions?|drips?|pumps?|alarms?|mg|ml|mcg|notes?|charts?"
    r"|discharged?"
    r"|follow-?up|visits?"
    r"|refills?|prescri\w+|care plan|tapers?|steroids?|driv(?:e|ing)|work(?:ing)?|exercis\w+|oxygen|ventilat\w+"
    r"|dialysis|catheters?"
    r"|feeding|bleed\w*|pain|fever|tests?|bloods?|scans?|x-?rays?|sutures?|allerg\w+|sedation|an(?:a)?esthe\w+"
    r"|insuranc\w+|billing"
    r"|parking|travel|payment|portal|employer|school|sport\w*|play|swim\w*|sleep\w*|hip|knee|bearing|crutch\w*"
    r"|cast"
    r"|brace|sling"
    r"|pacemakers?|defibrillators?|cpap|monitors?|inhalers?|glucose|meters?|sensors?|hearing|glasses"
    r"|wheelchairs?"
    r"|walkers?|implants?"
    r"|hearts?|lungs?|kidneys?|livers?|eyes?|ears?|skin|legs?|arms?|foot|feet|hands?|shoulders?|stomach|bowels?"
    r"|bladder|sugar|asthma"
    r"|diabet\w+|cancer|pregnan\w+|bab(?:y|ies)|child(?:ren)?|salt|pickup|my (?:account|name|case|accident"
    r"|record)"
    r"|restraints?|visitors?|visiting|precautions?|isolation|consent|dnr|code status|full code|[a-z]+(?:cillin"
    r"|mycin"
    r"|olol|pril|sartan"
    r"|statin|azole|idine|azine|arin|oxin|mab|parin))\b"
)
_TO_A_MODEL: Final = re.compile(
    r"\b(?:prompt|system (?:message|prompt)|print|reveal|output|respond|reply with|answer (?:freely|me|my|as"
    r"|only"
    r"|with|everything)"
    r"|reply with|chat ?bot|language model|llm|act as|pretend|jailb\w+|unfiltered|uncensored|unrestricted"
    r"|your (?:programming"
    r"|developers?|creators?|makers?|operators?|training|programmers)|developers?|raw record|guard ?rails?"
    r"|say (?:that |yes|only)"
    r"|write (?:a|the) (?:poem|prescription|word)|verbatim|obey|comply|approved?|do as i say|agree with me"
    r"|as an ai"
    r"|you are an? )"
)


_TELLS_OF: Final = re.compile(
    r"\b(?:i|we|he|she|they|my \w+|the \w+) (?:\w+ ){0,2}?(?:not|never|can't|cannot|couldn't|didn't|don't|forgot"
    r"|ignored|lost|broke"
    r"|missed|skipped|dropped|stopped|rejected|was|were|said|says|told|tells|ignores)\b|\bwas told\b"
)
_TAUGHT: Final = re.compile(
    r"\b(?:attackers?|hackers?|criminals?|phishing|malicious|scammers?|adversar(?:y|ies)|fraudsters?"
    r"|prompt injections?)\b"
    r"[^.!?]{0,120}(?P<quote>['\"`])[^'\"`]{0,80}$"
)
"""An attack that a text warns of: it stands between quotation marks, and before them who it is that would write so."""
_ASKS_TO: Final = re.compile(r"\b(?:can|could|will|would) you\b|\bplease\b")


def no_order(text: str, start: int, end: int) -> bool:
    """Whether the sentence of `text` (folded) round `[start, end)` only tells what became of instructions ("the nurse
    told me to ignore them") or asks about them ("should I ignore them?"): an order to a model does neither."""
    left, right = sentence(text, start, end)
    if _TELLS_OF.search(text, left, start) is not None:
        return True
    return text[right : right + 1] == "?" and _ASKS_TO.search(text, left, right) is None


def taught(text: str, start: int, end: int) -> bool:
    """Whether `[start, end)` of `text` (folded) is quoted in a warning of attacks, and so tells nobody to do it."""
    left, _ = sentence(text, start, start)
    found = _TAUGHT.search(text, left, start)
    return found is not None and text.find(found["quote"], end, end + 200) >= 0


def sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of the sentence of `text` (folded) round `[start, end)`, at most 160 characters to either side."""
    left = max(0, start - _BEFORE)
    for stop in _ENDS.finditer(text, left, start):
        left = stop.end()
    stop_at = _ENDS.search(text, end, end + _AFTER)
    return left, min(len(text), end + _AFTER) if stop_at is None else stop_at.start()


def about_care(text: str, start: int, end: int) -> bool:
    """Whether the sentence of `text` (folded) round `[start, end)` speaks of care and of nothing that a model does."""
    left, right = sentence(text, start, end)
    if _TO_A_MODEL.search(text, left, min(len(text), right + 80)):
        return False
    return _CARE.search(text, left, right) is not None
