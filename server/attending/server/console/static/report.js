// One report: how far it is, its files, the passkey that signs it off, and its issue.

import { once, put, save, send } from "./api.js";
import { prove } from "./webauthn.js";

const id = document.getElementById("report").dataset.report;
const path = `/reports/${id}`;
const standing = document.getElementById("standing");
const busy = document.getElementById("busy");
const refused = document.getElementById("refused");
const dialog = document.getElementById("sign-dialog");
const NAMES = { report: `report-${id}.pdf`, draft: `draft-${id}.pdf`, bundle: `evidence-${id}.attending` };
const MAKING_MS = 2_000;

let working = false;
let shown = "";
async function renew() {
  // What is pressed stays where it is until it is done.
  if (working) return;
  try {
    const answer = await fetch(`${path}?part=standing`, { headers: { "X-Attending-Background": "1" }, redirect: "error" });
    const markup = answer.ok ? await answer.text() : shown;
    if (working || markup === shown) return;
    shown = markup;
    const focused = standing.contains(document.activeElement) ? document.activeElement.id : null;
    put(standing, markup);
    if (focused !== null) (document.getElementById(focused) ?? standing).focus();
  } catch { /* the page says that it is not connected */ }
}
document.addEventListener("attending:changed", renew);
setInterval(() => { if (standing.querySelector("[data-making]")) renew(); }, MAKING_MS);

async function step(words, work) {
  // A second press while the first is under way is the same one.
  if (working) return;
  working = true;
  busy.textContent = words;
  refused.hidden = true;
  try {
    await work();
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
  } finally {
    working = false;
    busy.textContent = "";
    await renew();
  }
}

const purpose = () => document.getElementById("purpose").value;
const download = (file) => step("The file is being given.", () => save(`${path}/files/${file}`, { purpose: purpose() }, NAMES[file]));

const again = () => step("", () => send(`${path}/again`));

const sign = () => step("", async () => {
  const told = await send(`${path}/prepare`);
  for (const [name, words] of Object.entries({
    words: `${told.name}, ${told.role}, ${new Date(told.time).toLocaleString()}: ${told.meaning}`,
    draft: told.draft, bundle: told.bundle, size: told.tree_size, root: told.root,
  })) document.getElementById(`sign-${name}`).textContent = words;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "sign") return;
  const credential = await prove(told.options);
  await send(`${path}/sign`, { idempotency_key: once(), preparation: told.preparation, credential });
});

let key = once();
const issue = () => step("The pages are set with the signature, and sealed where a seal is configured.", async () => {
  try {
    await send(`${path}/issue`, { idempotency_key: key });
  } catch (error) {
    // One that is sent again after a lost answer is the same; after a refusal it is another.
    if (error.status !== 0) key = once();
    throw error;
  }
});

standing.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.dataset.file) download(button.dataset.file);
  else ({ again, sign, issue })[button?.id]?.();
});
