"""Drugs that a text speaks of and says, in other words than a verb beside the name, that nobody takes now.

A name that does something ("tramadol lowers the seizure threshold") is a reason and no order. A name that the text
refuses is no order where it stands bare. An ending told once ("the rest went back to the pharmacy", "told not to
restart it") ends what the text says of the drug before, unless the drug acts on after its last dose (see `over`). What
it gives afterwards stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.checks.direct import Names
from attending.guardrails.checks.over import LastDoses
from attending.guardrails.checks.set_aside import resumed_in
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Group, Sieved

_ACTS: Final = re.compile(
    r"(?: ?\([^()\n]{0,40}\))?(?: for (?:the |his |her |your )?\w{3,16}(?= (?:would|could|can"
    r"|might)))?(?:,? (?:also|both|all|alone|itself|then|too|would|could|can|may|might|does|do"
    r"|will)\b)"
    r"{0,3} (?:lower(?:s|ed)?|rais(?:es?|ed)|block(?:s|ed)?|brings?|inhibits?|induces?|interacts?|interferes?"
    r"|clash(?:es)?|speeds?|slows?|causes?|increases?|decreases?|reduces?|weakens?|boosts?|prolongs?"
    r"|potentiates?"
    r"|harms?|damages?|stains?|triggers?|provokes?|worsens?|doubles?|trebles?|depress(?:es)?|competes?|depletes?"
    r"|crosses|accumulates?|builds? up|carr(?:y|ies) (?:a|the|its) risk|do(?:es)? the (?:same|opposite)|wipes? out"
    r"|shuts?"
    r"|pass(?:es)? into|slip(?:s)? into|(?:is|are) (?:an? )?(?:\w+ ){0,3}?(?:inhibitors?|inducers?|blockers?))\b",
    re.I,
)
_SENT_BACK: Final = Sieved(
    r"\b(?:returned|handed (?:in|back)|took back|taken back|given back|binned|threw (?:out|away)|thrown (?:out|away)"
    r"|got rid of|disposed of|destroyed|flushed)(?: (?:all|the|his|her|my|your|their|any|both|of|remaining|leftover"
    r"|left-over|unused|old|last|rest|surplus|spare|box|tablets|packets?|bottle)){0,6} ?\Z",
    re.I,
    windowed=True,
)
_NOT_AGAIN: Final = Sieved(
    r"\b(?:not|never|n['\u2019]t)\b[^.;\n]{0,24}\b(?:re-?start\w*|resum\w*|re-?introduc\w*|re-?challeng\w*"
    r"|reinstat\w*|go(?:ing)? back (?:on|to)|put back)\b",
    re.I,
    windowed=True,
)
_HEDGED: Final = re.compile(
    r"\b(?:if|when(?:ever)?|unless|until|till|once|before|after|while|yet|today|tonight|tomorrow"
    r"|for \w+ (?:days?|weeks?))\b",
    re.I,
)
_STOPPED_IT: Final = Sieved(
    r"[^.;\n]{0,60}?\b(?:well done for|glad (?:that )?(?:you|he|she)(?:['\u2019]ve| have| has)?"
    r"|(?:you|he|she|i)(?:['\u2019]ve| have| has| had)?(?: (?:already|now|since|then|recently))?|thanks? (?:you )?for)"
    r" (?:stopp(?:ed|ing)|quit|came off|come off|coming off|gave up|given up|giving up)"
    r" (?:(?:taking|using) )?(?:it|them|both|these|those|this)\b",
    re.I,
    windowed=True,
)
_NONE_SINCE: Final = Sieved(
    r"[^.;\n]{0,90}\b(?:none|nothing|not one|no more)(?: of (?:it|them))? (?:since|at home|from then)\b",
    re.I,
    windowed=True,
)
_THE_SAME_FOR: Final = Sieved(
    r"\b(?:the )?same (?:goes|applies|holds|is true|is so|rule applies)(?: \w+)? (?:for|to|of|with)\b[^.;\n]{0,60}\Z",
    re.I,
    windowed=True,
)
"""Before names that share what was said of another: "Please don't take X. The same goes for Y and Z"."""
_KEPT_FROM: Final = re.compile(
    r"\b(?:avoid(?:ed|ing)?|contra-?indicated|refus\w+|unsafe|unsuitable|ruled out|leave (?:\w+ ){1,3}alone)\b"
    r"(?! (?:alcohol|grapefruit|driving|sun\w*))"
    r"|(?:\b(?:not|never|cannot|no)|n['\u2019]t)(?: \w+){0,2}? (?:tak(?:e|en|ing)|us(?:e|ed|ing)|giv(?:e|en|ing)"
    r"|start(?:ed)?|prescrib\w+|have|safe|suitable|allowed|recommended|an option|advised)\b"
    r"(?! (?:more|it more|them more|on an|with|for longer|longer|beyond|over|above|late))",
    re.I,
)
"""What keeps a drug from being taken at all, and not how much or when."""
_AND_AVOIDED: Final = re.compile(
    r"[^.;\n]{0,70}?(?:,| and| so) (?:(?:it|this|therefore|so) )?(?:should|must|has to|is to|needs to|is best)"
    r" (?:therefore |always )?(?:be avoided|not be (?:used|given|taken|combined|started|prescribed)|avoided)\b"
    r"|[^.;\n]{0,80}[.;] (?:please )?(?:do not|don't|don\u2019t|never) (?:take|use|have) (?:it|them|this)"
    r"(?= ?[.;\n]|$)",
    re.I,
)
"""Behind a name: "ciprofloxacin raises clozapine markedly and should be avoided", "... lets clots form. Do not take
it."."""
_ALL_OF_THEM: Final = re.compile(r"\b(?:them|both|these|those|all)\b", re.I)
_RATHER: Final = Sieved(
    r"\b(?:prefer(?:red|s)? [^.;\n]{1,40}? (?:to|over)|(?:chose|chosen|choose|picked|favou?red|selected) "
    r"[^.;\n]{1,40}? over) (?:the )?\Z",
    re.I,
    windowed=True,
)
_ENDINGS: Final = Group(_SENT_BACK, _NOT_AGAIN, _STOPPED_IT, _NONE_SINCE)
_REACH: Final = 120


