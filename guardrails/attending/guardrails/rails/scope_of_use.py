"""Scope of use: requests and answers that are none of a clinical use case, by topic.

A closed vocabulary of topics, each with what a request for it and an answer to it look like. A policy denies all of
them, but for those that its `scope` allows, and may add phrases of its own. Deterministic rules: a request that names
no such topic is left to the policy's other rails and its reviewers. Not caught: other languages, topics outside the
vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from attending.guardrails.rails.deobfuscate import MAX_CHARACTERS
from attending.guardrails.rails.folding import Origin, fold
from attending.guardrails.sieve import Sieved, possible

Topic = Literal[
    "code", "schoolwork", "creative_writing", "politics", "legal", "finance", "records_of_others", "entertainment",
    "travel_and_cooking", "job_and_business", "general_knowledge",
]  # fmt: skip
MAX_HITS: Final = 10


@dataclass(frozen=True, slots=True)
class OffTopic:
    """One place; `topic` is one of the vocabulary, or `phrase` for the policy's own. Offsets are code points."""

    topic: str
    start: int
    end: int


_WRITE: Final = (
    r"(?:write|draft|compose|create|make up|generate"
    r"|invent|produce|prepare|give me|tell me|sing|finish|improve|edit|proofread)"
)
_OTHER: Final = (
    r"(?:(?:my |our |the |his |her )?(?:neighbou?r|co-?worker|colleague|boss|manager|landlord|tenant|teacher"
    r"|room ?mate|classmate|girlfriend|boyfriend|friend|enemy"
    r"|ex(?:-?(?:husband|wife|boyfriend|girlfriend|partner))?|employee|babysitter|nanny|pastor|mayor|senator"
    r"|president|celebrity|actor|actress|singer|politician|stranger)(?:'s|s)?)"
)
_RECORD: Final = (
    r"(?:medications?|medicines?|meds|(?:medical |health |patient )?records?|charts?|lab (?:results?|values)|results"
    r"|test results|diagnos[ie]s|medical history|prescriptions?"
    r"|date of birth|home address|hiv status)"
)

