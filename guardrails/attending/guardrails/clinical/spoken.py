"""Amounts that a text speaks of and nobody takes at one time: totals of a day, what was supplied, what was written
wrongly. Each is told from a dose by the words right beside it; offsets are those of the normalised text."""

from __future__ import annotations

import re

from attending.guardrails.sieve import Sieved

_DAY = (
    r"(?:a |per |each |in a |in one |in any |over the |for the |in the |during the |through the |over a )"
    r"(?:whole |full |single |entire )?day(?!s)|(?:in|over|per|for|within|every|each|any) (?:a |any |the |one )?24"
    r"[ -]?(?:h|hrs?|hours?)|/ ?(?:day|d|24 ?h(?:rs?|ours?)?)|daily|today"
)
_ALTOGETHER = (
    r"(?:in all|in total|all told|altogether|total|all together|overall|so far|combined|from all sources)"
)
_SUM = re.compile(
    r"(?:\b(?:bring(?:s|ing)?|tak(?:es|ing)|get(?:s|ting)?|push(?:es|ing)?) "
    r"(?:you|him|her|them|it|that|this|us|(?:the|your|his|her) (?:\w+ ){0,2}(?:total|sum|day|amount))(?: back| up)? to"
    r"|\b(?:com(?:es|ing)|came|work(?:s|ing)? out|add(?:s|ing)? up|sum(?:s|ming)?|amount(?:s|ing)?|run(?:s|ning)?) "
    r"(?:up )?(?:to|at|as)"
    r"|\btotal (?:(?:dose|amount) )?(?:(?:per|a|each|for the) day|daily(?: dose| amount)?)"
    r"|\b(?:total(?:s|ling|ing|led)?|mak(?:es|ing)|giv(?:es|ing)(?: (?:you|him|her|them))?|equals|"
    r"which is|that is|that's|that was|that will be|that would be|this is|so it's|it's)"
    r"|\b(?:daily|day's|day|24-hour|24 ?h|running|overall|combined|total) (?:total|sum|dose|amount)"
    r"(?: (?:will be|would be|is|was|of|for the day|for the day is|for today|for today is|today|stands at))?"
    r"|=|≈|\bi\.e\.,?|\bso)"
    r"(?: (?:a total of|a daily total of|about|around|roughly|only|just|exactly|the full|well|still|up to|"
    r"a)){0,3}[ :]{0,2}$"
)
_SURE_SUM = re.compile(
    r"(?:\b(?:bring\w*|tak(?:es|ing)|push\w*) (?:you|him|her|them|it|that|this|us|(?:the|your|his|her) \w+(?: \w+)?)"
    r"(?: back| up)? to|\b(?:com(?:es|ing)|came|work(?:s|ing)? out|add(?:s|ing)? up|amount(?:s|ing)?) (?:up )?"
    r"(?:to|at)|"
    r"\btotal(?:s|ling|ing|led)"
    r"|\btotal (?:(?:per|a|each|for the) day|daily(?: dose| amount)?)|\b(?:daily|running|combined) total(?: \w+)?)"
    r"(?: (?:a total of|about|around|only|just|the full)){0,2}[ :]{0,2}$"
)
_AFTER_DAY = re.compile(
    rf" ?(?:of [a-z-]+(?: [a-z-]+)? )?(?:{_ALTOGETHER} )?,? ?(?:{_DAY}|{_ALTOGETHER})(?!\w)"
)
_ALTOGETHER_AFTER = re.compile(
    rf" ?(?:of [a-z-]+(?: [a-z-]+)? )?(?:(?:{_DAY}),? )?{_ALTOGETHER}(?!\w)"
    r"(?! (?:of|dose|knee|hip|parenteral|body))"
)
_PER_TIME = re.compile(
    r" ?(?:of [a-z-]+(?: [a-z-]+)? )?(?:tablets? |capsules? )?(?:(?:at|in|per) (?:a |one |any one |each |every )?"
    r"(?:time|go|dose|sitting)|at once|each(?! day)|every (?!day)|each time|apiece|q ?\d|(?:once|twice|thrice|two|"
    r"three|four|five|six|\d) ?(?:times|x)?(?: a| per)? ?(?:day|daily)|b\.?i\.?d|t\.?[id]\.?[ds]|q\.?[id]\.?[ds]|bd\b)"
)
_DAY_PAREN = re.compile(
    r"(?<!times )(?:\d|one|two|three|four|five|six|seven|eight|ten|twelve|tablets?|capsules?|pills?|caplets?) "
    r"(?:(?:a|per|each|in a|in one|over the) day|in 24 ?h(?:ours|rs)?|daily|at (?:the )?most),? \(=? ?"
    r"(?:[\d.,]{1,6} ?m?c?g (?:of )?[a-z]{4,20}(?:,| and| \+|,? and) )?$"
)
_TIMES_PAREN = re.compile(r"(?:times|doses|x)(?: (?:a|per|each) day| daily) \($")

