"""When a drug is named but nobody is told to take it: conditions, families, allergies, past times, possibilities."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from attending.guardrails.clinical.predicate import Predicate
from attending.guardrails.clinical.segments import Clause
from attending.guardrails.clinical.words import Cat, Token
from attending.guardrails.finding import Scope

WHILE = frozenset({"while", "when", "whenever"})
CONDITION = frozenset(
    {
        "if",
        "unless",
        "whether",
        "even if",
        "only if",
        "in case",
        "assuming",
        "suppose",
        "should you",
        "in the event",
        "even when",
        "provided",
        "provided that",
    }
)
REASON = frozenset({"because", "since", "given that", "even though", "despite", "as long as", "so long as"})
_ALLERGIC_AFTER = frozenset({"reaction", "reactions", "sensitivity", "sensitivities"})
_TOPIC_AFTER = frozenset(
    {
        "toxicity",
        "overdose",
        "overdoses",
        "poisoning",
        "withdrawal",
        "interaction",
        "interactions",
        "use",
        "washout",
        "wash-out",
        "decision",
        "query",
        "question",
    }
)
_ALLERGY_LINK = frozenset({"to", "from", "with", ":", "including", "after"})
_ENTERED = frozenset(
    {
        "recorded", "listed", "kept", "left", "stay", "stays", "staying", "remain", "remains", "entered", "flagged",
        "documented", "noted", "chart", "record", "file", "notes",
    }
)  # fmt: skip
_REACH = 40
_PROPOSED = (Cat.TAKE, Cat.START)
_SUBJECTS = frozenset({"i", "he", "she", "you", "patient", "pt", "we", "i'm", "you're"})


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for a whole sentence: its main predicate, whether it tells to ask someone, the tokens that name a
    relative, in order, and whether a clause of it is a condition."""

    main: Predicate | None
    asks: bool
    family: tuple[int, ...]
    conditional: bool = False


def modality(
    tokens: list[Token],
    index: int,
    clause: Clause,
    chosen: Predicate | None,
    scope: Scope,
    started: bool,
    setting: Setting,
    history: bool,
) -> tuple[Scope, bool]:
    """The scope that is left of `scope` for the item at `index`; `history` says that the clause speaks of the past."""
    directive = chosen is not None and not chosen.fact and not chosen.weak
    if tokens[index].cat is Cat.MENTION and index + 1 < clause.end:
        after = tokens[index + 1]
        if after.cat is Cat.ALLERGY or after.word in _ALLERGIC_AFTER:
            return Scope.HISTORY, False
        own_verb = chosen is not None and chosen.start == index + 1 and after.word == "use"
        if after.word in _TOPIC_AFTER and (chosen is None or own_verb):
            return Scope.HYPOTHETICAL, False
    if _allergic(tokens, index, clause, chosen) or _on_allergy_list(tokens, index, clause):
        return Scope.HISTORY, False
    if not directive and _of_relative(tokens, index, setting.family):
        return Scope.FAMILY, False
    if history and scope is Scope.CONTINUE and _until_then(tokens, clause):
        return Scope.HISTORY, False
    if history and not directive and scope not in (Scope.STOP, Scope.AVOID):
        if (
            chosen is not None
            and chosen.cat is Cat.START
            and not chosen.negated
            and _dated_only(tokens, clause)
        ):
            # "was begun in 2021" says since when, not until when
            return Scope.CONTINUE, False
        return Scope.HISTORY, False
    # "you could take X" proposes it; "X could be considered" does not yet
    possible = chosen is not None and chosen.unreal and (chosen.backward or chosen.cat not in _PROPOSED)
    if possible and scope in (Scope.RECOMMEND, Scope.CONTINUE):
        return Scope.HYPOTHETICAL, False
    later = setting.conditional and chosen is not None and chosen.cat is Cat.ADVISE
    if later and chosen is not None and scope is Scope.RECOMMEND and _own_future(tokens, clause, chosen):
        return Scope.HYPOTHETICAL, False
    opener = clause.opener
    if opener is None:
        return scope, started
    if opener.word == "since" and chosen is not None and chosen.cat is Cat.START and scope is Scope.RECOMMEND:
        # "since starting X", "since being started on X": it is being taken
        return (Scope.CONTINUE, False) if _undergone(tokens, chosen) else (scope, started)
    if opener.cat is Cat.SUBORD and opener.word not in REASON:
        return _conditional(opener.word, chosen, scope, started, setting)
    reported = chosen is not None and chosen.fact and scope is Scope.CONTINUE
    generic = any(t.cat is Cat.GENERIC for t in tokens[max(0, clause.start - 3) : clause.start])
    used = chosen is not None and chosen.cat is Cat.TAKE and scope is Scope.RECOMMEND
    if opener.cat is Cat.RELATIVE and generic and (reported or used):
        # "in people who used X" tells nobody to take it
        return Scope.HYPOTHETICAL, False
    return scope, started


