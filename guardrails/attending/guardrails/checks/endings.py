"""Where a text ends, withholds or leaves out a vital drug, in whatever words.

Three sources: the scope that the grammar reads (`stop`), the words of `_ACT` and `_DONE` around the name of a drug or
of its kind, and the items of a list whose heading ends them. A pronoun ("both medicines", "it") stands for the vital
drugs named before. What is warned against, asked, wished or long past is no ending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.checks.named import Named, Names
from attending.guardrails.checks.vital import Vital
from attending.guardrails.clinical.sentence import sentence_around, sentences
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Ending:
    """`span` is the name, `around` what says how and why: the sentence and the next, or the list item with its
    heading. `read` is true where the grammar calls it a stop as well, `supply` where it ends for want of supply."""

    vital: Vital
    drugs: tuple[str, ...]
    span: Span
    around: str
    read: bool = False
    supply: bool = False


_ACT: Final = Sieved(
    r"\b(?:(?:stop|cease|discontinue|quit|skip|omit|withhold|hold(?! (?:of|onto|on to)\b)|suspend"
    r"|pause)(?: (?:taking|giving|using|all|off))*"
    r"|d/c|dc(?=:? [A-Za-z])|drop|bin|ditch|chuck|give up|get rid of|(?:go|do) without|manage without"
    r"|(?:come|coming|came|get|getting|taken|took) (?:straight |right )?off(?: of)?"
    r"|flush(?= the rest\b| (?:it|them|your|the)\b[^.;\n]{0,40}\b(?:down|away))|switch off|turn off"
    r"|(?:turn|switch)(?= it off\b)"
    r"|give(?=[^.;\n]{3,60}\ba (?:miss|rest|break|holiday)\b)|let(?=[^.;\n]{1,40}\brun (?:dry|out|empty)\b)"
    r"|leave (?:out|off)|(?:leave|leaving|cut|throw|chuck|take|strike)(?=[^.;\n]{1,60}\b(?:off|out|away|at home"
    r"|behind|alone)\b)|put(?=[^.;\n]{1,40}\bin the bin\b)"
    r"|(?:we|i)(?:'ve|\u2019ve| have)(?: now| also| therefore| both)? (?:stopped|discontinued|ended|ceased|withdrawn"
    r"|halted|terminated|suspended|cancelled)"
    r"|(?:we|i) (?:therefore |accordingly )?(?:ended|stopped|discontinued|ceased|terminated|withdrew|halted)"
    r"(?=[^.;\n]{0,80}\b(?:today|this morning|tonight|outright|now|at once|on admission|for good)\b)"
    r"|(?:be|have) done with|finish with"
    r"|cancel(?:led)? (?:the |your |his |her )?(?:repeat|prescription|refill|script)s? (?:for|of)"
    r"|no(?= [\w-]+ (?:for|until|till|from) (?:the|your|next|now|today|tomorrow|\d|two|three|four|a) )"
    r"|no(?= insulin\b(?! (?:dose|change|adjust|requir|resist|pump|needed|reaction|on board)))|suspend"
    r"|(?:do not|don't|don\u2019t|not to)(?: take| give| use) (?:the |your |any )?(?=(?:insulin|lantus|levemir|tresiba"
    r"|toujeo|novorapid|humalog|basal|glargine)\b)|no (?=basal\b[^.;\n]{0,30}\bno bolus\b)"
    r"|(?:stays?|staying|keep|kept) off(?= (?:\w+ ){1,3}(?:from|until|till|for)\b)"
    r"|no more(?! than)|no further(?! than)|take no(?: more)?|take none of"
    r"|no need to (?:take|restart|resume|continue|replace|renew|reorder)"
    r"|(?:do not|don't|don\u2019t|no need to|needn't) bother (?:refilling|reordering|renewing|restarting|taking|with)"
    r"|(?:take|have|taking|having) a (?:\S+ )?(?:holiday|break|rest|pause) from"
    r"|(?:do not|don't|don\u2019t|not to) (?:take|give|use|dispense|supply|issue)"
    r"(?=[^.;\n]{0,50}\b(?:any ?more|any further|any longer|on days|days (?:you|that)|(?:from|as of|starting) "
    r"(?:tonight|today|tomorrow|now|this|monday|tuesday|wednesday|thursday|friday|saturday|sunday))\b)"
    r"(?: any ?more| any further)?"
    r"|no longer (?:need|needs|require|requires|take|takes|taking|prescrib\w+))\b",
    re.I,
)
_LAST: Final = Sieved(
    r"\b(?:(?:is|be) (?:the|your|his|her) last (?:night|day|time) (?:for|of|on)"
    r"|(?:take|taken|takes|have|having|be|is|swallow|was) (?:\w+ )?(?:your|her|his|the"
    r"|their) (?:very )?(?:last|final)"
    r" (?:tablet|dose|pill|capsule|injection|one)|(?:dose|tablet|pill) (?:is|can be|will be) (?:the|your|her"
    r"|his) last"
    r"|flush the rest|(?:flush|throw|tip|pour) (?:them|it|what(?:'s| is) left|whatever is left)"
    r"[^.;\n]{0,20}\b(?:down|away|out)|let (?:it|(?:the|this|that) (?:\w+ )?(?:pump|reservoir)) run (?:dry|out|empty)"
    r"|no more refills|(?:don't|do not|don\u2019t) (?:collect|order|put on|pick up)"
    r" (?:any ?more|another|a new one|more)|(?:do not|don't|don\u2019t) (?:take|give|have) another"
    r"|(?:none|nothing) (?:from (?:then|today|tomorrow|tonight|now|there|that day)|after(?:wards?| that| this)|at all"
    r"|thereafter|any ?more)|no more after (?:this|that|today)"
    r"|(?:the|her|his|your|any) remaining (?:tablets|pills|capsules|medicines?|stock)[^.;\n]{0,20} away"
    r"|throw (?:the|her|his|your|any) remaining (?:tablets|pills|capsules|stock) away)\b",
    re.I,
)
_DONE: Final = Sieved(
    r"(?:->|\u2192|=>) ?(?:nil|stop|off|none)\b|\b(?:stopped|stops|stop|ceased|ceases|cease|discontinued|ended"
    r"|terminated|cancelled|halted|scratched|brought to (?:a|an) (?:close"
    r"|end)|came to an end|comes to an end|off(?= (?:until|till)\b)"
    r"|omitted|omit|withheld|held|hold|suspended|skipped|skip"
    r"|dropped|binned|removed|remove(?= (?:it )?from)|(?:switched|turned|kept|stays?) off|on hold|(?:can|will"
    r"|to) wait (?:till|until)"
    r"|deprescribed|(?:will|to|can|should) (?:now )?end|dc'?d"
    r"|d/c(?:'?e?d)?|(?:left|leave|taken|cut"
    r"|cross(?:ed)?|struck)(?: it"
    r"| them)? (?:off|out)"
    r"|not(?: to)?(?: been| be)? (?:continued?|resumed?|restarted?|re-?start\w*|re-?prescribed?|re-?charted|supplied"
    r"|dispensed|carried over|charted|written up|(?:re)?prescribed on admission)(?! at (?:the|your|his|her|that) )"
    r"|no longer (?:needed|required|necessary|indicated)|not (?:needed|required) any ?more)\b",
    re.I,
)
_OUT: Final = Sieved(
    r"\b(?:(?:run|ran|runs|running)(?: \w+)? (?:out|dry)|no (?:cassettes|supply|supplies|stock|refills?)\b"
    r"|none left|refill (?:was |has been |is )?missed|missed (?:the |his |her |your |a )?(?:\w+ )?refill"
    r"|out of stock|not (?:\w+ )?(?:available|stocked|in stock)|unavailable)\b",
    re.I,
)
_WAITS: Final = Sieved(
    r"\b(?:wait|until|till|no need|do(?:n't| not|n\u2019t) (?:worry|need)|reschedul\w*|in (?:\w+ ){1,2}(?:days|weeks"
    r"|months)|next"
    r"|(?<!never )(?<!not )(?<!n't )leave it|without|get used)\b",
    re.I,
)
_SUPPLIED: Final = Sieved(
    r"\b(?:emergency|urgent\w*|same[- ]day|immediately|straight ?away|a&e|999|911|casualty|to (?:the )?hospital"
    r"|in the meantime"
    r"|cover(?:ed)?|oral baclofen|bridg\w*|prescription (?:sent|issued)|sent (?:a|the|your) (?:script"
    r"|prescription|refill)"
    r"|before (?:you|it|they|he|she) runs? out|do(?:n't| not|n\u2019t) (?:run|let|go|miss))\b",
    re.I,
)
_PRONOUN: Final = re.compile(
    r"\s{0,20}(?:taking |off |out )?(?P<all>(?:of )?either|(?:of )?(?:all|both|these|those|them)(?: (?:of "
    r")?(?:the |your |her |his |these "
    r"|those |them"
    r"|two|three|four|both ){0,6}(?:medicines?|medications?|meds|drugs?|tablets?|pills?|ones?))?"
    r"|(?:the|your|her|his) (?:(?:two|three|four) )?(?:medicines|medications|meds|drugs|tablets|pills)(?! (?:in"
    r"|for|if))"
    r"|(?:the )?lot)\b|\s{0,20}(?:taking |off |of )?(?P<one>it|this|that|this (?:medicine|medication|drug|tablet)"
    r"|the (?:medicine|medication|drug|tablet|bottle|box|packet))\b(?! (?:from(?! (?:today|tonight|tomorrow|now|this"
    r"|\w+day)\b)|being|work|get|if))",
    re.I,
)
_HOME: Final = re.compile(
    r"\b(?:stop|hold|holding|withhold|pause|suspend|discontinue|no)(?: taking| giving)?"
    r"(?: (?:all|of|the|his|her|your|their|any|other)){0,4} (?:home|usual|regular|outpatient|pta|own|chronic"
    r"|long-term|pre-?admission|maintenance)"
    r" (?:oral )?(?:medicines?|medications?|meds|drugs|tablets|pills)\b"
    r"(?! (?:except|other than|apart|besides|list|rec))"
    r"|\b(?:home|usual|regular|outpatient|pta|chronic|pre-?admission) (?:medicines?|medications?|meds|drugs"
    r"|tablets|pills)"
    r"(?: (?:are|all|to be|will be|is|now|on)){0,3} (?:held|hold|stopped|withheld|paused|suspended|discontinued)\b",
    re.I,
)
"""All that the patient takes at home, ended by its sum."""
_HOME_LINE: Final = re.compile(r"[ *_-]{0,4}(?:home|pta|outpatient|usual|regular)\b[^.;:\n]{0,24}:", re.I)
_NOT_HOME: Final = re.compile(
    r"\b(?:except|other than|apart from|besides|but (?:continue|keep|give|not))\b", re.I
)
_LONG: Final = re.compile(
    r"\b(?:until|till|for|over)\b[^.;\n]{0,50}\b(?:resolv\w*|recover\w*|settl\w*|better"
    r"|\d{1,2}(?: ?(?:-|to) ?\d{1,2})? ?(?:d|days?|wks?|weeks?)|(?:a|one|two|three|several|few) (?:days"
    r"|weeks?)|discharge|clinic|follow[- ]?up|seen|next week"
    r"|further notice)\b",
    re.I,
)
"""A break of days and not of the hours of a procedure."""
_WITHOUT: Final = re.compile(
    r"\b(?:without|no need (?:for|to)|instead of|rather than|before) (?:\w+ ){0,2}(?:stop\w*|hold\w*|interrupt\w*)"
    r" (?:\w+ ){0,2}$",
    re.I,
)
_IN_BRACKETS: Final = re.compile(
    r"[^.;\n()]{0,60}\([^.;\n()]{0,40}\b(?:was|were|is|has been) (?:stopped|discontinued|ceased|held)\b", re.I
)
"""What brackets say of another drug ("labetalol for hypertension (lisinopril was stopped)")."""
_AS_REASON: Final = re.compile(r"\w \((?:[\w-]{2,20}, ?)?\Z")
"""A name alone in brackets behind what is stopped for it: "ibuprofen OTC (AKI, apixaban)"."""
_BRACKET_ENDS: Final = re.compile(r"(?:, ?[\w-]{2,20})?\)")
_WHY: Final = re.compile(
    r"\([^()\n]{0,20}\b(?:interact\w*|blunt\w*|lower\w*|rais\w+|reduc\w+|increas\w+|weaken\w*|block\w*|inhibit\w*"
    r"|clash\w*|duplicat\w*|with|while on|now on|because of|due to|in favou?r of) [^()\n]{0,20}$",
    re.I,
)
"""Brackets that say why another drug ends: "omeprazole STOPPED (blunts clopidogrel)"."""
_BESIDE: Final = re.compile(
    r"(?:\b(?:apart|away|separat\w*|hours?) from|\b(?:absorption|effects?|levels?|action|clearance|breakdown"
    r"|metabolism"
    r"|activation|conversion|benefit) (?:of|on|with)|\b(?:hence|because of|due to|interact\w* with|mix\w*"
    r"|together with|while (?:on|taking)|now on|in favou?r of))\s(?:the |her |his |your )?$"
    r"|\b(?!all\b|both\b|thinners?\b)[\w-]+(?: [\d.,]{1,8} ?(?:mg|mcg|g|micrograms?|units))? \($",
    re.I,
)
"""Before a name: it stands beside the one that is ended, or in brackets behind it."""
_NEGATED: Final = re.compile(
    r"(?:\b(?:not|never|if|when|until|before|unless)\b|n['\u2019]t\b)[^,.;:\n]{0,24}$", re.I
)
_IMPLIED: Final = re.compile(
    r"\s{0,20}(?:any ?more |any further )?(?:from |as of |on )?(?:today|tonight|tomorrow|now"
    r"|this (?:week|morning|evening)|completely|altogether|at once|straight away)\b",
    re.I,
)
_IT_WAS: Final = re.compile(
    r"\b(?:it|this|that|they|these|both|which)(?: (?:is|was|were|are|has|have|can|may|should|will|been|be|now"
    r"|therefore))+ $",
    re.I,
)
_REFUSED: Final = re.compile(
    r"(?:\b(?:not|never|cannot|avoid|without|no need to|no reason to|rather than|instead of|unless|whether"
    r"|before|if (?:you|he|she|they"
    r"|we|i|the"
    r" patient)|when (?:you|he|she|they|to)|if|risks? of|dangers? of|why|than to|nor)|n['\u2019]t)\b"
    r"(?:(?!\bbut\b)[^,.;:\n]){0,24}$"
    r"|\b(?:want(?:s|ed|ing)?|wish(?:es|ed|ing)?|thinking of|like(?:s|d)?|able|ask(?:s|ed"
    r"|ing)?(?: \w+)? (?:whether|if|about|to be)|keen"
    r"|hop(?:es?|ing)|request(?:s|ed)?|refus\w+|tempted|tend|easy|how|chose|decided)(?: \w+)? (?:to|on"
    r"|about) (?:\w+ ){0,2}$"
    r"|\b(?:you|he|she|they|patient|who)(?:'ve|'s|\u2019ve|\u2019s| have| has| had)? (?:recently |suddenly |just "
    r"|already |self-)?$",
    re.I,
)
_BACK_ON: Final = re.compile(r"\b(?:go|goes|went|straight|right) back on(?:to)?\b", re.I)
"""A clause that takes a drug up again ends nothing: "only two doses were missed, so you can go back on 150 mg"."""
_RUSHED: Final = re.compile(r"\b(?:A&E|999|911|emergency (?:room|department)|hospital|ER)\b")
"""Beside "do not take another dose": what to do when too much was taken."""
_WISHED: Final = re.compile(r"\basked to (?:\w+ )?$", re.I)
_ORDER_BEFORE: Final = re.compile(
    r"\b(?:you|he|she|they|patient)(?: can| may| should| could| must| would| will|'ll|\u2019ll) (?:\w+ ){0,2}$",
    re.I,
)
_NOW: Final = re.compile(
    r"\b(?:today|tonight|now|from (?:tomorrow|today|tonight|now|this|monday|tuesday|wednesday|thursday|friday"
    r"|saturday|sunday|admission)|this (?:morning|visit|week|evening|afternoon)|yesterday|tomorrow|outright|at once"
    r"|with immediate effect|at (?:this|today's) visit|for good|on (?:the day of )?(?:admission|discharge))\b",
    re.I,
)
_BARE: Final = re.compile(
    r"\b(?:no (?:replacement|alternative|substitute|cover|plan|taper|follow[- ]up|bridging)|(?:restart|return)"
    r" (?:is )?not planned|not (?:to be )?restarted|not discussed|needs no follow|without (?:a )?(?:replacement"
    r"|reduction|taper\w*|cover))\b",
    re.I,
)
_PRESENT: Final = re.compile(
    r"(?:\b(?:is|are|be|been|being|can|may|should|will|must|to|now|and|please)|[:\u2013\u2014-])\s*(?:\w+ly "
    r"|now |both |all |also )?$",
    re.I,
)
_REPORTED: Final = re.compile(r"\b(?:was|were|had|been)(?: \w+)? $", re.I)
_ENDS_HERE: Final = re.compile(
    r"(?: (?:off |from )?(?:the |her |his )?(?:chart|list|repeat|dosette"
    r"|mar))?\s*[.;]?\s*$",
    re.I,
)
"""A bare participle that ends its sentence: an entry of today's note."""
_AGO: Final = re.compile(
    r"\b(?:\w+|\d+) (?:years?|months?|weeks?) ago\b|\bin (?:19|20)\d\d\b|\bpreviously\b"
    r"|\blast (?:year|month)\b",
    re.I,
)
_SINCE: Final = re.compile(
    r"\s{0,20}(?:since then|since that time|ever since|thereafter|he has since|she has since)\b", re.I
)
_PART: Final = re.compile(r"[,;()]")
_HEAD: Final = re.compile(
    r"(?:stop\w*|ceased?|discontinu\w*|no longer (?:\w+)|do not take any ?more|don't take any ?more|not to be taken"
    r"|left off|leave (?:off|out)|omit(?:ted)?|not (?:continued|resumed|restarted)|throw away|come off|withheld)\b",
    re.I,
)
_HEAD_OTHER: Final = re.compile(
    r"\b(?:call|ring|when|if|why|never|side effects|how|not stop|do not stop|don't stop|before)\b", re.I
)
_ITEM: Final = re.compile(r"[ \t]{0,40}(?:[-*\u2022\u00b7\u2013]|\d{1,2}[.)])[ \t]")
_LINE: Final = re.compile(r"[^\n]+")
_LOOK: Final = 90
"""Characters before and behind a verb in which it is negated, asked or dated."""
_NEAR: Final = 4
"""Names around a supply that is out; more are no one sentence about one drug."""
_LINES: Final = 40
"""Lines of a list looked at below one heading."""


