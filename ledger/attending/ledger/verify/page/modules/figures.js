// V20, the figures of a report: what `statistics.json` says is counted again over the entries of the bundle.

import { isObject } from "./canonical.js";
import { MOST, Table, Times, inner, numberOf } from "./tally.js";

const FORMAT = "attending-statistics/1";
export const MAX_FIGURES_BYTES = 4 << 20;
const DECISIONS = [
  ...["released_by_policy", "released_signed", "released_break_glass", "held", "blocked_input", "blocked_output"],
  ...["failed", "abandoned", "rejected", "expired", "debriefed", "withdrawn"],
];
const RELEASED = { policy: "released_by_policy", signed: "released_signed", break_glass: "released_break_glass" };
const COMPARED = [
  ...["records", "outside_period", "matched", "matched_by_tokens", "unanswered", "bypassed", "differing", "calls"],
  "missing",
];
const DISPOSITIONS = ["fixed", "accepted_risk", "false_alarm", "other"];
const EXCEPTIONS = {
  "inference.late": "late_reply",
  "inference.failed": "failed",
  "inference.abandoned": "abandoned",
  "inference.blocked": "blocked",
  "inference.withdrawn": "withdrawn",
  "review.expired": "expired",
  "system.halted": "halted",
  "incident.opened": "incident",
  "subject.erased": "erasure",
  "oversight.alarm": "velocity_alarm",
  "sla.breached": "sla_breached",
  "key.revoked": "key_revoked",
  "knowledge.rejudged": "rejudged",
  "recall.proposed": "recall_proposed",
};
const KINDS = [
  ...Object.values(EXCEPTIONS),
  ...["break_glass", "emergency_access", "review_overdue", "denied", "refused", "not_enforced", "exported_with_content"],
];

/** The heading under which a report lists an entry, null for what is in order. */
export function exceptionOf({ type, body, subject }) {
  switch (type) {
    case "break_glass.used":
      return Object.hasOwn(body, "access") ? "emergency_access" : "break_glass";
    case "break_glass.reviewed":
      return body.overdue === true ? "review_overdue" : null;
    case "access.denied":
      return (body.refused ?? null) === null ? "denied" : "refused";
    case "access.exported":
      return body.payloads === true && !subject ? "exported_with_content" : null;
    case "inference.released":
      return body.not_enforced === true ? "not_enforced" : null;
    default:
      return Object.hasOwn(EXCEPTIONS, type) ? EXCEPTIONS[type] : null;
  }
}

export class Figures {
  constructor() {
    const columns = ["requested", ...DECISIONS];
    this.first = this.last = null;
    this.open = new Map();
    this.by = { policy: new Table(columns), prompt: new Table(columns), model: new Table(columns) };
    this.toVerdict = new Times();
    this.toSignature = new Times();
    this.rails = new Table(["runs", "flagged", "did_not_judge"]);
    this.dispositions = new Table(DISPOSITIONS);
    this.reasons = new Table(["accepted_risk", "false_alarm", "other"]);
    for (const name of ["types", "decisions", "codes", "severities", "signatures", "roles", "readings", "exceptions", "halts", "recalls"]) {
      this[name] = new Table();
    }
    for (const name of ["purposes", "recipients", "accesses", "exports", "incidentSeverities", "incidentCategories", "outcomes"]) {
      this[name] = new Table();
    }
    for (const name of ["erasures", "pruned", "usage", "costs", "feedback", "reconciled"]) this[name] = new Table();
    this.practice = this.replaced = this.texts = this.textsWithFindings = this.denials = 0;
    this.used = new Set();
    this.reviewed = new Set();
    this.incidents = new Set();
  }

  visit(entry) {
    const { type } = entry;
    const [source, event] = type.split(".");
    this.types.add(type);
    this.first ??= entry;
    this.last = entry;
    const kind = exceptionOf(entry);
    if (kind) this.exceptions.add(kind);
    if (source === "inference" || source === "recall") this.inference(entry, event);
    else if (source === "review" || source === "oversight") this.review(entry, event);
    else if (source === "break_glass") this.emergency(entry, event);
    else if (["access", "disclosure", "subject", "payload"].includes(source)) this.privacy(entry, event);
    else if (source === "incident") this.incident(entry, event);
    else if (type === "system.halted" || type === "system.resumed") this.halts.add(event);
    else if (type === "usage.reconciled") {
      this.reconciled.add("comparisons");
      for (const name of COMPARED) this.reconciled.add(name, numberOf(entry.body[name]));
    } else if (source === "feedback") this.feedback.add(entry.body.rating);
  }

