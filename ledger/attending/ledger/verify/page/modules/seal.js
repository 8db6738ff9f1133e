// The seal of a report: one certification signature over the whole file (V2), by whom (V3), and when (V4).

import { Refused, sameBytes } from "./bytes.js";
import { checkSealPurpose, checkStampPurpose, timeText, verifyPath } from "./certpath.js";
import { DATA, MAX_TOKEN_BYTES, STAMP, parseSignature, parseStamp, verifySigned } from "./cms.js";
import { leading } from "./der.js";
import { Stream, isNameOf } from "./pdffile.js";
import { Name, Reader, Reference, isName, latin1 } from "./pdfsyntax.js";
import { digestOf } from "./publickeys.js";
import { parseList } from "./x509.js";

const FORM = "ETSI.CAdES.detached";
const MAX_SIGNATURE_BYTES = 256 << 10;
const MAX_LISTS = 32;
export const MAX_LIST_BYTES = 4 << 20;
// Names of what runs, asks outside, or shows now this and now that.
const ACTIVE = new Set([
  ...["JavaScript", "JS", "Launch", "OpenAction", "AA", "XFA", "RichMedia", "RichMediaContent"],
  ...["GoToR", "GoToE", "SubmitForm", "ImportData", "Rendition", "Movie", "Sound", "OCProperties"],
  ...["Hide", "SetOCGState", "GoTo3DView"],
]);
// Keys of a stream whose data, or another form of it, is elsewhere.
const OUTSIDE = ["F", "Ref", "OPI", "Alternates"];

/** V2, V3 and V4 of a PdfFile, into `findings`: microseconds at which it was stamped where all hold, else null.
 *
 * `roots` are {sealRoots, stampRoots, lists}: certificates and revocation lists of the auditor's.
 */
export async function checkSeal(pdf, roots, findings) {
  let signed;
  try {
    signed = await wholeFile(pdf);
    checkInert(pdf);
  } catch (error) {
    refused(error, findings, "V2");
    return null;
  }
  const named = signed.signer.subjectText.replace(/[^\x20-\x7e]/g, "?");
  findings.passed("V2", `one seal covers all ${pdf.size} bytes, and permits no change; it names \`${named}\``);
  const lists = [...roots.lists, ...(await embeddedLists(pdf))];
  const stamped = await checkStamp(signed, roots.stampRoots, lists, findings);
  const holds = await checkSigner(signed, stamped, roots.sealRoots, lists, findings);
  return holds ? stamped : null;
}

function refused(error, findings, check) {
  if (!(error instanceof Refused)) throw error;
  findings.fail(check, error.message);
}

// V2: 1. one signature, in the form of a seal; 2. its range is the file but for its own digits; 3. it verifies; 4. it
// permits no change.
async function wholeFile(pdf) {
  const fields = pdf.array(pdf.dictionary(pdf.root.get("AcroForm")).get("Fields"));
  if (fields.length !== 1) throw new Refused("file has more than one form field, or none");
  const field = pdf.dictionary(fields[0]);
  const reference = field.get("V");
  if (!isName(field.get("FT"), "Sig") || field.has("Kids") || !(reference instanceof Reference)) throw new Refused("form field is not a seal");
  const { value, begin } = pdf.read(reference);
  if (!(value instanceof Map) || !isName(value.get("SubFilter"), FORM)) throw new Refused(`seal is not of the form \`${FORM}\``);
  const [first, last] = holeOf(pdf, value, begin);
  const contents = value.get("Contents");
  if (contents.length > MAX_SIGNATURE_BYTES) throw new Refused(`signature exceeds ${MAX_SIGNATURE_BYTES} bytes`);
  const [element, padding] = leading(contents);
  if (padding.some((byte) => byte)) throw new Refused("something follows the signature");
  const signed = parseSignature(element.encoded, DATA);
  if (signed.content !== null) throw new Refused("seal carries content of its own");
  await verifySigned(signed, await digestOf(signed.digest, pdf.bytes.subarray(0, first), pdf.bytes.subarray(last)));
  checkPermissions(pdf, reference, value);
  return signed;
}

// Begin and end of the signature's digits, angle brackets included: all that the range leaves out.
function holeOf({ bytes, size }, value, begin) {
  const elsewhere = new Refused("byte range leaves out something else than the signature");
  const range = value.get("ByteRange");
  if (!Array.isArray(range) || range.length !== 4 || !range.every(Number.isSafeInteger)) throw new Refused("seal has no byte range of two parts");
  const [start, first, last, rest] = range;
  if (start !== 0 || first <= 0 || last <= first || rest < 0) throw new Refused("byte range of the seal is not in order");
  if (last + rest !== size) throw new Refused(`seal covers ${last + rest} of ${size} bytes: the file was changed after it`);
  if (begin >= first || bytes[first] !== 60) throw elsewhere;
  // The object at that place, read on its own, is the signature, ends there, and is digits alone.
  const reader = new Reader(bytes, first);
  const contents = reader.object();
  const own = value.get("Contents");
  if (!(own instanceof Uint8Array) || !(contents instanceof Uint8Array) || reader.at !== last || !sameBytes(contents, own)) throw elsewhere;
  const digits = latin1(bytes.subarray(first + 1, last - 1));
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(digits)) throw elsewhere;
  if (!latin1(bytes.subarray(Math.max(begin, first - 16), first)).includes("Contents")) throw elsewhere;
  return [first, last];
}

