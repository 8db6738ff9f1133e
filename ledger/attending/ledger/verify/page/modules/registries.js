// V20, the registry snapshot: what `registries.json` says stood at the end of the entries is worked out again from them.

import { isObject } from "./canonical.js";
import { labelOf } from "./tally.js";

const FORMAT = "attending-registries/1";
const MOST_STANDING = 5000;
const MOST_USED = 500;
const ENDS = new Set(["policy.retired", "model.retired", "document.withdrawn", "system.resumed"]);
const BEGINS = new Set([
  ...["policy.activated", "knowledge.activated", "prompt.label", "model.registered", "model.approved"],
  ...["rag.version", "document.registered", "system.halted", "key.rotated"],
]);
const DETAILS = ["by", "requested_by", "version", "mode", "reason", "replaces", "replaced_by"];

export class Registries {
  constructor({ kind, begin, end }) {
    this.subset = kind === "subset";
    this.begin = begin;
    this.end = end;
    this.time = null;
    // What to name to what an entry put there; (name, version) and (what, name, version) as JSON to the same.
    this.standing = new Map();
    this.versions = new Map();
    this.uses = new Map();
    this.more = new Map();
  }

  visit(entry) {
    const { type, body, time } = entry;
    this.time = time;
    if (BEGINS.has(type) || ENDS.has(type)) this.stand(entry);
    if (type === "inference.requested" || type === "inference.generated") {
      const runs = Object.hasOwn(body, "rails") && Array.isArray(body.rails) ? body.rails : [];
      for (const run of runs) if (isObject(run)) this.use(entry, ["rail", said(run, "name"), said(run, "version")]);
    }
    if (type === "inference.generated") {
      const build = Object.hasOwn(body, "fingerprint") && typeof body.fingerprint === "string" && body.fingerprint;
      this.use(entry, ["model", `${said(body, "provider")} ${said(body, "model")}`, build ? labelOf(build) : ""]);
      this.use(entry, ["drug knowledge", "", said(body, "knowledge_hash")]);
    } else if (type === "prompt.version") this.register(entry);
  }

  stand(entry) {
    const [what, name, version] = moved(entry);
    if (!this.standing.has(what)) this.standing.set(what, new Map());
    const marks = this.standing.get(what);
    if (ENDS.has(entry.type)) marks.delete(name);
    else if (marks.size < MOST_STANDING || marks.has(name)) {
      const detail = DETAILS.filter((one) => Object.hasOwn(entry.body, one) && typeof entry.body[one] === "string")
        .map((one) => `${one}=${labelOf(entry.body[one])}`)
        .join("; ");
      marks.set(name, { by: labelOf(entry.actor), detail, entry: entry.index, since: entry.time, version });
    } else this.leaveOut(what);
  }

  register({ body, actor, index, time }) {
    const key = JSON.stringify([said(body, "name"), said(body, "version")]);
    if (this.versions.has(key)) return;
    if (this.versions.size >= MOST_STANDING) this.leaveOut("prompt version");
    else this.versions.set(key, { by: labelOf(actor), entry: index, time });
  }

  use({ index, time }, key) {
    const name = JSON.stringify(key);
    if (!this.uses.has(name)) {
      if (this.uses.size >= MOST_USED) return this.leaveOut("in use");
      this.uses.set(name, { entry: index, first: time, last: time, times: 0 });
    }
    const one = this.uses.get(name);
    one.times++;
    one.last = time;
  }

  leaveOut(what) {
    this.more.set(what, (this.more.get(what) ?? 0) + 1);
  }

  result() {
    const inForce = new Map();
    for (const [what, marks] of this.standing) {
      inForce.set(what, Object.fromEntries([...marks].map(([name, mark]) => [name || what, mark])));
    }
    const registered = nested([...this.versions].map(([key, one]) => [JSON.parse(key), one]));
    const inUse = nested([...this.uses].map(([key, one]) => {
      const [what, name, version] = JSON.parse(key);
      return [[what, name || what, version], one];
    }));
    return {
      as_of: this.time,
      format: FORMAT,
      from: this.begin,
      in_force: this.subset ? null : Object.fromEntries(inForce),
      in_use: inUse,
      more: Object.fromEntries(this.more),
      prompt_versions: registered,
      to: this.end,
      whole: !this.subset && this.begin === 0,
    };
  }
}

/** Whether a format's name is that of a later version. */
export function isLaterRegistries(name) {
  return typeof name === "string" && name !== FORMAT && /^attending-registries\/[0-9]{1,9}$/.test(name);
}

/** What, name and version that an entry moves. */
function moved({ type, stream, body }) {
  switch (type.slice(0, type.indexOf("."))) {
    case "policy":
      if (stream === "policies") return ["policy", "the first start", ""];
      return ["policy", said(body, "name"), said(body, "policy_hash")];
    case "knowledge":
      return ["drug knowledge", "", said(body, "knowledge_hash")];
    case "prompt":
      return ["prompt", `${said(body, "name")}${(body.label ?? null) === null ? "" : ` ${said(body, "label")}`}`, said(body, "version")];
    case "model":
      return ["registered model", `${said(body, "provider")} ${said(body, "model")}`, said(body, "revision")];
    case "rag":
      return ["index", said(body, "index_id"), said(body, "version")];
    case "document":
      return ["document", `${said(body, "document_id")} ${said(body, "version")}`, said(body, "content_hash")];
    case "system":
      return ["halt", Object.hasOwn(body, "policy") && truthy(body.policy) ? said(body, "policy") : "everything", said(body, "reason")];
    default:
      return ["signing key", "", said(body, "new")];
  }
}

function said(body, name) {
  return labelOf(Object.hasOwn(body, name) ? body[name] : null);
}

/** As the other verifier has it: an empty text, list or object, 0, false and null say nothing. */
function truthy(value) {
  if (Array.isArray(value)) return value.length > 0;
  return isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** Objects in objects, by path. */
function nested(items) {
  const tree = new Map();
  for (const [path, one] of items) {
    let at = tree;
    for (const name of path.slice(0, -1)) {
      if (!at.has(name)) at.set(name, new Map());
      at = at.get(name);
    }
    at.set(path.at(-1), one);
  }
  const plain = (value) =>
    value instanceof Map ? Object.fromEntries([...value].map(([name, one]) => [name, plain(one)])) : value;
  return plain(tree);
}
