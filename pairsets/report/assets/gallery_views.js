// A view is which pairs are shown and in which order: plain text by key, as in the page's address.
const modelCalled = (name) => data.models.indexOf(name);
const split = (text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
const COUNT = new Intl.NumberFormat("en");
const countOf = (count) => `${COUNT.format(count)} ${count === 1 ? "pair" : "pairs"}`;

const VERDICTS = {
  fa: ["false accepts of", (found) => found === "false accept"],
  fr: ["false rejects of", (found) => found === "false reject"],
  wrong: ["errors of", (found) => found.startsWith("false")],
  right: ["right by", (found) => found === "right"],
};
const isWrong = VERDICTS.wrong[1];

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
    keeps: (value) => {
      const [kind, name] = split(value);
      return (pair) => VERDICTS[kind][1](outcomeOf(modelCalled(name), pair));
    },
  },
  wrong: {
    says: (value) => `wrong by ${value}`,
    keeps: (value) => (pair) => isWrong(outcomeOf(modelCalled(value), pair)),
  },
  right: {
    says: (value) => `right by ${value}`,
    keeps: (value) => (pair) => outcomeOf(modelCalled(value), pair) === "right",
  },
  human: {
    says: (value) => ({ wrong: "person wrong", right: "person right", none: "no person" })[value],
    keeps: (value) => {
      const fits = { wrong: isWrong, right: (found) => found === "right", none: (found) => !found };
      return (pair) => fits[value](outcomeOfPerson(pair));
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
const inOrder = (sort) => {
  if (!sort) return everyPair;
  if (sort === "rank") return byRank();
  const [kind, name] = sort.includes(":") ? split(sort) : [sort, ""];
  const order = ORDERS[kind];
  const worth = (measure) =>
    measure ? everyPair.map((pair) => measure(pair, modelCalled(name)) ?? -Infinity) : null;
  const first = worth(order.value);
  const then = worth(order.then);
  // Infinity less itself is no number, and no number is no difference: equal, so by rank.
  return [...byRank()].sort((a, b) => first[b] - first[a] || (then && then[b] - then[a]) || 0);
};

const pairsOf = (view, keys = inUse(view)) => {
  const tests = keys.map((key) => FILTERS[key].keeps(view[key]));
  return inOrder(view.sort).filter((pair) => tests.every((test) => test(pair)));
};
// Of an empty view, by filter: how many pairs it keeps alone, and how many all the others keep.
const blame = (view) =>
  inUse(view).map((key) => ({
    key,
    alone: pairsOf(view, [key]).length,
    without: pairsOf(view, inUse(view).filter((other) => other !== key)).length,
  }));
