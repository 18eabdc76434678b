// The pages work without this file. It adds: keys to walk through results, Airflow's own colours, and links out of
// Airflow's frame.
"use strict";

// Airflow shows the page in a frame without "allow-popups" and "allow-modals", in which links to outlets and printing
// would do nothing at all. The
// frame's document is of Airflow's own origin and trusted, so the right is added; it counts from the next load on.
function leaveFrame() {
  const frame = window.frameElement;
  const free = !frame || !frame.sandbox || frame.sandbox.length === 0 || frame.sandbox.contains("allow-modals");
  if (free) {
    document.documentElement.dataset.settled = ""; // no reload to come that would lose what is typed
    return;
  }
  frame.sandbox.add("allow-popups", "allow-popups-to-escape-sandbox", "allow-modals");
  window.location.reload();
}

function takeTheme() {
  if (window.parent === window) return;
  const airflow = window.parent.document.documentElement;
  const apply = () => {
    document.documentElement.dataset.theme = airflow.classList.contains("dark") ? "dark" : "light";
  };
  apply();
  new MutationObserver(apply).observe(airflow, { attributes: true, attributeFilter: ["class"] });
}

// The browser's tab, bookmarks and history are named by what is shown. Airflow names its page once more when it has read
// its own configuration, which may be later.
function takeTab() {
  if (window.parent === window) return;
  const outer = window.parent.document;
  const own = outer.title;
  const apply = () => { if (outer.title !== document.title) outer.title = document.title; };
  apply();
  const watch = new MutationObserver(apply);
  watch.observe(outer.head, { childList: true, subtree: true, characterData: true });
  window.addEventListener("pagehide", () => {
    watch.disconnect();
    outer.title = own;
  });
}

function typing(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function walk(step) {
  const items = [...document.querySelectorAll(".hit-item")];
  const at = items.findIndex((item) => item.classList.contains("here"));
  const next = items[Math.min(Math.max(at + step, 0), items.length - 1)];
  if (!next) return;
  items.forEach((item) => item.classList.toggle("here", item === next));
  next.querySelector("a").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    document.querySelectorAll("details.syntax[open]").forEach((sheet) => { sheet.open = false; });
    return;
  }
  if (typing(event.target)) return;
  if (event.key === "/") {
    const field = document.querySelector("input[type=search]");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  } else if (event.key === "j") {
    walk(1);
  } else if (event.key === "k") {
    walk(-1);
  }
}

const zone = document.querySelector("[data-own-zone]");
if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;

try {
  leaveFrame();
  takeTheme();
  takeTab();
} catch (error) {
  console.info("The frame is of another origin; the page stays as it is.", error);
}
document.addEventListener("keydown", onKey);
if (window.matchMedia("(max-width: 56rem)").matches) {
  document.querySelectorAll("details.fold:not(:has(.open))").forEach((fold) => { fold.open = false; });
}
