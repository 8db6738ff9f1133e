// Of V7: what came from outside was counted by whoever sent it, so that what never arrived is seen.

import { isObject } from "./canonical.js";
import { matches } from "./entry.js";

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const SHOWN = 50;

export class Emitters {
  constructor() {
    this.found = new Map();
    this.problems = [];
  }

  visit(entry) {
    const told = Object.hasOwn(entry.body, "emitter") ? entry.body.emitter : null;
    if (told === null) return;
    const closing = entry.type === "session.ended";
    const number = closing ? entry.body.issued : told.sequence;
    const names = closing ? ["id"] : ["id", "sequence"];
    const wellFormed =
      isObject(told) &&
      matches(told.id, NAME) &&
      Object.keys(told).length === names.length &&
      names.every((name) => Object.hasOwn(told, name)) &&
      Number.isSafeInteger(number) &&
      number >= (closing ? 0 : 1);
    if (!wellFormed) return this.problem(entry, "counter of its emitter is not well formed");
    const key = JSON.stringify([entry.actor, told.id]);
    if (!this.found.has(key)) this.found.set(key, { actor: entry.actor, id: told.id, ranges: [], count: 0, issued: null });
    const emitter = this.found.get(key);
    if (closing) {
      if (emitter.issued !== null) return this.problem(entry, "the last sequence of its emitter was declared before");
      emitter.issued = number;
      if (highest(emitter) > number) this.problem(entry, "declared less than what had arrived");
    } else if (!insert(emitter, number)) this.problem(entry, `sequence ${number} of its emitter was there before`);
    else if (emitter.issued !== null && number > emitter.issued) this.problem(entry, `sequence ${number} is past the last one declared`);
  }

  /** What a report says of completeness, of the entries visited. */
  figures() {
    const all = [...this.found.values()];
    const missing = (emitter) => gaps(emitter, expected(emitter)).reduce((sum, [first, last]) => sum + last - first + 1, 0);
    const sum = (numbers) => Math.min(numbers.reduce((total, number) => total + number, 0), Number.MAX_SAFE_INTEGER);
    return {
      emitters: all.length,
      emitters_that_declared_their_end: all.filter((emitter) => emitter.issued !== null).length,
      events_not_among_these_entries: sum(all.map(missing)),
      events_present: all.reduce((total, emitter) => total + emitter.count, 0),
    };
  }

  problem(entry, detail) {
    if (this.problems.length < 100) this.problems.push({ index: entry.index, detail });
  }

  /** A counter that contradicts another is a failure; what is missing is a doubt about its emitter. */
  report(findings, completeScope, required) {
    for (const { index, detail } of this.problems) findings.fail("V7", detail, index);
    if (!this.found.size) return;
    if (!completeScope) {
      const detail = `${this.found.size} emitters: what never arrived is told by scope full only`;
      return findings.doubt("V7", detail, null, !required);
    }
    let whole = 0;
    const order = [...this.found.values()].sort((one, other) => compare(one.actor, other.actor) || compare(one.id, other.id));
    for (const emitter of order) {
      const last = expected(emitter);
      const missing = gaps(emitter, last);
      const name = `emitter \`${emitter.id}\` of \`${emitter.actor}\``;
      if (!missing.length && emitter.issued !== null) {
        if (++whole <= SHOWN) findings.note("V7", `${name}: ${last} issued, ${emitter.count} present`);
        continue;
      }
      let detail = `${name}: ${emitter.issued === null ? "at least " : ""}${last} issued, ${emitter.count} present`;
      if (missing.length) detail += `, missing ${shown(missing)}`;
      if (emitter.issued === null) detail += "; its last sequence is not declared, so a lost end is not seen";
      findings.doubt("V7", detail, null, !required);
    }
    if (whole > SHOWN) findings.note("V7", `and ${whole - SHOWN} more emitters, all present`);
  }
}

function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

function highest(emitter) {
  return emitter.ranges.length ? emitter.ranges.at(-1)[1] : 0;
}

/** The last sequence that must have arrived. */
function expected(emitter) {
  return Math.max(emitter.issued ?? 0, highest(emitter));
}

/** Adds a number to the sorted ranges; false when it was there. */
function insert(emitter, number) {
  const { ranges } = emitter;
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle][1] < number) low = middle + 1;
    else high = middle;
  }
  if (low < ranges.length && ranges[low][0] <= number) return false;
  emitter.count++;
  const joinsBefore = low > 0 && ranges[low - 1][1] === number - 1;
  const joinsAfter = low < ranges.length && ranges[low][0] === number + 1;
  if (joinsBefore && joinsAfter) {
    ranges[low - 1][1] = ranges[low][1];
    ranges.splice(low, 1);
  } else if (joinsBefore) ranges[low - 1][1] = number;
  else if (joinsAfter) ranges[low][0] = number;
  else ranges.splice(low, 0, [number, number]);
  return true;
}

function gaps(emitter, last) {
  const found = [];
  let begin = 1;
  for (const [first, end] of emitter.ranges) {
    if (begin < first) found.push([begin, first - 1]);
    begin = end + 1;
  }
  if (begin <= last) found.push([begin, last]);
  return found;
}

function shown(ranges) {
  const parts = ranges.slice(0, 10).map(([first, last]) => (first === last ? String(first) : `${first}-${last}`));
  return [...parts, ...(ranges.length > 10 ? ["..."] : [])].join(", ");
}
