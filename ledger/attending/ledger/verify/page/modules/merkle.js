// The Merkle tree (RFC 6962 section 2.1; verification of proofs as RFC 9162 sections 2.1.3.2 and 2.1.4.2 write it down).

import { Refused, sameBytes } from "./bytes.js";
import { Sha256, sha256 } from "./sha256.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(data) {
  return sha256(LEAF, data);
}

export function nodeHash(left, right) {
  return new Sha256().update(NODE).update(left).update(right).digest();
}

/** The right edge of a tree that grows: the roots of the complete subtrees that tile [0, size). */
export class Edge {
  /** `hashes`, largest first, are of [0, size); Refused when they are not as many as the size has bits set. */
  constructor(size = 0, hashes = []) {
    const sizes = [];
    for (let rest = BigInt(size), level = 0; rest; rest >>= 1n, level++) if (rest & 1n) sizes.unshift(level);
    if (sizes.length !== hashes.length) throw new Refused("right edge is not that of the tree before the range");
    this.size = size;
    this.subtrees = sizes.map((level, at) => [level, hashes[at]]);
  }

  append(leaf) {
    let level = 0;
    let hash = leaf;
    while (this.subtrees.length && this.subtrees.at(-1)[0] === level) {
      hash = nodeHash(this.subtrees.pop()[1], hash);
      level++;
    }
    this.subtrees.push([level, hash]);
    this.size++;
  }

  copy() {
    const other = new Edge();
    other.size = this.size;
    other.subtrees = [...this.subtrees];
    return other;
  }

  root() {
    if (!this.subtrees.length) return sha256();
    return this.subtrees.map(([, hash]) => hash).reduceRight((right, left) => nodeHash(left, right));
  }
}

/** Returns when `hashes` lead from the leaf at `index` to the root of the tree of `size`. */
export function verifyInclusion(leaf, index, size, hashes, root) {
  let place = BigInt(index);
  let last = BigInt(size) - 1n;
  if (place > last) throw new Refused("index is not in the tree");
  let hash = leaf;
  for (const sibling of hashes) {
    if (last === 0n) throw new Refused("inclusion proof is too long");
    if (place & 1n || place === last) {
      hash = nodeHash(sibling, hash);
      while (!(place & 1n) && place) {
        place >>= 1n;
        last >>= 1n;
      }
    } else hash = nodeHash(hash, sibling);
    place >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n || !sameBytes(hash, root)) throw new Refused("inclusion proof does not lead to the root hash");
}

/** Returns when the tree of `first` with `firstRoot` is a prefix of that of `second` with `secondRoot`. */
export function verifyConsistency(first, second, firstRoot, secondRoot, hashes) {
  first = BigInt(first);
  second = BigInt(second);
  const wrong = () => new Refused("consistency proof does not lead to the root hashes");
  if (first > second) throw wrong();
  if (first === second) {
    if (hashes.length || !sameBytes(firstRoot, secondRoot)) throw wrong();
    return;
  }
  if (first === 0n) {
    if (hashes.length || !sameBytes(firstRoot, sha256())) throw wrong();
    return;
  }
  const path = [...hashes];
  if ((first & (first - 1n)) === 0n) path.unshift(firstRoot);
  if (!path.length) throw wrong();
  let place = first - 1n;
  let last = second - 1n;
  while (place & 1n) {
    place >>= 1n;
    last >>= 1n;
  }
  let one = path[0];
  let two = path[0];
  for (const sibling of path.slice(1)) {
    if (last === 0n) throw wrong();
    if (place & 1n || place === last) {
      one = nodeHash(sibling, one);
      two = nodeHash(sibling, two);
      while (!(place & 1n) && place) {
        place >>= 1n;
        last >>= 1n;
      }
    } else two = nodeHash(two, sibling);
    place >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n || !sameBytes(one, firstRoot) || !sameBytes(two, secondRoot)) throw wrong();
}
