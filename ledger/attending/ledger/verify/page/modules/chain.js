// A contiguous run of entries: each in its place, linked to the one before, later in time, and what root they lead to.
//
// Where the root is not the signed one, the record that was changed is named as docs/format.md says. All leaf hashes are
// kept for that: 32 bytes an entry.

import { Refused, fromHex, toHex } from "./bytes.js";
import { parseEntry } from "./entry.js";
import { Edge, leafHash } from "./merkle.js";

const MOST = 1000;
const GENESIS = "0".repeat(64);

export class Chain {
  /** `edge` is the right edge of [0, begin), before the first entry. */
  constructor(origin, begin, edge) {
    this.origin = origin;
    this.begin = begin;
    this.start = edge;
    this.edge = edge.copy();
    this.leaves = new Uint8Array(32 * 1024);
    this.size = begin;
    // Of an odd size the last subtree is one leaf; else the entry before a range is not known.
    this.before = begin === 0 ? GENESIS : begin % 2 ? toHex(edge.subtrees.at(-1)[1]) : null;
    this.time = null;
    this.problems = [];
    this.broken = [];
    this.astray = new Set();
    this.uncounted = 0;
  }

  /** The entry in the next line, null when it is none; what is wrong with it is noted. */
  add(data) {
    const index = this.size;
    const leaf = leafHash(data);
    let entry = null;
    try {
      entry = parseEntry(data);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.problem({ index, check: "V5", later: error.later, detail: error.message }, true);
    }
    if (entry) {
      if (entry.index !== index) {
        this.problem({ index, check: "V7", detail: `found entry ${entry.index} in its place: missing, duplicated or out of order` }, true);
      }
      if (entry.origin !== this.origin) this.problem({ index, check: "V7", detail: "entry is of another log" });
      if (this.before !== null && entry.prev !== this.before) this.keep(this.broken, { index, stated: entry.prev });
      if (this.time !== null && entry.time < this.time) {
        this.problem({ index, check: "V7", detail: "time is before that of the entry before" });
      }
      this.time = entry.time;
    }
    this.before = toHex(leaf);
    this.store(leaf);
    this.edge.append(leaf);
    this.size++;
    return entry;
  }

  root() {
    return this.edge.root();
  }

  problem(item, astray = false) {
    if (astray) this.astray.add(item.index);
    this.keep(this.problems, item);
  }

  keep(items, item) {
    if (items.length < MOST) items.push(item);
    else this.uncounted++;
  }

  store(leaf) {
    const at = 32 * (this.size - this.begin);
    if (at === this.leaves.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.leaves);
      this.leaves = larger;
    }
    this.leaves.set(leaf, at);
  }

  /** The entries whose bytes are not those that were committed to, where the found root is not one that `accepts` takes. */
  altered(accepts) {
    const stated = new Map(this.broken.map((link) => [link.index - 1, link.stated]));
    const runs = [];
    for (const { index } of this.broken) {
      // Beside an entry that is unreadable or out of place a link breaks for that reason, which is reported by itself.
      if (this.astray.has(index) || this.astray.has(index - 1)) continue;
      if (runs.length && runs.at(-1).last === index - 1) runs.at(-1).last = index;
      else runs.push({ first: index, last: index });
    }
    if (!runs.length) return [];
    // One broken link: the entry before it. Several in a row: those whose own `prev` and hash are both disputed.
    const likely = runs.map(({ first, last }) => (last > first ? span(first, last) : [first - 1]));
    const wider = runs.map(({ first, last }) => span(first - 1, Math.max(last, first)));
    for (const reading of [likely, wider]) {
      const named = reading.flat().filter((index) => index >= this.begin);
      const replaced = [...this.astray, ...named].filter((index) => stated.has(index));
      if (accepts(this.rootWith(new Map(replaced.map((index) => [index, stated.get(index)]))))) return named;
    }
    const end = this.size - 1;
    // The one before the last is not the reason, or the root would have come out.
    if (runs.at(-1).first === end && runs.at(-1).last === end) likely[likely.length - 1] = [end];
    return likely.flat().filter((index) => index >= this.begin);
  }

  rootWith(stated) {
    const edge = this.start.copy();
    for (let index = this.begin; index < this.size; index++) {
      const at = 32 * (index - this.begin);
      edge.append(stated.has(index) ? fromHex(stated.get(index)) : this.leaves.slice(at, at + 32));
    }
    return edge.root();
  }
}

function span(begin, end) {
  return Array.from({ length: end - begin }, (_, at) => begin + at);
}
