// V20: the statistics of a manifest, and the figures of `statistics.json`, are those of the entries.

import { Refused } from "./bytes.js";
import { canonical, isObject, parseCanonical } from "./canonical.js";
import { Figures, MAX_FIGURES_BYTES, figureCount, firstDifference, isLaterFigures } from "./figures.js";

const FIGURES = "statistics.json";

export class Counts {
  constructor(findings, manifest, files) {
    this.findings = findings;
    this.stated = manifest.statistics;
    this.files = files;
    this.figures = files.has(FIGURES) ? new Figures() : null;
    this.types = new Map();
    this.streams = new Set();
    this.entries = 0;
    this.first = null;
    this.last = null;
  }

  visit(entry) {
    this.entries++;
    this.types.set(entry.type, (this.types.get(entry.type) ?? 0) + 1);
    this.streams.add(entry.stream);
    this.first ??= entry.time;
    this.last = entry.time;
    this.figures?.visit(entry);
  }

  result() {
    return {
      entries: this.entries,
      first_time: this.first,
      last_time: this.last,
      streams: this.streams.size,
      types: Object.fromEntries([...this.types].sort()),
    };
  }

  async check(unreadable, emitters) {
    const { findings, stated } = this;
    if (unreadable) return findings.doubt("V20", "some entries are not readable");
    const found = this.result();
    for (const [name, value] of Object.entries(stated)) {
      if (!Object.hasOwn(found, name)) findings.doubt("V20", "manifest states a figure that this version cannot recompute");
      else if (canonical(found[name]) !== canonical(value)) findings.fail("V20", `\`${name}\` is not that of the entries`);
    }
    if (Object.keys(found).some((name) => !Object.hasOwn(stated, name))) findings.fail("V20", "manifest leaves figures out");
    const counted = this.figures ? await this.checkFigures(this.figures.result(emitters)) : 0;
    findings.passed("V20", `${Object.keys(found).length + counted} figures are those of the entries`);
  }

  /** Compares `statistics.json` with the entries; how many figures those give. */
  async checkFigures(found) {
    try {
      const stated = parseCanonical(await this.files.whole(FIGURES, MAX_FIGURES_BYTES));
      if (!isObject(stated)) throw new Refused("not an object");
      const path = firstDifference(stated, found);
      if (isLaterFigures(stated.format)) {
        this.findings.doubt("V20", `\`${FIGURES}\` is of a later format, whose figures cannot be counted here`);
      } else if (path !== null) throw new Refused(`\`${path}\` is not that of the entries`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V20", `\`${FIGURES}\`: ${error.message}`);
      return 0;
    }
    return figureCount(found);
  }
}
