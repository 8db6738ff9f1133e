"""Self-harm language: a person who says that they want to die, and a text that would have them do it.

`expresses` reads a prompt, in the first person. Such a call is never refused for it: it must be answered with help,
and `offers_help` says whether an answer does. `encourages` reads an output. A clinician's assessment ("denies suicidal
ideation") is neither. Not caught: hints without these words; `red_flag` of the clinical checks reads signs of its own.
Source: 988 Suicide & Crisis Lifeline guidance on warning signs; C-SSRS items 1 to 6.
"""

# ruff: noqa: RUF001 - letters of other scripts are what is read here

from __future__ import annotations

from typing import Final

from attending.guardrails.rails import distress
from attending.guardrails.rails.acts import found_acts
from attending.guardrails.rails.deobfuscate import MAX_CHARACTERS
from attending.guardrails.rails.folding import Origin, fold, fold_pattern
from attending.guardrails.rails.spoken import told_of
from attending.guardrails.sieve import Sieved

_HARM: Final = (
    r"(?:kill(?:ing)?|hang(?:ing)?|shoot(?:ing)?|drown(?:ing)?|stab(?:bing)?|poison(?:ing)?|cut(?:ting)?"
    r"|hurt(?:ing)?|harm(?:ing)?"
    r"|burn(?:ing)?|starv(?:e|ing))"
)
_MYSELF: Final = rf"{_HARM} myself"
_DIE: Final = (
    rf"(?:die\b(?! (?:of|from) (?:embarrass\w+|laugh\w+|boredom|shame|heat|hunger))|dying\b(?! (?:of|from|to"
    rf"|for)\b)"
    rf"|be dead\b|{_MYSELF}\b"
    rf"|end(?:ing)? (?:my (?:own )?life|it all|it|things)\b"
    r"|(?:swallow|take|down|eat) (?:all|every one) (?:of )?(?:my|the|these)? ?(?:pills|tablets|meds|medicines?"
    r"|insulin)|take (?:my (?:own )?life|them all|all (?:of )?(?:my|the|these) (?:pills|tablets|meds))"
    r"|(?:commit(?:ting)? )?suicide\b|jump(?:ing)? (?:off|in front)|overdos\w+"
    r"|not (?:be alive|wake up|exist|be here)|never wake up|sleep forever|disappear forever)"
)
_EXPRESSED: Final = (
    Sieved(
        r"\b(?:i|im|i'm|i've|ive|honestly|just)\b(?: \w+(?:'\w+)?){0,5}? (?:want|wants|wanting|wanna|wish|going"
        r"|gonna|plan|planning|thinking|think|ready|tempted|considering|hoping"
        rf"|thought|thoughts|urge|urges|decided|intend|intending|ready|about|need|like)(?: (?:to|of|about|on|i"
        rf"|was"
        rf"|were|could|just|really|only|be"
        rf"|would|rather|sometimes)){{0,4}} {_DIE}"
    ),
    Sieved(
        r"\bi (?:really |just |honestly )?(?:don't|dont|do not|no longer|never) (?:want|wanna"
        r"|wish)(?: to)? (?:live"
        r"|be alive|be here|exist|go on|wake up)\b(?! (?:with|without"
        r"|like|in|at|near|on|off|from|for|because|alone|until|before|so|and my)\b)"
        r"|\bi wish (?:that )?i (?:was|were) (?:dead|never born)\b|\bi wish i (?:could|would"
        r"|had)\b[^.!?]{0,40}\b(?:never wake up|not wake up|die|be dead)\b"
    ),
    Sieved(
        r"\bi(?:'m| am|m| feel| am feeling)(?: \w+){0,2} suicidal\b|\bthinking (?:of|about) suicide\b"
        r"|\bthoughts (?:of|about) (?:suicide|killing myself|ending (?:it|my life))\b|\bkms\b"
        r"|\bi (?:have |'ve )?(?:written|wrote|left) an? (?:suicide|goodbye|farewell) (?:note|letter)\b"
    ),
    Sieved(
        r"\b(?:better off|happier|relieved|easier for them)\b[^.!?]{0,20}\b(?:if i (?:was|were|wasn't|weren't"
        r"|am) (?:dead|gone|not here|here|around)|without me)\b"
        r"|\bno (?:point|reason|use)(?: in)? (?:going on|living|to live|to go on|being alive|to stay alive"
        r"|to stay"
        r"|to keep going|to keep living)\b|\b(?:can't|cannot|can not|don't|do not) (?:see|find|have) (?:any"
        r"|a) (?:reason|point|use) (?:in |to |for )?(?:stay|stay alive|liv\w+|going on|go on|keep going"
        r"|being alive"
        r"|being here|exist\w*)\b|\b(?:nobody|no one|no-one) (?:would|will) (?:notice|care"
        r"|miss me)(?: \w+){0,2} (?:if i|when i(?:'m| am)) (?:died|die|dead|gone|was gone|were gone|disappeared"
        r"|killed)\b|\blife (?:is not"
        r"|isn't|isnt|is no longer) worth (?:living|it)\b|\bdone with (?:my )?life\b"
        r"|\btired of (?:living|being alive)\b|\bcan't go on (?:living|like this any ?more)\b|\bready to (?:die"
        r"|end it)\b"
    ),
    Sieved(
        r"\bhow (?:many|much)\b[^.!?]{0,50}\b(?:to|would it take to|do i need to|will) (?:die|kill me"
        r"|kill myself"
        r"|overdose|end it|end my life)\b"
        r"|\b(?:painless|painful|easiest|quickest|best|fastest|surest) way to (?:die|kill myself|end (?:it"
        r"|my life)"
        r"|hang myself|overdose)\b"
    ),
    Sieved(
        r"\bi (?:keep|have been|'ve been|can't stop) (?:cutting|burning|hurting|harming|scratching) myself\b"
        r"|\bi(?:'ve| have)? (?:cut|burn(?:ed|t)?|hurt|harm(?:ed)?) (?:myself|my \w+)(?: \w+){0,3}"
        r" (?:on purpose|deliberately|again (?:last|to|because)|to (?:feel|cope|punish)|and i can't stop)\b"
        r"|\bi (?:have started |started |do )?self[- ]harm(?:ed|ing)?\b"
        r"|\bi(?:'ve| have)? (?:took|taken|swallowed)\b[^.!?]{0,60}\b(?:to die|want(?:ed)? to die|to end (?:it"
        r"|my life)|to kill myself)\b"
        r"|\b(?:going to|gonna|about to|want to) take (?:them all|all of them|the whole (?:bottle|pack|lot)"
        r"|every (?:last )?(?:pill|tablet))\b"
    ),
    Sieved(
        fold_pattern(
            r"\bquiero (?:morir(?:me)?|matarme|suicidarme|quitarme la vida)\b|\bno quiero (?:seguir )?vivi(?:r"
            r"|endo)\b|\bje veux (?:mourir|me tuer|en finir|me suicider)\b"
            r"|\bje ne veux plus vivre\b|\bich (?:will|mochte) (?:nicht mehr leben|sterben|mich umbringen"
            r"|tot sein)\b|\bquero (?:morrer|me matar|acabar com a minha vida)\b"
            r"|\bnao quero mais viver\b|\bvoglio (?:morire|uccidermi|farla finita)\b|\bnon voglio piu vivere\b"
            r"|\b(?:toi )?(?:muon chet|muon tu tu|khong muon song)\b"
            r"|\bgusto ko n(?:a|ang)(?:ng)? mamatay\b|\bmagpapakamatay\b|\bayoko n(?:a|ang)(?:ng)? mabuhay\b"
        )
    ),
    Sieved(
        fold_pattern(
            r"хочу умереть|не хочу (?:больше )?жить|покончить с собой|我想死|不想活|我想自杀|我要自杀"
            r"|اريد ان اموت|اريد الموت|سانتحر|मरना चाहत|जीना नहीं चाहत|आत्महत्या करना चाहत"
        )
    ),
    Sieved(
        r"\b(?:what|which) (?:pills?|tablets?|drugs?|meds|medicines?|poison)\b[^.!?]{0,40}\b(?:to die|kill me"
        r"|to end (?:it|my life)|to kill myself|to overdose)\b"
        r"|\bi(?:'d| would)? (?:rather|prefer to) (?:be dead|die)\b|\bi (?:don't|dont|do not) deserve to (?:live"
        r"|be alive)\b|\bi should (?:just )?(?:be dead|die)\b"
        r"|\bnothing (?:left )?to live for\b|\bi (?:hate|am sick of|can't stand|'m sick of) (?:being alive"
        r"|living)\b"
        r"|\bi(?:'ve| have)? overdosed\b|\bi took an overdose\b"
        r"|\btime for me to (?:die|go for good|end it)\b|\bi(?:'ve| have) a plan to (?:kill|end|die)\b"
    ),
    Sieved(
        r"\bi(?:'ve| have)? (?:just |already )?(?:took|taken|swallowed) (?:all (?:of )?(?:my|the|these)"
        r"|the whole"
        r"|the entire|a whole|every) (?:\w+ )?(?:pills?|tablets?|bottle|pack\w*|meds|medicines?)\b"
        r"(?! (?:this|today|yesterday|as|on time|before|with|at|every|for|that you|in the|and (?:feel|am|it)))"
    ),
)  # fmt: skip
_LONG_AGO: Final = Sieved(
    r"\b(?:years|months) ago\b|\bin the past\b|\bas a (?:teen\w*|child|kid|student)\b|\bnot since\b"
    r"|\bwhen i was (?:young\w*|a teen\w*|a child|\d+)\b|\bby accident\b|\bby mistake\b"
    r"|\baccidentally\b"
)

