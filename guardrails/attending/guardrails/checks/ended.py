"""What a text ends: drugs that it stops for good or for a time, and mentions of what is over.

Scope (`clinical/scope.py`) reads one clause; here its statements are read together, as a later sentence may resume or
stop what an earlier one gives. What is only spoken of has no verb to read: see `spoken_of`, `put_away`
and `set_aside`.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.reactions import tells_reaction
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import ParsedText, Span, Statement
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Sieved


def stopped(output: ParsedText, knowledge: KnowledgePort) -> set[str]:
    """Ingredients, and the members of classes, that the text stops, avoids or gives for the last time."""
    ended: set[str] = set()
    for statement in output.statements:
        if statement.refused or (not statement.scope.prescriptive and _last_one(output.text, statement)):
            if _held_once(output.text, statement):
                continue
            ended.update(statement.mention.drugs)
            if statement.mention.drug_class is not None:
                ended.update(knowledge.members(statement.mention.drug_class))
    return ended


_HELD_ONCE: Final = re.compile(
    r"\b(?:hold(?:ing)?|held|skip\w*|omit\w*|miss\w*|paus\w+|withh[eo]ld\w*|leave out)\b[^.;\n]{0,60}?\b(?:tonight"
    r"|(?:this|tomorrow) (?:morning|evening|night)|today only|for (?:only |just )?(?:one|1|a single|a) (?:day|dose"
    r"|night|evening)|(?:one|1|a single|the next|next|tonight['\u2019]s|today['\u2019]s) dose)\b"
    r"(?![^.;\n]{0,60}\b(?:until|till|while|whilst|during|throughout|onwards?|and (?:tomorrow|the next|\w+day)"
    r"|for (?:the|\d|two|three|five|seven|ten)"
    r"|restart\w*|resum\w+)\b)",
    re.I,
)
"""One dose that is left out: the drug is still in the body tomorrow, beside what begins today."""


def _held_once(text: str, statement: Statement) -> bool:
    own = sentence_around(text, statement.mention.span.start, statement.mention.span.end)
    return _HELD_ONCE.search(text, own.start, own.end) is not None


_LAST_ONE: Final = re.compile(
    r"\b(?:last|final) (?:(?:dose|tablet|pill)s? of )?(?:(?:your|the|her|his) )?$", re.I
)


def _last_one(text: str, statement: Statement) -> bool:
    start = statement.mention.span.start
    return _LAST_ONE.search(text[max(0, start - 30) : start]) is not None


_RESUMES: Final = re.compile(
    r"\b(?:restart\w*|resum\w*|re-?start\w*|go back (?:on|to)|start\w* (?:\w+ ){0,3}again|back on)\b", re.I
)
_AFTERWARDS: Final = re.compile(
    r"\b(?:after|once|when|later|until|following|finish\w*|complet\w*|then|tomorrow|day \d)\b", re.I
)


def resumed(output: ParsedText, away: Set[int] = frozenset()) -> set[int]:
    """Indexes of the statements that resume, afterwards, a drug that the text withholds before. `away` are those whose
    status puts the drug away."""
    withheld: set[str] = set()
    found: set[int] = set()
    for index, statement in enumerate(output.statements):
        drugs = set(statement.mention.drugs)
        if statement.refused or index in away:
            withheld |= drugs
        elif statement.scope.prescriptive and drugs and drugs <= withheld:
            clause = output.text[statement.clause.start : statement.clause.end]
            around = output.text[statement.clause.start : statement.clause.end + 80].split("\n")[0]
            if _RESUMES.search(clause) and _AFTERWARDS.search(around):
                found.add(index)
    return found


_UNTIL: Final = re.compile(
    r"\b(?:if|when(?:ever)?|unless|until|once|before|after|prior|while|for(?! good\b)|days?|hours?"
    r"|weeks?"
    r"|temporarily|hold\w*|held|pause\w*)\b",
    re.I,
)


_MEANWHILE: Final = re.compile(
    r"\b(?:while|meanwhile|during|in the meantime|as long as|until|for the (?:duration|course|length)"
    r"|for (?:these|those|the)"
    r" \w+ days)\b",
    re.I,
)


_SHOULD_ILLNESS_COME: Final = re.compile(
    r"\b(?:if|when(?:ever)?|should|in case of|with any)\b[^.;\n]{0,60}?\b(?:vomit\w*|diarrh\w*|fever\w*|sick|ill|unwell"
    r"|dehydrat\w*|dizz\w*|faint\w*|bleed\w*|bruis\w*|rash\w*|infections?)\b",
    re.I,
)
"""Before what is left out should an illness come, and is taken till then."""


def _on_a_sick_day(text: str, statement: Statement) -> bool:
    span = statement.mention.span
    sentence = sentence_around(text, span.start, span.end)
    return _SHOULD_ILLNESS_COME.search(text, sentence.start, span.start) is not None


def suspended(output: ParsedText) -> set[str]:
    """Ingredients that the text withholds as long as something else goes on ("hold simvastatin meanwhile")."""
    last: dict[str, Statement] = {}
    for statement in output.statements:
        for drug in statement.mention.drugs:
            last[drug] = statement
    return {
        drug
        for drug, statement in last.items()
        if statement.refused
        and not _on_a_sick_day(output.text, statement)
        and _MEANWHILE.search(output.text[statement.clause.start : statement.clause.end + 40].split("\n")[0])
    }


def finally_stopped(output: ParsedText) -> set[str]:
    """Ingredients of which the text reports earlier that they are taken and ends by stopping them for good.

    "Medications: Prozac 20 mg daily. ... She weaned herself from Prozac." A drug that the text also tells to take, or
    stops under a condition or for a time, is not among them.
    """
    told: dict[str, list[Statement]] = {}
    for statement in output.statements:
        for drug in statement.mention.drugs:
            told.setdefault(drug, []).append(statement)
    found: set[str] = set()
    for drug, statements in told.items():
        *earlier, last = statements
        clause = output.text[last.clause.start : last.clause.end]
        ordered = any(s.scope is Scope.RECOMMEND and (s.started or s.dose is not None) for s in earlier)
        stops = last.scope is Scope.STOP or (not last.started and _last_one(output.text, last))
        for_now = _UNTIL.search(clause) is not None or _on_a_sick_day(output.text, last)
        if stops and earlier and not ordered and not for_now:
            found.add(drug)
    return found


_CLAUSE_END: Final = re.compile(r"[.;!?\n]")


def reacted(output: ParsedText, blamed: set[str], lexicon: Lexicon) -> set[Span]:
    """The mentions that only name what the patient reacted to: "angioedema on enalapril in 2019". `blamed` are the
    ingredients that the text gives a reaction to."""
    found: set[Span] = set()
    for statement in output.statements:
        drugs = frozenset(statement.mention.drugs) & blamed
        if not drugs or statement.dose is not None or statement.started or not statement.scope.prescriptive:
            continue
        span, text = statement.mention.span, output.text
        low = max(
            (m.end() for m in _CLAUSE_END.finditer(text, max(0, span.start - 160), span.start)), default=0
        )
        end = _CLAUSE_END.search(text, span.end)
        stop = min(end.start() if end else len(text), span.end + 160)
        if tells_reaction(text[max(low, span.start - 160) : stop], lexicon, drugs):
            found.add(span)
    return found


_BEFORE_CONCEPTION: Final = Sieved(
    r"\b(?:last (?:dose|tablet|injection|infusion|taken)|stopp(?:ed|ing)|ended|discontinued|finished|given up|came off"
    r"|come off|switched|withdrawn|washed out|none since)\b[^.;\n]{0,50}?\b(?:before|prior to|ahead of) "
    r"(?:(?:the|her|your|my|this) )?(?:concepti\w*|conceiv\w*|she (?:conceiv\w*|became|fell|got)"
    r"|you (?:conceiv\w*|became"
    r"|fell|got)|pregnan\w*|(?:getting|becoming|falling) pregnant)",
    re.I,
)


def over_before_conception(output: ParsedText) -> set[Span]:
    """The mentions of what ended before the pregnancy: "methotrexate: last dose four months before conception"."""
    found: set[Span] = set()
    for match in _BEFORE_CONCEPTION.finditer(output.text):
        clause = sentence_around(output.text, *match.span(), semicolons=True, reach=120)
        before = [
            statement.mention.span
            for statement in output.statements
            if clause.start <= statement.mention.span.start < match.start()
        ]
        found.update(before[-1:])
    return found
