// V19, disclosed payloads against the commitments of their entries; and of V11, that what was displayed is what was signed.
//
// The lines are read first, of which hashes are kept, and met with the entries afterwards.

import { Refused, fromBase64, fromHex, toHex, utf8 } from "./bytes.js";
import { hasExactly, isObject, parseCanonical, textIn } from "./canonical.js";
import { Certificates } from "./certificates.js";
import { sha256, sha256Hex } from "./sha256.js";

// 16 MiB in base64, and the rest of the line.
export const MAX_PAYLOAD_LINE_BYTES = Math.floor((16 * 1024 * 1024 * 4) / 3) + 1024;
const TAG = utf8("attending-payload/1\0");
const SEPARATOR = Uint8Array.of(0);
const SAID = ["inference", "signer", "role"];

/** The commitment to content in the role `kind`, in hex. */
export function commitmentOf(kind, salt, content) {
  return toHex(sha256(TAG, utf8(kind), SEPARATOR, salt, content));
}

export class Payloads {
  /** `complete` when the bundle holds every entry of the log up to its end. */
  constructor(findings, complete) {
    this.findings = findings;
    this.complete = complete;
    this.certificates = new Certificates(findings, complete);
    this.present = false;
    this.open = new Map();
    this.views = new Map();
    this.texts = new Map();
    this.erased = [];
    this.pruned = [];
    this.disclosed = 0;
    this.lines = 0;
  }

  /** One line of the file. */
  load(line) {
    this.lines++;
    const found = readLine(line);
    if (!found) return this.findings.fail("V19", `line ${this.lines} of the payloads is not well formed`);
    if (this.open.has(found.record)) return this.findings.fail("V19", `line ${this.lines} of the payloads repeats a record`);
    this.open.set(found.record, { kind: found.kind, state: found.state });
    if (!found.content) return;
    if (found.kind === "view") this.views.set(found.record, readView(found.content));
    else if (found.kind === "output_final") this.texts.set(found.record, sha256Hex(found.content));
  }

  visit(entry) {
    this.certificates.visit(entry);
    if (entry.type === "review.signed" && this.views.size) this.compareView(entry);
    if (!this.open.size) return;
    for (const item of entry.commitments) {
      const found = this.open.get(item.record);
      if (!found) continue;
      this.open.delete(item.record);
      if (found.kind !== item.kind) this.findings.fail("V19", "payload is disclosed as of another kind", entry.index);
      else if (found.state === "erased") this.erased.push(entry);
      else if (found.state === "pruned") this.pruned.push(entry.index);
      else if (found.state !== item.commitment) this.findings.fail("V19", "payload is not the content committed to", entry.index);
      else this.disclosed++;
    }
  }

  finish() {
    this.certificates.finish();
    if (!this.present) return this.findings.notApplicable("V19", "no payloads are disclosed");
    for (const { index, subject } of this.erased) {
      if (subject === null || !this.certificates.erased.has(subject)) {
        this.findings.judge(this.complete, "V19", "payload is called erased without an erasure entry for its subject", index);
      }
    }
    for (const index of this.pruned) {
      if (!this.certificates.covers(index)) {
        this.findings.judge(this.complete, "V19", "payload is called pruned, and no pruning entry covers it", index);
      }
    }
    if (this.open.size) this.findings.fail("V19", `${this.open.size} payloads belong to no entry of the bundle`);
    const gone = `${this.erased.length} erased, ${this.pruned.length} pruned`;
    this.findings.passed("V19", `${this.disclosed} payloads match their commitments, ${gone}`);
  }

  compareView(entry) {
    const { statement } = entry.body;
    if (!isObject(statement)) return;
    for (const item of entry.commitments) {
      if (item.kind !== "view" || !this.views.has(item.record)) continue;
      const view = this.views.get(item.record);
      this.views.delete(item.record);
      if (view === null) {
        this.findings.doubt("V11", "what was displayed is of a format not known here", entry.index);
        continue;
      }
      if (SAID.some((name) => (view.said[name] ?? null) !== (statement[name] ?? null))) {
        this.findings.fail("V11", "what was displayed names another inference, signer or role than the statement", entry.index);
      }
      const text = this.texts.get(textIn(statement, "record"));
      if (text !== undefined && text !== view.text) {
        this.findings.fail("V11", "the text displayed is not the text signed", entry.index);
      }
    }
  }
}

/** {record, kind, state: commitment in hex, "erased" or "pruned", content}; null for a line that is not well formed. */
function readLine(line) {
  let value;
  try {
    value = parseCanonical(line);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
  if (!isObject(value) || typeof value.record !== "string" || typeof value.kind !== "string" || /[^\x00-\x7f]/.test(value.kind)) return null;
  const { record, kind } = value;
  for (const state of ["erased", "pruned"]) {
    if (hasExactly(value, [state, "kind", "record"])) return value[state] === true ? { record, kind, state } : null;
  }
  if (!hasExactly(value, ["content", "kind", "record", "salt"])) return null;
  const content = fromBase64(value.content);
  const salt = fromHex(value.salt);
  if (!content || !salt || salt.length !== 32) return null;
  return { record, kind, content, state: commitmentOf(kind, salt, content) };
}

/** What of a view document is compared; null for one of another format. */
function readView(content) {
  try {
    const value = parseCanonical(content);
    if (!isObject(value) || value.format !== "attending-view/1" || typeof value.text !== "string") return null;
    const said = Object.fromEntries(SAID.map((name) => [name, value[name]]));
    return { said, text: sha256Hex(utf8(value.text)) };
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}
