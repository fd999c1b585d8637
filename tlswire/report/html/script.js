// What the page can do beyond being read: search, filters, sorting, folding, light and dark. Everything is there
// without it. Texts are only compared, never made into markup.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const items = all("[data-item]");

// An item is hidden by the search (unsought) or by a filter (unwanted- and what that looks at); each is enough.
function hide(item, why, hidden) {
  item.classList.toggle(why, hidden);
  item.hidden = [...item.classList].some((name) => name === "unsought" || name.startsWith("unwanted-"));
}

// Search: every word must stand in the item.
const search = document.getElementById("search");
const found = document.getElementById("found");
const texts = new Map();

function seek() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let hits = 0;
  for (const item of items) {
    if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
    const hit = words.every((word) => texts.get(item).includes(word));
    hits += hit;
    hide(item, "unsought", !hit);
  }
  found.value = words.length ? `${hits} of ${items.length}` : "";
}

search.addEventListener("input", seek);
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=search]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && typing) {
    search.value = "";
    seek();
  }
});

// Filters: boxes that are ticked name the kinds that are shown. Many boxes have a button for all of them.
const MANY = 5;

for (const filter of all(".filters")) {
  const by = filter.dataset.by ?? "kind";
  const rows = all(`[data-${by}]`, document.getElementById(filter.dataset.for));
  const boxes = all("input", filter);
  const apply = () => {
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    for (const row of rows) hide(row, `unwanted-${by}`, !kinds.has(row.dataset[by]));
  };
  filter.hidden = boxes.length < 2;
  filter.addEventListener("change", apply);
  if (boxes.length < MANY) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "All or none";
  button.addEventListener("click", () => {
    const none = boxes.every((box) => !box.checked);
    for (const box of boxes) box.checked = none;
    apply();
  });
  filter.append(button);
}

// Sorting: a button in each heading; as numbers where both are.
const collator = new Intl.Collator("en", { numeric: true });
const key = (cell) => cell.dataset.sort ?? cell.textContent.trim();

for (const table of all("table[data-sortable]")) {
  const headings = all("thead th", table);
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const rows = [...body.rows];
      rows.sort((one, two) => sign * collator.compare(key(one.cells[column]), key(two.cells[column])));
      body.append(...rows);
    });
  });
}

// Folding. A link to something folded away unfolds it.
const unfold = document.getElementById("unfold");
unfold.addEventListener("click", () => {
  const open = unfold.getAttribute("aria-pressed") !== "true";
  unfold.setAttribute("aria-pressed", open);
  unfold.textContent = open ? "Fold all" : "Unfold all";
  for (const fold of all("details")) fold.open = open;
});

function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let fold = target; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", reveal);
reveal();

// Light and dark: as the system has it until the button says otherwise.
const theme = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const dark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
const label = () => { theme.textContent = dark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  label();
});
system.addEventListener("change", label);
label();

document.querySelector(".tools").hidden = false;
