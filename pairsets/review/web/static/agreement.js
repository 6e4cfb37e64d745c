// Who judged how much, and how far people agree.
import { at, cell, counted, draw, make, number, percent, table } from "./elements.js";
import { ask } from "./server.js";

const kappaText = (value) => value.toFixed(2).replace("-", "\u2212");
// Kappa and its interval from 0 to 1; what lies below is cut at the edge.
const drawn = ({ kappa, low, high }) => {
  const x = (value) => 4 + 112 * Math.max(0, Math.min(1, value));
  const ticks = [0, 0.5, 1].map((at) => draw("line", { class: "tick", x1: x(at), x2: x(at), y1: 2, y2: 18 }));
  const span = low === null ? [] : [draw("line", { class: "span", x1: x(low), x2: x(high), y1: 10, y2: 10 })];
  return draw("svg", { class: "forest", viewBox: "0 0 120 20", "aria-hidden": "true" }, ...ticks, ...span, draw("circle", { cx: x(kappa), cy: 10, r: 3.5 }));
};
const rateText = (rate) => (rate === null ? "–" : `${percent(rate.value)} (${percent(rate.low)} to ${percent(rate.high)})`);

const peopleTable = ({ people }, withRates) => {
  const heads = ["Person", "Judged", "Unsure", ...(withRates ? ["Said same, label says different", "Said different, label says same"] : [])];
  const rows = people.map((one) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", dir: "auto" }, one.name),
      cell(number(one.judged), heads[1]),
      cell(number(one.unsure), heads[2]),
      ...(withRates ? [cell(rateText(one.fpr), heads[3]), cell(rateText(one.fnr), heads[4])] : []),
    ),
  );
  return table("People", heads, rows);
};
const betweenTable = ({ between }) => {
  const heads = ["Between", "Both judged", "Same verdict", "Cohen’s kappa", "95 % interval", ""];
  const rows = between.map((one) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("span", { dir: "auto" }, one.first), " and ", make("span", { dir: "auto" }, one.second)),
      cell(number(one.pairs), heads[1]),
      cell(one.agreed === null ? "–" : percent(one.agreed), heads[2]),
      cell(one.kappa === null ? "–" : kappaText(one.kappa), heads[3]),
      cell(one.low === null ? "–" : `${kappaText(one.low)} to ${kappaText(one.high)}`, heads[4]),
      make("td", { class: "drawn" }, ...(one.kappa === null ? [] : [drawn(one)])),
    ),
  );
  return table("Agreement", heads, rows);
};
// Of those who were asked again; where all were unsure then, there is no share.
const againTable = (people) => {
  const heads = ["Person", "Pairs judged twice", "Same verdict both times", "95 % interval", "Unsure the second time"];
  const rows = people.map(({ name, again }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", dir: "auto" }, name),
      cell(number(again.alike?.count ?? 0), heads[1]),
      cell(again.alike ? percent(again.alike.value) : "–", heads[2]),
      cell(again.alike ? `${percent(again.alike.low)} to ${percent(again.alike.high)}` : "–", heads[3]),
      cell(number(again.unsure), heads[4]),
    ),
  );
  return table("Agreement with oneself", heads, rows);
};

export const makeAgreement = ({ set }) => {
  const page = at("agreement");
  const body = at("agreement-body");
  let withRates = false;

  const show = (found) => {
    const rates = make("button", { type: "button", class: "tool", "aria-pressed": String(withRates) }, withRates ? "Hide error rates" : "Show error rates against the labels");
    rates.addEventListener("click", () => {
      withRates = !withRates;
      show(found);
      body.querySelector("button").focus();
    });
    const { disagreements, decided, between, people } = found;
    const open = make("p", { class: "lede" }, `${counted(disagreements, "pair")} judged differently by different people; ${number(decided)} of these decided. `, ...(disagreements > decided ? [make("a", { href: "#/disagreements" }, "Decide the rest")] : []));
    const none = make("p", { class: "empty" }, "Nobody has judged a pair yet.");
    const again = people.filter((one) => one.again);
    const alone = make("p", { class: "hint" }, "No two people have judged the same pairs yet.");
    body.replaceChildren(
      ...(people.length ? [open, peopleTable(found, withRates), rates, between.length ? betweenTable(found) : alone] : [none]),
      ...(between.length ? [make("p", { class: "hint" }, "Cohen’s kappa is the agreement beyond chance, among the pairs that both called same or different: 1 is perfect agreement, 0 is what two people reach who answer at random, each as often “same” as before. A dash means that it cannot be computed, as when both gave one answer to every pair.")] : []),
      ...(again.length ? [againTable(again), make("p", { class: "hint" }, "Now and then a pair is asked a second time, unannounced and with its faces swapped. The second verdict is compared with the first one and counts for nothing else: no rate, no aim and no exported verdict changes by it.")] : []),
    );
  };
  const enter = async () => {
    page.hidden = false;
    document.title = `Agreement · ${set.name}`;
    try {
      show(await ask("/agreement"));
    } catch (error) {
      body.replaceChildren(make("p", { class: "empty" }, error.message));
    }
  };
  const leave = () => {
    page.hidden = true;
  };
  return { enter, leave, press: () => false };
};
