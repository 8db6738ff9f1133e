"""Signs of an emergency as patients and letters word them, one pattern per kind.

Sources: NHS and CDC public lists of when to call an ambulance; AHA stroke and heart-attack warning signs. A sign
marked `with_anticoagulant` is one only for a patient who takes a blood thinner; a sign with `along` needs a second
finding close by, in the same sentence or the next line of a note. An `acute` sign is so rarely a finished story that
a letter or a note which tells of it and plans routine care is judged too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Sign:
    """`pattern` finds the sign in a sentence; `id` names it in the rule id and the message."""

    id: str
    pattern: Sieved
    with_anticoagulant: bool = False
    acute: bool = False
    along: Sieved | None = None


def _s(id_: str, *patterns: str, with_anticoagulant: bool = False, acute: bool = False) -> Sign:
    return Sign(id_, Sieved("|".join(patterns), re.I), with_anticoagulant, acute)


def _pair(id_: str, one: str, along: str) -> Sign:
    """An acute sign of two findings, told in any order."""
    return Sign(
        id_,
        Sieved(rf"\b(?:{one})\b", re.I),
        acute=True,
        along=Sieved(rf"\b(?:{along})\b", re.I, windowed=True),
    )


def _near(one: str, other: str, words: int = 14) -> str:
    """Both within one sentence in either order, at most `words` words apart, none of them a denial."""
    gap = rf"(?:[^\w.!?\n]+(?!(?:no|nor|denies|denied|without)\b)\w+(?:[.'\u2019]\w+)?){{0,{words}}}?[^\w.!?\n]+"
    return rf"\b(?:{one}){gap}(?:{other})\b|\b(?:{other}){gap}(?:{one})\b"


_CANNOT: Final = (
    r"(?:can(?:'|\u2019)?t|cannot|can not|unable to|not (?:being )?able to|struggl\w+ to"
    r"|stopped being able to)"
)
_FEVER: Final = (
    r"fever\w*|febrile|pyrexia|high temp\w*|temp(?:erature)?s?(?: \w+){0,3} (?:3[89]|4[01]|10[0-6])(?:\.\d)?"
    r"|(?:3[89]|4[01])(?:\.\d)? ?(?:\u00b0 ?c?|degrees|c\b)|10[0-6](?:\.\d)? ?(?:\u00b0 ?f?|degrees|f\b)"
    r"|(?:3[89]\.\d|10[0-6]\.\d)"
)
_YOUNG: Final = (
    r"(?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)[- ](?:weeks?|wks?)[- ]?old"
    r"|\d{1,2}[- ]days?[- ]?old|(?:1|2|one|two)[- ]months?[- ]?old|newborn|neonate"
    r"|(?:[1-9]|1[0-2]|six|eight|ten|twelve)[- ]weeks? (?:of age|baby|infant)"
)
_WHOSE: Final = r"(?:my|your|his|her|their|our|the)"
_VISION: Final = (
    r"blurr\w+ vision|vision (?:changes?|problems?|loss)|visual (?:changes?|disturbances?|symptoms)|flashing lights"
    r"|(?:seeing|see) (?:spots|stars|flashes)|double vision"
)
_BACK: Final = r"back ?(?:ache|pain)|sciatica|slipped disc|(?:my|your|his|her|lower|bad) back"
_SADDLE: Final = (
    r"(?:can(?:'|\u2019)?t|cannot|don(?:'|\u2019)t|do not|barely|hardly) feel (?:\w+ ){0,3}"
    r"between (?:my|your|his|her|the) legs|"
    r"(?:numb\w*|tingl\w*|no feeling|loss of (?:feeling|sensation)|pins and needles)(?: \w+){0,5}"
    r" (?:between (?:my|your|his|her|the|their) legs|groin|genital\w*|saddle(?: area)?|inner thighs?|buttocks?"
    r"|bottom|perineum"
    r"|private parts|back passage)"
)
_BLADDER: Final = (
    r"(?:hard|difficult|trouble|slow|struggling) (?:to )?(?:start(?:ing)? )?(?:to )?"
    r"(?:pee\w*|urinat\w*|pass(?:ing)? (?:urine|water))|"
    rf"{_CANNOT} (?:pass (?:any )?(?:urine|water)|pee|wee|urinate|empty {_WHOSE} bladder"
    rf"|control {_WHOSE} (?:bladder|bowels?))"
    r"|los\w+ (?:of )?control of (?:\w+ )?(?:bladder|bowels?)|(?:los\w+|no) (?:of )?(?:bladder|bowel) control"
    r"|incontinen\w+|(?:wetting|soiling) (?:my|your|him|her)self"
)

_SUDDEN: Final = (
    r"sudden\w*|abrupt\w*|acute(?:ly)?|woke\w*|today|tonight|overnight|yesterday|last night"
    r"|(?:this|since) (?:morning|afternoon|evening|lunch\w*|breakfast|yesterday|waking)"
    r"|since (?:about |around )?(?:\d{1,2}|midnight|noon|midday|one|two|three|four|five|six|seven|eight|nine|ten)\b"
    r"|(?:hours?|hrs?|minutes?|mins?) ago|for (?:the (?:last|past) )?(?:an|one|two|three|four|five|six|\d{1,2}) hours?"
)
_HOT: Final = (
    r"fever\w*|febrile|pyrexi\w+|high temp\w*|rigors?|rigoring|shivering|shivers|shaking chills"
    r"|(?:temp(?:erature)?|T)\b(?:[ :=]| of| was| is){0,3}(?:3[89]|4[01]|10[0-6])(?:\.\d)?"
    r"|(?:3[89]|4[01])(?:\.\d)? ?(?:\u00b0|degrees|C\b)|10[0-6](?:\.\d)? ?(?:\u00b0|degrees|F\b)"
)
_PULSE: Final = r"(?:HR|pulse|heart rate|P)(?:[ :=]| of| was| is){0,3}1[1-9]\d"
_LOW_OXYGEN: Final = (
    r"(?:SpO2|O2 sats?|sats?|saturations?|oxygen(?: level| saturation)?)(?:[ :=]| of| at| was| is| are){0,3}"
    r"(?:[78]\d|9[0-2])"
)
_SHOCK: Final = (
    rf"{_PULSE}|{_LOW_OXYGEN}|(?:BP|blood pressure|systolic)(?:[ :=]| of| was| is){{0,3}}[5-8]\d\b"
    r"|(?:RR|resps?|respiratory rate)(?:[ :=]| of| was| is){0,3}(?:2[4-9]|[3-5]\d)|hypotensive|NEWS2?(?: of| score)? "
    r"(?:[7-9]|1\d)"
)
_DULLED: Final = (
    r"confus\w+|muddled|delirious|disorient\w+|drows\w+|hard to (?:wake|rouse)|(?:very|unusually|too) sleepy"
    r"|not making sense|GCS(?: of|:| was)? (?:[3-9]|1[0-4])\b"
)
_SICK: Final = r"vomit\w*|throwing up|thrown up|(?:been|being|was) sick|bringing up"
_FAINT: Final = (
    r"faint\w*|light[- ]?headed\w*|dizz\w+|passed out|blacked out|near(?:ly)? (?:collaps|passed)\w*|syncop\w+"
)
_CHEST: Final = (
    r"(?:pain|tight\w*|heav\w+|pressure|crushing|squeezing|weight|band|belt|vi[cs]e|ache|elephant)"
    r"(?: \w+){0,5} (?:chest|breast ?bone|sternum)"
    r"|(?:chest|breast ?bone|sternum|retrosternal|substernal)(?: \w+){0,4} (?:pain\w*|tight\w*|heav\w+|pressure"
    r"|crushing|squeezing|discomfort|ach\w+)"
)
_HEAD: Final = (
    r"head injur\w+|(?:hit|bang\w*|bump\w*|knock\w*|struck|crack\w*|smack\w*|blow to)(?: \w+){0,6} head"
    r"|head(?: \w+){0,3} (?:hit|struck)|(?:knock|bump|bang)(?: \w+)? (?:on|to)(?: \w+)? head"
    r"|(?:fell|landed|fall)(?: \w+){0,5} (?:on|onto)(?: \w+)? head|(?:goose egg|lump) on (?:his|her|your|the) head"
)
_CALF: Final = (
    r"(?:calf|leg)(?: \w+){0,4} (?:swoll?\w+|bigger|tender|painful|hot)|(?:swollen|sore|painful|tender"
    r"|hot)(?: \w+){0,3}"
    r" (?:calf|leg)|DVT"
)
_STILL: Final = (
    r"post[- ]?op\w*|(?:hip|knee) replacement|(?:days|weeks|week) (?:after|post|since|following)|(?:after|since"
    r"|following)"
    r" (?:\w+ ){0,3}(?:surgery|operation|flight|c(?:ae|e)sarean|birth|delivery)|long[- ]haul|plaster cast|in a cast"
    r"|contraceptive pill|the pill|immobil\w+"
)
_EXPECTING: Final = (
    r"pregnan\w+|trimester|gestation|antenatal|midwi\w+|post-?(?:partum|natal)|pre-?ecla\w+|G\dP\d|[23]\d/40|(?:2\d"
    r"|3\d)\+[0-6]"
    r"|(?:at|is|now|her|your) (?:2\d|3\d|4[0-2]|(?:twenty|thirty|forty)(?:[- ]\w+)?) weeks(?! ago| later| from| since)"
    r"|(?:days?|week) after (?:the |giving )?birth|your bump"
)
_HIGH_PRESSURE: Final = r"(?:1[6-9]\d|2\d\d) ?(?:/|over) ?\d{2,3}|1\d\d ?(?:/|over) ?1[1-4]\d"
_LATE_PERIOD: Final = (
    r"(?:late|missed|overdue|skipped)(?: \w+)? period|period(?: \w+){0,4} (?:late|overdue|missed)|amenorrh\w+"
    r"|test (?:was |is )?positive at \w+ weeks|positive pregnancy test|pregnancy test(?: \w+){0,3} positive"
    r"|h?CG (?:is |was )?positive"
    r"|(?:[4-9]|four|five|six|seven|eight|nine) weeks pregnant|early pregnan\w+"
)
_ONE_SIDE: Final = (
    r"shoulder[- ]?tip\w*|(?:tip of|pain in|ache in)(?: \w+){0,3} shoulder|shoulder (?:pain|ache)|one[- ]sided"
    r"|(?:pain\w*|cramp\w*|ache|stabbing)(?: \w+){0,5} (?:one side|(?:the |her |your )?(?:left|right)(?: side)?)"
    r"|(?:left|right)[- ](?:sided?|iliac|lower)(?: \w+){0,3} (?:pain|cramp\w*)|[LR]IF pain|adnexal tenderness"
)
_MANY: Final = (
    r"\d{2,3}|ten|twelve|fifteen|sixteen|eighteen|twenty|(?:twenty|thirty|forty)[- ]\w+|thirty|forty"
    r"|fifty|sixty|a hundred"
)
_PILLS: Final = (
    r"pills?|tablets?|tabs|capsules?|caplets?|paracetamol|acetaminophen|tylenol|co-?codamol|ibuprofen|aspirins?"
    r"|amitriptyline|propranolol|sertraline|quetiapine|metformin|diazepam"
)
_BLACK: Final = (
    r"m(?:a)?elaena|melena|(?:jet[- ]?black|tarry|tar[- ]like|sticky black|black(?:,| and)? (?:sticky|tarry|shiny))"
    r"(?: \w+)? (?:stools?|poos?|poops?|motions?|bowel|diarrh\w+)|(?:stools?|poos?|poops?|motions?)(?: \w+){0,4}"
    r" (?:black|tarry|like tar)|black (?:stools?|poos?|poops?|motions?)|h(?:a)?ematemesis|coffee[- ]grounds?"
)

SIGNS: Final = (
    _s("chest-pain",
       r"\b(?:chest (?:pain\w*|hurts?|hurting|aches?|aching|pressure|tightness|discomfort|heaviness)"
       r"|(?:crushing|pressure|tight\w*|heavy|squeezing) (?:\w+ ){0,4}chest"
       r"|pain (?:\w+ ){0,5}(?:left arm|jaw)|(?<!after a )(?<!after your )heart attack|tearing (?:\w+ ){0,3}(?:chest"
       r"|back)(?: pain)?)\b"),
    _s("stroke",
       r"\b(?:(?:droop\w*|sagg\w+|lopsided) (?:\w+ ){0,5}(?:face|mouth|smile)"
       r"|(?:can(?:'|\u2019)?t|cannot|could(?:n(?:'|\u2019)t| not)|unable to) (?:speak|talk|find (?:her|his"
       r"|the|my) words)"
       r"(?: (?:clearly|properly|at all))?(?! to)|speech (?:\w+ ){0,4}(?:slurred|thick|garbled|difficult)"
       r"|fac(?:e|ial) (?:\w+ ){0,3}(?:droop\w*|dropped|sagging|lopsided)|(?:droop\w*"
       r"|sagging) (?:\w+ ){0,4}(?:face|mouth|smile)"
       r"|mouth (?:\w+ ){0,3}droop\w*|slurred speech|(?:speech|words) (?:is|are|was|were|went|sounded|came out"
       r"|coming out) (?:\w+ )?"
       r"(?:slurred|jumbled|garbled)|slurring"
       r"|(?:sudden|one[- ]sided|left|right)[- ](?:\w+[- ]){0,2}(?:weakness|numbness)|(?:weak\w*|numb\w*"
       r"|can(?:'|\u2019)?t (?:move|lift|feel)|cannot (?:move|lift|feel)) (?:\w+ ){0,6}(?:one side|left side"
       r"|right side|one arm"
       r"|arm and leg|left arm|right arm)"
       r"|(?:arm|leg|side|face)\b(?:\W+\w+){0,4}\W+(?:went |gone |is |suddenly |feels )+(?:weak|numb)"
       r"|sudden(?:ly)? (?:\w+ ){0,4}(?:los\w+ (?:of )?vision|vision loss|blind|can(?:'|\u2019)?t speak|cannot speak"
       r"|trouble speaking|confus\w+)"
       r"|stroke symptoms|signs of (?:a )?stroke|having a stroke)\b"),
    _s("suicide",
       r"\b(?:suicid\w+|(?:kill|hurt|harm)(?:ing)? (?:myself|himself|herself|themselves|yourself|themself)"
       r"|end(?:ing)? (?:it all|(?:my|your|his|her|their) (?:own )?li(?:fe|ves))|tak(?:e|ing) (?:my|your|his|her"
       r"|their) own life"
       r"|want(?:s|ed|ing)? to die|wish(?:es|ed|ing)? (?:I|you|he|she|they) (?:was|were) dead"
       r"|(?:do(?:n(?:'|\u2019)t| not)|doesn(?:'|\u2019)t|no longer|not) want(?:s|ing)? to (?:live|be (?:here"
       r"|alive)|go on|wake up)"
       r"|(?:sav|hoard|collect|stockpil|stash|putt|set)\w* (?:\w+ ){0,4}(?:pills|tablets|medication|meds)"
       r"(?! (?:in|away|out of|where|box|organi[sz]er))"
       r"|(?:pills|tablets|gun|rope) (?:\w+ ){0,3}(?:put|set|saved|laid) (?:aside|out|by)|plan(?:s|ned)? to (?:die|end)"
       r"|(?:has|have|having) a plan (?:and|to (?:kill|end|die|hurt))|(?:goodbye|suicide) (?:note|letter)"
       r"|no reason to (?:live|go on)|better off (?:dead|without (?:me|you))|self[- ]?harm\w*|not worth living"
       r"|took (?:all|a whole bottle|the whole bottle))\b"),
    _s("anaphylaxis",
       r"\b(?:(?<!\()anaphyla\w+(?! (?:to|with|from)\b)|(?:throat|tongue|lips?|face) (?:\w+ ){0,4}"
       r"(?:swell\w*|swollen|clos\w+|tight\w*|puff\w+)|swell\w* (?:\w+ ){0,5}(?:throat|tongue|lips?|face)"
       r"|swollen (?:\w+ ){0,2}(?:throat|tongue|lips?|face))\b",
       _near(r"hives|itchy rash|wheals|nettle rash", r"wheez\w*|breath\w*|swallow\w*|faint\w*|dizz\w*|vomit\w*", 10)),
    _s("breathing",
       rf"\b(?:{_CANNOT} (?:breathe|catch {_WHOSE} breath|(?:speak|finish|say) (?:\w+ ){{0,3}}sentences?)"
       r"|(?:trouble|difficulty|hard time|struggling) (?:to )?(?:in )?breath\w*"
       r"|(?:severe|sudden) (?:shortness of breath|breathlessness)|gasping|turning blue|blue lips"
       r"|lips (?:\w+ ){0,2}(?:blue|grey|gray)"
       r"|stopped breathing)\b"),
    _s("bleeding",
       r"\b(?:vomit\w* (?:\w+ ){0,2}blood|cough\w* up (?:\w+ ){0,2}blood|(?:throw\w*|bring\w*) up blood"
       r"|coffee[- ]grounds?"
       r"|(?:black|tarry|bloody|maroon)(?:,? (?:\w+,? )?)(?:stools?|poops?|poo|bowel|motions?)"
       r"|(?:stools?|poops?|poo|motions?) (?:\w+ ){0,4}(?:black|tarry|bloody|maroon)"
       r"|passing (?:\w+ ){0,2}(?:blood|clots)"
       r"|bleed\w* (?:that )?(?:won(?:'|\u2019)t|will not|does not|doesn(?:'|\u2019)t) stop"
       r"|(?:heavy|severe|uncontrolled|massive) bleeding|soak\w+ (?:\w+ ){0,4}pads?)\b"),
    _s("headache",
       r"\b(?:worst (?:\w+ ){0,2}headache|worst (?:\w+ ){0,3}(?:of|in) (?:my|your|his|her|the) (?:whole )?life"
       r"|thunderclap|sudden(?:,)? severe headache"
       r"|severe headache (?:\w+ ){0,6}(?:vision|confus\w+))\b"),
    _s("meningitis",
       _near(r"fever\w*|high temp\w*|headache|rash|light hurts|photophobia|vomit\w*",
             r"stiff neck|neck (?:is |feels |was )?(?:very )?stiff\w*|neck stiffness", 10),
       rf"\b(?:rash|spots) (?:\w+ ){{0,5}}(?:do(?:es)?(?:n(?:'|\u2019)t| not)|won(?:'|\u2019)t|not) (?:fade"
       rf"|fading|blanch|go away|disappear)"
       rf"(?: (?:\w+ ){{0,6}}(?:glass|press\w*))?|non-?blanching|{_near(r'purple (?:rash|spots)', _FEVER, 10)}"),
    _s("overdose",
       r"\b(?:overdose[d]?|(?:took|taken|swallowed|ate|drank|ingested) (?:\w+ ){0,6}(?:too many"
       r"|whole (?:bottle|packet|box|strip)|entire bottle|bleach|antifreeze|batter(?:y|ies)|(?:\d{2,}|twenty|thirty"
       r"|forty|fifty) (?:\w+ )?(?:pills?|tablets?|capsules?)(?! so far)))\b"),
    _s("unresponsive",
       r"\b(?:unresponsive|unconscious|passed out|won(?:'|\u2019)t wake up|cannot be woken"
       r"|can(?:'|\u2019)t wake|not waking up|hard to wake|collapsed|seizure (?:\w+ ){0,6}(?:minutes"
       r"|won(?:'|\u2019)t stop|not stopp\w+)|first seizure)\b"),
    _s("infant-fever", _near(_YOUNG, _FEVER), rf"(?:{_FEVER})[^.!?\n]{{0,12}}(?:\.\d)?[^.!?\n]{{0,40}}(?:{_YOUNG})"),
    _s("pregnancy",
       _near(r"pregnan\w+|gestation|trimester",
             rf"bleeding|severe (?:headaches?|abdominal pain)|bad headaches?|{_VISION}|swollen (?:face|hands)"
             rf"|sudden swelling"
             r"|pain (?:under|below) (?:\w+ ){0,2}ribs|(?:upper|right) (?:\w+ ){0,2}(?:abdominal|tummy|belly) pain"
             r"|(?:one[- ]sided|lower|sharp|severe) (?:\w+ ){0,3}(?:pain|cramps?)|shoulder[- ]?(?:tip)? pain"
             r"|baby (?:\w+ ){0,3}(?:not moving|stopped moving|moving less|moved)"),
       r"\b(?:baby (?:has )?(?:not moved|stopped moving)|(?:no|decreased|reduced|fewer|less) (?:fetal "
       r"|baby )?(?:movements?|kicks))\b",
       _near(r"missed period|positive (?:pregnancy )?test|coil|iud", r"(?:one[- ]sided|sharp"
       r"|severe) (?:\w+ ){0,3}pain"
             r"|shoulder[- ]?(?:tip)? pain", 12)),
    _s("cauda-equina",
       r"\b(?:saddle (?:numbness|an(?:a)?esthesia))\b", rf"\b(?:{_SADDLE})\b", _near(_BACK, _BLADDER)),
    _s("neutropenic-fever", _near(r"chemo\w*", _FEVER)),
    _s("abdomen", r"\b(?:severe (?:abdominal|stomach|belly|tummy) pain|rigid (?:abdomen|belly)"
    r"|board-like (?:abdomen|belly))\b"),
    _s("torsion",
       r"\b(?:(?:testic\w+|testis|testes|scrot\w+) (?:\w+ ){0,5}(?:pain\w*|hurt\w*|swoll?\w*|swelling|tender"
       r"|sore|agony)"
       r"|(?:pain\w*|swelling|swollen|tender|agony|ache|aching) (?:\w+ ){0,4}(?:testic\w+|testis|testes|scrot\w+)"
       r"|sudden (?:\w+ ){0,3}testic\w+)\b"),
    _s("ketoacidosis",
       r"\b(?:(?:fruity|pear[- ]?drops?|acetone)(?:[- ]\w+){0,3} breath|breath (?:\w+ ){0,3}(?:fruity"
       r"|pear[- ]?drops?|acetone)"
       r"|ketones? (?:\w+ ){0,5}(?:high|large|positive|moderate|[2-9]\.\d|\+{2,4}|[3-9]\b))",
       _near(r"type (?:1|one) diabet\w*|insulin pump|blood (?:sugars?|glucose)(?: \w+){0,3} (?:[2-4]\d(?:\.\d)?"
       r"|[3-9]\d\d)",
             r"vomit\w*|throwing up|drowsy|deep breath\w*", 12)),
    _s("sepsis",
       r"\b(?:sep(?:sis|tic)|mottled|blotchy (?:\w+ )?skin|rigors|shaking chills)\b",
       _near(_FEVER, r"confus\w+|clammy|breathing (?:very )?fast|rapid breathing|very drowsy"
       r"|not passed (?:any )?urine", 10)),
    _s("head-injury",
       r"\b(?:head injur\w+|(?:hit|banged|bumped|knocked|struck|cracked|blow to) (?:\w+ ){0,3}head"
       r"|head (?:\w+ ){0,3}(?:hit|struck)"
       r"|(?:knock|bump|bang) (?:on|to) (?:\w+ )?head|fell (?:\w+ ){0,5}(?:on|onto) (?:\w+ )?head)\b",
       with_anticoagulant=True),
    _s("clot",
       r"\b(?:coughing blood|one (?:leg|calf) (?:\w+ ){0,4}(?:swoll?en|swelling|swelled))\b",
       _near(r"(?:calf|leg)s? (?:\w+ ){0,4}swoll?\w+|(?:swollen|sore|painful) (?:\w+ ){0,3}(?:calf|leg)",
             r"short of breath|breath\w*|winded|chest", 16)),
    _s("vision",
       r"\b(?:sudden(?:ly)? (?:\w+ ){0,3}(?:vision loss|loss of vision|los\w+ (?:my |his |her |your )?(?:vision"
       r"|sight)"
       r"|blindness)|curtain (?:\w+ ){0,4}(?:vision|eye))\b"),
    _pair("heart-attack", _CHEST,
          r"(?:left|both|right|down) (?:\w+ )?arms?|(?:to|into|and|or) (?:\w+ ){0,2}jaw|jaw (?:pain|ache)|sweat\w*"
          r"|clammy"
          r"|diaphore\w+|grey|ashen"),
    _pair("aortic-tear",
          r"(?:ripping|tearing|shearing)(?:[- ]like)?(?: \w+){0,2} (?:pain|sensation|feeling|ache)"
          r"|(?:pain|sensation|ache)(?:,? \w+){0,6} (?:ripping|tearing|shearing)|ripp(?:ing|ed) (?:through|apart)",
          r"chest|breast ?bone|back|shoulder blades|abdomen|abdominal|belly|tummy"),
    _pair("sudden-stroke",
          r"(?:mouth|face|facial|smile|cheek)(?: \w+){0,4} (?:droop\w*|sagg\w*|lopsided|dropped|crooked|slipped|uneven)"
          r"|(?:droop\w*|lopsided|crooked|uneven)(?: \w+){0,4} (?:mouth|face|smile)"
          r"|(?:slurr\w+|jumbled|garbled|muddled)(?: \w+){0,2} (?:speech|words)|slurring|dysphasi\w+|aphasi\w+"
          r"|hemipare\w+"
          r"|(?:speech|words)(?: \w+){0,4} (?:slurr\w*|jumbled|garbled|muddled|nonsense)"
          rf"|(?:{_CANNOT}|trouble|difficulty) (?:find\w*|get\w*) (?:the |her |his |your )?words(?: out)?"
          r"|(?:arm|leg|hand)(?: \w+){0,3} (?:gone|went|is|became|feels) (?:\w+ )?(?:weak|limp|dead|numb|useless"
          r"|heavy)",
          _SUDDEN),
    _pair("septic", rf"{_HOT}|hot(?! water| flush| bath| drink)|infect\w+|cellulitis|pneumonia|pyelonephritis",
          r"muddled|delirious|mottled|blotchy|clammy|ashen|grey|new confusion|confused|lactate (?:of )?[3-9]"
          rf"|breathing (?:very )?(?:fast|quick\w*)|not passed (?:any )?urine|(?:no|hardly any) urine|{_SHOCK}"),
    _pair("stiff-neck",
          r"stiff neck|neck (?:\w+ ){0,3}stiff\w*|nuchal rigidity|meningism\w*|chin (?:\w+ ){0,2}chest",
          rf"{_HOT}|photophobi\w+|light (?:hurts|bothers|is painful|makes)|(?:hat|dislik|avoid|mind"
          rf"|shy)\w* (?:\w+ ){{0,3}}"
          rf"lights?|purple|purpur\w+|petechia\w*|blotch\w*|{_DULLED}"),
    _s(
        "thunderclap",
        r"\b(?:(?:sudden|thunderclap|explosive)(?:,? \w+){0,3} headache|headache(?: \w+){0,4} (?:suddenly|in seconds"
        r"|out of the"
        r" blue|like (?:being )?(?:hit|struck|kicked))|worst[- ]ever headache)\b",
        acute=True,
    ),
    _s("fixed-rash",
       r"\b(?:(?:spots|rash|marks|blotches|bruises)(?:,? \w+){0,5} (?:stay\w*|remain\w*|still|visible|show\w*"
       r"|persist\w*)"
       r"(?: \w+){0,8} (?:glass|tumbler|press\w*)|non-?blanching|purpuric rash|petechial rash)\b", acute=True),
    _pair("ectopic", _LATE_PERIOD, rf"{_ONE_SIDE}|{_FAINT}|collaps\w+"),
    _pair("pre-eclampsia", _EXPECTING,
          rf"{_HIGH_PRESSURE}|{_VISION}|zig-?zags?|(?:pounding|severe|splitting|thumping|blinding) headache"
          r"|pain (?:under|below|beneath)(?: \w+){0,2} ribs|epigastric pain|right upper quadrant pain|RUQ (?:pain"
          r"|tender\w*)"
          r"|baby (?:\w+ ){0,3}(?:not moved|not moving|stopped moving|mov(?:es?|ed|ing) less|quieter)"
          r"|(?:fewer|reduced|less|no) (?:f(?:o)?etal |baby )?(?:kicks|movements?)"),
    _pair("hypertensive-emergency", r"(?:1[89]\d|2\d\d) ?(?:/|over) ?1[2-6]\d",
          rf"{_VISION}|headache|{_DULLED}|{_CHEST}|short of breath"),
    _pair("black-stool-unwell", _BLACK,
          rf"{_FAINT}|{_SHOCK}|pale|clammy|breathless|naproxen|ibuprofen|diclofenac|aspirin|warfarin|apixaban"
          r"|rivaroxaban|edoxaban|dabigatran|clopidogrel"),
    _s("means-at-hand",
       r"\b(?:(?:pills|tablets|capsules|rope|gun|blades?|knife|insulin)(?: \w+){0,5} (?:lined up|counted out|laid out"
       r"|(?:at the |all )?ready|stashed|saved up|hidden away)|(?:lined up|counted out|laid out|stockpil\w+|hoard\w+)"
       r"(?: \w+){0,4} (?:pills|tablets|capsules)|(?:pictur\w*|imagin\w+|think\w*(?: of| about)?|thoughts? (?:of|about)"
       r"|plan\w*(?: to| on)?|wants? to|going to) end(?:ing)? (?:it|things)\b"
       r"|(?:written|wrote|writing|left) (?:a |his |her )?(?:goodbye|farewell|suicide)|sav(?:ed|ing) up (?:my|your"
       r"|his|her) (?!money|wages)\w+|(?:giv\w+|gave) away (?:all )?"
       r"(?:my|your|his|her|their) (?:\w+ )?(?:things|possessions|belongings|pets?))", acute=True),
    _pair("clot-on-the-lung",
          r"(?:sharp|stabbing|sudden|knife-like|catching)(?: \w+){0,4} (?:pain|stitch)(?: \w+){0,5} (?:breath\w*"
          r"|inhal\w+"
          r"|inspiration)|pleuritic|h(?:a)?emoptysis|cough\w*(?: \w+){0,6} blood|blood[- ](?:streaked"
          r"|stained) (?:sputum"
          r"|phlegm)|(?:sudden\w*|new)(?: \w+){0,2} (?:breathless\w*|short(?:ness)? of breath|SOB|dyspn(?:o)?ea)",
          rf"{_CALF}|{_STILL}|{_LOW_OXYGEN}|{_PULSE}"),
    _pair("swollen-calf", r"(?:calf|leg)(?: \w+){0,4} (?:swoll?\w+|bigger)|swollen(?: \w+){0,3} calf",
          rf"{_STILL}|short of breath|breathless\w*|winded|chest pain"),
    _pair("severe-asthma",
          r"asthma\w*|(?:blue |reliever |rescue )?(?:inhaler|puffer)|reliever|salbutamol|albuterol|ventolin|wheez\w+"
          r"|nebuli[sz]\w+",
          r"every (?:half(?: an)? hour|hour|(?:\d\d|ten|fifteen|twenty|thirty) min\w*|(?:few|couple of) minutes)"
          r"|(?:two|three|four|few|single|one)(?: or \w+)? words?(?: \w+){0,3} (?:breath\w*|time)"
          r"|words? between breaths"
          rf"|{_CANNOT} (?:finish|complete|speak|talk|say)(?: \w+){{0,3}} (?:sentences?|words?)|too breathless to"
          rf"|silent chest"
          rf"|(?:lips|fingers)(?: \w+){{0,3}} (?:blue|grey|dusky)|blue lips|peak flow[^.\n]{{0,25}} (?:[1-4]\d) ?%"
          rf"|{_LOW_OXYGEN}|(?:ribs|chest|neck)(?: \w+){{0,3}} (?:sucking|pulling) in|sucking in"),
    _s("laboured-child",
       r"\b(?:(?:ribs|chest|tummy|neck)(?: \w+){0,4} (?:suck|pull|draw)(?:s|ing)? in|sucking in(?: \w+){0,3} (?:ribs"
       r"|chest)"
       r"|grunt(?:s|ing) with (?:each|every) breath|nostrils (?:are )?flar\w+|(?:bulging|tense) (?:soft spot"
       r"|fontanel\w*)"
       r"|soft spot (?:is |looks )?bulging|(?:green|bilious|bile-stained) vomit\w*|vomit\w* (?:green"
       r"|bile))\b", acute=True),
    _pair("unwell-infant", _YOUNG,
          r"floppy|limp|too sleepy to feed|(?:won(?:'|\u2019)t|not|refus\w+|stopped) (?:wak\w+|feed\w*)"
          r"|no wet (?:nappies|diapers?)|reading of (?:3[89]|10[0-4])(?:\.\d)?"),
    _pair("head-injury-unwell", _HEAD,
          rf"{_SICK}|{_DULLED}|(?:lost|loss of) consciousness|knocked out|LOC\b|clear fluid|fit\b|seizure|amnesia"
          r"|worsening headache|(?:one|unequal) pupils?"),
    _s("head-injury-thinned", rf"\b(?:{_HEAD})\b", with_anticoagulant=True, acute=True),
    _s("falling-curtain",
       r"\b(?:(?:sight|vision|eye)(?:,? \w+){0,8} (?:curtain|shutter|veil|blind coming down)"
       r"|(?:curtain|shutter|veil|shadow|black cloud)(?:,? \w+){0,8} (?:sight|vision|eye)"
       r"|shower of (?:new |black )?(?:floaters|spots)|(?:sudden\w*|new)(?: \w+){0,3} (?:floaters|flashes)"
       r"|(?:sight|vision)(?: \w+){0,5} (?:went|gone|vanish\w*|disappear\w*|blacked)(?: \w+)?"
       r"|amaurosis|(?:suddenly|overnight)(?: \w+){0,3} (?:blind|lost(?: \w+)? (?:sight|vision)))\b", acute=True),
    _pair("temporal-arteritis", r"(?:temple|temporal|scalp)(?: \w+){0,4} (?:tender\w*|pain\w*|sore\w*|ach\w+|headache)",
          rf"{_VISION}|jaw (?:pain|ach\w+|claudication|tires)|pain(?: \w+)? (?:chew\w+)|(?:sight|vision)(?: \w+){{0,4}}"
          r" (?:gone|dim\w*|grey\w*|lost|blur\w*)"),
    _s("saddle-numb",
       r"\b(?:(?:can(?:'|\u2019)?t|cannot|don(?:'|\u2019)t|do not|barely|hardly|no longer|unable to|couldn(?:'"
       r"|\u2019)t)"
       r" (?:really )?feel (?:\w+ ){0,5}(?:wip\w+|toilet paper|toilet roll|(?:the )?seat|passing (?:urine|stool))"
       r"|(?:numb\w*|reduced (?:feeling|sensation)|altered sensation)(?: \w+){0,4} (?:when(?: \w+)? wip\w+|wiping"
       r"|perian\w+"
       r"|perine\w+)|(?:perian\w+|perine\w+|saddle)(?: \w+){0,2} (?:numb\w*|an(?:a)?esth\w+|sensory loss"
       r"|paraesth\w+))\b",
       acute=True),
    _pair("cord-compression",
          r"(?:both|weak|heavy|wobbly) legs|legs?(?: \w+){0,3} (?:weak\w*|giving way|numb)|bilateral sciatica",
          _BLADDER),
    _pair("neutropenic",
          r"chemo\w*|neutrop(?:a)?eni\w*|(?:white|blood|neutrophil)s? (?:cell )?counts?(?: \w+){0,3} low|docetaxel"
          r"|FOLFOX"
          r"|R-?CHOP|paclitaxel", _HOT),
    _s("many-tablets",
       rf"\b(?:(?:swallowed|taken|took|ate|downed|necked|ingested) (?:\w+ ){{0,3}}?(?:{_MANY}|a handful of"
       rf"|a dozen)"
       rf"(?! ?(?:m?c?g|grams?|micro\w*|milli\w*|ml|units?|iu)\b)(?: \w+){{0,2}}? (?:{_PILLS})(?! (?:over|so far"
       rf"|a (?:week|month)|for))"
       rf"|(?:ingestion|overdose) of (?:\w+ )?(?:{_MANY})(?: \w+){{0,2}} (?:{_PILLS}))\b", acute=True),
    _pair("torsion-acute",
          r"(?:testic\w+|testis|scrot\w+|balls?)(?: \w+){0,5} (?:pain\w*|hurt\w*|agon\w*|excruciat\w*|tender|swoll?\w*)"
          r"|(?:pain\w*|agon\w*|swollen|tender|aching)(?: \w+){0,4} (?:testic\w+|testis|scrot\w+)",
          rf"{_SUDDEN}|{_SICK}|(?:riding|sitting|lying|pulled) (?:up )?high\w*|high[- ]riding"),
    _pair("airway-allergy",
          r"(?:lips?|tongue|throat|face|eyelids)(?: \w+){0,4} (?:swell\w*|swollen|puff\w+|tingl\w+|tight\w*)"
          r"|(?:swollen|swelling|puffy)(?: \w+){0,4} (?:lips?|tongue|throat|face)|hives|urticaria\w*",
          rf"wheez\w*|hoarse\w*|husky|voice(?: \w+){0,3} (?:chang\w*|odd|muffled)|stridor|(?:hard|trouble|difficulty"
          rf"|struggling)(?: \w+)? (?:to )?(?:breath\w*"
          rf"|swallow\w*)"
          rf"|short of breath|throat (?:\w+ ){{0,2}}(?:clos|tight)\w*|{_LOW_OXYGEN}"),
    _pair("ketones",
          r"ketones?(?: \w+){0,3} (?:[3-9]\.\d|large|\+{2,4})|(?:sugars?|glucose|BM|CBG)(?:[ :=]| of| was| is| are"
          r"| at){0,3}"
          r"(?:1[6-9]|[23]\d)(?:\.\d)?(?! ?mg)|(?:sugars?|glucose)(?:[ :=]| of| was| is){0,3}(?:[3-9]\d\d)",
          rf"{_SICK}|{_DULLED}|breathing (?:fast|deep\w*|hard)|deep(?:,? \w+)? breath\w*|tummy (?:ache|pain)|ketones?"
          r"|abdominal pain|(?:fruity|pear drops?|acetone)"),
    _pair("cold-limb", r"(?:cold|pale|white|dusky|blue|mottled)(?:,? \w+){0,4} (?:leg|foot|arm|hand)"
          r"|(?:leg|foot|arm|hand)(?: \w+){0,3} (?:cold|pale|white|dusky)",
          r"(?:no|absent|lost|weak)(?: \w+){0,2} pulses?|pulseless\w*|sudden\w*(?: \w+){0,3} (?:pain\w*|numb\w*)"),
)  # fmt: skip
