// The stop button: a halt, or its end, by two presses.

import { once, say, send } from "./api.js";
import { forget } from "./draft.js";
import { arm } from "./presses.js";

function bind(form, path) {
  let key = once();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const what = form.querySelector("select");
    if (what) document.getElementById("sure-words").textContent = `${what.value ? what.selectedOptions[0].text : "Everything"}: calls and releases end now.`;
    arm(form.querySelector(".presses"));
  });
  form.addEventListener("change", () => { key = once(); });
  form.querySelector("[data-do]").addEventListener("click", async ({ currentTarget: button }) => {
    button.disabled = true;
    try {
      const fields = new FormData(form);
      await send(path, { idempotency_key: key, policy: fields.get("policy") ?? form.dataset.policy ?? "", reason: fields.get("reason") ?? "", note: fields.get("note") ?? "" });
      await forget();
      location.reload();
    } catch (error) {
      say(error.message);
      button.disabled = false;
    }
  });
}

const halt = document.getElementById("halt");
if (halt) bind(halt, "/stop/halt");
for (const form of document.querySelectorAll("form.resume")) bind(form, "/stop/resume");