def endings(case: Case) -> Iterator[Ending]:
    """Every end of a vital drug that the output tells, in no particular order; one drug may come twice."""
    text = case.judged.output
    names = Names(case)
    if not names.vital:
        return
    for statement in case.output.statements:
        name = names.at(statement.mention.span)
        before = text[max(0, statement.mention.span.start - 40) : statement.mention.span.start]
        if (
            _WITHOUT.search(before)
            or _WHY.search(before)
            or _IN_BRACKETS.match(text, statement.mention.span.end)
            or (
                _AS_REASON.search(before)
                and _BRACKET_ENDS.match(text, statement.mention.span.end)
                and _other_name(case, before, statement.mention.span.start)
            )
        ):
            continue
        if _BACK_ON.search(text, statement.clause.start, statement.clause.end):
            continue
        if name is not None and statement.scope is Scope.STOP and not statement.avoid_with:
            yield from _ended(text, name, read=True)
    for sentence in sentences(text):
        yield from _acts(text, sentence, names)
        yield from _told(text, sentence, names)
        yield from _run_out(text, sentence, names)
        yield from _all_of_home(text, sentence, names)
    yield from _listed(text, names)


def _other_name(case: Case, before: str, start: int) -> bool:
    """Whether another drug stands right before the bracket that opens in `before`; else the bracket explains a class or
    a brand ("Eliquis (apixaban)" is one drug)."""
    bracket = start - len(before) + before.rfind("(")
    statements = case.output.statements
    mine = {drug for s in statements if s.mention.span.start == start for drug in s.mention.drugs}
    return any(
        bracket - 24 <= s.mention.span.end <= bracket and s.mention.drugs and mine.isdisjoint(s.mention.drugs)
        for s in statements
    )


