// Searching and passing on. The pages work without this file. It adds: a range of the time-line by dragging or by keys,
// values of a facet found while typing, buttons that copy and print.
"use strict";

// ── a range of the time-line ─────────────────────────────────────────────────────────────────────────────────────────

function rangeOf(chart) {
  const bars = [...chart.querySelectorAll("a[data-from]")];
  const told = chart.closest(".timeline").querySelector(".range");
  const before = told.textContent;
  let first = -1; // where the range began; -1: there is none
  let last = -1;
  let pressed = false;
  let dragged = false;

  const bounds = () => [Math.min(first, last), Math.max(first, last)];
  const show = () => {
    const [low, high] = first < 0 ? [0, -1] : bounds();
    bars.forEach((bar, place) => bar.classList.toggle("within", place >= low && place <= high));
    if (first < 0) { told.textContent = before; return; }
    const count = bars.slice(low, high + 1).reduce((sum, bar) => sum + Number(bar.dataset.count), 0);
    const words = (text) => (window.inOwnZone ?? String)(`${text.replace("T", " ")} UTC`); // times.js
    told.textContent = `${words(bars[low].dataset.from)} – ${words(bars[high].dataset.to)}: ${count.toLocaleString("en")}`;
  };
  const drop = () => { first = last = -1; pressed = dragged = false; show(); };
  const go = () => {
    const [low, high] = bounds();
    const address = new URL(window.location.href);
    address.hash = "";
    ["offset", "more", "within"].forEach((name) => address.searchParams.delete(name));
    address.searchParams.set("from", bars[low].dataset.from);
    address.searchParams.set("to", bars[high].dataset.to);
    window.location.assign(address);
  };
  const placeAt = (x) => {
    const box = chart.getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((x - box.left) / box.width) * bars.length), 0), bars.length - 1);
  };

  chart.addEventListener("dragstart", (event) => event.preventDefault());
  chart.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    first = last = placeAt(event.clientX);
    pressed = true;
    dragged = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!pressed || event.buttons !== 1) return;
    const here = placeAt(event.clientX);
    if (here !== first) dragged = true;
    if (!dragged) return;
    event.preventDefault();
    last = here;
    show();
  });
  window.addEventListener("pointerup", () => {
    if (!pressed) return;
    pressed = false;
    if (dragged) go(); else drop();
  });
  window.addEventListener("pointercancel", drop);
  // The link under the pointer is not followed at the end of a drag.
  chart.addEventListener("click", (event) => { if (dragged) event.preventDefault(); });
  window.addEventListener("pageshow", drop);

  const move = (to, choosing) => {
    const from = bars.indexOf(document.activeElement);
    const next = Math.min(Math.max(to(from), 0), bars.length - 1);
    if (choosing && first < 0) first = from;
    if (choosing) last = next; else first = last = -1;
    bars.forEach((bar, place) => bar.setAttribute("tabindex", place === next ? "0" : "-1"));
    bars[next].focus();
    show();
  };
  const moves = {
    ArrowLeft: (place) => place - 1,
    ArrowRight: (place) => place + 1,
    PageUp: (place) => place - 10,
    PageDown: (place) => place + 10,
    Home: () => 0,
    End: () => bars.length - 1,
  };
  chart.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) { event.preventDefault(); move(moves[event.key], event.shiftKey); }
    else if (event.key === "Escape") drop();
    else if (event.key === "Enter" && first >= 0 && first !== last) { event.preventDefault(); go(); }
  });
}

document.querySelectorAll(".timeline .chart").forEach(rangeOf);

// ── values of a facet ────────────────────────────────────────────────────────────────────────────────────────────────

document.querySelectorAll(".facets .within input[type=search]").forEach((field) => {
  const values = [...field.closest("section").querySelectorAll("li.value")];
  field.addEventListener("input", () => {
    const sought = field.value.trim().toLowerCase();
    values.forEach((value) => { value.hidden = !value.textContent.toLowerCase().includes(sought); });
  });
});

// ── passing on ───────────────────────────────────────────────────────────────────────────────────────────────────────

// Without a secure connection there is no clipboard: then the browser's own command copies what is selected.
async function copy(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}

document.querySelectorAll(".share").forEach((share) => {
  const told = share.querySelector("[data-told]");
  // As the browser knows the page, whatever proxy is before the server.
  share.querySelectorAll("[data-path]").forEach((field) => {
    const address = new URL(field.value);
    field.value = window.location.origin + address.pathname + address.search;
  });
  share.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const copied = await copy(document.getElementById(button.dataset.copy));
      told.textContent = copied ? "Copied." : "It is selected: copy it by your keyboard.";
    });
  });
  share.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => { share.open = false; window.print(); });
  });
  share.querySelectorAll("[data-hint]").forEach((hint) => hint.remove());
  share.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !share.open) return;
    share.open = false;
    share.querySelector("summary").focus();
  });
});
