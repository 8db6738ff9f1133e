// Verification of a bundle against anchors that never come from it.
//
// Steps: 1. container; 2. manifest, introductions of keys, its signature and the list of files; 3. checkpoint and
// witnesses; 4. payloads; 5. entries, by scope; 6. pinned checkpoints; 7. statistics and time. A step that fails does not
// keep the later ones from going on, so that the report names the record that was changed and not only the file.

import { Refused, sameBytes, toHex } from "./bytes.js";
import { canonical, hasExactly, isObject, parseCanonical } from "./canonical.js";
import { Chain } from "./chain.js";
import { Checks } from "./checks.js";
import { linesOf, openContainer, readWhole } from "./container.js";
import { Emitters } from "./emitters.js";
import { MAX_ENTRY_BYTES, microseconds, parseEntry } from "./entry.js";
import { Figures, MAX_FIGURES_BYTES, figureCount, firstDifference, isLaterFigures } from "./figures.js";
import { Introductions, MAX_INTRODUCTION_BYTES, whyNotSigned } from "./introductions.js";
import { MAX_MANIFEST_BYTES, parseManifest, signedText } from "./manifest.js";
import { Edge, leafHash, verifyConsistency, verifyInclusion } from "./merkle.js";
import { MAX_NOTE_BYTES, parseCheckpoint, parseHashes, parseNote, verifyCheckpoint, verifyNote } from "./note.js";
import { MAX_PAYLOAD_LINE_BYTES, Payloads } from "./payloads.js";
import { CHECKS, Findings, NOT_CHECKED, verdictOf } from "./report.js";
import { Sha256 } from "./sha256.js";

const MAX_RANGE_BYTES = 1 << 16;
const MAX_PROOF_BYTES = 1 << 13;
const CLOCK_SKEW_SECONDS = 300n;
const PROGRESS_EVERY = 500;

/** The report over a bundle.
 *
 * `files` are [{name, blob, inFolder}]. `anchors` are {keys, witnesses, quorum (null: all), pinned (bytes of notes),
 * requireTime, requireFreshness, requireComplete}. `progress` is called with (entries verified, entries in scope).
 */
export async function verifyBundle(files, anchors, progress = () => {}) {
  const findings = new Findings();
  const verification = new Verification(findings, anchors, progress);
  try {
    await verification.run(await openContainer(files));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    findings.fail("V1", error.message);
  }
  const results = findings.results();
  return {
    verdict: verdictOf(results),
    origin: verification.manifest?.origin ?? null,
    scope: verification.manifest?.scope ?? null,
    results,
    statistics: verification.manifest ? verification.statistics.result() : {},
    not_checked: NOT_CHECKED,
    checks: CHECKS,
  };
}

class Verification {
  constructor(findings, anchors, progress) {
    this.findings = findings;
    this.anchors = anchors;
    this.progress = progress;
    this.statistics = new Statistics();
    this.emitters = new Emitters();
    this.manifest = null;
    this.roots = new Map();
    this.foreign = [];
    this.unreadable = false;
    this.latest = null;
    this.cosigned = null;
  }

  async run(container) {
    this.container = container;
    if (!(await this.readManifest())) return;
    const { kind, begin, files } = this.manifest;
    this.figures = files.has("statistics.json") ? new Figures() : null;
    await this.checkFiles();
    const head = await this.checkCheckpoint();
    this.introductions.compare(head);
    this.payloads = new Payloads(this.findings, kind === "full");
    if (files.has("payloads.jsonl")) {
      this.payloads.present = true;
      for await (const line of this.lines("payloads.jsonl", MAX_PAYLOAD_LINE_BYTES)) this.payloads.load(line);
    }
    this.checks = new Checks(this.findings, kind, begin);
    const pinned = await this.readPinned();
    if (files.has("context.jsonl")) await this.verifyContext(head);
    if (kind === "subset") await this.verifySubset(head);
    else await this.verifyChain(head, pinned);
    this.checks.finish();
    this.introductions.finish();
    this.emitters.report(this.findings, kind === "full", this.anchors.requireComplete);
    this.payloads.finish();
    this.checkPinned(head, pinned);
    this.checks.successions.compare(this.foreign);
    await this.checkStatistics();
    this.checkTime();
  }

