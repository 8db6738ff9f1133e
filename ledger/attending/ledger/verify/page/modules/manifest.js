// The manifest of a bundle, and the text by which the log's key signs it.

import { Refused, toBase64 } from "./bytes.js";
import { hasExactly, isCount, isObject, parseCanonical } from "./canonical.js";
import { isHex64, isTime } from "./entry.js";
import { sha256 } from "./sha256.js";

export const MAX_MANIFEST_BYTES = 1 << 20;
const FORMAT = "attending-bundle/1";

/** {origin, kind, begin, end, files: Map of name to {sha256, size}, statistics, scope}. */
export function parseManifest(data) {
  const value = parseCanonical(data);
  if (!isObject(value)) throw new Refused("manifest is not an object");
  if (typeof value.format === "string" && value.format !== FORMAT && /^attending-bundle\/[0-9]{1,9}$/.test(value.format)) {
    throw new Refused("bundle is of a later format", { later: true });
  }
  const { format, origin, scope, statistics, files, created } = value;
  const names = ["created", "files", "format", "origin", "scope", "statistics"];
  if (typeof format === "string" && format.startsWith("attending-deidentified/")) {
    throw new Refused("a de-identified document, which this page does not read: check it with `attending verify`", { later: true });
  }
  if (!hasExactly(value, names) || format !== FORMAT) throw new Refused("fields are not exactly those of version 1");
  if (typeof origin !== "string" || !isObject(statistics)) throw new Refused("`origin` or `statistics` is not well formed");
  if (!hasExactly(scope, ["from", "kind", "to"]) || !["full", "range", "subset"].includes(scope.kind)) {
    throw new Refused("`scope` is not well formed");
  }
  if (!isCount(scope.from) || !isCount(scope.to) || scope.from > scope.to) throw new Refused("`scope` is not a range of indices");
  if (scope.kind === "full" && scope.from !== 0) throw new Refused("scope `full` does not begin at 0");
  if (!isTime(created)) throw new Refused("`created` is not a time");
  return { origin, kind: scope.kind, begin: scope.from, end: scope.to, files: parseFiles(files), statistics, scope };
}

function parseFiles(value) {
  const files = new Map();
  if (!Array.isArray(value)) throw new Refused("`files` is not well formed");
  for (const item of value) {
    if (!hasExactly(item, ["name", "sha256", "size"]) || typeof item.name !== "string" || !isHex64(item.sha256) || !isCount(item.size)) {
      throw new Refused("`files` is not well formed");
    }
    if (files.has(item.name) || item.name === "manifest.json" || item.name === "manifest.sig") {
      throw new Refused("file is listed twice or is the manifest itself");
    }
    files.set(item.name, item);
  }
  if (!files.has("entries.jsonl") || !files.has("checkpoint")) throw new Refused("bundle lists no entries or no checkpoint");
  return files;
}

/** The text of `manifest.sig`. */
export function signedText(origin, data) {
  return `${FORMAT}\n${origin}\n${toBase64(sha256(data))}\n`;
}
