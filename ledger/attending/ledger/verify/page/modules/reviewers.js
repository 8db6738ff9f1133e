// Of V14, who works on a held text: claims, own views before the reveal, and two people who read blind.

import { isObject, textIn } from "./canonical.js";
import { releases } from "./signatures.js";

class Rule {
  constructor(findings) {
    this.findings = findings;
  }

  /** `complete` when no entry of the stream can be missing from the bundle. */
  report(detail, entry, complete) {
    this.findings.judge(complete, "V14", complete ? detail : `${detail}, unless entries were left out`, entry.index);
  }
}

const UNDER_LEASE = ["review.disposed", "review.facts_added", "review.signed", "review.rejected", "review.escalated", "review.opinion_recorded"];
const ENDS_LEASE = ["review.signed", "review.rejected", "review.escalated", "review.reassigned"];

/** Each step of a review is by whoever claimed the text last. A stream without a claim that names its lease says nothing. */
export class Leases extends Rule {
  constructor(findings) {
    super(findings);
    // Null while nothing is known, "" for nobody.
    this.holder = null;
    this.signer = null;
    this.escalatedBy = new Set();
  }

  visit(entry, complete) {
    const { type, actor, body } = entry;
    if (type === "review.claimed") {
      if (typeof body.lease !== "string") return;
      const renewed = body.renewed === true;
      if (renewed && this.holder !== null && this.holder !== actor) {
        this.report("lease was renewed by somebody who did not hold it", entry, complete);
      }
      if (!renewed && this.escalatedBy.has(actor)) this.report("claimed by somebody who had escalated it", entry, complete);
      this.holder = actor;
      this.signer = null;
      return;
    }
    // The server escalates by itself what waits for too long; that ends no lease.
    if (type === "review.escalated" && !actor.startsWith("human:")) return;
    const follows = type === "review.rejected" && actor === this.signer;
    if (UNDER_LEASE.includes(type) && this.holder !== null && this.holder !== actor && !follows) {
      this.report(`\`${type}\` by somebody who had not claimed it`, entry, complete);
    }
    if (type === "review.signed") this.signer = actor;
    else if (type === "review.escalated") this.escalatedBy.add(actor);
    else if (type === "review.reassigned") this.escalatedBy.delete(`human:${textIn(body, "to")}`);
    if (ENDS_LEASE.includes(type) && this.holder !== null) this.holder = "";
  }
}

/** Of a stream held with `own_view_first`: who decides on findings or signs had put an own view on record before. */
export class OwnViews extends Rule {
  constructor(findings) {
    super(findings);
    this.given = new Set();
  }

  visit(entry, complete) {
    const { type, actor, body } = entry;
    if (type === "review.opinion_recorded") {
      if (this.given.has(actor)) this.report("a second own view, which may follow the reveal", entry, complete);
      this.given.add(actor);
    } else if (type === "review.disposed" || type === "review.signed") {
      // Of a signature the signer that the statement names, whatever the entry says.
      const named = type === "review.signed" && isObject(body.statement) ? `human:${textIn(body.statement, "signer")}` : actor;
      if (!this.given.has(named)) this.report(`\`${type}\` before an own view was on record`, entry, complete);
    }
  }
}

/** Of a stream held as blinded: two people decide, and where they disagree a third one's word counts. */
export class SecondRead extends Rule {
  constructor(findings) {
    super(findings);
    this.reads = [];
    this.last = null;
    this.word = null;
  }

  signed(statement, entry, complete) {
    if (this.reads.length < 2) {
      if (this.reads.some((read) => read.signer === statement.signer)) this.report("second reader is the first", entry, complete);
      this.reads.push(statement);
    }
    this.last = statement;
  }

  adjudicated(entry, complete) {
    if (this.reads.length < 2 || this.agree()) return this.report("adjudicated without two reads that disagree", entry, complete);
    const third = this.last;
    if (!third || this.reads.includes(third) || this.reads.some((read) => read.signer === third.signer)) {
      return this.report("adjudicated by no third person", entry, complete);
    }
    this.word = third;
  }

  ended(entry, released, complete) {
    const settled = this.word !== null || (this.reads.length === 2 && this.agree());
    if (settled && !(released && !releases(this.word ?? this.reads[0]))) return;
    const what = released ? "released" : "rejected";
    this.report(`${what} without two reads that agree or the word of a third`, entry, complete);
  }

  agree() {
    return new Set(this.reads.map((read) => (releases(read) ? read.text_commitment : "rejected"))).size === 1;
  }
}
