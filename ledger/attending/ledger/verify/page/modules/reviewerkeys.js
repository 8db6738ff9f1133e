// Reviewers' keys and their signatures, of the four kinds of docs/format.md; passkeys by W3C Web Authentication Level 2.

import { Refused, fromBase64, fromBase64Url, joined, sameBytes, textOf, toBase64Url, utf8 } from "./bytes.js";
import { parseUnique } from "./canonical.js";
import { checkEd25519Key, checkP256Key, ed25519FromSpki, verifyEd25519, verifyEs256 } from "./curves.js";
import { sha256, sha256Hex } from "./sha256.js";

const ALGORITHMS = ["ed25519", "es256", "webauthn-es256", "webauthn-ed25519"];
const MAX_DOCUMENT_BYTES = 4096;
const MAX_CREDENTIAL_BYTES = 1023;
const MOST_ORIGINS = 16;
const DOCUMENTS = ["authenticator_data", "client_data"];
const HOST = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*";
const ORIGIN = new RegExp(`^(https?)://(${HOST})(?::[0-9]{1,5})?$`);
const PARTY = new RegExp(`^${HOST}$`);

export function isPasskey(algorithm) {
  return algorithm.startsWith("webauthn-");
}

/** {algorithm, signature, authenticatorData, clientData} in the body of a signature. */
export function parseProof(body) {
  const algorithm = Object.hasOwn(body, "algorithm") ? body.algorithm : "ed25519";
  if (!ALGORITHMS.includes(algorithm)) throw new Refused("algorithm of the signature is not allowed");
  const signature = bytesIn(body, "signature");
  if (!isPasskey(algorithm)) {
    if (DOCUMENTS.some((name) => Object.hasOwn(body, name))) throw new Refused("an assertion by a key that is no passkey");
    return { algorithm, signature };
  }
  const [authenticatorData, clientData] = DOCUMENTS.map((name) => bytesIn(body, name));
  return { algorithm, signature, authenticatorData, clientData };
}

function bytesIn(body, name) {
  const bytes = fromBase64(body[name]);
  if (!bytes) throw new Refused(`\`${name}\` is missing or not well formed`);
  return bytes;
}

/** The key in the body of a `key.enrolled`. */
export async function parseReviewerKey(body) {
  if (!ALGORITHMS.includes(body.algorithm)) throw new Refused("algorithm of the key is not allowed");
  const publicKey = fromBase64(body.public_key);
  if (!publicKey) throw new Refused("enrolment lacks the public key");
  const { algorithm } = body;
  if (algorithm === "ed25519") checkEd25519Key(publicKey);
  else if (algorithm === "webauthn-ed25519") ed25519FromSpki(publicKey);
  else await checkP256Key(publicKey);
  const key = { algorithm, publicKey, id: sha256Hex(publicKey).slice(0, 16) };
  if (!isPasskey(algorithm)) return key;
  checkParty(body.rp_id, body.origins);
  const topOrigins = Object.hasOwn(body, "top_origins") ? body.top_origins : [];
  checkTopOrigins(topOrigins);
  const credential = fromBase64Url(body.credential_id);
  if (!credential || !credential.length || credential.length > MAX_CREDENTIAL_BYTES) throw new Refused("credential id is not well formed");
  return { ...key, rpId: body.rp_id, origins: body.origins, topOrigins, credentialId: body.credential_id };
}

function checkParty(rpId, origins) {
  if (typeof rpId !== "string" || rpId.length > 253 || !PARTY.test(rpId)) throw new Refused("RP id is not a host");
  if (!Array.isArray(origins) || !origins.length || origins.length > MOST_ORIGINS) throw new Refused("origins are not a list of 1 to 16");
  for (const origin of origins) {
    const found = typeof origin === "string" ? ORIGIN.exec(origin) : null;
    if (!found) throw new Refused("an origin is not a scheme, host and port");
    const [, scheme, host] = found;
    if (host !== rpId && !host.endsWith(`.${rpId}`)) throw new Refused("an origin is not of the RP id");
    if (scheme === "http" && host !== "localhost") throw new Refused("an origin is not https");
  }
  if (new Set(origins).size !== origins.length) throw new Refused("an origin stands twice");
}

function checkTopOrigins(origins) {
  if (!Array.isArray(origins) || origins.length > MOST_ORIGINS) throw new Refused("top origins are not a list of at most 16");
  for (const origin of origins) {
    const found = typeof origin === "string" ? ORIGIN.exec(origin) : null;
    if (!found || (found[1] === "http" && !["localhost", "127.0.0.1"].includes(found[2]))) {
      throw new Refused("a top origin is not https, host and port");
    }
  }
  if (new Set(origins).size !== origins.length) throw new Refused("a top origin stands twice");
}

/** Whether a later enrolment of the same key is of the same kind: of a passkey only its origins may change. */
export function sameKind(one, other) {
  return one.algorithm === other.algorithm && one.rpId === other.rpId && one.credentialId === other.credentialId;
}

/** Returns when the proof is the key's over the message; Refused with the reason otherwise. */
export async function verifyProof(key, message, proof) {
  const signed = isPasskey(key.algorithm) ? signedByPasskey(key, message, proof) : message;
  let holds;
  if (key.algorithm === "ed25519") holds = await verifyEd25519(key.publicKey, signed, proof.signature);
  else if (key.algorithm === "webauthn-ed25519") holds = await verifyEd25519(ed25519FromSpki(key.publicKey), signed, proof.signature);
  else holds = await verifyEs256(key.publicKey, signed, proof.signature);
  if (!holds) throw new Refused("signature does not verify");
}

// Rules 1 to 6 of docs/format.md; 7 is of the entry.
function signedByPasskey(key, message, { authenticatorData, clientData }) {
  const wrong = (detail) => new Refused(`assertion: ${detail}`);
  if (clientData.length > MAX_DOCUMENT_BYTES) throw wrong("client data is too long");
  let said;
  try {
    said = parseUnique(textOf(clientData));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw wrong("client data is not one JSON object");
  }
  if (said.type !== "webauthn.get") throw wrong("client data is not of a signature");
  if (said.challenge !== toBase64Url(sha256(message))) throw wrong("another challenge was answered");
  if (!key.origins.includes(said.origin)) throw wrong("it was made on another origin than the key is enrolled for");
  const crossOrigin = Object.hasOwn(said, "crossOrigin") ? said.crossOrigin : false;
  const framed = crossOrigin !== false || Object.hasOwn(said, "topOrigin");
  if (framed && (crossOrigin !== true || !key.topOrigins.includes(said.topOrigin))) throw wrong("it was made in a frame of another site");
  const data = authenticatorData;
  if (data.length < 37 || data.length > MAX_DOCUMENT_BYTES) throw wrong("authenticator data is not well formed");
  if (!sameBytes(data.subarray(0, 32), sha256(utf8(key.rpId)))) throw wrong("it was made for another RP");
  const flags = data[32];
  if (!(flags & 0x01)) throw wrong("nobody was present");
  if (!(flags & 0x04)) throw wrong("the person was not verified");
  if (flags & 0x40 || Boolean(flags & 0x80) !== data.length > 37) throw wrong("authenticator data is not well formed");
  return joined(data, sha256(clientData));
}
