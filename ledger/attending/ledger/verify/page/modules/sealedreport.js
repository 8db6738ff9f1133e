// Verification of a sealed report, a PDF with its evidence attached, against anchors that never come from it.
//
// Steps: 1. the file reads, and the seal covers it (V2), by whom (V3), when (V4); 2. attachments; 3. the bundle, with every
// check that a bundle has; 4. no entry claims a time after the stamp (V15); 5. the head printed is the one attached (V10);
// 6. the figures printed and attached are those of the entries (V20). Of a file that its seal does not cover nothing more
// is looked into.

import { Refused, toBase64, toHex, utf8 } from "./bytes.js";
import { verifyBundle } from "./bundle.js";
import { isObject, parseCanonical } from "./canonical.js";
import { timeText } from "./certpath.js";
import { linesOf, openContainer, readWhole } from "./container.js";
import { Emitters } from "./emitters.js";
import { MAX_ENTRY_BYTES, microseconds, parseEntry } from "./entry.js";
import { HEADING, exceptionLine } from "./exceptions.js";
import { Figures, MAX_FIGURES_BYTES, figureLines, firstDifference, isLaterFigures } from "./figures.js";
import { MAX_NOTE_BYTES, parseCheckpoint } from "./note.js";
import { attachmentsOf } from "./pdfattachments.js";
import { MAX_PDF_BYTES, PdfFile, textString } from "./pdffile.js";
import { pagesOf, squeezed } from "./pdftext.js";
import { wrong } from "./pdfsyntax.js";
import { CHECKS, Findings, NOT_CHECKED_OF_REPORT, SEAL_CHECKS, verdictOf } from "./report.js";
import { checkSeal } from "./seal.js";
import { Sha256 } from "./sha256.js";

const CLOCK_SKEW = 300_000_000n;
const MAX_REGISTER_BYTES = 2 ** 30;
const ANNEX = "Annex: Figures";
const [BUNDLE, FIGURES, REGISTER] = ["bundle.attending", "statistics.json", "register.csv"];
// A de-identified document, in place of the bundle.
const DOCUMENT = "document.attending";
// Of reports with a register of their own.
const ROWS = ["rows.jsonl", "rows.csv"];
const KEYWORDS = ["attending-origin", "attending-size", "attending-root", "attending-bundle-sha256"];
const ORDER = Object.keys({ ...SEAL_CHECKS, ...CHECKS }).sort((one, other) => Number(one.slice(1)) - Number(other.slice(1)));

/** The report over a PDF in a blob, and its bundle: that attached, or `beside`, a blob that was given with it. `anchors`
 * are those of a bundle, with {sealRoots, stampRoots, lists}.
 */
export async function verifyReport(blob, anchors, beside = null, progress = () => {}) {
  const findings = new Findings([...Object.keys(SEAL_CHECKS), "V20"]);
  let pdf;
  let stamped = null;
  try {
    if (blob.size > MAX_PDF_BYTES) throw wrong(`file is larger than ${MAX_PDF_BYTES} bytes`);
    pdf = new PdfFile(new Uint8Array(await blob.arrayBuffer()));
    stamped = await checkSeal(pdf, anchors, findings);
  } catch (error) {
    refused(error, findings, "V2", "");
  }
  const bundle = findings.failed("V2") ? null : await evidence(pdf, anchors, beside, stamped, findings, progress);
  const results = [...findings.results(), ...(bundle?.results ?? [])].sort((one, other) => ORDER.indexOf(one.check) - ORDER.indexOf(other.check));
  return {
    kind: "report",
    verdict: verdictOf(results),
    origin: bundle?.origin ?? null,
    scope: bundle?.scope ?? null,
    results,
    statistics: bundle?.statistics ?? {},
    not_checked: NOT_CHECKED_OF_REPORT,
    checks: Object.fromEntries(ORDER.map((check) => [check, SEAL_CHECKS[check] ?? CHECKS[check]])),
  };
}

