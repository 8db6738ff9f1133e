// Canonical JSON (docs/format.md): what is read is written again by the rules, and has to be the same text.
//
// That one comparison refuses white space, floats, exponents, `-0`, other escapes, unsorted and duplicate names. What it
// cannot see is refused by name: integers that a double rounds, lone surrogates, names outside ASCII, depth.

import { Refused, textOf } from "./bytes.js";

const DEEPEST = 16;
const LONE_SURROGATE = /\p{Surrogate}/u;
const NOT_ASCII = /[^\x00-\x7f]/;

/** The value of canonical bytes; objects are plain objects, integers are numbers. */
export function parseCanonical(bytes) {
  const text = textOf(bytes);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused("not JSON");
  }
  if (canonical(value) !== text) throw new Refused("not the canonical encoding");
  return value;
}

/** The canonical text of a value of the model. */
export function canonical(value, depth = 1) {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Refused("number is not an integer below 2^53");
    return String(value);
  }
  if (value === true) return "true";
  if (value === false) return "false";
  if (value === null) return "null";
  if (depth > DEEPEST) throw new Refused(`nested deeper than ${DEEPEST}`);
  if (Array.isArray(value)) {
    let text = "";
    for (const item of value) text += (text && ",") + canonical(item, depth + 1);
    return `[${text}]`;
  }
  let text = "";
  for (const name of Object.keys(value).sort()) {
    if (NOT_ASCII.test(name)) throw new Refused("name is not ASCII");
    text += `${text && ","}${quoted(name)}:${canonical(value[name], depth + 1)}`;
  }
  return `{${text}}`;
}

// JSON.stringify escapes as RFC 8785 does, but for lone surrogates.
function quoted(text) {
  if (LONE_SURROGATE.test(text)) throw new Refused("lone surrogate");
  return JSON.stringify(text);
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}]|:/gs;

/** The object in a JSON text of any form, in which no name stands twice at any depth; Refused for anything else. */
export function parseUnique(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused("not JSON");
  }
  if (!isObject(value)) throw new Refused("not a JSON object");
  const open = [];
  let before = null;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (token === ":") {
      // The grammar was checked above: a string before a colon is a name.
      const name = JSON.parse(before);
      if (open.at(-1).has(name)) throw new Refused("a name stands twice");
      open.at(-1).add(name);
    }
    before = token;
  }
  return value;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True when the object has exactly these names. */
export function hasExactly(value, names) {
  return isObject(value) && Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}

export function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The string under `name`, null for anything else. */
export function textIn(body, name) {
  const value = Object.hasOwn(body, name) ? body[name] : null;
  return typeof value === "string" ? value : null;
}
