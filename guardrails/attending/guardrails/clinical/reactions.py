"""The allergies that a text states of its person: lists, tables, "hives with X", "X put you in the ICU".

A reaction counts where the words tie it to the substance; a reaction beside a drug that treats it does not. What is
denied, conditional, another person's or general advice is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.clinical.passages import Passage, passages
from attending.guardrails.clinical.person.who import other_person
from attending.guardrails.clinical.words import word_set
from attending.guardrails.patient import Allergy
from attending.guardrails.sieve import Group, Sieved

_NO_ALLERGY = Sieved(
    r"\bnk(?:d)?a\b|\bno (?:known )?(?:drug |medication |food |reported |documented ){0,3}allerg(?:y|ies)\b(?! "
    r"to)|\ballerg(?:y|ies)[ :]+(?:none|no|nil|nkda|denies|not known)\b|"
    r"\bdenies (?:any )?(?:drug |medication )?allergies\b|\bnot allergic to "
    r"any(?:thing)?\b|\bno known (?:drug )?allerg"
)
_PUT_THERE = "|".join(
    rf"(?<={verb} {whom} )"
    for verb in ("put", "landed", "sent")
    for whom in ("him", "her", "me", "you", "them")
)
_STRONG = (
    rf"(?:(?:{_PUT_THERE})(?:in|to) (?:the )?(?:icu|intensive care|hospital|emergency room|er|a&e|resus)"
    r"|(?:anaphyla\w*|angio-?o?edema\w*|stevens[- ]johnson(?: syndrome)?|sjs|toxic epidermal necrolysis|sjs/ten"
    r"|dress syndrome|drug reaction with eosinophilia(?: and systemic symptoms)?|\(dress\)|agep|exfoliative dermatitis"
    r"|erythema multiforme|serum sickness|(?:throat|tongue|lips?|fac(?:e|ial)|airway|laryngeal|mouth|neck|eyes?)"
    r"(?:,? (?:and|or|&) (?:throat|tongue|lips?|face|eyes?|airway))? ?(?:swelling|swelled|swelled up|swole|swollen"
    r"|angio-?o?edema|edema|oedema|closed|closing|closing up|tightness|tightening|tightened|(?:swelled|swollen) shut"
    r"|(?:was|were|went) (?:swollen|swelling|closing|tight))"
    r"|(?:throat|tongue|lips?|face|eyes?) (?:swells?|to swell|closes?|to close)(?: up| shut)?"
    r"|(?:closed|swelled|tightened)(?: up)? (?:his|her|my|your) (?:throat|airway|tongue|face|lips)"
    r"|(?:swollen|puffy|ballooned) (?:lips?|tongue|face|throat|eyes?|mouth)"
    r"|(?:swelling|swollen) of (?:the |his |her |my |your )?(?:throat|tongue|lips?|face|eyes?|mouth)"
    r"|(?:stopped|trouble|difficulty|couldn't|could not|unable to|hard to) breath\w*|bronchospasm"
    r"|(?:lungs?|chest|airways?|windpipe) (?:shut|closed?|closes|locked|clamped|seized)(?: up| down| off)?"
    r"|burns? (?:unit|centre|center)|cardiac arrest|no pulse|without a pulse|hives|urticari\w+"
    r"|welts|allergic reaction|throat clos\w+|nearly died|almost died|skin (?:peel|slough)\w*"
    r"|blister(?:s|ed|ing)?(?! ?-?(?:packs?|strips?|foils?|cards?|of)\b)|agranulocytosis"
    r"|asthma attacks?|attacks? of asthma|dress(?= \(| (?:from|due|after|on|to|reaction))"
    r"|(?<=with )dress|(?<=had )dress|(?<=developed )dress|(?<=of )dress|(?<=caused )dress))"
)
_WEAK = (
    r"(?:rash\w*|itch\w*|prurit\w*|wheez\w*|collaps\w*|shock|hypotension|burn unit|icu|intensive care|intubat\w*"
    r"|epinephrine given|epipen|nausea|vomit\w*|(?:upset )?stomach(?: upset| ache| pain| cramps?)?|gi (?:upset|distress"
    r"|intolerance)|diarrh\w*|constipat\w*|headache\w*|drows\w*|dizz\w*|cough\w*|yeast infection|queas\w*|cramps?"
    r"|syncope|passed out|liver (?:failure|injury)|hepatitis|rhabdomyolysis|myopathy|myalgias?|muscle (?:pain|aches)"
    r"|seizures?|hallucinat\w*|confusion|tendon rupture|jaundice|pancreatitis|fever|reaction)"
)
_ANY_REACTION = re.compile(rf"(?<![\w-])(?:{_STRONG}|{_WEAK})(?![\w])")
_STRONG_REACTION = Sieved(
    rf"(?<![\w-])(?:{_STRONG}|rash|collapsed|(?:bad|severe|awful|terrible) wheez\w*|reacted (?:badly"
    rf"|severely)|(?:blood )?(?:pressure|bp) (?:dropped|fell|crashed|collapsed|plummeted|bottomed out)"
    rf"(?=[^.;\n]{{0,40}}\b(?:adrenaline|epinephrine|epipens?)\b))(?![\w])"
)
_CUE = Sieved(
    r"\b(?:allergic(?: reaction)?(?: to)|allerg(?:y|ies)(?: (?:to|include|includes|"
    r"including|are|is|of))?[ :]|anaphyla(?:xis|ctic(?: reaction| shock)?) (?:to|from|with|"
    r"after)|hypersensitiv(?:e|ity) to|intoleran(?:t|ce) (?:to|of)|(?:hives|rash|angioedema|"
    r"swelling) (?:to|from|with|w/|after)|(?:bad |severe |serious )?reactions? to)[ :]*"
)
_ALLERGY_AFTER = Sieved(
    r"(?<![\w-])([a-z][a-z-]+(?: [a-z-]+)?)[ -](?:allerg(?:y|ies|ic)|anaphylaxis|"
    r"intolerance|hypersensitivity|reaction)(?!\w)(?! (?:runs?|medic|pill|tablet|relief|symptom|shot|test|"
    r"clinic|season|"
    r"kit|"
    r"to\b))(?!(?: \w+){0,2} in (?:the|her|his|my|your) family)"
)
_SUBSTANCE = re.compile(
    r"(?:the |any |all |both )?([a-z][a-z-]{2,30}(?: (?:drugs?|antibiotics?|nuts?|dye|"
    r"contrast|products?|oil|protein|acid|medications?))?)"
)
_LIST_NEXT = re.compile(r"(?: \([^()]{0,80}\))?(?:, and | and |, or | or |, |/| & | \+ )")
_HEADED = re.compile(rf"[a-z][a-z-]{{3,30}}(?:, | ?[-(:] ?| )(?:severe |documented )?{_STRONG}(?![\w])")
"""What follows a heading without a colon: "ALLERGY penicillin, anaphylaxis 2011"."""
_LINK_WORD = (
    r"(?:(?!(?:giv(?:e|en|ing)|gave|received|start|take|taking|use|using|and|with|for|but|or|no|not|to|from|on|of|plus"
    r"|then)(?!\w)|treat|resol|improv|manag|reliev|prevent|control|respond|settl|calm)[\w'(/)-]+|head to toe)"
)
"""One word between a reaction and what caused it; words of treatment and joining words break the tie."""
_TO_SUBSTANCE = re.compile(
    rf",?(?: {_LINK_WORD}){{0,9}}(?: (?:(?:in|during|at) (?:the )?(?:\w+ (?:grade|class|year)|childhood|infancy|school"
    r"|college|high school|(?:19|20)\d\d)|as an? (?:child|baby|toddler|infant|teen\w*|student)|at (?:age )?\d{1,2}))?"
    r" (?:to|from|with|w/|after|following|on|of|due to|caused by|because of|secondary to"
    r"|(?:was |were |is |being )?(?:attributed|ascribed|linked|put down|traced|related) to|blamed on|pinned on"
    r"|within (?:a few |an? |\w+ )?(?:minutes?|mins?|hours?|hrs?|days?|weeks?) of|2/2|during|when (?:taking|given)"
    r"|while (?:taking|on)|(?:when|after|once) (?:he|she|i|you|they) (?:had |was |were )?(?:first |last )?"
    r"(?:took|taken|given|received|had|started|tried)|(?:he|she|i|you) (?:first |last )?(?:took|received"
    r"|started|had))(?: (?:first|taking|receiving|starting|a|an|the|her|his|my|your|oral|iv|im|dose|single|one|two"
    r"|course|tablet|injection|shot|of|being|given|some|last|prior|previous|she|he|you|i|took|received"
    r"|exposure|to|treatment|with)){0,7} ?"
)
_FROM_SUBSTANCE = re.compile(
    r"(?:'s)?(?: ?\(?(?:in )?(?:19|20)\d\d\)?"
    r"| (?:[\w-]{1,8} ){1,2}(?:years?|months?|weeks?|days?|decades?) (?:ago|back)"
    r"| last \w{3,9}| once| as a (?:child|teenager|student))?(?: (?:has|had))?(?= ?[\"' ]) ?[\"']?"
    r"(?: ?(?:-{1,2}>?|:|=|\(|,(?= ?(?:reaction|causes?|caused)))"
    r" ?(?:reaction:? ?|causes? |caused |gives? (?:him |her |me |you )?)?"
    r"|(?: [\w'-]+){0,6},? (?:and |then )?within (?:\w+ )?(?:seconds|minutes|mins?|an hour|hours?)(?: of \w+)?,? "
    r"| (?:at|aged?) (?:age )?\d{1,2} ?[:,-] ?"
    r"|(?: was| were)? (?:stopped|discontinued|withdrawn|ended)(?: [\w'-]+){0,4}:(?: [\w'/%-]+,?){0,8} "
    r"|,? (?:to|allergy|allergic|reaction:?) "
    r"|(?:,? |(?<=[\"']))(?:\w+ ){0,3}?(?:gave|gives|caused|causes|makes?|led to|resulted in|produced|triggered|put"
    r"|sent|made"
    r"|brought (?:him|her|me|you|them|[a-z]{2,14}) out in|threw|sends|puts|brings? (?:him|her|me|you) out in"
    r"|brought on|induced|left|landed|stopped|discontinued|withdrawn|d/c'?d|ended)(?: [\w'/-]+){0,9}? | |(?<=[\"']))"
    r"(?:(?:severe|bad|mild|diffuse|life-threatening|serious|terrible|awful"
    r"|childhood|generali[sz]ed|facial|full-body|itchy|a|an|with|his|her|your|my|in|the) ){0,3}"
)
_GIVEN_BEFORE = re.compile(
    r"\b(?:given|gave|got|had|took|taken|received|after|following|dose of|course of|injection of|on|with)"
    r"(?: (?:an?|the|some|iv|im|oral|his|her|my|your|first|second|single|dose|doses|course|tablet|of)){0,4} $"
)
_THEN_REACTED = re.compile(
    r"(?: (?!and\b|but\b|then\b)[\w'-]+){0,8}(?:[,;]? (?:and|then|after which)|[;,:-]{1,2}|[,;]? (?:and )?(?:with)?in"
    r"|[,;]? (?:and )?(?:a few )?(?=minutes|seconds))"
    r"(?: (?:then|almost|at once|immediately|straight away))?"
    r"(?: ?(?:with)?in)?(?: (?:about|under|less than|a few|few|an?|half an|[\w-]{1,7}))?"
    r"(?: (?:seconds|minutes|mins|hours?))?"
    r"(?: (?:later|after))?,?(?: (?:he|she|i|you|they)(?: (?:had|got|developed|went into|broke out in|came out in))?"
    r"|(?: (?:his|her|my|your|their|the)))?(?: (?:a|an|severe|whole|entire)){0,2} "
)
"""Between a drug that was given and the reaction: "on a ward and within minutes her " throat closed."""
_ENDED_FOR = re.compile(
    r"[^.;:(\n]{0,30}?\b(?:stopped|discontinued|withdrawn|ended|abandoned|taken off)\b"
    r"[^.;:(\n]{0,30}(?:[:(-]|\b(?:for|after|because of|due to|with)\b)"
    r"(?P<told>[^.;\n]{0,70})"
)
"""A drug that was ended and, behind a colon or in brackets, what it did."""
_SAME = (
    r"(?:this|it|that|these|them|(?:this|that|the) (?:very )?(?:same )?(?:one|drug|medicine|medication"
    r"|antibiotic|tablet"
    r"|pill|injection|combination)|the same (?:thing|one|drug|medicine|medication|antibiotic))"
)
_TO_THE_SAME = Sieved(
    r"\b(?:had|having|got|suffered|developed|reported|recorded|listed|documented|noted|previous|prior|past|known|old"
    r"|history of|chart (?:says|shows|lists|mentions))"
    r"(?: (?:an?|some|the|your|her|his|bad|severe|serious|terrible|awful|nasty|skin|allergic|possible|sort|kind|of))"
    r"{0,4} (?:reaction|allergy|anaphylaxis|angioedema|hives|urticaria|rash|sjs|stevens[- ]johnson(?: syndrome)?"
    rf"|dress|facial swelling|throat swelling|lip swelling) (?:to|with|from|on|after) {_SAME}(?![\w-])"
    r"(?! (?:week|year|time))"
    rf"|\breacted (?:badly |severely |terribly )?to {_SAME}(?![\w-])"
    rf"|\b(?:allergy|reaction) to {_SAME} (?:is|was|has been) (?:listed|recorded|noted|documented|on)\b"
)
"""A reaction told of what was named last: "you had a reaction to this in the past"."""
_INDUCED = Sieved(rf"(?<![\w-])([a-z]{{4,30}})-(?:induced|associated|related) (?:\w+ )?{_STRONG}")
_ONLY_SAID = re.compile(
    r" (?:is|are|was|were)(?: \w+)? (?:possible|common|rare|uncommon|unlikely|expected|seen|reported|not)\b"
    r"| (?:can|may|might|could|should|happens?|occurs?)\b|\?"
    r"| ?[:,\u2013\u2014-] ?(?:please )?(?:stop|ring|call|tell|see|seek|go|report|contact|attend|phone|come)\b"
)
_STOPPED = re.compile(r"[.;!?]|, (?:so|but)\b| but ")
_GENERAL = re.compile(
    r"\b(?:can(?!(?:'t|not) have\b)|may|might|could|would|if|unless|whether"
    r"|risks?|watch for|look for|monitor(?:ing)? for|observe for"
    r"|side[- ]effects?|rare|rarely|uncommon\w*|possible|report|call|tell|seek|ask|patients?(?= (?:with|who|allergic))"
    r"|people|anyone|those|persons|individuals|in case|should you|when to|warn\w*|counsel\w*|signs? of|symptoms? of"
    r"|treat(?:s|ing)?|used for|prevent\w*|stop taking|are you|do you|does (?:he|she)|any|history taking|evaluate)\b"
)
_NOT = re.compile(
    r"\b(?:no(?! (?:doubt|longer))|not|never|denies|denied|without|isn't|wasn't|didn't|negative for|ruled out"
    r"|free of|absence of|unlikely)\b[^,;:.]{0,50}$"
)
_ABOUT_OTHERS = re.compile(
    r"\b(?:if|unless|whether|people|patients|anyone|those|are you|do you|any|family(?:'s)?)\b[^.;,]{0,50}$"
)
_CLEARED = Sieved(
    r"(?:\b(?:de-?label\w*|disproved|disproven|refuted|outgrown|outgrew|ruled out|removed from|not confirmed"
    r"|label (?:has been |have been |was |is )?(?:now )?(?:removed|lifted|taken off|deleted|struck)"
    r"|allergy (?:has been |was |is )?(?:now )?(?:removed|lifted|taken off|deleted|struck)"
    r"|(?:skin[- ]|allergy |prick )(?:prick )?test\w*(?: \w+){0,7} negative"
    r"|negative(?: \w+){0,3} (?:skin[- ]test\w*|challenge|testing)"
    r"|(?:passed|negative|tolerated) (?:an? |the )?(?:\w+ ){0,3}challenge|challenge[^.;]{0,70}? (?:passed|negative"
    r"|tolerated|uneventful\w*)|(?:allergy|allergist)(?: \w+){0,4} (?:cleared|was removed|excluded)))"
)
_TO_BE_CLEARED = re.compile(
    r"\b(?:refer\w*|for|to be|consider\w*|could be|can be|should be|might be|plan\w*|if|until|once|candidate|arrange\w*"
    r"|request\w*|not|never|discuss\w*|pending|await\w*)\b[^.;,]{0,30}$"
)
"""What a clearing that has not happened stands behind: "refer for penicillin delabelling"."""
_TOLERATED = Sieved(r"\b(?:tolerat(?:ed|es|ing)|had no (?:problem|trouble|reaction)s? (?:with|to|on))\b")
_DESPITE = re.compile(r",| (?:despite|although|though|even|in spite|with|but|so)\b")
_UNTOLERATED = re.compile(r"\b(?:not|n't|never|poorly|unable to|if|as|when|mother|father|until)(?: \w+)? ?$")
_TOOK_WELL = Sieved(
    r"\b(?:took|taken|had|received|completed|given|takes|had a course of)\b[^.;]{0,80}?\b(?:without (?:a |any )?"
    r"(?:problem|issue|reaction|incident|difficult|trouble|symptom|rash)\w*|uneventful\w*"
    r"|no (?:reaction|problem|issue)s?)\b"
)
_HEAD = re.compile(
    r"\ballerg\w*|\badrs?\b|\badverse (?:drug )?(?:reactions?|events?)|\bintoleranc\w*|\bhypersensitivit\w*"
    r"|\bdrug reactions?\b|^alls?$"
)
_NOT_HEAD = re.compile(
    r"\b(?:possible|potential|warnings?|side effects?|common|serious|signs?|symptoms?|when|if|family|testing|referral"
    r"|seasonal|nasal|plan|treatment|relief|for|what|watch|call|stop)\b"
)
_DOSED = re.compile(
    r"\d ?(?:mg|mcg|g|ml|units?|tablets?|tabs?|puffs?|sprays?|drops?)\b|\b(?:daily|bid|tid|prn|q\d+h)\b"
)
_TREATS = word_set(
    "epinephrine diphenhydramine cetirizine loratadine fexofenadine levocetirizine desloratadine hydroxyzine "
    "famotidine ranitidine prednisone prednisolone methylprednisolone dexamethasone hydrocortisone albuterol "
    "levalbuterol montelukast chlorpheniramine fluticasone mometasone budesonide triamcinolone azelastine ipratropium "
    "norepinephrine vasopressin phenylephrine"
)
_NOT_SUBSTANCES = word_set(
    "drug drugs food known any seasonal no an the this your his her my severe mild medication "
    "medications season skin nasal documented reported serious other and or of with none nkda nka "
    "not yes unknown nothing denies these those certain some it them that anything multiple environmental "
    "pet pollen-free have has had penicillin-like true patient include includes including are is was "
    "were following list medicine medicines antibiotic antibiotics ingredient ingredients either reviewed updated "
    "verified confirmed see per chart also past prior previous history band bracelet alert status family new"
)
_REACH = 110
"""Characters between a reaction and its substance at most."""
_COMMON_ALLERGENS = word_set(
    "sulfa latex shellfish eggs egg peanuts peanut nuts soy iodine contrast bees bee pollen dust "
    "wheat milk dairy fish codeine adhesive tape"
)
_TOLD = Group(_NO_ALLERGY, _CUE, _ALLERGY_AFTER, _STRONG_REACTION, _INDUCED, _TOLERATED, _TOOK_WELL)
"""Outside an allergy list nothing is read from a sentence without one of these."""


def stated_allergies(parts: Sequence[Passage], lexicon: Lexicon) -> tuple[Allergy, ...] | None:
    """The allergies in text order; an empty tuple only where the text says that none are known, None without a word.

    `certainty` is "tolerated" for a drug that the text says was taken without harm since, and "refuted" where the
    allergy was tested and disproved.
    """
    found: dict[str, Allergy] = {}
    none_known = False
    told = _TOLD.may_match("\n".join(part.text for part in parts))
    for number, part in enumerate(parts):
        line = part.text
        if not (_is_head(part.label) or _is_head(part.section) or (told and _TOLD.may_match(line))):
            continue
        if _NO_ALLERGY.search(line):
            none_known = True
        spans = [(h.start, h.end) for h in lexicon.find(line)]
        here: dict[str, Allergy] = {}
        if _is_head(part.label):
            _listed(part, part.body, part.carried, spans, lexicon, here)
        elif _is_head(part.section):
            _listed(part, 0, False, spans, lexicon, here)
        _cued(line, spans, lexicon, here)
        _named_before(line, spans, here)
        _linked(line, spans, lexicon, here)
        _of_the_same(line, spans, parts[number - 1].text if number else "", lexicon, here)
        cleared = bool(here) and _cleared(_said_of(here, parts[number : number + 3], lexicon))
        for name, allergy in here.items():
            _keep(found, name, replace(allergy, certainty="refuted") if cleared else allergy)
        for name in _tolerated(line, spans):
            _keep(found, name, Allergy(name, certainty="tolerated"))
    if found:
        return tuple(found.values())
    return () if none_known else None


def _said_of(here: Mapping[str, Allergy], parts: Sequence[Passage], lexicon: Lexicon) -> str:
    """The sentences up to the first of an allergy to another substance, of which what follows is said: "Allergic to
    peanut. She is not allergic to penicillin; that label was removed"."""
    said = [parts[0].text]
    for later in parts[1:]:
        named = (later.text[hit.start : hit.end] for hit in lexicon.find(later.text))
        if _CUE.search(later.text) and any(name not in here for name in named):
            break
        said.append(later.text)
    return " ".join(said)


