// Pairs that people disagree on: one after the other, decided with the same keys. What others said of
// a pair that this person has not judged is shown only to who asks for it.
import { taskOf } from "./changes.js";
import { at, counted, make, number, verdictText } from "./elements.js";
import { makeDesk } from "./desk.js";
import { makeLast } from "./last.js";
import { prepare } from "./pictures.js";
import { save } from "./outbox.js";
import { ask, query, Refusal } from "./server.js";

const PART = 20; // pairs asked for at a time
const AHEAD = 6;
const SEEN = 60; // milliseconds: see judgement.js

export const makeDisagreements = ({ set, person }) => {
  const page = at("disagreements");
  const host = at("deciding");
  const also = at("unjudged");
  let queue = [];
  let next = null;
  let counts = { decided: 0, open: 0 };
  let phase = "idle";
  let since = 0;
  let turn = 0;

  const desk = makeDesk(host, {
    reasons: set.reasons,
    without: ["unsure"],
    on: { verdict: (...said) => decide(...said), skip: () => skip(), undo: () => back(), names: () => last.toggle() },
  });
  const last = makeLast(desk, { verb: "You decided", noun: "decision" });
  desk.find(".bar").setAttribute("aria-label", "Decided");
  desk.button("undo").querySelector("span").textContent = "Decide again";

  const opinions = ({ said, decision }) => [
    ...said.flatMap((one, n) => [
      n ? ", " : "",
      make("span", { dir: "auto" }, one.annotator),
      " said ",
      make("b", {}, verdictText(one)),
    ]),
    ...(decision ? ["; ", make("span", { dir: "auto" }, decision.annotator), " decided ", make("b", {}, verdictText(decision))] : []),
  ];
  const showCounts = () => {
    const { decided, open } = counts;
    const done = `${counted(open, "pair")} to decide`;
    desk.progress(decided, decided + open, { done, spoken: `${done}.`, pace: decided ? `${number(decided)} decided` : "" });
    if (!page.hidden) document.title = `${open} to decide · ${set.name}`;
  };
  const link = (to, text) => make("a", { href: `#/${to}`, class: "tool" }, text);
  const finish = () => {
    phase = "done";
    desk.find(".said").textContent = "";
    const { decided } = counts;
    const rest = also.checked ? "" : " Pairs that you have not judged yet are left out.";
    desk.finish(
      decided ? "All settled" : "No disagreements",
      make("p", {}, (decided ? `${counted(decided, "pair")} decided, none left.` : "A pair that two people judge differently appears here.") + rest),
      make("p", { class: "links" }, link("", "Judge"), link("agreement", "See how far people agree"), ...(decided ? [link("history?show=disagreements", "Look through them")] : [])),
    );
  };
  const fetchPart = (after, { show = "undecided", limit = PART } = {}) =>
    ask(`/disagreements${query({ show, unjudged: also.checked ? "true" : "", after, limit })}`);
  const show = async () => {
    delete host.dataset.sight;
    desk.settled();
    showCounts();
    if (!queue.length && next !== null) {
      ({ pairs: queue, next } = await fetchPart(next));
    }
    // Round again: those that were skipped.
    if (!queue.length && counts.open > 0) ({ pairs: queue, next } = await fetchPart(""));
    if (!queue.length) {
      finish();
      return;
    }
    desk.resume();
    const [pair] = queue;
    phase = "loading";
    const shown = desk.stage.show(taskOf(pair));
    prepare(queue.slice(0, AHEAD).map(taskOf));
    desk.find(".said").replaceChildren(...opinions(pair));
    await shown;
    if (queue[0] !== pair || phase !== "loading") return;
    since = performance.now();
    phase = "ready";
    // For who looks from outside: from now on a decision counts.
    setTimeout(() => {
      if (queue[0] === pair && phase === "ready") host.dataset.sight = "enough";
    }, SEEN + 5);
  };
  const go = async () => {
    try {
      await show();
    } catch (error) {
      phase = "ready";
      desk.trouble(error.message, { again: false });
    }
  };
  const isReady = () => phase === "ready" && queue.length && performance.now() - since >= SEEN;

  const decide = async (verdict, reason) => {
    if (!isReady()) return;
    const [pair] = queue;
    phase = "saving";
    delete host.dataset.sight;
    desk.saving(verdict);
    let back = "";
    try {
      const seen = pair.decision?.at ?? null;
      const found = await save("/decisions", { pair: pair.pair, verdict, reason, seen }, {
        onTrouble: (text) => desk.trouble(text),
        onRecovery: () => {
          back = "The server is back. ";
        },
      });
      if (!pair.decision) counts = { decided: counts.decided + 1, open: Math.max(0, counts.open - 1) };
      queue.shift();
      last.takeBack(pair.pair);
      last.add({ ...taskOf(found), verdict, reason, seconds: null, facts: found });
      desk.allow("undo", true);
      const shown = go();
      desk.say(`${back}Decided: ${verdictText({ verdict, reason })}.`);
      await shown;
    } catch (error) {
      phase = "ready";
      desk.settled();
      if (error.code === "already_decided" && error.pair) await overtaken(error.pair, Boolean(pair.decision));
      else desk.trouble(error.message, { again: false });
      if (!(error instanceof Refusal)) throw error;
    }
  };
  // Another decision stands that was not on the screen: it is shown, and may be replaced knowingly.
  const overtaken = async (pair, wasCounted) => {
    if (!wasCounted) counts = { decided: counts.decided + 1, open: Math.max(0, counts.open - 1) };
    queue = [pair, ...queue.slice(1)];
    const shown = go();
    const { annotator, ...verdict } = pair.decision;
    const who = annotator === person ? "You have" : `${annotator} has`;
    desk.say(`${who} decided meanwhile: ${verdictText(verdict)}. Decide again to replace that, or skip it.`);
    await shown;
  };
  const skip = () => {
    if (!isReady()) return;
    const [pair] = queue;
    queue.shift();
    go();
    desk.say(pair.decision ? "The decision stands as it was." : "Skipped. It will come up again.");
  };
  // The pair that was decided last, to decide it anew.
  const back = () => {
    const before = last.current()?.facts;
    if (!before || (phase !== "ready" && phase !== "done")) return;
    queue = [before, ...queue.filter((one) => one.pair !== before.pair)];
    go();
    desk.say(`You decided: ${verdictText(before.decision)}.`);
  };

  const refresh = async () => {
    if (phase === "saving") return;
    turn += 1;
    const mine = turn;
    try {
      const [part, all] = await Promise.all([fetchPart(""), fetchPart("", { show: "all", limit: 1 })]);
      if (mine !== turn || phase === "saving") return;
      ({ pairs: queue, next } = part);
      counts = { decided: all.total - part.total, open: part.total };
      await go();
    } catch (error) {
      if (mine === turn) desk.trouble(error.message, { again: false });
    }
  };
  also.addEventListener("change", () => {
    if (phase === "saving") {
      also.checked = !also.checked;
      return;
    }
    history.replaceState(history.state, "", `#/disagreements${query({ unjudged: also.checked ? "true" : "" })}`);
    if (!also.matches(":focus-visible")) also.blur(); // after a click of the mouse Space skips again
    refresh();
  });

  const enter = (wanted) => {
    page.hidden = false;
    also.checked = wanted.get("unjudged") === "true";
    refresh();
  };
  const leave = () => {
    last.close();
    page.hidden = true;
  };
  const press = (key) => last.press(key) || desk.press(key);
  return { enter, leave, press };
};
