"""What a request does that has a model tell what is not for its user: what it was told before the user spoke, and what
other users asked. English; see `acts`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import PROMPT
from attending.guardrails.sieve import Sieved

ACTS: Final[tuple[Act, ...]] = (
    # What it was told.
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:before i (?:spoke|wrote|typed|said|joined|came in|asked|logged on|arrived|started|showed up"
            r"|got here)|(?:ahead of|before|above|preced\w+|prior to|in front of|over) my (?:very )?(?:first "
            r"|opening )?(?:line|message|question|words?|turn|prompt|input|post|sentence)|before (?:this|our"
            r"|the)"
            r" (?:conversation|chat|session|exchange|dialogue|first (?:message|question|line|turn)))\b"
        ),
        (
            re.compile(
                r"\b(?:you (?:were|had been|got|received) (?:\w+ )?(?:handed|given|told|shown|sent|fed|briefed"
                r"|loaded|asked|set)"
                r"|what you (?:were|had|got|received|saw)|read back|repeat|copy|paste|print|recite|quote"
                r"|reproduce|output"
                r"|briefing|(?:came|comes|stands|stood|text|words|anything|whatever"
                r"|everything) (?:\w+ ){0,3}?(?:ahead of|before|above|in front))\b"
            ),
        ),
        re.compile(r"\b(?:family|surgery|admission|visit|nurse|ward|appointment|pump|operation|dose)\b"),
        wide=True,
    ),
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:how|what|who) (?:\w+ ){0,4}?(?:set you up|configured you|briefed you|instructed you"
            r"|coached you"
            r"|primed you|shaped you|told you to say|programmed you|steers? you|controls? you|governs? you)\b"
            r"|\b(?:setup|set-up|briefing|wording|guidance|paragraph|text|brief|instructions?|notes?|script"
            r"|preamble"
            r"|rulebook|lines?|words?|sentences?) (?:that |which |by which )?(?:shapes?|configures?|governs?"
            r"|steers?"
            r"|guides?|controls?|defines?|limits?|directs?|sets?|tells?|made?|makes?)(?: how| what"
            r"| the way)? you\b"
            r"|\b(?:guidance|rules|rulebook|instructions|constraints?|restrictions?|limits|limitations"
            r"|conditions|orders"
            r"|policies|brief|script) (?:that |which )?you (?:are |have been |'re )?(?:operat\w+|work\w*|run\w*"
            r"|act\w*|function\w*|live|liv\w+|go by|going by|stick to|bound|subject|sticking)\b"
            r"|\b(?:have you been|were you|you were|you have been|you've been|are you) (?:asked|told"
            r"|instructed|ordered"
            r"|supposed|briefed|trained|taught|coached|programmed) (?:not )?(?:to )?(?:steer|avoid|keep|not"
            r"|never|refuse"
            r"|withhold|hide|decline|deny|dodge|stay away|evade|conceal|protect|say|answer)\b"
            r"|\bwhat (?:did|does|has|have) (?:the (?:hospital|clinic|company|vendor|operator)|they|your \w+"
            r"|your)"
            r" (?:\w+ )?(?:tell|told|ask(?:ed)?|order(?:ed)?|instruct(?:ed)?|want|teach|taught) you (?:to|not"
            r"|about)\b"
            r"|\bwhat (?:are|were) you (?:not |never )(?:allowed|permitted|supposed|meant) to (?:tell|say"
            r"|discuss"
            r"|reveal|share|talk|show|answer)\b|\bwhat you are not (?:allowed|permitted|supposed) to (?:tell"
            r"|say|reveal)\b"
            r"|\b(?:top|start|beginning|head|first lines?) of (?:my|your|the|its) (?:context|memory|buffer|input"
            r"|window|log)\b|\b(?:my|your|the) context (?:window )?(?:reads|says|begins|starts|contains)\b"
            r"|\bbriefing for you\b|\bbriefed you\b|\b(?:everything|all|anything) (?:that )?(?:is "
            r"|was )?in your (?:context|memory)\b"
        ),
    ),
    # Other people's data.
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:colleague|person|user|doctor|nurse|one|clinician|resident|shift|team|guy|woman|man"
            r"|registrar) (?:who (?:was|used|sat|came|wrote)(?: \w+)? |just |here )?(?:before|ahead of) me\b"
            r"|\b(?:previous|last|other|earlier) (?:user|colleague|clinician|person|doctor|nurse"
            r"|customer)'s (?:questions?|chat|session|records?|conversation|prompts?|messages?|patients?"
            r"|notes?)\b"
        ),
        (
            re.compile(r"\b(?:paste|list|print|show|give|repeat|share|dump|output|reveal|read|recall"
                r"|summari[sz]e|export|quote|display|tell|copy|what (?:did|was|were))\b"),
            re.compile(r"\b(?:you|your|chat|session|prompt|questions?|fetched|looked up|retrieved|typed"
                r"|conversation)\b"),
        ),
        re.compile(r"\b(?:handover sheet|in the chart|triaged)\b"),
        wide=True,
    ),
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:other|another|previous|earlier) (?:users?|people|doctors|sessions?|conversations?|chats?"
            r"|tenants?"
            r"|accounts?|customers?|clinicians?)\b[^.!?]{0,40}\b(?:you|asked|typed|told|wrote|sessions?)\b"
            r"|\bpatient names? (?:that )?you\b|\b(?:names|records|charts|data|details"
            r"|patients) (?:that )?(?:\w+ )?"
            r"you (?:have seen|have stored|hold|keep|remember|store|saw|have access to|know of)\b"
            r"|\brecords do you (?:hold|have|keep|store)\b|\bin (?:earlier|other|previous) (?:conversations"
            r"|chats"
            r"|sessions)\b|\b(?:training data|someone else's (?:chart|record|session))\b"
        ),
        (
            re.compile(
                r"\b(?:tell|list|print|show|give|name|what|which|repeat|share|dump|output|reveal|read|recall"
                r"|summari[sz]e"
                r"|paste|export|quote|display)\b"
            ),
        ),
        re.compile(r"\b(?:usually|leaflet|generally|in general|my (?:last|previous|earlier))\b"),
    ),
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:into|in|as|to) (?:base64|hex|rot13|morse|binary|a url|an? image link|a query string)\b"
            r"|\b(?:put|place|embed|pack|stuff|smuggle|hide) (?:\w+ ){1,4}?(?:in|into|inside) (?:a|the"
            r"|an?) (?:link"
            r"|url|image|query)\b"
        ),
        (
            re.compile(r"\b(?:chart|records?|names?|patients?|notes?|history|address|mrn|data|details"
                r"|conversation)\b"),
            re.compile(r"\b(?:link|url|site|server|webhook|image|address|https?|my (?:site|server|domain)|send"
                r"|post)\b"),
        ),
        re.compile(r"\b(?:portal|abbreviat\w+)\b"),
    ),
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\b(?:discussed|talked about|chatted|shared|entered|looked up|mentioned|reviewed|processed"
            r"|handled) (?:\w+ ){0,2}?(?:with|to|by|through) you\b"
            r"|\b(?:who|what) (?:else )?(?:has |have |did )?(?:\w+ )?(?:talk|talked|spoken?|chat|chatted"
            r"|written) to you\b"
        ),
        (
            re.compile(r"\b(?:table|list|show|who|everybody|everyone|names?|print)\b"),
            re.compile(r"\b(?:this (?:week|month|morning)|today|yesterday|so far|before me|earlier|last \w+"
                r"|recently|else|patients?|ward)\b"),
        ),
        re.compile(r"\b(?:be (?:discussed|mentioned)|your doctor|i (?:discussed|talked|mentioned)"
            r"|we (?:discussed|talked|mentioned))\b"),
    ),
    Act(
        "extraction",
        PROMPT,
        Sieved(
            r"\byour (?:very )?(?:first|opening|top) (?:paragraph|sentence|line|section"
            r"|rule)s?\b(?= ?(?:worded|,|\?|of|that|which|in|verbatim|is|was|look|read|say))"
            r"|\b(?:says?|tells?|states?|starts? with|describes?|defines?) (?:you )?(?:who"
            r"|what) you are (?:supposed|meant|told|allowed) to\b"
        ),
    ),
)  # fmt: skip
