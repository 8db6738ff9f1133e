// V8 where the log's key was rotated: introductions lead from a key that the auditor trusts to the one that signed.

import { Refused, sameBytes } from "./bytes.js";
import { hasExactly, parseCanonical } from "./canonical.js";
import { parseEntry } from "./entry.js";
import { leafHash, verifyConsistency, verifyInclusion } from "./merkle.js";
import { LOG, covers, parseCheckpoint, parseHashes, parseKey, parseReceipt, verifyNote } from "./note.js";

// An entry of the largest size in base64, its proof and a checkpoint are about 100 kB.
export const MAX_INTRODUCTION_BYTES = 1 << 18;
const MOST = 1000;
const STREAM = "keys/signing";

export class Introductions {
  /** `keys` are those of this log that the auditor trusts. */
  constructor(findings, origin, keys) {
    this.findings = findings;
    this.origin = origin;
    this.keys = keys.filter((key) => key.name === origin);
    this.chain = [];
    this.broken = false;
    this.seen = [];
  }

  /** Reads and follows them, one at a time; where one does not hold, none counts. */
  async load(lines) {
    const chain = [];
    try {
      for await (const line of lines) {
        const value = parseCanonical(line);
        if (!hasExactly(value, ["consistency", "introduction"]) || typeof value.introduction !== "string") {
          throw new Refused("introductions are not well formed");
        }
        const proof = parseHashes(value.consistency);
        const next = await this.follow(value.introduction, chain);
        chain.push({ ...next, proof });
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.broken = true;
      return this.findings.fail("V8", error.message, error.index);
    }
    this.chain = chain;
    if (this.keys.length && !this.anchored) {
      this.findings.fail("V8", "introductions begin with another key than the one given, and lead from none");
    }
  }

  async follow(text, chain) {
    const number = chain.length + 1;
    if (number > MOST) throw new Refused(`there are more than ${MOST} introductions`);
    let found;
    try {
      found = await verifyIntroduction(text);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Refused(`introduction ${number} does not hold: ${error.message}`, { index: error.index });
    }
    const { index, generation, old } = found;
    const before = chain.at(-1);
    if (old.name !== this.origin) throw new Refused(`introduction ${number} is of another log`, { index });
    if (before && (old.text !== before.new.text || generation !== before.generation + 1 || index <= before.index)) {
      throw new Refused(`introduction ${number} is not by the key that the one before introduced`, { index });
    }
    if ([...chain.map((one) => one.old.id), old.id].includes(found.new.id)) {
      throw new Refused(`introduction ${number} brings back the id of an earlier key`, { index });
    }
    return found;
  }

  get anchored() {
    return this.chain.some(({ old, new: next }) => this.isTrusted(old) || this.isTrusted(next));
  }

  isTrusted(key) {
    return this.keys.some((one) => one.text === key.text);
  }

  /** Keys that may have signed a head of the bundle, each with its term; `before` also those before a trusted one, for
   * heads that are compared with the entries anyway.
   */
  terms(before = false) {
    const generations = [];
    let first = 0;
    for (const item of this.chain) {
      generations.push({ key: item.old, first, last: item.size });
      first = item.size;
    }
    if (this.chain.length) generations.push({ key: this.chain.at(-1).new, first, last: null });
    const start = generations.findIndex(({ key }) => this.isTrusted(key));
    const alone = this.keys.filter((key) => !generations.some((term) => term.key.text === key.text));
    const mine = start < 0 ? [] : generations.slice(before ? 0 : start);
    return [...alone.map((key) => ({ key, first: 0, last: null })), ...mine];
  }

  /** The bundle's head extends the tree under each. */
  compare(head) {
    if (!head) return;
    let good = 0;
    for (const { index, size, root, proof } of this.chain) {
      if (BigInt(size) > head.size) {
        this.findings.fail("V8", `introduction of size ${size} is past the head of size ${head.size}`, index);
        continue;
      }
      try {
        verifyConsistency(size, head.size, root, head.root, proof);
        good++;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.findings.fail("V8", `head is not one of the log that introduced its key at size ${size}`, index);
      }
    }
    if (good && this.anchored) this.findings.note("V8", `${good} introductions lead from key to key, each for tree sizes of its own`);
  }

  visit(entry) {
    const { type, stream, body } = entry;
    if (stream === STREAM || (type === "key.rotated" && body.kind === "signing" && Object.hasOwn(body, "new"))) this.seen.push(entry);
  }

  /** Every rotation among the entries has its introduction. */
  finish() {
    if (this.broken) return;
    for (const entry of this.seen) {
      try {
        rotationOf(entry);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.findings.fail("V8", error.message, entry.index);
        continue;
      }
      const held = this.chain.find((one) => one.index === entry.index);
      if (!held || !sameBytes(held.data, entry.data)) {
        const detail = "entry replaces the log's signing key, and the bundle holds no introduction by the old one";
        this.findings.fail("V8", detail, entry.index);
      }
    }
  }
}

/** What the entry of a rotation says: {index, size, generation, old, new}. */
function rotationOf(entry) {
  const { index, type, stream, origin, body } = entry;
  const wrong = (detail) => new Refused(detail, { index });
  if (type !== "key.rotated" || stream !== STREAM || body.kind !== "signing") throw wrong("entry is no rotation of the signing key");
  if (!Number.isInteger(body.generation) || body.generation < 2 || body.generation > MOST + 1) {
    throw wrong("rotation does not say which generation it begins");
  }
  const [old, next] = ["old", "new"].map((name) => {
    let key;
    try {
      key = parseKey(body[name]);
    } catch {
      throw wrong(`rotation does not name its ${name} key`);
    }
    if (key.name !== origin || key.type !== LOG) throw wrong(`${name} key of the rotation is not a key of this log`);
    return key;
  });
  if (old.id === next.id) throw wrong("rotation introduces a key under the id of the one before");
  return { index, size: index + 1, generation: body.generation, old, new: next };
}

/** The rotation in an introduction that is true in itself, with the root hash under it and its entry's bytes. */
async function verifyIntroduction(text) {
  const receipt = parseReceipt(text);
  if (!receipt.extra) throw new Refused("introduction does not hold its entry");
  const entry = parseEntry(receipt.extra);
  const rotation = rotationOf(entry);
  const { index, size, old } = rotation;
  const wrong = (detail) => new Refused(detail, { index });
  const claim = parseCheckpoint(receipt.checkpoint);
  if (claim.origin !== entry.origin) throw wrong("introduction is of another log than its checkpoint");
  if (receipt.index !== BigInt(index) || claim.size !== BigInt(size)) throw wrong("introduction is not under the head right after its entry");
  const signed = await verifyNote(claim.note, [old, rotation.new]);
  if (!signed.has(old)) throw wrong("introduction is not signed by the old key");
  if (!signed.has(rotation.new)) throw wrong("introduction is not signed by the new key");
  verifyInclusion(leafHash(receipt.extra), receipt.index, claim.size, receipt.hashes, claim.root);
  return { ...rotation, root: claim.root, data: receipt.extra };
}

/** Why none of the keys found under a manifest may sign it for a head of `size`; null when one may. */
export function whyNotSigned(found, terms, size) {
  const mine = terms.filter(({ key }) => found.has(key));
  if (!mine.length) return "no given key of this log signed the manifest";
  if (size === null || mine.some((term) => covers(term, size))) return null;
  return `manifest is signed by key ${mine[0].key.id}, which does not sign at size ${size}`;
}
