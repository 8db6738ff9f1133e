"""Detection: every identifier of a text, as spans that do not overlap."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence

from attending.guardrails.patient import Identity
from attending.guardrails.phi.known import NameSeeker, find_known
from attending.guardrails.phi.lexicon import Lexicon
from attending.guardrails.phi.recognizers import LANGUAGE, RuleRecognizer, build_analyzer
from attending.guardrails.phi.resolve import again, resolve
from attending.guardrails.phi.shouting import calmed
from attending.guardrails.phi.spans import PhiSpan, PhiType
from attending.guardrails.phi.unlisted import find_beside
from attending.guardrails.phi.unread import ModelReader
from attending.guardrails.phi.visible import visible

_SURE = 0.6
"""Below this a name is believed for what it looks like, and is looked for elsewhere with a capital only."""


class PhiDetector:
    """Finds the Safe Harbor identifiers of 45 CFR 164.514(b)(2)(i) in English text.

    Construction loads the model (about a second); a detector is thread-safe. `exclude` holds lower-case words and
    phrases that are never names, such as the drug names of the knowledge pack.
    """

    def __init__(self, exclude: Container[str] = frozenset()) -> None:
        self._lexicon = Lexicon(exclude)
        self._analyzer = build_analyzer(self._lexicon)
        self._reader = ModelReader(self._lexicon)

    def detect(self, text: str, *, known: Identity | None = None, also: Iterable[str] = ()) -> list[PhiSpan]:
        """Spans in order, not overlapping, within `text`; never raises on any text.

        `known` is the patient of the request: names (any case, order, initials, without diacritics), record number
        (any grouping) and birth date (any form) are always found. `also` holds further names to find likewise.
        """
        return self.detect_all([text], known=known, also=also)[0]

    def detect_all(
        self, texts: Sequence[str], *, known: Identity | None = None, also: Iterable[str] = ()
    ) -> list[list[PhiSpan]]:
        """`detect` for the texts of one request: a name found in one of them is looked for in all."""
        shown = [visible(text) for text in texts]
        seen = [view.text for view in shown]
        found = self._found(seen, known)
        names: list[tuple[str, float]] = []
        if len(texts) > 1:
            names = [
                (text[span.start : span.end], span.score)
                for text, spans in zip(seen, found, strict=True)
                for span in spans
                if span.type is PhiType.NAME
            ]
        sure = [name for name, score in names if score >= _SURE]
        seek = NameSeeker([*also, *sure], [name for name, score in names if score < _SURE])
        out = []
        for view, spans in zip(shown, found, strict=True):
            more = list(seek.find(view.text))
            whole = resolve(view.text, [*spans, *more]) if more else spans
            out.append([view.span(span) for span in whole])
        return out

    def _found(self, texts: Sequence[str], known: Identity | None) -> list[list[PhiSpan]]:
        ad_hoc = []
        if known is not None:
            ad_hoc.append(
                RuleRecognizer(
                    "known",
                    [PhiType.NAME, PhiType.MEDICAL_RECORD_NUMBER, PhiType.DATE],
                    lambda body: find_known(body, known),
                )
            )
        read = [calmed(text, self._lexicon) for text in texts]
        by_rules = [self._by_rules(text, body, ad_hoc) for text, body in zip(texts, read, strict=True)]
        by_model = self._reader.read(read, by_rules)
        out = []
        for text, body, rules, model in zip(texts, read, by_rules, by_model, strict=True):
            spans = resolve(text, [*rules, *model]) if model else rules
            repeated = again(body, spans, self._lexicon)
            out.append(resolve(text, [*spans, *repeated]) if repeated else spans)
        return out

    def _by_rules(self, text: str, read: str, ad_hoc: list[RuleRecognizer]) -> list[PhiSpan]:
        if not text.strip():
            return []
        results = self._analyzer.analyze(read, LANGUAGE, ad_hoc_recognizers=ad_hoc)
        spans = resolve(text, [PhiSpan(r.start, r.end, PhiType(r.entity_type), r.score) for r in results])
        beside = list(find_beside(read, spans, self._lexicon))
        return resolve(text, [*spans, *beside]) if beside else spans


_lock = threading.Lock()
_engines: dict[int, tuple[Container[str], PhiDetector]] = {}


def load_detector(exclude: Container[str] = frozenset()) -> PhiDetector:
    """The process-wide detector for this `exclude` object (compared by identity), built at the first call.

    Safe to call from any thread; reaches no network.
    """
    key = id(exclude) if exclude else 0
    with _lock:
        if key not in _engines:
            _engines[key] = (exclude, PhiDetector(exclude))
        return _engines[key][1]
