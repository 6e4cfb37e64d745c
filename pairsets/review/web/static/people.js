// Who judges, how fast, and what is left for each: for who leads a review.
import { at, cell, counted, dayText, duration, make, number, secondsText, table } from "./elements.js";
import { ask } from "./server.js";

const ANEW = 5000; // milliseconds until the page asks again
const HEADS = ["Person", "Judged", "Left", "Unsure", "A pair takes", "Pairs an hour", "Time left", "Last active"];

// The link goes on as this person: it can be kept, and sent to whoever judges on this machine.
export const linkOf = (name) => `/?as=${encodeURIComponent(name)}`;
const rowOf = ({ name, progress, last }) => {
  const { done, left, unsure, seconds, time_left: rest } = progress;
  const values = [
    number(done),
    number(left),
    number(unsure),
    seconds === null ? "–" : secondsText(seconds),
    // A pair that takes no time at all was no reading of a pair.
    seconds ? number(Math.round(3600 / seconds)) : "–",
    rest === null ? "–" : left ? duration(rest) : "done",
    last === null ? "–" : dayText(last),
  ];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, make("a", { href: linkOf(name), dir: "auto" }, name)),
    ...values.map((value, n) => cell(value, HEADS[n + 1])),
  );
};

export const makePeople = ({ set }) => {
  const page = at("people");
  const body = at("people-body");
  let asking = null;

  const show = ({ people, judged, to_judge: all }) => {
    body.replaceChildren(
      make("p", { class: "lede" }, `${number(judged)} of ${counted(all, "pair")} ${judged === 1 ? "has" : "have"} a verdict of somebody.`),
      ...(people.length ? [table("Who judges", HEADS, people.map(rowOf))] : [make("p", { class: "empty" }, "Nobody has begun yet.")]),
      make("p", { class: "hint" }, "A name is a link by which this person goes on. A pair takes as long as it was on the screen: the median of the last 50 verdicts, so that a pause counts little. Pairs an hour and time left follow from it."),
    );
  };
  const look = async () => {
    try {
      const found = await ask("/people");
      // Nothing is drawn anew under the keyboard.
      if (!page.hidden && !body.contains(document.activeElement)) show(found);
    } catch (error) {
      if (!body.querySelector("table")) body.replaceChildren(make("p", { class: "empty" }, error.message));
    }
  };
  const enter = async () => {
    page.hidden = false;
    document.title = `People · ${set.name}`;
    clearInterval(asking);
    asking = setInterval(look, ANEW);
    await look();
  };
  const leave = () => {
    page.hidden = true;
    clearInterval(asking);
  };
  return { enter, leave, press: () => false };
};