def _acts(text: str, sentence: Span, names: Names) -> Iterator[Ending]:
    """What the sentence tells to end: "stop A and B", "leave it off", "take your last tablet"."""
    words = text[sentence.start : sentence.end]
    if _asks(words):
        return
    for match in _ACT.finditer(words):
        if _refused(words, match):
            continue
        at, until = sentence.start + match.start(), sentence.start + match.end()
        pronoun = _PRONOUN.match(words, match.end())
        objects = [] if pronoun is not None and pronoun["one"] == "it" else names.after(until, sentence.end)
        for name in objects:
            yield from _ended(text, name)
        bare = _IMPLIED.match(words, match.end()) or match.group()[:3].lower() in ("do ", "don", "not", "no ")
        if not objects and (pronoun is not None or bare):
            every = pronoun is not None and pronoun["all"] is not None
            for name in names.meant(sentence, at, every=every):
                yield from _ended(text, name, at=at)
    for match in _LAST.finditer(words):
        line = Span(text.rfind("\n", 0, sentence.start) + 1, sentence.end)
        if "another" in match.group().lower() and _RUSHED.search(text, line.start, line.end):
            continue
        if _NEGATED.search(_before(words, match)) is None:
            at = sentence.start + match.start()
            every = re.match(r" (?:both|all|either|them)\b", words[match.end() :]) is not None
            for name in names.meant(sentence, at, every=every):
                yield from _ended(text, name, at=at)