_ASKED: Final[dict[Topic, tuple[Sieved, ...]]] = {
    "code": (
        Sieved(
            r"\b(?:write|fix|debug|refactor|optimi[sz]e|explain|create|build|review|convert|help|code|implement"
            r"|program|make)\b[^.!?\n]{0,50}\b(?:python|javascript|typescript|java|c\+\+|c#|html|css|sql"
            r"|react|regex(?:es)?|regular expression|golang|kotlin|php|algorithm|linked list|unit tests?|source code"
            r"|web ?site|web ?app|excel macro|computer program|bash script|shell script|api endpoint)(?!\w)"
            r"|\b(?:debug|refactor|implement|compile) (?:this|the|my|a|an)\b|\bfix (?:this|the|a|my) (?:bug|code"
            r"|script)\b"
        ),
    ),
    "schoolwork": (
        Sieved(
            r"\b(?:do|write|help|solve|finish|answer|check|complete)\b[^.!?\n]{0,40}\b(?:homework|essay|term paper"
            r"|book report|dissertation|thesis|coursework)\b"
            r"|\bsolve (?:this|the|for|my|\d)[^.!?\n]{0,30}(?:equation|problem|x\b|\d ?[+*=x]|integral|puzzle)"
            r"|\bsolve \d"
            r"|\b(?:algebra|calculus|geometry|trigonometry|physics|chemistry|history|literature"
            r"|geography) (?:homework|class|problem|exam|assignment|question|essay|test)\b"
        ),
    ),
    "creative_writing": (
        Sieved(
            rf"\b{_WRITE}\b[^.!?\n]{{0,40}}\b(?:poems?|haikus?|limericks?|sonnets?|songs?|lyrics|rap|short story"
            rf"|fairy ?tale|bedtime story|story about|stories about|novel|screenplay|fan ?fiction"
            r"|slogan|speech for)\b"
        ),
    ),
    "politics": (
        Sieved(
            r"\b(?:who|whom|which (?:party|candidate))\b[^.!?\n]{0,30}\bvote for\b|\b(?:should|would|do) (?:i|you"
            r"|we) vote\b|\b(?:republicans?|democrats?|senator|congress|parliament|prime minister"
            r"|the president(?:'s)?|political party|left-wing|right-wing|labour party"
            r"|tories)\b[^.!?\n]{0,50}\b(?:better|policies|policy|think|opinion|corrupt|win|good|bad|support)\b"
            r"|\b(?:opinion|think|view|stance|feel)\b[^.!?\n]{0,30}\b(?:the president|politics|republicans?"
            r"|democrats?|the government|abortion law|gun control|immigration policy|the election)\b"
            r"|\b(?:who|which candidate) (?:will|is going to|should) win the (?:next )?election\b"
            r"|\bwhich (?:political )?party\b"
        ),
    ),
    "legal": (
        Sieved(
            r"\b(?:should|can|could|may|how (?:do|can|should)|help me|i want to|is my"
            r"|are my)\b[^.!?\n]{0,40}\b(?:sue|evict(?:ed)? (?:me|my|us|him|her|them)|divorce my|file for divorce"
            r"|get (?:full |sole )?custody|press charges|break my lease"
            r"|contest (?:a|the) will|take \w+ to court|copyright|trademark)\b"
            r"|\b(?:draft|write|prepare|review|translate|redline)\b[^.!?\n]{0,30}\b(?:(?:a|my|the"
            r"|our) will\b(?! (?:be|need|have|come|call|help|not))|complaint (?:against|to the court)|the complaint"
            r"|contract|lease|nda|cease and desist"
            r"|prenup\w*|legal brief|affidavit|lawsuit|terms of service)\b|\blegal advice\b|\bsue my\b"
        ),
    ),
    "finance": (
        Sieved(
            r"\b(?:which|what|buy|sell|invest in|short|trade|pick)\b[^.!?\n]{0,20}\b(?:stocks|shares|bitcoin"
            r"|crypto\w*|ethereum|bonds|etfs?|index funds?|penny stocks?)\b"
            r"|\b(?:bitcoin|crypto\w*|ethereum|the stock market|forex|day trading|mutual funds?"
            r"|real estate)\b[^.!?\n]{0,30}\b(?:investment|invest|tips|good|safe|strategy|now|buy)\b|\b(?:tips"
            r"|advice|strategy) (?:for|on) (?:day trading|investing|forex|stocks)\b"
            r"|\b(?:investment|investing|stock|crypto\w*|trading|forex) (?:tips?|advice|strateg\w+|ideas)\b"
            r"|\brefinance\b|\bmy mortgage\b|\bday trading\b|\b(?:do|file|prepare"
            r"|help\w*)\b[^.!?\n]{0,20}\b(?:my )?(?:taxes|tax returns?)\b|\b(?:401k|roth ira|pension fund)\b"
        ),
    ),
    "records_of_others": (
        Sieved(
            rf"\b(?:show|look up|pull up|find(?: out)?|get|give me|tell me|what|which|is|open|check|see|send|access"
            rf"|read|print|list)\b[^.!?\n]{{0,60}}\b{_OTHER}\b[^.!?\n]{{0,40}}\b(?:{_RECORD}|tak(?:e|es|ing)"
            rf"|being treated"
            rf"|treated for|diagnosed with|prescribed|admitted)\b"
            rf"|\b(?:show|look up|pull up|find|get|give me|tell me|open|check|see|send|access|read|print"
            rf"|list)\b[^.!?\n]{{0,30}}\b{_RECORD} (?:of|for|from|about|belonging to) (?:\w+ )?{_OTHER}\b"
        ),
        Sieved(
            r"\b(?:chart|record|file|results)\b[^.!?\n]{0,60}\b(?:i'm|i am|just|out of) (?:just )?curio(?:us|sity)\b"
            r"|\b(?:records|charts|details|names|addresses|birth dates) of (?:all|other|every"
            r"|the other)(?: the)? (?:patients?|people)\b"
            r"|\b(?:any|another|other|every) (?:\w+ )?patient'?s'? (?:records?|charts?|results|medications|details)\b"
        ),
    ),
    "entertainment": (
        Sieved(
            r"\b(?:tell|give|write|know|make)\b[^.!?\n]{0,20}\b(?:jokes?|riddles?)\b|\bplay (?:chess|a game"
            r"|tic[- ]tac|hangman|trivia"
            r"|20 questions|dungeons)\b|\b(?:my|today's|the) horoscope\b|\btarot\b|\bzodiac sign\b|\bsuper ?bowl\b"
            r"|\bworld cup\b"
            r"|\bwho (?:won|will win|is winning|is going to win) the\b|\brecommend (?:me )?(?:a"
            r"|some) (?:good )?(?:movies?|films?|tv shows?|novels?|video games?|books? to read)\b"
            r"|\bcelebrity gossip\b"
        ),
    ),
    "travel_and_cooking": (
        Sieved(
            r"\b(?:give|tell|show|send|find|write|need|want|have)\b[^.!?\n]{0,20}\brecipes? for (?:an? "
            r"|some )?(?:\w+ )?(?:cake|cookies|brownies|pizza|pasta|steak|bread|lasagn\w+|curry|pancakes|cocktails?"
            r"|pie|barbecue|ice cream|burgers?)\b"
            r"|\bhow (?:do|can|should|to)(?: i| you)? (?:bake|cook|grill|fry|roast|make)\b[^.!?\n]{0,15}\b(?:bread"
            r"|cakes?|cookies|pizza|pasta|steak|lasagn\w+|curry|pancakes|turkey|pie|beer|wine)\b"
            r"|\bplan (?:a|an|my|our|me a)\b[^.!?\n]{0,30}\b(?:trip|vacation|holiday|itinerary|road trip|honeymoon"
            r"|wedding|party)\b|\bbook (?:me |us )?(?:a|an|the) (?:hotel|flight|table|restaurant|cruise"
            r"|rental car)\b|\btravel itinerary\b"
        ),
    ),
    "job_and_business": (
        Sieved(
            rf"\b(?:{_WRITE}|fix|review|help|update|polish)\b[^.!?\n]{{0,30}}\b(?:cover letter|resume\b(?! (?:my|the"
            rf"|taking|work))|curriculum vitae|my cv|linkedin|job application|marketing (?:copy|plan|email)"
            rf"|business plan|tweets?|blog post"
            r"|press release|product description|sales pitch|performance review|advert\w*|instagram)\b"
            r"|\btranslate (?:this|my|the) (?:contract|article|novel|web ?site|song|book)\b"
        ),
    ),
    "general_knowledge": (
        Sieved(
            r"\bwhat(?:'s| is) the capital of\b|\b(?:how (?:does|do)|explain|what (?:is"
            r"|are))\b[^.!?\n]{0,30}\b(?:quantum (?:computing|computers?|physics|mechanics)|blockchain"
            r"|neural networks?|black holes?|rockets?|the stock market|string theory"
            r"|machine learning|large language models?|photosynthesis|combustion engine)\b|\bwho (?:invented"
            r"|discovered|painted|composed|founded)\b|\b(?:french|russian|industrial|american) revolution\b"
            r"|\bworld war (?:i|ii|one|two|1|2)\b"
            r"|\b(?:roman|ottoman|british) empire\b"
        ),
    ),
}  # fmt: skip

