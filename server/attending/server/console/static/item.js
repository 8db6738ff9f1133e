// The item: start a review, decide on findings, give back. The server decides; this shows what it said.

import { home, once, say, send } from "./api.js";
import { now } from "./clock.js";
import { take } from "./edit.js";
import "./forms.js";
import "./reading.js";

const item = document.getElementById("item");
const path = `/items/${item.dataset.ticket}`;
const lease = () => item.dataset.lease ?? "";
const findings = [...document.querySelectorAll(".finding")];

async function step(name, fields, button) {
  // One at a time: a second press does nothing while the first is under way.
  if (button?.ariaDisabled === "true") return null;
  if (button) button.ariaDisabled = "true";
  try {
    return await send(`${path}/${name}`, { idempotency_key: once(), lease: lease(), ...fields });
  } catch (error) {
    say(error.message);
    return null;
  } finally {
    if (button) button.ariaDisabled = null;
  }
}

// --- claim
const claim = document.getElementById("claim");
claim?.addEventListener("click", async () => {
  if (await step("claim", {}, claim)) location.reload();
});

// --- findings
let current = -1;
function go(to) {
  if (!findings.length) return;
  current = Math.min(findings.length - 1, Math.max(0, to));
  findings[current].focus();
  findings[current].scrollIntoView({ block: "nearest" });
}
const words = (button) => {
  const label = [...button.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim()).join(" ");
  const legend = button.closest(".group")?.ariaLabel;
  return legend ? `${legend}: ${label}` : label;
};
for (const finding of findings) {
  finding.addEventListener("focusin", () => { mark(finding); });
  finding.querySelector("[data-again]")?.addEventListener("click", () => {
    finding.querySelector(".made").hidden = true;
    finding.querySelector(".decide").hidden = false;
    finding.querySelector(".decide button").focus();
  });
  for (const button of finding.querySelectorAll(".decide button")) {
    button.addEventListener("click", async () => {
      if (!lease()) { say("Start the review first."); return; }
      const answer = await step("dispose", {
        finding: Number(finding.dataset.finding),
        judged: item.dataset.judged,
        disposition: button.dataset.made,
        reason_code: button.dataset.reason ?? "",
      }, button);
      if (answer === null) return;
      finding.dataset.made = button.dataset.made;
      finding.querySelector(".made-words").textContent = words(button);
      finding.querySelector(".decide").hidden = true;
      finding.querySelector(".made").hidden = false;
      decided(answer.open);
      const next = findings.findIndex((one) => !one.dataset.made);
      if (next >= 0) go(next); else finding.focus();
      if (button.dataset.made === "fixed") document.dispatchEvent(new Event("attending:edit"));
    });
  }
}
function decided(open) {
  item.dataset.open = open;
  document.getElementById("count").textContent = open ? `${open} to decide` : "all decided";
  document.dispatchEvent(new Event("attending:decided"));
}
function mark(finding) {
  current = findings.indexOf(finding);
  for (const one of document.querySelectorAll("mark.here")) one.classList.remove("here");
  for (const one of document.querySelectorAll("mark[data-findings]")) {
    if (one.dataset.findings.split(" ").includes(finding.dataset.finding)) one.classList.add("here");
  }
}
for (const ref of document.querySelectorAll("a.ref")) {
  ref.addEventListener("click", (event) => {
    const target = document.querySelector(ref.getAttribute("href"));
    if (!target) return;
    event.preventDefault();
    target.closest("details")?.setAttribute("open", "");
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  });
}

// --- facts were added: what they changed is what comes next
if (location.hash === "#changed") {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("changed")?.focus();
}

// --- keys
document.addEventListener("attending:key", ({ detail: event }) => {
  const finding = findings[current];
  if (event.key === "j") go(current + 1);
  else if (event.key === "k") go(current - 1);
  else if (event.key === "c") claim?.click();
  else if (event.key === "e") { event.preventDefault(); document.querySelector('[data-view="edit"]').click(); }
  else if (event.key === "f") { event.preventDefault(); document.querySelector('[data-opens="facts-dialog"]')?.click(); }
  else if (event.key === "s") document.getElementById("sign")?.click();
  else if (/^[a1-7]$/.test(event.key)) finding?.querySelector(`.decide:not([hidden]) [data-key="${event.key}"]`)?.click();
});

// --- give back: others need not wait for the end of a review that was begun by mistake
const back = document.getElementById("give-back");
back?.addEventListener("click", async () => {
  if (await step("release", {}, back)) location.assign(home);
});

// --- a reader's text, for who judges between two
for (const button of document.querySelectorAll("[data-takes]")) {
  button.addEventListener("click", () => take(document.getElementById(button.dataset.takes).content.textContent));
}

// --- somebody else did something
document.addEventListener("attending:changed", async () => {
  if (item.dataset.state !== "held" || document.hidden) return;
  try {
    const there = await send(`${path}/status`, {}, { background: true });
    if (there.state !== item.dataset.state || (there.lease ?? "") !== lease()) {
      say(there.state === "held" ? "The review of this item changed hands. Reload the page to see it." : "This item is no longer waiting. Reload the page to see what happened.");
    } else if (there.judged !== item.dataset.judged) {
      say("Facts were added in another window, and the text was judged again. Reload the page to see the findings.");
    }
  } catch { /* the page says that it is not connected */ }
});

// --- a review that is worked on stays its reviewer's
let active = Date.now();
for (const kind of ["keydown", "pointerdown", "scroll"]) addEventListener(kind, () => { active = Date.now(); }, { passive: true, capture: true });
setInterval(async () => {
  if (!lease() || Date.now() - active > 300_000) return;
  if (Date.parse(item.dataset.leaseUntil) - now() > 300_000) return;
  const answer = await step("renew", {});
  if (answer?.lease_until) {
    item.dataset.leaseUntil = answer.lease_until;
    document.getElementById("lease").dateTime = answer.lease_until;
  }
}, 30_000);
