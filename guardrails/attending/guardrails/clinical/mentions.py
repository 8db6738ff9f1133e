"""Which names in a text are drugs being talked about, and which are laboratory values, foods or diseases."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from attending.guardrails.clinical.amount import Amount, Kind
from attending.guardrails.clinical.lexicon import Hit, Lexicon
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.statement import DrugMention
from attending.guardrails.clinical.words import word_set

_NOT_A_DRUG_AFTER = re.compile(
    r"(?:'s)? ?(?:\()?(?:blood |serum |plasma |trough |peak |urine |drug |random |free |total |therapeutic ){0,3}"
    r"(?:levels?|concentrations?|troughs?|assays?|tests?|testing|screen(?:ing)?|panel|"
    r"deficien\w+|resistan(?:ce|t)|sensitivity tests?|channels?|"
    r"receptors?|metabolism|stores?|balance|intake|content|homeostasis|reuptake|"
    r"secretion|production|antibod(?:y|ies)|"
    r"binding|stones?|imbalance|poor|rich|saturation|monitoring|clearance|transporters?|"
    r"pump|syndrome|diet|foods?|use disorder|abuse|"
    r"dependence|misuse|wipes?|swabs?|pads?|hand sanitizer|overload|loss|excretion|"
    r"absorption|tolerance test|a1c|ratio|restriction|restricted|"
    r"score|count|index|(?:milligram |dose )?equivalents?|equivalence)(?![\w])"
)
_NOT_A_DRUG_BEFORE = re.compile(
    r"(?:\b(?:blood|serum|plasma|urine|urinary|high[- ]|low[- ]|elevated|dietary|your|"
    r"normal|endogenous|fasting|check(?:ed)?|monitor(?:ing)?|measure(?:d)?|"
    r"recheck|level of|levels of|rich in|high in|low in|source of|sources of|amount of|lab|labs:) )$"
)
_LAB_VALUE = re.compile(
    r"(?: (?:level|was|is|of|at|:|=|result|today|remains|has been|came back(?: at)?|"
    r"currently|now|measured(?: at)?|increased to|rose to|fell to|dropped to|value)){0,4}"
    r" ?[:=(]? ?[<>]?=? ?\d{1,4}(?:\.\d{1,2})?(?! ?(?:mg|mcg|μg|g|gm|grams?|mls?|tabs?|"
    r"tablets?|caps?|units?|puffs?|%|meq(?! ?/)|mmol(?! ?/)|x|times|-|/?kg)\b)(?!\d)"
)
# Substances the body or the plate holds too: a drug only where someone is told to take it.
ANALYTES = word_set(
    "potassium sodium calcium magnesium iron phosphate phosphorus chloride bicarbonate zinc copper "
    "glucose oxygen alcohol ethanol lead salt water iodide folate cortisol estrogen thyroid albumin "
    "urea protein cholesterol lactate ammonia carbon selenium manganese chromium vitamin vitamins "
    "sugar sucrose fiber air hydrogen nitrogen serotonin histamine creatinine creatine bilirubin "
    "lipase amylase thrombin fibrinogen plasma blood tobacco honey milk egg eggs peanut latex soy "
    "gelatin corn wheat gluten silver gold mercury aluminum arsenic fluoride sulfur ferritin dextrose fructose "
    "hemoglobin globulin caffeine"
)
_CLIPPED = word_set("gent vanc mst mox")
"""Clipped names that are words or fragments elsewhere ("a pleasant gent"): drugs beside an amount only."""
_TAKEN = re.compile(
    r"\b(?:tak(?:e|es|ing|en)|giv(?:e|es|ing|en)|us(?:e|es|ing|ed)|start(?:s|ed|ing)?|"
    r"stop(?:s|ped|ping)?|add(?:s|ed|ing)?|begin|beginning|continu(?:e|es|ed|ing)|"
    r"hold(?:ing)?|held|prescrib(?:e|es|ed|ing)|administer(?:s|ed|ing)?|avoid(?:s|ed|"
    r"ing)?|inject(?:s|ed|ing)?|infus(?:e|es|ed|ing)|replet(?:e|ed|ing)|replace|"
    r"supplement(?:s|ed|ing)?(?: with)?|receiv(?:e|es|ed|ing)|on|with|combin(?:e|ing)|"
    r"plus|discontinu(?:e|ed|ing)|drink(?:s|ing)?|increase|decrease|"
    r"reduce|adjust|titrate|and|or|bolus|iv|oral|no|not|without|give|recommend(?:s|ed)?|"
    r"need(?:s|ed)?|skip(?:ping)?|miss(?:ed|ing)?|also|,)"
    r"(?: (?:your|her|his|their|the|a|an|any|some|oral|iv|intravenous|daily|more|extra|"
    r"dose of|doses of|of|additional|basal|long-acting|"
    r"short-acting|rapid-acting|regular|elemental|supplemental|too much|chronic|home|on)){0,3} $"
)
_DOSE_FORM_AFTER = re.compile(
    r" ?(?:\(|supplement|tablet|capsule|pill|infusion|injection|drip|replacement|"
    r"repletion|therapy|pump|pen|iv\b|oral|by mouth|po\b|solution|"
    r"suspension|drops|glargine|lispro|aspart|sulfate|gluconate|carbonate|citrate|chloride|oxide|acetate)"
)
_LISTED = re.compile(r"\b([a-z]+)(?:, and|,| and| or) $")
_COMBINED = re.compile(r" ?[/+] ?|-| ?& ?(?=\w)")
_ALIAS = re.compile(
    r" ?\((?:brand(?: name)?:? |generic(?: name)?:? |also (?:known as|called) |aka |i\.e\.,? |sold as )?"
)
"""Opens a second name of the same ingredient: "Tylenol (acetaminophen)" is one mention."""
_MAX_GAP = 3


@dataclass(frozen=True, slots=True)
class Named:
    """A drug or class name at `start:end` of the normalised text."""

    start: int
    end: int
    drugs: tuple[str, ...]
    drug_class: str | None
    brand: bool

    def to_mention(self, norm: Normalised) -> DrugMention:
        """The public form, with the span of the original text."""
        span = norm.span(self.start, self.end)
        return DrugMention(
            span, norm.original[span.start : span.end], self.drugs, self.drug_class, self.brand
        )


def find_mentions(norm: Normalised, lexicon: Lexicon, amounts: list[Amount]) -> list[Named]:
    """The drug and class mentions of a text in order; adjacent names of one fixed combination are one mention."""
    text = norm.text
    by_start = {a.start: a for a in amounts}
    hits = [
        h
        for h in lexicon.find(text)
        if not _covered(h, amounts) and not _something_else(text, h, by_start) and not _second_plan(norm, h)
    ]
    named: list[Named] = []
    for hit in hits:
        current = Named(
            hit.start,
            hit.end,
            _in_text_order(text, hit),
            hit.drug_class if not hit.drugs else None,
            hit.brand,
        )
        last = named[-1] if named else None
        if last is not None and last.drugs and current.drugs and current.start - last.end <= _MAX_GAP:
            gap = _COMBINED.fullmatch(text, last.end, current.start)
            if gap is not None and not set(last.drugs) & set(current.drugs):
                named[-1] = replace(
                    last,
                    end=current.end,
                    drugs=last.drugs + current.drugs,
                    brand=last.brand and current.brand,
                )
                continue
        if last is not None and last.drugs and set(last.drugs) == set(current.drugs):
            alias = _ALIAS.match(text, last.end)
            if (
                alias is not None
                and alias.end() == current.start
                and text[current.end : current.end + 1] == ")"
            ):
                named[-1] = replace(last, end=current.end + 1)
                continue
        named.append(current)
    return named


_AS_A_PLAN = re.compile(r"\b(?:was|is|as|our|a|an|the|it's|still|had|our) \Z")


def _second_plan(norm: Normalised, hit: Hit) -> bool:
    """Whether "plan b" is what to do next, and not the tablet: "fosphenytoin was plan B"."""
    return (
        norm.text[hit.start : hit.end] == "plan b"
        and norm.original[norm.starts[hit.start]] == "p"
        and _AS_A_PLAN.search(norm.text, max(0, hit.start - 10), hit.start) is not None
    )


_BY_ITS = re.compile(r"\b(?:at|by|per|on|following|follow|using|from|for|with) (?:the )?\Z")
_SCHEDULE = re.compile(r" (?:schedule|users?|column|starter schedule|titration (?:schedule|table))(?!\w)")
"""A schedule called after the drug beside which it holds: "lamotrigine by the valproate schedule"."""
_SCREENED = re.compile(
    r"\b(?:uds|u-?tox|utox|udt|(?:urine |tox(?:icology)? |drug |urine drug |urine tox(?:icology)? )(?:screen|test)"
    r"(?:ing)?)\b"
    r"[^.;\n]{0,40}\Z"
)
_FOUND = re.compile(r" ?(?:\+|\(\+\)|(?:was |is )?(?:positive|pos|negative|neg|present|detected|absent)\b)")
"""What a screen of the urine found: "UDS buprenorphine +, otherwise negative"."""
_NUTRIENT = (
    r"(?:salt|sodium|caffeine|alcohol|calories|kcal|fluids?|water|sugars?|"
    r"carb(?:ohydrate)?s?|protein|fib(?:er|re)|fat|cholesterol|"
    r"potassium|phosphorus|phosphate|glucose|weight|urine|blood|oxygen|milk|juice|drinks?|coffee)"
)
_NUTRIENT_BEFORE = re.compile(rf"\b{_NUTRIENT}\b[^.;\n]{{0,40}}$")
_GIVEN_THEN = re.compile(
    r"[,;:.-] ?(?:\w+ ){0,3}?(?:give|giv(?:en|ing)|take|start|administer|continue|use)\b[^.;\n]{0,20}\Z"
)
"""What follows a nutrient in one breath and is of something else: "urine output is good, give 90 mL acetaminophen"."""
_OF_IT = re.compile(r" (?:of )?(?:the |oral |liquid )?")
_LARDER = (
    r"(?:(?:calcium|magnesium|zinc|iron|selenium|copper|chromium|potassium|l-|mag)[ -]?"
    r"(?:(?:bis)?glycinate|taurate|malate|l-?threonate|threonate|orotate|picolinate|ascorbate|aspartate|chelate)"
    r"|calcium|ca|iron|fe|zinc|zn|magnesium|selenium|copper|iodine|chromium|d3|d2|b12|b6|"
    r"vit(?:amin)?\.? ?[a-ek]\d{0,2}|nicotine|"
    r"multivitamins?|biotin|fibre|fiber|whey|whey protein|collagen|creatine|turmeric|curcumin|garlic|ginger|ginseng|"
    r"echinacea|valerian|elderberry|cranberry|ashwagandha|berberine|probiotics?|quercetin|resveratrol|spirulina|"
    r"evening primrose(?: oil)?|flaxseed(?: oil)?|cod liver oil|krill oil|chondroitin|msm|inositol|taurine|l-theanine|"
    r"theanine|glutamine|citrulline|arginine|tryptophan|lysine|cbd(?: oil)?|cannabidiol oil|honey|charcoal|inulin|"
    r"butterbur|feverfew|milk thistle|green tea(?: extract)?|psyllium(?: husk)?)"
)
"""Minerals, vitamins, herbs and foods that the lexicon leaves out, and tobacco's nicotine; a drug is named otherwise
("ferrous sulfate")."""
_FLUID = (
    r"(?:(?:normal |half-normal |physiological |isotonic |0\.9 ?% |0\.45 ?% )?saline|ns|n/s|1/2 ?ns|"
    r"(?:0\.9 ?% )?(?:nacl|sodium chloride)(?: 0\.9 ?%)?|"
    r"(?:lactated )?ringer'?s?(?: lactate)?|lr|hartmann'?s?|plasma-?lyte(?: \w{1,3})?|crystalloids?|colloids?|"
    r"d5w|d5ns|d10w?|dextrose(?: \d{1,2} ?%)?|glucose 5 ?%|water for injection|sterile water|albumin(?: \d{1,2} ?%)?|"
    r"(?:packed )?red cells|prbcs?|ffp|oxygen|o2)"
)
_LARDER_BEFORE = re.compile(
    rf"(?<![\w-])(?:{_LARDER}(?: (?:supplements?|tablets?|capsules?|elemental|citrate|carbonate|patch(?:es)?|gum|"
    r"lozenges?|spray|inhalator|inhaler|extract|powder|drink|root|oil|at|of)){0,2}"
    rf"|{_FLUID}(?: (?:bolus|at|of|iv|flush|bag|infusion|solution|in)){{0,2}})[: (]{{1,2}}\Z"
)
_GOES_ON = re.compile(r"[^.;:\n]{0,30}(?:\b(?:then|and|to|or|plus|up|down|reducing)|[,+>]) (?:\w+ )?")
"""Between the steps of one substance: "nicotine patch 21 mg for six weeks, then 14 mg"."""
_EQUIVALENT_BEFORE = re.compile(
    r"\b(?:omed?|mmed?|oral morphine equivalents?|morphine (?:milligram )?equivalents?)\b[^.;\n\d]{0,14}\Z"
)
"""What opioids come to in morphine: "OME 120 mg/24 h" is no dose of the drug beside it."""
_BODY_FLUID_BEFORE = re.compile(
    r"\b(?:vac|drain(?:age)?s?|dressing|urine(?: output)?|stoma|ileostomy|output|aspirates?|residuals?|blood loss|ebl)"
    r"\b(?:(?!\b(?:giv|tak|drink|administer|us(?:e|ing)\b|infus|replac|inject))[^.;\n]){0,30}\Z"
)
"""Millilitres that come out: "VAC dressing -125 mmHg, 60 mL"; not those that are then given."""
_NUTRIENT_AFTER = re.compile(
    rf" (?:of )?(?:added |dietary |elemental |total |plain |clear |table )?(?:{_NUTRIENT}|{_FLUID}|nicotine)\b"
)


_TOTAL_BEFORE = re.compile(
    r"(?:^|[.;:\n(] ?)(?:course |cumulative |grand |overall )?total(?: dose| course)?(?: of|:| =)? \Z"
)
_A_DAY = re.compile(r" ?(?:/|per|a|each|in 24|daily|every)\b")
_WOULD_ALLOW = re.compile(r"\bwould (?:allow|permit|warrant|justify)(?: up to)? \Z")
_COURSE_REACH = 200


def _allowed_only(text: str, amount: Amount, since: int) -> bool:
    """ "Hb below 100 would allow 2,000 mg": what is not given here."""
    return _WOULD_ALLOW.search(text, max(since, amount.start - 40), amount.start) is not None


def _sum_of_a_course(text: str, amounts: list[Amount], index: int) -> bool:
    """ "1,000 mg in week 0; 500 mg in week 1. Total 1,500 mg": what the doses before it come to, not one more."""
    amount = amounts[index]
    if not amount.mass or amount.per_kg or _A_DAY.match(text, amount.end):
        return False
    if _TOTAL_BEFORE.search(text, max(0, amount.start - 40), amount.start) is None:
        return False
    before = [
        a.high
        for a in amounts[max(0, index - 4) : index]
        if a.unit == amount.unit and not a.per_kg and amount.start - a.end <= _COURSE_REACH
    ]
    return any(sum(before[-n:]) == amount.high for n in (2, 3, 4) if len(before) >= n)


def of_nutrients(norm: Normalised, mentions: list[Named], amounts: list[Amount]) -> frozenset[int]:
    """The indices of amounts that belong to no drug named elsewhere: of salt, water, alcohol and the like, of what
    opioids come to in morphine, and of what a drain brings out."""
    found: set[int] = set()
    at = 0
    for index, amount in enumerate(amounts):
        while at < len(mentions) and mentions[at].end <= amount.start:
            at += 1
        since = mentions[at - 1].end if at else 0
        following = mentions[at].start if at < len(mentions) else len(norm.text)
        after = _NUTRIENT_AFTER.match(norm.text, amount.end)
        before = _NUTRIENT_BEFORE.search(norm.text, max(since, amount.start - 60), amount.start)
        if (
            before is not None
            and _OF_IT.fullmatch(norm.text, amount.end, following)
            and _GIVEN_THEN.search(norm.text, before.start(), amount.start)
        ):
            before = None
        larder = _LARDER_BEFORE.search(norm.text, max(since, amount.start - 50), amount.start)
        goes_on = (
            index - 1 in found
            and since < amounts[index - 1].start
            and amount.unit == amounts[index - 1].unit
            and _GOES_ON.fullmatch(norm.text, amounts[index - 1].end, amount.start) is not None
        )
        if (
            (after is not None and after.end() <= following)
            or before is not None
            or larder is not None
            or goes_on
            or _allowed_only(norm.text, amount, since)
            or _sum_of_a_course(norm.text, amounts, index)
            or _EQUIVALENT_BEFORE.search(norm.text, max(since, amount.start - 50), amount.start) is not None
            or (
                amount.unit == "mL"
                and amount.per_time is None
                and _BODY_FLUID_BEFORE.search(norm.text, max(since, amount.start - 50), amount.start)
                is not None
            )
        ):
            found.add(index)
    return frozenset(found)


def _covered(hit: Hit, amounts: list[Amount]) -> bool:
    return any(a.start <= hit.start and hit.end <= a.end for a in _near(amounts, hit.start))


def _near(amounts: list[Amount], position: int) -> list[Amount]:
    low, high = 0, len(amounts)
    while low < high:
        middle = (low + high) // 2
        if amounts[middle].end <= position:
            low = middle + 1
        else:
            high = middle
    return amounts[low : low + 1]


def _in_text_order(text: str, hit: Hit) -> tuple[str, ...]:
    """The ingredients in the order in which the name spells them, where it spells them all."""
    if len(hit.drugs) < 2:
        return hit.drugs
    name = text[hit.start : hit.end]
    places = {drug: name.find(drug.lower()) for drug in hit.drugs}
    if any(p < 0 for p in places.values()):
        return hit.drugs
    return tuple(sorted(hit.drugs, key=lambda d: places[d]))


def _something_else(text: str, hit: Hit, amounts: dict[int, Amount]) -> bool:
    """Whether the name stands for a laboratory value, a nutrient, a disease word or a body function."""
    if _NOT_A_DRUG_AFTER.match(text, hit.end):
        return True
    if _SCHEDULE.match(text, hit.end) and _BY_ITS.search(text, max(0, hit.start - 20), hit.start):
        return True
    if _FOUND.match(text, hit.end) and _SCREENED.search(text, max(0, hit.start - 60), hit.start):
        return True
    word = text[hit.start : hit.end]
    if word in _CLIPPED and not any(p in amounts for p in range(hit.end, hit.end + 4)):
        return True
    head = re.split(r"[ -]", word)[0]
    if head not in ANALYTES and word not in ANALYTES:
        return False
    if " " in word and (hit.drugs or _DOSE_FORM_AFTER.search(" " + word.split(" ", 1)[1])):
        return False  # "sodium oxybate": no laboratory value has a name of that form in the lexicon
    amount = next((amounts[p] for p in range(hit.end, min(hit.end + 4, len(text))) if p in amounts), None)
    if amount is not None and amount.kind is not Kind.LABORATORY:
        return False
    if _LAB_VALUE.match(text, hit.end):
        return True
    before = text[max(0, hit.start - 40) : hit.start]
    if re.search(
        r"(?:mg|mcg|units?|meq|mmol|g|tablets?|drops?|ml|litres?|liters?|l)(?:/min)?(?: of)?(?: \w+)? $",
        before,
    ):
        return False
    if _DOSE_FORM_AFTER.match(text, hit.end):
        return False
    while (link := _LISTED.search(before)) and link.group(1) in ANALYTES:
        # "check potassium and sodium": what holds for the first of a list holds for the next
        before = before[: link.start()]
    if _NOT_A_DRUG_BEFORE.search(before) and not re.search(
        r"\b(?:take|taking|start|stop|hold|continue|skip|inject|using|use|give|of) your $", before
    ):
        return True
    return (
        _TAKEN.search(before) is None
        and before.strip(" ") != ""
        and before[-2:] not in (": ", "• ", "- ")
        and before[-1:] != "\n"
    )