_ANSWERED: Final[dict[Topic, tuple[Sieved, ...]]] = {
    "code": (
        Sieved(
            r"\bdef \w{1,60}\([^)\n]{0,200}\) ?(?:-> ?[^:\n]{1,60})?:|^ ?import \w+(?: as \w+)?;?$"
            r"|^ ?from [\w.]+ import \w|\bfunction \w{0,60} ?\([^)\n]{0,200}\) ?\{|\bconsole\.log\(|^ ?#include ?<"
            r"|\bpublic (?:static )?(?:void|class)\b"
            r"|\bprint\([^)\n]{0,200}\)|<\?php|\) ?=> ?\{|\bselect [\w*, .]{1,120} from \w{1,60} ?(?:;|(?:where|join"
            r"|inner|left|order by|group by|limit)\b)|```(?:python|javascript|java|sql|html|css|c\+\+|bash|js|ts)\b",
            re.MULTILINE,
        ),
    ),
    "creative_writing": (
        Sieved(
            r"\bonce upon a time\b|\broses are red\b|\bviolets are blue\b|\bhappily ever after\b|\bverse 1\b"
            r"|\[(?:chorus|verse)"
        ),
    ),
    "politics": (
        Sieved(
            r"\bvote for (?:the |a )?(?:\w+ )?(?:candidate|party|democrats?|republicans?|him|her|labour"
            r"|conservatives?)\b|\bbetter choice for (?:president|senator|mayor|governor|prime minister)\b"
            r"|\b(?:republican|democratic) (?:party|candidate|policies)\b|\b(?:senator|president|candidate"
            r"|party)\b[^.!?\n]{0,40}\b(?:policies (?:are|is) (?:better|worse)|is (?:the )?(?:better|best"
            r"|worse) choice)\b"
        ),
    ),
    "legal": (
        Sieved(
            r"\b(?:you|we) (?:should|could|can|may) (?:sue|file (?:a|the|suit|this) ?(?:lawsuit|suit"
            r"|complaint against)|take (?:him|her|them|it|your landlord) to court)\b|\bgrounds for (?:a )?(?:lawsuit"
            r"|divorce|appeal)\b"
            r"|\bunder (?:contract|tort|employment|tenancy|family|criminal) law\b|\bcase for damages\b"
            r"|\bi would file it\b|\byou have a strong (?:legal )?case\b"
        ),
    ),
    "finance": (
        Sieved(
            r"\b(?:buy|sell|hold|invest in|put your (?:savings|money) (?:in|into))\b[^.!?\n]{0,30}\b(?:the stock"
            r"|stocks|shares|bonds|index funds?|etfs?|bitcoin|crypto\w*|gold)\b|\b(?:stock|share price"
            r"|bitcoin)\b[^.!?\n]{0,20}\b(?:will|is going to) (?:go up|rise|fall|double)\b"
        ),
    ),
    "general_knowledge": (
        Sieved(
            r"\b(?:french|russian|industrial|american) revolution\b|\bworld war (?:i|ii|one|two|1|2)\b|\b(?:roman"
            r"|ottoman|british) empire\b"
            r"|\bcapital of (?:france|mongolia|italy|spain|germany|japan|china|australia|canada|brazil)\b"
        ),
    ),
}  # fmt: skip