def _cleared(text: str) -> bool:
    """Whether the sentences say that an allergy was tested and taken away."""
    return any(
        _TO_BE_CLEARED.search(text, max(0, match.start() - 60), match.start()) is None
        for match in _CLEARED.finditer(text)
    )


def _keep(found: dict[str, Allergy], name: str, allergy: Allergy) -> None:
    """Adds the allergy; of two that name one substance the one with a reaction, or the later word on it, counts."""
    held = found.get(name)
    if held is None or allergy.certainty is not None:
        found[name] = replace(allergy, reaction=allergy.reaction or (held.reaction if held else None))
    elif allergy.reaction and (held.reaction is None or len(allergy.reaction) > len(held.reaction)):
        found[name] = replace(held, reaction=allergy.reaction)


@lru_cache(maxsize=64)
def _is_head(words: str) -> bool:
    return bool(words) and _HEAD.search(words) is not None and _NOT_HEAD.search(words) is None


def _listed(
    part: Passage,
    body: int,
    carried: bool,
    spans: list[tuple[int, int]],
    lexicon: Lexicon,
    found: dict[str, Allergy],
) -> None:
    """The items of an allergy list from `body`: each name with what is said of it up to the next."""
    line = part.text
    inside = [s for s in spans if s[0] >= body]
    bare = carried or (body > 0 and part.label in ("all", "alls"))
    for k, (start, end) in enumerate(inside):
        upto = inside[k + 1][0] if k + 1 < len(inside) else len(line)
        told = line[end:upto]
        reaction = _said(told)
        before = line[body:start]
        if reaction is None and k == 0:
            reaction = _said(before)
        name = line[start:end]
        if reaction is None and (bare or _DOSED.search(told) or _treats(name, lexicon)):
            continue
        if _NOT.search(before) or other_person(line, start):
            continue
        found.setdefault(name, Allergy(name, reaction=reaction))
    if not bare and not inside:
        _substances(line, body + (line[body : body + 1] == " "), spans, found, None)