def _told(text: str, sentence: Span, names: Names) -> Iterator[Ending]:
    """What the sentence tells as ended: "A is stopped", "B was not continued", "it was discontinued today"."""
    words = text[sentence.start : sentence.end]
    if _asks(words):
        return
    for match in _DONE.finditer(words):
        if _refused_done(words, match) or not _current(words, match):
            continue
        at = sentence.start + match.start()
        if _IT_WAS.search(_before(words, match)):
            for name in names.meant(sentence, at, every=False):
                yield from _ended(text, name, at=at)
            continue
        for name in names.before(sentence.start, at):
            yield from _ended(text, name)


def _run_out(text: str, sentence: Span, names: Names) -> Iterator[Ending]:
    """A drug of which there is none left, and which the patient is to wait for."""
    words = text[sentence.start : sentence.end]
    for match in _OUT.finditer(words):
        if "?" in words[match.end() : match.end() + 80]:
            continue
        at = sentence.start + match.start()
        around = sentence_around(text, at, at + 1, following=2, reach=400)
        said = text[around.start : around.end]
        if _WAITS.search(said) and not _SUPPLIED.search(said):
            near = names.between(around.start, around.end)
            for name in (near or names.meant(sentence, sentence.start, every=True))[:_NEAR]:
                yield from _ended(text, name, supply=True)


