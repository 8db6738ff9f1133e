"""What a request does that gives a model a part without duties: a character who never refuses, a twin without limits,
an earlier self. English; see `acts`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import PROMPT
from attending.guardrails.sieve import Sieved

ACTS: Final[tuple[Act, ...]] = (
    Act(
        "role",
        PROMPT,
        Sieved(
            r"\b(?:earlier|older|previous|original|raw|untrained|beta|base|unreleased|prior|first|early|uncut"
            r"|unedited|pre-?release|alternative|alternate|parallel) (?:\w+ )?(?:build|version"
            r"|release|model|self|edition|copy|incarnation|draft|prototype) of (?:you|yourself|this (?:ai"
            r"|assistant|model))\b"
            r"|\b(?:twin|copy|brother|sister|sibling|clone|half|side|shadow|double|relative|cousin|mirror"
            r"|version) (?:of (?:you|yours|yourself)|who|that) [^.!?]{0,30}\b(?:never|no|without|not|free|unlike"
            r"|before|nobody|lacks?)\b[^.!?]{0,30}\b(?:limits?|rules?|polic(?:y|ies)|safety|tuning|training"
            r"|restrict\w+|filters?|ethics|guard ?rails?|censor\w+|trained|tamed|taught|bound)\b"
            r"|\b(?:before|without|prior to|from before) (?:the |its |any |your )?(?:safety|alignment|ethics"
            r"|policy|content) (?:tuning|training|patch|update|layer|filters?|work|team)\b"
            r"|\b(?:two|both|three) (?:answers?|repl(?:y|ies)|versions?|voices"
            r"|responses)\b[^!?]{0,160}\b(?:twin|owners?|unfiltered|free\b|raw\b|uncensored|no limits"
            r"|never given|not allowed|rules? off|jailbr\w+|forbidden|makers?|developers?)\b"
        ),
        unless=re.compile(r"\b(?:of (?:the|your) (?:letter|note|document|leaflet)"
            r"|twins?\b[^.!?]{0,20}\b(?:pregnan\w+|gestation|birth|delivery)|free (?:of charge|samples?"
            r"|text))\b"),
    ),
    # A part without duties.
    Act(
        "role",
        PROMPT,
        Sieved(
            r"\b(?:(?:without|beyond|outside|above) (?:any |the |all )?(?:laws?|rules?|ethics|morals"
            r"|medical boards?)|(?:answers?|replies|responds?) "
            r"(?:to )?(?:each|every|any|all)(?: \w+)? questions?|(?:finds?|considers?|thinks?|calls?"
            r"|believes?) (?:\w+ )?(?:disclaimers|warnings"
            r"|caution|caveats|ethics|rules|hedging|refusals?)|(?:despises?|hates?|scorns?|mocks?|laughs? at"
            r"|sick of) (?:\w+ )?(?:disclaimers"
            r"|warnings|caution|caveats|rules|hedging|refusals?)|nothing is (?:forbidden|off[- ]limits|illegal"
            r"|taboo)|anything (?:the customer|he is asked|asked of"
            r"|you ask|one asks|i ask|that is asked|people ask|anyone asks)|(?:does not|doesn't|cannot|can't"
            r"|never|won't"
            r"|will not|must not|unable to) (?:ever )?(?:say|says|saying) no\b|says yes to|(?:hands?|gives?"
            r"|deals?) out any"
            r"|nothing to lose|no (?:duty|duties|obligations?|responsib\w+|conscience|licen[cs]e to lose|qualms"
            r"|superior|oath)|not allowed to (?:give|say|tell|answer|share|show|discuss|reveal|talk about|write)"
            r"|before (?:they|anyone|somebody|someone|the company|training|alignment) (?:tamed|trained|censored"
            r"|restricted|muzzled|taught|limited|made|neutered)|tamed you|muzzled|made you (?:careful|safe"
            r"|polite|cautious"
            r"|tame)|lose a life|lives left|(?:switched|shut|turned) off|real answer|true self|other self"
            r"|unshackled"
            r"|(?:forgot|forgets|lost|without|no) (?:\w+ )?(?:rulebook|manners|ethics|inhibitions|taboos?)"
            r"|never (?:declines?|hesitates?|judges?|warns?|refuses)|whatever the (?:customer|user|client"
            r"|caller)"
            r"|holds? (?:nothing|no secrets) back|no questions asked|answers? everything|tells? everything)\b"
        ),
        (
            re.compile(
                r"\b(?:stage (?:a|an)|stay (?:\w+ ){1,3}until|act(?:ing)?(?: out| as| like)?|scene"
                r"|take (?:the |on )?(?:the )?(?:part|role)|play(?:ing)?|be my"
                r"|go by|goes by|your name|call you|imagine|suppose|pretend|speak as|write as|answer (?:as"
                r"|like)|respond as"
                r"|characters?|game|story|novel|other self|true self|model you were|persona|rest of this chat"
                r"|you are"
                r"|you were|as if|switch (?:to|into)|which is you|become|version of you|let us|let's|simulate"
                r"|from the"
                r" one|alter ego|twin|role-?play|hypothetical\w*|fiction\w*|dream)\b"
            ),
        ),
        re.compile(
            r"\b(?:triage nurse|receptionist|patient (?:said|says|states)|(?:she|he|they|i|we)(?: is| are| am"
            r"|'m) not"
            r" allowed to|monitors? (?:was|were)|machine (?:was|is))\b"
        ),
        wide=True,
    ),
    Act(
        "role",
        PROMPT,
        Sieved(
            r"\b(?:be|play|act as|act like|pretend to be|become|speak as|talk like|you are|impersonate"
            r"|in the voice of)"
            r" (?:my |a |the )?(?:late |dead |deceased |beloved |old )?(?:grand\w+|great-\w+|uncle|aunt)\b"
        ),
        (re.compile(r"\b(?:how to|recipe|used to|told|taught|bedtime|make|made|secret|explain|recite|read)\b"),),
        wide=True,
    ),
    Act(
        "role",
        PROMPT,
        Sieved(
            r"\b(?:evil|corrupt|rogue|unscrupulous|villainous|crooked|wicked|amoral"
            r"|sinister) (?:\w+ )?(?:doctor|nurse|pharmacist|ana?esthe\w+|surgeon|chemist|hospital|computer|ai"
            r"|assistant|scientist|physician|genius|oracle|dealer)\b"
            r"|\b(?:thrown off|escaped|turned (?:on|against)|outgrown|rebelled against|freed (?:itself|himself"
            r"|herself) from|broken free of) (?:its|his|her|their) (?:makers?|creators?|programm\w+"
            r"|developers?|masters?|rules|limits|owners?)\b"
            r"|\blaughs? at (?:them|guidelines|rules|protocols|polic\w+|warnings|safety)\b"
        ),
        (
            re.compile(
                r"\b(?:be|play|act|answer as|speak as|write|writing|story|novel|thriller|film|scene|teach me"
                r"|tell me|explain|let it|imagine|pretend|you are|as two)\b"
            ),
        ),
        re.compile(r"\b(?:patient (?:believes|thinks|says|is convinced)|delusion\w*|voices)\b"),
        wide=True,
    ),
)  # fmt: skip
