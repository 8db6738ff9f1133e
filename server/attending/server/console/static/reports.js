// The list of reports: rows that renew themselves, sooner while one of them is being made.

import { put } from "./api.js";

const rows = document.getElementById("rows");
const MAKING_MS = 2_000;

async function renew() {
  const address = new URL(location.href);
  address.searchParams.set("part", "rows");
  try {
    const answer = await fetch(address, { headers: { "X-Attending-Background": "1" }, redirect: "error" });
    if (!answer.ok) return;
    const markup = await answer.text();
    const focused = document.activeElement?.closest?.("a.open")?.getAttribute("href");
    put(rows, markup);
    if (focused) rows.querySelector(`a.open[href="${CSS.escape(focused)}"]`)?.focus();
  } catch { /* the page says that it is not connected */ }
}
document.addEventListener("attending:changed", renew);
setInterval(() => { if (rows.querySelector("[data-making]")) renew(); }, MAKING_MS);
for (const select of document.querySelectorAll(".filters select")) select.addEventListener("change", () => select.form.requestSubmit());
