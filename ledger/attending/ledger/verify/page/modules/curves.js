// Ed25519 and ECDSA over P-256 by WebCrypto, with what docs/format.md asks for besides.

import { Refused, joined, toHex } from "./bytes.js";

const FIELD = 2n ** 255n - 19n;
const GROUP = 2n ** 252n + 27742317777372353535851937790883648493n;
const ED25519_PREFIX = "302a300506032b6570032100";
const P256_PREFIX = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function littleEndian(bytes) {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]);
  return value;
}

function power(base, exponent) {
  let result = 1n;
  for (base %= FIELD; exponent; exponent >>= 1n, base = (base * base) % FIELD) if (exponent & 1n) result = (result * base) % FIELD;
  return result;
}

// A point of order 1, 2 or 4 has y = 1, -1 or 0. The double of one of order 8 has y = 0, so its x^2 = -y^2, which the
// curve -x^2 + y^2 = 1 + d x^2 y^2 turns into d y^4 + 2 y^2 - 1 = 0.
function isSmallOrder(y) {
  if (y === 0n || y === 1n || y === FIELD - 1n) return true;
  const d = (FIELD - 121665n) * power(121666n, FIELD - 2n);
  const square = (y * y) % FIELD;
  return (d * square * square + 2n * square - 1n) % FIELD === 0n;
}

/** Returns for 32 bytes that are a public key which docs/format.md does not refuse. */
export function checkEd25519Key(key) {
  const y = littleEndian(key) & (2n ** 255n - 1n);
  if (key.length !== 32 || y >= FIELD || isSmallOrder(y)) throw new Refused("public key is not one that is allowed");
}

const imported = new Map();

async function key(format, bytes, algorithm) {
  const name = `${format}:${algorithm.name}:${toHex(bytes)}`;
  if (!imported.has(name)) imported.set(name, await crypto.subtle.importKey(format, bytes, algorithm, false, ["verify"]));
  return imported.get(name);
}

/** Whether this browser can do Ed25519 at all: without it nothing is verified. */
export async function hasEd25519() {
  try {
    // RFC 8032 section 7.1, test 1.
    const [publicKey, signature] = [
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ].map((hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)));
    return await crypto.subtle.verify("Ed25519", await key("raw", publicKey, { name: "Ed25519" }), signature, new Uint8Array());
  } catch {
    return false;
  }
}

/** True when the 64 bytes are the key's over the message, with S below the group order (RFC 8032). */
export async function verifyEd25519(publicKey, message, signature) {
  if (signature.length !== 64 || littleEndian(signature.subarray(32)) >= GROUP) return false;
  try {
    return await crypto.subtle.verify("Ed25519", await key("raw", publicKey, { name: "Ed25519" }), signature, message);
  } catch {
    return false;
  }
}

/** The raw key in a SubjectPublicKeyInfo of Ed25519; Refused for any other bytes. */
export function ed25519FromSpki(spki) {
  if (spki.length !== 44 || toHex(spki.subarray(0, 12)) !== ED25519_PREFIX) throw new Refused("public key is not of its algorithm, in its one encoding");
  const raw = spki.subarray(12);
  checkEd25519Key(raw);
  return raw;
}

/** Returns for the one encoding of a point on P-256. */
export async function checkP256Key(spki) {
  const wrong = new Refused("public key is not of its algorithm, in its one encoding");
  if (spki.length !== 91 || toHex(spki.subarray(0, 27)) !== P256_PREFIX) throw wrong;
  try {
    await key("spki", spki, { name: "ECDSA", namedCurve: "P-256" });
  } catch {
    throw wrong;
  }
}

/** True when the DER signature is the key's over the message with SHA-256. */
export async function verifyEs256(spki, message, signature) {
  const raw = rawSignature(signature);
  if (raw === null) return false;
  try {
    const imported = await key("spki", spki, { name: "ECDSA", namedCurve: "P-256" });
    return await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, imported, raw, message);
  } catch {
    return false;
  }
}

// Ecdsa-Sig-Value (RFC 3279 section 2.2.3): SEQUENCE of two INTEGERs, in DER; as 2 times 32 bytes.
function rawSignature(der) {
  if (der.length < 8 || der.length > 72 || der[0] !== 0x30 || der[1] !== der.length - 2) return null;
  const parts = [];
  let at = 2;
  for (let number = 0; number < 2; number++) {
    const size = der[at + 1];
    const value = der.subarray(at + 2, at + 2 + size);
    if (der[at] !== 0x02 || !size || size > 33 || value.length !== size || value[0] & 0x80) return null;
    if (size > 1 && value[0] === 0 && !(value[1] & 0x80)) return null;
    const digits = value[0] === 0 ? value.subarray(1) : value;
    if (digits.length > 32) return null;
    const padded = new Uint8Array(32);
    padded.set(digits, 32 - digits.length);
    const integer = BigInt(`0x${toHex(padded)}`);
    if (integer === 0n || integer >= P256_ORDER) return null;
    parts.push(padded);
    at += 2 + size;
  }
  return at === der.length ? joined(...parts) : null;
}
