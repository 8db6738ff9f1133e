// What is typed and not sent: it outlives a reload and the end of a session, and nobody else can read it.
// It lies in this tab, sealed with a key that the server gives to the same person alone, once they are signed in again.

import { say, store } from "./api.js";

const SETTLED_MS = 300;
const FIELDS = "textarea[id], form[data-send] :is(input:not([type]), select)[id]";
const kept = store("sessionStorage");
const slot = `attending.draft:${location.pathname}`;
const item = document.getElementById("item");
const given = document.querySelector('meta[name="attending-draft"]').content;
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const key = crypto.subtle.importKey("raw", bytes(given), "AES-GCM", false, ["encrypt", "decrypt"]);
const about = (iv) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(slot) });

function typed(field) {
  if (field.tagName === "SELECT") return !field.options[field.selectedIndex]?.defaultSelected && field.selectedIndex > 0;
  return field.value !== field.defaultValue;
}

let waiting = 0;
async function keep() {
  clearTimeout(waiting);
  if (!kept) return;
  const fields = [...document.querySelectorAll(FIELDS)].filter(typed).map((field) => [field.id, field.value]);
  if (!fields.length) { kept.removeItem(slot); return; }
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = new Uint8Array(await crypto.subtle.encrypt(about(iv), await key, new TextEncoder().encode(JSON.stringify(fields))));
  const text = [iv, sealed].map((part) => btoa(Array.from(part, (byte) => String.fromCharCode(byte)).join(""))).join(".");
  try {
    kept.setItem(slot, text);
  } catch { /* no room: as before, without */ }
}

// What a form had in it was sent, and is no draft any more; without a form, all of the page.
export async function forget(form = document) {
  for (const field of form.querySelectorAll(FIELDS)) {
    if (field.tagName === "SELECT") field.selectedIndex = 0; else field.value = field.defaultValue;
  }
  await keep();
}

async function restore() {
  const text = kept?.getItem(slot) ?? null;
  if (text === null) return;
  // Of an item that waits no more nothing is sent; of one that is not one's own now it is kept for when it is again.
  if (item && item.dataset.state !== "held") { kept.removeItem(slot); return; }
  if (item && !item.dataset.lease) return;
  let fields;
  try {
    const [iv, sealed] = text.split(".").map(bytes);
    fields = JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(about(iv), await key, sealed)));
  } catch {
    // Another person's, or of before the server was started again.
    kept.removeItem(slot);
    return;
  }
  const found = fields.map(([id, value]) => [document.getElementById(id), value]).filter(([field]) => field);
  for (const [field, value] of found) {
    if (typed(field)) continue;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    if (field.id === "editor") document.dispatchEvent(new Event("attending:restored"));
  }
  if (found.length) say("What you had typed here is back.", "calm");
}

// Where nothing can be kept, that is said before it is lost.
document.getElementById("idle-lost").hidden = Boolean(kept);
addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(keep, SETTLED_MS); });
// After the page's own scripts, which look at what its fields were to begin with.
if (document.readyState === "complete") restore(); else addEventListener("DOMContentLoaded", restore);
