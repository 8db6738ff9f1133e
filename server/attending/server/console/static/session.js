// The session: what the server says by itself, the end for want of use, the keys, and signing out.

import { framed, home, leave, say, send } from "./api.js";
import { run } from "./clock.js";

run();

// --- server-sent events: a page listens with document.addEventListener("attending:changed", ...)
const live = document.getElementById("live");
const source = new EventSource(framed ? "/live?framed=1" : "/live");
source.addEventListener("changed", () => document.dispatchEvent(new Event("attending:changed")));
source.addEventListener("ended", () => { source.close(); leave(); });
source.addEventListener("hello", () => { live.hidden = true; });
source.addEventListener("error", () => {
  live.textContent = "Not connected: what you see may be old.";
  live.hidden = false;
});

// --- idle: the server ends a session in which nobody did anything; here it is said a minute before
let idleSeconds = 900;
let last = Date.now();
let told = Date.now();
const dialog = document.getElementById("idle");
async function active() {
  told = Date.now();
  try {
    idleSeconds = (await send("/session/active")).idle_seconds;
  } catch { /* the next one tells */ }
}
for (const kind of ["keydown", "pointerdown", "pointermove", "scroll"]) {
  addEventListener(kind, () => {
    if (dialog.open) return;
    last = Date.now();
    if (last - told > 60_000) active();
  }, { passive: true, capture: true });
}
dialog.addEventListener("close", () => { last = Date.now(); active(); });
setInterval(() => {
  const left = Math.ceil(idleSeconds - (Date.now() - last) / 1000);
  if (left <= 0) leave();
  else if (left <= 60) {
    document.getElementById("idle-left").textContent = left;
    if (!dialog.open) dialog.showModal();
  }
}, 1000);
active();

// --- keys: single letters, which can be turned off (WCAG 2.1.4)
const box = document.getElementById("shortcuts");
box.checked = localStorage.getItem("attending.shortcuts") !== "off";
box.addEventListener("change", () => localStorage.setItem("attending.shortcuts", box.checked ? "on" : "off"));
const keys = document.getElementById("keys");
document.getElementById("show-keys").addEventListener("click", () => keys.showModal());
addEventListener("keydown", (event) => {
  if (!box.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "?") keys.showModal();
  else if (event.key === "q") location.assign(home);
  else document.dispatchEvent(new CustomEvent("attending:key", { detail: event }));
});

document.getElementById("sign-out").addEventListener("click", async () => {
  try {
    location.assign((await send("/session/out")).next);
  } catch (error) { say(error.message); }
});
const others = document.getElementById("end-others");
others?.addEventListener("click", async () => {
  try {
    await send("/session/others");
    document.getElementById("elsewhere").remove();
    say("The other sessions are ended.", "calm");
  } catch (error) { say(error.message); }
});
