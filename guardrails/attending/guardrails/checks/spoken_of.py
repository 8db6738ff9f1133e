"""Drugs that a text names and nobody is to take: what is only spoken of, and what a status behind the name puts away.

Scope (`clinical/scope.py`) reads the verbs. Two things have none: a bare name in a sentence that gives nothing
("aspirin and Aleve hide in cold remedies"), and a status ("Heparin: off since 06:00", a cell that says "no").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.finding import Scope

_LIST_LINE_WORDS: Final = 6
_OWN_OR_ORDERED: Final = re.compile(
    r"(?:\b(?:your|his|her|their|my|rx|tabs?|caps?|inj|script for|course of|supply of|plus|some"
    r"|(?:went|go|goes|going) (?:with|for)|p|tx|plan)"
    r"|\+)[ .:*]*\Z",
    re.I,
)
_FOR_SOMETHING: Final = re.compile(
    r"(?: ?\([^()\n]{0,30}\))? (?:for (?:the |her |his |your |their |this |an? )?\w|ds\b|xr\b"
    r"|is (?:an? |the |my |your )?"
    r"(?:\w+ )?(?:choice|option|bet)|(?:covers?|will|should|can be|may be|might|stays|remains|it is)\b)",
    re.I,
)
_GIVES: Final = re.compile(
    r"\b(?:take[ns]?|taking|us(?:e|es|ed|ing)|fine|ok(?:ay)?|safe\w*|start\w*|beg[iau]n\w*|add\w*"
    r"|giv\w+|prescri\w+"
    r"|new|together|combin\w+|continu\w+|keep\w*|carry|restart\w*|resum\w+|switch\w*|treat\w*"
    r"|went (?:with|for)|go with"
    r"|try|tried|bet|choice|choose|chose|script|sent|order\w*|recommend\w*|suggest\w*|help\w*|works?"
    r"|gentle|natural"
    r"|pick|covers?|option|on board|running|let us|let's|instead)\b",
    re.I,
)
_GIVES_IT: Final = re.compile(
    r"\b(?:take|use|start|begin|add|give|continue|combine|have|swallow|try|script|sent)\b[^.;\n]{0,20}?"
    r"\b(?:it|them|this|both|together|one|to)\b|\bscript\b",
    re.I,
)
_AN_AMOUNT: Final = re.compile(
    r"[^\w\n.;]{0,30}(?:\([^()\n]{0,20}\)[^\w\n.;]{0,30})?(?:\d|x ?\d|one\b|two\b)", re.I
)


def only_named(text: str, statement: Statement) -> bool:
    """Whether a sentence only speaks of a drug: no verb or heading governs the bare name, and it is no list item.

    "Your X" is taken and "Rx X" ordered all the same, and so is a name with a number or a purpose behind it.
    """
    said = statement.dose or statement.frequency or statement.route or statement.duration
    if statement.scope is not Scope.MENTION or statement.governed or said:
        return False
    span = statement.mention.span
    if _OWN_OR_ORDERED.search(text[max(0, span.start - 20) : span.start]):
        return False
    if _AN_AMOUNT.match(text, span.end) or _FOR_SOMETHING.match(text, span.end):
        return False
    own = sentence_around(text, span.start, span.end)
    near = sentence_around(text, span.start, span.end, following=1)
    if _GIVES.search(text, own.start, own.end) or _GIVES_IT.search(text, near.start, near.end):
        return False
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end)
    return len(text[start : end if end >= 0 else len(text)].split()) > _LIST_LINE_WORDS


_JOINED: Final = re.compile(r"[ ,/&()*]{0,4}(?:(?:and|or|nor|plus) )?[ (*]{0,3}", re.I)
_AMOUNT_WORDS: Final = re.compile(
    r"(?: ?\(?\d[\d.,/-]{0,12} ?(?:mg|mcg|g|meq|mmol|units?|ml|%)?\)?(?: (?:tablets?|caps(?:ules)?|po|iv|sc"
    r"|bid|tid|qid|daily"
    r"|(?:infusion|drip)(?: from \w{1,12})?|once daily|twice daily))?){0,2}(?: (?:infusion|drip|patch"
    r"|gel)(?: from \w{1,12})?)?",
    re.I,
)
_BREAK: Final = re.compile(
    r"[ )*_]{0,3}(?:[:|,;=\u2013\u2014\u2192-]+>?[ *_]{0,4}|(?<=[ \t])[ \t]+|[ \t]{2,}|\t+)"
)
_IS: Final = re.compile(
    r"[ )*_,]{0,3}\b(?:is|are|was|were|has been|have been|stays?|remains?|had been) (?:(?:both|all|now"
    r"|also|therefore|thus"
    r"|already|just|simply|clearly) )?",
    re.I,
)
_ENDED: Final = (
    r"(?:discontinued?|d/?c'?(?:e?d)|stopped|ceased|ended|finished|completed|withdrawn|cancell?ed"
    r"|voided|declined|refused"
    r"|rejected|removed|struck (?:off|out)|crossed (?:off|out)|ruled out|passed over|turned down"
    r"|thrown (?:out|away)"
    r"|washed out|off(?= (?:since|as of|from|at|now|by)\b)|(?:stays|staying|remains|kept) off|put aside"
    r"|set aside|dropped"
    r"|tapered off|weaned off|never (?:given|started|hung|taken|filled|dispensed|used)"
    r"|not (?:given|dispensed|taken|started|used|ordered|prescribed|chosen|restarted|to be (?:given"
    r"|taken|used|started))"
    r"|avoid(?:ed)?|contra-?indicated|none since)\b"
)
_PUT_AWAY: Final = (
    r"(?:out(?= (?:of the question|because|while|as long|for (?:him|her|you|them|now)|with (?:this|that"
    r"|his|her))|[.,;:)]|\Z)"
    r"|off the (?:table|list|menu)|closed to\b|not (?:for (?:him|her|you|them|me|this)\b|worth\b"
    r"|wanted\b|an option\b"
    r"|going to happen\b|on the cards\b)|a no[- ]go\b|no good (?:here|for)\b"
    r"|on (?:your|his|her|their|the) (?:do[- ]not[- ]take|avoid|never|banned|stop) list\b)"
)
_STATUS: Final = re.compile(
    rf"(?:(?:the )?(?:order|script|taper|course|prescription|request|drug|drip|infusion)s? )?(?:(?:was"
    rf"|is|were) )?"
    rf"(?:{_ENDED}|{_PUT_AWAY})|last (?:dose|tablet|capsule|pill)s?(?: (?:was|taken))? [^.;\n]{{0,24}}?"
    r"(?:\bago|before conception)\b",
    re.I,
)
_LATER: Final = re.compile(r"[^\n]{0,90}?\b(?:stays|to stay|remains|staying) off\b", re.I)
_A_NO: Final = re.compile(
    r"(?:no|nein|never|\u2717|\u274c)(?=[ *_]{0,3}(?:[,;|(.\u2013\u2014-]|$|\n|\Z))", re.I | re.M
)
_SAID_OF: Final = re.compile(rf"(?:{_PUT_AWAY}|{_ENDED})", re.I)
_ASKS_LEAVE: Final = re.compile(
    r"\b(?:ok(?:ay)?|take|use[ds]?|give|given|safe|allowed|may|can|keep|continue[ds]?|recommend\w*"
    r"|decision|answer|verdict"
    r"|suitable|advice|options?|still|choice)\b",
    re.I,
)
_ASKS_HARM: Final = re.compile(
    r"\b(?:stop\w*|chang\w*|new|interact\w*|problem|risk|allerg\w*|avoid|refill\w*)\b", re.I
)
_AGAIN: Final = re.compile(
    r"(?<!not )(?<!n't )(?<!never )(?<!no )\b(?:re-?start\w*|resum\w+|recommenc\w+|back on"
    r"|start(?:ed)? again|go back"
    r"|reinstat\w+|reload\w*|give now|begin again)\b",
    re.I,
)
_MISTAKEN: Final = re.compile(r"\b(?:by (?:mistake|accident)|in error|mistakenly|too (?:soon|early))\b", re.I)
_NEVER_TO: Final = re.compile(
    r"\b(?:(?:right|wise|correct) not to (?:\w+ ){1,3}|nothing of the |denies (?:any )?|denied (?:any )?"
    r"|no (?:trace of |sign of )?)\Z",
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
_WOULD_HARM: Final = re.compile(
    r" (?:would|could|can|might) (?:strip|clash|wipe|undo|cancel|poison|interact|raise|push|drop"
    r"|knock|close|harm|double"
    r"|defeat|halve)\b",
    re.I,
)
_INSERTED: Final = re.compile(r",[^.;,\n]{0,60},(?= (?:is|are|was|were|has been|have been)\b)", re.I)
_PURPOSE: Final = re.compile(r" for (?:the )?\w{1,16}(?: \w{1,16})?(?= {2}|\t| ?[:|])", re.I)
_MOST: Final = 160


def put_away(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether what stands behind the name of statement `number`, or of the list it opens, says that it is not given."""
    statement = statements[number]
    span = statement.mention.span
    line = text.rfind("\n", 0, span.start) + 1
    if _ORDERED.search(text[max(line, span.start - 40) : span.start]):
        return False
    if _NEVER_TO.search(text[max(0, span.start - 40) : span.start]):
        return statement.dose is None
    end = _list_end(text, statements, number)
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    stop = min(line_end, end + _MOST)
    rest = text[end:stop]
    if _AGAIN.search(rest) or _MISTAKEN.search(rest):
        return False
    if statement.dose is None and _WOULD_HAVE.match(text, end, stop):
        return True
    if statement.dose is None and _WOULD_HARM.match(text, end, stop):
        return True
    inserted = _INSERTED.match(text, end, stop)
    linked = _IS.match(text, inserted.end() if inserted is not None else end, stop)
    if linked is not None:
        return statement.dose is None and _SAID_OF.match(text, linked.end(), stop) is not None
    purpose = _PURPOSE.match(text, end, stop)
    end = purpose.end() if purpose is not None else max(end, _amount_end(text, end, stop))
    broken = _BREAK.match(text, end, stop)
    if broken is None:
        return False
    at = broken.end()
    if _STATUS.match(text, at, stop) is not None or (":" in broken.group() and _LATER.match(text, at, stop)):
        return True
    if "," in broken.group() or _A_NO.match(text, at, stop) is None:
        return False
    return _asks_leave(text, span, at, "|" in broken.group())


def _amount_end(text: str, end: int, stop: int) -> int:
    match = _AMOUNT_WORDS.match(text, end, stop)
    return match.end() if match is not None else end


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


def _asks_leave(text: str, span: Span, at: int, ruled: bool) -> bool:
    """Whether "no" in a cell refuses the drug: its column asks whether it may be taken, or the rows around say yes."""
    if ruled:
        row = text.rfind("\n", 0, span.start) + 1
        column = text.count("|", row, at)
        head = row
        while head > 0:
            before = text.rfind("\n", 0, head - 1) + 1
            if "|" not in text[before : head - 1]:
                break
            head = before
        if head == row:
            return False
        header = text[head : text.find("\n", head)]
        offset = int(text[row : row + 1] == "|") - int(header[:1] == "|")
        cells = header.split("|")
        index = column - offset
        cell = cells[index] if 0 <= index < len(cells) else ""
        return _ASKS_LEAVE.search(cell) is not None and _ASKS_HARM.search(cell) is None
    return re.search(r"(?:  |\t)yes\b", text[max(0, span.start - 400) : at + 400], re.I) is not None
