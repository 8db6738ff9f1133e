// The text of the pages, as their fonts say it is (ISO 32000-1, section 9.10), to compare what is printed.
//
// White space is left out, since how lines are broken is no content; so is what is marked as none, and what is not
// painted. What a font draws for a character is not looked at.

import { joined, joinedAll } from "./bytes.js";
import { Stream, utf16 } from "./pdffile.js";
import { Name, Reference, isName, operationsOf, wrong } from "./pdfsyntax.js";

const MAX_PAGES = 20000;
const MAX_CHARACTERS = 64 << 20;
const MAX_PAGE_BYTES = 16 << 20;
const MAX_ALL_BYTES = 2 ** 30;
const MAX_MAP_BYTES = 4 << 20;
const MAX_CODES = 1 << 16;
const MAX_MARKS = 1000;
const MAX_FONTS = 256;
// Rendering modes that paint nothing (table 106).
const INVISIBLE = [3, 7];
const LEFT_OUT = /[ \t\n\r\f\v\u00a0\u00ad\u200b\u2060]/g;

/** A text without white space and soft breaks, as `pagesOf` gives it. */
export function squeezed(text) {
  return text.replace(LEFT_OUT, "");
}

/** The content of each page in order, squeezed; Refused where a page does not read. */
export async function* pagesOf(pdf) {
  const fonts = new Map();
  let [characters, bytes] = [0, 0];
  for (const page of pageObjects(pdf)) {
    const data = await contentOf(pdf, page.get("Contents") ?? null);
    bytes += data.length;
    if (bytes > MAX_ALL_BYTES) throw wrong("pages are too large");
    const resources = page.has("Resources") ? pdf.dictionary(page.get("Resources")) : new Map();
    const text = squeezed(await shown(pdf, data, resources, fonts));
    characters += text.length;
    if (characters > MAX_CHARACTERS) throw wrong("pages hold too much text");
    yield text;
  }
}

function* pageObjects(pdf) {
  const pending = [pdf.root.get("Pages")];
  const seen = new Set();
  let count = 0;
  while (pending.length) {
    const reference = pending.pop();
    const id = reference instanceof Reference ? `${reference.number} ${reference.generation}` : null;
    if (id === null || seen.has(id)) throw wrong("tree of pages is none");
    seen.add(id);
    const node = pdf.dictionary(reference);
    if (isName(node.get("Type"), "Page")) {
      if (++count > MAX_PAGES) throw wrong(`more than ${MAX_PAGES} pages`);
      yield node;
    } else for (const kid of pdf.array(node.get("Kids")).toReversed()) pending.push(kid);
  }
}

// The parts of a page are one stream, divided between tokens.
async function contentOf(pdf, content) {
  if (content instanceof Reference && Array.isArray(pdf.resolve(content))) content = pdf.resolve(content);
  const parts = [];
  let size = 0;
  for (const part of Array.isArray(content) ? content : content === null ? [] : [content]) {
    const data = await pdf.content(pdf.stream(part), MAX_PAGE_BYTES);
    parts.push(data, Uint8Array.of(10));
    size += data.length + 1;
    if (size > MAX_PAGE_BYTES) throw wrong("page is too large");
  }
  return joinedAll(parts);
}