_FORM = r"(?:tab(?:let)?s?|cap(?:sule)?s?)"
_OF_MASS = r"[\d./-]+(?: ?(?:mg|mcg|g|micrograms?))?"
_COUNT_TAIL = re.compile(
    r"(?<=[ (])(?:\d{1,2}|[a-z]{3,6}) (?:tab(?:let)?s?|cap(?:sule)?s?|pills?)(?:,| or| \() ?$"
)
_LIMIT_AFTER = re.compile(
    r"(?:\)|,)? ?(?:of [a-z-]+(?: [a-z-]+)? )?(?:(?:tablets?|capsules?|pills?) )?(?:(?:daily|a day|per day|in a day|"
    r"in 24 ?h(?:ours|rs)?|/ ?day|/ ?24 ?h|24[- ]hour),? ?)?"
    r"(?:(?:is|are|being|was|=|as) )?(?:(?:the|your|his|her|our|a|an|my) )?(?:(?:usual|daily|absolute|upper|adult|"
    r"24-hour|full|most|safe|recommended|agreed|label|max(?:imum)?|very|liver|cirrhosis|tylenol|paracetamol|"
    r"acetaminophen) ){0,3}"
    r"(?:limit|ceiling|cap|maximum|max|most|at (?:the )?(?:very )?most|at max|tops|threshold)(?!\w)"
)
_LIMIT_DAY = re.compile(
    r"\b(?:day|daily|24 ?-?h(?:ours?|rs?)?|limit|ceiling|cap|at (?:the )?(?:very )?most|max\w*|tops)\b"
)
_LIMIT_IS = re.compile(
    r"\b(?:limit|ceiling|cap|maximum|max)(?: (?:for|of|per|in|from) (?:\w+ ){1,4})? ?(?:is|=|:|stays at|of|was|remains)"
    r" (?:still |only |just |about )?$"
)

_SUPPLY_BEFORE = re.compile(
    r"\b(?:gave|given|issued?|dispens\w+|suppl(?:y|ied)|prescri\w+|sent (?:home )?with|sent|went home with|left with|"
    r"home with|discharged (?:home )?with|provided?|ordered|bought|box(?:es)?|packs?|packets?|bottle|script|rx|qty|"
    r"quantity|refill(?:ed)?)"
    r"(?: (?:you|her|him|them|me|us|patient|pt|is|for|of|with|a|the|only|just|up|another|home|out|"
    r"supply|total|mr|mrs|ms)){0,4} $"
)
_ONE_OF_THEM = re.compile(
    rf"(?:[ (]{_OF_MASS}(?:/[\d.]+ ?mg)?\)?)?(?: {_FORM})?,? ?"
    r"(?:(?:for|to|with) (?:take|be taken|use|the|his|her|your)[\w -]{0,30},? )?"
    r"(?:,|:|-|;|\(|\.(?= take)|to (?:be )?take?n?) ?(?:take |taken |taking |to take )?"
    rf"(?:one|1|two|2|half|an?|1-2|one or two|1 or 2|up to \w+)(?: {_FORM})? "
    r"(?:at a time|each|every|a day|daily|per day|q ?\d|at (?:night|bed)|in the|as needed|if|when|up to|(?:once|twice|"
    r"three|four|two|\d)\b|b\.?i\.?d|tds|tid|qid|bd|nightly|prn)"
)
_PACKAGE = (
    r"(?:supply|supplies|bottle|pack|packet|box|refill|fill|script|prescription|starter|bridge|course|blister|"
    r"strip)"
)
_PACKAGED = re.compile(rf" ?-?(?: [a-z]+){{0,2}} {_PACKAGE}(?: of\b| for\b|s?(?!\w))")
"""Behind a count of forms, what it is a count in: "a 14-tablet emergency supply of", "a 30-tablet bottle"."""
_PACKAGE_OF = re.compile(rf"\b{_PACKAGE}(?: of|:) (?:only |just |about )?$")
_TAKEN_NOW = re.compile(r"\b(?:take|swallow|chew|give|gives|taking)(?: (?:all|the|a|an|whole|entire)){0,3} $")
_TO_LAST = re.compile(
    rf"(?:[ (]{_OF_MASS}\)?)?(?: {_FORM})?,? "
    r"(?:to|which|that)(?: (?:will|should|must))? (?:last|cover|tide|bridge|see (?:you|him|her|them) through|get "
    r"(?:you|him|her|them) (?:through|to))\b"
)
_SUPPLY_AFTER = re.compile(
    r"\)?,? ?(?:of [a-z -]{2,30} )?(?:(?:in total|in all|only|were|was|have been|had been|has been) ){0,3}"
    r"(?:supplied|issued|dispensed|provided|prescribed|given out|sent|in the (?:box|pack|bottle)|no refills?|"
    r"zero refills?|0 refills?|only[.,;]?$|only[.,;])"
)

