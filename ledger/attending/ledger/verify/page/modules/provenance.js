// A released text with where it comes from, as a Provenance of FHIR R4 (docs/fhir.md), for V20.

import { AI_ASSERTED, identifier } from "./auditevent.js";
import { fromBase64 } from "./bytes.js";
import { isObject, textIn } from "./canonical.js";
import { isNamed, isTime } from "./entry.js";
import { inner, labelOf } from "./tally.js";

const MOST_MODELS = 5000;
const MOST_DOCUMENTS = 100;
const HASH = /^(?:sha256:)?[0-9a-f]{64}$/;
const VERIFICATION = { system: "urn:iso-astm:E1762-95:2013", code: "1.2.840.10065.1.12.1.5" };
const ENDS = [
  ...["inference.released", "inference.blocked", "inference.failed", "inference.abandoned"],
  ...["review.rejected", "review.expired", "oversight.debriefed"],
];

export class Provenances {
  constructor() {
    this.courses = new Map();
    this.cards = new Map();
  }

  /** The resource of the text that the entry releases, null for any other. */
  visit(entry) {
    const { type, stream, body } = entry;
    if (type === "model.registered") {
      const key = JSON.stringify([textOf(at(body, "provider")), textOf(at(body, "model"))]);
      if (this.cards.has(key) || this.cards.size < MOST_MODELS) this.cards.set(key, place(entry));
    } else if (ENDS.includes(type)) {
      const course = this.courses.get(stream) ?? begun();
      this.courses.delete(stream);
      if (type === "inference.released") return this.made(entry, course);
    } else if (["inference.requested", "inference.generated", "review.facts_added", "review.signed"].includes(type)) {
      if (!this.courses.has(stream)) this.courses.set(stream, begun());
      const course = this.courses.get(stream);
      if (type === "inference.requested") requested(course, entry);
      else if (type === "review.signed") signed(course, entry);
      else judged(course, entry);
    }
    return null;
  }

  made(entry, course) {
    const { origin, index, stream, time, body } = entry;
    const name = stream.replaceAll("_", "-");
    const document = /^[A-Za-z0-9.-]{1,60}$/.test(name) ? name : null;
    const named = (kind, value, display) => ({ role: "source", what: { identifier: identifier(origin, kind, value), display } });
    const card = this.cards.get(JSON.stringify([course.provider, course.model]));
    const model = `${course.provider}/${course.model}`;
    const agent = [{ type: participant("author"), who: { reference: "#model" } }];
    if (course.app !== null) agent.push({ type: participant("enterer"), who: { type: "Device", identifier: identifier(origin, "app", course.app) } });
    const entity = [];
    if (course.asked !== null) entity.push(named("entry", course.asked, "inference.requested"));
    entity.push(named("entry", place(entry), "inference.released"));
    if (course.policy !== null) entity.push(named("policy", ...course.policy));
    if (course.knowledge !== null) entity.push(named("knowledge", course.knowledge, "knowledge version"));
    if (course.promptVersion !== null) entity.push(named("prompt", course.promptVersion, "prompt version"));
    if (course.prompt !== null) entity.push(named("commitment", course.prompt, "input prompt, by its commitment"));
    for (const one of course.documents) entity.push(named("document", one, "public document"));
    if (course.unnamed) {
      entity.push({ role: "source", what: { display: `${course.unnamed} documents that are not named by their content` } });
    }
    if (card !== undefined) entity.push(named("entry", card, "model card"));
    const signature = [];
    const text = textIn(body, "text_commitment");
    for (const one of course.signatures) {
      if (text === null || one.text !== text) continue;
      const who = { type: "Practitioner", identifier: identifier(origin, "person", one.signer) };
      agent.push({ type: participant("verifier"), role: [{ text: one.role }], who });
      entity.push(named("entry", one.place, "review.signed"));
      const { when, data } = one;
      if (when === null || data === null) continue;
      signature.push({ type: [VERIFICATION], when, who, targetFormat: "application/json", sigFormat: "application/octet-stream", data });
    }
    return {
      resourceType: "Provenance",
      id: document === null ? `released-${index}` : `prv-${document}`,
      meta: { security: [AI_ASSERTED] },
      contained: [
        {
          resourceType: "Device",
          id: "model",
          identifier: [identifier(origin, "model", model)],
          deviceName: [{ name: model, type: "model-name" }],
          type: { text: "Artificial intelligence" },
          ...(course.build !== null && { version: [{ value: course.build }] }),
        },
      ],
      target: [
        document === null
          ? { type: "DocumentReference", identifier: identifier(origin, "inference", stream) }
          : { reference: `DocumentReference/${document}` },
      ],
      occurredDateTime: time,
      recorded: time,
      activity: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-DataOperation", code: "CREATE" }] },
      agent,
      entity,
      ...(signature.length > 0 && { signature }),
    };
  }
}

/** What is known of an inference before its text is released. */
function begun() {
  return {
    ...{ asked: null, app: null, policy: null, promptVersion: null, prompt: null, documents: [], unnamed: 0 },
    ...{ provider: labelOf(null), model: labelOf(null), build: null, knowledge: null, signatures: [] },
  };
}

function requested(course, entry) {
  const { body, commitments } = entry;
  course.asked = place(entry);
  course.app = textOf(at(body, "calling_app"));
  course.policy = [textOf(hashOf(at(body, "policy_hash"))), textOf(at(body, "policy"))];
  const version = textIn(body, "prompt_version");
  if (version) course.promptVersion = textOf(version);
  const sent = (kind) => commitments.find((item) => item.kind === kind)?.commitment;
  course.prompt = sent("prompt_sent") ?? sent("prompt") ?? null;
  const listed = at(body, "public_documents");
  const hashes = Array.isArray(listed) ? listed.filter((one) => typeof one === "string" && HASH.test(one)) : [];
  course.documents = hashes.slice(0, MOST_DOCUMENTS);
  const count = at(body, "documents");
  course.unnamed = typeof count === "number" ? Math.max(0, count - course.documents.length) : 0;
  course.provider = textOf(at(body, "provider"));
  course.model = textOf(at(body, "model"));
}

function judged(course, { type, body }) {
  const pack = textIn(body, "knowledge_hash");
  if (pack) course.knowledge = textOf(hashOf(pack));
  if (type !== "inference.generated") return;
  if (Object.hasOwn(body, "provider")) course.provider = textOf(body.provider);
  if (Object.hasOwn(body, "model")) course.model = textOf(body.model);
  const build = textIn(body, "fingerprint");
  if (build) course.build = textOf(build);
}

function signed(course, entry) {
  const said = inner(entry.body, "statement");
  if (at(said, "meaning") === "rejected") return;
  const [when, data] = [at(said, "time"), at(entry.body, "signature")];
  course.signatures.push({
    place: place(entry),
    text: at(said, "text_commitment"),
    signer: textOf(at(said, "signer")),
    role: textOf(at(said, "role")),
    when: isTime(when) ? when : null,
    data: fromBase64(data)?.length ? data : null,
  });
}

function at(body, name) {
  return isObject(body) && Object.hasOwn(body, name) ? body[name] : null;
}

function place({ origin, index }) {
  return `${origin}#${index}`;
}

/** What a body says as a text that R4 allows. */
function textOf(value) {
  return isNamed(value) ? value : labelOf(value);
}

/** Entries name a content hash by its hex digits alone. */
function hashOf(value) {
  return typeof value === "string" && HASH.test(value) && !value.includes(":") ? `sha256:${value}` : value;
}

function participant(code) {
  return { coding: [{ system: "http://terminology.hl7.org/CodeSystem/provenance-participant-type", code }] };
}
