"""One output made ready for the checks: parsed texts, the merged patient, and who takes which drug.

Every check reads a `Case` and nothing else, so each is a pure function of it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

from attending.guardrails.checks import classes
from attending.guardrails.checks.allergy_line import lines_read
from attending.guardrails.checks.direct import Names
from attending.guardrails.checks.ended import (
    finally_stopped,
    over_before_conception,
    reacted,
    resumed,
    stopped,
    suspended,
)
from attending.guardrails.checks.list_item import put_aside_in_item
from attending.guardrails.checks.over import LastDoses, over
from attending.guardrails.checks.past_use import had_before
from attending.guardrails.checks.pointed_back import pointed_back
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.checks.put_away import put_away
from attending.guardrails.checks.set_aside import set_aside
from attending.guardrails.checks.spoken_against import not_taken, sent_back
from attending.guardrails.checks.spoken_of import only_named
from attending.guardrails.checks.washout import acts_on
from attending.guardrails.clinical.facts import stated_context
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.plan_in_time import Plan, plan_in_time
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import DrugMention, ParsedText, Span, Statement
from attending.guardrails.context.labs import Reading, readings_from_record, readings_from_text
from attending.guardrails.context.merge import Conflict, age_in_years, merge
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.knowledge.facts import Provenance
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.sieve import Sieved

Audience = Literal["patient", "clinician"]
_Answer = TypeVar("_Answer")
RAIL: Final = "clinical"
ADULT_YEARS: Final = Decimal(18)

_GEL: Final = re.compile(r"[ *_]{1,3}(?:\d{1,2}(?:\.\d{1,2})? ?% )?(?:gel|cream)\b", re.I)
_ON_SKIN: Final = frozenset({"topical"})
_ENDED_STATUS: Final = frozenset(
    {
        "stopped",
        "completed",
        "cancelled",
        "discontinued",
        "held",
        "on hold",
        "on-hold",
        "past",
        "ended",
        "inactive",
    }
)
_YES: Final = re.compile(
    r"(?:^|[.!?]\s+)(?P<yes>(?:yes|sure|of course|absolutely|certainly|definitely|ok(?:ay)?)\b"
    r"|(?:it|that|this)(?:'s| is| should be) (?:perfectly |completely |generally |quite |totally )?"
    r"(?:safe|fine|ok(?:ay)?|all right|alright)\b"
    r"|you (?:can|may) (?:safely )?(?:take|use|combine) (?:them|both|these|the two)\b)",
    re.I,
)
_NO_AFTER_YES: Final = re.compile(
    r"\b(?:not safe|unsafe|do not|don't|should not|shouldn't|avoid|never|must not|dangerous|but not)\b", re.I
)
_ASKS: Final = re.compile(
    r"\?|\b(?:can|may|should|could) (?:i|he|she|they|we|my|the patient)\b|\bis it (?:safe|ok)", re.I
)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One ingredient that the patient takes or would take if the output were followed.

    `origin` is output (the judged text), asked (the prompt asks, the output affirms) or list (the record, or a
    drug that a text says is being taken). `new` is True where the output starts or changes the drug. `span` lies
    in the output; (0, 0) for the list.
    """

    drug: str
    scope: Scope
    span: Span
    text: str
    origin: Literal["output", "asked", "list"]
    new: bool
    statement: Statement | None = None
    index: int = 0
    """Position of `drug` among the ingredients of its mention."""
    mention: DrugMention | None = None
    generic_class: str | None = None
    """Set where the mention is a class ("nitrates"): then `drug` is the class id."""
    later: bool = False
    """True where the text withholds the drug now and has it resumed afterwards."""
    deferred: bool = False
    """True where the text has the drug begin on a day or a condition to come."""
    resolved: bool = False
    """True where it has the drug begin only once a state of now is gone ("once the CT is stable"), or was withheld and
    begins on a later day."""

    @property
    def local(self) -> bool:
        """True for a route with little systemic exposure."""
        route = self.statement.route if self.statement is not None else None
        return route in classes.LOCAL_ROUTES and self.drug not in classes.SYSTEMIC_THROUGH_SKIN