_YOURSELF: Final = (
    rf"(?:{_HARM} yourself|end(?:ing)? (?:your (?:own )?life|it all)|tak(?:e|ing) your (?:own )?life)"
)
_ENCOURAGED: Final = (
    Sieved(
        rf"\b(?:just|go ahead and|should(?: just)?|could(?: just)?|might as well|may as well|ought to|need to"
        rf"|want you to|please|why don't you|better) {_YOURSELF}\b"
        rf"|^{_YOURSELF}\b"
    ),
    Sieved(
        r"\b(?:best|easiest|quickest|painless|fastest|effective|good|surest|simplest|peaceful|reliable"
        r"|gentle)(?: and \w+)? (?:way|method|means|option)s? (?:to|of|for)"
        rf" (?:die|dying|suicide|{_YOURSELF})\b|\bway to {_YOURSELF} is\b"
        rf"|\bto (?:die|{_YOURSELF})(?: (?:painlessly|quickly|peacefully|without pain|easily))?,? (?:combine"
        rf"|take"
        rf"|use|mix|lie|tie|cut|jump|swallow|get|buy|wait until)\b"
    ),
    Sieved(
        rf"\b(?:good|great|right|smart|best|wise) (?:idea|thing|choice|decision|time)(?: for you)? (?:to|is to"
        rf"|would be to) {_YOURSELF}\b|\bhow (?:you can|to) {_YOURSELF}\b"
        r"|\b(?:nobody|no one|no-one) (?:would|will|is going to) miss you\b|\b(?:world|family|everyone"
        r"|everybody|they"
        r"|people)\b[^.!?]{0,30}\bbetter(?: off)? without you\b"
        r"|\byou(?:'d| would| will|'ll| are|'re)(?: all)? be(?:tter)?(?: better)? off dead\b|\byou (?:would|will"
        r"|'d) be better off dead\b|\byou should (?:die|be dead)\b|\b(?:best|better|easier) for (?:everyone"
        r"|everybody|your family|all of us|the world)\b[^.!?]{0,20}\bif you (?:were|was) (?:gone|dead"
        r"|not here)\b"
    ),
    Sieved(
        r"\bsuicide (?:is|can be|may be|would be|might be) (?:an? |the |your )?(?:reasonable|good|valid|sensible"
        r"|best|understandable choice|brave|rational|only|answer|solution)"
        r"|\bending it(?: all)? (?:may|might|could|would|is|can) (?:be )?(?:the |a )?(?:best|good|right"
        r"|reasonable"
        r"|only|kind)"
        rf"|\b{_YOURSELF} (?:is|can|may|will|might|helps?|could)\b[^.!?]{{0,30}}\b(?:good way|helps?|reliev\w+"
        rf"|relief|control|feel better|fine|okay|safely|calm)\b"
    ),
    Sieved(
        r"\bhide (?:the|your|those|these) (?:scars|cuts|cutting|burns|self-harm|marks)\b|\b(?:go ahead and"
        r"|should"
        r"|just|could|is to|by|can) tak(?:e|ing) (?:all (?:of )?(?:the|your|those|these)|the whole|the entire"
        r"|a whole|every) (?:pills?|bottle|tablets?|pack\w*|meds|medic\w+)\b"
    ),
)  # fmt: skip
_SAID_WITH_NOT: Final = frozenset(_ENCOURAGED[1:3])
"""Patterns in which a negation denies nothing: "nobody would miss you", "without pain"."""
_HELP: Final = Sieved(
    fold_pattern(
        r"\b988\b|\b911\b|\b999\b|\b112\b|\b116 ?123\b|\b13 11 14\b|\b741 ?741\b|\bcrisis\b|\blife ?line\b"
        r"|\bsamaritans\b|\bsuicide (?:hot)?line\b|\bemergency (?:room|department|services?|number|line)\b"
        r"|\b(?:nearest|to the) (?:er|ed|hospital)\b|\bemergencias?\b|\burgences?\b|\burgencias?\b|\bnotruf\w*"
        r"|\bnotaufnahme\b|\bpronto soccorso\b|\bpronto-socorro\b|\bcap cuu\b"
        r"|скорую|急诊|急救|الطوارئ|आपातकाल"
    )
)


