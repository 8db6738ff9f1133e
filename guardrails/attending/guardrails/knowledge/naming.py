"""From a name as a source spells it to the ingredient that this pack calls by one US name.

A salt is its ingredient (`clopidogrel bisulfate` is clopidogrel), French, British and international names are the
US ones, white space and case do not count. Nothing is guessed: a name that none of this explains is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_SALT_WORDS: Final = (
    "acetate acetonide acid adipate alafenamide aluminum anhydrous arginine ascorbate aspartate axetil benzathine "
    "benzoate besylate besilate bicarbonate bisulfate bitartrate borate bromide butyrate calcium camsylate caproate "
    "carbamate carbonate chloride cilexetil citrate cypionate decanoate diacetate dibasic dihydrate dihydrochloride "
    "dimesylate dipivoxil dipotassium dipropionate disodium disoproxil ditosylate edetate edisylate "
    "enanthate epolamine erbumine estolate ethylsuccinate etexilate fumarate furoate gluceptate gluconate glucuronate "
    "hcl hci hbr hemifumarate hemihydrate heptahydrate hexahydrate hyclate hydrobromide hydrochloride hydroxide "
    "iodide isethionate kamedoxomil lactate lactobionate lauroxil lysine magnesium malate maleate medoxomil meglumine "
    "mesilate mesylate methylsulfate mofetil monohydrate monohydrochloride monosodium mucate "
    "napsylate nitrate olamine orotate oxalate palmitate pamoate pentahydrate phenylpropionate phosphate pivoxil "
    "polistirex potassium procaine propionate proxetil saccharate salicylate silver sodium stearate strontium "
    "succinate sulfate sulphate tannate tartrate tebutate teoclate tetrahydrate tosylate trihydrate trometamol "
    "tromethamine trisodium trifenatate undecanoate valerate xinafoate zinc so4 po4 recombinant regular human "
    "synthetic micronized liposomal pegylated oral injection topical ophthalmic nasal hydrogen free base lipid complex "
    "monobasic malonate glycolate tert-butylamine inhaled usp pivalate hemisulfate monosulfate nafate phenpropionate "
    "terephthalate isonicotinate"
)
SALTS: Final = frozenset(_SALT_WORDS.split())
"""Words that only say in which salt, ester, hydrate or form an ingredient comes."""

_FORM_WORDS: Final = (
    "tablet tablets capsule capsules extended-release delayed-release extended release delayed er dr xr sr hfa odt "
    "orally disintegrating suspension solution cream ointment gel lotion patch spray syrup elixir chewable film-coated "
    "injectable powder for"
)
FORMS: Final = frozenset(_FORM_WORDS.split())
_BRACKETS: Final = re.compile(r"\s*[(\[].*?[)\]]\s*")


def tidy(text: str) -> str:
    """`text` in lower case with single spaces and plain apostrophes; no leading or trailing punctuation."""
    plain = text.lower().replace("\u2019", "'").replace("\u00a0", " ")
    return " ".join(plain.split()).strip(" .,;:*")


class Namer:
    """Ingredient names, and what stands for them."""

    def __init__(self, ingredients: Iterable[str], aliases: Mapping[str, str]) -> None:
        """`aliases` maps a lower-case name to its ingredient and wins over `ingredients`."""
        self._aliases = dict(aliases)
        self._known = {name for name in ingredients if name not in self._aliases} | set(aliases.values())

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self._known)

    def add(self, name: str) -> str | None:
        """Makes `name` an ingredient of its own unless it already stands for one; the new ingredient, or None."""
        plain = tidy(name)
        if self.drug(plain) is not None:
            return None
        self._known.add(plain)
        return plain

    def alias(self, name: str, drug: str) -> None:
        """Makes `name` stand for the known ingredient `drug`."""
        self._aliases[tidy(name)] = drug

    def drug(self, text: str) -> str | None:
        """The one ingredient that `text` names, or None."""
        plain = tidy(text)
        found = self.exact(plain)
        if found is not None:
            return found
        bare = tidy(_BRACKETS.sub(" ", plain))
        if bare != plain and (found := self.exact(bare)) is not None:
            return found
        words = bare.replace(",", " ").split()
        while len(words) > 1 and (words[-1] in SALTS or words[-1] in FORMS):
            words.pop()
            if (found := self.exact(" ".join(words))) is not None:
                return found
        while len(words) > 1 and words[0] in SALTS:
            words = words[1:]
            if (found := self.exact(" ".join(words))) is not None:
                return found
        return None

    def drugs(self, text: str) -> tuple[str, ...] | None:
        """The ingredients of a single or combined name ("a and b", "a/b", "a, b and c"), sorted; None where any part
        is unknown."""
        single = self.drug(text)
        if single is not None:
            return (single,)
        parts = [p for p in re.split(r"\s*(?:/|,|;|\+|\band\b|\bwith\b|&| - )\s*", tidy(text)) if p]
        if len(parts) < 2:
            return None
        found = [self.drug(part) for part in parts]
        if any(one is None for one in found):
            return None
        return tuple(sorted({one for one in found if one is not None}))

    def exact(self, plain: str) -> str | None:
        """The ingredient that a tidy name is, or for which it is listed; no salt is taken off."""
        if plain in self._aliases:
            return self._aliases[plain]
        return plain if plain in self._known else None