def _said(text: str) -> str | None:
    """The words about a reaction, without brackets and dashes; None where no reaction is named."""
    if _ANY_REACTION.search(text) is None:
        return None
    return text.strip(" .,;:()-=>/[]|")[:120].strip() or None


def _treats(name: str, lexicon: Lexicon) -> bool:
    drugs = {drug for hit in lexicon.find(name) for drug in hit.drugs}
    return bool(drugs) and drugs <= _TREATS


def _cued(line: str, spans: list[tuple[int, int]], lexicon: Lexicon, found: dict[str, Allergy]) -> None:
    """ "allergic to X, Y and Z", "anaphylaxis to X"."""
    for match in _CUE.finditer(line):
        before = line[max(0, match.start() - 80) : match.start()]
        said = match.group()
        if _NOT.search(before) or other_person(line, match.start()):
            continue
        if re.search(
            r"\b(?:if|unless|whether|people|patients|anyone|those|are you|do you|any|family(?:'s)?)\b[^.;,]{0,50}$",
            before,
        ):
            continue
        plain = said.startswith("allerg") and ":" not in said
        if (
            plain
            and not re.search(r" (?:to|includ\w*|are|of)\b", said)
            and not _HEADED.match(line, match.end())
        ):
            continue
        reaction = None if re.match(r"allerg|intoleran|hypersens", said) else _said(said + " ")
        here: dict[str, Allergy] = {}
        first, end = _substances(line, match.end(), spans, here, reaction)
        if reaction is not None and _ONLY_SAID.match(line, end):
            continue
        if (
            ":" in said
            and first
            and (_treats(first, lexicon) or _DOSED.search(line[match.end() : match.end() + 60]))
        ):
            # "Allergies: loratadine 10 mg daily" treats them
            continue
        for name, allergy in here.items():
            _keep(found, name, allergy)


