// Signatures of seals, stamps, certificates and revocation lists: RSA and ECDSA by WebCrypto.

import { Refused, joined, toHex } from "./bytes.js";
import { parseDer } from "./der.js";
import { sha256 } from "./sha256.js";

const LEAST_RSA_BITS = 2048;
const RSA = "1.2.840.113549.1.1.1";
const PSS = "1.2.840.113549.1.1.10";
const EC = "1.2.840.10045.2.1";
const CURVES = {
  "1.2.840.10045.3.1.7": { namedCurve: "P-256", width: 32 },
  "1.3.132.0.34": { namedCurve: "P-384", width: 48 },
  "1.3.132.0.35": { namedCurve: "P-521", width: 66 },
};
// SHA-1 is not among them.
const DIGESTS = { "2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384", "2.16.840.1.101.3.4.2.3": "SHA-512" };
export const DIGEST_BYTES = { "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 };
const WITH = {
  "1.2.840.113549.1.1.11": ["rsa", "SHA-256"],
  "1.2.840.113549.1.1.12": ["rsa", "SHA-384"],
  "1.2.840.113549.1.1.13": ["rsa", "SHA-512"],
  "1.2.840.10045.4.3.2": ["ecdsa", "SHA-256"],
  "1.2.840.10045.4.3.3": ["ecdsa", "SHA-384"],
  "1.2.840.10045.4.3.4": ["ecdsa", "SHA-512"],
};

/** The hash function of an AlgorithmIdentifier, as WebCrypto has it. */
export function digestName(element) {
  const [name] = element.children();
  const found = name && DIGESTS[name.oid()];
  if (!found || !withoutParameters(element)) throw new Refused("hash function is not allowed");
  return found;
}

/** Whether an AlgorithmIdentifier has no parameters, or NULL, as all but PSS must (RFC 5754, sections 2 and 3). */
export function withoutParameters(element) {
  const parameters = element.children().slice(1).map(({ encoded }) => toHex(encoded));
  return parameters.length === 0 || (parameters.length === 1 && parameters[0] === "0500");
}

/** The digest of parts joined. */
export async function digestOf(name, ...parts) {
  // Our own takes parts as they lie; WebCrypto wants them in one piece.
  return name === "SHA-256" ? sha256(...parts) : new Uint8Array(await crypto.subtle.digest(name, joined(...parts)));
}

/** What an AlgorithmIdentifier says of a signature: {kind, hash, salt}. `digest` is for algorithms that do not say. */
export function schemeOf(element, digest = null) {
  const [name, parameters] = element.children();
  const oid = name?.oid();
  if (Object.hasOwn(WITH, oid)) return { kind: WITH[oid][0], hash: WITH[oid][1] };
  if (oid === RSA && digest) return { kind: "rsa", hash: digest };
  if (oid === PSS && digest) return { kind: "pss", hash: digest, salt: DIGEST_BYTES[digest] };
  if (oid === PSS && parameters) return pssOf(parameters);
  throw new Refused("algorithm of the signature is not allowed");
}

// RSASSA-PSS-params (RFC 4055, section 3.1), with the same hash for the mask.
function pssOf(parameters) {
  const said = Object.fromEntries(parameters.children().map((item) => [item.tag, parseDer(item.content)]));
  if (!said[0xa0] || !said[0xa1] || !said[0xa2]) throw new Refused("algorithm of the signature is not allowed");
  const hash = digestName(said[0xa0]);
  if (digestName(said[0xa1].children()[1] ?? said[0xa1]) !== hash) throw new Refused("algorithm of the signature is not allowed");
  return { kind: "pss", hash, salt: Number(said[0xa2].integer()) };
}

/** Returns when the key (a SubjectPublicKeyInfo) signed `message` by this scheme; Refused otherwise. */
export async function verifySignature(spki, scheme, signature, message) {
  const { kind, hash, salt } = scheme;
  const key = await publicKey(spki, scheme);
  const algorithm = { rsa: "RSASSA-PKCS1-v1_5", pss: { name: "RSA-PSS", saltLength: salt }, ecdsa: { name: "ECDSA", hash } }[kind];
  const raw = kind === "ecdsa" ? rawSignature(signature, key.width) : signature;
  let good;
  try {
    good = raw !== null && (await crypto.subtle.verify(algorithm, key.key, raw, message));
  } catch {
    throw new Refused("signature or key is not one that can be verified");
  }
  if (!good) throw new Refused("signature does not verify under its certificate");
}

/** Bits of an RSA key, null for a key of another kind. */
export async function rsaBits(spki) {
  if (familyOf(spki).oid !== RSA) return null;
  return (await publicKey(spki, { kind: "rsa", hash: "SHA-256" }, 0)).key.algorithm.modulusLength;
}

function familyOf(spki) {
  const [name, parameter] = parseDer(spki).children()[0]?.children() ?? [];
  return { oid: name?.oid(), parameter };
}

async function publicKey(spki, { kind, hash }, leastBits = LEAST_RSA_BITS) {
  const { oid, parameter } = familyOf(spki);
  const wanted = kind === "ecdsa" ? EC : RSA;
  if (oid !== wanted) throw new Refused("signature is of another kind than the certificate's key");
  const curve = kind === "ecdsa" && parameter ? CURVES[parameter.oid()] : null;
  if (kind === "ecdsa" && !curve) throw new Refused("curve is not one of P-256, P-384 and P-521");
  const algorithm = curve ? { name: "ECDSA", namedCurve: curve.namedCurve } : { name: kind === "pss" ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash };
  let key;
  try {
    key = await crypto.subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  } catch {
    throw new Refused("signature or key is not one that can be verified");
  }
  if (!curve && key.algorithm.modulusLength < leastBits) throw new Refused(`RSA key of fewer than ${leastBits} bits`);
  return { key, width: curve?.width };
}

// Ecdsa-Sig-Value (RFC 3279, section 2.2.3) as twice the width of the curve, which is what WebCrypto takes.
function rawSignature(der, width) {
  const parts = parseDer(der).children();
  if (parts.length !== 2) return null;
  const numbers = parts.map((part) => {
    const digits = part.contentOf(0x02);
    if (!digits.length || digits[0] & 0x80) return null;
    const bare = digits[0] === 0 ? digits.subarray(1) : digits;
    if ((digits[0] === 0 && digits.length > 1 && bare[0] < 0x80) || bare.length > width) return null;
    return joined(new Uint8Array(width - bare.length), bare);
  });
  return numbers.includes(null) ? null : joined(...numbers);
}
