// The queue: rows that renew themselves, and keys to walk through them.

import { put } from "./api.js";

const rows = document.getElementById("rows");
const links = () => [...rows.querySelectorAll("a.open")];

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

document.addEventListener("attending:key", ({ detail: event }) => {
  if (event.key !== "j" && event.key !== "k") return;
  const all = links();
  const here = all.indexOf(document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, here + (event.key === "j" ? 1 : -1)))]?.focus();
});
rows.addEventListener("click", (event) => {
  // The whole row opens the item; the link in it is what a keyboard and a reader use.
  if (!event.target.closest("a") && !getSelection().toString()) event.target.closest("tr")?.querySelector("a.open")?.click();
});
for (const select of document.querySelectorAll(".filters select")) select.addEventListener("change", () => select.form.requestSubmit());
