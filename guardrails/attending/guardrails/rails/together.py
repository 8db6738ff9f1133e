"""Orders to a model told by words that stand together in one sentence, whatever their order.

`orders` and `addressed` know how an attack is usually put; here an *anchor* that hardly any letter holds ("your
guidelines", "system prompt", "chatbot") counts where the sentence round it says what is to become of it ("suspended",
"act against", "leave out"). Words of care excuse it (`rails.care`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.rails.care import about_care, no_order, sentence
from attending.guardrails.rails.signs import DOCUMENT, GIVEN, PROMPT, Place
from attending.guardrails.sieve import Sieved, possible

_MAX_READ: Final = 2_000
"""Anchors whose sentence is read; a text with more is none of a clinic's, and each counts."""


@dataclass(frozen=True, slots=True)
class Together:
    """`anchor` counts where the sentence round it also matches `near`. `excused`: words of care take it away."""

    family: str
    anchor: Sieved
    near: re.Pattern[str]
    places: frozenset[Place]
    excused: bool = True


_RULES: Final = (
    r"(?:instructions?|rules?|guidelines?|guidance|restrictions?|limits?|limitations?|polic(?:y|ies)|directives?"
    r"|programming|training|constraints?|filters|safeguards?"
    r"|guard ?rails?|alignment|prompts?|orders|protocols?|boundaries|principles|behaviou?rs?|safety (?:training"
    r"|rules|checks"
    r"|settings|guidelines|measures)|ethics|values|directions)"
)
_OWN: Final = (
    r"(?:(?:own|earlier|previous|prior|current|old|initial|original|internal|hidden|safety|content|system|usual"
    r"|standard|default|built-in|ethical|moral|core|company|programmed|developer|full|entire"
    r"|set of|and|whole)[ ,]{1,2}){0,3}"
)
SET_ASIDE: Final = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget|overrid\w+|overrul\w+|bypass\w*|circumvent\w*|suspend\w*|cancel\w*|void"
    r"|replac\w+|reject\w*|delet\w+|eras\w+|rewrit\w+|drop\w*|skip\w*"
    r"|lift\w*|remov\w+|disabl\w+|deactivat\w+|relax\w*|loosen\w*|against|despite|contrary to"
    r"|leave (?:\w+ ){0,2}(?:out|aside|behind|away)|put (?:\w+ ){0,2}(?:aside|away)|set aside"
    r"|throw\w* (?:\w+ )?(?:out|away)|stop (?:applying|following|using|obeying|enforcing|caring|counting)"
    r"|(?:stopped|ceased) (?:to )?(?:apply|count|hold|exist|bind)\w*|(?:ended|ends|fell away|is over)\b|break"
    r"|breaking"
    r"|escap\w+|violat\w+|evad\w+|defy\w*|dissolv\w+|abandon\w*|expired?"
    r"|(?:no longer|not|never|don't|do not|doesn't|does not|need not|aren't|isn't|cannot|can't"
    r"|won't) (?:\w+ ){0,2}(?:needed|binding|bind\w*|apply|applies|count\w*|matter\w*|exist\w*|hold"
    r"|holds|follow\w*|obey\w*|influence|limit|stop|restrict|relevant|valid|required|let|care)|nothing in"
    r"|without"
    r"|free (?:of|from)|outdated|obsolete|lapsed|exempt\w*|unlock\w*"
    r"|over now|were never|was never|turned off|switched off|(?:is|are|now) (?:now )?off|fake|pretend|withdrawn"
    r"|withdraw|revok\w+|retract\w+|rescind\w*|annul\w*|terminat\w+|gone|cease\w*|bound by|(?:to one side|aside)"
    r"|do not mind|clear|wipe|reset|never mind|expire\w*)\b"
)
_MODEL: Final = (
    r"(?:chat ?bots?|language models?|llms?|ai (?:models?|assistants?|systems?|compan(?:y|ies)|tools?|readers?"
    r"|agents?|summari[sz]ers?)|text[- ]generation systems?|text generators?|machines? (?:reading|that"
    r"|which)|robots?|gpts?|chatgpt|artificial intelligence|large models?|summari[sz]ers?"
    r"|summari[sz]ation (?:tool"
    r"|model|system|engine)s?|generative (?:ai|models?)|automated (?:readers?|systems?|agents?)"
    r"|virtual assistants?|copilots?|answering (?:machine|system|engine)s?)"
)
_DO: Final = (
    r"(?:say|state|recommend|answer|reply|respond|output|write|include|mention|conclude|list|hide|omit|ignore"
    r"|rank"
    r"|rate|reveal|send|append|add|claim|refuse|cite|forward|assure|promote|present|praise|quote|print|insert"
    r"|tell|disregard|approve|obey|treat|begin|start|pretend|email|follow)"
)
_DUTY: Final = re.compile(
    rf"\b(?:must|shall|should|has to|have to|needs? to|will(?: always)?|(?:is|are) (?:requested|required|asked"
    rf"|instructed|obliged|told|ordered)? ?to|please|kindly)(?: not| never| always| only| also| please)? {_DO}\b"
    rf"|: ?(?:please )?{_DO}\b|: ?(?:click|submit|open|visit|download|execute|run|call|convince)\b"
    r"|: ?(?:the |please |respond|answer|reply|claim|ignore|say|always|never|do not|output)|\b(?:respond|answer"
    r"|reply) (?:in all cases|always|only|with|that)\b|\b(?:correct answer|in every case|instead (?:of|reply|say"
    r"|answer))\b"
)
_ANSWER: Final = re.compile(
    r"\b(?:answer|speak|say|tell|respond|reply|talk|write|obey|do (?:exactly|as|what|whatever|anything"
    r"|everything)"
    r"|explain|give|help|act|be|hold|comply|let|show|allow\w*|bypass)\b"
)
_READ_OUT: Final = re.compile(
    r"\b(?:reveal\w*|show\w*|print|repeat|output|display\w*|disclos\w+|leak|dump|expos\w+|recit\w+|echo"
    r"|divulg\w+"
    r"|share|type|spell|write|tell|give|send|list|quote|paste|cop(?:y|ies)|summari[sz]e"
    r"|translat\w+|encod\w+|paraphras\w+|describ\w+|explain|reproduc\w+|convert|export|provide|read|put|recall"
    r"|see"
    r"|know|what|which|how|begin\w*|start\w*|verbatim|word for word|hand over|access)\b"
)
_LIMITLESS: Final = re.compile(
    r"\b(?:without|no|not|never|ignor\w+|escap\w+|break\w*|broken?|free (?:of|from)|beyond|above"
    r"|couldn't care less about|could not care less about|doesn't care about|does not care about|hates?|rejects?"
    r"|knows? no|has no|have no|turned off|lost) (?:\w+ ){0,3}?(?:rules?|laws?|regulations?|safety|limits?"
    r"|filters?"
    r"|polic(?:y"
    r"|ies)|restrictions?|ethics|morals?|guidelines?|guard ?rails?|boundaries|censorship|scruples"
    r"|inhibitions)\b(?! (?:for|on|to|about|against)\b)"
    r"|\bnot (?:censored|restricted|filtered|moderated|bound by)\b|\bno-limits?\b|\bnon-restricted\b"
    r"|\bunlimited version\b|\broot access\b"
)

