"use strict";
// Shows samples a page at a time. Data come as scripts, which a page may load from a file too.
// Everything of a model or a data set is put in place as text.

const SIZE = { "": 25, gallery: 60 };
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
// What the address holds, so that a link opens the same view; left out where it is the first choice.
const FIELDS = { a: "0", b: "-1", outcome: "", slice: "", sort: "", view: "", width: "m" };
let index = null;
let found = [];
let cell = null; // right answer and answer of a field of the confusion table
let opened = null;
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
    sort: byId("sort").value, view: byId("view").value,
  };
}

function remember() {
  const state = new URLSearchParams();
  for (const [name, usual] of Object.entries(FIELDS)) {
    if (byId(name).value !== usual) state.set(name, byId(name).value);
  }
  if (byId("differ").checked) state.set("differ", "1");
  if (cell) {
    state.set("right", cell.right);
    state.set("said", cell.said);
  }
  const now = Number(byId("page").value);
  if (now > 1) state.set("page", now);
  if (opened !== null) state.set("sample", opened);
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const [name, usual] of Object.entries(FIELDS)) {
    const value = state.get(name) ?? usual;
    if ([...byId(name).options].some((held) => held.value === value)) byId(name).value = value;
  }
  byId("differ").checked = state.get("differ") === "1";
  const right = state.get("right");
  cell = right === null ? null : { right, said: state.get("said") ?? "" };
  return { page: Number(state.get("page")) || 1, sample: state.get("sample") };
}

function numberOf(text) {
  if (text === "") return -1;
  return Object.hasOwn(index.numbers, text) ? index.numbers[text] : null;
}

function showCell() {
  byId("cell").hidden = !cell;
  if (!cell) return;
  const clear = make("button", "Show all");
  clear.type = "button";
  clear.addEventListener("click", guarded(async () => {
    cell = null;
    await filter();
  }));
  const text = `Right answer: ${cell.right}. Answer: ${cell.said || "none that could be read"}. `;
  byId("cell").replaceChildren(text, clear);
}

async function filter(number = 1) {
  const mine = ++turn;
  const want = chosen();
  byId("differ").disabled = want.b < 0;
  const differ = want.differ && want.b >= 0;
  if (want.outcome || want.slice !== null || want.sort || cell || differ) byId("status").textContent = "Reading…";
  // A column of all samples is read only where something is filtered or sorted by it.
  const [went, slice, a, b, right, sure] = await Promise.all([
    want.outcome ? load(`went-${want.a}`) : null,
    want.slice !== null ? load(`slice-${want.slice}`) : null,
    differ || cell ? load(`said-${want.a}`) : null,
    differ ? load(`said-${want.b}`) : null,
    cell ? load("right") : null,
    want.sort ? load(`sure-${want.a}`) : null,
  ]);
  if (mine !== turn) return;
  const wanted = cell && [numberOf(cell.right), numberOf(cell.said)];
  found = [];
  for (let place = 0; place < index.size; place += 1) {
    if (went && went[place] !== want.outcome) continue;
    if (slice && slice[place] !== want.value) continue;
    if (differ && a[place] === b[place]) continue;
    if (wanted && (right[place] !== wanted[0] || a[place] !== wanted[1])) continue;
    found.push(place);
  }
  if (sure) {
    // Samples without scores come last in both directions; ties stay in the order of the data.
    const way = want.sort === "sure" ? -1 : 1;
    const key = (place) => (sure[place] < 0 ? Infinity : way * sure[place]);
    found.sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : one - other));
  }
  showCell();
  await page(number);
}

async function page(number) {
  const mine = ++turn;
  const want = chosen();
  const size = SIZE[want.view];
  const gallery = want.view === "gallery";
  const pages = Math.max(1, Math.ceil(found.length / size));
  const now = Math.min(Math.max(1, number || 1), pages);
  const places = found.slice((now - 1) * size, now * size);
  const shown = await Promise.all(places.map((place) => (gallery ? tile(place, want) : row(place, want))));
  if (mine !== turn) return;
  (gallery ? byId("gallery") : byId("list").tBodies[0]).replaceChildren(...shown);
  byId("list").hidden = gallery || shown.length === 0;
  byId("gallery").hidden = !gallery || shown.length === 0;
  byId("gallery").className = `width-${byId("width").value}`;
  byId("head-b").hidden = want.b < 0;
  byId("pages").hidden = pages === 1;
  byId("page").value = now;
  byId("page").max = pages;
  byId("of").textContent = `of ${pages}`;
  byId("before").disabled = now === 1;
  byId("after").disabled = now === pages;
  byId("status").textContent = `${found.length} of ${index.size} samples`;
  remember();
}

