// What is known of a pair that was judged, as elements.
import { breakable, dayText, make, scoreText, secondsText, verdictText } from "./elements.js";

// What it is called where the label says otherwise than a verdict.
export const contradicts = (pair, { verdict }) =>
  pair.label !== null && verdict !== "invalid" && verdict !== pair.label;

export const labelChip = (pair) =>
  make(
    "span",
    { class: `chip ${pair.label}` },
    `Label: ${pair.label === "same" ? "same identity" : "different identities"}`,
  );
export const faceName = (face) =>
  make(
    "p",
    { class: "who" },
    make("b", { dir: "auto" }, ...breakable(face.identity ?? "")),
    make("span", { class: "path", dir: "auto" }, ...breakable(face.path ?? "")),
  );
// One mark for it everywhere: a sign, words and a colour that stands for nothing else.
export const contradiction = (text) =>
  make("span", { class: "wrong", title: "This verdict contradicts the label" }, text, make("span", { class: "unseen" }, ", contradicts the label"));
const verdictMark = (pair, said) => {
  const wrong = contradicts(pair, said);
  return make("span", { class: `said-verdict ${said.verdict}` }, verdictText(said), ...(wrong ? [" ", contradiction("≠ label")] : []));
};
export const saidList = (pair) => {
  const line = (said, who, note) =>
    make("li", {}, make("span", { class: "by", dir: "auto" }, who), " ", verdictMark(pair, said), make("small", {}, note));
  const lines = pair.said.map((said) => {
    const took = said.seconds === null ? [] : [secondsText(said.seconds)];
    return line(said, said.annotator, [...took, dayText(said.at)].join(", "));
  });
  if (pair.decision) {
    const decided = line(pair.decision, "Decided", `by ${pair.decision.annotator}, ${dayText(pair.decision.at)}`);
    decided.className = "decided";
    lines.push(decided);
  }
  return make("ul", { class: "said-list" }, ...lines);
};
export const scoreList = (pair) =>
  Object.entries(pair.scores ?? {}).map(([model, score]) =>
    make("div", {}, make("dt", {}, ...breakable(model)), make("dd", {}, scoreText(score))),
  );
export const suspicion = (pair) =>
  pair.suspect
    ? [make("p", { class: "suspect" }, make("b", {}, "⚑ Suspect: "), pair.suspect.reason || pair.suspect.kinds)]
    : [];

export const factsOf = (pair) => [
  make("div", { class: "facts-names" }, faceName(pair.left), labelChip(pair), faceName(pair.right)),
  ...suspicion(pair),
  make("div", { class: "facts-more" }, saidList(pair), make("dl", { class: "scores" }, ...scoreList(pair))),
];
