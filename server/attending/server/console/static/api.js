// How the pages speak to the console: JSON, the page's token, and sentences for people when something is refused.

// In a frame of another site: a session of its own, and nowhere to go but the patient's items.
const page = document.documentElement.dataset;
export const framed = page.framed === "yes";
export const home = page.home ?? "/";

export const csrf = document.querySelector('meta[name="attending-csrf"]')?.content ?? "";

export class Refused extends Error {
  constructor(status, told) {
    super(told.sentence ?? "The server did not answer. Nothing was changed. Try again.");
    this.status = status;
    this.reason = told.reason ?? "UNREACHABLE";
    this.metadata = told.metadata ?? {};
    this.problems = told.problems ?? {};
  }
}

async function ask(path, fields, { background = false, keepalive = false } = {}) {
  const headers = { "Accept": "application/json", "Content-Type": "application/json", "X-Attending-CSRF": csrf };
  if (framed) headers["X-Attending-Framed"] = "1";
  if (background) headers["X-Attending-Background"] = "1";
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(fields), redirect: "error", keepalive });
  } catch {
    throw new Refused(0, {});
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401 && csrf) leave();
  throw new Refused(answer.status, told);
}

export async function send(path, fields = {}, how = {}) {
  return (await ask(path, fields, how)).json().catch(() => ({}));
}

// A file for whoever asked, whole or not at all: it is handed to the browser when its last byte is here.
export async function save(path, fields, name) {
  const answer = await ask(path, fields);
  let file;
  try {
    file = await answer.blob();
  } catch {
    throw new Refused(0, { sentence: "The file did not arrive whole, and nothing was kept. Download it again." });
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A step that is sent again after a lost answer is the same step: it keeps its key.
export function once() {
  return crypto.randomUUID();
}

export function leave() {
  if (framed) { location.assign("/smart/ended"); return; }
  const here = location.pathname + location.search;
  location.assign(`/sign-in?ended=1&next=${encodeURIComponent(here)}`);
}

// A browser may give a page in a frame no store of its own.
export function store(name) {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
}

let hiding = 0;
export function say(words, kind = "alert") {
  const toast = document.getElementById("toast");
  toast.textContent = words;
  toast.className = `toast ${kind}`;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 12_000);
}

// The one place where markup is taken: our own server's, escaped by its templates.
const policy = globalThis.trustedTypes?.createPolicy("attending", { createHTML: (text) => text });
export function put(element, markup) {
  element.innerHTML = policy ? policy.createHTML(markup) : markup;
}
