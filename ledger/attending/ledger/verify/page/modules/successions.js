// Of V14 and V9: a log's own end and beginning, `log.sealed` and `log.continued`, and the head that joins two logs.

import { Refused, toHex } from "./bytes.js";
import { isHex64 } from "./entry.js";
import { parseKey } from "./note.js";

const AFTER_SEAL = ["subject.linked", "subject.unlinked", "subject.erased", "hold.placed", "hold.lifted", "payload.pruned"];

export class Successions {
  constructor(findings) {
    this.findings = findings;
    this.sealed = null;
    this.predecessor = null;
  }

  visit(entry) {
    const { type, index, body } = entry;
    if (this.sealed !== null && !AFTER_SEAL.includes(type)) {
      this.findings.fail("V14", `log was sealed by entry ${this.sealed}, and takes only custody of its payloads since`, index);
    }
    if (type === "log.sealed") {
      this.sealed ??= index;
      if (typeof body.successor !== "string" || !isKey(body.successor_key)) {
        this.findings.fail("V14", "seal does not name a successor with its key", index);
      }
    } else if (type === "log.continued") this.continued(entry);
  }

  continued({ index, origin, body }) {
    const { predecessor, size, root, predecessor_key: key } = body;
    const named = typeof predecessor === "string" && Number.isSafeInteger(size) && size > 0 && isHex64(root) && isKey(key);
    if (index !== 0) this.findings.fail("V14", "only the first entry of a log may continue another", index);
    else if (!named) this.findings.fail("V14", "log before is not named with its key, size and root", index);
    else if (predecessor === origin) this.findings.fail("V14", "log continues itself", index);
    else this.predecessor = { origin: predecessor, size: BigInt(size), root };
  }

  /** What is said of the log before, against verified checkpoints of other logs. */
  compare(heads) {
    const before = this.predecessor;
    for (const { origin, size, root } of heads) {
      if (!before || origin !== before.origin) this.findings.fail("V9", `pinned checkpoint of size ${size} is of another log`);
      else if (size !== before.size) {
        this.findings.doubt("V9", `pinned head of the log before is of size ${size}, it was sealed at ${before.size}`, null, true);
      } else if (toHex(root) !== before.root) {
        this.findings.fail("V9", `forked: the log before is named with root ${before.root}, and signed ${toHex(root)}`, 0);
      }
    }
    if (before && !heads.some(({ size }) => size === before.size)) {
      const detail = `goes on from a sealed log of ${before.size} entries; no checkpoint of it at that size was given`;
      this.findings.doubt("V9", detail, null, true);
    }
  }
}

function isKey(value) {
  try {
    parseKey(value);
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return false;
  }
}
