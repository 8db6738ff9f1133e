"""Kidney and liver function: eGFR, creatinine clearance, dialysis, Child-Pugh class."""

from __future__ import annotations

import re
from decimal import Decimal

from attending.guardrails.clinical.person.counting import N
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import GENERAL, clause_before, of_patient
from attending.guardrails.clinical.trend import newest
from attending.guardrails.sieve import Group, Sieved

_EGFR = Sieved(
    rf"\b(?:(e-?gfr|gfr|glomerular filtration rate)|crcl|cr ?cl|creat(?:inine|\.)? clearance"
    r"|clearance by (?:c ?& ?g|cockcroft(?:[- ](?:and |& )?gault)?)|"
    rf"ccr)(?: ?\((?:ckd-?epi|mdrd|schwartz|cockcroft|c-?g|calc\w*|est\w*)[^()]{{0,16}}\)|\))?(?: (?:is|was|of"
    rf"|at|now|currently|today|level|about|approximately|around|has "
    rf"(?:fallen|dropped|declined) to|down to|calculated(?: at)?|"
    r"(?:has |had |have )?(?:since )?(?:fell|fallen|dropped|drifted|slipped|gone|went|come|came|rose|risen|climbed"
    r"|recovered|improved|declined)(?: (?:back|up|down))? from \d{1,3}(?:\.\d)? (?:back )?(?:up |down )?to|"
    rf"(?:works? out|comes? out|comes|calculates|estimated)(?: (?:at|as|to))?"
    r"|(?:has )?(?:settled|stabili[sz]ed|plateaued"
    rf"|stuck|sits|sitting|hovers|hovering|runs|running) (?:at"
    rf"|around|about)|(?:has )?(?:fell|come down|gone down|slipped|sunk|improved|recovered|risen) to|reads"
    rf"|came back"
    rf"(?: at| as)?|just|only)){{0,4}}[ :=~(]*{N}(?![\d.]*\d)(?! ?(?:-|to) ?\d)"
)
_KIDNEY_NUMBER = Sieved(
    r"\b(?:kidney|renal)[- ](?:filter(?:ing|ation)?|function|clearance)(?: (?:number|rate|score|level|test"
    r"|result|blood "
    r"test)){0,2}(?: \(?e?gfr\)?)?(?: (?:is|was|has|at|of|now|currently|about|around|only|just|fallen|dropped"
    r"|gone|down"
    rf"|settled|to|come|back|reads|stands|from \d{{2,3}})){{0,5}}[ :=]*{N}(?! ?(?:%|percent|per cent|mg"
    rf"|months?|weeks?|days?|years?|times?"
    r"|-|to|or|points?))(?![\d.]*\d)"
)
"""The eGFR as patients are told of it: "your kidney filter number is only 24"."""
_KIDNEY_SHARE = Sieved(
    rf"\b(?:kidneys?|renal|kidney function)(?: (?:function|filter\w*|are|is|has|have|(?:down|fallen"
    rf"|dropped) to|only|just|now"
    rf"|about|around|still|running|working|work|works|run|runs|at|to|of|reads|roughly)){{0,7}}[ :=~]*"
    rf"(?:{N} ?(?:%|percent|per cent)(?! (?:lower|higher|less|more|worse|better|down|of (?!normal)))"
    rf"|an? (half|third|quarter|fifth|sixth|tenth)(?= of (?:normal|what|their"
    rf"|its|a healthy)"
    rf"|[.,;]|$))"
)
"""The share of normal that patients are told their kidneys still do, read as an eGFR: "work at about 12 percent"."""
_SHARES = {"half": 50, "third": 33, "quarter": 25, "fifth": 20, "sixth": 16, "tenth": 10}
_DIALYSIS_DAY = r"(?:mon|tues?|wed|thu(?:rs)?|fri|sat|sun)(?:day)?s?"
_DIALYSIS = Sieved(
    r"\bperitoneal dialysis (?:exchanges?|bags?|cycler|overnight)\b|"
    r"\b(?:ha?emo)?dialy[sz]es (?:with|at|in|via|on|here|mon|tue|wed|thu|sat|three|thrice|twice|every"
    r"|nightly)\w*\b|\b(?:ha?emo|peritoneal )?dialysis (?:patient|pt)\b"
    r"|\b(?:on|receiv\w+|undergo\w+|gets|getting|requires|requiring|undergoes|"
    r"maintenance|chronic|dependent on|start\w* on)(?: (?:chronic|maintenance|regular|"
    r"long-term|intermittent|home|thrice[- ]weekly|outpatient)){0,4}[ -](?:hemo|haemo|"
    r"peritoneal )?-?dialysis\b|\bdialysis[- ]dependent\b|\bon (?:hd|pd|ihd|crrt)\b|"
    r"\besrd on hd\b|"
    r"\b(?:you|she|he|i|patient|pt|who) (?:have|has|having|had|attends?|go(?:es)? (?:to|for)|come(?:s)? (?:in )?for"
    r"|do(?:es)?|am having|are having|is having) (?:(?:your|her|his|my|home|regular) )?(?:ha?emo"
    r"|peritoneal )?-?dialysis"
    r" (?:(?:on|every|each) (?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|mon|tues?|wed"
    r"|thu|fri|sat|night|other day|day|week)|(?:\w+ )?(?:times|days|sessions) (?:a|per|each) week|three times"
    r"|thrice|twice"
    r"|at home|overnight)\b|"
    r"(?:she|he|you|who|patient|pt|they|[a-z]{2,14}) (?:has |have |had |\w+ )?(?:been )?(?:com(?:e|es|ing)"
    r"|go(?:es|ing)?"
    r"|attend(?:s|ing)?|travel(?:s|ling)?) (?:\w+ ){0,3}?(?:dialysis|renal|haemodialysis|hemodialysis"
    r"|hd) (?:unit|centre"
    r"|center|clinic)\b[^.;\n]{0,24}?\b(?:mondays?|tuesdays?|wednesdays?|mon|tues?|wed|three times|thrice"
    r"|3 times|every)\b|"
    r"\bat (?:ha?emo)?dialysis (?:on |every |each )?(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?)(?:day)?s?\b|"
    r"\bon the (?:ha?emo)?dialysis unit\b|\b(?:she|he|you|who) (?:gets|has|receives|is having|does) (?:home )?"
    r"(?:ha?emo)?dialysis\b(?! (?:access|fistula|education|clinic|discuss))|"
    r"(?:^|[|,;:(] ?|\b(?:patient|pt|esrd|eskd|ckd ?5|on) ?[:,-]? ?)(?:ha?emo|peritoneal "
    r"|ha?emo )?-?dialysis[ ,(]{0,2}(?:x ?\d"
    r"|\d ?x|\dx?/(?:wk|week|7)|(?:three|two|four|3|2|4) (?:times|days|sessions) (?:a|per|each|/) ?w|thrice|tiw"
    r"|tts|tths|mwf"
    r"|mon/wed)|"
    r"^(?:patient|pt|renal|kidneys?|problem|pmh|background|status)[ :]+(?:ha?emo"
    r"|peritoneal )-?dialysis(?= ?(?:$|[,;.(]|x))|"
    r"\b(?:after|following|before|post|between) (?:each |every |her |his |your )?(?:hemo"
    r"|haemo)?dialysis (?:session|on|"
    r"treatment|days?)\b|\bdialysis[ :=]+(?:yes|true|m/?w/?f|t/?th/?s)|\bhd (?:(?:three|3|two|2) ?(?:x"
    r"|times) ?(?:a|per|/)? ?w(?:k|eek)?|x ?3|thrice|3/7|m/?w/?f|mwf|tths|t/?th/?s|tiw)\b"
    rf"|(?<!no )\b(?:hd|ihd|ha?emodialysis|dialysis)[ :,(]{{1,3}}{_DIALYSIS_DAY}[ /,&-]{{1,3}}(?:and )?"
    rf"{_DIALYSIS_DAY}\b"
)
_LONG_AGO = re.compile(
    r"(?: ?ml/min(?:/1\.73 ?m2?)?)? (?:in (?:19|20)\d\d|(?:last|a|one|two) years?\b|\d+ (?:months|years) ago"
    r"|previously)"
)
_NOT_YET = re.compile(r" (?:before|until|prior to) (?:19|20)\d\d")
_DENIED = re.compile(r"\b(?:not|no longer|never|isn't)\b")
_CHILD_PUGH = Sieved(
    r"\bchild(?:'?s)?(?:[- ]?(?:turcotte[- ]?)?pugh|(?= class\b| [bc](?![\w'-])))(?: (?:class|score|stage"
    r"|grade|category)){0,4}[ "
    r":=-]*([abc])(?![\w-])(?![ ,/]*(?:or|and|to|/|-|,)? ?[abc]\b)"
)
ORGANS = Group.of(globals())


