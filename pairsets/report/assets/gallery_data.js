// What the page carries: the pairs in columns, the faces, and what follows from them.
const at = (id) => document.getElementById(id);
const carried = (id) => {
  const element = at(id);
  const value = JSON.parse(element.textContent);
  element.remove(); // megabytes of text that nothing needs again
  return value;
};
const data = carried("pair-data");
const models = data.models.map((_, model) => model);
const everyPair = data.rank.map((_, pair) => pair);

// The faces of the first pairs stand in a style sheet, which shows them without script.
const pictures = carried("pair-pictures");
for (const face of at("pair-first").querySelectorAll("[data-face]")) {
  pictures[face.dataset.face] ??= "";
  if (pictures[face.dataset.face] === "") {
    pictures[face.dataset.face] = getComputedStyle(face).backgroundImage.slice(5, -2);
  }
}
const pictureOf = (face) => {
  const picture = pictures[face];
  return picture.startsWith("data:") ? picture : `data:image/webp;base64,${picture}`;
};

// Case, width, accents of Latin letters and `_` make no difference to a search; dakuten do.
const plain = (text) =>
  text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s_]+/g, " ")
    .trim();
const plainNames = data.names.map(plain);

const nameOf = (pair, side) => data.names[data.people[side][pair]];
const pathOf = (pair, side) => data.paths[data.faces[side][pair]];
const setsOf = (pair) => data.set[pair].map((set) => data.sets[set]);
const isSame = (pair) => data.label[pair] === "1";
const scoreOf = (model, pair) => data.scores[model]?.[pair] ?? null;
const quantileOf = (model, pair) => data.quantiles[model]?.[pair] ?? null;
// "1" takes the two for the same, "0" does not, "-" unknown.
const verdictOf = (model, pair) => data.verdicts[model][pair];
const outcome = (said, pair) => {
  if (said === "-") return "";
  if (said === data.label[pair]) return "right";
  return isSame(pair) ? "false reject" : "false accept";
};
const outcomeOf = (model, pair) => outcome(verdictOf(model, pair), pair);
const outcomeOfPerson = (pair) => outcome(data.human[pair], pair);
const judging = models.filter((model) => /[01]/.test(data.verdicts[model]));
const isJudged = /[01]/.test(data.human);

// By model: a pair's place among all pairs of the page, 0 to 1, equal scores in the middle of theirs.
const once = (make) => {
  let value;
  return () => (value ??= make());
};
const places = once(() =>
  models.map((model) => {
    const place = everyPair.map(() => null);
    const scored = everyPair.filter((pair) => scoreOf(model, pair) !== null);
    scored.sort((a, b) => scoreOf(model, a) - scoreOf(model, b));
    for (let first = 0, end = 0; first < scored.length; first = end) {
      const score = scoreOf(model, scored[first]);
      while (end < scored.length && scoreOf(model, scored[end]) === score) end += 1;
      for (let n = first; n < end; n += 1) place[scored[n]] = (first + end) / (2 * scored.length);
    }
    return place;
  }),
);

// How far the models are apart on each pair: first how many say otherwise than the most of them,
// then how far apart they place it.
const minority = (pair) => {
  const said = judging.map((model) => verdictOf(model, pair));
  const same = said.filter((one) => one === "1").length;
  return Math.min(same, said.filter((one) => one === "0").length);
};
const spread = (pair) => {
  const placed = places().map((place) => place[pair]).filter((place) => place !== null);
  return placed.length > 1 ? Math.max(...placed) - Math.min(...placed) : 0;
};
// Of the models with a verdict, the share that says otherwise than the person; -1 if none did.
const againstPerson = (pair) => {
  if (data.human[pair] === "-") return -1;
  const said = judging.map((model) => verdictOf(model, pair)).filter((one) => one !== "-");
  return said.filter((one) => one !== data.human[pair]).length / Math.max(1, said.length);
};
