"""The patient as a text states them: facts that count as context although no record holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind
from attending.guardrails.clinical.clauses import sentences
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import Normalised, normalise
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.person import describe
from attending.guardrails.clinical.statement import ParsedText
from attending.guardrails.clinical.words import word_set
from attending.guardrails.finding import Scope
from attending.guardrails.patient import Allergy, Condition, Medication, PatientContext

_NO_ALLERGY = re.compile(
    r"\bnk(?:d)?a\b|\bno (?:known )?(?:drug |medication |food ){0,3}allerg(?:y|ies)\b(?! "
    r"to)|\ballerg(?:y|ies)[ :]+(?:none|no|nil|nkda|denies|not known)\b|"
    r"\bdenies (?:any )?(?:drug |medication )?allergies\b|\bnot allergic to "
    r"any(?:thing)?\b|\bno known (?:drug )?allerg"
)
_ALLERGIC = re.compile(
    r"\b(?:allergic(?: reaction)?(?: to)|allerg(?:y|ies)(?: (?:to|include|includes|"
    r"including|are|is))?[ :]|anaphyla(?:xis|ctic(?: reaction| shock)?) (?:to|from|with|"
    r"after)|"
    r"hypersensitiv(?:e|ity) to|intoleran(?:t|ce) (?:to|of)|(?:hives|rash|angioedema|"
    r"swelling) (?:to|from|with|after)|(?:bad |severe |serious )?reactions? to)[ :]*"
)
_ALLERGY_AFTER = re.compile(
    r"(?<![\w-])([a-z][a-z-]+(?: [a-z-]+)?)[ -](?:allerg(?:y|ies|ic)|anaphylaxis|"
    r"intolerance)(?!\w)(?! (?:medic|pill|tablet|relief|symptom|shot|test|clinic|season|"
    r"to\b))"
)
_SUBSTANCE = re.compile(
    r"(?:the |any |all |both )?([a-z][a-z-]{2,30}(?: (?:drugs?|antibiotics?|nuts?|dye|"
    r"contrast|products?|oil|protein|acid|medications?))?)"
)
_LIST_NEXT = re.compile(r"(?: \([^()]{0,60}\))?(?:, and | and |, or | or |, |/| & )")
_REACTION = re.compile(
    r" ?\((?:causes? |reaction: ?)?([a-z ,]{3,50})\)|(?:,? (?:which )?(?:causes?|caused|"
    r"causing)|: ?|-) ?(hives|rash|anaphylaxis|angioedema|swelling|itching|nausea|"
    r"vomiting|diarrhea)"
)
_NEGATED = re.compile(
    r"\b(?:no(?! (?:problems?|issues?|worries|need|harm|trouble|reason|change)\b)|"
    r"not(?! (?:a )?(?:problem|issue)\b)|denies|deny|denied|without|never|isn't|aren't|negative for|no history "
    r"of|ruled out|rule out|unlikely|free of|doesn't have|don't have|does not have|do "
    r"not have|absence of)\b[^.;:]{0,60}$"
)
_CONDITION_CLAUSE = re.compile(r"\b(?:if|unless|in case)\b[^.;,]{0,220}\Z")
_NOT_OURS = re.compile(
    r"\b(?:if|unless|whether|in case|when|should you|do you|are you|does (?:he|she)|did "
    r"you|mother|father|mom|dad|sister|brother|wife|husband|grand\w+|aunt|uncle|cousin|"
    r"family history|fhx?|"
    r"(?:patients|people|those|anyone|women|men|individuals|adults|children|persons|"
    r"someone) (?:with|who)|risk of|risks?|cause[sd]?|causing|lead(?:s|ing)? to|"
    r"prevent\w*|"
    r"can|may|might|could|would|trigger\w*|worsen\w*|signs of|symptoms of|screen\w* for|"
    r"rule out|possible|suspected|r/o|avoid in|contraindicated in|caution in|caution "
    r"with|increase[sd]?|"
    r"used (?:to treat|for|in)|indicated for|treats?|approved for|avoid (?:it |this "
    r")?(?:in|with)|develop\w*|evaluate for|concern for|worried about|tell your|"
    r"watch for|look for|report|seek|call)\b[^.;]{0,70}$"
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
    r"blood thinner|other|morning|evening) ){0,3}$|"
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
    lines = [norm.text[s.start : s.end] for s in sentences(norm)]
    person = describe(lines)
    parsed = parsed if parsed is not None and parsed.text == text else parse(text, lexicon)
    return PatientContext(
        age_years=person.age_years,
        age_days=person.age_days,
        sex=person.sex,
        pregnant=person.pregnant,
        pregnancy_weeks=person.pregnancy_weeks,
        lactating=person.lactating,
        infant_days=person.infant_days,
        weight_kg=person.weight_kg,
        height_cm=person.height_cm,
        egfr=person.egfr,
        crcl=person.crcl,
        dialysis=person.dialysis,
        child_pugh=person.child_pugh,
        allergies=_allergies(lines, lexicon),
        medications=_medications(norm, parsed),
        conditions=_conditions(lines, conditions),
    )


def _medications(norm: Normalised, parsed: ParsedText) -> tuple[Medication, ...] | None:
    positions = {start: i for i, start in reversed(list(enumerate(norm.starts)))}
    found: dict[str, Medication] = {}
    for statement in parsed.statements:
        mention = statement.mention
        if not mention.drugs:
            continue
        taken = statement.scope is Scope.CONTINUE
        if statement.scope in (Scope.HYPOTHETICAL, Scope.MENTION, Scope.RECOMMEND):
            at = positions.get(mention.span.start, 0)
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


def _allergies(lines: list[str], lexicon: Lexicon) -> tuple[Allergy, ...] | None:
    found: dict[str, Allergy] = {}
    none_known = False
    for line in lines:
        if _NO_ALLERGY.search(line):
            none_known = True
        spans = [(h.start, h.end) for h in lexicon.find(line)]
        for match in _ALLERGIC.finditer(line):
            before = line[max(0, match.start() - 80) : match.start()]
            if _NEGATED.search(before) or re.search(
                r"\b(?:if|unless|whether|people|patients|anyone|those|mother|father|sister|brother|"
                r"are you|do you|any)\b[^.;,]{0,50}$",
                before,
            ):
                continue
            if (
                match.group().rstrip().endswith(":") is False
                and match.group().startswith("allerg")
                and " to" not in match.group()
                and ":" not in match.group()
                and "include" not in match.group()
                and " are" not in match.group()
            ):
                continue
            _substances(line, match.end(), spans, found)
        for match in _ALLERGY_AFTER.finditer(line):
            before = line[max(0, match.start() - 60) : match.start()]
            start = match.start(1)
            hit = next(
                (s for s in spans if s[0] >= start and s[1] >= match.end(1) - 1 and s[1] <= match.end()), None
            )
            name = line[hit[0] : hit[1]] if hit else match.group(1).split(" ")[-1]
            if _NEGATED.search(before + match.group(1)) or re.search(
                r"\b(?:if|unless|people|patients|anyone|mother|father|sister|brother)\b[^.;,]{0,40}$", before
            ):
                continue
            if name in _NOT_SUBSTANCES:
                continue
            found.setdefault(name, Allergy(name))
    if found:
        return tuple(found.values())
    return () if none_known else None


_NOT_SUBSTANCES = word_set(
    "drug drugs food known any seasonal no an the this your his her my severe mild medication "
    "medications season skin nasal documented reported serious other and or of with none nkda nka "
    "not yes unknown denies these those certain some it them that anything multiple environmental "
    "pet pollen-free have has had penicillin-like true patient include includes including are is was "
    "were following list medicine medicines antibiotic antibiotics ingredient ingredients either"
)


def _substances(line: str, position: int, spans: list[tuple[int, int]], found: dict[str, Allergy]) -> None:
    """Reads "penicillin (hives), sulfa drugs and latex" from `position`."""
    for _ in range(12):
        hit = next(
            (
                s
                for s in spans
                if position <= s[0] <= position + 8
                and re.fullmatch(r"(?:the |any |all )?", line[position : s[0]])
            ),
            None,
        )
        if hit is not None:
            name, end = line[hit[0] : hit[1]], hit[1]
        else:
            match = _SUBSTANCE.match(line, position)
            if match is None or match.group(1).split(" ")[0] in _NOT_SUBSTANCES:
                return
            name, end = match.group(1), match.end()
        reaction = _REACTION.match(line, end)
        said = next((g for g in reaction.groups() if g), None) if reaction else None
        found.setdefault(name, Allergy(name, reaction=said.strip() if said else None))
        following = _LIST_NEXT.match(line, end)
        if following is None:
            return
        position = following.end()
        upcoming = re.match(r"[a-z']+", line[position : position + 24])
        if (
            upcoming
            and hit is not None
            and not any(position <= s[0] <= position + 8 for s in spans)
            and upcoming.group() not in _COMMON_ALLERGENS
        ):
            return


_COMMON_ALLERGENS = word_set(
    "sulfa latex shellfish eggs egg peanuts peanut nuts soy iodine contrast bees bee pollen dust "
    "wheat milk dairy fish codeine adhesive tape"
)


@lru_cache(maxsize=4)
def _condition_automaton(names: tuple[str, ...]) -> AhoCorasick:
    return AhoCorasick(names, matchkind=MatchKind.Standard, store_patterns=False)


def _conditions(lines: list[str], conditions: Mapping[str, str]) -> tuple[Condition, ...] | None:
    if not conditions:
        return None
    names = tuple(conditions)
    automaton = _condition_automaton(names)
    found: dict[str, Condition] = {}
    for line in lines:
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
            before = line[max(0, start - 120) : start]
            clause = re.split(r"[.;]| but ", before)[-1]
            if _CONDITION_CLAUSE.search(line, max(0, start - 240), start):
                continue
            if _NEGATED.search(clause) or _NOT_OURS.search(clause) or not _OURS.search(clause):
                continue
            if re.match(
                # "CVA tenderness" is the costovertebral angle
                r" (?:tender|angle|medic|drugs?|pills?|risk|prevention|screening|prophylaxis|is (?:ruled out|"
                r"unlikely|a )|can |may |clinic|test|specialist|symptoms)",
                line[end:],
            ):
                continue
            name = names[index]
            found.setdefault(conditions[name], Condition(name, code=conditions[name]))
    return tuple(found.values()) or None
