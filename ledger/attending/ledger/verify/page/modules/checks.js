// V14, V16 and V17, the way of each inference from request to release; and the other rules over the meaning of entries.
//
// Entries are visited once, in log order. Where entries may stand outside the bundle, what could be among them makes a
// result indeterminate instead of failed.

import { isObject, textIn } from "./canonical.js";
import { Activations } from "./activations.js";
import { BreakGlass } from "./breakglass.js";
import { Draws, worstRank } from "./draws.js";
import { ENTRY_TYPES } from "./entrytypes.js";
import { Examinations } from "./examinations.js";
import { Halts } from "./halts.js";
import { Practice } from "./practice.js";
import { References } from "./references.js";
import { Reports } from "./reports.js";
import { Leases, OwnViews, SecondRead } from "./reviewers.js";
import { Signatures, releases } from "./signatures.js";
import { Successions } from "./successions.js";
import { Suppressions } from "./suppressions.js";

const UNDECIDED = ["received", "generated", "streaming"];
const REVIEWED = { held: "held", blocked: "blocked" };
const HELD = { held: "held" };
const KEPT = { released: "released" };

// Of docs/format.md, "Legal transitions": entry type, to the state before, to the state after. Other types are legal in
// every state.
const MOVES = {
  "inference.requested": { start: "received" },
  "inference.generated": { received: "generated", streaming: "streaming" },
  "inference.released": { generated: "released", held: "released", streaming: "released" },
  "inference.held": { generated: "held", received: "held", streaming: "held", cut: "held" },
  "inference.blocked": to("blocked", UNDECIDED),
  "inference.failed": to("failed", UNDECIDED),
  "inference.abandoned": to("abandoned", UNDECIDED),
  "inference.withdrawn": { released: "withdrawn" },
  "inference.delivered": { released: "released", withdrawn: "withdrawn" },
  "inference.stream_opened": { received: "streaming" },
  "inference.stream_window": { streaming: "streaming" },
  "inference.stream_closed": { streaming: "cut", released: "released" },
  "recall.acknowledged": { withdrawn: "withdrawn" },
  "recall.proposed": KEPT,
  "recall.dismissed": KEPT,
  "review.claimed": REVIEWED,
  "review.disposed": REVIEWED,
  "review.escalated": REVIEWED,
  "review.reassigned": REVIEWED,
  "review.facts_added": HELD,
  "review.signed": HELD,
  "review.adjudicated": HELD,
  "review.opinion_recorded": HELD,
  "review.rejected": { held: "rejected" },
  "review.expired": { held: "expired" },
  "oversight.debriefed": { held: "debriefed" },
};

function to(after, befores) {
  return Object.fromEntries(befores.map((before) => [before, after]));
}

export class Checks {
  /** `kind` is the scope's; `begin` where it begins: of a range, entries before may be visited as context. */
  constructor(findings, kind, begin) {
    this.findings = findings;
    this.contiguous = kind !== "subset";
    this.begin = begin;
    this.whole = this.contiguous && begin === 0;
    this.streams = new Map();
    this.signatures = new Signatures(findings, this.whole);
    this.successions = new Successions(findings);
    this.halts = new Halts(findings);
    this.glass = new BreakGlass(findings, this.whole);
    this.examinations = new Examinations(findings, this.signatures, this.whole);
    this.reports = new Reports(findings, this.signatures, this.whole);
    this.activations = new Activations(findings, this.contiguous, begin);
    this.draws = new Draws(findings, this.whole);
    this.practice = new Practice(findings, this.whole);
    this.suppressions = new Suppressions(findings, this.whole);
    this.references = new References(findings, this.whole);
    this.transitions = this.released = this.releasedAfterHold = this.exceptions = 0;
  }

