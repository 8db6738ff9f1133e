// V20: the statistics of a manifest, the figures of `statistics.json`, the registry snapshot and FHIR are those of the entries.

import { auditEvent } from "./auditevent.js";
import { Refused, toHex, utf8 } from "./bytes.js";
import { canonical, isObject, parseCanonical } from "./canonical.js";
import { Figures, MAX_FIGURES_BYTES, figureCount, firstDifference, isLaterFigures } from "./figures.js";
import { Provenances } from "./provenance.js";
import { Registries, isLaterRegistries } from "./registries.js";
import { Sha256, sha256Hex } from "./sha256.js";

const FIGURES = "statistics.json";
const REGISTRIES = "registries.json";
const FHIR = "fhir.ndjson";
const LEAST_READ_BYTES = 4 << 20;

export class Counts {
  constructor(findings, manifest, files) {
    this.findings = findings;
    this.stated = manifest.statistics;
    this.files = files;
    this.figures = files.has(FIGURES) ? new Figures() : null;
    this.registries = files.has(REGISTRIES) ? new Registries(manifest) : null;
    this.provenances = files.has(FHIR) ? new Provenances() : null;
    this.fhir = new Sha256();
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
    this.registries?.visit(entry);
    if (!this.provenances) return;
    const released = this.provenances.visit(entry);
    for (const resource of [auditEvent(entry), ...(released ? [released] : [])]) this.fhir.update(utf8(`${canonical(resource)}\n`));
  }

  /** An entry before those of the scope, which nothing counts. */
  visitContext(entry) {
    this.provenances?.visit(entry);
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
    let counted = Object.keys(found).length;
    if (this.figures) {
      const figures = this.figures.result(emitters);
      counted += figureCount(figures);
      await this.compare(FIGURES, figures, isLaterFigures, MAX_FIGURES_BYTES);
    }
    if (this.registries) await this.checkRegistries();
    let beside = this.registries ? ` and \`${REGISTRIES}\`` : "";
    if (this.provenances) {
      beside += ` and \`${FHIR}\``;
      const { sha256 } = this.files.listed.get(FHIR);
      if (toHex(this.fhir.digest()) !== sha256) findings.fail("V20", `\`${FHIR}\` is not what the entries give`);
    }
    findings.passed("V20", `${counted} figures${beside} are those of the entries`);
  }

  /** By the hash that the manifest lists, which V1 holds against the file. */
  async checkRegistries() {
    const snapshot = this.registries.result();
    const data = utf8(canonical(snapshot));
    if (sha256Hex(data) === this.files.listed.get(REGISTRIES).sha256) return;
    await this.compare(REGISTRIES, snapshot, isLaterRegistries, Math.max(2 * data.length, LEAST_READ_BYTES));
  }

  /** Says where a file differs from what the entries give. */
  async compare(name, found, isLater, limit) {
    try {
      const stated = parseCanonical(await this.files.whole(name, limit));
      if (!isObject(stated)) throw new Refused("not an object");
      const path = firstDifference(stated, found);
      if (isLater(stated.format)) {
        this.findings.doubt("V20", `\`${name}\` is of a later format, which cannot be made again here`);
      } else if (path !== null) throw new Refused(`\`${path}\` is not that of the entries`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V20", `\`${name}\`: ${error.message}`);
    }
  }
}
