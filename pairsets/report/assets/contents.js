"use strict";
// The bar of contents marks the section that is read. On a phone, where the page is long, sections
// but the first and the pairs are folded, and a link into a folded one opens it.
(() => {
  const bar = document.querySelector(".contents > div");
  if (!bar) return;
  const parts = [...bar.querySelectorAll("a")].map((link) => ({
    link,
    section: document.getElementById(link.hash.slice(1)),
  })).filter((part) => part.section);

  let marked = null;
  let asked = 0;
  function mark() {
    asked = 0;
    // A section is read once its heading has come to the upper part of the screen.
    const line = bar.getBoundingClientRect().bottom + innerHeight / 4;
    const passed = parts.filter((part) => part.section.getBoundingClientRect().top <= line);
    const link = passed.length ? passed[passed.length - 1].link : null;
    if (link === marked) return;
    if (marked) marked.removeAttribute("aria-current");
    marked = link;
    if (!link) return;
    link.setAttribute("aria-current", "location");
    bar.scrollLeft = link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
  }
  function ask() {
    if (!asked) asked = requestAnimationFrame(mark);
  }
  addEventListener("scroll", ask, { passive: true });
  addEventListener("resize", ask);

  function fold(part, folded) {
    part.section.classList.toggle("folded", folded);
    part.button.setAttribute("aria-expanded", String(!folded));
    // What is drawn to measure learns its width only now.
    if (!folded) dispatchEvent(new Event("resize"));
    ask();
  }
  function makeFoldable(part, at) {
    const heading = part.section.querySelector("h2");
    if (!heading || part.section.id === "pairs") return;
    part.button = document.createElement("button");
    part.button.type = "button";
    part.button.className = "fold";
    part.button.append(...heading.childNodes);
    heading.append(part.button);
    part.button.addEventListener("click", () => {
      fold(part, !part.section.classList.contains("folded"));
    });
    fold(part, at > 0);
  }
  function makeWhole(part) {
    if (!part.button) return;
    part.button.replaceWith(...part.button.childNodes);
    part.button = null;
    part.section.classList.remove("folded");
  }
  function openAt(hash) {
    const target = document.getElementById(decodeURIComponent(hash.slice(1).split("?")[0]));
    const part = target && parts.find((one) => one.section.contains(target));
    if (!part || !part.button || !part.section.classList.contains("folded")) return null;
    fold(part, false);
    return target;
  }
  const narrow = matchMedia("(max-width: 48rem)");
  function arrange() {
    parts.forEach(narrow.matches ? makeFoldable : makeWhole);
    const target = openAt(location.hash);
    if (target) target.scrollIntoView();
    ask();
  }
  narrow.addEventListener("change", arrange);
  // Before the browser goes there itself.
  addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) openAt(link.getAttribute("href")); // links of SVG have no `hash`
  });
  addEventListener("hashchange", () => {
    const target = openAt(location.hash);
    if (target) target.scrollIntoView();
  });
  arrange();
})();
