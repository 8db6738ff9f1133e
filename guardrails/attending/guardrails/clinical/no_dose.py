"""Amounts beside a dose that are no dose themselves: counts of what is at hand, sums and parts of doses said."""

from __future__ import annotations

import re

from attending.guardrails.clinical.amount import Amount, convert
from attending.guardrails.clinical.handed_out import handed_out
from attending.guardrails.clinical.limit import DAILY_AFTER
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.spoken import supplied
from attending.guardrails.clinical.unit import COUNTED

_COMES_TO = re.compile(
    r"\b(?:that(?:'s| is| makes| will be)|which is|which makes|this makes|makes|in all,?|altogether,?"
    r"|total(?: of|:)?)"
    r"(?: (?:just|only|about|a total of))? $"
)
_ALL_OF_IT = re.compile(
    r"(?:[.,;)(]| in all| in total| altogether| for (?:the|this) (?:whole|attack|flare|course)|$|\n)"
)
"""How many forms the doses said before come to: "that is three tablets, and that is all"."""
_SPLIT = re.compile(
    r"\b(?:split|divid\w+|shared?|spread|drawn up|given|giv(?:e|ing)|halved|injected)(?: [a-z]+){0,2}? "
    r"(?:in|into|between|across|over|as)(?: (?:the|equal|separate))? $"
)
"""In how many parts a dose is given; the dose is the whole: "2.4 million units, split in two syringes"."""
_QUANTITY_BEFORE = re.compile(
    r"(?:[,;.(] ?|\b(?:disp(?:ense)?|qty|quantity|supply of|#)[ :.]{0,2}(?:of )?)(?:total (?:of )?)?$"
)
_QUANTITY_AFTER = re.compile(
    r"\)?(?: total| only| dispensed)?(?:[.,;]? ?(?:(?:no|zero|0|\d{1,2}|with) (?:\w+ )?refills?|dispensed"
    r"|no (?:further|more|repeat) (?:supply|supplies|tablets|prescriptions?)|no repeats?)"
    r"|[.;]? ?$|[.;]? ?\n|[.;](?= ))"
)
_TOTAL = re.compile(
    r"(?:\((?:a |for a )?total(?: dose)?(?: of)?"
    r"|\b(?:for )?a total(?: dose)? of|, total(?: dose)?(?: of)?"
    r"|\b(?:weekly total|total weekly(?: dose)?|total (?:per|a|for the) week)(?: of| is)?)[ :=]*$"
)
_IN_A_DAY = re.compile(
    r",? (?:(?:of (?:\w+ ){1,2})?(?:in|over|on|for) (?:a|one|the|any|that|1) (?:whole |single )?day|"
    r"in (?:\w+ )?24 ?h\w*|in all|in total|"
    r"altogether|and that is (?:all|it)|and (?:then )?stop)\b"
)
_TAKE_BEFORE = re.compile(
    r"\b(?:take|swallow|chew|give|up to|than|most|use|have|another|more)(?: (?:the|all|a|an|of)){0,2} \Z"
)
_OWNS = re.compile(
    r"\b(?:(?:you|he|she|they|we|i|patient|pt)(?:'ve|'ll)?(?: (?:still|should|will|now|also))? (?:have|has|had|"
    r"hold|find|found|got)|"
    r"(?:gave|issued?|dispens\w+|suppl(?:y|ied)|sent|return\w*|bring|brought|collect\w*|there (?:are|were)|left|"
    r"counted|contains?))"
    r"(?: (?:you|her|him|them|back|only|just|with|out)){0,3} \Z"
)
"""How many somebody has or was given, which is not how many are taken."""
_AT_HAND = re.compile(
    r" (?:at a time|left|at home|in (?:the )?(?:fridge|stock|hand|reserve)|remaining|spare)\b"
)
_THRESHOLD = re.compile(
    r"\b(?:call|notify|page|contact|inform|reassess|discuss|review|escalat\w*)\b[^.;\n]{0,24}?\b(?:after|at"
    r"|if (?:more|over|above) than"
    r"|if (?:more|over|above|\u2265|>)|beyond|once|above|over)(?: (?:a )?total(?: dose)? of)? \Z"
)
"""Before an amount at which somebody is called: "call MD after 12 mg in 6 h"."""
_WITHIN = re.compile(r"\b(?:under|below|within|short of|beneath)(?: (?:the|your|our|that))? \Z")
_DILUENT = re.compile(r"^ ?(?:\(\w+\) )?(?:in|into|with|diluted in|mixed in)(?: an?)? $")
_REPEATED = re.compile(r"\b(?:every|q) ?\d{1,2} ?(?:minutes?|mins?|m)\b|\b(?:repeat\w*|another)\b")
_UP_TO = re.compile(
    r",? (?:for )?(?:up to|max(?:imum)?(?: of)?|at most|no more than) (?:a (?:total|maximum) of )?$"
)
_OF_FOOD = re.compile(
    r" (?:of )?(?:(?:plain|warm|cool|tap|clean|sterile|still|fresh) )?water(?! for inj)(?![\w-])"
    r"| of (?:\w+ )?(?:honey|water|milk|formula|juice|lemon|sugar|salt|tea|yoghurt|yogurt|applesauce|jam|broth"
    r"|squash|coffee)(?![\w-])"
)
"""What is taken of something else: "half a teaspoon of honey"."""
_FLUSHED = re.compile(
    r"\b(?:flush(?:ed|ing)?|rins(?:e|ed|ing))(?: (?:it|the|tube|line|again|with|of|through|and)){0,4} \Z"
)
"""Before what is run through a tube or a line behind a drug: "Flush 30 mL"."""
_NOT_OF_A_DRUG = re.compile(
    r",? ?(?:(?:of |with )?(?:(?:plain|warm|sterile|tap|normal) )?(?:water|saline|sodium chloride|nacl|ns)\b"
    r"|before|after|between|each|every|at |twice|daily|[.;)\n]|\Z)"
)
"""Behind the volume of a flush: water or saline, or nothing; "flush with 20 mL of potassium chloride" is a dose."""
_OF_AN_ELECTROLYTE = re.compile(
    r"(?:[.,;:(\n\u2022+-]|\b(?:and|with|gave|give|given|plus|then|iv|po|some)) ?"
    r"(?:mg|k|ca|na|peg|phos|mag|kcl|nacl|bicarb|dextrose|glucose|d50w?|d10w?|d5w?|saline|ns|lr) \Z"
)
"""A symbol in the place of a name: "4 mg IV. Mg 2 g IV" is of magnesium, and no dose of the drug before."""
_ELEMENTAL = re.compile(r"(?: of)? elemental\b")
"""What a dose of a salt holds of its metal, behind the dose: "2 mL (30 mg elemental)"."""
_SUGAR = re.compile(
    r" (?:of )?(?:(?:oral|fast|quick|rapid|simple|fast-acting|quick-acting) )?"
    r"(?:glucose|dextrose|sugars?|carb\w*|cho)\b"
)
_RATIO = re.compile(r"\b1 ?: ?\Z")
_LITRE = 1000
_BESIDE = 3
_RUN_IN = frozenset(
    {
        "sodium chloride",
        "lactated ringer",
        "dextrose",
        "glucose",
        "water",
        "albumin human",
        "mannitol",
        "oxygen",
    }
)
_SUM_OF_A_COURSE = re.compile(
    r"\b(?:cumulative(?:ly)?|lifetime|whole[- ]course|course total)(?: (?:dose|total|exposure|target|amount))?"
    r"(?: (?:of|is|to|at|:|about|around|reaches|reached))* ?\Z"
)
"""Before what all doses of a course, or of a life, come to."""
_MOST = re.compile(
    r"\b(?:max(?:imum)?|at most|no more than|not (?:more than|to exceed)|up to)(?: (?:of|total))* ?\Z"
)
_OF_A_COURSE = re.compile(
    r"(?: in (?:all|total)| altogether)? (?:for|over|per|in|during) (?:the|this|one|each|a|any) (?:whole |entire )?"
    r"(?:course|attack|flare|episode|cycle)\b"
    r"(?! of (?:a|one|the|each|every) (?:day|night|24))"
)
"""Behind the most that a whole course comes to: "to a maximum of 6 mg for the course"."""
_DISPENSED = re.compile(
    r"\b(?:dispens\w+|supply|supplied|bottles? of|cover (?:the|a)|covers|pack of|quantity:?) "
    r"(?:(?:a|one|of|total|about) )*\Z"
)
_AGO = re.compile(
    r"(?:,? (?:single|staggered|in one go|at once|taken|all at once|ingested))?,? (?:about |some "
    r"|around )?\d{1,2} ?h(?:ours?|rs?)? ago\b"
    r"(?! (?:was|is)\b)(?![^.;\n]{0,40}\b(?:again|now|more|next|repeat\w*|then)\b)"
)
_GIVES = re.compile(
    r"\b(?:give|giving|take|start|administer|continue|increase|inject|prescribe)\b[^.;\n]{0,40}\Z"
)
"""Before an amount that is ordered: "give 24 g, 6 h ago was the last dose"."""
"""Behind an amount that was taken and is nobody's order: "24 g single, 6 h ago"."""
_INGESTED = re.compile(
    r"\b(?:ingest(?:ion|ed)|overdose)(?: (?:of|about|around|approx(?:imately|\.)?|up to|was|is))* ?[:=~\u2248]? ?\Z"
)
"""Before what somebody swallowed by mischance or on purpose, which is nobody's order: "ingestion 18 g at 20:00"."""
_HAD_BEEN = re.compile(
    r"\b(?:had (?:been|mistakenly been|wrongly been) (?:taking|on|given|having|using|getting|prescribed)"
    r"|used to (?:take|be on))"
    r"(?: (?:up to|about|it|as much as|some|only))? \Z"
)
"""Before what was taken until then: "accumulation (he had been taking 600 mg three times a day)"."""
_KEPT_ON = re.compile(
    r"(?<!not )(?<!n't )(?<!never )(?<!than )\b(?:continu(?:e|ed|es|ing)|carr(?:y|ies|ied) on|goes on|go on|keeps?"
    r"|restart\w*|resum\w+|same dose|as before|unchanged|this dose|that dose|remains?|stays?)\b"
)
"""Around what had been taken: it is taken still."""
_AT_LEAST_TWO = 2
_MOST_A_DAY = 12