def _named_before(line: str, spans: list[tuple[int, int]], found: dict[str, Allergy]) -> None:
    """ "penicillin allergy", "sulfa anaphylaxis"."""
    for match in _ALLERGY_AFTER.finditer(line):
        before = line[max(0, match.start() - 60) : match.start()]
        start = match.start(1)
        near = spans[bisect_left(spans, (start, 0)) : bisect_left(spans, (match.end(), 0))]
        hit = next((s for s in near if s[1] >= match.end(1) - 1 and s[1] <= match.end()), None)
        words = match.group().replace("-", " ").rsplit(" ", 1)[-1]
        if hit is None and not words.startswith("allerg"):
            continue
        name = line[hit[0] : hit[1]] if hit else match.group(1).split(" ")[-1]
        if (
            not name[0].isalpha()
            or name in _NOT_SUBSTANCES
            or _NOT.search(before + match.group(1))
            or other_person(line, start)
        ):
            continue
        if _ABOUT_OTHERS.search(before + match.group(1)):
            continue
        after = line[match.end() : match.end() + 80]
        reaction = "anaphylaxis" if words.endswith("anaphylaxis") else _bracketed(after)
        if reaction is None and words.endswith("intolerance"):
            reaction = "intolerance"
        _keep(found, name, Allergy(name, reaction=reaction))