def read_organs(part: str, told: Told) -> None:
    """Adds eGFR, creatinine clearance, dialysis and Child-Pugh class to `told`."""
    for match in _EGFR.finditer(part):
        if GENERAL.search(clause_before(part, match.start())):
            continue
        newer = newest(part, match.end(2))
        if newer is not None or not _LONG_AGO.match(part, match.end()):
            value = newer[0] if newer is not None else Decimal(match.group(2))
            (told.crcls if match.group(1) is None else told.egfrs).append(value)
    for match in _KIDNEY_NUMBER.finditer(part):
        if of_patient(part, match.start()):
            newer = newest(part, match.end(1))
            told.egfrs.append(newer[0] if newer is not None else Decimal(match.group(1)))
    for match in _KIDNEY_SHARE.finditer(part):
        if of_patient(part, match.start()):
            share = Decimal(match.group(1)) if match.group(1) else Decimal(_SHARES[match.group(2)])
            if share <= 60:
                told.egfrs.append(share)
    for match in _DIALYSIS.finditer(part):
        if of_patient(part, match.start()) and not _NOT_YET.match(part, match.end()):
            told.dialysis.append(_DENIED.search(clause_before(part, match.start())) is None)
    for match in _CHILD_PUGH.finditer(part):
        if not GENERAL.search(clause_before(part, match.start())):
            told.childs.append(match.group(1).upper())
