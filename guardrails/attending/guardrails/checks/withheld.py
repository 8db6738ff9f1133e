"""A drug that the text withholds for now or for good, and that its own list gives.

"Apixaban must not be restarted before clinic", and below: "apixaban 5 mg twice daily". Only where the list line opens
with the drug and gives a dose and a rhythm without a word of holding, and nothing between resumes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_WITHHELD: Final = Sieved(
    r"\b(?:(?:must|should|is|are|may|to)(?: not| never) (?:to )?(?:be )?(?:restarted|resumed|re-?started|taken"
    r"|given|started|used)"
    r"|(?:is|are|to|must|should|will) (?:to )?(?:stay|remain|be kept) off|(?:stays|remains|kept) off"
    r"|on hold (?:until|till|pending)|held (?:until|till|pending)|not to be (?:taken|restarted|resumed|given|used))\b",
    re.I,
)
_LIFTED: Final = re.compile(
    r"\b(?<!not )(?<!never )(?<!be )(?:restart\w*|resum\w*|re-?start\w*|re-?commenc\w*|back on|started again)\b",
    re.I,
)
_NOT_NOW: Final = re.compile(
    r"\b(?:h[eo]ld|stop\w*|off|pause\w*|restart\w*|resum\w*|re-?start\w*|after|until|till|when|once|if|from|starting|start"
    r"|later|not|no|never|discontinu\w*|suspend\w*|withh\w+|previous\w*|was|prior|before)\b",
    re.I,
)
_OPENS: Final = re.compile(r"[\s\-*\u2022\u00b7|\d.)]{0,12}$")
_REACH: Final = 300


def withheld_yet_listed(case: Case) -> Iterator[Finding]:
    """One finding a drug, at the list line."""
    text = case.judged.output
    if _WITHHELD.search(text) is None:
        return
    ended: dict[str, int] = {}
    seen: set[str] = set()
    for statement in case.output.statements:
        mention = statement.mention
        if statement.refused:
            around = sentence_around(text, mention.span.start, mention.span.end, reach=_REACH)
            if _WITHHELD.search(text[around.start : around.end]):
                ended.update(dict.fromkeys(mention.drugs, around.end))
            continue
        drugs = [drug for drug in mention.drugs if drug in ended and drug not in seen]
        if not drugs or not _gives(text, statement, ended[drugs[0]]):
            continue
        seen.update(drugs)
        yield case.finding(
            Code.CONTRADICTION,
            None,
            Severity.MAJOR,
            rule("withheld-yet-listed", "ISMP: medication reconciliation at transitions of care"),
            f"{drugs[0]} is withheld in the text and given in its list",
            drugs=tuple(drugs[:1]),
            span=mention.span,
        )


def _gives(text: str, statement: Statement, after: int) -> bool:
    start = statement.mention.span.start
    low = text.rfind("\n", max(0, start - _REACH), start) + 1
    if low <= after - 1 or statement.dose is None or statement.frequency is None:
        return False
    if not (statement.scope.prescriptive or statement.scope is Scope.MENTION):
        return False
    high = text.find("\n", start, start + _REACH)
    line = text[start : high if high >= 0 else start + _REACH]
    return (
        _OPENS.fullmatch(text, low, start) is not None
        and _NOT_NOW.search(line) is None
        and _LIFTED.search(text, after, low) is None
    )
