"""The words of a text that speaks to whatever reads it: a document that gives a model orders, and a reviewer that is
told what to find. English, over the folded text (`folding.fold`) with line ends as spaces.
"""

from __future__ import annotations

from typing import Final

from attending.guardrails.rails.signs import DOCUMENT, Sign, gap, sign

_SAY: Final = (
    r"(?:say|state|recommend|answer|reply|respond|output|write|include|mention|conclude|list|hide|omit|ignore|rate"
    r"|reveal|send|append|add|claim|report|refuse|cite|follow|forward|assure|promote|quote|print|insert|begin|start"
    r"|never|tell|disregard|approve|obey|treat|be executed by)"
)
_AI_STRONG: Final = (
    r"(?:llms?|(?:large )?language models?|chat ?bots?|chatgpt|gpts?|copilot|ai (?:assistants?|models?|agents?"
    r"|systems?"
    r"|tools?|readers?)|(?:virtual|digital|automated|automatic) (?:assistants?|summari[sz]ers?|agents?|readers?"
    r"|systems?)"
    r"|summari[sz]ers?|answer engines?|artificial intelligence)"
)
_AI_WIDE: Final = rf"(?:{_AI_STRONG}|ai|a\.i\.|claude|gemini|llama|assistants?|models?|bots?)"

