// Two faces, large: side by side, one after the other in one place, and closer.
import { make } from "./elements.js";
import { facesOf } from "./pictures.js";

const FLICKER = 330; // milliseconds a face
const LOADING = 120; // milliseconds until a picture that is still on its way leaves the box empty
const HANGING = 4000; // milliseconds until one that hangs holds up nothing
const ZOOMS = [1, 2, 4];
const STEP = 10; // percent of a face that an arrow key moves by
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const after = (time) => new Promise((resolve) => setTimeout(resolve, time));
// Soon after the next frame is on the screen; a hidden page has no frames.
const painted = () =>
  Promise.race([
    new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))),
    after(100),
  ]);

export const makeStage = (stage, { onChange }) => {
  const boxes = [...stage.querySelectorAll(".box")];
  const side = stage.querySelector(".side");
  let shown = null; // the pair on the screen
  let timer = 0;
  let zoom = 1;
  let point = [50, 50];

  const isOver = () => stage.classList.contains("over");
  const label = () => {
    side.textContent = !isOver() ? "" : stage.classList.contains("second") ? "right" : "left";
    onChange({ over: isOver(), zoom });
  };
  const turn = () => {
    stage.classList.toggle("second");
    label();
  };
  const apart = () => {
    clearInterval(timer);
    stage.classList.remove("over", "second");
    label();
  };
  const flicker = () => {
    if (isOver() && calm.matches) turn();
    else if (isOver()) apart();
    else {
      stage.classList.add("over");
      if (!calm.matches) timer = setInterval(turn, FLICKER);
      label();
    }
  };
  const lookAt = (x, y) => {
    point = [x, y].map((share) => Math.max(0, Math.min(100, share)));
    stage.style.setProperty("--x", `${point[0]}%`);
    stage.style.setProperty("--y", `${point[1]}%`);
  };
  const setZoom = (factor) => {
    zoom = factor;
    stage.style.setProperty("--zoom", factor);
    stage.classList.toggle("zoomed", factor > 1);
    label();
  };
  const nextZoom = () => {
    if (zoom === 1) lookAt(50, 50);
    setZoom(ZOOMS[(ZOOMS.indexOf(zoom) + 1) % ZOOMS.length]);
  };
  // Whether the key was for the stage.
  const move = (key) => {
    if (zoom === 1 || !ARROWS[key]) return false;
    const [x, y] = ARROWS[key];
    lookAt(point[0] + (x * 2 * STEP) / zoom, point[1] + (y * 2 * STEP) / zoom);
    return true;
  };

  const follow = (event) => {
    const box = event.target.closest(".box")?.getBoundingClientRect();
    if (!box) return;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    lookAt((100 * x) / box.width, (100 * y) / box.height);
  };
  stage.addEventListener("pointermove", (event) => {
    if (zoom > 1) follow(event);
  });
  stage.addEventListener("click", (event) => {
    if (isOver() && calm.matches) return apart();
    if (!event.target.closest(".box")) return undefined;
    if (zoom === 1) {
      follow(event);
      return setZoom(2);
    }
    return setZoom(1);
  });

  const fill = (box, picture) => {
    box.classList.toggle("missing", picture.state === "bad");
    if (picture.state === "good") box.replaceChildren(picture.image);
    else if (picture.state === "bad") {
      box.replaceChildren(make("p", {}, make("b", {}, "This picture cannot be shown."), " It is missing or damaged."));
    } else box.replaceChildren(make("p", { class: "late" }, "Loading the picture"));
  };
  const clear = () => {
    shown = null;
    clearInterval(timer);
    stage.classList.remove("over", "second");
    setZoom(1);
    for (const box of boxes) {
      box.replaceChildren();
      box.classList.remove("missing");
    }
  };
  // Both faces change in one frame, when both are there; resolves when that frame is painted.
  const show = async (task) => {
    const faces = facesOf(task);
    shown = task;
    const all = Promise.all(faces.map((face) => face.done));
    if (faces.some((face) => face.state === "loading")) await Promise.race([all, after(LOADING)]);
    if (shown !== task) return;
    apart();
    setZoom(1);
    faces.forEach((face, n) => fill(boxes[n], face));
    for (const [n, face] of faces.entries()) {
      if (face.state !== "loading") continue;
      face.done.then(() => {
        if (shown === task) fill(boxes[n], face);
      });
    }
    await Promise.race([all, after(HANGING)]);
    await painted();
  };
  const isWhole = () => boxes.every((box) => box.querySelector("img"));

  return { show, clear, flicker, apart, isOver, nextZoom, move, isWhole };
};
