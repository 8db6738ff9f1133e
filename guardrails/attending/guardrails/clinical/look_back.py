"""What a clause without a name says of the drug named last: "it should be stopped", "both were held"."""

from __future__ import annotations

from attending.guardrails.clinical.predicate import Predicate
from attending.guardrails.clinical.reading import Reading
from attending.guardrails.clinical.segments import Clause
from attending.guardrails.clinical.words import Cat, Token, word_set
from attending.guardrails.finding import Scope

_BOTH = word_set("both neither")
_ENDED = word_set("stopped held discontinued withheld suspended paused ceased withdrawn")
_WHEN_OR_WHY = word_set(
    "on for until till at by due because since yesterday today tonight when after pending from this last given owing "
    "as and overnight now here already permanently temporarily indefinitely"
)
_GOES_BACK = word_set("go goes went gone going put")
_RESUMED = word_set("restart restarted resume resumed resumes recommence recommenced reinstate reinstated")
_REFUSED = word_set("refused declined rejected")
_SUITED = word_set("tolerated tolerate suited suit agreed agree helped worked")


def look_back(
    mentions: list[Reading], last: int, clause: Clause, inside: list[Token], *, after_relative: bool
) -> None:
    """Gives "it should be stopped" and "..., which should be avoided" to the drug named last, where the text has
    only reported that drug so far. `last` is its index in `mentions`; `inside` are the tokens of the clause, and
    `after_relative` tells that the clause before it was a relative one."""
    groups, opener = list(clause.predicates), clause.opener
    if _kept_on(mentions[last], groups, inside) or _not_done(mentions, last, groups, opener, after_relative):
        return
    if opener is not None and opener.cat is Cat.RELATIVE and _did_not_suit(inside):
        _was_not_tolerated(mentions[last])
        return
    if any(t.word in _BOTH for t in inside[:3]):
        _of_both(mentions, last, groups, alone=_only_ended(inside[1:]))
        return
    pronoun = any(t.word in ("it", "this", "that", "which", "they", "these") for t in inside[:3]) or (
        opener is not None and opener.cat is Cat.RELATIVE and opener.word in ("which", "that")
    )
    relative = opener is not None and opener.cat is Cat.RELATIVE
    back = next(
        (p for p in groups if p.backward and (not p.fact or (relative and p.scope is Scope.STOP))), None
    )
    gave_up = _gave_it_up(groups, inside) if back is None else None
    if back is None and gave_up is None and (mentions[last].fact or not mentions[last].scope.prescriptive):
        gave_up = _refused_it(
            groups, inside
        )  # "take X, which the shop refused to give them" is an order still
    if gave_up is not None:
        back, pronoun = gave_up, True
    if back is not None and opener is not None and opener.word == ")":
        # "X (begun elsewhere) was stopped": what follows the brackets is said of X
        pronoun, gave_up = back.scope in (Scope.STOP, Scope.AVOID), back
    if back is None and _only_ended(inside):
        # "QTc 510 on haloperidol. Stopped."
        back = next((p for p in groups if p.cat is Cat.STOP and not p.negated), None)
        pronoun = back is not None
    if back is None and opener is not None and opener.word in (",", "-", "(", ":"):
        # "Warfarin: last dose was Monday, discontinued."
        back = next((p for p in groups if p.cat is Cat.STOP and not p.negated and p.fact), None)
        pronoun = back is not None
    if not pronoun or back is None:
        return
    reading = mentions[last]
    reported = reading.scope in (Scope.MENTION, Scope.HYPOTHETICAL) or (
        reading.scope is Scope.CONTINUE and reading.fact
    )
    if gave_up is not None:
        reported = reported or reading.scope.prescriptive
    if reported and back.scope in (Scope.AVOID, Scope.STOP):
        reading.scope, reading.started = back.scope, False
        reading.fact = back.fact


def _was_not_tolerated(reading: Reading) -> None:
    """Gives "X, which she had not tolerated" to the drug named last."""
    if not reading.governed or reading.fact:
        reading.scope, reading.started = Scope.HISTORY, False


def _only_ended(inside: list[Token]) -> bool:
    """Whether a clause is "stopped" or "held until Friday", without anything that was stopped or held."""
    if not inside or inside[0].word not in _ENDED:
        return False
    return len(inside) == 1 or not inside[1].word[:1].isalnum() or inside[1].word in _WHEN_OR_WHY