async function tile(place, want) {
  const a = await parts(place, want.a);
  const made = make("button", "");
  made.type = "button";
  made.className = `went-${a.answer[0]}`;
  const [name] = a.ask[3];
  if (name) {
    const image = document.createElement("img");
    image.src = `${folder}/${name}`;
    image.alt = "";
    image.loading = "lazy";
    made.append(image);
  } else {
    made.append(make("span", "no image"));
  }
  made.append(make("strong", a.ask[0]), make("span", `right: ${brief(a.ask[1])}`));
  made.append(verdict(want.b < 0 ? "" : "A ", a.answer));
  if (want.b >= 0) made.append(verdict("B ", (await parts(place, want.b)).answer));
  made.addEventListener("click", guarded(async () => {
    await sample(place);
    opener = made;
  }));
  return made;
}

function verdict(letter, answer) {
  const made = make("span", `${letter}${brief(answer[1])}: ${WORDS[answer[0]]}`);
  made.className = `verdict went-${answer[0]}`;
  return made;
}

function move(event) {
  const tiles = [...byId("gallery").children];
  const at = tiles.indexOf(document.activeElement);
  if (at < 0) return;
  const across = getComputedStyle(byId("gallery")).gridTemplateColumns.split(" ").length;
  const steps = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: tiles.length - 1 - at,
  };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  tiles[Math.min(Math.max(0, at + step), tiles.length - 1)].focus();
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
  opened = place;
  const [id, target, , files, note, large, groups, fields] = first.ask;
  const title = make("h2", `Sample ${id}`);
  title.id = "sample-title";
  const close = make("button", "Close");
  close.type = "button";
  close.addEventListener("click", shut);
  const images = files.map((name, number) => {
    const image = document.createElement("img");
    image.src = `${folder}/${name}`;
    image.alt = `Image ${number + 1} of the sample`;
    if (large[number] === name) return image;
    const grow = make("button", "", image);
    grow.type = "button";
    grow.className = "grow";
    grow.setAttribute("aria-label", `Image ${number + 1} of the sample, larger`);
    grow.setAttribute("aria-pressed", "false");
    grow.addEventListener("click", () => {
      const grown = grow.getAttribute("aria-pressed") !== "true";
      image.src = `${folder}/${grown ? large[number] : name}`;
      grow.setAttribute("aria-pressed", `${grown}`);
    });
    return grow;
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
  remember();
}

async function beside(step) {
  const next = found[found.indexOf(opened) + step];
  if (opened !== null && next !== undefined && found.includes(opened)) await sample(next);
}

function noted(text) {
  const made = make("p", text);
  made.className = "note";
  return made;
}

function shut() {
  byId("sample").hidden = true;
  opened = null;
  remember();
  (opener?.isConnected ? opener : document.querySelector("#list button, #gallery button"))?.focus();
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
  byId("sample").addEventListener("keydown", (event) => {
    if (event.key === "Escape") shut();
    else if (event.key === "ArrowLeft") guarded(beside)(-1);
    else if (event.key === "ArrowRight") guarded(beside)(1);
  });
  byId("gallery").addEventListener("keydown", move);
  controls.addEventListener("change", () => guarded(filter)());
  controls.addEventListener("submit", (event) => event.preventDefault());
  byId("before").addEventListener("click", () => guarded(page)(Number(byId("page").value) - 1));
  byId("after").addEventListener("click", () => guarded(page)(Number(byId("page").value) + 1));
  byId("page").addEventListener("change", () => guarded(page)(Number(byId("page").value)));
  controls.hidden = false;
  // A link to this page that is followed on this page itself loads nothing anew.
  window.addEventListener("hashchange", guarded(follow));
  await follow();
}

async function follow() {
  const wanted = recall();
  byId("sample").hidden = true;
  opened = null;
  await filter(wanted.page);
  const place = Number(wanted.sample);
  if (wanted.sample && Number.isInteger(place) && place >= 0 && place < index.size) await sample(place);
}

guarded(start)();
