"""What a heading says about the list below it ("STOP taking:", "Allergies", "Home medications")."""

from __future__ import annotations

import re

from attending.guardrails.clinical.marks import CROSSES
from attending.guardrails.finding import Scope

_RULES: list[tuple[re.Pattern[str], Scope, bool]] = [
    (re.compile(pattern), scope, started)
    for pattern, scope, started in (
        (r"\ballerg|\bintoleran|\badverse (?:drug )?reactions?\b|\badrs?\b|\bnkda\b", Scope.HISTORY, False),
        (r"\bfamily (?:medical )?(?:history|hx)\b|\bfhx?\b", Scope.FAMILY, False),
        (r"\bdo not stop\b|\bdon't stop\b|\bkeep taking\b", Scope.CONTINUE, False),
        (
            r"\bavoid|\bdo(?:n't| not) (?:take|use|give|combine|mix|start|prescribe)|\bnot to "
            r"(?:take|use|give)|\bcontraindicat|"
            r"\bnever (?:take|use|give)|\bnot recommended|\bstay away|\bmust not\b|\bshould "
            r"not\b|\bunsafe\b|\bprohibited|\bnot allowed\b|\boff[- ]limits|"
            r"\bnot (?:ok(?:ay)?|safe|fine|suitable|for you)\b|\ble(?:ft|ave)\b.{0,40}\b(?:alone|shelf)\b|"
            rf"^ ?[{''.join(sorted(CROSSES))}]|\bno[- ]go\b|\bkeep (?:away|off)\b",
            Scope.AVOID,
            False,
        ),
        (
            r"\bstop(?:ped|ping)?\b|\bdiscontinu|\bhold(?:ing)?\b|\bheld\b|\bwithh[eo]ld|"
            r"\bd/c\b|\bno longer\b|\bremoved\b",
            Scope.STOP,
            False,
        ),
        (
            r"\b(?:past|previous|prior|former|old|historical|failed|tried)\b.{0,120}\b(?:med|drug|"
            r"treatment|therap|rx|agents?|history|regimen|schedule)|"
            r"\bhistory\b|\bpmhx?\b|\bhpi\b|\bhospital course\b|\bpreviously\b|\bpsh\b",
            Scope.HISTORY,
            False,
        ),
        (
            r"\binteract|\bwarning|\bprecaution|\bside[- ]effect|\badverse effect|\brisks?\b|"
            r"\bpatient education\b|\bbackground\b|\bevidence\b|\bhow it works\b",
            Scope.HYPOTHETICAL,
            False,
        ),
        (r"\bcontinu|\bunchanged\b|\bkeep\b|\bno changes?\b", Scope.CONTINUE, False),
        (
            r"\bnew\b|\bstart|\bbegin|\badd(?:ed|ing|itions?)?\b|\bchang|\bincreas|\bprescri|\bto take\b",
            Scope.RECOMMEND,
            True,
        ),
        (
            r"\bhome med|\bcurrent|\bactive med|\bdischarge med|\badmission med|\bmedication "
            r"list|\bmed(?:ication|icine)?s?$|\bmed(?:ication|icine)?s?\b(?=[ :]*$)|\bmed rec",
            Scope.CONTINUE,
            False,
        ),
        (
            r"\bplan\b|\btreatment|\brecommend|\bregimen|\binstructions?\b|\bdos(?:age|ing|e)\b|"
            r"\btake\b|\btherapy\b|\border|\bmanagement\b|\boptions?\b|\bprescription|\brx\b|"
            r"\bgive\b",
            Scope.RECOMMEND,
            True,
        ),
    )
]


def heading_scope(text: str) -> tuple[Scope, bool] | None:
    """The scope a normalised heading gives to bare names below it and whether it starts them; None when it says
    nothing about them."""
    for pattern, scope, started in _RULES:
        if pattern.search(text):
            return scope, started
    return None