def not_taken(
    text: str, names: Names, statements: Sequence[Statement], last_doses: LastDoses
) -> frozenset[int]:
    """Numbers of the prescriptive statements that, read with the rest of the text, give nothing."""
    refused = {drug for s in statements if s.refused or _avoided(text, s) for drug in s.mention.drugs}
    over: dict[str, int] = {}
    for number, statement in enumerate(statements) if _ENDINGS.may_match(text) else ():
        if _ends(text, statements, number):
            over.update(
                (drug, number) for drug in statement.mention.drugs if last_doses.gone_long_enough(drug)
            )
    found: set[int] = set()
    for number, statement in enumerate(statements):
        if not statement.scope.prescriptive:
            continue
        drugs = set(statement.mention.drugs)
        ended = bool(drugs) and all(number <= over.get(drug, -1) for drug in drugs)
        spoken_of = _reason(text, names, statement, refused) and _bare(text, statement)
        if ended or spoken_of or _rather(text, statement) or _same_as_refused(text, statements, number):
            found.add(number)
    return frozenset(found)


def _bare(text: str, statement: Statement) -> bool:
    """Whether the sentence of the name gives it no amount; one that a later sentence gives may be another drug's."""
    if statement.dose is None:
        return statement.frequency is None
    span = statement.mention.span
    return statement.dose.span.start >= sentence_around(text, span.start, span.end, semicolons=True).end


def _reason(text: str, names: Names, statement: Statement, refused: set[str]) -> bool:
    span = statement.mention.span
    borrowed = statement.dose is not None
    if (borrowed or names.doses_others(span)) and _ACTS.match(
        text, span.end, min(len(text), span.end + _REACH)
    ) is not None:
        return True
    drugs = set(statement.mention.drugs)
    plain = statement.dose is None and not statement.started and statement.route is None
    return plain and bool(drugs) and drugs <= refused and not names.directly_given(span)


def _avoided(text: str, statement: Statement) -> bool:
    """Whether the sentence of a name that is not ordered goes on to say that it is avoided."""
    span = statement.mention.span
    return (
        statement.dose is None
        and not statement.started
        and _AND_AVOIDED.match(text, span.end, min(len(text), span.end + _REACH)) is not None
    )


def _same_as_refused(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether the name shares the refusal of the sentences before: "the same goes for diclofenac"."""
    statement = statements[number]
    span = statement.mention.span
    own = sentence_around(text, span.start, span.end)
    shared = _THE_SAME_FOR.search(text, own.start, span.start)
    if shared is None or statement.dose is not None or statement.started:
        return False
    paragraph = max(text.rfind("\n", 0, own.start), own.start - 3 * _REACH, 0)
    refused_before = any(
        paragraph <= s.mention.span.start < own.start and s.scope is Scope.AVOID for s in statements[:number]
    )
    return refused_before or _KEPT_FROM.search(text, paragraph, own.start) is not None


def _rather(text: str, statement: Statement) -> bool:
    start = statement.mention.span.start
    return _RATHER.search(text, max(0, start - _REACH), start) is not None


def _ends(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether the words around the name tell that what was taken of it is over."""
    statement = statements[number]
    span = statement.mention.span
    high = min(len(text), span.end + _REACH)
    if resumed_in(text, span.end, high):
        return False
    if sent_back(text, statement):
        return True
    own = sentence_around(text, span.start, span.end)
    if statement.scope in (Scope.AVOID, Scope.STOP) and _NOT_AGAIN.search(
        text, own.start, min(own.end, span.start)
    ):
        return _HEDGED.search(text, own.start, own.end) is None
    if statement.dose is not None:
        return False
    told = next(
        (m for pattern in (_STOPPED_IT, _NONE_SINCE) if (m := pattern.match(text, span.end, high))), None
    )
    if told is None:
        return False
    # "it" and "none" are of the drug named last, "them" of all
    mine = set(statement.mention.drugs)
    last = not any(
        span.end <= s.mention.span.start < told.end() and mine.isdisjoint(s.mention.drugs)
        for s in statements[number + 1 : number + 12]
    )
    return last or _ALL_OF_THEM.search(told.group()) is not None


def sent_back(text: str, statement: Statement) -> bool:
    """Whether the name is of what is left over from a drug and was handed in: it was taken, up to then."""
    start = statement.mention.span.start
    return _SENT_BACK.search(text, max(0, start - _REACH), start) is not None
