// The server writes times in UTC and says so; this writes them in the reader's own zone, and names it.
"use strict";

const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function formatter(locale, more) {
  return new Intl.DateTimeFormat(locale, {
    timeZone: own, hourCycle: "h23", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
    ...more,
  });
}

const parts = formatter("en-GB", { timeZoneName: "short" });
const american = formatter("en-US", { timeZoneName: "short" });
const numbers = formatter("en-GB", { month: "2-digit", day: "2-digit" });

function read(format, moment) {
  return Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, part.value]));
}

// British English has letters for Europe's zones, American for America's; the others are written by their offset.
function zoneOf(moment) {
  const name = read(parts, moment).timeZoneName;
  return name.startsWith("GMT") ? read(american, moment).timeZoneName : name;
}

const FORMS = {
  date: (moment) => {
    const p = read(parts, moment);
    const year = p.year === read(parts, new Date()).year ? "" : ` ${p.year}`;
    return `${p.day} ${p.month}${year}, ${p.hour}:${p.minute} ${zoneOf(moment)}`;
  },
  minute: (moment) => {
    const p = read(numbers, moment);
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute} ${zoneOf(moment)}`;
  },
  clock: (moment) => {
    const [p, today] = [read(parts, moment), read(parts, new Date())];
    const date = p.day === today.day && p.month === today.month && p.year === today.year ? "" : `${p.day} ${p.month}, `;
    return `${date}${p.hour}:${p.minute} ${zoneOf(moment)}`;
  },
};

const WRITTEN = /\b(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/g;

// Labels of charts, which hold no elements.
function rewritten(text) {
  return text.replace(WRITTEN, (_, day, time) => FORMS.minute(new Date(`${day}T${time}Z`)));
}

function ownTimes(root) {
  root.querySelectorAll("time[datetime]").forEach((time) => {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) return;
    if (FORMS[time.dataset.form]) time.textContent = FORMS[time.dataset.form](moment);
    time.title = FORMS.minute(moment);
  });
  root.querySelectorAll("svg.chart a[aria-label]").forEach((link) => {
    link.setAttribute("aria-label", rewritten(link.getAttribute("aria-label")));
  });
  root.querySelectorAll("svg.chart title").forEach((title) => { title.textContent = rewritten(title.textContent); });
}

function nameZone() {
  const zone = zoneOf(new Date());
  const letters = zone === own ? "" : ` (${zone})`;
  document.querySelectorAll("[data-zone]").forEach((line) => {
    line.textContent = `Times are in your zone, ${own.replaceAll("_", " ")}${letters}.`;
  });
}

window.inOwnZone = rewritten;
if (own !== "UTC") {
  ownTimes(document);
  nameZone();
}
