"use strict";
// On paper nothing can be unfolded: what is folded is opened for printing, and closed again.
(() => {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
    opened = [];
  });
})();
// A table wider than the page is scrolled by the keyboard too, once it can be reached; others are passed over.
(() => {
  const sheets = document.querySelectorAll(".sheet");
  const look = () => {
    for (const sheet of sheets) {
      if (sheet.scrollWidth > sheet.clientWidth) sheet.tabIndex = 0;
      else sheet.removeAttribute("tabindex");
    }
  };
  const watch = new ResizeObserver(look);
  for (const sheet of sheets) watch.observe(sheet);
})();