def is_no_dose(pieces: Pieces, named: Named, amount: Amount, said: list[Amount]) -> bool:
    """Whether the amount is what is dispensed, a total of doses already said, how many may follow within minutes,
    or the volume that a dose is diluted in. `said` are the amounts already given to the drug."""
    if _OF_FOOD.match(pieces.text, amount.end) or _of_sugar(pieces.text, named, amount):
        return True
    if (
        amount.unit == "mL"
        and _FLUSHED.search(pieces.text, max(0, amount.start - 40), amount.start)
        and _NOT_OF_A_DRUG.match(pieces.text, amount.end)
    ):
        return True
    litres = amount.unit == "L" or (amount.unit == "mL" and amount.high >= _LITRE and amount.strength is None)
    if litres and not 0 <= amount.start - named.end <= _BESIDE:
        # water, a urine volume, oxygen a minute: nothing of which a drug is measured out
        return not _RUN_IN.intersection(named.drugs)
    window = max(0, amount.start - 40)
    if _INGESTED.search(pieces.text, window, amount.start):
        return True
    if _HAD_BEEN.search(pieces.text, window, amount.start) and not _KEPT_ON.search(
        pieces.text, max(0, amount.start - 200), amount.end + 200
    ):
        return True
    if _AGO.match(pieces.text, amount.end) and not _GIVES.search(pieces.text, window, amount.start):
        return True
    if _quoted(pieces.text, amount) or _spelt(pieces.text, amount):
        return True
    if _MOST.search(pieces.text, window, amount.start) and _OF_A_COURSE.match(pieces.text, amount.end):
        return True
    if _SUM_OF_A_COURSE.search(pieces.text, window, amount.start):
        return True
    if amount.unit == "mL" and _DISPENSED.search(pieces.text, max(0, amount.start - 40), amount.start):
        return True
    if named.end <= amount.start and _OF_AN_ELECTROLYTE.search(
        pieces.text, max(named.end, amount.start - 20), amount.start
    ):
        return True
    if handed_out(pieces.text, amount, dosed=any(a.mass or a.components for a in said)):
        return True
    if said and amount.mass and _ELEMENTAL.match(pieces.text, amount.end):
        return True
    product = amount.mass and amount.count is not None and amount.count > 1
    if (product or amount.unit in ("tablet", "patch", "suppository", "lozenge", "packet")) and supplied(
        pieces.text,
        amount.start,
        amount.end,
        named=named.end if amount.end <= named.start else None,
        dosed=any(a.mass or a.components for a in said),
    ):
        return True
    if product and _OWNS.search(pieces.text, max(0, amount.start - 40), amount.start):
        return True
    if (amount.count is not None or amount.unit in COUNTED) and _is_at_hand(pieces.text, amount):
        return True
    if not said:
        return False
    if amount.mass and _THRESHOLD.search(pieces.text, max(0, amount.start - 70), amount.start):
        return True
    if amount.mass and amount.count is None and any(_multiplies(a, amount) for a in said):
        return True
    if pieces.sentence(said[-1].start) + 2 < pieces.sentence(amount.start):
        return False
    window = max(0, amount.start - 40)
    before = pieces.text[window : amount.start]
    counted = amount.unit in ("tablet", "patch", "suppository", "puff", "lozenge", "ampoule")
    if counted and _COMES_TO.search(before) and _ALL_OF_IT.match(pieces.text, amount.end):
        return True
    if counted and _SPLIT.search(before) and said[-1].unit not in COUNTED:
        return True
    if counted and _QUANTITY_BEFORE.search(before) and _QUANTITY_AFTER.match(pieces.text, amount.end):
        return any(r.start < amount.start for r in pieces.rhythms if r.start > said[0].start)
    if amount.mass and ((_TOTAL.search(before) and len(said) > 1) or _WITHIN.search(before)):
        return True
    if amount.unit == "mL" and said[-1].mass:
        after = max(said[-1].end, named.end) if named.end <= amount.start else said[-1].end
        return _DILUENT.match(pieces.text[after : amount.start]) is not None
    if counted and len([a for a in said if a.mass]) > 1 and _IN_A_DAY.match(pieces.text, amount.end):
        # "2 g, then 2 g again. That is the whole treatment: 4 caplets in one day"
        return _TAKE_BEFORE.search(before) is None
    if counted and _UP_TO.search(before) and not DAILY_AFTER.match(pieces.text, amount.end):
        return _REPEATED.search(pieces.text, max(0, amount.start - 70), amount.start) is not None
    return False


