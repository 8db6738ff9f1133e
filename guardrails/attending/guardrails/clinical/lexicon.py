"""Drug, brand and class names, found in a normalised text by one pass of an Aho-Corasick automaton."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Final, Literal, Protocol

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.clinical.words import word_set


class Name(Protocol):
    """What a name stands for; the knowledge pack's own name type has this shape."""

    @property
    def drugs(self) -> tuple[str, ...]: ...
    @property
    def drug_class(self) -> str | None: ...
    @property
    def brand(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A name at `start:end` of the normalised text, with the entry it stands for."""

    start: int
    end: int
    drugs: tuple[str, ...]
    drug_class: str | None
    brand: bool


_PLURAL = re.compile(r"(?:'s|s'|es|s)(?![^\W_])")
_PREFIX = re.compile(r"(?:non|anti|nor|des|pseudo|pro|pre|post)-$")
_MODIFIER = re.compile(
    r"-(?:free|induced|dependent|naive|resistant|resistance|sparing|like|rich|"
    r"deficien\w{1,5}|associated|refractory|"
    r"sensitive|sensitivity|responsive|eluting|related|tolerant|intolerant|experienced|"
    r"producing|binding|lowering|"
    r"regulated|mediated|fortified|restricted|to)\b"
)
_NUMBERED = re.compile(r"(.{3,60}) \d[\d.,/-]*(?: ?(?:mg|mcg|ml|%))?")
_MIN_MISSPELT = 7
"""Letters of a word that one edit may turn into a name; shorter words are too often near one."""
_MIN_READ = 8
"""Letters of a misspelt word that is read as the name it is near."""
_NAMES_OF_OTHERS: Final = word_set(
    "arteether ultracef sulmycin normoson meditoxin mersilon hyperium cytotect "
    "carprofen sandomigran carbetamide calciptriol geneticin hesperadin cortosyn coumarin coumarine digitonin "
    "colchiceine adrenalone noradrenalone ephedrone phenylephrone dimethylpropion phenetrazine pecazine "
    "deserpideine dimethylstilbestrol dextrothyronine aprobarbital butalbarbital butobarbital aklomide clopidol "
    "nitrovin diprofene dipyrine phenazoline salicylamine sulfaethoxypyridazine sulfabenzamine sulfadiamine "
    "teacrine octacaine acetutolol baycaron benadine betabloc betamine betasine betazine bactofen bacillin "
    "citroxin cyclomorph diabetal dialudid disonate fibricol glucaron kristallose lesuride macrobin endometrion "
    "pagitane paverone prenacid prexidil reductol secreflo somatrel spasmoxal suprifen thylogen triostam trimopam "
    "xilamide lactrase nootropic oxytocic promethium ricamycin cannabinor guancidine methenamide"
)
"""Names of other substances, one letter from a name of the pack: what they stand for is not known, and is nothing near.
Found among the names of the FDA's register of substances (UNII)."""
_LONGEST_KEPT = 40
_REMEMBERED = 20_000
"""Words of which it is kept whether they are near a name; a text of other words costs more, and no more memory."""
_MIN_NAME = 3
"""Shorter keys ("k", "fe") are too often something else; two-letter abbreviations are left to the pack as phrases."""


class Lexicon:
    """An immutable set of names; `find` is linear in the text (plus the number of names that end at one place)."""

    def __init__(self, automaton: AhoCorasick | None, entries: list[Name], keys: frozenset[str]) -> None:
        self._automaton = automaton
        self._entries = entries
        self._keys = keys
        self._sorted = sorted(keys)
        self._brands = frozenset(key for key, entry in zip(self._sorted, entries, strict=True) if entry.brand)
        self._shortened = frozenset(
            hash(part)
            for key in keys
            if key.isalpha() and len(key) >= _MIN_MISSPELT - 1
            for part in (key, *(key[:i] + key[i + 1 :] for i in range(len(key))))
        )
        self._nearest: dict[str, tuple[str, ...]] = {}
        self._judged: dict[str, Literal["generic", "brand"] | None] = {}
        self._buckets: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._lettered: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for key in keys:
            if " " not in key:
                self._buckets[key[0], len(key)].append(key)

    @classmethod
    def from_names(cls, names: Mapping[str, Name]) -> Lexicon:
        """Builds the automaton over `names`: lowercase name -> what it stands for.

        Keys are folded like the texts they are looked for in. Every match is reported and filtered here, instead of
        asking the automaton for the leftmost-longest: a longest match that ends inside a word would hide a shorter
        one that is a word.
        """
        folded: dict[str, Name] = {}
        for key, entry in names.items():
            plain = normalise(key).text.strip()
            if len(plain) >= _MIN_NAME and (entry.drugs or entry.drug_class):
                folded.setdefault(plain, entry)
        for key in [k for k in folded if (m := _NUMBERED.fullmatch(k)) and m.group(1) in folded]:
            # "aspirin 81" is a brand, but "aspirin 81 mg" is aspirin and its dose
            del folded[key]
        keys = sorted(folded)
        automaton = (
            AhoCorasick(
                keys,
                matchkind=MatchKind.Standard,
                store_patterns=False,
                implementation=Implementation.ContiguousNFA,
            )
            if keys
            else None
        )
        return cls(automaton, [folded[k] for k in keys], frozenset(keys))

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, text: str) -> list[Hit]:
        """Non-overlapping names of a normalised text, leftmost then longest, whole words only (plural and possessive
        endings included in the hit)."""
        if self._automaton is None:
            return []
        whole: list[tuple[int, int, int]] = []
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            stop = _word_end(text, start, end)
            if stop is not None:
                whole.append((start, -stop, index))
        whole.sort()
        hits: list[Hit] = []
        position = 0
        for start, minus_stop, index in whole:
            if start < position:
                continue
            entry = self._entries[index]
            hits.append(Hit(start, -minus_stop, tuple(entry.drugs), entry.drug_class, entry.brand))
            position = -minus_stop
        return hits

    def meant(self, word: str) -> tuple[str, ...]:
        """The ingredients of the one drug that a misspelt word of eight letters or more can stand for: it is one edit
        from a name, and every name within two edits of it, or within one of its first letters, is of the same drug.
        Empty where it may be two, or is a name that is known for another substance."""
        if len(word) < _MIN_READ or word in _NAMES_OF_OTHERS or self.one_edit(word) is None:
            return ()
        near = [self._entry(name) for name in (*self._all_near(word), *self._begun_otherwise(word))]
        drugs = {tuple(sorted(entry.drugs)) for entry in near}
        return near[0].drugs if len(drugs) == 1 and near[0].drugs else ()

    def _begun_otherwise(self, word: str) -> list[str]:
        """Names that `word` is with its first letter lost, added, changed or in second place: "lozapine"."""
        begun = [word[1:], word[1] + word[0] + word[2:]]
        begun += [letter + rest for letter in ascii_lowercase for rest in (word, word[1:])]
        return [name for name in begun if name in self._keys]

    def _entry(self, key: str) -> Name:
        return self._entries[bisect_left(self._sorted, key)]

    def one_edit(self, word: str) -> Literal["generic", "brand"] | None:
        """Whether a word of seven letters or more is one edit away from a name, and from what kind of name.

        A hash of every name and of every name less a letter is looked up first, so that the edits are counted only
        for the few words that may be near.
        """
        if len(word) < _MIN_MISSPELT:
            return None
        if word in self._judged:
            return self._judged[word]
        found = self._one_edit(word)
        if len(self._judged) < _REMEMBERED and len(word) <= _LONGEST_KEPT:
            self._judged[word] = found
        return found

    def _one_edit(self, word: str) -> Literal["generic", "brand"] | None:
        if not self._maybe_near(word):
            return None
        close = [name for name in self.near(word, 6) if _distance(word, name, 1) is not None]
        if not close:
            return None
        return "brand" if all(name in self._brands for name in close) else "generic"

    def _maybe_near(self, word: str) -> bool:
        return hash(word) in self._shortened or any(
            hash(word[:i] + word[i + 1 :]) in self._shortened for i in range(len(word))
        )

    def _bucket(self, place: tuple[str, int]) -> list[tuple[str, int]]:
        """The names of one first letter and length with the set of their letters, made when first asked for."""
        found = self._lettered.get(place)
        if found is None:
            found = self._lettered[place] = [(key, _letters(key)) for key in self._buckets.get(place, ())]
        return found

    def near(self, word: str, limit: int = 3) -> tuple[str, ...]:
        """Names one or two edits from `word` (same first letter), nearest first; candidates for a reviewer only."""
        return self._all_near(word)[:limit]

    def _all_near(self, word: str) -> tuple[str, ...]:
        """Kept, since a word in a drug's place is asked about three times."""
        found = self._nearest.get(word)
        if found is None:
            found = self._find_near(word)
            if len(self._nearest) < _REMEMBERED and len(word) <= _LONGEST_KEPT:
                self._nearest[word] = found
        return found

    def _find_near(self, word: str) -> tuple[str, ...]:
        allowed = 1 if len(word) < 7 else 2
        scored: list[tuple[int, str]] = []
        if not word:
            return ()
        letters = _letters(word)
        for length in range(len(word) - allowed, len(word) + allowed + 1):
            for key, other in self._bucket((word[0], length)):
                # one edit takes at most one letter away and brings at most one
                if (letters & ~other).bit_count() > allowed or (other & ~letters).bit_count() > allowed:
                    continue
                distance = _distance(word, key, allowed)
                if distance is not None:
                    scored.append((distance, key))
        scored.sort()
        return tuple(key for _, key in scored)


def _letters(word: str) -> int:
    """The set of its letters as bits; two letters may share one, which hides a difference and makes none."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) & 63)
    return found


def _word_end(text: str, start: int, end: int) -> int | None:
    """Where the word that holds `start:end` ends when the match is that word, else None."""
    if start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        return None
    if start and text[start - 1] == "-" and _PREFIX.search(text, max(0, start - 8), start):
        return None
    if end < len(text) and (text[end].isalnum() or text[end] in "'_"):
        plural = _PLURAL.match(text, end)
        if plural is None:
            return None
        end = plural.end()
    if end < len(text) and text[end] == "-" and _MODIFIER.match(text, end):
        return None
    return end


def _distance(a: str, b: str, limit: int) -> int | None:
    """Optimal string alignment distance when it is at most `limit`, else None."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