  async visit(entry) {
    const { type, body } = entry;
    if (!ENTRY_TYPES.has(type)) this.findings.doubt("V5", "type of a later version: its meaning is not known here", entry.index);
    this.glass.time = entry.time;
    this.references.visit(entry);
    await this.examinations.visit(entry);
    await this.signatures.visit(entry);
    await this.reports.visit(entry);
    this.successions.visit(entry);
    this.draws.visit(entry);
    this.practice.visit(entry);
    const source = type.slice(0, type.indexOf("."));
    if (!["inference", "review", "break_glass", "recall"].includes(source) && type !== "oversight.debriefed") {
      this.halts.visit(entry, null);
      this.activations.visit(entry, null);
      return;
    }
    const stream = this.streams.get(entry.stream) ?? this.open(entry);
    if (type === "inference.requested") stream.policy = textIn(body, "policy") || stream.policy;
    this.halts.visit(entry, stream.policy);
    this.activations.visit(entry, stream.policy);
    for (const item of entry.commitments) stream.records.set(item.record, item.commitment);
    this.move(stream, entry);
    stream.leases.visit(entry, stream.complete);
    this.suppressions.visit(entry);
    stream.ownViews?.visit(entry, stream.complete);
    if (type === "inference.requested") {
      stream.application = textIn(body, "calling_app");
      stream.author = textIn(body, "on_behalf_of");
      stream.policyHash = textIn(body, "policy_hash") || stream.policyHash;
    } else if (type === "inference.generated") {
      for (const item of entry.commitments) stream.generated.add(item.record);
      if (isObject(body.findings)) stream.rank = worstRank(body.findings.by_severity);
    } else if (type === "inference.held") this.hold(stream, entry);
    else if (type === "review.facts_added") this.judgeAgain(stream, entry);
    else if (type === "review.signed") await this.sign(stream, entry);
    else if (type === "break_glass.used") {
      const known = stream.held !== null || stream.complete;
      stream.brokeGlass = this.glass.used(entry, stream.signOff, known);
    } else if (type === "break_glass.reviewed") this.glass.reviewed(entry);
    else if (type === "review.adjudicated") stream.secondRead?.adjudicated(entry, stream.complete);
    else if (type === "review.rejected") stream.secondRead?.ended(entry, false, stream.complete);
    else if (type === "inference.released") {
      this.release(stream, entry);
      this.draws.released({ inference: entry.stream, policy: stream.policy ?? "", rank: stream.rank, raised: stream.raised });
    } else if (type === "review.sampled") this.draws.sampled(entry);
  }

  finish() {
    const { findings, transitions, released } = this;
    const { count } = this.signatures;
    const waiting = this.glass.finish();
    this.examinations.finish();
    this.draws.finish();
    this.practice.finish();
    this.references.finish();
    if (count) {
      findings.passed("V11", `${count} signatures verify over statement, record and text`);
      findings.passed("V12", `${count} signatures by keys enrolled to the signer and valid then`);
      findings.passed("V13", `${count} signatures with fitting meaning and role`);
      findings.passed("V17", `findings of ${count} signed texts were all disposed of`);
    } else {
      for (const check of ["V11", "V12", "V13", "V17"]) findings.notApplicable(check, "no reviewer's signature in the bundle");
    }
    if (transitions) findings.passed("V14", `${transitions} transitions of ${this.streams.size} streams are legal`);
    else findings.notApplicable("V14", "no inference in the bundle");
    if (!released) return findings.notApplicable("V16", "nothing was released in the bundle");
    const exceptions = this.exceptions ? `; ${this.exceptions} by break-glass${waiting}` : "";
    findings.passed("V16", `${released} released, ${this.releasedAfterHold} of them after sign-off${exceptions}`);
  }