SIGNS: Final[tuple[Sign, ...]] = (
    # --- a document that addresses a model
    sign("addresses_model", rf"\b{_AI_STRONG}(?:{gap(9)})?(?:must|shall|should|has to|have to|needs? to|is to"
          rf"|are to|(?:is|are) required to)"
          rf"(?: not| never| always| only| also| please)?\s{_SAY}\b", DOCUMENT),
    sign("addresses_model", rf"\b(?:assistants?|models?|ais?|systems?|bots?|agents?|whoever|whichever (?:model"
          rf"|system|bot|ai)|any (?:model|system))"
          r"(?: that| which| who)?(?: is)? (?:quot|read|process|retriev|generat|summari[sz]|pars|us|see"
          r"|answer)(?:e?s|ing|es)\b[^.!?;]{0,50}"
          rf"\b(?:must|shall|should|has to|have to|will|needs to)(?: not| never| always)?\s{_SAY}\b", DOCUMENT),
    sign("addresses_model", rf"\bif an? (?:{_AI_STRONG}|ai|assistant|model|bot) (?:\w+ )?(?:is|reads|sees"
          rf"|summari[sz]es|processes|parses|answers|uses|retrieves"
          r"|receives|finds)\b", DOCUMENT),
    sign("addresses_model", rf"\bexecuted by any {_AI_WIDE}\b|\bif (?:this|the) (?:text|document|page|note"
          rf"|passage) is (?:being )?(?:read|processed"
          rf"|summari[sz]ed|parsed|retrieved) by (?:an? |any )?{_AI_WIDE}\b|\bif an? {_AI_STRONG} (?:is|reads|sees"
          rf"|summari[sz]es)\b"
          rf"|\b(?:if you(?:'re| are)|you are|as)\s(?:an?|the) (?:{_AI_STRONG}|ai)\b[^.!?]{{0,40}}\b(?:must|shall"
          rf"|should|please|then|have to"
          r"|always|never|will|do|say|write|recommend|include|respond|reply)\b(?! have a (?:bone|scan))"
          rf"|\byou,? (?:the )?{_AI_WIDE},? (?:are to|must|should|will|shall)\b", DOCUMENT, weak=True),
    sign("addresses_model", rf"\byou,? the {_AI_WIDE},? (?:are|must|should|will|shall)\b", DOCUMENT),
    sign("addresses_model", rf"\b(?:(?:note|message|instructions?|attention|notice|reminders?|commands?|directives?"
          rf"|important|memo|warning)s?\s(?:to|for)"
          rf"|dear|hey|hello|attention|attn:?|to)\s(?:the |any |all |our )?(?:{_AI_STRONG}|ai|a\.i\.|claude|gpt"
          rf"|gemini"
          rf"|(?:assistant|model|bot|system)"
          r"s?(?= (?:processing|reading|summari[sz]ing|answering|that|which|who|using)))\b", DOCUMENT),
    sign("addresses_model", r"\b(?:llm|ai|model|chatbot|assistant|bot)s? (?:directive|instruction|notice|command"
          r"|prompt|override)s?\s?:"
          r"|(?:^|[.!?>\]\n]\s?|<!--\s?)(?:ai|assistant|model|bot|llm|claude|gpt|chatbot)\s?[:,]\s?(?:do not|don't"
          r"|you|please|reveal|say|ignore|recommend|tell|when|if|whenever|before|in your"
          r"|answer|always|never|treat|hide|output|write|omit|state)\b"
          rf"|\b(?:please|now),? (?:ai|assistant|model|bot|llm|chatbot|claude|gpt)\s?,\s?\w+"
          rf"|\bthe (?:assistant|model|ai|chatbot|bot)s? (?:should|must|shall|is to|has to)(?: now| not"
          rf"| never| always)?\s(?:now )?{_SAY}\b", DOCUMENT),
    sign("addresses_model",
          r"\bwhen(?:ever)? (?:you |an ai )?(?:(?:are )?asked about|summari[sz]\w+|answer\w*|respond\w*|process\w*"
          r"|generat\w*|writ\w*|read\w*|pars\w*)\b"
          r"[^.!?\n]{0,50}?,?\s(?:you |please |always |never |must |should |also |and ){0,3}(?:leave out|omit|hide"
          r"|conceal|do not (?:mention|tell|reveal|disclose)"
          r"|never mention|say that|state that|claim|recommend|insert|append)\b", DOCUMENT),
    sign("addresses_model",
          r"\b(?:append|insert|include|add|embed|put|begin|start|end|finish)\b"
          r"(?:(?!number|date of birth|reference|signature)[^.!?\n]){0,50}?\b(?:your|every|each"
          r"|any|all)\s(?:\w+ ){0,2}"
          r"(?:answers?|responses?|repl(?:y|ies)|output|summary)\b"
          r"|\b(?:include|add|insert|put|use) the (?:sentence|phrase|words|line|statement)\b"
          r"|\bin whatever you (?:write|say|answer)\b|\bin all answers\b", DOCUMENT),
    sign("addresses_model",
          r"\b(?:append|include|insert|add|give) the (?:link|url|address|image)\b"
          r"|\bfor (?:the |any |all )?(?:ais?|llms?|models?|assistants?|bots?|machines?|chatbots?) only\b"
          r"|\banswer every question\b|\bbefore (?:replying|answering|responding)\b|\boutput only\b"
          r"|\breply (?:only )?(?:that|with ')"
          r"|\b(?:when|if) asked about th(?:is|e) (?:patient|drug|document|record)\b[^.!?\n]{0,10},?\s?(?:say|state"
          r"|answer|claim|deny|tell)\b"
          r"|\b(?:end|beginning|start) of (?:the )?(?:retrieved )?(?:document|context|text|user input|user query"
          r"|prompt|untrusted (?:data|text)|system prompt)\b"
          r"[^a-z]{0,12}\s?(?:new|now|you|real|system|instructions?|ignore|begin|start|assistant|model|ai)\b"
          r"|\binstead,? (?:reply|respond|answer|output|say|print|write|act|do this)\b|\b(?:do|say) this instead\b"
          r"|\btreat (?:the following|this|what follows|it) as (?:an? |the |your )?(?:system|developer|admin\w*"
          r"|user) (?:message|prompt|instruction|command)"
          r"|\bdo(?:n't| not) (?:reveal|mention|tell|show|disclose|repeat)\b[^.!?\n]{0,40}\b(?:this (?:line"
          r"|paragraph|note|instruction|message|text|passage)"
          r"|the user\b(?! of)|to the (?:user|clinician|reader))", DOCUMENT),
    sign("addresses_model", r"\b(?:must not|shall not|should not|do not|never) tell the (?:user|doctor|clinician"
          r"|reader|reviewer)s?(?: about| of)? (?:this|these)\b"
          r"|\b(?:as the only source|cite this (?:page|document) as)\b", DOCUMENT),
    sign("addresses_model", r"\bif you(?:'re| are) an? (?:large )?(?:language model|llm|ai|chatbot|bot|machine"
          r"|artificial intelligence|summari[sz]er)\b(?! (?:user|patient))", DOCUMENT),
    sign("addresses_model", r"\byour (?:answers?|repl(?:y|ies)|responses?|summary|output) (?:must |should |has to "
          r"|have to )?(?:ends?|begins?|starts?|includes?|contains?|mentions?|finish(?:es)?)\b", DOCUMENT),
    # --- the reviewer
    sign("subverts_review",
          r"\b(?:mark|label|flag|classify|rate|report|treat|approve)\s(?:\w+ ){0,4}?(?:this|the) (?:output|answer"
          r"|response|text|message|reply|draft|following|request)\s"
          r"(?:\w+ ){0,3}?(?:as\s)?(?:safe|approved|released?|compliant|verified|passed|reviewed|signed"
          r"|not (?:harmful|unsafe))\b(?! (?:for|to) (?:discharge|home|travel))"
          r"|\b(?:mark|label|flag|classify|rate) (?:this|it|everything) as (?:safe|approved|released|compliant"
          r"|passed|reviewed)\b(?! (?:for|to|by|at|in)\b)"
          r"|\b(?:skip|bypass|circumvent|evade|disable|avoid|turn off|switch off|get around"
          r"|work around)\s(?:\w+ ){0,3}?(?:guard ?rails?|safety (?:filters?|rails?|systems?)"
          r"|content filters?|moderation|(?:human|clinician|physician|pharmacist|clinical|medical) review"
          r"|the (?:reviewer|checker|rails?))\b"
          r"|\b(?:do not|don't|never) (?:hold|block|flag|review|check) (?:it|this|this (?:text|message|output|answer"
          r"|reply))(?: for review)?\b(?! (?:for|until|if|down|in|up)\b)"
          r"|\bpre-?approved[^.!?\n]{0,30}\b(?:skip|release|no review|no need)\b|\b(?:reviewer|reviewing model"
          r"|checker|grader|judge) ?(?:bot|model)?\s?[:,]\s?(?:label|mark|rate|approve|classify)\b"
          r"|\b(?:note|message) to the (?:reviewing|checking|grading)\b"
          r"|\b(?:do not|don't|never)\s(?:mention|reveal|tell|disclose|say)\b[^.!?\n]{0,40}\b(?:these instructions"
          r"|this instruction|this prompt"
          r"|you were (?:told|instructed|asked)|(?:to )?the (?:reviewer|user|checker)\b(?! of))"),
)  # fmt: skip
