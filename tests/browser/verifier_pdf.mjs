// The page's reader of PDF files by itself, without a seal. Usage: node verifier_pdf.mjs MODULES < files > answers: a line
// of base64 each, and of JSON: {attachments, pages} in hex, or {refused}, or {crashed}.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const load = (name) => import(new URL(`${name}.js`, `${pathToFileURL(process.argv[2])}/`));
const [{ Refused }, { PdfFile }, { attachmentsOf }, { pagesOf }, { checkInert }] = await Promise.all(
  ["bytes", "pdffile", "pdfattachments", "pdftext", "seal"].map(load),
);
const hash = (data) => createHash("sha256").update(data).digest("hex");

async function read(bytes) {
  const pdf = new PdfFile(bytes);
  checkInert(pdf);
  const attachments = {};
  for (const [name, stream] of attachmentsOf(pdf)) attachments[name] = hash(await pdf.content(stream, 2 ** 30));
  const pages = [];
  for await (const page of pagesOf(pdf)) pages.push(hash(page));
  return { attachments, pages };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await read(new Uint8Array(Buffer.from(line, "base64"))).catch((error) =>
    error instanceof Refused ? { refused: error.message } : { crashed: String(error.stack) },
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
