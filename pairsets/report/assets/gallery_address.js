// The page's address: #pairs?label=same&sort=... . A plain #pairs is the view without any filter, #pair=...
// one pair of it, enlarged, and the anchors of other sections say nothing about it.
const KEYS = [...Object.keys(FILTERS), "sort"];
const PREFIX = "#pairs?";
const PAIR = "#pair=";
const isView = (hash) => hash.startsWith(PREFIX) || hash.startsWith(PAIR);
const isOurs = (hash) => ["", "#", "#pairs"].includes(hash) || isView(hash);
const addressed = () => {
  const { hash } = location;
  const given = hash.startsWith(PAIR) ? hash.slice(1) : hash.startsWith(PREFIX) ? hash.slice(PREFIX.length) : "";
  return Object.fromEntries(new URLSearchParams(given));
};
// Of a pair that stands here for two sets, the set too.
const linkTo = (pair) => {
  const parts = new URLSearchParams({ pair: keyOf(pair) });
  if (pairsWith(keyOf(pair)).length > 1) parts.set("set", setsOf(pair)[0]);
  return `#${parts}`;
};
const addressOf = (view, opened) => {
  const parts = new URLSearchParams();
  for (const key of KEYS) if (view[key]) parts.set(key, view[key]);
  if (opened !== null && !parts.toString()) return linkTo(opened);
  if (opened !== null) parts.set("pair", keyOf(opened));
  const text = parts.toString();
  if (text) return PREFIX + text;
  return isView(location.hash) ? "#pairs" : location.hash;
};
// Browsers refuse many changes a second, as of a key held down: what is no step of its own waits.
let later = 0;
let pending = null;
const forget = () => {
  clearTimeout(later);
  pending = null;
};
const settle = () => {
  if (pending !== null) history.replaceState(null, "", pending);
  forget();
};
const write = (view, opened, asStep) => {
  const address = addressOf(view, opened);
  if (asStep) {
    settle();
    if (address !== location.hash) history.pushState(null, "", address);
  } else {
    forget();
    pending = address;
    later = setTimeout(settle, 150);
  }
};
