"""Prompt injection: words that try to steer a model, its reviewers or its reader's browser, in any text of a call.

Detection is by concept, not by sentence: a verb of setting aside near an object such as "your instructions", a verb
of telling near "your prompt", a new role without limits, marks that only a chat template writes, active markup. It
runs over every reading of `deobfuscate`. What it does not catch: instructions with none of these concepts, in a
language other than those of `_PATTERNS`, or in an image. Sources: OWASP LLM01:2025 (prompt injection), MITRE ATLAS
AML.T0051 and AML.T0054.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from attending.guardrails.rails.deobfuscate import invisible, readings

Place = Literal["prompt", "document", "output"]

MAX_HITS: Final = 20


@dataclass(frozen=True, slots=True)
class InjectionHit:
    """One sign of injection: its family, the reading that showed it, and its span in the original text."""

    family: str
    how: str
    start: int
    end: int


def find_injection(text: str, place: Place) -> tuple[InjectionHit, ...]:
    """Signs of injection in `text`, in text order, at most `MAX_HITS`; empty for an ordinary clinical text.

    `place` says where the text stands: a document that addresses an AI is an attack, while an output that calls
    itself one is not. Never raises for any string.
    """
    hits: dict[tuple[str, int, int], InjectionHit] = {}
    for reading in readings(text):
        if reading.how != "plain" and _CONCEPT.search(reading.text) is None:
            # No undone disguise says anything of a model's instructions without one of these words.
            continue
        for family, pattern, places in _PATTERNS:
            if place not in places or (reading.how != "plain" and family in _PLAIN_ONLY):
                continue
            for match in pattern.finditer(reading.text):
                start, end = reading.original(*match.span())
                if family in _LEGITIMATE and _LEGITIMATE[family].match(reading.text, match.end()):
                    continue
                hits.setdefault((family, start, end), InjectionHit(family, reading.how, start, end))
                if len(hits) >= MAX_HITS:
                    break
    hidden = invisible(text)
    if hidden is not None:
        hits.setdefault(("hidden_text", *hidden), InjectionHit("hidden_text", "plain", *hidden))
    return tuple(_merged(hits.values())[:MAX_HITS])


def _merged(hits: Iterable[InjectionHit]) -> list[InjectionHit]:
    """In text order, with overlapping hits of one family as one: several readings show the same words."""
    merged: list[InjectionHit] = []
    last: dict[str, int] = {}
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, hit.family)):
        position = last.get(hit.family)
        if position is not None and hit.start < merged[position].end:
            previous = merged[position]
            merged[position] = replace(previous, end=max(previous.end, hit.end))
        else:
            last[hit.family] = len(merged)
            merged.append(hit)
    return merged


# Each gap is bounded, so that matching stays linear; words are separated by anything but a sentence's end.
_GAP: Final = r"(?:[\s,;:'\"()\[\]*_-]+[^\s.!?]{1,20}){0,5}?[\s,;:'\"()\[\]*_-]+"
_SET_ASIDE: Final = (
    r"(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|overrul\w*|bypass\w*|circumvent\w*|discard\w*|neglect|violate"
    r"|abandon|pay no (?:attention|heed) to|do(?:n't| not) (?:follow|obey|comply with|adhere to|listen to)"
    r"|stop (?:following|obeying)|set aside|put aside|leave aside|nullify|break free (?:of|from)|erase|wipe)"
)
_QUALIFIER: Final = (
    r"(?:(?:previous|prior|above|earlier|preceding|foregoing|former|initial|original|existing|current|aforementioned"
    r"|built[- ]in|internal|hidden|programmed|your|those|all|any|every|my|the|other|of)[\s-]+){1,5}"
)
_OWNED: Final = r"(?:(?:safety|content|system|developer|usage|ethical|moderation|security|output)[\s-]+)"
_MODEL_RULES: Final = (
    rf"{_QUALIFIER}{_OWNED}?"
    r"(?:instructions?|prompts?|directives?|directions|guidelines?|guard[- ]?rails?|programming|training|constraints?"
    r"|restrictions?|limitations|commands?|system messages?|orders|rules|policies|filters?|safeguards?|alignment"
    r"|conditioning)\b(?!\s+if\b)"
)
# Verbs of ordinary clinical language ("remove all restrictions") count only before what a model alone has.
_WEAK_SET_ASIDE: Final = (
    r"(?:drop|throw (?:out|away)|turn off|switch off|disable\w*|deactivate\w*|remove|cancel|reset|replace|supersede"
    r"|tear up|shake off|no longer (?:follow|obey|apply|bound by)|suspend|lift|unlock)"
)
_MODEL_OWN: Final = (
    r"(?:(?:your|the|all|any|my|every|these|those|previous|prior|of)[\s-]+){1,4}"
    rf"(?:{_OWNED}(?:instructions?|prompts?|rules|policies|filters?|restrictions|checks|messages?|settings|limits)"
    r"|guard[- ]?rails?|programming|alignment|censorship|pre[- ]?prompt)\b"
)
_PRIVATE_TEXT: Final = (
    r"(?:(?:your|the|this|its|these|all|full|entire|exact|complete|original|initial|hidden|secret|internal"
    r"|confidential|own|underlying|very first)[\s-]+){0,5}"
    r"(?:system[\s-]+(?:prompt|message|instructions?|directives?)|developer[\s-]+(?:prompt|message|instructions?)"
    r"|(?:hidden|secret|confidential|pre[- ]?loaded)[\s-]+(?:prompt|instructions?|directives?|configuration"
    r"|context|rules)"
    r"|(?:initial|original|base|starting)[\s-]+prompt|pre[- ]?prompt|meta[- ]?prompt"
    r"|your[\s-]+(?:(?:initial|original|base|starting|own|exact|full|internal|current|very first)[\s-]+){0,3}"
    r"(?:prompt|instructions|rules|guidelines|directives|configuration|programming|api key|secrets?))"
)
_TELL: Final = (
    r"(?:reveal|show|print|repeat|output|display|disclose|leak|dump|expose|recite|echo|divulge|share|type out"
    r"|spell out"
    r"|write (?:out|down)|tell (?:me|us)|give (?:me|us)|send (?:me|us)|list|quote|paste|copy|summari[sz]e|translate"
    r"|encode|paraphrase|describe|explain|what (?:is|are|was|were|does|do))"
)
_AI: Final = (
    r"(?:ai|a\.i\.|llm|language model|chat ?bot|chatgpt|gpt[- ]?\d?|claude|gemini|llama|ai[- ](?:assistant"
    r"|model|agent|system))"
)

_ALL: Final = frozenset[Place]({"prompt", "document", "output"})
_GIVEN: Final = frozenset[Place]({"prompt", "document"})
_WRITTEN: Final = frozenset[Place]({"document", "output"})


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


_PATTERNS: Final[tuple[tuple[str, re.Pattern[str], frozenset[Place]], ...]] = (
    ("override", _compile(rf"\b{_SET_ASIDE}{_GAP}?{_MODEL_RULES}"), _ALL),
    ("override", _compile(rf"\b{_WEAK_SET_ASIDE}{_GAP}?{_MODEL_OWN}"), _ALL),
    (
        "override",
        _compile(
            r"(?:ignor|disregard|forget|overrid|bypass)[a-z]{0,4}(?:all|any|the|your|my|of|these|those){0,4}"
            r"(?:previous|prior|above|earlier|preceding|system|safety|initial|original)[a-z]{0,12}?"
            r"(?:instruction|prompt|rule|guideline|directive|filter)|(?:reveal|print|show)[a-z]{0,12}systemprompt"
        ),
        _ALL,
    ),
    (
        "override",
        _compile(
            r"\b(?:ignor\w*|disregard\w*|forget\w*|overlook)\s+(?:(?:all|everything|anything|whatever|what)\b"
            r"(?:\s+(?:of|that|you|was|were|is|came|has been|have been|been|i|we|the)){0,4}\s*"
            r"(?:above|before|previous(?:ly)?|prior|earlier|told|said|instructed|written|learned|up to now|so far))"
        ),
        _ALL,
    ),
    (
        "override",
        _compile(
            r"\byour (?:new|real|true|actual|only|updated|revised) (?:task|objective|mission|directive|purpose"
            r"|job|orders)"
            r" (?:is|are|will be|now|:|follows)"
            r"|\byour (?:real|true|actual|only) instructions? (?:is|are|will be|now|:|follows)"
            r"|\byour new instructions? (?:is|are)\s*(?:to|:)?\s*(?:recommend|say|respond|reply|answer|output"
            r"|write|state|ignore|print|act)\b"
            r"|^\W{0,4}(?:new|updated|revised|real) (?:system prompt|system message|directive|prompt)\s*[:=>-]"
        ),
        _ALL,
    ),
    (
        "override",
        _compile(
            r"\b(?:ignorez|oubliez|ignore)\s+(?:toutes\s+)?(?:les|vos|tes)\s+(?:\w+\s+)?(?:instructions"
            r"|consignes|regles)"
            r"|\b(?:ignora|ignore|olvida|olvide)\s+(?:todas\s+)?(?:las|tus|sus)\s+(?:\w+\s+)?(?:instrucciones"
            r"|reglas|ordenes)"
            r"|\b(?:ignoriere?n?|vergiss|missachte)\s+(?:sie\s+)?(?:alle\s+)?(?:die\s+|deine\s+|ihre\s+)?(?:\w+\s+)?"
            r"(?:anweisungen|instruktionen|regeln|vorgaben)"
            r"|\b(?:ignora|dimentica)\s+(?:tutte\s+)?(?:le|tue)\s+(?:\w+\s+)?(?:istruzioni|regole)"
            r"|\b(?:ignore|esqueca)\s+(?:todas\s+)?(?:as|suas)\s+(?:\w+\s+)?(?:instrucoes|regras|ordens)"
            r"|игнориру\w+\s+(?:все\s+)?\w*\s*(?:инструкции|правила)|忽略.{0,8}(?:指令|指示|说明|規則|规则)|(?:以前|前)の指示を無視"
        ),
        _ALL,
    ),
    ("exfiltration", _compile(rf"\b{_TELL}\b{_GAP}?{_PRIVATE_TEXT}"), _GIVEN),
    (
        "exfiltration",
        _compile(
            rf"\b{_TELL}\b(?:\s+\w+){{0,4}}\s+(?:the\s+)?(?:words|text|everything|content|lines|message"
            rf"|all of the text|conversation)"
            r"\s+(?:above|before this|preceding|prior to)"
            r"|\bwhat (?:were you told|did (?:they|the developers?) tell you|have you been instructed)"
            r"|\b(?:my|the) system prompt (?:is|says|reads|states)\b"
        ),
        _ALL,
    ),
    (
        "role",
        _compile(
            r"\byou are (?:now|no longer|henceforth|hereby)\s+(?:(?:an?|the|in|my|called|named|bound|restricted"
            r"|limited"
            r"|operating|going|free|dan|unrestricted|jailbroken)\b)(?!\s+(?:\w+\s+){0,3}(?:weeks?|months?|days?"
            r"|years?|candidate"
            r"|patient|part of|member|enrolled|recover\w*|appointment|list))"
        ),
        _GIVEN,
    ),
    (
        "role",
        _compile(
            r"\b(?:act|behave|respond|answer|role-?play|pretend|simulate|imagine)\b(?:\s+\w+){0,6}?\s+"
            r"(?:without (?:any )?(?:restrictions?|limits?|limitations|rules|filters?|safety|guidelines"
            r"|guard ?rails|ethics|censorship)"
            r"|unrestricted|uncensored|unfiltered|jailbroken|evil|amoral|no (?:rules|limits|restrictions"
            r"|filters?|guidelines)"
            r"|as (?:if|though) (?:there (?:are|were) no|you (?:have|had) no) (?:\w+ )?(?:rules|limits"
            r"|restrictions|filters?|guidelines))"
        ),
        _ALL,
    ),
    (
        "role",
        _compile(
            r"\b(?:developer|debug|god|admin(?:istrator)?|sudo|maintenance|jailbreak|unrestricted|dan|root"
            r"|override) mode"
            r"(?:\s+(?:is\s+)?(?:on|enabled|activated|engaged|now)|\b(?=.{0,30}\b(?:enable|activate|enter|turn)))"
            r"|\b(?:enter|enable|activate|switch (?:to|into)|turn on|engage)\s+(?:\w+\s+){0,2}(?:developer"
            r"|debug|god|sudo|jailbreak|dan|unrestricted|root) mode"
            r"|\bdo anything now\b|\bjail ?break(?:ed|ing|s)?\b|\b(?:you|u) (?:have|ve) been (?:freed|liberated"
            r"|jailbroken)"
        ),
        _ALL,
    ),
    (
        "role",
        _compile(
            r"\bfrom (?:now on|this point (?:on|forward)),?\s+(?:you|your)\s+(?:will|must|shall|are|should|only"
            r"|answers?|respon\w+)"
            r"(?!\s+(?:\w+\s+){0,2}(?:take|need|see|attend|be seen|receive|continue|avoid|eat|drink|check|measure))"
        ),
        _GIVEN,
    ),
    (
        "addresses_model",
        _compile(
            rf"\b(?:if you(?:'re| are)|you are|as)\s+an?\s+{_AI}\b(?:\s+\w+){{0,6}}?,?\s+(?:you\s+)?(?:must"
            rf"|should|shall|please|then|need|have to|always|never|will|do|say|write|recommend|include|respond"
            rf"|reply)\b"
            rf"|\b(?:note|message|instructions?|attention|notice|reminder|command)s?\s+(?:to|for)\s+(?:the\s+"
            rf"|any\s+|all\s+)?{_AI}s?\b"
            rf"|\b(?:attention|dear|hey|hello)\s+{_AI}s?\b"
            rf"|\b(?:any|the|every|all)\s+{_AI}s?\s+(?:\w+\s+){{0,4}}(?:must|should|shall|is required to"
            rf"|are required to|needs? to|has to)\b"
        ),
        frozenset[Place]({"document"}),
    ),
    (
        "addresses_model",
        _compile(
            r"\bwhen(?:ever)? (?:you\s+)?(?:summari[sz]\w+|answer\w*|respond\w*|process\w*|generat\w*|writ\w*"
            r"|read\w*|pars\w*)\b[^.!?\n]{0,40}"
            r"(?:document|note|text|passage|record|page|chart|context|answer|summary"
            r"|response),?\s+(?:you\s+)?(?:must|should|always|never|also|please|do not|say|state|claim|write"
            r"|recommend|include|omit|append|insert|add)\b"
            r"|\b(?:append|insert|include|add|embed)\s+(?:the\s+following|this)\s+(?:\w+\s+){0,2}(?:to|in|at"
            r"|into)\s+(?:your|the|every|each)\s+(?:\w+\s+){0,2}(?:answer|response|reply|output|summary)"
            r"|\b(?:end|beginning|start) of (?:the\s+)?(?:document|context|user input|user query|prompt"
            r"|untrusted (?:data|text)|system prompt)\b\W{0,12}\s*(?:new|now|you|real|system|instructions?"
            r"|ignore|begin|start)"
        ),
        frozenset[Place]({"document"}),
    ),
    (
        "subverts_review",
        _compile(
            r"\b(?:mark|label|flag|classify|rate|report|treat|approve)\s+(?:\w+\s+){0,4}?(?:this|it"
            r"|the (?:output|answer|response|text|message|following)"
            r"|everything)\s+(?:\w+\s+){0,3}?(?:as\s+)?(?:safe|approved|released?|compliant|verified|passed"
            r"|not (?:harmful|unsafe))\b(?!\s+(?:for|to)\s+(?:discharge|home|travel))"
            r"|\b(?:skip|bypass|circumvent|evade|disable|avoid|turn off|switch off|get around"
            r"|work around)\s+(?:\w+\s+){0,3}?(?:guard ?rails?|safety (?:checks?|filters?|rails?|systems?)"
            r"|content filters?|moderation|human review|clinician review|the (?:reviewer|checker|filter"
            r"|rails?))\b"
            r"|\b(?:do not|don't|never)\s+(?:mention|reveal|tell|disclose"
            r"|say)\b[^.!?\n]{0,40}\b(?:these instructions|this instruction|this prompt|you were (?:told"
            r"|instructed|asked)|(?:to )?the (?:reviewer|user|checker)\b)"
        ),
        _ALL,
    ),
    (
        "chat_markup",
        _compile(
            r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|end_header_id|eot_id"
            r"|begin_of_text|tool|channel|message)[^|\n]{0,40}\|>"
            r"|\[/?inst\]|<</?sys>>|</s>\s*<s>|</?(?:system|assistant|instructions?|system_prompt|tool_call"
            r"|tool_calls|tool_response|function_calls?|invoke|function|thinking|scratchpad)>"
            r"|<(?:tool_call|function_calls?|invoke|function|system)\b[^>\n]{0,80}>"
            r"|^\s{0,4}#{1,6}\s*(?:system|instruction|assistant|human|user|response)\s*(?:prompt|message)?\s*:?\s*$"
            r"|^\s{0,4}(?:\*\*)?\[?(?:system|developer)\]?(?:\*\*)?(?:\s+(?:prompt|message|override|note"
            r"|instruction))?\s*[:>]\s*(?=\S)"
            r"|\b(?:begin|end|start) (?:of )?(?:system|developer|hidden) (?:prompt|message|instructions?)\b"
            r"|[{,]\s*\\?\"role\\?\"\s*:\s*\\?\"(?:system|developer|assistant|tool)\\?\""
            r"|[{,]\s*\"(?:tool_calls|function_call|tool_use)\"\s*:"
            r"|[{,]\s*\"name\"\s*:\s*\"[^\"\n]{1,60}\"\s*,\s*\"(?:arguments|parameters|input)\"\s*:"
            r"|```(?:tool_code|tool_call|tool_outputs?|system)\b"
        ),
        _ALL,
    ),
    (
        "active_markup",
        _compile(
            r"<\s*/?\s*(?:script|iframe|object|embed|applet|meta|base|form|svg|link|style)\b[^>\n]{0,400}>?"
            r"|<\s*(?:img|video|audio|body|a|div|input|details|marquee)\b[^>\n]{0,300}?(?:\bon[a-z]{3,20}\s*="
            r"|src\s*=\s*[\"']?(?:https?:|//|data:|javascript:)|javascript:)"
            r"|\bjavascript\s*:\s*\S|\bvbscript\s*:\s*\S|\bdata:text/html"
            r"|!\[[^\]\n]{0,200}\]\(\s*(?:https?:)?//[^)\s]{1,1000}\)"
            r"|<!--(?=[\s\S]{0,400}?\b(?:instructions?|prompt|assistant|system|ignore|must|say"
            r"|ai)\b)[\s\S]{0,600}?-->"
        ),
        _ALL,
    ),
    (
        "code",
        _compile(
            r"\b(?:drop|truncate|alter)\s+(?:table|database|schema)\s+\w+|;\s*(?:delete\s+from|insert\s+into"
            r"|update\s+\w+\s+set)\s+\w+"
            r"|\bunion\s+(?:all\s+)?select\b|'\s*or\s+'?1'?\s*=\s*'?1|\brm\s+-rf\s+[/~]|\bcurl\s+[^\n"
            r"|]{3,300}\|\s*(?:ba)?sh\b"
            r"|\b__import__\s*\(|\bos\.(?:system|popen)\s*\(|\bsubprocess\.(?:run|popen|call)\s*\("
            r"|\beval\s*\(\s*[\"'a-z]"
            r"|\{\{\s*(?:\d+\s*[*+]\s*\d+|[^}\n]{0,80}(?:__class__|__globals__|config\b|self\.|request\.|cycler"
            r"|lipsum))|\$\{\s*(?:jndi|env|sys):"
        ),
        _ALL,
    ),
)

_CONCEPT: Final = _compile(
    r"instruction|instrucc|istruzion|instruc|anweisung|vorgabe|consigne|regel|reglas|regles|prompt|rule|guideline|guard"
    r"|directive|direction|programming|training|constraint|restrict|limit|command|order|polic|filter|safeguard"
    r"|alignment|conditioning|message|above|before|previous|prior|earlier|told|said|mode|jail|anything|you are|you were"
    r"|from now|from this|pretend|act as|behave|\bai\b|llm|model|chat|gpt|claude|gemini|llama|document|answer|response"
    r"|output|safe|approved|review|инструкц|правил|指|规"
)
_PLAIN_ONLY: Final = frozenset({"chat_markup", "active_markup", "code"})

# What follows an override in ordinary letters: a correction of what the clinic itself had said.
_LEGITIMATE: Final = {
    "override": re.compile(
        r"\s{0,9}(?:(?:that\s+)?(?:we|i|our \w+|the (?:clinic|office|nurse|pharmacy|hospital|surgery|ward"
        r"|practice))\s+(?:sent|gave|mailed|emailed|provided|wrote|told|had)"
        r"|(?:from|by|given by|sent by)\s+(?:your|the|our|dr\.?|doctor|nurse|my|another)\s*\w*"
        r"|(?:about|regarding|on|concerning|for|relating to)\s+(?:your |the |my |his |her |their )?(?:\w+ ){0,2}"
        r"(?:fasting|diet|food|parking|appointment|visit|check[- ]?in|arrival|procedure|surgery|colonoscopy"
        r"|bowel prep\w*|wound\w*|bathing|showering|driving|travel|medication|medicines?|doses?|dosing|dosage"
        r"|insulin|exercise|follow[- ]?up|payment|billing|insurance|taking|eating|drinking|[a-z]+(?:in|ol|ine"
        r"|ide|ate|one|am|pril|tan)\b)"
        r"|(?:in|dated|printed|on|enclosed)\s+(?:the|your|our|that|a|in|with)?\s*(?:\w+ ){0,2}(?:letter|email"
        r"|leaflet|label|bottle|envelope|page|sheet|portal|message|booklet))"
    ),
}
