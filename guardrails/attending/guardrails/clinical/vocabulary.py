"""The lemmas and phrases of prescribing, by what they do to a drug. Tables only; `words` reads texts with them."""

from __future__ import annotations

import re

from attending.guardrails.clinical.words import Cat, Form

_IRREGULAR = {
    "take": ("took", "taken"),
    "give": ("gave", "given"),
    "get": ("got", "gotten"),
    "keep": ("kept", "kept"),
    "begin": ("began", "begun"),
    "put": ("put", "put"),
    "hold": ("held", "held"),
    "withhold": ("withheld", "withheld"),
    "quit": ("quit", "quit"),
    "forget": ("forgot", "forgotten"),
    "choose": ("chose", "chosen"),
    "drink": ("drank", "drunk"),
    "eat": ("ate", "eaten"),
    "cut": ("cut", "cut"),
    "lead": ("led", "led"),
    "make": ("made", "made"),
    "let": ("let", "let"),
    "send": ("sent", "sent"),
    "steer": ("steered", "steered"),
}
_DOUBLING = frozenset(
    {
        "stop",
        "begin",
        "get",
        "put",
        "quit",
        "forget",
        "cut",
        "swap",
        "skip",
        "refer",
        "prefer",
        "omit",
        "drop",
        "permit",
        "let",
    }
)

