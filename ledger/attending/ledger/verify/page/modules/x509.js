// Certificates and revocation lists (RFC 5280, sections 4 and 5), as far as a seal needs them. Nothing is verified here.

import { Refused, fromBase64, textOf, toHex } from "./bytes.js";
import { Element, SEQUENCE, SET, elementsOf, parseDer } from "./der.js";

export const BASIC = "2.5.29.19";
export const USAGE = "2.5.29.15";
export const PURPOSES = "2.5.29.37";
const KEY_NAME = "2.5.29.14";
// Strings of a name: those that are read as UTF-8, and the older ones, which are compared as they lie.
const READABLE = [0x0c, 0x13, 0x16];
const OLDER = [0x12, 0x14, 0x1a, 0x1c, 0x1e];
const ECDSA_WITH = "1.2.840.10045.4.3.";
const EC_KEY = "1.2.840.10045.2.1";
// RSA, RSA for PSS alone, EC, Ed25519 and Ed448.
const KEYS = ["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", EC_KEY, "1.3.101.112", "1.3.101.113"];
const REASON = "2.5.29.21";
const INVALID_SINCE = "2.5.29.24";

/** {der, serial, issuer, subject, begins, ends, spki, critical, usage, purposes, authority, keyName, signed, algorithm,
 * signature, and names as they lie}. Times are in microseconds; `critical` are names of extensions, those that are absent are null.
 */
export function parseCertificate(der) {
  return reading("certificate does not read", () => {
    const { parts, ...rest } = signedPart(der);
    const version = parts[0]?.tag === 0xa0 ? parseDer(parts.shift().content).integer() : 0n;
    const [serial, inner, issuer, validity, subject, spki, ...more] = parts;
    const times = validity.children().map((time) => time.certificateTime());
    const [begins, ends] = times;
    if (version > 2n || version < 0n || times.length !== 2) throw new Refused("version or validity");
    // Two ids that nobody uses, and extensions: in this order, each once.
    const tags = more.map(({ tag }) => tag);
    if (tags.some((tag, at) => ![0x81, 0x82, 0xa3].includes(tag) || tag <= tags[at - 1])) throw new Refused("parts");
    checkAlgorithm(inner);
    checkKey(spki);
    const extended = more.find(({ tag }) => tag === 0xa3);
    const extensions = extended ? extensionsOf(parseDer(extended.content)) : new Map();
    const said = (name, read) => (extensions.has(name) ? read(extensions.get(name).value) : null);
    return {
      ...rest,
      der,
      serial: serial.integer(),
      issuerBytes: issuer.encoded,
      issuer: nameKey(issuer),
      subject: nameKey(subject),
      subjectBytes: subject.encoded,
      subjectText: nameText(subject),
      sameAlgorithm: toHex(inner.encoded) === toHex(rest.algorithm.encoded),
      begins,
      ends,
      spki: spki.encoded,
      critical: [...extensions].filter(([, { critical }]) => critical).map(([name]) => name),
      usage: said(USAGE, (value) => value.firstBits()),
      purposes: said(PURPOSES, purposesOf),
      authority: said(BASIC, authorityOf),
      keyName: said(KEY_NAME, (value) => value.octets()),
    };
  });
}

/** {issuer, nextUpdate (null: none said), revoked (bytes, see `revocationIn`), strange, signed, algorithm, signature}. */
export function parseList(der) {
  return reading("revocation list does not read", () => {
    const { parts, ...rest } = signedPart(der);
    if (parts[0]?.tag === 0x02) parts.shift();
    const [inner, issuer, , ...more] = parts;
    const timed = more[0] && (more[0].tag === 0x17 || more[0].tag === 0x18);
    const nextUpdate = timed ? more.shift().certificateTime() : null;
    const revoked = more[0]?.tag === SEQUENCE ? more.shift().content : new Uint8Array();
    const extended = more.find(({ tag }) => tag === 0xa0);
    const extensions = extended ? extensionsOf(parseDer(extended.content)) : new Map();
    return {
      ...rest,
      issuer: nameKey(issuer),
      sameAlgorithm: toHex(inner.encoded) === toHex(rest.algorithm.encoded),
      nextUpdate,
      revoked,
      strange: [...extensions.values()].some(({ critical }) => critical),
    };
  });
}

/** What a list says of a serial number: {since, reason, strange}, null for nothing. Lists may have entries by the
 * hundred thousand: they are read through, and not kept.
 */
