// DER (ITU-T X.690, section 10), as far as signatures, certificates and time stamps need it: definite, shortest lengths,
// low tag numbers, and every element ends where the one around it does.

import { Refused, toHex } from "./bytes.js";

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OID = 0x06;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;
const BOOLEAN = 0x01;
const UTC_TIME = 0x17;
const MAX_CHILDREN = 256;
const MAX_INTEGER_BYTES = 33;

function wrong(detail) {
  return new Refused(`not well-formed DER: ${detail}`);
}

/** One element: its tag, its content, and all of its bytes. */
export class Element {
  constructor(tag, content, encoded) {
    Object.assign(this, { tag, content, encoded });
  }

  /** The elements of a constructed one, which must have this tag; at most 256. */
  children(tag = SEQUENCE) {
    const found = [];
    for (const element of elementsOf(this.contentOf(tag))) {
      if (found.push(element) > MAX_CHILDREN) throw wrong(`more than ${MAX_CHILDREN} elements`);
    }
    return found;
  }

  contentOf(tag) {
    if (this.tag !== tag) throw wrong(`tag ${tag} expected, got ${this.tag}`);
    return this.content;
  }

  /** An object identifier in dots. */
  oid() {
    const bytes = this.contentOf(OID);
    if (!bytes.length || bytes.at(-1) & 0x80) throw wrong("object identifier is cut off");
    const arcs = [];
    let value = 0n;
    let begun = false;
    for (const byte of bytes) {
      if (!begun && byte === 0x80) throw wrong("object identifier is not in its shortest form");
      value = (value << 7n) | BigInt(byte & 0x7f);
      if (value >> 64n) throw wrong("object identifier is out of bounds");
      begun = (byte & 0x80) !== 0;
      if (!begun) {
        arcs.push(value);
        value = 0n;
      }
    }
    const [first, ...rest] = arcs;
    const top = first < 40n ? 0n : first < 80n ? 1n : 2n;
    return [top, first - 40n * top, ...rest].join(".");
  }

  /** An integer of at most 256 bits and its sign, as a BigInt. */
  integer() {
    const bytes = this.contentOf(INTEGER);
    if (!bytes.length || bytes.length > MAX_INTEGER_BYTES) throw wrong("integer is out of bounds");
    const [first, second] = bytes;
    if (bytes.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      throw wrong("integer is not in its shortest form");
    }
    return BigInt.asIntN(8 * bytes.length, BigInt(`0x${toHex(bytes)}`));
  }

  boolean() {
    const bytes = this.contentOf(BOOLEAN);
    if (bytes.length !== 1 || (bytes[0] !== 0 && bytes[0] !== 0xff)) throw wrong("boolean is neither");
    return bytes[0] !== 0;
  }

  octets() {
    return this.contentOf(OCTET_STRING);
  }

  /** The bytes of a bit string without bits left over: a signature, a key. */
  wholeBits() {
    const bytes = this.contentOf(BIT_STRING);
    if (bytes[0] !== 0) throw wrong("bit string does not end with an octet");
    return bytes.subarray(1);
  }

  /** The first octet of named bits (key usage). */
  firstBits() {
    const bytes = this.contentOf(BIT_STRING);
    if (bytes.length < 2 || bytes[0] > 7) throw wrong("bit string is not well formed");
    return bytes[1];
  }

  /** Microseconds since 1970 of a generalized time in UTC, in its shortest form (RFC 3161, section 2.4.2). */
  time() {
    const found = /^(\d{4})(\d{10})(?:\.(\d{0,5}[1-9]))?Z$/.exec(asciiOf(this.contentOf(GENERALIZED_TIME)));
    if (!found) throw wrong("time is not one of UTC in its shortest form");
    return instant(Number(found[1]), found[2]) + BigInt((found[3] ?? "").padEnd(6, "0"));
  }

  /** The same of either form that certificates have (RFC 5280, section 4.1.2.5). */
  certificateTime() {
    if (this.tag === GENERALIZED_TIME) return this.time();
    const found = /^(\d{2})(\d{10})Z$/.exec(asciiOf(this.contentOf(UTC_TIME)));
    if (!found) throw wrong("time is not one of UTC in its shortest form");
    const year = Number(found[1]);
    return instant(year < 50 ? 2000 + year : 1900 + year, found[2]);
  }
}

/** The one element that `bytes` are. */
export function parseDer(bytes) {
  const { element, end } = elementAt(bytes, 0);
  if (end !== bytes.length) throw wrong("something follows the element");
  return element;
}

/** The element at the beginning, and what follows it. */
export function leading(bytes) {
  const { element, end } = elementAt(bytes, 0);
  return [element, bytes.subarray(end)];
}

/** The elements that `bytes` are, one after the other. */
export function* elementsOf(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const { element, end } = elementAt(bytes, at);
    yield element;
    at = end;
  }
}

function elementAt(bytes, at) {
  if (bytes.length - at < 2) throw wrong("element is cut off");
  const tag = bytes[at];
  let size = bytes[at + 1];
  let begin = at + 2;
  if ((tag & 0x1f) === 0x1f) throw wrong("high tag number");
  if (size >= 0x80) {
    const count = size & 0x7f;
    if (count < 1 || count > 4 || begin + count > bytes.length) throw wrong("length is indefinite or out of bounds");
    size = 0;
    for (let place = begin; place < begin + count; place++) size = size * 256 + bytes[place];
    if (size < 0x80 || bytes[begin] === 0) throw wrong("length is not in its shortest form");
    begin += count;
  }
  const end = begin + size;
  if (end > bytes.length) throw wrong("element is cut off");
  return { element: new Element(tag, bytes.subarray(begin, end), bytes.subarray(at, end)), end };
}

function asciiOf(bytes) {
  return bytes.length > 32 ? "" : String.fromCharCode(...bytes);
}

// MMDDHHMMSS of a year, for a day and an hour that there are.
function instant(year, rest) {
  const [month, day, hour, minute, second] = rest.match(/../g).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (year < 1 || !same || hour > 23 || minute > 59 || second > 59) throw wrong("time is out of bounds");
  return BigInt(date.getTime()) * 1000n;
}
