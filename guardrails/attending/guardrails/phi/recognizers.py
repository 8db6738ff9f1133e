"""Our recognisers as Presidio sees them.

Presidio's predefined recognisers are not loaded: on clinical questions they flag nearly every clean text, and one
of them (e-mail) fetches a public-suffix list from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attending.guardrails.phi.ages import find_ages
from attending.guardrails.phi.contacts import find_contacts
from attending.guardrails.phi.dates import find_dates
from attending.guardrails.phi.identifiers import find_identifiers
from attending.guardrails.phi.lexicon import Lexicon
from attending.guardrails.phi.names import find_names
from attending.guardrails.phi.places import find_places
from attending.guardrails.phi.spans import PhiSpan, PhiType
from attending.guardrails.phi.unlisted import find_unlisted
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

LANGUAGE = "en"
_FOUND_BY_RULE = sorted(set(PhiType) - {PhiType.LITERAL})


class RuleRecognizer(EntityRecognizer):  # type: ignore[misc] # presidio ships no types that mypy reads here
    """A recogniser around a pure function from text to spans."""

    def __init__(self, name: str, types: Iterable[PhiType], find: Callable[[str], Iterable[PhiSpan]]) -> None:
        self._find = find
        super().__init__(supported_entities=[t.value for t in types], name=name, supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        return [RecognizerResult(s.type.value, s.start, s.end, s.score) for s in self._find(text)]


class _NoModel(NlpEngine):  # type: ignore[misc]
    """Presidio asks for artifacts before its recognisers run; ours read the text alone."""

    engine_name = "attending-none"
    is_available = True

    def load(self) -> None:
        """Nothing to load."""

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return NlpArtifacts(
            entities=[],
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
        return []

    def get_supported_languages(self) -> list[str]:
        return [LANGUAGE]


class _NoContext(ContextAwareEnhancer):  # type: ignore[misc]
    """Our rules read their own context; Presidio's enhancer would need lemmas."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        return raw_results


def build_analyzer(lexicon: Lexicon) -> AnalyzerEngine:
    """A Presidio analyzer with our rules only; the model reads what they leave open (`unread`)."""
    registry = RecognizerRegistry(
        recognizers=[
            RuleRecognizer("names", [PhiType.NAME], lambda text: find_names(text, lexicon)),
            RuleRecognizer("places", [PhiType.GEOGRAPHIC_LOCATION], lambda text: find_places(text, lexicon)),
            RuleRecognizer(
                "unlisted",
                [PhiType.NAME, PhiType.GEOGRAPHIC_LOCATION],
                lambda text: find_unlisted(text, lexicon),
            ),
            RuleRecognizer("dates", [PhiType.DATE], find_dates),
            RuleRecognizer("ages", [PhiType.AGE_OVER_89], find_ages),
            RuleRecognizer(
                "contacts",
                [PhiType.PHONE_NUMBER, PhiType.FAX_NUMBER, PhiType.EMAIL, PhiType.URL, PhiType.IP_ADDRESS],
                find_contacts,
            ),
            RuleRecognizer("identifiers", _FOUND_BY_RULE, find_identifiers),
        ],
        supported_languages=[LANGUAGE],
    )
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=_NoModel(),
        supported_languages=[LANGUAGE],
        context_aware_enhancer=_NoContext(),
    )
