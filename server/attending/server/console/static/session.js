// The session: what the server says by itself, the end for want of use, the keys, and signing out.

import { csrf, framed, home, leave, say, send, store } from "./api.js";
import { run } from "./clock.js";
import "./draft.js";

run();
// A page that the back button brings is asked for anew: what it showed may be another's, or over.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// --- what the pages of one session tell each other: what the server said, and that their person is there
const pages = new BroadcastChannel(`attending.${csrf}`);
function tell(what) {
  pages.postMessage(what);
  hear({ data: what });
}
pages.addEventListener("message", hear);

// --- server-sent events: a page listens with document.addEventListener("attending:changed", ...)
// One page listens for all of them: a browser has few connections to one server, and each page would hold one.
const live = document.getElementById("live");
const RETRY_MS = 5_000;
function listen() {
  const source = new EventSource(framed ? "/live?framed=1" : "/live");
  source.addEventListener("changed", () => tell("changed"));
  source.addEventListener("ended", () => { source.close(); tell("ended"); });
  source.addEventListener("hello", () => tell("connected"));
  source.addEventListener("error", async () => {
    tell("lost");
    // A browser tries again by itself after a connection that broke, and never after an answer that is no stream.
    if (source.readyState !== EventSource.CLOSED) return;
    try {
      await send("/session/active", {}, { background: true });
    } catch { /* whose session is over was sent to sign in */ }
    setTimeout(listen, RETRY_MS);
  });
}
navigator.locks.request(`attending.${csrf}`, () => new Promise(listen)).catch(listen);

function hear({ data: what }) {
  if (what === "changed") document.dispatchEvent(new Event("attending:changed"));
  else if (what === "ended") leave();
  else if (what === "lost") {
    live.textContent = "Not connected: what you see may be old.";
    live.hidden = false;
  } else if (what === "connected") {
    // What happened meanwhile was told to nobody.
    if (!live.hidden) document.dispatchEvent(new Event("attending:changed"));
    live.hidden = true;
  } else if (what === "here") {
    last = Date.now();
    if (dialog.open) dialog.close("elsewhere");
  }
}

// --- idle: the server ends a session in which nobody did anything; here it is said a minute before
let idleSeconds = 900;
let last = Date.now();
let told = Date.now();
const dialog = document.getElementById("idle");
async function active() {
  told = Date.now();
  // Who works in another window is there, too.
  pages.postMessage("here");
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
dialog.addEventListener("close", () => {
  last = Date.now();
  if (dialog.returnValue !== "elsewhere") active();
  dialog.returnValue = "";
});
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
const settings = store("localStorage");
box.checked = settings?.getItem("attending.shortcuts") !== "off";
box.addEventListener("change", () => settings?.setItem("attending.shortcuts", box.checked ? "on" : "off"));
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
