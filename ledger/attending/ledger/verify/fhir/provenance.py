"""Provenance (HL7 FHIR R4, 4.0.1) of each released text: who made it, who stands for it, and out of what.

As HL7's AI Transparency on FHIR has it: `AIAST` in `meta.security`, the model as a Device that authored, each signer a
Practitioner who verified with the signature of the log, and as entities the prompt (by the commitment of what was
sent), the documents, the model's card, and the versions of policy, prompt and drug knowledge. Said is what entries say;
what a body does not say is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from attending.ledger.entry import Entry, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.note import decode_base64
from attending.ledger.verify.fhir.words import AI_ASSERTED, Resource, id_of, identifier, text_of
from attending.ledger.verify.tally import NOT_STATED, inner

VERIFICATION: Final = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5"}
"""Verification signature (ASTM E1762-95)."""
MOST_MODELS: Final = 5_000
MOST_DOCUMENTS: Final = 100
"""Documents that are named one by one; of more it is counted how many there are."""
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_HASH: Final = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_PROMPTS: Final = ("prompt_sent", "prompt")
"""Kinds of the payload that a model was sent; the first that there is."""
_ENDS: Final = frozenset(
    {
        *("inference.released", "inference.blocked", "inference.failed", "inference.abandoned"),
        *("review.rejected", "review.expired", "oversight.debriefed"),
    }
)
"""After these nothing is released of an inference any more."""


@dataclass(slots=True)
class _Signature:
    """A signature over a text, as its entry says."""

    place: str
    text: object
    signer: str
    role: str
    when: str | None
    data: str | None


@dataclass(slots=True)
class _Course:
    """What is known of an inference before its text is released."""

    asked: str | None = None
    app: str | None = None
    policy: tuple[str, str] | None = None
    prompt_version: str | None = None
    prompt: str | None = None
    documents: list[str] = field(default_factory=list)
    unnamed: int = 0
    provider: str = NOT_STATED
    model: str = NOT_STATED
    build: str | None = None
    knowledge: str | None = None
    signatures: list[_Signature] = field(default_factory=list)


class Provenances:
    """Visits every entry in log order and raises nothing, whatever bodies hold."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._cards: dict[tuple[str, str], str] = {}

    def visit(self, entry: Entry) -> Resource | None:
        """The resource of the text that the entry releases, None for any other."""
        if entry.type == "model.registered":
            self._register(entry)
            return None
        if entry.type in _ENDS:
            course = self._courses.pop(entry.stream, None) or _Course()
            return self._made(entry, course) if entry.type == "inference.released" else None
        match entry.type:
            case "inference.requested":
                _requested(self._courses.setdefault(entry.stream, _Course()), entry)
            case "inference.generated" | "review.facts_added":
                _judged(self._courses.setdefault(entry.stream, _Course()), entry)
            case "review.signed":
                _signed(self._courses.setdefault(entry.stream, _Course()), entry)
        return None

    def _register(self, entry: Entry) -> None:
        key = text_of(entry.body.get("provider")), text_of(entry.body.get("model"))
        if key in self._cards or len(self._cards) < MOST_MODELS:
            self._cards[key] = _place(entry)

    def _made(self, entry: Entry, course: _Course) -> Resource:
        origin, document = entry.origin, id_of(entry.stream)
        card = self._cards.get((course.provider, course.model))
        target: Resource = {
            "type": "DocumentReference",
            "identifier": identifier(origin, "inference", entry.stream),
        }
        made: Resource = {
            "resourceType": "Provenance",
            "id": f"released-{entry.index}" if document is None else f"prv-{document}",
            "meta": {"security": [dict(AI_ASSERTED)]},
            "contained": [device(origin, f"{course.provider}/{course.model}", course.build)],
            "target": [target if document is None else {"reference": f"DocumentReference/{document}"}],
            "occurredDateTime": entry.time,
            "recorded": entry.time,
            "activity": {"coding": [{"system": _OPERATION, "code": "CREATE"}]},
            "agent": [{"type": _participant("author"), "who": {"reference": "#model"}}],
            "entity": [],
        }
        if course.app is not None:
            app = {"type": "Device", "identifier": identifier(origin, "app", course.app)}
            made["agent"].append({"type": _participant("enterer"), "who": app})
        entities = made["entity"]
        if course.asked is not None:
            entities.append(_entity(origin, "entry", course.asked, "inference.requested"))
        entities.append(_entity(origin, "entry", _place(entry), "inference.released"))
        if course.policy is not None:
            entities.append(_entity(origin, "policy", *course.policy))
        if course.knowledge is not None:
            entities.append(_entity(origin, "knowledge", course.knowledge, "knowledge version"))
        if course.prompt_version is not None:
            entities.append(_entity(origin, "prompt", course.prompt_version, "prompt version"))
        if course.prompt is not None:
            entities.append(_entity(origin, "commitment", course.prompt, "input prompt, by its commitment"))
        entities += [_entity(origin, "document", one, "public document") for one in course.documents]
        if course.unnamed:
            words = f"{course.unnamed} documents that are not named by their content"
            entities.append({"role": "source", "what": {"display": words}})
        if card is not None:
            entities.append(_entity(origin, "entry", card, "model card"))
        text = entry.text("text_commitment")
        for one in course.signatures:
            if text is not None and one.text == text:
                _verified(made, origin, one)
        return made


