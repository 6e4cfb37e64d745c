// Elements and texts. What the server says goes in as text, never as markup: names are anybody's.
export const at = (id) => document.getElementById(id);

export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};

const SVG = "http://www.w3.org/2000/svg";
export const draw = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// Places to break a line after `_`, `/` and `-`.
export const breakable = (name) =>
  name.split(/(?<=[_/-])(?=[^])/).flatMap((part, n) => (n ? [make("wbr"), part] : [part]));

const COUNT = new Intl.NumberFormat("en");
export const counted = (count, one, many = `${one}s`) =>
  `${COUNT.format(count)} ${count === 1 ? one : many}`;
export const number = (count) => COUNT.format(count);

export const scoreText = (score) =>
  score === null ? "–" : score.toFixed(Math.abs(score) < 10 ? 3 : 1).replace("-", "\u2212");
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
export const secondsText = (seconds) =>
  seconds < 60 ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : duration(seconds);

export const duration = (seconds) => {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "under a minute";
  if (minutes < 60) return `${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest ? `${number(hours)} h ${rest} min` : `${number(hours)} h`;
};

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
export const dayText = (at) => {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  // Verdicts of a pair file bear no time: they count as the earliest of all.
  return time.getTime() ? DAY.format(time) : "imported";
};

export const verdictText = ({ verdict, reason }) => (reason ? `${verdict}: ${reason}` : verdict);

// A table whose cells say on a phone which column they are of.
export const cell = (text, label, attributes = {}) => make("td", { class: "n", "data-label": label, ...attributes }, text);
export const table = (caption, heads, rows) =>
  make(
    "div",
    { class: "board" },
    make(
      "table",
      {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...heads.map((head, n) => make("th", { scope: "col", class: n ? "n" : "" }, head)))),
      make("tbody", {}, ...rows),
    ),
  );
