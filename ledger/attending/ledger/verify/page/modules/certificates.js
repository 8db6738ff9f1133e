// V19, the certificates: what `subject.erased` and `payload.pruned` cover, and whether a hold forbade it.

import { isCount, textIn } from "./canonical.js";

const CUSTODY = ["subject.linked", "subject.unlinked", "hold.placed", "hold.lifted", "subject.erased"];

export class Certificates {
  constructor(findings, complete) {
    this.findings = findings;
    this.complete = complete;
    this.erased = new Set();
    this.people = new Map();
    this.places = new Map();
    this.ranges = [];
    this.minimum = 0;
  }

  visit(entry) {
    if (entry.commitments.length && entry.subject !== null) {
      if (!this.places.has(entry.subject)) this.places.set(entry.subject, []);
      this.places.get(entry.subject).push(entry.index);
    }
    if (entry.type === "payload.pruned") this.prune(entry);
    else if (entry.type.startsWith("subject.") || entry.type.startsWith("hold.")) {
      if (entry.type === "subject.erased") {
        for (const name of [entry.subject, entry.body.subject]) if (typeof name === "string") this.erased.add(name);
      }
      if (entry.subject !== null && entry.stream === `subject/${entry.subject}`) this.advance(entry);
    }
  }

  /** Whether a pruning entry covers the payloads of entry `index`. */
  covers(index) {
    return within(index, this.ranges);
  }

  /** Whoever was erased was erased as a whole person. */
  finish() {
    for (const [subject, state] of this.people) {
      if (state.erased === null) continue;
      if ([...this.closure(subject)].some((other) => (this.people.get(other)?.erased ?? null) === null)) {
        this.findings.judge(this.complete, "V19", "a linked pseudonym of the same person was not erased with it", state.erased);
      }
    }
  }

  advance(entry) {
    const { subject, type, body } = entry;
    if (type === "subject.erased" && this.isHeld(subject)) {
      this.findings.judge(this.complete, "V19", "subject was erased under a hold", entry.index);
    }
    if (!CUSTODY.includes(type)) return;
    const name = type.startsWith("hold.") ? "hold" : "other";
    const needed = type === "subject.erased" ? [] : type === "hold.placed" ? ["hold", "ground"] : [name];
    const missing = needed.find((one) => !textIn(body, one));
    if (missing) return this.findings.fail("V19", `\`${missing}\` of a custody entry is missing`, entry.index);
    if (!this.people.has(subject)) this.people.set(subject, { links: new Set(), holds: new Set(), erased: null });
    const state = this.people.get(subject);
    if (type === "subject.linked") state.links.add(body.other);
    else if (type === "subject.unlinked") state.links.delete(body.other);
    else if (type === "hold.placed") state.holds.add(body.hold);
    else if (type === "hold.lifted") state.holds.delete(body.hold);
    else state.erased = entry.index;
  }

  closure(subject) {
    const found = new Set([subject]);
    // A set that grows while it is walked is walked to its end.
    for (const name of found) for (const other of this.people.get(name)?.links ?? []) found.add(other);
    return found;
  }

  isHeld(subject) {
    return [...this.closure(subject)].some((name) => this.people.get(name)?.holds.size);
  }

  prune(entry) {
    const { entries, minimum } = entry.body;
    const found = Array.isArray(entries) ? entries : [null];
    if (!found.every((range) => isRange(range, entry.index))) {
      return this.findings.fail("V19", "pruning entry does not say what it covers", entry.index);
    }
    const highest = Math.max(0, ...found.map(([, end]) => end));
    if (!isCount(minimum) || minimum < Math.max(this.minimum, highest) || minimum > entry.index) {
      return this.findings.fail("V19", "minimum of a pruning entry goes back, or is not above it", entry.index);
    }
    this.minimum = minimum;
    const ranges = merged(found);
    const held = new Set();
    for (const [subject, state] of this.people) if (state.holds.size) for (const name of this.closure(subject)) held.add(name);
    // A range may pass over what was pruned before the hold was placed.
    const places = [...held].flatMap((name) => this.places.get(name) ?? []);
    if (places.some((index) => within(index, ranges) && !this.covers(index))) {
      this.findings.judge(this.complete, "V19", "payload was pruned under a hold", entry.index);
    }
    this.ranges = merged([...this.ranges, ...found]);
  }
}

function isRange(value, limit) {
  return Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0] < value[1] && value[1] <= limit;
}

function within(index, ranges) {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle][1] <= index) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && ranges[low][0] <= index;
}

function merged(ranges) {
  const result = [];
  for (const [begin, end] of [...ranges].sort((one, other) => one[0] - other[0])) {
    if (result.length && begin <= result.at(-1)[1]) result.at(-1)[1] = Math.max(result.at(-1)[1], end);
    else result.push([begin, end]);
  }
  return result;
}