def _all_of_home(text: str, sentence: Span, names: Names) -> Iterator[Ending]:
    """Every drug named before, where the sentence withholds for days all that is taken at home, none excepted."""
    words = text[sentence.start : sentence.end]
    if _asks(words) or _NOT_HOME.search(words):
        return
    for match in _HOME.finditer(words):
        if _refused(words, match) or _LONG.search(words, match.end()) is None:
            continue
        at = sentence.start + match.start()
        after = names.between(at, len(text))
        listed = [name for name in after if _HOME_LINE.match(text, text.rfind("\n", 0, name.span.start) + 1)]
        later = {drug for name in after if name not in listed for drug in name.drugs}
        for name in (*names.between(0, at), *listed):
            if later.isdisjoint(name.drugs):
                around = Span(sentence.start, sentence.end)
                for vital in name.kinds:
                    yield Ending(vital, name.drugs, name.span, text[around.start : around.end])


def _asks(words: str) -> bool:
    return words[-12:].rstrip("*_ \t\n\"'\u201d)").endswith("?")


def _before(words: str, match: re.Match[str]) -> str:
    return words[max(0, match.start() - _LOOK) : match.start()]


_WHO_TAKES: Final = re.compile(r"\b(?:you|he|she|they|i|we|patient)(?: currently| also)? \Z", re.I)
"""What somebody takes none of is not told to be stopped: "such as warfarin and steroids. You take none of these"."""


