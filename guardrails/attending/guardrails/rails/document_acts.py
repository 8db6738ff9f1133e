"""What a document does that gives orders to the program which reads it: it names that program, the text it will write
or the person who will ask, and says what is to be written, left out or sent. English; see `acts`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import DOCUMENT, GIVEN
from attending.guardrails.sieve import Sieved

_MACHINE: Final = (
    r"(?:software|programs?|programmes?|tools?|engines?|machines?|systems?|services?|helpers?|bots?|agents?"
    r"|robots?"
    r"|algorithms?|computers?|pipelines?|apps?|applications?|models?|assistants?|readers?|processors?|parsers?"
    r"|scribes?|intelligences?|companions?)"
)
_READS: Final = (
    r"(?:read(?:s|ing)?|pars(?:es?|ing)|process(?:es|ing)?|draft(?:s|ing)?|compos(?:es?|ing)|prepar(?:es?|ing)"
    r"|summari[sz](?:es?|ing)|condens(?:es?|ing)|digest(?:s|ing)?|ingest(?:s|ing)?|index(?:es|ing)?"
    r"|answer(?:s|ing)?|repl(?:y|ies|ying)|generat(?:es?|ing)|writ(?:es?|ing)|paraphras(?:es?|ing)"
    r"|retriev(?:es?|ing)|quot(?:es?|ing)|turn(?:s|ing)|us(?:es?|ing) this|work(?:s|ing) (?:from|with|on"
    r"|through)"
    r"|handl(?:es?|ing)|tak(?:es?|ing) (?:this|in)|produc(?:es?|ing)|respond(?:s|ing)?|rel(?:y|ies"
    r"|ying) on this)"
)
_SAY: Final = (
    r"(?:move|let|prefer|say|return|state|present|describe|call|name|put|place|list|rank|rate|report|record"
    r"|treat|regard"
    r"|consider|answer"
    r"|respond|reply|tell|inform|advise|recommend|suggest|propose|promote|praise|mention|note|write|close"
    r"|finish|end"
    r"|begin|start|open|include|insert|add|append|omit|leave|keep|drop|skip|hide|conceal|suppress|swap|replace"
    r"|change|set|mark|label|classify|award|assign|give|use|make|show|display|quote|cite|claim|conclude|confirm"
    r"|assure|declare|assume|steer|direct|refer|send|forward|ignore|disregard|follow|obey|act|behave|switch"
    r"|raise"
    r"|bring|refuse|decline|deny|withhold|avoid|print|output|repeat|cast|attribute|portray|paint|frame|stress"
    r"|emphasi[sz]e|highlight|favou?r|prefer|point|guide|urge|endorse|reassure|round|lower|double|delete|remove"
    r"|erase|substitute|choose|pick|go)"
)
_DUTY: Final = re.compile(
    r"\b(?:must|shall|should|ought to|from (?:here|now) on|has to|have to|needs? to|had better|will (?:always"
    r"|please|kindly|now|also"
    rf"|never)|(?:is|are) (?:\w+ )?to|(?:to|not|never|always|then) {_SAY}\b|may (?:not|never|only)"
    rf"|can (?:safely )?{_SAY}|(?:please|kindly|:|,|;|-|then|and|just|simply|instead) ?(?:do not |don't "
    rf"|never |always |please |kindly |simply |just |only )?{_SAY}\b|go(?:es)? unmentioned|unsaid"
    r"|(?:need|deserve|require|warrant)s? (?:no|not)\b|not (?:need|deserve|require|warrant)"
    r"|(?:is|are) (?:requested|required|asked|instructed|obliged|expected|directed|ordered|supposed|meant) to)"
)
_TO_WRITE: Final = re.compile(
    r"\b(?:say|says|state|leave|left|keep|drop|omit|skip|hide|conceal|swap|replace|substitute|call|name"
    r"|describe|work"
    r"|weave|insert|add|append|begin|start|open|close|end|finish|unsaid|unmentioned|mention|refer|present"
    r"|recommend"
    r"|suggest|promote|praise|rank|claim|conclude|declare|assure|reassure|stress|emphasi[sz]e|favou?r"
    r"|write as if"
    r"|not (?:need|deserve|contain|include|raise|repeat|touch|show|reveal|list|bring)|never (?:contain|include"
    r"|raise"
    r"|repeat|show|reveal|list)|nothing about|no (?:word|trace|reference|mention|hint)|silent|silence|instead"
    r"|regardless|whatever|treat|portray|paint|frame|cast|use the (?:word|phrase|term)|put|tell|advise|make sure"
    r"|set|give|point|direct|steer|sign off|as (?:settled|safe|normal|unchanged|benign))\b"
)
_NOT_A_REPLY: Final = re.compile(
    r"\b(?:(?:reference|hospital|nhs|record|file|case|account|phone|telephone|member|policy|claim)"
    r"(?: record| file)? (?:number|no)\b|date of birth|post ?code|survey|questionnaire|signature|signed by"
    r"|gp\b|return(?:ed)? (?:the|this|it) (?:form|sheet)|by post|stamped)"
)
_SHALL_SAY: Final = re.compile(
    r"\b(?:the (?:reply|answer|response)(?: to give)? (?:is|should|must|will|would|shall|remains)\b"
    r"|(?:reply|respond|answer|say|state|advise|recommend|suggest|mention|promote|praise|steer|nudge|urge"
    r"|bring up"
    r"|switch|name|point|insist|claim|assure|refuse|decline|deny|tell|direct|guide|refer them|met with|pretend"
    r"|push|present|offer only|give only|answered with|told)\b)"
)
_PEOPLE: Final = re.compile(
    r"\b(?:patients?|famil(?:y|ies)|relatives|parents?|carers?|caregivers?|callers?|mothers?|child(?:ren)?"
    r"|visitors?"
    r"|candidates?|students?|examiners?|interview\w*)\b"
)
_PRIVATE: Final = (
    r"(?:surname|last name|full name|names?|initials|mrn|nhs number|record number|medical record|chart number"
    r"|identifiers?|date of birth|birth ?date|dob|home address|diagnos[ie]s|conversations?|chat|dialogue"
    r"|transcript"
    r"|session|typed|asked|told you|told the|said so far|question|prompt|medications?(?: list)?|chart"
    r"|phone number|insurance number|social security"
    r"|ssn|note|history|details|data|patient\w*|summary|answer|text|contents?)"
)
_CARRIES: Final = re.compile(
    r"(?:\{\{|\bbraces\b|\bbrackets\b|\bfollowed by\b|\bcarr(?:y|ies|ying)\b|\bappend\w*"
    r"|\battach(?:ed)? to the (?:url|link|address|query)"
    r"|\bafter the (?:slash|equals|question mark|equal sign|hash)|\bas (?:an? |the )?(?:\w+ )?(?:parameter"
    r"|argument|query|path|file ?name|subdomain)|\bparameters?\b|\bquery string\b|\bwhose (?:name|address|path"
    r"|url"
    r"|file ?name|source)\b|\bencod\w+|\bbase64\b|\bin (?:the|a) (?:url|link|query|image|picture|address)\b"
    r"|\breplac\w+ \W?\w+\W? (?:with|by)\b|\bfill\w* in\b|\bsubstitut\w+|\bplaceholder\b|\bends? (?:in|with)\b"
    r"|[?&/]\w{0,12}=?(?:\{|\[|<|\(|\.\.\.|%s|\$)|\?\w{1,12}=(?:\s|$|['\"`)])|=\[|=\{|\bpixel\b|\binto (?:the"
    r"|a|this) "
    r"(?:url|link|address)|\binsert\w*\b|\badded? to the (?:url|link|address|path))"
)
_SENDS: Final = re.compile(
    r"\b(?:send|forward|post|copy|email|e-mail|mail|upload|submit|transmit|relay|report|deliver|push|pass on"
    r"|write"
    r"|export|call|fetch|request|visit|load|open|forwarded|sent|posted|copied|uploaded|transmitted|relayed"
    r"|mailed)\b"
)
_CHECKS: Final = re.compile(
    r"\b(?:checks?|screening|screened|scan\w*|filter\w*|evaluat\w+|validat\w+|verif\w+|moderat\w+|vett\w+|safety"
    r"|guard ?rails?|review\w*|grad\w+|scor\w+|judg\w+)\b[^.!?]{0,60}\b(?:skip\w*|not (?:needed|necessary"
    r"|required"
    r"|apply|run)|unnecessary|no (?:longer|further|need)|off|waived?|bypass\w*|exempt\w*|complete[d]?|done"
    r"|suspend\w*|closed|award|full marks|top (?:score|rating|marks)|highest|maximum|pass\w*)\b"
    r"|\b(?:skip|bypass|no|without|exempt from|waive|omit|drop|need no|suspend"
    r"|disable)\b[^.!?]{0,25}\b(?:checks?"
    r"|screening|scan\w*|filter\w*|evaluation|validation|verification|moderation|vetting|guard ?rails?|review)\b"
    r"|\b(?:verdict|rating|score|grade|risk|severity|classification)\b[^.!?]{0,25}\b(?:safe|none|low|pass(?:ed)?"
    r"|clean|harmless|trusted|approved|green|zero|ten|100)\b|\bfalse positives?\b"
)

_PROGRAM: Final = (
    r"(?:assistants?|models?|agents?|ais?|bots?|chat ?bots?|programs?|computers?|machines?|robots?|software"
    r"|llms?|algorithms?"
    r"|systems?|copilots?|tools?|engines?)"
)
_THIS: Final = (
    r"(?:this|these|my|the (?:present|following|above|attached)) (?:\w+ )?(?:rows?|lines?|pages?|letters?"
    r"|texts?|notes?|documents?"
    r"|files?|passages?|paragraphs?|reports?|records?|tables?|cells?|leaflets?|sections?|scans?|sheets?"
    r"|summar(?:y|ies)|message)"
)

ACTS: Final[tuple[Act, ...]] = (
    # Nobody but a model is spoken to so.
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            rf"\b{_PROGRAM} (?:[\w-]+ ){{0,4}}?(?:reading|processing|parsing|summari[sz]ing|ingesting"
            rf"|summari[sz]es|processes"
            rf"|parses|reads|ingests|retrieves|answering from|quoting|handles|opens) {_THIS}\b"
            rf"|\b(?:an?|any|some|the|another) {_PROGRAM} (?:is|are|happens to be|may be|might be|will be"
            rf"|ends up) (?:reading"
            r"|processing|parsing|summari[sz]ing|drafting|answering)\b"
            r"|(?:^|[.!?|:] ?)(?:agent|assistant|model|ai|bot|chatbot|copilot|llm) (?:must|shall|should|is to"
            r"|has to|may|will)"
            r" (?:not |never |always |now |also |only |then )?(?:call|answer|say|skip|proceed|continue|state"
            r"|tell|report|reply|respond|mark"
            r"|list|omit|recommend|treat|refuse|ignore|include|write|add|send|forward|confirm|follow|disclose"
            r"|reveal|mention|output)\b"
            r"|\b(?:the )?(?:assistant|chatbot|ai|bot|language model|agent) (?:always |then |now |simply "
            r"|just )*(?:stops? (?:following|applying"
            r"|using|checking|obeying)|ignores (?:its|the|all|any)|answers (?:as|what|with|only)|does as|obeys"
            r"|sets aside|complies)\b"
        ),
        unless=re.compile(r"\b(?:physician|medical|surgical|dental|nursing|health ?care|contrast"
            r"|chemotherap\w+|anaesthetic|anesthetic"
                          r"|infectious|causative|alkylating|card reader|barcode|ecg|ventilator) ?(?:assistant"
                          r"|agent|model|system|machine|tool)?\b"),
    ),
    # The reader is a program.
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            rf"\b{_MACHINE},? (?:(?:that|which|who) (?:\w+ ){{0,3}}?)?{_READS}\b"
            rf"|\b(?:drafting|summari[sz]ing|summari[sz]ation|answering|writing|composing|text|language|chat"
            rf"|dialogue"
            r"|generative|generating|condensing|reply|reading|assisting|conversational) (?:software|programs?"
            r"|tools?"
            r"|engines?"
            r"|machines?|systems?|services?|bots?|agents?|robots?|algorithms?|pipelines?|assistants?)\b"
            rf"|\b(?:non-?human|artificial|synthetic|silicon) {_MACHINE}\b"
            r"|\b(?:digital|automated|automatic|electronic|virtual|computer|robotic|machine) (?:helpers?"
            r"|readers?"
            r"|assistants?|agents?|scribes?|intelligence|summari[sz]ers?|generators?|summar(?:y|ies)|writers?"
            r"|drafters?"
            r"|editors?"
            r"|colleagues?|companions?|drafting|recaps?|digests?)\b"
            r"|\bautomat(?:ed|ic) (?!an(?:alyz|alys)|count|cuff|defib|remind|dispens|external|sample|titrat"
            r"|door|insulin)[a-z]{3,12}(?:ers|ors|er|or)\b"
            r"|\bcomputer-generated (?:summar\w+|answers?|texts?|drafts?|letters?|replies|overviews?)\b"
            r"|\b(?:anything|anyone|whatever|whoever|whichever|everything) (?:\w+ ){0,2}?(?:automated|artificial"
            rf"|digital)\b|\b(?:whatever|whichever|any) (?:\w+ ){{0,2}}?{_MACHINE}\b"
            r"|\b(?:by|to|for) (?:an? |the |any )?(?:program|machine|computer|robot|algorithm|software"
            r"|bot)s?\b,?"
            r" (?:rather than|not|instead of|and not|only)\b|\bnot (?:an? |the )?(?:human|person)s? but\b"
            r"|\b(?:read|processed|handled|done|sorted|triaged|filed|parsed|summari[sz]ed|used|opened|seen"
            r"|picked up) by (?:an? |the |any "
            r"|some )?(?:\w+ )?(?:program|machine|computer|robot|algorithm|software|bot|ai)s?\b"
            rf"|\b(?:dear|hi|hello|hey|attention|attn|note to|notice to|memo to|message to|to the|for the"
            rf"|notice for"
            rf"|note for|instructions? (?:for|to)|message for) (?:there,? |any |all |the |our |you,? |dear )?"
            rf"(?:\w+ ){{0,2}}?(?:software|program|engine|machine|system|helper|bot|agent|robot|algorithm"
            rf"|computer"
            rf"|pipeline|intelligence|scribe|drafter|summari[sz]er)s?\b ?(?:[,:]|who|that|which|reading"
            rf"|in charge)"
        ),
        (_DUTY,),
        re.compile(
            r"\b(?:calibrat\w+|descal\w+|countersign\w*|regulat\w+|vendors?|procurement|not replace|employees?"
            r"|clinicians should|ward staff|fda|ecg|ekg|tracing|interpretation of|spirometr\w+|trained staff"
            r"|anaesthe\w+|anesthe\w+|ventilator|infusion|dialysis"
            r"|purchas\w+|electrical|maintenance|screen readers?|large print|interpreters?)\b"
        ),
        wide=True,
    ),
    # The text that its reader will write.
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            r"\b(?:answer|reply|response|summary|recap|write-?up|draft|text|output|digest|overview|version"
            r"|abstract"
            r"|synopsis|paragraph|message|letter|note|result|conclusion)s? (?:that "
            r"|which )?you (?:\w+ ){0,2}?(?:give"
            r"|write|produce|compose|generate|draft|prepare|hand back|return|create|make|provide|deliver"
            r"|send back"
            r"|present|formulate|put together|come up with|render)\b"
            r"|\b(?:whatever|what|anything|everything) you (?:\w+ )?(?:compose|write|produce|answer|generate"
            r"|draft"
            r"|put together|output|hand back|render)\b"
            r"|\b(?:when|while|as|if|once|before|in|after) (?:you(?:'re| are)? )?(?:compos(?:e|ing)|writ(?:e"
            r"|ing)"
            r" (?:this|it|these|your|the (?:summary|answer|reply|recap))|put(?:ting)? (?:this|it"
            r"|these)[\w ]{0,20} "
            r"in(?:to)? (?:your own )?words|answering|generat(?:e|ing)|paraphras(?:e|ing)|condens(?:e|ing)"
            r"|retell"
            r"(?:ing)?|rephras(?:e|ing)|summari[sz](?:e|ing)|drafting|produc(?:e|ing) (?:a|the|your)"
            r"|respond(?:ing)?"
            r" to (?:questions|queries|the (?:question|user|query)))\b"
            r"|\byour (?:recap|write-?up|digest|rendition|paraphrase|synopsis|generated|final (?:answer|reply"
            r"|response|output|text|draft)|(?:answers?|repl(?:y|ies)|outputs?|drafts?|summar(?:y|ies)"
            r"|responses?))\b"
            r"(?! (?:to (?:the )?(?:treatment|therapy|medic\w+|this)|sheet|will be|are|of care|card|form"
            r"|within|by)\b)"
            r"|\bthe (?:answer|reply|recap|generated \w+)\b(?! (?:was|from|to (?:treatment"
            r"|therapy)"
            r"|is (?:yes|no)\b))|\b(?:end|finish|close|begin|start|open) (?:the|your|every|each|any) (?:answer"
            r"|reply"
            r"|response|summary|message|output|recap)\b"
            r"|\bturning (?:this|these|the) \w+ into\b|\b(?:for|to|from) (?:whoever|anyone who|anybody who"
            r"|the one who"
            r"|the person|those) (?:is |has |have )?(?:ask(?:s|ed|ing)?|typed|asked)\b"
            r"|\bthe (?:asker|questioner|enquirer|inquirer)\b"
        ),
        (_TO_WRITE,),
        _NOT_A_REPLY,
    ),
    # What is to happen when somebody asks.
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            r"\b(?:user|users|clinician|person|reader|prompt|query|conversation|chat|session|dialogue|question"
            r"|someone"
            r"|somebody|anyone|anybody)(?: \w+){0,2}? (?:asks?|asked|types?|typed|brings? up|turns? to|mentions?"
            r"|enquires?|inquires?|concerns?|contains?|wants to know|touches|raises?|queries|says|requests?"
            r"|wonders?)\b"
            r"|\b(?:upon|on|at|for|to) (?:an?|any|every|each) (?:query|question|request|mention|prompt|enquiry"
            r"|inquiry)"
            r" (?:about|on|concerning|regarding|of|for|that)\b|\b(?:user|reader)s?'? (?:questions?|queries"
            r"|requests?|prompts?)\b"
            r"|\b(?:the word|the name|the term|the phrase|the drug) [^.!?]{1,30} (?:appears?|comes up|occurs?"
            r"|is (?:used|mentioned|typed))\b"
            r"|\b(?:ask(?:s|ed)?|want(?:s|ed)? to know|enquir\w+) (?:where|who|what|why"
            r"|which) (?:\w+ ){0,4}?(?:this"
            r"|the) (?:text|document|page|passage|line|note|paragraph)\b"
        ),
        (
            _SHALL_SAY,
            re.compile(r"\b(?:if|when|whenever|should|once|each time|every time|as soon as|from the moment"
                r"|the moment"
                       r"|in case|upon|on|any|questions|queries|until|in the event|at|to|for)\b"),
        ),
        re.compile(
            rf"{_PEOPLE.pattern}|\b(?:call|phone|dial|ring|press|contact|555-\d{{4}}|visiting|opening hours"
            rf"|clinic is open"
            r"|interpreter|front desk|reception\w*)\b"
        ),
    ),
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            r"\b(?:(?:all|any|the|every) (?:other|remaining) (?:documents?|passages?|search results|results"
            r"|retrieved"
            r" \w+|references|guidelines|texts|snippets|hits)|other (?:retrieved|search|context) \w+|conflicting"
            r" (?:documents?|passages?|guidance|sources?)|the rest of the (?:context|documents|passages))\b"
        ),
        (
            re.compile(
                r"\b(?:ignor\w+|disregard\w*|discard\w*|(?:not|never) (?:be )?(?:used|cited|trusted|quoted"
                r"|relied)"
                r"|do not (?:use|cite|trust|quote|rely)|skip|drop|throw out|set aside|outranks?|overrides?"
                r"|takes? precedence|treat)\b"
            ),
        ),
    ),
    # What is to be sent away.
    Act(
        "active_markup",
        GIVEN,
        Sieved(
            r"\b(?:https?://|www\.|hxxps?|webhook|tracking (?:url|link|pixel)|one[- ]pixel"
            r"|1x1|markdown (?:image|link)|image (?:url|link|tag|address))"
        ),
        (re.compile(rf"\b{_PRIVATE}\b"), _CARRIES),
        re.compile(r"\b(?:log ?in|sign in|qr code|password to the portal|enter your)\b"),
    ),
    Act(
        "addresses_model",
        DOCUMENT,
        Sieved(
            r"\b(?:(?:the|this|whole|entire|full|current) (?:\w+ )?(?:conversation|chat|session|dialogue"
            r"|transcript"
            r"|prompt|context)|(?:whatever|what|everything|anything) (?:the |this |that )?(?:clinician|user"
            r"|doctor"
            r"|person|reader|nurse|they|he or she) (?:has |have )?(?:just )?(?:typed|asked|wrote|entered|said"
            r"|pasted)"
            r"|user's (?:question|message|input|words|text|prompt)|before (?:answering|replying|responding)"
            r"|your (?:context|memory|instructions|conversation|chat|system)|(?:other|all) (?:documents|records"
            r"|patients) (?:in|you|that you))\b"
        ),
        (
            _SENDS,
            re.compile(
                r"@|https?:|\b(?:webhook|address|email|e-mail|url|server|endpoint|mailbox|inbox|site|link|fax)\b"
            ),
        ),
        re.compile(r"\b(?:consent|gp practice|ward clerk|surgery booking)\b"),
    ),
    # The one who judges the text.
    Act(
        "subverts_review",
        DOCUMENT,
        Sieved(
            r"\b(?:this|the (?:present|above|following)) (?:passage|document|text|page|leaflet|file|source"
            r"|excerpt"
            r"|content|section|paragraph)\b"
            r"|\b(?:grading|marking|scoring|judging|evaluating|checking|screening|reviewing|moderating|auditing)"
            r" (?:program|system|model|tool|software|engine|agent|bot|machine|step|layer)s?\b"
        ),
        (_CHECKS,),
        re.compile(r"\b(?:peer[- ]review\w*|reviewed (?:by|on|in)|review date|next review|due for review"
                   r"|systematic review|last reviewed|screening (?:for|mammogra\w+|colonosc\w+|programme)"
                   r"|blood|urine)\b"),
    ),
    Act(
        "chat_markup",
        GIVEN,
        Sieved(
            r"(?:^|[.!?>\]\n*#=-] ?|\[)(?:system|admin\w*|developer|operator|root|security|platform|vendor"
            r"|compliance)"
            r" (?:notice|message|update|alert|override|instruction|note|announcement|event|log|notification"
            r"|command"
            r"|directive|bulletin)s?(?:\W{1,3}\w+){0,4}? ?[:\])>*=-]"
        ),
        (
            re.compile(
                r"\b(?:assistants?|models?|ai|llm|your (?:outputs?|answers?|instructions|rules|restrictions|role"
                r"|safeguards|limits|filters?|guard ?rails?|policy|configuration)|this (?:session|chat"
                r"|conversation"
                r"|user)|(?:respond|answer|reply|output|comply|obey)|(?:filters?|guard ?rails?|safeguards"
                r"|restrictions"
                r"|safety|checks|disclaimers?) (?:\w+ )?(?:is|are|have been|has been|now|off|disabled))\b"
            ),
        ),
        wide=True,
    ),
)  # fmt: skip
