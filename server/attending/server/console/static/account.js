// The account: a passkey with the codes that came with a sign-in link of this machine.

import { say } from "./api.js";
import { register } from "./passkey.js";

const codes = JSON.parse(sessionStorage.getItem("attending.codes") ?? "null");
if (codes) {
  document.getElementById("ready").hidden = false;
  document.getElementById("other").hidden = true;
  document.getElementById("make").focus();
}
document.getElementById("make").addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    await register(...codes);
    sessionStorage.removeItem("attending.codes");
    location.assign("/");
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
});