  inference(entry, event) {
    const { type, body } = entry;
    if (type.startsWith("recall.")) {
      if (["acknowledged", "proposed", "dismissed"].includes(event)) this.recalls.add(event);
    } else if (event === "requested") this.requested(entry);
    else if (event === "generated") this.generated(entry);
    else if (event === "held") this.decide(entry, "held", false);
    else if (event === "blocked") {
      if (body.stage === "input") this.judged(body);
      this.decide(entry, body.stage === "input" ? "blocked_input" : "blocked_output");
    } else if (event === "released") {
      const known = typeof body.basis === "string" && Object.hasOwn(RELEASED, body.basis);
      this.decide(entry, known ? RELEASED[body.basis] : "released_by_policy");
    } else if (event === "failed" || event === "abandoned") this.decide(entry, event);
    else if (event === "withdrawn") {
      this.decisions.add(event);
      this.recalls.add(event);
    } else if (["delivered", "late", "reconciled"].includes(event)) this.decisions.add(event);
  }

  requested(entry) {
    const { body } = entry;
    const opened = { policy: body.policy, prompt: body.prompt_version, model: body.model, requested: entry.time, held: null };
    this.open.set(entry.stream, opened);
    this.countBy(opened, "requested");
    if (isObject(body.practice)) this.practice++;
    this.replaced = Math.min(this.replaced + numberOf(body.phi_replaced), MOST);
    this.ran(body);
  }

  generated({ stream, body }) {
    const usage = inner(body, "usage");
    const opened = this.open.get(stream);
    if (opened && typeof body.model === "string") opened.model = body.model;
    this.judged(body);
    this.ran(body);
    for (const name of ["input_tokens", "output_tokens"]) {
      if (!Number.isInteger(usage[name])) continue;
      this.usage.add(name, numberOf(usage[name]));
      this.usage.add(`${name}_known`);
    }
    if (!Number.isInteger(usage.cost_micros)) return;
    this.costs.add(usage.currency, numberOf(usage.cost_micros));
    this.usage.add("cost_known");
  }

  judged(body) {
    const findings = inner(body, "findings");
    this.texts++;
    if (numberOf(findings.count)) this.textsWithFindings++;
    this.codes.addAll(findings.by_code);
    this.severities.addAll(findings.by_severity);
  }

  ran({ rails }) {
    for (const run of Array.isArray(rails) ? rails : []) {
      if (!isObject(run)) continue;
      this.rails.add(run.name, 1, "runs");
      if (run.status !== "passed") this.rails.add(run.name, 1, run.status === "flagged" ? "flagged" : "did_not_judge");
    }
  }

  decide(entry, decision, ends = true) {
    const { stream, time } = entry;
    const opened = this.open.get(stream);
    this.decisions.add(decision);
    this.countBy(opened, decision);
    if (!opened) return;
    if (opened.held === null) this.toVerdict.between(opened.requested, time);
    else if (ends) this.toSignature.between(opened.held, time);
    if (ends) this.open.delete(stream);
    else opened.held = time;
  }

  countBy(opened, column) {
    for (const name of ["policy", "prompt", "model"]) this.by[name].add(opened?.[name], 1, column);
  }

  review(entry, event) {
    const { type, body } = entry;
    if (type === "review.signed") {
      const statement = inner(body, "statement");
      const { short } = inner(body, "reading");
      this.signatures.add(statement.meaning);
      this.roles.add(statement.role);
      this.readings.add(typeof short !== "boolean" ? "not_measured" : short ? "short" : "long_enough");
    } else if (type === "review.disposed") {
      const column = DISPOSITIONS.includes(body.disposition) ? body.disposition : "other";
      this.dispositions.add(body.code, 1, column);
      if (column !== "fixed") this.reasons.add(body.reason_code, 1, column);
    } else if (["review.rejected", "review.expired", "oversight.debriefed"].includes(type)) this.decide(entry, event);
  }

  emergency({ stream, body }, event) {
    const about = typeof body.access === "string" ? body.access : stream;
    if (event === "used") this.used.add(about);
    else if (event === "reviewed") this.reviewed.add(about);
  }

  privacy({ type, body, subject }, event) {
    const sum = (counts) => counts.reduce((total, count) => total + numberOf(count), 0);
    if (type === "access.denied") this.denials += numberOf(body.count) || 1;
    else if (type === "access.exported") {
      if (subject === null) this.exports.add(body.payloads === true ? "with_content" : "without_content");
    } else if (["access.viewed", "access.searched", "access.revealed", "access.disclosed"].includes(type)) this.accesses.add(event);
    else if (type === "disclosure.recorded") {
      this.purposes.add(body.purpose);
      this.recipients.add(body.recipient);
    } else if (type === "subject.erased") {
      this.erasures.add(body.reason);
      this.pruned.add("erased", sum(Object.values(inner(body, "records"))));
    } else if (type === "payload.pruned") {
      this.pruned.add("pruned", sum(isObject(body.records) ? Object.values(body.records) : [body.records]));
    }
  }

