// Pictures are loaded and decoded before their pair is shown.
const SIDES = ["left", "right"];
const kept = new Map(); // of the pairs to come: what identifies a picture -> it

const load = (url, side) => {
  const image = new Image();
  image.alt = `${side} face`;
  image.draggable = false;
  image.decoding = "sync"; // with its pair, not a frame later
  image.src = url;
  const picture = { image, state: "loading" };
  picture.done = image
    .decode()
    .then(() => true, () => image.complete && image.naturalWidth > 0)
    .then((good) => {
      picture.state = good ? "good" : "bad";
      return picture;
    });
  return picture;
};

// One picture may be in several pairs, but an element is in one place.
const idOf = (task, side) => `${task.pair} ${side} ${task[side]}`;
const find = (task, side) => {
  const id = idOf(task, side);
  // What failed may have come back since.
  if (kept.get(id)?.state === "bad") kept.delete(id);
  if (!kept.has(id)) kept.set(id, load(task[side], side));
  return kept.get(id);
};

export const facesOf = (task) => SIDES.map((side) => find(task, side));

// Loads what comes next, and lets go of all else.
export const prepare = (tasks) => {
  const wanted = new Set(tasks.flatMap((task) => SIDES.map((side) => idOf(task, side))));
  for (const id of kept.keys()) if (!wanted.has(id)) kept.delete(id);
  for (const task of tasks) facesOf(task);
};
