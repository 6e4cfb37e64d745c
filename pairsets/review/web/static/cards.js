// Pairs as a list that goes on as it is scrolled.
import { make, verdictText } from "./elements.js";
import { contradicts, faceName, labelChip, saidList, scoreList, suspicion } from "./facts.js";

const AHEAD = "1200px"; // below the screen, where the next part is asked for

const thumb = (face) =>
  make("img", { src: face.image, alt: face.path ?? "", loading: "lazy", decoding: "async", class: "card-face", draggable: "false" });

// `mine`: the verdict that the card is about.
export const cardOf = (pair, mine, action) => {
  const wrong = mine && contradicts(pair, mine);
  const open = make("button", { type: "button", class: "card-open", "aria-label": `${action}: ${pair.left.path}, ${pair.right.path}` }, thumb(pair.left), thumb(pair.right));
  const chips = [
    ...(mine ? [make("span", { class: "chip mine" }, `You: ${verdictText(mine)}`)] : []),
    labelChip(pair),
    ...(wrong ? [make("span", { class: "chip wrong" }, "≠ Contradicts the label")] : []),
  ];
  const scores = scoreList(pair);
  const card = make(
    "li",
    { class: "card" },
    open,
    make(
      "div",
      { class: "card-text" },
      make("p", { class: "chips" }, ...chips),
      make("div", { class: "card-names" }, faceName(pair.left), faceName(pair.right)),
      ...suspicion(pair),
      make("div", { class: "facts-more" }, saidList(pair), ...(scores.length ? [make("dl", { class: "scores" }, ...scores)] : [])),
    ),
    make("button", { type: "button", class: "tool card-change" }, action),
  );
  card.dataset.pair = pair.pair;
  return card;
};

// `ask(after)` gives {pairs, next, total}; `card(pair)` an element.
export const makeList = ({ list, more, count, card, onOpen }) => {
  let source = null;
  let next = null;
  let turn = 0; // an answer to an earlier question is thrown away
  let loading = false;
  const pairs = new Map();

  const add = (found) => {
    for (const pair of found) pairs.set(pair.pair, pair);
    list.append(...found.map(card));
  };
  const load = async () => {
    if (loading || next === null) return;
    loading = true;
    const mine = turn;
    try {
      const found = await source.ask(next);
      if (mine !== turn) return;
      add(found.pairs);
      next = found.next;
      more.textContent = next === null ? "" : "Loading more";
      count.textContent = source.tell(found.total);
    } catch (error) {
      if (mine !== turn) return;
      const again = make("button", { type: "button", class: "tool" }, "Try again");
      again.addEventListener("click", load);
      more.replaceChildren(`${error.message} `, again);
      return; // not by itself: whoever scrolls would ask a dead server again and again
    } finally {
      if (mine === turn) loading = false;
    }
    if (next !== null && more.getBoundingClientRect().top < innerHeight + parseInt(AHEAD, 10)) load();
  };
  const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && load(), { rootMargin: AHEAD });
  const start = (from) => {
    source = from;
    turn += 1;
    loading = false;
    next = "";
    pairs.clear();
    list.replaceChildren();
    more.textContent = "Loading";
    watch.observe(more);
    return load();
  };
  const stop = () => watch.disconnect();
  const replace = (pair) => {
    pairs.set(pair.pair, pair);
    const old = list.querySelector(`[data-pair="${pair.pair}"]`);
    if (!old) return;
    old.replaceWith(card(pair));
  };
  list.addEventListener("click", (event) => {
    const element = event.target.closest("button")?.closest("[data-pair]");
    if (element) onOpen(pairs.get(Number(element.dataset.pair)));
  });
  // Back to where a dialog was opened, whose button a change has replaced.
  const focus = ({ pair }) => {
    const card = list.querySelector(`[data-pair="${pair}"]`);
    if (card && !card.contains(document.activeElement)) card.querySelector("button").focus({ preventScroll: true });
  };
  return { start, stop, replace, focus };
};
