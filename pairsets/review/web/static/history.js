// What this person judged, newest first: search it, filter it, say otherwise.
import { cardOf, makeList } from "./cards.js";
import { at, counted, make } from "./elements.js";
import { ask, query } from "./server.js";

const PART = 40; // pairs asked for at a time
const TYPING = 200; // milliseconds without a letter until a search begins

export const makeHistory = ({ set, person, changing }) => {
  const page = at("history");
  const form = at("history-filters");
  const fields = [...form.elements].filter((field) => field.name);
  let timer = 0;
  let shown = null;

  const mineOf = (pair) => pair.said.find((one) => one.annotator === person);
  const list = makeList({
    list: at("history-list"),
    more: at("history-more"),
    count: at("history-count"),
    card: (pair) => cardOf(pair, mineOf(pair), "Change"),
    onOpen: (pair) =>
      changing.open(pair, { path: "/changes", onChange: list.replace, onClose: list.focus }),
  });
  const values = () => Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));
  const isFiltered = ({ text, show, verdict, who }) => Boolean(text || verdict || who || show !== "all");
  const tell = (filters) => (total) => {
    if (total) return counted(total, "pair");
    return isFiltered(filters) ? "No pair that you judged matches these filters." : "You have not judged a pair yet.";
  };
  const search = () => {
    clearTimeout(timer);
    const filters = values();
    const address = `#/history${query({ ...filters, show: filters.show === "all" ? "" : filters.show })}`;
    if (location.hash !== address) history.replaceState(history.state, "", address);
    if (shown === JSON.stringify(filters)) return;
    shown = JSON.stringify(filters);
    list.start({
      ask: (after) => ask(`/history${query({ ...filters, after, limit: PART })}`),
      tell: tell(filters),
    });
  };
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(search, event.target.name === "text" ? TYPING : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });

  const enter = async (wanted) => {
    page.hidden = false;
    document.title = `History · ${set.name}`;
    shown = null;
    const { annotators } = await ask("/set").catch(() => set);
    if (page.hidden) return; // left meanwhile
    const others = annotators.filter((name) => name !== person);
    form.elements.who.replaceChildren(
      make("option", { value: "" }, "Anybody"),
      ...others.map((name) => make("option", { value: name }, name)),
    );
    for (const field of fields) {
      field.value = wanted.get(field.name) ?? (field.name === "show" ? "all" : "");
      if (field.selectedIndex === -1) field.selectedIndex = 0; // an address that somebody wrote
    }
    search();
  };
  const leave = () => {
    clearTimeout(timer);
    list.stop();
    page.hidden = true;
  };
  return { enter, leave, press: () => false };
};
