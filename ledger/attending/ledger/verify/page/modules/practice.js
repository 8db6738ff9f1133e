// V24: what was read for practice was released to nobody, and each debrief opens the mark of its own inference.

import { fromHex, toHex, utf8 } from "./bytes.js";
import { isObject } from "./canonical.js";
import { matches } from "./entry.js";
import { sha256 } from "./sha256.js";

const REACHES = [
  ...["inference.released", "inference.delivered", "inference.withdrawn", "inference.stream_opened", "inference.stream_window"],
  ...["recall.acknowledged", "break_glass.used", "review.sampled"],
];
const TAG = utf8("attending-seeded/1\n");

export class Practice {
  constructor(findings, whole) {
    this.findings = findings;
    this.whole = whole;
    this.marked = new Map();
    this.debriefed = new Set();
    this.delivered = new Map();
    this.seeded = 0;
  }

  visit(entry) {
    const { type, stream, body, index } = entry;
    if (type === "inference.requested" && Object.hasOwn(body, "practice")) this.marked.set(stream, body.practice);
    else if (type === "oversight.debriefed") this.debrief(entry);
    else if (REACHES.includes(type)) {
      if (!this.delivered.has(stream)) this.delivered.set(stream, index);
      if (this.marked.has(stream) || this.debriefed.has(stream)) this.findings.fail("V24", `\`${type}\` of a practice item`, index);
    }
  }

  debrief({ stream, body, index }) {
    if (this.debriefed.has(stream)) this.findings.fail("V24", "debriefed twice", index);
    this.debriefed.add(stream);
    const opens = this.opens(stream, body);
    if (opens && body.mode === "seeded") this.seeded++;
    if (!opens) {
      // Of a part of a log the entry that marked it openly may be missing.
      const unknown = !this.whole && !this.marked.has(stream) && body.mode === "practice";
      this.findings.judge(!unknown, "V24", "debrief opens no mark of its inference", index);
    }
    if (this.delivered.has(stream)) this.findings.fail("V24", "a practice item had reached somebody", this.delivered.get(stream));
  }

  opens(stream, { mode, item, key }) {
    if (!matches(item, /^[a-z0-9][a-z0-9-]{0,63}$/)) return false;
    if (mode === "practice") return isObject(this.marked.get(stream)) && this.marked.get(stream).item === item;
    const secret = fromHex(key);
    if (mode !== "seeded" || !secret || secret.length !== 32) return false;
    return stream === `inf_${toHex(sha256(TAG, secret, utf8(item)).subarray(0, 16))}`;
  }

  finish() {
    if (!this.marked.size && !this.debriefed.size) return this.findings.notApplicable("V24", "no practice item is known in the bundle");
    this.findings.passed("V24", `${this.marked.size} practice items and ${this.seeded} seeded ones reached nobody`);
  }
}
