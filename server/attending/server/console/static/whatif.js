// What if: a draft from a file or the box, its faults by line, and a run that renews itself while it goes on.

import { put, say, send } from "./api.js";

const page = document.getElementById("whatif");
const form = document.getElementById("try");
const run = document.getElementById("run");
const box = document.getElementById("policy-yaml");
const here = `/policies/${page.dataset.place}/what-if`;

form.addEventListener("change", ({ target }) => {
  if (target.name === "version") document.getElementById("draft").hidden = target.value !== "draft";
});
document.getElementById("file")?.addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  if (file.size > Number(box.dataset.bound)) say("This file is too large for a policy."); else box.value = await file.text();
});

function tell(problems) {
  const told = document.getElementById("problems");
  const list = told.querySelector("ol");
  list.replaceChildren(...problems.map((one) => {
    const item = document.createElement("li");
    const place = document.createElement("b");
    place.textContent = one.place;
    item.append(place, `${one.key ? ` ${one.key}` : ""}: ${one.message}. Next: ${one.next_step}.${one.error ? "" : " (a warning)"}`);
    return item;
  }));
  told.hidden = !problems.length;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const refused = form.querySelector(".refused");
  refused.hidden = true;
  tell([]);
  try {
    const { begun, problems } = await send(here, Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string")));
    tell(problems);
    if (begun) await renew();
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
  } finally {
    form.ariaBusy = null;
  }
});

async function renew() {
  try {
    const answer = await fetch(`${here}?part=run`, { headers: { "X-Attending-Background": "1" }, redirect: "error" });
    if (!answer.ok) return;
    const focused = document.activeElement?.id;
    put(run, await answer.text());
    if (focused === "cancel") document.getElementById("cancel")?.focus();
  } catch { /* the page says that it is not connected */ }
}
document.addEventListener("attending:changed", renew);
run.addEventListener("click", async ({ target }) => {
  if (target.id !== "cancel") return;
  target.disabled = true;
  try { await send(`${here}/cancel`); } catch (error) { say(error.message); }
  await renew();
});
