// Signing: the server prepares the statement, the reviewer's device signs it, the server verifies and releases.

import { once, say, send } from "./api.js";
import { forget } from "./draft.js";
import { clean, edited, show, text } from "./edit.js";
import { onSend } from "./forms.js";
import { take } from "./reading.js";
import { prove } from "./webauthn.js";

const item = document.getElementById("item");
const path = `/items/${item.dataset.ticket}`;
const button = document.getElementById("sign");
const as = document.getElementById("sign-as");
const dialog = document.getElementById("sign-dialog");
const original = document.getElementById("editor").defaultValue;

function ready() {
  const open = Number(item.dataset.open);
  as.textContent = open ? `${open} to decide first` : edited() && !clean ? (document.getElementById("check").classList.contains("busy") ? "checking the text" : "the text is not clean yet") : edited() || item.dataset.edited ? "approved with edits" : "approved as written";
  button.ariaDisabled = open || !clean ? "true" : null;
}
for (const kind of ["attending:decided", "attending:checked", "input"]) document.addEventListener(kind, ready);
ready();

let signing = false;
button.addEventListener("click", async () => {
  // A second press while the first is under way is the same one.
  if (signing) return;
  if (button.ariaDisabled === "true") { say(Number(item.dataset.open) ? "Decide on each finding first." : "Wait until the text is checked, or change it."); return; }
  signing = true;
  button.ariaDisabled = "true";
  try {
    const shown = edited() ? document.getElementById("editor").value : original;
    const told = await send(`${path}/prepare`, { lease: item.dataset.lease, judged: item.dataset.judged, text: text(), shown, read_seconds: take() });
    // What is released must have been seen: the text as edited, or as another person signed it.
    if ((!told.as_shown || edited()) && !(await confirmed(told))) return;
    const reason = told.reading.short ? await paced(told.reading) : "";
    if (reason === null) return;
    const credential = await prove(told.options);
    await send(`${path}/sign`, { idempotency_key: once(), lease: item.dataset.lease, preparation: told.preparation, credential, reading_reason: reason, read_seconds: take() });
    await forget();
    location.reload();
  } catch (error) {
    say(error.message);
  } finally {
    signing = false;
    button.ariaDisabled = null;
    ready();
  }
});

// --- a signed refusal: the device signs that this text is rejected, and why
const refusal = document.querySelector("form[data-refuses]");
if (refusal) {
  onSend(refusal, async ({ reason_code, note }) => {
    const told = await send(`${path}/prepare`, { lease: item.dataset.lease, judged: item.dataset.judged, text: null, shown: original, rejection: { reason_code, note }, read_seconds: take() });
    const credential = await prove(told.options);
    await send(`${path}/sign`, { idempotency_key: once(), lease: item.dataset.lease, preparation: told.preparation, credential, read_seconds: take() });
  });
}

async function confirmed(told) {
  document.getElementById("sign-words").textContent = `${told.name}, ${told.role}, ${new Date(told.time).toLocaleString()}: ${told.meaning}`;
  const changes = edited() && told.as_shown ? [...document.getElementById("diff").cloneNode(true).childNodes] : told.changes.map(([kind, words]) => {
    const element = document.createElement(kind === "gone" ? "del" : kind === "new" ? "ins" : "span");
    element.textContent = words;
    return element;
  });
  document.getElementById("sign-text").replaceChildren(...changes);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue === "sign") return true;
  show("edit");
  return false;
}

// Sooner than the text can be read: at the highest tier one waits, elsewhere one press says why.
async function paced(reading) {
  const pace = document.getElementById("pace-dialog");
  const left = Math.max(1, reading.floor_seconds - reading.seconds);
  document.getElementById("pace-words").textContent = `Reading this text takes about ${reading.floor_seconds} seconds; you have had it in front of you for ${reading.seconds}.`;
  document.getElementById("pace-wait").hidden = !reading.waits;
  document.getElementById("pace-reasons").hidden = reading.waits;
  if (reading.waits) document.getElementById("pace-wait").textContent = `Texts of this kind are signed after that: read on for ${left} seconds, then sign.`;
  pace.returnValue = "";
  pace.showModal();
  await new Promise((resolve) => pace.addEventListener("close", resolve, { once: true }));
  return reading.waits || !pace.returnValue || pace.returnValue === "cancel" ? null : pace.returnValue;
}
