"""Words in the place of a drug that no lexicon knows: invented, misspelt or new names."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from attending.guardrails.clinical.amount import Amount, Kind
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.mentions import ANALYTES, Named
from attending.guardrails.clinical.normalise import Normalised
from attending.guardrails.clinical.vocabulary import TABLE
from attending.guardrails.clinical.words import word_set

# Stems of the WHO list of international nonproprietary names that hardly end an English word.
_STEMS = tuple(
    word_set(
        "mab tinib ciclib parib rafenib zomib lisib pril prilat sartan vastatin olol prazole tidine gliptin "
        "gliflozin glutide glitazone floxacin cillin cycline mycin micin conazole fungin navir tegravir buvir "
        "ciclovir vudine dipine zepam zolam oxetine triptan setron parin xaban gatran dronate lukast terol "
        "tropium sonide olone azosin caine curium curonium barbital profen coxib fentanil azepine idone apine "
        "peridol nidazole thiazide semide vaptan fibrate cept stim poetin dopa gepant vexil zolid penem "
        "bactam oxacin"
    )
)
_BEFORE_STEM = 3
"""Letters of a name before its stem at least."""
_WORD = re.compile(r"[a-z][a-z]*(?:-[a-z]+)*")
_BEFORE_AMOUNT = re.compile(
    r"(?<![\w'-])([a-z][a-z-]{3,28}[a-z])(?: (?:\d?[a-z]{2}|tablets?|capsules?|"
    r"injection|oral|cream|extended[- ]release|inhaler"
    r"|forte|plus|retard|comp|extra|max|duo|junior))?(?: at| to|:|,|\()? ?$"
)
_VERB_BEFORE = re.compile(
    r"\b(?:tak(?:e|es|ing)|start(?:s|ed|ing)?|giv(?:e|en|ing)|prescrib(?:e|es|ed|ing)|"
    r"add(?:ed|ing)?|begin|initiat(?:e|ed|ing)|us(?:e|ing)|continu(?:e|ed|ing)|"
    r"administer(?:ed)?|"
    r"on|recommend(?:s|ed)?|stop(?:ped|ping)?|hold|avoid|increase|switch(?:ed)? to|try|"
    r"order(?:ed)?|and|plus|with|(?:prescription|script|supply|course|dose|doses|tablets?|"
    r"capsules?|bottle|box|pack|packet|refill|called|named|brand)(?: (?:for|of))?)"
    r"(?: (?:on|your|the|a|an|her|his|him|oral|iv|of|daily|low-dose|generic)){0,4} $"
)
_HELD_IN = re.compile(r"\b(?:bottle|box|pack|packet|tin|tub|jar|carton|bag)s?(?: (?:for|of))? $")
_INDICATION_BEFORE = re.compile(
    r"\bfor (?:(?:the|her|his|your|my|a|an|acute|chronic|severe|mild|[a-z]+ive|[a-z]+al) )*$"
)
_ORGANISM = re.compile(
    r"(?:coccus|cocci|bacter|monas|oides|ella|philus|plasma|rrhoea|rrhea|aemia|emia|itis|osis|iasis|oma)$"
)
"""Endings of microbes and diseases, which a dose may follow as well: "Strongyloides, 200 mcg/kg"."""
_WHOSE_BEFORE = re.compile(r"\b(?:his|her|your|my|their) $")
_TITLE_BEFORE = re.compile(r"\b(?:mrs?|ms|miss|mx|dr|prof|nurse|sister|dear) (?:[a-z]+ )?$")
_DOSE_POSITION = re.compile(
    r"\b(?:tak(?:e|es|ing)|start(?:s|ed|ing)?|prescrib(?:e|es|ed|ing)|initiat(?:e|ed|"
    r"ing)|administer(?:ed)?|begin|switch(?:ed)? to)(?: (?:on|your|the|a|an|her|his|him|"
    r"oral|iv|daily|generic)){0,4} $"
)
_TAKEN_AFTER = re.compile(
    r",? (?:\d|once|twice|three|four|every|daily|weekly|nightly|monthly|bid|tid|qid|q\d|"
    r"qhs|at bedtime|as needed|prn|for (?:your|the|his|her|\d)|"
    r"tablets?|capsules?|injections?|cream|inhaler|po\b|iv\b|by mouth|orally|with food|"
    r"as directed|as prescribed|in the (?:morning|evening))"
)
_SIG_AFTER = re.compile(
    r" ?(?:tabs?|tablets?|caps?|capsules?)? ?(?:po|by mouth|orally|iv|im|sc|sq|subq|sl|q\d"
    r"|q ?(?:d|hs|am|pm|day)|b\.?i\.?d|t\.?i\.?d"
    r"|q\.?i\.?d|once|twice|three times|four times|every|daily|nightly|weekly|at bedtime|prn)\b"
)
_FORM_WORDS = re.compile(r"(?: [a-z-]+){0,2} ")
_ORDINARY = word_set(
    "smaller bigger larger tonight today somewhat slightly "
    "write spell refill refills premix premixed spacer spacers yesterday tomorrow earlier later sooner waking arising "
    "antidote contact repeat reload target goal cumulative "
    "january february march april may june july august september october november "
    "december monday tuesday wednesday "
    "thursday friday saturday sunday "
    "about around approximately roughly nearly almost least most total maximum minimum usual "
    "starting initial maintenance exactly average single double loading target current previous "
    "original recommended adult pediatric child normal standard lowest highest effective therapeutic "
    "equivalent increments contains containing with than between under over until above below within "
    "every another second third first last next final protein fiber carbohydrate carbohydrates carbs "
    "rise rises rising fall falls falling drop drops goes climbs comes moves steps becomes stays remains increases "
    "decreases water fluid fluids salt sugar weight level levels tablet tablets capsule capsules caplet pill "
    "pills dose doses dosage daily weekly monthly morning evening night bedtime strength amount "
    "amounts supply bottle bottles patch patches inhaler injection solution suspension syrup liquid "
    "cream ointment either both each bolus infusion rate drip further additional extra remaining "
    "clarified corrected explained confirmed amended agreed advised counselled discussed reinforced repeated "
    "breakthrough rescue basal prandial mealtime correction top-up "
    "same fixed adults children infants kids women patient patients people mother father baby value "
    "values result results score cholesterol glucose equals equal after before from into onto plus "
    "minus times divided given taken used made them then this that these those when where which "
    "while only just also still even more less much many such like good safe high higher low lower "
    "large small reached reach exceed exceeds exceeding limit limits range ranges dosing regimen "
    "course therapy treatment schedule following follows example follow medicine medicines "
    "medication medications drug drugs prescription supplement supplements product products options "
    "option start starts vial vials syringe breakfast lunch dinner food foods meal meals diet intake "
    "serving servings cups cup bowl glass salts calories iron zinc by mouth orally oral intravenous "
    "subcutaneous intramuscular topical rectal needed pain fever nausea headache cough infection "
    "pressure allergy sleep release modified prolonged slow complex soluble "
    "dispersible effervescent chewable "
    "yours mine hers theirs ours itself himself herself everything nothing anything something someone anyone "
    "write writes writing written spell spelled spelt print printed type typed record recorded document documented "
    "chart charted read reads enter entered state stated express expressed replace replaces replacing "
    "prolactin cortisol aldosterone renin gastrin ferritin troponin procalcitonin calprotectin homocysteine "
    "transferrin ceruloplasmin caeruloplasmin haptoglobin myoglobin urate bilirubin creatinine osmolality "
    "testosterone oestradiol estradiol progesterone luteinising luteinizing parathormone thyroglobulin "
    "norclozapine norbuprenorphine norfentanyl norfluoxetine normeperidine desmethyldiazepam hydroxyrisperidone "
    "metanephrine metanephrines normetanephrine microalbumin beta-hcg "
    "concept concepts percept intercept precept transcept "
    "spacer spacers waking hypoglycemia hypoglycaemia hyperglycemia hyperglycaemia yesterday cumulative "
    "premix premixed ingestion waking syringe spacer "
    "gastro-resistant solostar flexpen kwikpen penfill turbohaler evohaler accuhaler prefilled pre-filled"
)


_ENDINGS_OF_WORDS = (
    "ally", "ously", "ating", "iting", "ening", "king", "tion", "sion", "ment", "ness", "emia", "ative", "itive",
)  # fmt: skip
"""Endings of ordinary words that names of drugs do not have."""
_LOOKALIKES = word_set(
    "ability accolade advisor allegria allegro ambient androgen angelic artists aspartame aspiring cambria "
    "cellulose clarinet clarity concert concerto concerts concord cornard corzine creator cultivate definite "
    "demster deposit desolate differing enabled enabler enables enclose entered fearing flutist glyceryl inhuman "
    "innovate lactose meanest medtronic mitigate northern pancreatic pegasus precede preceded precedes precise "
    "preserve preserved preserves preserving program programs proverb puritan retinal riordan sectoral serenade "
    "shorted shorten shorter simulant singular sorties spectral sprinter stating station stations terrine "
    "process lactate arginine symlink metadata solaris regained buffering rheumatic seasonal castrate univers universe "
    "tristan contrive gotten arcane swells dwells macular ocular discover optimise "
    "moderate moderated moderates vertical yasmine opinion opinions optional iodized iodised"
)
"""Ordinary words one letter away from the name of a drug."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """An unknown name at `start:end` of the normalised text; `amount` is the index of the amount it owns, or -1."""

    start: int
    end: int
    amount: int = -1


def find_unknown(
    norm: Normalised, lexicon: Lexicon, mentions: list[Named], amounts: list[Amount]
) -> list[Stranger]:
    """Unknown names in drug position: before a dose, after a verb of giving with a drug-like or capitalised form."""
    text = norm.text
    taken = [(m.start, m.end) for m in mentions]
    found: dict[int, Stranger] = {}
    for index, amount in enumerate(amounts):
        if not (amount.mass or amount.kind is Kind.UNREADABLE or amount.unit in ("tablet", "puff", "patch")):
            continue
        if amount.kind is Kind.LABORATORY or amount.kind is Kind.CONCENTRATION:
            continue
        window = max(0, amount.start - 60)
        match = _BEFORE_AMOUNT.search(text, window, amount.start)
        if match is None:
            continue
        start, end = match.span(1)
        word = match.group(1)
        if (
            _known(word, lexicon)
            or _overlaps(taken, start, end)
            or "|" in norm.source(start, end)  # a row put in order: whom it is of, not what is given
        ):
            continue
        before = text[max(0, start - 40) : start]
        opens = (
            not before.strip(" •-")
            or before[-1:] == "\n"
            or re.search(r"(?:^|\n)[ •\-\d.)\[\]]*$|[.;:,] $", before) is not None
        )
        capital = norm.original[norm.starts[start]].isupper()
        named = (
            capital
            and amount.unit in ("mg", "mcg")
            and not norm.source(start, end).isupper()  # an acronym or a heading
            and _TITLE_BEFORE.search(before) is None
            and not _of_a_name(text, taken, start)
        )
        misspelt = (
            (opens or capital)
            and amount.unit in ("mg", "mcg", "unit")
            and len(word) >= 7
            and _SIG_AFTER.match(text, amount.end) is not None
            and bool(lexicon.near(word, 1))
        ) or (amount.unit in ("mg", "mcg", "unit", "g") and _misspelt(word, lexicon) is not None)
        if (
            not misspelt
            and not _has_stem(word)
            and "," in text[end : amount.start]  # "for bulimia, 60 mg": what it is given for
            and (_INDICATION_BEFORE.search(before) or _ORGANISM.search(word))
        ):
            continue
        if amount.unit == "g" and not (capital or misspelt or _has_stem(word)) and _HELD_IN.search(before):
            continue  # "a packet of biscuits 200 g"
        if not (_has_stem(word) or _VERB_BEFORE.search(before) or (opens and capital) or named or misspelt):
            continue
        owns = index if amount.kind is not Kind.UNREADABLE else -1
        found[start] = Stranger(start, end, owns)
    for match in _WORD.finditer(text):
        word = match.group()
        start, end = match.span()
        if start in found or not 6 <= len(word) <= 40:
            continue
        stem = _has_stem(word)
        # the cheap questions first: most words are small and end like no drug
        misspells = None if stem else _misspelt(word, lexicon)
        if not stem and misspells is None and not norm.original[norm.starts[start]].isupper():
            continue
        if _overlaps(taken, start, end) or _known(word, lexicon) or "|" in norm.source(start, end):
            continue
        if start and (text[start - 1].isalnum() or text[start - 1] in "-_'@./"):
            continue
        if end < len(text) and (
            text[end].isalnum() or text[end] in "-_@'" or text[end : end + 2] in (".c", ".o", ".n")
        ):
            continue
        if misspells == "brand" and not (
            _VERB_BEFORE.search(text, max(0, start - 40), start)
            or _WHOSE_BEFORE.search(text, max(0, start - 10), start)
            or _TAKEN_AFTER.match(text, end)
        ):
            misspells = None
        if not stem and misspells is None and not _ordered(norm, start, end):
            continue
        found[start] = Stranger(start, end)
    return [found[k] for k in sorted(found)]


def _misspelt(word: str, lexicon: Lexicon) -> Literal["generic", "brand"] | None:
    """What kind of name the word is one letter away from, unless it is an ordinary word."""
    if word in TABLE or word in _LOOKALIKES or word in _ORDINARY:
        return None
    return lexicon.one_edit(word)


def _has_stem(word: str) -> bool:
    """Whether a lower-case word ends in the stem of a class of drugs."""
    if not word.endswith(_STEMS) or "-" in word:
        return False
    return any(word.endswith(stem) and len(word) >= len(stem) + _BEFORE_STEM for stem in _STEMS)


def _ordered(norm: Normalised, start: int, end: int) -> bool:
    """Whether the word, which is no acronym, stands between a verb of giving and how it is taken."""
    return (
        not norm.source(start, end).isupper()
        and _DOSE_POSITION.search(norm.text, max(0, start - 40), start) is not None
        and _TAKEN_AFTER.match(norm.text, end) is not None
    )


def _of_a_name(text: str, taken: list[tuple[int, int]], start: int) -> bool:
    """Whether a known name stands just before, so that the word says its form or salt ("Diltiazem Retard")."""
    at = bisect_right(taken, (start, start)) - 1
    if at < 0 or taken[at][1] > start:
        return False
    return _FORM_WORDS.fullmatch(text, taken[at][1], start) is not None


def _known(word: str, lexicon: Lexicon) -> bool:
    return (
        word in TABLE
        or word.endswith(_ENDINGS_OF_WORDS)
        or word in _ORDINARY
        or word in ANALYTES
        or word in lexicon
        or word.rstrip("s") in lexicon
        or word.rstrip("s") in _ORDINARY
    )


def _overlaps(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(taken, start, key=itemgetter(1))
    return at < len(taken) and taken[at][0] < end