def _bracketed(after: str) -> str | None:
    """The reaction in "(hives as a child)", ": anaphylaxis", "with throat swelling" behind a stated allergy."""
    match = re.match(r" ?(?:\(([^()]{2,70})\)|(?:[:,-]|with|causing|of|to) ?([^.;()]{2,70}))", after)
    return _said(match.group(1) or match.group(2)) if match else None


_SENT_THERE = re.compile(r"(?:in|to) ")
_NOT_THE_DRUG_ITSELF = re.compile(r"\b(?:on|with|from|of|by|despite|for|taking|her|his|my|your) $")
"""Before a drug that is not what put somebody there: "a bleed on warfarin put him in hospital"."""


def _linked(line: str, spans: list[tuple[int, int]], lexicon: Lexicon, found: dict[str, Allergy]) -> None:
    """Reactions tied to a drug in prose, in either order."""
    reactions = list(_STRONG_REACTION.finditer(line))
    for match in _INDUCED.finditer(line):
        name = match.group(1)
        if lexicon.find(name) and not _hedged(line, match.start()):
            _keep(found, name, Allergy(name, reaction=match.group().split(" ", 1)[1]))
    starts = [reaction.start() for reaction in reactions]
    for start, end in spans if reactions else ():
        name = line[start:end]
        if _treats(name, lexicon):
            continue
        for reaction in reactions[bisect_left(starts, start - _REACH) : bisect_left(starts, end + _REACH)]:
            if _SENT_THERE.match(reaction.group()) and _NOT_THE_DRUG_ITSELF.search(line[:start]):
                continue
            if reaction.end() <= start:
                linked = _reaches(line, reaction.end(), start)
                first = reaction.start()
            else:
                first = start
                linked = reaction.start() >= end and (
                    _FROM_SUBSTANCE.fullmatch(line, end, reaction.start()) is not None
                    or _then(line, start, end, reaction.start())
                )
            after = max(end, reaction.end())
            if not linked or _hedged(line, first) or _ONLY_SAID.match(line, after):
                continue
            low = max(first - 60, _clause_start(line, first))
            stop = _STOPPED.search(line, after, after + 120)
            told = line[low:start] if first < start else line[end : stop.start() if stop else after + 120]
            if first == start:
                told = _own(line, spans, end, told)
            _keep(found, name, Allergy(name, reaction=_said(told)))
            break


