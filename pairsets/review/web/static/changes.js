// One pair of a list, large, in a dialog: look at it again, and say otherwise.
import { at, verdictText } from "./elements.js";
import { makeDesk } from "./desk.js";
import { factsOf } from "./facts.js";
import { prepare } from "./pictures.js";
import { isSaving, save } from "./outbox.js";

const taskOf = ({ pair, left, right }) => ({ pair, left: left.image, right: right.image });

export const makeChanging = ({ set }) => {
  const dialog = at("pair-dialog");
  const facts = at("pair-facts");
  let shown = null; // the pair, where changes are sent to, who is told of them

  const desk = makeDesk(at("pair-desk"), {
    reasons: set.reasons,
    without: ["unsure", "skip", "undo", "names"],
    on: { verdict: (...said) => change(...said) },
  });
  const change = async (verdict, reason) => {
    if (!shown) return;
    if (isSaving()) {
      desk.say("Another verdict is being saved still.");
      return;
    }
    const { pair, path, onChange } = shown;
    desk.saving(verdict);
    let text = `Saved: ${verdictText({ verdict, reason })}.`;
    try {
      const found = await save(path, { pair: pair.pair, verdict, reason }, {
        onTrouble: (problem) => desk.trouble(problem),
        onRecovery: () => {
          text = `The server is back. ${text}`;
        },
      });
      desk.settled();
      onChange(found);
      if (shown?.pair !== pair) return;
      shown.pair = found;
      facts.replaceChildren(...factsOf(found));
      desk.say(text);
    } catch (error) {
      desk.settled();
      desk.trouble(error.message, { again: false });
    }
  };
  const open = (pair, { path, onChange, onClose }) => {
    shown = { pair, path, onChange, onClose };
    facts.replaceChildren(...factsOf(pair));
    desk.settled();
    desk.say("");
    dialog.showModal();
    desk.find(".stage").focus();
    const task = taskOf(pair);
    desk.stage.show(task);
    prepare([task]);
  };
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-do=close]")) dialog.close();
  });
  // Esc first leaves what was opened within.
  dialog.addEventListener("cancel", (event) => {
    if (desk.press("Escape")) event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    shown?.onClose(shown.pair);
    shown = null;
    desk.stage.clear();
    facts.replaceChildren();
  });
  const press = (key) => key !== "Escape" && desk.press(key);
  return { open, press, isOpen: () => dialog.open, close: () => dialog.close() };
};
export { taskOf };
