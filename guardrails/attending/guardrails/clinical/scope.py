"""The prescriptive scope of every drug mention and amount: what the sentence wants done with it.

Numbered steps, in the order of `read`:
1. headings and list introductions set a scope for the bare names below them;
2. a sentence is cut into clauses, each with its own predicate;
3. within a clause a predicate governs what follows it, a passive or an adjective what precedes it;
4. conditions, questions, family and past times turn a report into something nobody is told to do;
5. warned combinations are collected as pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attending.guardrails.clinical.chain import flip
from attending.guardrails.clinical.clauses import Sentence
from attending.guardrails.clinical.heading import heading_scope
from attending.guardrails.clinical.look_back import look_back
from attending.guardrails.clinical.marks import (
    crossed_out,
    exchange,
    marked,
    objectless,
    praised,
    special,
    under,
)
from attending.guardrails.clinical.modality import CONDITION, Setting, modality
from attending.guardrails.clinical.pairs import warned_pairs
from attending.guardrails.clinical.predicate import Predicate, predicates
from attending.guardrails.clinical.reading import Reading, Scopes
from attending.guardrails.clinical.segments import Clause, split_clauses
from attending.guardrails.clinical.tokens import tokenise
from attending.guardrails.clinical.words import Cat, Token, word_set
from attending.guardrails.finding import Scope

_INTERROGATIVE = word_set(
    "is are am do does did can could should would will may has have had was were which what when why how who"
)
_OCCASION = frozenset({"when", "whenever", "if", "once", "for", "in case"})
"""What opens a head that tells when, or for whom: "When a migraine strikes: take", "For your mum's hip: put"."""
_SPOKEN_OF = frozenset({Cat.MENTION, Cat.AMOUNT})
_BACK = frozenset({Cat.HARD, Cat.RELATIVE, Cat.STOP})
_POINTING = word_set("it this that which they these them both two")
"""What a clause without a name needs to change how the drug named last is meant (`look_back`, `warned_pairs`)."""
_MEANWHILE = word_set("meanwhile meantime instead")
_BY_MISTAKE = word_set("mistakenly erroneously inadvertently accidentally wrongly")
_GOES_ON = re.compile(
    r"\b(?:iv|im|po|sc|sl|push|bolus|mg|mcg|units) (?:now|stat)(?![\w'])"
    r"|\brepeat (?:in|every|at|q|after|if|as)\b"
)
"""What is given now or again is no history, whatever its heading: "Given: X 8 mg IV now, repeat in 20 min"."""
_CALLED_AFTER = re.compile(
    r"(?:[ -](?:dosing|monitoring|blood|anticoagulation|injection|start|titration))?"
    r"[ -](?:clinics?|nurses?|services?|teams?|diary|book(?:let)?|passport|alert card|appointments?"
    r"|visits?|waiting list)(?![\w-])"
)
"""Who or what is called after a drug."""
_ASKS_IF = re.compile(
    r"\b(?:if|unless|whether) (?:you|he|she|they|the patient|your child|the child|anyone)"
    r"(?: (?:are|is|have|has|take|takes|use|uses|also|ever|already|still|currently|taking|using|on)){0,4}[ :,.-]*\Z"
)
_EXPLAINED_BEHIND = frozenset({":", "-", "\u2013", "\u2014"})
_OUT_OF_PLAY = (Scope.AVOID, Scope.STOP, Scope.HISTORY)


def read(text: str, found: Sequence[Sentence], items: list[Token], mentions: int, amounts: int) -> Scopes:
    """The scopes of all `items` (tokens of mentions, amounts and rhythms, in text order)."""
    result = Scopes([Reading() for _ in range(mentions)], [Reading() for _ in range(amounts)])
    reader = _Reader(text, result)
    cursor = 0
    for number, sentence in enumerate(found):
        while cursor < len(items) and items[cursor].start < sentence.start:
            cursor += 1
        upto = cursor
        while upto < len(items) and items[upto].start < sentence.end:
            upto += 1
        reader.sentence(number, sentence, items[cursor:upto])
        cursor = upto
    result.pairs = reader.pairs()
    return result


class _Reader:
    def __init__(self, text: str, result: Scopes) -> None:
        self._text = text
        self._result = result
        self._heading: tuple[Scope, bool] | None = None
        self._bullets = False
        self._listed = False
        """Something stands under the heading already, so that an empty line ends its list."""
        self._asked = False
        """The heading opens a list of conditions: "Tell us first if you"."""
        self._section = False
        """The heading is a section title and not an introduction with a colon; only another one ends it."""
        self._earlier: list[int] = []
        self._nearest: int | None = None
        self._clause_id = 0
        self._after_relative = False
        self._pairs: dict[tuple[int, int], None] = {}

    def pairs(self) -> list[tuple[int, int]]:
        """The warned pairs of all sentences read so far, in text order."""
        return sorted(self._pairs)

    # step 1
    def sentence(self, number: int, sentence: Sentence, items: list[Token]) -> None:
        if sentence.first and not sentence.heading:
            ended = sentence.blank_before and self._listed and not self._section
            if not sentence.bullet and (ended or self._bullets):
                self._heading = None
            self._bullets, self._listed = sentence.bullet, True
        self._after_relative = False
        if self._nearest is None and not sentence.heading and not any(t.cat in _SPOKEN_OF for t in items):
            return
        tokens = tokenise(self._text, sentence.start, sentence.end, items)
        if sentence.heading:
            named = any(t.cat is Cat.MENTION for t in tokens)
            own = self._governor(tokens)
            said = own or heading_scope(self._text[sentence.start : sentence.end])
            # a list item that only looks like a heading ("- Lisinopril:") ends no list
            if said is not None or not (named or sentence.bullet):
                self._heading = said
            self._bullets = self._listed = False
            self._asked = _ASKS_IF.search(self._text, sentence.start, sentence.end) is not None
            self._section = not self._text[sentence.start : sentence.end].rstrip(" ").endswith(":")
            self._apply(number, sentence, tokens, self._heading if named else None)
            return
        if sentence.first and not sentence.bullet:
            self._asked = False
        heading = self._heading
        if self._asked and sentence.first and not any(t.cat is Cat.AMOUNT for t in items):
            self._apply(number, sentence, tokens, heading)
            for token in tokens:
                reading = self._of(token)
                if reading is not None and reading.scope not in (Scope.HISTORY, Scope.FAMILY):
                    reading.scope, reading.started = Scope.HYPOTHETICAL, False
            return
        if sentence.head_end:
            inside = [t for t in tokens if t.end <= sentence.head_end]
            if not any(t.cat is Cat.MENTION or t.word in ("it", "them") for t in inside):
                head = self._text[sentence.start : sentence.head_end]
                own = self._governor(inside)
                said = own or heading_scope(head)
                if said is not None:
                    heading = said
                if said is not None or (inside and inside[0].word in _OCCASION):
                    tokens = [t for t in tokens if t.start >= sentence.head_end]
        self._apply(number, sentence, tokens, heading)

    def _governor(self, tokens: list[Token]) -> tuple[Scope, bool] | None:
        """The scope that the last predicate of an introduction hands to its list."""
        groups = [p for p in predicates(tokens, 0, len(tokens)) if p.cat not in (Cat.ASK, Cat.DESCRIBE)]
        if tokens and tokens[0].cat is Cat.SUBORD:
            # "As you cannot have X, the plan is:" introduces no list of X
            clauses = split_clauses(tokens)
            groups = [
                p for c in clauses[1:] for p in c.predicates if p.cat not in (Cat.ASK, Cat.DESCRIBE)
            ] or ([] if len(clauses) > 1 else [p for p in groups if p.scope is not Scope.LIMIT])
        if not groups:
            return None
        if any(t.cat is Cat.ALLERGY for t in tokens):
            return Scope.HISTORY, False
        last = groups[-1]
        if last.scope is Scope.RECOMMEND:
            return last.scope, last.started
        return last.scope, False

    def _apply(
        self, number: int, sentence: Sentence, tokens: list[Token], heading: tuple[Scope, bool] | None
    ) -> None:
        if not any(t.cat in _SPOKEN_OF for t in tokens) and not self._refers_back(tokens):
            return
        if heading is not None and heading[0] is Scope.HISTORY:
            end = tokens[-1].end if tokens else sentence.start
            if _GOES_ON.search(self._text, sentence.start, end):
                heading = None
        clauses = split_clauses(tokens)
        first = next((t.word for t in tokens if t.cat is not Cat.PUNCT), "")
        question = sentence.question and first in _INTERROGATIVE
        groups = [(c, p) for c in clauses for p in c.predicates]
        setting = Setting(
            next((p for c, p in groups if not c.subordinate and not p.weak), None),
            any(p.cat is Cat.ASK for _, p in groups),
            tuple(k for k, t in enumerate(tokens) if t.cat is Cat.FAMILY),
            any(c.opener is not None and c.opener.word in CONDITION for c in clauses),
        )
        inherited: Predicate | None = None
        for k, clause in enumerate(clauses):
            following = clauses[k + 1] if k + 1 < len(clauses) else None
            inherited = self._clause(number, tokens, clause, inherited, heading, setting, following)
        named = [t.index for t in tokens if t.cat is Cat.MENTION]
        self._warn(tokens, clauses, named)
        if question:
            for token in tokens:
                reading = self._of(token)
                if reading is not None and reading.scope not in (Scope.HISTORY, Scope.FAMILY):
                    reading.scope, reading.started = Scope.HYPOTHETICAL, False
        if named:
            self._earlier = named

    def _refers_back(self, tokens: list[Token]) -> bool:
        """Whether a sentence that names no drug and no amount may still speak of the drug named last."""
        return self._nearest is not None and any(t.cat in _BACK or t.word in _POINTING for t in tokens)

    # step 5
    def _warn(self, tokens: list[Token], clauses: list[Clause], named: list[int]) -> None:
        scopes = {i: self._result.mentions[i].scope for i in named}
        for a, b in warned_pairs(tokens, clauses, scopes, self._earlier):
            self._pairs[min(a, b), max(a, b)] = None
            for index in (a, b):
                if self._result.mentions[index].scope is Scope.AVOID:
                    self._result.mentions[index].avoid_with = True

    def _of(self, token: Token) -> Reading | None:
        if token.cat is Cat.MENTION:
            return self._result.mentions[token.index]
        if token.cat is Cat.AMOUNT:
            return self._result.amounts[token.index]
        return None

    # steps 3 and 4
    def _clause(
        self,
        number: int,
        tokens: list[Token],
        clause: Clause,
        inherited: Predicate | None,
        heading: tuple[Scope, bool] | None,
        setting: Setting,
        following: Clause | None,
    ) -> Predicate | None:
        self._clause_id += 1
        groups = list(clause.predicates)
        inside = tokens[clause.start : clause.end]
        opener = clause.opener
        carries = opener is None or opener.cat not in (Cat.SUBORD, Cat.HARD)
        inherited = _handed_on(inherited, tokens, clause, listed=heading is not None)
        elliptical = not groups and (_neither(inside) or (inherited is not None and _elliptical(inside)))
        governor = inherited if not groups and (carries or elliptical) else None
        mentions_here = any(t.cat is Cat.MENTION for t in inside)
        queue = {p.start: p for p in groups}
        mark: str | None = None
        assigned: list[tuple[int, Predicate | None, str | None]] = []
        current = governor
        for i in range(clause.start, clause.end):
            token = tokens[i]
            if i in queue:
                current, mark = queue[i], None
            elif token.cat is Cat.MENTION and _list_goes_on(tokens, clause.start, i, current):
                # "A was struck off the sheet, B 4.5 g": what is said of A is not said of B
                current = None
            mark = special(tokens, i, clause, mark)
            if token.cat in (Cat.MENTION, Cat.AMOUNT):
                crossed = mark is None and crossed_out(tokens, i, clause.end)
                assigned.append((i, current, "cross" if crossed else mark))
        span = (inside[0].start, inside[-1].end) if inside else (0, 0)
        history = any(t.cat is Cat.HISTORY for t in inside)
        for index, predicate, mark in assigned:
            token = tokens[index]
            reading = self._of(token)
            if reading is None:
                continue
            if token.cat is Cat.MENTION:
                self._nearest = token.index
            reading.sentence, reading.clause, reading.clause_id = number, span, self._clause_id
            back = next((p for p in groups if p.backward and p.start > index), None)
            if back is not None and (
                praised(tokens, clause.start, index, back) or _ordered_before(tokens, index, back)
            ):
                back = None
            final = predicate if predicate is not None and predicate.start < index else None
            if predicate is governor and governor is not None:
                final = governor
            if back is not None and (final is None or final.weak):
                scope, started = under(back, final)
                chosen: Predicate | None = back
            elif final is not None:
                scope, started, chosen = final.scope, final.started, final
                if final.cat is Cat.DESCRIBE and final.negated and _own(tokens, index):
                    # "it does not affect your warfarin" reassures of what is taken
                    scope = Scope.CONTINUE
            else:
                topic, reach = next((p for p in groups if p.start > index), None), clause.end
                if topic is None and following is not None:
                    topic, reach = _comment(tokens, following), following.end
                if topic is not None and _ordered_before(tokens, index, topic):
                    topic = None
                if (
                    topic is not None
                    and objectless(tokens, topic, reach)
                    and not (heading and heading[0] in _OUT_OF_PLAY and topic.scope.prescriptive)
                ):
                    scope, started, chosen = topic.scope, topic.started, topic
                elif heading is not None:
                    scope, started, chosen = heading[0], heading[1], None
                    reading.governed = True
                else:
                    scope, started, chosen = Scope.MENTION, False, None
            reading.governed = reading.governed or chosen is not None
            reading.fact = chosen is not None and chosen.fact
            if elliptical:
                scope, started = (Scope.AVOID if _neither(inside) else flip(scope)), False
                reading.governed = True
            if (
                chosen is not None
                and chosen.backward
                and chosen.start < index
                and _reason(tokens, chosen.end, index)
            ):
                # "A is a poor choice because of the B": B is the reason and is judged by itself
                scope, started = (Scope.AVOID if _neither(inside) else Scope.MENTION), False
            if mark is not None:
                scope, started = marked(mark, scope, started, chosen)
                reading.governed = True
            if (
                chosen is not None
                and chosen.cat in (Cat.SWITCH, Cat.REPLACE, Cat.CHANGE)
                and token.cat is Cat.MENTION
                and (
                    scope in (Scope.RECOMMEND, Scope.STOP)
                    or (chosen.negated and chosen.cat is not Cat.CHANGE)
                )
            ):
                scope, started = exchange(tokens, index, clause, chosen, scope, started)
            if chosen is not None and chosen.negated and chosen.cat is Cat.CHANGE:
                # "do not double the dose": the drug is kept, the change is not made
                if token.cat is Cat.AMOUNT:
                    scope = Scope.AVOID
                elif scope is Scope.AVOID:
                    scope, started = Scope.CONTINUE, False
            reading.denied = mark == "not" or (chosen is not None and chosen.negated)
            scope, started = modality(tokens, index, clause, chosen, scope, started, setting, history)
            if scope is Scope.STOP and chosen is not None and chosen.fact and _mistaken(inside):
                # "was struck from the list in error": it should not have been
                scope = Scope.MENTION
            if token.cat is Cat.MENTION and _CALLED_AFTER.match(self._text, token.end):
                # "no need to come to the warfarin clinic": the visit is spared, and not the drug
                scope, reading.governed = Scope.MENTION, False
            reading.scope, reading.started = scope, started and scope is Scope.RECOMMEND
        if not mentions_here and self._nearest is not None:
            look_back(
                self._result.mentions, self._nearest, clause, inside, after_relative=self._after_relative
            )
        if opener is None or opener.cat is not Cat.SUBORD:
            self._after_relative = opener is not None and opener.cat is Cat.RELATIVE
        if opener is not None and opener.word == "(":
            # what stands in brackets governs nothing behind them
            return inherited
        if groups and not (opener is not None and opener.cat is Cat.SUBORD):
            return groups[-1]
        return inherited


def _handed_on(
    inherited: Predicate | None, tokens: list[Token], clause: Clause, *, listed: bool
) -> Predicate | None:
    """The predicate of the clauses before, where it still speaks in this one. `listed` tells that a heading governs."""
    opener = clause.opener
    if inherited is None or opener is None:
        return inherited
    inside = tokens[clause.start : clause.end]
    bare = not clause.predicates
    if opener.cat is Cat.HARD and bare and not any(t.cat is Cat.NOT for t in inside):
        return None
    if opener.word != ";":
        return inherited
    if bare and listed:
        return None
    if bare and _looks_behind(inherited) and any(t.cat is Cat.MENTION for t in tokens[: inherited.start]):
        # "A was taken off the list; B 5 mg daily": what is said of A is not said of B
        return None
    if inherited.scope in (Scope.STOP, Scope.AVOID) and any(t.word in _MEANWHILE for t in inside):
        # "hold A until the result is back; B 500 mg twice daily meanwhile"
        return None
    return inherited


def _list_goes_on(tokens: list[Token], start: int, i: int, current: Predicate | None) -> bool:
    """Whether the name at `i` stands behind a comma, with an amount, after an end told of the name before it."""
    if current is None or not _looks_behind(current) or current.cat is not Cat.STOP or not current.fact:
        return False
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    return (
        i > current.end
        and tokens[i - 1].word == ","
        and after is not None
        and after.cat is Cat.AMOUNT
        and any(t.cat is Cat.MENTION for t in tokens[start : current.start])
    )


def _mistaken(inside: list[Token]) -> bool:
    """Whether the clause calls what it tells a mistake: "in error", "by mistake"."""
    return any(
        (t.word in ("error", "mistake", "accident") and inside[k - 1].word in ("in", "by"))
        or t.word in _BY_MISTAKE
        for k, t in enumerate(inside)
    )


def _looks_behind(predicate: Predicate | None) -> bool:
    """Whether the predicate says something of the names before it, and nothing of what follows."""
    return (
        predicate is not None
        and predicate.scope is not Scope.RECOMMEND
        and (predicate.backward or predicate.cat is Cat.DESCRIBE)
    )


def _own(tokens: list[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].word in ("your", "his", "her", "their", "my")


def _reason(tokens: list[Token], start: int, index: int) -> bool:
    return any(t.word in ("because of", "due to", "owing to", "in light of") for t in tokens[start:index])


def _ordered_before(tokens: list[Token], index: int, described: Predicate) -> bool:
    """Whether a dose with its rhythm stands between an item and a colon or dash, behind which `described` tells what a
    drug does: "A 5 mg daily with B 400 mg three times a day: B raises the risk" orders both, and explains.
    """
    if described.cat is not Cat.DESCRIBE or tokens[index].cat is not Cat.MENTION:
        return False
    end = next(
        (k for k in range(described.start - 1, index, -1) if tokens[k].word in _EXPLAINED_BEHIND), None
    )
    if end is None:
        return False
    own = tokens[index + 1 : end]
    return any(t.cat is Cat.AMOUNT for t in own) and any(t.cat is Cat.RHYTHM for t in own)


def _comment(tokens: list[Token], clause: Clause) -> Predicate | None:
    """The predicate of a clause that comments on the topic before it: "Warfarin 5 mg daily - stop"."""
    if clause.opener is None or clause.opener.word not in (":", "-", "(", ",") or not clause.predicates:
        return None
    if clause.opener.word == "," and not clause.predicates[0].scope.prescriptive:
        return None
    if any(t.cat is Cat.MENTION for t in tokens[clause.start : clause.end]):
        return None
    return clause.predicates[0]


def _neither(inside: list[Token]) -> bool:
    """Whether a clause ends in "isn't either": what is said of the drug before it, that it is not used, holds too."""
    words = [t.word for t in inside if t.cat is not Cat.PUNCT]
    return len(words) > 1 and words[-1] == "either" and (words[-2].endswith("n't") or words[-2] == "not")


def _elliptical(inside: list[Token]) -> bool:
    """Whether a clause without a verb of its own ends in a negation: "X is fine but Y is not"."""
    words = [t for t in inside if t.cat is not Cat.PUNCT]
    if not words or not any(t.cat is Cat.MENTION for t in words):
        return False
    last = words[-1]
    if last.cat is Cat.NOT and last.word not in ("no", "not only"):
        return True
    return last.word in ("so", "be") and len(words) > 1 and words[-2].cat is Cat.NOT