  incident({ stream, body }, event) {
    const name = typeof body.incident_id === "string" ? body.incident_id : stream;
    if (event === "opened") {
      this.incidentSeverities.add(body.severity);
      this.incidentCategories.add(body.category);
      this.incidents.add(name);
    } else if (event === "closed") {
      this.outcomes.add(body.outcome);
      this.incidents.delete(name);
    }
  }

  /** The figures; `emitters` have visited the same entries. */
  result(emitters) {
    const { first, last, types, decisions, reconciled: compared } = this;
    const known = ["matched", "matched_by_tokens", "unanswered"].reduce((sum, name) => sum + compared.count(name), 0);
    const held = [...this.open.values()].filter((opened) => opened.held !== null).length;
    return {
      format: FORMAT,
      entries: {
        by_type: types.result(),
        count: types.total,
        first_index: first?.index ?? null,
        first_time: first?.time ?? null,
        last_index: last?.index ?? null,
        last_time: last?.time ?? null,
      },
      inferences: {
        by_model: this.by.model.result(),
        by_policy: this.by.policy.result(),
        by_prompt_version: this.by.prompt.result(),
        decisions: decisions.counts([...DECISIONS, "delivered", "late"]),
        requested: types.count("inference.requested"),
        marked_as_practice: this.practice,
        still_held: held,
        undecided: this.open.size - held,
      },
      microseconds: { held_to_decision: this.toSignature.result(), request_to_verdict: this.toVerdict.result() },
      findings: {
        by_code: this.codes.result(),
        by_severity: this.severities.result(),
        texts_judged: this.texts,
        texts_with_findings: this.textsWithFindings,
      },
      rails: this.rails.result(),
      review: {
        dispositions_by_code: this.dispositions.result(),
        override_reasons: this.reasons.result(),
        readings: this.readings.counts(["long_enough", "short", "not_measured"]),
        signatures_by_meaning: this.signatures.result(),
        signatures_by_role: this.roles.result(),
      },
      exceptions: {
        by_kind: this.exceptions.counts(KINDS),
        denied_attempts: Math.min(this.denials, MOST),
        emergency_uses_not_reviewed: [...this.used].filter((about) => !this.reviewed.has(about)).length,
      },
      halts: this.halts.counts(["halted", "resumed"]),
      recalls: this.recalls.counts(["withdrawn", "acknowledged", "proposed", "dismissed"]),
      disclosures: {
        accesses: this.accesses.counts(["viewed", "searched", "revealed", "disclosed"]),
        by_purpose: this.purposes.result(),
        by_recipient: this.recipients.result(),
        exports: this.exports.counts(["with_content", "without_content"]),
        recorded: this.purposes.total,
      },
      incidents: {
        by_category: this.incidentCategories.result(),
        by_outcome: this.outcomes.result(),
        by_severity: this.incidentSeverities.result(),
        not_closed: this.incidents.size,
      },
      privacy: {
        erasures_by_reason: this.erasures.result(),
        identifiers_replaced: this.replaced,
        payloads_erased: this.pruned.count("erased"),
        payloads_pruned: this.pruned.count("pruned"),
      },
      usage: {
        cost_micros: this.costs.result(),
        ...this.usage.counts(["cost_known", "input_tokens", "input_tokens_known", "output_tokens", "output_tokens_known"]),
      },
      feedback: this.feedback.result(),
      completeness: {
        ...emitters.figures(),
        provider_records_reconciled: Math.min(decisions.count("reconciled") + known, MOST),
        // Left out where there is none: figures of earlier versions know of none.
        ...(compared.count("comparisons") && { provider_usage: compared.counts(["comparisons", ...COMPARED]) }),
      },
    };
  }
}

/** Whether a format's name is that of a later version. */
export function isLaterFigures(name) {
  return typeof name === "string" && name !== FORMAT && /^attending-statistics\/[0-9]{1,9}$/.test(name);
}

/** How many figures there are; an empty table has none. */
export function figureCount(figures) {
  return Object.values(figures).reduce((sum, value) => sum + (isObject(value) ? figureCount(value) : 1), 0);
}

/** Path of the first figure that is stated otherwise than found, or only on one side; null for none. */
export function firstDifference(stated, found) {
  for (const name of [...new Set([...Object.keys(stated), ...Object.keys(found)])].sort()) {
    const [one, other] = [stated, found].map((tree) => (Object.hasOwn(tree, name) ? tree[name] : undefined));
    if (!isObject(one) || !isObject(other)) {
      if (one !== other) return name;
      continue;
    }
    const path = firstDifference(one, other);
    if (path !== null) return `${name} / ${path}`;
  }
  return null;
}

/** [path, value] of every figure in order, as a report prints them: keys joined by ` / `, null as `none`. */
export function* figureLines(figures) {
  for (const name of Object.keys(figures).sort()) {
    const value = figures[name];
    if (isObject(value)) for (const [path, one] of figureLines(value)) yield [`${name} / ${path}`, one];
    else yield [name, value === null ? "none" : String(value)];
  }
}
