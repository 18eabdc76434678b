// The pages work without this file. It adds: keys, marks without a new page, the place and the focus after going back,
// Airflow's own colours, and links out of Airflow's frame.
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

// ── walking through results, and the rows of other lists ──

const LISTS = [".hit-item", ".story-line > li", "main tbody tr:has(th a)", "main .rows > li:has(a)"];
const leadOf = (item) => item.querySelector("h2 a, th a, a.headline, a");
const hits = () => LISTS.map((list) => [...document.querySelectorAll(list)].filter((item) => leadOf(item)?.checkVisibility()))
  .find((items) => items.length) ?? [];
const current = () => hits().find((item) => item.contains(document.activeElement)) ?? document.querySelector(".here");

function goTo(item, block = "nearest") {
  hits().forEach((other) => other.classList.toggle("here", other === item));
  leadOf(item).focus({ preventScroll: true });
  item.scrollIntoView({ block });
}

function walk(step) {
  const items = hits();
  const next = items[Math.min(Math.max(items.indexOf(current()) + step, 0), items.length - 1)];
  if (next) goTo(next);
}

// A browser puts a page back at its place, but not the focus to its link.
const placeKey = () => `place:${location.pathname}${location.search}`;

function keepPlace() {
  const item = current();
  if (item) sessionStorage.setItem(placeKey(), item.id || leadOf(item).href);
}

function findPlace(event) {
  const wentBack = event.persisted || performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  const named = location.hash.startsWith("#a-") ? location.hash.slice(1) : "";
  const place = (wentBack && sessionStorage.getItem(placeKey())) || named;
  const item = place && hits().find((one) => one.id === place || leadOf(one).href === place);
  if (item) goTo(item, wentBack ? "nearest" : "center");
}

// ── marks ──

function say(text) {
  const line = document.querySelector("[data-said]");
  if (line) line.textContent = text;
}

function show(button, on) {
  button.setAttribute("aria-pressed", String(on));
  button.value = { true: { star: "unstar", unstar: "unstar", read: "unread", unread: "unread" },
    false: { star: "star", unstar: "star", read: "read", unread: "read" } }[on][button.value];
}

async function mark(button) {
  const fields = new URLSearchParams(new FormData(button.form));
  fields.set(button.name, button.value);
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(button.formAction, {
      method: "POST", body: fields, headers: { Accept: "application/json" },
    });
    const told = await answer.json().catch(() => ({})); // a proxy in between answers with a page
    if (!answer.ok || told.read === undefined) throw new Error(`${told.text ?? answer.status} ${told.step ?? ""}`);
    const place = button.closest(".hit-item") ?? document;
    const [star, seen] = [place.querySelector("button.star"), place.querySelector("button.seen")];
    const said = button === star ? (told.starred ? "Starred" : "Star taken away") : (told.read ? "Read" : "Unread");
    show(star, told.starred);
    show(seen, told.read);
    if (place !== document) {
      place.classList.toggle("read", told.read);
      if (told.read) place.querySelector(".badge.new")?.remove();
    }
    fault("");
    say(said);
  } catch (error) {
    fault(`That could not be kept: ${error.message}`);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// What failed is seen by everybody, not only heard.
function fault(text) {
  const known = document.querySelector(".mark-fault");
  if (known) known.remove();
  if (!text) return;
  const line = document.createElement("p");
  line.className = "notice bad mark-fault";
  line.setAttribute("role", "alert");
  line.textContent = text;
  document.querySelector("main").prepend(line);
}

document.addEventListener("submit", (event) => {
  if (!event.submitter?.matches("button.mark")) return;
  event.preventDefault();
  mark(event.submitter);
});

// A result that is opened is read when the reader comes back to a page that the browser has kept.
function opened(event) {
  const item = event.target.closest(".hit-item h2 a")?.closest(".hit-item");
  if (!item) return;
  item.classList.add("read");
  item.querySelector(".badge.new")?.remove();
  const seen = item.querySelector("button.seen");
  if (seen) show(seen, true);
}

// ── keys ──

function press(selector) {
  const target = document.querySelector(selector);
  if (target) target.click();
}

function ofCurrent(selector) {
  return current()?.querySelector(selector) ?? document.querySelector("main > .crumbs")?.querySelector(selector);
}

const KEYS = {
  "/": () => {
    const field = document.querySelector("input[type=search]");
    if (field) { field.focus(); field.select(); } else window.location.assign(`${document.querySelector(".brand").href}#q`);
  },
  j: () => walk(1),
  k: () => walk(-1),
  o: () => { const item = current(); if (item) leadOf(item).click(); else press("article a.out"); },
  n: () => press("a[rel=next]"),
  p: () => press("a[rel=prev]"),
  u: () => press("a.up, .crumbs a"),
  m: () => ofCurrent("button.seen")?.click(),
  s: () => ofCurrent("button.star")?.click(),
  "?": () => document.getElementById("keys")?.showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    document.querySelectorAll("details.syntax[open]").forEach((sheet) => { sheet.open = false; });
    return;
  }
  const does = typing(event.target) || document.querySelector("dialog[open]") ? null : KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
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
document.addEventListener("click", opened);
window.addEventListener("pagehide", keepPlace);
window.addEventListener("pageshow", findPlace);
if (window.location.hash === "#q") document.getElementById("q")?.focus();
document.querySelectorAll("[data-keys]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", KEYS["?"]);
});
if (window.matchMedia("(max-width: 56rem)").matches) {
  document.querySelectorAll("details.fold:not(:has(.open))").forEach((fold) => { fold.open = false; });
}
