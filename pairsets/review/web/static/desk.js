// Two faces and what can be said of them: the buttons, their keys, and what came of it.
import { at, make } from "./elements.js";
import { pressesButton } from "./keyboard.js";
import { isSaving, tryNow } from "./outbox.js";
import { makeStage } from "./stage.js";

const SLOW = 150; // milliseconds until saving is worth a word
const KEYS = { s: "same", d: "different", x: "invalid", q: "unsure", f: "flicker", z: "zoom", " ": "skip", u: "undo", n: "names" };

// `on` has what the desk is for: verdict(word, reason) and, where there is such a button, unsure, skip,
// undo and names.
export const makeDesk = (host, { reasons, without = [], on }) => {
  host.replaceChildren(at("desk-form").content.cloneNode(true));
  const find = (selector) => host.querySelector(selector);
  const button = (action) => find(`[data-do="${action}"]`);
  for (const action of without) button(action).remove();
  const notice = find(".notice");
  const status = find(".status");
  const controls = find(".controls");
  let slow = 0;

  const stage = makeStage(find(".stage"), {
    onChange: ({ over, zoom }) => {
      button("flicker").setAttribute("aria-pressed", String(over));
      button("zoom").setAttribute("aria-pressed", String(zoom > 1));
      button("zoom").querySelector("b").textContent = zoom > 1 ? `${zoom}×` : "";
    },
  });
  const say = (text) => {
    status.textContent = text;
  };

  // The reasons stand where the verdicts stood.
  const reasonBox = find(".reasons");
  const choices = reasons.map((reason, n) => {
    const choice = make(
      "button",
      { type: "button", class: "verdict reason", "aria-keyshortcuts": `${n + 1} ${reason[0]}` },
      make("kbd", {}, String(n + 1)),
      make("span", {}, make("u", {}, reason[0].toUpperCase()), reason.slice(1)),
    );
    choice.dataset.reason = reason;
    return choice;
  });
  reasonBox.append(...choices, make("button", { type: "button", class: "tool", "data-do": "back" }, make("span", {}, "Back"), make("kbd", {}, "Esc")));
  const isAsking = () => controls.classList.contains("asking");
  const askWhy = (open) => {
    if (open === isAsking()) return;
    const hadFocus = controls.contains(document.activeElement);
    controls.classList.toggle("asking", open);
    if (hadFocus) (open ? choices[0] : button("invalid")).focus();
    say(open ? "Why should this pair not count?" : "");
  };

  const choose = (verdict, reason = "") => {
    const picture = stage.isWhole();
    if (!picture && verdict !== "invalid") {
      say("A face cannot be shown: the pair can only be invalid, or skipped.");
      return;
    }
    on.verdict(verdict, reason);
  };
  const mark = (action) => {
    for (const one of host.querySelectorAll(".verdict, .tools .tool")) {
      one.classList.toggle("chosen", one.dataset.do === action);
    }
  };
  // While the server has not answered, what was chosen stays in sight.
  const saving = (action) => {
    mark(action);
    clearTimeout(slow);
    slow = setTimeout(() => {
      host.classList.add("slow");
      say("Saving");
    }, SLOW);
  };
  const trouble = (text, { again = true } = {}) => {
    clearTimeout(slow);
    host.classList.toggle("slow", again);
    say("");
    notice.firstElementChild.textContent = again ? `Not saved yet, trying again. ${text}` : text;
    button("again").hidden = !again;
    notice.hidden = false;
  };
  const settled = () => {
    clearTimeout(slow);
    mark(null);
    askWhy(false);
    host.classList.remove("slow");
    notice.hidden = true;
  };

  const actions = {
    same: () => choose("same"),
    different: () => choose("different"),
    invalid: () => {
      if (!isSaving()) askWhy(!isAsking());
    },
    back: () => askWhy(false),
    flicker: stage.flicker,
    zoom: stage.nextZoom,
    again: tryNow,
    unsure: () => on.unsure(),
    skip: () => on.skip(),
    undo: () => on.undo(),
    names: () => on.names(),
  };
  host.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (!pressed) return;
    if (pressed.dataset.reason) choose("invalid", pressed.dataset.reason);
    else actions[pressed.dataset.do]?.();
    // Space after a click of the mouse skips: it does not press that button once more.
    if (event.detail) pressed.blur();
  });

  // Whether the key was for the desk.
  const press = (key) => {
    if (pressesButton(key)) return false;
    if (isAsking()) {
      const reason = reasons[key - 1] ?? reasons.find((one) => one[0] === key);
      if (reason) choose("invalid", reason);
      else if (key === "Escape" || key === "x") askWhy(false);
      return true; // other verdicts wait
    }
    if (key === "Escape" && stage.isOver()) stage.apart();
    else if (stage.move(key)) return true;
    else if (KEYS[key] && button(KEYS[key]) && !button(KEYS[key]).disabled) actions[KEYS[key]]();
    else return false;
    return true;
  };
  const progress = (done, total, texts) => {
    const bar = find(".bar");
    bar.setAttribute("aria-valuemax", total);
    bar.setAttribute("aria-valuenow", done);
    bar.setAttribute("aria-valuetext", texts.done);
    bar.style.setProperty("--done", total ? done / total : 0);
    find(".done").textContent = texts.done;
    find(".pace").textContent = texts.pace;
    // Heard with what was saved: a reader of the screen never lags behind the page.
    find(".spoken").textContent = texts.spoken;
  };
  const allow = (action, can) => {
    button(action).disabled = !can;
  };
  // Instead of faces: there are none left.
  const end = find(".finished");
  const finish = (title, ...rest) => {
    stage.clear();
    find(".desk").classList.add("empty");
    end.replaceChildren(make("h1", {}, title), ...rest);
    end.hidden = false;
  };
  const resume = () => {
    find(".desk").classList.remove("empty");
    end.hidden = true;
  };
  return { host, find, button, stage, press, say, saving, trouble, settled, progress, allow, finish, resume };
};
