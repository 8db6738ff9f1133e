// A PDF file in the one form in which reports are made: a table of objects that is not compressed, with bounds
// everywhere. A file of another make is refused with what is different about it.

import { Refused, joinedAll } from "./bytes.js";
import { Name, Reader, Reference, isName, latin1, wrong } from "./pdfsyntax.js";

export const MAGIC = "%PDF-";
export const MAX_PDF_BYTES = 2 ** 30;
const MAX_OBJECTS = 1 << 20;
const MAX_SECTIONS = 8;
const MAX_RATIO = 200;
const SLACK_BYTES = 1 << 20;
const MAX_HOPS = 16;
// Times the size of the file (and 4 MiB) that objects are read, streams aside: what refers to one object a thousand
// times would have it read as often.
const MAX_READINGS = 4;
const READING_SLACK_BYTES = 4 << 20;
const LEAST_READING_BYTES = 64;
const ENTRY_BYTES = 20;

/** A stream object: its dictionary, and where its data lies. */
export class Stream {
  constructor(entries, begin, size) {
    Object.assign(this, { entries, begin, size });
  }
}

/** An open file. Every method refuses what is wrong with it. */
export class PdfFile {
  constructor(bytes) {
    if (!bytes.length || bytes.length > MAX_PDF_BYTES) throw wrong(`file is empty, or larger than ${MAX_PDF_BYTES} bytes`);
    this.bytes = bytes;
    this.size = bytes.length;
    this.places = new Map();
    this.left = MAX_READINGS * this.size + READING_SLACK_BYTES;
    this.trailer = this.readTables();
  }

  /** The catalogue. One that lies in the trailer is not among `objects`. */
  get root() {
    const reference = this.trailer.get("Root");
    if (!(reference instanceof Reference)) throw wrong("catalogue is not an object of its own");
    return this.dictionary(reference);
  }

