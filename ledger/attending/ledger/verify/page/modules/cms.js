// A CMS signature (RFC 5652) of one signer over signed attributes, and the time stamp that is one (RFC 3161).

import { Refused, sameBytes, toHex } from "./bytes.js";
import { GENERALIZED_TIME, OCTET_STRING, OID, SEQUENCE, SET, parseDer } from "./der.js";
import { digestName, digestOf, schemeOf, verifySignature, withoutParameters } from "./publickeys.js";
import { parseCertificate } from "./x509.js";

export const DATA = "1.2.840.113549.1.7.1";
export const STAMP = "1.2.840.113549.1.9.16.2.14";
export const MAX_TOKEN_BYTES = 64 << 10;
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const SIGNED_DATA = "1.2.840.113549.1.7.2";
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const CERTIFICATE_V1 = "1.2.840.113549.1.9.16.2.12";
const CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";
const MAX_CERTIFICATES = 32;

function require(holds, detail) {
  if (!holds) throw new Refused(detail);
}

function first(element) {
  const [child] = element.children();
  require(child, "element is empty");
  return child;
}

function only(items) {
  require(items.length === 1, "exactly one signer and one content are allowed");
  return items[0];
}

/** A parsed signature over content of this type: {content (null: none), certificates, signer, digest, signature,
 * attributes, unsigned, signedBytes, scheme}. Nothing is verified.
 */
export function parseSignature(bytes, type) {
  const outer = parseDer(bytes).children();
  require(outer.length === 2 && outer[0].oid() === SIGNED_DATA, "not a CMS signature");
  const parts = only(outer[1].children(0xa0)).children();
  require(parts.length >= 4, "signature lacks parts");
  const functions = parts[1].children(SET);
  require(functions.every((item) => first(item).tag === OID && withoutParameters(item)), "hash function is not allowed");
  const inner = parts[2].children();
  require(inner.length && inner[0].oid() === type, "signature is over content of another kind");
  const content = inner.length > 1 ? only(inner[1].children(0xa0)).octets() : null;
  const certificates = certificatesOf(parts.slice(3, -1));
  const info = only(parts.at(-1).children(SET)).children();
  require(info.length >= 6 && info.length <= 7 && info[3].tag === 0xa0, "signer signed no attributes");
  // RFC 5652, sections 5.1 and 5.3, for a signature with X.509 certificates alone.
  const version = info[1].tag === SEQUENCE ? 1n : 3n;
  require(info[0].integer() === version, "signer is of another version");
  require(parts[0].integer() === (type === DATA ? version : 3n), "signature is of another version");
  const digest = digestName(info[2]);
  const named = first(info[2]).oid();
  require(functions.some((item) => first(item).oid() === named), "signature does not list the hash function of its signer");
  const scheme = schemeOf(info[4], digest);
  require(scheme.kind === "pss" || withoutParameters(info[4]), "algorithm of the signature is not allowed");
  const attributes = new Map();
  for (const [name, values] of attributesOf(info[3])) {
    require(!attributes.has(name) && values.length === 1, "signed attribute is there twice");
    attributes.set(name, values[0]);
  }
  require(attributes.has(MESSAGE_DIGEST), "signature has no message digest");
  require(attributes.get(CONTENT_TYPE)?.oid() === type, "signed attributes are of content of another kind");
  const unsigned = new Map();
  for (const more of info.slice(6)) {
    for (const [name, values] of attributesOf(more, 0xa1)) unsigned.set(name, [...(unsigned.get(name) ?? []), ...values]);
  }
  // Signed is the SET that the attributes are, and not the tag under which they stand (RFC 5652, section 5.4).
  const signedBytes = info[3].encoded.slice();
  signedBytes[0] = SET;
  const signer = signerOf(info[1], certificates);
  return { content, certificates, signer, digest, signature: info[5].octets(), attributes, unsigned, signedBytes, scheme };
}

/** Returns when the signer signed content of this digest, and named the very certificate whose key it was. */
export async function verifySigned(signed, contentDigest) {
  require(sameBytes(signed.attributes.get(MESSAGE_DIGEST).octets(), contentDigest), "content is not what was signed");
  await checkNamed(signed);
  await verifySignature(signed.signer.spki, signed.scheme, signed.signature, signed.signedBytes);
}

/** A time stamp {time (microseconds), signed, digest, imprint}; nothing is verified. */
export function parseStamp(bytes) {
  require(bytes.length <= MAX_TOKEN_BYTES, `time stamp exceeds ${MAX_TOKEN_BYTES} bytes`);
  const signed = parseSignature(bytes, TST_INFO);
  require(signed.content, "time stamp has no content");
  const info = parseDer(signed.content).children();
  require(info.length >= 5 && info[0].integer() === 1n, "time stamp is of another version");
  const imprint = info[2].children();
  const formed = imprint.length === 2 && imprint[1].tag === OCTET_STRING && info[4].tag === GENERALIZED_TIME;
  require(formed && info.slice(5).filter(({ tag }) => tag === 0x02).length <= 1, "time stamp is not well formed");
  info[3].integer();
  return { time: info[4].time(), signed, digest: digestName(imprint[0]), imprint: imprint[1].octets() };
}

// RFC 5035; RFC 2634 knew SHA-1 alone, which only tells certificates of one key apart.
async function checkNamed({ signer, attributes }) {
  let [name, parts] = ["SHA-256", []];
  if (attributes.has(CERTIFICATE_V2)) {
    parts = first(first(attributes.get(CERTIFICATE_V2))).children();
    if (parts[0]?.tag === SEQUENCE) name = digestName(parts.shift());
  } else if (attributes.has(CERTIFICATE_V1)) {
    [name, parts] = ["SHA-1", [first(first(first(attributes.get(CERTIFICATE_V1))))]];
  }
  require(parts.length, "signature does not name its certificate");
  require(sameBytes(parts[0].octets(), await digestOf(name, signer.der)), "signature names another certificate");
}

function certificatesOf(parts) {
  const found = new Map();
  let count = 0;
  for (const part of parts) {
    if (part.tag !== 0xa0) continue;
    for (const item of part.children(0xa0)) {
      require(++count <= MAX_CERTIFICATES, `more than ${MAX_CERTIFICATES} certificates`);
      // Some signers put theirs in twice.
      found.set(toHex(item.encoded), parseCertificate(item.encoded));
    }
  }
  return [...found.values()];
}

function signerOf(sid, certificates) {
  let named;
  if (sid.tag === SEQUENCE) {
    const parts = sid.children();
    require(parts.length === 2, "signer is not named by issuer and serial number");
    const [issuer, serial] = [parts[0].encoded, parts[1].integer()];
    named = certificates.filter((one) => one.serial === serial && sameBytes(one.issuerBytes, issuer));
  } else {
    named = certificates.filter(({ keyName }) => keyName && sameBytes(keyName, sid.content));
  }
  require(named.length === 1, "certificate of the signer is not there once");
  return named[0];
}

function attributesOf(element, tag = 0xa0) {
  return element.children(tag).map((item) => {
    const pair = item.children();
    require(pair.length === 2, "attribute is not well formed");
    const values = pair[1].children(SET);
    require(values.length, "attribute is empty");
    return [pair[0].oid(), values];
  });
}
