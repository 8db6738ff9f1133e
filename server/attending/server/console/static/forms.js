// Forms that send one step: each is sent once, a refusal is told where it was pressed, and what was written stays.

import { once, say, send } from "./api.js";
import { forget } from "./draft.js";

export async function working(form, work) {
  // One at a time: a second press does nothing while the first is under way.
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const told = form.querySelector(".refused:not([data-wrong])");
  const busy = form.querySelector(".busy");
  if (told) told.hidden = true;
  if (busy) busy.textContent = form.dataset.busy;
  marked(form, {});
  try {
    await work();
    await forget(form);
    // What follows may be the page that one is on, which has changed, at a place of it.
    const [page, place] = (form.dataset.then ?? location.pathname).split("#");
    if (page !== location.pathname) { location.assign(form.dataset.then); return; }
    if (place) history.replaceState(null, "", `#${place}`);
    location.reload();
  } catch (error) {
    if (told) { told.textContent = error.message; told.hidden = false; } else say(error.message);
    marked(form, error.problems ?? {});
  } finally {
    form.ariaBusy = null;
    if (busy) busy.textContent = "";
  }
}

// What is wrong with a field stands beside it, and the first of them has the focus.
function marked(form, problems) {
  let first = null;
  for (const place of form.querySelectorAll("[data-wrong]")) {
    const words = problems[place.dataset.wrong];
    const field = form.elements.namedItem(place.dataset.wrong);
    place.hidden = !words;
    place.textContent = words ?? "";
    field.ariaInvalid = words ? "true" : null;
    if (words) first ??= field;
  }
  first?.focus();
}

export function onSend(form, work) {
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    working(form, () => work(Object.fromEntries(new FormData(form))));
  });
}

for (const form of document.querySelectorAll("form[data-send]")) {
  // A step that is sent again after a lost answer is the same step; after a refusal it is another.
  let key = once();
  onSend(form, async (fields) => {
    const lease = document.getElementById("item")?.dataset.lease;
    try {
      await send(form.dataset.send, { idempotency_key: key, ...(lease ? { lease } : {}), ...fields });
    } catch (error) {
      if (error.status !== 0) key = once();
      throw error;
    }
  });
}
for (const opener of document.querySelectorAll("[data-opens]")) {
  opener.addEventListener("click", () => {
    opener.closest("details")?.removeAttribute("open");
    document.getElementById(opener.dataset.opens).showModal();
  });
}
for (const menu of document.querySelectorAll("details.more")) {
  // As a menu does: away with it on Escape, and when one goes on elsewhere.
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });
  menu.addEventListener("focusout", (event) => { if (!menu.contains(event.relatedTarget)) menu.open = false; });
}
