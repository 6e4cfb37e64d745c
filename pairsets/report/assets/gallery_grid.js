// The grid draws the rows near the screen and no others. All rows are equally high, so that where
// one stands, and how long the page is, is arithmetic.
const NEAR = 1; // screens above and below that are drawn ahead
const PRINTED = 60;

const makeGrid = (box, { onOpen, onName }) => {
  let shown = [];
  let active = 0; // the one card that Tab reaches
  let columns = 1;
  let height = 1; // of a row, the gap below it included
  const rows = new Map();
  // A card nobody sees, always there to be measured: text zoom and late fonts change its height.
  const ruler = make("div", { class: "pair-cards pair-row pair-ruler", "aria-hidden": "true" });
  ruler.append(fillCard(make("div", { class: "pair-card" }), 0));

  const cellAt = (place) => rows.get(Math.floor(place / columns))?.children[place % columns];
  const makeRow = (row) => {
    const element = make("div", { class: "pair-cards pair-row", role: "row", "aria-rowindex": row + 1 });
    element.style.top = `${row * height}px`;
    shown.slice(row * columns, (row + 1) * columns).forEach((pair, column) => {
      const place = row * columns + column;
      const cell = make("div", {
        class: "pair-card",
        role: "gridcell",
        "aria-colindex": column + 1,
        "aria-label": summary(pair, place, shown.length),
        tabindex: place === active ? "0" : "-1",
      });
      cell.dataset.place = place;
      element.append(fillCard(cell, pair));
    });
    return element;
  };
  const draw = (near = NEAR) => {
    const total = Math.ceil(shown.length / columns);
    const top = box.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((-top - near * innerHeight) / height));
    const last = Math.min(total - 1, Math.ceil((-top + (1 + near) * innerHeight) / height));
    // The card with the focus stays, however far it is scrolled away: the focus would be lost.
    const wanted = new Set(total ? [Math.floor(active / columns)] : []);
    for (let row = first; row <= last; row += 1) wanted.add(row);
    for (const [row, element] of rows) {
      if (wanted.has(row)) continue;
      element.remove();
      rows.delete(row);
    }
    let before = ruler;
    for (const row of [...wanted].sort((a, b) => a - b)) {
      if (!rows.has(row)) {
        rows.set(row, makeRow(row));
        before.after(rows.get(row));
      }
      before = rows.get(row);
    }
  };
  // One drawing a frame, however many scroll events.
  let waiting = 0;
  const soon = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      draw();
    });
  };
  const redraw = () => {
    const focused = box.contains(document.activeElement);
    for (const element of rows.values()) element.remove();
    rows.clear();
    const total = Math.ceil(shown.length / columns);
    const gap = parseFloat(getComputedStyle(ruler).rowGap) || 0;
    box.style.height = `${Math.max(0, total * height - gap)}px`;
    box.setAttribute("aria-rowcount", total);
    box.setAttribute("aria-colcount", Math.min(columns, shown.length));
    draw(0); // what is on the screen is painted first
    if (focused) cellAt(active)?.focus({ preventScroll: true });
    requestAnimationFrame(soon);
  };
  // What stays in sight at the top: below the bar, where that sticks.
  const ceiling = () => {
    const bar = at("pair-controls");
    const contents = document.querySelector(".contents")?.offsetHeight ?? 0;
    return contents + (getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0);
  };
  const scroll = (by) => scrollBy({ top: by, behavior: "instant" });
  const measure = () => {
    const style = getComputedStyle(ruler);
    const found = style.gridTemplateColumns.split(" ").length;
    const high = ruler.getBoundingClientRect().height + (parseFloat(style.rowGap) || 0);
    if (!ruler.offsetHeight || (found === columns && Math.abs(high - height) < 0.01)) return;
    // The pair at the top of the screen stays there, on a phone that is turned too.
    const scrolled = ceiling() - box.getBoundingClientRect().top;
    const place = (scrolled / height) * columns;
    const inside = scrolled > 0 && height > 1;
    [columns, height] = [found, high];
    redraw();
    if (inside) scroll((place / columns) * height - scrolled);
    draw();
  };

  const bring = (place) => {
    const top = box.getBoundingClientRect().top + Math.floor(place / columns) * height;
    const over = top - ceiling() - 12;
    const under = top + height - innerHeight;
    if (over < 0 || (under > 0 && over < under)) scroll(over);
    else if (under > 0) scroll(under);
  };
  const activate = (place) => {
    cellAt(active)?.setAttribute("tabindex", "-1");
    active = place;
    cellAt(active)?.setAttribute("tabindex", "0");
  };
  const focus = (place) => {
    if (!shown.length) return;
    activate(Math.max(0, Math.min(place, shown.length - 1)));
    bring(active);
    draw();
    cellAt(active).focus({ preventScroll: true });
  };
  const show = (pairs) => {
    shown = pairs;
    active = 0;
    // Measured while there is a box, and scrolled while the page is as high as before: a browser
    // that has to cut the page short would scroll as well.
    if (pairs.length) box.hidden = false;
    const scrolled = box.hidden ? 0 : ceiling() - box.getBoundingClientRect().top;
    if (scrolled > 0) scroll(-scrolled - 12);
    box.hidden = !pairs.length;
    redraw();
  };

  const placeOf = (element) => Number(element.closest("[data-place]")?.dataset.place ?? -1);
  box.addEventListener("focusin", (event) => {
    const place = placeOf(event.target);
    if (place >= 0 && place !== active) activate(place);
  });
  box.addEventListener("click", (event) => {
    const name = event.target.closest(".pair-name");
    if (name) onName(name.dataset.name);
    else if (event.target.closest(".pair-faces")) onOpen(placeOf(event.target));
  });
  box.addEventListener("keydown", (event) => {
    const place = placeOf(event.target);
    if (place < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const onCell = event.target.matches("[data-place]");
    const page = columns * Math.max(1, Math.floor((innerHeight - ceiling()) / height));
    const last = shown.length - 1;
    const column = place % columns;
    const goals = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place < columns ? place : place - columns,
      ArrowDown: place + columns,
      PageUp: place - page < 0 ? column : place - page,
      PageDown: place + page,
      Home: 0,
      End: last,
    };
    if (event.key in goals) focus(goals[event.key]);
    else if (onCell && (event.key === "Enter" || event.key === " ")) onOpen(place);
    else return;
    event.preventDefault();
  });

  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", () => draw());
  // Paper has no window to look through: the first pairs of the view, one after the other.
  addEventListener("beforeprint", () => {
    const sheet = make("div", { class: "pair-cards pair-printed" });
    for (const pair of shown.slice(0, PRINTED)) sheet.append(fillCard(make("div", { class: "pair-card" }), pair));
    const filters = [...at("pair-chips").querySelectorAll("bdi")].map((chip) => `; ${chip.textContent}`);
    const note = `The first ${Math.min(PRINTED, shown.length)} of ${countOf(shown.length)}${filters.join("")}.`;
    box.after(make("p", { class: "pair-note pair-printed" }, note), sheet);
  });
  addEventListener("afterprint", () => {
    for (const part of document.querySelectorAll(".pair-printed")) part.remove();
  });

  box.hidden = false;
  box.append(ruler);
  measure();
  new ResizeObserver(measure).observe(ruler);
  return { show, focus, pairAt: (place) => shown[place], placeOf: (pair) => shown.indexOf(pair), count: () => shown.length };
};
