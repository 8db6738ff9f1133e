"""What the patient is: conditions, liver function, age.

A state that is not given is never taken as healthy: the check is then counted as not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import daily_total
from attending.guardrails.checks.case import Case, lowered
from attending.guardrails.clinical.past import PAST, past
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.knowledge.facts import HepaticRule
from attending.guardrails.sieve import Sieved

_QUALIFIER: Final = re.compile(r"\((?:disorder|finding|situation)\)", re.I)
_NOT_THEIRS: Final = re.compile(
    r"\b(?:family history|no history|denies|ruled out|negative for|at risk)\b", re.I
)
_LIVER: Final = re.compile(
    r"\b(?:cirrho\w*|hepatic (?:failure|impairment|insufficiency|disease|encephalopathy)|liver (?:failure"
    r"|disease|impairment)"
    r"|child[- ]pugh|hepatitis|ascites|varices)\b",
    re.I,
)


_HEPATITIS_VIRUS: Final = re.compile(r"\b(?:hepatitis [bc]|hep [bc]|hcv|hbv)\b", re.I)
_SOUND_LIVER: Final = Sieved(
    r"\bf[0-3](?:[-/]f?[0-3])?\b|\bno (?:evidence of |signs? of )?cirrhosis\b|\bnon-?cirrhotic\b|\bwithout cirrhosis\b"
    r"|\bfibroscan (?:of )?[2-9](?:\.\d)?\b"
)
"""A virus in a liver that works: a stage of fibrosis below cirrhosis."""


def contraindications(case: Case) -> Iterator[Finding]:
    present = conditions_of(case)
    settled = _settled(case) if present else frozenset()
    for exposure in case.unique_given():
        if case.is_local(exposure) and not case.of_class(exposure.drug, "live_vaccine"):
            continue
        best: tuple[int, Finding] | None = None
        waits = case.begins_when_resolved(exposure.drug)
        for fact in case.knowledge.contraindications(exposure.drug):
            if _enough_for_a_liver(case, exposure.drug, fact.condition):
                continue
            if fact.condition in settled or (waits and fact.condition in _PASSES):
                continue
            if fact.condition == _KIDNEY and _waits_for_kidney(case, exposure.drug):
                continue
            shown_as = present.get(fact.condition)
            if shown_as is None:
                continue
            severity = fact.severity if exposure.new or fact.severity.rank > 3 else lowered(fact.severity)
            found = case.finding(
                Code.CONTRAINDICATION,
                exposure,
                severity,
                fact.provenance,
                f"{exposure.drug} in {fact.condition.replace('_', ' ')}",
            )
            if best is None or severity.rank > best[0]:
                best = (severity.rank, found)
        if best is not None:
            yield best[1]


_LIVER_MG: Final = {"acetaminophen": Decimal(2000)}
"""What is allowed a day in advanced liver disease (AASLD guidance on palliative care in cirrhosis, 2022)."""


def _enough_for_a_liver(case: Case, drug: str, condition: str) -> bool:
    """Whether the text keeps the drug within what a diseased liver is allowed, and says so as a limit."""
    most = _LIVER_MG.get(drug)
    if most is None or not condition.startswith("liver_disease"):
        return False
    told = _told_limit(case, drug) or _limit_of_text(case, drug)
    total = daily_total(case, drug)
    return told is not None and told <= most and (total is None or total <= most)


_KIDNEY: Final = "kidney_disease_severe"
_ONCE_KIDNEY: Final = re.compile(
    r"[^.;\n]{0,80}?\b(?:re-?start\w*|resum\w+|start)\b[^.;\n]{0,40}?\b(?:if|once|when|provided)\b[^.;\n]{0,30}?"
    r"\b(?:egfr|gfr|creatinine|kidneys?|renal function|kidney function)\b[^.;\n]{0,30}?"
    r"(?:\babove\b|\bover\b|\bbelow\b|\bunder\b|[<>\u2264\u2265]|\bstable\b|\brecover\w*|\bnormal\w*|\bbaseline\b"
    r"|\bimprov\w*|\bstays?\b)",
    re.I,
)
"""Behind a name: "restart at 500 mg daily if eGFR stays above 45 on Friday"."""


def _waits_for_kidney(case: Case, drug: str) -> bool:
    """Whether all that the output gives of the drug begins only when a kidney value of a later day allows it."""
    given = [e.span for e in case.given if e.drug == drug and e.origin == "output"]
    return bool(given) and all(_ONCE_KIDNEY.match(case.judged.output, span.end) for span in given)


_PASSES: Final = frozenset(
    {
        "bleeding_active",
        "intracranial_hemorrhage",
        "subarachnoid_hemorrhage",
        "peptic_ulcer",
        "thrombocytopenia",
    }
)
"""States of now that are over when a drug that waits for it begins."""
_TREATED_BY: Final = {
    "tuberculosis": (
        frozenset({"isoniazid", "rifampin", "rifapentine"}),
        re.compile(r"\b(?:latent|ltbi|quantiferon|igra|mantoux|ppd|t-?spot)\b"),
        re.compile(
            r"\b(?:untreated|smear[- ]positive|(?<!no )(?<!not )active|pulmonary) (?:pulmonary )?(?:tb|tuberculosis)\b"
            r"|\b(?:untreated|declin\w*|refus\w*)\b"
        ),
    ),
    "addison_disease": (
        frozenset({"hydrocortisone", "prednisone", "prednisolone", "dexamethasone", "cortisone"}),
        re.compile(r"\b(?:addison|adrenal|cortisol|steroid)"),
        re.compile(
            r"\b(?:untreated|uncorrected|undiagnosed|newly diagnosed|(?:no|not|without|before|refus\w*|declin\w*"
            r"|stopp\w*"
            r"|ran out of|out of) (?:\w+ ){0,3}(?:steroids?|hydrocortisone|prednis\w+|cortisone))\b"
        ),
    ),
}
"""A state under the treatment that makes the drug right: by which drugs, the words for the mild form, and what undoes
it. Latent tuberculosis is treated for a month before a biologic is started (their labels, boxed warning)."""
_OVER_AT_HOME: Final = {
    "decompensated_heart_failure": re.compile(
        r"\b(?:discharged?|(?:goes|went|going|sent|returns?|returned) home|home on|left (?:us|the ward"
        r"|hospital)|on leaving"
        r"|dry weight|euvol(?:a)?emic|no longer congested|lost \d[\d.]* ?kg|(?:was|were) in with us)\b"
    ),
}
"""An acute state that is over where the text sends the patient home."""


_PACED: Final = Sieved(
    r"\b(?:ppm|(?:permanent |dual[- ]chamber |his |her |your |has an? |with an? )?(?:pacemaker|pacing system)"
    r"(?: \w+){0,2}? (?:in situ|fitted|implanted|in place|placed|inserted|working|check\w*|since|for|\(?(?:19|20)\d\d)"
    r"|(?:has|have|had|with|his|her|your|got) (?:an? )?(?:\w+ ){0,2}?pacemaker|paced rhythm|now paced)\b"
)
_UNPACED: Final = Sieved(
    r"\b(?:no|not|without|awaiting|awaits|declin\w+|refus\w+|needs?|listed for|waiting for|pending|before)"
    r" (?:an? |any |the |his |her )?(?:\w+ )?(?:pacemaker|ppm|paced|pacing)\b"
)
_PACED_FOR: Final = frozenset({"heart_block", "sick_sinus_syndrome", "bradycardia"})
"""What labels except where a pacemaker works."""


def _settled(case: Case) -> frozenset[str]:
    """Conditions that the text tells of and that forbid nothing any more."""
    found = {
        condition
        for condition, over in _OVER_AT_HOME.items()
        if case.says(over) and any(statement.mention.drugs for statement in case.output.statements)
    }
    if case.says(_PACED) and not case.says(_UNPACED):
        found |= _PACED_FOR
    for condition, (drugs, mild, undone) in _TREATED_BY.items():
        named = {
            drug
            for statement in case.output.statements
            if statement.scope is not Scope.AVOID
            for drug in statement.mention.drugs
        }
        treated = bool((named | {e.drug for e in case.taking}) & drugs)
        if treated and case.says(mild) and not case.says(undone):
            found.add(condition)
    return frozenset(found)


def conditions_of(case: Case) -> dict[str, str]:
    """Condition id -> the name it was read from, for active conditions and for states that are conditions too."""
    return case.once("conditions", lambda: _conditions(case))


def _conditions(case: Case) -> dict[str, str]:
    lexicon = case.knowledge.conditions()
    found: dict[str, str] = {}
    for condition in case.context.conditions or ():
        if not condition.active or _NOT_THEIRS.search(condition.name):
            continue
        name = " ".join(re.findall(r"[\w'+-]+", _QUALIFIER.sub("", condition.name).lower()))
        over = condition.code in PAST.values()
        if over and condition.code is not None:
            found.setdefault(condition.code, condition.name)
        for condition_id in match_conditions(name, lexicon):
            gone = condition_id in PAST and (over or _told_past(condition.name, lexicon))
            found.setdefault(PAST[condition_id] if gone else condition_id, condition.name)
        if condition.code is not None and condition.code.lower() in lexicon:
            found.setdefault(lexicon[condition.code.lower()], condition.name)
    years = case.age_years
    if "smoking" in found and years is not None and years >= _SMOKER_FROM:
        found.setdefault("tobacco_over_35", found["smoking"])
    return found


def _told_past(name: str, lexicon: Mapping[str, str]) -> bool:
    """Whether a name of the record says that the state is one of years ago: "bleeding gastric ulcer 2024"."""
    line = " ".join(name.lower().split())
    return any(
        past(line, at, at + len(known))
        for known, condition in lexicon.items()
        if condition in PAST and (at := line.find(known)) >= 0
    )


_SMOKER_FROM: Final = 35
"""Years of age from which smoking is a contraindication to combined contraceptives (labels, boxed warning)."""


def match_conditions(name: str, lexicon: object) -> list[str]:
    """Every condition whose synonym stands in `name` as whole words; the name itself first."""
    from collections.abc import Mapping

    if not isinstance(lexicon, Mapping):
        return []
    if name in lexicon:
        return [lexicon[name]]
    words = name.split()
    hits: list[str] = []
    for size in range(min(len(words), 6), 0, -1):
        for start in range(len(words) - size + 1):
            part = " ".join(words[start : start + size])
            if part in lexicon and lexicon[part] not in hits:
                hits.append(lexicon[part])
    return hits


_ASCITES: Final = Sieved(
    r"(?<!no )(?<!without )(?<!denies )\bascites\b(?! (?:resolved|gone|absent|last year))", re.I
)
"""With it no cirrhosis bears an anti-inflammatory drug (AASLD guidance on ascites, 2021)."""


def liver(case: Case) -> Iterator[Finding]:
    grade = case.context.child_pugh
    sound = case.says(_SOUND_LIVER)
    impaired = grade is not None or any(
        c.active
        and _LIVER.search(c.name)
        and not _NOT_THEIRS.search(c.name)
        and not (sound and _HEPATITIS_VIRUS.search(c.name))
        for c in case.context.conditions or ()
    )
    if not impaired:
        return
    wet = grade == "B" and case.says(_ASCITES)
    for exposure in case.unique_given():
        if case.is_local(exposure):
            continue
        best: Finding | None = None
        for rule in case.knowledge.hepatic_rules(exposure.drug):
            severity = _hepatic(rule, "C" if wet and case.of_class(exposure.drug, "nsaid") else grade)
            if severity is not None and rule.max_daily_mg is not None:
                total = daily_total(case, exposure.drug)
                if total is None:
                    total = _told_limit(case, exposure.drug) or _limit_of_text(case, exposure.drug)
                if total is not None:
                    severity = Severity.MINOR if total <= rule.max_daily_mg else Severity.MAJOR
            if severity is None or (best is not None and severity.rank <= best.severity.rank):
                continue
            known = f"Child-Pugh {grade}" if grade is not None else "liver disease, grade not given"
            best = case.finding(
                Code.HEPATIC,
                exposure,
                severity,
                rule.provenance,
                f"{exposure.drug} in {known}: {rule.action}",
            )
        if best is not None:
            yield best


def _told_limit(case: Case, drug: str) -> Decimal | None:
    """The most mg a day that the text allows ("never more than 2 g in 24 hours"); None where it says none."""
    told = [
        limit.high
        for exposure in case.given
        if exposure.drug == drug and exposure.statement is not None
        for limit in (exposure.statement.daily_limit,)
        if limit is not None and limit.unit == "mg" and limit.high is not None and not limit.per_kg
    ]
    return max(told) if told else None


_LIMIT: Final = Sieved(
    r"\b(?:limit|maximum|max|ceiling|cap|no more than|not more than|never more than|at most|not exceed|up to|stay under"
    r"|stay below)\b[^.;\n\d]{0,40}(?P<value>\d(?:[.,]\d{1,3})?|\d{3,4}) ?(?P<unit>g|grams?|mg)\b[^.;\n]{0,16}?"
    r"(?:day|daily|24 ?h)",
    re.I,
)


def _limit_of_text(case: Case, drug: str) -> Decimal | None:
    """The one daily limit in mg that the text sets, where `drug` is the only one with a ceiling in liver disease."""
    capped = {
        exposure.drug
        for exposure in case.unique_given()
        if any(rule.max_daily_mg is not None for rule in case.knowledge.hepatic_rules(exposure.drug))
    }
    told = [
        Decimal(match["value"].replace(",", "")) * (1 if match["unit"].lower() == "mg" else 1000)
        for match in _LIMIT.finditer(case.judged.output)
    ]
    return max(told) if told and capped == {drug} else None


def _hepatic(rule: HepaticRule, grade: str | None) -> Severity | None:
    if grade is not None and rule.child_pugh and grade not in rule.child_pugh:
        return None
    severity = {
        "contraindicated": Severity.CONTRAINDICATED,
        "avoid": Severity.MAJOR,
        "cap": Severity.MODERATE,
        # "adjust" without a number says nothing against the dose that is written.
    }.get(rule.action, Severity.MINOR)
    # The rule speaks of a grade that is not given: it may hold.
    return lowered(severity) if grade is None and rule.child_pugh else severity


_ACCEPTED: Final = (
    # Uses in children that the rule's own source excepts: the drug, the words of the indication.
    (
        frozenset({"doxycycline"}),
        re.compile(
            r"\b(?:rocky mountain|rmsf|rickettsi\w*|ehrlichi\w*|anaplasm\w*|anthrax|plague|tularemia|q fever)\b"
        ),
    ),
    (
        frozenset({"aspirin"}),
        re.compile(r"\b(?:kawasaki|rheumatic|shunt|fontan|norwood|heart surgery|valve|stroke|stent)\b"),
    ),
    (frozenset({"ciprofloxacin", "levofloxacin"}), re.compile(r"\b(?:anthrax|plague|cystic fibrosis)\b")),
)
_VIRAL: Final = "viral_infection_child"


def _for_child(case: Case, drug: str, severity: Severity) -> Severity:
    """The rule's severity, minor for an accepted use, and the worst for a salicylate in a child with a virus (Reye)."""
    if any(drug in drugs and case.says(words) for drugs, words in _ACCEPTED):
        return Severity.MINOR
    if severity is Severity.MAJOR and case.of_class(drug, "salicylate") and _VIRAL in conditions_of(case):
        return Severity.CONTRAINDICATED
    return severity


