"""Which of the drugs named in a text an amount belongs to."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Set as AbstractSet

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.reading import Reading, Scopes
from attending.guardrails.clinical.strength import LOCAL_ANAESTHETICS
from attending.guardrails.finding import Scope

_NEXT_OF = re.compile(
    r",? ?(?:(?:tablets?|capsules?|tabs?|caps?|doses?|puffs?|patch(?:es)?|injections?|"
    r"infusion|bolus|of|the|a|your|oral|iv|intravenous|regular|extra[- ]strength|"
    r"children's|infants'?|liquid|elemental|generic|strength|daily dose|total|chewable|"
    r"plain|suspension|syrup|solution|by mouth|po|im|sc|sq) ?){0,5}"
)
_BREAK = re.compile(r"[.;\n]|, (?:and |then |or )|\b(?:and|then|or|plus)\b|,")
_ANY = re.compile(r"\b(?:any|no|never|without|other|another)(?: \w+)? \Z")
_PASSED_OVER = re.compile(
    r"\b(?:instead of|rather than|in place of|in preference to|as opposed to|preferable to|better than|safer than|"
    r"prefer\w* (?:[\w-]+ ){0,6}?(?:to|over)|(?:cho\w+|pick\w*|select\w*|us(?:e|ed|ing)|favou?r\w*|went with) "
    r"(?:[\w-]+ ){1,4}?over)(?: (?:the|his|her|your|oral|iv))? \Z"
)
"""Before a drug that another was chosen over: "we preferred amoxicillin to" doxycycline."""
_ITS_LEVEL = re.compile(
    r" (?:also |slightly |can |may |would )?(?:rais|lower|increas|slow|reduc|chang)\w* (?:its|their) "
    r"(?:levels?|amount|concentrations?|breakdown|clearance)\b[^.\n]{0,40}"
    r"\b(?:keep|give|take|use|start|limit)\w* (?:it|them)\b"
)
_ONE_DOSE = re.compile(r"\b(?:tonight|today|tomorrow|this (?:morning|evening))(?:'s)? (?:dose of |your )?\Z")
_TAKEN_WITH = re.compile(r"[^()\n]{0,40}\([^()\n]{0,40}\b(?:with|beside|alongside|while on|without) ")
_WITH_IT = re.compile(r" ?(?:hcl|hydrochloride)? ?(?:\d{1,2}(?:\.\d{1,3})? ?%)? ?(?:with|and|plus|\+|/|&) ?")
_BESIDE = (" ", " (", "-")
"""What stands between a drug and the amount directly beside it."""
_COREF_SENTENCES = 4


class Owners:
    """Answers for amounts in text order. `parts` (the doses so far, by mention) and `dosed` (the mentions that have
    one) grow between the answers."""

    def __init__(
        self, pieces: Pieces, scopes: Scopes, parts: dict[int, list[Part]], dosed: AbstractSet[int]
    ) -> None:
        self._pieces = pieces
        self._scopes = scopes
        self._parts = parts
        self._dosed = dosed
        self._text = pieces.text

    def of(self, amount: Amount, reading: Reading) -> int | None:
        """The mention that the amount belongs to, None where no drug is near."""
        return self._said_of(amount, self._target(amount, reading))

    def _target(self, amount: Amount, reading: Reading) -> int | None:
        at = bisect_left(self._pieces.mention_starts, amount.start)
        number = self._pieces.sentence(amount.start)
        before = (
            at - 1
            if at > 0 and self._pieces.sentence(self._pieces.mention_starts[at - 1]) == number
            else None
        )
        after = (
            at
            if at < len(self._pieces.mention_starts)
            and self._pieces.sentence(self._pieces.mention_starts[at]) == number
            else None
        )
        mentions = self._pieces.mentions
        adjacent = (
            after is not None
            and _NEXT_OF.fullmatch(self._text, amount.end, mentions[after].start) is not None
        )
        of_next = adjacent and after is not None and " of" in self._text[amount.end : mentions[after].start]
        if of_next and after is not None:
            return after
        if before is not None:
            separated = _BREAK.search(self._text, mentions[before].end, amount.start) is not None
            if adjacent and after is not None and (separated or before in self._dosed):
                tail = self._text[amount.end : mentions[after].start]
                if "," not in tail and (separated or tail == " "):
                    return after
            if self._of_the_other(before, amount):
                return before - 1
            beside = self._text[mentions[before].end : amount.start] in _BESIDE
            aside = not beside and self._passed_over(before)
            return self._best(before, number) if separated or aside else before
        same = after is not None and self._scopes.mentions[after].clause_id == reading.clause_id
        if after is not None and (adjacent or (same and not self._aside(amount, after))):
            return after
        ruled_out: int | None = None
        for back in range(1, _COREF_SENTENCES + 1):
            last = self._pieces.last_in_sentence.get(number - back)
            if last is not None:
                best = self._best(last, number - back)
                if (
                    best is None
                    or self._scopes.mentions[best].scope is not Scope.AVOID
                    or not reading.scope.prescriptive
                    or self._left_out_once(best)
                ):
                    return best
                ruled_out = best if ruled_out is None else ruled_out
            if number - back < 0:
                break
        return after if ruled_out is None else ruled_out

    def _said_of(self, amount: Amount, owner: int | None) -> int | None:
        """The drug of which this very amount was said, where a sentence without a name only says it again: "prednisone
        60 mg daily. Weekly alendronate 70 mg was added. She stays at 60 mg"; the owner where it fits better."""
        if owner is None:
            return None
        named = self._pieces.mentions[owner]
        number = self._pieces.sentence(amount.start)
        if owner > 0 and self._adds_to_anaesthetic(owner):
            return owner - 1
        if self._pieces.sentence(named.start) == number:
            spoken = _ANY.search(self._text, max(0, named.start - 30), named.start) is not None
            taken = self._scopes.mentions[owner].scope.prescriptive and not spoken
            if named.drug_class is None or taken or named.end > amount.start:
                return owner
            # "no opioid so far: give 5 mL" gives what was named before, and not the class that was never had
            return next(
                (
                    i
                    for i in range(owner - 1, -1, -1)
                    if self._pieces.mentions[i].drugs and self._near(i, number)
                ),
                owner,
            )
        own = [p.amount for p in self._parts[owner] if p.amount is not None]
        if not own or any(a.unit != amount.unit or a.high == amount.high for a in own) or not amount.mass:
            return owner
        for index in range(owner - 1, -1, -1):
            if not self._near(index, number):
                break
            for part in self._parts[index]:
                said = part.amount
                if said is not None and (said.low, said.high, said.unit) == (
                    amount.low,
                    amount.high,
                    amount.unit,
                ):
                    return index
        return owner

    def _adds_to_anaesthetic(self, owner: int) -> bool:
        """ "lidocaine 1 % with epinephrine 30 mL": the volume is the anaesthetic's."""
        named, before = self._pieces.mentions[owner], self._pieces.mentions[owner - 1]
        return (
            named.drugs == ("epinephrine",)
            and bool(before.drugs)
            and LOCAL_ANAESTHETICS.issuperset(before.drugs)
            and _WITH_IT.fullmatch(self._text, before.end, named.start) is not None
        )

    def _near(self, index: int, number: int) -> bool:
        return number - self._pieces.sentence(self._pieces.mention_starts[index]) <= _COREF_SENTENCES

    def _best(self, last: int, number: int) -> int | None:
        """The drug last named in the sentence that the text gives; a history or an avoided one only if none is."""
        index = last
        while (
            index >= 0
            and self._pieces.sentence(self._pieces.mention_starts[index]) == number
            and last - index < 6
        ):
            scope = self._scopes.mentions[index].scope
            if (scope.prescriptive or scope is Scope.LIMIT) and not self._passed_over(index):
                return index
            index -= 1
        return last

    def _of_the_other(self, index: int, amount: Amount) -> bool:
        """ "X. ... Y raises its level, so we keep it at 1000 mg": what Y acts on is dosed, and not Y."""
        end = self._pieces.mentions[index].end
        return index > 0 and _ITS_LEVEL.match(self._text, end, amount.start) is not None

    def _left_out_once(self, index: int) -> bool:
        """ "Do not take tonight's X. From tomorrow take 2.5 mg": only that dose is left out, the next is of X."""
        named = self._pieces.mentions[index].start
        return _ONE_DOSE.search(self._text, max(0, named - 30), named) is not None

    def _aside(self, amount: Amount, index: int) -> bool:
        """Whether the drug is named in brackets as what the other is taken with: "100 mg (usual target with X)"."""
        return _TAKEN_WITH.fullmatch(self._text, amount.end, self._pieces.mentions[index].start) is not None

    def _passed_over(self, index: int) -> bool:
        """Whether the sentence says that a drug named before was chosen over this one."""
        named = self._pieces.mentions[index].start
        begin = self._pieces.sentences[self._pieces.sentence(named)].start
        chosen = index > 0 and self._pieces.mention_starts[index - 1] >= begin
        return chosen and _PASSED_OVER.search(self._text, max(begin, named - 80), named) is not None
