// V22: periodic examinations follow each other without a gap, list every exception of their period, and are signed.

import { toHex, utf8 } from "./bytes.js";
import { canonical, hasExactly, isCount, isObject, textIn } from "./canonical.js";
import { isHex64, isNamed, isTime, matches } from "./entry.js";
import { leafHash } from "./merkle.js";
import { Sha256 } from "./sha256.js";

const TAG = "attending-examination-signature/1\n";
const BURST = 5;
const HANDOVER_SECONDS = 60;
const SELF_APPROVAL = ["SECOND_PERSON_REQUIRED", "SIGNER_IS_AUTHOR"];
const CLASSES = {
  privacy: [
    ...["break_glass", "emergency_access", "denied_burst", "export_with_content", "self_approval_refused", "signature_failed"],
    ...["concurrent_session", "impossible_handover", "overdue_review", "erasure"],
  ],
  safety: ["break_glass", "overdue_review", "self_approval_refused", "signature_failed", "halt", "expired", "withdrawn"],
};
const FIELDS = [
  ...["counts", "digest", "dispositions", "first", "until", "key_id", "nonce", "office", "origin", "own"],
  ...["role", "signer", "since_time", "until_time", "time", "v"],
];

export class Examinations {
  /** `whole` when no entry from the first one on can be missing: only then is a list known to be complete. */
  constructor(findings, signatures, whole) {
    this.findings = findings;
    this.signatures = signatures;
    this.whole = whole;
    this.signs = [];
    this.disposed = { privacy: new Map(), safety: new Map() };
    this.last = new Map();
    this.nonces = new Map();
    this.size = 0;
    this.count = 0;
  }

  async visit(entry) {
    this.size = entry.index + 1;
    const sign = signOf(entry);
    if (sign) {
      const { index, time, actor } = entry;
      this.signs.push({ count: 1, about: "", due: "", ...sign, index, time, actor, leaf: toHex(leafHash(entry.data)) });
    } else if (entry.type === "examination.disposed") {
      const { office, class: kind, entry: index, disposition } = entry.body;
      if (typeof office === "string" && Object.hasOwn(CLASSES, office) && typeof kind === "string" && Number.isInteger(index) && typeof disposition === "string") {
        this.disposed[office].set(JSON.stringify([kind, index]), disposition);
      }
    } else if (entry.type === "examination.signed") await this.signed(entry);
  }

  finish() {
    if (!this.count) return this.findings.notApplicable("V22", "no examination in the bundle");
    const reached = [...this.last].map(([office, { until }]) => `${office} up to entry ${until}`).join(", ");
    this.findings.passed("V22", `${this.count} examinations cover ${reached} of ${this.size}`);
  }

  async signed(entry) {
    this.count++;
    const { index } = entry;
    const { statement } = entry.body;
    const fail = (detail) => this.findings.fail("V22", detail, index);
    if (!isStatement(statement)) return fail("statement is not of the form of version 1");
    const { office, first, until, since_time: sinceTime, until_time: untilTime, nonce } = statement;
    if (entry.stream !== `examination:${office}` || statement.origin !== entry.origin) fail("examination was signed for another log or office");
    if (entry.actor !== `human:${statement.signer}`) fail("examination was appended by another than its signer");
    if (this.nonces.has(nonce)) fail(`nonce was used before, by entry ${this.nonces.get(nonce)}`);
    else this.nonces.set(nonce, index);
    await this.signatures.checkOther(entry, statement, utf8(TAG + canonical(statement)), `${office}_officer`);
    const before = this.last.get(office) ?? { until: 0, time: "" };
    if (first !== before.until || sinceTime !== before.time) {
      const sure = this.whole || this.last.has(office);
      this.findings.judge(sure, "V22", `period does not begin at entry ${before.until}, where the last one ended`, index);
    }
    if (until > index || untilTime > entry.time) fail("period ends after the examination");
    this.last.set(office, { until, time: untilTime });
    if (!this.whole) return this.findings.doubt("V22", "whether every exception is listed is not proved by this scope", index);
    const why = this.compare(entry, statement);
    if (why) fail(why);
  }

