// Counters over what bodies say, whoever wrote them: labels and sums are bounded (docs/format.md, `statistics.json`).

import { utf8 } from "./bytes.js";
import { isCount, isObject } from "./canonical.js";
import { microseconds } from "./entry.js";
import { sha256Hex } from "./sha256.js";

const MOST_LABELS = 500;
const MOST_CHARACTERS = 72;
export const MOST = Number.MAX_SAFE_INTEGER;

/** A value as the key of a table: printable ASCII; of a longer text the beginning and 16 digits of its hash. */
export function labelOf(value) {
  if (typeof value !== "string" || !value) return "(not stated)";
  const escaped = (character) => {
    const code = character.codePointAt(0);
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  };
  const plain = value.replace(/[^\x20-\x7e]/gu, escaped);
  if (plain.length <= MOST_CHARACTERS) return plain;
  return `${plain.slice(0, MOST_CHARACTERS - 17)}~${sha256Hex(utf8(value)).slice(0, 16)}`;
}

/** A count that a body states, 0 for anything that is none. */
export function numberOf(value) {
  return isCount(value) ? value : 0;
}

/** An object inside a body, empty for anything else. */
export function inner(body, name) {
  return Object.hasOwn(body, name) && isObject(body[name]) ? body[name] : {};
}

/** Label to count, or to columns of counts. */
export class Table {
  constructor(columns = null) {
    this.columns = columns;
    this.rows = new Map();
  }

  add(value, count = 1, column = "") {
    let name = labelOf(value);
    if (!this.rows.has(name) && this.rows.size >= MOST_LABELS) name = "(other)";
    if (!this.rows.has(name)) this.rows.set(name, new Map((this.columns ?? [""]).map((one) => [one, 0])));
    const row = this.rows.get(name);
    row.set(column, Math.min(row.get(column) + count, MOST));
  }

  /** Counts what an object of name to count says. */
  addAll(value) {
    if (isObject(value)) for (const [name, count] of Object.entries(value)) if (numberOf(count)) this.add(name, count);
  }

  count(name) {
    return this.rows.get(name)?.get("") ?? 0;
  }

  /** Those of `names`, as an object. */
  counts(names) {
    return Object.fromEntries(names.map((name) => [name, this.count(name)]));
  }

  get total() {
    return Math.min([...this.rows.values()].reduce((sum, row) => sum + row.get(""), 0), MOST);
  }

  result() {
    return Object.fromEntries([...this.rows].map(([name, row]) => [name, this.columns ? Object.fromEntries(row) : row.get("")]));
  }
}

/** Durations in microseconds between times of entries, and their percentiles by nearest rank. */
export class Times {
  constructor() {
    this.values = [];
  }

  between(begin, end) {
    this.values.push(Math.max(0, Number(microseconds(end) - microseconds(begin))));
  }

  result() {
    const values = this.values.sort((one, other) => one - other);
    const at = (place) => values[place] ?? null;
    const percentile = (percent) => at(Math.floor((percent * values.length + 99) / 100) - 1);
    const [p50, p90, p99] = [50, 90, 99].map(percentile);
    return { count: values.length, least: at(0), p50, p90, p99, most: at(values.length - 1) };
  }
}