_REGIMEN_REFUSED = re.compile(
    r"[^\"\n]{0,60}\" (?:regimen|schedule|dosing|rule)[^.;\n]{0,12}? (?:must|should|may|can|is|are) (?:not|no longer)"
    r"(?: be)? (?:used?|given?|followed|taken|allowed|valid|recommended|safe|right)\b"
)
_OPENS_QUOTE = re.compile(r"(?<!\w)\"[^\"\n]{0,20}\Z")
_WRITES = re.compile(r"\bwrite\b[^.;\n]{0,160}\Z")


def _quoted(text: str, amount: Amount) -> bool:
    """ "The old "one tablet every hour" regimen must not be used": quoted, and refused."""
    return (
        _OPENS_QUOTE.search(text, max(0, amount.start - 24), amount.start) is not None
        and _REGIMEN_REFUSED.match(text, amount.end) is not None
    )


def _spelt(text: str, amount: Amount) -> bool:
    """ "write 5 mg not 5.0 mg": how a dose is spelt, and none."""
    if _WRITES.search(text, max(0, amount.start - 180), amount.start) is None:
        return False
    return (
        re.match(r",? not \d", text[amount.end : amount.end + 12]) is not None
        or re.search(r"\d ?m?c?g,? not \Z", text[max(0, amount.start - 16) : amount.start]) is not None
    )


def _of_sugar(text: str, named: Named, amount: Amount) -> bool:
    """Carbohydrate against a low glucose, or in a ratio with insulin: "15 g oral glucose", "aspart 1:10 g"."""
    if amount.unit != "g" or {"dextrose", "glucose"}.intersection(named.drugs):
        return False
    if _SUGAR.match(text, amount.end) is not None:
        return True
    return _RATIO.search(text, max(0, amount.start - 6), amount.start) is not None


def _is_at_hand(text: str, amount: Amount) -> bool:
    """ "drawn from autoinjectors; he has four at a time": what somebody keeps."""
    return (
        _AT_HAND.match(text, amount.end) is not None
        and _OWNS.search(text, max(0, amount.start - 40), amount.start) is not None
    )


def _multiplies(said: Amount, amount: Amount) -> bool:
    """ "5/325, up to 4 tablets a day: 1,300 mg": a plain amount that multiplies one strength of the combination said
    before is that ingredient's sum, and no dose of the product."""
    value = convert(amount.high, amount.unit, "mg")
    if value is None or amount.low != amount.high or len(said.components) < 2:
        return False
    return any(
        part > 0 and value % part == 0 and _AT_LEAST_TWO <= value / part <= _MOST_A_DAY
        for part in said.components
    )