  compare(entry, statement) {
    const lines = exceptions(this.signs, statement);
    const disposed = this.disposed[statement.office];
    const of = (line) => disposed.get(JSON.stringify([line.kind, line.index]));
    const missing = lines.find((line) => of(line) === undefined);
    if (missing) return `entry ${missing.index} (${missing.kind}) of the period was not disposed of`;
    const same = (stated, found) => canonical(stated) === canonical(found);
    if (!same(statement.counts, countsOf(lines.map((line) => line.kind)))) return "counts are not those of the period's exceptions";
    if (!same(statement.dispositions, countsOf(lines.map(of)))) return "counts of dispositions are not those on record";
    if (statement.own !== lines.filter((line) => line.actor === entry.actor).length) {
      return "count of the signer's own exceptions is not that of the period";
    }
    const hash = new Sha256().update(utf8(TAG));
    for (const line of lines) hash.update(utf8(canonical({ line: [line.kind, line.index, line.leaf, of(line)] })));
    return toHex(hash.digest()) === statement.digest ? null : "digest is not that of the period's exceptions";
  }
}

function isStatement(value) {
  return (
    hasExactly(value, FIELDS) &&
    value.v === 1 &&
    ["origin", "signer", "role", "nonce"].every((name) => isNamed(value[name])) &&
    isHex64(value.digest) &&
    matches(value.key_id, /^[0-9a-f]{16}$/) &&
    typeof value.office === "string" &&
    Object.hasOwn(CLASSES, value.office) &&
    ["first", "until", "own"].every((name) => isCount(value[name])) &&
    value.first < value.until &&
    [value.counts, value.dispositions].every((counts) => isObject(counts) && Object.entries(counts).every(([name, count]) => isNamed(name) && isCount(count))) &&
    (value.since_time === "" || isTime(value.since_time)) &&
    isTime(value.until_time) &&
    isTime(value.time)
  );
}

function countsOf(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** What an entry is to an examination, by docs/format.md; null for nothing. */
function signOf({ type, body, stream, subject }) {
  const about = textIn(body, "access") ?? stream;
  if (type === "break_glass.used") {
    return { kind: Object.hasOwn(body, "access") ? "emergency_access" : "break_glass", about, due: textIn(body, "review_due") ?? "" };
  }
  if (type === "break_glass.reviewed") return { kind: "reviewed", about };
  if (type === "access.denied") {
    if (Array.isArray(body.policy_ids) && body.policy_ids.includes("nobody-reviews-their-own-emergency")) return { kind: "self_approval_refused" };
    if ((body.refused ?? null) === null) return { kind: "denied", count: isCount(body.count) && body.count > 0 ? body.count : 1 };
    return { kind: SELF_APPROVAL.includes(body.refused) ? "self_approval_refused" : "signature_failed" };
  }
  if (type === "access.exported") return body.payloads === true && !subject ? { kind: "export_with_content" } : null;
  if (type === "session.started") {
    if (Number.isInteger(body.elsewhere_seconds) && body.elsewhere_seconds < HANDOVER_SECONDS) return { kind: "impossible_handover" };
    return isCount(body.concurrent) && body.concurrent > 0 ? { kind: "concurrent_session" } : null;
  }
  const plain = { "subject.erased": "erasure", "system.halted": "halt", "review.expired": "expired", "inference.withdrawn": "withdrawn" };
  return Object.hasOwn(plain, type) ? { kind: plain[type] } : null;
}

/** The exceptions of the statement's period, by entry and class. */
function exceptions(signs, { office, first, until, since_time: sinceTime, until_time: untilTime }) {
  const found = [];
  const denied = new Map();
  const used = [];
  const reviewed = new Map();
  for (const sign of signs) {
    if (sign.index >= until) break;
    if (sign.due) used.push(sign);
    if (sign.kind === "reviewed" && !reviewed.has(sign.about)) reviewed.set(sign.about, sign);
    if (sign.index < first) continue;
    if (sign.kind === "denied") {
      // One exception for an actor and an hour by the clock, at the denial that makes them a burst.
      const slot = JSON.stringify([sign.actor, sign.time.slice(0, 13)]);
      const before = denied.get(slot) ?? 0;
      denied.set(slot, before + sign.count);
      if (before < BURST && before + sign.count >= BURST) found.push({ ...sign, kind: "denied_burst" });
    } else found.push(sign);
  }
  for (const sign of used) {
    const review = reviewed.get(sign.about);
    const late = !review || review.time > sign.due;
    if (sign.due > sinceTime && sign.due <= untilTime && late) found.push({ ...sign, kind: "overdue_review" });
  }
  const listed = found.filter((line) => CLASSES[office].includes(line.kind));
  return listed.sort((one, other) => one.index - other.index || (one.kind < other.kind ? -1 : 1));
}
