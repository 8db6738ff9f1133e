// Two presses: the first shows what the second does. The second is another button, so that no double click is both.

export function arm(presses) {
  const sure = presses.querySelector(".sure");
  const first = presses.querySelector("button");
  sure.hidden = false;
  first.hidden = true;
  presses.querySelector("[data-cancel]").focus();
  presses.querySelector("[data-cancel]").onclick = () => { sure.hidden = true; first.hidden = false; first.focus(); };
}
