// The form for a new report: the fields that its kind can be narrowed by, and the time zone of whoever asks.

import { once, send } from "./api.js";
import { onSend } from "./forms.js";

const form = document.getElementById("new");
const named = (place, name) => place.dataset[name].split(" ").includes(form.elements.kind.value);

function fit() {
  for (const place of form.querySelectorAll("[data-kinds]")) {
    const field = place.querySelector("input");
    place.hidden = !named(place, "kinds");
    // What is not shown is not sent.
    field.disabled = place.hidden;
    field.required = named(place, "needs");
    place.querySelector("[data-optional]").hidden = field.required;
  }
}
for (const choice of form.elements.kind) choice.addEventListener("change", fit);
form.elements.time_zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
fit();

let key = once();
onSend(form, async (fields) => {
  try {
    form.dataset.then = `/reports/${(await send("/reports", { idempotency_key: key, ...fields })).report}`;
  } catch (error) {
    // One that is sent again after a lost answer is the same; after a refusal it is another.
    if (error.status !== 0) key = once();
    throw error;
  }
});
