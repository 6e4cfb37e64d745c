// Dark or light: as the system says, unless chosen here. Runs before the first paint.
const KEPT = "lookalikes-theme";
const THEMES = ["auto", "light", "dark"];

// A browser may forbid storage: the choice then lasts as long as the page.
const kept = () => {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
};
let theme = THEMES.includes(kept()) ? kept() : "auto";

const apply = () => {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
};
apply();

export const labelTheme = (button) => {
  button.textContent = `◐ ${theme[0].toUpperCase()}${theme.slice(1)}`;
  button.setAttribute("aria-label", `Colours: ${theme}; change`);
  button.title = "Colours: as the system says, light, or dark";
};
export const nextTheme = () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  apply();
  try {
    localStorage.setItem(KEPT, theme);
  } catch {
    // not kept
  }
};
