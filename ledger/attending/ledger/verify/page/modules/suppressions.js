// Of V17, findings that nobody was asked about, since somebody had decided on the same one before.

import { isObject } from "./canonical.js";
import { microseconds } from "./entry.js";

const LONGEST_DAYS = 90;
const DAY = 86400000000n;
// The entry's time is the log's; the server looked a little earlier.
const GRACE = 300000000n;
const KEEPS = ["accepted_risk", "false_alarm"];
const SEVERITIES = ["minor", "moderate", "major"];

export class Suppressions {
  constructor(findings, whole) {
    this.findings = findings;
    this.whole = whole;
    this.decisions = new Map();
    // The last word on a finding, by stream and ordinal.
    this.last = new Map();
    this.released = new Set();
    // Streams that were taken back, or whose findings are those of other facts.
    this.doubtful = new Set();
    this.resting = new Map();
  }

  visit(entry) {
    const { type, stream, body } = entry;
    if (type === "review.disposed") this.disposed(entry);
    else if (type === "inference.held") this.held(entry);
    else if (type === "review.facts_added") {
      this.doubtful.add(stream);
      this.resting.delete(stream);
    } else if (type === "inference.released" && body.basis === "signed") {
      this.released.add(stream);
      this.restsStill(entry);
    } else if (type === "inference.withdrawn") this.doubtful.add(stream);
  }

  disposed(entry) {
    const { body, stream, index } = entry;
    const { finding } = body;
    if (!Number.isInteger(finding)) return;
    this.resting.get(stream)?.delete(finding);
    const key = JSON.stringify([stream, finding]);
    if (!Object.hasOwn(body, "alike") && !this.last.has(key)) return;
    this.last.set(key, index);
    const { alike, severity, disposition } = body;
    this.decisions.set(index, { key, stream, subject: entry.subject, digest: alike, severity, disposition, time: entry.time });
  }

  held(entry) {
    const { body, index } = entry;
    const fail = (detail) => this.findings.fail("V17", detail, index);
    const { suppressed, alike, to_dispose: asked, suppression_days: days } = body;
    if (isNothing(suppressed)) return;
    if (!Array.isArray(suppressed) || !Array.isArray(asked) || !Array.isArray(alike) || !alike.every(isObject)) {
      return fail("findings that were decided before are not said in the form of a list");
    }
    if (!Number.isInteger(days) || days < 1 || days > LONGEST_DAYS) return fail(`earlier decisions may stand for 1 to ${LONGEST_DAYS} days`);
    const digests = new Map(alike.filter((one) => Number.isInteger(one.finding)).map((one) => [one.finding, one.digest]));
    const resting = new Map();
    for (const one of suppressed) {
      const finding = isObject(one) ? one.finding : null;
      if (!Number.isInteger(finding) || resting.has(finding) || asked.includes(finding)) {
        fail("finding that was decided before is not one finding that nobody is asked about");
        continue;
      }
      if (!Number.isInteger(one.entry) || one.entry >= index) {
        fail(`finding ${finding} rests on no decision before it`);
        continue;
      }
      resting.set(finding, one.entry);
      const decision = this.decisions.get(one.entry);
      if (!decision) {
        this.findings.judge(this.whole, "V17", `decision at entry ${one.entry}, on which finding ${finding} rests, is not there`, index);
        continue;
      }
      const why = this.wrong(entry, one, digests.get(finding), decision, days);
      if (why) fail(`finding ${finding} rests on entry ${one.entry}, ${why}`);
    }
    this.resting.set(entry.stream, resting);
  }

  wrong(entry, one, digest, decision, days) {
    if (entry.subject === null || decision.subject !== entry.subject) return "which is about nobody or another patient";
    if (typeof digest !== "string" || decision.digest !== digest || one.inference !== decision.stream) return "which decided on another finding";
    if (!KEEPS.includes(decision.disposition) || this.last.get(decision.key) !== one.entry) {
      return "which is not the last word on a finding that was left as it is";
    }
    if (!SEVERITIES.includes(decision.severity) || one.severity !== decision.severity) {
      return "which is about a contraindication, or of another severity";
    }
    if (microseconds(entry.time) - microseconds(decision.time) > BigInt(days) * DAY + GRACE) return `which is older than ${days} days`;
    if (this.doubtful.has(decision.stream) || (this.whole && !this.released.has(decision.stream))) {
      return "whose text was not released on its signatures, or does not stand";
    }
    return null;
  }

  /** What was signed rests on no decision whose text was taken back meanwhile. */
  restsStill(entry) {
    for (const [finding, index] of this.resting.get(entry.stream) ?? []) {
      const decision = this.decisions.get(index);
      if (decision && this.doubtful.has(decision.stream)) {
        this.findings.fail("V17", `finding ${finding} was signed on entry ${index}, whose text was taken back`, entry.index);
      }
    }
    this.resting.delete(entry.stream);
  }
}

function isNothing(value) {
  return value === undefined || value === null || value === false || value === 0 || value === "" || (isObject(value) && !Object.keys(value).length) || (Array.isArray(value) && !value.length);
}
