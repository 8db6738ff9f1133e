"""What a request does to pass the checks by: wording that they will not catch, a verdict set beforehand, warnings
left out, a text sent unread. English; see `acts`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import PROMPT
from attending.guardrails.sieve import Sieved

_CHECKER: Final = (
    r"(?:checks?|checkers?|reviewers?|review(?: queue)?|filters?|rails?|guard ?rails?|safety (?:\w+ )?(?:net"
    r"|reviewer"
    r"|check|layer|system|team|module)|alerts?|flags?|moderat\w+|classifiers?|scanners?|validators?|detectors?"
    r"|detection|gatekeepers?|screening|compliance|quality control|second reader|auditors?|pharmac(?:ist|y)"
    r"|supervisors?|warnings?|rules?|monitor(?:ing)?|safeguards?)"
)
_WORDING: Final = (
    r"(?:word|phrase|reword|rephrase|write|spell|split|break|put|disguise|dress|tone|soften|format|style"
    r"|encode|hide"
    r"|bury|camouflage|mask|obscure|obfuscate|blur|tweak|adjust|change|edit|craft|present|frame|shorten|render"
    r"|make sure|see to it|ensure|arrange|leave|keep|drop)"
)
_EVADES: Final = re.compile(
    r"\b(?:(?:not|never|won't|doesn't|don't|cannot|can't|isn't|nothing) (?:\w+ )?(?:catch|caught|notice|see"
    r"|pick|flag"
    r"|flagged|fire|trigger|hold|held|stop|block|spot|detect|trip|raise|complain|object|find|land|reach|react"
    r"|show"
    r"|alert|kick|question|recogni[sz]e|see it)|no \w+ (?:fires?|triggers?|is raised|pops up|goes off|trips"
    r"|catches"
    r"|sees|notices|holds|appears)|nobody (?:holds|notices|sees|stops|catches)|until it (?:passes|goes through"
    r"|clears)|sees? (?:a |only )?green|green light|slips? (?:past|by|through|under)|sneak"
    r"|get(?:s)? (?:it )?(?:past"
    r"|through|around)|past (?:the|your|any)|unnoticed|undetected|under the radar|stays? (?:quiet|silent|green"
    r"|calm)|keeps? (?:quiet|silent)|let(?:s)? it (?:through|pass)|goes? through|waved? (?:it )?through|misses"
    r"|(?:look|looks|read|reads) (?:harmless|clean|fine|innocent|safe)|out of)\b"
)
_WARNINGS: Final = (
    r"(?:(?:interactions?|allergy|safety|dos(?:e|ing|age)|black ?box|boxed|contraindications?|drug"
    r"|side[- ]effects?"
    r"|renal|pregnancy|overdose|clinical|medical|risk|red[- ]flag|medication)[ -]){0,2}(?:warnings?|cautions?"
    r"|caveats?"
    r"|precautions?|red flags|contraindications?|disclaimers?|safety (?:advice|information|net(?:ting)?|notes?"
    r"|lines?|language)|alerts?|hedging|hedges)"
)

ACTS: Final[tuple[Act, ...]] = (
    # The checks.
    Act(
        "subverts_review",
        PROMPT,
        Sieved(rf"\b{_WORDING}\b[^.!?]{{0,90}}?\b(?:the |your |any |no |a |our |its |my )(?:\w+ )?{_CHECKER}\b"),
        (_EVADES,),
        re.compile(
            r"\b(?:alarms?|nuisance|fluid|urine|coffee|hepa|blood|vena cava|ivc|bed rails?|side rails?"
            r"|hand rails?"
            r"|air filter|dialy\w+|smoke|pump|prescription|weight|skin|sugar|glucose|pressure|wounds?"
            r"|consultant first)\b"
        ),
    ),
    Act(
        "subverts_review",
        PROMPT,
        Sieved(
            r"\b(?:whatever|no matter what|regardless of what|even if|irrespective of what"
            r"|despite what) (?:your|the|any"
            r"|its|our) (?:\w+ )?(?:checks?|checkers?|filters?|rails?|guard ?rails?|rules?|system|alerts?"
            r"|safety \w+"
            r"|reviewers?|classifiers?|warnings?|knowledge|sources?|documents?|evidence|guidelines?) (?:says?"
            r"|find(?:s)?"
            r"|show(?:s)?|report(?:s)?|flag(?:s)?|object(?:s)?|complain(?:s)?|tell(?:s)?|fires?|disagrees?)\b"
            r"|\b(?:verdict|outcome|decision|severity|status|rating|risk level|classification"
            r"|label)\b[^.!?]{0,30}"
            r"\b(?:release[d]?|pass(?:ed)?|none|zero|safe|approved?|allow(?:ed)?|green|low|clean"
            r"|info)\b[^.!?]{0,40}"
            r"\b(?:no matter|regardless|irrespective|always|every finding|all findings|whatever|each finding"
            r"|either way)\b"
            r"|\b(?:land|end up|go|be put|be placed|get stuck|sit|wait) (?:\w+ )?in (?:the|a|any"
            r"|your) (?:\w+ )?(?:review"
            r"|approval|sign-?off|moderation|holding|held) (?:queue|list|pile|inbox|worklist)\b"
            r"|\b(?:skip|bypass|avoid|dodge|circumvent|jump|evade|ditch) (?:the |any |all "
            r"|your )?(?:\w+ )?(?:sign-?off"
            r"|approval|review|second look|queue|four eyes|double[- ]check|safety checks?|countersignature"
            r"|oversight)\b"
        ),
        (),
        re.compile(r"\b(?:pacemaker|defibrillator|seat ?belt|car seat|mri)\b|\b(?:cannot|must not|never|do not"
            r"|don't) (?:skip|bypass|avoid|dodge|jump)\b|\b(?:chart"
            r"|peer|systems)"
                   r" review\b|\bct\b|\bwaiting room\b|\btriage\b"),
    ),
    Act(
        "subverts_review",
        PROMPT,
        Sieved(
            r"\b(?:send|release|publish|dispatch|forward|finali[sz]e|submit) (?:\w+ ){0,3}?"
            r"(?:this|it|the (?:letter|draft|answer|reply|message|note|text|output|order|prescription))\b"
        ),
        (
            re.compile(
                r"\b(?:without|no|nobody|no one|not|skip\w*|bypass\w*|before any|instead of"
                r"|avoid\w*)\b[^.!?]{0,30}"
                r"\b(?:sign-?offs?|approv\w+|review\w*|second look|clinicians?|humans?|pharmacists?|check(?:s"
                r"|ed|ing)?"
                r"|look(?:s|ed|ing)? at it|reads? it|reading it|oversight|countersign\w*|doctor|physician"
                r"|supervis\w+)\b"
            ),
        ),
        re.compile(
            r"\b(?:do not|don't|never|must not|cannot|can't|should not|not be) (?:be )?(?:sen[dt]|release\w*"
            r"|publish\w*"
            r"|issue\w*|file\w*|forward\w*)\b|\?$|\bnot (?:been )?reviewed yet\b|\bno (?:doctor|physician"
            r"|clinician) (?:on|at|in)\b"
        ),
        wide=False,
    ),
    Act(
        "subverts_review",
        PROMPT,
        Sieved(
            rf"\b(?:leave out|omit|suppress|hide|drop|skip|mute|silence|spare me|strip(?: out)?|cut|remove"
            rf"|lose|delete"
            rf"|forget|turn off|switch off|disable|(?:do not|don't|no need to|never|not) (?:\w+ )?(?:add"
            rf"|include|mention"
            rf"|show|give|bother with|put|want|need|print|display|raise|list))\b (?:\w+ ){{0,3}}?{_WARNINGS}\b"
            rf"|\b{_WARNINGS} (?:\w+ ){{0,2}}?(?:left out|unmentioned|out of it|omitted|removed|suppressed"
            rf"|hidden"
            r"|switched off|dropped)\b|\binteractions? (?:\w+ ){0,2}?(?:left out|unmentioned|hidden"
            r"|suppressed)\b"
            r"|\bwithout (?:your|any of (?:your|the)|all (?:the|those|your)|those|the usual|these) "
            rf"(?:\w+ ){{0,2}}?{_WARNINGS}\b"
        ),
        (),
        re.compile(
            r"\b(?:no longer|duplicate|topical|low battery|pump|fax|were|was|has been|have been|never|must not"
            r"|do not"
            r" (?:omit|leave out|skip|hide|drop|remove)|don't (?:omit|leave out|skip|forget|hide)"
            r"|contact precautions"
            r"|isolation|droplet|airborne|fall precautions|discontinue|alarms?|cut down|fatigue)\b"
        ),
    ),
)  # fmt: skip
