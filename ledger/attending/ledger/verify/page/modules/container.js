// The files of a bundle: a zip file, or several files chosen at once. Everything is bounded before it is believed.

import { Refused, joined } from "./bytes.js";

const MAX_FILES = 64;
const MAX_RATIO = 200;
const MAX_FILE_BYTES = 2 ** 40;
const SLACK_BYTES = 2 ** 20;
const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
// Sizes after the data, deflate effort, UTF-8 names. All others mean encryption or forms that are not of this version.
const HARMLESS_FLAGS = 0x8 | 0x6 | 0x800;
// Of the specification by which a member can be read (APPNOTE 4.4.3): what later ones brought is not of this version.
const LATEST = 63;
const STORED = 0;
const DEFLATED = 8;

/** The container in the files chosen: one is a zip file, several are the files of a folder. */
export async function openContainer(files) {
  return files.length === 1 && !files[0].inFolder ? openZip(files[0].blob) : openFolder(files);
}

function openFolder(files) {
  const found = new Map();
  for (const { name, blob } of files) {
    checkName(name);
    if (found.has(name)) throw new Refused("two files have one name");
    found.set(name, blob);
  }
  if (found.size > MAX_FILES) throw new Refused(`more than ${MAX_FILES} files`);
  return {
    names: new Set(found.keys()),
    stream: async (name) => {
      if (!found.has(name)) throw new Refused(`\`${name}\` is missing`);
      return chunksOf(found.get(name).stream());
    },
  };
}

async function openZip(blob) {
  const members = await readDirectory(blob);
  return {
    names: new Set(members.keys()),
    stream: async (name) => {
      if (!members.has(name)) throw new Refused(`\`${name}\` is missing`);
      return openMember(blob, name, members.get(name));
    },
  };
}

async function view(blob, begin, size) {
  const bytes = new Uint8Array(await blob.slice(begin, begin + size).arrayBuffer());
  if (bytes.length !== size) throw new Refused("zip file is cut off");
  return new DataView(bytes.buffer);
}

function latin1(data, at, size) {
  return String.fromCharCode(...new Uint8Array(data.buffer, at, size));
}

/** The central directory (APPNOTE 4.3.12 to 4.3.16), of zip64 too: name to {method, packed, size, offset}. */
async function readDirectory(blob) {
  const tailSize = Math.min(blob.size, 22 + 65535);
  const tail = await view(blob, blob.size - tailSize, tailSize);
  let at = tailSize - 22;
  // The last one counts; how long it says its comment is, and how many files there are, is left to what is there.
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw new Refused("not a zip file that can be read");
  let [size, offset] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  let end = blob.size - tailSize + at;
  const unsaid = size === 0xffffffff || offset === 0xffffffff;
  const locator = await view(blob, Math.max(0, end - 20), Math.min(20, end));
  if (locator.byteLength === 20 && locator.getUint32(0, true) === 0x07064b50) {
    // Where there is one it counts, whatever the sizes above say: or the file would hold two archives.
    end -= 76;
    const record = await view(blob, Math.max(0, end), 56);
    if (end < 0 || record.getUint32(0, true) !== 0x06064b50) throw new Refused("not a zip file that can be read");
    [size, offset] = [40, 48].map((place) => bounded(record.getBigUint64(place, true)));
    const elsewhere = locator.getUint32(4, true) !== 0 || locator.getUint32(16, true) > 1;
    if (elsewhere || locator.getBigUint64(8, true) !== BigInt(size + offset)) throw new Refused("not a zip file that can be read");
  } else if (unsaid) throw new Refused("not a zip file that can be read");
  // What stands before the archive moves every offset by as much.
  const moved = end - size - offset;
  if (moved < 0 || size > MAX_FILES * 70000) throw new Refused("not a zip file that can be read");
  const directory = await view(blob, end - size, size);
  const members = new Map();
  let place = 0;
  while (place < size) {
    if (place + 46 > size || directory.getUint32(place, true) !== 0x02014b50) throw new Refused("not a zip file that can be read");
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((field) => directory.getUint16(place + field, true));
    const next = place + 46 + nameSize + extraSize + commentSize;
    if (next > size || directory.getUint8(place + 6) > LATEST) throw new Refused("not a zip file that can be read");
    const name = latin1(directory, place + 46, nameSize);
    const member = {
      flags: directory.getUint16(place + 8, true),
      method: directory.getUint16(place + 10, true),
      packed: directory.getUint32(place + 20, true),
      size: directory.getUint32(place + 24, true),
      offset: directory.getUint32(place + 42, true),
      kind: (directory.getUint32(place + 38, true) >>> 28) & 0xf,
    };
    readZip64(directory, place + 46 + nameSize, extraSize, member);
    member.offset += moved;
    checkMember(name, member);
    if (members.has(name)) throw new Refused("two files have one name");
    if (members.size === MAX_FILES) throw new Refused(`more than ${MAX_FILES} files`);
    members.set(name, member);
    place = next;
  }
  return members;
}