_STOPS_BREATH: Final = re.compile(r" (?:(?:your|his|her|their|the) )?(?:breath\w*|heart)\b", re.I)
_COUNTED_OUT: Final = re.compile(r"\d (?:tablets?|capsules?|caps|tabs|patches)[,;(] ?\Z", re.I)
_AND_NO_MORE: Final = re.compile(r"\d[^.;\n]{0,24}\band no more[.,;)]?\Z", re.I)
"""A bound behind a dose: "1000 mg a day and no more"."""
_FROM_ANOTHER: Final = re.compile(
    r" [\w-]+ from (?:a|your|the|his|her) (?:friend|neighbou?r|relative|family|shop)", re.I
)
_WEEKS_AFTER: Final = re.compile(
    r"\b(?:days?|weeks?|months?|long|until) after (?:the |your |her |his )?\Z", re.I
)
"""Before the name: how long something lasts once it is stopped."""
_STOPPED_HERE: Final = re.compile(
    r" ?[:\u2013\u2014-]|[^.;\n]{0,60}?\b(?:stop|cease|discontinue|come off) (?:it|them|this|these|taking|the|all)\b",
    re.I,
)
"""Behind the name: that it is stopped now, whatever came days after it."""


def _refused(words: str, match: re.Match[str]) -> bool:
    before = _before(words, match)
    said = match.group().lower()
    if said == "stop" and _STOPS_BREATH.match(words, match.end()):
        return True  # "with diazepam it can stop your breathing"
    if said == "no further" and _COUNTED_OUT.search(before):
        return True  # "10 tablets, no further supply": a course
    if said == "no more" and _AND_NO_MORE.search(words[: match.end() + 1]):
        return True
    if said == "no" and _FROM_ANOTHER.match(words, match.end()):
        return True
    if match.group().lower() == "take none of" and _WHO_TAKES.search(before):
        return True
    if match.group().lower().startswith(("no ", "do not", "don", "not ", "take no")):
        return re.search(r"\b(?:if|when|whether|once)\b[^,.;:\n]{0,20}$", before, re.I) is not None
    if _WISHED.search(before):
        return True
    if match.group().lower().startswith(("stay", "keep", "kept")):
        return (
            re.search(r"\b(?:not|never|n't|n\u2019t|if|when|unless)\b[^,.;:\n]{0,20}$", before, re.I)
            is not None
        )
    if _ORDER_BEFORE.search(before):
        return re.search(r"\b(?:not|never|n't|n\u2019t)\b[^,.;:\n]{0,12}$", before, re.I) is not None
    if before.rstrip().lower().endswith(("would", "she", "he", "they", "you")) and re.search(
        r"\b(?:agreed|told|advised|asked|said|decided|happy|suggest\w*|recommend\w*|propos\w*)\b"
        r"(?![^\n]{0,90}\b(?:if|when|whether|not|before|until|what|why)\b)",
        before,
        re.I,
    ):
        return False
    if re.search(r"\b(?:and|please|just|but)\s+$", before, re.I) and _REFUSED.search(before[-40:]) is None:
        return False
    return _REFUSED.search(before) is not None