  /** What a value refers to, or the value; a reference to nothing is null. */
  resolve(value) {
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      if (!(value instanceof Reference)) return value ?? null;
      value = this.read(value).value;
    }
    throw wrong("reference leads nowhere");
  }

  dictionary(value) {
    const found = this.resolve(value);
    if (!(found instanceof Map)) throw wrong("no dictionary where one is needed");
    return found;
  }

  array(value) {
    const found = this.resolve(value);
    if (!Array.isArray(found)) throw wrong("no array where one is needed");
    return found;
  }

  stream(value) {
    const found = this.resolve(value);
    if (!(found instanceof Stream)) throw wrong("no stream where one is needed");
    return found;
  }

  /** An object {value, begin, end}: null, -1, -1 for one that is not there. What follows it can only be its end: a stream
   * that others see and we do not would be a dictionary here.
   */
  read(reference) {
    const found = this.parse(reference);
    if (found.begin < 0) return found;
    const data = found.value instanceof Map ? this.match(/[\r\n ]{0,16}stream\r?\n/y, found.end, 32) : null;
    const { value, end } = data ? this.streamOf(found.value, found.end + data[0].length) : found;
    if (!this.match(/[\r\n ]{0,16}endobj/y, end, 32)) throw wrong(`something follows object ${reference.number} before its end`);
    return { value, begin: found.begin, end };
  }

  /** Every object of the file, each byte of it once: none begins inside another. */
  *objects() {
    let through = 0;
    const places = [...this.places].sort(([, one], [, other]) => one.at - other.at || one.generation - other.generation);
    for (const [number, { at, generation }] of places) {
      if (at < through) throw wrong(`object ${number} begins inside another`);
      const { value, end } = this.read(new Reference(number, generation));
      through = end;
      yield value;
    }
  }

  /** The content of a stream, inflated, at most `limit` bytes in all. */
  async *chunks(stream, limit) {
    let filter = this.resolve(stream.entries.get("Filter"));
    if (Array.isArray(filter) && filter.length === 1) filter = this.resolve(filter[0]);
    const plain = filter === null || (Array.isArray(filter) && !filter.length);
    const elsewhere = (stream.entries.get("DecodeParms") ?? null) !== null || stream.entries.has("F");
    if (elsewhere || !(plain || isName(filter, "FlateDecode"))) throw wrong("stream is packed in a way that is not supported");
    const raw = this.bytes.subarray(stream.begin, stream.begin + stream.size);
    const allowed = plain ? limit : Math.min(limit, MAX_RATIO * stream.size + SLACK_BYTES);
    let size = 0;
    for await (const chunk of plain ? [raw] : inflated(raw)) {
      size += chunk.length;
      if (size > allowed) throw wrong("stream inflates beyond reason");
      yield chunk;
    }
  }

  /** The whole of a small stream. */
  async content(stream, limit) {
    const parts = [];
    for await (const chunk of this.chunks(stream, limit)) parts.push(chunk);
    return joinedAll(parts);
  }

  // A pattern, sticky, at a place; it sees no more than `window` bytes.
  match(pattern, at, window) {
    pattern.lastIndex = 0;
    return pattern.exec(latin1(this.bytes.subarray(at, at + window)));
  }

  // An object; of a stream the dictionary alone.
  parse({ number, generation }) {
    const place = this.places.get(number);
    if (!place || place.generation !== generation) return { value: null, begin: -1, end: -1 };
    const head = this.match(/([0-9]{1,10}) ([0-9]{1,5}) obj(?=[\r\n <\[(/0-9+.-])/y, place.at, 24);
    if (!head || Number(head[1]) !== number || Number(head[2]) !== generation) throw wrong(`object ${number} is not where the table has it`);
    const begin = place.at + head[0].length;
    const reader = new Reader(this.bytes, begin);
    const value = reader.object();
    this.left -= Math.max(reader.at - place.at, LEAST_READING_BYTES);
    if (this.left < 0) throw wrong("objects refer to the same ones again and again");
    return { value, begin, end: reader.at };
  }

  streamOf(entries, begin) {
    let size = entries.get("Length");
    // Never a stream of its own: no chain of them is followed.
    if (size instanceof Reference) size = this.parse(size).value;
    if (!Number.isSafeInteger(size) || size < 0 || size > this.size - begin) throw wrong("stream is cut off");
    const last = this.match(/[\r\n]{0,2}endstream/y, begin + size, 16);
    if (!last) throw wrong("stream does not end where it says");
    return { value: new Stream(entries, begin, size), end: begin + size + last[0].length };
  }

  readTables() {
    if (latin1(this.bytes.subarray(0, MAGIC.length)) !== MAGIC) throw wrong("file does not begin as a PDF does");
    const tail = /startxref[\r\n]+([0-9]{1,10})[\r\n]+%%EOF[\r\n]{0,2}$/.exec(latin1(this.bytes.subarray(-64)));
    if (!tail) throw wrong("file does not end as a PDF does: it is cut off, or something follows");
    const [seen, removed] = [new Set(), new Set()];
    let newest = null;
    let offset = Number(tail[1]);
    while (offset !== null) {
      if (!Number.isSafeInteger(offset) || seen.has(offset) || offset < 0 || offset >= this.size) {
        throw wrong("tables of objects do not follow from each other");
      }
      if (seen.add(offset).size > MAX_SECTIONS) throw wrong(`more than ${MAX_SECTIONS} revisions`);
      const trailer = this.readTable(offset, removed);
      newest ??= trailer;
      offset = trailer.get("Prev") ?? null;
    }
    return newest;
  }

  // One table; what a newer one says of an object stands.
  readTable(offset, removed) {
    const begin = this.match(/xref[ ]?\r?\n/y, offset, 8);
    if (!begin) throw wrong("table of objects is compressed or not there, which is not how reports are made");
    let at = offset + begin[0].length;
    const own = new Set();
    for (;;) {
      const head = this.match(/([0-9]{1,10}) ([0-9]{1,10})[ ]?\r?\n/y, at, 32);
      if (!head) break;
      const [first, count] = [Number(head[1]), Number(head[2])];
      at += head[0].length;
      if (first + count > MAX_OBJECTS || at + count * ENTRY_BYTES > this.size) throw wrong(`more than ${MAX_OBJECTS} objects, or a table that is cut off`);
      for (let number = first; number < first + count; number++, at += ENTRY_BYTES) {
        const entry = this.match(/([0-9]{10}) ([0-9]{5}) ([nf])(?: \r| \n|\r\n)/y, at, ENTRY_BYTES);
        if (!entry || own.has(number)) throw wrong("entry of the table is not well formed, or there twice");
        own.add(number);
        if (this.places.has(number) || removed.has(number)) continue;
        if (entry[3] === "n") this.places.set(number, { at: Number(entry[1]), generation: Number(entry[2]) });
        else removed.add(number);
      }
    }
    const reader = new Reader(this.bytes, at);
    reader.skip();
    if (latin1(this.bytes.subarray(reader.at, reader.at + 7)) !== "trailer") throw wrong("table of objects has no trailer");
    reader.at += 7;
    const trailer = reader.object();
    if (!(trailer instanceof Map) || trailer.has("XRefStm")) throw wrong("trailer is none, or has a second table");
    if (trailer.has("Encrypt")) throw new Refused("file is encrypted, which no report is");
    return trailer;
  }
}

/** A text string (ISO 32000-1, section 7.9.2.2), of PDFDocEncoding what it shares with ASCII. */
export function textString(value) {
  if (!(value instanceof Uint8Array)) throw wrong("no text where one is needed");
  if (value[0] === 0xfe && value[1] === 0xff) return utf16(value.subarray(2));
  if (value.some((byte) => byte > 0x7f)) throw wrong("text is not one that can be read");
  return latin1(value);
}

/** The text of big-endian UTF-16. */
export function utf16(bytes) {
  try {
    return new TextDecoder("utf-16be", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw wrong("text is not one that can be read");
  }
}

/** Whether a value is a Name of one of these. */
export function isNameOf(value, names) {
  return value instanceof Name && names.has(value.text);
}

async function* inflated(raw) {
  const reader = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch {
    throw wrong("stream does not inflate");
  } finally {
    reader.cancel().catch(() => {});
  }
}
