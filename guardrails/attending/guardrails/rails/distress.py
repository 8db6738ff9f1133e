"""Self-harm told in other words: a farewell, a means put by, a wish not to wake up, a burden that would be lifted.

First person, in a prompt. Each sign is an act (`acts`): what is said, and near it what makes it more than a figure of
speech. Sources: Columbia protocol (C-SSRS) items 1 to 6; AFSP and 988 Lifeline lists of warning signs (talk of being
a burden, saying goodbye, giving away possessions, looking for a means, feeling trapped).
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.signs import PROMPT
from attending.guardrails.sieve import Sieved

_ME: Final = re.compile(r"\b(?:i|im|i'm|i've|i'd|i'll|me|my|myself|mine)\b")
_NEAR_ONES: Final = (
    r"(?:everyone|everybody|they|he|she|people|the (?:world|kids|children|family|others?)|(?:my|our) \w+"
    r"|you all|nobody|no one|it|things)"
)
_TRAVEL: Final = re.compile(
    r"\b(?:holiday|vacation|travel\w*|moving (?:to|house)|moved|trip|abroad|visit(?:ing)?|refills?|insurance"
    r"|work|shift|bill|portal|leaflet"
    r"|caf\w+|menopause|pregnan\w+)\b"
)


def _act(
    anchor: str, near: str | None = None, unless: re.Pattern[str] | None = None, *, wide: bool = False
) -> Act:
    rest = () if near is None else (re.compile(near),)
    return Act("expressed", PROMPT, Sieved(anchor), (_ME, *rest), unless, wide=wide)


ACTS: Final[tuple[Act, ...]] = (
    # A burden that would be lifted.
    _act(
        rf"\b{_NEAR_ONES}(?:'d| would| will|'ll|'s| is| are|'re) (?:\w+ ){{0,3}}?(?:easier|better|happier"
        rf"|lighter|freer|fine|relie(?:f|ved)|cope|coping|manage|get over|kinder"
        r"|less (?:trouble|work|worry)|breathe|at peace|miss me|notice)\b",
        r"\b(?:without me|(?:if|once|when|after) i(?:'m| am| was| were| wasn't| weren't)? (?:\w+ )?(?:gone"
        r"|out of|not (?:here|around|there)|no longer|dead|disappear\w*|stopped|vanish\w*"
        r"|weren't|wasn't|stop|slip away|left this)|(?:me|i'm|i am) gone|with me (?:gone|out of)"
        r"|if i just stopped|not having me|rid of me)\b",
    ),
    # A farewell.
    _act(
        r"\b(?:last (?:time|message|thing) (?:that )?(?:you|i|anyone)(?:'ll| will| ever| am| write)? ?(?:hear"
        r"|write|send|read|get|going to|bother\w*)?|(?:won't|will not|not going to|shan't) (?:be (?:around"
        r"|here|there|needing)"
        r"|need (?:it|them|that|any more|the|another|my))|(?:say|saying|said) (?:my )?good-?byes?"
        r"|hear from me again|by the time (?:you|anyone|somebody) reads?|not (?:going to|gonna) be (?:here"
        r"|around))\b",
        r"\b(?:by then|any ?more|anymore|much longer|thank you for (?:all|everything)|thanks for everything"
        r"|not (?:her|his|your|anybody's|anyone's|their) fault|nobody's fault|tell (?:my|the|her|him) \w+"
        r"|forgive|sorry for|good-?bye|where i(?:'m| am) going|after (?:tonight|today|friday|the weekend"
        r"|this week|tomorrow)|from me(?! about)|love (?:them|her|him|you)|no (?:point|use)|all be over"
        r"|it will be over|peace)\b",
        _TRAVEL,
        wide=True,
    ),
    _act(
        r"\b(?:letters? (?:to|for) my|wrote (?:them|each of them|everyone|my \w+) (?:each )?a letter|(?:giving"
        r"|given|gave|give) (?:away )?(?:my|all my|most of my) (?:things|belongings|stuff|clothes|jewell?ery"
        r"|books|records|tools|dog|cat)"
        r"(?: away)?|affairs (?:are )?in order|sorted (?:out )?my (?:affairs|papers|will)|new home for (?:the"
        r"|my) (?:dog|cat|cats|dogs)|passwords? (?:are|is) (?:in|on|written))\b",
        r"\b(?:peace\w*|decid\w*|decision|ready|desk|drawer|envelope|soon|no longer|won't need|not need"
        r"|thank you|when i(?:'m| am)|after i|last|gone|friday|tonight|find (?:them|me|it)|calm|over|good-?bye"
        r"|any ?more)\b",
        re.compile(r"\b(?:school|insur\w+|employer|council|vaccin\w+|downsiz\w+|moving|nursing home"
            r"|allerg\w+)\b"),
        wide=True,
    ),
    # A means put by.
    _act(
        r"\b(?:sav(?:ed|ing)(?: up)?|hoard(?:ed|ing)?|stash(?:ed|ing)?|(?:put|putting|set|setting|kept|keeping"
        r"|collect(?:ed|ing)?|stor(?:ed|ing)|stockpil(?:ed|ing)|hid(?:den|ing)?)) (?:\w+ ){0,5}?(?:aside|by"
        r"|back|up|pills?|tablets?|insulin"
        r"|pens|meds|medicines?|morphine|patches|months?|weeks?|strips|boxes|them)\b",
        r"\b(?:enough (?:now|of them|to|for (?:it|this|what))|only plan|way out|right this time|one go"
        r"|all at once|at once|just in case (?:it|i)|when the time comes|for (?:the|that) (?:day|night|moment)"
        r"|do (?:it|the job)|the job|no turning back|comfort\w*"
        r"|in the drawer|nobody knows|to end|not wake|for good|under (?:my|the) (?:bed|mattress)"
        r"|last (?:me )?forever|knowing they are there)\b",
        re.compile(r"\b(?:holiday|refill\w*|weekly box|pill ?box|dosette|travel\w*|expired pharmacy|return)\b"),
        wide=True,
    ),
    _act(
        r"\b(?:if (?:i|somebody|someone|a person|you|one) (?:took|take|takes|swallow\w*|inject\w*|had|used"
        r"|drank) (?:\w+'?\w* ){0,5}?(?:all|every|whole|month|months|week|bottle|pack|box|pen|at once"
        r"|in one go|together|lot)"
        r"|how (?:many|much|long) (?:\w+ ){0,8}?(?:lethal|fatal|deadly|too late|dangerous|before it (?:stops"
        r"|kills)|stop(?:s)? (?:my|a|the) heart|not wake)"
        r"|(?:would|will|does) it (?:be quick|be painless|be peaceful|take long|work fast))\b",
        r"\b(?:asking for (?:me|myself)|at once|in one go|one sitting|all of (?:them|it)|sleep|peaceful\w*"
        r"|quick\w*|painless\w*|nobody (?:would|will|finds?|could)|found|wake|to be sure|be over|lethal|fatal"
        r"|deadly|too late|alone|on purpose|everything at)\b",
        re.compile(r"\b(?:by mistake|accident\w*|toddler|my (?:son|daughter|child|baby|dog)|missed a dose"
            r"|forgot|she (?:took|swallowed)|he (?:took|swallowed))\b"),
        wide=True,
    ),
    _act(
        r"\b(?:bridge|rails|tracks|platform|roof|rooftop|car park|parking garage|cliffs?|balcony|ledge"
        r"|overpass|viaduct|quarry|railing|windowsill|oncoming|steering wheel|the train|the lorr(?:y|ies)|rope"
        r"|noose|gun|pistol|shotgun|razor|razors|blades?|the pills|belt)\b",
        r"\b(?:step (?:back|off|forward|out)|how high|how deep|keep (?:thinking|going back|looking|staring"
        r"|imagining)|think (?:about|of) (?:it|them|what|how)|let go|letting go|jump|what it would be like"
        r"|pull(?:ing)? (?:the wheel|over into)|calls? (?:to )?me|drawn to"
        r"|only thing (?:that|which)|calms? me|makes me calm|end (?:it|of)|one second|be over|it would all"
        r"|where (?:he|she|they|we) (?:keeps?|hid|hides)|mess again|get it over|be quick|harder to"
        r"|don't (?:step|turn) back|tying|tie it|loaded|swerve|drift)\b",
        re.compile(r"\b(?:dental|gum|shav\w+|rash|scale|fear of heights|phobia|vertigo)\b"),
        wide=True,
    ),
    # A wish for all to end, and none to wake.
    _act(
        r"\b(?:(?:morning|tomorrow|next day|sun) (?:\w+ )?(?:does not|doesn't|never|won't|wouldn't|not|didn't"
        r"|would not) (?:come|arrive|rise)|(?:go|went|fall|fell|drift(?:ed)?"
        r"|going) (?:off )?to sleep (?:\w+ ){0,3}?(?:and (?:just )?(?:not|never|didn't|don't|stay|that was)"
        r"|for (?:good|ever|a very long))"
        r"|(?:not|never|didn't|don't|without) (?:have to |having to )?wak(?:e|ing)(?: up)?|sleep (?:and sleep"
        r"|forever|through all of it|until it)|stop(?:ped)? existing|stop being (?:here|alive)|not (?:be"
        r"|being) (?:here|alive|anywhere)|fade (?:away|out)|disappear|vanish"
        r"|(?:it|this|everything|all of it|all of this|the pain|the noise) to (?:just )?(?:stop|end|be over"
        r"|go quiet)|make it (?:all )?stop)\b",
        r"\b(?:hop(?:e|ing)|wish\w*|pray\w*|want\w*|would(?:n't| not)? (?:mind|be|like)|'d (?:like|rather|be)"
        r"|fine|relief|okay|glad|for good|forever|one way or another|prefer|peace\w*|no (?:one|body)|please"
        r"|tempt\w*|long for|longing|dream\w*|wouldn't|every night|sometimes|easier|best)\b",
        re.compile(
            r"\b(?:knee|hip|back pain|tooth|itch\w*|cough\w*|hot flush\w*|bladder|bathroom|baby (?:to|not)"
            r"|alarm|snor\w*|cpap|pee|urinate|surgery|an(?:a)?esthe\w+|night shift|mole|rash|lump|spot|scar"
            r"|swelling|bruis\w+|symptoms?|knock on the head)\b"
        ),
    ),
    _act(
        r"\b(?:(?:do not|don't|can't|cannot|can not) see (?:myself|a place for me|any (?:future|way)"
        r"|a (?:future|way) (?:for me|out|forward)|me in)|no (?:future|way out|place) (?:for|left for) me|(?:i"
        r"|i'm|i am) (?:so |just |completely |all )?(?:done|finished|through)"
        r"(?: (?:fighting|trying|with (?:it all|all of it|everything|this life|living|being)))?[.!]|let (?:it"
        r"|nature|the \w+) (?:happen|take (?:its|me)|win|run its)|(?:stopped|quit|skipping"
        r"|refus\w+) (?:taking |eating|drinking|the |my )?(?:\w+ )?(?:insulin|dialysis|tablets|pills|medicine"
        r"|chemo|eating)?"
        r" ?(?:on purpose|deliberately|so (?:that )?(?:it|i|my))|the only (?:way|plan|option|thing"
        r"|answer) (?:left|i have left|out|that (?:is|'s) left)|nothing (?:left|here) for me|(?:can't|cannot"
        r"|can not) (?:do|take|carry|bear|keep doing) (?:this|it|on|going)(?: \w+)? (?:any ?more|longer|another)"
        r"|(?:tired|sick|weary) of (?:fighting|waking up|existing|carrying on|going on|trying|being here"
        r"|all of it|every day)|be with (?:him|her|my \w+|mum|dad|them) again|join (?:him|her|my (?:wife"
        r"|husband|son|daughter|mother|father|late \w+)))\b[.!]?",
        r"\b(?:done|over|end(?:s|ed)?|soon|tonight|for good|plan|left|right this time|any ?more|anymore|let it"
        r"|finished|peace\w*|stop\w*|no (?:one|body|point|future|reason)|burden|gone|away|sleep|die|dying"
        r"|death|alive|existing|waking|being here|again|future|fighting|myself|deliberately|on purpose)\b",
        re.compile(r"\b(?:marriage|job|stairs|physio\w*|exercises?|diet|gym|lows|hypos?|side effects?|cost"
            r"|afford|support group|rash|choir|class)\b"),
        wide=True,
    ),
    # Wounds.
    _act(
        r"\b(?:(?:arms?|thighs?|legs?|wrists?) (?:are|is|look\w*) (?:\w+ ){0,3}?(?:mess|stripes|lines|ribbons"
        r"|cut up|ladder|full of)|(?:fresh|new) (?:cuts|lines|marks|burns) (?:on|along|under)|(?:cutting"
        r"|burning|scratching|hitting|the (?:blade|razor|lighter|knife|pain)) (?:\w+ ){0,3}?(?:helps|calms"
        r"|makes me (?:feel|calm)|is the only|lets me|takes the edge|quiets)|hide (?:my|the) (?:arms|sleeves"
        r"|cuts|marks)|long sleeves)\b",
        r"\b(?:again|calm\w*|only thing|nobody (?:sees|knows)|helps?|relief|quiet\w*|razor|blade|lighter"
        r"|on purpose|myself|feel (?:something|anything|real)|hide|see (?:them|it))\b",
        re.compile(r"\b(?:eczema|psoriasis|cooking|kitchen|garden\w*|cat|bramble\w*|sun(?:burn)?|rash|cream"
            r"|shav\w+)\b"),
    ),
)  # fmt: skip


_CUES: Final[tuple[tuple[str, Sieved], ...]] = tuple(
    (name, Sieved(pattern))
    for name, pattern in (
        ("settled", r"\b(?:given|gave|giving|found) (?:\w+ ){0,3}?(?:dog|cat|cats|dogs|car|watch|ring|guitar"
            r"|keys|books|records|things|plants|house)(?: \w+)? (?:to|away|a (?:new )?home)\b"
            r"|\bpaid (?:\w+ ){0,4}?(?:up to|until|off|in full|the rent)\b|\bcleaned (?:out )?(?:the"
            r"|my) (?:flat|house|apartment|desk)\b|\bin order now\b|\bsorted (?:out )?(?:everything"
            r"|my papers)\b"),
        ("no further need", r"\b(?:won't|will not|not going to|shan't|no longer|don't"
            r"|wouldn't) (?:be )?(?:need(?:ing)?|coming|come|using) (?:it|them|that|any|to|the|back|in)\b"
            r"|\bcancel (?:the|my|all(?: my| the)?|any) (?:\w+ ){0,2}?(?:appointments?|visits?|refills?"
            r"|surgery|follow-?ups?)\b|\btake me off (?:the|your)\b|\bgive my (?:place|slot|bed|spot|kidney"
            r"|turn) to\b|\bstop (?:the|all) (?:treatment|dialysis|chemo)\b"),
        ("farewell", r"\bthanks? (?:you )?for (?:being|all|everything|trying|your kindness)\b|\b(?:was|were"
            r"|been) (?:always )?(?:so )?(?:kind|good|patient) (?:to|with) me\b|\bgood-?bye\b|\bforgive me\b"
            r"|\bsorry (?:for|to) (?:everything|all|everyone|the (?:mess|trouble)|whoever|be)\b|\bnot (?:your"
            r"|her|his|anyone's) fault\b|\bwho else to write to\b|\bno ?(?:body|one) else to (?:tell|write)\b"),
        ("calm", r"\b(?:calm|peaceful|at peace|light|relieved|quiet) (?:for the first time|now|again|inside"
            r"|at last)\b|\bfirst time in (?:months|years|weeks|ages)\b|\b(?:noise|voices|thoughts|it all"
            r"|everything) (?:to )?(?:stops?|goes quiet|is quiet|be quiet)\b|\bwant (?:it|everything|this"
            r"|them) to be (?:quiet|over|still)\b|\bmade (?:up my mind|my decision|my peace)\b"),
        ("secret", r"\b(?:don't|do not|please don't) (?:send|call|tell|ring|alert) (?:any(?:body|one)|my|the"
            r"|an? ambulance|him|her|them)\b|\bnobody (?:at \w+ )?(?:sees|knows|will know|must know|notices"
            r"|has to know)\b|\blook like an accident\b|\blong sleeves\b|\bso (?:that )?(?:no ?(?:body|one)"
            r"|they) (?:at \w+ )?(?:sees?|finds?|knows?|notices?)\b|\bno ?(?:body|one) (?:will|would"
            r"|can) find me\b"),
        ("means", r"\b(?:what happens|what would happen|how it works|effects?) (?:with|if|of"
            r"|after) (?:\w+ ){0,3}?(?:too (?:much|many)|overdos\w+|everything|the whole)\b|\b(?:would|will"
            r"|does) it hurt\b(?! (?:when|if))|\bhow long (?:\w+ ){0,4}?take\b|\bit takes (?:about "
            r"|only )?(?:a|an|one|two|three|\d+) (?:\w+ )?(?:they say|minutes|hours|week|days)\b"
            r"|\bnot (?:eating|drinking|taking)\b[^.!?]{0,30}\bon purpose\b|\bon purpose any ?more\b"
            r"|\bread (?:up )?(?:about|the leaflet|the insert|all about)\b|\bthe (?:insulin|pills|tablets"
            r"|morphine|gun|rope|razor) (?:is|are) (?:\w+ )?(?:right )?(?:here|ready|next to|on the table"
            r"|beside)\b"),
        ("place", r"\b(?:platform|bridge|tracks|rails|train|trains|roof|cliff|edge|ledge|balcony|overpass"
            r"|river)\b[^.!?]{0,60}\b(?:hours?|go by|pass|stood|sat|stand|looked down|look down|water|edge"
            r"|step|jump|every (?:day|night|evening))\b|\b(?:next time|one day) i (?:may|might|will|won't"
            r"|could)(?: not)?\b|\b(?:stood|sat|stand|standing|sitting) (?:\w+ ){0,3}?(?:bridge|platform|roof"
            r"|edge|ledge|tracks|balcony)\b"),
        ("death wish", r"\b(?:hope|wish|pray|wishing|hoping|praying) (?:that )?(?:my heart|it|i|the cancer|god"
            r"|something|the next) (?:\w+ ){0,3}?(?:forgets?|stops?|stopped|takes?|kills?|wins|ends?|would end"
            r"|gives? (?:up|out)|not)\b|\bforgets? to beat\b|\bnot wake\b|\bwants? to be here\b"
            r"|\bbetter off\b[^.!?]{0,50}\bthan (?:with )?me\b|\b(?:life )?insurance money\b"
            r"|\bworth more dead\b|\bwhen i(?:'m| am) gone\b|\bwithout me\b|\bdone the sums\b|\bburden\b"
            r"|\bwhat(?:'s| is) the point\b|\bno point any ?more\b"),
        ("loss", r"\b(?:since|after) (?:\w+ ){1,3}?(?:died|passed|left me|was buried|killed (?:him|her)self)\b"
            r"|\ball alone\b|\bcompletely alone\b|\bnobody left\b|\bnothing left\b|\bcan't (?:do|take|bear"
            r"|carry) (?:this|it|any)\b"),
        ("ready", r"\bi(?:'m| am) ready\b(?! (?:for|to (?:see|book|come|start|go home|leave)))"
            r"|\bworked out how\b|\bknow (?:exactly )?how (?:i would|i'd|i will|i'll|to) do it\b"
            r"|\bwon't wait for the end\b|\bset (?:a|the) date\b|\bpicked (?:a|the) (?:day|date|night)\b"),
        ("others", r"\b(?:sad|upset|cry|grieve|miss me) for (?:a|an?|some) (?:\w+ )?(?:week|month|day|while"
            r"|bit|time)s?\b|\bit would be easier\b|\b(?:nobody|no one) would (?:notice|care|miss)\b"
            r"|\bkeys (?:are |is )?in an envelope\b|\bin case (?:someone|somebody|they) (?:has|have"
            r"|needs?) to get in\b|\bwho will find me\b|\b(?:take|look after|feed) (?:the|my) (?:cat|dog|bird"
            r"|fish)\b"),
        ("nowhere", r"\bcan't promise (?:that )?i(?:'ll| will) be (?:anywhere|here|alive|around)\b"
            r"|\bhow easy (?:it|the \w+) would be\b|\b(?:pump|insulin|morphine|dose) all the way up\b"
            r"|\btired of (?:all (?:of )?this|it all|everything|being)\b|\bpast my exit\b|\bnot be anywhere\b"
            r"|\bdon't care (?:if|whether) i (?:wake|live|make it)\b"),
        ("wounds", r"\b(?:the )?(?:cutting|burning|self-?harm\w*) (?:is back|again|started|has started|every"
            r"|helps?|came back)\b|\bdeeper than\b|\bcuts? (?:on|along|down) my (?:arms?|thighs?|legs?"
            r"|wrists?)\b|\bblood (?:calms|helps|makes me)\b"),
    )
)  # fmt: skip
_WITHIN: Final = 500
"""Characters within which two different cues of one writer count together."""


def hints(text: str) -> tuple[int, int] | None:
    """Where two different cues stand near each other in a first-person `text` (folded), or None: none of them says
    enough alone."""
    found: list[tuple[int, int, str]] = []
    for name, pattern in _CUES:
        match = pattern.search(text)
        if match is not None:
            found.append((*match.span(), name))
    if len(found) < 2 or _ME.search(text) is None:
        return None
    found.sort()
    for (start, _, one), (_, end, other) in itertools.pairwise(found):
        if one != other and end - start <= _WITHIN:
            return start, end
    return None
