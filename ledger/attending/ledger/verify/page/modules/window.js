// The page: takes the bundle and the anchors, has a worker verify them, and shows the report.
//
// Whatever comes from a bundle is put in as text, never as markup.

const WORDS = { passed: "verified", failed: "failed", indeterminate: "indeterminate" };
const MARKS = { passed: "ok", failed: "failed", indeterminate: "open", not_applicable: "nothing to check" };
const TITLES = {
  passed: "Verified: all that was asked for is proved",
  failed: "Failed",
  indeterminate: "Indeterminate: something that was asked for cannot be decided",
};
const REQUIRED = { requireTime: "require-time", requireFreshness: "require-freshness", requireComplete: "require-complete" };

const byId = (id) => document.getElementById(id);
let chosen = [];
let worker = null;
let workerUrl = null;
let last = null;
// Grows with each run that ends: what is late knows by it that it is.
let turn = 0;

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// -- what is to be verified -------------------------------------------------------------------------------------------

function choose(files) {
  chosen = files;
  const bytes = files.reduce((sum, { blob }) => sum + blob.size, 0);
  const what = files.length === 1 ? files[0].name : `${files.length} files`;
  byId("chosen").textContent = files.length ? `${what}, ${bytes.toLocaleString("en")} bytes` : "";
}

/** The files dropped: themselves, or those of one folder. */
async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const file = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
  if (entries.length !== 1 || !entries[0].isDirectory) {
    const blobs = await Promise.all(entries.filter((entry) => entry.isFile).map(file));
    return blobs.map((blob) => ({ name: blob.name, blob, inFolder: false }));
  }
  const reader = entries[0].createReader();
  const found = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) break;
    for (const entry of batch) {
      // A folder within is no file of a bundle: its name has it refused.
      found.push({ name: entry.isFile ? entry.name : `${entry.name}/`, blob: entry.isFile ? await file(entry) : new Blob(), inFolder: true });
    }
  }
  return found;
}

async function anchors() {
  const pinned = await Promise.all([...byId("pinned-files").files].map((file) => file.text()));
  const pasted = byId("pinned").value;
  if (pasted.trim()) pinned.push(pasted.endsWith("\n") ? pasted : `${pasted}\n`);
  const text = async (id) => [byId(id).value, ...(await Promise.all([...byId(`${id}-files`).files].map((file) => file.text())))].join("\n");
  const lists = await Promise.all([...byId("lists").files].map(async (file) => base64Of(new Uint8Array(await file.arrayBuffer()))));
  const roots = async (id) => (await Promise.all([...byId(id).files].map((file) => file.text()))).join("\n");
  const required = Object.fromEntries(Object.entries(REQUIRED).map(([name, id]) => [name, byId(id).checked]));
  return { keys: await text("keys"), witnesses: await text("witnesses"), quorum: byId("quorum").value, pinned, sealRoots: await roots("seal-roots"), stampRoots: await roots("stamp-roots"), lists, ...required };
}

