// The page's worker, as it stands in the page, run by node: for thousands of bundles, each of which a browser takes
// longer to hand over than to verify. Usage: node verifier_worker.mjs WORKER.js < cases > answers, a line of JSON each.
import fs from "node:fs";
import vm from "node:vm";
import { createInterface } from "node:readline";
import { webcrypto } from "node:crypto";

let answered;
const self = { postMessage: (data) => data.progress || answered(data) };
const known = { self, crypto: webcrypto, Blob, DecompressionStream, TextDecoder, TextEncoder, Uint8Array, atob, btoa };
vm.runInNewContext(fs.readFileSync(process.argv[2], "utf8"), known);

for await (const line of createInterface({ input: process.stdin })) {
  const { files, anchors } = JSON.parse(line);
  const chosen = files.map(({ data, ...file }) => ({ ...file, blob: new Blob([Buffer.from(data, "base64")]) }));
  const answer = await new Promise((resolve) => {
    answered = resolve;
    self.onmessage({ data: { files: chosen, anchors } });
  });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