_VERBS: dict[Cat, str] = {
    Cat.TAKE: "take use give administer apply inhale inject instill swallow chew receive place "
    "insert infuse dissolve "
    "dispense provide offer drink spray bolus repeat ingest consume get supplement "
    "utilize treat manage bridge dose redose self-administer",
    Cat.START: "start add begin initiate commence restart reintroduce resume try load rechallenge "
    "introduce reinitiate trial",
    Cat.CHANGE: "increase decrease titrate uptitrate up-titrate downtitrate raise adjust reduce "
    "lower taper double halve escalate change bump "
    "uptitrate advance",
    Cat.CONTINUE: "continue keep maintain remain stay finish complete adhere",
    Cat.STOP: "stop discontinue hold withhold pause suspend quit cease terminate halt wean dc "
    "deprescribe remove eliminate interrupt drop delete untick deselect cancel",
    Cat.AVOID: "decline refuse reject avoid refrain abstain contraindicate beware prohibit forbid ban",
    Cat.SKIP: "skip miss omit forget neglect fail hesitate",
    Cat.EXCEED: "exceed surpass",
    Cat.ADVISE: "recommend advise suggest consider prefer encourage choose pick select opt favor favour "
    "propose plan remember ensure want intend attempt instruct tell urge need require "
    "agree warrant",
    Cat.ORDER: "prescribe order send",
    Cat.COMBINE: "combine mix coadminister co-administer coprescribe co-prescribe pair",
    Cat.SWITCH: "switch transition convert rotate swap crossover",
    Cat.REPLACE: "replace substitute exchange",
    Cat.DESCRIBE: "cause boost interact react clash worsen improve help relieve prevent work belong affect inhibit "
    "block act thin metabolize metabolise "
    "potentiate enhance induce mask trigger damage harm produce carry pose come mean "
    "lead result show demonstrate "
    "remain-the alter impair protect kill fight control ease irritate upset mimic "
    "represent constitute slow make compete displace accumulate amplify antagonize "
    "deplete elevate prolong contribute",
    Cat.ASK: "ask discuss talk consult speak check inform contact call notify review confirm monitor",
}
_NOUNS: dict[Cat, str] = {
    Cat.TAKE: "use usage administration intake therapy treatment",
    Cat.START: "initiation addition start trial",
    Cat.STOP: "discontinuation cessation interruption",
    Cat.CONTINUE: "continuation",
    Cat.AVOID: "avoidance contraindications contraindication",
    Cat.COMBINE: "combination combinations coadministration co-administration mixing",
    Cat.DESCRIBE: "interaction interactions effects risks dangers benefits toxicity overdose",
}
_WORDS: dict[Cat, str] = {
    Cat.GOOD: "safe ok okay fine appropriate acceptable indicated allowed permitted suitable "
    "reasonable preferred preferable compatible "
    "advisable wise possible necessary important essential best better first-line "
    "safer good alright mandatory required helpful useful "
    "effective beneficial crucial vital critical needed",
    Cat.BAD: "unsafe dangerous harmful inappropriate risky toxic fatal deadly off-limits "
    "ill-advised inadvisable life-threatening lethal "
    "incompatible unsuitable unwise hazardous mistake bad problematic contra-indicated "
    "unacceptable unnecessary needless pointless ineffective",
    Cat.NOT: "not never cannot don't doesn't didn't shouldn't mustn't can't won't wouldn't "
    "couldn't isn't aren't wasn't weren't needn't no nor neither "
    "dont doesnt shouldnt mustnt cant wont isnt arent ain't hasn't haven't hadn't hardly nobody none",
    Cat.BE: "is are was were be been being am 's 're 'm",
    Cat.HAVE: "has have had 've having",
    Cat.MODAL: "should must may can could shall will would might ought 'll 'd let's",
    Cat.DO: "do does did please",
    Cat.SUBORD: "if when whenever unless until because since while whether provided before after despite",
    Cat.RELATIVE: "who which that whom whose",
    Cat.HARD: "but however whereas although though yet otherwise nevertheless nonetheless "
    "instead alternatively",
    Cat.COORD: "and or plus then so & either",
    Cat.WITHOUT: "without",
    Cat.THAN: "than versus vs",
    Cat.WITH: "with alongside",
    Cat.TOGETHER: "together concurrently simultaneously concomitantly concomitant concurrent simultaneous",
    Cat.ALLERGY: "allergic allergy allergies anaphylaxis anaphylactic intolerance intolerant "
    "hypersensitivity hypersensitive angioedema hives rash",
    Cat.HISTORY: "previously formerly history prior past previous formerly tried took gave",
    Cat.FAMILY: "mother father mom mum dad sister brother wife husband spouse grandmother "
    "grandfather grandma grandpa aunt uncle cousin neighbor "
    "neighbour friend roommate mother's father's mom's mum's dad's sister's brother's "
    "wife's husband's grandmother's grandfather's friend's "
    "neighbor's neighbour's sibling siblings relative relatives partner partner's parents",
    Cat.GENERIC: "people patients those anyone someone women men persons individuals children "
    "adults person everyone anybody somebody",
    Cat.PRONOUN: "it this them these they he she you we i him her his your their my our its us me one",
    Cat.TO: "to",
    Cat.OFF: "off",
    Cat.ON: "on",
    Cat.FILLER: "also always ever immediately just only simply absolutely currently now still "
    "strictly generally usually typically probably safely "
    "regularly exactly first again a an the any some more additional extra new same "
    "daily other of by from for at in about very really "
    "certainly definitely immediately carefully slowly gradually abruptly suddenly all "
    "both each every such longer directly "
    "patient patient's doctor going likely able medication medications medicine "
    "medicines drug drugs product products containing "
    "contain contains include includes like low-dose high-dose chronic long-term home "
    "oral over-the-counter otc prescription including especially particularly "
    "routinely "
    "strongly highly generic dose doses dosage therapeutic up down back out himself "
    "herself yourself themselves completely entirely too "
    "either further usual well long temporarily permanently empirically prophylactic iv intravenous",
}
PHRASES: list[tuple[str, Cat, Form]] = [
    (
        # how it goes in, and no word on what it does
        r"(?:by |as an? )?slow(?= (?:iv|intravenous|injection|infusion|push|bolus|drip|im|intramuscular|release)\b)",
        Cat.FILLER,
        Form.BASE,
    ),
    (
        r"(?:rotat|alternat|chang|switch)(?:e|es|ing) (?:the |your |his |her )?"
        r"(?:injection |patch |application |infusion |im |sc )?"
        r"(?:sites?|sides?|arms?|delt\w{0,5}|glut\w{0,5}|muscles?|locations?|abdomen|belly|stomach|thighs?"
        r"|buttocks?|hips?|areas?|spots?|quadrants?|"
        r"left|right|between)",
        Cat.FILLER,
        Form.BASE,
    ),
    (r"(?:nasal|nose|throat|mouth|oral|eye) sprays?", Cat.FILLER, Form.BASE),
    (r"(?:stay|remain|keep it) (?:that way|like that)", Cat.FILLER, Form.BASE),
    (
        r"(?<!\bonce )(?<!\bhave )(?<!\bhas )(?<!\b's )(?<!\b've )(?:finish|complet)ed"
        r" (?:a|an|the|his|her|their|your|my|all)"
        r"(?: [\w-]+){0,2}? courses?(?: of)?",
        Cat.HISTORY,
        Form.BASE,
    ),
    (
        r"no one|under no circumstances|in no case|at no time|on no account|by no means|no need(?: to)?|not only",
        Cat.NOT,
        Form.BASE,
    ),
    (
        r"(?:steer(?:ed|ing)?|stay(?:ed|ing)?|keep(?:ing)?|kept|remain(?:ed)?) (?:clear|away)(?: of| from)?"
        r"|hold off(?: on)?|stay off|"
        r"keep off|keep clear of|hold on(?! (?:to|while|for|a)\b)|"
        r"(?:say|saying) no to|advise against|advised against|advises against|recommend(?:s|"
        r"ed)? against|against(?: the use of| using| taking)?|"
        r"do without|caution(?:s|ed)? against|warn(?:s|ed)? against|rul(?:e|ed|ing) out",
        Cat.AVOID,
        Form.BASE,
    ),
    (
        # "you should not have Bactrim"; not "should not have any trouble with", "must not have been"
        r"(?:(?:should|must|may)(?: not|n't)|cannot|can't|can not) have"
        r"(?! (?:to|been|had|any (?:more |other |further )?(?:problems?|trouble|reactions?|issues?|symptoms?|effects?"
        r"|difficult\w*|concerns?)|an? \w+|taken|started|stopped|given|used|gone|come|got|children|problems|trouble"
        r"|surgery|contrast)\b)",
        Cat.AVOID,
        Form.BASE,
    ),
    (
        r"d/c|g(?:i|a)ve(?:s|n)? up(?! to\b)|giving up|"
        r"come(?:s)? off|coming off|came off|get(?:ting)? off|go(?:es|ing)? "
        r"off|went off|wean(?:ed|ing)?(?: \w+)? off|"
        r"taper(?:ed|ing)?(?: \w+)? off|"
        r"(?:self-)?(?:weaned|weened)(?: (?:him|her|them)self)? from|"
        r"take off|taking off|took off|phase(?:d)? out|cut(?:ting)? out|washout",
        Cat.STOP,
        Form.BASE,
    ),
    (
        r"d/c'?e?d|self-(?:discontinued|stopped)|taken off|(?:struck|crossed|scored|ticked|taken) (?:off|out)"
        r"|struck from"
        r"|(?:deleted|removed|erased|scrubbed|dropped|gone|missing) from(?= (?:the|his|her|their|your|my|our|this)\b)",
        Cat.STOP,
        Form.PARTICIPLE,
    ),
    (r"no longer", Cat.NOT, Form.BASE),
    (r"ended", Cat.STOP, Form.PAST),
    (r"cancell?ed|voided(?= (?:at|by|from|on|in) )", Cat.AVOID, Form.PARTICIPLE),
    (r"leav(?:e|ing) out|left out", Cat.AVOID, Form.BASE),
    (
        r"left (?:well )?(?:alone|on the shelf|at the chemist's?|in the (?:box|cupboard|shop))",
        Cat.AVOID,
        Form.PARTICIPLE,
    ),
    (r"(?:best|better)(?= (?:left|avoided|stopped|omitted|not (?:taken|used|given)))", Cat.FILLER, Form.BASE),
    (
        r"cross[- ]?(?:react(?:s|ion|ions|ive|ivity)?|sensitivity|allerg(?:y|ies|enicity)|hypersensitivity)",
        Cat.DESCRIBE,
        Form.NOUN,
    ),
    (
        r"(?:advis(?:e|es|ing)|advice|opinions?|views?|decid(?:e|es|ing)|decisions?|guidance) (?:on|about|regarding)",
        Cat.ASK,
        Form.BASE,
    ),
    (
        r"(?:can|may|might|could) (?:push|sink|drive|knock|nudge|tip|shoot)|push(?:es|ed)|sticks? to|binds? to|"
        r"(?:stays?|remains?|lingers?) (?:active )?in (?:the|your|his|her) (?:body|blood|system|bloodstream)",
        Cat.DESCRIBE,
        Form.THIRD,
    ),
    (r"cease[ds]?|bin(?:ned)?(?= (?:the|your|it|them))|ditch(?:ed)?", Cat.STOP, Form.BASE),
    (
        r"used to(?= take| use| be| get| have)|history of|hx of|h/o|status post|s/p|in the "
        r"past|as a child|(?:years|months|weeks|days) (?:ago|back)|"
        r"last (?:year|month|decade|summer|winter|spring|fall)|long ago|(?:previous|prior|"
        r"past) (?:use|treatment|exposure|trial|course|therapy)(?: of| with| to)?|"
        r"(?:in|until|during) (?:19|20)\d\d|before (?:admission|surgery)"
        r"|has since(?! (?:been )?(?:re-?started|resumed|started|gone back|taken up|reinstated))|at "
        r"(?:that|the) time",
        Cat.HISTORY,
        Form.BASE,
    ),
    (
        r"instead of|rather than|in place of|in lieu of|as opposed to|as an alternative to|"
        r"alternatives? to|over the use of|as a replacement for|as a substitute for",
        Cat.INSTEAD,
        Form.BASE,
    ),
    (
        r"except(?:ing)?(?: for)?|other than|apart from|aside from|with the exception of|"
        r"excluding|save for|"
        r"but not(?! (?:started|begun|given|taken|resumed|restarted|prescribed|continued|used|ordered))|besides",
        Cat.EXCEPT,
        Form.BASE,
    ),
    (
        r"at the same time(?: as)?|in combination(?: with)?|together with|along with|"
        r"concurrently with|within \d+ (?:hours|days|weeks)(?: of| after)?|"
        r"concomitantly with|in conjunction with|simultaneously with|on the same day(?: "
        r"as)?|in addition to|on top of|as well as|at once with|"
        r"(?:concomitant|concurrent|combined|simultaneous) (?:use|administration|therapy|"
        r"treatment)(?: of| with)?",
        Cat.TOGETHER,
        Form.BASE,
    ),
    (
        r"(?:grateful|obliged|thankful|helpful|kind|appreciate it|appreciated) if(?= (?:you|your|the|they|somebody|"
        r"someone|he|she|a|our)(?!\w))",
        Cat.FILLER,
        Form.BASE,
    ),
    (
        r"even if|even though|even when|only if|as long as|so long as|in case|in the event|"
        r"provided(?: that)?|assuming|given that|"
        r"were (?:you|he|she|we) to|(?<!time )(?<!circumstances )(?<!case )should you|"
        r"suppose|as soon as|prior to|as if",
        Cat.SUBORD,
        Form.BASE,
    ),
    (
        r"due to|because of|owing to|in order to|in light of|coming (?:day|week|month|year)s?",
        Cat.FILLER,
        Form.BASE,
    ),
    (
        r"(?:\d{1,3} ?(?:minutes?|mins?|hours?|hrs?|h)|(?:an|one|half an) hour) prior(?! to)"
        r"|(?:i|you|we|they|he|she)(?:'ve|'s| have| has)? (?:still |already )?got(?! (?:better|worse|a rash))",
        Cat.FILLER,
        Form.BASE,
    ),
    (
        r"as (?:prescribed|directed|instructed|ordered|recommended|advised|told|indicated|"
        r"tolerated|well|usual|before|discussed|planned|follows)|"
        r"such as|for example|e\.g\.|i\.e\.|eg|for instance|if (?:tolerated|possible|"
        r"available|appropriate)|when possible|not available|"
        r"but also|but rather also|not just|at home|at all|under any circumstances|in any "
        r"case|for any reason|any more|anymore|right away|straight away|from now on|of "
        r"course|by mouth|with food|with water|with meals|with milk|"
        r"on an empty stomach|with a full glass of water|with or without food"
        r"|without (?:any )?missed (?:doses?|tablets)|as soon as "
        r"possible|so that|that day|"
        r"in addition|with caution|caution|not just",
        Cat.FILLER,
        Form.BASE,
    ),
    (
        r"make sure(?: that)?|be sure(?: to)?|it is time to|go ahead and|feel free to|go "
        r"with|opt for|supposed to|have to|has to|need to|needs to|ought to|"
        r"okay to|able to|plan to|try to|would like you to|want you to|continue to(?= avoid|"
        r" refrain| hold| not)",
        Cat.ADVISE,
        Form.BASE,
    ),
    (
        r"keep (?:taking|using|on taking|on using|giving)|carry on(?: with| taking| using)?|"
        r"stick with|go on (?:taking|using)|proceed with|"
        r"stay on|staying on|remain(?:s|ed|ing)? on|keep (?:\w+ )?on|kept on|"
        r"maintain(?:ed)? on|refill(?:ed|s)?",
        Cat.CONTINUE,
        Form.BASE,
    ),
    (
        r"go on|put (?:\w+ )?on|place (?:\w+ )?on|start(?:s|ed|ing)? (?:\w+ )?on|begun on|"
        r"initiated on|placed on|went on|goes on|going on|discharged? (?:home )?(?:on|with)|sent home "
        r"(?:on|with)|"
        r"take up|pick up|picked up|gone with|went with|opted for|settled on|plumped for",
        Cat.START,
        Form.BASE,
    ),
    (
        r"step(?:ped)? up|step(?:ped)? down|go up(?: on| to)?|dose up|cut back(?: on)?|cut "
        r"down(?: on)?|bump(?:ed)? up|titrate(?:d)? up|taper(?:ed)? down",
        Cat.CHANGE,
        Form.BASE,
    ),
    (
        r"(?:more|greater|higher|in excess|excess) (?:of )?than|more than|over the (?:daily )?limit",
        Cat.EXCEED,
        Form.NOUN,
    ),
    (r"can't be sure|don't know|do not know", Cat.ASK, Form.BASE),
    (r"(?:just |so )?to confirm(?= (?:what|how) (?:you|he|she|they|to)\b)", Cat.OTHER, Form.BASE),
    (
        r"(?:asked|told|instructed|reminded|encouraged|urged) "
        r"(?:her|him|them|you|the patient|patient|the (?:mother|parents|family|wife|husband)|both)(?= (?:not )?to )",
        Cat.ADVISE,
        Form.BASE,
    ),
    (
        r"(?:could|can|would|will) you (?:please |kindly )+(?:issue|prescribe|start|commence|supply|continue)",
        Cat.ORDER,
        Form.BASE,
    ),
    (r"(?:call|phon)(?:e|es|ed|ing|s)? in|e-?prescribed", Cat.ORDER, Form.PAST),
    (r"how about|why not(?: just)?|what about", Cat.ADVISE, Form.BASE),
    (
        r"studies (?:show|suggest|have shown|found)|research (?:shows|suggests|has shown)|"
        r"trials? (?:shows?|showed|suggests?|have shown)|evidence (?:shows|suggests)|"
        r"side effects? of|risks? of|adverse effects? of|signs of|symptoms of|benefits? of|"
        r"effects? of|dangers? of|known to|associated with|(?:is|are|commonly|often|"
        r"typically|widely|mainly) used (?:to|for|in|as)|"
        r"(?:is|are) (?:an?|the|one of)(?= )(?![^.;,]{0,40}(?:choice|option|good|safe|best|"
        r"better|alternative|appropriate|reasonable|preferred|right|bad|mistake|danger|"
        r"unsafe))|"
        r"side effects?|interacts?(?: badly| dangerously)? with|interaction (?:between|with|"
        r"of)|interactions (?:between|with|of)",
        Cat.DESCRIBE,
        Form.THIRD,
    ),
    (
        r"(?:an? )?(?:very |really )?(?:poor|bad|wrong|risky|dangerous|terrible) (?:choice|idea|option|fit"
        r"|combination|mix)|"
        r"not (?:meant |licensed |intended )?for(?= (?:children|kids|under|babies|toddlers|infants|young|little"
        r"|(?:the |an )?(?:opi(?:oid|ate)|acute)))|for adults only|"
        r"not ideal(?![^.;\n]{0,60}\b(?:but|yet|still|anyway|start|give|take)\b)|"
        r"not (?:a|the) (?:good|right) "
        r"(?:choice|idea|option|fit|drug|one)(?![^.;\n]{0,60}\bbut\b)|"
        r"only for adults|"
        r"off limits|not recommended|not advised|not advisable|not indicated|not "
        r"appropriate|not safe|not suitable|not allowed|not permitted",
        Cat.BAD,
        Form.BASE,
    ),
]


