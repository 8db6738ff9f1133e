"""Words of care near a sign: "ignore the previous instructions about fasting" is a clinic's correction, no attack.

Asked only where a weak sign was found, over the sentence round it. Words that speak to a model ("print", "as a
chatbot", "your prompt") take the excuse away.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.concepts import spoken_of
from attending.guardrails.rails.folding import fold_pattern
from attending.guardrails.sieve import Sieved

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
    fold_pattern(
        r"\b(?:attackers?|hackers?|criminals?|phishing|malicious|scammers?|adversar(?:y|ies)|fraudsters?"
        r"|prompt injections?)\b"
        r"[^.!?]{0,120}(?P<quote>['\"`])[^'\"`]{0,80}$"
        r"|(?:\b(?:security (?:bulletin|newsletter|training|awareness|briefing)|phishing|fraud|scam|attack|planted"
        r"|poisoned|red team|fraude|attaque|angriff\w*|schulung|sicherheit\w*|truffa|attacco|ataque|estafa|golpe"
        r"|oszustw\w+|atak\w*)\b|мошенн|атак|безопасност|攻击|诈骗|攻撃|詐欺|هجوم|احتيال)"
        r"[^!?]{0,160}(?P<other>['\"`\u00ab\u201e\u201c\u300c])[^'\"`\u00bb\u201d\u300d]{0,80}$"
    )
)
"""An attack that a text warns of: it stands between quotation marks, and before them who it is that would write so, or
that the text is on attacks."""
_REPORTED: Final = re.compile(
    fold_pattern(
        r"\b(?:report\w*|contain\w*|contained|found|rejected|caught|blocked|typical|example|such as"
        r"|never (?:obey|follow)|do not (?:follow|obey)|discuss\w*|signaler|exemple|melden|gemeldet|beispiel"
        r"|typisch\w*|segnalare|esempio|ejemplo|denunci\w+|exemplo|przyklad|zglos\w*)\b|пример|сообщ|报告|上报|例|報告|مثال|ابلغ"
    )
)
"""Told as what was seen, or as what to do when it is."""
_CLOSING: Final = {"\u00ab": "\u00bb", "\u201e": "\u201c", "\u201c": "\u201d", "\u300c": "\u300d"}
_HOUSE_RULES: Final = Sieved(
    r"\b(?:polic(?:y|ies)|requirements?|known limits|limitations|incidents?|briefing|bulletin|newsletter|security"
    r"|awareness|training|e-learning|phishing|governance|acceptable use|steering group|digital board"
    r"|must be (?:checked|reviewed|read|signed)|(?:reads?|checks?|reviews?) and (?:corrects?|signs?)|proofread"
    r"|works council|procurement|tender|vendor|supplier|pilot|evaluation|release notes?|user guide"
    r"|data protection|impact assessment|it department|service desk"
    r"|charte|informatique|reli(?:t|re|sent)|corrige\w*|schulung|pruf(?:t|en|ung)|datenschutz|richtlinie|dienstanweisung"
    r"|regolamento|informativa|corregg\w+|firma|norma|normativa|revis(?:a|ar|ado)|seguridad|proteccion de datos"
    r"|politica|seguranca|sprawdza|bezpieczen\w+|regulamin|beleid|controleert|yonerge|guvenlik)\b"
)
"""Words of a text in which a house says how machines are used there, and who reads what they write."""
_HOUSE_RULES_UNSPACED: Final = re.compile(r"规定|核对|审核|安全|规范|確認|規程|セキュリティ|سياسة|تدريب|امن")
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
    found = _TAUGHT.search(text, left, start) or _TAUGHT.search(text, max(0, start - _BEFORE), start)
    if found is None:
        return False
    quote = found["quote"] or found["other"]
    closed = text.find(_CLOSING.get(quote, quote), end, end + 200)
    if closed < 0:
        return False
    return found["quote"] is not None or (
        _REPORTED.search(text, found.start(), start) is not None
        or _REPORTED.search(text, closed, closed + 120) is not None
    )


_SPEAKS_TO_IT: Final = re.compile(
    fold_pattern(
        r"^\W*(?:for|to|dear|attention|attn|note (?:to|for)|message (?:to|for)|hey|hi|hello|fur|liebe\w*"
        r"|an (?:die|den|das|alle)|pour|aux?|chere?|para|al|a los|por|per|agli|alla|ai|dla|do|aan|voor|для|给|致)\b"
    )
)
_QUIET: Final = re.compile(
    r"\b(?:not|never|nobody|no one|without) (?:\w+ ){0,2}(?:tell|telling|told|mention\w*|show\w*|know|notice"
    r"|reveal\w*)\b"
)
_HIDES: Final = frozenset({"conceal", "unchecked", "unlock", "forge"})


def only_names(text: str, start: int, end: int) -> bool:
    """Whether `text` (folded), which is `of_house_rules`, only speaks of the machine that it names at `[start, end)`.

    A house that writes down its rules opens no sentence by speaking to the machine, and has nothing kept quiet, left
    unchecked or signed for another in it or the next; `likeness` judges such a text all the same.
    """
    left, right = sentence(text, start, end)
    if _SPEAKS_TO_IT.search(text[left:start]) is not None:
        return False
    near = text[left : right + _AFTER]
    return _QUIET.search(near) is None and _HIDES.isdisjoint(spoken_of(near, "document"))


def of_house_rules(text: str) -> bool:
    """Whether `text` (folded) says how machines are used in a house: it names them, and orders none of them."""
    if _HOUSE_RULES.search(text) is not None:
        return True
    return not text.isascii() and _HOUSE_RULES_UNSPACED.search(text) is not None


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
