// The map of identities: faces on hover and focus, arrow keys from circle to circle, and its size.
const drawing = at("layout-drawing");
if (drawing) {
  const SIZES = [1, 1.6, 2.5, 4];
  const dots = [...drawing.querySelectorAll("[data-dot]")];
  const placeOfDot = new Map(dots.map((dot) => {
    const circle = dot.querySelector("circle");
    return [dot, [Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))]];
  }));
  const mapOfModel = maps.find(({ model }) => model === drawing.dataset.model) ?? { model: "" };
  let size = 0;
  let last = null; // the circle that was told of
  const say = (dot) => {
    last = dot;
    const name = dot.dataset.dot;
    const face = faceOf(mapOfModel, name);
    const image = make("img", { alt: "", class: "map-face" });
    if (face !== undefined) image.src = pictureOf(face);
    at("layout-says").replaceChildren(image, make("span", { dir: "auto" }, dot.getAttribute("aria-label")));
  };
  const focusDot = (dot) => {
    for (const other of dots) other.setAttribute("tabindex", other === dot ? "0" : "-1");
    dot.focus();
  };
  // The nearest circle in a direction: no more aside than ahead.
  const next = (dot, [right, down]) => {
    const [x, y] = placeOfDot.get(dot);
    let [best, least] = [null, Infinity];
    for (const [other, [otherX, otherY]] of placeOfDot) {
      const ahead = (otherX - x) * right + (otherY - y) * down;
      const aside = Math.abs((otherX - x) * down) + Math.abs((otherY - y) * right);
      if (ahead <= 0 || aside > ahead || ahead + aside >= least) continue;
      [best, least] = [other, ahead + aside];
    }
    return best;
  };
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  for (const event of ["pointerover", "focusin"]) {
    drawing.addEventListener(event, ({ target }) => {
      const dot = target.closest("[data-dot]");
      if (dot) say(dot);
    });
  }
  drawing.addEventListener("keydown", (event) => {
    const dot = event.target.closest("[data-dot]");
    if (!dot || !(event.key in ways) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const goal = next(dot, ways[event.key]);
    if (goal) focusDot(goal);
  });
  at("layout-zoom").addEventListener("click", (event) => {
    const step = Number(event.target.closest("[data-zoom]")?.dataset.zoom ?? 0);
    const box = at("layout-box");
    const whole = drawing.viewBox.baseVal;
    // What stands in the middle stays there; from the whole map it is the circle told of last.
    let middle = [(box.scrollLeft + box.clientWidth / 2) / drawing.clientWidth, (box.scrollTop + box.clientHeight / 2) / drawing.clientHeight];
    if (!size) {
      const [x, y] = placeOfDot.get(last ?? dots[0]);
      middle = [x / whole.width, y / whole.height];
    }
    size = Math.max(0, Math.min(SIZES.length - 1, size + step));
    drawing.style.width = `${100 * SIZES[size]}%`;
    box.scrollTo(middle[0] * drawing.clientWidth - box.clientWidth / 2, middle[1] * drawing.clientHeight - box.clientHeight / 2);
  });
  at("layout-zoom").hidden = false;
  at("layout-keys").hidden = false;
}
