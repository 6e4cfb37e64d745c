// The enlarged view: both faces side by side, or one over the other and changing places.
const FLICKER = 550; // milliseconds a face

const makeViewer = (dialog, grid, { onName, onShow, onClose }) => {
  const stage = at("pair-stage");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const button = (action) => dialog.querySelector(`[data-do=${action}]`);
  let place = 0;
  let timer = 0;

  const swap = () => stage.classList.toggle("second");
  const flicker = (on) => {
    clearInterval(timer);
    stage.classList.toggle("over", on);
    stage.classList.remove("second");
    button("flicker").setAttribute("aria-pressed", String(on));
    // Who wants no motion changes the faces by hand, with Space.
    if (on && !calm.matches) timer = setInterval(swap, FLICKER);
  };
  const tableOf = (pair) => {
    const hasQuantiles = models.some((model) => quantileOf(model, pair) !== null);
    const hasThresholds = models.some((model) => thresholdOf(model, pair) !== null);
    const numbers = ["Score", ...(hasThresholds ? ["Threshold"] : []), ...(hasQuantiles ? ["Quantile"] : [])];
    const heads = ["Model", ...numbers, "Verdict"];
    // Roles, since on a phone a row stands as lines of its own, and then would be no row.
    const cell = (head, kind, ...content) => make("td", { class: kind, role: "cell", "data-label": head }, ...content);
    const line = (name, score, threshold, quantile, found) =>
      make(
        "tr",
        { role: "row" },
        make("th", { scope: "row", role: "rowheader" }, ...breakable(name)),
        cell(name === "Person" ? "Verdict" : "Score", "n", score),
        ...(hasThresholds ? [cell("Threshold", "n", threshold)] : []),
        ...(hasQuantiles ? [cell("Quantile", "n", quantile)] : []),
        cell("", "", ...markOf(found, true)),
      );
    const lines = models.map((model) => {
      const quantile = quantileOf(model, pair);
      const text = quantile === null ? "" : quantileText(quantile);
      const beside = besideText(scoreOf(model, pair), thresholdOf(model, pair));
      return line(data.models[model], ...beside, text, outcomeOf(model, pair));
    });
    if (isJudged) lines.push(line("Person", sameText(data.human[pair]), "", "", outcomeOfPerson(pair)));
    const cells = heads.map((head) => make("th", { scope: "col", role: "columnheader", class: numbers.includes(head) ? "n" : "" }, head));
    const group = { role: "rowgroup" };
    return [make("thead", group, make("tr", { role: "row" }, ...cells)), make("tbody", group, ...lines)];
  };
  const show = (goal) => {
    if (goal < 0 || goal >= grid.count()) return;
    place = goal;
    const pair = grid.pairAt(place);
    const rank = rankText(pair);
    at("pair-title").replaceChildren(
      rank || "Pair",
      make("small", {}, ` ${COUNT.format(place + 1)} of ${COUNT.format(grid.count())}`),
    );
    const images = stage.querySelectorAll("img");
    const who = [0, 1].map((side) => {
      fillFace(images[side], pair, side, true);
      const path = make("span", { class: "pair-path", dir: "auto" }, ...breakable(pathOf(pair, side)));
      return make("div", {}, nameButton(pair, side), path);
    });
    const same = isSame(pair);
    const chip = make("span", { class: same ? "pair-chip same" : "pair-chip" }, same ? "same identity" : "different identities");
    const set = setsOf(pair).join(", ");
    at("pair-who").replaceChildren(who[0], make("p", {}, chip, ...(set ? [make("span", {}, `${set} set`)] : [])), who[1]);
    at("pair-table").replaceChildren(...tableOf(pair));
    at("pair-copied").textContent = "";
    button("previous").setAttribute("aria-disabled", String(place === 0));
    button("next").setAttribute("aria-disabled", String(place === grid.count() - 1));
    onShow(pair);
  };
  const open = (goal) => {
    show(goal);
    if (dialog.open) return;
    dialog.showModal();
    stage.focus();
  };

  // The clipboard is not there for every page: where it is not, the old way, by a selected text.
  const copy = async () => {
    const text = location.href.split("#")[0] + linkTo(grid.pairAt(place));
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = make("textarea", { readonly: "", class: "pair-unseen" });
      field.value = text;
      dialog.append(field);
      field.focus({ preventScroll: true });
      field.select();
      done = document.execCommand("copy");
      field.remove();
      button("copy").focus();
    }
    at("pair-copied").textContent = done ? "Link copied" : "Not copied: the link is in the address bar";
  };
  const actions = {
    copy,
    close: () => dialog.close(),
    previous: () => show(place - 1),
    next: () => show(place + 1),
    first: () => show(0),
    last: () => show(grid.count() - 1),
    flicker: () => flicker(!stage.classList.contains("over")),
    swap: () => {
      if (!stage.classList.contains("over")) flicker(true);
      clearInterval(timer);
      swap();
    },
  };
  const keys = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last", f: "flicker", F: "flicker" };
  dialog.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]");
    const name = event.target.closest(".pair-name");
    if (action) actions[action.dataset.do]();
    else if (name) {
      place = 0; // of the view to come
      dialog.close();
      onName(name.dataset.name);
    } else if (event.target === dialog) dialog.close(); // the dimmed page around it
  });
  dialog.addEventListener("keydown", (event) => {
    const onButton = event.target.closest("button");
    const action = event.key === " " && !onButton ? "swap" : keys[event.key];
    if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[action]();
  });
  dialog.addEventListener("close", () => {
    flicker(false);
    onClose();
    grid.focus(place);
  });
  // A finger that strokes sideways turns the page.
  let start = null;
  stage.addEventListener("pointerdown", (event) => {
    start = event.pointerType === "mouse" ? null : event.clientX;
  });
  stage.addEventListener("pointerup", (event) => {
    const moved = start === null ? 0 : event.clientX - start;
    start = null;
    if (Math.abs(moved) > 48) show(place + (moved < 0 ? 1 : -1));
  });
  return { open, close: () => dialog.close(), isOpen: () => dialog.open };
};
