// A view is which pairs are shown and in which order: plain text by key, as in the page's address,
// so that any part of the page can lead to one: #pairs?name=A&with=B has the pairs of two identities
// (of A alone where both are A), #pairs?set=random&wrong=M&label=different some of a set. Values are
// encoded as a form's are; `gallery_links.py` makes such addresses and counts what they open.
const modelCalled = (name) => data.models.indexOf(name);
const split = (text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
const COUNT = new Intl.NumberFormat("en");
const countOf = (count) => `${COUNT.format(count)} ${count === 1 ? "pair" : "pairs"}`;

// Of numbers of OUTCOMES.
const VERDICTS = {
  fa: ["false accepts of", (found) => found === 2],
  fr: ["false rejects of", (found) => found === 3],
  wrong: ["errors of", (found) => found > 1],
  right: ["right by", (found) => found === 1],
};
const byVerdict = (kind, name) => {
  const found = outcomesBy[modelCalled(name)];
  const [, fits] = VERDICTS[kind];
  return (pair) => fits(found[pair]);
};

// By key: what a value is called, and which pairs it keeps.
const FILTERS = {
  q: {
    says: (value) => `name has “${value}”`,
    keeps: (value) => {
      const words = plain(value).split(" ").filter(Boolean);
      // Each word in one name or the other; asked once a name, not once a pair.
      const having = words.map((word) => plainNames.map((name) => name.includes(word)));
      return (pair) => having.every((has) => has[data.people[0][pair]] || has[data.people[1][pair]]);
    },
  },
  name: {
    says: (value) => value,
    keeps: (value) => (pair) => nameOf(pair, 0) === value || nameOf(pair, 1) === value,
  },
  with: {
    says: (value) => `with ${value}`,
    keeps: (value, used) => (pair) => {
      const has = [0, 1].map((side) => nameOf(pair, side) === value);
      return used.name === value ? has[0] && has[1] : has[0] || has[1];
    },
  },
  face: {
    says: (value) => `face ${value}`,
    keeps: (value) => (pair) => pathOf(pair, 0) === value || pathOf(pair, 1) === value,
  },
  set: {
    says: (value) => `${value} set`,
    keeps: (value) => (pair) => setsOf(pair).includes(value),
  },
  label: {
    says: (value) => (value === "same" ? "same identity" : "different identities"),
    keeps: (value) => (pair) => isSame(pair) === (value === "same"),
  },
  show: {
    says: (value) => `${VERDICTS[split(value)[0]][0]} ${split(value)[1]}`,
    keeps: (value) => byVerdict(...split(value)),
  },
  wrong: {
    says: (value) => `wrong by ${value}`,
    keeps: (value) => byVerdict("wrong", value),
  },
  right: {
    says: (value) => `right by ${value}`,
    keeps: (value) => byVerdict("right", value),
  },
  human: {
    says: (value) => ({ wrong: "person wrong", right: "person right", none: "no person" })[value],
    keeps: (value) => {
      const fits = { wrong: VERDICTS.wrong[1], right: VERDICTS.right[1], none: (found) => !found }[value];
      return (pair) => fits(outcomesOfPerson[pair]);
    },
  },
  split: {
    says: () => "models disagree",
    keeps: () => (pair) => minority(pair) > 0,
  },
};
const inUse = (view) => Object.keys(FILTERS).filter((key) => view[key]);

// By kind: a value for each pair, the highest first, null last; and a sentence where it needs one.
const ORDERS = {
  high: { value: (pair, model) => scoreOf(model, pair) },
  low: {
    value: (pair, model) => (scoreOf(model, pair) === null ? null : -scoreOf(model, pair)),
  },
  split: {
    value: minority,
    then: spread,
    says:
      "Models disagree most: first the pairs whose verdicts are most evenly divided, and among " +
      "those the ones that the models place furthest apart among all pairs of this page.",
  },
  human: {
    value: againstPerson,
    says: "Person against models: first the pairs where most models contradict the person.",
  },
};
const byRank = once(() => {
  const last = data.rank.reduce((a, b) => Math.max(a, b), 0) + 1;
  return [...everyPair].sort((a, b) => (data.rank[a] || last) - (data.rank[b] || last) || a - b);
});
const sorted = (sort) => {
  if (!sort) return everyPair;
  if (sort === "rank") return byRank();
  const [kind, name] = sort.includes(":") ? split(sort) : [sort, ""];
  const order = ORDERS[kind];
  const model = modelCalled(name);
  const worth = (measure) =>
    measure ? Float64Array.from(everyPair, (pair) => measure(pair, model) ?? -Infinity) : null;
  const first = worth(order.value);
  const then = worth(order.then);
  // Infinity less itself is no number, and no number is no difference: equal, so by rank.
  return [...byRank()].sort((a, b) => first[b] - first[a] || (then && then[b] - then[a]) || 0);
};
// Each order is made once: it is the same whatever the filters.
const orders = new Map();
const inOrder = (sort) => {
  if (!orders.has(sort)) orders.set(sort, sorted(sort));
  return orders.get(sort);
};

const pairsOf = (view, keys = inUse(view)) => {
  const used = Object.fromEntries(keys.map((key) => [key, view[key]]));
  const tests = keys.map((key) => FILTERS[key].keeps(view[key], used));
  return inOrder(view.sort).filter((pair) => tests.every((test) => test(pair)));
};
// Of an empty view, by filter: how many pairs it keeps alone, and how many all the others keep.
const blame = (view) =>
  inUse(view).map((key) => ({
    key,
    alone: pairsOf(view, [key]).length,
    without: pairsOf(view, inUse(view).filter((other) => other !== key)).length,
  }));
