// Runs apart from the page, so that it stays responsive: takes {files, anchors}, answers with progress and one report.

import { Refused, fromBase64, utf8 } from "./bytes.js";
import { verifyBundle } from "./bundle.js";
import { hasEd25519 } from "./curves.js";
import { LOG, WITNESS, parseKey } from "./note.js";
import { MAGIC } from "./pdffile.js";
import { latin1 } from "./pdfsyntax.js";
import { MAX_LIST_BYTES } from "./seal.js";
import { verifyReport } from "./sealedreport.js";
import { fromPem, parseCertificate, parseList } from "./x509.js";

const UNSUPPORTED = "this browser has no Ed25519 in WebCrypto or no raw inflate: use Chromium 137, Firefox 130, Safari 17.4 or later";

/** The anchors of docs/verifier-page.md, read from what a person pasted: text of keys, notes and a quorum. */
function readAnchors({ keys, witnesses, pinned, quorum, sealRoots, stampRoots, lists, ...required }) {
  const lines = (text) => text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  const read = (text, type, what) => {
    const found = new Map();
    for (const line of lines(text)) {
      let key;
      try {
        key = parseKey(line);
      } catch (error) {
        throw new TypeError(`\`${line.slice(0, 80)}\` is not the key of a ${what}: ${error.message}`);
      }
      if (key.type !== type) throw new TypeError(`\`${line.slice(0, 80)}\` is not the key of a ${what}`);
      found.set(key.text, key);
    }
    return [...found.values()];
  };
  const anchors = { keys: read(keys, LOG, "log"), witnesses: read(witnesses, WITNESS, "witness"), ...required };
  const wanted = quorum.trim() === "" ? null : Number(quorum);
  if (wanted !== null && !(Number.isInteger(wanted) && wanted >= 0 && wanted <= anchors.witnesses.length)) {
    throw new TypeError(`quorum ${quorum} with ${anchors.witnesses.length} witnesses`);
  }
  return { ...anchors, quorum: wanted, pinned: pinned.map((note) => utf8(note)), ...readRoots(sealRoots, stampRoots, lists) };
}

/** What is trusted of seals: PEM texts of roots, and revocation lists, PEM or DER, in base64. */
function readRoots(sealRoots = "", stampRoots = "", lists = []) {
  const what = (name, read) => {
    try {
      return read();
    } catch (error) {
      throw error instanceof Refused ? new TypeError(`${name}: ${error.message}`) : error;
    }
  };
  const roots = (name, text) =>
    what(name, () => {
      const found = fromPem(text, "CERTIFICATE").map((der) => parseCertificate(der));
      if (text.trim() && !found.length) throw new Refused("holds no PEM certificate");
      return found;
    });
  return {
    sealRoots: roots("root of the seal", sealRoots),
    stampRoots: roots("root of the time stamp authority", stampRoots),
    lists: lists.map((encoded) =>
      what("revocation list", () => {
        const data = fromBase64(encoded);
        if (data.length > MAX_LIST_BYTES) throw new Refused(`exceeds ${MAX_LIST_BYTES} bytes`);
        return parseList(data[0] === 45 ? fromPem(latin1(data), "X509 CRL")[0] ?? data : data);
      }),
    ),
  };
}

async function isPdf({ blob, inFolder }) {
  return !inFolder && (await blob.slice(0, MAGIC.length).text()) === MAGIC;
}

/** A PDF is a report; the one other file chosen with it is the bundle that was too large to attach. */
async function verify(files, anchors, progress) {
  const pdfs = (await Promise.all(files.map(isPdf))).map((is, at) => (is ? at : -1)).filter((at) => at >= 0);
  if (!pdfs.length) {
    const { sealRoots, stampRoots, lists } = anchors;
    if (sealRoots.length || stampRoots.length || lists.length) throw new TypeError("roots and revocation lists are for a report, a PDF");
    return verifyBundle(files, anchors, progress);
  }
  if (pdfs.length > 1 || files.length > 2) throw new TypeError("choose one report, and with it nothing but the bundle that was given beside it");
  const beside = files.find((_, at) => at !== pdfs[0]);
  return verifyReport(files[pdfs[0]].blob, anchors, beside?.blob ?? null, progress);
}

self.onmessage = async ({ data: { files, anchors } }) => {
  try {
    if (!(await hasEd25519()) || typeof DecompressionStream === "undefined") throw new TypeError(UNSUPPORTED);
    const progress = (done, total) => self.postMessage({ progress: { done, total } });
    self.postMessage({ report: await verify(files, readAnchors(anchors), progress) });
  } catch (error) {
    // What a person has to change, or what the browser could not do: no verdict.
    self.postMessage({ error: error instanceof TypeError ? error.message : `cannot read the files: ${error.name}` });
  }
};