  // -- manifest and files ---------------------------------------------------------------------------------------------

  async readManifest() {
    let data;
    try {
      data = await readWhole(this.container, "manifest.json", MAX_MANIFEST_BYTES);
      this.manifest = parseManifest(data);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.judge(!error.later, "V1", error.message);
      return false;
    }
    const { origin, files } = this.manifest;
    this.introductions = new Introductions(this.findings, origin, this.anchors.keys);
    if (files.has("introductions.jsonl")) {
      await this.introductions.load(linesOf(this.container, "introductions.jsonl", MAX_INTRODUCTION_BYTES));
    }
    try {
      const note = parseNote(await readWhole(this.container, "manifest.sig", MAX_NOTE_BYTES));
      if (note.text !== signedText(origin, data)) this.findings.fail("V1", "manifest is not the one that was signed");
      else if (!this.hasKey()) this.findings.doubt("V1", "no key of this log was given");
      else {
        const terms = this.introductions.terms();
        const found = await verifyNote(note, terms.map(({ key }) => key));
        const why = whyNotSigned(found, terms, await this.claimedSize());
        if (why) this.findings.fail("V1", why);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V1", `signature of the manifest: ${error.message}`);
    }
    return true;
  }

  hasKey() {
    return this.anchors.keys.some((key) => key.name === this.manifest.origin);
  }

  async claimedSize() {
    try {
      return parseCheckpoint(await readWhole(this.container, "checkpoint", MAX_NOTE_BYTES)).size;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return null;
    }
  }

  /** V1: names, sizes and hashes. */
  async checkFiles() {
    const { files } = this.manifest;
    const found = [...this.container.names].filter((name) => name !== "manifest.json" && name !== "manifest.sig");
    for (const name of found) if (!files.has(name)) this.findings.fail("V1", `\`${name}\` is not listed in the manifest`);
    for (const [name, { sha256: listed, size }] of files) {
      if (!this.container.names.has(name)) {
        this.findings.fail("V1", `\`${name.replace(/[\p{C}\p{Z}]/gu, "?")}\` is missing`);
        continue;
      }
      const hash = new Sha256();
      try {
        for await (const chunk of await this.container.stream(name)) hash.update(chunk);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.findings.fail("V1", error.message);
        continue;
      }
      if (hash.size !== size || toHex(hash.digest()) !== listed) this.findings.fail("V1", `\`${name}\` is not the file that was signed`);
    }
    this.findings.passed("V1", `${files.size} files are those of the signed manifest`);
  }

  /** The lines of a listed file; a broken container ends them. */
  async *lines(name, limit) {
    try {
      yield* linesOf(this.container, name, limit);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V1", `\`${name}\`: ${error.message}`);
    }
  }

  // -- checkpoint -----------------------------------------------------------------------------------------------------

  /** V8. A head that is not verified still serves to find the record that was changed. */
  async checkCheckpoint() {
    const { witnesses, quorum } = this.anchors;
    let head = null;
    try {
      head = parseCheckpoint(await readWhole(this.container, "checkpoint", MAX_NOTE_BYTES));
      if (head.origin !== this.manifest.origin) throw new Refused("checkpoint is of another log than the manifest");
      if (!this.hasKey()) {
        this.findings.doubt("V8", "no key of this log was given");
        return head;
      }
      this.cosigned = await verifyCheckpoint(head, this.introductions.terms(), witnesses, quorum ?? witnesses.length);
      const detail = `head of size ${head.size} is signed by the log, cosigned by ${this.cosigned.length}`;
      this.findings.passed("V8", detail);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V8", error.message);
    }
    return head;
  }

  // -- entries --------------------------------------------------------------------------------------------------------

  async verifyChain(head, pinned) {
    const { origin, begin, end, kind } = this.manifest;
    const range = await this.readEdge();
    if (!range) return;
    const chain = new Chain(origin, begin, range.edge);
    const cuts = new Set(pinned.map(({ size }) => size));
    const note = () => {
      if (cuts.has(BigInt(chain.size))) this.roots.set(BigInt(chain.size), chain.root());
    };
    note();
    let surplus = false;
    for await (const line of this.lines("entries.jsonl", MAX_ENTRY_BYTES)) {
      if (chain.size >= end) {
        surplus = true;
        break;
      }
      await this.visit(chain.add(line));
      note();
      if (chain.size % PROGRESS_EVERY === 0) this.progress(chain.size - begin, end - begin);
    }
    if (surplus) this.findings.fail("V7", "bundle holds more entries than its scope", end);
    else if (chain.size < end) this.findings.fail("V7", `bundle ends before entry ${chain.size} of its scope`, chain.size);
    this.reportChain(chain, head, range.consistency);
    const count = chain.size - begin;
    this.findings.passed("V5", `${count} entries are canonical and of the schema`);
    this.findings.passed("V6", `${count} leaf hashes lead to the signed root`);
    this.findings.passed("V7", `${count} entries are contiguous and linked (${kind})`);
  }

  reportChain(chain, head, consistency) {
    const { begin, end, kind } = this.manifest;
    for (const { check, index, detail, later } of chain.problems) {
      if (check === "V5") this.unreadable = true;
      this.findings.judge(!later, check, detail, index);
    }
    if (chain.uncounted) this.findings.fail("V7", `and ${chain.uncounted} more problems`);
    if (head && (head.size < BigInt(end) || (kind === "full" && head.size !== BigInt(end)))) {
      this.findings.fail("V7", `checkpoint of size ${head.size} does not fit the scope`);
      head = null;
    }
    if (!head) return this.findings.doubt("V6", "no checkpoint to compare the root with");
    const accepts = (root) => {
      try {
        verifyConsistency(end, head.size, root, head.root, consistency);
        return true;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return false;
      }
    };
    if (accepts(chain.root())) {
      for (const { index } of chain.broken) this.findings.fail("V7", "`prev` is not the leaf hash of the entry before", index);
      return;
    }
    const named = chain.altered(accepts);
    for (const index of named) this.findings.fail("V6", "its bytes are not those that the log committed to", index);
    if (named.length) return;
    if (chain.astray.size || chain.size < end) {
      this.findings.fail("V6", "root hash is not the signed one, for the entries named under V5 and V7");
    } else if (chain.size > begin && (begin === 0 || this.findings.failed("V1"))) {
      // All links hold: no successor vouches for the last one.
      const detail = "its bytes, or with them the whole chain before, are not what the log committed to";
      this.findings.fail("V6", detail, chain.size - 1);
    } else this.findings.fail("V6", "root hash is not the signed one though all entries are linked");
  }

  async readEdge() {
    const { kind, begin } = this.manifest;
    if (kind === "full") return { edge: new Edge(), consistency: [] };
    try {
      const value = parseCanonical(await readWhole(this.container, "range.json", MAX_RANGE_BYTES));
      if (!hasExactly(value, ["consistency", "hashes"])) throw new Refused("`range.json` is not well formed");
      return { edge: new Edge(begin, parseHashes(value.hashes)), consistency: parseHashes(value.consistency) };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V6", error.message);
      return null;
    }
  }

  async verifySubset(head) {
    const { begin, end } = this.manifest;
    let count = 0;
    for await (const entry of this.included("entries.jsonl", "proofs.jsonl", begin, end, head)) {
      count++;
      await this.visit(entry);
      if (count % PROGRESS_EVERY === 0) this.progress(count, end - begin);
    }
    this.findings.doubt("V7", "completeness is not proved: scope is a subset", null, true);
    this.findings.passed("V5", `${count} entries are canonical and of the schema`);
    this.findings.passed("V6", `${count} entries are included under the signed root`);
  }

  /** Entries before a range that its checks rest on: they prove what is there, not what is not. */
  async verifyContext(head) {
    if (this.manifest.kind !== "range") return this.findings.fail("V7", "only a range has context");
    let count = 0;
    for await (const entry of this.included("context.jsonl", "context-proofs.jsonl", 0, this.manifest.begin, head)) {
      count++;
      if (!entry) continue;
      this.payloads.visit(entry);
      await this.checks.visit(entry);
    }
    const detail = `${count} earlier entries as context; whether a revocation before the range is left out is not proved`;
    this.findings.doubt("V12", detail, null, true);
  }

  /** The entries of a file, each with its inclusion proof checked; null for one that is not readable. */
  async *included(name, proofsName, begin, end, head) {
    const proofs = this.manifest.files.has(proofsName) ? this.lines(proofsName, MAX_PROOF_BYTES) : none();
    let previous = begin - 1;
    let count = 0;
    for await (const data of this.lines(name, MAX_ENTRY_BYTES)) {
      const { value: proof, done } = await proofs.next();
      count++;
      let entry;
      try {
        entry = parseEntry(data);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Without its own index the record can only be placed after the one before it.
        this.unreadable = true;
        this.findings.judge(!error.later, "V5", `record ${count}: ${error.message}`, previous + 1);
        yield null;
        continue;
      }
      const { index } = entry;
      if (index <= previous || index >= end || entry.origin !== this.manifest.origin) {
        this.findings.fail("V7", "entry is out of order, out of scope or of another log", index);
      }
      previous = Math.max(previous, index);
      if (!head) this.findings.doubt("V6", "no checkpoint to prove inclusion under");
      else if (done) this.findings.fail("V6", "entry has no inclusion proof", index);
      else {
        try {
          verifyInclusion(leafHash(data), index, head.size, parseHashes(parseCanonical(proof)), head.root);
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          this.findings.fail("V6", `not what the log committed to: ${error.message}`, index);
        }
      }
      yield entry;
    }
    if (!(await proofs.next()).done) this.findings.fail("V7", "bundle holds more proofs than entries");
  }

  async visit(entry) {
    if (!entry) {
      this.unreadable = true;
      return;
    }
    this.statistics.visit(entry);
    this.figures?.visit(entry);
    this.emitters.visit(entry);
    this.introductions.visit(entry);
    this.payloads.visit(entry);
    await this.checks.visit(entry);
    if (!this.latest || entry.time > this.latest.time) this.latest = { time: entry.time, index: entry.index };
  }

  // -- pinned checkpoints, statistics, time ---------------------------------------------------------------------------

  async readPinned() {
    const { origin } = this.manifest;
    const foreign = this.anchors.keys.filter((key) => key.name !== origin).map((key) => ({ key, first: 0, last: null }));
    const pinned = [];
    for (const [at, note] of this.anchors.pinned.entries()) {
      try {
        const claim = parseCheckpoint(note);
        await verifyCheckpoint(claim, [...this.introductions.terms(true), ...foreign]);
        (claim.origin === origin ? pinned : this.foreign).push(claim);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Without the key there is nothing to hold the pin against; a bad signature is another matter.
        this.findings.judge(this.hasKey(), "V9", `pinned checkpoint ${at + 1}: ${error.message}`);
      }
    }
    return pinned;
  }

  checkPinned(head, pinned) {
    if (!head) return;
    const { findings } = this;
    for (const { size, root } of pinned) {
      if (size > head.size) {
        if (this.manifest.kind === "full") findings.fail("V9", `truncated: bundle ends at size ${head.size}, the log was at ${size} before`);
        else findings.doubt("V9", `pinned head of size ${size} is newer than the bundle's`);
        continue;
      }
      if (size === 0n) continue;
      const found = size === head.size ? head.root : this.roots.get(size);
      if (!found) findings.doubt("V9", `pinned head of size ${size} cannot be recomputed from this scope`);
      else if (!sameBytes(found, root)) {
        const heads = `${toHex(root)} was signed before, ${toHex(found)} is found now`;
        findings.fail("V9", `forked: two root hashes for size ${size}: ${heads}`);
      }
    }
    if (!pinned.some(({ size }) => size >= head.size)) {
      const detail = "freshness unproven: no checkpoint at or past the bundle's head was given";
      findings.doubt("V9", detail, null, !this.anchors.requireFreshness);
    }
    if (pinned.length) findings.passed("V9", `consistent with ${pinned.length} pinned checkpoints`);
  }

  async checkStatistics() {
    if (this.unreadable) return this.findings.doubt("V20", "some entries are not readable");
    const found = this.statistics.result();
    const { statistics } = this.manifest;
    for (const [name, value] of Object.entries(statistics)) {
      if (!Object.hasOwn(found, name)) this.findings.doubt("V20", "manifest states a figure that this version cannot recompute");
      else if (canonical(found[name]) !== canonical(value)) this.findings.fail("V20", `\`${name}\` is not that of the entries`);
    }
    if (Object.keys(found).some((name) => !Object.hasOwn(statistics, name))) this.findings.fail("V20", "manifest leaves figures out");
    const counted = this.figures ? await this.checkFigures() : 0;
    this.findings.passed("V20", `${Object.keys(found).length + counted} figures are those of the entries`);
  }

  /** Compares `statistics.json` with the entries; how many figures those give. */
  async checkFigures() {
    const found = this.figures.result(this.emitters);
    try {
      const stated = parseCanonical(await readWhole(this.container, "statistics.json", MAX_FIGURES_BYTES));
      if (!isObject(stated)) throw new Refused("not an object");
      const path = firstDifference(stated, found);
      if (isLaterFigures(stated.format)) {
        this.findings.doubt("V20", "`statistics.json` is of a later format, whose figures cannot be counted here");
      } else if (path !== null) throw new Refused(`\`${path}\` is not that of the entries`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V20", `\`statistics.json\`: ${error.message}`);
      return 0;
    }
    return figureCount(found);
  }

  checkTime() {
    const advisory = !this.anchors.requireTime;
    if (!this.cosigned?.length) {
      return this.findings.doubt("V15", "time asserted by operator only: no witness cosigned", null, advisory);
    }
    const seconds = this.cosigned.map((one) => one.seconds).reduce((one, other) => (one < other ? one : other)) + CLOCK_SKEW_SECONDS;
    // The last second of the year 9999.
    if (seconds > 253402300799n) return this.findings.fail("V15", "time of a cosignature is out of bounds");
    if (this.latest && microseconds(this.latest.time) > seconds * 1000000n) {
      return this.findings.fail("V15", "entry claims a time after a witness had seen it", this.latest.index);
    }
    const detail = "entries existed when a witness cosigned; how long before is asserted by operator only";
    this.findings.doubt("V15", detail, null, advisory);
  }
}

async function* none() {}

class Statistics {
  constructor() {
    this.types = new Map();
    this.streams = new Set();
    this.count = 0;
    this.first = null;
    this.last = null;
  }

  visit(entry) {
    this.count++;
    this.types.set(entry.type, (this.types.get(entry.type) ?? 0) + 1);
    this.streams.add(entry.stream);
    this.first ??= entry.time;
    this.last = entry.time;
  }

  result() {
    return {
      entries: this.count,
      first_time: this.first,
      last_time: this.last,
      streams: this.streams.size,
      types: Object.fromEntries([...this.types].sort()),
    };
  }
}
