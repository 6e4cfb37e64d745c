// The card below the pair to judge: the last pair, what was said of it, and on request what it was.
import { make, secondsText, verdictText } from "./elements.js";
import { factsOf } from "./facts.js";
import { ask, query } from "./server.js";

const MOST = 1000; // pairs that `u` can go back without asking which one is the last

export const makeLast = (desk, { verb = "You said", noun = "verdict" } = {}) => {
  const line = desk.find(".last-pair");
  const names = desk.find(".names");
  let said = []; // the latest last
  let facts = null;

  const current = () => said.at(-1) ?? null;
  const close = () => {
    names.hidden = true;
    names.replaceChildren(); // nothing of it stays in the page
    desk.button("names").setAttribute("aria-expanded", "false");
  };
  const draw = () => {
    close();
    facts = null;
    const last = current();
    desk.allow("names", Boolean(last));
    if (!last) {
      const places = [1, 2].map(() => make("span", { class: "thumb" }));
      line.replaceChildren(make("span", { class: "thumbs", "aria-hidden": "true" }, ...places), make("span", { class: "muted" }, `Your last ${noun} appears here.`));
      return;
    }
    const thumbs = [last.left, last.right].map((src, n) => make("img", { src, alt: `${n ? "right" : "left"} face of the last pair`, class: "thumb", draggable: "false" }));
    const took = last.seconds === null ? "" : ` in ${secondsText(last.seconds)}`;
    line.replaceChildren(
      make("span", { class: "thumbs" }, ...thumbs),
      make("span", {}, make("span", { class: "muted verb" }, `${verb} `), make("b", {}, verdictText(last)), make("span", { class: "muted took" }, took)),
    );
  };
  const add = (one) => {
    said = [...said, one].slice(-MOST);
    draw();
  };
  const takeBack = (pair) => {
    said = said.filter((one) => one.pair !== pair);
    draw();
  };
  // What this person judged before the page was opened, here or in another window.
  const recall = async (name) => {
    const { pairs } = await ask(`/history${query({ limit: 1 })}`);
    const own = pairs[0]?.said.find((one) => one.annotator === name);
    if (!own) return;
    const [{ pair, left, right }] = pairs;
    const found = { pair, left: left.image, right: right.image, ...own };
    // Of what was said in this page only the verdict may have changed, in the history.
    if (said.length && current().pair !== pair) return;
    said = [...said.slice(0, -1), found];
    draw();
  };
  const toggle = async () => {
    const last = current();
    if (!last) return;
    if (!names.hidden) {
      close();
      return;
    }
    try {
      const found = facts ?? (last.facts || (await ask(`/pairs/${last.pair}`)));
      if (current() !== last) return; // judged on meanwhile
      facts = found;
      names.replaceChildren(...factsOf(found));
      names.hidden = false;
      desk.button("names").setAttribute("aria-expanded", "true");
      names.parentElement.scrollIntoView({ block: "nearest" }); // on a low screen it lies below the edge
    } catch (error) {
      desk.say(error.message);
    }
  };
  // Escape closes what is open; whether it was for this.
  const press = (key) => {
    if (key !== "Escape" || names.hidden) return false;
    close();
    return true;
  };
  draw();
  return { add, takeBack, recall, toggle, close, press, current };
};
