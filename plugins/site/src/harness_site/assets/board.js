"use strict";
// Sorts, groups and filters the rows that are there. Ranks and differences were decided when the
// site was built; another metric or baseline is another page.

const table = document.getElementById("board");
const controls = document.getElementById("controls");
const status = document.getElementById("status");
const filter = document.getElementById("filter");
const group = document.getElementById("group");
const sections = [...table.querySelectorAll("tbody[data-section]")].map((body) => ({
  body,
  rows: [...body.querySelectorAll("tr[data-row]")],
}));
let sorted = { column: -1, backwards: false };

function key(row) {
  const text = row.cells[sorted.column + 1].dataset.sort;
  return text === "" ? null : Number(text);
}

function ordered(rows) {
  if (sorted.column < 0) return rows;
  const sign = sorted.backwards ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (a - b);
  });
}

function band(text) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  row.className = "band grouped";
  head.scope = "rowgroup";
  head.colSpan = table.tHead.rows[1].cells.length;
  head.textContent = text;
  row.append(head);
  return row;
}

function show() {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const { body, rows } of sections) {
    for (const old of body.querySelectorAll("tr.grouped")) old.remove();
    const buckets = new Map();
    for (const row of ordered(rows)) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      if (row.hidden) continue;
      shown += 1;
      const name = group.value ? row.dataset[group.value] : "";
      buckets.set(name, [...(buckets.get(name) || []), row]);
    }
    for (const [name, held] of buckets) body.append(...(name ? [band(name)] : []), ...held);
  }
  const all = sections.reduce((sum, { rows }) => sum + rows.length, 0);
  const order = sorted.column < 0 ? "" : `, ${sorted.backwards ? "worst" : "best"} first by ${heading(sorted.column)}`;
  status.textContent = `${shown} of ${all} rows${order}`;
}

function heading(column) {
  return table.querySelector(`th[data-column="${column}"]`).textContent;
}

for (const head of table.querySelectorAll("th[data-column]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const column = Number(head.dataset.column);
    sorted = { column, backwards: sorted.column === column && !sorted.backwards };
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    const up = head.textContent.includes("↑");
    head.setAttribute("aria-sort", sorted.backwards === up ? "ascending" : "descending");
    show();
  });
}

for (const choice of document.querySelectorAll("select[data-goto]")) {
  choice.addEventListener("change", () => location.assign(choice.value));
}
filter.addEventListener("input", show);
group.addEventListener("change", show);
controls.addEventListener("submit", (event) => event.preventDefault());
controls.hidden = false;
show();

const copy = document.getElementById("copy");
copy.hidden = false;
copy.addEventListener("click", async () => {
  const area = document.getElementById("latex");
  let done = false;
  try {
    await navigator.clipboard.writeText(area.value);
    done = true;
  } catch {
    area.focus();
    area.select();
    done = document.execCommand("copy");
  }
  document.getElementById("copied").textContent = done ? "Copied." : "Selected: copy it by hand.";
});