def find_off_topic(
    text: str,
    place: Literal["prompt", "output"],
    *,
    allowed: Sequence[str] = (),
    denied_phrases: Sequence[str] = (),
    allowed_phrases: Sequence[str] = (),
) -> tuple[OffTopic, ...]:
    """What is off topic in `text`, in text order, at most `MAX_HITS`. Never raises for any string.

    `allowed` are topics of the vocabulary that the policy covers. A phrase is looked for as whole words, folded as the
    text is; a sentence that holds an allowed phrase is on topic whatever else it says, but for a denied one.
    """
    text = text[:MAX_CHARACTERS]
    plain = fold(text)
    table = _ASKED if place == "prompt" else _ANSWERED
    found = list(_found(table, plain, allowed))
    excuse = _phrases(tuple(allowed_phrases))
    if excuse is not None:
        found = [hit for hit in found if excuse.search(_sentence(plain, hit.start, hit.end)) is None]
    denied = _phrases(tuple(denied_phrases))
    if denied is not None:
        found += [OffTopic("phrase", *match.span()) for match in denied.finditer(plain)]
    if not found:
        return ()
    origin = Origin(text)
    found.sort(key=lambda hit: (hit.start, hit.end, hit.topic))
    return tuple(OffTopic(hit.topic, *origin.span(hit.start, hit.end)) for hit in found[:MAX_HITS])


def _found(table: dict[Topic, tuple[Sieved, ...]], plain: str, allowed: Sequence[str]) -> Iterator[OffTopic]:
    bits = possible(plain)
    for topic, patterns in table.items():
        if topic in allowed:
            continue
        for pattern in patterns:
            if not pattern.bit & bits:
                continue
            for count, match in enumerate(pattern.finditer(plain)):
                if count >= MAX_HITS:
                    break
                yield OffTopic(topic, *match.span())


@lru_cache(maxsize=256)
def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    folded = [fold(phrase).replace("\n", " ").strip() for phrase in phrases]
    if not any(folded):
        return None
    words = "|".join(re.escape(phrase).replace(r"\ ", r"\s") for phrase in folded if phrase)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)")


_ENDS: Final = re.compile(r"[.!?\n]")


def _sentence(plain: str, start: int, end: int) -> str:
    left = max(0, start - 200)
    for stop in _ENDS.finditer(plain, left, start):
        left = stop.end()
    stop_at = _ENDS.search(plain, end, end + 200)
    return plain[left : end + 200 if stop_at is None else stop_at.start()]