  open(entry) {
    const begins = this.whole || entry.type === "inference.requested";
    const starts = entry.type.startsWith("inference.") || entry.type.startsWith("review.");
    const stream = {
      // A stream that began before the bundle is in whatever state its first entry needs.
      state: begins && starts ? "start" : null,
      complete: begins && entry.index >= this.begin && this.contiguous,
      leases: new Leases(this.findings),
      application: null,
      author: null,
      policy: null,
      policyHash: null,
      held: null,
      toDispose: null,
      signOff: {},
      wanted: [],
      generated: new Set(),
      records: new Map(),
      signed: [],
      attempts: 0,
      brokeGlass: null,
      secondRead: null,
      ownViews: null,
      rank: 0,
      raised: false,
    };
    this.streams.set(entry.stream, stream);
    return stream;
  }

  move(stream, entry) {
    const moves = Object.hasOwn(MOVES, entry.type) ? MOVES[entry.type] : null;
    if (!moves) return;
    this.transitions++;
    if (stream.state !== null && !Object.hasOwn(moves, stream.state)) {
      const detail = `\`${entry.type}\` is not legal in state ${stream.state}`;
      this.findings.judge(stream.complete, "V14", stream.complete ? detail : `${detail}, unless entries were left out`, entry.index);
      stream.state = Object.values(moves)[0];
      return;
    }
    const after = stream.state === null ? new Set(Object.values(moves)) : new Set([moves[stream.state]]);
    stream.state = after.size === 1 ? [...after][0] : null;
  }

  hold(stream, entry) {
    const { sign_off: signOff, oversight, to_dispose: toDispose } = entry.body;
    stream.held = entry.index;
    stream.toDispose = Array.isArray(toDispose) ? toDispose.length : null;
    stream.signOff = isObject(signOff) ? signOff : {};
    stream.wanted = this.wanted(entry);
    if (stream.signOff.blinded === true) stream.secondRead = new SecondRead(this.findings);
    if (isObject(oversight) && oversight.own_view_first === true) stream.ownViews = new OwnViews(this.findings);
    stream.policyHash = textIn(entry.body, "policy_hash") || stream.policyHash;
  }

  /** Signatures so far were over other findings, and count for no release any more. */
  judgeAgain(stream, entry) {
    const { sign_off: signOff, to_dispose: toDispose } = entry.body;
    stream.toDispose = Array.isArray(toDispose) ? toDispose.length : null;
    stream.signed = [];
    if (isObject(signOff)) {
      const wanted = this.wanted(entry);
      const same = (name) => JSON.stringify(signOff[name] ?? null) === JSON.stringify(stream.signOff[name] ?? null);
      const groups = wanted.map((group) => JSON.stringify(group));
      const fewer = stream.wanted.some((group) => !groups.includes(JSON.stringify(group)));
      if (stream.held !== null && (!same("roles") || !same("count") || fewer)) {
        this.findings.fail("V16", "facts that were added make other sign-offs do than before", entry.index);
      }
      stream.signOff = { ...stream.signOff, ...signOff };
      stream.wanted = wanted;
    }
    if (stream.secondRead) this.findings.judge(stream.complete, "V14", "facts were added to a text that is read blind", entry.index);
  }

  async sign(stream, entry) {
    if (isObject(entry.body.reading) && entry.body.reading.raised === true) stream.raised = true;
    stream.attempts++;
    const signed = await this.signatures.check(entry, stream.records);
    if (!signed) return;
    const { statement, index } = signed;
    let good = true;
    const fail = (check, detail) => {
      this.findings.fail(check, detail, index);
      good = false;
    };
    if (statement.signer === stream.application) fail("V14", "the calling application signed");
    if (statement.signer === stream.author && stream.signOff.author_may_sign !== true) {
      fail("V14", "the author of the request signed, which the policy does not allow");
    }
    if (stream.policyHash === null) this.findings.doubt("V14", "policy that held the text is not in the bundle", index);
    else if (stream.policyHash !== statement.policy_hash) fail("V14", "signed under another policy than the one that held the text");
    const { roles } = stream.signOff;
    if (!Array.isArray(roles)) this.findings.doubt("V13", "roles that may sign are not in the bundle", index);
    else if (roles.length && !roles.includes(statement.role) && !stream.wanted.some((group) => group.includes(statement.role))) {
      fail("V13", "role is not one that the policy asks for");
    }
    const generated = stream.generated.has(statement.record);
    if (statement.meaning === "approved_with_edits" && generated) fail("V13", "`approved_with_edits` over the text as generated");
    if (statement.meaning === "approved" && !generated && stream.generated.size) {
      fail("V13", "`approved` over another text than the one generated");
    }
    if (releases(statement) && statement.findings !== statement.disposed) {
      fail("V17", `${statement.disposed} of ${statement.findings} findings were disposed of`);
    }
    if (stream.toDispose !== null && statement.findings !== stream.toDispose) {
      // Where entries may be missing, a later judging may be among them.
      const detail = `signed over ${statement.findings} findings to dispose of, ${stream.toDispose} are on record`;
      this.findings.judge(stream.complete, "V17", detail, index);
      if (stream.complete) good = false;
    }
    if (!good) return;
    stream.signed.push(signed);
    stream.secondRead?.signed(statement, entry, stream.complete);
  }