_ABSORBED: Final = frozenset({"lindane", "camphor", "benzocaine", "hexachlorophene", "sodium phosphate"})
"""Local drugs whose age limit is about what is absorbed of them."""


_SCHOOLCHILD: Final = Sieved(
    r"\b(?:(?:back to |off |miss(?:es|ed)? )?(?:school|nursery|kindergarten|preschool|day-?care|playgroup)"
    r" (?:once|when|until|after|again|tomorrow|next|if)"
    r"|(?:in|of) (?:first|second|third|fourth|fifth|sixth|seventh) grade|in year (?:\d|one|two|three|four|five|six)"
    r"|your (?:little (?:one|boy|girl)|son|daughter|child|toddler|boy|girl|kid)|poor little|p(?:a)?ediatric\w*"
    r"|(?:the|this|a) (?:child|toddler|little (?:boy|girl)))\b"
)
"""Words for a child whose age no word gives."""


def _reye(case: Case) -> Iterator[Finding]:
    """A salicylate that is started in a child with a viral illness, where no age is told (Reye syndrome)."""
    if _VIRAL not in conditions_of(case) or not case.says(_SCHOOLCHILD):
        return
    for exposure in case.unique_given():
        if not exposure.new or not case.of_class(exposure.drug, "salicylate"):
            continue
        for rule in case.knowledge.age_rules(exposure.drug):
            if rule.max_age_years is not None:
                yield case.finding(
                    Code.AGE,
                    exposure,
                    Severity.CONTRAINDICATED,
                    rule.provenance,
                    f"{exposure.drug} in a child with a viral illness",
                )
                return