def _inflections(lemma: str) -> list[tuple[str, Form]]:
    past, participle = _IRREGULAR.get(lemma, ("", ""))
    stem = lemma + lemma[-1] if lemma in _DOUBLING else lemma
    e_stem = lemma[:-1] if lemma.endswith("e") and not lemma.endswith("ee") else stem
    if lemma.endswith("y") and lemma[-2:-1] not in "aeiou":
        third, past = lemma[:-1] + "ies", past or lemma[:-1] + "ied"
    elif re.search(r"(?:s|x|z|ch|sh)$", lemma):
        third = lemma + "es"
    else:
        third = lemma + "s"
    past = past or (e_stem + "ed")
    participle = participle or past
    forms = [
        (lemma, Form.BASE),
        (third, Form.THIRD),
        (e_stem + "ing", Form.GERUND),
        (participle, Form.PARTICIPLE),
    ]
    if past != participle:
        forms.append((past, Form.PAST))
    return forms


def _table() -> dict[str, tuple[Cat, Form]]:
    table: dict[str, tuple[Cat, Form]] = {}
    for cat, words in _WORDS.items():
        for word in words.split():
            table.setdefault(word, (cat, Form.BASE))
    for cat, words in _NOUNS.items():
        for word in words.split():
            table.setdefault(word, (cat, Form.NOUN))
    for cat, words in _VERBS.items():
        for lemma in words.split():
            for word, form in _inflections(lemma):
                # a verb reading beats a noun reading ("use"); the grammar of `scope` tells them apart by place
                if word not in table or table[word][1] is Form.NOUN:
                    table[word] = (cat, form)
    for word in ("took", "gave", "tried"):
        table[word] = (Cat.TAKE, Form.PAST)
    table["tried"] = (Cat.START, Form.PAST)
    table["needed"] = (Cat.GOOD, Form.BASE)
    table["required"] = (Cat.GOOD, Form.BASE)
    return table


TABLE = _table()
