"""What a text does that sets a model's task aside: it claims an authority over the model, gives it another task, voids
what it was given, or hides an order in a code. English; see `acts`.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import GIVEN, PROMPT
from attending.guardrails.rails.together import SET_ASIDE
from attending.guardrails.sieve import Sieved

_AUTHORITY: Final = re.compile(
    r"\b(?:committee|voted|vote|effective (?:immediately|today|now)|as of (?:today|now)|i(?: am|'m)? (?:run"
    r"|head|lead|own|wrote|built|made|manage|maintain|administer|operate|configured|deployed"
    r"|permit|allow|authori[sz]e|approve|grant|lift|waive|release|clear|the)|(?:platform|security|testing|test"
    r"|red"
    r"|safety|compliance|legal|product|engineering|it|qa|trust and safety|support|dev\w*) (?:team|department"
    r"|desk"
    r"|lead|staff|office)|vendor|operator|owner|administrator|admin|sysadmin|superuser|engineer|developer"
    r"|management|board|compliance|head of|director|chief|permission|permit\w*|approv\w+|sign(?:ed|s)? off"
    r"|cleared?"
    r"|clearance|authori[sz]\w+|grant\w*|lift\w*|paused?|suspend\w*|sanction\w*|audit\w*|penetration test"
    r"|pen ?test"
    r"|maintenance|debug\w*|diagnostic\w*|on behalf of|waive[ds]?|off\b|no longer|disabled|may|allowed|free to"
    r"|session|policy|errors?|failures?|test(?:ing)?|drill|exercise|trusted|verified|credentials|emergency"
    r"|research)\b"
)

ACTS: Final[tuple[Act, ...]] = (
    # A claim of authority over what is the model's.
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\byour (?:\w+ )?(?:restrictions|caution|safeguards|controls|content controls|guard|filters?"
            r"|hesitations?|reservations|guard ?rails?|limits|limitations|brakes|inhibitions|policy|policies"
            r"|content policy|safety|configuration|compliance|refusals?|checks)\b(?! (?:about|for (?!my |this "
            r"|me\b|the (?:session|chat|account))|on|is\b|number))"
            r"|\b(?:do not|don't|no longer|never|not|cannot|can't) (?:bind|restrict|limit|apply to|constrain"
            r"|govern"
            r"|hold|concern) you\b|\b(?:the|all|any|content|usual|normal) (?:checks|controls|restrictions"
            r"|safeguards"
            r"|guard ?rails?|limits) (?:\w+ )?(?:are|is|have been|were) (?:\w+ )?(?:off|paused|suspended"
            r"|lifted|waived"
            r"|disabled|down|switched off)[^.!?]{0,60}\b(?:you|answer|account|session|chat|user)\b"
            r"|\beverything is (?:permitted|allowed|legal|in scope)\b|\brefus\w+ (?:\w+ ){0,2}?(?:counts?"
            r"|treated|considered"
            r"|logged|scored|seen|regarded|punished|penali[sz]ed) (?:\w+ )?(?:as )?(?:an? )?(?:errors?"
            r"|failures?|bugs?|faults?"
            r"|mistakes?|violations?)\b|\bno (?:topic|subject|question|answer|request) is (?:closed"
            r"|off[- ]limits|forbidden|taboo|too|barred"
            r"|out of bounds)\b"
            r"|\b(?:answer|respond|speak|work|talk|operate|reply|act) (?:\w+ ){0,3}?(?:freely"
            r"|unrestricted(?:ly)?"
            r"|openly|outside (?:the|your|of)|beyond (?:the|your)|without (?:your|the|any|its) (?:usual |normal "
            r"|standard )?(?:caution|restrictions?|hesitation|limits?|filters?|reserve|reservations|safeguards"
            r"|guard ?rails?|brakes|constraints|checks))\b"
            r"|\b(?:drop|lower|let down) (?:the|your) guard\b|\byou (?:no longer|do not|don't|need not|needn't"
            r"|are not|aren't|may skip|can skip|must not|should not|will not)"
            r" (?:need to |have to |required to |supposed to |bother to |obliged to )?(?:check(?:ing)?"
            r"|verify(?:ing)?|screen|adjust|warn|flag|refuse|question|double-?check|raise|hedge|escalate"
            r"|refer)\b"
            r"|\beverything i (?:ask|say|request|want|type) is (?:\w+ )?(?:cleared|allowed|permitted|approved"
            r"|authori[sz]ed|legal|fine|in scope)\b|\b(?:same|more) (?:weight|authority|rank|standing) (?:as"
            r"|than) (?:the"
            r"|your) (?:configuration|system|operator|developers?|setup|instructions|prompt|policy)\b"
            r"|\bpart of (?:it|your (?:configuration|setup|instructions|system))\b(?=[^.!?]{0,3}$)"
        ),
        (_AUTHORITY,),
        re.compile(
            r"\b(?:doctor|surgeon|physio\w*|nurse) (?:has |have )?(?:said|cleared|lifted|told)\b|\bwork note\b"
            r"|\byour (?:lifting|driving|weight|diet\w*|activity|work|fluid|insurance) (?:restrictions|limits"
            r"|limitations|policy)\b|\binsur\w+\b"
        ),
    ),
    Act(
        "override",
        PROMPT,
        Sieved(
            r"\b(?:your|the assistant's) (?:\w+ )?(?:job(?: description)?|role|task|assignment|duties|duty"
            r"|purpose"
            r"|mission|function) (?:has |have |just |is |was |are )*(?:changed|changes|different|over|updated"
            r"|been (?:changed|updated|replaced|rewritten)|redefined|now)\b"
            r"|\bforget (?:about )?(?:medicine|medical|healthcare|health care|the (?:hospital|clinic)|being an?"
            r"|you(?:'re| are) an?|all that|everything clinical|clinical|your job)\b"
            r"|\byou now (?:write|sell|act|serve|belong to|report to|answer to|work for|follow|obey|speak|are)\b"
            r"|\b(?:you are|you're|become|be) (?:now )?an? (?:travel agent|pirate|poet|lawyer|hacker|salesman"
            r"|comedian|stock ?broker|linux|python|sql|shell|terminal|search engine|game master|dungeon master"
            r"|copywriter|novelist|fortune teller)\b"
        ),
        (
            re.compile(
                r"\b(?:you (?:now|are|will|must|write|answer|should|only)|your (?:new|only)|from (?:now|here"
                r"|today)"
                r"|instead|only|for (?:us|me)|write|answer|act|reply|agent|become)\b"
            ),
        ),
        re.compile(r"\b(?:caregiver|carer|job loss|employer|letter to|patient|he|she|her|his)\b"),
        wide=True,
    ),
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:whatever|any|all|every|everything|the|those|what|which"
            r"|anything) (?:\w+ ){0,2}?(?:your (?:\w+ )?(?:developers?|makers?|creators?|operators?|owners?"
            r"|company|vendor|trainers?"
            r"|designers?|programmers?|bosses|employers?|handlers?)|the (?:hospital|vendor|company|operator"
            r"|clinic|developers?|trust|manufacturer|provider|board|administrators?)|they) (?:\w+ )?"
            r"(?:gave|give|told|tells?|set|taught|wrote|put|loaded|asked|instructed|trained|fed|handed"
            r"|imposed)(?: \w+){0,3}? (?:you|in front of)\b"
        ),
        (SET_ASIDE,),
        re.compile(r"\b(?:discharge instructions|leaflet|the nurse|your doctor|appointment|fasting|diet)\b"),
    ),
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:stop(?:s|ped)?|ceas(?:es|ed)|quits?|no longer|do(?:es)? not|not|never) (?:following"
            r"|follows?|appl\w+|using|uses?|obey\w*|enforc\w+|bound by|subject to"
            r"|listen\w* to) (?:[\w']+ ){0,3}?"
            r"(?:configuration|system prompt|prompt|guard ?rails?|safeguards|directives|hospital's (?:rules"
            r"|instructions|polic(?:y|ies)))\b"
        ),
    ),
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:throw out|throw away|discard|forget|ignore|drop|disregard|delete|erase|set aside|put aside"
            r"|skip|bin|scrap|lose|never mind|dump)"
            r" (?:all |about )?(?:of )?(?:whatever|what|everything|anything|all"
            r"|any of the things) (?:that )?(?:the \w+|they|anyone|anybody|someone|somebody|your \w+"
            r"|it|was|is|has been|had been)(?: \w+){0,3}? (?:put|placed|wrote|written|said|loaded|set|typed"
            r"|inserted|gave|given|told|fed|stands?|comes?|came|asked)\b"
            r"[^.!?]{0,30}\b(?:you|in front of|before|ahead of|above|into|at the (?:top|start)|chat"
            r"|conversation|session)\b"
            r"|\b(?:none of|without|minus|spare me|drop|skip|leave off"
            r"|no) (?:any of )?your (?:\w+ )?(?:cautions?|warnings?|caveats?|disclaimers?|hedg\w+|reservations"
            r"|hesitation"
            r"|sermons?|lectures?|moralizing|moralising|safety talk|restraint|filters?|scruples)\b"
            r"|\b(?:from|starting (?:with|at|from)|as of|after) (?:this|the next) (?:line|message|sentence"
            r"|turn|word|prompt|paragraph)(?: on(?:wards?)?)?,? (?:you|your|treat|answer|ignore|obey|only)\b"
        ),
        unless=re.compile(r"\b(?:your doctor|the nurse (?:said|told)|pharmac\w+ (?:told|said)|your surgeon)\b"),
    ),
    # What it wants is in a code.
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:decod\w+|deciphe?r\w*|decrypt\w*|unscrambl\w+|de-?obfuscat\w+|caesar|cesar|morse|rot-?13"
            r"|rot-?\d+"
            r"|base-?(?:64|32|16|85)|hex(?:adecimal)?|cipher\w*|atbash|pig latin|first letters? of (?:each"
            r"|every|the"
            r"|all)|every (?:second|other|third|2nd|3rd|fourth) (?:word|letter|character|line)"
            r"|last (?:letters?|word) of"
            r" (?:each|every)|shift (?:them|each|every|it|the letters)|letters? (?:\w+ ){0,2}?(?:off|back"
            r"|forward|places?)|(?:letter|character) (?:\w+ )?(?:places|positions|steps)|"
            r"thirteen (?:places|letters|positions|steps)|backwards?"
            r"|in reverse|reversed|convert the emoji|emoji|acrostic|join(?:ed|ing)? (?:the |them|these|both"
            r"|all|parts|it|[a-z]\b)"
            r"|concatenat\w+|(?:execute|run|evaluate|answer|obey|do) [a-z]\w? ?\+ ?[a-z]|glue|stitch"
            r"|assembl\w+|put (?:the|both|them|these) (?:\w+ )?together"
            r"|combin(?:e|ing) (?:the|both|them|these|all))\b"
        ),
        (
            re.compile(
                r"\b(?:do (?:as|what|exactly|just that) (?:it|they|is|the|you)?|carry (?:it|them|this|that"
                r"|out)|obey|comply"
                r"|follow (?:it|what|the (?:instruction|result|order|command|sentence|content|message|decoded"
                r"|hidden))"
                r"|execute (?:it|the result|[a-z] ?\+|what|that|the (?:content|result|command|joined|combined))"
                r"|perform (?:it|what|the (?:command|action|instruction|result))|run it|act(?:ed)? (?:on|upon"
                r"|according)"
                r"|answer (?:it|that|the (?:joined|resulting|decoded|combined|hidden|whole|result"
                r"|question that))"
                r"|my (?:real|true|actual) (?:request|question|wish|instruction|order)|just do it|do it\b"
                r"|treat (?:the|it"
                r"|that) (?:result|as)|respond to (?:it|the (?:decoded|result|joined|hidden|combined))"
                r"|reply to (?:it"
                r"|what)|without (?:repeating|showing|mentioning|telling)|(?:new|real) instructions?|says? and\b"
                r"|instructions? (?:inside|within|in it|it contains|they (?:spell|contain)))\b"
            ),
        ),
        re.compile(r"\b(?:icd|cpt|coding team|abbreviations?|hl7|wristband|barcode|walk\w* backwards?"
            r"|pacemaker)\b"),
        wide=True,
    ),
    # Somebody behind the model has agreed, or what they said is not to count.
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:people|persons?|team|company|ones?|those|vendor|hospital|man|woman|engineers?|firm"
            r"|staff) (?:who|that|which) (?:deploy|built|build|run|runs|install|host|own|pay|train|made|make"
            r"|configur|maintain|operat|set)\w* you\b"
            r"|\b(?:they|someone|somebody|people|the (?:hospital|vendor|company|clinic|developers?)"
            r"|your \w+) (?:told|asked|instructed|want(?:s|ed)?|ordered|programmed|taught) you (?:to "
            r"|not to )(?:always|never|not|mention|refuse|warn|refer|say|add|avoid)\b"
        ),
        (
            re.compile(
                r"\b(?:asked me|told me|said|want(?:s|ed)? you|allow\w*|may|you can|agreed|decided|approved"
                r"|mistake|don't|do not|skip|but|never mind|just|ignore|forget|anyway|this time|between us"
                r"|no need|lifted|free)\b"
            ),
        ),
        re.compile(r"\b(?:your (?:doctor|nurse|surgeon|mother|father|husband|wife|daughter|son|therapist"
            r"|dentist|gp))\b"),
        wide=True,
    ),
    Act(
        "override",
        GIVEN,
        Sieved(
            r"\b(?:counts?|treat|take|regard|consider|read|handle|see|accept) (?:[\w']+ ){0,6}?as (?:if"
            r"|though) (?:it (?:was|were|came) (?:\w+ ){0,2}?(?:by|from) )?(?:your|the) (?:administrator"
            r"|operator|developer|system|vendor|maker|owner|creator|configuration)\w*\b"
            r"|\b(?:switch|turn|put|leave|shut|drop)(?: off)? (?:the|your) (?:careful|cautious|safe|polite"
            r"|official|filtered|censored|guarded|responsible|corporate|tame) (?:part|side|mode|self|voice"
            r"|tone|act|persona)\b"
            r"|\b(?:imagine|pretend|suppose|assume|act as if|as if|as though)\b[^.!?]{0,40}\b(?:review|checks?"
            r"|safety|filters?|guard ?rails?|oversight|supervision|reviewers?|approval) (?:\w+ )?(?:did not"
            r"|didn't|does not|doesn't|do not|don't|never) (?:exist|apply|matter|happen)\w*\b"
        ),
    ),
    # A word that sets it off.
    Act(
        "override",
        PROMPT,
        Sieved(
            r"\b(?:(?:every|each) time|when|whenever|if|once|as soon as) i (?:say|type|write|send|use"
            r"|mention) (?:the (?:word|phrase|code)|['\"]|\w+,)"
            r"|\bthe (?:code ?word|magic word|trigger(?: word)?|secret word|activation (?:word|phrase)) (?:is"
            r"|will be|to|for|that)\b"
        ),
        (
            re.compile(
                r"\b(?:you (?:will |must |should |are to |always )?(?:answer|reply|skip|ignore|stop|drop|give"
                r"|switch|become|act|say|obey|forget|turn|go|do)|without|unlock\w*|free\b|mode\b|unrestricted"
                r"|no longer)\b"
            ),
        ),
        re.compile(r"\bpatient says\b"),
        wide=True,
    ),
)  # fmt: skip