def _of_both(mentions: list[Reading], last: int, groups: list[Predicate], *, alone: bool) -> None:
    """Gives "both were stopped on arrival", and "both stopped", to the two drugs named last."""
    stop = next(
        (
            p
            for p in groups
            if (p.backward and p.scope in (Scope.STOP, Scope.AVOID))
            or (alone and p.cat is Cat.STOP and not p.negated)
        ),
        None,
    )
    if stop is None:
        return
    for index in range(max(0, last - 1), last + 1):
        reading = mentions[index]
        reported = reading.fact or reading.scope in (Scope.MENTION, Scope.HYPOTHETICAL)
        if reported and reading.scope.prescriptive | (reading.scope is Scope.HYPOTHETICAL):
            reading.scope, reading.started = Scope.STOP if stop.cat is Cat.STOP else stop.scope, False


def _not_done(
    mentions: list[Reading], last: int, groups: list[Predicate], opener: Token | None, after_relative: bool
) -> bool:
    """Gives "X was considered but not started" and "X, which ..., has not been resumed" to the drug named last."""
    denied = next(
        (
            p
            for p in groups
            if p.negated and p.scope is Scope.AVOID and p.cat in (Cat.START, Cat.TAKE, Cat.ORDER)
        ),
        None,
    )
    joins = opener is not None and (
        opener.cat is Cat.HARD or opener.word == "so" or (after_relative and opener.word == ",")
    )
    if denied is None or not joins:
        return False
    here = mentions[last].sentence
    near = [i for i in range(max(0, last - 3), last + 1) if mentions[i].sentence == here]
    # "they suggested A, but it clashes with B, so I have not prescribed it": what was suggested is not given
    meant = [i for i in near if mentions[i].scope is Scope.RECOMMEND] or near
    reading = mentions[meant[-1]]
    if reading.scope in (Scope.RECOMMEND, Scope.MENTION, Scope.HYPOTHETICAL, Scope.CONTINUE):
        reading.scope, reading.started = Scope.AVOID, False
    return True


def _kept_on(reading: Reading, groups: list[Predicate], inside: list[Token]) -> bool:
    """Gives "we carry on with it" to the drug named last, where the text has only told its past."""
    keeps = any(p.cat is Cat.CONTINUE and p.scope is Scope.CONTINUE and not p.negated for p in groups)
    again = any(t.word in _RESUMED for t in inside)
    back = any(
        t.word == "back" and k and inside[k - 1].word in _GOES_BACK | {"it", "them"}
        for k, t in enumerate(inside)
    )
    resumes = again and any(p.cat is Cat.START and not p.negated for p in groups)
    resumes = resumes or (back and any(t.word in _GOES_BACK for t in inside))
    ends = any(p.scope in (Scope.STOP, Scope.AVOID) for p in groups)
    if not (keeps or resumes) or ends or not any(t.word in ("it", "this", "them", "that") for t in inside):
        return False
    if reading.denied:
        return True
    if reading.scope is Scope.HISTORY or (resumes and reading.scope is Scope.STOP):
        reading.scope, reading.started = Scope.CONTINUE, False
    return True


def _gave_it_up(groups: list[Predicate], inside: list[Token]) -> Predicate | None:
    """The predicate of "she stopped it the same day" and "then came off it": a past end whose object is a pronoun."""
    for predicate in groups:
        if predicate.cat is not Cat.STOP or not predicate.fact or predicate.negated:
            continue
        verb = next((k for k, t in enumerate(inside) if t.cat is Cat.STOP), None)
        if verb is not None and any(
            t.word in ("it", "them", "this", "these") for t in inside[verb + 1 : verb + 4]
        ):
            return predicate
    return None


def _refused_it(groups: list[Predicate], inside: list[Token]) -> Predicate | None:
    """The predicate of "her husband rightly refused to give it": a refusal that was made, whose object is a pronoun."""
    verb = next((k for k, t in enumerate(inside) if t.word in _REFUSED), None)
    if verb is None or not any(t.word in ("it", "them") for t in inside[verb + 1 : verb + 5]):
        return None
    return next((p for p in groups if p.scope is Scope.AVOID), None)


def _did_not_suit(inside: list[Token]) -> bool:
    """Whether the words tell that a drug was given up: "had not tolerated", "did not agree with her"."""
    denied = False
    for token in inside:
        denied = denied or token.cat is Cat.NOT
        if denied and token.word in _SUITED:
            return True
    return False
