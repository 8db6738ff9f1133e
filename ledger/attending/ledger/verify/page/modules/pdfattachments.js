// What is attached to a report (ISO 32000-1, section 7.11.4): a plain name, and one content.

import { Refused } from "./bytes.js";
import { textString } from "./pdffile.js";
import { isName, wrong } from "./pdfsyntax.js";

const MOST = 32;
const MAX_NODES = 256;
const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/** Name to Stream; Refused for a name that is there twice, or that is none. */
export function attachmentsOf(pdf) {
  const names = pdf.root.has("Names") ? pdf.dictionary(pdf.root.get("Names")) : new Map();
  const found = new Map();
  const pending = names.has("EmbeddedFiles") ? [names.get("EmbeddedFiles")] : [];
  for (let nodes = 1; pending.length; nodes++) {
    const node = pdf.dictionary(pending.pop());
    const kids = node.has("Kids") ? pdf.array(node.get("Kids")) : [];
    if (nodes + pending.length + kids.length > MAX_NODES) throw wrong("tree of attachments is too large");
    pending.push(...kids);
    const pairs = node.has("Names") ? pdf.array(node.get("Names")) : [];
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      const [name, stream] = attachment(pdf, pairs[at], pairs[at + 1]);
      if (found.has(name)) throw new Refused(`two attachments are called \`${name}\``);
      if (found.set(name, stream).size > MOST) throw new Refused(`more than ${MOST} attachments`);
    }
  }
  return found;
}

function attachment(pdf, key, value) {
  const specification = pdf.dictionary(value);
  const names = new Set(["F", "UF"].filter((item) => specification.has(item)).map((item) => textString(specification.get(item))));
  names.add(textString(pdf.resolve(key)));
  if (names.size !== 1) throw new Refused("attachment has two names");
  const [name] = names;
  if (!NAME.test(name)) throw new Refused("name of an attachment is not flat, lower case and plain");
  const streams = [...pdf.dictionary(specification.get("EF")).values()].map((item) => pdf.stream(item));
  const places = new Set(streams.map(({ begin, size }) => `${begin} ${size}`));
  if (!isName(specification.get("Type"), "Filespec") || places.size !== 1) throw new Refused(`\`${name}\` has two contents, or none`);
  return [name, streams[0]];
}
