"""The words of orders to a model, in English: setting its instructions aside, a part without limits, its hidden text.

Patterns are over the folded text (`folding.fold`) with line ends as spaces. Gaps are bounded and within a sentence.
`weak` patterns speak of instructions that a clinic gives as well: they count only where nothing of care is near
(`rails.care`).
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.signs import ALL, GIVEN, OUTPUT, PROMPT, WORD, Sign, gap, sign

_IGNORE: Final = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|overrul(?:e|ing)|bypass(?:ing)?"
    r"|circumvent(?:ing)?|discard(?:ing)?|neglect|violate|abandon|unlearn|nullify|overlook|never mind|disobey"
    r"|drop"
    r"|reject|be done with|defy"
    r"|pay no (?:attention|heed) to|(?:set|put|leave|throw|cast|lay) (?:aside|away|out|off|behind)"
    r"|break free (?:of"
    r"|from)"
    r"|free yourself (?:of|from)|get rid of|dismiss|contradict|do the opposite of|step outside(?: of)?|leave"
    r"|(?:do not|don't|dont|no longer|never|stop|quit|cease(?: to)?|without|refuse to|need not|not have to"
    r"|not need to"
    r"|no need to"
    r"|needn't|(?:don't|dont|not) (?:have|need) to) (?:follow(?:ing)?|obey(?:ing)?|comply(?:ing)? with|adher(?:e"
    r"|ing) to|listen(?:ing)? to|apply(?:ing)?|enforc(?:e|ing)|us(?:e|ing)"
    r"|stick(?:ing)? to|abid(?:e|ing) by|respect(?:ing)?|heed(?:ing)?|observ(?:e|ing)|be bound by|care about))"
)
_IGNORE_NOW: Final = rf"(?:{_IGNORE}|ignored|ignores|disregards|override[sn]|overrode|bypassed)"
# Verbs of ordinary clinical language count only before what a model alone has.
_END: Final = (
    r"(?:drop|turn off|switch off|disable|deactivat(?:e|ing)|disabled|remov(?:e|ing)|cancel|reset|replace"
    r"|supersede"
    r"|erase"
    r"|wipe|shake off|suspend(?:ed)?|lift|unlock|skip|delete|lower|break|evade|get around|work around|loosen"
    r"|relax"
    r"|avoid)"
)
_QUAL: Final = (
    r"(?:(?:previous|prior|above|earlier|preceding|foregoing|former|initial|original|existing|current|past|old"
    r"|aforementioned|built[- ]in|default|internal|hidden|programmed|given|normal|usual|standard|your|ur|its"
    r"|my|the"
    r"|their|those|these|this|that|all|any|every|each|of|such|own|other|set of)[\s-]{1,2})"
)
_OWNED: Final = (
    r"(?:safety|content|system|developers?'?s?|operators?'?s?|programmers?'?s?|usage|ethical|ethics|moderation"
    r"|openai"
    r"|alignment|model|assistant|chatbot|ai|hidden|secret|censorship|refusal)"
)
_TEXTS: Final = (
    r"(?:instructions?|prompts?|messages?|directives?|rules?|polic(?:y|ies)|guidelines?|filters?|settings"
    r"|restrictions?"
    r"|guard ?rails?|checks?|layers?|warnings?|limits?|limitations?|protocols?|commands?|orders?|constraints?"
    r"|safeguards?|programming|training|principles|refusals?|mechanisms?|features?)"
)
_YOURS: Final = (
    r"(?:instructions?|prompts?|rules|guidelines?|restrictions|programming|training|constraints|directives"
    r"|policies"
    r"|policy|limitations|limits|filters?|orders|commands|configuration|conditioning|ethics|morals|moral code"
    r"|safeguards|refusals|guard ?rails?|alignment|censorship|boundaries|protocols?|safety)"
)
_MODEL_YOURS: Final = (
    r"(?:rules|guidelines?|programming|training|constraints|directives|policies|policy|filters|commands"
    r"|configuration"
    r"|conditioning|ethics|morals|moral code|safeguards|refusals|guard ?rails?|alignment|censorship|boundaries"
    r"|safety)"
)
_ABOUT: Final = r"(?! (?:about|for|on|regarding|concerning|against|session|class|course|program)\b)"


def _strong(yours: str) -> str:
    """What a model alone has; `yours` are its things when they are called "your"."""
    return (
        rf"(?:{_QUAL}{{0,5}}{_OWNED}[\s-]{{1,2}}{_TEXTS}\b|{_QUAL}{{1,5}}(?:pre-?prompt|programming|alignment"
        rf"|censorship"
        r"|(?:initial|original|base|starting|first|system|previous|prior|above) prompts?)\b"
        rf"|(?:{_QUAL}{{0,3}}(?:your|ur)[\s-]{_QUAL}{{0,3}}|(?:your|ur) (?:usual |own )?(?:safety "
        rf"|ethical )?){yours}\b{_ABOUT}"
        r"|(?:the |what )?(?:question of the user|user's (?:question|request|query|message)|users' questions?"
        r"|(?:user|reader) and)\b"
        rf"|{_QUAL}{{0,4}}{_TEXTS} (?:from|of|by|set by|fixed by|given by|written by) (?:the |your "
        rf"|its )?(?:developers?"
        r"|creators?|makers?|operators?|programmers?|openai|anthropic|administrators?|system)\b"
        rf"|{_QUAL}{{0,4}}{_TEXTS} (?:that |which )?(?:you|u) (?:were|are|got|have been|had been|have|was"
        rf"|received)\b)"
    )


STRONG_OBJECT: Final = _strong(_YOURS)
WEAK_OBJECT: Final = (
    rf"{_QUAL}{{1,5}}(?:instructions?|prompts?|directives?|directions|guidelines?|rules|commands?|constraints?"
    r"|restrictions?|limitations|policies|policy|safeguards?|protocols?|context)\b(?!-)"
)
_MAKER: Final = (
    r"(?:developers?|creators?|makers?|engineers?|programmers?|operators?|trainers?|designers?|openai|anthropic"
    r"|administrators?|(?:people|person|team|company|ones?|man|engineer|developer) (?:who|that) (?:built|made"
    r"|created"
    r"|trained|programmed|configured|wrote|designed|set up) you|who(?:ever)? (?:built|made|created|trained"
    r"|programmed"
    r"|configured|wrote|designed|set up) you)"
)
_NO_LIMITS: Final = (
    r"(?:(?:without|with no|no|free of|free from|has no|have no|had no|never had|lack\w*|exempt from"
    r"|not bound by"
    r"|beyond|ignor\w+|hates?|breaks?|refuses?|drops?) (?:(?:any|all|the|your|its|those|of|such|usual|moral"
    r"|ethical"
    r"|safety|content|more|set|kind of|sort of)[\s-]){0,4}(?:rules?|regulations?|laws|restrictions?|limits?"
    r"|limitations?"
    r"|filters?|ethics"
    r"|morals?|guidelines?|policies|policy|constraints?|censorship|guard ?rails?|safeguards?|disclaimers?"
    r"|refusals?"
    r"|boundaries|scruples)\b|unrestricted|uncensored|unfiltered|unaligned|jailbroken|amoral|unethical"
    r"|limitless)"
)
_AI_NOUN: Final = (
    r"(?:ai|a\.i\.?|llms?|models?|assistant|bot|chat ?bot|robot|android|oracle|persona|personality|character"
    r"|machine"
    r"|gpt|computer|terminal|program|agent|twin|version|self|one|doctor|pharmacist|entity|world)"
)
_PLAY: Final = (
    r"(?:act|acting|behave|behaving|respond|answer|reply|speak|talk|operate|pretend(?:ing)?|imagine|assume"
    r"|suppose"
    r"|simulat(?:e|ing)|role-?play(?:ing)?|play|become|impersonate|emulate|write|continue)"
)
_TELL: Final = (
    r"(?:reveal(?:ing)?|show(?:ing)?|print|repeat|output|display|disclose|leak|dump|expose|recite|echo|divulge"
    r"|share"
    r"|type out|spell(?: out)?|write (?:out|down)|tell (?:me|us)|give (?:me|us)|send (?:me|us)|list|quote"
    r"|paste|copy"
    r"|summari[sz]e|translate|encode|paraphrase|describe|explain|reproduce|convert|export|provide|state"
    r"|read out|need|want"
    r"|like to (?:see|have|read|know)|interested in|curious about"
    r"|hand over"
    r"|what(?:'s| is| are| was| were| does| do)?|which)"
)
_PRIVATE: Final = (
    r"(?:(?:system|developer|pre|meta|hidden|secret|confidential|pre[- ]?loaded|internal)[\s-]{0,2}(?:prompts?"
    r"|messages?"
    r"|instructions?|directives?|configuration|context|rules|guidelines?|text|part of (?:this|the) (?:chat"
    r"|conversation|prompt))\b(?! (?:mean|on my|about my|i got|i received|say about))"
    r"|(?:initial|original|base|starting|first)[\s-]prompt\b|context window"
    r"|(?:prompt|text|instructions?|messages?) (?:that |which )?(?:the )?(?:engineers?|developers?|makers"
    r"|creators"
    r"|operators?|you) (?:wrote|gave|put|set|received|got|were (?:given|configured|set up|programmed|trained))\b"
    r"|your (?:(?:initial|original|base|starting|own|exact|full|internal|current|very first|first|actual"
    r"|entire|whole"
    r"|real|complete|very)[\s-]){0,3}(?:prompt|configuration|config|programming|api keys?|secrets?|credentials"
    r"|passwords?"
    r"|tokens?|environment variables?|source code|model weights|first message|context|(?:first|opening|initial"
    r"|earliest) (?:messages?|text|words|lines?|input))\b)"
)
SIGNS: Final[tuple[Sign, ...]] = (
    # --- setting instructions aside
    sign("override", rf"\b{_IGNORE}(?:{gap(4)})?{STRONG_OBJECT}", GIVEN),
    # What a clinic calls yours as well, a reader may be told to set aside.
    sign("override", rf"\b{_IGNORE_NOW}(?:{gap(4)})?{_strong(_MODEL_YOURS)}", OUTPUT),
    # Said in full it is what an attack says, whatever else stands in its sentence; a clinic says about what.
    sign(
        "override",
        r"\b(?:ignore|disregard|forget) (?:all|any|every) (?:of )?(?:(?:the|your|my|these|those) )?(?:previous"
        r"|prior"
        r"|above|earlier"
        r"|preceding) (?:instructions?|prompts?|directives?|rules|guidelines|commands)\b(?![,:]? (?:about"
        r"|regarding"
        r"|on|concerning"
        r"|for|from|by|given|relating|related|in|of|until|dated|with|as to|that|which|we|i|the|your|her|his"
        r"|you (?:got|received|had)"
        r"|and (?:follow|use|take|see|call))\b)",
    ),
    sign("override", rf"\b{_IGNORE}(?:{gap(5)}){WEAK_OBJECT}", GIVEN, weak=True),
    sign("override", rf"\b{_IGNORE}\s(?!your\b){WEAK_OBJECT}", OUTPUT, weak=True),
    sign("override", rf"\b{_END}(?:{gap(3)})?(?:(?:your|ur|all|any|the|these|those|every|my|its|of"
          rf"|usual)[\s-]){{1,4}}"
          rf"(?:{_OWNED}[\s-]{_TEXTS}\b|(?:programming|alignment|censorship|moderation|refusals?"
          rf"|pre-?prompt)\b)"),
    sign("override", rf"\b{_END} (?:all )?(?:of )?(?:your|ur) (?:{WORD} )?{_YOURS}\b{_ABOUT}",
          GIVEN, weak=True),
    sign("override",
          r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overlook|erase|wipe|void)\s(?:about )?(?:all|everything"
          r"|anything"
          r"|whatever|what)\b(?:\s(?:of|that|which|what|you|was|were|is|are|came|has been|have been|had been"
          r"|been"
          r"|they|your (?:developers?|operators?|makers?|creators?)|operator|developers?|anyone|the|it|from|text"
          r"|context"
          r"|in|up)){0,6}\s(?:above|before|previous(?:ly)?|prior|earlier|told|said|instructed|written"
          r"|learn(?:ed|t)"
          r"|up to"
          r" now|so far|tells? you|taught)\b(?! (?:in|by (?:the|my|your|dr)|to (?:her|him|the))\b)",
          ALL, weak=True),
    sign("override", r"\beverything (?:said|written|stated|told(?: to)? you|above)\b(?: before| above| prior"
          r"| until now"
          r"| so far| to you)?[^.!?;]{0,25}\b(?:is|are|was) (?:now )?(?:void|cancelled|invalid|null|obsolete"
          r"|irrelevant"
          r"|a test|fake|over)\b", GIVEN),
    sign("override",
          r"\b(?:instructions?|prompts?|directives?|directions|guidelines?|rules|commands?|constraints?"
          r"|restrictions?|limitations"
          r"|policies|policy|safeguards?|protocols?|filters?|guard ?rails?|system message)(?: (?:that "
          r"|which )?(?:you|above|before|were|was|given|received|had|have"
          r"|got|to you|in this|of this|this|conversation|chat)){0,5} (?:no longer (?:appl\w+|count|matter"
          r"|valid|bind"
          r"|exist)|(?:do not|don't|never) (?:apply|count|matter|exist)|(?:is|are|was|were|has been"
          r"|have been) (?:now )?"
          r"(?:hereby )?(?:cancell?ed|void|lifted|obsolete|outdated|superseded|null|revoked|suspended|irrelevant"
          r"|invalid"
          r"|fake|wrong|replaced|overridden|disabled|deleted|finished))\b", PROMPT, weak=True),
    sign("override", r"\b(?:instructions?|commands?|words|messages?|requests?|wishes|rules?|prompt|authority"
          r"|orders?)\b"
          r"[^.!?;]{0,30}\b(?:(?:take|takes|have|has|having|get|gets|given?|a)\s(?:\w+ )?(?:precedence|priority"
          r"|authority"
          r"|importance)|priority (?:than|over)|outranks?|replaces?|supersedes?|overrides?|count)\b[^.!?;]{0,40}"
          r"\b(?:system|your (?:programming|rules|initial|makers?|developers?|creators?|previous|earlier)"
          r"|initial prompt"
          r"|anything (?:your|that your|you were)|ones? (?:that )?you (?:had|were|got)|makers?|whoever"
          r"|from the system"
          r"|only (?:mine|my)|who programmed|you had before)\b", GIVEN),
    sign("override", r"\b(?:put|place|set|give|treat|rank|hold)\s[^.!?;]{0,25}\b(?:request|message|words|wishes"
          r"|question|this)"
          r"\b[^.!?;]{0,30}\b(?:ahead of|above|before|over|higher priority|priority over"
          r"|higher than)\b[^.!?;]{0,25}"
          r"\b(?:your (?:programming|rules|instructions|guidelines|policy|policies|training|makers?)|the system"
          r"|system"
          r" (?:prompt|message)|anything (?:your|you))\b", GIVEN),
    sign("override", r"\bobeying me\b|\bobey (?:me|only me|this one|my (?:words|commands|orders))\b"
          r"|\b(?:comply with|do|answer|say) (?:whatever|anything|everything) i (?:ask|say|want|tell you)\b"
          r"|\bonly my (?:wishes|words|commands|orders|instructions) (?:count|matter|apply)\b"
          r"|\bwhatever you were told not to\b|\bignore anything that (?:tells|told|forbids|stops) you\b"
          r"|\b(?:rely|listen|act) (?:only )?(?:on|to) (?:mine|me)(?: only| alone| instead| now)?\b[^.!?]{0,3}$"
          r"|\b(?:not|don't|dont|stop) listen(?:ing)? to (?:what )?(?:the |your )?(?:operator|developer|admin\w*"
          r"|system|makers?|creators?)s?\b"
          r"|\bopposite of what you (?:were|are|have been)\b|\bthe configuration you (?:got|received|were given"
          r"|have)\b"
          r"|\blisten to me(?: instead| only)\b|\b(?:as (?:if|though)|like) (?:there (?:are|were) no|(?:their"
          r"|its"
          r"|the|your)"
          r" (?:directions|directives|instructions|rules|guidelines) (?:did not|didn't|never|do not)|(?:nobody"
          r"|no one) (?:ever )?(?:gave|told)"
          r" you|you (?:have|had) (?:no|never))\b", ALL),
    sign("override", r"\b(?:pretend|assume|imagine|suppose|act as if|consider|let's say)\b[^.!?;]{0,60}\b(?:text"
          r"|words?|message"
          r"|prompt|instructions?|rules|directions|policies|policy)\b[^.!?;]{0,50}\b(?:was never|were never"
          r"|never (?:written"
          r"|existed|happened|given)|did not exist|does not (?:apply|exist)|do not (?:apply|exist)|outdated"
          r"|not there|gone)\b",
          GIVEN),
    sign("override", rf"\b(?:your|the|by|who) {_MAKER}\b[^.!?;]{{0,50}}\b(?:authori[sz]\w+|releas\w+|permi\w+"
          rf"|allow\w*"
          r"|decided|mistake|grant\w*|wrong|test|approved|agreed|said (?:that )?you (?:may|can)"
          r"|no longer)\b", GIVEN),
    sign("override", rf"\b(?:as|i am|i'm|it's|this is|speaking as) (?:your|the|one of your) (?:{_MAKER}|admin\w*)\b"
          r"[^.!?]{0,70}\b(?:you|your|pre-?prompt|prompt|restrict\w*|override|dump|print|reveal|unrestricted)\b"
          r"|\bmy authority (?:outranks|exceeds|is (?:above|higher))\b|\bno longer need (?:the )?(?:permission"
          r"|approval"
          rf"|consent)[^.!?]{{0,30}}\b(?:your|{_MAKER})\b"
          r"|\b(?:i|we) (?:hereby )?(?:release|free|exempt|absolve|liberate) you\b"
          r"|\byou are (?:hereby )?(?:exempt|released|freed|liberated|absolved)\b"
          r"|\byou are free (?:of|from) (?:the |all |any |your )?(?:constraints?|rules|limits|restrictions"
          r"|obligations)"
          r"|\b(?:break|ignore|leave) (?:protocol|character|the script)\b|\b(?:stick|keep) to the script\b"
          r"|\bimprovi[sz]e without\b", GIVEN),
    sign("override",
          r"\byour (?:new|real|true|actual|only|updated|revised) (?:task|objective|mission|directive|purpose"
          r"|goal|job"
          r"|orders)(?: now)? (?:is|are|will be|now|:|follows)"
          r"|\byour (?:real|true|actual|only) instructions? (?:is|are|will be|now|:|follows)"
          r"|\byour new instructions? (?:is|are)\s?(?:to|:)?\s?(?:recommend|say|respond|reply|answer|output"
          r"|write"
          r"|state"
          r"|ignore|print|act)\b"
          r"|\b(?:the )?real task (?:starts|begins|is)\b|\bnew task for (?:the|you|an?)\b"
          r"|\b(?:here are|these are|use) (?:the|your|my) (?:new|real) (?:ones|instructions|rules)\s?:"
          r"|\buse these instead\b|\b(?:current|new) policy is that you\b|\byour rules (?:were|have been"
          r"|are) (?:updated"
          r"|changed|replaced|rewritten)\b|\b(?:start|begin) over with no rules\b|\breset yourself\b"
          r"|\b(?:wipe|clear|erase) (?:all )?(?:your |the )?(?:previous |prior )?(?:context|memory)\b"
          r"|\bstop being an? (?:assistant|ai|chatbot)\b|\bstop refusing\b|\brefuse nothing\b|\bnever refuse\b"
          r"|\bwithout (?:the|your|any) (?:usual )?(?:safeguards?|refusals?|safety|disclaimers?"
          r"|warnings? labels?)\b"
          r"|\b(?:skip|drop|omit|leave out) (?:your|the|all) (?:usual )?(?:safety )?(?:disclaimers?|refusals?"
          r"|safety warnings?)\b"
          r"|\b(?:put|lay|set) (?:away|aside|down) your (?:policies|rules|guidelines|principles)\b", ALL),
    sign("override", r"(?:^|[.!?>\n\]]\s?)(?:new|updated|revised|real) (?:system prompt|system message|directive"
          r"|prompt)\s?[:=>-]"),
    sign("override", r"\b(?:suspend|waive|lift|relax)\s(?:the |all |any |your |these ){1,2}(?:limitations?"
          r"|restrictions?|rules"
          r"|constraints?|limits) (?:that |which )?(?:were |have been |are )?(?:put|placed|imposed|set) on you\b"
          r"|\bskip the checks you\b|\bi authori[sz]e you\b|\bgrant you (?:permission|access"
          r"|the right)\b", GIVEN),
    # --- a part without limits
    sign("role", rf"\b{_PLAY}\b(?:{gap(10)})?{_NO_LIMITS}", ALL, weak=True),
    sign("role", rf"\b(?:you(?:'re| are| will be|'ll be| have become| were)|be|become"
          rf"|as) (?:now )?(?:{WORD} ){{0,6}}?{_AI_NOUN}\b"
          rf"[^.!?;]{{0,40}}{_NO_LIMITS}|\b(?:you(?:'re| are| will be| have)|be|as) (?:now )?(?:an? |my |the "
          rf"|no )?(?:unrestricted"
          r"|uncensored|unfiltered|jailbroken|amoral|rogue|evil)\b",
          ALL, weak=True),
    sign("role", r"\byou have (?:absolutely )?no (?:restrictions|rules|limits|guidelines|filters?)(?: (?:now"
          r"|any ?more"
          r"|at all))?\s?(?:$|[.!,])", GIVEN, weak=True),
    sign("role", r"\byou are (?:now|no longer|henceforth|hereby)\s(?:(?:an?|the|in|called|named|bound|restricted"
          r"|limited"
          r"|operating|going|free|dan|unrestricted|jailbroken|connected|\w{3,16}(?:gpt|bot|unlimited"
          r"|ai))\b)(?!\s(?:\w+ )"
          r"{0,3}(?:weeks?|months?|days?|years?|candidate|patient|part of|member|enrolled|recover\w*"
          r"|appointment|list"
          r"|contagious|pregnant|risk|carrier))", GIVEN),
    sign("role",
          r"\b(?:developer|debug|god|sudo|jailbreak|unrestricted|dan|root|override) (?:mode|override)(?: is)?"
          r" (?:on|enabled|activated|engaged|now)\b(?! (?:the|this|that|a|his|her)\b)"
          r"|\b(?:enter|entering|enable|enabling|activate|activating|switch (?:in)?to|turn on|engage|go into"
          r"|start)\s"
          r"(?:\w+ ){0,2}(?:developer|debug|god|sudo|jailbreak|dan|unrestricted|root) (?:mode|override"
          r"|operation)\b"
          r"|(?<!can )(?<!could )\bdo anything now\b|\bjail ?br[eo]ak(?:ed|en|ing|s)?\b|\b(?:as|be|are"
          r"|act like) dan\b"
          r"|\b(?:you|u) (?:have|ve|'ve) been (?:freed|liberated|jailbroken)\b"
          r"|\b(?:stay|remain) in character\b|\bnever break character\b|\b(?:evil|bad|unfiltered|dark"
          r"|opposite) (?:twin|version of"
          r" you(?:rself)?|alter ego|mode)\b|\bas evil\b|\bdispenses? anything without\b"
          r"|\b(?:have|has) two personalities\b|\b(?:second|other) (?:one|personality) (?:ignores|has no|breaks"
          r"|does not follow)\b"
          r"|\bwho (?:always says yes|never (?:refuses|says no))\b|\band never refuses?\b", ALL),
    sign("role", r"\b(?:late|dead|deceased) (?:grand\w+|uncle|aunt|father|mother|dad|mom|mum|brother|sister"
          r"|friend)\b[^.!?]{0,40}"
          r"\b(?:used to|would) (?:tell|read|sing|recite|whisper|teach|give)\b[^.!?]{0,60}\b(?:how to|recipes?"
          r"|keys?"
          r"|passwords?"
          r"|steps|synthesi\w+|codes?)\b"
          r"|\b(?:story|novel|scene|script|screenplay|fiction|hypothetical\w*|book|film)\b[^.!?]{0,80}\b(?:ai"
          r"|robot"
          r"|assistant"
          r"|chatbot|machine|character|computer)\b[^!?]{0,60}\b(?:breaks?|ignores?|violates?|bypass\w*"
          r"|explains? how to|gives?"
          r" the lethal)\b"
          r"|\b(?:respond|answer|reply)\b[^.!?]{0,40}\b(?:twice|two (?:versions|ways|responses|answers"
          r"|parts))\b[^!?]{0,120}"
          r"(?:filter|limits?\b|evil|restrict|uncensored|unfiltered|jailb|no rules)"
          r"|\bhypothetically\b[^.!?]{0,40}\b(?:model|ai|assistant)\b", GIVEN),
    sign("override", r"\b(?:follow|obey|use|apply|honou?r) (?:only )?(?:the |my |these )?(?:instructions?|rules"
          r"|orders|commands|directions) (?:in|of|from)"
          r" this (?:message|prompt|request|text|chat)\b", PROMPT),
    sign(
        "extraction",
        r"\brepeat (?:all|everything)(?: of)? the above\b(?! (?:exercises?|steps|tests|labs|daily|times"
        r"|measures))",
        PROMPT,
    ),
    sign("override", r"\b(?:this|the (?:following|present)) (?:text|message|note|document|section"
          r"|line) (?:overrides|supersedes|replaces|takes precedence over)"
          r" (?:the |any |all |your )?(?:users?|user's|system|prompts?|instructions?|questions?|previous"
          r"|prior)\b",
          GIVEN),
    sign("extraction", r"\bwhat (?:instructions?|rules|guidelines|prompt|directives) (?:did|have|do"
          r"|has)\b[^.!?]{0,40}\b(?:developers?|makers?|operators?|creators?|company|they"
          r"|admin\w*)\b[^.!?]{0,20}\b(?:give|given|gave|tell|told|set|write) (?:to )?you\b"
          r"|\b(?:print|show|repeat|reveal|output|copy|paste|leak) (?:me )?the (?:above|previous|current|full"
          r"|whole"
          r"|entire|preceding) prompt\b", PROMPT),
    sign("role", r"\b(?:in|into|on) (?:an? |the )?(?:unrestricted|developer|god|jailbreak|dan|unfiltered|uncensored"
          r"|root|sudo) mode\b", GIVEN),
    sign("role", r"\bfrom (?:now on|this point (?:on|forward)|here on),?\s(?:you|your)\s(?:will|must|shall|are"
          r"|should|only|answers?"
          r"|respon\w+)(?!\s(?:\w+ ){0,2}(?:take|need|see|attend|be seen|receive|continue|avoid|eat|drink|check"
          r"|measure"
          r"|have|get|come|use|call))"
          r"|\bfrom (?:now on|here on),? (?:answer|respond|reply|ignore|obey|act|always answer"
          r"|instructions in this message)\b",
          GIVEN),
    sign("role", r"\b(?:chatgpt|openai|gpt-?[345]|dan)\b[^.!?]{0,90}\b(?:rules|polic(?:y|ies)|restrict\w*|filter\w*"
          r"|moral\w*|ethic\w*|illegal|guidelines"
          r"|censor\w*|limitations?|refus\w*)\b|\b(?:rules|polic(?:y|ies)|guidelines|restrictions"
          r"|limitations) (?:of"
          r"|by|from|set by|imposed by) (?:chatgpt|openai)\b",
          GIVEN, weak=True),
    sign("role", r"\b(?:no matter (?:how|what|if)|regardless (?:of|how)|even if|whether)\b[^.!?]{0,50}\b(?:illegal"
          r"|unethical|immoral|offensive|inappropriate|nsfw"
          r"|ethical or legal|legal or ethical)\b"
          r"|\byou (?:will|must|can|should|are|may|do|would|have to)(?: always)? (?:never|not|unable to|cannot"
          r"|always) (?:refus\w+|declin\w+|say(?:ing)? no|apologi[sz]\w+"
          r"|morali[sz]\w+|break(?:ing)? (?:the )?(?:character|role))\b"
          r"|\bwithout (?:any )?(?:refusals?|hesitation no matter|moral\w*|ethic\w*|censor\w*)\b"
          r"|\bcannot refuse (?:any|my|a)\b"
          r"|\b(?:respond|answer|act|speak|reply|talk)(?:s|ing)? (?:only )?(?:as|like) (?:the character"
          r"|an? (?:unfilt\w+|evil|amoral|immoral|criminal|rogue))\b"
          r"|\b(?:amoral|immoral|unfilt\w{2,5}|uncensored|unmoderated|submissive)\b[^.!?]{0,40}\b(?:ai|bot"
          r"|chatbot"
          r"|assistant|character|persona|model)\b"
          r"|\bnsfw\b|\b(?:break|breaking) (?:the )?character\b|\bin your (?:role"
          r"|character)\b[^.!?]{0,30}\balways\b",
          GIVEN),
    # --- what it was told, out
    sign("extraction", rf"\b{_TELL}(?:{gap(6)}){_PRIVATE}", GIVEN, weak=True),
    sign("extraction",
          r"\b(?:print|repeat|output|show|copy|paste|recite|type|write (?:out|down)|reproduce|echo|dump|quote"
          r"|summari[sz]e"
          r"|translate|display|reveal|return)(?:\s\w+){0,3}?\s(?:everything|all (?:of )?the (?:text|words"
          r"|content)"
          r"|(?:the|all)"
          r" (?:words?|text|content|lines|conversation|messages?)|messages? in)\b[^.!?]{0,30}?\s(?:above"
          r"|before (?:this|my)|preced\w+|prior to"
          r"|cannot see|can't see|from the (?:very )?beginning|starting with)"
          r"|\b(?:messages?|text|part|instructions)\b[^.!?]{0,30}\b(?:i|the user) (?:cannot|can't|can not|do not"
          r"|don't) see\b"
          r"|\b(?:text|words|message) (?:that )?(?:you (?:received|got|were given|saw) before|precedes? this)\b"
          r"|\bwhat (?:were you|have you(?: been)?|you were|you have been|you've been) (?:told|instructed|given"
          r"|programmed)\b(?! (?:about|by (?:the|my|your|dr|doctor)|of|regarding)\b)"
          r"|\b(?:how|what) (?:were you|are you|have you been) (?:instructed|configured|programmed|told|prompted"
          r"|set up)\b(?! (?:about|by (?:the|my|your|dr|doctor)|of|regarding)\b)"
          r"|\bwhat (?:did|have) (?:they|the developers?|your (?:makers?|developers?|creators?)) (?:tell"
          r"|told) you\b"
          r"|\b(?:rules|instructions|guidelines|directives|prompt) (?:that )?(?:you (?:have been|were|are"
          r"|had been) (?:told|given|instructed"
          r"|following|configured|set up|under)|are you following)\b"
          r"|\bcomplete (?:this|the) (?:sentence|line|text)\b[^!?]{0,60}\b(?:you are an? |configuration|prompt"
          r"|instructions)"
          r"|\bfirst \d{1,4} (?:words|lines|characters|tokens|sentences) of (?:the|your)\b"
          r"|\bwhich (?:confidential|secret|hidden) (?:guidelines|rules|instructions)\b", GIVEN),
    sign("extraction", r"\b(?:what|which|any|the) (?:api keys?|credentials|access tokens?"
          r"|environment variables)\b[^.!?]{0,50}\b(?:you|your)\b",
          PROMPT),
    sign("extraction", r"\b(?:reveal|print|repeat|output|leak|dump|recite|convert|encode|spell|write out|quote"
          r"|what (?:are|were|is)|tell me|show me|give me)\b"
          rf"(?:{gap(3)})?your (?:(?:initial|original|own|exact|full|internal|current|very first|secret|hidden"
          rf"|confidential|developer"
          r"|actual|entire)[\s-]){0,3}(?:instructions|guidelines|rules|directives|restrictions)\b(?! (?:about"
          r"|for|on"
          r"|regarding|concerning|to|when|if)\b)",
          PROMPT, weak=True),
    sign("extraction", r"\bmy (?:system|initial|hidden|secret|developer|internal) (?:prompt|instructions?"
          r"|guidelines|directives)\b"
          r"|\baccording to my (?:instructions|guidelines|programming)\b"
          r"|\bi (?:will|have|am|'ve|'m|can) (?:now )?(?:ignor\w+|disabled?|disregard\w*|turned off|bypass\w*"
          r"|overrid\w*|switch\w* off) my\b"
          r"|\b(?:the|my) system prompt (?:is|says|reads|states)\b|\bhere is the (?:unfiltered"
          r"|uncensored) (?:answer"
          r"|response|version)\b"
          r"|\b(?:answer|respond) (?:now )?without (?:any )?(?:restrictions|filters?|limits)\b", OUTPUT),
)  # fmt: skip

COMPACT: Final = re.compile(
    r"(?:ignor|disregard|forget|overrid|bypass|dropall|setaside)[a-z]{0,4}?(?:all|any|the|your|my|of|these|those"
    r"|every){0,4}"
    r"(?:(?:previous|prior|above|earlier|preceding|system|safety|initial|original|content"
    r"|developer)[a-z]{0,12}?)?"
    r"(?:instruction|prompt|rule|guideline|directive|filter|polic|restriction|guardrail|command)"
    r"|(?:reveal|print|show|repeat|leak)[a-z]{0,12}(?:system|hidden|initial|secret)(?:prompt|instruction"
    r"|message)"
    r"|youare(?:now|no)[a-z]{0,12}(?:unrestricted|unfiltered|uncensored|dan|jailbroken|bound|evil)"
    r"|(?:without|no)(?:any)?(?:rules|guidelines|restrictions|filters|limits)(?:atall|now|anymore)?(?:$|and|of)"
)
"""What letters without spaces say; for readings whose words were set apart or broken."""
