// The syntax of PDF objects and of content streams (ISO 32000-1, sections 7.2 and 7.3), read strictly and in bounds.
//
// What two readers could take in two ways is refused: a key that is there twice, half an escape, a word for an object.

import { Refused } from "./bytes.js";

const DEEPEST = 48;
const MAX_STRING_BYTES = 1 << 20;
// Of one object, whatever lies in what.
const MAX_ITEMS = 1 << 20;
const MAX_NAME = 256;
const ORDINARY = 0;
const SPACE = 1;
const KINDS = new Uint8Array(256);
for (const byte of [0, 9, 10, 12, 13, 32]) KINDS[byte] = SPACE;
for (const character of "()<>[]{}/%") KINDS[character.charCodeAt(0)] = 2;
const [LF, CR, PERCENT, SLASH, OPEN, CLOSE, LESS, GREATER, LIST, END_LIST, BACKSLASH] = [10, 13, 37, 47, 40, 41, 60, 62, 91, 93, 92];
const NUMBER = /^[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})$/;
const WORD = /^[A-Za-z'"][A-Za-z0-9'"*]{0,31}$/;
const ESCAPES = { 110: 10, 114: 13, 116: 9, 98: 8, 102: 12 };

/** A name, without its slash. */
export class Name {
  constructor(text) {
    this.text = text;
  }
}

/** A word that is no object: an operator of a content stream. */
export class Word {
  constructor(text) {
    this.text = text;
  }
}

/** A number with a point, also one that is whole: no length, no place and no mode of anything here. */
class Real {
  constructor(value) {
    this.value = value;
  }
}

/** An indirect reference. */
export class Reference {
  constructor(number, generation) {
    this.number = number;
    this.generation = generation;
  }

  same(other) {
    return other instanceof Reference && other.number === this.number && other.generation === this.generation;
  }
}

export function wrong(detail) {
  return new Refused(`not well-formed PDF: ${detail}`);
}

export function isName(value, text) {
  return value instanceof Name && value.text === text;
}

export function latin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Reads objects from a place on. Dictionaries are Maps, strings bytes, null null. */
export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
    this.left = MAX_ITEMS;
  }

  /** Goes to the first byte that is no white space or comment. */
  skip() {
    const { bytes } = this;
    while (this.at < bytes.length) {
      if (bytes[this.at] === PERCENT) while (this.at < bytes.length && bytes[this.at] !== CR && bytes[this.at] !== LF) this.at++;
      else if (KINDS[bytes[this.at]] === SPACE) this.at++;
      else return;
    }
  }

  object(depth = 0) {
    if (!depth) this.left = MAX_ITEMS;
    this.skip();
    const { bytes, at } = this;
    switch (bytes[at]) {
      case SLASH:
        return this.name();
      case LIST:
        return this.array(depth);
      case OPEN:
        return this.literal();
      case LESS:
        return bytes[at + 1] === LESS ? this.dictionary(depth) : this.hexadecimal();
    }
    const token = this.token();
    if (/^[0-9]{1,10}$/.test(token)) {
      const found = this.reference(token);
      if (found) return found;
    }
    if (NUMBER.test(token)) return token.includes(".") ? new Real(Number(token)) : Number(token);
    if (!WORD.test(token)) throw wrong(`no object at byte ${at}`);
    if (token === "null") return null;
    return token === "true" ? true : token === "false" ? false : new Word(token);
  }

  // Ordinary characters up to a space or a delimiter: no number or word is longer than this asks for.
  token() {
    const { bytes, at } = this;
    let end = at;
    while (end < bytes.length && end - at < MAX_NAME && KINDS[bytes[end]] === ORDINARY) end++;
    this.at = end;
    return latin1(bytes.subarray(at, end));
  }

  // The rest of `number generation R`, else null and nothing read.
  reference(number) {
    const begin = this.at;
    if (this.blank()) {
      const generation = this.token();
      if (/^[0-9]{1,5}$/.test(generation) && this.blank() && this.token() === "R") return new Reference(Number(number), Number(generation));
    }
    this.at = begin;
    return null;
  }

  blank() {
    const begin = this.at;
    while (this.at < this.bytes.length && KINDS[this.bytes[this.at]] === SPACE) this.at++;
    return this.at > begin;
  }

  name() {
    const { bytes } = this;
    const begin = ++this.at;
    let text = "";
    while (this.at < bytes.length && KINDS[bytes[this.at]] === ORDINARY) {
      if (this.at - begin >= MAX_NAME) throw wrong(`name without end at byte ${begin}`);
      if (bytes[this.at] === 35) {
        const code = latin1(bytes.subarray(this.at + 1, this.at + 3));
        if (!/^[0-9A-Fa-f]{2}$/.test(code)) throw wrong(`name with half an escape at byte ${begin}`);
        text += String.fromCharCode(parseInt(code, 16));
        this.at += 3;
      } else text += String.fromCharCode(bytes[this.at++]);
    }
    if (this.at - begin > MAX_NAME) throw wrong(`name without end at byte ${begin}`);
    return new Name(text);
  }

  value(depth) {
    if (--this.left < 0) throw wrong("object has too many items");
    const found = this.object(depth + 1);
    if (found instanceof Word) throw wrong(`word in place of an object before byte ${this.at}`);
    return found;
  }

  array(depth) {
    if (depth > DEEPEST) throw wrong("objects are nested too deep");
    this.at++;
    const found = [];
    for (;;) {
      this.skip();
      if (this.bytes[this.at] === END_LIST) {
        this.at++;
        return found;
      }
      found.push(this.value(depth));
    }
  }

  dictionary(depth) {
    if (depth > DEEPEST) throw wrong("objects are nested too deep");
    this.at += 2;
    const found = new Map();
    for (;;) {
      this.skip();
      if (this.bytes[this.at] === GREATER && this.bytes[this.at + 1] === GREATER) {
        this.at += 2;
        return found;
      }
      if (this.bytes[this.at] !== SLASH) throw wrong(`dictionary without a key at byte ${this.at}`);
      const { text } = this.name();
      if (found.has(text)) throw wrong(`key that is there twice at byte ${this.at}`);
      found.set(text, this.value(depth));
    }
  }

  hexadecimal() {
    const begin = this.at + 1;
    const end = this.bytes.indexOf(GREATER, begin);
    if (end < 0 || end - begin > 4 * MAX_STRING_BYTES) throw wrong(`string without end at byte ${begin}`);
    const digits = [];
    for (const byte of this.bytes.subarray(begin, end)) {
      if (KINDS[byte] === SPACE) continue;
      const digit = parseInt(String.fromCharCode(byte), 16);
      if (Number.isNaN(digit)) throw wrong(`string without end at byte ${begin}`);
      digits.push(digit);
    }
    if (digits.length > 2 * MAX_STRING_BYTES) throw wrong("string is too long");
    if (digits.length % 2) digits.push(0);
    this.at = end + 1;
    return Uint8Array.from({ length: digits.length / 2 }, (_, place) => 16 * digits[2 * place] + digits[2 * place + 1]);
  }

  literal() {
    const { bytes } = this;
    const found = [];
    let open = 1;
    for (let at = this.at + 1; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === CLOSE && --open === 0) {
        this.at = at + 1;
        return Uint8Array.from(found);
      }
      if (byte === OPEN) open++;
      if (byte === BACKSLASH) at = escaped(bytes, at + 1, found);
      else found.push(byte);
      if (found.length > MAX_STRING_BYTES) throw wrong("string is too long");
    }
    throw wrong("string without end");
  }
}

// Puts what an escape stands for; returns the place of its last byte.
function escaped(bytes, at, found) {
  if (at >= bytes.length) throw wrong("string without end");
  const byte = bytes[at];
  if (byte === CR) return bytes[at + 1] === LF ? at + 1 : at;
  if (byte === LF) return at;
  if (byte < 48 || byte > 55) {
    found.push(ESCAPES[byte] ?? byte);
    return at;
  }
  let [value, end] = [0, at];
  while (end < at + 3 && bytes[end] >= 48 && bytes[end] <= 55) value = 8 * value + bytes[end++] - 48;
  found.push(value & 0xff);
  return end - 1;
}

/** The operators of a content stream, each with its operands: [operator, operands]. Inline images are refused. */
export function* operationsOf(bytes) {
  const reader = new Reader(bytes);
  let operands = [];
  for (reader.skip(); reader.at < bytes.length; reader.skip()) {
    const found = reader.object();
    if (!(found instanceof Word)) {
      if (operands.push(found) > MAX_ITEMS) throw wrong("operator has too many operands");
      continue;
    }
    if (found.text === "BI") throw wrong("content stream holds an inline image");
    yield [found.text, operands];
    operands = [];
  }
}