export function revocationIn({ revoked }, serial) {
  return reading("revocation list does not read", () => {
    for (const item of elementsOf(revoked)) {
      const [number, since, extensions] = item.children();
      if (number.integer() === serial) return revocation(since.certificateTime(), extensions ? extensionsOf(extensions) : new Map());
    }
    return null;
  });
}

/** The DER of every `label` in a PEM text, none where there is none. */
export function fromPem(text, label) {
  const found = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, "g"));
  return [...found].map(([, body]) => {
    const bytes = fromBase64(body.replace(/\s/g, ""));
    if (!bytes) throw new Refused("PEM is not base64");
    return bytes;
  });
}

// Whatever is wrong with the form is one answer: it does not read.
function reading(detail, read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused || error instanceof TypeError) throw new Refused(detail);
    throw error;
  }
}

function signedPart(der) {
  const outer = parseDer(der).children();
  if (outer.length !== 3) throw new Refused("not three parts");
  const [signed, algorithm, signature] = outer;
  checkAlgorithm(algorithm);
  return { parts: signed.children(), signed: signed.encoded, algorithm, signature: signature.wholeBits() };
}

// Who has parameters, and which (RFC 5480, RFC 5758, RFC 3279).
function checkAlgorithm(element) {
  const [name, parameters, ...more] = element.children();
  const oid = name.oid();
  if (oid === EC_KEY) parameters.oid();
  if ((oid.startsWith(ECDSA_WITH) && parameters) || more.length) throw new Refused("algorithm is not well formed");
}

function checkKey(spki) {
  const [algorithm, key, ...more] = spki.children();
  checkAlgorithm(algorithm);
  if (!KEYS.includes(algorithm.children()[0].oid()) || !key.wholeBits().length || more.length) throw new Refused("key is not well formed");
}

function extensionsOf(sequence) {
  const found = new Map();
  for (const item of sequence.children()) {
    const parts = item.children();
    const critical = parts.length === 3 && parts[1].boolean();
    const name = parts[0].oid();
    if (parts.length < 2 || parts.length > 3 || found.has(name)) throw new Refused("extension is not well formed");
    found.set(name, { critical, value: parseDer(parts.at(-1).octets()) });
  }
  return found;
}

function purposesOf(value) {
  const found = value.children().map((one) => one.oid());
  if (!found.length) throw new Refused("no purpose");
  return found;
}

// Basic constraints: whether it is an authority, and how many may stand below it (null: any number).
function authorityOf(value) {
  const parts = value.children();
  const ca = parts[0]?.tag === 0x01 ? parts.shift().boolean() : false;
  return { ca, longest: parts.length ? parts[0].integer() : null };
}

function revocation(since, extensions) {
  const said = { since, reason: null, strange: false };
  for (const [name, { critical, value }] of extensions) {
    if (name === REASON) said.reason = reasonOf(value);
    else if (name === INVALID_SINCE) {
      const other = value.time();
      if (other < said.since) said.since = other;
    } else if (critical) said.strange = true;
  }
  return said;
}

// An enumeration, of which 7 is not used (RFC 5280, section 5.3.1).
function reasonOf({ tag, content: [reason, ...more] }) {
  if (tag !== 0x0a || more.length || !(reason <= 10) || reason === 7) throw new Refused("reason is none");
  return reason;
}

// A name to compare: what is written in one of the usual strings is the same in another of them.
function nameKey(name) {
  const sets = setsOf(name).map((set) => set.map((pair) => attribute(pair).join("=")).sort());
  if (sets.some((set) => new Set(set).size !== set.length)) throw new Refused("name says something twice");
  return JSON.stringify(sets);
}

function setsOf(name) {
  const sets = name.children().map((set) => set.children(SET));
  if (sets.some((set) => !set.length)) throw new Refused("name is not well formed");
  return sets;
}

function nameText(name) {
  const parts = setsOf(name).flatMap((set) => set.map((pair) => attribute(pair)[1]));
  return parts.join(", ").slice(0, 200);
}

function attribute(pair) {
  const [type, value, ...more] = pair.children();
  if (!(value instanceof Element) || ![...READABLE, ...OLDER].includes(value.tag) || more.length) throw new Refused("name is not well formed");
  return [type.oid(), READABLE.includes(value.tag) ? textOf(value.content) : `#${toHex(value.encoded)}`];
}
