// Signed notes, verifier keys and checkpoints (docs/format.md; C2SP signed-note, tlog-checkpoint, tlog-cosignature).

import { Refused, fromBase64, sameBytes, textOf, toHex, utf8 } from "./bytes.js";
import { checkEd25519Key, verifyEd25519 } from "./curves.js";
import { sha256 } from "./sha256.js";

export const MAX_NOTE_BYTES = 1000000;
const MAX_SIZE = 2n ** 63n;
const KEY_NAME = /^[^\s+\p{C}]+$/u;
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;
export const LOG = 1;
export const WITNESS = 4;

/** A verifier key `name+hex+base64`: {name, id, type, key, text}; Refused for anything else. */
export function parseKey(text) {
  const parts = typeof text === "string" ? /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/s.exec(text) : null;
  if (!parts || !KEY_NAME.test(parts[1])) throw new Refused("not a verifier key");
  const typed = fromBase64(parts[3]);
  if (!typed || typed.length !== 33 || (typed[0] !== LOG && typed[0] !== WITNESS)) throw new Refused("not an Ed25519 verifier key");
  const id = toHex(sha256(utf8(`${parts[1]}\n`), typed).subarray(0, 4));
  if (id !== parts[2]) throw new Refused("key id is not that of the key");
  const key = typed.subarray(1);
  checkEd25519Key(key);
  return { name: parts[1], id, type: typed[0], key, text };
}

/** A note's {text, signatures: [{name, id, bytes}]}; nothing verified. */
export function parseNote(bytes) {
  if (bytes.length > MAX_NOTE_BYTES) throw new Refused("note is too long");
  const whole = textOf(bytes);
  if (CONTROL.test(whole)) throw new Refused("note holds control characters");
  const blank = whole.lastIndexOf("\n\n");
  if (blank < 0) throw new Refused("note has no signatures");
  const text = whole.slice(0, blank + 1);
  const lines = whole.slice(blank + 2).split("\n");
  if (lines.pop() !== "" || !lines.length || lines.length > 100) throw new Refused("note does not have 1 to 100 signature lines");
  const signatures = lines.map((line) => {
    const found = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line);
    const data = found && KEY_NAME.test(found[1]) ? fromBase64(found[2]) : null;
    if (!data || data.length < 5) throw new Refused("signature line is not well formed");
    return { name: found[1], id: toHex(data.subarray(0, 4)), bytes: data.subarray(4) };
  });
  return { text, signatures };
}

/** Which of `keys` signed the note: a map from key to null, of a witness to its POSIX seconds. Refused when a signature by
 * one of them does not verify or stands twice.
 */
export async function verifyNote(note, keys) {
  const found = new Map();
  for (const { name, id, bytes } of note.signatures) {
    const key = keys.find((one) => one.name === name && one.id === id);
    if (!key) continue;
    if (found.has(key)) throw new Refused("two signatures are by one key");
    let message = note.text;
    let signature = bytes;
    let seconds = null;
    if (key.type === WITNESS) {
      if (bytes.length !== 72) throw new Refused("cosignature is not well formed");
      seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
      message = `cosignature/v1\ntime ${seconds}\n${note.text}`;
      signature = bytes.subarray(8);
    }
    if (!(await verifyEd25519(key.key, utf8(message), signature))) throw new Refused("signature does not verify");
    found.set(key, seconds);
  }
  return found;
}

/** The claim of a checkpoint {note, origin, size, root}, with the size as a BigInt; nothing verified. */
export function parseCheckpoint(bytes) {
  const note = parseNote(bytes);
  const lines = note.text.slice(0, -1).split("\n");
  if (lines.length < 3 || lines.some((line) => !line)) throw new Refused("checkpoint does not have three lines");
  if (!/^(0|[1-9][0-9]{0,18})$/.test(lines[1]) || BigInt(lines[1]) >= MAX_SIZE) throw new Refused("tree size is not a decimal number");
  const root = fromBase64(lines[2], 32);
  if (!root) throw new Refused("root hash is not base64 of 32 bytes");
  const size = BigInt(lines[1]);
  if (size === 0n && !sameBytes(root, sha256())) throw new Refused("root hash of an empty tree is wrong");
  return { note, origin: lines[0], size, root };
}

/** The witnesses [{name, seconds}] that cosigned a checkpoint which one of `terms` {key, first, last} signed in its term.
 *
 * Refused: nobody known signed, one signed out of its term, a signature that does not verify, fewer than `quorum` keys of
 * `witnesses`.
 */
export async function verifyCheckpoint(claim, terms, witnesses = [], quorum = 0) {
  const mine = terms.filter(({ key }) => key.type === LOG && key.name === claim.origin);
  const signed = await verifyNote(claim.note, [...mine.map(({ key }) => key), ...witnesses]);
  const signers = mine.filter(({ key }) => signed.has(key));
  if (!signers.length) throw new Refused("no known key of this origin signed the checkpoint");
  const out = signers.find((term) => !covers(term, claim.size));
  if (out) throw new Refused(`checkpoint of size ${claim.size} is signed by key ${out.key.id}, which does not sign at that size`);
  const cosigned = [...signed].filter(([key]) => key.type === WITNESS).map(([key, seconds]) => ({ name: key.name, seconds, key }));
  if (new Set(cosigned.map(({ key }) => toHex(key.key))).size < quorum) {
    throw new Refused(`${cosigned.length} of ${quorum} witnesses cosigned the checkpoint`);
  }
  return cosigned;
}

export function covers(term, size) {
  return size >= BigInt(term.first) && (term.last === null || size <= BigInt(term.last));
}

/** The hashes of a list of base64, Refused for anything else. */
export function parseHashes(value) {
  if (!Array.isArray(value)) throw new Refused("hashes are not a list");
  return value.map((item) => {
    const hash = fromBase64(item, 32);
    if (!hash) throw new Refused("hash is not base64 of 32 bytes");
    return hash;
  });
}

/** A receipt {index, hashes, checkpoint, extra}, nothing verified. */
export function parseReceipt(text) {
  const blank = text.indexOf("\n\n");
  const lines = blank < 0 ? [] : text.slice(0, blank).split("\n");
  if (text.length > MAX_NOTE_BYTES || lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Refused("not a receipt");
  let extra = null;
  if (lines.length && lines[0].startsWith("extra ")) {
    extra = fromBase64(lines.shift().slice("extra ".length));
    if (!extra) throw new Refused("extra data is not base64");
  }
  const found = /^index (0|[1-9][0-9]{0,18})$/.exec(lines.shift() ?? "");
  if (!found || BigInt(found[1]) >= MAX_SIZE) throw new Refused("receipt has no index line");
  if (lines.length > 63) throw new Refused("proof is too long");
  return { index: BigInt(found[1]), hashes: parseHashes(lines), checkpoint: utf8(text.slice(blank + 2)), extra };
}
