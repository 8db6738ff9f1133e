"""Our recognisers as Presidio sees them.

Presidio's predefined recognisers are not loaded: on clinical questions they flag nearly every clean text, and one
of them (e-mail) fetches a public-suffix list from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attending.guardrails.phi.ages import find_ages
from attending.guardrails.phi.contacts import find_contacts
from attending.guardrails.phi.dates import find_dates
from attending.guardrails.phi.identifiers import find_identifiers
from attending.guardrails.phi.lexicon import Lexicon
from attending.guardrails.phi.names import find_names, keep_model_name
from attending.guardrails.phi.ner import ModelEngine
from attending.guardrails.phi.places import find_places, keep_model_place
from attending.guardrails.phi.spans import PhiSpan, PhiType
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts

LANGUAGE = "en"
_MODEL_SCORE = 0.5
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


class ModelRecognizer(EntityRecognizer):  # type: ignore[misc]
    """People and places of the statistical model that survive the vocabulary of medicine."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        types = [PhiType.NAME.value, PhiType.GEOGRAPHIC_LOCATION.value]
        super().__init__(supported_entities=types, name="model", supported_language=LANGUAGE)

    def load(self) -> None:
        """The model is the engine's."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        return [
            RecognizerResult(type_.value, start, end, _MODEL_SCORE)
            for start, end, type_ in self._kept(text, nlp_artifacts)
        ]

    def _kept(self, text: str, nlp_artifacts: NlpArtifacts) -> Iterator[tuple[int, int, PhiType]]:
        for e in nlp_artifacts.entities:
            if e.label == "PERSON":
                span = keep_model_name(text, e.start, e.end, self._lexicon)
                type_ = PhiType.NAME
            else:
                span = keep_model_place(text, e.start, e.end, self._lexicon)
                type_ = PhiType.GEOGRAPHIC_LOCATION
            if span is not None:
                yield *span, type_


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
    """A Presidio analyzer with our recognisers only, and the model loaded."""
    registry = RecognizerRegistry(
        recognizers=[
            RuleRecognizer("names", [PhiType.NAME], lambda text: find_names(text, lexicon)),
            RuleRecognizer("places", [PhiType.GEOGRAPHIC_LOCATION], lambda text: find_places(text, lexicon)),
            RuleRecognizer("dates", [PhiType.DATE], find_dates),
            RuleRecognizer("ages", [PhiType.AGE_OVER_89], find_ages),
            RuleRecognizer(
                "contacts",
                [PhiType.PHONE_NUMBER, PhiType.FAX_NUMBER, PhiType.EMAIL, PhiType.URL, PhiType.IP_ADDRESS],
                find_contacts,
            ),
            RuleRecognizer("identifiers", _FOUND_BY_RULE, find_identifiers),
            ModelRecognizer(lexicon),
        ],
        supported_languages=[LANGUAGE],
    )
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=ModelEngine(),
        supported_languages=[LANGUAGE],
        context_aware_enhancer=_NoContext(),
    )
