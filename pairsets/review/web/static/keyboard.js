// Which key was meant, on any keyboard layout.
const NAMED = new Set([" ", "Escape", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);
const EDITED = 'textarea, select, [contenteditable], input:not([type="checkbox"])';

// A letter of the Latin alphabet is meant as it is printed, wherever the key sits. Where a layout
// has no Latin letters, and where the digits need Shift, the place of the key tells.
export const keyOf = (event) => {
  const { key, code = "" } = event;
  if (NAMED.has(key)) return key;
  if (/^[a-z0-9?]$/i.test(key)) return key.toLowerCase();
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code);
  if (digit && !event.shiftKey) return digit[1];
  const isForeign = /^[^\p{ASCII}\p{Script=Latin}]/u.test(key);
  const isUnknown = ["Process", "Unidentified", "Dead"].includes(key);
  const letter = /^Key([A-Z])$/.exec(code);
  return letter && (isForeign || isUnknown) ? letter[1].toLowerCase() : null;
};

// Keys with Ctrl, Alt or Meta are the browser's, those in a field are text.
export const isOurs = (event) =>
  !event.defaultPrevented &&
  !event.ctrlKey &&
  !event.altKey &&
  !event.metaKey &&
  !event.getModifierState("AltGraph") &&
  !event.target.closest?.(EDITED);

// Whether Space presses the button, or ticks the box, that the keyboard has reached: only there.
const PRESSED = "button:focus-visible, a:focus-visible, summary:focus-visible, [type=checkbox]:focus-visible";
export const pressesButton = (key) => key === " " && document.activeElement?.matches(PRESSED);
