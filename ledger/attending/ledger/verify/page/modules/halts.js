// Of V14: between `system.halted` and `system.resumed` nothing begins and nothing is released.

const STOPPED = ["inference.requested", "inference.released", "inference.stream_window"];

export class Halts {
  constructor(findings) {
    this.findings = findings;
    this.halted = new Map();
  }

  /** `policy` is that of the entry's inference, null where there is none. */
  visit(entry, policy) {
    const { type, stream, index } = entry;
    if (type === "system.halted" && (stream === "halt:all" || stream.startsWith("halt:policy:"))) {
      if (!this.halted.has(stream)) this.halted.set(stream, index);
    } else if (type === "system.resumed") this.halted.delete(stream);
    else if (STOPPED.includes(type)) {
      const by = ["halt:all", `halt:policy:${policy ?? ""}`].find((name) => this.halted.has(name));
      if (by) this.findings.fail("V14", `\`${type}\` while halted since entry ${this.halted.get(by)}`, index);
    }
  }
}
