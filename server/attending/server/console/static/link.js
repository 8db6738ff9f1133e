// A one-time link: its secret stands behind the #, which browsers send to nobody; this page sends it once. Both halves
// of a code for a passkey may stand there, too: they are kept for this tab until the passkey is made.

import { send } from "./api.js";

const status = document.getElementById("status");
const [secret, ...codes] = location.hash.slice(1).split("/");
history.replaceState(null, "", location.pathname);
try {
  const { next } = await send("/sign-in/link", { secret });
  if (codes.length === 2) sessionStorage.setItem("attending.codes", JSON.stringify(codes));
  location.replace(codes.length === 2 ? "/account" : next);
} catch (error) {
  status.textContent = error.message;
}
