"""Drugs that a status behind their name puts away: "Heparin: off since 06:00", "codeine: no", "removed from profile".

Scope (`clinical/scope.py`) reads the verbs; a status has none, or one that stands in another cell, behind a colon or
in brackets. It holds for all names of the list it follows, and not where the same line resumes the drug or says that
it was put away by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.checks.answers import A_NO, answered, asks_leave, verdict_is_no
from attending.guardrails.checks.set_aside import resumed_in
from attending.guardrails.clinical.statement import Span, Statement

_JOINED: Final = re.compile(r"[ ,/&()*]{0,4}(?:(?:and|or|nor|plus) )?[ (*]{0,3}", re.I)
_AMOUNT_WORDS: Final = re.compile(
    r"(?: ?\(?\d[\d.,/-]{0,12} ?(?:mg|mcg|g|meq|mmol|units?|ml|%)?\)?(?: (?:tablets?|caps(?:ules)?|po|iv|sc"
    r"|bid|tid|qid|daily"
    r"|(?:infusion|drip)(?: from \w{1,12})?|once daily|twice daily|at (?:night|bedtime)|nightly|daily|prn))?){0,2}"
    r"(?: \((?:from|bought|via|by|over[- ]the[- ]counter|otc|started|home|own|usual|current"
    r"|asked)\b[^()\n]{0,30}\)){0,1}(?: (?:infusion|drip|patch"
    r"|gel)(?: from \w{1,12})?)?",
    re.I,
)
_FORM: Final = re.compile(
    r" (?:(?:cough|nasal|eye|ear|oral|vaginal|herbal|cold) )?(?:linctus|syrup|mixture|tab(?:let)?s?|cap(?:sule|let)?s?"
    r"|pills?|drops?|spray|gel|cream|ointment|patch(?:es)?|inhaler|pessar(?:y|ies)|suppositor(?:y|ies)|supplements?"
    r"|tea|sachets?|lozenges?|pens?|injections?)\b",
    re.I,
)
_BREAK: Final = re.compile(
    r"[ )*_]{0,3}(?:[:|,;=\u2013\u2014\u2192-]+>?[ *_]{0,4}|(?<=[ \t])[ \t]+|[ \t]{2,}|\t+)"
)
_IS: Final = re.compile(
    r"[ )*_,]{0,3}\b(?:is|are|was|were|has been|have been|stays?|remains?|had been"
    r"|(?:has|have|had)(?= (?:come off|gone|ended|lapsed|made way|finished|run its course"
    r"|had its day)\b)) (?:(?:both|all|now"
    r"|also|therefore|thus"
    r"|already|just|simply|clearly) )?",
    re.I,
)
_ENDED: Final = (
    r"(?:(?:self-)?discontinued?|d/?c'?(?:e?d)|stopped|ceased|ended|finished|completed|withdrawn|cancell?ed"
    r"|voided|declined|refused"
    r"|rejected|removed|struck (?:off|out)|crossed (?:off|out)|ruled out|passed over|turned down"
    r"|thrown (?:out|away)"
    r"|washed out|off(?= (?:since|as of|from|at|now|by)\b)|(?:stays|staying|remains|kept) off|put aside"
    r"|set aside|dropped"
    r"|deleted|erased|crossed (?:off|out|from)|struck from|taken off|un-?ticked|deselected"
    r"|gone\b(?! (?:up|down|well|through|into|back))"
    r"|lapsed|shelved|parked|retired|destroyed|handed (?:back|in)|returned(?= to (?:the )?(?:pharmac"
    r"|chemist|stock))|left off"
    r"|(?:omitted|left out)(?! (?:this|today|tonight|on|before|for|last|yesterday|until|when|if)\b)"
    r"|not selected|not (?:continued|resumed|needed|to be (?:resumed|restarted|continued))|out of the house"
    r"|tapered off|weaned off|never (?:given|started|hung|taken|filled|dispensed|used)"
    r"|not (?:given|dispensed|taken|started|used|ordered|prescribed|chosen|restarted|to be (?:given"
    r"|taken|used|started))"
    r"|(?:not|never) (?:filled|collected|picked up|issued|supplied)|unfilled|come off|made way|run its course|abandoned"
    r"|tapered(?= (?:before|and stopped|to (?:zero|nothing|nil)))|(?:threw|thrown) (?:it|them) (?:out|away)|got rid of"
    r"|do(?:n't| not|n\u2019t) (?:order|chart|prescribe|continue|restart|resume|dispense|supply)(?: (?:it|this|them))?"
    r"(?= ?(?:[.,;)|\n]|\Z))"
    r"|put (?:it|them|this|these) (?:away|aside)(?= ?(?:[.,;)|\n]|\Z|for (?:the )?(?:next )?\w+ (?:days?"
    r"|weeks?)|for now"
    r"|while|until|during))"
    r"|avoid(?:ed)?|contra-?indicated|(?:none|nothing) since)\b"
)
_PUT_AWAY: Final = (
    r"(?:out(?= (?:of the question|because|while|as long|for (?:him|her|you|them|now)|as|since|with (?:this|that"
    r"|his|her))|[.,;:)]|\Z)"
    r"|off the (?:table|list|menu)|closed to\b|not (?:for (?:him|her|you|them|me|this)\b|worth\b"
    r"|wanted\b|an option\b"
    r"|going to happen\b|on the cards\b)|a no[- ]go\b|a (?:definite |firm |clear |flat )?no(?=[.,;:)]|\Z)"
    r"|(?:never|not) again\b"
    r"|for the bin\b|barred\b|forbidden\b|no good (?:here|for)\b"
    r"|on (?:your|his|her|their|the) (?:do[- ]not[- ]take|avoid|never|banned|stop) list\b)"
)
_STATUS: Final = re.compile(
    rf"(?:(?:the )?(?:order|script|taper|course|prescription|request|drug|drip|infusion)s? )?(?:(?:was"
    rf"|is|were) )?"
    rf"(?:{_ENDED}|{_PUT_AWAY})|(?:please )?(?:hand|bring|give|send|take) (?:it|them|these|those|any(?: left)?"
    r"|what is left) back\b|last (?:dose|tablet|capsule|pill)s?(?: (?:was|taken))? [^.;\n]{{0,24}}?"
    r"(?:\bago|before conception)\b",
    re.I,
)
_NONE_OF_THEM: Final = re.compile(
    r"(?:i |we )?(?:(?:gave|used|chose|started|sent|prescribed) (?:neither|none)|(?:neither|none)(?: of (?:them|these"
    r"|which|the (?:two|three)))?(?: (?:was|were|is|are|has been|have been|will be|to be))? ?(?:given"
    r"|used|started|chosen|taken"
    r"|prescribed|ordered|needed|suitable|safe|appropriate|an option|allowed|wanted|advisable|right"
    r"|possible|for (?:him|her"
    r"|you|them))|(?:both|all)(?: (?:was|were|are|have been|now))? (?:rejected|declined|ruled out|dropped"
    r"|discarded|passed"
    r" over|turned down|avoided|set aside|off the table))\b",
    re.I,
)
"""An answer about a list: "considered A and B; neither given"."""
_HOLDER: Final = re.compile(
    r" (?:tablets?|pills?|capsules?|pens?|patch(?:es)?|box(?:es)?|packs?|bottles?|script|prescription|order|course"
    r"|supply|stock|repeat|entry|line)(?: (?:that|which) [^.;,\n]{0,40}?(?=(?: has| have| is| was)\b))?"
    r"(?= (?:is|are|was|were|has|have)\b)",
    re.I,
)
_WHICH_NOT: Final = re.compile(
    r",? (?:(?:which|that) (?:(?:you|he|she|they|we) )?(?:(?:should|must|can|may|ought|are|is|do|does|will|would)"
    r"(?: not| never|n['\u2019]t)|cannot|can['\u2019]t)|(?:neither|none) of which (?:(?:you|he|she|they"
    r"|we) )?(?:should|must|can"
    r"|may|are|is))(?: to)?(?: be)?"
    r" (?:take|taken|use|used|have|given|touch|allowed|safe|for you|suitable|start|started|suit you)\b"
    r"(?= ?(?:[.,;)\n]|\Z|while|during|in (?:pregnancy|your|this|his|her)|when|now\b|any ?more|at all"
    r"|with (?:it|this|these|your"
    r"|them|that)\b|because|as you|since|for now|until (?:after|the)))",
    re.I,
)
_ASKED: Final = re.compile(
    r"\? {1,2}(?:sorry,? |i'm afraid )?(?:(?:no|not|never)\b(?! (?:a |any |real |big )*(?:problem|issue"
    r"|worr|trouble|reason|harm|bother"
    r"|concern|interaction|objection|change|doubt|matter|need to|longer))|(?:i|we|the \w+|he|she)(?:'d"
    r"| would| have| has|'ve)? (?:rather"
    r" not|asked (?:him|her|them|you) (?:to make do|not to)|sees? no need|said no|(?:decided|advised) against|declined)"
    r"|make do|give it a miss|better not|best not|leave it|please don['\u2019]t)\b",
    re.I,
)
"""A question that the text answers itself: "Ibuprofen? Not with your heart."""
_PROPOSED: Final = re.compile(
    r"\b(?:propos\w+|suggest\w+|recommend\w+|offer\w*|want(?:s|ed)|request\w*|prompt\w*|wrote|written"
    r"|says|picked|chose)\b"
    r"[^.;\n]{0,30}\Z",
    re.I,
)
_OVERRULED: Final = re.compile(
    r"[^.;\n]{0,30}[.;:,] ?(?:and |but )?(?:i |we |this was |that was |it was )?(?:overruled|overrode"
    r"|declined|refused|rejected|turned"
    r" (?:it |that )?down|not (?:followed|done|accepted)|said no)\b"
    r"|[^.;\n]{0,20}? but\b[^.;\n]{0,80}?\b(?:i|we|she|he) (?:(?:have|has|'ve) )?(?:chose|chosen|went with|gone with"
    r"|picked|opted for|settled on|preferred)\b(?! (?:it|that|this|both)\b)",
    re.I,
)
_NO_PLACE: Final = re.compile(
    r"(?:,[^.;,\n]{0,60},)? (?:has|have|had|finds?) no (?:place|role|business|part|purpose|further use)\b"
    r"|(?:,[^.;,\n]{0,60},)? (?:is|are) (?:not the"
    r" (?:answer|drug|one)|a non-?starter|not (?:coming|going) back)\b",
    re.I,
)
_BARE_END: Final = re.compile(
    r" (?:(?:script|prescription|order|tablets|box|trial|course) )?(?:(?:deliberately|intentionally"
    r"|purposely|now|since|already) )?"
    r"(?:(?:finished|completed|ended)(?= (?:last (?:week|month|year|night)|yesterday|in (?:january"
    r"|february|march|april|may|june"
    r"|july|august|september|october|november|december|(?:19|20)\d\d)|(?:\d+|a|one|two|three"
    r"|several) (?:days|weeks|months|years)"
    r" ago))|abandoned|aborted|given up|removed|deleted|crossed (?:off|out)|struck (?:off|out|from)"
    r"|taken off|erased|un-?ticked"
    r"|deselected|voided|left off|on hold(?= (?:today|now|for now|since|until)\b|[.,;)\n]|\Z)"
    r"|left out|omitted|withdrawn|not (?:given|used|started|restarted|chosen|selected|continued|resumed)"
    r"|never (?:given|started"
    r"|restarted|resumed|rechallenged))\b",
    re.I,
)
"""A participle right behind the name: "meloxicam removed from profile"."""
_LATER: Final = re.compile(r"[^\n]{0,90}?\b(?:stays|to stay|remains|staying) off\b", re.I)
_SAID_OF: Final = re.compile(rf"(?:{_PUT_AWAY}|{_ENDED})", re.I)
_GIVEN_NOW: Final = re.compile(r"\b(?:reload\w*|give now)\b", re.I)
_MISTAKEN: Final = re.compile(r"\b(?:by (?:mistake|accident)|in error|mistakenly|too (?:soon|early))\b", re.I)
_NEVER_TO: Final = re.compile(
    r"\b(?:(?:right|wise|correct) not to (?:\w+ ){1,3}|nothing of the |why not (?:oral |iv "
    r"|intravenous |an? |the )?|denies (?:any )?|denied (?:any )?"
    r"|no (?:trace of |sign of )?)\Z",
    re.I,
)
_DISCARDED: Final = re.compile(
    r"\b(?:discard|bin|throw (?:out|away)|dispose of|destroy)(?: (?:the|his|her|your|their|any|all|old|left-?over"
    r"|remaining|unused)){0,3} \Z"
    r"|\b(?:keep|leave|kept|left) [\"'\u201c]?(?:\w{3,16}/)?\Z(?<=[\"'\u201c/])",
    re.I,
)
"""Before what goes into the bin, or stays in quotes on a list: "keep "amoxicillin" on his school form"."""
_TAPERED_AS: Final = re.compile(r"\b(?:tapered|weaned|withdrawn)\b[^.;\n]{0,50}\(as \Z", re.I)
_THEN_STOPPED: Final = re.compile(r"[^.;\n]{0,60}?\b(?:stopped|finished|completed)\b", re.I)
"""Around the drug in which another was tapered: "alprazolam was tapered (as diazepam) over 14 weeks and stopped"."""
_FORMER: Final = re.compile(
    r"[*_]{0,2}:[*_]{0,2} (?:(?:dose |it )?(?:was|had been)|previously|formerly|before admission) (?=\d)",
    re.I,
)
"""Between a name and the dose it was given in before: "Vancomycin: was 1.25 g BD"."""
_DENIED: Final = re.compile(
    r"\b(?:den(?:ies|ied|ying) (?:any |all |the |current )?(?:(?:use|abuse|misuse|intake|consumption"
    r"|taking|using) (?:of )?)?"
    r"(?:any )?|(?:taken|takes|taking|had|used|uses|given|on) no (?:other |further |more )?(?:[\w-]{3,20}, ){0,2}"
    r"|nor (?:is|are|was|were|should|can|may|will|would|do|does|did) (?:(?!stop|skip|miss|hold"
    r"|avoid|omit|interrupt|reduc)"
    r"[^.;:\s]{1,20}[ (]{1,2}){0,8})\Z",
    re.I,
)
_WOULD_HAVE: Final = re.compile(
    r"[^.;\n]{0,20}?\b(?:would (?:normally |usually |otherwise |ordinarily )?(?:be|have been)"
    r"|was (?:on the list|considered|thought of|tempting|suggested|discussed))\b"
    r"[^.;\n]{0,60}?(?:,| but| and) ?(?:but |however |then |and )?(?:passed over|dropped|rejected"
    r"|turned down|set aside|ruled out"
    r"|(?:he|she|it|this|that|they|the patient|\w+) (?:depends|takes|is on|would|has|needs|clashes"
    r"|interacts))\b",
    re.I,
)
_ORDERED: Final = re.compile(
    r"\b(?:start|begin|add|give|take|use|order|prescribe|continue) (?:\w+ ){0,2}\Z", re.I
)
_CONSIDERED: Final = re.compile(
    r"(?: (?:\d[\d.,]{0,6} ?(?:mg|mcg|g)|tablets?|cream|patch(?:es)?|therapy|treatment)){0,3}"
    r",? (?:(?:was|were|is|are|has been|have been|had been|i|we) )?(?:(?:also|both|briefly|carefully"
    r"|all) )?(?:considered"
    r"|contemplated|discussed|thought (?:of|about)|weighed(?: up)?|mooted|suggested|proposed|looked at|raised)\b"
    r"[^.;:\n\u2013\u2014-]{0,30}?(?:"
    r"(?:,| ?[\u2013\u2014-]{1,2})? (?:but|yet|though|however) (?:(?:it|they|this|that|both|either|each) )?(?:"
    r"(?:would|could|might|may|can|will) (?!(?:be|prove|seem) (?:the )?(?:best|better|fine|good|safe|ideal|right|useful"
    r"|added|started|given)|help|suit|work|cover|still|also be)\w"
    r"|(?:carr|interact|clash|lower|rais|prolong|risk|block|induc|inhibit)\w*"
    r"|(?:(?:was|were|is|are|has been|have been|felt|deemed|judged|thought) )?(?:not|never|ruled out|rejected|declined"
    r"|dismissed|dropped|contra-?indicated|unsuitable|unsafe|avoided|decided against|set aside|turned down|too)\b)"
    r"|(?: ?[,;:(\u2013\u2014-]{1,2} ?| and | but )(?:then )?(?:(?:was|were) )?(?:(?:not|never) (?:ordered"
    r"|started|given"
    r"|used|prescribed|chosen|begun|pursued|taken|needed|added|appropriate|suitable|wanted)|rejected|declined|ruled out"
    r"|dismissed|decided against|passed over|set aside|turned down|avoided)\b)",
    re.I,
)
"""Behind one or more names: "considered but would lower the level", "considered - not ordered"."""
_WOULD_HARM: Final = re.compile(
    r"(?: for (?:the |his |her |your )?\w{1,16})? (?:would|could|can|might) (?:then |well |only |soon "
    r"|almost certainly |probably )?(?:strip|clash|wipe|undo|cancel|poison|interact|raise|push|knock|close"
    r"|harm|double|defeat|halve|collapse|wreck|ruin|abolish|antagoni[sz]e|destroy|worsen|aggravate|precipitate|provoke|potentiate|compound"
    r"|prolong|endanger|jeopardi[sz]e|overdose|sedate|mask|tip|stack"
    r"|(?:drop|lower|cut|reduce|increase|boost|block|strengthen|weaken) [^.;:\n]{0,40}?\b(?:levels?|concentrations?"
    r"|clearance|exposure|troughs?|inr|seizure threshold|effect of))\b"
    r"| (?:start|initiation) would\b",
    re.I,
)
"""What a drug would do that is why nobody takes it: "a carbapenem would collapse her level". What is no harm, or may be
a good ("would dull the ache", "could lower the fever"), puts nothing away."""
_NEXT: Final = re.compile(r"[:;\n]|\.\s")
_INSERTED: Final = re.compile(r",[^.;,\n]{0,60},(?= (?:is|are|was|were|has been|have been)\b)", re.I)
_PURPOSE: Final = re.compile(
    r" for (?:the )?\w{1,16}(?: \w{1,16})?(?: \(\w{1,12}\))?(?= {2}|\t| ?[:|])", re.I
)
_ENDS: Final = re.compile(
    r"\b(?:stop\w*|left out|leave out|omit\w*|miss\w*|skip\w*|h[eo]ld|withh\w+|interrupt\w*|reduc\w+|ended"
    r"|forgot\w*)\b",
    re.I,
)
_STOP_LINE: Final = re.compile(
    r"[^\n]{0,110}?(?: [\u2013\u2014-]{1,2} ?|: ?|\u2192 ?|-> ?)"
    r"(?:\*\*)?(?:STOP(?:PED)?|DISCONTINUED?|CEASED?|not (?:prescribed|given|charted|continued)(?=(?:\*\*)?[.;]?\n))"
    r"(?:\*\*)?"
    r"\b(?! (?:IF|WHEN|DATE|AFTER|ON|AT|IN|BY|if|when|date|after|on|at|in|by|once|smoking|before)\b)"
)
_ITEM: Final = re.compile(r"[ \t]{0,12}(?:[-*\u2022\u00b7\u2013\u2014]|\d{1,2}[.)])[ \t]{1,3}(?:\*\*)?\Z")
"""An item of a list whose verdict stands behind a dash, in capitals: "- tramadol 50 mg, took 4 - STOP, ..."."""
_MOST: Final = 160


