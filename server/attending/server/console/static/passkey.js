// Making a passkey with both halves of a code.

import { send } from "./api.js";
import { make } from "./webauthn.js";

export async function register(administrator, officer) {
  const { ceremony, options } = await send("/passkey/begin", { administrator_code: administrator, officer_code: officer });
  return send("/passkey", { ceremony, credential: await make(options) });
}

const form = document.getElementById("codes");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const status = document.getElementById("status");
  status.textContent = "Follow what your device asks.";
  try {
    await register(document.getElementById("administrator").value, document.getElementById("officer").value);
    form.hidden = true;
    status.textContent = "Your passkey is made. Sign in with it.";
  } catch (error) {
    status.textContent = error.message;
  }
});
