// V1: the files of a bundle are those of its manifest, by name, size and hash.

import { Refused, toHex } from "./bytes.js";
import { linesOf, readWhole } from "./container.js";
import { Sha256 } from "./sha256.js";

export class Files {
  constructor(findings, container, listed) {
    this.findings = findings;
    this.container = container;
    this.listed = listed;
  }

  has(name) {
    return this.listed.has(name);
  }

  async check() {
    const { findings, container, listed } = this;
    for (const name of container.names) {
      if (!listed.has(name) && name !== "manifest.json" && name !== "manifest.sig") {
        findings.fail("V1", `\`${name}\` is not listed in the manifest`);
      }
    }
    for (const [name, expected] of listed) {
      if (container.names.has(name)) await this.compare(name, expected);
      else findings.fail("V1", `\`${name.replace(/[\p{C}\p{Z}]/gu, "?")}\` is missing`);
    }
    findings.passed("V1", `${listed.size} files are those of the signed manifest`);
  }

  async compare(name, { sha256, size }) {
    const hash = new Sha256();
    try {
      for await (const chunk of await this.container.stream(name)) hash.update(chunk);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V1", error.message);
      return;
    }
    if (hash.size !== size || toHex(hash.digest()) !== sha256) this.findings.fail("V1", `\`${name}\` is not the file that was signed`);
  }

  /** The whole of a small file; Refused. */
  whole(name, limit) {
    return readWhole(this.container, name, limit);
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
}