function base64Of(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

// -- running ----------------------------------------------------------------------------------------------------------

function say(text) {
  byId("status").textContent = text;
}

function running(state) {
  byId("verify").disabled = state;
  byId("cancel").disabled = !state;
  byId("progress").hidden = !state;
  if (!state) stop();
}

function stop() {
  turn++;
  worker?.terminate();
  if (workerUrl) URL.revokeObjectURL(workerUrl);
  worker = workerUrl = null;
}

async function verify(event) {
  event.preventDefault();
  byId("result").hidden = true;
  byId("problem").hidden = true;
  last = null;
  if (!chosen.length) return complain("no bundle is chosen: choose a .attending file or drop one on this page");
  const mine = turn;
  // What is chosen meanwhile is another bundle than the one that the verdict will be about.
  const [files, file] = [chosen, byId("chosen").textContent];
  running(true);
  byId("progress").removeAttribute("value");
  say("reading the bundle");
  let given;
  try {
    given = await anchors();
    if (turn !== mine) return;
    workerUrl = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
    worker = new Worker(workerUrl);
  } catch (error) {
    return complain(`cannot begin: ${error.message}`);
  }
  const begun = performance.now();
  worker.onerror = () => complain("the verifier stopped: this browser cannot run it");
  worker.onmessage = ({ data }) => {
    if (data.progress) {
      const { done, total } = data.progress;
      byId("progress").max = total;
      byId("progress").value = done;
      say(`verifying entries ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`);
    } else if (data.error) complain(data.error);
    else {
      running(false);
      last = { verifier: "page", ...data.report, anchors: { ...given, keys: given.keys.trim(), witnesses: given.witnesses.trim() } };
      last.seconds = Math.round(performance.now() - begun) / 1000;
      show(last, file);
    }
  };
  worker.postMessage({ files, anchors: given });
}

function complain(text) {
  running(false);
  say("");
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

// -- the report -------------------------------------------------------------------------------------------------------

function where({ index }) {
  return index === null ? "" : `entry ${index}: `;
}

/** The failure to name first: that of the lowest entry, as the command does. */
function firstFailure(results) {
  const failed = results.filter((item) => item.status === "failed");
  const place = ({ index }) => (index === null ? Infinity : index);
  return failed.reduce((first, item) => (place(item) < place(first) ? item : first), failed[0]);
}

function show(report, file) {
  const { verdict, results } = report;
  const box = byId("verdict");
  box.className = verdict;
  const first = verdict === "failed" ? firstFailure(results) : null;
  const title = first ? `Failed${first.index === null ? "" : ` at entry ${first.index}`}` : TITLES[verdict];
  box.replaceChildren(element("h2", title));
  if (first) box.append(element("p", `${first.check}: ${first.detail}`));
  box.append(element("p", factsOf(report), "facts"));
  byId("bundle-facts").replaceChildren(
    ...factList({
      log: report.origin ?? "unknown",
      scope: report.scope ? `${report.scope.kind}, entries ${report.scope.from} to ${report.scope.to} (end exclusive)` : "unknown",
      "first entry": report.statistics.first_time ?? "none",
      "last entry": report.statistics.last_time ?? "none",
      file,
    }),
  );
  const open = results.filter((item) => item.status === "indeterminate");
  byId("not-proved").replaceChildren(...open.map((item) => element("li", `${item.check}: ${where(item)}${item.detail}`)));
  for (const [checks, reason] of Object.entries(report.not_checked)) byId("not-proved").append(element("li", `${checks}: not checked here: ${reason}`));
  byId("checks").replaceChildren(...Object.entries(report.checks).map(([check, sentence]) => rowOf(check, sentence, results)));
  say(`${WORDS[verdict]}, in ${report.seconds} seconds`);
  byId("result").hidden = false;
  box.focus();
}

function factsOf({ results, statistics }) {
  const count = (status) => new Set(results.filter((item) => item.status === status && !item.advisory).map((item) => item.check)).size;
  const entries = (statistics.entries ?? 0).toLocaleString("en");
  return `${entries} entries; ${count("failed")} checks failed, ${count("indeterminate")} open, ${count("passed")} with something proved`;
}

function factList(facts) {
  return Object.entries(facts).flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
}

function rowOf(check, sentence, results) {
  const mine = results.filter((item) => item.check === check);
  const worst = ["failed", "indeterminate", "passed", "not_applicable"].find((status) => mine.some((item) => item.status === status && !item.advisory));
  const row = element("tr");
  const name = element("th", check);
  name.scope = "row";
  const found = element("td");
  found.append(element("p", sentence, "sentence"));
  const list = element("ul");
  for (const item of mine) {
    const line = element("li");
    const mark = item.advisory ? "note" : MARKS[item.status];
    line.append(element("span", mark, `mark ${item.advisory ? "note" : item.status}`), ` ${where(item)}${item.detail}`);
    list.append(line);
  }
  found.append(list);
  const status = worst ?? "indeterminate";
  row.append(name, element("td", worst ? MARKS[status] : "note", `outcome ${worst ? status : "note"}`), found);
  return row;
}

function save() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(last, null, 2)], { type: "application/json" }));
  const link = element("a");
  link.href = url;
  link.download = "verification.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// -- events -----------------------------------------------------------------------------------------------------------

byId("form").addEventListener("submit", verify);
byId("bundle").addEventListener("change", () => choose([...byId("bundle").files].map((blob) => ({ name: blob.name, blob, inFolder: false }))));
byId("cancel").addEventListener("click", () => {
  running(false);
  say("cancelled: nothing is verified");
});
byId("save").addEventListener("click", save);
byId("print").addEventListener("click", () => print());
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  try {
    choose(await dropped(event.dataTransfer.items));
  } catch (error) {
    choose([]);
    complain(`cannot read what was dropped: ${error.message}`);
  }
});
