"use strict";
(() => {
  const list = document.getElementById("gallery");
  if (!list) return;
  const at = (id) => document.getElementById(id);
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/[\s_]+/g, " ").trim();
  const numbers = (text) => text.split(",").map((part) => (part === "" ? null : Number(part)));

  const pairs = [...list.children].map((item) => ({
    item,
    button: item.querySelector(".open"),
    rank: Number(item.dataset.rank),
    scores: numbers(item.dataset.scores),
    wrong: numbers(item.dataset.wrong),
    names: [...item.querySelectorAll(".name")].map((name) => plain(name.textContent)).join("\n"),
  }));
  let shown = pairs;

  // The gallery: search, order, filter. Cards are moved and hidden, never made anew.
  const fits = (pair, words, show) => {
    if (!words.every((word) => pair.names.includes(word))) return false;
    if (show === "") return true;
    if (show === "split") return pair.wrong.includes(0) && pair.wrong.includes(1);
    const [model, wrong] = show.split(" ").map(Number);
    return pair.wrong[model] === wrong;
  };
  const arrange = () => {
    const words = plain(at("search").value).split(" ").filter(Boolean);
    const show = at("show") ? at("show").value : "";
    const order = at("order").value;
    shown = pairs.filter((pair) => fits(pair, words, show));
    if (order === "rank") shown.sort((a, b) => a.rank - b.rank);
    else {
      const value = (pair) => pair.scores[Number(order)] ?? -Infinity;
      shown.sort((a, b) => value(b) - value(a) || a.rank - b.rank);
    }
    const kept = new Set(shown);
    for (const pair of pairs) {
      pair.item.hidden = !kept.has(pair);
      pair.button.tabIndex = -1;
    }
    list.append(...shown.map((pair) => pair.item));
    if (shown.length) shown[0].button.tabIndex = 0;
    at("count").textContent = `${shown.length.toLocaleString("en")} of ${pairs.length.toLocaleString("en")}`;
    at("nothing").hidden = shown.length > 0;
  };

  // One stop of the Tab key for the whole gallery; arrows move inside it.
  const focus = (index) => {
    const pair = shown[Math.max(0, Math.min(index, shown.length - 1))];
    if (!pair) return;
    for (const other of pairs) other.button.tabIndex = -1;
    pair.button.tabIndex = 0;
    pair.button.focus();
  };
  const indexOf = (element) => shown.findIndex((pair) => pair.item.contains(element));
  const columns = () => getComputedStyle(list).gridTemplateColumns.split(" ").length;
  list.addEventListener("keydown", (event) => {
    const index = indexOf(event.target);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
    const goal = { Home: 0, End: shown.length - 1 }[event.key] ?? index + steps[event.key];
    if (index < 0 || Number.isNaN(goal) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    focus(goal);
  });

  // The viewer: both faces side by side, or one over the other.
  const viewer = at("viewer");
  const stage = at("stage");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let current = 0;
  let timer = 0;
  const swap = () => stage.classList.toggle("second");
  const flicker = (on) => {
    clearInterval(timer);
    stage.classList.toggle("over", on);
    stage.classList.remove("second");
    viewer.querySelector("[data-do=flicker]").setAttribute("aria-pressed", String(on));
    if (on && !calm.matches) timer = setInterval(swap, 550);
  };
  const view = (index) => {
    current = (index + shown.length) % shown.length;
    const { item, rank } = shown[current];
    at("viewer-title").textContent = `Pair ${rank}`;
    const faces = item.querySelectorAll(".face");
    const names = item.querySelectorAll(".name");
    stage.querySelectorAll("figure").forEach((figure, side) => {
      const face = figure.querySelector(".face");
      face.className = faces[side].className;
      face.setAttribute("aria-label", faces[side].getAttribute("aria-label"));
      const name = names[side].cloneNode(true); // with its places to break a line
      figure.querySelector("figcaption").replaceChildren(...name.childNodes);
    });
    const values = [...item.querySelectorAll(".values > div:not(.rank)")];
    at("viewer-values").replaceChildren(...values.map((value) => value.cloneNode(true)));
  };
  const actions = {
    close: () => viewer.close(),
    previous: () => view(current - 1),
    next: () => view(current + 1),
    flicker: () => flicker(!stage.classList.contains("over")),
    swap: () => {
      if (!stage.classList.contains("over")) flicker(true);
      clearInterval(timer);
      swap();
    },
  };
  list.addEventListener("click", (event) => {
    if (!event.target.closest(".open")) return;
    view(indexOf(event.target));
    viewer.showModal();
    stage.focus();
  });
  viewer.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) actions[button.dataset.do]();
    else if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: "previous", ArrowRight: "next", f: "flicker", F: "flicker" };
    const onButton = event.target.closest("button");
    const action = event.key === " " && !onButton ? "swap" : keys[event.key];
    if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[action]();
  });
  viewer.addEventListener("close", () => {
    flicker(false);
    focus(current);
  });

  at("controls").hidden = false;
  document.querySelectorAll(".needs-script").forEach((part) => (part.hidden = false));
  at("controls").addEventListener("input", arrange);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").reset();
  arrange();
})();