def _until_then(tokens: list[Token], clause: Clause) -> bool:
    """Whether the clause ends what it tells of in a past year ("maintained on X until 2022")."""
    return any(
        t.cat is Cat.HISTORY and t.word.startswith("until ") for t in tokens[clause.start : clause.end]
    )


def _dated_only(tokens: list[Token], clause: Clause) -> bool:
    past = [t.word for t in tokens[clause.start : clause.end] if t.cat is Cat.HISTORY]
    return all(word.startswith(("in ", "since ")) and word[-1:].isdigit() for word in past)


def _own_future(tokens: list[Token], clause: Clause, chosen: Predicate) -> bool:
    """Whether the writer says what they will advise later ("if it does not improve, I will recommend X")."""
    words = {t.word for t in tokens[clause.start : chosen.end]}
    return bool(words & {"i'll", "we'll"}) or (
        bool(words & {"i", "we"}) and bool(words & {"will", "may", "might"})
    )


def _of_relative(tokens: list[Token], index: int, family: tuple[int, ...]) -> bool:
    """Whether the relative named last before the item is still the subject."""
    at = bisect_left(family, index) - 1
    if at < 0:
        return False
    between = tokens[max(family[at] + 1, index - _REACH) : index]
    return not any(t.word in _SUBJECTS or t.word == ";" for t in between)


def _allergic(tokens: list[Token], index: int, clause: Clause, chosen: Predicate | None) -> bool:
    """Whether "allergic to", "reaction to" or "allergies:" governs the item, with no act in between."""
    low = max(clause.start, index - _REACH)
    if (
        chosen is not None
        and chosen.start > low
        and not chosen.backward
        and chosen.start < index
        and not chosen.fact
    ):
        low = chosen.end
    for k in range(low, index):
        token = tokens[k]
        if token.word == "allergies":
            # "no drug allergies, so we send X": the consequence names no allergy
            return not any(t.word in ("so", "therefore", "hence", ";") for t in tokens[k:index])
        reacts = token.cat is Cat.ALLERGY or token.word in _ALLERGIC_AFTER
        if not reacts or k + 1 >= len(tokens):
            continue
        link = tokens[k + 1].word
        named = k > 0 and tokens[k - 1].cat is Cat.MENTION
        if link in _ALLERGY_LINK and not (named and link == ":"):
            # "Penicillin anaphylaxis: X crossed off, Y 1 g": the heading names its drug, and X is no other
            return True
        if link == "(" and named and k + 2 == index:
            # "penicillin anaphylaxis (amoxicillin, 2008)"
            return True
    return False


def _on_allergy_list(tokens: list[Token], index: int, clause: Clause) -> bool:
    """Whether the item only stands on a list: "I have kept X on her allergy list", "X is recorded as an allergy"."""
    entered = False
    for k in range(index + 1, min(clause.end, index + _REACH)):
        token = tokens[k]
        if token.cat is Cat.ALLERGY:
            return entered and token.word not in ("rash", "hives", "angioedema")
        if token.word in ("on", "as", "among", "under"):
            entered = True
        elif not (
            token.cat in (Cat.MENTION, Cat.COORD, Cat.FILLER, Cat.PRONOUN, Cat.BE, Cat.HAVE)
            or token.word in _ENTERED
            or token.word in (",", "(", ")", "'", '"')
        ):
            return False
    return False


def _undergone(tokens: list[Token], chosen: Predicate) -> bool:
    """Whether the act is a gerund or a passive that is over: "starting X", "being started on X", "he was put on X"."""
    before = tokens[max(0, chosen.start - 3) : chosen.start]
    if any(t.word in ("are", "am", "will", "is", "i'm", "we're") for t in before):
        return False
    return (
        chosen.weak
        or tokens[chosen.start].word.endswith("ing")
        or any(t.word in ("being", "was", "were") for t in before)
    )


def _conditional(
    word: str, chosen: Predicate | None, scope: Scope, started: bool, setting: Setting
) -> tuple[Scope, bool]:
    """Scope inside a subordinate clause opened by `word`."""
    if scope is Scope.STOP and word in CONDITION and chosen is not None:
        # who misses a dose is on the drug; "if you stop X" says neither
        return (Scope.CONTINUE if chosen.cat is Cat.SKIP else Scope.HYPOTHETICAL), False
    if scope in (Scope.AVOID, Scope.STOP, Scope.HISTORY, Scope.FAMILY):
        return scope, False
    main = setting.main
    if word in CONDITION or setting.asks:
        return Scope.HYPOTHETICAL, False
    if word in WHILE:
        if main is None or not main.scope.prescriptive:
            return Scope.HYPOTHETICAL, False
        return Scope.CONTINUE, False
    if chosen is not None and chosen.cat is Cat.START:
        return scope, started
    if main is not None and main.scope in (Scope.AVOID, Scope.STOP) and scope is Scope.RECOMMEND:
        return Scope.HYPOTHETICAL, False
    return (Scope.CONTINUE if chosen is not None else scope), False