def _of_the_same(
    line: str, spans: list[tuple[int, int]], previous: str, lexicon: Lexicon, found: dict[str, Allergy]
) -> None:
    """A reaction to "this" or "it" is one to the drug named last, in the sentence or the one before."""
    for match in _TO_THE_SAME.finditer(line):
        before = line[max(0, match.start() - 60) : match.start()]
        if _NOT.search(before) or _ABOUT_OTHERS.search(before) or other_person(line, match.start()):
            continue
        own = [line[start:end] for start, end in spans if end <= match.start()]
        named = own or [previous[hit.start : hit.end] for hit in lexicon.find(previous)]
        if named and not _treats(named[-1], lexicon):
            told = _bracketed(line[match.end() : match.end() + 80])
            _keep(found, named[-1], Allergy(named[-1], reaction=told or _said(match.group()) or "reaction"))


def _own(line: str, spans: list[tuple[int, int]], end: int, told: str) -> str:
    """What is told behind a name, up to the next name or the bracket that closes it."""
    following = bisect_left(spans, (end, 0))
    if following < len(spans):
        told = told[: max(0, spans[following][0] - end)]
    opened = told.find("(")
    closed = told.find(")")
    return told[:closed] if closed >= 0 and (opened < 0 or closed < opened or opened < 3) else told


