// The map: a table of the parts of two nodes, each cell a link to what it is made of.
const mapBox = at("confusion-map");
const [FAINT, STRONG] = [14, 72]; // of the colour, in percent
let mapShown = null; // { map, rows, columns }
let mapActive = null;

const labelOf = (map, leaves, path, kind) => {
  const name = nodeName(map, leaves);
  const isOne = leaves.length === 1;
  const wanted = viewOf(map, map.names[leaves[0]]);
  const href = isOne ? galleryAddress(wanted) : mapAddress(map, path);
  const title = isOne ? `${name}: all its false accepts` : `${name}: look inside`;
  const head = make("th", { scope: kind });
  const link = make("a", { href, title, tabindex: kind === "row" ? "0" : "-1" });
  if (isOne && !pairsOf(wanted).length) link.removeAttribute("href");
  const face = faceOf(map, map.names[busiest(map, leaves)]);
  const image = make("img", { alt: "", class: "map-face", draggable: "false" });
  if (face !== undefined) image.src = pictureOf(face);
  link.append(image, make("span", { dir: "auto" }, name));
  head.append(link);
  return head;
};
const cellText = (map, cell, first, second) => {
  const who = first === second ? `Within ${first}` : `${first} and ${second}`;
  return `${who}: ${COUNT.format(cell.accepted)} of ${countOf(cell.pairs)} taken for one, highest score ${scoreText(cell.best)}`;
};
const cellOf = (map, cell, most, row, column) => {
  const [first, second] = [nodeName(map, row.leaves), nodeName(map, column.leaves)];
  const link = make("a", { class: "map-cell", tabindex: "-1" }, COUNT.format(cell.accepted));
  let text = cellText(map, cell, first, second);
  if (row.leaves.length === 1 && column.leaves.length === 1) {
    const wanted = viewOf(map, first, second);
    const shown = pairsOf(wanted).length;
    if (shown) link.href = galleryAddress(wanted);
    text += shown === cell.accepted ? ". Opens these pairs." : `. ${shown ? `Opens ${COUNT.format(shown)} of them` : "None of them is"} in the gallery.`;
  } else {
    link.href = mapAddress(map, row.path, column.path);
    text += ". Opens the map of the two.";
  }
  link.setAttribute("aria-label", text);
  link.dataset.says = text;
  const strength = FAINT + (STRONG - FAINT) * Math.sqrt(cell.accepted / most);
  link.style.setProperty("--strength", `${strength.toFixed(1)}%`);
  return link;
};
const partsOf = (map, path) => {
  const node = nodeAt(map, path);
  if (!Array.isArray(node)) return [{ leaves: leavesOf(node), path }];
  return node.map((child, step) => ({ leaves: leavesOf(child), path: pathTo(path, step) }));
};
const drawMap = () => {
  const { map, rows, columns } = mapShown;
  const [down, across] = [partsOf(map, rows), partsOf(map, columns)];
  const cells = between(map, down.map((part) => part.leaves), across.map((part) => part.leaves));
  const most = Math.max(1, ...cells.flatMap((row) => [...row.values()].map((cell) => cell.accepted)));
  const head = make("tr", {}, make("td"), ...across.map((part) => labelOf(map, part.leaves, part.path, "col")));
  const body = down.map((part, row) =>
    make("tr", {}, labelOf(map, part.leaves, part.path, "row"), ...across.map((other, column) => {
      const cell = cells[row].get(column);
      const isSelf = part.path === other.path;
      const box = make("td", isSelf ? { class: "map-self" } : {});
      if (cell) box.append(cellOf(map, cell, most, part, other));
      return box;
    })),
  );
  const name = `Who is taken for whom by ${map.title}`;
  at("map-table").replaceChildren(make("caption", { class: "unseen" }, name), make("thead", {}, head), make("tbody", {}, ...body));
  mapActive = at("map-table").querySelector(".map-cell");
  mapActive?.setAttribute("tabindex", "0");
  const whole = leavesOf(map.tree).length;
  const parts = rows === columns ? [rows] : [rows, columns];
  const here = parts.map((path) => (path ? nodeName(map, leavesOf(nodeAt(map, path))) : "")).filter(Boolean);
  at("map-where").replaceChildren(
    ...(here.length ? [make("a", { href: mapAddress(map) }, `All ${COUNT.format(whole)} identities`), " › ", here.join(" × ")] : [`All ${COUNT.format(whole)} identities with a false accept`]),
  );
  const up = rows.includes(".") || columns.includes(".") ? mapAddress(map, rows.replace(/\.?[^.]*$/, ""), columns.replace(/\.?[^.]*$/, "")) : "";
  at("map-up").hidden = !up;
  if (up) at("map-up").href = up;
  at("map-groups").textContent = map.groups
    ? `${map.groups} groups: modularity ${map.modularity.toFixed(2)}, where chance gives ${map.chance.toFixed(2)} at most.`
    : "No groups: the false accepts are spread no more in groups than by chance.";
  at("map-says").textContent = "";
  measureMap();
};
const measureMap = () => {
  const scroll = at("map-scroll");
  at("map-hint").hidden = scroll.scrollWidth <= scroll.clientWidth + 1;
};
// From the address; false where it has no place of a map.
const readMap = () => {
  if (!location.hash.startsWith(MAP_PREFIX)) return false;
  const given = new URLSearchParams(location.hash.slice(MAP_PREFIX.length));
  const map = maps[Number(given.get("map"))] ?? maps[0];
  const known = (key) => (nodeAt(map, given.get(key) ?? "") === undefined ? "" : (given.get(key) ?? ""));
  mapShown = { map, rows: known("rows"), columns: known("columns") };
  return true;
};
const goTo = (address) => {
  if (address !== location.hash) history.pushState(null, "", address);
  readMap();
  at("map-model").value = maps.indexOf(mapShown.map);
  drawMap();
};
const moveIn = (cell, by, step) => {
  const table = [...at("map-table").rows].map((row) => [...row.cells]);
  let row = table.findIndex((cells) => cells.includes(cell));
  let column = table[row].indexOf(cell);
  for (;;) {
    row += by === "row" ? step : 0;
    column += by === "column" ? step : 0;
    const link = table[row]?.[column]?.querySelector("a");
    if (!table[row]?.[column]) return;
    if (link) {
      mapActive?.setAttribute("tabindex", "-1");
      if (link.matches(".map-cell")) mapActive = link;
      link.setAttribute("tabindex", "0");
      link.focus();
      return;
    }
  }
};

