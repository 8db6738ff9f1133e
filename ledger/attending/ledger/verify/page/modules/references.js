// V18: what entries say they went by was registered in the log before them.

import { textIn } from "./canonical.js";

const JUDGED = ["inference.generated", "review.facts_added"];
const RECALLS = ["recall.proposed", "recall.dismissed", "knowledge.rejudged"];

export class References {
  /** `whole`: no entry before a given one can be missing; else what is missing may lie outside. */
  constructor(findings, whole) {
    this.findings = findings;
    this.whole = whole;
    this.prompts = new Set();
    this.versions = new Set();
    this.packs = new Set();
    // Index of a `knowledge.activated` to the pack that it names, null where it names none.
    this.activations = new Map();
    this.watching = false;
    this.count = this.outside = 0;
    this.first = null;
  }

  visit(entry) {
    for (const [what, known] of this.named(entry)) {
      if (known) {
        this.count++;
        continue;
      }
      if (this.whole) this.findings.fail("V18", `\`${entry.type}\` names ${what} that was not registered before it`, entry.index);
      else {
        this.outside++;
        this.first ??= entry.index;
      }
    }
    this.register(entry);
  }

  finish() {
    if (this.outside) {
      const detail = `${this.outside} references lead to what may be registered outside the bundle`;
      this.findings.doubt("V18", detail, this.first, true);
    }
    if (this.count) this.findings.passed("V18", `${this.count} references lead to what was registered before`);
    else this.findings.notApplicable("V18", "no reference to a registered version in the bundle");
  }

  *named({ type, body }) {
    if (type === "inference.requested") {
      const version = textIn(body, "prompt_version");
      if (version !== null) yield ["a prompt's version", this.versions.has(version)];
    } else if (type === "prompt.label") {
      for (const key of ["version", "previous"]) {
        const version = textIn(body, key);
        if (version !== null) yield ["a prompt's version", this.prompts.has(pair(textIn(body, "name"), version))];
      }
    } else if (JUDGED.includes(type) && this.watching) {
      const pack = textIn(body, "knowledge_hash");
      if (pack !== null) yield ["drug knowledge", this.packs.has(pack)];
    } else if (RECALLS.includes(type) && Object.hasOwn(body, "activation") && Number.isInteger(body.activation)) {
      const pack = this.activations.get(body.activation);
      const same = !Object.hasOwn(body, "knowledge_hash") || JSON.stringify(body.knowledge_hash) === JSON.stringify(pack);
      yield ["an activation", pack !== undefined && same];
    }
  }

  register({ type, stream, index, body }) {
    const pack = textIn(body, "knowledge_hash");
    if (type === "prompt.version") {
      const [name, version] = [textIn(body, "name"), textIn(body, "version")];
      if (name === null || version === null) return;
      this.prompts.add(pair(name, version));
      this.versions.add(version);
    } else if (type === "knowledge.activated" && stream === "knowledge") {
      this.activations.set(index, pack);
      if (pack !== null) this.packs.add(pack);
    } else if (type === "policy.version" && stream === "policies" && pack !== null) {
      this.packs.add(pack);
      // One that says nothing of the knowledge keeps to versions of policies alone.
      this.watching = true;
    }
  }
}

function pair(name, version) {
  return JSON.stringify([name, version]);
}