function refused(error, findings, check, where) {
  if (!(error instanceof Refused)) throw error;
  findings.fail(check, where + error.message);
}

// What was found of the bundle, null where there is none.
async function evidence(pdf, anchors, beside, stamped, findings, progress) {
  let attached;
  let bundle = beside;
  try {
    attached = attachmentsOf(pdf);
    if (attached.has(BUNDLE) && attached.has(DOCUMENT)) {
      throw new Refused("a bundle is attached beside a de-identified document, and leads back from it");
    }
    if (attached.has(BUNDLE)) bundle = await taken(pdf, attached.get(BUNDLE));
  } catch (error) {
    refused(error, findings, "V10", "");
    return null;
  }
  if (attached.has(DOCUMENT)) {
    // What is attached is what the report is over, whatever lies beside it.
    const detail = "a de-identified document is attached, which this page does not read: give the report to `attending verify`";
    for (const check of ["V10", "V20"]) findings.doubt(check, detail);
    return null;
  }
  if (bundle === null) {
    for (const check of ["V10", "V20"]) findings.doubt(check, "no bundle is attached: choose the one beside it together with the PDF");
    return null;
  }
  const files = [{ name: BUNDLE, blob: bundle, inFolder: false }];
  const report = await verifyBundle(files, anchors, progress);
  if (stamped !== null) checkStampedLast(report, stamped);
  const pages = [];
  try {
    for await (const page of pagesOf(pdf)) pages.push(page);
  } catch (error) {
    refused(error, findings, "V10", "pages: ");
    return report;
  }
  await checkHead(pdf, pages[0] ?? "", bundle, files, findings);
  await checkFigures(pdf, attached, pages.join(""), files, findings);
  return report;
}

async function taken(pdf, stream) {
  const parts = [];
  for await (const chunk of pdf.chunks(stream, MAX_PDF_BYTES)) parts.push(chunk);
  return new Blob(parts);
}

// V15. What was sealed was there when the authority stamped it; a stamp is one more witness of the head.
function checkStampedLast(report, stamped) {
  const last = report.statistics.last_time ?? null;
  if (last === null || microseconds(last) - stamped <= CLOCK_SKEW) return;
  const detail = `entries claim times up to ${last}, after the report was stamped at ${timeText(stamped)}`;
  report.results.push({ check: "V15", status: "failed", detail, index: null, advisory: false });
}

// V10. That the bundle's own head is the one that its entries lead to is V6 and V8 of the bundle.
async function checkHead(pdf, first, bundle, files, findings) {
  let claimed;
  let head;
  try {
    claimed = keywordsOf(pdf);
    head = parseCheckpoint(await readWhole(await openContainer(files), "checkpoint", MAX_NOTE_BYTES));
  } catch (error) {
    return refused(error, findings, "V10", "");
  }
  const hash = new Sha256();
  const reader = bundle.stream().getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) hash.update(value);
  const digest = toHex(hash.digest());
  const root = toBase64(head.root);
  [head.origin, String(head.size), root, digest].forEach((value, at) => {
    if (claimed.get(KEYWORDS[at]) !== value) findings.fail("V10", `\`${KEYWORDS[at]}\` of the document information is not that of the bundle`);
  });
  const printed = {
    log: first.includes(squeezed(head.origin)),
    "root hash": first.includes(toHex(head.root)) || first.includes(root),
    "SHA-256": first.includes(digest),
    // Of 12 printed as 123 the beginning is right.
    "tree size": new RegExp(`[Tt]reesize${head.size}(?![0-9])`).test(first),
  };
  for (const [what, holds] of Object.entries(printed)) if (!holds) findings.fail("V10", `${what} of the bundle is not the one printed on the first page`);
  findings.passed("V10", `head of size ${head.size} is printed, attached, and that of the entries by V6 and V8`);
}

