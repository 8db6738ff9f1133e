// How long the item is read: seconds in which the page is in front and focused and its reader did something lately.

import { send } from "./api.js";

const IDLE_MS = 60_000;
const TELL_SECONDS = 60;
const item = document.getElementById("item");
const path = `/items/${item.dataset.ticket}/reading`;

let acted = Date.now();
let untold = 0;
for (const kind of ["keydown", "pointerdown", "pointermove", "scroll", "wheel", "touchmove"]) {
  addEventListener(kind, () => { acted = Date.now(); }, { passive: true, capture: true });
}
if (item.dataset.review === "yes") setInterval(() => {
  if (document.visibilityState === "visible" && document.hasFocus() && Date.now() - acted < IDLE_MS) untold += 1;
  if (untold >= TELL_SECONDS) tell();
}, 1000);

// Seconds that the server has not been told of; who takes them sends them along.
export function take() {
  const seconds = untold;
  untold = 0;
  return seconds;
}

async function tell() {
  const seconds = take();
  if (!seconds) return;
  try {
    await send(path, { read_seconds: seconds }, { background: true, keepalive: true });
  } catch { /* at worst the reader is asked why they were so quick */ }
}
addEventListener("pagehide", tell);
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") tell(); });