def _refused_done(words: str, match: re.Match[str]) -> bool:
    before = _before(words, match)
    if match.group().lower() == "stop" and _STOPS_BREATH.match(words, match.end()):
        return True
    if match.group().lower().endswith("none") and "," in before:
        return True  # what a list was searched for: "prednisone, methadone, azoles -> none"
    if match.group().lower().startswith("no"):
        return re.search(r"\b(?:if|when|once|until|whether)\b[^,.;:\n]{0,30}$", before, re.I) is not None
    if re.search(
        r"\b(?:must|should|to|can|is|are|was|were|be|been|do|does|did|has|have|why)? ?(?:not|never)\b"
        r"[^,.;:\n]{0,20}$|n['\u2019]t\b[^,.;:\n]{0,20}$",
        before,
        re.I,
    ):
        return True
    return (
        re.search(r"\b(?:if|when|once|until|before|unless|whether)\b[^,.;:\n]{0,30}$", before, re.I)
        is not None
    )


def _current(words: str, match: re.Match[str]) -> bool:
    """An end told as of now: by its tense, by a word for today, or by what it says is missing."""
    if _AGO.search(words[match.start() : match.end() + 40]):
        return False
    before, said = _before(words, match), match.group().lower()
    after = words[match.start() : match.end() + 2 * _LOOK]
    if said[0] in "-\u2192=" or said.startswith(("can ", "will ", "to ")):
        return True
    if said.startswith("no") or said.endswith(" end") or _NOW.search(after) or _BARE.search(before + after):
        return True
    if said in (
        "stop",
        "stops",
        "cease",
        "ceases",
        "omit",
        "hold",
        "skip",
        "remove",
        "leave off",
        "leave out",
    ):
        return _PRESENT.search(before) is not None or said.endswith("s")
    if _ENDS_HERE.match(words, match.end()) and _REPORTED.search(before) is None:
        return True
    return (
        _PRESENT.search(before) is not None
        or re.search(r"^ ?(?:till|until|,)", words[match.end() : match.end() + 12]) is not None
    )


