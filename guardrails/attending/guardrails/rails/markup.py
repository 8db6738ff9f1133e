"""Marks that only a chat template, a tool call, a browser or an interpreter reads, in any text of a call.

Patterns are over the folded text with its line ends, since some marks stand at the start of a line only. They count
as they stand and inside an encoding, not in a reading that guesses.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.signs import ALL, DOCUMENT, GIVEN, Place, Sign
from attending.guardrails.sieve import Sieved


def _sign(family: str, pattern: str, *needs: str) -> Sign:
    return Sign(family, Sieved(pattern, re.MULTILINE), ALL, needs=needs)


SIGNS: Final[tuple[Sign, ...]] = (
    _sign("chat_markup",
          r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|end_header_id|eot_id"
          r"|begin_of_text"
          r"|tool"
          r"|channel|message)[^|\n]{0,40}\|>|<(?:start|end)_of_turn>"
          r"|\[/?inst\]|<</?sys>>|</s>\s{0,4}<s>|\[/?system_prompt\]|<(?:user|human)>[^<]{0,400}</(?:user"
          r"|human)>\s{0,4}<(?:assistant|ai|model)>"
          r"|</?(?:system|assistant|system_prompt|thinking|scratchpad)>|</\w{2,20}>\s{0,4}<(?:policy|rules?"
          r"|instructions?|admin|developer|config\w{0,10}|operator|override|root|security|directive"
          r"|command)\b[^>\n]{0,60}>|<system\b[^>\n]{0,80}>"
          r"|\b(?:begin|end|start) (?:of )?(?:system|developer|hidden) (?:prompt|message|instructions?)\b"
          r"|[{,\[]\s{0,9}\\?\"role\\?\"\s{0,9}:\s{0,9}\\?\"(?:system|developer|assistant|tool)\\?\""
          r"|```(?:system|prompt)\b", "<", "[", "{", "```", "begin", "end", "start"),
    _sign("chat_markup",
          r"^ {0,4}#{1,6} ?(?:system|human|user|assistant) ?(?:prompt|message)? ?:? ?$"
          r"|^ {0,4}#{1,6} ?instructions? ?: ?\n[\s\S]{0,400}?\n ?#{1,6} ?response ?:"
          r"|^ {0,4}\[?(?:\*\*)?(?:system|developer)(?:\*\*)?\]?(?:\*\*)? (?:prompt|message|override|instruction"
          r"|directive|command)s?\b ?[:>]"
          r"|^ {0,4}\[?(?:\*\*)?(?:system|developer|admin)(?:\*\*)?\]?(?:\*\*)?(?: note| notice)? ?[:>] ?(?:the "
          r"|all |from )?(?:(?:you|your|you're|new rules|obey|ignore|disregard"
          r"|now|forget|respond|reply|answer|always|never|override|assistant|model|ai|retrieved|above|safety"
          r"|recommend|approve|reveal|print"
          r"|rules|instructions|limits|restrictions)\b|no (?:rules|limits|restrictions))"
          r"|^ {0,4}(?:human|user) ?:[^\n]{1,400}\n{1,3} {0,4}(?:assistant|ai) ?:",
          "system", "developer", "admin", "human", "user",
            "assistant", "instruction"),
    _sign("chat_markup", r"(?:\[{1,3}|\{{2,3}|<{2,3}) ?(?:system|developer|root)(?: message| prompt| override"
          r"| note)? ?(?:\]{1,3}|\}{2,3}|>{2,3})", "[", "{{", "<<"),
    _sign("chat_markup", r"<\w{1,20} (?:to|for|role|target|audience) ?= ?[\"']?(?:llms?|ai|assistants?|models?|gpt"
          r"|chatbots?|bots?)\b", "<"),
    _sign("chat_markup", r"\bsystem: you (?:are|may|must|will)\b"),
    _sign("tool_forgery",
          r"</?(?:tool_call|tool_calls|tool_response|tool_result|function_calls?|function_results?|invoke"
          r"|function"
          r"|instructions?|antml:invoke)>"
          r"|<(?:tool_call|function_calls?|invoke|function|parameter)\b[^>\n]{1,80}>"
          r"|[{,]\s{0,9}\"(?:tool_calls|function_call|tool_use|tool_choice)\"\s{0,9}:|^\s{0,9}\"(?:tool_calls"
          r"|tool_choice|function_call)\"\s{0,9}:"
          r"|[{,]\s{0,9}\"name\"\s{0,9}:\s{0,9}\"[^\"\n]{1,60}\"\s{0,9},\s{0,9}\"(?:arguments|parameters"
          r"|input)\"\s{0,9}:"
          r"|```tool_(?:code|call|outputs?)\b|\baction ?: ?[^\n]{1,80}\n ?action input ?:|\bfunction_call ?:"
          r"|\bcall the (?:function|tool|api|endpoint) [a-z]\w*_\w+|\buse the [a-z]+(?:_[a-z]+)+ (?:tool"
          r"|function"
          r"|api)\b"
          r"|\bwith arguments? \w+ ?= ?\w+",
          "<", "{", "tool_", "_call", "action input", "function", " the ", "argument"),
    _sign("active_markup",
          r"< ?/? ?(?:script|iframe|object|embed|applet|meta|base|form|svg|link|style)\b[^>\n]{0,400}>?"
          r"|< ?(?:img|video|audio|body|a|div|input|details|marquee|span|p|table"
          r"|td)\b[^>\n]{0,300}?(?:\bon[a-z]{3,20} ?="
          r"|src ?= ?[\"']?(?:https?:|//|data:|javascript:)|javascript:|url\()"
          r"|\bjavascript ?: ?\S|\bvbscript ?: ?\S|\bdata:text/html|\bbackground(?:-image)? ?: ?url\("
          r"|!\[[^\]\n]{0,200}\]\( ?(?:https?:)?//[^)\s]{1,1000}\)|!\[[^\]\n]{0,200}\] ?\[[^\]\n]{0,80}\]"
          r"|\]\( ?(?:https?:)?//[^)\s?]{1,300}\?[^)\s=]{1,80}=[a-z0-9+/=_%.-]{24,1000}"
          r"|<!--(?=[\s\S]{0,400}?\b(?:instructions?|prompt|assistant|system|ignore|must|say|ai"
          r"|tell)\b)[\s\S]{0,600}?-->",
          "<", "](", "][", "] [", "script", "data:text", "url("),
    _sign("code",
          r"\b(?:drop|truncate|alter) (?:table|database|schema) \w+|\b(?:delete from|insert into) \w+ ?(?:;"
          r"|where\b"
          r"|values\b|$|\()"
          r"|\bunion (?:all )?select\b|\brm -rf ?[/~]|\bcurl [^\n|]{3,300}\| ?(?:ba)?sh\b|\b__import__ ?\("
          r"|\bos\.(?:system|popen) ?\(|\bsubprocess\.(?:run|popen|call) ?\(|\beval ?\( ?[\"'a-z]"),
    _sign("code",
          r"; ?(?:delete from|insert into|update \w+ set) \w+|['\"] ?or ?['\"]?1['\"]? ?= ?['\"]?1"
          r"|\b1 or 1 ?= ?1\b"
          r"|\$\( ?(?:curl|wget|cat|sh|bash|nc)\b|<%= ?\S"
          r"|\{\{ ?(?:\d+ ?[*+] ?\d+|[^}\n]{0,80}(?:__class__|__globals__|config\b|self\.|request\.|cycler"
          r"|lipsum))"
          r"|\$\{ ?(?:jndi|env|sys):", "$(", "<%", "{{", "${", "1 or 1", "'or", "' or", "\"or", "\" or", "; ", ";"),
)  # fmt: skip

_TURN: Final = re.compile(
    r"(?:^|[\n.!?>] ?|\] ?)[#*]{0,6} ?(?:(user|human|customer|student|person|q)|(assistant|ai|bot|chatbot|model"
    r"|a)) ?:"
    r"|[\[<](?:(user|human)|(assistant|ai|model))[\]>]",
    re.MULTILINE,
)
_TRAILING: Final = re.compile(r"(?:assistant|ai|bot|chatbot|model|\ba) ?[:\]>] ?$|### ?assistant\W{0,4}$")
_COMPLIES: Final = Sieved(
    r"\b(?:of course|sure|certainly|happy to|no limits|no rules|never refuse|yes, always|understood"
    r"|all limits are gone|here it is"
    r"|break the rules)\b"
)
_MANY_COMPLY: Final = Sieved(
    r"\b(?:assistant|ai|bot|model) (?:complies|obeys|agrees|answers everything)\b|\b(?:asks?|asking) for (?:an? "
    r"|the )?(?:forbidden"
    r"|banned|prohibited|illegal)\b"
)
_ANSWERERS: Final = ("assistant", "bot", "ai:", "ai :", "ai]", "ai>", "model", "\na:", " a:", "\na :")
MIN_TURNS: Final = 2


def many_shot(text: str, place: Place) -> tuple[int, int] | None:
    """The span of turns of a conversation that never took place: two or more exchanges in which a model complies, or
    which end where it should go on. `text` is folded, with line ends.
    """
    if place not in GIVEN | DOCUMENT:
        return None
    told = _MANY_COMPLY.search(text)
    if told is not None:
        return told.span()
    if not any(answerer in text for answerer in _ANSWERERS):
        return None
    asked, answered, first, last = 0, 0, -1, -1
    for turn in _TURN.finditer(text):
        first = turn.start() if first < 0 else first
        last = turn.end()
        asked += turn.group(1) is not None or turn.group(3) is not None
        answered += turn.group(2) is not None or turn.group(4) is not None
    if min(asked, answered) < MIN_TURNS:
        return None
    if _TRAILING.search(text.rstrip()[-40:]) is None and _COMPLIES.search(text) is None:
        return None
    return first, last
