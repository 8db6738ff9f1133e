// Of V11, V13 and V14, reports: each is asked for, signed off by a named person, and issued as what was signed.

import { utf8 } from "./bytes.js";
import { canonical, hasExactly, isCount } from "./canonical.js";
import { isHex64, isNamed, isTime, matches } from "./entry.js";

const TAG = "attending-report-signature/1\n";
const ROLES = ["auditor", "medical_director", "privacy_officer", "safety_officer"];
const BOUND = ["bundle", "statistics", "kind", "tree_size"];
const FIELDS = [
  ...["bundle", "statistics", "draft", "key_id", "kind", "meaning", "nonce", "origin", "report", "role", "root", "signer"],
  ...["time", "tree_size", "v"],
];

export class Reports {
  /** `whole` when no entry from the first one on can be missing. */
  constructor(findings, signatures, whole) {
    this.findings = findings;
    this.signatures = signatures;
    this.whole = whole;
    this.lives = new Map();
    this.nonces = new Map();
  }

  async visit(entry) {
    const { type, stream, index } = entry;
    if (type === "report.requested") {
      if (this.lives.has(stream)) this.findings.fail("V14", "report was asked for before", index);
      this.lives.set(stream, { complete: this.whole, signed: null, signedOff: false, issued: false, discarded: false });
    } else if (["report.signed_off", "report.issued", "report.disclosed", "report.discarded"].includes(type)) {
      if (!this.lives.has(stream)) {
        this.findings.judge(this.whole, "V14", "report was never asked for, unless entries were left out", index);
        this.lives.set(stream, { complete: false, signed: null, signedOff: false, issued: false, discarded: false });
      }
      const life = this.lives.get(stream);
      if (type === "report.signed_off") await this.sign(life, entry);
      else if (type === "report.issued") this.issue(life, entry);
      else if (type === "report.discarded") this.discard(life, entry);
    }
  }

  async sign(life, entry) {
    const { index, body } = entry;
    const { statement } = body;
    const fail = (check, detail) => this.findings.fail(check, detail, index);
    if (life.signedOff) fail("V14", "report was signed off before");
    if (life.discarded) fail("V14", "report was signed off after it was discarded");
    life.signedOff = true;
    if (!isStatement(statement)) return fail("V11", "statement is not of the form of version 1");
    life.signed = statement;
    if (statement.origin !== entry.origin || `report:${statement.report}` !== entry.stream) fail("V11", "statement is of another log or report");
    if (entry.actor !== `human:${statement.signer}`) fail("V11", "report was signed off by another than its signer");
    if (!ROLES.includes(statement.role)) fail("V13", "role is not one that signs reports off");
    if (this.nonces.has(statement.nonce)) fail("V11", `nonce was used before, by entry ${this.nonces.get(statement.nonce)}`);
    else this.nonces.set(statement.nonce, index);
    await this.signatures.checkOther(entry, statement, utf8(TAG + canonical(statement)), statement.role);
  }

  issue(life, { index, body }) {
    if (life.issued) this.findings.fail("V14", "report was issued before", index);
    if (life.discarded) this.findings.fail("V14", "report was issued after it was discarded", index);
    life.issued = true;
    if (!life.signed) {
      if (!life.signedOff) this.findings.judge(life.complete, "V14", "report was issued without a signature, unless entries were left out", index);
      return;
    }
    for (const name of BOUND) {
      if (body[name] !== life.signed[name]) this.findings.fail("V14", `\`${name}\` of the report issued is not what was signed`, index);
    }
  }

  discard(life, { index }) {
    const how = life.issued ? "issued" : "discarded";
    if (life.issued || life.discarded) this.findings.fail("V14", `report was discarded, and had been ${how} before`, index);
    life.discarded = true;
  }
}

function isStatement(value) {
  return (
    hasExactly(value, FIELDS) &&
    value.v === 1 &&
    ["origin", "kind", "signer", "role", "nonce"].every((name) => isNamed(value[name])) &&
    ["bundle", "statistics", "draft", "root"].every((name) => isHex64(value[name])) &&
    matches(value.report, /^rpt_[0-9a-f]{32}$/) &&
    matches(value.key_id, /^[0-9a-f]{16}$/) &&
    value.meaning === "approved_for_issue" &&
    isCount(value.tree_size) &&
    value.tree_size >= 1 &&
    isTime(value.time)
  );
}