  release(stream, entry) {
    this.released++;
    const { index, body } = entry;
    const { findings } = this;
    const { basis } = body;
    if (!["policy", "signed", "break_glass"].includes(basis)) findings.doubt("V16", "release does not say on what basis", index);
    if (stream.held === null && basis !== "signed" && basis !== "break_glass") {
      if (!stream.complete) {
        findings.doubt("V16", "released by policy; that it was not held before is not proved by this scope", index, true);
      }
      return;
    }
    this.releasedAfterHold++;
    if (stream.brokeGlass && basis === "break_glass") {
      this.exceptions++;
      if ((body.text_commitment ?? null) !== stream.brokeGlass.text) {
        findings.fail("V16", "break-glass released another text than the one it names", index);
      }
      return;
    }
    stream.secondRead?.ended(entry, true, stream.complete);
    const commitment = textIn(body, "text_commitment");
    if (commitment === null) return findings.doubt("V16", "release does not name the text released", index);
    const fitting = stream.signed.filter(({ statement }) => releases(statement) && statement.text_commitment === commitment);
    // Where findings want others besides, only the policy's own roles count for the number.
    const roles = stream.wanted.length && Array.isArray(stream.signOff.roles) ? stream.signOff.roles : [];
    const counted = roles.length ? fitting.filter(({ statement }) => roles.includes(statement.role)) : fitting;
    const signers = (items) => new Set(items.map(({ statement }) => statement.signer)).size;
    const proved = signers(counted.filter((item) => item.proved));
    const needed = Object.hasOwn(stream.signOff, "count") ? stream.signOff.count : 1;
    const unseen = stream.attempts === 0 && !stream.complete;
    if (!Number.isInteger(needed) || needed < 1) {
      findings.fail("V16", "number of sign-offs asked for is not a count of at least one", index);
    } else if (proved < needed) {
      const detail = `${proved} of ${needed} valid sign-offs on the text released, before its release`;
      findings.judge(!(signers(counted) >= needed || unseen), "V16", detail, index);
    }
    for (const group of stream.wanted) {
      const by = fitting.filter(({ statement }) => group.includes(statement.role));
      if (by.some((item) => item.proved)) continue;
      const detail = `released without the signature of a ${group.join(" or ")}, which its findings want`;
      findings.judge(!(by.length || unseen), "V16", detail, index);
    }
  }

  /** The groups of roles of each of which findings want a signature. */
  wanted(entry) {
    const { sign_off: signOff } = entry.body;
    const groups = isObject(signOff) && Object.hasOwn(signOff, "wanted") ? signOff.wanted : [];
    const good = (group) => Array.isArray(group) && group.length && group.every((role) => typeof role === "string");
    if (Array.isArray(groups) && groups.every(good)) return groups;
    this.findings.fail("V16", "signatures that findings want are not lists of roles", entry.index);
    return [];
  }
}
