// V9: checkpoints that the auditor kept agree with what the bundle leads to.

import { Refused, sameBytes, toHex } from "./bytes.js";
import { parseCheckpoint, verifyCheckpoint } from "./note.js";

export class Pins {
  constructor(findings, manifest) {
    this.findings = findings;
    this.manifest = manifest;
    this.mine = [];
    // Heads of other logs, which a succession may name.
    this.foreign = [];
    // Size to the root of the entries up to it, of those that were passed.
    this.roots = new Map();
  }

  /** Reads the notes; `terms` are those of this log's keys. */
  async read({ keys, witnesses, pinned }, terms) {
    const { origin } = this.manifest;
    const others = keys.filter((key) => key.name !== origin).map((key) => ({ key, first: 0, last: null }));
    const known = keys.some((key) => key.name === origin);
    for (const [at, note] of pinned.entries()) {
      try {
        const claim = parseCheckpoint(note);
        const cosigned = await verifyCheckpoint(claim, [...terms, ...others], witnesses);
        (claim.origin === origin ? this.mine : this.foreign).push({ ...claim, cosigned });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Without the key there is nothing to hold the pin against; a bad signature is another matter.
        this.findings.judge(known, "V9", `pinned checkpoint ${at + 1}: ${error.message}`);
      }
    }
    this.sizes = new Set(this.mine.map(({ size }) => size));
  }

  /** Takes note of the root at a size, where a pin asks for it; `root` is called then. */
  passed(size, root) {
    if (this.sizes.has(BigInt(size))) this.roots.set(BigInt(size), root());
  }

  compare(head, freshnessRequired) {
    if (!head) return;
    const { findings } = this;
    for (const { size, root } of this.mine) {
      if (size > head.size) this.newer(size, head);
      else if (size > 0n) this.older(size, root, size === head.size ? head.root : this.roots.get(size));
    }
    if (!this.mine.some(({ size }) => size >= head.size)) {
      const detail = "freshness unproven: no checkpoint at or past the bundle's head was given";
      findings.doubt("V9", detail, null, !freshnessRequired);
    }
    if (this.mine.length) findings.passed("V9", `consistent with ${this.mine.length} pinned checkpoints`);
  }

  newer(size, head) {
    if (this.manifest.kind === "full") {
      this.findings.fail("V9", `truncated: bundle ends at size ${head.size}, the log was at ${size} before`);
    } else this.findings.doubt("V9", `pinned head of size ${size} is newer than the bundle's`);
  }

  older(size, root, found) {
    if (!found) this.findings.doubt("V9", `pinned head of size ${size} cannot be recomputed from this scope`);
    else if (!sameBytes(found, root)) {
      const heads = `${toHex(root)} was signed before, ${toHex(found)} is found now`;
      this.findings.fail("V9", `forked: two root hashes for size ${size}: ${heads}`);
    }
  }
}
