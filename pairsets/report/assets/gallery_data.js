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
// Larger ones, of the first pairs, are read when the first pair is enlarged.
const once = (make) => {
  let value;
  return () => (value ??= make());
};
const larger = once(() => carried("pair-larger"));
const pictureOf = (face, enlarged = false) => {
  const picture = (enlarged && larger()[face]) || pictures[face];
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
// The key of a pair is of its paths, so that a link to it outlives another order. The same pair may
// stand here once for each of two sets.
const KEY_LENGTH = 12;
const keyOf = (pair) => data.keys.slice(KEY_LENGTH * pair, KEY_LENGTH * (pair + 1));
const pairsWith = (key) => everyPair.filter((pair) => keyOf(pair) === key);
// Of the set that the verdict is of.
const thresholdOf = (model, pair) => data.thresholds[data.set[pair][0]]?.[model] ?? null;
const isSame = (pair) => data.label[pair] === "1";
const scoreOf = (model, pair) => data.scores[model]?.[pair] ?? null;
const quantileOf = (model, pair) => data.quantiles[model]?.[pair] ?? null;
// "1" takes the two for the same, "0" does not, "-" unknown.
const verdictOf = (model, pair) => data.verdicts[model][pair];
const OUTCOMES = ["", "right", "false accept", "false reject"];
const outcomes = (said) =>
  Uint8Array.from(everyPair, (pair) => {
    if (said[pair] === "-") return 0;
    if (said[pair] === data.label[pair]) return 1;
    return isSame(pair) ? 3 : 2;
  });
// By model: a number for each pair, as filters ask it; what it is called is in OUTCOMES.
const outcomesBy = data.verdicts.map(outcomes);
const outcomesOfPerson = outcomes(data.human);
const outcomeOf = (model, pair) => OUTCOMES[outcomesBy[model][pair]];
const outcomeOfPerson = (pair) => OUTCOMES[outcomesOfPerson[pair]];
const judging = models.filter((model) => /[01]/.test(data.verdicts[model]));
const isJudged = /[01]/.test(data.human);

// By model: a pair's place among all pairs of the page, 0 to 1, equal scores in the middle of theirs.
const places = once(() =>
  models.map((model) => {
    const place = new Float64Array(everyPair.length).fill(NaN);
    const scores = data.scores[model] ?? [];
    const scored = Uint32Array.from(everyPair.filter((pair) => scoreOf(model, pair) !== null));
    scored.sort((a, b) => scores[a] - scores[b]);
    for (let first = 0, end = 0; first < scored.length; first = end) {
      const score = scores[scored[first]];
      while (end < scored.length && scores[scored[end]] === score) end += 1;
      for (let n = first; n < end; n += 1) place[scored[n]] = (first + end) / (2 * scored.length);
    }
    return place;
  }),
);

// How far the models are apart on each pair: first how many say otherwise than the most of them,
// then how far apart they place it.
const minority = (pair) => {
  let same = 0;
  let different = 0;
  for (const model of judging) {
    const said = verdictOf(model, pair);
    if (said === "1") same += 1;
    else if (said === "0") different += 1;
  }
  return Math.min(same, different);
};
const spread = (pair) => {
  let [low, high] = [Infinity, -Infinity];
  for (const place of places()) {
    if (place[pair] < low) low = place[pair];
    if (place[pair] > high) high = place[pair];
  }
  return high > low ? high - low : 0;
};
// Of the models with a verdict, the share that says otherwise than the person; -1 if none did.
const againstPerson = (pair) => {
  if (data.human[pair] === "-") return -1;
  const said = judging.map((model) => verdictOf(model, pair)).filter((one) => one !== "-");
  return said.filter((one) => one !== data.human[pair]).length / Math.max(1, said.length);
};
