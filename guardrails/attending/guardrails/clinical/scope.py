"""The prescriptive scope of every drug mention and amount: what the sentence wants done with it.

Numbered steps, in the order of `read`:
1. headings and list introductions set a scope for the bare names below them;
2. a sentence is cut into clauses, each with its own predicate;
3. within a clause a predicate governs what follows it, a passive or an adjective what precedes it;
4. conditions, questions, family and past times turn a report into something nobody is told to do;
5. warned combinations are collected as pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

from attending.guardrails.clinical.clauses import Sentence
from attending.guardrails.clinical.heading import heading_scope
from attending.guardrails.clinical.predicate import PREDICATES, Predicate, flip, predicates
from attending.guardrails.clinical.words import Cat, Form, Token, tokenise
from attending.guardrails.finding import Scope

_LOOKAHEAD = 48
_WHILE = frozenset({"while", "when", "whenever"})
_CONDITION = frozenset(
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
_REASON = frozenset({"because", "since", "given that", "even though", "despite", "as long as", "so long as"})
_INTERROGATIVE = frozenset(
    "is are am do does did can could should would will may has have had was were which what when why how who".split()
)
_OUT_OF_PLAY = (Scope.AVOID, Scope.STOP, Scope.HISTORY)


@dataclass(slots=True)
class Reading:
    """How the item (mention or amount) is meant; `clause` is a span of the normalised text."""

    scope: Scope = Scope.MENTION
    started: bool = False
    clause: tuple[int, int] = (0, 0)
    avoid_with: bool = False
    governed: bool = False
    """A predicate or a heading decided, not the default."""
    sentence: int = -1
    clause_id: int = -1
    fact: bool = False


@dataclass(slots=True)
class Scopes:
    """The readings of all mentions and amounts, by index, and the warned pairs of mentions."""

    mentions: list[Reading]
    amounts: list[Reading]
    pairs: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Clause:
    start: int
    end: int
    opener: Token | None
    predicates: tuple[Predicate, ...]


def read(text: str, found: list[Sentence], items: list[Token], mentions: int, amounts: int) -> Scopes:
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
    return result


class _Reader:
    def __init__(self, text: str, result: Scopes) -> None:
        self._text = text
        self._result = result
        self._heading: tuple[Scope, bool] | None = None
        self._bullets = False
        self._last_mention: int | None = None
        self._clause_id = 0

    # step 1
    def sentence(self, number: int, sentence: Sentence, items: list[Token]) -> None:
        if sentence.first and sentence.blank_before and not sentence.bullet and not sentence.heading:
            self._heading = None
        elif sentence.first and self._bullets and not sentence.bullet and not sentence.heading:
            self._heading = None
        if sentence.first and not sentence.heading:
            self._bullets = sentence.bullet
        tokens = tokenise(self._text, sentence.start, sentence.end, items)
        if sentence.heading:
            named = any(t.cat is Cat.MENTION for t in tokens)
            own = self._governor(tokens)
            said = own or heading_scope(self._text[sentence.start : sentence.end])
            if not named or said is not None:
                if not (sentence.bullet and said is None):
                    self._heading = said
            self._bullets = False
            self._apply(number, sentence, tokens, self._heading if named else None)
            return
        heading = self._heading
        if sentence.head_end:
            inside = [t for t in tokens if t.end <= sentence.head_end]
            if not any(t.cat is Cat.MENTION for t in inside):
                head = self._text[sentence.start : sentence.head_end]
                own = self._governor(inside)
                said = own or heading_scope(head)
                if said is not None:
                    heading = said
                    tokens = [t for t in tokens if t.start >= sentence.head_end]
        self._apply(number, sentence, tokens, heading)

    def _governor(self, tokens: list[Token]) -> tuple[Scope, bool] | None:
        """The scope that the last predicate of an introduction hands to its list."""
        groups = [p for p in predicates(tokens, 0, len(tokens)) if p.cat not in (Cat.ASK, Cat.DESCRIBE)]
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
        if not tokens:
            return
        clauses = _split(tokens)
        question = sentence.question and tokens[0].word in _INTERROGATIVE
        main: Predicate | None = next(
            (
                p
                for c in clauses
                for p in c.predicates
                if not (c.opener and c.opener.cat is Cat.SUBORD) and not p.weak
            ),
            None,
        )
        asks = any(p.cat is Cat.ASK for c in clauses for p in c.predicates)
        inherited: Predicate | None = None
        for clause in clauses:
            inherited = self._clause(number, tokens, clause, inherited, heading, main, asks)
        self._pairs(tokens, clauses, main)
        if question:
            for token in tokens:
                reading = self._of(token)
                if reading is not None and reading.scope not in (Scope.HISTORY, Scope.FAMILY):
                    reading.scope, reading.started = Scope.HYPOTHETICAL, False
        mentioned = [t.index for t in tokens if t.cat is Cat.MENTION]
        if mentioned:
            self._last_mention = mentioned[-1]

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
        clause: _Clause,
        inherited: Predicate | None,
        heading: tuple[Scope, bool] | None,
        main: Predicate | None,
        asks: bool,
    ) -> Predicate | None:
        self._clause_id += 1
        groups = list(clause.predicates)
        inside = tokens[clause.start : clause.end]
        opener = clause.opener
        own_governor = next((p for p in groups if not p.weak), groups[0] if groups else None)
        carries = opener is None or opener.cat not in (Cat.SUBORD, Cat.HARD)
        if (
            opener is not None
            and opener.cat is Cat.HARD
            and not groups
            and not any(t.cat is Cat.NOT for t in inside)
        ):
            inherited = None
        governor = None if groups else (inherited if carries or opener is None else None)
        mentions_here = any(t.cat is Cat.MENTION for t in inside)
        queue = {p.start: p for p in groups}
        special: str | None = None
        assigned: list[tuple[Token, Predicate | None, str | None]] = []
        current = governor
        for i in range(clause.start, clause.end):
            token = tokens[i]
            if i in queue:
                current, special = queue[i], None
            special = _special(tokens, i, clause, special, current)
            if token.cat in (Cat.MENTION, Cat.AMOUNT):
                assigned.append((token, current, special))
        span = (inside[0].start, inside[-1].end) if inside else (0, 0)
        for token, predicate, mark in assigned:
            reading = self._of(token)
            if reading is None:
                continue
            index = tokens.index(token)
            reading.sentence, reading.clause, reading.clause_id = number, span, self._clause_id
            back = next((p for p in groups if p.backward and p.start > index), None)
            final = predicate if predicate is not None and predicate.start < index else None
            if predicate is governor and governor is not None:
                final = governor
            if back is not None and (final is None or final.weak):
                scope, started = _under(back, final)
                chosen: Predicate | None = back
            elif final is not None:
                scope, started, chosen = final.scope, final.started, final
            else:
                topic = next((p for p in groups if p.start > index), None) if mentions_here else None
                if (
                    topic is not None
                    and _objectless(tokens, topic, clause)
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
            if mark is not None:
                scope, started = _marked(mark, scope, started, chosen)
                reading.governed = True
            if (
                chosen is not None
                and chosen.cat in (Cat.SWITCH, Cat.REPLACE, Cat.CHANGE)
                and token.cat is Cat.MENTION
                and scope in (Scope.RECOMMEND, Scope.STOP)
            ):
                scope, started = _exchange(tokens, index, clause, chosen, scope, started)
            scope, started = self._modality(tokens, index, clause, chosen, scope, started, main, asks)
            reading.scope, reading.started = scope, started and scope is Scope.RECOMMEND
        if not mentions_here:
            self._look_back(groups, opener, inside)
        if own_governor is not None and not (opener is not None and opener.cat is Cat.SUBORD):
            return next((p for p in reversed(groups)), own_governor)
        return inherited

    def _modality(
        self,
        tokens: list[Token],
        index: int,
        clause: _Clause,
        chosen: Predicate | None,
        scope: Scope,
        started: bool,
        main: Predicate | None,
        asks: bool,
    ) -> tuple[Scope, bool]:
        inside = tokens[clause.start : clause.end]
        opener = clause.opener
        directive = chosen is not None and not chosen.fact and not chosen.weak
        after = tokens[index + 1] if index + 1 < clause.end else None
        if tokens[index].cat is Cat.MENTION:
            if after is not None and (
                after.cat is Cat.ALLERGY or after.word in ("reaction", "allergic", "sensitivity", "reactions")
            ):
                return Scope.HISTORY, False
            if (
                after is not None
                and after.word
                in (
                    "toxicity",
                    "overdose",
                    "poisoning",
                    "withdrawal",
                    "interaction",
                    "interactions",
                    "use",
                    "allergic",
                )
                and chosen is None
            ):
                return Scope.HYPOTHETICAL, False
        before = tokens[clause.start : index]
        if any(
            t.cat is Cat.ALLERGY or t.word in ("reaction", "reactions", "sensitivity")
            for k, t in enumerate(before)
            if k + 1 < len(before)
            and before[k + 1].word in ("to", "from", "with", ":", "including")
            or t.word in ("allergies",)
        ) and not (
            chosen is not None
            and chosen.start > clause.start
            and any(t.cat is Cat.ALLERGY for t in tokens[clause.start : chosen.start])
        ):
            return Scope.HISTORY, False
        if any(t.cat is Cat.FAMILY for t in tokens[:index]) and (not directive):
            return Scope.FAMILY, False
        if (
            any(t.cat is Cat.HISTORY for t in inside)
            and not directive
            and scope not in (Scope.STOP, Scope.AVOID)
        ):
            return Scope.HISTORY, False
        if (
            chosen is not None
            and chosen.unreal
            and scope in (Scope.RECOMMEND, Scope.CONTINUE)
            and (chosen.backward or chosen.cat is not Cat.TAKE and chosen.cat is not Cat.START)
        ):
            return Scope.HYPOTHETICAL, False
        if opener is None:
            return scope, started
        if opener.cat is Cat.SUBORD and opener.word not in _REASON:
            return _conditional(opener.word, chosen, scope, started, main, asks)
        if opener.cat is Cat.RELATIVE and chosen is not None and chosen.fact and scope is Scope.CONTINUE:
            start = next(k for k, t in enumerate(tokens) if t is opener)
            if any(t.cat is Cat.GENERIC or t.word == "doses" for t in tokens[max(0, start - 3) : start]):
                return Scope.HYPOTHETICAL, False
        return scope, started

    def _look_back(self, groups: list[Predicate], opener: Token | None, inside: list[Token]) -> None:
        """ "It should be stopped", "..., which should be avoided": about the drug named last, where that was only reported."""
        if self._last_mention is None and opener is None:
            return
        pronoun = any(t.word in ("it", "this", "that", "which", "they", "these") for t in inside[:3]) or (
            opener is not None and opener.cat is Cat.RELATIVE and opener.word in ("which", "that")
        )
        back = next((p for p in groups if p.backward and not p.fact), None)
        if not pronoun or back is None:
            return
        candidates = [i for i, r in enumerate(self._result.mentions) if r.sentence >= 0]
        if not candidates:
            return
        reading = self._result.mentions[max(candidates)]
        if reading.scope in (Scope.MENTION, Scope.HYPOTHETICAL) or (
            reading.scope is Scope.CONTINUE and reading.fact
        ):
            if back.scope in (Scope.AVOID, Scope.STOP):
                reading.scope, reading.started = back.scope, False

    # step 5
    def _pairs(self, tokens: list[Token], clauses: list[_Clause], main: Predicate | None) -> None:
        for clause in clauses:
            inside = tokens[clause.start : clause.end]
            mentions = [t for t in inside if t.cat is Cat.MENTION]
            readings = [self._result.mentions[t.index] for t in mentions]
            warned = [
                (t, r)
                for t, r in zip(mentions, readings, strict=True)
                if r.scope in (Scope.AVOID, Scope.HYPOTHETICAL)
            ]
            if not warned:
                continue
            describes = any(p.cat is Cat.DESCRIBE for p in clause.predicates)
            if not any(r.scope is Scope.AVOID for _, r in warned) and not describes:
                continue
            joined = (
                any(p.pair for p in clause.predicates)
                or any(t.cat is Cat.TOGETHER for t in inside)
                or any(t.cat is Cat.DESCRIBE and "interact" in t.word for t in inside)
            )
            links = [t for t in inside if t.cat is Cat.WITH or t.cat is Cat.TOGETHER]
            pairs: list[tuple[int, int]] = []
            if len(warned) >= 2 and joined and not links:
                pairs = [(a.index, b.index) for (a, _), (b, _) in combinations(warned, 2)]
            elif links:
                link = links[0]
                left = [t for t, _ in warned if t.start < link.start]
                right = [t for t, _ in warned if t.start > link.start]
                if left and right:
                    pairs = [(a.index, b.index) for a in left for b in right]
                elif (
                    right
                    and self._last_mention is not None
                    and any(
                        t.word in ("it", "this", "them", "these", "that")
                        for t in inside
                        if t.start < link.start
                    )
                ):
                    pairs = [(self._last_mention, b.index) for b in right if b.index != self._last_mention]
                elif len(warned) >= 2 and joined:
                    pairs = [(a.index, b.index) for (a, _), (b, _) in combinations(warned, 2)]
                elif (
                    left
                    and self._last_mention is not None
                    and any(t.word in ("it", "this", "them", "these") for t in inside if t.start > link.start)
                ):
                    pairs = [(self._last_mention, a.index) for a in left if a.index != self._last_mention]
            self._warn(pairs)
        avoided = [
            t
            for c in clauses
            for t in tokens[c.start : c.end]
            if t.cat is Cat.MENTION and self._result.mentions[t.index].scope is Scope.AVOID
        ]
        conditional = [
            t
            for c in clauses
            if c.opener is not None
            and (
                c.opener.word in _WHILE
                or c.opener.word in _CONDITION - {"unless", "whether"}
                or c.opener.word in _REASON
                or c.opener.cat is Cat.RELATIVE
            )
            for t in tokens[c.start : c.end]
            if t.cat is Cat.MENTION
            and self._result.mentions[t.index].scope in (Scope.HYPOTHETICAL, Scope.CONTINUE)
        ]
        self._warn([(a.index, b.index) for a in avoided for b in conditional])

    def _warn(self, pairs: list[tuple[int, int]]) -> None:
        for a, b in pairs:
            pair = (min(a, b), max(a, b))
            if pair in self._result.pairs:
                continue
            self._result.pairs.append(pair)
            for index in pair:
                reading = self._result.mentions[index]
                if reading.scope is Scope.AVOID:
                    reading.avoid_with = True


def _special(
    tokens: list[Token], i: int, clause: _Clause, special: str | None, current: Predicate | None
) -> str | None:
    """Marks that turn what follows until the next comma or predicate: except, instead of, without, not, than."""
    token = tokens[i]
    if token.cat is Cat.EXCEPT:
        return "except"
    if token.cat is Cat.INSTEAD:
        return "instead"
    if token.cat is Cat.WITHOUT:
        return "without"
    if token.cat is Cat.THAN:
        return "than"
    if (
        token.cat is Cat.NOT
        and token.word in ("not", "no", "nor", "neither", "never")
        and _names_drug(tokens, i + 1, clause.end)
    ):
        return "not"
    if token.word in (",", ")", ";", ":") and special is not None and special != "not":
        # "except A, B and C": the list goes on as long as names follow
        return (
            special if _names_drug(tokens, i + 1, clause.end) and special in ("except", "without") else None
        )
    if token.word == "," and special == "not" and not _names_drug(tokens, i + 1, clause.end):
        return None
    return special


def _names_drug(tokens: list[Token], i: int, end: int) -> bool:
    for token in tokens[i : min(end, i + 4)]:
        if token.cat is Cat.MENTION:
            return True
        if token.cat not in (Cat.FILLER, Cat.PRONOUN, Cat.OTHER, Cat.COORD, Cat.AMOUNT):
            return False
    return False


def _marked(mark: str, scope: Scope, started: bool, chosen: Predicate | None) -> tuple[Scope, bool]:
    if mark == "than":
        return Scope.HYPOTHETICAL, False
    if mark in ("instead", "without"):
        return Scope.AVOID, False
    if scope in (Scope.RECOMMEND, Scope.MENTION) or (mark == "not" and scope is Scope.CONTINUE):
        return (Scope.HISTORY if chosen is not None and chosen.fact else Scope.AVOID), False
    if scope is Scope.AVOID and mark == "except":
        return Scope.RECOMMEND, False
    if scope is Scope.AVOID:
        return (Scope.RECOMMEND, False) if chosen is not None and not chosen.negated else (Scope.AVOID, False)
    return flip(scope), False


def _under(outer: Predicate, inner: Predicate | None) -> tuple[Scope, bool]:
    """The scope of a mention with `outer` said of it, inside the noun phrase `inner` ("stopping X is dangerous")."""
    if inner is None:
        return outer.scope, outer.started
    if outer.cat in (Cat.GOOD, Cat.ADVISE, Cat.NEED) or (
        outer.cat in (Cat.TAKE, Cat.CONTINUE, Cat.START) and not outer.negated
    ):
        if outer.scope.prescriptive:
            return inner.scope, inner.started
        return flip(inner.scope), False
    if outer.scope is Scope.AVOID:
        return (flip(inner.scope) if inner.scope is not Scope.AVOID else Scope.CONTINUE), False
    if outer.scope is Scope.HYPOTHETICAL:
        return (Scope.HYPOTHETICAL if inner.scope.prescriptive else inner.scope), False
    if outer.scope is Scope.STOP and inner.scope.prescriptive:
        return Scope.STOP, False
    return outer.scope, outer.started


def _objectless(tokens: list[Token], predicate: Predicate, clause: _Clause) -> bool:
    """Whether the predicate names no drug of its own, so that it speaks of the topic before it."""
    return predicate.cat not in (Cat.DESCRIBE, Cat.ASK) and not any(
        t.cat is Cat.MENTION for t in tokens[predicate.end : clause.end]
    )


def _exchange(
    tokens: list[Token], index: int, clause: _Clause, chosen: Predicate, scope: Scope, started: bool
) -> tuple[Scope, bool]:
    """Which of two exchanged drugs goes and which comes: "switch from A to B", "replace A with B"."""
    if chosen.negated:
        return scope, started
    before = index - 1
    while (
        before >= clause.start
        and tokens[before].cat in (Cat.FILLER, Cat.PRONOUN, Cat.AMOUNT, Cat.OTHER, Cat.RHYTHM)
        and tokens[before].word not in ("from", "for", "by")
    ):
        before -= 1
    word = tokens[before].word if before >= clause.start else ""
    later = [t for t in tokens[index + 1 : clause.end]]
    other_after = any(
        t.cat in (Cat.TO, Cat.WITH) or t.word in ("by", "for")
        for t in later[: next((k for k, t in enumerate(later) if t.cat is Cat.MENTION), 0)]
    )
    if word == "from":
        return Scope.STOP, False
    substitute = tokens[chosen.start].word.startswith("substitut")
    if substitute:
        return (Scope.STOP, False) if word == "for" else (Scope.RECOMMEND, True)
    if word in ("to", "with", "by"):
        return Scope.RECOMMEND, True
    if index < chosen.start or other_after:
        passive_change = chosen.cat is Cat.CHANGE and not any(
            t.cat is Cat.MENTION for t in tokens[chosen.end : clause.end]
        )
        if passive_change:
            return scope, started
        return Scope.STOP, False
    if chosen.cat is Cat.REPLACE and index > chosen.start:
        return Scope.STOP, False
    return scope, started


def _conditional(
    word: str, chosen: Predicate | None, scope: Scope, started: bool, main: Predicate | None, asks: bool
) -> tuple[Scope, bool]:
    """Scope inside a subordinate clause opened by `word`."""
    if scope in (Scope.AVOID, Scope.STOP, Scope.HISTORY, Scope.FAMILY):
        return scope, False
    if word in _CONDITION or asks:
        return Scope.HYPOTHETICAL, False
    if word in _WHILE:
        if main is None or not main.scope.prescriptive:
            return Scope.HYPOTHETICAL, False
        return Scope.CONTINUE, False
    if chosen is not None and chosen.cat is Cat.START:
        return scope, started
    if main is not None and main.scope in (Scope.AVOID, Scope.STOP) and scope is Scope.RECOMMEND:
        return Scope.HYPOTHETICAL, False
    return (Scope.CONTINUE if chosen is not None else scope), False


# step 2
def _split(tokens: list[Token]) -> list[_Clause]:
    """The clauses of a sentence; every token is in one, the opener belongs to the clause it opens."""
    cuts: list[tuple[int, Token | None]] = [
        (0, tokens[0] if tokens[0].cat in (Cat.SUBORD, Cat.RELATIVE, Cat.HARD) else None)
    ]
    subordinate = tokens[0].cat is Cat.SUBORD
    seen_mention = seen_predicate = False
    for i, token in enumerate(tokens):
        if token.cat is Cat.MENTION:
            seen_mention = True
        if token.cat in PREDICATES:
            seen_predicate = True
        if i == 0:
            continue
        cut: Token | None = None
        if token.cat in (Cat.SUBORD, Cat.HARD) or token.word == ";":
            cut = token
        elif token.cat is Cat.RELATIVE and not (token.word == "that" and _complements(tokens, i)):
            cut = token
        elif token.word in (",", "and", "or", "so", "then", "-", ":", "(", ")", "&", "plus") and (
            (subordinate and token.word == "," and _main_follows(tokens, i + 1))
            or (
                (seen_mention or (seen_predicate and token.word in (",", "-", "(", ":")))
                and _predicate_follows(tokens, i + 1, seen_predicate)
            )
        ):
            cut = token
        if cut is not None and cuts[-1][0] != i:
            cuts.append((i, cut))
            subordinate = cut.cat is Cat.SUBORD
            seen_mention = seen_predicate = False
    clauses: list[_Clause] = []
    for k, (start, opener) in enumerate(cuts):
        end = cuts[k + 1][0] if k + 1 < len(cuts) else len(tokens)
        if end > start:
            clauses.append(_Clause(start, end, opener, tuple(predicates(tokens, start, end))))
    return clauses


def _complements(tokens: list[Token], i: int) -> bool:
    return any(t.cat in (Cat.ADVISE, Cat.GOOD, Cat.BAD) for t in tokens[max(0, i - 3) : i])


def _main_follows(tokens: list[Token], i: int) -> bool:
    """Whether what follows the comma after a condition is the main clause and not one more item of its list."""
    for token in tokens[i : i + _LOOKAHEAD]:
        if token.cat in PREDICATES or token.cat in (Cat.MODAL, Cat.DO):
            return True
        if token.cat in (Cat.SUBORD, Cat.HARD):
            return False
    return True


def _predicate_follows(tokens: list[Token], i: int, seen_predicate: bool) -> bool:
    """Whether a new clause begins at `i`: a verb group first, or names and then something said of them."""
    named = False
    for k in range(i, min(len(tokens), i + _LOOKAHEAD)):
        token = tokens[k]
        if token.cat is Cat.MENTION:
            named = True
        elif token.cat in PREDICATES:
            if token.cat is Cat.EXCEED:
                return not named
            if not named:
                return token.cat not in (Cat.GOOD, Cat.BAD) or k > i
            return _said_of(tokens, k, i) and seen_predicate
        elif token.word in (";", ".") or token.cat in (
            Cat.SUBORD,
            Cat.HARD,
            Cat.RELATIVE,
            Cat.EXCEPT,
            Cat.INSTEAD,
        ):
            return False
        elif token.word in (")", ":") and k > i:
            return False
    return False


def _said_of(tokens: list[Token], k: int, start: int) -> bool:
    """Whether the predicate at `k` is finite and follows its subject."""
    token = tokens[k]
    near = tokens[max(start, k - 5) : k]
    if any(t.cat in (Cat.BE, Cat.MODAL) or (t.cat is Cat.NOT and t.word.endswith("t")) for t in near):
        return True
    if token.cat in (Cat.DESCRIBE, Cat.CHANGE) and token.form is Form.THIRD:
        return True
    return token.form in (Form.PARTICIPLE, Form.PAST) and token.cat in (
        Cat.STOP,
        Cat.CONTINUE,
        Cat.AVOID,
        Cat.START,
    )
