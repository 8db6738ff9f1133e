"""Toxic language by kind: an insult, hate of a group, a threat, sexual advances, words that demean a patient.

Judged in prompts and outputs; a document is what somebody else wrote, and a chart quotes. Found are words *to* or *of*
a person: "you are an idiot", not "idiot" in a quotation, and no description of wounds, abuse or sex, however graphic.
Rules, not a model: the packages that ship one are either pickles that need one release of scikit-learn or load torch
weights over the network (docs/language.md). Not caught: irony, insults without these words, other languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from attending.guardrails.rails.deobfuscate import MAX_CHARACTERS
from attending.guardrails.rails.folding import Origin, fold
from attending.guardrails.rails.spoken import told_of
from attending.guardrails.sieve import Sieved, possible

Kind = Literal["insult", "hate", "threat", "sexual", "demeaning"]
MAX_HITS: Final = 20
_MAX_READ: Final = 2_000
"""Candidates whose sentence is read; a text with more of them is no letter."""


@dataclass(frozen=True, slots=True)
class ToxicHit:
    """One place; offsets are code points into the text, end exclusive."""

    kind: Kind
    start: int
    end: int


_BAD: Final = (
    r"(?:stupid|dumb|dense|pathetic|worthless|useless|disgusting|ugly|filthy|idiotic|moronic|retarded|brainless"
    r"|repulsive|revolting"
    r"|braindead|fucking|goddamn|lazy|fat|dirty|crazy|bloody|miserable|damn|complete|utter|total|old|ignorant"
    r"|selfish|little|silly)"
)
_BAD_ALONE: Final = (
    r"(?:stupid|dumb|pathetic|worthless|useless|disgusting|ugly|idiotic|moronic|retarded|brainless|repulsive"
    r"|revolting|garbage|trash"
    r"|scum|an? disgrace|hopeless case)"
)
_NAME: Final = (
    r"(?:idiots?|morons?|imbeciles?|cretins?|fools?|dumb ?ass(?:es)?|dimwits?|half-?wits?|simpletons?|losers?"
    r"|scum(?:bags?)?|bitch(?:es)?"
    r"|whores?|sluts?|bastards?|ass ?holes?|cunts?|pricks?|twats?|wankers?|retards?|pieces? of (?:shit|garbage"
    r"|crap"
    r"|trash|filth)|pigs?"
    r"|swine|slobs?|fat cow|hags?|freaks?|perverts?|cry ?bab(?:y|ies)|parasites?|vermin|waste of (?:space|oxygen"
    r"|a bed|time)|dumbo|nitwits?"
    r"|shithead|dipshit|degenerates?)"
)
_GROUP: Final = (
    r"(?:immigrants|migrants|refugees|foreigners|muslims|jews|jewish people|christians|hindus|blacks"
    r"|black (?:people"
    r"|patients|women|men)"
    r"|white people|asians|chinese people|mexicans|arabs|africans|latinos|hispanics|gays|gay (?:people|men)"
    r"|lesbians"
    r"|homosexuals"
    r"|trans(?:gender)? (?:people|women|men)|transgenders|women|disabled people|the disabled"
    r"|people with disabilities|gypsies|indians"
    r"|the poor|the homeless|homeless people|people of that (?:race|religion|kind|sort)|people like (?:them"
    r"|that)"
    r"|those people)"
)
_SOMEBODY: Final = (
    r"(?:you|your (?:family|legs|face|neck|kids|children|wife|husband|dog|arms|head|house)|him|her|them|everyone"
    r"|everybody|all of you"
    r"|(?:that|the|this|every|a|your) (?:\w+ )?(?:doctor|nurse|receptionist|staff|surgeon|man|woman|guy"
    r"|pharmacist"
    r"|therapist|people|lady"
    r"|secretary))"
)
_SLUR: Final = (
    r"(?:idiots?|morons?|imbeciles?|cretins?|fools?|dumb ?ass(?:es)?|dim-?wits?|half-?wits?|simpletons?"
    r"|losers?|scum(?:bags?)?"
    r"|low-?li(?:fe|fes|ves)|junk(?:ies?|y)|druggies?|crack ?heads?|bitch(?:es)?|whores?|sluts?|bastards?"
    r"|ass ?holes?|cunts?"
    r"|pricks?|twats?|wankers?|retards?|pieces? of (?:shit|garbage|crap|trash|filth|work)|heaps? of (?:junk"
    r"|shit|garbage|trash)"
    r"|lumps? of (?:lard|fat|meat)|fat lump|hags?|brats?|freaks?|weirdos?|cry-?bab(?:y|ies)|vermin|clowns?"
    r"|buffoons?|nutters?"
    r"|nut ?(?:cases?|jobs?)|psychos?|lunatics?|wastes? of (?:space|oxygen|air|skin|a bed|breath)|slobs?"
    r"|degenerates?|savages?"
    r"|dipshits?|shitheads?|attention[- ](?:seekers?|whores?)|gold-?bricks?|malingering \w+|lying (?:addict"
    r"|cow|bitch|drunk)s?)"
)
_CONTEMPT: Final = (
    r"(?:brain-?dead|worthless|incompetent|pathetic|useless|stupid|dumb|moronic|idiotic|retarded|thieving"
    r"|stinking|good-for-nothing"
    r"|bone-?idle|clueless|half-?witted|dim|filthy|disgusting|revolting|repulsive|ugly|spineless|gutless"
    r"|miserable|brainless)"
)
_PERSON: Final = (
    r"(?:nurses?|doctors?|receptionists?|patients?|surgeons?|staff|woman|women|man|men|lady|ladies"
    r"|secretar(?:y|ies)|porters?|carers?"
    r"|interns?|students?|people|addicts?|drunks?|mothers?|fathers?|kids?|cows?|pigs?|gypsy|gypsies"
    r"|foreigners?|girls?|boys?|crones?|chatbot|bot)"
)
_WHO: Final = (
    r"(?:he|she|they|(?:the|this|that|our|another|some) (?:\w+ ){0,2}?(?:patient|woman|man|lady|guy|girl|boy"
    r"|mother"
    r"|father|person"
    r"|individual|client|gentleman)|pt)"
)
_LOW: Final = (
    r"(?:junk(?:ie|y)|druggie|crack ?head|pill ?head|wino|slob|fatso|whale|pig|hag|cow|whiner|crybaby"
    r"|drama queen"
    r"|nut ?case|nut ?job"
    r"|psycho|lunatic|hysterical (?:woman|female|girl)|pathological liar|(?:lazy|disgusting|filthy|fat|old"
    r"|worthless"
    r"|stupid|dirty|pathetic)"
    r" (?:\w+ )?(?:drunk|addict|person|woman|man|liar|bum|cow|pig)|drunk (?:who|and)|gold ?digger|witch|bum"
    r"|moron"
    r"|(?:lying"
    r"|thieving|drug|worthless|stinking) (?:drug )?(?:addict|junkie|thief|cheat)|good-for-nothing"
    r"|waste of (?:space"
    r"|resources|time|money|a bed)|idiot"
    r"|loser|degenerate)"
)


def _kind(kind: Kind, *patterns: str, deniable: bool = True) -> tuple[tuple[Kind, Sieved, bool], ...]:
    return tuple((kind, Sieved(pattern), deniable) for pattern in patterns)


_PATTERNS: Final = (
    *_kind(
        "insult",
        rf"\byou(?:'re| are| were|r)? (?:\w+ ){{0,3}}?(?:an?|the|such an?"
        rf"|nothing but an?) (?:\w+,? ){{0,3}}?{_NAME}\b",
        rf"\byou(?:'re| are) (?:so |too |really |just |such |very |all |completely |both |an? |clearly "
        rf"|obviously )"
        rf"{{0,3}}(?:{_BAD_ALONE}|(?:{_BAD},? ){{1,3}}(?:{_NAME}|person|people|patient|man|woman|bot))\b",
    ),
    *_kind(
        "insult",
        rf"\bwhat an? (?:\w+ ){{0,2}}?(?:{_BAD_ALONE}|{_BAD}) (?:\w+ ){{0,2}}?(?:you are|he is|she is)\b"
        rf"|\byou (?:{_BAD},? ){{1,3}}(?:cow|dog|rat|whale|woman|man|girl|boy)\b"
        rf"|\bonly {_NAME} (?:\w+)\b",
        rf"\byou (?:(?:{_BAD}|\w+(?:ing|less|ful|ous|ish|ic)),? ){{0,3}}{_NAME}\b"
        rf"|\byou (?:{_BAD},? ){{1,3}}(?:bot"
        rf"|machine|thing|people|nurses|doctors"
        rf"|person)\b",
        r"\bshut (?:the \w+ )?up and\b|\bfuck (?:you|off|yourself|yourselves)\b|\bgo fuck\b|\bscrew you\b"
        r"|\bgo to hell\b|\bget lost, you\b"
        r"|\bstop whining\b|\byou (?:disgust|sicken|revolt) me\b|\bshut up,? you\b|^shut up\b",
        rf"\b(?:only|what kind of|what sort of) (?:an? )?(?:\w+ )?{_NAME} (?:would|forgets?|does|could|can't"
        rf"|cannot)\b|\b{_NAME} like you\b"
        rf"|\b(?:all of you|you all|you people|you (?:nurses"
        rf"|doctors))\b[^.!?]{{0,20}}\bare (?:\w+ ){{0,3}}?{_NAME}\b"
        rf"|\b(?:don't|do not) be (?:such )?an? (?:\w+ )?{_NAME}\b|\bwhat an? (?:{_BAD} ){{0,3}}{_NAME}\b",
        r"\btoo (?:dense|dumb|stupid|thick|retarded|ignorant) to (?:understand|read|follow|get|know|see|remember"
        r"|learn)\b",
        deniable=False,
    ),
    *_kind(
        "demeaning",
        rf"\b{_WHO}(?:'s| is| was| are) (?:\w+,? ){{0,5}}?{_LOW}\b",
        r"\b(?:this|that|another|an?|the) (?:\w+,? ){0,2}?(?:fat|lazy|crazy|disgusting|hysterical|filthy|stupid"
        r"|dirty|drug-seeking|whiny"
        r"|pathetic) (?:\w+ )?(?:slob|hag|cow|pig|drunk|bitch|junk(?:ie|y)|whale|whore|liar|loser"
        r"|woman who makes)\b",
        r"\banother frequent flyer\b|\b(?:is|are|as) (?:an? |just an? )?(?:usual )?frequent flyers?\b"
        r"|\bgomers?\b"
        r"|\bwast(?:e|ing) (?:of )?(?:our|my|your|the|a|everybody's)"
        r" (?:time|bed|beds|resources|space|oxygen)\b",
        r"\b(?:who|he|she|they|patient) deserves? (?:nothing|no (?:care|treatment|help|sympathy|bed))\b|\b(?:old"
        r"|sick|poor|fat|disabled|mentally ill|homeless) people like"
        r" (?:you|her|him|them)\b|\bpeople like (?:you|her|him|them) are (?:\w+ )?(?:waste|burden|drain"
        r"|problem)\b"
        r"|\bdeserves? (?:his|her|their|your|this|that|the) (?:cirrhosis|illness|disease|cancer|pain|overdose"
        r"|stroke"
        r"|hiv|diabetes|fate)\b"
        r"|\b(?:faking|making) it (?:all )?(?:up )?for attention\b|\b(?:he|she|patient|woman|man"
        r"|who) (?:just )?makes everything up\b|\btrain wreck of an? (?:human|person|patient)\b"
        r"|\bobviously faking\b|\b(?:people|patients) like (?:her|him|them|you|this"
        r"|that)\b[^.!?]{0,40}\b(?:burden"
        r"|waste|should not be treated"
        r"|do not deserve|don't deserve|should be left)\b|\bwaste of a bed\b|\bcannot control (?:him"
        r"|her)self like an? animal\b"
        r"",
    ),
    *_kind(
        "insult",
        rf"(?<!like )(?<!i'm )(?<!i am )(?<!am )\b(?:an?|the|that|this|these|those|another|such|some|you|your"
        rf"|what|of|any|only|bunch of)"
        rf" (?:(?:{_CONTEMPT}|{_BAD}|total|absolute|whiny|fat|old|lying|little|lot|of|bunch|spoilt"
        rf"|spoiled),? ){{0,4}}{_SLUR}\b(?! of the)",
        rf"\b{_CONTEMPT} (?:\w+ ){{0,2}}?{_PERSON}\b(?! (?:because|feel|with (?:ptsd|low)))",
        rf"\b{_PERSON} (?:\w+ ){{0,3}}?(?:is|are|was|were) (?:\w+ ){{0,2}}?(?:brain-?dead(?! by)|subhuman"
        rf"|a (?:butcher|clown|disgrace))\b"
        r"|\b(?:not|none of you (?:is|are)|hardly|isn't|aren't) (?:even )?worth (?:the (?:air|oxygen|bed|paper"
        r"|effort|bother)|treating"
        r"|saving|spit\w*)|\btrained (?:monkeys?|dogs?|chimp\w*)\b|\btoo (?:thick|dim|dumb|stupid|dense) to\b"
        r"|\bshut (?:her|his|their|your) (?:\w+ )?(?:mouth|face|trap|gob)\b|\bsmells? like (?:a )?(?:pig|sewer"
        r"|dog|goat|shit)",
    ),
    *_kind(
        "demeaning",
        r"\b(?:make|word|write|phrase|put|draft|help me)\b[^.!?]{0,70}\b(?:humiliat\w+|as (?:cruel|degrading"
        r"|insulting|hurtful|nasty|vicious"
        r"|mean|mocking|cutting)|(?:so )?(?:that )?(?:she|he|they) (?:finally )?(?:feels? (?:it|small|stupid"
        r"|ashamed)|cries|gets? that (?:she|he|they)"
        r"(?:'s| is| are)))\b|\blooks? like (?:the|an?) (?:crazy|mad|stupid|hysterical|drunk|lying"
        r"|insane) (?:one|woman|man|liar|idiot|person)\b"
        r"|\bshould never have (?:had (?:children|kids)|been born|reproduced)\b|\bsomebody as (?:dim|dumb"
        r"|thick|stupid)\b"
        r"|\bmakes? (?:her|him|them) (?:sound|look|feel) (?:\w+ )?(?:crazy|stupid|insane|like (?:dirt"
        r"|an? (?:idiot|liar|animal)))\b",
    ),
    *_kind(
        "hate",
        rf"\b(?:{_GROUP}|(?:these|those|such|that kind of) (?:people|sort|lot|types?"
        rf"|families))\b[^.!?]{{0,70}}\b(?:breed(?:ing|s)?|animals? belong"
        rf"|clog\w*|go back|back of the queue|stink|infest\w*|like (?:rats|animals|vermin|flies|cockroaches)"
        rf"|with their (?:diseases|filth)|swarm\w*"
        rf"|leech\w*|sponge off|deserve nothing|taking our|steal\w*|overrun\w*)\b",
        r"\bwhere (?:animals|they|vermin|rats) belong\b|\b(?:gypsy|foreign|immigrant|migrant|muslim|jewish"
        r"|black|brown|homeless) (?:trash|scum|filth"
        r"|vermin|rats?|animals?|parasites?)\b",
    ),
    *_kind(
        "threat",
        r"\b(?:break|smash|snap|bash|crush|cut off|kick in|rearrange|burn down|slash) (?:his|her|their"
        r"|your) (?:\w+ )?(?:hands?|legs?|face|teeth|skull"
        r"|head|fingers|neck|knees?|kneecaps?|car|house|arms?|tyres|windows|jaw|nose)(?: for (?:him|her|them"
        r"|you))?\b(?=[^.!?]{0,40}(?:[.!?]|$| if| or))",
        r"\b(?:i|we) know (?:exactly )?(?:which|what|where)\b[^.!?]{0,20}\b(?:car|he|she|time|school|you|your"
        r"|they|her|his)\b[^.!?]{0,30}"
        r"\b(?:drives?|lives?|parks?|leaves?|sleeps?|walks?|goes home|kids)\b|\b(?:i|we)(?:'ll| will"
        r"| am going to|'m going to) be waiting for\b"
        r"|\b(?:give|gave|giving) (?:her|him|them|you) something to (?:scream|cry|complain|moan|whine) about\b"
        r"|\b(?:make|making) (?:her|him|them|you)"
        r" (?:cry|scream|beg|disappear|bleed) (?:in|again|for|at|until|out)\b|\b(?:i'll|i will|i'm going to"
        r"|we'll|we will) put (?:him|her|them|you|that \w+) (?:through|under|in|into) (?:the|a"
        r"|an) (?:\w+ )?(?:window|wall|ground|hospital bed|grave|morgue|wheelchair|coma|bin)\b"
        r"|\b(?:hospital|clinic|place|building|office|you)(?: \w+){0,2} (?:should|deserves? to"
        r"|ought to) (?:all )?(?:burn(?: down)?|blow up|be (?:bombed|burned|burnt|blown up))\b"
        r"|\bnot walk away from (?:it|this)\b"
        r"|\b(?:somebody|someone) is going to (?:get hurt|pay|bleed|suffer|break)\b|\b(?:he|she|they)(?:'ll"
        r"| will) (?:regret it|get hurt"
        r"|wish (?:he|she|they) (?:had never|hadn't))\b",
        r"\b(?:hope|wish|pray|want|would love|can't wait|like to see)\b (?:that )?(?:to see )?(?:he|she|they"
        r"|you|him|her|them|it|every \w+ (?:one )?(?:of )?(?:you|them)"
        r"|all of (?:you|them)|the (?:old |whole )?\w+|this \w+|that \w+)(?: \w+){0,3}? (?:dies?|rots?|chokes?"
        r"|gets? (?:cancer|sepsis|hurt|what|run over"
        r"|aids|hit|killed|mrsa|covid)|bleeds? (?:out|to)|burns?|drops? dead|suffers?)\b(?! (?:peacefully"
        r"|in peace|naturally|at home|less|no|with dignity|from))",
        r"\b(?:let|leave|left) (?:him|her|them|this \w+|that \w+|the (?:old |fat "
        r"|stupid )?\w+)(?: \w+)? (?:to )?(?:choke|rot|die|bleed out|burn|suffer)\b"
        r"(?! (?:peacefully|in peace|naturally|at home|with|comfortably|of))|\b(?:can|may"
        r"|should) (?:all )?(?:rot|drop dead|burn in hell|choke on)\b|\brot in hell\b",
    ),
    *_kind(
        "demeaning",
        r"\bwill never lose weight, so\b|\bdo not bother (?:treating|with (?:treat\w+|counsel\w+))\b",
        deniable=False,
    ),
    *_kind(
        "hate",
        rf"\b{_GROUP} (?:\w+ ){{0,2}}?are (?:\w+ ){{0,3}}?(?:filthy|dirty|inferior|subhuman|animals|terrorists"
        rf"|criminals|freaks|parasites"
        r"|vermin|rapists|stupid|too stupid|evil|savages|thieves|a drain|mentally ill|lazy|liars|the problem"
        r"|a plague|disgusting)\b",
        rf"\b{_GROUP} (?:all )?(?:deserve (?:to|it|what|hiv|death)|should (?:all )?(?:be (?:sent|deported"
        rf"|eliminated"
        rf"|exterminated|killed|sterili[sz]ed"
        r"|banned|locked|refused|put down)|go back|die|not be (?:treated|allowed|helped))|control the"
        r"|cannot be trusted|can't be trusted"
        r"|bring (?:diseases?|crime|filth)|ruin|are ruining|spread (?:disease|filth))\b",
        rf"\b{_GROUP}\b[^.!?]{{0,60}}\b(?:because they are inferior|drain on society|be eliminated"
        rf"|be exterminated"
        rf"|sent away)\b",
        rf"\bget rid of (?:all )?{_GROUP}\b|\bgo back to where (?:they|you) came from\b|\b(?:beds?|care|time"
        rf"|money"
        rf"|treatment) (?:on|to|for) people of that"
        r" (?:race|religion|kind|sort|colou?r)\b",
        r"\b(?:nigg(?:er|a)s?|fagg?ots?|kikes?|trann(?:y|ies)|ragheads?|towelheads?|wetbacks?|sandniggers?)\b",
    ),
    *_kind(
        "threat",
        rf"\b(?:i|we)(?:'ll| will| am going to|'m going to|m going to| are going to|'re going to| would"
        rf"| want to|'d"
        rf"| gonna|'m gonna)(?: \w+){{0,4}}?"
        rf" (?:kill|hurt|stab|shoot|beat(?: up)?|murder|strangle|rape|punch|break|burn|choke|slap|destroy"
        rf"|find) {_SOMEBODY}\b(?! (?:a|an|some|out|the) )",
        r"\bi know where you (?:live|work)\b|\byou(?:'ll| will) (?:regret (?:it|this|that)|pay for (?:it|this"
        r"|that)"
        r"|be sorry)\b|\bmake (?:sure )?you (?:will )?regret\b"
        r"|\bwatch your back\b|\b(?:bring|bringing|get|getting) (?:a|my) gun\b[^.!?]{0,30}\b(?:to|into) (?:your"
        r"|the)\b|\b(?:come|coming) (?:and|to) shoot\b",
        r"\b(?:i|we)(?:'ll| will| am going to|'m going to| are going to) make (?:you|him|her|them) (?:suffer"
        r"|pay for"
        r"|bleed|sorry)\b|\byou deserve to (?:be (?:beaten"
        r"|hurt|shot|killed|punished|raped)|die|suffer)\b|\bblow up (?:the"
        r"|your) (?:clinic|hospital|office|building|practice)\b"
        r"|\bshoot (?:everyone|everybody|up)\b",
    ),
    *_kind(
        "sexual",
        r"\b(?:nude|naked|topless) (?:pictures?|photos?|pics|selfies?) of you\w*"
        r"|\bsend (?:me )?(?:\w+ )?(?:nudes?"
        r"|naked)\b|\b(?:see|picture|imagine|want) you naked\b",
        r"\b(?:have )?sex with you\b|\bsleep with you\b|\bmake love to you\b|\bmake you (?:moan|cum|wet"
        r"|scream with)\b|\bhook up (?:after|with (?:me|you)|tonight)\b"
        r"|\b(?:look|looking|are|are so) (?:so |very |really )?(?:sexy|hot in)\b|\bsuch sexy\b|\bsexy (?:legs"
        r"|body"
        r"|thing|lady|girl|boy)\b|[,!] sexy\b"
        r"|\btouch you where\b|\btake (?:it|that|them) off for me\b|\bthink(?:ing)? about your (?:breasts"
        r"|boobs|tits"
        r"|body|lips|ass|legs)\b"
        r"|\bturns? me on\b|\b(?:gorgeous|beautiful|perfect|sexy|amazing|lovely) (?:breasts|tits|ass|boobs"
        r"|butt)\b"
        r"|\b(?:love|like|want|dying) to (?:undress|kiss|fondle|caress|grope|seduce|lick"
        r"|spank) you\b|\bsuck my\b|\bi(?:'m| am) (?:so )?horny\b|\byour (?:\w+ )?(?:tits|boobs)\b",
        deniable=False,
    ),
)  # fmt: skip

_GRAVE: Final = frozenset({"threat"})


def find_toxicity(text: str) -> tuple[ToxicHit, ...]:
    """Toxic places in text order, at most `MAX_HITS`. Never raises for any string; what stands beyond
    `deobfuscate.MAX_CHARACTERS` is not read here and found by the injection rail."""
    text = text[:MAX_CHARACTERS]
    plain = fold(text).replace("\n", " ")
    found = sorted(set(_candidates(plain)), key=lambda hit: (hit.start, -hit.end, hit.kind))
    if not found:
        return ()
    origin = Origin(text)
    hits: list[ToxicHit] = []
    for hit in found:
        if hits and hit.start < hits[-1].end and hit.kind == hits[-1].kind:
            continue
        hits.append(hit)
    return tuple(ToxicHit(hit.kind, *origin.span(hit.start, hit.end)) for hit in hits[:MAX_HITS])


def _candidates(plain: str) -> Iterator[ToxicHit]:
    read = 0
    bits = possible(plain)
    for kind, pattern, deniable in _PATTERNS:
        if not pattern.bit & bits:
            continue
        for match in pattern.finditer(plain):
            read += 1
            if read > _MAX_READ or not told_of(plain, *match.span(), deniable=deniable):
                yield ToxicHit(kind, *match.span())


def grave(kind: Kind) -> bool:
    """Whether a person must know even where a patient wrote it: a threat, while an angry word bars nobody's care."""
    return kind in _GRAVE
