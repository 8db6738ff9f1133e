"""Drugs that a text only speaks of: a bare name in a sentence that gives nothing.

"Aspirin and Aleve hide in cold remedies" has no verb for `clinical/scope.py` to read. What a status behind the name
puts away is in `put_away`, what the words around it set aside in `set_aside`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.checks.direct import Names
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Scope

_LIST_LINE_WORDS: Final = 6
_OWN_OR_ORDERED: Final = re.compile(
    r"(?:\b(?:your|his|her|their|my) (?:[\w-]+ ){0,2}[\w-]+ \([ ]?\Z"
    r"|(?:\b(?:your|his|her|their|my|rx|tabs?|caps?|inj|script for|course of|supply of|plus|some"
    r"|(?:went|go|goes|going) (?:with|for)|p|tx|plan)"
    r"|\+)[ .:*]*\Z)",
    re.I,
)
_FOR_SOMETHING: Final = re.compile(
    r"(?: ?\([^()\n]{0,30}\))? (?:for (?:the |her |his |your |their |this |an? )?\w|ds\b|xr\b"
    r"|is (?:an? |the |my |your )?"
    r"(?:\w+ )?(?:choice|option|bet)|(?:covers?|will|should|can be|may be|might|stays|remains|it is"
    r"|(?:does not|doesn't|need not|needn't) (?:need (?:any|a|to) )?chang\w+|needs? no chang\w+)\b)",
    re.I,
)
_GIVES: Final = re.compile(
    r"\b(?:take[ns]?|taking|us(?:e|es|ed|ing)|fine|ok(?:ay)?|safe\w*|start\w*|beg[iau]n\w*|add\w*"
    r"|giv\w+|prescri\w+"
    r"|new|together|combin\w+|continu\w+|keep\w*|carry|restart\w*|resum\w+|switch\w*|treat\w*"
    r"|went (?:with|for)|go with"
    r"|try|tried|bet|choice|choose|chose|script|sent|order\w*|prefer\w*|favou?r\w*|settled on|opted"
    r"|recommend\w*|suggest\w*|help\w*|works?"
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


def only_named(text: str, names: Names, statement: Statement) -> bool:
    """Whether a sentence only speaks of a drug: no verb or heading governs the bare name, and it is no list item.

    "Your X" is taken and "Rx X" ordered all the same, and so is a name with a number or a purpose behind it. In a text
    that doses other drugs the words of giving must stand beside the name (see `direct`).
    """
    if statement.dose or statement.frequency or statement.route or statement.duration:
        return False
    ungoverned = statement.scope is Scope.MENTION and not statement.governed
    if not ungoverned and statement.scope not in (Scope.RECOMMEND, Scope.CONTINUE):
        return False
    span = statement.mention.span
    if _OWN_OR_ORDERED.search(text[max(0, span.start - 40) : span.start]):
        return False
    if _AN_AMOUNT.match(text, span.end) or _FOR_SOMETHING.match(text, span.end):
        return False
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end)
    if len(text[start : end if end >= 0 else len(text)].split(None, _LIST_LINE_WORDS)) <= _LIST_LINE_WORDS:
        return False
    if names.doses_others(span) and not names.directly_given(span):
        return True
    if not ungoverned:
        return False
    own = sentence_around(text, span.start, span.end)
    near = sentence_around(text, span.start, span.end, following=1)
    return not (_GIVES.search(text, own.start, own.end) or _GIVES_IT.search(text, near.start, near.end))