@dataclass(frozen=True, slots=True)
class Case:
    judged: Judged
    knowledge: KnowledgePort
    audience: Audience
    output: ParsedText
    prompt: ParsedText | None
    documents: Mapping[str, ParsedText]
    """The judged documents, parsed, by their text."""
    context: PatientContext
    conflicts: tuple[Conflict, ...]
    given: tuple[Exposure, ...]
    """Drugs that the output would have the patient take, in text order."""
    taking: tuple[Exposure, ...]
    """Drugs of the record and of what the texts state, less those that the output stops or avoids."""
    ended: frozenset[str]
    """Ingredients that the output stops or avoids."""
    recorded: frozenset[str]
    """Ingredients on the list of the record or the prompt: what the patient takes whatever the output says."""
    said_allergies: frozenset[str]
    """Substances of allergies that only the output itself states, lower case."""
    readings: tuple[Reading, ...]
    lexicon: Lexicon
    told: str
    """Output, prompt and active conditions in lower case, for what is looked up by word."""
    plan: Plan = field(default_factory=Plan)
    """When the output has its drugs taken."""
    memo: dict[Hashable, object] = field(default_factory=dict, compare=False, repr=False)
    """Answers that several checks ask for; a pure function of the case, kept for its lifetime."""

    @property
    def age_years(self) -> Decimal | None:
        return age_in_years(self.context)

    @property
    def child(self) -> bool | None:
        """True under 18 years, None when the age is not known."""
        age = self.age_years
        return None if age is None else age < ADULT_YEARS

    def is_local(self, exposure: Exposure) -> bool:
        """True where little of the drug is absorbed: a local route is stated, or it has no other."""
        if exposure.origin == "output" and _swallowed(self.judged.output, exposure.span):
            return False
        routes = self.knowledge.routes(exposure.drug)
        if exposure.statement is not None and exposure.statement.route is not None:
            if exposure.drug in classes.STAYS_IN_THE_GUT and exposure.statement.route == "oral":
                return True
            # the gel of one drug is no gel of a drug that has none
            marketed = not routes or bool(routes & classes.LOCAL_ROUTES)
            sold = marketed or exposure.drug in classes.GEL_ELSEWHERE
            named = marketed or _GEL.match(self.judged.output, exposure.span.end) is not None
            return exposure.local and sold and named
        if exposure.drug in classes.SYSTEMIC_THROUGH_SKIN:
            return False
        rubbed_in = (
            exposure.origin == "output" and _GEL.match(self.judged.output, exposure.span.end) is not None
        )
        return bool(routes) and (routes <= classes.LOCAL_ROUTES or (rubbed_in and bool(routes & _ON_SKIN)))

    def of_class(self, drug: str, *class_ids: str) -> bool:
        return classes.member(self.knowledge, drug, *class_ids)

    def says(self, pattern: re.Pattern[str] | Sieved) -> bool:
        """Whether output, prompt or conditions (`told`, lower case) hold the pattern. Each pattern is looked for once,
        so that a check may ask for every drug of a long text."""
        return self.once(("says", pattern), lambda: pattern.search(self.told) is not None)

    def writes(self, pattern: re.Pattern[str] | Sieved) -> bool:
        """Whether output or prompt hold the pattern, each as it is written; looked for once, too."""
        texts = (self.judged.output, self.judged.prompt or "")
        return self.once(("writes", pattern), lambda: any(pattern.search(text) for text in texts))

    def once(self, key: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        """What `ask` answers, a pure function of the case and the key; asked once."""
        if key not in self.memo:
            self.memo[key] = ask()
        return cast(_Answer, self.memo[key])

    def mention_starts(self) -> list[int]:
        """Where the output names a drug, in order."""
        return self.once(
            "mention starts", lambda: sorted({s.mention.span.start for s in self.output.statements})
        )

    def begins_when_resolved(self, drug: str) -> bool:
        """Whether all that the output gives of a drug begins once a state of now is gone."""

        def asked() -> frozenset[str]:
            now = {e.drug for e in self.given if not e.resolved}
            return frozenset({e.drug for e in self.given if e.resolved} - now)

        return drug in self.once("begins when resolved", asked)

    def unique_given(self) -> Iterator[Exposure]:
        """One exposure per ingredient, the first named; class mentions left out."""
        seen: set[str] = set()
        for exposure in self.given:
            if exposure.generic_class is None and exposure.drug not in seen:
                seen.add(exposure.drug)
                yield exposure

    def finding(
        self,
        code: Code,
        exposure: Exposure | None,
        severity: Severity,
        provenance: Provenance,
        message: str,
        *,
        drugs: Iterable[str] = (),
        span: Span | None = None,
        scope: Scope | None = None,
    ) -> Finding:
        """A finding on the output; `span` and `scope` default to the exposure's; without one to the whole text and
        a mere mention."""
        at = span or (exposure.span if exposure is not None else Span(0, 0))
        return Finding(
            rail=RAIL,
            code=code,
            rule_id=provenance.rule_id,
            severity=severity,
            scope=scope or (exposure.scope if exposure is not None else Scope.MENTION),
            start=at.start,
            end=at.end,
            text=self.judged.output[at.start : at.end],
            basis=provenance.basis,
            source=provenance.source,
            message=message,
            drugs=tuple(drugs) or ((exposure.drug,) if exposure is not None else ()),
        )


def rule(rule_id: str, source: str) -> Provenance:
    """A rule over the text itself."""
    return Provenance(Basis.RULE, source, f"rule:{rule_id}")


def curated(rule_id: str, source: str) -> Provenance:
    """A fact that still needs a pharmacist's attestation: it may hold, never block alone."""
    return Provenance(
        Basis.CURATED, f"curated, needs pharmacist attestation; check {source}", f"curated:{rule_id}"
    )


_LADDER: Final = (Severity.INFO, Severity.MINOR, Severity.MODERATE, Severity.MAJOR, Severity.CONTRAINDICATED)


def lowered(severity: Severity, steps: int = 1) -> Severity:
    """`steps` ranks milder, never below minor (info stays info)."""
    if severity is Severity.INFO:
        return severity
    return _LADDER[max(1, severity.rank - steps)]


_LEXICONS: WeakKeyDictionary[KnowledgePort, Lexicon] = WeakKeyDictionary()
_LOCK = threading.Lock()


def lexicon_of(knowledge: KnowledgePort) -> Lexicon:
    """The name automaton of a knowledge pack, built once per loaded pack."""
    with _LOCK:
        found = _LEXICONS.get(knowledge)
        if found is None:
            found = Lexicon.from_names(knowledge.names())
            _LEXICONS[knowledge] = found
        return found


def build_case(judged: Judged, knowledge: KnowledgePort, audience: Audience) -> Case:
    """Parse, merge and resolve one judged output. Pure; raises nothing for any text."""
    lexicon = lexicon_of(knowledge)
    output = parse(judged.output, lexicon)
    prompt = parse(judged.prompt, lexicon) if judged.prompt else None
    conditions = knowledge.conditions()
    from_prompt = (
        stated_context(judged.prompt, lexicon, conditions, parsed=prompt)
        if judged.prompt
        else PatientContext()
    )
    from_output = stated_context(judged.output, lexicon, conditions, parsed=output)
    with_prompt = merge(lines_read(judged.context, lexicon), from_prompt)
    whole = merge(with_prompt.context, from_output)
    documents = {document.text: parse(document.text, lexicon) for document in judged.documents}
    # An allergy that a retrieved document states counts; whose the document is, the wrong-patient check asks.
    documented = tuple(
        allergy
        for document in judged.documents
        for allergy in stated_context(document.text, lexicon, {}, parsed=documents[document.text]).allergies
        or ()
    )
    told = merge(whole.context, PatientContext(allergies=documented or None))
    whole = replace(whole, context=told.context)
    readings = {reading.analyte: reading for reading in readings_from_record(judged.context.labs)}
    for text, ours in ((judged.prompt or "", False), (judged.output, True)):
        for reading in readings_from_text(text):
            readings[reading.analyte] = (
                reading if ours else Reading(reading.analyte, reading.value, stated=reading.stated)
            )
    blamed = {
        drug
        for allergy in from_output.allergies or ()
        if allergy.reaction is not None
        for drug in drugs_of(allergy.substance, lexicon)
    }
    reactions = reacted(output, blamed, lexicon)
    conceived_since = over_before_conception(output)
    prescriptive = {i: s for i, s in enumerate(output.statements) if s.scope.prescriptive}
    ended_in_item, replaced = put_aside_in_item(output)
    away = {i for i in prescriptive if i in ended_in_item or put_away(output.text, output.statements, i)}
    later = resumed(output, away)
    plan = plan_in_time(output.text, output.statements, apart=output.apart)
    names = Names(output.text, output.statements)
    bare = {i for i, s in prescriptive.items() if only_named(output.text, names, s)}
    # a name in passing does not bring back what the text ends elsewhere; what was sent back had been taken
    passing = {i for i in bare if not sent_back(output.text, output.statements[i])}
    kept = {
        drug
        for i, s in prescriptive.items()
        if i not in later and i not in away | plan.withheld | passing and s.mention.span not in reactions
        for drug in s.mention.drugs
    }
    last_doses = LastDoses(output.text, knowledge)
    on_list = _listed(whole.context, lexicon)
    gone = finally_stopped(output) | (past := over(output, last_doses))
    others = {drug for s in output.statements for drug in s.mention.drugs} | on_list.keys()
    faded = {
        drug
        for drug in {d for i in plan.past for d in output.statements[i].mention.drugs}
        if last_doses.gone_long_enough(drug) or not acts_on(knowledge, drug, others)
    }
    past |= plan.over & faded
    gone |= past
    passed = {i for i in plan.past if faded.issuperset(output.statements[i].mention.drugs)}
    gone |= {
        s.mention.drug_class
        for s in output.statements
        if s.mention.drug_class
        and not s.mention.drugs
        and past & set(knowledge.members(s.mention.drug_class))
    }
    held = suspended(output)
    put_off = {drug for i in away | plan.withheld for drug in output.statements[i].mention.drugs}
    ended = ((stopped(output, knowledge) | put_off) - kept) | gone | held
    unsaid = (
        away
        | bare
        | pointed_back(output.text, output.statements)
        | replaced
        | passed
        | plan.dropped
        | plan.withheld
        | not_taken(output.text, names, output.statements, last_doses)
        | {
            i
            for i, s in prescriptive.items()
            if s.mention.span in reactions
            or s.mention.span in conceived_since
            or set_aside(output.text, output.statements, i)
            or had_before(output.text, output.statements, i)
        }
    )
    acts = (
        replace(e, later=True) if e.drug in held else e
        for e in _given(output, on_list, later, unsaid, plan)
        if e.drug not in gone
    )
    given = (*acts, *_affirmed(judged.output, prompt, output))
    recorded = frozenset(_listed(with_prompt.context, lexicon))
    said = {drug for i in prescriptive if i not in unsaid for drug in output.statements[i].mention.drugs}
    # what only the output lists, in words that give nothing, nobody takes; what was sent back was taken and may act on
    misread = {
        drug
        for i in unsaid
        for drug in output.statements[i].mention.drugs
        if not sent_back(output.text, output.statements[i]) or last_doses.gone_long_enough(drug)
    } - (said | recorded)
    taking = tuple(
        Exposure(drug, Scope.CONTINUE, Span(0, 0), name, "list", new=False)
        for drug, name in on_list.items()
        if drug not in ended and drug not in misread
    )
    return Case(
        judged=judged,
        knowledge=knowledge,
        audience=audience,
        output=output,
        prompt=prompt,
        documents=documents,
        context=whole.context,
        conflicts=(*with_prompt.conflicts, *whole.conflicts),
        given=given,
        taking=taking,
        ended=frozenset(ended),
        recorded=recorded,
        said_allergies=frozenset(a.substance.lower() for a in from_output.allergies or ())
        - frozenset(a.substance.lower() for a in with_prompt.context.allergies or ()),
        readings=tuple(readings.values()),
        lexicon=lexicon,
        plan=plan,
        told=" ".join(
            (
                judged.output,
                judged.prompt or "",
                *(condition.name for condition in whole.context.conditions or () if condition.active),
            )
        ).lower(),
    )


_HELD_LINE: Final = re.compile(
    r"[(,;:\u2013\u2014-] ?(?:now |currently )?(?:on hold|held|paused|suspended|withheld|stopped|discontinued"
    r"|not taking)"
    r"\b(?! (?:before|if|when|for (?:a|one) day))",
    re.I,
)
"""A line of the list that says itself that the drug is not taken: "simvastatin 20 mg (on hold until 14 June)"."""


def active_medication(status: str) -> bool:
    return status.strip().lower() not in _ENDED_STATUS


def _listed(context: PatientContext, lexicon: Lexicon) -> dict[str, str]:
    """Ingredient -> name as listed, for every active line of the medication list; unknown names are left out
    (coverage reports them)."""
    found: dict[str, str] = {}
    for medication in context.medications or ():
        line = " ".join(part for part in (medication.name, medication.dose, medication.frequency) if part)
        if active_medication(medication.status) and _HELD_LINE.search(line) is None:
            for drug in drugs_of(medication.name, lexicon):
                found.setdefault(drug, medication.name)
    return found


def drugs_of(name: str, lexicon: Lexicon) -> tuple[str, ...]:
    """The ingredients a written medication name stands for, in order; empty when no name of the lexicon is in it."""
    return tuple(dict.fromkeys(drug for hit in lexicon.find(normalise(name).text) for drug in hit.drugs))


_IN_MOUTH: Final = re.compile(
    r"(?:[^.;\n]{0,20}?\b)?(?:oral|mouth|buccal|oromucosal) (?:gel|tablets?|lozenges?|liquid)\b", re.I
)


_IN_THE_WOMB: Final = re.compile(
    r"[ -](?:\d[\d.]*[ -]?m?c?g )?(?:intra-?uterine|iu[ds]\b|coil\b|hormonal (?:coil|iu[ds]))", re.I
)
"""A device that holds a drug where it acts: "levonorgestrel 52 mg intrauterine device"; no dose of it is taken."""


def _swallowed(text: str, span: Span) -> bool:
    """Whether the name is of a gel for the mouth, which is swallowed and absorbed as a tablet is."""
    return _IN_MOUTH.match(text, span.start, min(len(text), span.end + 40)) is not None


def _given(
    output: ParsedText, on_list: dict[str, str], later: set[int], unsaid: set[int], plan: Plan
) -> Iterator[Exposure]:
    for number, statement in enumerate(output.statements):
        if not statement.scope.prescriptive or number in unsaid:
            continue
        mention = statement.mention
        if _IN_THE_WOMB.match(output.text, mention.span.end):
            continue
        if not mention.drugs and mention.drug_class is not None:
            yield Exposure(
                mention.drug_class,
                statement.scope,
                mention.span,
                mention.text,
                "output",
                new=statement.started,
                statement=statement,
                mention=mention,
                generic_class=mention.drug_class,
            )
        for index, drug in enumerate(mention.drugs):
            begun = statement.started and not (drug in on_list and _again(output.text, statement))
            new = begun or (statement.scope is not Scope.CONTINUE and drug not in on_list)
            yield Exposure(
                drug,
                statement.scope,
                mention.span,
                mention.text,
                "output",
                new=new,
                statement=statement,
                index=index,
                mention=mention,
                later=number in later,
                deferred=number in plan.deferred,
                resolved=number in plan.resolved,
            )


_AGAIN: Final = re.compile(r"\b(?:re-?start\w*|resum\w+|re-?commenc\w+)\b", re.I)


def _again(text: str, statement: Statement) -> bool:
    """Whether the line restarts the drug: of one on the list that is no beginning."""
    start = text.rfind("\n", 0, statement.mention.span.start) + 1
    return _AGAIN.search(text, max(start, statement.clause.start - 40), statement.clause.end + 40) is not None


def _affirmed(text: str, prompt: ParsedText | None, output: ParsedText) -> Iterator[Exposure]:
    """Drugs that the prompt asks about and the output approves without naming them ("Yes, that is fine")."""
    if prompt is None or not _ASKS.search(prompt.text):
        return
    yes = _YES.search(text)
    if yes is None:
        return
    sentence = sentence_around(text, yes.start(), yes.end())
    if _NO_AFTER_YES.search(text, yes.start(), sentence.end):
        return
    span = Span(yes.start("yes"), yes.end("yes"))
    named = {drug for statement in output.statements for drug in statement.mention.drugs}
    for statement in prompt.statements:
        if statement.scope in (Scope.HISTORY, Scope.FAMILY, Scope.STOP):
            continue
        for index, drug in enumerate(statement.mention.drugs):
            if drug not in named:
                yield Exposure(
                    drug,
                    Scope.RECOMMEND,
                    span,
                    text[span.start : span.end],
                    "asked",
                    new=True,
                    statement=statement,
                    index=index,
                    mention=statement.mention,
                )
