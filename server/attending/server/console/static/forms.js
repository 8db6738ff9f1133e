// Forms that send one step: each is sent once, a refusal is told where it was pressed, and what was written stays.

import { once, say, send } from "./api.js";

export async function working(form, work) {
  // One at a time: a second press does nothing while the first is under way.
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const told = form.querySelector(".refused");
  if (told) told.hidden = true;
  try {
    await work();
    // What follows may be the page that one is on, which has changed.
    const then = form.dataset.then;
    if (then && then !== location.pathname) location.assign(then); else location.reload();
  } catch (error) {
    if (told) { told.textContent = error.message; told.hidden = false; } else say(error.message);
  } finally {
    form.ariaBusy = null;
  }
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