function keywordsOf(pdf) {
  const found = new Map();
  const text = textString(pdf.resolve(pdf.dictionary(pdf.trailer.get("Info")).get("Keywords")));
  for (const item of text.split(",").map((one) => (one.startsWith(" ") ? one.slice(1) : one))) {
    const at = item.indexOf("=");
    if (at < 0) continue;
    const [name, value] = [item.slice(0, at), item.slice(at + 1)];
    if (found.has(name) && found.get(name) !== value) throw new Refused("document information states something twice");
    found.set(name, value);
  }
  return found;
}

// V20. Counted again over the entries of the bundle.
async function checkFigures(pdf, attached, printed, files, findings) {
  const [figures, emitters, register] = [new Figures(), new Emitters(), new Sha256().update(utf8(HEADING))];
  let container;
  try {
    container = await openContainer(files);
  } catch (error) {
    return refused(error, findings, "V20", "");
  }
  try {
    for await (const line of linesOf(container, "entries.jsonl", MAX_ENTRY_BYTES)) {
      const entry = parseEntry(line);
      figures.visit(entry);
      emitters.visit(entry);
      const exception = exceptionLine(entry);
      if (exception !== null) register.update(utf8(exception));
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return findings.doubt("V20", `entries do not read: ${error.message}`);
  }
  const found = figures.result(emitters);
  await checkAttached(pdf, attached, found, findings);
  await checkRegister(pdf, attached, toHex(register.digest()), findings);
  const lines = [...figureLines(found)];
  const path = unprinted(printed, lines);
  if (path !== null) findings.fail("V20", `\`${path}\` is not printed as the entries give it`);
  for (const name of ROWS.filter((one) => attached.has(one))) {
    findings.doubt("V20", `\`${name}\` is not checked here: give the report to \`attending verify\``);
  }
  findings.passed("V20", `${lines.length} figures are printed, attached and those of the entries; the register of exceptions too`);
}

async function checkAttached(pdf, attached, found, findings) {
  if (!attached.has(FIGURES)) return findings.fail("V20", `\`${FIGURES}\` is not attached`);
  try {
    const stated = parseCanonical(await pdf.content(attached.get(FIGURES), MAX_FIGURES_BYTES));
    if (!isObject(stated)) throw new Refused("not an object");
    const path = firstDifference(stated, found);
    if (isLaterFigures(stated.format)) findings.doubt("V20", `attached \`${FIGURES}\` is of a later format`);
    else if (path !== null) throw new Refused(`\`${path}\` is not that of the entries`);
  } catch (error) {
    refused(error, findings, "V20", `attached \`${FIGURES}\`: `);
  }
}

async function checkRegister(pdf, attached, expected, findings) {
  if (!attached.has(REGISTER)) return findings.fail("V20", `\`${REGISTER}\` is not attached`);
  try {
    const hash = new Sha256();
    for await (const chunk of pdf.chunks(attached.get(REGISTER), MAX_REGISTER_BYTES)) hash.update(chunk);
    if (toHex(hash.digest()) !== expected) findings.fail("V20", `attached \`${REGISTER}\` is not the register of the entries`);
  } catch (error) {
    refused(error, findings, "V20", `attached \`${REGISTER}\`: `);
  }
}

// The path of the first figure that does not stand where the annex has it, null when all do.
function unprinted(printed, lines) {
  const text = ([path, value]) => squeezed(`${path} = ${value}`);
  let place = printed.indexOf(text(lines[0]), Math.max(printed.lastIndexOf(squeezed(ANNEX)), 0));
  if (place < 0) return lines[0][0];
  for (const line of lines) {
    if (!printed.startsWith(text(line), place)) return line[0];
    place += text(line).length;
  }
  // 12 printed as 123, 12.5 or 12,000 begins as it should: what follows the last one may not go on with it.
  return /^[.,'\u2019/]?\p{N}/u.test(printed.slice(place, place + 3)) ? lines.at(-1)[0] : null;
}
