// A pair as elements. Text goes in as text, never as markup.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
// Places to break a line after `_`, `/` and `-`.
const breakable = (name) =>
  name.split(/(?<=[_/-])(?=[^])/).flatMap((part, n) => (n ? [make("wbr"), part] : [part]));
const signed = (text) => text.replace("-", "\u2212");
const scoreText = (score) =>
  score === null ? "–" : signed(score.toFixed(Math.abs(score) < 10 ? 3 : 1));
// A score and a threshold that it does not equal, with digits enough to tell them apart.
const besideText = (score, threshold) => {
  const texts = [scoreText(score), scoreText(threshold)];
  for (let digits = 4; score !== threshold && texts[0] === texts[1] && digits < 17; digits += 1) {
    for (const [at, value] of [score, threshold].entries()) texts[at] = signed(value.toFixed(digits));
  }
  return texts;
};
const quantileText = (quantile) => {
  if (quantile === 1) return "1";
  const digits = Math.max(2, 1 + Math.ceil(-Math.log10(1 - quantile)));
  return quantile.toFixed(Math.min(digits, 17)).replace(/\.?0+$/, "");
};
const rankText = (pair) => (data.rank[pair] ? `Rank ${COUNT.format(data.rank[pair])}` : "");
const sameText = (said) => ({ 1: "same", 0: "different", "-": "not judged" })[said];
const initials = { "false accept": "FA", "false reject": "FR" };
const capital = (text) => text[0].toUpperCase() + text.slice(1);

const markOf = (found, inWords = false) => {
  if (!found) return [];
  const sign = found === "right" ? "✓" : "✗";
  const kind = found === "right" ? "right" : "wrong";
  const mark = make("span", { class: `pair-mark ${kind}`, title: capital(found) });
  if (inWords) mark.append(make("i", { "aria-hidden": "true" }, `${sign} `), found);
  else {
    const short = kind === "right" ? sign : `${sign} ${initials[found]}`;
    mark.append(make("i", { "aria-hidden": "true" }, short), make("span", { class: "pair-unseen" }, found));
  }
  return [mark];
};
const quantileParts = (model, pair) => {
  const quantile = quantileOf(model, pair);
  return quantile === null ? [] : [" ", make("small", {}, `(${quantileText(quantile)})`)];
};
const fillFace = (image, pair, side, enlarged = false) => {
  image.alt = `${nameOf(pair, side)}, ${pathOf(pair, side)}`;
  image.src = pictureOf(data.faces[side][pair], enlarged);
};
const nameButton = (pair, side, attributes = {}) => {
  const name = nameOf(pair, side);
  const title = `Only pairs of ${name}`;
  const all = { type: "button", class: "pair-name", dir: "auto", title, ...attributes };
  const button = make("button", all, ...breakable(name));
  button.dataset.name = name;
  return button;
};

// What a screen reader says of the whole card.
const summary = (pair, place, count) => {
  const told = models
    .filter((model) => scoreOf(model, pair) !== null)
    .map((model) => {
      const found = outcomeOf(model, pair);
      return `${data.models[model]} ${scoreText(scoreOf(model, pair))}${found && ` ${found}`}`;
    });
  const person = outcomeOfPerson(pair);
  return [
    `Pair ${COUNT.format(place + 1)} of ${COUNT.format(count)}`,
    `${nameOf(pair, 0)} and ${nameOf(pair, 1)}`,
    isSame(pair) ? "same identity" : "different identities",
    ...(data.rank[pair] ? [rankText(pair)] : []),
    ...told,
    ...(person ? [`person ${person}`] : []),
  ].join("; ");
};

// The same lines as the page's own first cards, each as high on every card: rows are laid out
// by arithmetic.
const END = 7;
// A long name in two parts, of which the first may be cut: its end tells it from others.
const ends = (name) => {
  const letters = [...name];
  const cut = letters.length > 2 * END ? letters.length - END : letters.length;
  const end = letters.slice(cut).join("");
  return [make("span", {}, letters.slice(0, cut).join("")), ...(end ? [make("b", {}, end)] : [])];
};
const valueRows = (pair) => {
  const row = (title, value, mark, kind = "") =>
    make(
      "div",
      kind ? { class: kind } : {},
      make("dt", { title }, ...ends(title)),
      make("dd", {}, ...value),
      make("dd", {}, ...mark),
    );
  const rows = models.map((model) =>
    row(
      data.models[model],
      [scoreText(scoreOf(model, pair)), ...quantileParts(model, pair)],
      markOf(outcomeOf(model, pair)),
    ),
  );
  if (isJudged) {
    const said = sameText(data.human[pair]);
    rows.push(row("Person", [said], markOf(outcomeOfPerson(pair)), "pair-person"));
  }
  return rows;
};
const fillCard = (card, pair) => {
  const faces = make("button", { type: "button", class: "pair-faces", tabindex: "-1" });
  for (const side of [0, 1]) {
    const image = make("img", { class: "pair-face", decoding: "async", draggable: "false" });
    fillFace(image, pair, side);
    faces.append(image);
  }
  const facts = make("p", { class: "pair-facts" });
  const same = isSame(pair);
  facts.append(make("span", { class: same ? "pair-chip same" : "pair-chip" }, same ? "same" : "different"));
  if (data.sets.some(Boolean)) facts.append(make("span", { class: "pair-set" }, setsOf(pair).join(", ")));
  facts.append(make("span", { class: "pair-rank" }, rankText(pair)));
  const names = [0, 1].map((side) => nameButton(pair, side, { tabindex: "-1" }));
  card.append(
    facts,
    faces,
    make("p", { class: "pair-names" }, ...names),
    make("dl", { class: "pair-values" }, ...valueRows(pair)),
  );
  return card;
};