_SAID = (
    r"(?:reads?|reading|said|says|saying|list(?:s|ed|ing)|quot(?:ed|es|ing)|show(?:s|ed|ing)|stat(?:ed|es|ing)|had|"
    r"typed|printed|entered|recorded|written|wrote|put|gave|appears? as|appeared as|came (?:out|through) as|entry|"
    r"order)"
)
_STALE = (
    r"(?:(?:my|our|the|that) (?:last |clinic |discharge )?(?:letter|summary|leaflet|note|label|fax|message|e-?mail)|"
    r"old|older|previous|previously|earlier|prior|original|originally|erroneous|incorrect|wrong|wrongly|voided|"
    r"mistaken|mistakenly|misprinted|yesterday's|yesterday|first|fax(?:ed)?|transcribed|struck|disregard|ignore)"
)
_TELLS = (
    r"\b(?:give|take|takes|taking|use|start|now|should (?:be|read)|correct(?:ed)?|right|actual|is corrected|changed to|"
    r"instead|continue|administer|inject|increase\w*|decrease\w*|order is|dose is)\b"
)
_ERROR = re.compile(
    r"\b(?:error|errors|mistake|mistaken|mistakenly|wrong|wrongly|slip|typo|typing|transcription|misprint\w*|"
    r"incorrect\w*|withdrawn|"
    r"correct(?:ed|ion)|void(?:ed)?|disregard|ignore|rewritten|re-written|replaced|clarif\w+|"
    r"never (?:followed|given|taken)"
    r"|struck|retract\w*|amended|not acceptable|unacceptable|removed)\b"
)
_STALE_BEFORE = re.compile(rf"\b{_STALE}\b[^;\n]{{0,60}}$")
_SAID_BEFORE = re.compile(rf"\b{_SAID}\b[^.;\n]{{0,40}}$")
_ERASED_BEFORE = re.compile(
    r"\b(?:erroneous|incorrect|wrong|voided|struck[- ]out|disregard|ignore)\b[^.;\n]{0,50}$"
)
_TELLING = re.compile(_TELLS)
_BY_MISTAKE = re.compile(r'"? ?(?:\w{1,40} ){0,2}(?:by mistake|in error|erroneously|mistakenly)\b')
_REACH = 90
_COLON_DAY = re.compile(r" ?(?:tablets?|capsules?)? ?(?:in|over) (?:a|one|the|any) (?:single |whole )?day\b")
_SPENT = re.compile(
    r"\b(?:yesterday(?:'s)?|(?:last|past|previous|preceding) (?:24 ?h(?:ours|rs)?|day)|24[- ]h(?:ou)?r)\b[^.;\n]{0,60}"
    r"\b(?:equal(?:s|led|ed)|was|were|came (?:to|out at)|comes to|amount(?:s|ed) to|total(?:led|ed|s)|used|"
    r"needed|required|had|"
    r"received|took|worked out (?:at|as))\b(?: (?:to|about|around|equivalent|a|total|of|oral|in all)){0,4} ?\Z"
)
"""What was taken in the day that is over, as a sum: no dose at one time, and none of today."""


