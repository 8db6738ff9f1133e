// Bytes, hex and base64, each in the one form that docs/format.md allows.

/** What is wrong with evidence; `later` when it is of a later version, which nobody here can judge. */
export class Refused extends Error {
  constructor(detail, { later = false, index = null } = {}) {
    super(detail);
    this.later = later;
    this.index = index;
  }
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const HEX_DIGITS = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

export const HEX64 = /^[0-9a-f]{64}$/;

export function utf8(text) {
  return ENCODER.encode(text);
}

/** The text of UTF-8 bytes, a byte order mark kept as what it is. */
export function textOf(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw new Refused("not UTF-8");
  }
}

export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX_DIGITS[byte];
  return text;
}

/** The bytes of an even number of lower-case hex digits, null for anything else. */
export function fromHex(text) {
  if (typeof text !== "string" || text.length % 2 || !/^[0-9a-f]*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(text.substr(2 * at, 2), 16);
  return bytes;
}

/** The bytes of standard, padded base64 in its one form; null for anything else. */
export function fromBase64(text, size = null) {
  if (typeof text !== "string") return null;
  let binary;
  try {
    binary = atob(text);
  } catch {
    return null;
  }
  // What is decoded leniently (white space, no padding, loose bits) does not come out the same again.
  if (btoa(binary) !== text || (size !== null && binary.length !== size)) return null;
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function toBase64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** The bytes of base64url without padding in its one form; null for anything else. */
export function fromBase64Url(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(standard + "=".repeat((4 - (standard.length % 4)) % 4));
}

export function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function joined(...parts) {
  return joinedAll(parts);
}

/** The same of a list, which may have more parts than a call has arguments. */
export function joinedAll(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function sameBytes(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
