// The register of exceptions as a report has it attached, `register.csv` (RFC 4180): the entries that are not in order.

import { textIn } from "./canonical.js";
import { exceptionOf } from "./figures.js";
import { labelOf } from "./tally.js";

const COLUMNS = ["entry", "time", "exception", "type", "stream", "actor", "detail"];
const DETAILS = [
  ...["reason", "reason_code", "refused", "stage", "severity", "category", "outcome", "purpose", "policy"],
  ...["sla_id", "incident_id", "key_id"],
];

export const HEADING = row(COLUMNS);

/** The line of an entry, null where it is no exception. */
export function exceptionLine(entry) {
  const kind = exceptionOf(entry);
  if (kind === null) return null;
  const said = DETAILS.map((name) => [name, textIn(entry.body, name)]).filter(([, value]) => value !== null);
  const detail = said.map(([name, value]) => `${name}=${labelOf(value)}`).join("; ");
  return row([String(entry.index), entry.time, kind, entry.type, entry.stream, entry.actor, detail]);
}

// A cell that a spreadsheet would take for a formula begins with an apostrophe.
function row(cells) {
  const plain = cells.map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell));
  return `${plain.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")}\r\n`;
}