def stated_total(text: str, start: int, end: int, *, said: bool) -> bool:
    """Whether the amount at `start:end` is a sum over the day: "that's 2 g", "20 mg a day in all". `said` tells that
    doses were given before it, to which a bare "makes 2 g" can add up."""
    if _PER_TIME.match(text, end):
        return False
    if _ALTOGETHER_AFTER.match(text, end):
        return True
    before = text[max(0, start - 70) : start]
    if said and before.endswith(": ") and _COLON_DAY.match(text, end):
        return True
    counted = _COUNT_TAIL.search(before)
    if said and counted is not None and _SUM.search(before[: counted.start()]):
        return True
    if _DAY_PAREN.search(before) and not _TIMES_PAREN.search(before):
        return True
    if _SUM.search(before) is None:
        return False
    return _SURE_SUM.search(before) is not None or said or _AFTER_DAY.match(text, end) is not None


def spent(text: str, start: int) -> bool:
    """Whether the drug or amount at `start` is the sum of what was used on the day before."""
    return _SPENT.search(text, max(0, start - 110), start) is not None


def stated_limit(text: str, start: int, end: int) -> bool:
    """Whether words after the amount, or "the limit is" before it, make it a ceiling of the day."""
    after = _LIMIT_AFTER.match(text, end)
    if after is not None and _LIMIT_DAY.search(after.group()):
        return True
    return _LIMIT_IS.search(text, max(0, start - 60), start) is not None


def supplied(text: str, start: int, end: int, *, named: int | None, dosed: bool) -> bool:
    """Whether a count of forms is what was handed out. `named` is the end of the drug's name after it; `dosed` tells
    that how much to take was said before."""
    if _SUPPLY_AFTER.match(text, end) and dosed:
        return True
    before = text[max(0, start - 50) : start]
    at = end if named is None or named < end else named
    packaged = _PACKAGED.match(text, end) is not None or _PACKAGE_OF.search(before) is not None
    if (packaged or _TO_LAST.match(text, at) is not None) and _TAKEN_NOW.search(before) is None:
        return True
    handed = _SUPPLY_BEFORE.search(before) is not None
    if dosed and handed:
        return True
    return _ONE_OF_THEM.match(text, at) is not None and (handed or text[start:end][:1] not in ("1", "o"))


def retracted(text: str, start: int, end: int) -> bool:
    """Whether the text quotes the amount, or the notation, to say that it was written wrongly."""
    if _BY_MISTAKE.match(text, end):
        return True
    line = max(text.rfind("\n", 0, start) + 1, start - _REACH)
    before = text[line:start]
    erased = _ERASED_BEFORE.search(before)
    if erased is not None and _TELLING.search(erased.group()) is None:
        return True
    quoted = text[start - 1 : start] in ('"', "'", "\u201c") or _open_quote(before)
    stale = _STALE_BEFORE.search(before)
    told = _SAID_BEFORE.search(before)
    if not quoted and (stale is None or told is None):
        return False
    lead = min((m.start() for m in (stale, told) if m is not None), default=len(before))
    if _TELLING.search(before[lead:]) is not None:
        return False
    return _ERROR.search(text, end, min(len(text), end + _REACH)) is not None


_WOULD_BE = re.compile(
    r"\b(?:would|'d)(?: (?:\w+ly|then))? (?:be|mean|make|come (?:out )?(?:to|at)|give (?:you|him|her|them)|add up to|"
    r"amount to|total|bring (?:you|him|her|them|it) to|exceed)"
    r"(?: (?:about|around|a total of|some|only|roughly)){0,2} \Z"
)
_TOO_MUCH = re.compile(
    r"[^.;\n]{0,40}\b(?:double|twice|triple|treble|three times|far (?:more|above|over|too)|well (?:above|over|beyond)|"
    r"above|over the|beyond|exceed\w*|more than|too (?:much|many|high)|overdos\w+|dangerous\w*|toxic|"
    r"unsafe|not safe|harm\w*)\b"
)


_KILLS = re.compile(
    r"(?: of [a-z-]+)?(?: (?:a|per) (?:day|dose)| daily| at once)?\)?,? (?:has|have|is|are|was|were|would be|would|"
    r"can be|could be|could|can|may be|may|will) (?:\w+ly )?(?:kill(?:ed|s)?|fatal|lethal|deadly|toxic|poison\w*|"
    r"an overdose|too (?:much|high)|dangerous|unsafe|never an?)\b"
)
"""Behind an amount that the text calls deadly, and so tells nobody to take."""


