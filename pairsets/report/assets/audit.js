"use strict";
// Which findings are shown, and in which order; without script all stand there by kind.
(() => {
  const form = document.getElementById("audit-controls");
  if (!form) return;
  const count = document.getElementById("audit-count");
  const nothing = document.getElementById("audit-nothing");
  const people = document.getElementById("audit-identities");
  const reset = form.querySelector("[type=reset]");
  const sections = [...document.querySelectorAll(".audit-kind")];
  const cards = [...document.querySelectorAll(".find")].map((element) => ({
    element,
    home: element.parentElement,
    kind: element.dataset.kind,
    name: element.dataset.name,
    sought: element.dataset.sought.normalize("NFKC"),
  }));
  const plain = (text) => text.normalize("NFKC").toLowerCase().trim();
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  function fits(card, words, kind) {
    return (!kind || card.kind === kind) && words.every((word) => card.sought.includes(word));
  }

  function arrange(shown) {
    people.replaceChildren();
    if (form.elements.order.value !== "identity") {
      for (const card of cards) card.home.append(card.element);
      return;
    }
    const groups = new Map();
    for (const card of shown) groups.set(card.name, [...(groups.get(card.name) ?? []), card]);
    for (const name of [...groups.keys()].sort(compare)) {
      const title = document.createElement("h3");
      title.className = "audit-person";
      title.textContent = name;
      const list = document.createElement("div");
      list.className = "finds";
      list.append(...groups.get(name).map((card) => card.element));
      people.append(title, list);
    }
  }

  function show() {
    const { q, kind, order } = form.elements;
    const words = plain(q.value).split(/\s+/).filter(Boolean);
    const shown = cards.filter((card) => fits(card, words, kind.value));
    // Those that go home first: a card is in one place.
    for (const card of cards) {
      card.element.hidden = !shown.includes(card);
      card.home.append(card.element);
    }
    arrange(shown);
    for (const section of sections) {
      const any = shown.some((card) => card.kind === section.dataset.kind);
      section.hidden = order.value === "identity" || !any;
    }
    const all = shown.length === cards.length;
    count.textContent = `${shown.length.toLocaleString("en")} ${all ? "" : `of ${cards.length.toLocaleString("en")} `}finding${shown.length === 1 && all ? "" : "s"} shown`;
    nothing.hidden = shown.length > 0;
    reset.hidden = all && !order.value;
  }

  function step(by) {
    const shown = [...document.querySelectorAll(".find:not([hidden])")].filter((one) => one.offsetParent);
    if (!shown.length) return;
    const at = shown.indexOf(document.activeElement.closest(".find"));
    const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape" && event.target.name === "q") event.target.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      form.elements.q.focus();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    }
  });
  form.hidden = false;
  show();
})();