function checkPermissions(pdf, reference, value) {
  const permissions = pdf.dictionary(pdf.root.get("Perms"));
  const references = pdf.array(value.get("Reference"));
  if (!reference.same(permissions.get("DocMDP")) || references.length !== 1) throw new Refused("seal does not certify the document");
  const transform = pdf.dictionary(references[0]);
  const parameters = pdf.dictionary(transform.get("TransformParams"));
  if (!isName(transform.get("TransformMethod"), "DocMDP") || parameters.get("P") !== 1) throw new Refused("seal permits changes after it");
}

/** Returns when no object of the file could run, ask outside, or show now this and now that. */
export function checkInert(pdf) {
  for (const found of pdf.objects()) {
    if (found instanceof Stream && OUTSIDE.some((key) => found.entries.has(key))) {
      throw new Refused("file takes what it shows from elsewhere, or shows this and that");
    }
    const pending = [found instanceof Stream ? found.entries : found];
    while (pending.length) {
      const item = pending.pop();
      if (Array.isArray(item)) for (const one of item) pending.push(one);
      if (!(item instanceof Map)) continue;
      const kind = item.get("S");
      // By reference it could name what is looked for here; no report has it so.
      if ([...item.keys()].some((key) => ACTIVE.has(key)) || kind instanceof Reference || isNameOf(kind, ACTIVE)) {
        throw new Refused("file holds an action, a script or layers, which no report does");
      }
      for (const one of item.values()) pending.push(one);
    }
  }
}

// V4: 1. the authority signed; 2. over this seal; 3. with a certificate for stamps alone; 4. in its validity, and in that of
// every authority above it; 5. up to a root that was given.
async function checkStamp(signed, roots, lists, findings) {
  const stamps = signed.unsigned.get(STAMP) ?? [];
  if (!stamps.length) {
    findings.doubt("V4", "seal has no time stamp: when it was made is not proved");
    return null;
  }
  try {
    if (stamps.length > 1 || stamps[0].encoded.length > MAX_TOKEN_BYTES) throw new Refused("seal has more than one time stamp, or one that is too large");
    const { time, signed: by, digest, imprint } = parseStamp(stamps[0].encoded);
    await verifySigned(by, await digestOf(by.digest, by.content));
    if (!sameBytes(await digestOf(digest, signed.signature), imprint)) throw new Refused("time stamp is of something else than this seal");
    checkStampPurpose(by.signer);
    if (time < by.signer.begins || time > by.signer.ends) throw new Refused("time stamp is dated outside the validity of its authority's certificate");
    if (!roots.length) {
      findings.doubt("V4", "no root of a time stamp authority was given");
      return null;
    }
    if (await verifyPath(by.signer, by.certificates, roots, time, lists)) {
      const detail = "no revocation list of the stamp's authority was given: that it was not revoked is not proved";
      findings.doubt("V4", detail, null, true);
    }
    findings.passed("V4", `seal existed at ${timeText(time)}, says an authority that was given`);
    return time;
  } catch (error) {
    refused(error, findings, "V4");
    return null;
  }
}

// V3. Without a proved time only the path is looked at: at the moment at which the certificate begins.
async function checkSigner({ signer, certificates }, stamped, roots, lists, findings) {
  try {
    checkSealPurpose(signer);
    if (!roots.length) {
      findings.doubt("V3", "no root of the seal was given");
      return false;
    }
    const uncovered = await verifyPath(signer, certificates, roots, stamped ?? signer.begins, stamped === null ? [] : lists);
    if (stamped === null) {
      findings.doubt("V3", "leads to a root that was given; valid at what time is not proved without V4");
      return false;
    }
    if (uncovered) {
      findings.doubt("V3", "no revocation list was given: that the seal was not revoked by then is not proved", null, true);
    }
    findings.passed("V3", "certificate of the seal leads to a root that was given, and was valid when stamped");
    return true;
  } catch (error) {
    refused(error, findings, "V3");
    return false;
  }
}

// Revocation lists that the file holds (ETSI EN 319 142-1, section 5.4.2): their issuers signed them.
async function embeddedLists(pdf) {
  const found = [];
  try {
    const store = pdf.resolve(pdf.root.get("DSS"));
    if (store === null) return found;
    const lists = pdf.dictionary(store).get("CRLs");
    for (const item of lists === undefined ? [] : pdf.array(lists).slice(0, MAX_LISTS)) {
      found.push(parseList(await pdf.content(pdf.stream(item), MAX_LIST_BYTES)));
    }
  } catch (error) {
    // What does not read proves nothing.
    if (!(error instanceof Refused)) throw error;
  }
  return found;
}