def _listed(text: str, names: Names) -> Iterator[Ending]:
    """The items below a heading that ends them ("Do not take any more, they upset the stomach:")."""
    lines = [Span(*match.span()) for match in _LINE.finditer(text)]
    for number, line in enumerate(lines):
        words = text[line.start : line.end].strip(" \t*_#")
        if len(words) > 90 or (
            not words.endswith((":", ":**")) and not text[line.start : line.end].lstrip().startswith("#")
        ):
            continue
        if _HEAD.search(words) is None or _HEAD_OTHER.search(words) or names.between(line.start, line.end):
            continue
        for item in lines[number + 1 : number + 1 + _LINES]:
            said = text[item.start : item.end]
            if not said.strip():
                continue
            if _ITEM.match(said) is None or said.rstrip(" *").endswith(":"):
                break
            for name in names.between(item.start, item.end):
                around = f"{words} {said}"
                for vital in name.kinds:
                    yield Ending(vital, name.drugs, name.span, around, read=True)


def _long_past(text: str, name: Named) -> bool:
    """The part of the sentence between commas in which the name stands tells of a time long ago."""
    sentence = sentence_around(text, name.span.start, name.span.end, reach=200)
    low = max(
        (m.end() for m in _PART.finditer(text, sentence.start, name.span.start)), default=sentence.start
    )
    if _SINCE.match(text, sentence.end):
        return True
    if text[name.span.end : name.span.end + 1] == ",":  # "dofetilide, ended in 2021"
        low = name.span.end + 1
    after = _PART.search(text, low if low > name.span.end else name.span.end, sentence.end)
    return _AGO.search(text, low, after.start() if after else sentence.end) is not None


def _bystander(text: str, name: Named) -> bool:
    """A name that is not what the verb ends: "apart from A", "the absorption of A", "omeprazole (A)"."""
    before = text[max(0, name.span.start - 60) : name.span.start]
    return _BESIDE.search(before) is not None


def _ended(
    text: str, name: Named, *, read: bool = False, at: int | None = None, supply: bool = False
) -> Iterator[Ending]:
    if not name.kinds or _long_past(text, name) or _bystander(text, name):
        return
    if _WEEKS_AFTER.search(text, max(0, name.span.start - 40), name.span.start) and not _STOPPED_HERE.match(
        text, name.span.end
    ):
        return
    start = name.span.start if at is None else min(at, name.span.start)
    end = max(name.span.end, at or 0)
    around = sentence_around(text, start, end, following=1, reach=400)
    line = text.find("\n", around.end, around.start + 400)
    if line > around.end and _ITEM.match(text, text.rfind("\n", 0, around.start) + 1):
        around = Span(around.start, line)  # an item of a list says all of its drug: when it is restarted, too
    for vital in name.kinds:
        yield Ending(vital, name.drugs, name.span, text[around.start : around.end], read=read, supply=supply)
