"""The patient as a text states them: facts that count as context although no record holds them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import Normalised, normalise
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.passages import Passage, passages
from attending.guardrails.clinical.past import PAST, past
from attending.guardrails.clinical.person.describe import describe
from attending.guardrails.clinical.reactions import stated_allergies
from attending.guardrails.clinical.statement import ParsedText
from attending.guardrails.clinical.told_states import STATES, told_states
from attending.guardrails.finding import Scope
from attending.guardrails.patient import Condition, Medication, PatientContext
from attending.guardrails.sieve import Group, Sieved

_NEGATED = re.compile(
    r"\b(?:no(?! (?:problems?|issues?|worries|need|harm|trouble|reason|change)\b)|"
    r"not(?! (?:a )?(?:problem|issue)\b)|denies|deny|denied|without|never|isn't|aren't|negative for|no history "
    r"of|ruled out|rule out|unlikely|free of|doesn't have|don't have|does not have|do "
    r"not have|absence of|non)\b(?P<gap>[^.;:]{0,80})$"
)
_RESUMES = re.compile(
    r"[,)] (?:\w+ ){0,2}?(?:but|has|hx|h/o|history of|known|with|pmh|on)\b|\bbut\b|\bhowever\b|\balthough\b"
)
"""Words after a negation that begin something affirmed again: "no fever, hx of asthma"."""
_GENERAL_TEXT = Sieved(
    r"\b(?:patients?|people|adults|women|men|children|those|individuals|anyone|persons) (?:with|who|whose|taking"
    r"|should|must)\b|\b(?:do not|don't) (?:take|use) (?:this|it|\w+) if\b|\btell your\b|\bask your\b"
    r"|\bbefore (?:taking|using) (?:this|it)\b|\bguidelines?\b|\bindicated (?:for|in)\b"
    r"|\bcontraindications?\b(?!: none)|\bcontraindicated in\b|\bside[- ]effects\b|\bused (?:to treat|for)\b"
    r"|\bmedication guide\b"
    r"|\bis an? (?:\w+ ){0,3}(?:drug|medicine|medication|inhibitor|blocker|antibiotic)\b"
)
_GENERAL = Group(_GENERAL_TEXT)
_GENERAL_SECTION = re.compile(
    r"warning|precaution|contraindicat|side[- ]effect|do not (?:take|use)|when to (?:call|seek)|call |seek "
    r"|avoid|risk"
    r"|interact|differential|ddx|rule out|r/o|screen|education|indication|return if"
)
_FAMILY_SECTION = re.compile(r"\bfamily\b|\bfhx?\b")
_FAMILY_COUNTS = frozenset({"medullary_thyroid_cancer"})
"""Conditions whose occurrence in the family is itself a contraindication."""
_READ_ELSEWHERE = frozenset({"breastfeeding", "postpartum"})
_RELATIVE = re.compile(
    r"\b(?:mother|father|mom|dad|sister|brother|wife|husband|grand\w+|aunt|uncle|cousin|family|fhx?|roommate|friend"
    r"|neighbou?r)\b[^.;]{0,70}$"
)
_DENIED_AFTER = re.compile(
    r"(?: (?:activity|level|screen\w*|assay|test\w*|status|serolog\w*|antibod\w*|panel|form|questionnaire|checklist"
    r"|history|box|question)){0,3}"
    r"(?: (?:is|was|were|has been|came back|says?|said|reads?|ticked|answered"
    r"|marked)){0,2} ?[:=(\u2013\u2014-]? ?[\"'\u201c]?"
    r"(?:normal|negative|neg\b|ruled out|excluded"
    r"|unlikely|not (?:present|found|suspected|deficient|detected)"
    r"|absent|resolved in childhood|non-?reactive|no evidence|never\b|no\b|none\b|denies|denied|former|quit\b|0\b)"
    r"|(?: (?:is|was|were)) (?:the question|what (?:we|i) (?:looked for|feared|wondered)|(?:his|hers|theirs)\b"
    r"|thought of"
    r"|suspected at first)"
)
_NOT_A_STATE = re.compile(
    r"[ -](?:medic|drugs?|pills?|risk|prevention|screening|prophylaxis|ppx|px\b|precautions?|protocol|is (?:ruled out"
    r"|unlikely|a )|are |can |may |clinic|test|specialist|symptoms|free\b|tenderness|vaccin|shot|jab|rule"
    r"|workup|work-up|diet|naive"
    r"|awareness|education|guideline|program|kit|action plan"
    r"|warning|cessation|history is neg|threshold|(?:has|have) (?:occurred|been (?:reported|described"
    r"|seen|fatal))\b)|: ?avoid\b|s? (?:is|are) (?:a |an )?(?:contraindicat|reason)"
)
_QUIT = re.compile(
    r"\b(?:quit|stop\w*|former|ex|never|non|gave up|give up|past|second-?hand|passive)[ -](?:\w+ )?$"
)
_AMBIGUOUS = frozenset(
    {"hit", "flu", "men 2", "mania", "ectopic", "acidosis", "cva", "shock", "eating disorder"}
)
"""Names that are other words too; they count where the text speaks of the person, not by default."""
_NOT_OURS = re.compile(
    r"\b(?:if|unless|whether|in case|when|should you|do you|are you|does (?:he|she)|did "
    r"you|mother|father|mom|dad|sister|brother|wife|husband|grand\w+|aunt|uncle|cousin|"
    r"family history|fhx?|"
    r"(?:patients|people|those|anyone|women|men|individuals|adults|children|persons|"
    r"someone) (?:with|who)|risk of|risks?|cause[sd]?|causing|lead(?:s|ing)? to|"
    r"prevent\w*|(?:is|are|be|was) (?:asking for|a recipe for|an invitation to)|invit(?:es?|ing)|court(?:s|ing)|"
    r"can|may|might|could|would|trigger\w*|worsen\w*|signs of|symptoms of|screen\w* for|"
    r"rule out|possible|suspected|r/o|avoid in|contraindicated in|caution in|caution "
    r"with|increase[sd]?|"
    r"used (?:to treat|for|in)|indicated for|treats?|approved for|avoid (?:it |this "
    r")?(?:in|with)|develop\w*|evaluate for|concern for|worried about|tell your|"
    r"watch for|look for|monitor\w*(?: \w+)? for|report|seek|call|protect\w*|reduc\w*|prn|as needed|history taking"
    r"|repeat\w*[^.;]{0,40}\b(?:with|for|if)(?: any| a)? new"
    r"|to avoid|avoid\w*|thresholds?|likelier|provok\w*|set(?:s|ting)? off|bring(?:s)? on|neighbou?r(?:'s)?|colleague"
    r"|friend(?:'s)?|roommate|flatmate)\b[^.;]{0,70}$"
)
_OURS = re.compile(
    r"\b(?:has|have|had|with|history of|hx of?|h/o|pmhx?|diagnos(?:ed with|es|is(?: "
    r"of)?)|known|suffer(?:s|ing)? from|your|my|his|her|their|s/p|underlying|past "
    r"medical history|comorbid(?:ities)?|problems?|"
    r"problem list|conditions?|medical history|given|due to|because of|for|is an?|i'm "
    r"an?|am an?|chronic|active|status post|patient is|presents with|and|"
    r"in)\b[^.;]{0,80}$|^$|^[ •\-]*$|[,:] ?$|\b(?:m|f|male|female|man|woman|boy|girl|"
    r"old) ?,? ?$"
)
_POSSESSED = re.compile(
    r"\b(?:my|our|their|your|usual|home|current|chronic|regular|(?<!give )(?<!giving "
    r")(?<!start )(?<!put )(?<!let )(?:her|his)) "
    r"(?:(?:daily|usual|home|current|chronic|regular|long-term|low-dose|prescribed|"
    r"blood thinner|other|morning|evening) ){0,3}(?:\w+ \()?$|"
    r"\b(?:already|currently|i'm|i am|she is|he is|she's|he's|been|also|patient is|pt|"
    r"who is|while|since|is|still|am) "
    r"(?:already |currently |still |also )?(?:on|taking|using|takes|receiving)"
    r"(?: (?:a|an|the|daily|chronic|long-term|low-dose|oral|iv|high-dose|some)){0,3} $"
)
_TAKES = re.compile(
    r"\b(?:i|he|she|patient|pt|mom|who|and) (?:also |already |currently |now "
    r")?(?:takes?|uses?) (?:a |an |the |daily |some ){0,2}$"
)
_MODAL_BEFORE = re.compile(
    r"\b(?:can|should|could|may|must|would|will|shall|might|to|do|does|did)\b[^.;,]{0,30}$"
)
_IF_BEFORE = re.compile(
    r"\b(?:if|unless|whether|in case|before|avoid|stop|stopped|hold|don't|not|instead "
    r"of|people|patients|those|"
    r"anyone|was|used to)\b[^.;,]{0,40}$"
)


def stated_context(
    text: str, lexicon: Lexicon, conditions: Mapping[str, str], *, parsed: ParsedText | None = None
) -> PatientContext:
    """The patient that `text` describes: only fields that the text states of one person, everything else None.

    `conditions` maps a lower-case condition name to its canonical id, which becomes `Condition.code`. `allergies` is
    an empty tuple only where the text says that none are known. Medications are those the text reports as taken,
    with status active. `parsed` spares a second parse of the same text. Pure, linear, never raises. What is negated,
    conditional, another person's or general advice is left out, and so is a fact stated twice with different values.
    """
    norm = normalise(text)
    parts = passages(norm)
    person = describe([part.text for part in parts], _names(norm, lexicon))
    parsed = parsed if parsed is not None and parsed.text == text else parse(text, lexicon)
    return replace(
        person,
        allergies=stated_allergies(parts, lexicon),
        medications=_medications(norm, parsed),
        conditions=_conditions(parts, conditions),
    )


_BEFORE_BRACKET = Sieved(r"(?<![\w-])([a-z][a-z'-]{1,14})(?= (?:[a-z]'?[a-z-]{1,14} )?\(\d{1,2}[ )])")


def _names(norm: Normalised, lexicon: Lexicon) -> frozenset[str]:
    """Words with a capital before a number in brackets, that are no drugs."""
    return frozenset(
        match.group(1)
        for match in _BEFORE_BRACKET.finditer(norm.text)
        if norm.source(match.start(1), match.end(1))[:1].isupper() and match.group(1) not in lexicon
    )


def _medications(norm: Normalised, parsed: ParsedText) -> tuple[Medication, ...] | None:
    starts = norm.starts
    found: dict[str, Medication] = {}
    for statement in parsed.statements:
        mention = statement.mention
        if not mention.drugs:
            continue
        taken = statement.scope is Scope.CONTINUE
        if statement.scope in (Scope.HYPOTHETICAL, Scope.MENTION, Scope.RECOMMEND):
            at = bisect_left(starts, mention.span.start)
            at = at if at < len(starts) and starts[at] == mention.span.start else 0
            before = norm.text[max(0, at - 60) : at].rsplit("\n", 1)[-1]
            taken = _POSSESSED.search(before) is not None
            taken |= _TAKES.search(before) is not None and _MODAL_BEFORE.search(before) is None
            taken &= _IF_BEFORE.search(before) is None
            if statement.scope is Scope.RECOMMEND and "your" in before[-12:]:
                taken = True
        if not taken:
            continue
        name = "/".join(mention.drugs)
        if name in found:
            continue
        found[name] = Medication(
            name=name,
            dose=statement.dose.text if statement.dose else None,
            route=statement.route,
            frequency=statement.frequency.text if statement.frequency else None,
            prn=statement.frequency.prn if statement.frequency else None,
        )
    return tuple(found.values()) or None


@lru_cache(maxsize=4)
def _condition_automaton(names: tuple[str, ...]) -> AhoCorasick:
    return AhoCorasick(names, matchkind=MatchKind.Standard, store_patterns=False)


def _conditions(parts: list[Passage], conditions: Mapping[str, str]) -> tuple[Condition, ...] | None:
    if not conditions:
        return None
    names = tuple(conditions)
    automaton = _condition_automaton(names)
    found: dict[str, Condition] = {}
    whole = "\n".join(part.text for part in parts)
    plain = not (_GENERAL.may_match(whole) and any(_GENERAL_TEXT.search(part.text) for part in parts))
    stented = _ARTERIES.may_match(whole) and _CAD in conditions.values()
    pumped = _PUMPED.may_match(whole) and _HFREF in conditions.values()
    pictured = STATES.may_match(whole)
    clotted = _CLOTTED.may_match(whole) and _CLOT in conditions.values()
    for number, part in enumerate(parts):
        line = part.text
        if part.section and not part.label and _GENERAL_SECTION.search(part.section):
            continue
        spans = sorted(
            (start, -end, index)
            for index, start, end in automaton.find_matches_as_indexes(line, overlapping=True)
            if not (start and (line[start - 1].isalnum() or line[start - 1] == "-"))
            and not (end < len(line) and line[end].isalnum())
        )
        position = 0
        for start, minus_end, index in spans:
            end = -minus_end
            if start < position:
                continue
            position = end
            name = names[index]
            code = conditions[name]
            if code == _KIDNEY and _RECOVERED.match(line, end):
                continue
            if code in _READ_ELSEWHERE or not _is_theirs(part, start, end, name, code, plain):
                continue
            if _ASKED.fullmatch(line, end) and not (
                number + 1 < len(parts) and _AFFIRMED.match(parts[number + 1].text)
            ):
                continue
            if code in PAST and past(line, start, end):
                code = PAST[code]
            found.setdefault(code, Condition(name, code=code))
        for code, shown, start, end in told_states(line) if pictured else ():
            if code in conditions.values() and _is_theirs(part, start, end, shown, code, plain):
                found.setdefault(code, Condition(shown, code=code))
        for match in _CORONARY.finditer(line) if stented else ():
            before = line[max(0, match.start() - 90) : match.start()]
            if not (_NOT_OURS.search(before) or _NEGATED.search(before)):
                found.setdefault(_CAD, Condition("coronary disease", code=_CAD))
        for match in _DATED_CLOT.finditer(line) if clotted else ():
            before = line[max(0, match.start() - 90) : match.start()]
            if not (_NOT_OURS.search(before) or _NEGATED.search(before)):
                found.setdefault(_CLOT, Condition("history of blood clots", code=_CLOT))
        for match in _EJECTION.finditer(line) if pumped else ():
            if int(match.group(1) or match.group(2)) <= _REDUCED and not _NOT_OURS.search(
                line[max(0, match.start() - 90) : match.start()]
            ):
                found.setdefault(_HFREF, Condition(match.group(), code=_HFREF))
    return tuple(found.values()) or None


_KIDNEY = "kidney_disease_severe"
_RECOVERED = re.compile(
    r"(?: on day \d{1,2}| in (?:\w+ )?(?:19|20)?\d{2})?(?: ?\([^()\n]{0,60}\))?,? (?:now |since |which |has |have |is "
    r"|was |fully |completely ){0,3}(?:recovered|resolved)\b"
)
"""An acute injury that is over: "AKI on day 5 (Cr 0.8 to 1.9), recovered"."""
_ASKED = re.compile(r" ?\?[ )\"']{0,3}")
_AFFIRMED = re.compile(
    r"(?:yes|known|since|confirmed|still|stable|present|positive|mild|severe|moderate|active|well controlled"
    r"|poorly|on \w|takes|treated|diagnosed|he has|she has|you have|you do\b(?! not)|he does\b(?! not)"
    r"|she does\b(?! not))\b"
)
"""The answer to a state that was asked for: "Asthma? Known since childhood."; any other answer leaves it unsaid."""
_HFREF = "hfref"
_CLOT = "blood_clot"
_EJECTION = Sieved(
    r"\b(?:lv)?(?:ef|ejection fraction)(?: (?:is|of|was|now|only|about|down to"
    r"|remains)){0,3} ?[:=~]?"
    r" ?(\d{2}) ?(?:%|percent\b|$|[,;)])"
    r"|\bheart(?: (?:is|only|just|now|muscle|function|pump\w*|work\w*|squeez\w*)){1,5} (?:at |to )?(?:about "
    r"|around )?"
    r"(\d{2}) ?(?:%|percent\b|per cent\b)"
)
_PUMPED = Group(_EJECTION)
_CAD = "coronary_artery_disease"
_VESSEL = (
    r"(?:left anterior descending|lad|circumflex|lcx|right coronary|rca|left main|lmca|coronar(?:y|ies)"
    r"|obtuse marginal"
    r"|ramus intermedius)"
)
_CORONARY = Sieved(
    rf"\b(?:stents?|stented|stenting|angioplast\w+|bypass(?: graft\w*)?|grafts?|pci)\b[^.;\n]{{0,40}}\b{_VESSEL}\b"
    rf"|\b{_VESSEL}\b[^.;\n]{{0,24}}\b(?:stents?|stented|angioplast\w+|bypass(?:ed)?|graft\w*|occlu\w+|stenosis)\b"
    r"|\b(?:lima|cabg)\b"
    r"|\bstents?\b[^.;\n]{0,30}\b(?:after|for|following) (?:an? |his |her |your )?(?:heart attack|infarct\w*|mi|stemi"
    r"|nstemi)\b"
)
"""Coronary disease told by what was done for it: "two stents in the left anterior descending"."""
_ARTERIES = Group(_CORONARY)
_DATED_CLOT = Sieved(
    r"\b(?:pe|dvt|vte)s?,? (?:in |\()?(?:(?:spring|summer|autumn|winter|january|february|march|april|may|june|july"
    r"|august|september|october|november|december) )?(?:(?:19|20)\d\d|last year|(?:\d{1,2}|two|three|four|five|ten)"
    r" (?:years|months|yrs) ago)\b"
)
"""A clot by its abbreviation and when it was: "PE 2022"."""
_CLOTTED = Group(_DATED_CLOT)
_REDUCED = 40
"""Percent; a left ventricular ejection fraction up to this is reduced (heart failure guideline 2022)."""


_POINT = re.compile(r"(?<=\d)\.(?=\d)")
"""A decimal point ends no clause: "if pH < 7.15 or anuria"."""
_WATCHED = re.compile(
    r"\b(?:cbcs?|fbc|platelets?|plts?|ecgs?|k\+?|u&es?|lfts?|creatinine|ck|counts?|levels?|interval|bloods?|check\w*"
    r"|monitor\w*|daily|weekly|hourly|watch)"
    r"(?! ?(?:of |is |was |were |now |down to |fell to )?\d)[^.;\n()]{0,40}\("
    r"(?:for |to (?:detect|exclude|catch) |screen(?:ing)? for )?\Z"
)
"""What is measured, and in brackets what it would show: "CBC daily (HIT)"."""


def _is_theirs(part: Passage, start: int, end: int, name: str, code: str, plain: bool) -> bool:
    """Whether the condition at `start:end` is the patient's: not denied, hypothetical or another's, and said of the
    person; in a `plain` text, which gives no general advice, a condition that stands there is the patient's."""
    line = part.text
    before = line[max(0, start - 120) : start]
    clause = re.split(r"[.;]| but ", _POINT.sub(",", before))[-1]
    if _WATCHED.search(clause) and line[end : end + 1] == ")":
        return False
    denied = _NEGATED.search(clause)
    if denied is not None and _RESUMES.search(denied["gap"]) is None:
        return False
    family = code in _FAMILY_COUNTS
    if not family and (_FAMILY_SECTION.search(part.section) or _FAMILY_SECTION.search(part.label)):
        return False
    if _DENIED_AFTER.match(line, end) or _NOT_A_STATE.match(line, end):
        return False
    if family and _RELATIVE.search(clause):
        return re.search(r"\b(?:if|unless|whether|do you|tell)\b", clause) is None
    if _NOT_OURS.search(clause) or (code == "smoking" and _QUIT.search(clause)):
        return False
    if part.label and _GENERAL_SECTION.search(part.label):
        return False
    return _OURS.search(clause) is not None or (plain and not part.question and name not in _AMBIGUOUS)