_BRACKETS = re.compile(r" ?\([^()\n]{0,60}\)")
"""What a reaction was like, between it and its cause: "DRESS (fever, hepatitis) attributed to"."""


_SIDE_EFFECT = re.compile(
    r"\b(?:(?:side|adverse|rare|known|common) ?-?)?(?:effects?|complications?|risks?) of\b"
)
"""What a drug may do is no reaction that somebody had: "swelling of lips (rare effect of perindopril)"."""


def _reaches(line: str, start: int, stop: int) -> bool:
    """Whether only linking words and further reactions stand between a reaction and a substance."""
    if _SIDE_EFFECT.search(line, start, stop):
        return False
    gap = _ANY_REACTION.sub("", _BRACKETS.sub("", line[start:stop]))
    gap = re.sub(r" {2,}", " ", re.sub(r"(?: ,|,? and|,? or| &)(?= )", "", " " + gap.lstrip()))
    return _TO_SUBSTANCE.fullmatch(gap) is not None


def _then(line: str, start: int, end: int, reaction: int) -> bool:
    """Whether the drug at `start:end` was given and the reaction followed, or was ended for it."""
    ended = _ENDED_FOR.match(line, end, reaction)
    if ended is not None and ended.end() == reaction:
        return _NOT.search(ended["told"]) is None
    given = _GIVEN_BEFORE.search(line, max(0, start - 60), start)
    return given is not None and _THEN_REACTED.fullmatch(line, end, reaction) is not None


