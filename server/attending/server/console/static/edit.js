// Editing: the text to release, checked again while it is written, and shown beside what it was.

import { send } from "./api.js";

const item = document.getElementById("item");
const editor = document.getElementById("editor");
const check = document.getElementById("check");
const views = { read: document.getElementById("read"), edit: document.getElementById("edit"), diff: document.getElementById("diff") };
const buttons = [...document.querySelectorAll("[data-view]")];
const original = editor.value;

export const edited = () => editor.value !== original;
export const text = () => (edited() ? editor.value : null);
export let clean = true;

export function show(view, focus = true) {
  for (const [name, element] of Object.entries(views)) element.hidden = name !== view;
  for (const button of buttons) button.ariaPressed = String(button.dataset.view === view);
  if (view === "edit") { fit(); if (focus) editor.focus(); }
}
for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));
document.addEventListener("attending:edit", () => show("edit"));
document.addEventListener("attending:restored", () => show("edit", false));
export function take(words) {
  editor.value = words;
  show("edit");
  editor.dispatchEvent(new Event("input", { bubbles: true }));
}

function fit() {
  editor.style.height = "auto";
  editor.style.height = `${editor.scrollHeight + 4}px`;
}

let waiting = 0;
let asked = 0;
editor.addEventListener("input", () => {
  fit();
  clean = false;
  clearTimeout(waiting);
  waiting = setTimeout(ask, 500);
  tell("Checking the text …", "busy");
});
document.addEventListener("attending:decided", () => { if (edited()) ask(); });

async function ask() {
  const mine = ++asked;
  try {
    const told = await send(`/items/${item.dataset.ticket}/check`, { lease: item.dataset.lease, text: editor.value });
    if (mine !== asked) return;
    compare(told.changes);
    clean = told.blocking.length === 0;
    if (!told.changed) tell("The text is as the model wrote it.", "calm");
    else if (clean) tell("Checked: nothing stands in the way of the changed text.", "calm");
    else tell(null, "alert", told.blocking);
  } catch (error) {
    if (mine === asked) tell(error.message, "alert");
  }
  document.dispatchEvent(new Event("attending:checked"));
}

function tell(words, kind, blocking = []) {
  check.hidden = false;
  check.className = `check ${kind}`;
  check.replaceChildren();
  if (words !== null) { check.textContent = words; return; }
  const head = document.createElement("b");
  head.textContent = blocking.length === 1 ? "One thing stands in the way of this text:" : `${blocking.length} things stand in the way of this text:`;
  check.append(head);
  for (const one of blocking) {
    const line = document.createElement("span");
    line.className = "blocking";
    line.textContent = `${one.severity_words} · ${one.title}: ${one.message}${one.text ? ` (“${one.text}”)` : ""}`;
    check.append(line);
  }
}

function compare(changes) {
  views.diff.replaceChildren(...changes.map(([kind, words]) => {
    const element = document.createElement(kind === "gone" ? "del" : kind === "new" ? "ins" : "span");
    element.textContent = words;
    return element;
  }));
}
compare([["same", original]]);
// A browser may have kept what was written before a reload.
if (edited()) { clean = false; ask(); }
