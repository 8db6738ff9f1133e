"""What a text states about the person: age, sex, weight, pregnancy, kidney and liver function.

Only what is said of one person, plainly: general advice ("adults over 65", "if you are pregnant", "eGFR below 30")
states nothing, and two different values of one fact state nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

_T = TypeVar("_T")
_N = r"(\d{1,3}(?:\.\d{1,2})?)"
_WORD_NUMBER = {
    word: value
    for value, word in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty",
        )
    )
}
_ORDINALS = re.findall(
    r"\w+",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
)
_ORDINAL = {word: value for value, word in enumerate(_ORDINALS, 1)}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40}
_UNITS = {word: value for word, value in _WORD_NUMBER.items() if 1 <= value <= 9}
_WORD_NUMBER |= {"thirty": 30, "forty": 40}
_ORDINAL |= {"thirtieth": 30, "fortieth": 40}
for _ten, _tens in _TENS.items():
    _WORD_NUMBER |= {f"{_ten}{gap}{unit}": _tens + value for unit, value in _UNITS.items() for gap in "- "}
    _ORDINAL |= {f"{_ten}{gap}{_ORDINALS[v - 1]}": _tens + v for v in _UNITS.values() for gap in "- "}
_COUNTED = "|".join(sorted(_WORD_NUMBER, key=len, reverse=True))
_NW = rf"({_COUNTED}|\d{{1,3}}(?:\.\d{{1,2}})?)"
_NTH = rf"({'|'.join(sorted(_ORDINAL, key=len, reverse=True))}|\d{{1,2}}(?:st|nd|rd|th))"
_SEX = r"(?:(male|man|boy|gentleman|m|son|female|woman|girl|lady|f|daughter)(?![\w'-]))"
_MALE = frozenset({"male", "man", "boy", "gentleman", "m", "son"})

_AGE = re.compile(
    rf"(?<![\w.,/-]){_NW}[ -]?(year|yr|y|month|mo|week|wk|day)s?[ -]?/?(?:old|o(?![a-z])|of age)"
    rf"(?:,? (?:(?:\w+|african[- ]american)[ -]){{0,3}}?{_SEX})?"
)
_AGE_WORD = re.compile(
    rf"\b(?:aged?|age is|age:|age of)[ :]{{1,2}}{_NW}(?: (years?|months?|weeks?|"
    rf"days?))?(?! ?(?:kg|lb|mg|%|hours?|times|to|-|and (?:older|over|up)|or (?:older|"
    rf"over|younger))\b)(?!\d|\.\d)"
)
_AGE_BARE = re.compile(
    rf"\b(?:pt|patient|child|infant|baby|toddler|boy|girl|son|daughter|kid|newborn)(?: is| was|:|,)? ?\(?{_NW}"
    r"[ -]?(years?|yrs?|y|months?|mos?|m|weeks?|wks?|days?|d)(?![\w/'-])"
    r"(?! (?:ago|later|course|of|supply|for|post|s/p|history|follow|into|after|since|pregnant|gest|along|with no))"
    rf"|^{_NW}[ -]?(years?|yrs?|y|months?|mos?|weeks?|wks?)(?:,| [mf]\b| (?:male|female|boy|girl)\b)(?! (?:ago|later))"
)
"""An age beside the person it is of, without "old": "pt 14 mo", "your son (18 months)"."""
_NAMED_AGE = re.compile(
    r"\b(?:for|gave|give|see|saw|seeing|about|re|regarding|son|daughter|baby|child|patient"
    r"|little)[ :]+([a-z][a-z'-]{1,14})"
    r"(?: [a-z]'?[a-z-]{1,14})? \((\d{1,2})(?: (years?|yrs?|y|months?|mos?|weeks?|wks?|days?)(?: old)?)?\)"
)
"""A name and an age in brackets: "for Mia (9)"."""
_AGE_SEX = re.compile(r"(?<![\w.,/-])(\d{1,3}) ?(?:y/?o |yo )?([mf])(?![\w'/-])")
_SEX_SAID = re.compile(
    r"\b(?:patient|pt|he|she|this|who) (?:is|was) an? (?:\w+ ){0,3}?(male|man|boy|"
    r"gentleman|female|woman|girl|lady)(?![\w'])|"
    r"\b(?:sex|gender)[ :]+(male|female|m|f)\b|\b(?:i am|i'm) an? (?:\w+ ){0,2}?(man|woman|male|female)\b|"
    r"\b(?:a|an|this) (?:\w+ ){0,3}?(male|female) (?:patient|pt)\b"
)
_AGE_EXCLUDED = re.compile(
    r"(?:\b(?:under|over|younger than|older than|below|above|at least|less than|more "
    r"than|greater than|up to|until|than|from|between|to|or|before|after|by|ages?|since|"
    r"for|children|adults|kids|infants)"
    r"(?: the)?(?: ages?)?(?: of)?|[<>]=?|-|≥|≤) ?$"
)
_AGE_EXCLUDED_AFTER = re.compile(
    r"[ ,]{0,3}(?:and|or) (?:older|over|above|up|younger|under|below)|[ ,]{0,3}(?:-|to) ?\d"
)
_WEIGHT_CUE = re.compile(
    rf"\b(?:weigh(?:s|ing|ed)?|weight|wt|body weight|bw)(?: (?:is|was|of|about|"
    rf"approximately|currently|now|today)){{0,4}}[ :=~]*{_N} ?-?(kgs?|kilos?|kilograms?|lbs?|"
    rf"pounds?|#)(?![\w/])"
)
_WEIGHT_PERSON = re.compile(
    rf"(?<![\w.,/-]){_N}[ -]?(kgs?|kilos?|kilograms?|lbs?|pounds?)[ -](?:\w+[ "
    rf"-]){{0,2}}?(?:child|patient|adult|man|woman|boy|girl|infant|toddler|kid|baby|son|"
    rf"daughter|male|female|person|pt|teen\w*)\b"
)
_WEIGHT_LISTED = re.compile(
    rf"(?:old|\d ?y/?o|\bage[d:]? \d{{1,3}}|[\d)](?:m|f)|(?:yo|y/o|yrs?|\d y) (?:m|f)|boy|girl|man|woman"
    rf"|male|female|child|"
    rf"infant|son|daughter|kid|baby)(?: who is| is)?[ ,(]+(?:who )?(?:weighs? )?{_N} "
    rf"?-?(kgs?|kilos?|kilograms?|lbs?|pounds?)(?![\w/])"
)
_WEIGHT_EXCLUDED = re.compile(
    r"\b(?:lost|lose|gained|gain|losing|gaining|birth|ideal|target|goal|per|if|under|"
    r"over|less than|more than|at least|than|over|up to|between)(?: \w+){0,2} ?$"
)
_HEIGHT = re.compile(rf"\b(?:height|ht)(?: is| of)?[ :=]*{_N} ?cm\b|(?<![\w.]){_N} ?cm tall\b")
_WEEKS = re.compile(
    rf"(?<![\w.,/-])({_COUNTED}|\d{{1,2}})"
    r"(?:\+\d|[ -]?\d/7| ?(?:and|&) \d/7)?[ -]?(?:weeks?|wks?|"
    r"w)(?:'s|'|s')?(?: ?(?:and )?\d ?(?:days?|d))?[ -,]*(?:pregnant|gestation(?:al)?|"
    r"of pregnancy|pregnancy|of gestation|along(?! with)|gravid|ga\b|iup|into (?:the|her|your|this"
    r"|my)(?: (?:current"
    r"|first|second"
    r"|third|fourth|1st|2nd|3rd|4th))? pregnancy)|"
    r"\b(?:gestational age|gestation|ega|ga|pregnant|pregnancy|gravida|iup)(?: (?:is|of|at|"
    r"currently|now)){0,4}[ :,(]*(?:at )?(\d{1,2})(?:\+\d)? ?-?(?:weeks?|wks?|w)(?!\w*ly)|"
    r"\bg\d{1,2} ?p\d{1,4}\b[ ,]*(?:\w+ ){0,2}?(?:at |@ ?)?(\d{1,2})(?:\+\d)? ?-?(?:w|"
    r"wks?|weeks?)(?:\d ?d)?(?![a-z])"
)
_GESTATION = re.compile(
    r"(?<![\w.,/+-])(\d{1,2}) ?(?:w|wks?|weeks?) ?\+? ?[0-6] ?(?:d|days?)(?![\w-])"
    r"|(?<![\w.,/+-])(\d{2})\+[0-6](?![\w/.])"
)
"""Weeks and days, as only a pregnancy or a newborn is counted: "24w2d", "31+4"."""
_BORN = re.compile(
    r"\b(?:born|birth|delivered|preterm|premature|ex|former|neonate|newborn|infant|baby|nicu|corrected|old)\b"
)
_WEEKS_NOW = re.compile(
    rf"\b(?:you are|you're|she is|she's|i am|i'm|currently|now) (?:now |about |almost |only )?{_NW} (?:weeks|wks?)"
    r"(?=[.,;)]|$| (?:and|so|today|with)\b| (?:i|we) )"
)
_OBSTETRIC = re.compile(
    r"\b(?:pre-?eclampsia|eclampsia|gestational|gdm|prenatal|antenatal|obstetric\w*|fetal|fetus|gravida|primigravida"
    r"|hyperemesis|morning sickness|placenta\w*|pprom|prom|preterm labou?r|tocolysis|g\d{1,2} ?p\d|trimester"
    r"|growth scan|anomaly scan|ob (?:visit|clinic|follow-?up)|intrauterine pregnancy|iup)\b"
)
_WEEKS_NEAR = re.compile(
    rf"(?<![\w.,/-])({_COUNTED}|\d{{1,2}}) ?(?:weeks|wks?|w)(?![\w-])(?! (?:ago|later|old|post|after|of (?!gest)))"
)
_WEEK_ORDINAL = re.compile(
    rf"\b(?:now |already |currently )?(?:in|into|entering|reached|reaching) (?:her|your|my|the) {_NTH} week"
    r"(?: of (?:her |your |my |the |this )?(?:pregnancy|gestation))?(?= ?(?:[.,;:)]|$)| (?:and|with|of|so|i|we"
    r"|now)\b)(?! of "
    r"(?!her preg|your preg|my preg|the preg|this preg|preg|gest))"
    rf"|\b(?:at|from|since) (?:her|your|my) {_NTH} week (?:of pregnancy|of gestation)\b"
)
_WEEKS_GONE = re.compile(
    rf"\b(?:is|are|am|'s|'re|'m|being|currently|now|already|only|about|nearly|almost) (?:now |about |only "
    rf"|already |nearly "
    rf"|almost |just )?{_NW} (?:weeks|wks) gone\b"
)
"""As a pregnancy is counted in speech: "six weeks gone"; not "two weeks gone by" of anything else."""
_ASIDE = re.compile(
    r" who (?:is|are|was|were) (?:looking after|caring for|seeing|following|now|currently|just) "
)
"""A clause in commas that tells of the person rather than of whoever it may concern."""
_OTHER_WEEKS = re.compile(
    r"\b(?:review\w*|follow\w*|post-?op\w*|after|since|follow-?up|taper\w*|course|therapy|treatment|cycle"
    r"|chemo\w*|trial"
    r"|study|score|hba1c|a1c|recheck|repeat|surgery|rehab\w*|sober|abstinent|titrat\w*|wean\w*|post-?partum"
    r"|postnatal"
    r"|response|remission|outcomes?|relapse|weight loss|percent|months? old|immuni[sz]\w*|kg|child|boy|girl"
    r"|endpoint|vaccin\w*|clinic visit|radiotherapy|work|job|leave|training)\b"
)
_AT_WEEKS = re.compile(rf"\bat {_NW} (?:weeks|wks)(?: with (?:an? |your |her |severe |new )|[:,]|$)")
"""Weeks a person is at, rather than what is planned for then: only above twelve, where nobody counts a drug so."""
_UNTIL_BABY = re.compile(
    r"\b(?:until|till|before|when) (?:the|your|her|my|our) (?:baby|twins|little one) (?:comes|arrives|is born"
    r"|is here"
    r"|is delivered|is due)\b|\buntil (?:the birth|she delivers|you deliver|you give birth|she gives birth)\b"
)
_LAST_PERIOD = re.compile(
    rf"\b(?:lmp|last (?:menstrual )?period|last menses)(?: was| is|:)?(?: about"
    rf"| approximately)? {_NW} ?"
    r"(weeks?|wks?|w|months?) ago"
)
_TESTED = re.compile(
    r"\b(?:b-?hcg|beta-?hcg|\u03b2-?hcg|hcg|upt|upreg|pregnancy tests?|test for pregnancy"
    r"|home (?:pregnancy )?test|monthly (?:pregnancy )?test)"
    r"(?: \w+){0,4}? ?(?:positive|pos\b|\+)|\bpositive (?:home |urine |blood |serum )?(?:pregnancy test|b?-?hcg|upt)"
    r"|\btwo (?:pink )?lines\b"
)
_TOLD_POSITIVE = re.compile(
    rf"\btest (?:was|is|came back|has come back) positive[ ,;:!-]{{1,4}}(?:and |so |at |you(?:'re| are) "
    rf"|she(?:'s| is) |about ){{0,2}}"
    rf"{_NW} (?:weeks|wks)\b(?! ago)"
)
"""A test with a count of weeks is of pregnancy: "the test was positive, nine weeks already"."""
_DUE = re.compile(
    rf"\b(?:baby is |you are |you're |she is |she's |i'm )?(?:due|edd) in {_NW} (weeks?|months?)\b"
)
_EXPECTING = re.compile(
    r"\b(?:expecting (?:a baby|a child|twins|her|your|my|our|in (?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december|spring|summer|autumn|fall|winter))|(?:mother|mom|mum)-to-be"
    r"|with child(?![ -]?(?:pugh|turcotte|class|'s|[abc]\b))"
    r"|baby is due|gravid)\b"
)
_MONTHS_PREGNANT = re.compile(rf"\b{_NW}[ -]months? pregnant\b")
_TRIMESTER = re.compile(
    r"\b(?:in|is in|entering|now)(?: (?:my|her|your))? (first|1st|second|2nd|third|3rd) trimester\b"
    r"|\b(first|1st|second|2nd|third|3rd)[ -]trimester (?:of (?:her|your|my|this) )?pregnan"
    r"|(?:^|[,;(] ?|[mf] |year-old |woman |patient )(first|1st|second|2nd|third|3rd) trimester(?=[,;:.)]|$)"
)
_TRIMESTER_WEEK = {"first": 8, "1st": 8, "second": 14, "2nd": 14, "third": 28, "3rd": 28}
_PREGNANT = re.compile(
    r"\b(?:is|am|i'm|she's|patient's|currently|you are|you're|being|who is|as you are|"
    r"since you are|and|now|since she is|because she is|an?|this|my|our) (?:\w+ "
    r"){0,2}?pregnant\b(?! (?:women|people|patients|persons|individuals))|"
    r"\bpregnant (?:woman|patient|female|lady|wife|mother|with (?:her|my|twins))\b|"
    r"\bg\d{1,2} ?p\d{1,4}\b|\byour pregnancy\b|\bher (?:current )?pregnancy\b|"
    r"\b(?:in|during|into|with|of) this pregnancy\b|\binto (?:her|your|my) (?:\w+ )?pregnancy\b|"
    r"\b(?:pregnant|pregnancy)[ :=]+(?:yes|true|positive|confirmed|ongoing)\b|\b(?:iup|intrauterine pregnancy)\b|"
    r"^pregnant\b|[,;] pregnant\b"
)
_NOT_PREGNANT = re.compile(
    r"\b(?:not|isn't|denies being|denies|no chance of being) (?:currently )?pregnan(?:t|"
    r"cy)\b|\bnegative pregnancy test\b|\bpregnancy test (?:is |was |came back "
    r")?negative\b|\bpost-?menopausal\b|\bpregnan(?:cy|t)[ :]+(?:no|none|negative|false)\b|"
    r"\b(?:hcg|upt|pregnancy test)(?: (?:is|was|today|came back)){0,2}[ :]*(?:negative|neg\b)|\bno pregnancy\b"
)
_LACTATING = re.compile(
    r"\b(?:you are|you're|i'm|i am|she is|she's|pt|patient|mother|mom|mum) (?:is )?(?:still |currently |exclusively )?"
    r"nursing\b(?! (?:home|facility|staff|school|student|degree|shift|notes?|care|unit|assess\w*|a (?:drink"
    r"|beer|cold)))|"
    r"\bpt (?:is )?(?:still )?(?:breast-?feeding|lactating)\b|\bbreast-?fed (?:infant|baby|newborn|son"
    r"|daughter|child)\b|"
    r"\b(?:keep|continue|go on|carry on|resume) (?:to )?(?:breast-?feed\w*|nurs(?:e|ing) (?:the|your|her|him|on))\b|"
    r"\bnursing (?:her|an?|the)? ?(?:newborn|infant|baby|twins|\w+[ -](?:week|month|day|mo|wk)s?[ -]old)\b|"
    r"\bpost-?partum(?: day \d+| \w+ weeks?)?,? (?:and )?(?:breast-?feeding|nursing|lactating)\b|"
    r"\b(?:is|am|i'm|she's|currently|you are|you're|who is|still|and) (?:currently |"
    r"still |exclusively )?(?:breast-?feeding|lactating|nursing (?:her|my|a|an|the))\b|"
    r"\b(?:lactating|breast-?feeding|nursing) (?:mother|mom|mum|woman|patient|female)\b(?! s)|"
    r"^(?:lactating|breast-?feeding)\b[ ]*(?:[:;,.(]|$)|[,;] (?:lactating|breast-?feeding)\b|"
    r"\b(?:lactation|breast-?feeding)[ :=]+(?:yes|active|current|ongoing)\b|"
    r"\b(?:she|mother|mom|mum|i) (?:breast-?feeds|nurses)\b|\bher breast-?fed\b|"
    r"\b(?:is|am|i'm|she's|you're|you are) (?:pumping|expressing) (?:breast ?milk|milk)\b"
)
_INFANT = re.compile(
    rf"\b(?:nursing|breast-?fe\w+|breast-?fed|feeding|lactating)\b[^.;\n]{{0,40}}?(?<![\w.,/-]){_NW}[ -]?"
    rf"(day|week|wk|month|mo)s?[ -]?old\b"
    rf"|(?<![\w.,/-]){_NW} ?(day|week|wk|month|mo)s? post-?partum\b"
)
_NOT_LACTATING = re.compile(
    r"\bnot (?:currently |yet |now )?(?:breast-?feeding|lactating|nursing)\b|\b(?:formula"
    r"|bottle)[- ](?:fed|feeding|feeds)\b"
    r"|\b(?:stopped|finished|no longer|has weaned|weaned|declines?|denies) (?:from )?(?:breast-?feeding"
    r"|nursing|lactating|the baby)\b"
)
_EGFR = re.compile(
    rf"\b(?:(e-?gfr|gfr|glomerular filtration rate)|crcl|cr ?cl|creatinine clearance|"
    rf"ccr)(?: (?:is|was|of|at|now|currently|today|level|about|approximately|around|has "
    rf"(?:fallen|dropped|declined) to|down to|calculated(?: at)?|(?:has )?(?:settled|stabili[sz]ed|plateaued"
    rf"|stuck|sits|sitting|hovers|hovering|runs|running) (?:at"
    rf"|around|about)|(?:has )?(?:fell|come down|gone down|slipped|sunk|improved|recovered|risen) to|reads"
    rf"|came back"
    rf"(?: at| as)?|just|only)){{0,4}}[ :=~(]*{_N}(?![\d.]*\d)(?! ?(?:-|to) ?\d)"
)
_KIDNEY_NUMBER = re.compile(
    r"\b(?:kidney|renal)[- ](?:filter(?:ing|ation)?|function|clearance)(?: (?:number|rate|score|level|test"
    r"|result|blood "
    r"test)){0,2}(?: \(?e?gfr\)?)?(?: (?:is|was|has|at|of|now|currently|about|around|only|just|fallen|dropped"
    r"|gone|down"
    rf"|settled|to|come|back|reads|stands|from \d{{2,3}})){{0,5}}[ :=]*{_N}(?! ?(?:%|percent|per cent|mg"
    rf"|months?|weeks?|days?|years?|times?"
    r"|-|to|or|points?))(?![\d.]*\d)"
)
"""The eGFR as patients are told of it: "your kidney filter number is only 24"."""
_DIALYSIS = re.compile(
    r"\b(?:on|receiv\w+|undergo\w+|gets|getting|requires|requiring|undergoes|"
    r"maintenance|chronic|dependent on|start\w* on)(?: (?:chronic|maintenance|regular|"
    r"long-term|intermittent|home|thrice[- ]weekly|outpatient)){0,4}[ -](?:hemo|haemo|"
    r"peritoneal )?-?dialysis\b|\bdialysis[- ]dependent\b|\bon (?:hd|pd|ihd|crrt)\b|"
    r"\besrd on hd\b|"
    r"\b(?:you|she|he|i|patient|pt|who) (?:have|has|having|had|attends?|go(?:es)? (?:to|for)|come(?:s)? (?:in )?for"
    r"|do(?:es)?|am having|are having|is having) (?:(?:your|her|his|my|home|regular) )?(?:ha?emo"
    r"|peritoneal )?-?dialysis"
    r" (?:(?:on|every|each) (?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|mon|tues?|wed"
    r"|thu|fri|sat|night|other day|day|week)|(?:\w+ )?(?:times|days|sessions) (?:a|per|each) week|three times"
    r"|thrice|twice"
    r"|at home|overnight)\b|"
    r"(?:^|[|,;:(] ?|\b(?:patient|pt|esrd|eskd|ckd ?5|on) ?[:,-]? ?)(?:ha?emo|peritoneal "
    r"|ha?emo )?-?dialysis[ ,(]{0,2}(?:x ?\d"
    r"|\d ?x|\dx?/(?:wk|week|7)|(?:three|two|four|3|2|4) (?:times|days|sessions) (?:a|per|each|/) ?w|thrice|tiw"
    r"|tts|tths|mwf"
    r"|mon/wed)|"
    r"^(?:patient|pt|renal|kidneys?|problem|pmh|background|status)[ :]+(?:ha?emo"
    r"|peritoneal )-?dialysis(?= ?(?:$|[,;.(]|x))|"
    r"\b(?:after|following|before|post|between) (?:each |every |her |his |your )?(?:hemo|haemo)?dialysis (?:session|on|"
    r"treatment|days?)\b|\bdialysis[ :=]+(?:yes|true|m/?w/?f|t/?th/?s)|\bhd (?:(?:three|3|two|2) ?(?:x"
    r"|times) ?(?:a|per|/)? ?w(?:k|eek)?|x ?3|thrice|3/7|m/?w/?f|mwf|tths|t/?th/?s|tiw)\b"
)
_CHILD_PUGH = re.compile(
    r"\bchild(?:'?s)?(?:[- ]?(?:turcotte[- ]?)?pugh|(?= class\b| [bc](?![\w'-])))(?: (?:class|score|stage"
    r"|grade|category)){0,4}[ "
    r":=-]*([abc])(?![\w-])(?![ ,/]*(?:or|and|to|/|-|,)? ?[abc]\b)"
)
_GENERAL = re.compile(
    r"\b(?:if|unless|when|whenever|whether|in case|should you|who (?:is|are|might|may)|"
    r"(?:patients|people|women|men|those|anyone|individuals|adults|children|persons|"
    r"someone) (?:with|who|whose|on|over|under|that|are|receiving|undergoing)|"
    r"may be|might be|could be|become|becoming|trying to (?:get|become|be)|planning|"
    r"plan to|avoid in|caution in|contraindicated in|in (?:severe|moderate|mild)|for "
    r"example|e\.g\.|such as|once|until)\b"
)
_CONDITIONAL = re.compile(r"\b(?:if|unless|whether|in case|should you|when|once|until)\b")
_RELATIVE_TIME = re.compile(
    r"\b(?:after|before|from|beyond|until|past|over|since|starting at|by|than|at least|"
    r"prior to|up to|or|and|to|between|first|last|[<>]=?) ?(?:about )?$|[<>]=? ?$"
)
_POUND = Decimal("0.45359237")
_FAMILY = re.compile(
    r"\b(?:mother|father|mom|mum|dad|sister|brother|wife|husband|grandmother|"
    r"grandfather|grandma|grandpa|aunt|uncle|cousin|friend|family history|roommate|"
    r"neighbou?r)\b(?!'s (?:day|milk))"
)


@dataclass(frozen=True, slots=True)
class Person:
    """What one text says of the person; None where it says nothing or speaks of several."""

    age_years: Decimal | None = None
    age_days: int | None = None
    sex: str | None = None
    pregnant: bool | None = None
    pregnancy_weeks: Decimal | None = None
    lactating: bool | None = None
    infant_days: int | None = None
    weight_kg: Decimal | None = None
    height_cm: Decimal | None = None
    egfr: Decimal | None = None
    crcl: Decimal | None = None
    dialysis: bool | None = None
    child_pugh: str | None = None


def describe(parts: Iterable[str], names: frozenset[str] = frozenset()) -> Person:
    """Reads normalised sentences, each by itself; `names` are words that the text writes as names of people. Pure;
    raises nothing."""
    ages: list[Decimal] = []
    days: list[int] = []
    sexes: list[str] = []
    weights: list[Decimal] = []
    heights: list[Decimal] = []
    weeks: list[Decimal] = []
    egfrs: list[Decimal] = []
    crcls: list[Decimal] = []
    infants: list[int] = []
    childs: list[str] = []
    pregnant: list[bool] = []
    lactating: list[bool] = []
    dialysis: list[bool] = []
    for part in parts:
        _age(part, names, ages, days, sexes)
        _weight(part, weights, heights)
        _pregnancy(part, pregnant, weeks, lactating)
        _infant(part, infants)
        _organs(part, egfrs, crcls, dialysis, childs)
    if days and True in lactating:
        # an age in days beside a nursing mother is the infant's
        infants, days = infants or days, []
    expecting = _one(pregnant)
    sex = _one(sexes)
    return Person(
        age_years=_one(ages) if not days else None,
        age_days=_one(days) if not ages else None,
        sex=sex or ("female" if expecting else None),
        pregnant=expecting,
        pregnancy_weeks=_one(weeks) if expecting else None,
        lactating=_one(lactating),
        infant_days=_one(infants),
        weight_kg=_one(weights),
        height_cm=_one(heights),
        egfr=_one(egfrs),
        crcl=_one(crcls),
        dialysis=_one(dialysis),
        child_pugh=_one(childs),
    )


def _one(values: list[_T]) -> _T | None:
    return values[0] if values and all(v == values[0] for v in values) else None


def _value(word: str) -> Decimal:
    """The number that a word, an ordinal or digits say."""
    number = _WORD_NUMBER.get(word, _ORDINAL.get(word))
    return Decimal(number) if number is not None else Decimal(word.rstrip("stndrh"))


def _before(part: str, position: int, width: int = 40) -> str:
    return part[max(0, position - width) : position]


def _clause_before(part: str, position: int) -> str:
    return re.split(r"[,;:]", _before(part, position, 80))[-1]


def _age(part: str, names: frozenset[str], ages: list[Decimal], days: list[int], sexes: list[str]) -> None:
    for match in _AGE.finditer(part):
        before = _before(part, match.start(), 30)
        if (
            _AGE_EXCLUDED.search(before)
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        count, unit = _value(match.group(1)), match.group(2)[0] if match.group(2) != "mo" else "m"
        _store_age(count, unit, ages, days)
        if match.group(3):
            sexes.append("male" if match.group(3) in _MALE else "female")
    for match in _AGE_WORD.finditer(part):
        if (
            _CONDITIONAL.search(_clause_before(part, match.start()))
            or _AGE_EXCLUDED_AFTER.match(part, match.end())
            or other_person(part, match.start())
        ):
            continue
        if re.search(
            r"\b(?:under|over|at|by|from|until|below|above|before|after|between|the|than|"
            r"children|adults|patients) (?:the )?$",
            _before(part, match.start(), 16),
        ):
            continue
        _store_age(_value(match.group(1)), (match.group(2) or "year")[0], ages, days)
    for match in _AGE_BARE.finditer(part):
        if not _CONDITIONAL.search(_clause_before(part, match.start())):
            said, unit = (
                (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
            )
            _store_age(_value(said), unit[0], ages, days)
    for match in _NAMED_AGE.finditer(part):
        if match.group(1) in names:
            _store_age(Decimal(match.group(2)), (match.group(3) or "year")[0], ages, days)
    for match in _AGE_SEX.finditer(part):
        if int(match.group(1)) <= 115 and not other_person(part, match.start()):
            ages.append(Decimal(match.group(1)))
            sexes.append("male" if match.group(2) == "m" else "female")
    for match in _SEX_SAID.finditer(part):
        if not _CONDITIONAL.search(_clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            word = next(g for g in match.groups() if g)
            sexes.append("male" if word in _MALE else "female")


_TOLD_BY = re.compile(
    r"\w{3,14}(?:-to-be)? (?:says|said|reports|reported|states|stated|tells|told|notes|noted|mentions|mentioned"
    r"|recalls|describes|adds) "
)
"""A relative who tells of the patient, and is not whom the words are about."""
_SUBJECT = re.compile(
    r"\b(?:he|she|himself|herself|yourself|themselves|i|patient|pt|her|his|my|our|their|the|this"
    r"|(?<!is )(?<!was )an?)\b"
)


def other_person(part: str, position: int) -> bool:
    """Whether a relative is the subject ("his mother is 70 years old") and nobody else since."""
    before = _before(part, position, 80)
    relatives = list(_FAMILY.finditer(before))
    if not relatives:
        return False
    told = _TOLD_BY.match(before, relatives[-1].start())
    return told is None and _SUBJECT.search(before, relatives[-1].end()) is None


def _store_age(count: Decimal, unit: str, ages: list[Decimal], days: list[int]) -> None:
    if unit == "y":
        if 0 < count <= 115:
            ages.append(count)
    elif unit == "m" and count > 24:
        ages.append((count / 12).quantize(Decimal("0.1")))
    elif count > 0:
        factor = {"m": Decimal("30.4375"), "w": Decimal(7), "d": Decimal(1)}[unit]
        days.append(int(count * factor))


def _weight(part: str, weights: list[Decimal], heights: list[Decimal]) -> None:
    seen: set[int] = set()
    for pattern in (_WEIGHT_CUE, _WEIGHT_PERSON, _WEIGHT_LISTED):
        for match in pattern.finditer(part):
            if (
                match.start(1) in seen
                or _WEIGHT_EXCLUDED.search(_before(part, match.start()))
                or _CONDITIONAL.search(_clause_before(part, match.start()))
            ):
                continue
            if re.search(r"\b(?:lost|gained|birth|per) $", _before(part, match.start(1), 12)):
                continue
            seen.add(match.start(1))
            value = Decimal(match.group(1))
            kilograms = value * _POUND if match.group(2)[0] in "lp#" else value
            if Decimal("0.3") <= kilograms <= Decimal(400):
                weights.append(kilograms.quantize(Decimal("0.1")) if match.group(2)[0] in "lp#" else value)
    for match in _HEIGHT.finditer(part):
        heights.append(Decimal(match.group(1) or match.group(2)))


def _pregnancy(part: str, pregnant: list[bool], weeks: list[Decimal], lactating: list[bool]) -> None:
    if _NOT_PREGNANT.search(part):
        pregnant.append(False)
    for match in _WEEKS.finditer(part):
        before = _clause_before(part, match.start())
        if (
            _RELATIVE_TIME.search(_before(part, match.start(), 20))
            or _GENERAL.search(before)
            or other_person(part, match.start())
        ):
            continue
        value = _value(next(g for g in match.groups() if g))
        if 1 <= value <= 44:
            weeks.append(value)
            pregnant.append(True)
    _counted(part, pregnant, weeks)
    for match in _MONTHS_PREGNANT.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())) and not other_person(part, match.start()):
            pregnant.append(True)
            weeks.append((_value(match.group(1)) * Decimal("4.345")).to_integral_value())
    for match in _TRIMESTER.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            pregnant.append(True)
            weeks.append(Decimal(_TRIMESTER_WEEK[next(g for g in match.groups() if g)]))
    for match in _PREGNANT.finditer(part):
        around = _clause_before(part, match.start()) + match.group()
        if (
            _GENERAL.search(around)
            or re.search(r"\b(?:not|isn't|never|avoid|negative|denies)\b", around)
            or other_person(part, match.start())
        ):
            continue
        pregnant.append(True)
    if _NOT_LACTATING.search(part):
        lactating.append(False)
    for match in _LACTATING.finditer(part):
        around = _clause_before(part, match.start()) + match.group()
        if (
            not _GENERAL.search(around)
            and not re.search(r"\b(?:not|isn't|never|stopped)\b", around)
            and not other_person(part, match.start())
        ):
            lactating.append(True)


def _counted(part: str, pregnant: list[bool], weeks: list[Decimal]) -> None:
    """Pregnancies that the words do not name: weeks and days, a last period, a positive test, a due date."""

    def says(match: re.Match[str]) -> bool:
        before = _clause_before(part, match.start())
        return not (
            _GENERAL.search(before)
            or _RELATIVE_TIME.search(_before(part, match.start(), 20))
            or re.search(
                r"\b(?:not|no|never|previous|prior|last pregnancy|scan|until|induction) (?:\w+ )?$", before
            )
            or other_person(part, match.start())
        )

    def stored(value: Decimal) -> None:
        if 2 <= value <= 44:
            weeks.append(value)
            pregnant.append(True)

    obstetric = _OBSTETRIC.search(part) is not None
    for match in _GESTATION.finditer(part):
        if says(match) and not _BORN.search(_before(part, match.start(), 60)):
            stored(Decimal(match.group(1) or match.group(2)))
    for match in _WEEKS_NOW.finditer(part):
        general = _CONDITIONAL.search(_clause_before(part, match.start()))
        if _value(match.group(1)) >= 6 and not general and not other_person(part, match.start()):
            stored(_value(match.group(1)))
    for match in _TOLD_POSITIVE.finditer(part):
        if says(match):
            stored(_value(match.group(1)))
    for match in _WEEKS_GONE.finditer(part):
        if (
            says(match)
            and re.match(r" (?:by|since|until|of|without|and counting)\b", part[match.end() :]) is None
        ):
            stored(_value(match.group(1)))
    for match in _WEEK_ORDINAL.finditer(part):
        value = _value(match.group(1) or match.group(2))
        named = "pregnan" in match.group() or "gestation" in match.group() or obstetric
        if (named or value > 12) and not _OTHER_WEEKS.search(part) and says(match):
            stored(value)
    for match in _AT_WEEKS.finditer(part):
        if (
            12 < _value(match.group(1)) <= 42
            and not _BORN.search(part)
            and not _OTHER_WEEKS.search(part)
            and says(match)
        ):
            stored(_value(match.group(1)))
    for match in _UNTIL_BABY.finditer(part):
        if not _CONDITIONAL.search(_clause_before(part, match.start())) and not other_person(
            part, match.start()
        ):
            pregnant.append(True)
    if obstetric and not _BORN.search(part):
        for match in _WEEKS_NEAR.finditer(part):
            before = _before(part, match.start(), 24)
            aside = _ASIDE.match(_clause_before(part, match.start())) is not None
            told = aside and not other_person(part, match.start())
            if (
                (told or says(match))
                and re.search(r"(?:^|[,;(] |\bat |\d |: )$", before)
                and "scan at" not in before
            ):
                stored(_value(match.group(1)))
    tested = _TESTED.search(part) is not None
    for match in _LAST_PERIOD.finditer(part) if tested else ():
        if says(match):
            factor = Decimal("4.345") if match.group(2).startswith("m") else Decimal(1)
            stored((_value(match.group(1)) * factor).to_integral_value())
    expected = re.search(r"\b(?:baby|pregnan\w*|edd)\b|^(?:she|you|i)\b", part) is not None
    for match in _DUE.finditer(part) if expected else ():
        factor = Decimal("4.345") if match.group(2).startswith("m") else Decimal(1)
        remaining = (_value(match.group(1)) * factor).to_integral_value()
        if (
            says(match)
            and re.search(r"\b(?:baby|pregnan\w*|edd)\b|^(?:she|you|i)\b", part)
            and remaining <= 38
        ):
            stored(Decimal(40) - remaining)
    for pattern in (_TESTED, _EXPECTING):
        if any(says(match) for match in pattern.finditer(part)):
            pregnant.append(True)


def _infant(part: str, infants: list[int]) -> None:
    for match in _INFANT.finditer(part):
        count, unit = (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
        factor = {"d": Decimal(1), "w": Decimal(7), "m": Decimal("30.4375")}[unit[0]]
        infants.append(int(_value(count) * factor))


def _organs(
    part: str, egfrs: list[Decimal], crcls: list[Decimal], dialysis: list[bool], childs: list[str]
) -> None:
    for match in _EGFR.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            (crcls if match.group(1) is None else egfrs).append(Decimal(match.group(2)))
    for match in _KIDNEY_NUMBER.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())) and not other_person(part, match.start()):
            egfrs.append(Decimal(match.group(1)))
    for match in _DIALYSIS.finditer(part):
        around = _clause_before(part, match.start())
        if not _GENERAL.search(around) and not other_person(part, match.start()):
            dialysis.append(re.search(r"\b(?:not|no longer|never|isn't)\b", around) is None)
    for match in _CHILD_PUGH.finditer(part):
        if not _GENERAL.search(_clause_before(part, match.start())):
            childs.append(match.group(1).upper())