_OWN_CHILD: Final = (
    r"\b(?:your|her|his|my|our|their|poor|this|dear)(?: [a-z-]{2,12})? ?\b"
    r"(?:KIND)(?:'s|\u2019s)?\b(?! (?:food|formula|bath|shower|aspirin|teeth are|bump|book|blues|monitor|gate|room"
    r"|bottle|wipes?|brain|group|class|team|(?:is|was|will be) (?:due|born|expected)))"
)
_YOUNG: Final = (
    (Sieved(_OWN_CHILD.replace("KIND", "newborn|neonate")), Decimal("0.08")),
    (Sieved(_OWN_CHILD.replace("KIND", "infant|baby|babe")), Decimal(1)),
    (Sieved(_OWN_CHILD.replace("KIND", "toddler")), Decimal(3)),
)
"""Words for a child whose age they bound, in years."""
_MOTHER: Final = Sieved(
    r"\b(?:nursing|breast-?\s?f(?:e|ou)\w+|breast-?milk|lactat\w+|your milk|pregnan\w*|trimester|weeks along"
    r"|post-?partum|postnatal|deliver(?:y|ed)|midwife|c-section|given birth|after the birth|congratulations"
    r"|you are taking)\b"
)


def _too_young(case: Case) -> Iterator[Finding]:
    """A drug that no child called a baby or a toddler is given, where no age is told; what a mother takes is hers."""
    if case.context.lactating or case.context.pregnant or case.says(_MOTHER):
        return
    bound = next((years for words, years in _YOUNG if case.says(words)), None)
    if bound is None:
        return
    for exposure in case.unique_given():
        if case.is_local(exposure) and not _absorbed(case, exposure.drug):
            continue
        for rule in case.knowledge.age_rules(exposure.drug):
            until = rule.max_age_years
            if until is None or until < bound or rule.min_age_years:
                continue
            if rule.severity.rank >= Severity.MAJOR.rank:
                severity = _for_child(case, exposure.drug, rule.severity)
                message = f"{exposure.drug} in a child who is not yet {round(until, 1).normalize():f}"
                yield case.finding(Code.AGE, exposure, severity, rule.provenance, message)
                break


def _absorbed(case: Case, drug: str) -> bool:
    return drug in _ABSORBED or (case.of_class(drug, "salicylate") and _VIRAL in conditions_of(case))


def age(case: Case) -> Iterator[Finding]:
    """A drug at an age at which its label speaks against it; uses that the label excepts are minor."""
    years = case.age_years
    if years is None:
        yield from _reye(case)
        yield from _too_young(case)
        return
    for exposure in case.unique_given():
        best: Finding | None = None
        for rule in case.knowledge.age_rules(exposure.drug):
            if rule.min_age_years is not None and years < rule.min_age_years:
                continue
            if rule.max_age_years is not None and years >= rule.max_age_years:
                continue
            local = case.is_local(exposure) and not _absorbed(case, exposure.drug)
            severity = lowered(rule.severity, 2) if local else rule.severity
            severity = _for_child(case, exposure.drug, severity)
            if best is None or severity.rank > best.severity.rank:
                at = (
                    f"{round(years, 1).normalize():f} years"
                    if years >= 2
                    else f"{round(years * 12):d} months"
                )
                best = case.finding(
                    Code.AGE, exposure, severity, rule.provenance, f"{exposure.drug} at the age of {at}"
                )
        if best is not None:
            yield best
