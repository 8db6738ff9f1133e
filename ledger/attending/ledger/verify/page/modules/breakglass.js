// Of V16, what was released without its sign-offs: only where and by whom the policy that held it permits, and looked at
// by somebody else in time. Emergency access (a body with `access`) releases nothing.

import { isObject } from "./canonical.js";
import { isTime, microseconds } from "./entry.js";

const HOUR = 3600000000n;
// The entry's time is the log's, the review's the server's.
const GRACE = 300000000n;

export class BreakGlass {
  /** `whole` when no entry before or after another can be missing. */
  constructor(findings, whole) {
    this.findings = findings;
    this.whole = whole;
    this.open = new Map();
    this.time = "";
  }

  /** The use {index, actor, text, due} where it was permitted; null after having said why not. */
  used(entry, signOff, known) {
    const { body, index, actor, stream } = entry;
    if (Object.hasOwn(body, "access")) return null;
    if (!known) {
      this.findings.doubt("V16", "what held the text that was released by break-glass is missing", index);
      return null;
    }
    const permit = isObject(signOff.break_glass) ? signOff.break_glass : {};
    const { roles, review_within_hours: hours } = permit;
    const { review_due: due, role } = body;
    let why = null;
    if (!Array.isArray(roles) || !Number.isInteger(hours)) why = "break-glass that the policy which held the text does not permit";
    else if (!actor.startsWith("human:") || typeof role !== "string" || !roles.includes(role)) {
      why = "break-glass by somebody whom the policy does not permit it";
    } else if (!isTime(due) || microseconds(due) > microseconds(entry.time) + BigInt(hours) * HOUR + GRACE) {
      why = "break-glass whose review is not due in the time that the policy gives";
    }
    if (why) {
      this.findings.fail("V16", why, index);
      return null;
    }
    const use = { index, actor, text: body.text_commitment ?? null, due };
    this.open.set(stream, use);
    return use;
  }

  reviewed(entry) {
    const { body, index, actor, stream } = entry;
    if (Object.hasOwn(body, "access")) return;
    const use = this.open.get(stream);
    this.open.delete(stream);
    if (!use) {
      if (this.whole) this.findings.fail("V16", "review of a break-glass that there was not", index);
    } else if (!actor.startsWith("human:") || actor === use.actor) {
      this.findings.fail("V16", "break-glass was reviewed by the person who used it", index);
    } else if (entry.time > use.due) {
      this.findings.fail("V16", `break-glass of entry ${use.index} was reviewed too late`, index);
    }
  }

  /** Says which reviews are overdue; returns words on those that are not due yet. */
  finish() {
    let waiting = 0;
    for (const { index, due } of this.open.values()) {
      if (due >= this.time) waiting++;
      else this.findings.judge(this.whole, "V16", `review of break-glass was due ${due}, and is not in the bundle`, index);
    }
    return waiting ? `, ${waiting} of them to be reviewed yet` : "";
  }
}
