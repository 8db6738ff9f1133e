// The examination: what is made of the chosen lines, and the signature that closes the period.

import { once, say, send } from "./api.js";
import { prove } from "./webauthn.js";

const office = document.getElementById("examination").dataset.office;
const form = document.getElementById("lines");
form?.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("all")?.addEventListener("change", ({ target }) => {
  for (const box of form.querySelectorAll("[data-open]")) box.checked = target.checked;
});

const BATCH = 100;
for (const button of form?.querySelectorAll("[data-made]") ?? []) {
  button.addEventListener("click", async () => {
    const lines = [...form.querySelectorAll("[name=line]:checked")].map((box) => box.value);
    if (!lines.length) { say("Choose the lines first."); return; }
    button.disabled = true;
    try {
      for (let start = 0; start < lines.length; start += BATCH) {
        await send("/examination/dispose", { idempotency_key: once(), office, lines: lines.slice(start, start + BATCH), disposition: button.dataset.made, note: document.getElementById("note").value });
      }
      location.reload();
    } catch (error) {
      say(error.message);
      button.disabled = false;
    }
  });
}

document.getElementById("sign")?.addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    const told = await send("/examination/prepare", { office });
    const credential = await prove(told.options);
    await send("/examination/sign", { idempotency_key: once(), preparation: told.preparation, credential });
    location.reload();
  } catch (error) {
    say(error.message);
    button.disabled = false;
  }
});