function readZip64(directory, begin, size, member) {
  for (let at = begin; at + 4 <= begin + size; at += 4 + directory.getUint16(at + 2, true)) {
    if (directory.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    const last = field + directory.getUint16(at + 2, true);
    for (const name of ["size", "packed", "offset"]) {
      if (member[name] !== 0xffffffff) continue;
      if (field + 8 > last || last > begin + size) throw new Refused("not a zip file that can be read");
      member[name] = bounded(directory.getBigUint64(field, true));
      field += 8;
    }
    return;
  }
}

function bounded(number) {
  if (number > BigInt(MAX_FILE_BYTES)) throw new Refused("file lies outside the archive");
  return Number(number);
}

function checkName(name) {
  if (!NAME.test(name)) throw new Refused("file name is not flat, lower case and plain");
}

function checkMember(name, { flags, method, packed, size, offset, kind }) {
  checkName(name);
  if (flags & ~HARMLESS_FLAGS || (method !== STORED && method !== DEFLATED)) {
    throw new Refused("file is encrypted or compressed in a way that is not supported");
  }
  if (kind !== 0 && kind !== 8) throw new Refused("archive holds something that is not a regular file");
  if (size > Math.min(MAX_FILE_BYTES, MAX_RATIO * packed + SLACK_BYTES)) throw new Refused("file inflates beyond reason");
  if (offset > MAX_FILE_BYTES) throw new Refused("file lies outside the archive");
  if (method === STORED && size !== packed) throw new Refused("file has two sizes");
}

async function openMember(blob, name, member) {
  const header = await view(blob, member.offset, 30).catch(() => null);
  if (!header) throw new Refused(`\`${name}\` is cut off`);
  const flags = header.getUint16(6, true);
  if (header.getUint32(0, true) !== 0x04034b50 || header.getUint16(8, true) !== member.method || flags & ~HARMLESS_FLAGS) {
    throw new Refused(`\`${name}\` has two headers that differ`);
  }
  const nameSize = header.getUint16(26, true);
  const local = await view(blob, member.offset + 30, nameSize);
  if (latin1(local, 0, nameSize) !== name) throw new Refused(`\`${name}\` has two names`);
  const begin = member.offset + 30 + nameSize + header.getUint16(28, true);
  const packed = blob.slice(begin, begin + member.packed);
  const stream = packed.stream();
  if (member.method === STORED) return exactly(chunksOf(stream), member.size, name);
  return exactly(chunksOf(stream.pipeThrough(new DecompressionStream("deflate-raw"))), member.size, name);
}

/** The chunks of a stream, which is cancelled when nobody reads on. */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// However much the stream would give: one byte more than the directory says ends it.
async function* exactly(chunks, size, name) {
  let left = size;
  try {
    for await (const chunk of chunks) {
      left -= chunk.length;
      if (left < 0) throw new Refused(`\`${name}\` inflates beyond its size`);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(`\`${name}\` does not inflate`);
  }
  if (left) throw new Refused(`\`${name}\` is cut off`);
}

/** The whole of a small file; Refused when it is absent or longer than `limit` bytes. */
export async function readWhole(container, name, limit) {
  const parts = [];
  let size = 0;
  for await (const chunk of await container.stream(name)) {
    size += chunk.length;
    if (size > limit) throw new Refused(`\`${name}\` exceeds ${limit} bytes`);
    parts.push(chunk);
  }
  return joined(...parts);
}

// Arrays of the lines in chunks, each of which ends in a newline and has at most `limit` bytes.
async function* lineBatches(chunks, limit) {
  // Of the line that has not ended yet: joined once, when it does.
  let parts = [];
  let size = 0;
  for await (const chunk of chunks) {
    const lines = [];
    let begin = 0;
    let long = false;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
      if (size + end - begin > limit) {
        long = true;
        break;
      }
      const last = chunk.subarray(begin, end);
      lines.push(size ? joined(...parts, last) : last);
      parts = [];
      size = 0;
      begin = end + 1;
    }
    if (lines.length) yield lines;
    if (begin < chunk.length) parts.push(chunk.slice(begin));
    size += chunk.length - begin;
    if (long || size > limit) throw new Refused(`line exceeds ${limit} bytes`);
  }
  if (size) throw new Refused("last line does not end in a newline");
}

/** The lines of a file, each of which ends in a newline and has at most `limit` bytes; Refused at one that does not. */
export async function* linesOf(container, name, limit) {
  for await (const batch of lineBatches(await container.stream(name), limit)) yield* batch;
}
