// V15: no entry claims a time that a witness contradicts. What is under a cosigned head was there when the witness saw
// it, however late. What follows the head was written later only if it was the newest then, which nothing proves: a time
// claimed before is in doubt. Each head speaks by the earliest of its cosignatures.

import { microseconds } from "./entry.js";

const CLOCK_SKEW_SECONDS = 300n;
// From the first second of the year 1 to the last of the year 9999.
const [FIRST, LAST] = [-62135596800n, 253402300799n];

export class TimeBounds {
  /** `heads` are verified checkpoints of this log, {size, cosigned: [{seconds}]}. */
  constructor(findings, heads) {
    this.findings = findings;
    const seen = heads.filter(({ cosigned }) => cosigned?.length).map(({ size, cosigned }) => ({ size, seconds: least(cosigned.map((one) => one.seconds)) }));
    seen.sort((one, other) => Number(one.size - other.size));
    this.sizes = seen.map(({ size }) => Number(size));
    this.spoiled = seen.some(({ seconds }) => seconds + CLOCK_SKEW_SECONDS > LAST || seconds - CLOCK_SKEW_SECONDS < FIRST);
    const times = seen.map(({ seconds }) => seconds * 1000000n);
    const skew = CLOCK_SKEW_SECONDS * 1000000n;
    this.latest = times.map((_, at) => least(times.slice(at)) + skew);
    this.earliest = times.map((_, at) => -least(times.slice(0, at + 1).map((time) => -time)) - skew);
    this.open = this.early = 0;
    this.firstEarly = null;
  }

  visit({ index, time }) {
    if (!this.sizes.length || this.spoiled) return;
    let place = 0;
    while (place < this.sizes.length && this.sizes[place] <= index) place++;
    const claimed = microseconds(time);
    if (place < this.sizes.length && claimed > this.latest[place]) {
      this.findings.fail("V15", "entry claims a time after a witness had seen it", index);
    } else if (place && claimed < this.earliest[place - 1]) {
      this.early++;
      this.firstEarly = this.firstEarly === null ? index : Math.min(index, this.firstEarly);
    }
    if (!place || place === this.sizes.length) this.open++;
  }

  /** Says what is asserted by the operator alone; it counts where `required`. */
  finish(required) {
    if (this.early) {
      const detail = `${this.early} entries claim times before a witness cosigned the head that they follow: they are dated back, or the head was cosigned late`;
      this.findings.doubt("V15", detail, this.firstEarly);
    }
    if (this.spoiled) this.findings.fail("V15", "time of a cosignature is out of bounds");
    else if (!this.sizes.length) this.findings.doubt("V15", "time asserted by operator only: no witness cosigned", null, !required);
    else if (this.open) {
      const detail = "entries existed when a witness cosigned; how long before is asserted by operator only";
      this.findings.doubt("V15", detail, null, !required);
    } else this.findings.passed("V15", "every entry is between heads that witnesses cosigned, in its time too");
  }
}

function least(values) {
  return values.reduce((one, other) => (one < other ? one : other));
}
