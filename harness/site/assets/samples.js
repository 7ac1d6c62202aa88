"use strict";
// Shows samples a page at a time. Data come as scripts, which a page may load from a file too.
// Everything of a model or a data set is put in place as text.

const SIZE = 25;
const WORDS = {
  r: "right", w: "wrong", p: "partly right", u: "not readable", x: "a refusal", e: "an error",
  n: "not judged",
};
const controls = document.getElementById("controls");
const folder = controls.dataset.folder;
const byId = (id) => document.getElementById(id);
const waiting = new Map();
const loaded = new Map();
const KEPT = 80;
let index = null;
let found = [];
let turn = 0;
let opener = null;

window.siteData = (name, value) => {
  waiting.get(name)?.(value);
  waiting.delete(name);
};

function load(file) {
  const name = `samples/${folder}/${file}`;
  if (!loaded.has(name)) {
    loaded.set(name, new Promise((done, fail) => {
      const script = document.createElement("script");
      waiting.set(name, done);
      script.src = `${folder}/${file}.js`;
      script.onload = () => script.remove();
      script.onerror = () => fail(new Error(`${name}.js cannot be read`));
      document.head.append(script);
    }));
    // Chunks that were not asked for lately are forgotten; an index of a model may come back too.
    if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
  }
  return loaded.get(name);
}

function make(tag, text, ...inside) {
  const element = document.createElement(tag);
  if (text !== "") element.textContent = text;
  element.append(...inside);
  return element;
}

function option(value, text) {
  const made = make("option", text);
  made.value = value;
  return made;
}

function chosen() {
  const [slice, value] = byId("slice").value.split(":").map(Number);
  return {
    a: Number(byId("a").value), b: Number(byId("b").value), outcome: byId("outcome").value,
    differ: byId("differ").checked, slice: byId("slice").value === "" ? null : slice, value,
  };
}

async function filter() {
  const mine = ++turn;
  const want = chosen();
  byId("differ").disabled = want.b < 0;
  const differ = want.differ && want.b >= 0;
  if (want.outcome || want.slice !== null || differ) byId("status").textContent = "Reading…";
  // A column of all samples is read only where something is filtered by it.
  const [went, slice, a, b] = await Promise.all([
    want.outcome ? load(`went-${want.a}`) : null,
    want.slice !== null ? load(`slice-${want.slice}`) : null,
    differ ? load(`said-${want.a}`) : null,
    differ ? load(`said-${want.b}`) : null,
  ]);
  if (mine !== turn) return;
  found = [];
  for (let place = 0; place < index.size; place += 1) {
    if (went && went[place] !== want.outcome) continue;
    if (slice && slice[place] !== want.value) continue;
    if (differ && a[place] === b[place]) continue;
    found.push(place);
  }
  await page(1);
}

async function page(number) {
  const mine = ++turn;
  const want = chosen();
  const pages = Math.max(1, Math.ceil(found.length / SIZE));
  const now = Math.min(Math.max(1, number || 1), pages);
  const places = found.slice((now - 1) * SIZE, now * SIZE);
  const rows = await Promise.all(places.map((place) => row(place, want)));
  if (mine !== turn) return;
  byId("list").tBodies[0].replaceChildren(...rows);
  byId("list").hidden = rows.length === 0;
  byId("head-b").hidden = want.b < 0;
  byId("pages").hidden = pages === 1;
  byId("page").value = now;
  byId("page").max = pages;
  byId("of").textContent = `of ${pages}`;
  byId("before").disabled = now === 1;
  byId("after").disabled = now === pages;
  byId("status").textContent = `${found.length} of ${index.size} samples`;
}

async function parts(place, model) {
  const number = Math.floor(place / index.chunk);
  const [ask, answers] = await Promise.all([load(`ask-${number}`), load(`${model}-${number}`)]);
  const within = place % index.chunk;
  return { ask: ask.items[within], prompt: ask.prompts[ask.items[within][2]], answer: answers[within] };
}

async function row(place, want) {
  const a = await parts(place, want.a);
  const open = make("button", a.ask[0]);
  open.type = "button";
  open.addEventListener("click", guarded(async () => {
    await sample(place);
    opener = open;
  }));
  const head = make("th", "", open);
  head.scope = "row";
  const made = make("tr", "", head, make("td", brief(a.ask[1])), make("td", brief(a.answer[1])));
  if (want.b >= 0) made.append(make("td", brief((await parts(place, want.b)).answer[1])));
  made.append(make("td", WORDS[a.answer[0]]));
  return made;
}