def _requested(course: _Course, entry: Entry) -> None:
    body = entry.body
    course.asked = _place(entry)
    course.app = text_of(body.get("calling_app"))
    course.policy = text_of(_hash_of(body.get("policy_hash"))), text_of(body.get("policy"))
    if version := entry.text("prompt_version"):
        course.prompt_version = text_of(version)
    sent = {item.kind: item.commitment for item in reversed(entry.commitments)}
    course.prompt = next((sent[kind] for kind in _PROMPTS if kind in sent), None)
    named = body.get("public_documents")
    hashes = (
        [one for one in named if type(one) is str and _HASH.fullmatch(one)] if type(named) is list else []
    )
    course.documents = hashes[:MOST_DOCUMENTS]
    count = body.get("documents")
    course.unnamed = max(0, count - len(course.documents)) if type(count) is int else 0
    course.provider, course.model = text_of(body.get("provider")), text_of(body.get("model"))


def _judged(course: _Course, entry: Entry) -> None:
    if pack := entry.text("knowledge_hash"):
        course.knowledge = text_of(_hash_of(pack))
    if entry.type == "inference.generated":
        if "provider" in entry.body:
            course.provider = text_of(entry.body["provider"])
        if "model" in entry.body:
            course.model = text_of(entry.body["model"])
        if build := entry.text("fingerprint"):
            course.build = text_of(build)


def _signed(course: _Course, entry: Entry) -> None:
    said = inner(entry.body, "statement")
    if said.get("meaning") == "rejected":
        return
    signature = _Signature(
        place=_place(entry),
        text=said.get("text_commitment"),
        signer=text_of(said.get("signer")),
        role=text_of(said.get("role")),
        when=_time_of(said.get("time")),
        data=_base64_of(entry.body.get("signature")),
    )
    course.signatures.append(signature)


def _verified(made: Resource, origin: str, one: _Signature) -> None:
    who = {"type": "Practitioner", "identifier": identifier(origin, "person", one.signer)}
    made["agent"].append({"type": _participant("verifier"), "role": [{"text": one.role}], "who": who})
    made["entity"].append(_entity(origin, "entry", one.place, "review.signed"))
    if one.when is None or one.data is None:
        return
    signature = {
        "type": [dict(VERIFICATION)],
        "when": one.when,
        "who": who,
        "targetFormat": "application/json",
        "sigFormat": "application/octet-stream",
        "data": one.data,
    }
    made.setdefault("signature", []).append(signature)


def device(origin: str, name: str, build: str | None = None) -> Resource:
    """The model as a contained Device; `build` is what its provider said of the one that answered."""
    made: Resource = {
        "resourceType": "Device",
        "id": "model",
        "identifier": [identifier(origin, "model", name)],
        "deviceName": [{"name": name, "type": "model-name"}],
        "type": {"text": "Artificial intelligence"},
    }
    if build is not None:
        made["version"] = [{"value": build}]
    return made


def _place(entry: Entry) -> str:
    return f"{entry.origin}#{entry.index}"


def _entity(origin: str, kind: str, value: str, words: str) -> Resource:
    return {"role": "source", "what": {"identifier": identifier(origin, kind, value), "display": words}}


def _participant(code: str) -> Resource:
    return {"coding": [{"system": _PARTICIPANT, "code": code}]}


def _hash_of(value: object) -> object:
    """Entries name a content hash by its hex digits alone."""
    return f"sha256:{value}" if type(value) is str and _HASH.fullmatch(value) and ":" not in value else value


def _time_of(value: object) -> str | None:
    if type(value) is not str:
        return None
    try:
        parse_time(value)
    except VerificationError:
        return None
    return value


def _base64_of(value: object) -> str | None:
    return value if type(value) is str and decode_base64(value) else None