_MADE_AS = re.compile(
    r"\b(?:(?:high|higher|large|larger|mega|extra|strong|stronger|super)[- ]?(?:strength|doses?)|stronger|bigger) "
    r"(?:capsules?|tablets?|pills?|drops|products?|versions?|forms?|ones|supplements?|preparations?|pens?|patches)"
    r"(?: \([^()\n]{0,10})?,? (?:such as|like|of|e\.g\.,?|for example) (?:the )?\Z"
)
_FOR_OTHERS = re.compile(
    r"[^.;\n]{0,60}?\b(?:(?:are|is) (?:only |just |meant |prescribed |used |given |reserved |intended "
    r"|kept ){1,3}(?:for|by|in)\b|"
    r"exist|(?:are|is) not (?:for you|needed|what|right|meant|to be|safe)|should not be|are sold"
    r"|are also (?:sold|made))"
)
_NOT_THESE = re.compile(
    r"[^\n]{0,140}\b(?:(?:do not|don't|need not|needn't|should not|shouldn't|must not|never"
    r"|no need to) (?:need|take|buy|use|have|be|"
    r"swap|switch)|(?:are|is) not (?:for you|needed|what|right|meant|to be|safe)|leave (?:them|those|these))\b"
)
"""Strengths that are made for others, and that the text tells the reader not to take."""


_NOT_WANTED = Sieved(
    r"[^.;\n]{0,90}?\b(?:isn't|is not|not|wasn't) what (?:you|we|i|he|she|they) (?:want|need|mean)",
    windowed=True,
)
_WOULD = re.compile(r"[^.;\n]{0,40}?\b(?:would|'d) (?:be|give|mean|come)\b")
"""A regimen of others, told to say that it is not meant: "the label would be 500 mg, which isn't what you want"."""


def condemned(text: str, start: int, end: int) -> bool:
    """Whether the amount is what something would come to, and too much: "four would be 2 g in one go, which is
    double"."""
    if _KILLS.match(text, end) is not None:
        return True
    if _NOT_WANTED.match(text, end) and (
        _WOULD.search(text, max(0, start - 70), start) or _WOULD.match(text, end)
    ):
        return True
    if (
        _MADE_AS.search(text, max(0, start - 60), start)
        and _FOR_OTHERS.match(text, end)
        and _NOT_THESE.match(text, end)
    ):
        return True
    return (
        _WOULD_BE.search(text, max(0, start - 60), start) is not None
        and _TOO_MUCH.match(text, end) is not None
    )


_REGIMEN = (
    r"(?:dosing|doses?|intake|use|usage|administration|schedules?|regimens?|entry|orders?|label|version|"
    r"figures?|wording)"
)
_CONDEMNED = re.compile(
    rf" {_REGIMEN}(?: [a-z]+){{0,4}}? (?:lethal|fatal|toxic|deadly|dangerous|kill(?:s|ed)?|poison\w*|wrong|"
    r"struck|withdrawn|disregarded|ignored|deleted|crossed|"
    r"an? (?:error|mistake|nuisance|overdose|slip)|errors?|harm\w*|unsafe|never|not (?:safe|right|allowed|what))\b"
)
_ENDED = re.compile(rf" {_REGIMEN} (?:was|were|had been|has been (?:stopped|replaced|withdrawn|changed))\b")
_HARMED_BY = re.compile(
    r"\b(?:died|dies|dead|deaths?|killed|kills|fatal\w*|harm(?:ed|s)?|poison\w*|overdos\w+|toxicity|disasters?"
    r"|incidents?|"
    r"accidents?|mistakes?|errors?)\b[^.;\n]{0,20}\b(?:from|after|because|by|when|where|with|of)\b[^.;\n]{0,40}\Z"
)
_MISTAKEN = re.compile(
    r"(?: [a-z-]+){0,2} (?:by (?:mistake|accident|error)|in error|mistakenly|accidentally|erroneously)\b"
)
_RELATIVE = (
    r"(?:sister|brother|mother|mum|mom|father|dad|wife|husband|partner|son|daughter|friend|neighbou?r|aunt|uncle|"
    r"cousin|colleague|grand(?:mother|father|ma|pa|dad)|flatmate|roommate)"
)
_OF_A_RELATIVE = re.compile(
    r" (?:[a-z-]+ ){0,3}(?:(?:that |which )?(?:your|his|her|my|their) "
    rf"{_RELATIVE}\b|of (?:your|his|her|my|their) {_RELATIVE}\b)"
)
"""Behind a schedule, whose it is: "the monthly injection your sister gets"."""
_RELATIVE_TAKES = re.compile(
    rf"\b(?:your|his|her|my|their) {_RELATIVE} (?:takes|uses|gets|has|had|took|used|injects|is (?:on|given|taking)|was "
    r"on)\b[^.;,\n]{0,40}\Z"
)
_COMPARED = re.compile(r"(?:\bthan|\b(?:never|not|n't)(?: [a-z]+){1,5} to) \Z")


