// V23: what was drawn for a second read is what the opened seeds draw, each seed committed to before its period.

import { fromHex, utf8 } from "./bytes.js";
import { isObject, textIn } from "./canonical.js";
import { commitmentOf } from "./payloads.js";
import { hmacSha256 } from "./sha256.js";

const SEVERITIES = ["info", "minor", "moderate", "major", "contraindicated"];
const ALL = 1000;

/** The rank of the worst severity that a count stands under, 0 for none. */
export function worstRank(bySeverity) {
  return isObject(bySeverity) ? Math.max(0, ...Object.keys(bySeverity).map((name) => SEVERITIES.indexOf(name))) : 0;
}

export class Draws {
  /** `whole` when no entry of the log can be missing. */
  constructor(findings, whole) {
    this.findings = findings;
    this.whole = whole;
    this.draws = new Map();
    this.running = null;
    this.opened = null;
    this.count = 0;
  }

  visit(entry) {
    if (entry.type === "oversight.draw_committed") this.commit(entry);
    else if (entry.type === "oversight.draw_opened") this.open(entry);
    else if (entry.type === "payload.pruned") this.prune(entry);
  }

  /** A release {inference, policy, rank, raised}, in the period of the draw that runs. */
  released(item) {
    if (this.running !== null) this.draws.get(this.running).cases.push(item);
  }

  sampled(entry) {
    const draw = this.draws.get(textIn(entry.body, "draw") ?? "");
    if (!draw || !draw.seed) {
      if (this.whole) this.findings.fail("V23", "sampled for a draw that is not opened", entry.index);
      return;
    }
    const known = this.whole ? draw.drawn.has(entry.stream) : isBelow(draw.seed, entry.stream, draw.rates.most);
    if (!known) this.findings.fail("V23", "sampled, and not drawn by the seed", entry.index);
    else if (draw.sampled.has(entry.stream)) this.findings.fail("V23", "sampled twice for one draw", entry.index);
    draw.sampled.add(entry.stream);
  }

  commit(entry) {
    const fail = (detail) => this.findings.fail("V23", detail, entry.index);
    if (this.whole && this.running !== null) fail("a draw was committed to while another ran");
    const rates = parseRates(entry.body.rates);
    if (!rates) return fail("draw is not well formed");
    const seal = entry.commitments.find((item) => item.kind === "draw_seed");
    this.running = textIn(entry.body, "draw") ?? "";
    const draw = { index: entry.index, rates, commitment: seal?.commitment ?? null, cases: [], seed: null };
    this.draws.set(this.running, { ...draw, drawn: new Set(), sampled: new Set() });
  }

  open(entry) {
    const fail = (detail) => this.findings.fail("V23", detail, entry.index);
    const name = textIn(entry.body, "draw") ?? "";
    const draw = this.draws.get(name);
    if (!draw || draw.seed) {
      if (this.whole) fail("opened without a commitment, or twice");
      return;
    }
    this.count++;
    const [seed, salt] = [fromHex(entry.body.seed), fromHex(entry.body.salt)];
    if (seed?.length !== 32 || salt?.length !== 32) return fail("draw is not well formed");
    if (draw.commitment !== commitmentOf("draw_seed", salt, seed)) fail("seed is not the one that was committed to");
    if (this.whole && name !== this.running) fail("opened out of turn");
    draw.seed = seed;
    this.running = null;
    draw.drawn = new Set(draw.cases.filter((item) => isBelow(seed, item.inference, draw.rates.of(item))).map((item) => item.inference));
    draw.cases = [];
    if (this.whole && this.opened !== null) {
      const missing = unsampled(this.draws.get(this.opened));
      if (missing) fail(`${missing} of the draw before were never sampled`);
    }
    this.opened = name;
  }

  /** Nobody will ever know what a seed draws that was pruned before. */
  prune(entry) {
    const draw = this.draws.get(this.running ?? "");
    if (!draw || !Array.isArray(entry.body.entries)) return;
    for (const range of entry.body.entries) {
      if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isInteger)) continue;
      if (range[0] <= draw.index && draw.index < range[1]) {
        this.findings.fail("V23", "seed was pruned before its draw was opened", entry.index);
      }
    }
  }

  finish() {
    if (!this.count) return this.findings.notApplicable("V23", "no draw was opened in the bundle");
    // The next opening would fail the log for them; until then they may be on their way.
    const left = this.whole && this.opened !== null ? unsampled(this.draws.get(this.opened)) : 0;
    const waiting = left ? `; ${left} of the last one are not sampled yet` : "";
    this.findings.passed("V23", `${this.count} draws are those of seeds committed to before${waiting}`);
  }
}

function unsampled(draw) {
  return [...draw.drawn].filter((inference) => !draw.sampled.has(inference)).length;
}

/** {of: thousandths at which a release is drawn, most: the highest of all}; null for rates that are not well formed. */
function parseRates(value) {
  if (!isObject(value) || !isObject(value.permille) || !Array.isArray(value.by_severity)) return null;
  const { permille, by_severity: weights, raised } = value;
  const numbers = [...Object.values(permille), ...weights, raised];
  if (weights.length !== SEVERITIES.length || !numbers.every((one) => Number.isInteger(one) && one >= 0 && one <= ALL)) return null;
  return {
    of: (item) => {
      const rate = (Object.hasOwn(permille, item.policy) ? permille[item.policy] : 0) * weights[item.rank];
      return Math.min(ALL, rate * (item.raised ? raised : 1));
    },
    most: Math.min(ALL, Math.max(0, ...Object.values(permille)) * Math.max(...weights) * raised),
  };
}

/** Whether the seed draws the inference at a rate in thousandths. */
function isBelow(seed, inference, rate) {
  const digest = hmacSha256(seed, utf8(`attending-draw/1\n${inference}`));
  const number = new DataView(digest.buffer).getBigUint64(0);
  return number * BigInt(ALL) < BigInt(rate) << 64n;
}