if (mapBox && maps.length) {
  const table = at("map-table");
  at("map-model").append(...maps.map((map, place) => make("option", { value: place }, map.title)));
  at("map-model").parentElement.hidden = maps.length < 2;
  at("map-model").addEventListener("input", (event) => goTo(mapAddress(maps[event.target.value])));
  const say = (event) => {
    const link = event.target.closest("[data-says], th a");
    if (link && table.contains(link)) at("map-says").textContent = link.dataset.says ?? link.title;
  };
  table.addEventListener("pointerover", say);
  table.addEventListener("focusin", say);
  const moves = { ArrowLeft: ["column", -1], ArrowRight: ["column", 1], ArrowUp: ["row", -1], ArrowDown: ["row", 1] };
  table.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in moves)) return;
    event.preventDefault();
    moveIn(event.target.closest("td, th"), ...moves[event.key]);
  });
  mapBox.addEventListener("click", (event) => {
    const link = event.target.closest(`a[href^="${MAP_PREFIX}"]`);
    if (!link || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const inTable = table.contains(link);
    goTo(link.hash);
    if (inTable) (mapActive ?? table.querySelector("th a"))?.focus({ preventScroll: true });
  });
  const find = at("map-find");
  find.addEventListener("focus", () => {
    const names = make("datalist", { id: "map-names" }, ...mapShown.map.names.map((value) => make("option", { value })));
    at("map-names").replaceWith(names);
  });
  find.addEventListener("change", () => {
    const place = mapShown.map.names.findIndex((name) => plain(name) === plain(find.value));
    if (place < 0) {
      at("map-says").textContent = find.value ? `No identity with a false accept is called ${find.value}.` : "";
      return;
    }
    goTo(mapAddress(mapShown.map, edges(mapShown.map).parents[place]));
    const row = partsOf(mapShown.map, mapShown.rows).findIndex((part) => part.leaves.length === 1 && part.leaves[0] === place);
    table.tBodies[0].rows[row].querySelector("th a").focus();
  });
  addEventListener("hashchange", () => readMap() && drawMap());
  const begin = () => {
    if (!mapShown) mapShown = { map: maps[0], rows: "", columns: "" };
    at("map-model").value = maps.indexOf(mapShown.map);
    mapBox.hidden = false;
    drawMap();
    new ResizeObserver(measureMap).observe(at("map-scroll"));
  };
  at("confusions").classList.add("map-is-live");
  mapBox.hidden = false;
  // Drawn when it comes near the screen, or at once where the address is its own.
  if (readMap()) {
    begin();
    at("confusions").scrollIntoView({ behavior: "instant" });
  } else {
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watch.disconnect();
      if (!mapShown) begin();
    }, { rootMargin: "100%" });
    watch.observe(mapBox);
  }
}
