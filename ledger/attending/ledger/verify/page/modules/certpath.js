// The path from a certificate to a root that the auditor gave, at one moment (RFC 5280, section 6, as far as used).

import { Refused, sameBytes, toHex } from "./bytes.js";
import { BASIC, PURPOSES, USAGE, revocationIn } from "./x509.js";
import { rsaBits, schemeOf, verifySignature } from "./publickeys.js";

const LONGEST = 6;
const LEAST_RSA_BITS = 2048;
const STAMPS = "1.3.6.1.5.5.7.3.8";
// RFC 9336, what PDF readers knew before it, mail, and any.
const DOCUMENTS = ["1.3.6.1.5.5.7.3.36", "1.2.840.113583.1.1.5", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0"];
// keyCompromise and cACompromise (RFC 5280, section 5.3.1).
const STOLEN = [1, 2];

/** Returns when the key of a certificate may sign documents. */
export function checkSealPurpose({ usage, purposes }) {
  if (usage !== null && !(usage & 0xc0)) throw new Refused("certificate of the seal is not for signatures");
  if (purposes && !purposes.some((one) => DOCUMENTS.includes(one))) throw new Refused("certificate of the seal is not for documents");
}

/** Returns when it is for time stamps, for nothing else, and says so critically (RFC 3161, section 2.3). */
export function checkStampPurpose({ critical, purposes }) {
  if (!purposes) throw new Refused("certificate of the stamp is not for time stamps");
  if (!critical.includes(PURPOSES) || purposes.join() !== STAMPS) {
    throw new Refused("certificate of the stamp is not for time stamps alone, critically");
  }
}

/** How many certificates of the path from `leaf` over `others` to one of `roots`, all valid at `moment`, no list covers.
 * A root counts by its bytes. Refused: there is no path, or something is wrong with the one that there is.
 */
export async function verifyPath(leaf, others, roots, moment, lists = []) {
  const path = await pathTo(leaf, others, roots);
  if (!path) throw new Refused("certificate does not lead to a root that was given");
  for (const [place, certificate] of path.entries()) {
    const which = place ? `authority ${place} above the certificate` : "certificate";
    if (moment < certificate.begins) throw new Refused(`${which} was not valid yet at ${timeText(moment)}`);
    if (moment > certificate.ends) throw new Refused(`${which} had expired at ${timeText(moment)}`);
    if (certificate.critical.some((name) => ![BASIC, USAGE, PURPOSES].includes(name))) {
      throw new Refused(`${which} has a critical extension that is not understood`);
    }
    const bits = await rsaBits(certificate.spki);
    if (bits !== null && bits < LEAST_RSA_BITS) throw new Refused(`${which} has an RSA key of fewer than ${LEAST_RSA_BITS} bits`);
    if (place) checkAuthority(certificate, place, which);
  }
  let uncovered = 0;
  for (let place = 0; place + 1 < path.length; place++) {
    if (!(await lookedUp(path[place], path[place + 1], lists, moment))) uncovered++;
  }
  return uncovered;
}

/** Microseconds since 1970 as a text, to the second. */
export function timeText(moment) {
  return new Date(Number(moment / 1000n)).toISOString().replace(/\.\d+Z$/, "Z");
}

// The shortest path that signatures bear out; each certificate is gone through once, whichever way it was reached.
async function pathTo(leaf, others, roots) {
  const trusted = new Set(roots.map(({ der }) => toHex(der)));
  const seen = new Set([toHex(leaf.der)]);
  const pending = [[leaf]];
  while (pending.length) {
    const path = pending.shift();
    const last = path.at(-1);
    if (trusted.has(toHex(last.der))) return path;
    if (path.length >= LONGEST) continue;
    for (const issuer of [...roots, ...others]) {
      const id = toHex(issuer.der);
      // Names of a path are the same bytes: a text in another type of string is another name.
      if (seen.has(id) || !sameBytes(last.issuerBytes, issuer.subjectBytes) || !(await signedBy(last, issuer))) continue;
      seen.add(id);
      pending.push([...path, issuer]);
    }
  }
  return null;
}

async function signedBy({ sameAlgorithm, algorithm, signature, signed }, issuer) {
  try {
    await verifySignature(issuer.spki, schemeOf(algorithm), signature, signed);
    return sameAlgorithm;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return false;
  }
}

// `below` counts the certificates beneath it, the leaf included.
function checkAuthority({ authority, usage }, below, which) {
  if (!authority?.ca) throw new Refused(`${which} is no authority`);
  if (authority.longest !== null && authority.longest < BigInt(below - 1)) throw new Refused(`${which} may not stand that high`);
  if (usage !== null && !(usage & 0x04)) throw new Refused(`${which} may not sign certificates`);
}

// Whether a list of the issuer says something of the certificate at that moment; Refused where it was revoked.
async function lookedUp(certificate, issuer, lists, moment) {
  let covered = false;
  for (const list of lists) {
    if (list.issuer !== issuer.subject || !(await signedBy(list, issuer))) continue;
    // A list of changes only, or of a part, cannot say that something is not revoked.
    if (list.strange) throw new Refused("revocation list has a critical extension that is not understood");
    const entry = revocationIn(list, certificate.serial);
    if (entry?.strange) throw new Refused("revocation has a critical extension that is not understood");
    if (entry && entry.since <= moment) throw new Refused(`certificate had been revoked at ${timeText(entry.since)}`);
    if (entry && STOLEN.includes(entry.reason)) throw new Refused(`key of the certificate was reported stolen at ${timeText(entry.since)}`);
    // A list that was out of date by then knows nothing of the moment.
    covered ||= list.nextUpdate === null || moment <= list.nextUpdate;
  }
  return covered;
}