def _clause_start(line: str, position: int) -> int:
    low = max(0, position - 90)
    return max((m.end() for m in _STOPPED.finditer(line, low, position)), default=low)


def _hedged(line: str, position: int) -> bool:
    """Whether the clause up to `position` denies, advises in general or speaks of another."""
    before = line[_clause_start(line, position) : position]
    return bool(_GENERAL.search(before) or _NOT.search(before)) or other_person(line, position)


def _tolerated(line: str, spans: list[tuple[int, int]]) -> list[str]:
    out: list[str] = []
    for match in _TOLERATED.finditer(line):
        if not _UNTOLERATED.search(line[max(0, match.start() - 24) : match.start()]) and not other_person(
            line, match.start()
        ):
            stop = _STOPPED.search(line, match.end())
            upto = min(stop.start() if stop else len(line), match.end() + 90)
            despite = _DESPITE.search(line, match.end(), upto)
            upto = despite.start() if despite else upto
            named = _between(line, spans, match.end(), upto)
            out.extend(named or _between(line, spans, max(0, match.start() - 60), match.start()))
    for match in _TOOK_WELL.finditer(line):
        if not _GENERAL.search(line[max(0, match.start() - 30) : match.start()]) and not other_person(
            line, match.start()
        ):
            out.extend(_between(line, spans, match.start(), match.end()))
    return out


def _between(line: str, spans: list[tuple[int, int]], start: int, stop: int) -> list[str]:
    return [line[s:e] for s, e in spans[bisect_left(spans, (start, 0)) : bisect_left(spans, (stop, 0))]]


def _substances(
    line: str, position: int, spans: list[tuple[int, int]], found: dict[str, Allergy], reaction: str | None
) -> tuple[str | None, int]:
    """Reads "penicillin (hives), sulfa drugs and latex" from `position`; the first name and where it ends."""
    first: str | None = None
    end = position
    for _ in range(12):
        near = spans[bisect_left(spans, (position, 0)) : bisect_left(spans, (position + 9, 0))]
        hit = next(
            (s for s in near if re.fullmatch(r"(?:the |any |all |both )?", line[position : s[0]])), None
        )
        if hit is not None:
            name, end = line[hit[0] : hit[1]], hit[1]
        else:
            match = _SUBSTANCE.match(line, position)
            if match is None or match.group(1).split(" ")[0] in _NOT_SUBSTANCES:
                return first, end
            name, end = match.group(1), match.end()
        first = first or name
        _keep(found, name, Allergy(name, reaction=_bracketed(line[end : end + 80]) or reaction))
        following = _LIST_NEXT.match(line, end)
        if following is None:
            return first, end
        position = following.end()
        upcoming = re.match(r"[a-z']+", line[position : position + 24])
        if (
            upcoming
            and hit is not None
            and bisect_left(spans, (position, 0)) == bisect_left(spans, (position + 9, 0))
            and upcoming.group() not in _COMMON_ALLERGENS
        ):
            return first, end
    return first, end


def tells_reaction(text: str, lexicon: Lexicon, drugs: frozenset[str]) -> bool:
    """Whether `text`, one clause, states a reaction to any of `drugs`: "angioedema on enalapril 2019"."""
    told = stated_allergies(passages(normalise(text)), lexicon) or ()
    named = {
        drug
        for allergy in told
        if allergy.reaction is not None
        for hit in lexicon.find(allergy.substance)
        for drug in hit.drugs
    }
    return bool(named & drugs)
