// A version comes into force by two people, each with two presses.

import { once, say, send } from "./api.js";
import { arm } from "./presses.js";

const activation = document.getElementById("activation");
for (const button of activation?.querySelectorAll("[data-arm]") ?? []) {
  button.addEventListener("click", () => arm(button.parentElement));
}
for (const button of activation?.querySelectorAll("[data-do]") ?? []) {
  const key = once();
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await send(`/policies/${activation.dataset.place}/${button.dataset.do}`, { idempotency_key: key, content_hash: activation.dataset.hash });
      location.reload();
    } catch (error) {
      say(error.message);
      button.disabled = false;
    }
  });
}
