// Controls and the keys: what ties the view, the grid and the viewer together.
const form = at("pair-controls");
const controls = KEYS.filter((key) => form.elements[key]).map((key) => [key, form.elements[key]]);
let view = {};
let opened = null; // the pair in the enlarged view

const setControls = (wanted) => {
  view = {};
  for (const [key, control] of controls) {
    const value = wanted[key] ?? "";
    if (control.type === "checkbox") control.checked = value === control.value;
    else control.value = value;
    if (control.selectedIndex === -1) control.selectedIndex = 0; // no such choice on this page
    view[key] = control.type === "checkbox" ? (control.checked ? control.value : "") : control.value;
  }
  for (const key of ["name", "with"]) view[key] = data.names.includes(wanted[key]) ? wanted[key] : "";
  view.face = data.paths.includes(wanted.face) ? wanted.face : "";
};
const readControls = () => {
  for (const [key, control] of controls) {
    view[key] = control.type === "checkbox" ? (control.checked ? control.value : "") : control.value;
  }
  view.q = view.q.trim();
};

const dropButton = (key, ...text) => {
  const button = make("button", { type: "button", class: "pair-drop" }, ...text);
  button.dataset.drop = key;
  return button;
};
const explain = () => {
  const found = blame(view);
  const lines = found.map(({ key, alone, without }) => {
    const says = make("q", {}, FILTERS[key].says(view[key]));
    const fits = alone ? `fits ${countOf(alone)} by itself` : "fits no pair at all";
    const line = make("li", {}, says, ` ${fits}. `);
    if (without) line.append(dropButton(key, `Without it: ${countOf(without)}`));
    return line;
  });
  at("pair-nothing").replaceChildren(
    make("p", {}, found.length > 1 ? "No pair fits all of these." : "No pair fits."),
    make("ul", {}, ...lines),
  );
};
const render = () => {
  const pairs = pairsOf(view);
  const used = inUse(view);
  grid.show(pairs);
  at("pair-count").textContent = `${COUNT.format(pairs.length)} of ${countOf(data.rank.length)}`;
  at("pair-chips").replaceChildren(
    ...used.map((key) => {
      const cross = make("span", { "aria-hidden": "true" }, "×");
      const button = dropButton(key, make("span", { class: "pair-unseen" }, "Remove "), make("bdi", {}, FILTERS[key].says(view[key])), cross);
      return make("li", {}, button);
    }),
  );
  form.querySelector("[data-do=reset]").hidden = !used.length && !view.sort;
  at("pair-active").hidden = !used.length;
  at("pair-active").textContent = used.length;
  const order = ORDERS[view.sort];
  at("pair-order").hidden = !order?.says;
  at("pair-order").textContent = order?.says ?? "";
  at("pair-nothing").hidden = pairs.length > 0;
  if (!pairs.length) explain();
};
const apply = (change, asStep = true) => {
  at("pair-unknown").hidden = true;
  if (change) setControls({ ...view, ...change });
  else readControls();
  render();
  write(view, opened, asStep);
};
const reset = () => apply(Object.fromEntries(KEYS.map((key) => [key, ""])));

const onlyOf = (name) => {
  apply({ name, with: "" });
  grid.focus(0);
};
const grid = makeGrid(at("pair-grid"), { onOpen: (place) => viewer.open(place), onName: onlyOf });
const viewer = makeViewer(at("pair-viewer"), grid, {
  onName: onlyOf,
  onShow: (pair) => {
    opened = pair;
    write(view, opened, false);
  },
  onClose: () => {
    opened = null;
    write(view, opened, false);
  },
});
const sayMissing = (missing, named) => {
  const note = at("pair-unknown");
  note.hidden = !missing;
  const unknown = "The pair of this link is not on this page: it is of another report, or was left out of the gallery.";
  const filtered = ["The filters of this link leave its pair out. ", make("a", { href: named.length ? linkTo(named[0]) : "" }, "Open it alone")];
  note.replaceChildren(...(!missing ? [] : named.length ? filtered : [unknown]));
};
const restore = () => {
  const wanted = addressed();
  setControls(wanted);
  render();
  const named = wanted.pair ? pairsWith(wanted.pair) : [];
  const place = named.map(grid.placeOf).find((found) => found >= 0) ?? -1;
  sayMissing(wanted.pair !== undefined && place < 0, named);
  if (place >= 0) viewer.open(place);
  else if (viewer.isOpen()) viewer.close();
};

// A word is typed letter by letter, and is one step back.
let typing = false;
form.addEventListener("input", (event) => {
  const inSearch = event.target.name === "q";
  apply(null, !(inSearch && typing));
  typing = inSearch;
});
form.addEventListener("focusout", () => {
  typing = false;
});
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("click", (event) => {
  const drop = event.target.closest("[data-drop]");
  if (!drop) return;
  apply({ [drop.dataset.drop]: "" });
  form.elements.q.focus({ preventScroll: true }); // the button is gone
});
const toggle = form.querySelector("[data-do=filters]");
toggle.addEventListener("click", () => {
  const open = form.classList.toggle("pair-unfolded");
  toggle.setAttribute("aria-expanded", String(open));
});
form.querySelector("[data-do=reset]").addEventListener("click", () => {
  reset();
  form.elements.q.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || viewer.isOpen()) return;
  const inText = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (event.key === "/" && !inText) {
    event.preventDefault();
    form.elements.q.focus();
    form.elements.q.select();
  } else if (event.key === "ArrowDown" && event.target === form.elements.q) {
    event.preventDefault();
    grid.focus(0);
  }
});
addEventListener("hashchange", () => {
  forget();
  if (isOurs(location.hash)) restore();
});
// A link from elsewhere on the page names no place of it, and the browser would stay where it is.
document.addEventListener("click", (event) => {
  const link = event.target.closest(`a[href^="${PREFIX}"]`);
  if (!link || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  settle();
  const address = link.getAttribute("href"); // links of SVG have no `hash`
  if (address !== location.hash) history.pushState(null, "", address);
  restore();
  at("pairs").scrollIntoView({ behavior: "instant" });
  grid.focus(0);
});

// How many pairs each choice keeps by itself.
for (const [key, control] of controls) {
  if (key === "sort" || !control.options) continue;
  for (const option of control.options) {
    if (option.value) option.text += ` (${COUNT.format(pairsOf({ [key]: option.value }).length)})`;
  }
}
// The orders are made while nobody waits, each in a pause of its own.
const prepare = (sorts) => {
  if (!sorts.length) return;
  inOrder(sorts[0]);
  rest(() => prepare(sorts.slice(1)));
};
const rest = (work) => (window.requestIdleCallback ?? setTimeout)(work);
rest(() => prepare([...form.elements.sort.options].map((option) => option.value)));
at("pair-first").remove();
at("pair-rest")?.remove();
form.hidden = false;
at("pair-keys").hidden = false;
const [arrival] = performance.getEntriesByType("navigation");
const isLink = isView(location.hash) && arrival?.type !== "reload";
restore();
if (isLink) at("pairs").scrollIntoView({ behavior: "instant" });
