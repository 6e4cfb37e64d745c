// Who judges: by the address, by what this tab was told before, by the command line, or asked.
import { at, make, number } from "./elements.js";
import { ask, speakAs } from "./server.js";

const KEPT = "lookalikes-annotator";
// What the name is kept for: in a review of other pairs, or begun as somebody else, it is not meant.
const reviewOf = (set) => `${set.digest} ${set.as ?? ""}`;
const keep = (set, name) => {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify([reviewOf(set), name])); // by tab: two tabs can be two people
  } catch {
    // forgotten when the page is loaded again
  }
};
const kept = (set) => {
  try {
    const [review, name] = JSON.parse(sessionStorage.getItem(KEPT));
    return review === reviewOf(set) ? name : null;
  } catch {
    return null;
  }
};
// The name of the address is said once: it shall not undo a later change.
const fromAddress = () => {
  const address = new URL(location.href);
  const name = address.searchParams.get("as");
  if (name === null) return null;
  address.searchParams.delete("as");
  history.replaceState(history.state, "", address);
  return name;
};
const introduce = async (set, name) => {
  const { name: known } = await ask("/annotators", { name });
  keep(set, known);
  speakAs(known);
  return known;
};

// Two spellings of one name would be two people, each with half of the verdicts.
const bare = (name) => name.normalize("NFKC").toLowerCase().replace(/\s+/g, "");

// Asks in a dialog; null where it is cancelled.
const prompt = async ({ set, current, problem = "" }) => {
  // What is left for each is told if it can be.
  const { people } = await ask("/people").catch(() => ({ people: [] }));
  const left = new Map(people.map(({ name, progress }) => [name, progress.left]));
  const dialog = at("person-dialog");
  const form = dialog.querySelector("form");
  const field = form.elements.name;
  const cancel = dialog.querySelector("[data-do=close]");
  const say = (text) => {
    dialog.querySelector(".problem").textContent = text;
  };
  const others = set.annotators.filter((name) => name !== current);
  const buttons = others.slice(0, 40).map((name) => {
    const rest = left.has(name) ? make("span", { class: "left" }, left.get(name) ? ` ${number(left.get(name))} left` : " done") : "";
    const button = make("button", { type: "button", class: "tool" }, make("bdi", {}, name), rest);
    button.dataset.name = name;
    return button;
  });
  dialog.querySelector(".known").replaceChildren(...(buttons.length ? [make("p", { class: "hint" }, "Judging here already; go on as:"), ...buttons] : []));
  field.value = current ?? "";
  cancel.hidden = !current;
  say(problem);
  return new Promise((resolve) => {
    const listening = new AbortController();
    const on = (event, answer) => dialog.addEventListener(event, answer, { signal: listening.signal });
    const end = (name) => {
      listening.abort();
      dialog.close();
      resolve(name);
    };
    const go = async (name) => {
      try {
        end(await introduce(set, name));
      } catch (error) {
        say(error.message);
        field.focus();
      }
    };
    let warned = null;
    on("submit", (event) => {
      event.preventDefault();
      const name = field.value.trim();
      const near = set.annotators.find((other) => other !== name && bare(other) === bare(name));
      if (near && !set.annotators.includes(name) && warned !== name) {
        warned = name;
        say(`${near} judges here already. If that is you, choose the name above; to begin as ${name}, press Begin again.`);
      } else go(field.value);
    });
    on("click", (event) => {
      const button = event.target.closest("button");
      if (button === cancel) end(null);
      else if (button?.dataset.name) go(button.dataset.name);
    });
    on("cancel", (event) => {
      event.preventDefault();
      if (current) end(null);
    });
    // Esc shall not close it where there is no name yet; nor shall it the second time, when a
    // browser closes a dialog whatever `cancel` says.
    on("keydown", (event) => {
      if (event.key === "Escape" && !current) event.preventDefault();
    });
    on("close", () => (current ? end(null) : dialog.showModal()));
    dialog.showModal();
    field.select();
  });
};

export const findPerson = async (set) => {
  const name = fromAddress() ?? kept(set) ?? set.as;
  let problem = "";
  if (name) {
    try {
      return await introduce(set, name);
    } catch (error) {
      problem = error.message;
    }
  }
  return prompt({ set, current: null, problem });
};
export const changePerson = async (set, current) => {
  const name = await prompt({ set: await ask("/set").catch(() => set), current });
  if (name && name !== current) location.reload(); // another order, another progress
};
