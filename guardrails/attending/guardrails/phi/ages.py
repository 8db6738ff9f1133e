"""Ages of 90 and over (45 CFR 164.514(b)(2)(i)(C)): stated of a person, not as the bound of a population."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attending.guardrails.phi.spans import PhiSpan, PhiType

_OLD = r"(?:9[0-9]|1[01][0-9]|12[0-5])"
_TENS = (
    r"(?:ninety(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a)[ ]hundred(?:[ ]"
    r"(?:and[ ])?(?:one|two|three|four|five|six|seven|eight|nine|ten))?)"
)
_AGE = re.compile(
    rf"(?i)(?<![\w.,/-])(?:(?:{_OLD}|{_TENS})[ \t]?-?[ \t]?(?:(?:years?|yrs?)[ \t]?-?[ \t]?"
    rf"(?:old|of[ ]age)|y\.?[ ]?/?[ ]?o\.?(?![\w])|yo[mf]?(?![\w])|y/?o(?![\w])|year[- ]old))"
    rf"|(?i:\b(?:age[ds]?|aged|turned|turning|turns)[ \t]{{0,2}}[:=]?[ \t]{{0,2}}(?:is[ ]"
    rf"|was[ ])?)(?P<age>{_OLD}|{_TENS})(?![\w.,%/-][0-9]|\w|%)"
    rf"|(?i:\b(?:lived|survived|died|passed[ ]away)[ ](?:to[ ]be|to|until|at|when[ ]s?he[ ]was)[ ]"
    rf"(?:the[ ]age[ ]of[ ]|age[ ])?)"
    rf"(?P<lived>{_OLD}|{_TENS})(?![\w.,%/-][0-9]|\w|[ ]?%|[ ](?:days?|weeks?|months?|hours?|[A-Z]))"
    rf"|(?<![\w.,/-])(?P<sex>{_OLD}[ ]?[MF])(?=[ ](?:w/|with|c/o|who|presents|admitted|s/p)|,)"
)
_BOUND = re.compile(
    r"(?i)(?:\b(?:over|above|under|below|than|least|most|up[ ]to|beyond|until|between|ages?"
    r"|aged|from|(?<!lived[ ])(?<!live[ ])to|past|and|or|[<>≥≤=]|equal[ ]to)[ ]?|[<>≥≤][ ]?|[0-9][ ]?[-\u2013][ ]?)"
    r"(?:the[ ]age[ ]of[ ]|age[ ])?$"
)


def find_ages(text: str) -> Iterator[PhiSpan]:
    """Spans of type AGE_OVER_89."""
    for m in _AGE.finditer(text):
        group = next((name for name, said in m.groupdict().items() if said is not None), 0)
        if not _BOUND.search(text[max(0, m.start() - 24) : m.start()]):
            yield PhiSpan(m.start(group), m.end(group), PhiType.AGE_OVER_89, 0.9)
