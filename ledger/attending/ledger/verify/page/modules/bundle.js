// Verification of a bundle against anchors that never come from it.
//
// Steps: 1. container; 2. manifest, introductions of keys, its signature and the list of files; 3. checkpoint and
// witnesses; 4. payloads; 5. entries, by scope; 6. pinned checkpoints; 7. statistics and time. A step that fails does not
// keep the later ones from going on, so that the report names the record that was changed and not only the file.

import { Refused } from "./bytes.js";
import { Checks } from "./checks.js";
import { linesOf, openContainer, readWhole } from "./container.js";
import { Counts } from "./counts.js";
import { Emitters } from "./emitters.js";
import { Files } from "./files.js";
import { Introductions, MAX_INTRODUCTION_BYTES, whyNotSigned } from "./introductions.js";
import { MAX_MANIFEST_BYTES, parseManifest, signedText } from "./manifest.js";
import { MAX_NOTE_BYTES, parseCheckpoint, parseNote, verifyCheckpoint, verifyNote } from "./note.js";
import { MAX_PAYLOAD_LINE_BYTES, Payloads } from "./payloads.js";
import { Pins } from "./pins.js";
import { CHECKS, Findings, NOT_CHECKED, verdictOf } from "./report.js";
import { Scope } from "./scope.js";
import { TimeBounds } from "./timebounds.js";

/** The report over a bundle.
 *
 * `files` are [{name, blob, inFolder}]. `anchors` are {keys, witnesses, quorum (null: all), pinned (bytes of notes),
 * requireTime, requireFreshness, requireComplete}. `progress` is called with (entries verified, entries in scope).
 */
export async function verifyBundle(files, anchors, progress = () => {}) {
  const findings = new Findings();
  const verification = new Verification(findings, anchors, progress);
  try {
    await verification.run(await openContainer(files));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    findings.fail("V1", error.message);
  }
  const results = findings.results();
  return {
    kind: "bundle",
    verdict: verdictOf(results),
    origin: verification.manifest?.origin ?? null,
    scope: verification.manifest?.scope ?? null,
    results,
    statistics: verification.counts?.result() ?? {},
    not_checked: NOT_CHECKED,
    checks: CHECKS,
  };
}

class Verification {
  constructor(findings, anchors, progress) {
    this.findings = findings;
    this.anchors = anchors;
    this.progress = progress;
    this.manifest = null;
    this.counts = null;
  }

  async run(container) {
    this.container = container;
    if (!(await this.readManifest())) return;
    const { findings, anchors, manifest } = this;
    const { kind, begin } = manifest;
    const files = new Files(findings, container, manifest.files);
    this.counts = new Counts(findings, manifest, files);
    await files.check();
    const head = await this.checkCheckpoint();
    this.introductions.compare(head);
    this.payloads = new Payloads(findings, kind === "full");
    if (files.has("payloads.jsonl")) {
      this.payloads.present = true;
      for await (const line of files.lines("payloads.jsonl", MAX_PAYLOAD_LINE_BYTES)) this.payloads.load(line);
    }
    this.emitters = new Emitters();
    this.checks = new Checks(findings, kind, begin);
    const pins = new Pins(findings, manifest);
    await pins.read(anchors, this.introductions.terms(true));
    this.times = new TimeBounds(findings, [...(head?.cosigned ? [head] : []), ...pins.mine]);
    const scope = new Scope(findings, manifest, files, head, this.progress);
    if (files.has("context.jsonl")) {
      await scope.runContext((entry) => {
        this.counts.visitContext(entry);
        return this.visitContext(entry);
      });
    }
    if (kind === "subset") await scope.runSubset((entry) => this.visit(entry));
    else {
      await scope.run(
        (entry) => this.visit(entry),
        (size, root) => pins.passed(size, root),
      );
    }
    this.checks.finish();
    this.introductions.finish();
    this.emitters.report(findings, kind === "full", anchors.requireComplete);
    this.payloads.finish();
    pins.compare(head, anchors.requireFreshness);
    this.checks.successions.compare(pins.foreign);
    await this.counts.check(scope.unreadable, this.emitters);
    this.times.finish(anchors.requireTime);
  }

  async visit(entry) {
    this.counts.visit(entry);
    this.emitters.visit(entry);
    this.introductions.visit(entry);
    await this.visitContext(entry);
  }

  async visitContext(entry) {
    this.payloads.visit(entry);
    await this.checks.visit(entry);
    this.times.visit(entry);
  }

  /** V1, the manifest and who signed it; false where there is none to go on with. */
  async readManifest() {
    let data;
    try {
      data = await readWhole(this.container, "manifest.json", MAX_MANIFEST_BYTES);
      this.manifest = parseManifest(data);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.judge(!error.later, "V1", error.message);
      return false;
    }
    const { origin, files } = this.manifest;
    this.introductions = new Introductions(this.findings, origin, this.anchors.keys);
    if (files.has("introductions.jsonl")) {
      await this.introductions.load(linesOf(this.container, "introductions.jsonl", MAX_INTRODUCTION_BYTES));
    }
    try {
      const note = parseNote(await readWhole(this.container, "manifest.sig", MAX_NOTE_BYTES));
      if (note.text !== signedText(origin, data)) this.findings.fail("V1", "manifest is not the one that was signed");
      else if (!this.hasKey()) this.findings.doubt("V1", "no key of this log was given");
      else {
        const terms = this.introductions.terms();
        const found = await verifyNote(note, terms.map(({ key }) => key));
        const why = whyNotSigned(found, terms, await this.claimedSize());
        if (why) this.findings.fail("V1", why);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V1", `signature of the manifest: ${error.message}`);
    }
    return true;
  }

  hasKey() {
    return this.anchors.keys.some((key) => key.name === this.manifest.origin);
  }

  async claimedSize() {
    try {
      return parseCheckpoint(await readWhole(this.container, "checkpoint", MAX_NOTE_BYTES)).size;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return null;
    }
  }

  /** V8. A head that is not verified still serves to find the record that was changed; a verified one has `cosigned`. */
  async checkCheckpoint() {
    const { witnesses, quorum } = this.anchors;
    let head = null;
    try {
      head = parseCheckpoint(await readWhole(this.container, "checkpoint", MAX_NOTE_BYTES));
      if (head.origin !== this.manifest.origin) throw new Refused("checkpoint is of another log than the manifest");
      if (!this.hasKey()) {
        this.findings.doubt("V8", "no key of this log was given");
        return head;
      }
      const cosigned = await verifyCheckpoint(head, this.introductions.terms(), witnesses, quorum ?? witnesses.length);
      head = { ...head, cosigned };
      this.findings.passed("V8", `head of size ${head.size} is signed by the log, cosigned by ${cosigned.length}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.findings.fail("V8", error.message);
    }
    return head;
  }
}
