"""Claims that no passage supports in its words, looked at again by meaning: a second, optional way to a citation.

A port and what uses it. Meaning finds support only: two sentences that differ in a number or a negation lie next to
each other in any embedding, so a contradiction is never decided here, and a contradicted claim stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from attending.guardrails.checks.passages import sentences
from attending.guardrails.citation import Citation, Support
from attending.guardrails.patient import Document

if TYPE_CHECKING:
    import numpy as np

NO_ENCODER: Final = "no embedding model is installed, so it was looked for by its words alone"

LIKE: Final = 0.55
"""Least cosine of a claim and a passage of one meaning, measured on the notes of docs/grounding.md."""
MAX_CLAIMS: Final = 24
MAX_PASSAGES: Final = 96
"""Bounds of one call: some milliseconds each."""
_LEAST_CHARACTERS: Final = 16


class EncoderMissingError(Exception):
    """No embedding model can run here; `reason` says why and the message what to do next."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Encoder(Protocol):
    """Sentences as vectors of length one, so that a dot product is their cosine. Deterministic, no I/O, no network."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One row a text. Raises nothing for any text; long ones are read from their beginning."""
        ...


def by_meaning(
    citations: Sequence[Citation],
    output: str,
    documents: Sequence[Document],
    load: Callable[[], Encoder],
) -> tuple[Citation, ...]:
    """`reconsidered` with the encoder that `load` gives; where it gives none, the citations as they are, and each claim
    left unsupported says so. Raises nothing but what `encode` raises."""
    if all(one.status is not Support.UNSUPPORTED for one in citations):
        return tuple(citations)
    try:
        encoder = load()
    except EncoderMissingError as err:
        return tuple(
            replace(one, why=f"{one.why}; {NO_ENCODER} ({err.reason})")
            if one.status is Support.UNSUPPORTED
            else one
            for one in citations
        )
    return reconsidered(citations, output, documents, encoder)


def reconsidered(
    citations: Sequence[Citation], output: str, documents: Sequence[Document], encoder: Encoder
) -> tuple[Citation, ...]:
    """The citations, with an unsupported claim supported where a passage means it; `MAX_CLAIMS` are looked at."""
    open_ = [i for i, one in enumerate(citations) if one.status is Support.UNSUPPORTED][:MAX_CLAIMS]
    passages = [
        (document, start, end)
        for document in documents
        for start, end in sentences(document.text)
        if end - start >= _LEAST_CHARACTERS
    ][:MAX_PASSAGES]
    if not open_ or not passages:
        return tuple(citations)
    claims = encoder.encode([output[citations[i].start : citations[i].end] for i in open_])
    theirs = encoder.encode([document.text[start:end] for document, start, end in passages])
    likeness = claims @ theirs.T
    found = list(citations)
    for row, index in enumerate(open_):
        best = int(likeness[row].argmax())
        cosine = float(likeness[row, best])
        if cosine < LIKE:
            continue
        document, start, end = passages[best]
        found[index] = replace(
            found[index],
            status=Support.SUPPORTED,
            why=f"the passage says it in other words (cosine {cosine:.2f}, {encoder.name})",
            document=document.id,
            passage_start=start,
            passage_end=end,
            passage=document.text[start:end],
        )
    return tuple(found)
