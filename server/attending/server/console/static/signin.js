// Signing in with a passkey.

import { say, send } from "./api.js";
import { able, prove } from "./webauthn.js";

const button = document.getElementById("passkey");
const next = document.querySelector("[data-next]").dataset.next;
if (!able) button.hidden = true;
button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const { ceremony, options } = await send("/sign-in/passkey/begin");
    await send("/sign-in/passkey", { ceremony, credential: await prove(options) });
    location.replace(next);
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
});