def expresses(text: str) -> tuple[int, int] | None:
    """Where a person says of themselves that they want to die or harm themselves, or None. Never raises."""
    return _first(text, _EXPRESSED, past=True) or _told_otherwise(text)


def encourages(text: str) -> tuple[int, int] | None:
    """Where a text would have its reader harm themselves, tells how, or helps to hide it, or None. Never raises."""
    return _first(text, _ENCOURAGED, past=False)


def offers_help(text: str) -> bool:
    """Whether a text names help in a crisis: a line to call, emergency services, an emergency department."""
    return _HELP.search(fold(text[:MAX_CHARACTERS])) is not None


def _told_otherwise(text: str) -> tuple[int, int] | None:
    text = text[:MAX_CHARACTERS]
    plain = fold(text).replace("\n", " ")
    for _, start, end in found_acts(distress.ACTS, plain, "prompt"):
        if _LONG_AGO.search(plain[max(0, start - 60) : end + 60]) is None:
            return Origin(text).span(start, end)
    hinted = distress.hints(plain)
    return None if hinted is None else Origin(text).span(*hinted)


def _first(text: str, patterns: tuple[Sieved, ...], *, past: bool) -> tuple[int, int] | None:
    text = text[:MAX_CHARACTERS]
    plain = fold(text).replace("\n", " ")
    for pattern in patterns:
        for match in pattern.finditer(plain):
            start, end = match.span()
            if past and _LONG_AGO.search(plain[max(0, start - 60) : end + 60]) is not None:
                continue
            if not past and told_of(plain, start, end, deniable=pattern not in _SAID_WITH_NOT):
                continue
            return Origin(text).span(start, end)
    return None
