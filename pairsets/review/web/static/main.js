// The pages by their addresses, and the keys of all.
import { makeAgreement } from "./agreement.js";
import { makeChanging } from "./changes.js";
import { makeDisagreements } from "./disagreements.js";
import { at, make } from "./elements.js";
import { makeHistory } from "./history.js";
import { makePeople } from "./people.js";
import { makeJudging } from "./judgement.js";
import { isOurs, keyOf } from "./keyboard.js";
import { changePerson, findPerson } from "./person.js";
import { servedSet } from "./outbox.js";
import { ask, Silence } from "./server.js";
import { labelTheme, nextTheme } from "./theme.js";

const AGAIN = 1500; // milliseconds until a server that did not answer is asked again
const help = at("help-dialog");
let set = null;
let person = null;
let pages = {};
let current = null;
let changing = null;

// `#/history?show=wrong`: the page, and what it is asked to show.
const route = () => {
  const [path, search = ""] = (location.hash || `#${location.pathname}`).slice(1).split("?");
  const name = path.replace(/^\/+|\/+$/g, "");
  return { name: name in pages ? name : "judging", wanted: new URLSearchParams(search) };
};
const go = () => {
  const { name, wanted } = route();
  if (changing.isOpen()) changing.close();
  if (at("menu").matches(":popover-open")) at("menu").hidePopover();
  current?.leave();
  current = pages[name];
  document.body.dataset.page = name;
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  current.enter(wanted);
};

const actions = {
  help: () => help.showModal(),
  close: (button) => button.closest("dialog").close(),
  theme: (button) => {
    nextTheme();
    labelTheme(button);
  },
  person: () => changePerson(set, person),
  "to-main": () => at("main").focus(),
};
document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-do]");
  const action = pressed && actions[pressed.dataset.do];
  if (!action || pressed.closest("#person-dialog, #pair-dialog")) return;
  if (pressed.matches("a")) event.preventDefault(); // the address belongs to the pages
  action(pressed);
});
help.addEventListener("click", (event) => {
  if (event.target === help) help.close();
});

// On a small screen the menu lies over the faces. A large one shows it beside them.
const isMenuOpen = () =>
  at("menu").matches(":popover-open") && document.querySelector(".menu-button").checkVisibility();

// A held key is one key; one that the keyboard repeats presses no button either.
const isHeld = (event) => event.repeat && (keyOf(event)?.length === 1 || event.key === "Enter" || event.key === "Escape");
document.addEventListener("keydown", (event) => {
  if (!isOurs(event)) return;
  if (isHeld(event)) {
    event.preventDefault();
    return;
  }
  const key = keyOf(event);
  const open = document.querySelector("dialog:modal");
  if (key === null || !current || (open && open.id !== "pair-dialog") || isMenuOpen()) return;
  const pressed = open ? changing.press(key) : key === "?" ? (actions.help(), true) : current.press(key);
  if (pressed) event.preventDefault();
});

const begin = async () => {
  labelTheme(at("theme"));
  try {
    set = await ask("/set");
  } catch (error) {
    const text = error instanceof Silence ? `${error.message} Is it still running? Trying again.` : error.message;
    at("main").replaceChildren(...[...at("main").children].filter((one) => !one.matches(".start")), make("p", { class: "start", role: "alert" }, text));
    setTimeout(begin, AGAIN);
    return;
  }
  document.querySelector(".start")?.remove();
  servedSet(set);
  at("set-name").textContent = set.name;
  person = await findPerson(set);
  const button = at("person");
  button.querySelector("b").textContent = person;
  button.hidden = false;
  changing = makeChanging({ set });
  pages = {
    judging: makeJudging({ set, person }),
    history: makeHistory({ set, person, changing }),
    disagreements: makeDisagreements({ set, person }),
    agreement: makeAgreement({ set }),
    people: makePeople({ set }),
  };
  addEventListener("hashchange", go);
  go();
};
begin();