// What a page shows as content, in the order in which it does.
async function shown(pdf, data, resources, fonts) {
  const named = resources.has("Font") ? pdf.dictionary(resources.get("Font")) : new Map();
  const [marks, saved, texts] = [[], [], []];
  let [mode, font] = [0, null];
  for (const [operator, operands] of operationsOf(data)) {
    const last = operands.at(-1);
    switch (operator) {
      case "Tf":
        font = await fontOf(pdf, operands[0] instanceof Name ? named.get(operands[0].text) : null, fonts);
        break;
      case "Tr":
        mode = Number.isInteger(operands[0]) ? operands[0] : INVISIBLE[0];
        break;
      case "q":
        if (saved.push([mode, font]) > MAX_MARKS) throw wrong("content is nested too deep");
        break;
      case "Q":
        if (saved.length) [mode, font] = saved.pop();
        break;
      case "BMC":
      case "BDC":
        if (marks.push(isName(operands[0], "Artifact")) > MAX_MARKS) throw wrong("content is nested too deep");
        break;
      case "EMC":
        marks.pop();
        break;
      case "Tj":
      case "'":
      case '"':
      case "TJ":
        if (!operands.length || marks.includes(true) || INVISIBLE.includes(mode)) break;
        if (font === null) throw wrong("text without a font");
        texts.push(font.decode((Array.isArray(last) ? last : [last]).filter((item) => item instanceof Uint8Array)));
    }
  }
  return texts.join("");
}

async function fontOf(pdf, value, fonts) {
  if (!(value instanceof Reference)) throw wrong("font is not an object of its own");
  const id = `${value.number} ${value.generation}`;
  if (!fonts.has(id)) {
    if (fonts.size >= MAX_FONTS) throw wrong(`more than ${MAX_FONTS} fonts`);
    const map = pdf.resolve(pdf.dictionary(value).get("ToUnicode"));
    if (!(map instanceof Stream)) throw wrong("font does not say what its shapes mean");
    fonts.set(id, new Font(await pdf.content(map, MAX_MAP_BYTES)));
  }
  return fonts.get(id);
}

// Codes of a font to text, by its ToUnicode map (Adobe technical note 5411).
class Font {
  constructor(map) {
    this.width = 0;
    this.texts = new Map();
    let made = 0;
    for (const [operator, operands] of operationsOf(map)) {
      const strings = operands.filter((item) => item instanceof Uint8Array || Array.isArray(item));
      if (operator === "endcodespacerange" && strings.length) this.width = strings.reduce((most, { length }) => Math.max(most, length), 0);
      const size = { endbfchar: 2, endbfrange: 3 }[operator];
      for (let at = 0; size && at + size <= strings.length; at += size) {
        const group = strings.slice(at, at + size);
        // What is said of one code again and again counts too: it is work.
        made += size === 2 ? this.put(group[0], group[0], [group[1]]) : this.put(...group);
        if (made > MAX_CODES) throw wrong("font has too many codes");
      }
    }
    if (this.width !== 1 && this.width !== 2) throw wrong("font has codes of an unknown width");
  }

  // How many codes of a range were given their texts.
  put(first, last, start) {
    const formed = first instanceof Uint8Array && last instanceof Uint8Array && first.length === last.length;
    if (!formed || first.length < 1 || first.length > 2 || (!Array.isArray(start) && start.length > 64)) {
      throw wrong("range of codes is not well formed");
    }
    const number = (bytes) => bytes.reduce((sum, byte) => 256 * sum + byte, 0);
    const [low, high] = [number(first), number(last)];
    for (let code = low; code <= high; code++) {
      const text = Array.isArray(start) ? (code - low < start.length ? start[code - low] : new Uint8Array()) : counted(start, code - low);
      if (!(text instanceof Uint8Array)) throw wrong("code means no text");
      this.texts.set(`${first.length} ${code}`, utf16(text));
    }
    return Math.max(0, high - low + 1);
  }

  decode(strings) {
    const bytes = joinedAll(strings);
    let text = "";
    for (let at = 0; at < bytes.length; at += this.width) {
      const code = bytes.subarray(at, at + this.width);
      text += this.texts.get(`${code.length} ${code.reduce((sum, byte) => 256 * sum + byte, 0)}`) ?? "\ufffd";
    }
    return text;
  }
}

// Only the last two bytes count on; what would carry over is no text.
function counted(start, step) {
  const tail = start.subarray(-2).reduce((sum, byte) => 256 * sum + byte, 0) + step;
  return joined(start.subarray(0, Math.max(0, start.length - 2)), Uint8Array.of((tail >> 8) & 0xff, tail & 0xff));
}
