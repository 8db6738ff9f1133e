// Runs apart from the page, so that it stays responsive: takes {files, anchors}, answers with progress and one report.

import { utf8 } from "./bytes.js";
import { verifyBundle } from "./bundle.js";
import { hasEd25519 } from "./curves.js";
import { LOG, WITNESS, parseKey } from "./note.js";

const UNSUPPORTED = "this browser has no Ed25519 in WebCrypto or no raw inflate: use Chromium 137, Firefox 130, Safari 17.4 or later";

/** The anchors of docs/verifier-page.md, read from what a person pasted: text of keys, notes and a quorum. */
function readAnchors({ keys, witnesses, pinned, quorum, ...required }) {
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
  return { ...anchors, quorum: wanted, pinned: pinned.map((note) => utf8(note)) };
}

self.onmessage = async ({ data: { files, anchors } }) => {
  try {
    if (!(await hasEd25519()) || typeof DecompressionStream === "undefined") throw new TypeError(UNSUPPORTED);
    const progress = (done, total) => self.postMessage({ progress: { done, total } });
    self.postMessage({ report: await verifyBundle(files, readAnchors(anchors), progress) });
  } catch (error) {
    // What a person has to change, or what the browser could not do: no verdict.
    self.postMessage({ error: error instanceof TypeError ? error.message : `cannot read the files: ${error.name}` });
  }
};
