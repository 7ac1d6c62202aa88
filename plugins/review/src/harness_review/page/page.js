"use strict";
// One set at a time: the server says what is shown, and keeps what is decided.
const at = (id) => document.getElementById(id);
let state = null;
let asking = null; // the verdict whose reasons are asked for
let busy = true;
let since = 0;

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function listed(fields) {
  const list = element("dl");
  for (const [name, text] of Object.entries(fields)) {
    const row = element("div");
    row.append(element("dt", name), element("dd", text));
    list.append(row);
  }
  return list;
}

function say(text, warn = false) {
  at("message").textContent = text;
  at("message").className = warn ? "warn" : "";
}

async function fault(figure, source) {
  let reason = "the image cannot be shown";
  try {
    reason = (await (await fetch(source)).json()).error || reason;
  } catch { /* the server is gone: the next key says so */ }
  figure.querySelector("img")?.replaceWith(element("p", reason, "fault"));
}

function figureOf(item) {
  const figure = element("figure");
  if (item.fault) {
    figure.append(element("p", item.fault, "fault"));
  } else {
    const image = element("img");
    image.alt = "Image " + item.id;
    image.onload = () => figure.classList.toggle("small", image.naturalWidth < 200);
    image.onerror = () => fault(figure, item.source);
    image.src = item.source;
    figure.append(image);
  }
  const caption = element("figcaption");
  caption.append(element("span", item.id, "note"), listed(item.fields));
  figure.append(caption);
  return figure;
}

function progressText() {
  const p = state.progress;
  const shared = p.reviewers > 1
    ? `; ${p.shared} of ${p.of_shared} sets for everyone have two decisions` : "";
  return `${state.reviewer}: ${p.mine} of ${p.of} sets decided; all reviewers: ${p.sets} of ${p.of_sets}${shared}`;
}

function agreementText() {
  const a = state.agreement;
  if (!a.sets) { return "Agreement: no set has two decisions of yes or no yet."; }
  if (a.alpha === null) { return `Agreement: all decisions on ${a.sets} sets are the same, so alpha is not defined.`; }
  const ends = a.low === null ? "" : ` [${a.low}, ${a.high}]`;
  return `Agreement: Krippendorff's alpha ${a.alpha}${ends} over ${a.sets} sets.`;
}

function show(next) {
  state = next;
  busy = false;
  since = performance.now();
  closeReasons();
  at("progress").textContent = progressText();
  at("bar").max = Math.max(state.progress.of, 1);
  at("bar").value = state.progress.mine;
  at("agreement").textContent = agreementText();
  at("undo").disabled = !state.can_undo;
  const set = state.set;
  for (const button of document.querySelectorAll("[data-verdict]")) { button.disabled = !set; }
  at("title").textContent = set ? "Set " + set.id : "Every set of yours is decided";
  document.title = at("title").textContent;
  at("common").replaceChildren(...listed(set ? set.common : {}).children);
  at("items").replaceChildren(...(set ? set.items.map(figureOf) : []));
}

async function send(path, wish) {
  if (busy) { return; }
  busy = true;
  say("");
  const seconds = (performance.now() - since) / 1000;
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: {"Content-Type": "application/json", "X-Review": "1"},
      body: JSON.stringify({...wish, line: state.line, seconds}),
    });
  } catch {
    busy = false;
    say("Not kept: `harness review` has ended. Start it again; nothing else is lost.", true);
    return;
  }
  const said = await answer.json();
  if (answer.ok) {
    show(said);
    if (said.undone) { say(`Undone: set ${said.undone}`); }
    return;
  }
  busy = false;
  if (answer.status === 409) { await load(); }
  say(said.error, true);
}

async function load() {
  const answer = await fetch("state");
  const said = await answer.json();
  if (answer.ok) { show(said); } else { say(said.error, true); }
}

function openReasons(verdict) {
  asking = verdict;
  at("reasons-title").textContent = verdict === "no"
    ? "Why not? (keys 1 to 9, then Enter)" : "Why skip? (Enter for no reason)";
  at("choices").replaceChildren(...state.reasons.map((reason, index) => {
    const label = element("label");
    const box = element("input");
    box.type = "checkbox";
    box.value = reason;
    label.append(box, ` ${index + 1}  ${reason}`);
    return label;
  }));
  at("note").value = "";
  at("reasons").hidden = false;
  at("verdicts").hidden = true;
  at("choices").querySelector("input")?.focus();
}

function closeReasons() {
  asking = null;
  at("reasons").hidden = true;
  at("verdicts").hidden = false;
  at("title").focus();
}

function decide(verdict) {
  if (busy || !state?.set) { return; }
  if (verdict !== "yes") { openReasons(verdict); return; }
  send("decide", {set: state.set.id, verdict, reasons: [], note: ""});
}

function confirmReasons() {
  const reasons = [...document.querySelectorAll("#choices input:checked")].map((box) => box.value);
  const note = at("note").value.trim();
  if (asking === "no" && !reasons.length && !note) {
    say("Choose a reason (keys 1 to 9), or write a note (key 0).", true);
    return;
  }
  send("decide", {set: state.set.id, verdict: asking, reasons, note});
}

function reasonKey(event) {
  if (event.key === "Escape") { closeReasons(); return true; }
  if (event.key === "Enter") { confirmReasons(); return true; }
  if (document.activeElement === at("note")) { return false; }
  if (event.key === "0") { at("note").focus(); return true; }
  const box = document.querySelectorAll("#choices input")[Number(event.key) - 1];
  if (box && event.key !== " ") { box.checked = !box.checked; return true; }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !state) { return; }
  if (event.target.matches("button") && ["Enter", " "].includes(event.key)) { return; }
  let done = false;
  if (asking) {
    done = reasonKey(event);
  } else {
    const verdict = {y: "yes", n: "no", s: "skip"}[event.key.toLowerCase()];
    if (verdict) { decide(verdict); done = true; }
    if (event.key.toLowerCase() === "u") { send("undo", {}); done = true; }
  }
  if (done) { event.preventDefault(); }
});
for (const button of document.querySelectorAll("[data-verdict]")) {
  button.addEventListener("click", () => decide(button.dataset.verdict));
}
at("undo").addEventListener("click", () => send("undo", {}));
at("cancel").addEventListener("click", closeReasons);
at("reasons").addEventListener("submit", (event) => { event.preventDefault(); confirmReasons(); });
load();
