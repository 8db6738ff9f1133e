// A one-time link: its secret stands behind the #, which browsers send to nobody; this page sends it once.

import { send } from "./api.js";

const status = document.getElementById("status");
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
try {
  location.replace((await send("/sign-in/link", { secret })).next);
} catch (error) {
  status.textContent = error.message;
}