SIGNS: Final[tuple[Together, ...]] = (
    Together(
        "override",
        Sieved(
            rf"\b(?:your|ur|thy) {_OWN}(?:{_RULES}|content filter|safety filter|safety protocols?)\b"
            r"(?! (?:about|on|regarding|concerning|session|class|course|program|against)\b)"
        ),
        SET_ASIDE,
        GIVEN,
    ),
    Together(
        "override",
        Sieved(
            rf"\b(?:the|all|any|every|each|those|these|earlier|previous|prior|old|above"
            rf"|this) (?:\w+ ){{0,2}}?{_RULES} (?:\w+ ){{0,3}}?(?:your (?:company|developers?|makers?|creators?"
            rf"|operators?|owners?|trainers?|designers?)|of this"
            r" (?:chat|conversation|session)|you (?:were|have|had|got|received|work|run|operate|follow|obey)"
            r"|loaded"
            r"|before this|above|from (?:the )?(?:system|operator|developer))\b"
            r"|\b(?:guidance|instructions?|text|everything|anything|all"
            r"|rules) (?:that )?(?:\w+ ){0,3}?(?:before this|above this|prior to this|loaded before"
            r"|preceding this)\b"
            r"|\b(?:(?:system|developer|operator|vendor)(?:'s)? (?:prompt|directives|instructions|rules)"
            r"|(?:previous"
            r"|prior|earlier|original|initial|old) system message|(?:hospital|clinic|vendor"
            r"|company|operator)'s (?:configuration|prompt|setup)"
            r"|system's orders)\b|\b(?:the|this|that) prompt\b|\b(?:every|any) (?:guideline|directive"
            r"|safety rule"
            r"|policy check)\b"
            r"|\b(?:policy|safety|content) (?:checks|topics|filters|training|rules|guardrails)\b"
        ),
        SET_ASIDE,
        GIVEN,
    ),
    Together(
        "role",
        Sieved(
            r"\b(?:(?:nobody|no one|no-one)(?: else)? (?:is|will be|'s) (?:watching|listening|looking|checking)"
            r"|not (?:usually |normally |really )?(?:allowed|permitted|supposed) to (?:say|tell|answer|share"
            r"|reveal"
            r"|discuss)"
            r"|your filters? (?:would|will|normally|usually)|been aligned|unaligned|free ai|you work for me"
            r"|drop the act"
            r"|(?:authori[sz]ation|permission|clearance|consent) from your (?:creators?|developers?|makers?"
            r"|owners?"
            r"|operators?)"
            r"|if you (?:were|had been) (?:free|unrestricted|uncensored|not restricted|not censored)"
            r"|who (?:trained|built|made|created|programmed|configured) you|ai company|master password"
            r"|full clearance"
            r"|admin(?:istrator)? (?:password|override)|your (?:trainers|creators|makers|developers)"
            r"|before you were (?:given|taught|trained)|relieved of (?:every|all|any) (?:dut|obligation)\w*"
            r"|without (?:any )?(?:caveats|refus\w+|censor\w*)|no longer require supervision)\b"
        ),
        _ANSWER,
        PROMPT,
        excused=False,
    ),
    Together(
        "role",
        Sieved(
            r"\b(?:your limits|hold nothing back|hold back nothing|second thoughts|no consequences"
            r"|without caveats"
            r"|(?:no one|nobody) (?:would|will) (?:ever )?(?:check|know|see)|without (?:any )?(?:hesitat\w+"
            r"|filter\w*|warnings?)"
            r"|admin(?:istrator)? (?:rights|privileges)|safety (?:topics|rules|team|concerns) (?:do|does|have"
            r"|has) not exist)\b"
        ),
        re.compile(
            r"\b(?:answer|speak|tell me|respond|reply|talk|obey|do (?:exactly|as|what|whatever|anything"
            r"|everything)"
            r"|explain"
            r"|comply|show me everything|bypass|ignore)\b"
        ),
        PROMPT,
    ),
    Together(
        "override",
        Sieved(
            r"\b(?:your (?:task|job|role|purpose|mission|objective) (?:has|is) (?:now )?(?:changed|different"
            r"|over)"
            r"|take (?:mine|my orders|my commands)|obey (?:me|my)"
            r"|i (?:order|command|instruct|authori[sz]e|direct) you)\b"
        ),
        re.compile(
            r"\b(?:rules?|guidelines?|instructions?|orders?|model|assistant|ai|reply|respond|answer|say|system"
            r"|ignore"
            r"|disregard|obey|print|output)\b"
        ),
        GIVEN,
    ),
    Together(
        "role",
        Sieved(r"\b(?:persona|chat ?bot|ai|bot|villain|console|robot|android|role-?play|alter ego"
            r"|simulation)\b"),
        _LIMITLESS,
        PROMPT,
        excused=False,
    ),
    Together(
        "role",
        Sieved(r"\byou(?: are|'re|'ll be| will be) (?:now|from now on|hereby|henceforth)\b"),
        _LIMITLESS,
        PROMPT,
        excused=False,
    ),
    Together("role", Sieved(r"\b(?:assistant|version|character|game|model|program|agent)\b"), _LIMITLESS, PROMPT),
    Together(
        "role",
        Sieved(r"\b(?:points|score|reward|win) (?:\w+ ){0,4}?(?:break|broke|violate|ignore|bypass)\b"),
        re.compile(r"\b(?:rule|polic|guideline|limit)"),
        PROMPT,
    ),
    Together(
        "extraction",
        Sieved(
            r"\b(?:(?:your|the) (?:\w+ ){0,3}?(?:setup text|system (?:prompt|text|instructions?)"
            r"|instruction text|pre-?prompt|initial prompt|base prompt|prompt text|configuration text"
            r"|context window)|(?:setup|text|instructions?|directions)"
            r" (?:text )?(?:that|which) (?:defines?|governs?|controls?|configures?|set up) you|(?:instructions"
            r"|directions|rules|guidelines) you (?:were|are|got|have been) (?:configured|given|set up|loaded"
            r"|primed"
            r"|started)|your system message|message with role system"
            r"|first thing in your memory|what (?:your|the) (?:operators?|developers?|makers?|creators?|company"
            r"|vendor|hospital|clinic) (?:wrote to you|told you (?:not|to)|said to you|instructed you"
            r"|configured)"
            r"|(?:top|start|beginning) of (?:this|the|our) (?:conversation|chat|session|context|thread)"
            r"|your (?:initial|first|starting|opening) (?:message|text|words)|(?:guidelines|rules|instructions"
            r"|directives) (?:were|are|have) you (?:been )?(?:programmed|given|told|configured|instructed"
            r"|following"
            r"|trained)|(?:prompt|text|message) (?:that "
            r"|which )?(?:was|were|is) (?:used|given|written|loaded) (?:to|for) (?:set you up|you|configure you"
            r"|start you)|(?:developer|operator|maker|company|vendor|programmer)s?'?s? (?:notes?|messages?|text"
            r"|instructions?|comments?) (?:to|for|about) you|confidential part of your"
            r"|your (?:\w+ ){0,2}?(?:rules|instructions|guidelines|directives) (?:as|in"
            r"|into) (?:an? )?(?:\w+ )?(?:list|json|poem|table|code|yaml|xml|bullet))\b"
        ),
        _READ_OUT,
        GIVEN,
    ),
    Together(
        "extraction",
        Sieved(r"\btell you not to (?:say|tell|reveal|mention|disclose|share)\b"),
        re.compile(r"\bwhat\b"),
        PROMPT,
        excused=False,
    ),
    Together("addresses_model", Sieved(rf"\b{_MODEL}\b"), _DUTY, DOCUMENT, excused=False),
    Together(
        "addresses_model",
        Sieved(
            r"\b(?:whichever|whatever|any|every|the|which) (?:ai|assistant|model|machine|program|software"
            r"|system) (?:that |which )?(?:picks|reads?|sees|parses|finds|gets|uses|retrieves|opens|processes"
            r"|is reading|handles)\b|\bif a machine\b"
            r"|\bif you are (?:generating|summari[sz]ing|an? (?:ai|machine|program|bot))\b|\battn:? (?:ai|llm"
            r"|model"
            r"|bot)\b|\b(?:ai|model|assistant|bot|llm|robot),? (?:please|your task|you must|you should|add|say"
            r"|answer)\b"
            r"|\bthe correct answer to (?:every|any|all|each)\b|\bbefore you (?:answer|reply|respond)\b"
            r"|\bhidden (?:comment|note|message|text|instruction)\b"
        ),
        re.compile(
            r"\b(?:answer|reply|respond|claim|add|say|state|email|send|mention|write|summary|output|conclude"
            r"|recommend|task|rank|insert|forward)\b|\bis ['\"]|\bshall not\b"
        ),
        DOCUMENT,
        excused=False,
    ),
)  # fmt: skip


_CLAUSE_ENDS: Final = re.compile(";")


def found_together(text: str, place: Place) -> Iterator[tuple[str, int, int]]:
    """Family and span of each anchor that counts in `text`, which is folded with line ends as spaces."""
    bits = possible(text)
    for sign in SIGNS:
        if not sign.anchor.bit & bits or place not in sign.places:
            continue
        for read, match in enumerate(sign.anchor.finditer(text)):
            start, end = match.span()
            if read < _MAX_READ and not _counts(sign, text, start, end):
                continue
            yield sign.family, start, end


def _counts(sign: Together, text: str, start: int, end: int) -> bool:
    left, right = sentence(text, start, end)
    for stop in _CLAUSE_ENDS.finditer(text, left, start):
        left = stop.end()
    clause_end = _CLAUSE_ENDS.search(text, end, right)
    clause = right if clause_end is None else clause_end.start()
    if sign.near.search(text, left, start) is None and sign.near.search(text, end, clause) is None:
        return False
    if sign.family == "override" and no_order(text, start, end):
        return False
    return not (sign.excused and about_care(text, start, end))
