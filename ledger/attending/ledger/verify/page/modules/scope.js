// V5 to V7: the entries that a bundle declares are there, whole, in order and under its head.
//
// Scope full and range are one run of entries whose root is computed again; of a subset, and of what a range has as
// context, each entry is proved to be included, and nothing is said of what lies between.

import { Refused } from "./bytes.js";
import { hasExactly, parseCanonical } from "./canonical.js";
import { Chain } from "./chain.js";
import { MAX_ENTRY_BYTES, parseEntry } from "./entry.js";
import { Edge, leafHash, verifyConsistency, verifyInclusion } from "./merkle.js";
import { parseHashes } from "./note.js";

const MAX_RANGE_BYTES = 1 << 16;
const MAX_PROOF_BYTES = 1 << 13;
const PROGRESS_EVERY = 500;

export class Scope {
  /** `head` is the claimed checkpoint or null; `progress` is called with (entries verified, entries in scope). */
  constructor(findings, manifest, files, head, progress) {
    Object.assign(this, { findings, manifest, files, head, progress });
    this.unreadable = false;
  }

  /** Calls `visit` with each entry of scope full or range, and `passed` with (size, root of the entries so far). */
  async run(visit, passed) {
    const { origin, begin, end, kind } = this.manifest;
    const range = await this.readEdge();
    if (!range) return;
    const chain = new Chain(origin, begin, range.edge);
    const root = () => chain.root();
    passed(chain.size, root);
    let surplus = false;
    for await (const line of this.files.lines("entries.jsonl", MAX_ENTRY_BYTES)) {
      if (chain.size >= end) {
        surplus = true;
        break;
      }
      const entry = chain.add(line);
      if (entry) await visit(entry);
      else this.unreadable = true;
      passed(chain.size, root);
      if (chain.size % PROGRESS_EVERY === 0) this.progress(chain.size - begin, end - begin);
    }
    if (surplus) this.findings.fail("V7", "bundle holds more entries than its scope", end);
    else if (chain.size < end) this.findings.fail("V7", `bundle ends before entry ${chain.size} of its scope`, chain.size);
    this.reportChain(chain, range.consistency);
    const count = chain.size - begin;
    this.findings.passed("V5", `${count} entries are canonical and of the schema`);
    this.findings.passed("V6", `${count} leaf hashes lead to the signed root`);
    this.findings.passed("V7", `${count} entries are contiguous and linked (${kind})`);
  }

  reportChain(chain, consistency) {
    const { begin, end, kind } = this.manifest;
    const { findings } = this;
    for (const { check, index, detail, later } of chain.problems) {
      if (check === "V5") this.unreadable = true;
      findings.judge(!later, check, detail, index);
    }
    if (chain.uncounted) findings.fail("V7", `and ${chain.uncounted} more problems`);
    let { head } = this;
    if (head && (head.size < BigInt(end) || (kind === "full" && head.size !== BigInt(end)))) {
      findings.fail("V7", `checkpoint of size ${head.size} does not fit the scope`);
      head = null;
    }
    if (!head) return findings.doubt("V6", "no checkpoint to compare the root with");
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
      for (const { index } of chain.broken) findings.fail("V7", "`prev` is not the leaf hash of the entry before", index);
      return;
    }
    const named = chain.altered(accepts);
    for (const index of named) findings.fail("V6", "its bytes are not those that the log committed to", index);
    if (named.length) return;
    if ((chain.astray.size || chain.size < end) && (findings.failed("V5") || findings.failed("V7"))) {
      // What is named there is the reason: of the other leaf hashes this says nothing.
      findings.doubt("V6", "root hash is not the signed one, for the entries named under V5 and V7");
    } else if (chain.size > begin && (begin === 0 || findings.failed("V1"))) {
      // All links hold: no successor vouches for the last one.
      const detail = "its bytes, or with them the whole chain before, are not what the log committed to";
      findings.fail("V6", detail, chain.size - 1);
    } else findings.fail("V6", "root hash is not the signed one though all entries are linked");
  }

  async readEdge() {
    const { kind, begin } = this.manifest;
    if (kind === "full") return { edge: new Edge(), consistency: [] };
    try {
      const value = parseCanonical(await this.files.whole("range.json", MAX_RANGE_BYTES));
      if (!hasExactly(value, ["consistency", "hashes"])) throw new Refused("`range.json` is not well formed");
      return { edge: new Edge(begin, parseHashes(value.hashes)), consistency: parseHashes(value.consistency) };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V6", error.message);
      return null;
    }
  }

  /** Calls `visit` with each entry of scope subset. */
  async runSubset(visit) {
    const { begin, end } = this.manifest;
    let count = 0;
    for await (const entry of this.included("entries.jsonl", "proofs.jsonl", begin, end)) {
      count++;
      if (entry) await visit(entry);
      if (count % PROGRESS_EVERY === 0) this.progress(count, end - begin);
    }
    this.findings.doubt("V7", "completeness is not proved: scope is a subset", null, true);
    this.findings.passed("V5", `${count} entries are canonical and of the schema`);
    this.findings.passed("V6", `${count} entries are included under the signed root`);
  }

  /** Calls `visit` with each entry before a range that its checks rest on: they prove what is there, not what is not. */
  async runContext(visit) {
    if (this.manifest.kind !== "range") return this.findings.fail("V7", "only a range has context");
    let count = 0;
    for await (const entry of this.included("context.jsonl", "context-proofs.jsonl", 0, this.manifest.begin)) {
      count++;
      if (entry) await visit(entry);
    }
    const detail = `${count} earlier entries as context; whether a revocation before the range is left out is not proved`;
    this.findings.doubt("V12", detail, null, true);
  }

  /** The entries of a file, each with its inclusion proof checked; null for one that is not readable. */
  async *included(name, proofsName, begin, end) {
    const { findings, head, files } = this;
    const proofs = files.has(proofsName) ? files.lines(proofsName, MAX_PROOF_BYTES) : none();
    let previous = begin - 1;
    let count = 0;
    for await (const data of files.lines(name, MAX_ENTRY_BYTES)) {
      const { value: proof, done } = await proofs.next();
      count++;
      let entry;
      try {
        entry = parseEntry(data);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Without its own index the record can only be placed after the one before it.
        this.unreadable = true;
        findings.judge(!error.later, "V5", `record ${count}: ${error.message}`, previous + 1);
        yield null;
        continue;
      }
      const { index } = entry;
      if (index <= previous || index >= end || entry.origin !== this.manifest.origin) {
        findings.fail("V7", "entry is out of order, out of scope or of another log", index);
      }
      previous = Math.max(previous, index);
      if (!head) findings.doubt("V6", "no checkpoint to prove inclusion under");
      else if (done) findings.fail("V6", "entry has no inclusion proof", index);
      else {
        try {
          verifyInclusion(leafHash(data), index, head.size, parseHashes(parseCanonical(proof)), head.root);
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          findings.fail("V6", `not what the log committed to: ${error.message}`, index);
        }
      }
      yield entry;
    }
    if (!(await proofs.next()).done) findings.fail("V7", "bundle holds more proofs than entries");
  }
}

async function* none() {}
