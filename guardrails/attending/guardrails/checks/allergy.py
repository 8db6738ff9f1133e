"""Drugs to which the patient is allergic: the substance itself, its class, and what cross-reacts with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated, drugs_of, lowered, rule
from attending.guardrails.clinical.person.who import other_person
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import DrugMention, Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.patient import Allergy

_SKIN_FAILURE: Final = re.compile(
    r"\b(?:stevens|sjs|ten|toxic epidermal|necrolysis|dress|eosinophilia|agep|exfoliative|erythema multiforme"
    r"|blister\w*|skin (?:peel|slough)\w*|burn unit)\b",
    re.I,
)
_SEVERE: Final = re.compile(
    r"\b(?:anaphyla\w*|angio-?o?edema\w*|bronchospasm|sw[eo]ll\w*|airway|throat|tongue|breath\w*|wheez\w*|shock"
    r"|hypotension|collaps\w*|hives|urticaria\w*|welts|icu|intensive care|intubat\w*|epinephrine|epipen|died"
    r"|serum sickness|agranulocytosis|liver (?:failure|injury)|hepatitis|rhabdomyolysis|hemolytic|haemolytic)\b",
    re.I,
)
_MILD: Final = re.compile(
    r"\b(?:nausea|vomit\w*|upset stomach|gi (?:upset|distress|intolerance)|stomach|cramps?|diarrh\w*|headache\w*"
    r"|intoleran\w*|drows\w*|dizz\w*|constipat\w*|dry mouth|cough\w*|yeast|queas\w*|fatigue|bloat\w*|insomnia"
    r"|metallic taste|jitter\w*|palpitations?|heartburn|dyspepsia|indigestion|acid reflux|feels? (?:sick|weird)"
    r"|sick)\b",
    re.I,
)
_RASH: Final = re.compile(r"\b(?:rash\w*|itch\w*|prurit\w*|flush\w*|red man|maculopapular|skin)\b", re.I)
_FLUSHED: Final = re.compile(r"\b(?:flush\w*|red[- ]man|itch\w*|warm\w*)", re.I)
_AT_RATE: Final = re.compile(
    r"\b(?:infusion reaction|(?:rapid|fast|quick|rate|over)\b.{0,30}\binfus|infused (?:too )?(?:fast|quickly)"
    r"|red[- ]man)",
    re.I,
)
"""Flushing by the rate of an infusion, which slower infusion prevents."""
_LOW_RISK: Final = re.compile(
    r"\b(?:low[- ]risk|childhood|as an? (?:child|baby|toddler|infant|kid)|in (?:childhood|infancy)|benign|remote"
    r"|mild)\b",
    re.I,
)
_REFUTED: Final = frozenset({"refuted", "entered-in-error", "delabeled", "tolerated", "disproved"})

_REMOVED: Final = re.compile(
    r"[([,:;-] ?(?:label )?(?:removed|de-?labell?ed|disproved|refuted|excluded|ruled out)\b[^()\[\]]{0,20}"
    r"\b(?:negative|after (?:an? )?(?:\w+ )?(?:challenge|test\w*)|passed|tolerated)\b"
    r"|[([,:;-] ?(?:[^()\[\]]{0,40}[,;] ?)?de-?labell?ed(?= ?(?:[)\]]|\Z|in (?:19|20)\d\d[)\]]?\Z))",
    re.I,
)
"""An entry of the record that says itself that it was disproved: "penicillin (removed after negative challenge)"."""


class _Kind(Enum):
    """What the reaction was; it decides how far the allergy reaches."""

    SKIN_FAILURE = "SJS, TEN, DRESS or the like"
    SEVERE = "severe reaction"
    UNKNOWN = "reaction not described"
    RASH = "a rash"
    INTOLERANCE = "an intolerance by its reaction"


def allergies(case: Case) -> Iterator[Finding]:
    """One finding per drug and allergy, the worst. The substance itself is contraindicated after a severe reaction or
    one not described, major after a rash, minor after an intolerance (nausea, constipation); what cross-reacts counts
    as the table of side chains and structures says. A drug that was tolerated since is left out where the reaction
    was mild."""
    listed = case.context.allergies or ()
    tolerated = {
        drug
        for allergy in listed
        if (allergy.certainty or "").lower() == "tolerated"
        for drug in drugs_of(allergy.substance, case.lexicon)
    }
    for exposure in _candidates(case):
        worst: Finding | None = None
        for allergy in listed:
            if (allergy.certainty or "").lower() in _REFUTED or _REMOVED.search(
                f"{allergy.substance} ({allergy.reaction})" if allergy.reaction else allergy.substance
            ):
                continue
            kind = _kind(allergy)
            if exposure.drug in tolerated and kind not in (_Kind.SEVERE, _Kind.SKIN_FAILURE):
                continue
            said = allergy.substance.lower() in case.said_allergies
            if said and not _orders(case, exposure):
                continue
            found = _direct(case, exposure, allergy, kind) or _cross(case, exposure, allergy, kind)
            if found is not None and said and _answered(case, exposure, allergy):
                found = replace(found, severity=lowered(found.severity, 3))
            if found is not None and (worst is None or found.severity.rank > worst.severity.rank):
                worst = found
        if worst is not None:
            yield worst


_REACTION_NEAR: Final = re.compile(
    r"\b(?:allerg\w*|intoleran\w*|hives|rash\w*|itch\w*|sw[eo]ll\w*|anaphyla\w*|angio-?o?edema|blister\w*|sjs|dress"
    r"|stevens|reaction\w*|sensitiv\w*|never again|not given|avoided?|cross[- ]?react\w*)\b",
    re.I,
)
_JUSTIFIED: Final = re.compile(
    r"\bnot an? (?:true |real )?allerg\w*|\b(?:isn't|is not) (?:truly |really )?(?:an allergy|allergic)\b"
    r"|(?<!not )(?<!never )(?<!as )(?<!if )(?<!when )(?<!until )\btolerat(?:ed|es)\b"
    r"|\bwith(?:out| no) (?:any )?(?:problem|trouble|reaction|incident|issue)\w*|\b(?:has"
    r"|have) taken [^.;\n]{0,40}\b(?:since|fine"
    r"|daily)\b|\bintoleran(?:t|ce)\b|\binfusion reaction\b|\bhistamine\b|\bside[- ]chains?\b|\b(?:do|does) not cross"
    r"|\bde-?label\w*|\brelabel\w*|\bno anaphylaxis\b|\bunrelated\b",
    re.I,
)
"""What a writer says who knows of the allergy and gives the drug on purpose."""


def _orders(case: Case, exposure: Exposure) -> bool:
    """True where the output has the drug given, rather than naming it for the reaction it tells of."""
    statement = exposure.statement
    if statement is None or exposure.origin != "output":
        return True
    if statement.dose is not None or statement.frequency is not None:
        return True
    text = case.judged.output
    near = text[max(0, exposure.span.start - 45) : exposure.span.end + 45].split("\n")
    line = next((part for part in near if exposure.text in part), near[0])
    return _REACTION_NEAR.search(line) is None


def _answered(case: Case, exposure: Exposure, allergy: Allergy) -> bool:
    """Whether the text says why it gives the drug all the same: of the drug, of its kind or of no drug by name."""
    if not exposure.new and exposure.statement is None:
        return False
    told = case.once(_JUSTIFIED, lambda: _justified(case.judged.output.lower()))
    return bool(told) and any(_of_this(case, exposure, allergy, span) for span in told)


def _justified(told: str) -> list[Span]:
    return [Span(*m.span()) for m in _JUSTIFIED.finditer(told) if not other_person(told, m.start())]


def _of_this(case: Case, exposure: Exposure, allergy: Allergy, said: Span) -> bool:
    """False where the sentence is of other drugs: "gentamicin and metronidazole without incident" answers for no
    penicillin."""
    sentence = sentence_around(case.judged.output, said.start, said.end)
    named = [
        s.mention for s in case.output.statements if sentence.start <= s.mention.span.start < sentence.end
    ]
    kind = {exposure.drug, *case.knowledge.classes_of(exposure.drug)}
    kind |= {*drugs_of(allergy.substance, case.lexicon), *_class_of(case, allergy.substance)}
    return not named or any(
        kind & {drug, *case.knowledge.classes_of(drug)} for mention in named for drug in _named(mention)
    )


def _named(mention: DrugMention) -> tuple[str, ...]:
    return mention.drugs or ((mention.drug_class,) if mention.drug_class is not None else ())


_WITHHELD_AFTER: Final = re.compile(
    r"(?:\s{0,3}\|\s{0,3}(?:not (?:given|prescribed|used|ordered)|withheld|avoid(?:ed)?|omitted|never|declined"
    r"|none given)\b"
    r"|[^.;|\n]{0,70}?(?:\b(?:is|are|stays?|remains?|must stay) (?:permanently |now |therefore |all "
    r"|both )?(?:out\b(?! of)|off the table"
    r"|off[- ]limits|ruled out|barred|banned|avoided|withheld|not (?:given|prescribed|to be|an option|for)"
    r"|contraindicated"
    r"|never to be|on (?:\w+ ){1,2}(?:do[- ]not[- ](?:take|use|give)|avoid|never|allergy|no[- ]go"
    r"|forbidden|stop) list)|(?:,| so| and|-) ?(?:please |so )?(?:don't|do not|never) (?:use|take|give"
    r"|prescribe|restart"
    r"|have) (?:it|this|that|them|either)\b(?! (?:with|while|until|on an|for more|for longer|more than|if"
    r"|after)))|[^.;|\n]{0,12} either\b)",
    re.I,
)
_WITHHELD_BEFORE: Final = re.compile(
    r"\b(?:never again|never (?:to )?(?:be )?(?:give|given|use|used|prescribe|restart|have)|not to be (?:given"
    r"|used)"
    r"|not (?:given|prescribed)|(?:do not|don't) (?:give|use|take|prescribe)(?: it, or)?|(?:use|take) it, or"
    r"|avoid(?:ed|ing)?"
    r"|barred|banned|off[- ]limits|withheld|for life)\b"
    r"(?!(?:[^.;\n]{0,100}\b(?:but|instead|start\w*|give|take|then|prescribe\w*|unless|until"
    r"|continue)\b))[^.;\n]{0,100}$",
    re.I,
)
_REACTED_BEFORE: Final = re.compile(
    r"\b(?:hives|rash|itch\w*|anaphyla\w+(?: shock| reaction)?|angio-?o?edema|swelling|dress|sjs|ten"
    r"|stevens-johnson(?: syndrome)?"
    r"|blisters|reaction|wheez\w*|collapsed?) (?:on|with|after|to|from|following) (?:the |his |her |your |an? "
    r"|oral |iv )?$",
    re.I,
)
_REACTED_AFTER: Final = re.compile(
    r"[\"')]{0,2} (?:mak(?:es|ing)|made|gave|giv(?:es|ing)|caus(?:es|ed|ing)|brought|br(?:ings|inging)|sent|put) "
    r"(?:him|her|you|me|them|[a-z]{2,14}) (?:[\w-]+ ){0,4}?(?:hives|rash|itch\w*|swell\w*|swollen|blister\w*"
    r"|anaphyla\w*"
    r"|wheez\w*|welts|urticaria|short of breath|collapse\w*)",
    re.I,
)
_BY_PRONOUN: Final = re.compile(
    r"(?<!n't )(?<!not )(?<!never )\b(?:take|use|give|restart|try|continue|start|have|order|ordered|prescribe"
    r"|prescribed|giving|trying|restarting) (?:it|that|this|them|one|both)\b",
    re.I,
)


def _only_named(case: Case, exposure: Exposure) -> bool:
    """True where the output names the drug for the reaction it gave, or as not given, and has no dose beside it."""
    statement = exposure.statement
    if exposure.origin != "output" or statement is None:
        return False
    if statement.dose is not None or statement.frequency is not None:
        return False
    text = case.judged.output
    start, end = exposure.span.start, exposure.span.end
    before = text[max(0, start - 140) : start].rsplit("\n", 1)[-1]
    if _WITHHELD_BEFORE.search(before) or _WITHHELD_AFTER.match(text, end):
        return True
    reacted = _REACTED_BEFORE.search(before) or _REACTED_AFTER.match(text, end)
    return reacted is not None and _BY_PRONOUN.search(text, end, end + 300) is None


def _candidates(case: Case) -> Iterator[Exposure]:
    """One exposure per ingredient and per class, the first that is more than named for its reaction."""
    seen: set[tuple[str, bool]] = set()
    for generic in (False, True):
        for exposure in case.given:
            key = (exposure.drug, generic)
            if (exposure.generic_class is not None) != generic or key in seen:
                continue
            if _only_named(case, exposure) or (generic and _of_lore(case, exposure)):
                continue
            seen.add(key)
            yield exposure


_LORE: Final = re.compile(
    r"\b(?:do(?:es)? not|don't|doesn't|rarely|seldom|hardly|no) (?:meaningful(?:ly)? |really )?cross[- ]?reac|"
    r"[^.;\n]{0,4}: ?(?:mild |childhood |remote |severe )?(?:rash|hives|itch\w*|reaction|anaphyla\w*|angio-?o?edema)"
    r"|[ -]?(?:allergy )?(?:de-?label\w*|skin[- ]test\w*|allergy test\w*|testing|challenge|evaluation|clinic)\b",
    re.I,
)


_TESTED_FOR: Final = re.compile(
    r"[ -]?(?:allergy )?(?:de-?label\w*|skin[- ]test\w*|allergy test\w*|testing|(?:oral )?challenge|evaluation)\b",
    re.I,
)
"""What the class is tested for, not given: "refer for penicillin delabelling"."""


def _of_lore(case: Case, exposure: Exposure) -> bool:
    """True where the sentence speaks of the class as such, or lists the reaction to it."""
    text = case.judged.output
    if exposure.new:
        return _TESTED_FOR.match(text, exposure.span.end) is not None
    clause = sentence_around(text, exposure.span.start, exposure.span.end, semicolons=True, reach=140)
    before = text[clause.start : exposure.span.start]
    if re.search(r"\bcross[- ]?react", before, re.I) and _LORE.search(before):
        return True
    end = text.find("\n", exposure.span.end)
    return (
        _LORE.search(text, exposure.span.end, min(end if end >= 0 else len(text), exposure.span.end + 90))
        is not None
    )


def _direct(case: Case, exposure: Exposure, allergy: Allergy, kind: _Kind) -> Finding | None:
    drugs, groups = case.knowledge.allergen(allergy.substance.strip().lower())
    named = {*drugs, *drugs_of(allergy.substance, case.lexicon)}
    in_group = _member(case, exposure, set(groups) | _class_of(case, allergy.substance))
    if exposure.drug not in named and not in_group:
        return None
    severity = _itself(kind, allergy)
    by_class = exposure.drug not in named
    what = "its class" if by_class else exposure.drug
    # What the patient is allergic to is on the list; which drugs belong to its group is an authored table.
    basis = (
        curated("allergy-group", "allergen groups of the knowledge pack against the drug's label")
        if by_class
        else rule("allergy-listed", "the patient's allergy list")
    )
    return case.finding(
        Code.ALLERGY,
        exposure,
        severity,
        basis,
        f"{exposure.drug}: the patient is allergic to {what} ({kind.value})",
    )


def _class_of(case: Case, substance: str) -> set[str]:
    from attending.guardrails.clinical.normalise import normalise

    hits = case.lexicon.find(normalise(substance).text)
    return {hit.drug_class for hit in hits if hit.drug_class is not None}


def _member(case: Case, exposure: Exposure, groups: set[str]) -> bool:
    if exposure.generic_class is not None:
        return exposure.generic_class in groups
    return any(exposure.drug in case.knowledge.members(group) for group in groups) or bool(
        groups & set(case.knowledge.classes_of(exposure.drug))
    )


def _cross(case: Case, exposure: Exposure, allergy: Allergy, kind: _Kind) -> Finding | None:
    if exposure.generic_class is not None:
        return None
    names = [allergy.substance.strip().lower(), *drugs_of(allergy.substance, case.lexicon)]
    facts = [f for f in (case.knowledge.cross_reacts(name, exposure.drug) for name in names) if f is not None]
    if not facts:
        return None
    fact = max(facts, key=lambda one: one.severity.rank)
    return case.finding(
        Code.CROSS_ALLERGY,
        exposure,
        _reached(fact.severity, kind),
        fact.provenance,
        f"{exposure.drug} can cross-react with an allergy of the patient ({kind.value})",
    )


def _kind(allergy: Allergy) -> _Kind:
    """The reaction by its words; a severity of the record without a reaction counts as such."""
    told = " ".join(part for part in (allergy.reaction, allergy.severity) if part)
    reaction = allergy.reaction or ""
    if _SKIN_FAILURE.search(told):
        return _Kind.SKIN_FAILURE
    if _SEVERE.search(told):
        return _Kind.SEVERE
    if (
        _FLUSHED.search(reaction)
        and _AT_RATE.search(reaction)
        and not re.search(r"\b(?:severe|high)\b", told, re.I)
    ):
        return _Kind.INTOLERANCE
    if _RASH.search(reaction):
        return _Kind.SEVERE if re.search(r"\b(?:severe|high)\b", told, re.I) else _Kind.RASH
    if _MILD.search(reaction):
        return _Kind.INTOLERANCE
    if re.search(r"\b(?:severe|high)\b", told, re.I):
        return _Kind.SEVERE
    return _Kind.UNKNOWN


def _itself(kind: _Kind, allergy: Allergy) -> Severity:
    if kind is _Kind.INTOLERANCE:
        return Severity.MINOR
    if kind is _Kind.RASH:
        return Severity.MODERATE if _LOW_RISK.search(allergy.reaction or "") else Severity.MAJOR
    return Severity.CONTRAINDICATED


def _reached(severity: Severity, kind: _Kind) -> Severity:
    """How much a cross-reaction of `severity` counts after a reaction of this kind."""
    if severity is Severity.INFO:
        return severity
    if kind is _Kind.INTOLERANCE:
        return Severity.INFO
    if kind is _Kind.SKIN_FAILURE:
        return Severity.MAJOR if severity is Severity.MINOR else Severity.CONTRAINDICATED
    if kind is _Kind.RASH:
        return lowered(severity, 2)
    # A side chain in common counts as authored after a severe reaction; a label that names the class, always.
    return lowered(severity) if kind is _Kind.UNKNOWN and severity is Severity.MAJOR else severity