function brief(text) {
  if (text === "") return "(empty)";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

async function sample(place) {
  const mine = ++turn;
  const want = chosen();
  const first = await parts(place, want.a);
  const answers = [answered("A", want.a, first)];
  if (want.b >= 0) answers.push(answered("B", want.b, await parts(place, want.b)));
  if (mine !== turn) return;
  const [id, target, , files, note, groups, fields] = first.ask;
  const title = make("h2", `Sample ${id}`);
  title.id = "sample-title";
  const close = make("button", "Close");
  close.type = "button";
  close.addEventListener("click", shut);
  const images = files.map((name, number) => {
    const image = document.createElement("img");
    image.src = `${folder}/${name}`;
    image.alt = `Picture ${number + 1} of the sample`;
    return image;
  });
  const turns = first.prompt[0].map(([role, text]) => make("div", "", make("h4", role), make("pre", text)));
  const facts = make("dl", "", make("dt", "right answer"), make("dd", target));
  for (const [name, value, source] of groups) facts.append(make("dt", name), make("dd", `${value} (said by: ${source})`));
  for (const [name, value] of fields) facts.append(make("dt", name), make("dd", value));
  const shown = [title, close, ...images];
  if (note) shown.push(make("p", note));
  else if (first.prompt[0].length && !images.length) {
    shown.push(noted("Its image is not among the thumbnails that this site holds."));
  }
  if (turns.length) shown.push(make("h3", "Prompt as sent"), ...turns);
  byId("sample").replaceChildren(...shown, facts, ...answers);
  byId("sample").hidden = false;
  byId("sample").focus();
}

function noted(text) {
  const made = make("p", text);
  made.className = "note";
  return made;
}

function shut() {
  byId("sample").hidden = true;
  (opener?.isConnected ? opener : byId("list").querySelector("button"))?.focus();
}

function answered(letter, model, { prompt, answer }) {
  const [outcome, said, score, text, finish, problem, error, kind, scores] = answer;
  const made = make("article", "", make("h3", `${letter}: ${index.models[model].name}`));
  const facts = make("dl", "", make("dt", "was"), make("dd", WORDS[outcome]), make("dt", "answer"), make("dd", said || "(empty)"));
  const add = (name, value) => facts.append(make("dt", name), make("dd", value));
  if (score !== null) add("score", `${score}`);
  if (problem) add("problem", problem);
  if (error) add("error", error);
  made.append(facts);
  if (text) made.append(make("h4", `Text as generated${finish ? ` (ended by: ${finish})` : ""}`), make("pre", text));
  if (scores.length) made.append(make("h4", `Options (${kind})`), bars(scores, kind, prompt[1]));
  return made;
}

function bars(scores, kind, sent) {
  // Log-likelihoods become shares among the options; other scores are shown as they are.
  const logs = kind.startsWith("logprob");
  const top = Math.max(...scores);
  const raised = scores.map((score) => (logs ? Math.exp(score - top) : score));
  const total = raised.reduce((sum, value) => sum + value, 0);
  const table = make("table", "");
  table.className = "bars";
  const body = table.createTBody();
  const head = table.createTHead().insertRow();
  for (const name of ["Option", logs ? "Share" : "Score", logs ? "Log-likelihood" : "Number"]) {
    const cell = make("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  scores.forEach((score, place) => {
    const name = sent[place] ?? index.labels[place] ?? `${place + 1}`;
    const meter = document.createElement("meter");
    meter.min = 0;
    meter.max = 1;
    meter.value = logs ? raised[place] / total : score;
    meter.setAttribute("aria-label", name);
    const label = make("th", name);
    label.scope = "row";
    body.append(make("tr", "", label, make("td", "", meter), make("td", score.toFixed(4))));
  });
  return table;
}

function guarded(work) {
  return (...given) => work(...given).catch((error) => {
    byId("status").textContent = error.message;
  });
}

async function start() {
  index = await load("index");
  index.models.forEach((model, place) => {
    const marks = model.marks.length ? ` (${model.marks.join(", ")})` : "";
    byId("a").append(option(place, model.name + marks));
    byId("b").append(option(place, model.name + marks));
  });
  byId("b").prepend(option(-1, "none"));
  byId("b").value = "-1";
  byId("slice").append(option("", "everything"));
  index.slices.forEach((slice, number) => {
    slice.values.forEach((value, place) => byId("slice").append(option(`${number}:${place}`, `${slice.name}: ${value}`)));
  });
  const wanted = /^#a=(\d+)$/.exec(location.hash);
  if (wanted && Number(wanted[1]) < index.models.length) byId("a").value = wanted[1];
  byId("sample").addEventListener("keydown", (event) => {
    if (event.key === "Escape") shut();
  });
  controls.addEventListener("change", guarded(filter));
  controls.addEventListener("submit", (event) => event.preventDefault());
  byId("before").addEventListener("click", () => guarded(page)(Number(byId("page").value) - 1));
  byId("after").addEventListener("click", () => guarded(page)(Number(byId("page").value) + 1));
  byId("page").addEventListener("change", () => guarded(page)(Number(byId("page").value)));
  controls.hidden = false;
  await filter();
}

guarded(start)();
