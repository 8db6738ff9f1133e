// One entry: canonical, of exactly the fields and forms that docs/format.md gives, at most 65,535 bytes.

import { HEX64, Refused } from "./bytes.js";
import { hasExactly, isCount, isObject, parseCanonical } from "./canonical.js";

export const MAX_ENTRY_BYTES = 65535;
const FIELDS = ["actor", "body", "commitments", "index", "occurred_at", "origin", "prev", "stream", "subject", "time", "type", "v"];
const COMMITMENT_FIELDS = ["ciphertext", "commitment", "kind", "record"];
const ORIGIN = /^[\x21-\x2a\x2c-\x7e]{1,255}$/;
const STREAM = /^[\x21-\x7e]{1,255}$/;
const NAMED = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,255}$/u;
const SUBJECT = /^sub_[A-Za-z2-7]{26}$/;
const TYPE = /^[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}$/;
const KIND = /^[a-z][a-z0-9_.-]{0,63}$/;
const TIME = /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)\.\d{6}Z$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The entry whose stored bytes these are, with the bytes themselves as `data`. */
export function parseEntry(data) {
  if (data.length > MAX_ENTRY_BYTES) throw new Refused("entry exceeds 65535 bytes");
  const value = parseCanonical(data);
  if (!isObject(value)) throw new Refused("entry is not an object");
  if (Number.isInteger(value.v) && value.v > 1) throw new Refused("entry is of a later format version", { later: true });
  if (!hasExactly(value, FIELDS) || value.v !== 1) throw new Refused("fields are not exactly those of version 1");
  require("index", isCount(value.index));
  require("prev", isHex64(value.prev));
  require("body", isObject(value.body));
  require("origin", matches(value.origin, ORIGIN));
  require("stream", matches(value.stream, STREAM));
  require("actor", isNamed(value.actor));
  require("type", matches(value.type, TYPE));
  require("subject", value.subject === null || matches(value.subject, SUBJECT));
  require("time", isTime(value.time));
  require("occurred_at", value.occurred_at === null || isTime(value.occurred_at));
  require("commitments", Array.isArray(value.commitments) && value.commitments.every(isCommitment));
  value.data = data;
  return value;
}

function isCommitment(item) {
  return (
    hasExactly(item, COMMITMENT_FIELDS) &&
    isHex64(item.ciphertext) &&
    isHex64(item.commitment) &&
    matches(item.kind, KIND) &&
    matches(item.record, STREAM)
  );
}

export function isHex64(value) {
  return matches(value, HEX64);
}

/** The rule of `actor`: a name to be shown, 1 to 255 code points without control characters. */
export function isNamed(value) {
  return matches(value, NAMED);
}

export function matches(value, pattern) {
  return typeof value === "string" && pattern.test(value);
}

/** A time in the one form, of a day that there is. */
export function isTime(value) {
  const found = typeof value === "string" ? TIME.exec(value) : null;
  if (!found) return false;
  const [year, month, day] = [Number(found[1]), Number(found[2]), Number(found[3])];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 && leap ? 29 : DAYS[month - 1];
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= last;
}

/** Microseconds since 1970 of a time in its form, as a BigInt. */
export function microseconds(time) {
  const whole = new Date(0);
  // Not the constructor: it takes years below 100 for those of the last century.
  whole.setUTCFullYear(Number(time.slice(0, 4)), Number(time.slice(5, 7)) - 1, Number(time.slice(8, 10)));
  whole.setUTCHours(Number(time.slice(11, 13)), Number(time.slice(14, 16)), Number(time.slice(17, 19)));
  return BigInt(whole.getTime()) * 1000n + BigInt(time.slice(20, 26));
}

function require(name, holds) {
  if (!holds) throw new Refused(`\`${name}\` is not well formed`);
}