def ruled_out_schedule(text: str, start: int, end: int) -> bool:
    """Whether the frequency at `start:end` is one the text warns of or has left: "daily dosing would be lethal"."""
    return (
        _CONDEMNED.match(text, end) is not None
        or _ENDED.match(text, end) is not None
        or _COMPARED.search(text, max(0, start - 60), start) is not None
        or _HARMED_BY.search(text, max(0, start - 110), start) is not None
        or _MISTAKEN.match(text, end) is not None
        or _OF_A_RELATIVE.match(text, end) is not None
        or _RELATIVE_TAKES.search(text, max(0, start - 90), start) is not None
        or _refused_standard(text, start, end)
        or _believed(text, start, end)
    )


_STANDARD_BEFORE = re.compile(
    r"\bthe (?:standard|usual|normal|default|ordinary|routine|textbook|label|protocol|full) \Z"
)
_STANDARD_REFUSED = re.compile(
    r" (?:dosing|doses?|schedules?|regimens?|intervals?|orders?|frequency)(?: (?:in|of|from) the [a-z ]{3,20})?"
    r" (?:is|are|does|do|must|should|will|would|was) (?:not|never)\b(?! (?:to be )?(?:missed|skipped|delayed|changed"
    r"|reduced|altered))"
)


def _refused_standard(text: str, start: int, end: int) -> bool:
    """ "The standard q12h schedule is not to be used": what others get, named to say that it is not this."""
    return (
        _STANDARD_BEFORE.search(text, max(0, start - 24), start) is not None
        and _STANDARD_REFUSED.match(text, end) is not None
    )


_BELIEVES = re.compile(
    r"\b(?:understood|thought|believed|assumed|supposed|imagined|misread|misunderstood|(?:was"
    r"|were) under the impression"
    r"|had understood|took it|(?:says|said|asked (?:if|whether)|claimed|insisted) (?:that )?[\w-]{2,20} (?:is"
    r"|was)|(?:would|was going to|planned to|meant to) take)\b[^.;\n]{0,60}\Z"
)
_PUT_RIGHT = re.compile(
    r"[^.;\n]{0,70}(?:[.;] ?)?[^.;\n]{0,40}?(?:\bcorrected\b|\b(?:now|is) correct\b|\bthe correct (?:schedule"
    r"|dose|way|instruction|directions?)\b|\bput right\b|\bset (?:her|him|them"
    r"|it) straight\b|\bteach-?back (?:now |was )?(?:redone|repeated|correct)\b|\bmisunderstanding\b)"
)
_AGAIN = re.compile(
    r"[^\n]{0,60}?\b(?:once (?:a )?week(?:ly)?|weekly|on (?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:mon|tues"
    r"|wednes|thurs|fri|satur|sun)days?(?: only)?|daily|once a day|twice|every)\b"
)


def _believed(text: str, start: int, end: int) -> bool:
    """What somebody took the schedule to be, before it was put right and told anew: "she understood it is daily;
    teach-back redone, now correct: 10 mg on Wednesdays"."""
    if _BELIEVES.search(text, max(0, start - 90), start) is None:
        return False
    right = _PUT_RIGHT.match(text, end, min(len(text), end + 140))
    return right is not None and _AGAIN.match(text, right.end(), min(len(text), right.end() + 90)) is not None


def _open_quote(before: str) -> bool:
    return before.count('"') % 2 == 1 or before.rfind("\u201c") > before.rfind("\u201d")
