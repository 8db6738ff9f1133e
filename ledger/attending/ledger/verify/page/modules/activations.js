// Of V14: no inference begins under a policy version that is not in force, and two people put one there.

import { isObject, textIn } from "./canonical.js";

export class Activations {
  /** `contiguous` where no entry of the scope was left out; `begin` is its first. */
  constructor(findings, contiguous, begin) {
    this.findings = findings;
    this.contiguous = contiguous;
    this.begin = begin;
    this.watching = false;
    this.active = new Map();
    this.asked = new Map();
  }

  visit(entry, policy) {
    if (!this.contiguous || entry.index < this.begin) return;
    const { type, stream, body } = entry;
    if (type === "inference.requested") return this.begun(entry, policy);
    if (type === "policy.version" && stream === "policies") {
      this.watching = true;
      if (isObject(body.policies)) for (const [name, version] of Object.entries(body.policies)) this.active.set(`policy:${name}`, version);
      return;
    }
    if (!/^(policy|knowledge)\./.test(type) || !(stream === "knowledge" || stream.startsWith("policy:"))) return;
    const event = type.slice(type.indexOf(".") + 1);
    if (event === "version") this.asked.set(stream, entry);
    else if (event === "activated") this.activated(entry);
    else if (event === "retired") {
      this.active.delete(stream);
      this.asked.delete(stream);
    }
  }

  begun(entry, policy) {
    const named = textIn(entry.body, "policy_hash");
    if (!this.watching || (named !== null && this.active.get(`policy:${policy ?? ""}`) === named)) return;
    this.findings.fail("V14", "`inference.requested` under a policy version that is not in force", entry.index);
  }

  activated(entry) {
    const { stream, type, body, index } = entry;
    const asked = this.asked.get(stream);
    const version = versionOf(entry);
    this.asked.delete(stream);
    this.active.set(stream, version);
    if (!this.watching || body.by === "bootstrap") return;
    if (!asked || version === null || versionOf(asked) !== version) {
      this.findings.fail("V14", `\`${type}\` of a version that nobody asked for`, index);
    } else if (asked.actor === entry.actor) {
      this.findings.fail("V14", `\`${type}\` by the person who asked for it at entry ${asked.index}`, index);
    }
  }
}

function versionOf({ body }) {
  return textIn(body, Object.hasOwn(body, "policy_hash") ? "policy_hash" : "knowledge_hash");
}
