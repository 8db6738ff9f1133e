// What a verification found: one result per finding, in the order of the checks, and the verdict that follows.

/** Every check of this page, by the ids of docs/format.md and of the control matrix, in report order. */
export const CHECKS = {
  V1: "manifest: every file is the one listed, and the log's key signed the list",
  V5: "entries are canonical and of the schema",
  V6: "leaf hashes lead to the signed root",
  V7: "entries are contiguous and linked, by the declared scope",
  V8: "checkpoint is signed by the log's key and cosigned by the witnesses asked for",
  V9: "consistent with every pinned checkpoint",
  V11: "reviewers' signatures verify over statement, record and text",
  V12: "signing keys were enrolled to the signer, not revoked, not expired",
  V13: "meaning and role of signatures fit the decision",
  V14: "transitions are legal and the signer was allowed to sign",
  V15: "time is bounded by witnesses",
  V16: "what was held was released only with its sign-offs",
  V17: "findings were disposed of before release",
  V18: "versions that entries name were registered before them",
  V19: "disclosed payloads match their commitments; erased ones have a certificate",
  V20: "statistics, registries and FHIR are those of the entries",
  V22: "periodic examinations cover the log without a gap and list every exception",
  V23: "second reads are those that seeds committed to before draw",
  V24: "what was read for practice was released to nobody",
};

/** Those of a sealed report, a PDF, beside those of the bundle in it. */
export const SEAL_CHECKS = {
  V2: "seal of a report covers the whole file, with nothing after it",
  V3: "seal's certificate leads to the root given, and was valid when stamped",
  V4: "time stamp is of this seal, by an authority valid at the time that it states",
  V10: "head printed in a report is the one attached and recomputed",
};

/** Checks of the control matrix that this page does not make of a bundle, and why; and of a report. */
export const NOT_CHECKED = {
  "V2 V3 V10": "a bundle of this version carries no sealed PDF",
  V4: "a bundle of this version carries no RFC 3161 time stamps",
  V21: "a bundle does not claim to be de-identified",
};

export const NOT_CHECKED_OF_REPORT = { V21: NOT_CHECKED.V21 };

const LIMIT = 100;

/** Collects results while the checks run; bounded, so that a hostile bundle cannot fill the memory. */
export class Findings {
  constructor(checks = Object.keys(CHECKS)) {
    this.items = new Map(checks.map((check) => [check, []]));
    this.holds = new Map();
    this.absent = new Map();
    this.notes = [];
    this.dropped = new Map();
  }

  /** The evidence is wrong. */
  fail(check, detail, index = null) {
    this.add({ check, status: "failed", detail, index, advisory: false });
  }

  /** The evidence does not decide; `advisory` when the verdict takes no note of it. */
  doubt(check, detail, index = null, advisory = false) {
    this.add({ check, status: "indeterminate", detail, index, advisory });
  }

  /** `fail` where `sure`, else a doubt. */
  judge(sure, check, detail, index = null) {
    if (sure) this.fail(check, detail, index);
    else this.doubt(check, detail, index);
  }

  /** What holds when the check has neither a failure nor a doubt that counts. */
  passed(check, detail) {
    this.holds.set(check, detail);
  }

  /** Something that holds by itself, shown beside whatever else the check finds. */
  note(check, detail) {
    this.notes.push({ check, status: "passed", detail, index: null, advisory: false });
  }

  /** Why the check has nothing to look at. */
  notApplicable(check, detail) {
    this.absent.set(check, detail);
  }

  failed(check) {
    return this.items.get(check).some((item) => item.status === "failed");
  }

  add(item) {
    const items = this.items.get(item.check);
    // A flood of one status must not hide the other, nor one that does not count become one that does.
    if (items.filter((other) => other.status === item.status && other.advisory === item.advisory).length < LIMIT) items.push(item);
    else {
      const key = `${item.check} ${item.status} ${item.advisory}`;
      this.dropped.set(key, (this.dropped.get(key) ?? 0) + 1);
    }
  }

  results() {
    const results = [];
    for (const [check, items] of this.items) {
      const only = (status, detail, advisory = false) => results.push({ check, status, detail, index: null, advisory });
      if (!items.some((item) => item.status === "failed" || !item.advisory)) {
        if (this.holds.has(check)) only("passed", this.holds.get(check));
        else if (!items.length && this.absent.has(check)) only("not_applicable", this.absent.get(check));
        else if (!items.length) only("indeterminate", "not reached");
      }
      results.push(...items.filter((item) => item.status === "failed"), ...items.filter((item) => item.status !== "failed"));
      results.push(...this.notes.filter((item) => item.check === check));
      for (const [status, advisory] of [["failed", false], ["indeterminate", false], ["indeterminate", true]]) {
        const count = this.dropped.get(`${check} ${status} ${advisory}`);
        if (count) only(status, `and ${count} more`, advisory);
      }
    }
    return results;
  }
}

/** `failed` if anything failed, else `indeterminate` if a doubt counts, else `passed`. */
export function verdictOf(results) {
  if (results.some((item) => item.status === "failed")) return "failed";
  return results.some((item) => item.status === "indeterminate" && !item.advisory) ? "indeterminate" : "passed";
}
