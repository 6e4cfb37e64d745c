// The judging page: one pair after the other, each on the disk before the next is shown.
import { at, counted, duration, make, number, secondsText, verdictText } from "./elements.js";
import { makeDesk } from "./desk.js";
import { makeLast } from "./last.js";
import { prepare } from "./pictures.js";
import { save } from "./outbox.js";
import { ask, Refusal } from "./server.js";

const AHEAD = 6; // pairs whose pictures are loaded before their turn
const SEEN = 60; // milliseconds: who is faster has not seen the pair, it is a key that bounces
const LOOK_AGAIN = 15_000; // milliseconds, where the rest is on the screens of others
const LONGEST = 600; // seconds that a pair may take

export const makeJudging = ({ set, person }) => {
  const host = at("judging");
  let phase = "idle"; // then loading, ready, saving, done
  let task = null;
  let sight = { since: 0, spent: 0 }; // how long the pair is in sight
  let timer = 0;
  let turn = 0; // of questions and answers: an old answer counts no more

  const desk = makeDesk(at("judging-desk"), {
    reasons: set.reasons,
    on: { verdict: (...said) => judge(...said), unsure: () => unsure(), skip: () => skip(), undo: () => undo(), names: () => last.toggle() },
  });
  const last = makeLast(desk);

  const seen = () => sight.spent + (document.hidden ? 0 : performance.now() - sight.since);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) sight.spent += performance.now() - sight.since;
    else sight.since = performance.now();
  });

  const showProgress = ({ done, left, total, skipped, unsure: open, seconds, time_left: rest }) => {
    const pace = seconds === null ? [] : [`${secondsText(seconds)} a pair`];
    if (rest !== null && left) pace.push(`about ${duration(rest)} left`);
    if (open) pace.unshift(`${number(open)} unsure`);
    if (skipped > open) pace.unshift(`${number(skipped - open)} skipped`);
    desk.progress(done, total, { done: `${number(done)} of ${number(total)}`, spoken: `${number(done)} of ${number(total)} judged.`, pace: pace.join(" · ") });
    if (!host.hidden) document.title = `${number(done)} of ${number(total)} · ${set.name}`;
  };
  const link = (to, text) => make("a", { href: `#/${to}`, class: "tool" }, text);
  const finish = ({ left, done }, aim) => {
    phase = "done";
    task = null;
    const waits = left > 0 && !aim;
    const title = aim ? "The aim is met" : waits ? `The last ${counted(left, "pair")} are with others` : done ? "All judged" : "Nothing to judge";
    const text = aim
      ? `${aim.aim[0].toUpperCase()}${aim.aim.slice(1)}: ${aim.known}. Nobody has to judge any more. Thank you! Your verdicts are saved.`
      : waits
      ? "They are on other people's screens now. This page checks again by itself."
      : done
        ? `You have judged all of your ${counted(done, "pair")}. Thank you! Your verdicts are saved; the command “lookalikes review export” writes them to files.`
        : "No pair in this set is left for you to judge.";
    desk.finish(
      title,
      make("p", {}, text),
      make("p", { class: "links" }, link("history", "Look through your verdicts"), link("disagreements", "Settle disagreements"), link("agreement", "See how far people agree")),
    );
    if (waits) timer = setTimeout(refresh, LOOK_AGAIN);
  };
  const take = async ({ pairs, progress, can_undo: canUndo, aim }) => {
    clearTimeout(timer);
    showProgress(progress);
    desk.allow("undo", canUndo);
    desk.settled();
    if (!pairs.length) {
      finish(progress, aim);
      return;
    }
    desk.resume();
    [task] = pairs;
    phase = "loading";
    delete host.dataset.sight;
    const current = task;
    const shown = desk.stage.show(task);
    prepare(pairs);
    desk.find(".said").textContent = task.unsure ? "You were unsure of this pair before" : task.skipped ? "You skipped this pair before" : "";
    await shown;
    if (task !== current) return;
    sight = { since: performance.now(), spent: 0 };
    phase = "ready";
    // For who looks from outside: from now on a verdict counts.
    setTimeout(() => {
      if (task === current && phase === "ready") host.dataset.sight = "enough";
    }, SEEN + 5);
    if (!desk.stage.isWhole()) desk.say("A face cannot be shown: choose Invalid or Skip.");
  };
  const refresh = async () => {
    turn += 1;
    const mine = turn;
    try {
      const work = await ask(`/next?count=${AHEAD}`);
      if (turn === mine) await take(work); // else something was judged since it was asked
    } catch (error) {
      if (turn !== mine) return;
      desk.trouble(error.message, { again: false });
      timer = setTimeout(refresh, 2000);
    }
  };

  // Sends what was done and goes on with the answer; `told` says in words what was saved.
  const send = async (action, path, body, told) => {
    const before = phase;
    phase = "saving";
    delete host.dataset.sight;
    turn += 1;
    desk.saving(action);
    let back = "";
    try {
      const answer = await save(path, { ...body, count: AHEAD }, {
        onTrouble: (text) => desk.trouble(text),
        onRecovery: () => {
          back = "The server is back. ";
        },
      });
      const text = back + told(answer);
      const shown = take(answer.pair ? withFirst(answer) : answer);
      desk.say(text);
      await shown;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === "other_set") {
        desk.trouble(error.message, { again: false }); // for good: nothing may be judged any more
        return;
      }
      phase = before;
      if (phase === "ready") host.dataset.sight = "enough";
      desk.settled();
      if (error.code === "already_judged" && error.work) {
        const shown = take(error.work);
        desk.say("You have judged that pair already, in another window. This is the next one.");
        await shown;
      } else desk.trouble(error.message, { again: false });
    }
  };
  const withFirst = (work) => ({
    ...work,
    pairs: [work.pair, ...work.pairs.filter((one) => one.pair !== work.pair.pair)],
  });
  const isReady = () => phase === "ready" && seen() >= SEEN;

  const judge = (verdict, reason) => {
    if (!isReady()) return;
    const { pair, left, right } = task;
    const seconds = Math.min(LONGEST, Math.round(seen()) / 1000);
    send(verdict, "/judgements", { pair, verdict, reason, seconds }, () => {
      last.add({ pair, left, right, verdict, reason, seconds });
      return `Saved: ${verdictText({ verdict, reason })}.`;
    });
  };
  const skip = () => {
    if (!isReady()) return;
    const { pair } = task;
    send("skip", "/skips", { pair }, ({ pairs }) =>
      pairs[0]?.pair === pair ? "Skipped. Only skipped pairs are left: this is the next of them." : "Skipped. It will come up again at the end.",
    );
  };
  const unsure = () => {
    if (!isReady()) return;
    const { pair } = task;
    send("unsure", "/unsure", { pair }, ({ pairs }) =>
      pairs[0]?.pair === pair || pairs[0]?.unsure ? "Unsure, not counted. Only pairs that you are unsure of are left." : "Unsure, not counted. The pair will come up again after all others.",
    );
  };
  const undo = () => {
    if (phase !== "ready" && phase !== "done") return;
    send("undo", "/undo", {}, ({ pair, was, unsure: open }) => {
      if (!pair) return "There is nothing to undo.";
      last.takeBack(pair.pair);
      if (!last.current()) last.recall(person).catch(() => {});
      if (was) return `Undone: you had said ${verdictText(was)}.`;
      return open ? "Undone: you had been unsure of this pair." : "Undone: you had skipped this pair.";
    });
  };

  const enter = () => {
    host.hidden = false;
    if (phase === "saving") return; // on it already
    refresh();
    last.recall(person).catch(() => {});
  };
  const leave = () => {
    clearTimeout(timer);
    last.close();
    host.hidden = true;
  };
  const press = (key) => last.press(key) || desk.press(key);
  return { enter, leave, press };
};