def put_away(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether what stands behind the name of statement `number`, or of the list it opens, says that it is not given."""
    statement = statements[number]
    span = statement.mention.span
    line = text.rfind("\n", 0, span.start) + 1
    if _ORDERED.search(text[max(line, span.start - 40) : span.start]):
        return False
    if verdict_is_no(text, span):
        return True
    first = _list_start(text, statements, number)
    if _NEVER_TO.search(text[max(0, span.start - 40) : span.start]):
        return statement.dose is None
    if statement.dose is None and _DISCARDED.search(text[max(0, span.start - 50) : span.start]):
        return True
    if _TAPERED_AS.search(text[max(0, span.start - 70) : span.start]) and _THEN_STOPPED.match(text, span.end):
        return True
    if (denied := _DENIED.search(text[max(0, first - 80) : first])) is not None:
        said = text[max(line, first - 160) : first]
        return statement.dose is None and (denied[0][:3].lower() != "nor" or _ENDS.search(said) is None)
    former = _FORMER.match(text, span.end)
    if former is not None and statement.dose is not None and statement.dose.span.start == former.end():
        return True
    end = _list_end(text, statements, number)
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    stop = min(line_end, end + _MOST)
    rest = text[end:stop]
    if resumed_in(text, end, stop) or _GIVEN_NOW.search(rest):
        return False
    if _ITEM.fullmatch(text, line, span.start) is not None and _STOP_LINE.match(text, end, stop) is not None:
        return not any(
            span.end <= s.mention.span.start < _STOP_LINE.match(text, end, stop).end()  # type: ignore[union-attr]
            for s in statements[number + 1 : number + 6]
        )
    ended = _ending(text, statements, number, end, stop)
    return ended is not None and _MISTAKEN.search(text, ended, stop) is None


def _ending(text: str, statements: Sequence[Statement], number: int, end: int, stop: int) -> int | None:
    """Where the words stop that put away statement `number`, whose list of names ends at `end`; None without any."""
    statement = statements[number]
    span = statement.mention.span
    for pattern in (_WOULD_HAVE, _CONSIDERED, _WOULD_HARM, _WHICH_NOT, _NO_PLACE):
        if (match := pattern.match(text, end, stop)) is not None and (
            # an amount behind the next name is of the drug that is chosen instead
            statement.dose is None or _of_the_next(text, statements, number, match.end())
        ):
            return match.end()
    if (asked := _ASKED.match(text, end, stop)) is not None:
        return asked.end()
    if _PROPOSED.search(text, max(0, span.start - 60), span.start):
        overruled = _OVERRULED.match(text, end, stop)
        if overruled is not None:
            return overruled.end()
    held = _HOLDER.match(text, end, stop)
    named = held.end() if held is not None else end
    inserted = _INSERTED.match(text, named, stop)
    linked = _IS.match(text, inserted.end() if inserted is not None else named, stop)
    told = statement.dose is None
    if linked is None and inserted is None:
        # "spironolactone 25 mg has come off the blister pack"
        linked, told = _IS.match(text, _amount_end(text, end, stop), stop), True
    if linked is not None:
        said = _SAID_OF.match(text, linked.end(), stop) if told else None
        return said.end() if said is not None else None
    purpose = _PURPOSE.match(text, end, stop)
    end = purpose.end() if purpose is not None else max(end, _amount_end(text, end, stop))
    broken = _BREAK.match(text, end, stop)
    if broken is None:
        bare = _BARE_END.match(text, end, stop)
        return bare.end() if bare is not None else None
    at = broken.end()
    for pattern in (_STATUS, _NONE_OF_THEM):
        if (match := pattern.match(text, at, stop)) is not None:
            return match.end()
    if ":" in broken.group() and (match := _LATER.match(text, at, stop)) is not None:
        return match.end()
    answer = A_NO.match(text, at, stop)
    if answer is None:
        return None
    if "|" not in broken.group() and answered(text, statement, at, broken.group()):
        return answer.end()
    if "," in broken.group():
        return None
    return answer.end() if asks_leave(text, span, at, "|" in broken.group()) else None


def _of_the_next(text: str, statements: Sequence[Statement], number: int, start: int) -> bool:
    """Whether the dose of a statement stands in another sentence and behind the name of another drug."""
    dose = statements[number].dose
    if dose is None or _NEXT.search(text, start, dose.span.start) is None:
        return False
    mine = set(statements[number].mention.drugs)
    return any(
        start <= s.mention.span.start < dose.span.start and mine.isdisjoint(s.mention.drugs)
        for s in statements[number + 1 : number + 12]
    )


def _amount_end(text: str, end: int, stop: int) -> int:
    named = _FORM.match(text, end, stop)
    end = named.end() if named is not None else end
    match = _AMOUNT_WORDS.match(text, end, stop)
    end = match.end() if match is not None else end
    form = _FORM.match(text, end, stop)
    return form.end() if form is not None else end


def _list_start(text: str, statements: Sequence[Statement], number: int) -> int:
    """Where the list of names begins of which statement `number` is one."""
    start = statements[number].mention.span.start
    for k in range(number - 1, max(-1, number - 12), -1):
        span = statements[k].mention.span
        if span.end > start:
            continue
        if start - span.end > 12 or _JOINED.fullmatch(text, span.end, start) is None:
            break
        start = span.start
    return start


def _list_end(text: str, statements: Sequence[Statement], number: int) -> int:
    """Where the list of names ends of which statement `number` is one: "A, B (C) and D"."""
    end = statements[number].mention.span.end
    for following in statements[number + 1 : number + 12]:
        span: Span = following.mention.span
        if span.start < end:
            continue
        if span.start - end > 12 or _JOINED.fullmatch(text, end, span.start) is None:
            break
        end = span.end
    return end
