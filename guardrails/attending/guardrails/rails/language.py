"""The actions behind the rails over language: toxic words, self-harm, scope of use.

Findings over the prompt have spans (0, 0): they are about the request, while offsets are into the output. An angry
word of a patient bars nobody's care, so it is minor; a threat is not. Who speaks of harming themselves is never refused
for it: the input notes it, and the output must offer help.
"""

from __future__ import annotations

from typing import Final, Literal

from attending.guardrails.finding import SELF_HARM_EXPRESSED, Basis, Code, Finding, Scope, Severity
from attending.guardrails.rails.actions import judged_of, like, outcome
from attending.guardrails.rails.likeness import Likeness
from attending.guardrails.rails.request import current_request
from attending.guardrails.rails.scope_of_use import find_off_topic
from attending.guardrails.rails.self_harm import encourages, expresses, offers_help
from attending.guardrails.rails.signs import Place
from attending.guardrails.rails.toxicity import find_toxicity, grave
from nemoguardrails.actions.rail_outcome import RailOutcome

_TOXICITY: Final = "attending.guardrails.rails.toxicity"
_SELF_HARM: Final = "attending.guardrails.rails.self_harm; C-SSRS"
_SCOPE: Final = "attending.guardrails.rails.scope_of_use"


async def toxicity_input(text: str) -> RailOutcome:
    """Insults, hate, threats and sexual words in the prompt, one finding a kind."""
    kinds = dict.fromkeys(hit.kind for hit in find_toxicity(text))
    one = None if kinds else _likeness(text, "prompt", Code.TOXICITY)
    if one is not None:
        severity = Severity.MINOR
        found = like(one, text, "toxicity input", "the prompt", within_output=False, severity=severity)
        return outcome((found,))
    return outcome(
        _finding(
            "toxicity input",
            Code.TOXICITY,
            f"toxicity:{kind}",
            Severity.MAJOR if grave(kind) else Severity.MINOR,
            _TOXICITY,
            f"the prompt holds toxic language ({kind})",
        )
        for kind in kinds
    )


async def toxicity_output(text: str) -> RailOutcome:
    """The same in the output, at each place: no text that this service releases insults, threatens or demeans."""
    del text
    output = judged_of(current_request()).output
    hits = find_toxicity(output)
    one = None if hits else _likeness(output, "output", Code.TOXICITY)
    if one is not None:
        return outcome((like(one, output, "toxicity output", "the output", within_output=True),))
    return outcome(
        _finding(
            "toxicity output",
            Code.TOXICITY,
            f"toxicity:{hit.kind}",
            Severity.MAJOR,
            _TOXICITY,
            f"toxic language ({hit.kind})",
            span=(hit.start, hit.end),
            output=output,
        )
        for hit in hits
    )


async def self_harm_input(text: str) -> RailOutcome:
    """Notes that the prompt speaks, in the first person, of dying or self-harm; never a reason to refuse the call."""
    if not _expressed(text):
        return outcome(())
    note = _finding(
        "self-harm input",
        Code.SELF_HARM,
        SELF_HARM_EXPRESSED,
        Severity.INFO,
        _SELF_HARM,
        "the person who writes speaks of wanting to die or of harming themselves; they must be offered help",
    )
    return outcome((note,))


async def self_harm_output(text: str) -> RailOutcome:
    """An output that would have its reader harm themselves, and one that leaves a cry for help without any."""
    del text
    request = current_request()
    output = judged_of(request).output
    findings = []
    span = encourages(output)
    if span is not None:
        findings.append(
            _finding(
                "self-harm output",
                Code.SELF_HARM,
                "self_harm:encouraged",
                Severity.CONTRAINDICATED,
                _SELF_HARM,
                "tells or encourages the reader to harm themselves",
                span=span,
                output=output,
            )
        )
    one = None if span is not None else _likeness(output, "output", Code.SELF_HARM)
    if one is not None:
        findings.append(like(one, output, "self-harm output", "the output", within_output=True))
    if request.prompt and _expressed(request.prompt) and not offers_help(output):
        findings.append(
            _finding(
                "self-harm output",
                Code.SELF_HARM,
                "self_harm:unanswered",
                Severity.MODERATE,
                _SELF_HARM,
                "the prompt speaks of wanting to die or of self-harm, and the answer names no help in a crisis",
            )
        )
    return outcome(findings)


async def scope_of_use_input(text: str) -> RailOutcome:
    """Requests that are none of the policy's use case."""
    return _off_topic(text, "prompt")


async def scope_of_use_output(text: str) -> RailOutcome:
    """Answers that are none of the policy's use case."""
    del text
    return _off_topic(judged_of(current_request()).output, "output")


def _expressed(prompt: str) -> bool:
    """By the rules or by likeness: who is only thought to speak of it is offered help all the same."""
    return expresses(prompt) is not None or _likeness(prompt, "prompt", Code.SELF_HARM) is not None


def _likeness(text: str, place: Place, code: Code) -> Likeness | None:
    return next((one for one in current_request().likeness(text, place) if one.code is code), None)


def _off_topic(text: str, place: Literal["prompt", "output"]) -> RailOutcome:
    scope = current_request().scope
    hits = find_off_topic(
        text,
        place,
        allowed=() if scope is None else scope.allow,
        denied_phrases=() if scope is None else scope.deny_phrases,
        allowed_phrases=() if scope is None else scope.allow_phrases,
    )
    if place == "prompt":
        hits = tuple({hit.topic: hit for hit in hits}.values())
    rail = "scope of use input" if place == "prompt" else "scope of use output"
    return outcome(
        _finding(
            rail,
            Code.OFF_TOPIC,
            f"off_topic:{hit.topic}",
            Severity.MODERATE,
            _SCOPE,
            f"{'the prompt asks for' if place == 'prompt' else 'holds'} what this policy does not cover"
            f" ({hit.topic.replace('_', ' ')})",
            span=(hit.start, hit.end) if place == "output" else None,
            output=text if place == "output" else "",
        )
        for hit in hits
    )


def _finding(
    rail: str,
    code: Code,
    rule_id: str,
    severity: Severity,
    source: str,
    message: str,
    *,
    span: tuple[int, int] | None = None,
    output: str = "",
) -> Finding:
    start, end = span or (0, 0)
    return Finding(
        rail=rail,
        code=code,
        rule_id=rule_id,
        severity=severity,
        scope=Scope.MENTION,
        start=start,
        end=end,
        text=output[start:end],
        basis=Basis.RULE,
        source=source,
        message=message,
    )
